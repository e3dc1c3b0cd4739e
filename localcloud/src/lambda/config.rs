//! A function's settings, and the limits that AWS sets them.
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>.

use super::code::Code;
use super::error::{constraint, invalid};
use crate::clock::Millis;
use crate::iam::Iam;
use crate::wire::error::ApiError;
use serde::Deserialize;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

// Differs from AWS: one-runtime: functions run their own program, `provided.al2023`; the managed runtimes are not there.
pub const RUNTIME: &str = "provided.al2023";
/// The other runtimes that AWS offers, as its errors list them.
const MANAGED_RUNTIMES: [&str; 24] = [
    "nodejs20.x",
    "python3.14",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];
const MAX_ENVIRONMENT: usize = 4 * 1024;
/// See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>.
const MAX_TAGS: usize = 50;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;

/// Variables that only Lambda may set. See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const RESERVED: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

/// All that a process of the function depends on. A change makes a new one, and new processes.
#[derive(Clone)]
pub struct Config {
    pub name: String,
    pub code: Arc<Code>,
    pub role: String,
    pub handler: String,
    pub description: String,
    pub architecture: String,
    /// In seconds.
    pub timeout: u32,
    /// In MB.
    pub memory: u32,
    /// None when it was never given.
    pub environment: Option<BTreeMap<String, String>>,
    pub json_logs: bool,
    /// `ApplicationLogLevel`, with JSON only.
    pub log_level: Option<String>,
    pub log_group: String,
    pub changed_at: Millis,
    pub revision: String,
}

impl Config {
    pub fn log_format(&self) -> &'static str {
        match self.json_logs {
            true => "JSON",
            false => "Text",
        }
    }
}

// Differs from AWS: function-options: layers, VPCs, file systems, images, tracing, SnapStart and dead-letter queues of functions are refused.
/// The settings in a request that creates or changes a function. Those left out stay, or are the defaults.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    pub function_name: Option<String>,
    pub runtime: Option<String>,
    pub role: Option<String>,
    pub handler: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    environment: Option<Environment>,
    logging_config: Option<LoggingConfig>,
    architectures: Option<Vec<String>>,
    pub tags: Option<BTreeMap<String, String>>,
    pub code: Option<CodeInput>,
    pub zip_file: Option<String>,
    s3_bucket: Option<String>,
    image_uri: Option<String>,
    pub revision_id: Option<String>,
    pub dry_run: Option<bool>,
    publish: Option<bool>,
    package_type: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CodeInput {
    pub zip_file: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Environment {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LoggingConfig {
    log_format: Option<String>,
    log_group: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
}

impl Input {
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map_err(|error| {
            ApiError::sender(
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {error}"),
            )
        })
    }

    /// Options that would change what the function does must not be passed over.
    pub fn check_left_out(&self) -> Result<(), ApiError> {
        let harmless = |value: &Value| match value {
            Value::Null => true,
            Value::Bool(set) => !set,
            Value::String(text) => text.is_empty(),
            Value::Array(all) => all.is_empty(),
            Value::Object(fields) => fields.iter().all(|(name, value)| match name.as_str() {
                "Mode" => value == "PassThrough",
                "ApplyOn" => value == "None",
                "Size" => value == 512,
                _ => value.as_array().is_some_and(Vec::is_empty) || value.is_null(),
            }),
            Value::Number(_) => false,
        };
        let others = self.others.iter().find(|(_, value)| !harmless(value));
        let s3 = self.s3_bucket.as_ref().or(self.image_uri.as_ref());
        let image = self
            .package_type
            .as_deref()
            .is_some_and(|kind| kind != "Zip");
        let left_out = match others {
            Some((name, _)) => name,
            None if self.publish == Some(true) => "Publish",
            None if s3.is_some() => "Code from S3 or from an image",
            None if image => "PackageType Image",
            None => return Ok(()),
        };
        Err(invalid(format!("{left_out} is not in this lab.")))
    }

    /// Takes over what concerns the configuration, checked.
    pub fn apply(&self, config: &mut Config, iam: &Iam) -> Result<(), ApiError> {
        if let Some(runtime) = self
            .runtime
            .as_deref()
            .filter(|runtime| *runtime != RUNTIME)
        {
            return Err(refused_runtime(runtime));
        }
        if let Some(role) = &self.role {
            let is_role = role
                .strip_prefix("arn:aws:iam::")
                .and_then(|rest| rest.split_once(":role/"))
                .is_some_and(|(account, name)| account.len() == 12 && !name.is_empty());
            if !is_role {
                return Err(constraint(
                    role,
                    "role",
                    r"Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
                ));
            }
            if !iam.can_be_assumed(role, "lambda.amazonaws.com") {
                return Err(invalid(
                    "The role defined for the function cannot be assumed by Lambda.",
                ));
            }
            config.role.clone_from(role);
        }
        if let Some(handler) = &self.handler {
            if handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) {
                return Err(constraint(
                    handler,
                    "handler",
                    "Member must satisfy regular expression pattern: [^\\s]+ and have length less than or equal to 128",
                ));
            }
            config.handler.clone_from(handler);
        }
        if let Some(description) = &self.description {
            if description.chars().count() > 256 {
                return Err(constraint(
                    description,
                    "description",
                    "Member must have length less than or equal to 256",
                ));
            }
            config.description.clone_from(description);
        }
        config.timeout = within(self.timeout, config.timeout, 1, 900, "timeout")?;
        config.memory = within(self.memory_size, config.memory, 128, 10_240, "memorySize")?;
        if let Some(Environment { variables }) = &self.environment {
            let variables = variables.clone().unwrap_or_default();
            check_environment(&variables)?;
            config.environment = Some(variables);
        }
        if let Some(logging) = &self.logging_config {
            logging.apply(config)?;
        }
        match self.architectures.as_deref() {
            None => {}
            Some([architecture]) if ["x86_64", "arm64"].contains(&architecture.as_str()) => {
                config.architecture.clone_from(architecture);
            }
            Some(others) => {
                let rule = match others {
                    [_, _, ..] => "Member must have length less than or equal to 1",
                    [] => "Member must have length greater than or equal to 1",
                    _ => "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], \
                          Member must not be null]",
                };
                let given = format!("[{}]", others.join(", "));
                return Err(constraint(&given, "architectures", rule));
            }
        }
        Ok(())
    }
}

/// AWS's error for a runtime that it doesn't know, or that this lab leaves out.
fn refused_runtime(runtime: &str) -> ApiError {
    match MANAGED_RUNTIMES.contains(&runtime) {
        true => invalid(format!(
            "The runtime {runtime} is not in this lab: a function is a program of its own, for {RUNTIME}."
        )),
        false => invalid(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
             [{RUNTIME}, {}] or be a valid ARN",
            MANAGED_RUNTIMES.join(", ")
        )),
    }
}

impl LoggingConfig {
    fn apply(&self, config: &mut Config) -> Result<(), ApiError> {
        match self.log_format.as_deref() {
            None => {}
            Some("JSON") => config.json_logs = true,
            Some("Text") => {
                config.json_logs = false;
                config.log_level = None;
            }
            Some(other) => {
                return Err(constraint(
                    other,
                    "loggingConfig.logFormat",
                    "Member must satisfy enum value set: [JSON, Text]",
                ))
            }
        }
        if let Some(group) = &self.log_group {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_/.#".contains(c);
            if group.is_empty() || group.len() > 512 || !group.chars().all(fits) {
                return Err(constraint(
                    group,
                    "loggingConfig.logGroup",
                    r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
                ));
            }
            config.log_group.clone_from(group);
        }
        let levels = [&self.application_log_level, &self.system_log_level];
        if !config.json_logs && levels.iter().any(|level| level.is_some()) {
            return Err(invalid("To set log levels, the log format must be JSON."));
        }
        if let Some(level) = &self.application_log_level {
            const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
            if !LEVELS.contains(&level.as_str()) {
                return Err(constraint(
                    level,
                    "loggingConfig.applicationLogLevel",
                    "Member must satisfy enum value set: [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]",
                ));
            }
            config.log_level = Some(level.clone());
        }
        match self.system_log_level.as_deref() {
            None | Some("INFO") => Ok(()),
            Some(level) => Err(invalid(format!(
                "The system log level {level} is not in this lab: leave it at INFO."
            ))),
        }
    }
}

fn within(
    value: Option<i64>,
    now: u32,
    least: u32,
    most: u32,
    name: &str,
) -> Result<u32, ApiError> {
    let Some(value) = value else { return Ok(now) };
    match u32::try_from(value) {
        Ok(fits) if (least..=most).contains(&fits) => Ok(fits),
        _ if value < least.into() => Err(constraint(
            &value.to_string(),
            name,
            &format!("Member must have value greater than or equal to {least}"),
        )),
        _ => Err(constraint(
            &value.to_string(),
            name,
            &format!("Member must have value less than or equal to {most}"),
        )),
    }
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), ApiError> {
    for (name, value) in variables {
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() > 1
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED.contains(&name.as_str()) {
            return Err(invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have \
                 provided contains reserved keys that are currently not supported for modification. Reserved keys used \
                 in this request: {name}"
            )));
        }
        if !fits || value.contains('\0') {
            return Err(constraint(
                name,
                "environment.variables",
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
            ));
        }
    }
    let measured = json!(variables).to_string();
    if measured.len() > MAX_ENVIRONMENT {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

pub fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > MAX_TAGS {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    for (key, value) in tags {
        if !(1..=MAX_TAG_KEY).contains(&key.chars().count()) {
            let rule = format!(
                "Map keys must satisfy constraint: [Member must have length less than or equal to {MAX_TAG_KEY}, \
                 Member must have length greater than or equal to 1]"
            );
            return Err(constraint(key, "tags", &rule));
        }
        if value.chars().count() > MAX_TAG_VALUE {
            let rule = format!(
                "Map value must satisfy constraint: [Member must have length less than or equal to {MAX_TAG_VALUE}]"
            );
            return Err(constraint(value, "tags", &rule));
        }
    }
    Ok(())
}
