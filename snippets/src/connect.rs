//! Where the programs connect. The page *Your environment* shows this file whole.

use crate::println;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use std::{env, process};

// ANCHOR: connect
/// Where the local cloud listens.
pub const LOCAL: &str = "http://127.0.0.1:4566";

/// The local cloud, unless you say otherwise: `AWS_ENDPOINT_URL` names another endpoint, `LAB_TARGET=aws` is
/// your own account.
pub async fn connect() -> SdkConfig {
    let Some(endpoint) = endpoint() else {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let region = config.region().map_or("no region", Region::as_ref);
        println!("Connected to your AWS account, region {region}");
        return config;
    };
    println!("Connected to {endpoint}");
    let mut config = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region("us-east-1")
        .credentials_provider(Credentials::new("reader", "made-up", None, None, "lab"))
        .load()
        .await
        .into_builder();
    config.set_app_name(app_name());
    config.build()
}

/// Who calls, for the figures of the book: the program and its process, such as `receive-4711`.
fn app_name() -> Option<AppName> {
    let program = env::current_exe().ok()?;
    let name = program.file_stem()?.to_str()?;
    AppName::new(format!("{name}-{}", process::id())).ok()
}

/// The endpoint to use instead of AWS; none when it is to be AWS.
pub fn endpoint() -> Option<String> {
    match (env::var("AWS_ENDPOINT_URL"), env::var("LAB_TARGET")) {
        (Ok(endpoint), _) if !endpoint.is_empty() => Some(endpoint),
        (_, Ok(target)) if target == "aws" => None,
        _ => Some(LOCAL.to_owned()),
    }
}

/// `StandardQueue`, or `alice-StandardQueue` with `LAB_NAME=alice`: a class can share an account.
pub fn named(name: &str) -> String {
    match env::var("LAB_NAME") {
        Ok(learner) if !learner.is_empty() => format!("{learner}-{name}"),
        _ => name.to_owned(),
    }
}
// ANCHOR_END: connect
