//! CreateStack, UpdateStack and DeleteStack: what is checked before the work on a stack begins.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>.

use super::error::invalid;
use super::provision::Work;
use super::request;
use super::stack::{self, Stack, Stacks, State, Version};
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

// Differs from AWS: stacks-kept: 200 stacks at a time (AWS: 2,000) and the newest 200 deleted ones (AWS: those of 90 days).
const MAX_STACKS: usize = 200;
const MOMENT: Duration = Duration::from_millis(50);
const USER_INITIATED: Option<&str> = Some("User Initiated");

pub async fn create_stack(
    stacks: &Arc<Stacks>,
    form: &Form,
    base: &str,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let work = begin_creation(stacks, form, base, xml)?;
    give_a_moment(work).await;
    Ok(())
}

pub async fn update_stack(
    stacks: &Arc<Stacks>,
    form: &Form,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let work = begin_update(stacks, form, xml)?;
    give_a_moment(work).await;
    Ok(())
}

pub async fn delete_stack(stacks: &Arc<Stacks>, form: &Form) -> Result<(), ApiError> {
    let name = form.required("StackName")?;
    // Differs from AWS: retain-resources: DeleteStack has no RetainResources, RoleARN and DeletionMode.
    for member in ["RetainResources.member.1", "RoleARN", "DeletionMode"] {
        request::refuse(form, member)?;
    }
    let found = stacks
        .state()
        .find(name)
        .map(|stack| (stack.id.clone(), stack.work.clone()));
    let Some((id, work)) = found else {
        return Ok(());
    };
    let turn = work.lock_owned().await;
    let (event_id, now) = (stacks.uuid(), stacks.clock.now());
    {
        let mut state = stacks.state();
        let Some(at) = state
            .position(&id)
            .filter(|at| !state.stacks[*at].is_deleted())
        else {
            return Ok(());
        };
        let token = form.get("ClientRequestToken");
        state.stacks[at].enter("DELETE_IN_PROGRESS", USER_INITIATED, event_id, now, token);
    }
    give_a_moment(tokio::spawn(Work::new(stacks, id, turn).delete())).await;
    Ok(())
}

fn begin_creation(
    stacks: &Arc<Stacks>,
    form: &Form,
    base: &str,
    xml: &mut Xml,
) -> Result<JoinHandle<()>, ApiError> {
    let name = form.required("StackName")?;
    request::check_name(name)?;
    request::refuse_left_out(form)?;
    let on_failure = request::on_failure(form)?;
    let id = stack::arn(name, &stacks.uuid());
    let version = Arc::new(request::version(form, name, &id, None)?);
    let (event_id, now) = (stacks.uuid(), stacks.clock.now());
    let mut state = stacks.state();
    if state.find(name).is_some() {
        return Err(ApiError::sender(
            "AlreadyExistsException",
            format!("Stack [{name}] already exists"),
        ));
    }
    make_room(&mut state)?;
    let mut stack = Stack::new(&id, name, version.clone(), now, base);
    stack.on_failure = on_failure;
    let turn = turn(&stack)?;
    let token = form.get("ClientRequestToken");
    stack.enter("CREATE_IN_PROGRESS", USER_INITIATED, event_id, now, token);
    state.stacks.push(stack);
    drop(state);
    xml.text("StackId", &id);
    let work = Work::new(stacks, id, turn);
    Ok(tokio::spawn(work.create(version, on_failure)))
}

/// Whether one more stack fits in; if so, the oldest of too many deleted ones goes.
fn make_room(state: &mut State) -> Result<(), ApiError> {
    let live = state.stacks.iter().filter(|stack| !stack.is_deleted());
    let live = live.count();
    if live == MAX_STACKS {
        return Err(ApiError::sender(
            "LimitExceededException",
            format!(
                "Limit for stack has been exceeded: this lab keeps {MAX_STACKS} stacks at a time"
            ),
        ));
    }
    if state.stacks.len() - live == MAX_STACKS {
        if let Some(oldest) = state.stacks.iter().position(Stack::is_deleted) {
            state.stacks.remove(oldest);
        }
    }
    Ok(())
}

fn begin_update(
    stacks: &Arc<Stacks>,
    form: &Form,
    xml: &mut Xml,
) -> Result<JoinHandle<()>, ApiError> {
    let name = form.required("StackName")?;
    request::refuse_left_out(form)?;
    // Differs from AWS: failed-updates: an update that fails is always rolled back.
    if form.get("DisableRollback") == Some("true") {
        return Err(request::left_out("DisableRollback"));
    }
    let (event_id, now) = (stacks.uuid(), stacks.clock.now());
    let mut state = stacks.state();
    let at = state
        .position(name)
        .filter(|at| !state.stacks[*at].is_deleted())
        .ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let stack = &mut state.stacks[at];
    let updatable = matches!(
        stack.status,
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
    );
    if !updatable {
        return Err(busy(stack));
    }
    let turn = turn(stack)?;
    let old = stack.version.clone();
    let new = request::version(form, &stack.name, &stack.id, Some(&old))?;
    check_update(&old, &new)?;
    let new = Arc::new(new);
    stack.version = new.clone();
    stack.updated_at = Some(now);
    let token = form.get("ClientRequestToken");
    stack.enter("UPDATE_IN_PROGRESS", USER_INITIATED, event_id, now, token);
    let id = stack.id.clone();
    drop(state);
    xml.text("StackId", &id);
    let work = Work::new(stacks, id, turn);
    Ok(tokio::spawn(work.update(old, new)))
}

/// Whether there is something to update, and the resources keep their types.
fn check_update(old: &Version, new: &Version) -> Result<(), ApiError> {
    if new.is_the_same(old) {
        return Err(invalid("No updates are to be performed."));
    }
    let types = &old.template.resources;
    let retyped = new.template.resources.iter().find(|(name, resource)| {
        types
            .get(*name)
            .is_some_and(|old| old.kind != resource.kind)
    });
    match retyped {
        Some((name, _)) => Err(invalid(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{name}]"
        ))),
        None => Ok(()),
    }
}

/// The right to work on the stack.
fn turn(stack: &Stack) -> Result<OwnedMutexGuard<()>, ApiError> {
    stack.work.clone().try_lock_owned().map_err(|_| busy(stack))
}

fn busy(stack: &Stack) -> ApiError {
    invalid(format!(
        "Stack:{} is in {} state and can not be updated.",
        stack.id, stack.status
    ))
}

/// The work goes on by itself; the caller waits for it a moment, because the waiters of the SDKs look at once and
/// then not again for 30 seconds.
async fn give_a_moment(work: JoinHandle<()>) {
    // Differs from AWS: stacks-at-once: a stack is ready or gone within milliseconds, mostly before the call answers.
    let _ = tokio::time::timeout(MOMENT, work).await;
}
