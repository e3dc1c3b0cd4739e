//! CreateStack, UpdateStack and DeleteStack: what is checked before the work on a stack begins.
//! See <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>.

use super::error::invalid;
use super::provision::Work;
use super::request;
use super::stack::{self, Stack, Stacks, State, Version};
use crate::wire::error::ApiError;
use crate::wire::query::{Form, Xml};
use std::sync::{Arc, MutexGuard};
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
    // Differs from AWS: deletion-options: DeleteStack has no RoleARN and no DeletionMode.
    for member in ["RoleARN", "DeletionMode"] {
        request::refuse(form, member)?;
    }
    let retained: Vec<_> = form.list("RetainResources");
    let retained: Vec<_> = retained.into_iter().map(str::to_owned).collect();
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
        check_retained(&state.stacks[at], &retained)?;
        let token = form.get("ClientRequestToken");
        state.stacks[at].enter("DELETE_IN_PROGRESS", USER_INITIATED, event_id, now, token);
    }
    give_a_moment(tokio::spawn(Work::new(stacks, id, turn).delete(retained))).await;
    Ok(())
}

/// Whether these resources can be left where they are: only a deletion that failed may be helped in this way.
fn check_retained(stack: &Stack, retained: &[String]) -> Result<(), ApiError> {
    if !retained.is_empty() && stack.status != "DELETE_FAILED" {
        return Err(invalid(format!(
            "Invalid operation on stack [{}]. When you delete a stack, specify which resources to retain only when the \
             stack is in the DELETE_FAILED state.",
            stack.id
        )));
    }
    match retained.iter().find(|name| stack.resource(name).is_none()) {
        Some(name) => Err(invalid(format!(
            "Stack resource [{name}] to retain does not exist in stack [{}]",
            stack.id
        ))),
        None => Ok(()),
    }
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
    let on_failure = request::on_failure(form, "OnFailure")?;
    let token = form.get("ClientRequestToken");
    let in_review = stacks
        .state()
        .find(name)
        .filter(|it| it.is_in_review())
        .map(|it| it.id.clone());
    let id = in_review.unwrap_or_else(|| stack::arn(name, &stacks.uuid()));
    let version = request::version(form, name, &id, None)?;
    let (now, mut state) = (stacks.clock.now(), stacks.state());
    let at = match state.position(name) {
        Some(at) if state.stacks[at].is_in_review() => at,
        Some(_) => {
            return Err(ApiError::sender(
                "AlreadyExistsException",
                format!("Stack [{name}] already exists"),
            ))
        }
        None => {
            make_room(&mut state)?;
            state.stacks.push(Stack::new(&id, name, now, base));
            state.stacks.len() - 1
        }
    };
    let stack = &mut state.stacks[at];
    stack.on_failure = on_failure;
    stack.outdate_change_sets();
    xml.text("StackId", &stack.id);
    start_creation(stacks, state, at, Arc::new(version), token)
}

/// Begins the work on a stack that has no resources yet.
pub fn start_creation(
    stacks: &Arc<Stacks>,
    mut state: MutexGuard<'_, State>,
    at: usize,
    version: Arc<Version>,
    token: Option<&str>,
) -> Result<JoinHandle<()>, ApiError> {
    let event_id = state.uuid();
    let stack = &mut state.stacks[at];
    let turn = turn(stack)?;
    stack.version = version.clone();
    let now = stacks.clock.now();
    stack.enter("CREATE_IN_PROGRESS", USER_INITIATED, event_id, now, token);
    let (id, on_failure) = (stack.id.clone(), stack.on_failure);
    drop(state);
    let work = Work::new(stacks, id, turn);
    Ok(tokio::spawn(work.create(version, on_failure)))
}

/// Whether one more stack fits in; if so, the oldest of too many deleted ones goes.
pub fn make_room(state: &mut State) -> Result<(), ApiError> {
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
    let mut state = stacks.state();
    let at = updatable(&state, name)?;
    let stack = &mut state.stacks[at];
    let old = stack.version.clone();
    let new = request::version(form, &stack.name, &stack.id, Some(&old))?;
    check_types(&old, &new)?;
    if new.is_the_same(&old) {
        return Err(invalid("No updates are to be performed."));
    }
    stack.outdate_change_sets();
    xml.text("StackId", &stack.id);
    start_update(
        stacks,
        state,
        at,
        Arc::new(new),
        form.get("ClientRequestToken"),
    )
}

/// Begins to bring a stack to another version.
pub fn start_update(
    stacks: &Arc<Stacks>,
    mut state: MutexGuard<'_, State>,
    at: usize,
    new: Arc<Version>,
    token: Option<&str>,
) -> Result<JoinHandle<()>, ApiError> {
    let event_id = state.uuid();
    let stack = &mut state.stacks[at];
    let turn = turn(stack)?;
    let old = std::mem::replace(&mut stack.version, new.clone());
    let now = stacks.clock.now();
    stack.updated_at = Some(now);
    stack.enter("UPDATE_IN_PROGRESS", USER_INITIATED, event_id, now, token);
    let id = stack.id.clone();
    drop(state);
    let work = Work::new(stacks, id, turn);
    Ok(tokio::spawn(work.update(old, new)))
}

/// The position of a stack that can be updated now.
pub fn updatable(state: &State, name: &str) -> Result<usize, ApiError> {
    let at = state
        .position(name)
        .ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))?;
    let stack = &state.stacks[at];
    let settled = matches!(
        stack.status,
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
    );
    if !settled || stack.work.try_lock().is_err() {
        return Err(busy(stack));
    }
    Ok(at)
}

/// Whether the resources keep their types.
pub fn check_types(old: &Version, new: &Version) -> Result<(), ApiError> {
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
pub async fn give_a_moment(work: JoinHandle<()>) {
    // Differs from AWS: stacks-at-once: a stack is ready or gone within milliseconds, mostly before the call answers.
    let _ = tokio::time::timeout(MOMENT, work).await;
}
