//! The operations on functions, and how they are shown.
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>.

use super::code::Code;
use super::config::{check_tags, Config, Input, RUNTIME};
use super::error::{conflict, constraint, invalid, missing, service};
use super::names::{arn, Reference, VERSION};
use super::route::Call;
use super::state::{Function, Lambda, Shared, State};
use crate::account::REGION;
use crate::clock::Millis;
use crate::events::{self, Event};
use crate::wire::error::ApiError;
use crate::wire::query::timestamp;
use serde_json::{json, Value};
use std::sync::Arc;

const ACCOUNT_CONCURRENCY: u32 = 1000;
const MIN_UNRESERVED: u32 = 100;
// Differs from AWS: function-bounds: 100 functions and 2 GiB of code, unpacked (AWS: 75 GB in S3), 32 processes, 256 events in line.
const MAX_FUNCTIONS: usize = 100;
/// The version of the runtime; AWS names its own by a hash.
const RUNTIME_VERSION: &str = "d9e4e5f4e3f2b1c0a9f8e7d6c5b4a3928170f6e5d4c3b2a190817263544f3e2d";
/// A page of `ListFunctions`.
const PAGE: usize = 50;

impl Function {
    /// The same, with the version in its ARN that it was asked for with.
    fn show_as(&self, reference: &Reference, now: Millis) -> Value {
        let mut shown = self.show(now);
        shown["FunctionArn"] = json!(reference.arn());
        shown
    }

    /// As `GetFunctionConfiguration` shows it.
    fn show(&self, now: Millis) -> Value {
        let mut shown = self.show_settings();
        let version = format!("arn:aws:lambda:{REGION}::runtime:{RUNTIME_VERSION}");
        shown["RuntimeVersionConfig"] = json!({"RuntimeVersionArn": version});
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

    /// As `ListFunctions` shows it: without its state.
    fn show_settings(&self) -> Value {
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
        if let Some(variables) = &config.environment {
            shown["Environment"] = json!({"Variables": variables});
        }
        shown
    }
}

impl Lambda {
    pub(super) async fn create_function(&self, body: &[u8]) -> Result<Value, ApiError> {
        let shared = &self.0;
        let mut input = Input::parse(body)?;
        let Some(given) = input.function_name.take() else {
            return Err(missing("functionName"));
        };
        let name = Reference::new_name(&given)?;
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
            return Err(missing("role"));
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
            environment: None,
            json_logs: false,
            log_level: None,
            changed_at: now,
            revision: shared.uuid(),
        };
        input.apply(&mut config, &shared.iam)?;
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
        Ok(shown)
    }

    pub(super) fn get_function(&self, reference: &Reference) -> Result<Value, ApiError> {
        let state = self.0.state();
        let function = state.resolve(reference)?;
        // Differs from AWS: code-stays: `GetFunction` has no address to download the code from.
        let mut shown = json!({
            "Configuration": function.show_as(reference, self.0.clock.now()),
            "Code": {"RepositoryType": "S3"},
        });
        if !function.tags.is_empty() {
            shown["Tags"] = json!(function.tags);
        }
        if let Some(reserved) = function.reserved {
            shown["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
        }
        Ok(shown)
    }

    pub(super) fn get_function_configuration(
        &self,
        reference: &Reference,
    ) -> Result<Value, ApiError> {
        let state = self.0.state();
        Ok(state
            .resolve(reference)?
            .show_as(reference, self.0.clock.now()))
    }

    pub(super) fn list_functions(&self, call: &Call<'_>) -> Result<Value, ApiError> {
        let (marker, most) = (call.parameter("Marker"), call.parameter("MaxItems"));
        let (marker, most) = (marker.as_deref(), most.as_deref());
        if let Some(version) = call
            .parameter("FunctionVersion")
            .filter(|version| version != "ALL")
        {
            let rule = "Member must satisfy enum value set: [ALL]";
            return Err(constraint(&version, "functionVersion", rule));
        }
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
        let state = self.0.state();
        let mut names = state
            .functions
            .iter()
            .filter(|(name, _)| marker.is_none_or(|marker| name.as_str() > marker));
        let page: Vec<_> = names.by_ref().take(most).collect();
        let more = names.next().is_some();
        let last = page.last().map(|(name, _)| name.as_str());
        let mut shown = json!({
            "Functions": page.iter().map(|(_, function)| function.show_settings()).collect::<Vec<_>>(),
        });
        if more {
            shown["NextMarker"] = json!(last);
        }
        Ok(shown)
    }

    pub(super) async fn update_function_code(
        &self,
        name: &str,
        body: &[u8],
    ) -> Result<Value, ApiError> {
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
    ) -> Result<Value, ApiError> {
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
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
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
    ) -> Result<Value, ApiError> {
        self.check_change(name, input)?;
        let (now, revision) = (self.0.clock.now(), self.0.uuid());
        let mut config = Config::clone(&self.0.state().find(name)?.config);
        input.apply(&mut config, &self.0.iam)?;
        and(&mut config);
        config.changed_at = now;
        config.revision = revision;
        let mut state = self.0.state();
        let function = state.find_mut(name)?;
        if input.dry_run == Some(true) {
            return Ok(function.show(now));
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
        Ok(shown)
    }

    pub(super) fn delete_function(&self, reference: &Reference) -> Result<Value, ApiError> {
        let name = &reference.name;
        match reference.qualifier.as_deref() {
            None => {}
            Some(VERSION) => {
                return Err(invalid(
                    "$LATEST version cannot be deleted without deleting the function.",
                ))
            }
            Some(version)
                if version.starts_with('$')
                    || version.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                // A version that isn't there is as good as deleted.
                return self.0.state().find(name).map(|_| Value::Null);
            }
            Some(_) => return Err(invalid("Deletion of aliases is not currently supported.")),
        }
        let mut state = self.0.state();
        state.find(name)?;
        let deleted = state.functions.remove(name);
        self.0
            .feed
            .emit(|| Event::FunctionDeleted { function: name });
        drop(state);
        // Outside the lock: this may delete the code from the disk.
        drop(deleted);
        Ok(Value::Null)
    }

    pub(super) fn put_function_concurrency(
        &self,
        reference: &Reference,
        body: &[u8],
    ) -> Result<Value, ApiError> {
        let name = whole_function(reference)?;
        self.0.state().resolve(&reference.latest())?;
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
        if reserved.saturating_add(others) > ACCOUNT_CONCURRENCY - MIN_UNRESERVED {
            return Err(invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                 below its minimum value of [{MIN_UNRESERVED}]."
            )));
        }
        state.find_mut(name)?.reserved = Some(reserved);
        Ok(json!({"ReservedConcurrentExecutions": reserved}))
    }

    pub(super) fn get_function_concurrency(
        &self,
        reference: &Reference,
    ) -> Result<Value, ApiError> {
        let name = whole_function(reference)?;
        let state = self.0.state();
        let shown = match state.find(name)?.reserved {
            Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
            None => json!({}),
        };
        Ok(shown)
    }

    pub(super) fn delete_function_concurrency(
        &self,
        reference: &Reference,
    ) -> Result<Value, ApiError> {
        let name = whole_function(reference)?;
        self.0.state().find_mut(name)?.reserved = None;
        Ok(Value::Null)
    }

    /// The functions, for `/lab/status`.
    pub fn status(&self) -> Value {
        let now = self.0.clock.now();
        let state = self.0.state();
        let functions = state.functions.values().map(|function| {
            let events::Processes { running, warm } = function.processes();
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

impl State {
    fn check_new(&self, name: &str) -> Result<(), ApiError> {
        if self.functions.contains_key(name) {
            return Err(conflict(format!("Function already exist: {name}")));
        }
        match self.functions.len() < MAX_FUNCTIONS {
            true => Ok(()),
            false => Err(invalid(format!(
                "The local cloud keeps {MAX_FUNCTIONS} functions at a time."
            ))),
        }
    }
}

/// The function's name, where a version has no meaning.
fn whole_function(reference: &Reference) -> Result<&str, ApiError> {
    match reference.qualifier {
        None => Ok(&reference.name),
        Some(_) => Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
             Please specify either a function name or an unqualified function ARN.",
        )),
    }
}

async fn unpack(shared: &Arc<Shared>, zip: String) -> Result<Code, ApiError> {
    let shared = shared.clone();
    match tokio::task::spawn_blocking(move || shared.code.unpack(&zip)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(service("The local cloud stops.")),
    }
}
