//! Functions: what is known of each, the operations on it, and the checks that AWS makes.
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.

use super::code::Code;
use super::environment::Job;
use super::journal::VERSION;
use super::{conflict, invalid, Answer, Lambda, Shared};
use crate::account::{self, ACCOUNT, REGION};
use crate::clock::Millis;
use crate::events::{Event, Processes};
use crate::wire::error::ApiError;
use crate::wire::query::timestamp;
use serde::Deserialize;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use tokio::sync::oneshot;

// Differs from AWS: one-runtime: functions run their own program, `provided.al2023`; the managed runtimes are not there.
const RUNTIME: &str = "provided.al2023";
// Differs from AWS: functions-soon: a function is created or changed within 300 ms.
const CHANGE_MS: Millis = 300;
// Differs from AWS: unreserved: a function without a reserved concurrency runs 10 at a time (AWS: what the account has left of 1,000).
const UNRESERVED: usize = 10;
const ACCOUNT_CONCURRENCY: u32 = 1000;
const LEAST_UNRESERVED: u32 = 100;
const MOST_FUNCTIONS: usize = 100;
const LARGEST_ENVIRONMENT: usize = 4 * 1024;
/// See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>.
const MOST_TAGS: usize = 50;
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;
/// A page of `ListFunctions`.
const PAGE: usize = 50;

/// What only Lambda may set. See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
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
    pub environment: BTreeMap<String, String>,
    pub json_logs: bool,
    /// `ApplicationLogLevel`, with JSON only.
    pub log_level: Option<String>,
    pub log_group: String,
    changed_at: Millis,
    revision: String,
}

pub struct Function {
    pub config: Arc<Config>,
    created_at: Millis,
    pub reserved: Option<u32>,
    tags: BTreeMap<String, String>,
    /// How many run.
    pub busy: Arc<AtomicUsize>,
    /// The warm processes, each with its number, the one used last at the end.
    pub idle: Vec<(u64, oneshot::Sender<Job>)>,
}

impl Function {
    pub fn concurrency(&self) -> usize {
        self.reserved
            .map_or(UNRESERVED, |reserved| reserved as usize)
    }

    pub fn processes(&self) -> Processes {
        Processes {
            running: self.busy.load(Ordering::Relaxed),
            warm: self.idle.len(),
        }
    }

    fn is_pending(&self, now: Millis) -> bool {
        now < self.created_at + CHANGE_MS
    }

    fn is_updating(&self, now: Millis) -> bool {
        now < self.config.changed_at + CHANGE_MS
    }

    /// As `GetFunctionConfiguration` shows it.
    fn show(&self, now: Millis) -> Value {
        let config = &self.config;
        let mut logging = json!({"LogFormat": config.log_format(), "LogGroup": config.log_group});
        if config.json_logs {
            logging["ApplicationLogLevel"] = json!(config.log_level.as_deref().unwrap_or("INFO"));
            logging["SystemLogLevel"] = json!("INFO");
        }
        let changed_at = timestamp(config.changed_at);
        let mut shown = json!({
            "FunctionName": config.name,
            "FunctionArn": arn(&config.name),
            "Runtime": RUNTIME,
            "Role": config.role,
            "Handler": config.handler,
            "CodeSize": config.code.size,
            "Description": config.description,
            "Timeout": config.timeout,
            "MemorySize": config.memory,
            "LastModified": format!("{}+0000", changed_at.trim_end_matches('Z')),
            "CodeSha256": config.code.sha256,
            "Version": VERSION,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": config.revision,
            "PackageType": "Zip",
            "Architectures": [config.architecture],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": logging,
        });
        if !config.environment.is_empty() {
            shown["Environment"] = json!({"Variables": config.environment});
        }
        if self.is_pending(now) {
            shown["State"] = json!("Pending");
            shown["StateReason"] = json!("The function is being created.");
            shown["StateReasonCode"] = json!("Creating");
        } else {
            shown["State"] = json!("Active");
            if self.is_updating(now) {
                shown["LastUpdateStatus"] = json!("InProgress");
                shown["LastUpdateStatusReason"] = json!("The function is being created.");
                shown["LastUpdateStatusReasonCode"] = json!("Creating");
            } else {
                shown["LastUpdateStatus"] = json!("Successful");
            }
        }
        shown
    }

    /// A function that is being made or changed takes no other change.
    fn check_free(&self, now: Millis) -> Result<(), ApiError> {
        self.check_active(now)?;
        match self.is_updating(now) {
            true => Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                arn(&self.config.name)
            ))),
            false => Ok(()),
        }
    }

    pub fn check_active(&self, now: Millis) -> Result<(), ApiError> {
        match self.is_pending(now) {
            true => Err(conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            )),
            false => Ok(()),
        }
    }
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
/// What creates or changes a function. What isn't said stays, or is the default.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    function_name: Option<String>,
    runtime: Option<String>,
    role: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    environment: Option<Environment>,
    logging_config: Option<LoggingConfig>,
    architectures: Option<Vec<String>>,
    tags: Option<BTreeMap<String, String>>,
    code: Option<CodeInput>,
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    image_uri: Option<String>,
    revision_id: Option<String>,
    dry_run: Option<bool>,
    publish: Option<bool>,
    package_type: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CodeInput {
    zip_file: Option<String>,
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
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map_err(|error| {
            ApiError::sender(
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {error}"),
            )
        })
    }

    /// Options that would change what the function does must not be passed over.
    fn check_left_out(&self) -> Result<(), ApiError> {
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
    fn apply(&self, config: &mut Config, shared: &Shared) -> Result<(), ApiError> {
        if let Some(runtime) = self
            .runtime
            .as_deref()
            .filter(|runtime| *runtime != RUNTIME)
        {
            return Err(invalid(format!(
                "The runtime {runtime} is not in this lab: a function is a program of its own, for {RUNTIME}."
            )));
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
            if !shared.iam.can_be_assumed(role, "lambda.amazonaws.com") {
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
            config.environment = variables.clone().unwrap_or_default();
            check_environment(&config.environment)?;
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
                return Err(constraint(
                    &format!("[{}]", others.join(", ")),
                    "architectures",
                    "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]], one of them",
                ))
            }
        }
        Ok(())
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
    if json!(variables).to_string().len() > LARGEST_ENVIRONMENT {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit.",
        ));
    }
    Ok(())
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > MOST_TAGS {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    for (key, value) in tags {
        if !(1..=LONGEST_TAG_KEY).contains(&key.chars().count()) {
            let rule = format!(
                "Map keys must satisfy constraint: [Member must have length less than or equal to {LONGEST_TAG_KEY}, \
                 Member must have length greater than or equal to 1]"
            );
            return Err(constraint(key, "tags", &rule));
        }
        if value.chars().count() > LONGEST_TAG_VALUE {
            let rule = format!(
                "Map value must satisfy constraint: [Member must have length less than or equal to {LONGEST_TAG_VALUE}]"
            );
            return Err(constraint(value, "tags", &rule));
        }
    }
    Ok(())
}

fn constraint(value: &str, name: &str, rule: &str) -> ApiError {
    ApiError::sender(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"
        ),
    )
}

/// `arn:aws:lambda:us-east-1:000000000000:function:name`
pub fn arn(name: &str) -> String {
    account::arn("lambda", format!("function:{name}"))
}

/// The name in a name, an ARN or part of one; with a version only the one there is.
pub fn name(function: &str) -> Result<&str, ApiError> {
    let parts: Vec<&str> = function.split(':').collect();
    let (name, version) = match parts[..] {
        [name] => (name, None),
        ["arn", "aws", "lambda", REGION, ACCOUNT, "function", name]
        | [ACCOUNT, "function", name]
        | ["function", name] => (name, None),
        ["arn", "aws", "lambda", REGION, ACCOUNT, "function", name, version]
        | [ACCOUNT, "function", name, version]
        | ["function", name, version]
        | [name, version] => (name, Some(version)),
        _ => return Err(super::not_found(function)),
    };
    if version.is_some_and(|version| version != VERSION) {
        return Err(super::not_found(&format!(
            "{}:{}",
            arn(name),
            version.unwrap_or_default()
        )));
    }
    Ok(name)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        true => Ok(()),
        false => Err(constraint(
            name,
            "functionName",
            "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+ and have length less than or equal to 64",
        )),
    }
}

impl Lambda {
    pub(super) async fn create_function(&self, body: &[u8]) -> Result<Answer, ApiError> {
        let shared = &self.0;
        let mut input = Input::parse(body)?;
        let given = input.function_name.take().unwrap_or_default();
        let name = name(&given)?.to_owned();
        check_name(&name)?;
        input.check_left_out()?;
        let tags = input.tags.take().unwrap_or_default();
        check_tags(&tags)?;
        let zip = input.code.take().and_then(|code| code.zip_file);
        let Some(zip) = zip else {
            return Err(invalid("Please provide the code as Code.ZipFile."));
        };
        if input.runtime.is_none() || input.handler.is_none() {
            return Err(invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        if input.role.is_none() {
            return Err(constraint("null", "role", "Member must not be null"));
        }
        shared.state().check_new(&name)?;
        let code = unpack(shared, zip).await?;
        let now = shared.clock.now();
        let mut config = Config {
            log_group: format!("/aws/lambda/{name}"),
            name: name.clone(),
            code: Arc::new(code),
            role: String::new(),
            handler: String::new(),
            description: String::new(),
            architecture: "x86_64".to_owned(),
            timeout: 3,
            memory: 128,
            environment: BTreeMap::new(),
            json_logs: false,
            log_level: None,
            changed_at: now,
            revision: shared.uuid(),
        };
        input.apply(&mut config, shared)?;
        let function = Function {
            config: Arc::new(config),
            created_at: now,
            reserved: None,
            tags,
            busy: Arc::default(),
            idle: Vec::new(),
        };
        let shown = function.show(now);
        let mut state = shared.state();
        state.check_new(&name)?;
        shared
            .feed
            .emit(|| Event::FunctionCreated { function: &name });
        state.functions.insert(name, function);
        Ok(Answer::json(201, &shown))
    }

    pub(super) fn get_function(&self, name: &str) -> Result<Answer, ApiError> {
        let state = self.0.state();
        let function = state.find(name)?;
        // Differs from AWS: code-stays: `GetFunction` has no address to download the code from.
        let mut shown = json!({
            "Configuration": function.show(self.0.clock.now()),
            "Code": {"RepositoryType": "S3"},
        });
        if !function.tags.is_empty() {
            shown["Tags"] = json!(function.tags);
        }
        if let Some(reserved) = function.reserved {
            shown["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
        }
        Ok(Answer::json(200, &shown))
    }

    pub(super) fn get_function_configuration(&self, name: &str) -> Result<Answer, ApiError> {
        let state = self.0.state();
        let shown = state.find(name)?.show(self.0.clock.now());
        Ok(Answer::json(200, &shown))
    }

    pub(super) fn list_functions(
        &self,
        marker: Option<&str>,
        most: Option<&str>,
    ) -> Result<Answer, ApiError> {
        let most = match most.map(str::parse::<usize>) {
            None => PAGE,
            Some(Ok(most @ 1..=10_000)) => most.min(PAGE),
            Some(_) => {
                return Err(constraint(
                    most.unwrap_or_default(),
                    "maxItems",
                    "Member must be between 1 and 10000",
                ))
            }
        };
        let now = self.0.clock.now();
        let state = self.0.state();
        let mut names = state
            .functions
            .iter()
            .filter(|(name, _)| marker.is_none_or(|marker| name.as_str() > marker));
        let page: Vec<_> = names.by_ref().take(most).collect();
        let more = names.next().is_some();
        let last = page.last().map(|(name, _)| name.as_str());
        let mut shown = json!({
            "Functions": page.iter().map(|(_, function)| function.show(now)).collect::<Vec<_>>(),
        });
        if more {
            shown["NextMarker"] = json!(last);
        }
        Ok(Answer::json(200, &shown))
    }

    pub(super) async fn update_function_code(
        &self,
        name: &str,
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let mut input = Input::parse(body)?;
        input.check_left_out()?;
        self.check_change(name, &input)?;
        let Some(zip) = input.zip_file.take() else {
            return Err(invalid("Please provide the code as ZipFile."));
        };
        let code = Arc::new(unpack(&self.0, zip).await?);
        self.change(name, &input, |config| config.code = code)
    }

    pub(super) fn update_function_configuration(
        &self,
        name: &str,
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let input = Input::parse(body)?;
        input.check_left_out()?;
        self.change(name, &input, |_| {})
    }

    fn check_change(&self, name: &str, input: &Input) -> Result<(), ApiError> {
        let state = self.0.state();
        let function = state.find(name)?;
        let revision = input.revision_id.as_ref();
        if revision.is_some_and(|revision| *revision != function.config.revision) {
            return Err(ApiError::sender(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction API to retrieve the latest Revision Id",
            )
            .with_status(412));
        }
        function.check_free(self.0.clock.now())
    }

    /// Makes a new configuration of the one there is. Processes that are idle end, those that work end after it.
    fn change(
        &self,
        name: &str,
        input: &Input,
        and: impl FnOnce(&mut Config),
    ) -> Result<Answer, ApiError> {
        self.check_change(name, input)?;
        let (now, revision) = (self.0.clock.now(), self.0.uuid());
        let mut config = Config::clone(&self.0.state().find(name)?.config);
        input.apply(&mut config, &self.0)?;
        and(&mut config);
        config.changed_at = now;
        config.revision = revision;
        let mut state = self.0.state();
        let function = state.find_mut(name)?;
        if input.dry_run == Some(true) {
            return Ok(Answer::json(200, &function.show(now)));
        }
        let old = std::mem::replace(&mut function.config, Arc::new(config));
        if !function.idle.is_empty() {
            function.idle.clear();
            self.0.tell_cooled(function);
        }
        let shown = function.show(now);
        drop(state);
        // Outside the lock: this may delete the code from the disk.
        drop(old);
        Ok(Answer::json(200, &shown))
    }

    pub(super) fn delete_function(&self, name: &str) -> Result<Answer, ApiError> {
        let mut state = self.0.state();
        state.find(name)?;
        let deleted = state.functions.remove(name);
        self.0
            .feed
            .emit(|| Event::FunctionDeleted { function: name });
        drop(state);
        // Outside the lock: this may delete the code from the disk.
        drop(deleted);
        Ok(Answer::empty(204))
    }

    pub(super) fn put_function_concurrency(
        &self,
        name: &str,
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let input: Value = serde_json::from_slice(body).unwrap_or_default();
        let given = &input["ReservedConcurrentExecutions"];
        let Some(reserved) = given.as_u64().and_then(|number| u32::try_from(number).ok()) else {
            return Err(constraint(
                &given.to_string(),
                "reservedConcurrentExecutions",
                "Member must have value greater than or equal to 0",
            ));
        };
        let mut state = self.0.state();
        state.find(name)?;
        let others = state.functions.iter().filter(|(other, _)| *other != name);
        let others: u32 = others.filter_map(|(_, function)| function.reserved).sum();
        if reserved.saturating_add(others) > ACCOUNT_CONCURRENCY - LEAST_UNRESERVED {
            return Err(invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                 below its minimum value of [{LEAST_UNRESERVED}]."
            )));
        }
        state.find_mut(name)?.reserved = Some(reserved);
        Ok(Answer::json(
            200,
            &json!({"ReservedConcurrentExecutions": reserved}),
        ))
    }

    pub(super) fn get_function_concurrency(&self, name: &str) -> Result<Answer, ApiError> {
        let state = self.0.state();
        let shown = match state.find(name)?.reserved {
            Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
            None => json!({}),
        };
        Ok(Answer::json(200, &shown))
    }

    pub(super) fn delete_function_concurrency(&self, name: &str) -> Result<Answer, ApiError> {
        self.0.state().find_mut(name)?.reserved = None;
        Ok(Answer::empty(204))
    }

    /// What `/lab/status` says of each.
    pub fn status(&self) -> Value {
        let now = self.0.clock.now();
        let state = self.0.state();
        let functions = state.functions.values().map(|function| {
            let Processes { running, warm } = function.processes();
            json!({
                "name": function.config.name,
                "state": if function.is_pending(now) { "Pending" } else { "Active" },
                "running": running,
                "warm": warm,
            })
        });
        functions.collect()
    }
}

impl super::State {
    fn check_new(&self, name: &str) -> Result<(), ApiError> {
        if self.functions.contains_key(name) {
            return Err(conflict(format!("Function already exist: {name}")));
        }
        match self.functions.len() < MOST_FUNCTIONS {
            true => Ok(()),
            false => Err(invalid(format!(
                "The local cloud keeps {MOST_FUNCTIONS} functions at a time."
            ))),
        }
    }
}

async fn unpack(shared: &Arc<Shared>, zip: String) -> Result<Code, ApiError> {
    let shared = shared.clone();
    match tokio::task::spawn_blocking(move || shared.code.unpack(&zip)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(super::service("The local cloud stops.")),
    }
}
