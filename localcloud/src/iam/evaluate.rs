//! Policy documents: what they may say, and what they allow. Pure: a document and a question in, an answer out.
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

use crate::wire::error::ApiError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A policy document that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(Vec<Statement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    allows: bool,
    actions: Pattern,
    /// Of a role's permissions; a trust policy names no resource.
    resources: Pattern,
    /// Of a trust policy: the services that may assume the role.
    services: Vec<String>,
}

/// Any of these, or anything but these.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any(Vec<String>),
    AllBut(Vec<String>),
}

impl Pattern {
    fn holds(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any(patterns) => patterns.iter().any(|pattern| matches(pattern)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| matches(pattern)),
        }
    }

    fn patterns(&self) -> &[String] {
        let (Self::Any(patterns) | Self::AllBut(patterns)) = self;
        patterns
    }
}

impl Document {
    /// Reads what a role may do: statements with actions and resources, but no principal.
    ///
    /// # Errors
    ///
    /// AWS's `MalformedPolicyDocument`; also for what this lab leaves out, conditions and policy variables.
    pub fn permissions(text: &str) -> Result<Self, ApiError> {
        statements(text, |entry| {
            if entry.contains_key("Principal") || entry.contains_key("NotPrincipal") {
                return Err(malformed("Policy document should not specify a principal."));
            }
            let actions = actions(entry)?;
            let resources = pattern(entry, "Resource", "NotResource")?
                .ok_or_else(|| malformed("Policy statement must contain resources."))?;
            resources
                .patterns()
                .iter()
                .try_for_each(|name| check_resource(name))?;
            Ok((actions, resources, Vec::new()))
        })
    }

    /// Reads who may assume a role: statements with actions and a principal, but no resource.
    ///
    /// # Errors
    ///
    /// As [`Self::permissions`].
    pub fn trust(text: &str) -> Result<Self, ApiError> {
        statements(text, |entry| {
            for prohibited in ["Resource", "NotResource", "NotPrincipal"] {
                if entry.contains_key(prohibited) {
                    return Err(malformed(format!("Has prohibited field {prohibited}")));
                }
            }
            let services = principals(entry)?;
            let actions = actions(entry)?;
            let of_sts = |action: &String| action == "*" || action.starts_with("sts:");
            if !actions.patterns().iter().all(of_sts) {
                return Err(malformed(
                    "AssumeRole policy may only specify STS AssumeRole actions.",
                ));
            }
            Ok((actions, Pattern::AllBut(Vec::new()), services))
        })
    }

    /// Whether a statement with this effect speaks of the action on the resource.
    fn says(&self, allows: bool, action: &str, resource: &str) -> bool {
        let action = action.to_ascii_lowercase();
        self.0.iter().any(|statement| {
            statement.allows == allows
                && statement.actions.holds(|pattern| glob(pattern, &action))
                && statement
                    .resources
                    .holds(|pattern| covers(pattern, resource))
        })
    }

    /// Whether this trust policy lets a service, such as `lambda.amazonaws.com`, assume the role.
    pub fn trusts(&self, service: &str) -> bool {
        let says = |allows: bool| {
            self.0.iter().any(|statement| {
                let mut services = statement.services.iter();
                statement.allows == allows
                    && statement
                        .actions
                        .holds(|pattern| glob(pattern, "sts:assumerole"))
                    && services.any(|name| name == "*" || name == service)
            })
        };
        says(true) && !says(false)
    }
}

/// Whether the documents together allow `action`, such as `sqs:ReceiveMessage`, on `resource`, an ARN: one of them has
/// to, and none may deny it.
pub fn allowed<'a>(
    documents: impl IntoIterator<Item = &'a Document> + Clone,
    action: &str,
    resource: &str,
) -> bool {
    let says = |allows| {
        let mut documents = documents.clone().into_iter();
        documents.any(|document| document.says(allows, action, resource))
    };
    says(true) && !says(false)
}

type Parts = (Pattern, Pattern, Vec<String>);

fn statements(
    text: &str,
    read: impl Fn(&Map<String, Value>) -> Result<Parts, ApiError>,
) -> Result<Document, ApiError> {
    let Ok(Value::Object(document)) = serde_json::from_str(text) else {
        return Err(malformed("This policy contains invalid Json"));
    };
    let known = |name: &String| matches!(name.as_str(), "Version" | "Id" | "Statement");
    let version = document.get("Version").map(Value::as_str);
    if !document.keys().all(known)
        || !matches!(version, None | Some(Some("2012-10-17" | "2008-10-17")))
    {
        return Err(syntax());
    }
    let entries = match document.get("Statement") {
        Some(Value::Array(entries)) if !entries.is_empty() => entries.as_slice(),
        Some(entry @ Value::Object(_)) => std::slice::from_ref(entry),
        _ => return Err(syntax()),
    };
    let mut ids = BTreeSet::new();
    let mut statements = Vec::new();
    for entry in entries {
        let entry = entry.as_object().ok_or_else(syntax)?;
        check_members(entry)?;
        if let Some(id) = entry.get("Sid") {
            let id = id.as_str().ok_or_else(syntax)?;
            if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(malformed(
                    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
                ));
            }
            if !id.is_empty() && !ids.insert(id) {
                return Err(malformed(
                    "Statement IDs (SID) in a single policy must be unique.",
                ));
            }
        }
        let allows = match entry.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(syntax()),
        };
        let (actions, resources, services) = read(entry)?;
        statements.push(Statement {
            allows,
            actions,
            resources,
            services,
        });
    }
    Ok(Document(statements))
}

fn check_members(entry: &Map<String, Value>) -> Result<(), ApiError> {
    const MEMBERS: [&str; 9] = [
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    ];
    if !entry.keys().all(|name| MEMBERS.contains(&name.as_str())) {
        return Err(syntax());
    }
    // Differs from AWS: policy-conditions: a statement with a condition or a policy variable is refused.
    match entry.get("Condition") {
        None => Ok(()),
        Some(Value::Object(condition)) if condition.is_empty() => Ok(()),
        Some(_) => Err(malformed("Condition is not in this lab.")),
    }
}

/// The actions in lower case: their case means nothing.
fn actions(entry: &Map<String, Value>) -> Result<Pattern, ApiError> {
    let lower = |actions: Vec<String>| -> Result<Vec<String>, ApiError> {
        for action in &actions {
            let named = action
                .split_once(':')
                .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
            if action != "*" && !named {
                return Err(malformed(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                ));
            }
        }
        Ok(actions
            .into_iter()
            .map(|action| action.to_ascii_lowercase())
            .collect())
    };
    match pattern(entry, "Action", "NotAction")? {
        Some(Pattern::Any(actions)) => lower(actions).map(Pattern::Any),
        Some(Pattern::AllBut(actions)) => lower(actions).map(Pattern::AllBut),
        None => Err(malformed("Policy statement must contain actions.")),
    }
}

fn pattern(
    entry: &Map<String, Value>,
    any: &str,
    all_but: &str,
) -> Result<Option<Pattern>, ApiError> {
    match (entry.get(any), entry.get(all_but)) {
        (None, None) => Ok(None),
        (Some(value), None) => texts(value).map(|texts| Some(Pattern::Any(texts))),
        (None, Some(value)) => texts(value).map(|texts| Some(Pattern::AllBut(texts))),
        (Some(_), Some(_)) => Err(syntax()),
    }
}

/// One text, or a list of some.
fn texts(value: &Value) -> Result<Vec<String>, ApiError> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(syntax))
            .collect(),
        _ => Err(syntax()),
    }
}

fn check_resource(name: &str) -> Result<(), ApiError> {
    if name.contains("${") {
        return Err(malformed(format!(
            "The policy variable in {name} is not in this lab."
        )));
    }
    let mut parts = name.split(':');
    if name == "*" || parts.next() == Some("arn") && parts.next().is_some() {
        return Ok(());
    }
    Err(malformed(format!(
        "Resource {name} must be in ARN format or \"*\"."
    )))
}

/// The services among the principals. Accounts and users may be named too, but in this lab nobody else assumes a role.
fn principals(entry: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let principal = entry
        .get("Principal")
        .ok_or_else(|| malformed("Missing required field Principal"))?;
    let kinds = match principal {
        Value::String(text) if text == "*" => return Ok(vec![text.clone()]),
        Value::Object(kinds) if !kinds.is_empty() => kinds,
        _ => return Err(malformed("Invalid principal in policy")),
    };
    let mut services = Vec::new();
    for (kind, names) in kinds {
        let names = texts(names)?;
        match kind.as_str() {
            "Service" => {
                let wrong = names.iter().find(|name| !name.ends_with(".amazonaws.com"));
                if let Some(name) = wrong {
                    return Err(malformed(format!(
                        "Invalid principal in policy: \"SERVICE\":\"{name}\""
                    )));
                }
                services.extend(names);
            }
            "AWS" | "Federated" | "CanonicalUser" => {}
            _ => return Err(syntax()),
        }
    }
    Ok(services)
}

/// Whether the pattern of a resource covers this ARN. A wildcard stays within its part between two colons, except
/// the one that ends the pattern.
fn covers(pattern: &str, arn: &str) -> bool {
    const PARTS: usize = 6;
    let patterns: Vec<_> = pattern.splitn(PARTS, ':').collect();
    let parts: Vec<_> = arn.splitn(patterns.len(), ':').collect();
    patterns.len() == parts.len()
        && patterns
            .iter()
            .zip(parts)
            .all(|(pattern, part)| glob(pattern, part))
}

/// Whether `text` is `pattern`, in which `*` stands for anything and `?` for any one character.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last star is, and where the text that it doesn't stand for begins.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, begins)) => {
                    star = Some((at, begins + 1));
                    p = at + 1;
                    t = begins + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

fn syntax() -> ApiError {
    malformed("Syntax errors in policy.")
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::sender("MalformedPolicyDocument", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn allows(documents: &[&Value], action: &str, resource: &str) -> bool {
        let documents: Vec<_> = documents
            .iter()
            .map(|document| Document::permissions(&document.to_string()).expect("a policy"))
            .collect();
        allowed(&documents, action, resource)
    }

    fn policy(statement: Value) -> Value {
        json!({ "Version": "2012-10-17", "Statement": statement })
    }

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:StandardQueue";

    #[test]
    fn one_document_has_to_allow_and_none_may_deny() {
        let receive =
            policy(json!({"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": QUEUE}));
        let all = policy(json!([{"Effect": "Allow", "Action": ["sqs:*"], "Resource": ["*"]}]));
        let deny = policy(json!({"Effect": "Deny", "Action": "sqs:Delete*", "Resource": "*"}));
        assert!(!allows(&[], "sqs:ReceiveMessage", QUEUE));
        assert!(allows(&[&receive], "SQS:receivemessage", QUEUE));
        assert!(!allows(
            &[&receive],
            "sqs:ReceiveMessage",
            &format!("{QUEUE}2")
        ));
        assert!(!allows(&[&receive], "sqs:DeleteMessage", QUEUE));
        assert!(allows(&[&receive, &all], "sqs:DeleteMessage", QUEUE));
        let denied = [&deny, &all, &receive];
        assert!(!allows(&denied, "sqs:DeleteMessage", QUEUE));
        assert!(allows(&denied, "sqs:ReceiveMessage", QUEUE));
    }

    #[test]
    fn all_but_these() {
        let but =
            policy(json!({"Effect": "Allow", "NotAction": "sqs:Delete*", "NotResource": QUEUE}));
        let other = "arn:aws:sqs:us-east-1:000000000000:Other";
        assert!(allows(&[&but], "sqs:SendMessage", other));
        assert!(!allows(&[&but], "sqs:DeleteQueue", other));
        assert!(!allows(&[&but], "sqs:SendMessage", QUEUE));
    }

    #[test]
    fn a_wildcard_of_a_resource_stays_in_its_part() {
        for (pattern, covered) in [
            ("*", true),
            ("arn:aws:sqs:*", true),
            ("arn:aws:sqs:*:*:StandardQueue", true),
            ("arn:aws:sqs:us-east-?:000000000000:Standard*", true),
            ("arn:aws:sqs:us-east-1:000000000000:Standard?", false),
            ("arn:aws:sqs:*:StandardQueue", false),
            ("arn:aws:kinesis:*", false),
            ("arn:aws:sqs:us-east-1:000000000000:standardqueue", false),
        ] {
            assert_eq!(covers(pattern, QUEUE), covered, "{pattern}");
        }
    }

    #[test]
    fn a_trust_policy_names_the_service() {
        let trust = |statement: Value| Document::trust(&policy(statement).to_string());
        let lambda = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]}});
        let account = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}});
        let deny = json!({"Effect": "Deny", "Action": "*", "Principal": "*"});
        let trusts = |statement: Value| {
            trust(statement)
                .expect("trust")
                .trusts("lambda.amazonaws.com")
        };
        assert!(trusts(lambda.clone()));
        assert!(!trusts(account.clone()));
        assert!(!trusts(json!([lambda, account, deny])));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let allow = |more: Value| {
            let mut statement = json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"});
            for (name, value) in more.as_object().into_iter().flatten() {
                match value {
                    Value::Null => drop(statement.as_object_mut().map(|it| it.remove(name))),
                    value => statement[name] = value.clone(),
                }
            }
            policy(statement)
        };
        for (document, message) in [
            (json!(1), "This policy contains invalid Json"),
            (json!({}), "Syntax errors in policy."),
            (policy(json!([])), "Syntax errors in policy."),
            (policy(json!([1])), "Syntax errors in policy."),
            (json!({"Version": "2026-01-01", "Statement": []}), "Syntax errors in policy."),
            (allow(json!({"Colour": "red"})), "Syntax errors in policy."),
            (allow(json!({"Effect": "allow"})), "Syntax errors in policy."),
            (allow(json!({"Action": []})), "Syntax errors in policy."),
            (allow(json!({"Action": null})), "Policy statement must contain actions."),
            (allow(json!({"Action": "ReceiveMessage"})), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
            (allow(json!({"Resource": null})), "Policy statement must contain resources."),
            (allow(json!({"Resource": "StandardQueue"})), "Resource StandardQueue must be in ARN format or \"*\"."),
            (allow(json!({"Resource": "arn:aws:sqs:*:*:${aws:username}"})), "The policy variable in arn:aws:sqs:*:*:${aws:username} is not in this lab."),
            (allow(json!({"NotAction": "sqs:*"})), "Syntax errors in policy."),
            (allow(json!({"Principal": "*"})), "Policy document should not specify a principal."),
            (allow(json!({"Sid": "a b"})), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"),
            (allow(json!({"Condition": {"Bool": {"aws:SecureTransport": "true"}}})), "Condition is not in this lab."),
        ] {
            let error = Document::permissions(&document.to_string()).expect_err("it is wrong");
            assert_eq!((error.code.as_str(), error.message.as_str()), ("MalformedPolicyDocument", message), "{document}");
        }
        let trust = |more: Value| {
            allow(json!({"Resource": null, "Action": "sts:AssumeRole"}))["Statement"]
                .take()
                .as_object()
                .map(|statement| {
                    let mut statement = statement.clone();
                    statement.extend(
                        more.as_object()
                            .into_iter()
                            .flatten()
                            .map(|(name, value)| (name.clone(), value.clone())),
                    );
                    policy(Value::Object(statement))
                })
                .expect("a statement")
        };
        let lambda = json!({"Service": "lambda.amazonaws.com"});
        for (document, message) in [
            (trust(json!({})), "Missing required field Principal"),
            (
                trust(json!({"Principal": lambda, "Resource": "*"})),
                "Has prohibited field Resource",
            ),
            (
                trust(json!({"Principal": lambda, "Action": "sqs:*"})),
                "AssumeRole policy may only specify STS AssumeRole actions.",
            ),
            (
                trust(json!({"Principal": {"Service": "lambda"}})),
                "Invalid principal in policy: \"SERVICE\":\"lambda\"",
            ),
            (
                trust(json!({"Principal": "lambda.amazonaws.com"})),
                "Invalid principal in policy",
            ),
        ] {
            let error = Document::trust(&document.to_string()).expect_err("it is wrong");
            assert_eq!(error.message, message, "{document}");
        }
    }

    /// The plain definition, slow on purpose.
    fn is(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => is(rest, text),
            (Some(('*', rest)), Some((_, tail))) => is(rest, text) || is(pattern, tail),
            (Some((p, rest)), Some((t, tail))) => (*p == '?' || p == t) && is(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

        #[test]
        fn wildcards_match_as_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(glob(&pattern, &text), is(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn any_document_is_answered(text in "[\\[\\]{}\":,a-zA-Z *]{0,60}") {
            let _ = Document::permissions(&text);
            let _ = Document::trust(&text);
        }
    }
}
