//! Errors as the reader sees them: what failed, its cause, and what to do next.

use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use std::{fmt, io, iter};

/// What every `main` returns.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Any failure of a program. `main` prints it when it returns one.
pub struct Error {
    cause: String,
    hint: Option<String>,
}

impl<E, R> From<SdkError<E, R>> for Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        let cause = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            _ => with_sources(&error),
        };
        let hint = match &error {
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                Some(unreachable())
            }
            _ => error
                .code()
                .and_then(|code| advice(code, error.message().unwrap_or_default())),
        };
        Self { cause, hint }
    }
}

/// An SDK error alone says "dispatch failure": the reason is in its sources.
fn with_sources(error: &dyn std::error::Error) -> String {
    let all: Vec<String> = iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect();
    all.join(": ")
}

/// No answer at all: is anything listening?
fn unreachable() -> String {
    match crate::connect::endpoint() {
        Some(endpoint) => format!(
            "no local cloud at {}: start it with `cargo run` in another terminal",
            endpoint.trim_start_matches("http://")
        ),
        None => "AWS can't be reached from here: check the network and the region".to_owned(),
    }
}

/// What to do about the errors that readers meet most.
fn advice(code: &str, message: &str) -> Option<String> {
    let advice = match code {
        "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => {
            "there is no such queue yet: `cargo run --bin create` makes the standard one, `cargo run --bin create -- fifo-queue` the FIFO one"
        }
        "AWS.SimpleQueueService.QueueDeletedRecently" | "QueueDeletedRecently" => {
            "wait 60 seconds; on the local cloud `cargo run -- clock +60s` does it at once"
        }
        "ResourceNotFoundException" if message.starts_with("Stream") => {
            "there is no such stream yet: `cargo run --bin create -- kinesis-stream` makes the lab's"
        }
        "ResourceNotFoundException" if message.starts_with("Function") => {
            "there is no such function yet: `cargo run --bin deploy -- sqs-function` uploads the lab's"
        }
        "InvalidArgumentException" if message.contains("StartingSequenceNumber") => {
            "the number is of another stream: delete the file it came from, and begin at the start"
        }
        "ProvisionedThroughputExceededException" => {
            "the shard is asked for more than it does in a second: do less at a time, see the page *Hot keys and more readers*"
        }
        "ExpiredIteratorException" => {
            "the program paused for more than five minutes: start it again"
        }
        "AccessDenied" | "AccessDeniedException" => {
            "your credentials may not do this: the page *Your environment* lists the permissions"
        }
        "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" => {
            "your AWS credentials are not valid now: sign in again, then repeat the command"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

impl From<String> for Error {
    fn from(cause: String) -> Self {
        Self { cause, hint: None }
    }
}

impl From<&str> for Error {
    fn from(cause: &str) -> Self {
        cause.to_owned().into()
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.to_string().into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        error.to_string().into()
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        with_sources(&error).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

/// `main` shows an error by its `Debug`: the same text as `Display`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
