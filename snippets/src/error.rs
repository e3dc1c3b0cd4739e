//! Errors as the reader sees them: what failed, its cause, and what to do next.

use crate::connect::{endpoint, named};
use crate::template::TEMPLATES;
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::get_queue_url::GetQueueUrlError;
use std::{fmt, io, iter};

/// The result of every `main`.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

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
            _ => match without_scheme() {
                Some(mistake) => return mistake.into(),
                None => with_sources(&error),
            },
        };
        let hint = match &error {
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                Some(unreachable())
            }
            _ => error.code().and_then(|code| advice(code, error.message().unwrap_or_default())),
        };
        Self { cause, hint }
    }
}

/// An SDK error alone says "dispatch failure": the reason is in its sources.
fn with_sources(error: &dyn std::error::Error) -> String {
    let all: Vec<String> =
        iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    all.join(": ")
}

/// No answer at all: is anything listening?
fn unreachable() -> String {
    match endpoint() {
        Some(endpoint) => format!(
            "no local cloud at {}: start it with `cargo run` in another terminal",
            endpoint.trim_start_matches("http://")
        ),
        None => "AWS can't be reached from here: check the network and the region".to_owned(),
    }
}

/// `AWS_ENDPOINT_URL=localhost:4566` is no URL: of that the SDK says in a screenful that it can't send.
fn without_scheme() -> Option<String> {
    let endpoint = endpoint().filter(|endpoint| !endpoint.contains("://"))?;
    Some(format!(
        "AWS_ENDPOINT_URL is {endpoint}: it begins with http://, such as http://{endpoint}"
    ))
}

/// Advice about the errors that readers meet most.
fn advice(code: &str, message: &str) -> Option<String> {
    let advice = match code {
        "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => {
            "the queue is gone, or was never there: `cargo run --bin create` makes the standard one, `cargo run --bin create -- fifo-queue` the FIFO one"
        }
        "AWS.SimpleQueueService.QueueDeletedRecently" | "QueueDeletedRecently" => {
            "wait 60 seconds; on the local cloud `cargo run -- clock +60s` does it at once"
        }
        "ValidationError" => return no_stack(message),
        "ResourceNotFoundException" => return no_stream(message).or_else(|| no_function(message)),
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

/// From `Stack with id SQSFunction does not exist`.
fn no_stack(message: &str) -> Option<String> {
    let name = message.strip_prefix("Stack with id ")?.strip_suffix(" does not exist")?;
    Some(missing("stack", name))
}

/// From `Stream KinesisStream under account 000000000000 not found.`
fn no_stream(message: &str) -> Option<String> {
    let (name, _) = message.strip_prefix("Stream ")?.split_once(' ')?;
    Some(missing("stream", name))
}

/// From `Function not found: arn:aws:lambda:us-east-1:000000000000:function:SQSFunction`.
fn no_function(message: &str) -> Option<String> {
    let name = message.strip_prefix("Function")?.rsplit(':').next()?;
    let hint = format!("there is no function {name} yet");
    let Some(template) = TEMPLATES.iter().find(|known| named(known.parameter.1) == name) else {
        return Some(hint);
    };
    // Its template and its program have the same name.
    Some(format!("{hint}: `cargo run --bin deploy -- {}` uploads it", template.name))
}

/// That a stack, a queue or a stream is not there, and which command makes it.
fn missing(kind: &str, name: &str) -> String {
    let is_made = |made: &str| named(made) == name;
    let template = TEMPLATES.iter().find(|known| match kind {
        "stack" => is_made(known.stack),
        _ => is_made(known.parameter.1),
    });
    let hint = format!("there is no {kind} {name} yet");
    match template.map(|template| template.name) {
        Some("standard-queue") => format!("{hint}: `cargo run --bin create` makes it"),
        Some(template) => format!("{hint}: `cargo run --bin create -- {template}` makes it"),
        None => hint,
    }
}

impl Error {
    /// For the queue of this name, which SQS leaves out of its error.
    pub(crate) fn of_queue(error: SdkError<GetQueueUrlError>, name: &str) -> Self {
        let is_missing =
            error.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist);
        let error = Self::from(error);
        if is_missing {
            Self { hint: Some(missing("queue", name)), ..error }
        } else {
            error
        }
    }
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
