//! How a queue is named: by its name, its ARN and its URL.

use super::errors::{is_name_byte, missing, no_such_queue};
use crate::account::{self, ACCOUNT};
use crate::wire::error::ApiError;

/// The queue's name in its ARN.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

pub fn arn_of(name: &str) -> String {
    account::arn("sqs", name)
}

pub fn url_of(base: &str, name: &str) -> String {
    format!("{base}/{ACCOUNT}/{name}")
}

/// The queue's name in its URL, whatever host the URL names. A bare name will do, too.
pub fn name_in(url: &str) -> Result<&str, ApiError> {
    if url.is_empty() {
        return Err(missing("QueueUrl"));
    }
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    if url
        .strip_suffix(".fifo")
        .unwrap_or(url)
        .bytes()
        .all(is_name_byte)
    {
        return Ok(url);
    }
    match path.trim_end_matches('/').rsplit('/').collect::<Vec<_>>()[..] {
        [name, ACCOUNT, ..] => Ok(name),
        [_, account, ..] if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) => {
            Err(no_such_queue())
        }
        _ => Err(ApiError::sender(
            "InvalidAddress",
            format!("The address {url} is not valid for this endpoint."),
        )),
    }
}
