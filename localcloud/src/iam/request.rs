//! Parts of requests and answers, and errors, that several operations share.

use super::evaluate::Document;
use crate::clock::Millis;
use crate::ids;
use crate::ids::Random;
use crate::wire::error::{violation, ApiError};
use crate::wire::query::{date_time, lower_first, Form, Xml};
use base64::prelude::{Engine, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// In bytes, white space included.
pub const MAX_DOCUMENT: usize = 131_072;
pub const MAX_POLICY_NAME: usize = 128;

/// A document as it was written, and what it says.
#[derive(Clone)]
pub struct Written {
    pub text: String,
    pub document: Arc<Document>,
}

/// The ARN that the request names.
pub fn arn(form: &Form) -> Result<&str, ApiError> {
    let arn = form.required("PolicyArn")?;
    let rule = match arn.len() {
        ..20 => "Member must have length greater than or equal to 20",
        20..=2048 if arn.starts_with("arn:") => return Ok(arn),
        20..=2048 => return Err(invalid("Invalid ARN:  Could not be parsed!")),
        _ => "Member must have length less than or equal to 2048",
    };
    Err(constraint(arn, "policyArn", rule))
}

/// An id as IAM makes them: `AROA` for a role, `ANPA` for a policy.
pub fn id(random: &mut Random, prefix: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    prefix.to_owned() + &ids::letters(random, LETTERS, 17)
}

/// One page of a list, whose items come in the order of their names: the items, and where the next page begins.
pub fn page<'a, T>(
    form: &Form,
    items: impl Iterator<Item = (&'a str, T)>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let most = number(form, "MaxItems", 1..=1000)?.unwrap_or(100);
    let after = form.get("Marker").map(|marker| {
        let name = BASE64_URL_SAFE_NO_PAD.decode(marker).ok();
        name.and_then(|name| String::from_utf8(name).ok())
            .ok_or_else(|| invalid("Invalid Marker."))
    });
    let after = after.transpose()?;
    let mut items = items
        .skip_while(|(name, _)| after.as_deref().is_some_and(|after| *name <= after))
        .peekable();
    let mut page = Vec::new();
    let mut last = "";
    for (name, item) in items.by_ref().take(most) {
        page.push(item);
        last = name;
    }
    let marker = items.peek().map(|_| BASE64_URL_SAFE_NO_PAD.encode(last));
    Ok((page, marker))
}

/// `<name><member>…</member>…</name>` for the items of a page, and the page's end.
pub fn show_page<T>(
    xml: &mut Xml,
    name: &str,
    (items, marker): (Vec<T>, Option<String>),
    show: impl Fn(&T, &mut Xml),
) {
    xml.text("IsTruncated", marker.is_some().to_string());
    if let Some(marker) = marker {
        xml.text("Marker", marker);
    }
    xml.element(name, |xml| {
        for item in &items {
            xml.element("member", |xml| show(item, xml));
        }
    });
}

pub fn number(
    form: &Form,
    name: &str,
    range: RangeInclusive<usize>,
) -> Result<Option<usize>, ApiError> {
    let Some(text) = form.get(name) else {
        return Ok(None);
    };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.map(Some).ok_or_else(|| {
        let rule = format!(
            "Member must have value between {} and {}",
            range.start(),
            range.end()
        );
        constraint(text, &lower_first(name), &rule)
    })
}

/// A name of a role or of a policy.
pub fn name<'a>(form: &'a Form, parameter: &str, longest: usize) -> Result<&'a str, ApiError> {
    let name = form.required(parameter)?;
    let field = lower_first(parameter);
    if name.len() > longest {
        let rule = format!("Member must have length less than or equal to {longest}");
        return Err(constraint(name, &field, &rule));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if !name.chars().all(allowed) {
        return Err(invalid(format!(
            "The specified value for {field} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    Ok(name)
}

pub fn path(form: &Form) -> Result<&str, ApiError> {
    let path = form.get("Path").unwrap_or("/");
    let parts = path
        .strip_prefix('/')
        .map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic());
    let whole = path == "/" || path.ends_with('/') && parts.is_some_and(|parts| !parts.is_empty());
    match whole && printable && path.len() <= 512 {
        true => Ok(path),
        false => Err(invalid(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        )),
    }
}

pub fn description(form: &Form) -> Result<Option<String>, ApiError> {
    match form.get("Description") {
        Some(text) if text.chars().count() > 1000 => Err(constraint(
            text,
            "description",
            "Member must have length less than or equal to 1000",
        )),
        text => Ok(text.map(str::to_owned)),
    }
}

/// A policy document as it is written, of at most so many characters that aren't white space.
pub fn document<'a>(
    form: &'a Form,
    parameter: &str,
    longest: usize,
    quota: &str,
) -> Result<&'a str, ApiError> {
    let text = form.required(parameter)?;
    if text.len() > MAX_DOCUMENT {
        let rule = format!("Member must have length less than or equal to {MAX_DOCUMENT}");
        return Err(constraint(text, &lower_first(parameter), &rule));
    }
    if size(text) > longest {
        return Err(limit(quota, longest));
    }
    Ok(text)
}

/// The size of a document as IAM counts it.
pub fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

// Differs from AWS: iam-options: roles and policies have no tags and no permissions boundaries.
pub fn refuse_left_out(form: &Form) -> Result<(), ApiError> {
    let left_out = [
        ("Tags.member.1.Key", "Tags"),
        ("PermissionsBoundary", "PermissionsBoundary"),
    ];
    match left_out.iter().find(|(field, _)| form.get(field).is_some()) {
        Some((_, name)) => Err(invalid(format!("{name} is not in this lab."))),
        None => Ok(()),
    }
}

/// All but RFC 3986's unreserved characters.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A policy document as IAM answers it: every character but the unreserved ones of RFC 3986 as `%` and two digits.
pub fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

pub fn date(at: Millis) -> String {
    date_time(at) + "Z"
}

pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}

/// A member that breaks a rule of its shape.
pub fn constraint(value: &str, member: &str, rule: &str) -> ApiError {
    let violation = violation(Some(value), member, rule);
    ApiError::validation("ValidationError", &[violation])
}

pub fn no_such(message: String) -> ApiError {
    ApiError::sender("NoSuchEntity", message).with_status(404)
}

pub fn exists(message: String) -> ApiError {
    ApiError::sender("EntityAlreadyExists", message).with_status(409)
}

pub fn conflict(message: &str) -> ApiError {
    ApiError::sender("DeleteConflict", message).with_status(409)
}

pub fn limit(quota: &str, most: usize) -> ApiError {
    ApiError::sender(
        "LimitExceeded",
        format!("Cannot exceed quota for {quota}: {most}"),
    )
    .with_status(409)
}
