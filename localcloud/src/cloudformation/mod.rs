//! CloudFormation over the query protocol: the stacks of the lab's templates.
//! `template`, `parameters` and `function` read a template, `resources` knows its types, `stack` does the work;
//! here are the operations.
//!
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html>.

mod function;
mod logs;
mod mappings;
mod parameters;
mod resources;
mod roles;
mod stack;
mod template;

use crate::clock::Clock;
use crate::iam::Iam;
use crate::ids;
use crate::kinesis::Kinesis;
use crate::lambda::mapping::Mappings;
use crate::logs::Logs;
use crate::sqs::Sqs;
use crate::wire::error::ApiError;
use crate::wire::query::{timestamp, Form, Xml};
use function::Scope;
use rand::rngs::SmallRng;
use stack::{OnFailure, Stack, StackResource, Version, Work};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use template::Template;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

/// The operations there are.
pub const OPERATIONS: [&str; 12] = [
    "CreateStack",
    "DeleteStack",
    "DescribeStackEvents",
    "DescribeStackResource",
    "DescribeStackResources",
    "DescribeStacks",
    "GetTemplate",
    "GetTemplateSummary",
    "ListStackResources",
    "ListStacks",
    "UpdateStack",
    "ValidateTemplate",
];

// Differs from AWS: stacks-kept: 200 stacks at a time (AWS: 2,000) and the newest 200 deleted ones (AWS: those of 90 days).
const MOST_STACKS: usize = 200;
const MOMENT: Duration = Duration::from_millis(50);
const LONGEST_NAME: usize = 128;
const MOST_TAGS: usize = 50;

/// Each status a stack can have on AWS, for the filter of `ListStacks`.
const STATUSES: [&str; 23] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
];

/// The stacks of the account.
pub struct CloudFormation(Arc<Shared>);

/// What the operations and the work on the stacks share.
struct Shared {
    clock: Clock,
    sqs: Sqs,
    kinesis: Kinesis,
    iam: Iam,
    logs: Logs,
    mappings: Mappings,
    state: Mutex<State>,
}

struct State {
    random: SmallRng,
    /// Oldest first, the deleted ones included.
    stacks: Vec<Stack>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A stack by its id, or one that isn't deleted by its name.
    fn position(&self, name: &str) -> Option<usize> {
        self.stacks
            .iter()
            .rposition(|stack| stack.id == name || stack.name == name && !stack.is_deleted())
    }

    fn find(&self, name: &str) -> Option<&Stack> {
        self.position(name).map(|at| &self.stacks[at])
    }
}

impl CloudFormation {
    pub fn new(
        clock: Clock,
        sqs: Sqs,
        kinesis: Kinesis,
        iam: Iam,
        logs: Logs,
        mappings: Mappings,
        seed: u64,
    ) -> Self {
        Self(Arc::new(Shared {
            clock,
            sqs,
            kinesis,
            iam,
            logs,
            mappings,
            state: Mutex::new(State {
                random: ids::source(seed, "cloudformation"),
                stacks: Vec::new(),
            }),
        }))
    }

    /// Answers `action` with the XML of its result. `base` is the URL by which the caller reached the local cloud.
    pub async fn call(&self, action: &str, form: &Form, base: &str) -> Result<String, ApiError> {
        let mut xml = Xml::default();
        match action {
            "CreateStack" => give_a_moment(self.create_stack(form, base, &mut xml)?).await,
            "UpdateStack" => give_a_moment(self.update_stack(form, &mut xml)?).await,
            "DeleteStack" => self.delete_stack(form).await?,
            "DescribeStacks" => self.describe_stacks(form, &mut xml)?,
            "ListStacks" => self.list_stacks(form, &mut xml)?,
            "DescribeStackEvents" => self.describe_stack_events(form, &mut xml)?,
            "DescribeStackResource" => self.describe_stack_resource(form, &mut xml)?,
            "DescribeStackResources" => self.describe_stack_resources(form, &mut xml)?,
            "ListStackResources" => self.list_stack_resources(form, &mut xml)?,
            "GetTemplate" => self.get_template(form, &mut xml)?,
            "GetTemplateSummary" => self.get_template_summary(form, &mut xml)?,
            "ValidateTemplate" => validate_template(form, &mut xml)?,
            _ => return Err(ApiError::not_in_this_lab("cloudformation", action)),
        }
        Ok(xml.finish())
    }

    fn create_stack(
        &self,
        form: &Form,
        base: &str,
        xml: &mut Xml,
    ) -> Result<JoinHandle<()>, ApiError> {
        let name = form.required("StackName")?;
        check_name(name)?;
        refuse_left_out(form)?;
        let on_failure = on_failure(form)?;
        let id = stack::arn(name, &self.0.uuid());
        let version = Arc::new(version(form, name, &id, None)?);
        let (event_id, now) = (self.0.uuid(), self.0.clock.now());
        let token = form.get("ClientRequestToken");
        let mut state = self.0.state();
        if state.find(name).is_some() {
            return Err(ApiError::sender(
                "AlreadyExistsException",
                format!("Stack [{name}] already exists"),
            ));
        }
        let live = state.stacks.iter().filter(|stack| !stack.is_deleted());
        let live = live.count();
        if live == MOST_STACKS {
            return Err(ApiError::sender(
                "LimitExceededException",
                format!("Limit for stack has been exceeded: this lab keeps {MOST_STACKS} stacks at a time"),
            ));
        }
        if state.stacks.len() - live == MOST_STACKS {
            if let Some(oldest) = state.stacks.iter().position(Stack::is_deleted) {
                state.stacks.remove(oldest);
            }
        }
        let work = Arc::new(tokio::sync::Mutex::new(()));
        let Ok(turn) = work.clone().try_lock_owned() else {
            return Err(busy(&id, "CREATE_IN_PROGRESS"));
        };
        let mut stack = Stack {
            id: id.clone(),
            name: name.to_owned(),
            version: version.clone(),
            on_failure,
            status: "CREATE_IN_PROGRESS",
            reason: None,
            created_at: now,
            updated_at: None,
            deleted_at: None,
            resources: Vec::new(),
            outputs: Vec::new(),
            events: VecDeque::new(),
            base: base.to_owned(),
            work,
        };
        let reason = Some("User Initiated");
        stack.enter("CREATE_IN_PROGRESS", reason, event_id, now, token);
        state.stacks.push(stack);
        drop(state);
        xml.text("StackId", &id);
        Ok(tokio::spawn(
            self.work(id, turn).create(version, on_failure),
        ))
    }

    fn update_stack(&self, form: &Form, xml: &mut Xml) -> Result<JoinHandle<()>, ApiError> {
        let name = form.required("StackName")?;
        refuse_left_out(form)?;
        // Differs from AWS: failed-updates: an update that fails is always rolled back.
        if form.get("DisableRollback") == Some("true") {
            return Err(left_out("DisableRollback"));
        }
        let (event_id, now) = (self.0.uuid(), self.0.clock.now());
        let mut state = self.0.state();
        let at = state
            .position(name)
            .filter(|at| !state.stacks[*at].is_deleted())
            .ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
        let stack = &mut state.stacks[at];
        let updatable = matches!(
            stack.status,
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
        );
        let turn = match stack.work.clone().try_lock_owned() {
            Ok(turn) if updatable => turn,
            _ => return Err(busy(&stack.id, stack.status)),
        };
        let old = stack.version.clone();
        let new = version(form, &stack.name, &stack.id, Some(&old))?;
        let changed = !new.template.declares_the_same(&old.template)
            || new.scope.parameters != old.scope.parameters
            || new.scope.conditions != old.scope.conditions
            || new.tags != old.tags;
        if !changed {
            return Err(invalid("No updates are to be performed."));
        }
        let types = &old.template.resources;
        let retyped = new.template.resources.iter().find(|(name, resource)| {
            types
                .get(*name)
                .is_some_and(|old| old.kind != resource.kind)
        });
        if let Some((name, _)) = retyped {
            return Err(invalid(format!(
                "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{name}]"
            )));
        }
        let new = Arc::new(new);
        stack.version = new.clone();
        stack.updated_at = Some(now);
        let token = form.get("ClientRequestToken");
        let reason = Some("User Initiated");
        stack.enter("UPDATE_IN_PROGRESS", reason, event_id, now, token);
        let id = stack.id.clone();
        drop(state);
        xml.text("StackId", &id);
        Ok(tokio::spawn(self.work(id, turn).update(old, new)))
    }

    async fn delete_stack(&self, form: &Form) -> Result<(), ApiError> {
        let name = form.required("StackName")?;
        // Differs from AWS: retain-resources: DeleteStack has no RetainResources, RoleARN and DeletionMode.
        for member in ["RetainResources.member.1", "RoleARN", "DeletionMode"] {
            refuse(form, member)?;
        }
        let found = self
            .0
            .state()
            .find(name)
            .map(|stack| (stack.id.clone(), stack.work.clone()));
        let Some((id, work)) = found else {
            return Ok(());
        };
        let turn = work.lock_owned().await;
        let (event_id, now) = (self.0.uuid(), self.0.clock.now());
        {
            let mut state = self.0.state();
            let Some(at) = state
                .position(&id)
                .filter(|at| !state.stacks[*at].is_deleted())
            else {
                return Ok(());
            };
            let token = form.get("ClientRequestToken");
            let reason = Some("User Initiated");
            state.stacks[at].enter("DELETE_IN_PROGRESS", reason, event_id, now, token);
        }
        give_a_moment(tokio::spawn(self.work(id, turn).delete())).await;
        Ok(())
    }

    fn work(&self, stack_id: String, turn: OwnedMutexGuard<()>) -> Work {
        Work {
            shared: self.0.clone(),
            stack_id,
            _turn: turn,
        }
    }

    fn describe_stacks(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.0.state();
        let stacks: Vec<&Stack> = match form.get("StackName").filter(|name| !name.is_empty()) {
            Some(name) => vec![find(&state, name)?],
            None => {
                let live = state.stacks.iter().rev();
                live.filter(|stack| !stack.is_deleted()).collect()
            }
        };
        xml.element("Stacks", |xml| {
            for stack in stacks {
                xml.element("member", |xml| show_stack(stack, xml));
            }
        });
        Ok(())
    }

    fn list_stacks(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let wanted = form.list("StackStatusFilter");
        if wanted.iter().any(|status| !STATUSES.contains(status)) {
            return Err(invalid(format!(
                "1 validation error detected: Value '[{}]' at 'stackStatusFilter' failed to satisfy constraint: \
                 Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
                wanted.join(", "),
                STATUSES.join(", ")
            )));
        }
        let state = self.0.state();
        let stacks = state.stacks.iter().rev();
        let stacks = stacks.filter(|stack| wanted.is_empty() || wanted.contains(&stack.status));
        xml.element("StackSummaries", |xml| {
            for stack in stacks {
                xml.element("member", |xml| {
                    xml.text("StackId", &stack.id)
                        .text("StackName", &stack.name);
                    optional(
                        xml,
                        "TemplateDescription",
                        &stack.version.template.description,
                    );
                    show_times(stack, xml);
                    show_status(stack, xml);
                    show_drift("StackDriftStatus", xml);
                });
            }
        });
        Ok(())
    }

    fn describe_stack_events(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = form.required("StackName")?;
        let state = self.0.state();
        let stack = state
            .find(name)
            .ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
        xml.element("StackEvents", |xml| {
            for event in stack.events.iter().rev() {
                xml.element("member", |xml| {
                    xml.text("StackId", &stack.id)
                        .text("EventId", &event.id)
                        .text("StackName", &stack.name)
                        .text("LogicalResourceId", &event.resource)
                        .text("PhysicalResourceId", &event.physical_id)
                        .text("ResourceType", event.type_name)
                        .text("Timestamp", timestamp(event.at))
                        .text("ResourceStatus", event.status);
                    optional(xml, "ResourceStatusReason", &event.reason);
                    optional(xml, "ClientRequestToken", &event.token);
                });
            }
        });
        Ok(())
    }

    fn describe_stack_resource(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let name = form.required("StackName")?;
        let logical_id = form.required("LogicalResourceId")?;
        let state = self.0.state();
        let stack = state
            .find(name)
            .ok_or_else(|| invalid(format!("Stack '{name}' does not exist")))?;
        let resource = resource(stack, logical_id, name)?;
        xml.element("StackResourceDetail", |xml| {
            show_stack_of(stack, xml);
            show_resource(resource, "LastUpdatedTimestamp", xml);
        });
        Ok(())
    }

    fn describe_stack_resources(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.0.state();
        let by_resource = form.get("PhysicalResourceId").filter(|id| !id.is_empty());
        let name = form.get("StackName").filter(|name| !name.is_empty());
        let stack = match (name, by_resource) {
            (Some(name), _) => find(&state, name)?,
            (None, Some(physical_id)) => {
                let owns = |stack: &&Stack| {
                    let mut resources = stack.resources.iter();
                    !stack.is_deleted()
                        && resources.any(|resource| physical(resource) == Some(physical_id))
                };
                state
                    .stacks
                    .iter()
                    .find(owns)
                    .ok_or_else(|| invalid(format!("Stack for {physical_id} does not exist")))?
            }
            (None, None) => {
                return Err(invalid(
                    "Either a StackName or a PhysicalResourceId must be specified.",
                ))
            }
        };
        let resources: Vec<_> = match form.get("LogicalResourceId").filter(|id| !id.is_empty()) {
            Some(logical_id) => vec![resource(stack, logical_id, &stack.name)?],
            None => stack.resources.iter().collect(),
        };
        xml.element("StackResources", |xml| {
            for resource in resources {
                xml.element("member", |xml| {
                    show_stack_of(stack, xml);
                    show_resource(resource, "Timestamp", xml);
                });
            }
        });
        Ok(())
    }

    fn list_stack_resources(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        let state = self.0.state();
        let stack = find(&state, form.required("StackName")?)?;
        xml.element("StackResourceSummaries", |xml| {
            for resource in &stack.resources {
                xml.element("member", |xml| {
                    show_resource(resource, "LastUpdatedTimestamp", xml);
                });
            }
        });
        Ok(())
    }

    fn get_template(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        refuse(form, "ChangeSetName")?;
        let state = self.0.state();
        let stack = find(&state, form.required("StackName")?)?;
        xml.text("TemplateBody", &stack.version.body);
        xml.element("StagesAvailable", |xml| {
            xml.text("member", "Original").text("member", "Processed");
        });
        Ok(())
    }

    fn get_template_summary(&self, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
        refuse(form, "StackSetName")?;
        let template = match form.get("StackName").filter(|name| !name.is_empty()) {
            Some(name) => find(&self.0.state(), name)?.version.template.clone(),
            None => Arc::new(Template::parse(template_body(form)?)?),
        };
        show_parameters(&template, true, xml);
        show_capabilities(&template, xml);
        optional(xml, "Description", &template.description);
        let resources = template.resources.values();
        let types: BTreeSet<_> = resources
            .map(|resource| resource.kind.type_name())
            .collect();
        xml.element("ResourceTypes", |xml| {
            for name in types {
                xml.text("member", name);
            }
        });
        xml.text("Version", "2010-09-09");
        Ok(())
    }
}

fn validate_template(form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let template = Template::parse(template_body(form)?)?;
    show_parameters(&template, false, xml);
    show_capabilities(&template, xml);
    optional(xml, "Description", &template.description);
    Ok(())
}

/// The work goes on by itself; the caller waits for it a moment, because the waiters of the SDKs look at once and
/// then not again for 30 seconds.
async fn give_a_moment(work: JoinHandle<()>) {
    // Differs from AWS: stacks-at-once: a stack is ready or gone within milliseconds, mostly before the call answers.
    let _ = tokio::time::timeout(MOMENT, work).await;
}

/// What the caller asks the stack to be. In an update, `old` is what it was.
fn version(
    form: &Form,
    stack_name: &str,
    stack_id: &str,
    old: Option<&Version>,
) -> Result<Version, ApiError> {
    let (body, template) = match old {
        Some(old) if form.get("UsePreviousTemplate") == Some("true") => {
            (old.body.clone(), old.template.clone())
        }
        _ => {
            let body = template_body(form)?;
            (body.to_owned(), Arc::new(Template::parse(body)?))
        }
    };
    let given = given_parameters(form, old)?;
    let parameters = parameters::values(&template.parameters, &given)?;
    let mut scope = Scope {
        stack_id: stack_id.to_owned(),
        stack_name: stack_name.to_owned(),
        parameters: parameters::checked(&template.parameters, &parameters)?,
        conditions: BTreeMap::new(),
    };
    template.decide(&mut scope)?;
    let order = template.creation_order(&scope)?;
    // In an update, no tags at all means the tags there are.
    let tags = match (form.structures("Tags"), old) {
        (given, Some(old)) if given.is_empty() => old.tags.clone(),
        (given, _) => tags(&given)?,
    };
    let capabilities = form.list("Capabilities");
    check_capabilities(&template, &capabilities)?;
    Ok(Version {
        body,
        template,
        scope,
        parameters,
        tags,
        capabilities: capabilities.into_iter().map(str::to_owned).collect(),
        order,
    })
}

/// Whether the caller acknowledges that the template makes roles or policies.
fn check_capabilities(template: &Template, given: &[&str]) -> Result<(), ApiError> {
    let acknowledged =
        |needed: &str| given.contains(&"CAPABILITY_NAMED_IAM") || given.contains(&needed);
    match template.capability() {
        Some(needed) if !acknowledged(needed) => Err(ApiError::sender(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{needed}]"),
        )),
        _ => Ok(()),
    }
}

fn given_parameters(
    form: &Form,
    old: Option<&Version>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut given = BTreeMap::new();
    for parameter in form.structures("Parameters") {
        let Some(name) = parameter.get("ParameterKey") else {
            return Err(invalid("Parameter keys must not be null"));
        };
        let previous = parameter.get("UsePreviousValue") == Some(&"true");
        let value = match (previous, old) {
            (true, Some(old)) => match old.parameters.get(*name) {
                Some(value) => value.clone(),
                None => {
                    return Err(invalid(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    )))
                }
            },
            (true, None) => {
                return Err(invalid(format!(
                    "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true when creating a stack"
                )))
            }
            (false, _) => match parameter.get("ParameterValue") {
                Some(value) => (*value).to_owned(),
                None => continue,
            },
        };
        if given.insert((*name).to_owned(), value).is_some() {
            return Err(invalid(format!("Duplicate parameter key {name}")));
        }
    }
    Ok(given)
}

fn tags(given: &[BTreeMap<&str, &str>]) -> Result<BTreeMap<String, String>, ApiError> {
    if given.len() > MOST_TAGS {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to {MOST_TAGS}"
        )));
    }
    let pairs = given.iter().map(|tag| {
        let key = tag.get("Key").filter(|key| (1..=128).contains(&key.len()));
        let value = tag.get("Value").filter(|value| value.len() <= 256);
        match (key, value) {
            (Some(key), Some(value)) => Ok(((*key).to_owned(), (*value).to_owned())),
            _ => Err(invalid(
                "A tag needs a Key of 1 to 128 characters and a Value of at most 256.",
            )),
        }
    });
    pairs.collect()
}

fn template_body(form: &Form) -> Result<&str, ApiError> {
    // Differs from AWS: template-url: there is no S3, so a template comes as TemplateBody only.
    refuse(form, "TemplateURL")?;
    form.get("TemplateBody")
        .filter(|body| !body.is_empty())
        .ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))
}

fn on_failure(form: &Form) -> Result<OnFailure, ApiError> {
    let disable = form.get("DisableRollback");
    match (form.get("OnFailure"), disable) {
        (Some(_), Some(_)) => Err(invalid(
            "You can specify either OnFailure or DisableRollback, but not both.",
        )),
        (None, Some("true")) => Ok(OnFailure::DoNothing),
        (None, _) | (Some("ROLLBACK"), None) => Ok(OnFailure::Rollback),
        (Some("DELETE"), None) => Ok(OnFailure::Delete),
        (Some("DO_NOTHING"), None) => Ok(OnFailure::DoNothing),
        (Some(other), None) => Err(invalid(format!(
            "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: \
             Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]"
        ))),
    }
}

/// What would change the outcome and isn't here is refused rather than ignored.
fn refuse_left_out(form: &Form) -> Result<(), ApiError> {
    // Differs from AWS: stack-options: stacks have no policies, roles, notifications, rollback triggers or termination protection.
    for member in [
        "StackPolicyBody",
        "StackPolicyURL",
        "StackPolicyDuringUpdateBody",
        "StackPolicyDuringUpdateURL",
        "RoleARN",
        "NotificationARNs.member.1",
        "ResourceTypes.member.1",
        "RollbackConfiguration.RollbackTriggers.member.1.Arn",
    ] {
        refuse(form, member)?;
    }
    for switch in ["EnableTerminationProtection", "RetainExceptOnCreate"] {
        if form.get(switch) == Some("true") {
            return Err(left_out(switch));
        }
    }
    Ok(())
}

fn refuse(form: &Form, member: &str) -> Result<(), ApiError> {
    match form.get(member).filter(|value| !value.is_empty()) {
        Some(_) => Err(left_out(member)),
        None => Ok(()),
    }
}

fn left_out(member: &str) -> ApiError {
    let name = member.split('.').next().unwrap_or(member);
    invalid(format!("{name} is not in this lab."))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let constraint = if name.len() > LONGEST_NAME {
        format!("Member must have length less than or equal to {LONGEST_NAME}")
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic())
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*".to_owned()
    } else {
        return Ok(());
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: {constraint}"
    )))
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a Stack, ApiError> {
    state
        .find(name)
        .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
}

fn resource<'a>(
    stack: &'a Stack,
    logical_id: &str,
    asked_for: &str,
) -> Result<&'a StackResource, ApiError> {
    let mut resources = stack.resources.iter();
    resources
        .find(|resource| resource.name == logical_id)
        .ok_or_else(|| {
            invalid(format!(
                "Resource {logical_id} does not exist for stack {asked_for}"
            ))
        })
}

fn busy(stack_id: &str, status: &str) -> ApiError {
    invalid(format!(
        "Stack:{stack_id} is in {status} state and can not be updated."
    ))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::sender("ValidationError", message)
}

fn show_stack(stack: &Stack, xml: &mut Xml) {
    let version = &stack.version;
    xml.text("StackId", &stack.id)
        .text("StackName", &stack.name);
    optional(xml, "Description", &version.template.description);
    xml.element("Parameters", |xml| {
        for (name, value) in &version.parameters {
            let parameter = version.template.parameters.get(name);
            let hidden = parameter.is_some_and(|parameter| parameter.no_echo);
            xml.element("member", |xml| {
                xml.text("ParameterKey", name)
                    .text("ParameterValue", if hidden { "****" } else { value });
            });
        }
    });
    show_times(stack, xml);
    xml.element("RollbackConfiguration", |_| {});
    show_status(stack, xml);
    let disabled = stack.on_failure == OnFailure::DoNothing;
    xml.text("DisableRollback", disabled.to_string())
        .element("NotificationARNs", |_| {});
    xml.element("Capabilities", |xml| {
        for capability in &version.capabilities {
            xml.text("member", capability);
        }
    });
    xml.element("Outputs", |xml| {
        for output in &stack.outputs {
            xml.element("member", |xml| {
                xml.text("OutputKey", &output.name)
                    .text("OutputValue", &output.value);
                optional(xml, "Description", &output.description);
                optional(xml, "ExportName", &output.export);
            });
        }
    });
    xml.element("Tags", |xml| {
        for (key, value) in &version.tags {
            xml.element("member", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    });
    xml.text("EnableTerminationProtection", "false");
    show_drift("StackDriftStatus", xml);
}

fn show_times(stack: &Stack, xml: &mut Xml) {
    xml.text("CreationTime", timestamp(stack.created_at));
    optional(xml, "LastUpdatedTime", &stack.updated_at.map(timestamp));
    optional(xml, "DeletionTime", &stack.deleted_at.map(timestamp));
}

fn show_status(stack: &Stack, xml: &mut Xml) {
    xml.text("StackStatus", stack.status);
    optional(xml, "StackStatusReason", &stack.reason);
}

fn show_stack_of(stack: &Stack, xml: &mut Xml) {
    xml.text("StackName", &stack.name)
        .text("StackId", &stack.id);
}

fn show_resource(resource: &StackResource, time: &str, xml: &mut Xml) {
    xml.text("LogicalResourceId", &resource.name);
    if let Some(id) = physical(resource) {
        xml.text("PhysicalResourceId", id);
    }
    xml.text("ResourceType", resource.kind.type_name())
        .text(time, timestamp(resource.changed_at))
        .text("ResourceStatus", resource.status);
    optional(xml, "ResourceStatusReason", &resource.reason);
    show_drift("StackResourceDriftStatus", xml);
}

fn physical(resource: &StackResource) -> Option<&str> {
    Some(resource.provisioned.as_ref()?.id.as_str())
}

fn show_drift(name: &str, xml: &mut Xml) {
    xml.element("DriftInformation", |xml| {
        xml.text(name, "NOT_CHECKED");
    });
}

fn show_parameters(template: &Template, with_types: bool, xml: &mut Xml) {
    xml.element("Parameters", |xml| {
        for (name, parameter) in &template.parameters {
            xml.element("member", |xml| {
                xml.text("ParameterKey", name);
                optional(xml, "DefaultValue", &parameter.default);
                if with_types {
                    xml.text("ParameterType", parameter.type_name());
                }
                xml.text("NoEcho", parameter.no_echo.to_string());
                optional(xml, "Description", &parameter.description);
                if with_types {
                    xml.element("ParameterConstraints", |xml| {
                        xml.element("AllowedValues", |xml| {
                            for value in &parameter.allowed_values {
                                xml.text("member", value);
                            }
                        });
                    });
                }
            });
        }
    });
}

/// What the caller of `CreateStack` will have to acknowledge, and why.
fn show_capabilities(template: &Template, xml: &mut Xml) {
    let Some(capability) = template.capability() else {
        return;
    };
    let resources = template.resources.values();
    let types: BTreeSet<_> = resources
        .filter(|resource| resource.kind.capability(&resource.properties).is_some())
        .map(|resource| resource.kind.type_name())
        .collect();
    let types: Vec<_> = types.into_iter().collect();
    xml.element("Capabilities", |xml| {
        xml.text("member", capability);
    });
    xml.text(
        "CapabilitiesReason",
        format!(
            "The following resource(s) require capabilities: [{}]",
            types.join(", ")
        ),
    );
}

fn optional(xml: &mut Xml, name: &str, text: &Option<String>) {
    if let Some(text) = text {
        xml.text(name, text);
    }
}
