//! The query protocol: parameters come as a form, answers go out as XML.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>, *Examples*.

use super::error::{ApiError, Fault};
use crate::clock::Millis;
use quick_xml::escape::escape;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The parameters of one request.
#[derive(Debug, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there and not empty.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            ApiError::sender(
                "ValidationError",
                format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"),
            )
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
pub struct Xml(String);

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

/// `2026-11-23T08:00:00`
pub fn date_time(at: Millis) -> String {
    let seconds = at / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // From the first of March 0000 on, leap days come last in a year of the Gregorian calendar's 400.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// `2026-11-23T08:00:00.123Z`
pub fn timestamp(at: Millis) -> String {
    format!("{}.{:03}Z", date_time(at), at % 1000)
}

/// XML has no way to write most control characters: U+FFFD stands in their place.
fn escaped(text: &str) -> Cow<'_, str> {
    let has_a_form = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(has_a_form) {
        return escape(text);
    }
    let readable = |c| if has_a_form(c) { c } else { '\u{fffd}' };
    escape(text.chars().map(readable).collect::<String>())
}

/// The whole answer to `action`, around the XML of its result.
pub fn answer(namespace: &str, action: &str, result: &str, request_id: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// The whole answer for an error.
pub fn error(namespace: &str, error: &ApiError, request_id: &str) -> String {
    let fault = match error.fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    };
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        escaped(&error.code),
        escaped(&error.message),
    )
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
    }
}
