//! The first two pages: where the programs connect, and a stack.

use super::{done, missing, mistake, Clients, Verdict};
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use snippets::{endpoint, Result, LOCAL};
use std::env;

/// A second local cloud answers, or your own account.
pub async fn whoami(clients: &Clients) -> Result<Verdict> {
    let endpoint = endpoint();
    if endpoint.as_deref() == Some(LOCAL) {
        return mistake(
            format!("this asks the first local cloud, {LOCAL}"),
            "AWS_ENDPOINT_URL must stand before this command, too",
        );
    }
    let you = clients.sts.get_caller_identity().send().await?;
    let you = you.arn().unwrap_or_default();
    let place = endpoint.unwrap_or_else(|| "your AWS account".to_owned());
    done(format!("at {place} you are {you}"))
}

/// The queue of a learner with a name, alice unless `LAB_NAME` says otherwise, has a stack of its own.
pub async fn create(clients: &Clients) -> Result<Verdict> {
    let stack = format!("{}-SQSStandardQueue", learner());
    match status(clients, &stack).await? {
        Some(status) if status.ends_with("_COMPLETE") && !status.contains("ROLLBACK") => {
            done(format!("the stack {stack} is {status}"))
        }
        Some(status) => mistake(
            format!("the stack {stack} is {status}"),
            "created again within a minute after its deletion, or next to a queue of this name that no stack has made. \
             Its events say which",
        ),
        None if status(clients, "SQSStandardQueue").await?.is_some() => mistake(
            format!("there is a stack SQSStandardQueue, and no {stack}"),
            format!("LAB_NAME={} must stand before the command that creates it", learner()),
        ),
        None => missing(format!("there is no stack {stack}")),
    }
}

/// Whose things the exercises about a second learner are about.
pub fn learner() -> String {
    let name = env::var("LAB_NAME").ok().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "alice".to_owned())
}

/// The stack's status. None when there is no such stack.
async fn status(clients: &Clients, stack: &str) -> Result<Option<String>> {
    let described = match clients.cloudformation.describe_stacks().stack_name(stack).send().await {
        Err(error) if error.message().unwrap_or("").ends_with("does not exist") => return Ok(None),
        described => described?,
    };
    let stack = described.stacks().first();
    let status = stack.and_then(|stack| stack.stack_status());
    Ok(status.map(|status| status.as_str().to_owned()))
}
