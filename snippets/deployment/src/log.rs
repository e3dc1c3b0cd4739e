//! A function's log, read by its lines.

use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use aws_sdk_cloudwatchlogs::Client;
use snippets::Result;

/// A line of a function's log.
pub struct Line {
    /// When it was written, in milliseconds since 1970.
    pub time: i64,
    pub id: String,
    pub text: String,
}

// ANCHOR: lines
/// The lines that the function has written since `since`, in milliseconds since 1970, oldest first.
pub async fn lines(logs: &Client, function: &str, since: i64) -> Result<Vec<Line>> {
    let group = format!("/aws/lambda/{function}");
    let mut pages =
        logs.filter_log_events().log_group_name(group).start_time(since).into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => lines.extend(page.events.unwrap_or_default().into_iter().map(Line::from)),
            // The function has not run yet, or may not write.
            Err(error) if error.code() == Some("ResourceNotFoundException") => break,
            Err(error) => return Err(error.into()),
        }
    }
    lines.sort_by_key(|line| line.time);
    Ok(lines)
}
// ANCHOR_END: lines

impl From<FilteredLogEvent> for Line {
    fn from(event: FilteredLogEvent) -> Self {
        Self {
            time: event.timestamp.unwrap_or_default(),
            id: event.event_id.unwrap_or_default(),
            text: event.message.unwrap_or_default().trim_end().to_owned(),
        }
    }
}
