//! IAM over the query protocol: `roles` and `policies` are the operations, `evaluate` says what a document allows.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>.

pub mod evaluate;
mod policies;
mod roles;

use crate::clock::{Clock, Millis};
use crate::faults::Faults;
use crate::ids;
use crate::wire::error::ApiError;
use crate::wire::query::{date_time, Form, Xml};
use base64::prelude::{Engine, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};
use policies::Policy;
use rand::rngs::SmallRng;
use roles::Role;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The operations there are.
pub const OPERATIONS: [&str; 20] = [
    "AttachRolePolicy",
    "CreatePolicy",
    "CreateRole",
    "DeletePolicy",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetPolicy",
    "GetPolicyVersion",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListEntitiesForPolicy",
    "ListPolicies",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoles",
    "PutRolePolicy",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
];

// Differs from AWS: policy-delay: a change of a role takes effect at once, unless a delay is asked for.
/// How long a change of a role takes to have its effect, when that is asked for.
pub const POLICY_DELAY: Millis = 5000;

/// In bytes, white space included.
const LONGEST_DOCUMENT: usize = 131_072;

// Differs from AWS: only-roles-restricted: permissions are checked for the roles of functions only.
/// The roles and policies of the account. Clones share them.
#[derive(Clone)]
pub struct Iam(Arc<Inner>);

struct Inner {
    clock: Clock,
    faults: Faults,
    state: Mutex<State>,
}

struct State {
    /// By their names in lower case: IAM tells no names apart by their case.
    roles: BTreeMap<String, Role>,
    /// By their ARNs, AWS's own included.
    policies: BTreeMap<String, Policy>,
    random: SmallRng,
}

impl Iam {
    pub fn new(clock: Clock, faults: Faults, seed: u64) -> Self {
        let mut random = ids::source(seed, "iam");
        Self(Arc::new(Inner {
            clock,
            faults,
            state: Mutex::new(State {
                roles: BTreeMap::new(),
                policies: policies::of_aws(&mut random),
                random,
            }),
        }))
    }

    /// Answers `action` with the XML of its result.
    ///
    /// # Errors
    ///
    /// What AWS answers in its place, or that the operation is not in this lab.
    pub fn call(&self, action: &str, form: &Form) -> Result<String, ApiError> {
        let mut xml = Xml::default();
        match action {
            "CreateRole" => self.create_role(form, &mut xml)?,
            "GetRole" => self.get_role(form, &mut xml)?,
            "ListRoles" => self.list_roles(form, &mut xml)?,
            "UpdateRole" => self.update_role(form)?,
            "DeleteRole" => self.delete_role(form)?,
            "UpdateAssumeRolePolicy" => self.update_assume_role_policy(form)?,
            "PutRolePolicy" => self.put_role_policy(form)?,
            "GetRolePolicy" => self.get_role_policy(form, &mut xml)?,
            "ListRolePolicies" => self.list_role_policies(form, &mut xml)?,
            "DeleteRolePolicy" => self.delete_role_policy(form)?,
            "AttachRolePolicy" => self.attach_role_policy(form)?,
            "DetachRolePolicy" => self.detach_role_policy(form)?,
            "ListAttachedRolePolicies" => self.list_attached_role_policies(form, &mut xml)?,
            "CreatePolicy" => self.create_policy(form, &mut xml)?,
            "GetPolicy" => self.get_policy(form, &mut xml)?,
            "GetPolicyVersion" => self.get_policy_version(form, &mut xml)?,
            "ListPolicyVersions" => self.list_policy_versions(form, &mut xml)?,
            "ListPolicies" => self.list_policies(form, &mut xml)?,
            "ListEntitiesForPolicy" => self.list_entities_for_policy(form, &mut xml)?,
            "DeletePolicy" => self.delete_policy(form)?,
            _ => return Err(ApiError::not_in_this_lab("iam", action)),
        }
        Ok(xml.finish())
    }

    /// Whether a role's policies allow `action`, such as `sqs:ReceiveMessage`, on `resource`, an ARN, at the present
    /// time. False for a role that doesn't exist.
    pub fn allows(&self, role_arn: &str, action: &str, resource: &str) -> bool {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let Some(effect) = state.by_arn(role_arn).and_then(|role| role.effect(now)) else {
            return false;
        };
        let policies = effect.policies.iter().map(Arc::as_ref);
        evaluate::allowed(policies, action, resource)
    }

    /// Whether the role exists and its trust policy lets `service`, such as `lambda.amazonaws.com`, assume it at the
    /// present time.
    pub fn can_be_assumed(&self, role_arn: &str, service: &str) -> bool {
        let now = self.0.clock.now();
        let mut state = self.lock();
        let effect = state.by_arn(role_arn).and_then(|role| role.effect(now));
        effect.is_some_and(|effect| effect.trust.trusts(service))
    }

    /// The roles with their policies, for the desk.
    pub fn status(&self) -> Value {
        let state = self.lock();
        let role = |role: &Role| {
            let attached = role.attached.iter();
            let attached = attached.map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned());
            let policies: Vec<_> = attached.chain(role.inline.keys().cloned()).collect();
            json!({ "name": role.name, "policies": policies })
        };
        state.roles.values().map(role).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn by_arn(&mut self, arn: &str) -> Option<&mut Role> {
        let name = arn.rsplit('/').next()?.to_ascii_lowercase();
        self.roles.get_mut(&name).filter(|role| role.arn == arn)
    }

    /// An id as IAM makes them: `AROA` for a role, `ANPA` for a policy.
    fn id(&mut self, prefix: &str) -> String {
        id(&mut self.random, prefix)
    }
}

fn id(random: &mut SmallRng, prefix: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    prefix.to_owned() + &ids::letters(random, LETTERS, 17)
}

/// One page of a list, whose items come in the order of their names: the items, and where the next page begins.
fn page<'a, T>(
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
fn show_page<T>(
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

fn number(
    form: &Form,
    name: &str,
    range: RangeInclusive<usize>,
) -> Result<Option<usize>, ApiError> {
    let Some(text) = form.get(name) else {
        return Ok(None);
    };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.map(Some).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{text}' at '{}' failed to satisfy constraint: \
             Member must have value between {} and {}",
            lower_first(name),
            range.start(),
            range.end()
        ))
    })
}

/// A name of a role or of a policy.
fn name<'a>(form: &'a Form, parameter: &str, longest: usize) -> Result<&'a str, ApiError> {
    let name = form.required(parameter)?;
    let field = lower_first(parameter);
    if name.len() > longest {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at '{field}' failed to satisfy constraint: \
             Member must have length less than or equal to {longest}"
        )));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if !name.chars().all(allowed) {
        return Err(invalid(format!(
            "The specified value for {field} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    Ok(name)
}

fn path(form: &Form) -> Result<&str, ApiError> {
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

fn description(form: &Form) -> Result<Option<String>, ApiError> {
    match form.get("Description") {
        Some(text) if text.chars().count() > 1000 => Err(invalid(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: \
             Member must have length less than or equal to 1000",
        )),
        text => Ok(text.map(str::to_owned)),
    }
}

/// A policy document as it is written, of at most so many characters that aren't white space.
fn document<'a>(
    form: &'a Form,
    parameter: &str,
    longest: usize,
    quota: &str,
) -> Result<&'a str, ApiError> {
    let text = form.required(parameter)?;
    if text.len() > LONGEST_DOCUMENT {
        return Err(invalid(format!(
            "1 validation error detected: Value at '{}' failed to satisfy constraint: \
             Member must have length less than or equal to {LONGEST_DOCUMENT}",
            lower_first(parameter)
        )));
    }
    if size(text) > longest {
        return Err(limit(quota, longest));
    }
    Ok(text)
}

/// The size of a document as IAM counts it.
fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

// Differs from AWS: iam-options: roles and policies have no tags and no permissions boundaries.
fn refuse_left_out(form: &Form) -> Result<(), ApiError> {
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
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A policy document as IAM answers it: every character but the unreserved ones of RFC 3986 as `%` and two digits.
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

fn date(at: Millis) -> String {
    date_time(at) + "Z"
}

fn lower_first(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_lowercase() + rest
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}

fn no_such(message: String) -> ApiError {
    ApiError::sender("NoSuchEntity", message).with_status(404)
}

fn exists(message: String) -> ApiError {
    ApiError::sender("EntityAlreadyExists", message).with_status(409)
}

fn conflict(message: &str) -> ApiError {
    ApiError::sender("DeleteConflict", message).with_status(409)
}

fn limit(quota: &str, most: usize) -> ApiError {
    ApiError::sender(
        "LimitExceeded",
        format!("Cannot exceed quota for {quota}: {most}"),
    )
    .with_status(409)
}
