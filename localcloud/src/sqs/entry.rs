//! A batch and its entries: what is checked before any of them, and how each one fails or succeeds by itself.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api-actions.html>.

use super::errors::{is_label, sqs_error};
use crate::wire::error::{ApiError, Fault};
use serde::{Deserialize, Serialize};

/// How many entries a batch may have.
pub const MAX_ENTRIES: usize = crate::quotas::BATCH_ENTRIES;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default, bound = "E: Deserialize<'de>")]
pub struct BatchRequest<E> {
    pub queue_url: String,
    pub entries: Vec<E>,
}

impl<E> Default for BatchRequest<E> {
    fn default() -> Self {
        Self {
            queue_url: String::new(),
            entries: Vec::new(),
        }
    }
}

/// The answer to a batch: it succeeds although entries fail.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchResult<T> {
    successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchResultErrorEntry {
    pub id: String,
    sender_fault: bool,
    code: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchResultEntry {
    pub id: String,
}

/// Checks a batch as a whole: how many entries, and that their ids tell them apart.
pub fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), ApiError> {
    if ids.len() == 0 {
        return Err(sqs_error(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.".to_owned(),
        ));
    }
    if ids.len() > MAX_ENTRIES {
        return Err(sqs_error(
            "TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {MAX_ENTRIES}. You have sent {}.",
                ids.len()
            ),
        ));
    }
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        if !is_label(id) {
            return Err(sqs_error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.".to_owned(),
            ));
        }
        if seen.contains(&id) {
            return Err(sqs_error(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
        seen.push(id);
    }
    Ok(())
}

/// Sorts the results of a batch's entries into what succeeded and what failed.
pub fn outcome<R, T>(
    results: impl Iterator<Item = (String, Result<R, ApiError>)>,
    success: impl Fn(String, R) -> T,
) -> BatchResult<T> {
    let mut outcome = BatchResult {
        successful: Vec::new(),
        failed: Vec::new(),
    };
    for (id, result) in results {
        match result {
            Ok(result) => outcome.successful.push(success(id, result)),
            Err(error) => outcome.failed.push(BatchResultErrorEntry {
                id,
                sender_fault: error.fault == Fault::Sender,
                code: error.code,
                message: error.message,
            }),
        }
    }
    outcome
}
