//! Message move tasks: what was given up goes back, message by message.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>.

use super::errors::{in_range, invalid_parameter, missing};
use super::message::Message;
use super::names::name_of;
use super::redrive::{MoveTask, Status};
use super::state::{Shared, State};
use crate::clock::Millis;
use crate::events::Event;
use crate::ids;
use crate::wire::error::ApiError;
use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// How many tasks of a queue are remembered, and how many one answer lists.
const MAX_LISTED: usize = 10;
// Differs from AWS: move-speed: a task without a rate of its own moves everything at once.
/// How many messages a task without a rate moves at a time.
const AT_ONCE: usize = 500;

/// Why a task failed, when a queue it needs is gone.
const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct StartMessageMoveTaskRequest {
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartMessageMoveTaskResult {
    task_handle: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct CancelMessageMoveTaskRequest {
    task_handle: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CancelMessageMoveTaskResult {
    approximate_number_of_messages_moved: u64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListMessageMoveTasksRequest {
    source_arn: String,
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListMessageMoveTasksResult {
    results: Vec<ListMessageMoveTasksResultEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListMessageMoveTasksResultEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: u64,
    approximate_number_of_messages_to_move: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    started_timestamp: Millis,
}

/// The text of a task's handle, before Base64.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: String,
    source_arn: String,
}

impl Shared {
    pub fn start_message_move_task(
        self: &Arc<Self>,
        input: StartMessageMoveTaskRequest,
    ) -> Result<StartMessageMoveTaskResult, ApiError> {
        let source = input.source_arn;
        if source.is_empty() {
            return Err(missing("SourceArn"));
        }
        let rate = input
            .max_number_of_messages_per_second
            .map(|rate| {
                let reason = "Must be between 1 and 500, if provided.";
                in_range(
                    "MaxNumberOfMessagesPerSecond",
                    Some(rate),
                    0,
                    (1, 500),
                    reason,
                )
            })
            .transpose()?;
        let now = self.clock.now();
        let mut state = self.lock();
        let (to_move, is_fifo) = match state.by_arn(&source, now) {
            Some(queue) => (queue.store.counts().visible as u64, queue.fifo.is_some()),
            None => return Err(no_such_queue("SourceArn")),
        };
        if !state
            .queues
            .values()
            .any(|queue| queue.gives_up_to(&source))
        {
            return Err(invalid_parameter(
                "Source queue must be configured as a Dead Letter Queue.".to_owned(),
            ));
        }
        if let Some(destination) = &input.destination_arn {
            if *destination == source {
                return Err(invalid_parameter(
                    "Source queue arn and destination queue arn cannot be the same.".to_owned(),
                ));
            }
            match state.by_arn(destination, now) {
                None => return Err(no_such_queue("DestinationArn")),
                Some(queue) if queue.fifo.is_some() != is_fifo => {
                    return Err(invalid_parameter(
                        "Source and destination must both be FIFO queues, or both standard queues."
                            .to_owned(),
                    ))
                }
                Some(_) => {}
            }
        }
        if state.tasks.iter().any(|task| task.is_running(&source)) {
            return Err(invalid_parameter(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                    .to_owned(),
            ));
        }
        let handle = Handle {
            task_id: ids::uuid(&mut state.random),
            source_arn: source.clone(),
        };
        let handle = STANDARD.encode(json!(handle).to_string());
        state.forget_old_tasks(&source);
        state.tasks.push(MoveTask {
            handle: handle.clone(),
            source_arn: source,
            destination_arn: input.destination_arn,
            rate,
            status: Status::Running,
            moved: 0,
            to_move,
            started_at: now,
            failure: None,
        });
        drop(state);
        tokio::spawn(Arc::clone(self).run_task(handle.clone()));
        Ok(StartMessageMoveTaskResult {
            task_handle: handle,
        })
    }

    /// Moves messages until there are none left, the task is cancelled, or nobody takes them.
    async fn run_task(self: Arc<Self>, handle: String) {
        loop {
            let now = self.clock.now();
            let Some(rate) = self.lock().step(&handle, now) else {
                return;
            };
            match rate {
                None => tokio::task::yield_now().await,
                Some(rate) => {
                    let pause = 1000 / Millis::from(rate);
                    self.clock.sleep_until(now + pause.max(1)).await;
                }
            }
        }
    }

    pub fn cancel_message_move_task(
        &self,
        input: CancelMessageMoveTaskRequest,
    ) -> Result<CancelMessageMoveTaskResult, ApiError> {
        if input.task_handle.is_empty() {
            return Err(missing("TaskHandle"));
        }
        let source = source_in(&input.task_handle).ok_or_else(|| {
            invalid_parameter("Value for parameter TaskHandle is invalid.".to_owned())
        })?;
        let now = self.clock.now();
        let mut state = self.lock();
        if state.by_arn(&source, now).is_none() {
            return Err(no_such_queue("SourceArn"));
        }
        let is_it = |task: &&mut MoveTask| task.handle == input.task_handle;
        let task = state.tasks.iter_mut().find(is_it);
        let task = task.ok_or_else(|| no_such_resource("Task does not exist."))?;
        if task.status != Status::Running {
            return Err(no_such_resource("Task does not exist."));
        }
        task.status = Status::Cancelled;
        Ok(CancelMessageMoveTaskResult {
            approximate_number_of_messages_moved: task.moved,
        })
    }

    pub fn list_message_move_tasks(
        &self,
        input: ListMessageMoveTasksRequest,
    ) -> Result<ListMessageMoveTasksResult, ApiError> {
        if input.source_arn.is_empty() {
            return Err(missing("SourceArn"));
        }
        let reason = "Must be between 1 and 10, if provided.";
        let most = in_range("MaxResults", input.max_results, 1, (1, 10), reason)?;
        let mut state = self.lock();
        if state.by_arn(&input.source_arn, self.clock.now()).is_none() {
            return Err(no_such_queue("SourceArn"));
        }
        let newest_first = state.tasks.iter().rev();
        let results = newest_first
            .filter(|task| task.source_arn == input.source_arn)
            .take(most as usize)
            .map(ListMessageMoveTasksResultEntry::from)
            .collect();
        Ok(ListMessageMoveTasksResult { results })
    }
}

impl State {
    /// Moves the next messages of a task. None when the task has ended, else its rate.
    fn step(&mut self, handle: &str, now: Millis) -> Option<Option<u32>> {
        let at = self.tasks.iter().position(|task| task.handle == handle)?;
        let task = self.tasks[at].clone();
        if task.status != Status::Running {
            return None;
        }
        let is_gone = |arn: &String| self.by_arn(arn, now).is_none();
        if task.destination_arn.as_ref().is_some_and(is_gone) {
            return self.end(at, Some(NO_QUEUE));
        }
        let most = task.rate.map_or(AT_ONCE, |_| 1);
        let taken = match self.by_arn(&task.source_arn, now) {
            Some(queue) => queue.store.take(most),
            None => return self.end(at, Some(NO_QUEUE)),
        };
        if taken.is_empty() {
            return self.end(at, None);
        }
        let mut taken = taken.into_iter();
        while let Some(message) = taken.next() {
            let destination = task
                .destination_arn
                .clone()
                .or_else(|| message.dead_letter_source.clone());
            let failure = match destination {
                Some(_) => NO_QUEUE,
                None => "CouldNotDetermineMessageSource",
            };
            let Some(queue) = destination.and_then(|arn| self.by_arn(&arn, now)) else {
                if let Some(source) = self.by_arn(&task.source_arn, now) {
                    for message in std::iter::once(message).chain(taken) {
                        source.store.put(now, message, 0);
                        source.arrivals.notify_one();
                    }
                }
                return self.end(at, Some(failure));
            };
            let from = name_of(&task.source_arn);
            queue.events.emit(|| Event::Deleted {
                queue: from,
                message: message.name(),
            });
            // A moved message is a new one: its id, its age and its count of receives start again.
            let message = Message {
                id: queue.store.new_message_id(),
                sent_at: now,
                receives: 0,
                first_received_at: None,
                dead_letter_source: None,
                copy: None,
                ..Message::clone(&message)
            };
            queue.put(now, Arc::new(message), 0, Some(from));
            self.tasks[at].moved += 1;
        }
        Some(task.rate)
    }

    fn end<T>(&mut self, at: usize, failure: Option<&'static str>) -> Option<T> {
        let task = &mut self.tasks[at];
        task.status = match failure {
            None => Status::Completed,
            Some(_) => Status::Failed,
        };
        task.failure = failure;
        None
    }

    fn forget_old_tasks(&mut self, source: &str) {
        let of_source = |task: &MoveTask| task.source_arn == source;
        if self.tasks.iter().filter(|task| of_source(task)).count() >= MAX_LISTED {
            if let Some(oldest) = self.tasks.iter().position(of_source) {
                self.tasks.remove(oldest);
            }
        }
    }
}

impl MoveTask {
    fn is_running(&self, source: &str) -> bool {
        self.status == Status::Running && self.source_arn == source
    }
}

impl From<&MoveTask> for ListMessageMoveTasksResultEntry {
    fn from(task: &MoveTask) -> Self {
        Self {
            task_handle: (task.status == Status::Running).then(|| task.handle.clone()),
            status: task.status.name(),
            source_arn: task.source_arn.clone(),
            destination_arn: task.destination_arn.clone(),
            max_number_of_messages_per_second: task.rate,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason: task.failure,
            started_timestamp: task.started_at,
        }
    }
}

/// The source queue that a task's handle names, whether there is such a task or not.
fn source_in(handle: &str) -> Option<String> {
    let handle: Handle = serde_json::from_slice(&STANDARD.decode(handle).ok()?).ok()?;
    Some(handle.source_arn)
}

fn no_such_queue(parameter: &str) -> ApiError {
    no_such_resource(&format!(
        "The resource that you specified for the {parameter} parameter doesn't exist."
    ))
}

fn no_such_resource(message: &str) -> ApiError {
    ApiError::sender("ResourceNotFoundException", message).with_status(404)
}
