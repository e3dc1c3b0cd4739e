//! The permissions of a queue: statements of its policy.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>.

use super::errors::{invalid_parameter, is_label, missing};
use super::names::arn_of;
use super::record::QueueRecord;
use super::shapes;
use super::state::Shared;
use crate::wire::error::ApiError;
use serde::Deserialize;
use serde_json::{json, Value};

/// How many actions a permission may name.
const MAX_ACTIONS: usize = 7;

/// `AddPermission` and `RemovePermission`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct PermissionRequest {
    queue_url: String,
    label: String,
    #[serde(rename = "AWSAccountIds")]
    accounts: Vec<String>,
    actions: Vec<String>,
}

impl Shared {
    // Differs from AWS: no-signatures: signatures and queue policies are kept and shown, but every caller may do everything.
    pub fn add_permission(&self, input: PermissionRequest) -> Result<(), ApiError> {
        for (name, empty) in [
            ("Label", input.label.is_empty()),
            ("AWSAccountIds", input.accounts.is_empty()),
            ("Actions", input.actions.is_empty()),
        ] {
            if empty {
                return Err(missing(name));
            }
        }
        if !is_label(&input.label) {
            return Err(invalid_parameter(format!(
                "Value {} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, \
                 or underscores. 1 to 80 in length.",
                input.label
            )));
        }
        let is_account = |id: &&String| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        if let Some(account) = input.accounts.iter().find(|id| !is_account(id)) {
            return Err(invalid_parameter(format!(
                "Value [{account}] for parameter PrincipalId is invalid. Reason: Unable to verify principal."
            )));
        }
        let is_action = |action: &String| {
            action == "*" || shapes::OPERATIONS.iter().any(|known| known.name == action)
        };
        if let Some(action) = input.actions.iter().find(|action| !is_action(action)) {
            return Err(invalid_parameter(format!(
                "Value SQS:{action} for parameter ActionName is invalid. Reason: It is no action of SQS."
            )));
        }
        if input.actions.len() > MAX_ACTIONS {
            return Err(ApiError::sender(
                "OverLimit",
                format!(
                    "{} Actions were found, maximum allowed is {MAX_ACTIONS}.",
                    input.actions.len()
                ),
            ));
        }
        self.with_queue(&input.queue_url, |queue, now| {
            let mut policy = queue.policy();
            let statements = statements(&mut policy);
            if statements
                .iter()
                .any(|statement| statement["Sid"] == input.label.as_str())
            {
                return Err(invalid_parameter(format!(
                    "Value {} for parameter Label is invalid. Reason: Already exists.",
                    input.label
                )));
            }
            let principals = input
                .accounts
                .iter()
                .map(|id| format!("arn:aws:iam::{id}:root"));
            let actions = input.actions.iter().map(|action| format!("SQS:{action}"));
            statements.push(json!({
                "Sid": input.label,
                "Effect": "Allow",
                "Principal": { "AWS": one_or_many(principals) },
                "Action": one_or_many(actions),
                "Resource": arn_of(&queue.name),
            }));
            queue.settings.policy = Some(policy.to_string());
            queue.modified_at = now;
            Ok(())
        })
    }

    pub fn remove_permission(&self, input: PermissionRequest) -> Result<(), ApiError> {
        self.with_queue(&input.queue_url, |queue, now| {
            let mut policy = queue.policy();
            let statements = statements(&mut policy);
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != input.label.as_str());
            if statements.len() == before {
                let place = if before == 0 {
                    ""
                } else {
                    " on existing policy"
                };
                return Err(invalid_parameter(format!(
                    "Value {} for parameter Label is invalid. Reason: can't find label{place}.",
                    input.label
                )));
            }
            let empty = statements.is_empty();
            queue.settings.policy = (!empty).then(|| policy.to_string());
            queue.modified_at = now;
            Ok(())
        })
    }
}

impl QueueRecord {
    /// The queue's policy, or an empty one.
    fn policy(&self) -> Value {
        let policy = self.settings.policy.as_deref();
        policy
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(|| {
                json!({
                    "Version": "2008-10-17",
                    "Id": format!("{}/SQSDefaultPolicy", self.arn()),
                    "Statement": [],
                })
            })
    }
}

/// A single value stands in a policy without a list around it.
fn one_or_many(values: impl Iterator<Item = String>) -> Value {
    let mut values: Vec<_> = values.collect();
    match values.len() {
        1 => Value::String(values.remove(0)),
        _ => json!(values),
    }
}

/// The statements of a policy, as a list whatever form they had.
fn statements(policy: &mut Value) -> &mut Vec<Value> {
    let statements = &mut policy["Statement"];
    if !statements.is_array() {
        let single = statements.take();
        *statements = match single {
            Value::Null => json!([]),
            one => json!([one]),
        };
    }
    statements.as_array_mut().expect("it was just made a list")
}
