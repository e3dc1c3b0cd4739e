//! Filter patterns for messages of plain text: words and phrases that must, may or must not be there.
//! See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.

use super::request::{constraint, invalid};
use crate::wire::error::ApiError;

const MAX_PATTERN: usize = 1024;

/// A filter pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// All of these are in it.
    all: Vec<String>,
    /// One of these is in it, when there are any.
    any: Vec<String>,
    /// None of these is in it.
    none: Vec<String>,
}

impl Pattern {
    /// Reads `word`, `"a phrase"`, `?either ?or` and `-not`.
    ///
    /// # Errors
    ///
    /// AWS's `InvalidParameterException`; also for the patterns that this lab leaves out.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        if text.chars().count() > MAX_PATTERN {
            let rule = format!("have length less than or equal to {MAX_PATTERN}");
            return Err(constraint(text, "filterPattern", &rule));
        }
        // Differs from AWS: filter-patterns: those for JSON, for fields between spaces and with regular expressions are refused.
        if text.trim_start().starts_with(['{', '[', '%']) {
            return Err(invalid(
                "Patterns for JSON, for fields between spaces and with regular expressions are not in this lab.",
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let (terms, after) = match first {
                '?' => (&mut pattern.any, &rest[1..]),
                '-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = term(after)?;
            terms.push(term);
            rest = after.trim_start();
        }
        let others = pattern.all.len() + pattern.none.len();
        if !pattern.any.is_empty() && others > 0 {
            return Err(invalid(
                "A pattern that has ? before some of its terms and not before others is not in this lab.",
            ));
        }
        Ok(pattern)
    }

    pub fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

/// The term that `text` begins with, and what follows it.
fn term(text: &str) -> Result<(String, &str), ApiError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let allowed = |c: char| c.is_alphanumeric() || c == '_';
        if word.is_empty() || !word.chars().all(allowed) {
            return Err(invalid(format!("Invalid character(s) in term '{word}'")));
        }
        return Ok((word.to_owned(), rest));
    };
    let mut term = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((term, &quoted[at + 1..])),
            '\\' => term.extend(characters.next().map(|(_, c)| c)),
            c => term.push(c),
        }
    }
    Err(invalid(
        "Invalid filter pattern: a quotation mark is missing.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_phrases() {
        let matches = |pattern: &str, message: &str| {
            Pattern::parse(pattern).expect("a pattern").matches(message)
        };
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("  ", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR here", "here is an ERROR", true),
            ("ERROR there", "here is an ERROR", false),
            ("\"is an\"", "here is an ERROR", true),
            ("\"an is\"", "here is an ERROR", false),
            ("?there ?ERROR", "here is an ERROR", true),
            ("?there ?WARN", "here is an ERROR", false),
            ("ERROR -\"is an\"", "here is an ERROR", false),
            ("-WARN", "here is an ERROR", true),
            ("\"say \\\"x\\\"\"", "they say \"x\"", true),
        ] {
            assert_eq!(matches(pattern, message), expected, "{pattern} {message}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (pattern, message) in [
            ("ERROR:", "Invalid character(s) in term 'ERROR:'"),
            ("-", "Invalid character(s) in term ''"),
            (
                "\"open",
                "Invalid filter pattern: a quotation mark is missing.",
            ),
            ("{ $.level = \"ERROR\" }", "Patterns for JSON"),
            ("[ip, user]", "Patterns for JSON"),
            ("%a+%", "Patterns for JSON"),
            ("?a b", "A pattern that has ?"),
        ] {
            let error = Pattern::parse(pattern).expect_err("it is wrong");
            assert!(error.message.starts_with(message), "{pattern}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn any_pattern_is_answered(pattern in "[-?\"\\\\a é{]{0,20}", message in ".{0,20}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                pattern.matches(&message);
            }
        }
    }
}
