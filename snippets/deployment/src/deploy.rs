//! Puts a function's code into Lambda.

use crate::code::{architecture, zipped};
use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use aws_sdk_lambda::Client;
use snippets::Result;
use std::time::Duration;
use tokio::time::sleep;

const A_MINUTE: Duration = Duration::from_secs(60);

// ANCHOR: deploy
/// Creates the function with this program as its code, or gives it the new code, and waits until it can run.
pub async fn deploy(lambda: &Client, name: &str, program: &str, role: &str) -> Result {
    deploy_with(lambda, name, zipped(program)?, role, &[]).await
}

/// As [`deploy`], with environment variables that the program sees.
pub async fn deploy_with(
    lambda: &Client,
    name: &str,
    zip: Blob,
    role: &str,
    variables: &[(&str, &str)],
) -> Result {
    let mut environment = Environment::builder();
    for (name, value) in variables {
        environment = environment.variables(*name, *value);
    }
    let creation = lambda
        .create_function()
        .function_name(name)
        .role(role)
        .runtime(Runtime::Providedal2023)
        .architectures(architecture())
        .handler("bootstrap")
        .environment(environment.build())
        .code(FunctionCode::builder().zip_file(zip.clone()).build());
    for _ in 0..15 {
        match creation.clone().send().await {
            Ok(_) => return until_active(lambda, name).await,
            Err(error) if error.code() == Some("ResourceConflictException") => {
                return update(lambda, name, zip, role).await;
            }
            // On AWS it takes some seconds until Lambda knows of a new role.
            Err(error) if error.message().unwrap_or("").contains("cannot be assumed") => {
                sleep(Duration::from_secs(2)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(format!("Lambda still can't assume {role}: does it trust lambda.amazonaws.com?").into())
}
// ANCHOR_END: deploy

/// Gives the function its new code, and the role: its stack may have been made anew.
async fn update(lambda: &Client, name: &str, zip: Blob, role: &str) -> Result {
    lambda.update_function_configuration().function_name(name).role(role).send().await?;
    until_updated(lambda, name).await?;
    lambda.update_function_code().function_name(name).zip_file(zip).send().await?;
    until_updated(lambda, name).await
}

async fn until_updated(lambda: &Client, name: &str) -> Result {
    let outcome = lambda.wait_until_function_updated_v2().function_name(name).wait(A_MINUTE).await;
    outcome.map(drop).map_err(|error| error.to_string().into())
}

async fn until_active(lambda: &Client, name: &str) -> Result {
    let outcome = lambda.wait_until_function_active_v2().function_name(name).wait(A_MINUTE).await;
    outcome.map(drop).map_err(|error| error.to_string().into())
}
