//! Lambda: functions as processes on this machine that speak the real Runtime API.
//!
//! From the bottom: `names` and `config` say what a function is, `code` unpacks its zip, `invocation` is one job. A
//! `process` speaks through its `runtime_api` and writes its `function_log`; `state` knows the functions and who is warm;
//! an `environment` runs one process. `functions` and `invoke` are the operations, `mapping` the event source mappings,
//! `route` finds the operation of a request.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>.

mod code;
mod config;
mod environment;
mod error;
mod function_log;
mod functions;
mod invocation;
mod invoke;
pub mod mapping;
mod names;
mod process;
mod route;
mod runtime_api;
mod state;

pub use invocation::Invoked;
pub use route::{Answer, Call};
pub use state::Lambda;

use crate::wire::error::ApiError;
use bytes::Bytes;
use hyper::HeaderMap;
use names::Reference;

/// The operations there are.
pub const OPERATIONS: [&str; 11] = [
    "CreateFunction",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "GetFunction",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "Invoke",
    "ListFunctions",
    "PutFunctionConcurrency",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
];

/// The body of a call with a zip in it, and of any other.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const MAX_REQUEST: usize = 70_167_211;

impl Lambda {
    /// Answers one call of the REST API.
    ///
    /// # Errors
    ///
    /// AWS's own error, or that the operation is not in this lab.
    pub async fn call(
        &self,
        call: &Call<'_>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, ApiError> {
        let function = || {
            let qualifier = call.parameter("Qualifier");
            Reference::read(&call.subject, qualifier.as_deref())
        };
        let output = match &*call.operation {
            "CreateFunction" => self.create_function(body).await?,
            "ListFunctions" => self.list_functions(call)?,
            "GetFunction" => self.get_function(&function()?)?,
            "DeleteFunction" => self.delete_function(&function()?)?,
            "GetFunctionConfiguration" => self.get_function_configuration(&function()?)?,
            "UpdateFunctionConfiguration" => {
                self.update_function_configuration(function()?.unqualified()?, body)?
            }
            "UpdateFunctionCode" => {
                self.update_function_code(function()?.unqualified()?, body)
                    .await?
            }
            "PutFunctionConcurrency" => self.put_function_concurrency(&function()?, body)?,
            "GetFunctionConcurrency" => self.get_function_concurrency(&function()?)?,
            "DeleteFunctionConcurrency" => self.delete_function_concurrency(&function()?)?,
            "Invoke" => return self.invoke_as_asked(&function()?, headers, body).await,
            _ => return Err(ApiError::not_in_this_lab("lambda", &call.operation)),
        };
        Ok(Answer::json(call.status, &output))
    }
}

impl Call<'_> {
    /// Whether [`mapping`] answers it.
    pub fn is_for_mappings(&self) -> bool {
        mapping::OPERATIONS.contains(&&*self.operation)
    }
}

impl mapping::Functions for Lambda {
    fn find(&self, function: &str) -> Option<mapping::Function> {
        let reference = Reference::read(function, None).ok()?;
        let state = self.0.state();
        let config = &state.find(reference.unqualified().ok()?).ok()?.config;
        Some(mapping::Function {
            arn: reference.arn(),
            role: config.role.clone(),
            timeout: config.timeout,
        })
    }

    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> mapping::Invocation<'a> {
        Box::pin(self.invoke(function, payload))
    }
}
