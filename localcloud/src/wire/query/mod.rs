//! The query protocol: parameters come as a form, answers go out as XML.
//! See <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>, and for what it looks like the *Examples* of
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>.
//!
//! CloudFormation, IAM and STS speak nothing else: their operations read the form and write the XML. The operations of
//! SQS speak JSON; `shapes` stands between them and this protocol.

pub(crate) mod shapes;

use super::error::{violation, ApiError, Fault};
use super::{respond, Content, Output};
use axum::body::Body;
use bytes::Bytes;
use hyper::Response;
use quick_xml::escape::escape;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

// Its callers name it here; the clock has it.
pub use crate::clock::{date_time, timestamp};

/// The parameters of one request.
#[derive(Debug, Default, Clone)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// The parameters of a body, `Name=value&…`. Of two with one name the last counts.
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The parameter's value. None when it isn't there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Gives a parameter a value, unless it has one.
    pub fn set_default(&mut self, name: &str, value: &str) {
        self.0
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
    }

    /// The numbers N in order for which there is a parameter `prefixN` or `prefixN.…`.
    fn numbers(&self, prefix: &str) -> BTreeSet<u32> {
        let rest = |name: &String| name.strip_prefix(prefix).map(str::to_owned);
        self.0
            .range(prefix.to_owned()..)
            .map_while(|(name, _)| rest(name))
            .filter_map(|rest| {
                rest.split('.')
                    .next()
                    .and_then(|number| number.parse().ok())
            })
            .collect()
    }

    /// A parameter that must be there and not empty.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        let given = self.get(name).filter(|value| !value.is_empty());
        given.ok_or_else(|| {
            let missing = violation(None, name, "Member must not be null");
            ApiError::validation("ValidationError", &[missing])
        })
    }

    /// `Name.member.1`, `Name.member.2`, … as a list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..)
            .map_while(|n| self.get(&format!("{name}.member.{n}")))
            .collect()
    }

    /// `Name.member.N.Field` as a list of structures, each as its fields. `Parameters.member.1.ParameterKey`
    /// and its value become one map with two entries.
    pub fn structures(&self, name: &str) -> Vec<BTreeMap<&str, &str>> {
        (1..)
            .map_while(|n| {
                let prefix = format!("{name}.member.{n}.");
                let fields: BTreeMap<_, _> = self
                    .0
                    .range(prefix.clone()..)
                    .take_while(|(key, _)| key.starts_with(&prefix))
                    .map(|(key, value)| (&key[prefix.len()..], value.as_str()))
                    .collect();
                (!fields.is_empty()).then_some(fields)
            })
            .collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Form {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(parameters: T) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(parameters.into_iter().map(owned).collect())
    }
}

/// XML under construction: elements in order, text escaped.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// `<name>text</name>`
    pub fn text(&mut self, name: &str, text: impl AsRef<str>) -> &mut Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", escaped(text.as_ref()));
        self
    }

    /// `<name>…</name>` around whatever `content` adds.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Xml)) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        content(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    pub fn finish(self) -> String {
        self.0
    }
}

/// Text as XML has it. Most control characters have no form there: U+FFFD stands in their place. A carriage return has
/// one, without which a reader would take it for the end of a line.
/// The name of a parameter as errors call the member: `stackName` for `StackName`.
pub fn lower_first(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}

fn escaped(text: &str) -> Cow<'_, str> {
    let has_a_form = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(has_a_form) {
        return escape(text);
    }
    let mut readable = String::with_capacity(text.len());
    for part in text.split_inclusive('\r') {
        let (line, end) = match part.strip_suffix('\r') {
            Some(line) => (line, "&#13;"),
            None => (part, ""),
        };
        let line = line.replace(|c| !has_a_form(c), "\u{fffd}");
        readable += &escape(&line);
        readable += end;
    }
    readable.into()
}

/// The protocol as one service speaks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Such as `https://iam.amazonaws.com/doc/2010-05-08/`.
    pub namespace: Cow<'static, str>,
    /// The operations, when they speak JSON; none when they read the form and write the XML.
    pub shapes: Option<&'static [shapes::Operation]>,
}

impl Query {
    /// For a service whose operations read forms and write XML.
    pub const fn plain(namespace: &'static str) -> Self {
        Self {
            namespace: Cow::Borrowed(namespace),
            shapes: None,
        }
    }

    /// The JSON that the operation takes, from the form. Of an operation that doesn't exist, none.
    pub fn json_input(&self, action: &str, form: &Form) -> Option<Result<Bytes, ApiError>> {
        let operation = shapes::find(self.shapes?, action)?;
        Some(operation.input(form).map(|input| input.to_string().into()))
    }

    pub(super) fn answer(
        &self,
        action: &str,
        outcome: Result<Output, ApiError>,
        request_id: &str,
    ) -> Response<Body> {
        let (status, body) = match outcome {
            Ok(output) => (200, self.output(action, output, request_id)),
            Err(error) => (error.status, self.error(&error, request_id)),
        };
        respond(status, "text/xml", body)
    }

    fn output(&self, action: &str, output: Output, request_id: &str) -> String {
        let document = match output.content {
            Content::Document(document) => document,
            Content::None | Content::Events(_) => Bytes::new(),
        };
        let result = match self.shapes {
            Some(shapes) => shapes::find(shapes, action).and_then(|it| it.output(&document)),
            None => Some(String::from_utf8_lossy(&document).into_owned()),
        };
        let result = result.map(|it| format!("<{action}Result>{it}</{action}Result>"));
        format!(
            "<{action}Response xmlns=\"{}\">{}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
             </{action}Response>",
            self.namespace,
            result.unwrap_or_default(),
        )
    }

    fn error(&self, error: &ApiError, request_id: &str) -> String {
        let fault = match error.fault {
            Fault::Sender => "Sender",
            Fault::Receiver => "Receiver",
        };
        // SQS has an empty element here.
        let detail = if self.shapes.is_some() {
            "<Detail/>"
        } else {
            ""
        };
        format!(
            "<ErrorResponse xmlns=\"{}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message>{detail}</Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>",
            self.namespace,
            escaped(&error.code),
            escaped(error.query_message.unwrap_or(&error.message)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_structures_come_in_order() {
        let form = Form::parse(
            b"Capabilities.member.1=CAPABILITY_IAM&Parameters.member.1.ParameterKey=Name\
              &Parameters.member.1.ParameterValue=a%20b&Parameters.member.2.ParameterKey=X",
        );
        assert_eq!(form.list("Capabilities"), ["CAPABILITY_IAM"]);
        let parameters = form.structures("Parameters");
        assert_eq!(parameters.len(), 2);
        assert_eq!(parameters[0]["ParameterValue"], "a b");
    }

    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::default();
        xml.element("A", |xml| {
            xml.text("B", "<&>\0");
        });
        assert_eq!(xml.finish(), "<A><B>&lt;&amp;&gt;\u{fffd}</B></A>");
        assert_eq!(escaped("<a>\r\n\r\0"), "&lt;a&gt;&#13;\n&#13;\u{fffd}");
    }
}
