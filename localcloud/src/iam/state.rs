//! The roles and policies there are, and what they allow.

use super::evaluate::{self, Document};
use super::request::{id, no_such, Written};
use crate::clock::{Clock, Millis};
use crate::faults::Faults;
use crate::ids::Random;
use crate::lock::lock;
use crate::wire::error::ApiError;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

// Differs from AWS: only-roles-restricted: permissions are checked for the roles of functions only.
/// The roles and policies of the account. Clones share them.
#[derive(Clone)]
pub struct Iam(pub(super) Arc<Inner>);

pub struct Inner {
    pub clock: Clock,
    pub faults: Faults,
    pub state: Mutex<State>,
}

pub struct State {
    /// By their names in lower case: IAM tells no names apart by their case.
    pub roles: BTreeMap<String, Role>,
    /// By their ARNs, AWS's own included.
    pub policies: BTreeMap<String, Policy>,
    pub random: Random,
    /// Who calls with which access key.
    pub sessions: BTreeMap<String, Caller>,
    /// Where secrets come from.
    pub secrets: Random,
}

/// Who makes a call, as `GetCallerIdentity` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Such as `arn:aws:iam::000000000000:root`, or that of an assumed role.
    pub arn: String,
    /// The account, or the role's id and the session's name.
    pub user_id: String,
}

pub struct Role {
    pub name: String,
    pub arn: String,
    pub id: String,
    pub path: String,
    pub description: Option<String>,
    pub created_at: Millis,
    pub session_seconds: usize,
    pub trust: Written,
    pub inline: BTreeMap<String, Written>,
    /// The ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// The one in effect, then those that will be; oldest first.
    pub effects: VecDeque<Effect>,
}

/// The permissions of a role, and who may assume it, from a certain time on.
pub struct Effect {
    pub from: Millis,
    pub trust: Arc<Document>,
    pub policies: Vec<Arc<Document>>,
}

impl Role {
    /// The one in effect at this time. None while the role itself has yet to take effect.
    pub fn effect(&mut self, now: Millis) -> Option<&Effect> {
        while self.effects.get(1).is_some_and(|next| next.from <= now) {
            self.effects.pop_front();
        }
        self.effects.front().filter(|effect| effect.from <= now)
    }
}

pub struct Policy {
    pub name: String,
    pub arn: String,
    pub path: String,
    pub id: String,
    pub description: Option<String>,
    /// Its only version, such as `v1`.
    pub version: &'static str,
    pub created_at: Millis,
    pub changed_at: Millis,
    pub written: Written,
}

impl Policy {
    pub fn is_of_aws(&self) -> bool {
        self.arn.starts_with("arn:aws:iam::aws:")
    }
}

impl Iam {
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

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl State {
    pub fn role(&mut self, name: &str) -> Result<&mut Role, ApiError> {
        self.roles
            .get_mut(&name.to_ascii_lowercase())
            .filter(|role| role.name == name)
            .ok_or_else(|| no_such(format!("The role with name {name} cannot be found.")))
    }

    pub fn policy(&self, arn: &str) -> Result<&Policy, ApiError> {
        let found = self.policies.get(arn);
        found.ok_or_else(|| no_such(format!("Policy {arn} was not found.")))
    }

    pub fn attachments(&self, arn: &str) -> usize {
        let roles = self.roles.values();
        roles.filter(|role| role.attached.contains(arn)).count()
    }

    pub fn by_arn(&mut self, arn: &str) -> Option<&mut Role> {
        let name = arn.rsplit('/').next()?.to_ascii_lowercase();
        self.roles.get_mut(&name).filter(|role| role.arn == arn)
    }

    /// An id as IAM makes them: `AROA` for a role, `ANPA` for a policy.
    pub fn id(&mut self, prefix: &str) -> String {
        id(&mut self.random, prefix)
    }
}
