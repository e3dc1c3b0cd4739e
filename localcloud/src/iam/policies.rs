//! Managed policies: AWS's own that the lab uses, and the account's.

use super::evaluate::Document;
use super::roles::{Written, LONGEST_POLICY_NAME};
use super::{
    conflict, date, description, document, encoded, exists, id, invalid, limit, name, no_such,
    page, path, refuse_left_out, show_page, Iam, State,
};
use crate::account;
use crate::clock::Millis;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use rand::rngs::SmallRng;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST_POLICIES: usize = 1500;
const LARGEST: usize = 6144;
const LOGS: [&str; 3] = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

pub struct Policy {
    pub name: String,
    pub arn: String,
    pub path: String,
    id: String,
    description: Option<String>,
    /// Its only version, such as `v1`.
    version: &'static str,
    created_at: Millis,
    changed_at: Millis,
    pub written: Written,
}

/// A managed policy of AWS's own, see <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html>.
struct OfAws {
    name: &'static str,
    description: &'static str,
    version: &'static str,
    created_at: Millis,
    changed_at: Millis,
    actions: &'static [&'static str],
}

const OF_AWS: [OfAws; 3] = [
    OfAws {
        name: "AWSLambdaBasicExecutionRole",
        description: "Provides write permissions to CloudWatch Logs.",
        version: "v1",
        created_at: 1_428_591_780_000,
        changed_at: 1_428_591_780_000,
        actions: &[],
    },
    OfAws {
        name: "AWSLambdaKinesisExecutionRole",
        description: "Provides list and read access to Kinesis streams and write permissions to CloudWatch logs.",
        version: "v2",
        created_at: 1_428_592_440_000,
        changed_at: 1_542_658_140_000,
        actions: &[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:ListStreams",
            "kinesis:SubscribeToShard",
        ],
    },
    OfAws {
        name: "AWSLambdaSQSQueueExecutionRole",
        description: "Provides receive message, delete message, and read attribute access to SQS queues, and write permissions to CloudWatch logs.",
        version: "v1",
        created_at: 1_529_013_000_000,
        changed_at: 1_529_013_000_000,
        actions: &[
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
    },
];

/// AWS's managed policies by their ARNs.
// Differs from AWS: managed-policies: of AWS's own there are three, those for functions that read queues and streams.
pub fn of_aws(random: &mut SmallRng) -> BTreeMap<String, Policy> {
    let mut policies = BTreeMap::new();
    for it in OF_AWS {
        let actions: Vec<_> = it.actions.iter().chain(&LOGS).collect();
        let statement = format!(
            "{{\"Effect\": \"Allow\", \"Action\": {}, \"Resource\": \"*\"}}",
            json!(actions)
        );
        let text = format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statement}]}}");
        let Ok(document) = Document::permissions(&text) else {
            continue;
        };
        let path = "/service-role/";
        let arn = format!("arn:aws:iam::aws:policy{path}{}", it.name);
        let policy = Policy {
            name: it.name.to_owned(),
            arn: arn.clone(),
            path: path.to_owned(),
            id: id(random, "ANPA"),
            description: Some(it.description.to_owned()),
            version: it.version,
            created_at: it.created_at,
            changed_at: it.changed_at,
            written: Written {
                text,
                document: Arc::new(document),
            },
        };
        policies.insert(arn, policy);
    }
    policies
}

impl Policy {
    fn is_of_aws(&self) -> bool {
        self.arn.starts_with("arn:aws:iam::aws:")
    }

    fn show(&self, attachments: usize, xml: &mut Xml) {
        xml.text("PolicyName", &self.name)
            .text("PolicyId", &self.id)
            .text("Arn", &self.arn)
            .text("Path", &self.path)
            .text("DefaultVersionId", self.version)
            .text("AttachmentCount", attachments.to_string())
            .text("PermissionsBoundaryUsageCount", "0")
            .text("IsAttachable", "true")
            .text("CreateDate", date(self.created_at))
            .text("UpdateDate", date(self.changed_at));
    }

    fn show_version(&self, xml: &mut Xml) {
        xml.text("VersionId", self.version)
            .text("IsDefaultVersion", "true")
            .text("CreateDate", date(self.changed_at));
    }
}

impl State {
    fn policy(&self, arn: &str) -> Result<&Policy, ApiError> {
        let found = self.policies.get(arn);
        found.ok_or_else(|| no_such(format!("Policy {arn} was not found.")))
    }

    fn attachments(&self, arn: &str) -> usize {
        let roles = self.roles.values();
        roles.filter(|role| role.attached.contains(arn)).count()
    }
}

/// The ARN that the request names.
pub fn arn(form: &Form) -> Result<&str, ApiError> {
    let arn = form.required("PolicyArn")?;
    match arn.starts_with("arn:") && (20..=2048).contains(&arn.len()) {
        true => Ok(arn),
        false => Err(ApiError::sender(
            "InvalidInput",
            format!("ARN {arn} is not valid."),
        )),
    }
}

impl Iam {
    pub(super) fn create_policy(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = name(form, "PolicyName", LONGEST_POLICY_NAME)?;
        let path = path(form)?;
        let description = description(form)?;
        let text = document(form, "PolicyDocument", LARGEST, "PolicySize")?;
        refuse_left_out(form)?;
        let written = Written {
            text: text.to_owned(),
            document: Arc::new(Document::permissions(text)?),
        };
        let now = self.0.clock.now();
        let mut state = self.lock();
        let mut own = state.policies.values().filter(|policy| !policy.is_of_aws());
        if own.any(|policy| policy.name.eq_ignore_ascii_case(name)) {
            return Err(exists(format!(
                "A policy called {name} already exists. Duplicate names are not allowed."
            )));
        }
        if state.policies.len() == MOST_POLICIES + OF_AWS.len() {
            return Err(limit("PoliciesPerAccount", MOST_POLICIES));
        }
        let policy = Policy {
            name: name.to_owned(),
            arn: account::arn("iam", format!("policy{path}{name}")),
            path: path.to_owned(),
            id: state.id("ANPA"),
            description,
            // Differs from AWS: policy-versions: a managed policy has one version and can't be changed.
            version: "v1",
            created_at: now,
            changed_at: now,
            written,
        };
        xml.element("Policy", |xml| policy.show(0, xml));
        state.policies.insert(policy.arn.clone(), policy);
        Ok(())
    }

    pub(super) fn get_policy(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.lock();
        let policy = state.policy(arn(form)?)?;
        xml.element("Policy", |xml| {
            policy.show(state.attachments(&policy.arn), xml);
            if let Some(description) = &policy.description {
                xml.text("Description", description);
            }
        });
        Ok(())
    }

    pub(super) fn get_policy_version(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let version = form.required("VersionId")?;
        let state = self.lock();
        let policy = state.policy(arn(form)?)?;
        if version != policy.version {
            return Err(no_such(format!(
                "Policy {} version {version} does not exist or is not attachable.",
                policy.arn
            )));
        }
        xml.element("PolicyVersion", |xml| {
            xml.text("Document", encoded(&policy.written.text));
            policy.show_version(xml);
        });
        Ok(())
    }

    pub(super) fn list_policy_versions(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.lock();
        let policy = state.policy(arn(form)?)?;
        let page = page(form, [(policy.version, policy)].into_iter())?;
        show_page(xml, "Versions", page, |policy, xml| {
            policy.show_version(xml)
        });
        Ok(())
    }

    pub(super) fn list_policies(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let scope = form.get("Scope").unwrap_or("All");
        if !matches!(scope, "All" | "AWS" | "Local") {
            return Err(invalid(format!(
                "1 validation error detected: Value '{scope}' at 'scope' failed to satisfy constraint: \
                 Member must satisfy enum value set: [All, AWS, Local]"
            )));
        }
        let prefix = form.get("PathPrefix").unwrap_or("/");
        let only_attached = form.get("OnlyAttached") == Some("true");
        let state = self.lock();
        let policies = state.policies.values().filter(|policy| {
            let in_scope = match scope {
                "AWS" => policy.is_of_aws(),
                "Local" => !policy.is_of_aws(),
                _ => true,
            };
            in_scope
                && policy.path.starts_with(prefix)
                && (!only_attached || state.attachments(&policy.arn) > 0)
        });
        let page = page(form, policies.map(|policy| (policy.arn.as_str(), policy)))?;
        show_page(xml, "Policies", page, |policy, xml| {
            policy.show(state.attachments(&policy.arn), xml);
        });
        Ok(())
    }

    pub(super) fn list_entities_for_policy(
        &self,
        form: &Form,
        xml: &mut Xml,
    ) -> Result<(), ApiError> {
        let wanted = matches!(form.get("EntityFilter"), None | Some("Role"));
        let state = self.lock();
        let arn = &state.policy(arn(form)?)?.arn;
        let roles = state.roles.iter();
        let roles = roles.filter(|(_, role)| wanted && role.attached.contains(arn));
        let page = page(form, roles.map(|(key, role)| (key.as_str(), role)))?;
        show_page(xml, "PolicyRoles", page, |role, xml| {
            xml.text("RoleName", &role.name).text("RoleId", &role.id);
        });
        xml.element("PolicyGroups", |_| {})
            .element("PolicyUsers", |_| {});
        Ok(())
    }

    pub(super) fn delete_policy(&self, form: &Form) -> Result<(), ApiError> {
        let arn = arn(form)?;
        let mut state = self.lock();
        if state.policy(arn)?.is_of_aws() {
            return Err(
                ApiError::sender("AccessDenied", "Policy is outside your own account.")
                    .with_status(403),
            );
        }
        if state.attachments(arn) > 0 {
            return Err(conflict("Cannot delete a policy attached to entities."));
        }
        state.policies.remove(arn);
        Ok(())
    }
}
