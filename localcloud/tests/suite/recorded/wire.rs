//! Calls in the protocol of their service: JSON, a form, or REST; and what comes back.

use crate::support::{exchange, request, Answer as Response};
use localcloud::LocalCloud;
use quick_xml::events::Event;
use quick_xml::Reader;
use serde_json::{json, Map, Value};

/// How SQS is asked; the other services have one protocol each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Json,
    Query,
}

/// An answer, whatever its protocol.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The output, or the error's code and message.
    pub outcome: Result<Value, (String, String)>,
}

pub fn call(
    cloud: &LocalCloud,
    protocol: Protocol,
    service: &str,
    operation: &str,
    input: &Value,
) -> Answer {
    match service {
        "sqs" if protocol == Protocol::Json => json_call(cloud, "AmazonSQS", operation, input),
        "sqs" => sqs_query(cloud, operation, input),
        "kinesis" => json_call(cloud, "Kinesis_20131202", operation, input),
        "logs" => json_call(cloud, "Logs_20140328", operation, input),
        "iam" => query_call(cloud, "2010-05-08", operation, input),
        "sts" => query_call(cloud, "2011-06-15", operation, input),
        "cloudformation" => query_call(cloud, "2010-05-15", operation, input),
        "lambda" => rest_call(cloud, operation, input),
        other => panic!("no service {other}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn json_call(cloud: &LocalCloud, target: &str, operation: &str, input: &Value) -> Answer {
    let mut input = input.clone();
    if target == "AmazonSQS" {
        // Policies within attributes are texts.
        if let Some(Value::Object(attributes)) = input.get_mut("Attributes") {
            for attribute in attributes.values_mut() {
                *attribute = Value::from(text(attribute));
            }
        }
    }
    let target = format!("{target}.{operation}");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let body = input.to_string();
    let response =
        exchange(cloud, &request("POST", "/", &headers, body.as_bytes())).expect("an answer");
    json_answer(&response)
}

fn json_answer(response: &Response) -> Answer {
    let body = response.json();
    let outcome = if response.status < 300 {
        let is_empty = response.body.is_empty();
        Ok(if is_empty { json!({}) } else { body })
    } else {
        let query = response.header("x-amzn-query-error");
        let query = query.and_then(|header| header.split(';').next());
        let shape = body["__type"].as_str();
        let kind = response.header("x-amzn-errortype");
        let code = query.or(kind).or(shape).unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let message = [&body["message"], &body["Message"]];
        let message = message.into_iter().find_map(Value::as_str);
        Err((code.to_owned(), message.unwrap_or_default().to_owned()))
    };
    Answer {
        status: response.status,
        outcome,
    }
}

const FUNCTIONS: &str = "/2015-03-31/functions";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";

/// The method and the path of Lambda's operations; `{Field}` is a part of the input.
fn route(operation: &str) -> (&'static str, String) {
    let function = |rest: &str| format!("{FUNCTIONS}/{{FunctionName}}{rest}");
    let mapping = || format!("{MAPPINGS}/{{UUID}}");
    match operation {
        "CreateFunction" => ("POST", FUNCTIONS.to_owned()),
        "ListFunctions" => ("GET", FUNCTIONS.to_owned()),
        "GetFunction" => ("GET", function("")),
        "DeleteFunction" => ("DELETE", function("")),
        "GetFunctionConfiguration" => ("GET", function("/configuration")),
        "UpdateFunctionConfiguration" => ("PUT", function("/configuration")),
        "UpdateFunctionCode" => ("PUT", function("/code")),
        "PutFunctionConcurrency" => (
            "PUT",
            "/2017-10-31/functions/{FunctionName}/concurrency".to_owned(),
        ),
        "GetFunctionConcurrency" => (
            "GET",
            "/2019-09-30/functions/{FunctionName}/concurrency".to_owned(),
        ),
        "DeleteFunctionConcurrency" => (
            "DELETE",
            "/2017-10-31/functions/{FunctionName}/concurrency".to_owned(),
        ),
        "Invoke" => ("POST", function("/invocations")),
        "CreateEventSourceMapping" => ("POST", MAPPINGS.to_owned() + "/"),
        "ListEventSourceMappings" => ("GET", MAPPINGS.to_owned() + "/"),
        "GetEventSourceMapping" => ("GET", mapping()),
        "UpdateEventSourceMapping" => ("PUT", mapping()),
        "DeleteEventSourceMapping" => ("DELETE", mapping()),
        other => panic!("no path is known for {other}"),
    }
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn rest_call(cloud: &LocalCloud, operation: &str, input: &Value) -> Answer {
    let (method, mut path) = route(operation);
    let mut input = input.as_object().cloned().unwrap_or_default();
    for name in ["FunctionName", "UUID"] {
        let place = format!("{{{name}}}");
        if path.contains(&place) {
            let value = input.remove(name).expect("a name in the input");
            path = path.replace(&place, &escaped(&text(&value)));
        }
    }
    let mut headers = Vec::new();
    for (name, header) in [
        ("InvocationType", "x-amz-invocation-type"),
        ("LogType", "x-amz-log-type"),
    ] {
        headers.extend(input.remove(name).map(|value| (header, text(&value))));
    }
    let mut asked: Vec<String> = Vec::new();
    let names: Vec<String> = input.keys().cloned().collect();
    for name in names {
        if method == "GET" || name == "Qualifier" {
            let value = input.remove(&name).expect("a key of it");
            asked.push(format!("{name}={}", escaped(&text(&value))));
        }
    }
    if !asked.is_empty() {
        path = format!("{path}?{}", asked.join("&"));
    }
    let body = match (operation, input.remove("Payload")) {
        ("Invoke", payload) => payload.map_or(String::new(), |payload| payload.to_string()),
        _ if method == "GET" || method == "DELETE" => String::new(),
        _ => Value::Object(input).to_string(),
    };
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let response =
        exchange(cloud, &request(method, &path, &headers, body.as_bytes())).expect("an answer");
    let mut answer = json_answer(&response);
    if operation == "Invoke" {
        answer.outcome = answer.outcome.map(|payload| {
            let header = |name| response.header(name).map(Value::from);
            let fields = [
                ("StatusCode", Some(Value::from(response.status))),
                ("FunctionError", header("x-amz-function-error")),
                ("ExecutedVersion", header("x-amz-executed-version")),
                ("LogResult", header("x-amz-log-result")),
                ("Payload", (!response.body.is_empty()).then_some(payload)),
            ];
            let there = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(there.collect())
        });
    }
    answer
}

type Form = Vec<(String, String)>;

fn query_call(cloud: &LocalCloud, version: &str, operation: &str, input: &Value) -> Answer {
    let mut form = vec![];
    let mut caller = None;
    for (name, value) in input.as_object().into_iter().flatten() {
        if name == "as" {
            caller = Some(text(value));
            continue;
        }
        let is_document = name.ends_with("Document") || name.ends_with("Body");
        match value {
            Value::Object(_) if is_document => form.push((name.clone(), value.to_string())),
            _ => add(&mut form, name, value, ".member"),
        }
    }
    let response = send_form(cloud, version, operation, form, caller);
    xml_answer(&response, operation)
}

/// `caller` is the access key that the call is signed with.
fn send_form(
    cloud: &LocalCloud,
    version: &str,
    operation: &str,
    form: Form,
    caller: Option<String>,
) -> Response {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", operation), ("Version", version)])
        .extend_pairs(form)
        .finish();
    let signed = caller.map(|key| {
        format!("AWS4-HMAC-SHA256 Credential={key}/20261125/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0")
    });
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(signed.as_deref().map(|value| ("authorization", value)));
    exchange(cloud, &request("POST", "/", &headers, body.as_bytes())).expect("an answer")
}

/// `Name`, `Name.Field`, `Name.member.1`.
fn add(form: &mut Form, name: &str, value: &Value, member: &str) {
    match value {
        Value::Array(items) if items.is_empty() => form.push((name.to_owned(), String::new())),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                add(form, &format!("{name}{member}.{}", n + 1), item, member);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                add(form, &format!("{name}.{field}"), value, member);
            }
        }
        other => form.push((name.to_owned(), text(other))),
    }
}

fn xml_answer(response: &Response, operation: &str) -> Answer {
    let xml = element(&response.body);
    let outcome = if response.status < 300 {
        let result = xml.child(&format!("{operation}Result"));
        Ok(result.map_or(json!({}), Element::json))
    } else {
        let error = xml.child("Error");
        let text = |name: &str| {
            let child = error.and_then(|error| error.child(name));
            child.map(|child| child.text.clone()).unwrap_or_default()
        };
        Err((text("Code"), text("Message")))
    };
    Answer {
        status: response.status,
        outcome,
    }
}

/// SQS's own way with forms: its lists and maps have the singular's name and no `member`.
fn sqs_query(cloud: &LocalCloud, operation: &str, input: &Value) -> Answer {
    let mut form = vec![];
    for (name, value) in input.as_object().into_iter().flatten() {
        if name == "Entries" {
            for (n, entry) in value.as_array().into_iter().flatten().enumerate() {
                for (name, value) in entry.as_object().into_iter().flatten() {
                    let prefix = format!("{operation}RequestEntry.{}.", n + 1);
                    add_sqs(&mut form, &prefix, name, value);
                }
            }
        } else {
            add_sqs(&mut form, "", name, value);
        }
    }
    let response = send_form(cloud, "2012-11-05", operation, form, None);
    let mut answer = xml_answer(&response, operation);
    answer.outcome = answer.outcome.map(|output| sqs_output(operation, output));
    answer
}

fn add_sqs(form: &mut Form, prefix: &str, name: &str, value: &Value) {
    let (singular, key) = match name {
        "Attributes" => ("Attribute", "Name"),
        "MessageAttributes" => ("MessageAttribute", "Name"),
        "MessageSystemAttributes" => ("MessageSystemAttribute", "Name"),
        "Tags" | "tags" => ("Tag", "Key"),
        "Actions" => ("ActionName", ""),
        _ => (name.strip_suffix('s').unwrap_or(name), ""),
    };
    match value {
        Value::Object(fields) => {
            for (n, (field, value)) in fields.iter().enumerate() {
                let at = format!("{prefix}{singular}.{}", n + 1);
                form.push((format!("{at}.{key}"), field.clone()));
                match value {
                    Value::Object(_) if name.starts_with("Message") => {
                        add(form, &format!("{at}.Value"), value, "");
                    }
                    other => form.push((format!("{at}.Value"), text(other))),
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                form.push((format!("{prefix}{singular}.{}", n + 1), text(item)));
            }
        }
        other => form.push((format!("{prefix}{name}"), text(other))),
    }
}

/// The output as its JSON has it.
fn sqs_output(operation: &str, output: Value) -> Value {
    let Value::Object(fields) = output else {
        return json!({});
    };
    let mut out = Map::new();
    for (name, value) in fields {
        let list = match value {
            Value::Array(items) => items,
            other => vec![other],
        };
        let named = |key: &str| -> Value {
            let pairs = list.iter().map(|item| {
                let name = item[key].as_str().unwrap_or_default().to_owned();
                (name, item["Value"].clone())
            });
            Value::Object(pairs.collect())
        };
        let (name, value) = match name.as_str() {
            "Attribute" => ("Attributes".to_owned(), named("Name")),
            "MessageAttribute" => ("MessageAttributes".to_owned(), named("Name")),
            "Tag" => ("Tags".to_owned(), named("Key")),
            "Message" if list[0].is_object() => (
                "Messages".to_owned(),
                list.into_iter()
                    .map(|message| sqs_output(operation, message))
                    .collect(),
            ),
            "QueueUrl" if operation == "ListQueues" => ("QueueUrls".to_owned(), Value::Array(list)),
            "QueueUrl" if operation == "ListDeadLetterSourceQueues" => {
                ("queueUrls".to_owned(), Value::Array(list))
            }
            "BatchResultErrorEntry" => ("Failed".to_owned(), Value::Array(list)),
            "ListMessageMoveTasksResultEntry" => ("Results".to_owned(), Value::Array(list)),
            entry if entry.ends_with("BatchResultEntry") => {
                ("Successful".to_owned(), Value::Array(list))
            }
            _ if list.len() == 1 => (name, list.into_iter().next().expect("one")),
            _ => (name, Value::Array(list)),
        };
        out.insert(name, value);
    }
    Value::Object(out)
}

#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Lists of `member`, maps of `entry`, structures, and texts.
    fn json(&self) -> Value {
        if self.children.is_empty() {
            return Value::from(self.text.as_str());
        }
        if self.children.iter().all(|child| child.name == "member") {
            return self.children.iter().map(Element::json).collect();
        }
        let mut fields = Map::new();
        for child in &self.children {
            let value = child.json();
            match fields.get_mut(&child.name) {
                Some(Value::Array(items)) => items.push(value),
                Some(first) => *first = json!([first.take(), value]),
                None => {
                    fields.insert(child.name.clone(), value);
                }
            }
        }
        Value::Object(fields)
    }
}

/// The outermost element of a document.
fn element(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => open.push(Element {
                name: start.name().as_ref().to_owned(),
                ..Element::default()
            }),
            Ok(Event::Empty(empty)) => {
                let name = empty.name().as_ref().to_owned();
                let parent = open.last_mut().expect("the document");
                parent.children.push(Element {
                    name,
                    ..Element::default()
                });
            }
            Ok(Event::Text(text)) => {
                let parent = open.last_mut().expect("the document");
                parent.text += &text;
            }
            Ok(Event::GeneralRef(reference)) => {
                let parent = open.last_mut().expect("the document");
                let resolved = quick_xml::escape::unescape(&format!("&{};", &*reference))
                    .map(|text| text.into_owned())
                    .unwrap_or_default();
                parent.text += &resolved;
            }
            Ok(Event::End(_)) => {
                let done = open.pop().expect("an open element");
                let parent = open.last_mut().expect("its parent");
                parent.children.push(done);
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let mut document = open.into_iter().next().unwrap_or_default();
    if document.children.is_empty() {
        Element::default()
    } else {
        document.children.remove(0)
    }
}
