//! Change sets: a version of a stack is shown before the stack becomes so. `aws cloudformation deploy` works by them.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>.

use super::changes;
use super::error::{constraint, invalid};
use super::lifecycle::{
    check_types, give_a_moment, make_room, start_creation, start_update, updatable,
};
use super::request;
use super::show;
use super::stack::{self, ChangeSet, Stack, Stacks, State, Version};
use crate::clock::Millis;
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use std::sync::Arc;

/// For one stack. The oldest goes when there are more.
const MAX_CHANGE_SETS: usize = 100;
const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a \
                          change set.";

pub fn create(
    stacks: &Arc<Stacks>,
    form: &Form,
    base: &str,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let stack_name = form.required("StackName")?;
    let name = form.required("ChangeSetName")?;
    request::check_change_set_name(name)?;
    request::refuse_left_out(form)?;
    // Differs from AWS: change-set-options: change sets import nothing and have no nested stacks or deployment modes.
    for member in ["ResourcesToImport.member.1.ResourceType", "DeploymentMode"] {
        request::refuse(form, member)?;
    }
    for switch in ["ImportExistingResources", "IncludeNestedStacks"] {
        if form.get(switch) == Some("true") {
            return Err(request::left_out(switch));
        }
    }
    let (now, mut state) = (stacks.clock.now(), stacks.state());
    let at = match form.get("ChangeSetType").unwrap_or("UPDATE") {
        "CREATE" => under_review(&mut state, stack_name, name, now, base)?,
        "UPDATE" => updatable(&state, stack_name)?,
        "IMPORT" => return Err(request::left_out("ChangeSetType IMPORT")),
        other => {
            let rule = "Member must satisfy enum value set: [CREATE, UPDATE, IMPORT]";
            return Err(constraint(other, "changeSetType", rule));
        }
    };
    let set = match propose(&mut state, at, form, name, now) {
        Ok(set) => set,
        Err(error) => {
            forget_if_new(&mut state, at);
            return Err(error);
        }
    };
    let stack = &mut state.stacks[at];
    xml.text("Id", &set.id).text("StackId", &stack.id);
    if stack.change_sets.len() == MAX_CHANGE_SETS {
        stack.change_sets.remove(0);
    }
    stack.change_sets.push(set);
    Ok(())
}

/// The stack that a change set would create: one that has only change sets yet.
fn under_review(
    state: &mut State,
    name: &str,
    change_set: &str,
    now: Millis,
    base: &str,
) -> Result<usize, ApiError> {
    match state.position(name) {
        Some(at) if state.stacks[at].is_in_review() => Ok(at),
        Some(_) => Err(invalid(format!(
            "Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
        ))),
        None => {
            request::check_name(name)?;
            make_room(state)?;
            let id = stack::arn(name, &state.uuid());
            let mut stack = Stack::new(&id, name, now, base);
            let reason = Some("User Initiated");
            stack.enter("REVIEW_IN_PROGRESS", reason, state.uuid(), now, None);
            state.stacks.push(stack);
            Ok(state.stacks.len() - 1)
        }
    }
}

/// A stack that was begun for a change set that then turned out to be wrong.
fn forget_if_new(state: &mut State, at: usize) {
    if state.stacks[at].is_in_review() && state.stacks[at].change_sets.is_empty() {
        state.stacks.remove(at);
    }
}

fn propose(
    state: &mut State,
    at: usize,
    form: &Form,
    name: &str,
    now: Millis,
) -> Result<ChangeSet, ApiError> {
    let id = stack::change_set_arn(name, &state.uuid());
    let stack = &state.stacks[at];
    if stack.change_set(name).is_some() {
        return Err(ApiError::sender(
            "AlreadyExistsException",
            format!("ChangeSet {name} already exists in stack {}", stack.name),
        ));
    }
    let creates = stack.is_in_review();
    let old = (!creates).then(|| stack.version.clone());
    let version = request::version(form, &stack.name, &stack.id, old.as_deref())?;
    if let Some(old) = &old {
        check_types(old, &version)?;
    }
    let changes = changes::between(stack, &version, &state.known(stack));
    let empty = old.is_some_and(|old| version.is_the_same(&old));
    Ok(ChangeSet {
        id,
        name: name.to_owned(),
        description: form.get("Description").map(str::to_owned),
        version: Arc::new(version),
        on_failure: request::on_failure(form, "OnStackFailure")?,
        created_at: now,
        status: if empty { "FAILED" } else { "CREATE_COMPLETE" },
        reason: empty.then(|| NO_CHANGES.to_owned()),
        execution_status: if empty { "UNAVAILABLE" } else { "AVAILABLE" },
        changes,
    })
}

pub async fn execute(stacks: &Arc<Stacks>, form: &Form) -> Result<(), ApiError> {
    let work = {
        let mut state = stacks.state();
        let (at, which) = position(&state, stack_name(form), form.required("ChangeSetName")?)?;
        let set = &state.stacks[at].change_sets[which];
        if set.execution_status != "AVAILABLE" {
            let status = match set.status {
                "FAILED" => "status of [FAILED]".to_owned(),
                _ => format!("execution status of [{}]", set.execution_status),
            };
            return Err(ApiError::sender(
                "InvalidChangeSetStatus",
                format!(
                    "ChangeSet [{}] cannot be executed in its current {status}",
                    set.id
                ),
            ));
        }
        let creates = state.stacks[at].is_in_review();
        if !creates {
            updatable(&state, &state.stacks[at].id)?;
        }
        let version = become_current(&mut state.stacks[at], which, stacks.clock.now());
        let token = form.get("ClientRequestToken");
        if creates {
            start_creation(stacks, state, at, version, token)?
        } else {
            start_update(stacks, state, at, version, token)?
        }
    };
    give_a_moment(work).await;
    Ok(())
}

/// The other change sets of the stack go, as on AWS: they were made for the stack as it was.
fn become_current(stack: &mut Stack, which: usize, now: Millis) -> Arc<Version> {
    let mut set = stack.change_sets.swap_remove(which);
    set.execution_status = "EXECUTE_COMPLETE";
    let version = set.version.clone();
    if stack.is_in_review() {
        stack.on_failure = set.on_failure;
    }
    stack.updated_at = Some(now);
    stack.change_set_id = Some(set.id.clone());
    stack.change_sets = vec![set];
    version
}

pub fn describe(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let state = stacks.state();
    let (stack, set) = find(&state, stack_name(form), form.required("ChangeSetName")?)?;
    show::change_set(stack, set, xml);
    Ok(())
}

pub fn delete(stacks: &Stacks, form: &Form) -> Result<(), ApiError> {
    let mut state = stacks.state();
    match position(&state, stack_name(form), form.required("ChangeSetName")?) {
        Ok((at, which)) => {
            state.stacks[at].change_sets.remove(which);
            Ok(())
        }
        Err(error) if error.code == "ChangeSetNotFound" => Ok(()),
        Err(error) => Err(error),
    }
}

/// The change sets that can still be executed, or that failed.
pub fn list(stacks: &Stacks, form: &Form, xml: &mut Xml) -> Result<(), ApiError> {
    let name = form.required("StackName")?;
    let state = stacks.state();
    let stack = state.find(name).ok_or_else(|| no_stack(name))?;
    let sets = stack.change_sets.iter();
    xml.element("Summaries", |xml| {
        for set in sets.filter(|set| set.execution_status != "EXECUTE_COMPLETE") {
            xml.element("member", |xml| show::change_set_summary(stack, set, xml));
        }
    });
    Ok(())
}

/// A change set by its ARN, or by its name and its stack's.
///
/// # Errors
///
/// `ChangeSetNotFound`, or `ValidationError` if the stack isn't there or isn't named.
pub fn find<'a>(
    state: &'a State,
    stack: Option<&str>,
    name: &str,
) -> Result<(&'a Stack, &'a ChangeSet), ApiError> {
    let (at, which) = position(state, stack, name)?;
    let stack = &state.stacks[at];
    Ok((stack, &stack.change_sets[which]))
}

fn position(state: &State, stack: Option<&str>, name: &str) -> Result<(usize, usize), ApiError> {
    let not_found = || {
        let message = format!("ChangeSet [{name}] does not exist");
        ApiError::sender("ChangeSetNotFound", message).with_status(404)
    };
    if let Some(stack) = stack {
        let at = state.position(stack).ok_or_else(|| no_stack(stack))?;
        let which = state.stacks[at].change_set(name).ok_or_else(not_found)?;
        return Ok((at, which));
    }
    if !name.starts_with("arn:") {
        return Err(invalid(
            "StackName must be specified if ChangeSetName is not specified as an ARN.",
        ));
    }
    let mut stacks = state.stacks.iter().enumerate();
    stacks
        .find_map(|(at, stack)| Some((at, stack.change_set(name)?)))
        .ok_or_else(not_found)
}

fn stack_name(form: &Form) -> Option<&str> {
    form.get("StackName").filter(|name| !name.is_empty())
}

fn no_stack(name: &str) -> ApiError {
    invalid(format!("Stack [{name}] does not exist"))
}
