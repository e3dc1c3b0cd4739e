//! How a function is named: by its name, its ARN or a part of that, with a version or without.
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html>; the checks and their order are as recorded.

use super::error::{constraints, invalid, not_found};
use crate::account::{self, ACCOUNT, REGION};
use crate::wire::error::{violation, ApiError};
use regex_lite::{Captures, Regex};
use std::sync::OnceLock;

// Differs from AWS: one-version: functions have no published versions and no aliases.
/// There are no others.
pub const VERSION: &str = "$LATEST";

/// A pattern of AWS's, which its errors quote.
struct Pattern {
    text: &'static str,
    regex: OnceLock<Option<Regex>>,
}

/// A function that is there.
static EXISTING: Pattern = Pattern::new(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
);
/// A function that is to be made.
static NEW: Pattern = Pattern::new(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
);
static QUALIFIER: Pattern = Pattern::new(r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+");

/// The groups of the first two patterns that say where a function is and which one.
const REGION_GROUP: usize = 3;
const ACCOUNT_GROUP: usize = 9;
const NAME_GROUP: usize = 11;
const QUALIFIER_GROUP: usize = 13;

const MAX_QUALIFIER: usize = 128;
/// The longest name or ARN to create a function by, and the longest name in it.
const MAX_NEW: usize = 140;
const MAX_NAME: usize = 64;

/// A function as a request names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    pub name: String,
    /// The version or alias, from the name itself or from beside it.
    pub qualifier: Option<String>,
}

impl Reference {
    /// Reads a name, an ARN or a part of one, and the qualifier that is given beside it.
    ///
    /// # Errors
    ///
    /// `ValidationException` for what breaks a pattern, `InvalidParameterValueException` for two different qualifiers,
    /// `ResourceNotFoundException` for a function of another region, `AccessDeniedException` for one of another account.
    pub fn read(function: &str, qualifier: Option<&str>) -> Result<Self, ApiError> {
        let mut violations: Vec<_> = qualifier.into_iter().flat_map(check_qualifier).collect();
        if !EXISTING.matches(function) {
            violations.push(unmatched(function, "functionName", &EXISTING));
        }
        if !violations.is_empty() {
            return Err(constraints(&violations));
        }
        let reference = Self::parse(&EXISTING, function)?;
        match (&reference.qualifier, qualifier) {
            (Some(derived), Some(given)) if derived != given => Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (None, given) => Ok(Self {
                qualifier: given.map(str::to_owned),
                ..reference
            }),
            _ => Ok(reference),
        }
    }

    /// The name of a function that is to be made.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and for what is too long.
    pub fn new_name(function: &str) -> Result<String, ApiError> {
        let mut violations = Vec::new();
        if function.len() > MAX_NEW {
            let rule = format!("Member must have length less than or equal to {MAX_NEW}");
            violations.push(violation(Some(function), "functionName", &rule));
        }
        if !NEW.matches(function) {
            violations.push(unmatched(function, "functionName", &NEW));
        }
        if !violations.is_empty() {
            return Err(constraints(&violations));
        }
        let Self { name, .. } = Self::parse(&NEW, function)?;
        match name.len() > MAX_NAME {
            true => {
                let rule = format!("Member must have length less than or equal to {MAX_NAME}");
                let long = violation(Some(&name), "functionName", &rule);
                Err(ApiError::validation(
                    "InvalidParameterValueException",
                    &[long],
                ))
            }
            false => Ok(name),
        }
    }

    /// The name alone, for operations on the function as a whole.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` for a version or an alias: there are none.
    pub fn unqualified(&self) -> Result<&str, ApiError> {
        match self.qualifier.as_deref() {
            None | Some(VERSION) => Ok(&self.name),
            Some(_) => Err(not_found(&self.arn())),
        }
    }

    /// The same with the version that is meant when none is given.
    pub fn latest(&self) -> Self {
        let qualifier = self.qualifier.clone().unwrap_or(VERSION.to_owned());
        Self {
            name: self.name.clone(),
            qualifier: Some(qualifier),
        }
    }

    /// With the qualifier, if there is one.
    pub fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", arn(&self.name)),
            None => arn(&self.name),
        }
    }

    /// The parts of what matches a pattern.
    fn parse(pattern: &Pattern, function: &str) -> Result<Self, ApiError> {
        let groups = pattern.captures(function);
        let part = |group: usize| {
            let text = groups.as_ref().and_then(|groups| groups.get(group));
            text.map(|text| text.as_str().trim_end_matches(':'))
        };
        if let Some(region) = part(REGION_GROUP).filter(|region| *region != REGION) {
            let message =
                format!("Functions from '{region}' are not reachable in this region ('{REGION}')");
            return Err(ApiError::sender("ResourceNotFoundException", message).with_status(404));
        }
        if part(ACCOUNT_GROUP).is_some_and(|account| account != ACCOUNT) {
            return Err(ApiError::sender("AccessDeniedException", "").with_status(403));
        }
        Ok(Self {
            name: part(NAME_GROUP).unwrap_or_default().to_owned(),
            qualifier: part(QUALIFIER_GROUP).map(str::to_owned),
        })
    }
}

/// `arn:aws:lambda:us-east-1:000000000000:function:name`
pub fn arn(name: &str) -> String {
    account::arn("lambda", format!("function:{name}"))
}

fn check_qualifier(qualifier: &str) -> Option<String> {
    if qualifier.len() > MAX_QUALIFIER {
        let rule = format!("Member must have length less than or equal to {MAX_QUALIFIER}");
        return Some(violation(Some(qualifier), "qualifier", &rule));
    }
    (!QUALIFIER.matches(qualifier)).then(|| unmatched(qualifier, "qualifier", &QUALIFIER))
}

fn unmatched(value: &str, member: &str, pattern: &Pattern) -> String {
    let rule = format!(
        "Member must satisfy regular expression pattern: {}",
        pattern.text
    );
    violation(Some(value), member, &rule)
}

impl Pattern {
    const fn new(text: &'static str) -> Self {
        Self {
            text,
            regex: OnceLock::new(),
        }
    }

    /// Its groups in a text that matches it from the first character to the last.
    fn captures<'a>(&self, text: &'a str) -> Option<Captures<'a>> {
        let whole = || Regex::new(&format!("^(?:{})$", self.text)).ok();
        self.regex.get_or_init(whole).as_ref()?.captures(text)
    }

    fn matches(&self, text: &str) -> bool {
        self.captures(text).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, qualifier: Option<&str>) -> Reference {
        Reference {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        }
    }

    #[test]
    fn a_name_an_arn_and_its_parts_name_one_function() {
        for (function, beside, expected) in [
            ("f", None, named("f", None)),
            ("function:f", None, named("f", None)),
            ("000000000000:function:f", None, named("f", None)),
            (
                "arn:aws:lambda:us-east-1:000000000000:function:f",
                None,
                named("f", None),
            ),
            (
                "arn:aws:lambda:us-east-1:000000000000:function",
                None,
                named("function", None),
            ),
            ("f:$LATEST", None, named("f", Some("$LATEST"))),
            ("function:f:1", Some("1"), named("f", Some("1"))),
            ("f", Some("$latest"), named("f", Some("$latest"))),
        ] {
            assert_eq!(
                Reference::read(function, beside),
                Ok(expected),
                "{function}"
            );
        }
    }

    #[test]
    fn what_names_no_function_breaks_each_pattern_and_limit_that_it_breaks() {
        let refused = |function: &str, beside: Option<&str>| {
            let error = Reference::read(function, beside).expect_err("a refusal");
            (error.code, error.message)
        };
        let not = |function: &str| {
            let message = format!(
                "1 validation error detected: {}",
                unmatched(function, "functionName", &EXISTING)
            );
            assert_eq!(
                refused(function, None),
                ("ValidationException".to_owned(), message)
            );
        };
        for function in [
            "my-function!",
            "*",
            "invalid-account:function:my-function",
            "arn:aws:lambda:invalid-region:000000000000:function:my-function",
            "arn:aws:ec2:us-east-1:000000000000:instance:i-1234567890abcdef0",
            "arn:aws:lambda:us-east-1:000000000000:function:my-function:1:2",
            "function:my-function:$LATEST:extra",
            "arn:aws:lambda::000000000000:function:my-function",
            "arn:aws:lambda:us-east-1::function:my-function",
            "arn:aws:lambda:us-east-1:000000000000:function:my-function:$LATES",
            "",
        ] {
            not(function);
        }
        let long = "a".repeat(129);
        let (code, message) = refused("*", Some(&long));
        assert_eq!(code, "ValidationException");
        assert!(
            message.starts_with("2 validation errors detected: Value 'aaa"),
            "{message}"
        );
        assert!(
            message.contains("less than or equal to 128; Value '*' at 'functionName'"),
            "{message}"
        );
        let (code, _) = refused("f:$LATEST", Some("1"));
        assert_eq!(code, "InvalidParameterValueException");
        let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:function:f";
        let (code, message) = refused(elsewhere, None);
        assert_eq!(code, "ResourceNotFoundException");
        assert_eq!(
            message,
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
        );
        let (code, _) = refused("111111111111:function:f", None);
        assert_eq!(code, "AccessDeniedException");
    }

    #[test]
    fn a_new_name_is_short_and_has_no_dot() {
        let refused = |function: &str| {
            let error = Reference::new_name(function).expect_err("a refusal");
            (error.code, error.message)
        };
        assert_eq!(Reference::new_name("function:f"), Ok("f".to_owned()));
        let (code, message) = refused(&"a".repeat(65));
        assert_eq!(code, "InvalidParameterValueException");
        assert!(
            message.ends_with("Member must have length less than or equal to 64"),
            "{message}"
        );
        for function in ["a.b", "f:invalid!", "invalid:function:name"] {
            assert_eq!(refused(function).0, "ValidationException", "{function}");
        }
        let (_, message) = refused(&format!("a.{}", "b".repeat(140)));
        assert!(
            message.starts_with("2 validation errors detected: "),
            "{message}"
        );
    }
}
