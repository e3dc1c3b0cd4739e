//! The REST API's routes: which operation a method and a path ask for, and what of the request it needs. Pure.
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>.

use bytes::Bytes;
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::borrow::Cow;

struct Route {
    operation: &'static str,
    method: &'static str,
    /// Its steps; `{}` is the function's name, or the mapping's UUID.
    path: &'static str,
    /// The status of a success.
    status: u16,
}

const fn route(
    operation: &'static str,
    method: &'static str,
    path: &'static str,
    status: u16,
) -> Route {
    Route {
        operation,
        method,
        path,
        status,
    }
}

#[rustfmt::skip]
const ROUTES: [Route; 16] = [
    route("CreateFunction", "POST", "2015-03-31/functions", 201),
    route("ListFunctions", "GET", "2015-03-31/functions", 200),
    route("GetFunction", "GET", "2015-03-31/functions/{}", 200),
    route("DeleteFunction", "DELETE", "2015-03-31/functions/{}", 204),
    route("GetFunctionConfiguration", "GET", "2015-03-31/functions/{}/configuration", 200),
    route("UpdateFunctionConfiguration", "PUT", "2015-03-31/functions/{}/configuration", 200),
    route("UpdateFunctionCode", "PUT", "2015-03-31/functions/{}/code", 200),
    route("Invoke", "POST", "2015-03-31/functions/{}/invocations", 200),
    route("CreateEventSourceMapping", "POST", "2015-03-31/event-source-mappings", 202),
    route("ListEventSourceMappings", "GET", "2015-03-31/event-source-mappings", 200),
    route("GetEventSourceMapping", "GET", "2015-03-31/event-source-mappings/{}", 200),
    route("UpdateEventSourceMapping", "PUT", "2015-03-31/event-source-mappings/{}", 202),
    route("DeleteEventSourceMapping", "DELETE", "2015-03-31/event-source-mappings/{}", 202),
    route("PutFunctionConcurrency", "PUT", "2017-10-31/functions/{}/concurrency", 200),
    route("GetFunctionConcurrency", "GET", "2019-09-30/functions/{}/concurrency", 200),
    route("DeleteFunctionConcurrency", "DELETE", "2017-10-31/functions/{}/concurrency", 204),
];

/// A call of the REST API, as its method and path name it.
pub struct Call<'a> {
    /// Its name; the method and the path of one that is not in this lab.
    pub operation: Cow<'static, str>,
    /// The status of its success.
    pub status: u16,
    /// The function as the path names it, or the UUID of the mapping. Empty when the path names none.
    pub subject: Cow<'a, str>,
    query: &'a str,
}

impl<'a> Call<'a> {
    /// None when the path is none of this API's, which all begin with a date.
    pub fn find(method: &Method, uri: &'a Uri) -> Option<Self> {
        let steps: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        if !is_date(steps[0]) {
            return None;
        }
        let mut routes = ROUTES
            .iter()
            .filter(|route| route.method == method.as_str());
        let query = uri.query().unwrap_or_default();
        let found = routes.find_map(|route| Some((route, route.subject(&steps)?)));
        Some(match found {
            Some((route, subject)) => Self {
                operation: route.operation.into(),
                status: route.status,
                subject: percent_decode_str(subject).decode_utf8_lossy(),
                query,
            },
            None => Self {
                operation: format!("{method} {}", uri.path()).into(),
                status: 404,
                subject: "".into(),
                query,
            },
        })
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

impl Route {
    /// The step in the place of `{}`, when the steps are this route's. Empty when it has no such place.
    fn subject<'a>(&self, steps: &[&'a str]) -> Option<&'a str> {
        let mut subject = "";
        let mut pattern = self.path.split('/');
        for step in steps {
            match pattern.next()? {
                "{}" => subject = step,
                other if other == *step => {}
                _ => return None,
            }
        }
        pattern.next().is_none().then_some(subject)
    }
}

fn is_date(step: &str) -> bool {
    step.len() == 10
        && step.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// An answer of the REST API.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Those beside the length and the type of the body.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or what a function has answered.
    pub body: Bytes,
}

impl Answer {
    /// The JSON of an operation's output; nothing at all of null.
    pub fn json(status: u16, output: &Value) -> Self {
        let body = match output {
            Value::Null => Bytes::new(),
            output => output.to_string().into(),
        };
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: Method, uri: &str) -> Option<(String, String)> {
        let uri: Uri = uri.parse().expect("a path");
        let call = Call::find(&method, &uri)?;
        Some((call.operation.into_owned(), call.subject.into_owned()))
    }

    #[test]
    fn method_and_path_name_the_operation_and_its_subject() {
        let found =
            |operation: &str, subject: &str| Some((operation.to_owned(), subject.to_owned()));
        let functions = "/2015-03-31/functions";
        assert_eq!(
            find(Method::GET, &format!("{functions}/")),
            found("ListFunctions", "")
        );
        assert_eq!(find(Method::POST, functions), found("CreateFunction", ""));
        assert_eq!(
            find(Method::GET, &format!("{functions}/my%3Aa+b")),
            found("GetFunction", "my:a+b")
        );
        let odd = format!("{functions}/a/b/c");
        assert_eq!(find(Method::GET, &odd), found(&format!("GET {odd}"), ""));
        assert_eq!(find(Method::GET, "/functions"), None);
    }
}
