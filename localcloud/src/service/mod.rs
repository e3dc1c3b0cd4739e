//! The front door of AWS's services: reads a call in its protocol, finds the service that it names, lets the faults that
//! were asked for happen around it, and answers in the same protocol. A service outside this lab is answered in its own
//! protocol too.

mod rows;

use crate::cloud::Cloud;
use crate::events;
use crate::faults::Kind;
use crate::guard::MAX_BODY;
use crate::lambda;
use crate::wire::cbor;
use crate::wire::error::ApiError;
use crate::wire::json::{Json, JSON_1_0, JSON_1_1};
use crate::wire::query::{Form, Query};
use crate::wire::rest::Rest;
use crate::wire::{Output, Protocol};
use axum::body::Body;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Response, Uri};
use rows::{Service, SERVICES};
use std::borrow::Cow;
use std::fmt;
use std::time::Instant;

/// How SQS is named in the query protocol.
const SQS_VERSION: &str = "2012-11-05";
/// In this namespace AWS answers a form that names no service.
const NO_SERVICE: &str = "http://webservices.amazon.com/AWSFault/2005-15-09";

/// The answer is to be lost: the connection closes instead. See [`Kind::LostResponse`].
#[derive(Debug)]
pub struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was lost on request")
    }
}

impl std::error::Error for Lost {}

/// How large the body may be of a request that is for AWS whatever its method, in bytes. None for one that only its
/// method, POST, tells from one for a page.
pub fn max_body(head: &Parts) -> Option<usize> {
    if lambda::Call::find(&head.method, &head.uri).is_some() {
        return Some(lambda::MAX_REQUEST);
    }
    signed_for(&head.headers).map(|_| MAX_BODY)
}

/// Answers one call of an AWS operation.
///
/// # Errors
///
/// The call was carried out, and its answer is to be lost.
pub async fn answer(
    cloud: &Cloud,
    head: &Parts,
    body: &Bytes,
    request_id: &str,
) -> Result<Response<Body>, Lost> {
    cloud.clock.note_request();
    let Request {
        service,
        protocol,
        call,
    } = Request::read(head, body);
    let begun = Instant::now();
    let name = match &service {
        Ok(service) => service.name,
        Err(name) => name,
    };
    let work = async {
        match &service {
            Ok(service) => service.answer(cloud, &call).await,
            Err(name) => Err(ApiError::not_in_this_lab(name, &call.operation)),
        }
    };
    let outcome = events::in_the_name_of(user_agent(&head.headers), work).await;
    let code = outcome.as_ref().err().map_or("OK", |error| &error.code);
    let ms = begun.elapsed().as_millis() as u64;
    tracing::debug!(
        service = name,
        operation = &*call.operation,
        code,
        ms,
        "call"
    );
    // The last moment before the answer leaves.
    if cloud.faults.take(Kind::LostResponse, &call.operation) {
        return Err(Lost);
    }
    Ok(protocol.answer(&call.operation, outcome, request_id))
}

impl Service {
    async fn answer(&self, cloud: &Cloud, call: &Call<'_>) -> Result<Output, ApiError> {
        if let Input::Wrong(error) = &call.input {
            return Err(error.clone());
        }
        if !cloud.faults.take(Kind::Throttle, &call.operation) {
            return (self.call)(cloud, call).await;
        }
        let (code, status) = (self.throttle)(&call.operation);
        let error = ApiError::sender(code, "Rate exceeded: throttled on request of the lab.");
        let error = error.with_status(status);
        (self.note_refused)(cloud, call, &error);
        Err(error)
    }
}

/// A request, read as far as that it can be answered in its own protocol.
struct Request<'a> {
    /// The name in the request, when no service in this lab has it.
    service: Result<&'static Service, Cow<'a, str>>,
    protocol: Cow<'static, Protocol>,
    call: Call<'a>,
}

/// One call of an operation.
struct Call<'a> {
    operation: Cow<'a, str>,
    input: Input<'a>,
    /// `http://host` as the caller wrote it, so that queue URLs work from where they were asked for.
    base: String,
    /// The key that the call was signed with.
    access_key: Option<&'a str>,
}

/// The input of the operation, as the service takes it.
enum Input<'a> {
    Json(Bytes),
    Form(Form),
    Rest(lambda::Call<'a>, &'a HeaderMap, &'a Bytes),
    /// The input can't be read.
    Wrong(ApiError),
}

impl Call<'_> {
    fn json(&self) -> &[u8] {
        match &self.input {
            Input::Json(json) => json,
            _ => b"",
        }
    }

    fn form(&self) -> Cow<'_, Form> {
        match &self.input {
            Input::Form(form) => Cow::Borrowed(form),
            _ => Cow::default(),
        }
    }
}

impl<'a> Request<'a> {
    fn read(head: &'a Parts, body: &'a Bytes) -> Self {
        if let Some(call) = lambda::Call::find(&head.method, &head.uri) {
            return Self::rest(head, call, body);
        }
        if let Some(target) = head.headers.get("x-amz-target") {
            return Self::json(head, target.to_str().unwrap_or_default(), body);
        }
        // A GET has the parameters in its URL. It comes here when it is signed: any page could make a browser send others.
        let url = head.uri.query().unwrap_or_default();
        let form = Form::parse(if body.is_empty() {
            url.as_bytes()
        } else {
            body
        });
        match signed_for(&head.headers) {
            Some(service) if form.get("Action").is_none() => Self::strange(head, service),
            service => Self::query(head, form, service),
        }
    }

    fn new(
        head: &'a Parts,
        found: Option<(&'static Service, &'static Protocol)>,
        unknown: impl FnOnce() -> (Cow<'a, str>, Protocol),
        operation: impl Into<Cow<'a, str>>,
        input: Input<'a>,
    ) -> Self {
        let (service, protocol) = match found {
            Some((service, protocol)) => (Ok(service), Cow::Borrowed(protocol)),
            None => {
                let (name, protocol) = unknown();
                (Err(name), Cow::Owned(protocol))
            }
        };
        let call = Call {
            operation: operation.into(),
            input,
            base: base_url(&head.headers, &head.uri),
            access_key: credential(&head.headers).and_then(|mut parts| parts.next()),
        };
        Self {
            service,
            protocol,
            call,
        }
    }

    fn rest(head: &'a Parts, call: lambda::Call<'a>, body: &'a Bytes) -> Self {
        let found = find(|_, protocol| *protocol == Protocol::Rest(Rest::Json));
        let unknown = || ("lambda".into(), Protocol::Rest(Rest::Json));
        let operation = call.operation.clone();
        let input = Input::Rest(call, &head.headers, body);
        Self::new(head, found, unknown, operation, input)
    }

    fn json(head: &'a Parts, target: &'a str, body: &'a Bytes) -> Self {
        let (name, operation) = target.split_once('.').unwrap_or((target, ""));
        let content_type = head.headers.get(CONTENT_TYPE);
        let is_cbor = content_type.is_some_and(|it| it == cbor::CONTENT_TYPE);
        let is_spoken = |protocol: &Protocol| match protocol {
            Protocol::Json(_) => !is_cbor,
            protocol => is_cbor && *protocol == Protocol::Cbor,
        };
        let found = find(|id, protocol| id == name && is_spoken(protocol));
        let unknown = || {
            let is_1_1 = content_type.is_some_and(|it| it == JSON_1_1);
            let content_type = if is_1_1 { JSON_1_1 } else { JSON_1_0 };
            (name.into(), Protocol::Json(Json::plain(content_type)))
        };
        let input = match is_cbor {
            true => cbor::to_json(body).map_or_else(Input::Wrong, |json| Input::Json(json.into())),
            false => Input::Json(body.clone()),
        };
        Self::new(head, found, unknown, operation, input)
    }

    /// `signed_for` is the name of the service in the signature.
    fn query(head: &'a Parts, mut form: Form, signed_for: Option<&'a str>) -> Self {
        let base = base_url(&head.headers, &head.uri);
        // SQS is also called by the URL of the queue, without other names for service and queue.
        let is_queue = head.uri.path().len() > 1;
        if is_queue {
            form.set_default("Version", SQS_VERSION);
            form.set_default("QueueUrl", &format!("{base}{}", head.uri.path()));
        }
        let text = |name| form.get(name).unwrap_or_default().to_owned();
        let (action, version) = (text("Action"), text("Version"));
        let found = find(|id, protocol| id == version && matches!(protocol, Protocol::Query(_)));
        let unknown = || {
            let namespace = match signed_for {
                Some(name) if is_plain(name) && is_plain(&version) => {
                    format!("http://{name}.amazonaws.com/doc/{version}/").into()
                }
                _ => Cow::Borrowed(NO_SERVICE),
            };
            let query = Query {
                namespace,
                shapes: None,
            };
            let name = signed_for.map_or_else(|| version.clone().into(), Cow::from);
            (name, Protocol::Query(query))
        };
        let input = match found {
            _ if action.is_empty() => Input::Wrong(ApiError::sender(
                "MissingAction",
                "The request has neither an x-amz-target header nor an Action parameter: it is not a call to AWS.",
            )),
            Some((_, Protocol::Query(query))) => match query.json_input(&action, &form) {
                Some(Ok(json)) => Input::Json(json),
                Some(Err(error)) => Input::Wrong(error),
                None => Input::Form(form),
            },
            _ => Input::Form(form),
        };
        Self::new(head, found, unknown, action, input)
    }

    /// A request that is signed for a service that speaks none of the protocols of this lab's.
    fn strange(head: &'a Parts, service: &'a str) -> Self {
        let rest = match service {
            "s3" => Rest::Xml,
            _ => Rest::Json,
        };
        let unknown = || (service.into(), Protocol::Rest(rest));
        let operation = format!("{} {}", head.method, head.uri.path());
        Self::new(head, None, unknown, operation, Input::Json(Bytes::new()))
    }
}

/// The service, and the protocol of its that is meant.
fn find(
    is_meant: impl Fn(&str, &Protocol) -> bool,
) -> Option<(&'static Service, &'static Protocol)> {
    SERVICES.iter().find_map(|service| {
        let mut protocols = service.protocols.iter();
        let (_, protocol) = protocols.find(|(id, protocol)| is_meant(id, protocol))?;
        Some((service, protocol))
    })
}

/// The service that the signature is for, such as `s3`.
fn signed_for(headers: &HeaderMap) -> Option<&str> {
    credential(headers)?.nth(3)
}

/// The parts of the credential in a signature: the access key, the date, the region, the service.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>.
fn credential(headers: &HeaderMap) -> Option<impl Iterator<Item = &str>> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = signature.strip_prefix("AWS4-")?.split_once("Credential=")?;
    Some(credential.split([',', ' ']).next()?.split('/'))
}

/// Whether this may stand in a namespace.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `http://host` as the caller wrote it.
fn base_url(headers: &HeaderMap, uri: &Uri) -> String {
    let header = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(Authority::as_str);
    let host = header.or(authority).unwrap_or_default();
    format!("http://{host}")
}

/// Who calls, as the SDKs say it: in a header of their own, since a browser would not let them write the usual one.
fn user_agent(headers: &HeaderMap) -> HeaderValue {
    let agent = headers.get("x-amz-user-agent").or(headers.get(USER_AGENT));
    agent.cloned().unwrap_or(HeaderValue::from_static(""))
}
