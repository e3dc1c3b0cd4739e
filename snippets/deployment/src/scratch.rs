//! A function for one experiment.

use crate::code::zipped;
use crate::deploy::{deploy, deploy_with};
use crate::{allow, create_stack, delete_stack, lines, output, Line};
use aws_config::SdkConfig;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_lambda as lambda;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use snippets::{scratch_name, Error, Result, TEMPLATES};

/// A function for one experiment, such as `experiment-half-a-batch-KXWQBA`, and its stack of the same name. The
/// experiment deletes it at its end.
pub struct Scratch {
    pub name: String,
    cfn: cloudformation::Client,
    lambda: lambda::Client,
    logs: logs::Client,
}

impl Scratch {
    /// A function that runs `program` and sees `variables`. Lambda may read every queue or stream in its name, as the
    /// template says: `sqs-function` or `kinesis-function`.
    pub async fn create(
        config: &SdkConfig,
        experiment: &str,
        template: &str,
        program: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let scratch = Self::powerless(config, experiment, template, program, variables).await?;
        scratch.allow("everything", "any").await?;
        Ok(scratch)
    }

    /// Lets Lambda read `everything`, or `one` queue or stream, in the function's name.
    pub async fn allow(&self, may_read: &str, source: &str) -> Result {
        allow(&self.cfn, &self.name, may_read, source).await
    }

    /// As [`Scratch::create`], but Lambda may read nothing in its name.
    pub async fn powerless(
        config: &SdkConfig,
        experiment: &str,
        template: &str,
        program: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let zip = zipped(program)?;
        let scratch = Self {
            name: scratch_name(experiment),
            cfn: cloudformation::Client::new(config),
            lambda: lambda::Client::new(config),
            logs: logs::Client::new(config),
        };
        let template = TEMPLATES.iter().find(|known| known.name == template);
        let body = template.map_or("", |template| template.body);
        create_stack(&scratch.cfn, &scratch.name, body).await?;
        let role = output(&scratch.cfn, &scratch.name, "RoleARN").await?;
        deploy_with(&scratch.lambda, &scratch.name, zip, &role, variables).await?;
        Ok(scratch)
    }

    /// Gives the function another program as its code.
    pub async fn redeploy(&self, program: &str) -> Result {
        let role = output(&self.cfn, &self.name, "RoleARN").await?;
        deploy(&self.lambda, &self.name, program, &role).await
    }

    /// The lines that the function has written so far, without what Lambda itself writes.
    pub async fn written(&self) -> Result<Vec<String>> {
        let lines = self.lines().await?;
        Ok(lines.into_iter().map(|line| line.text).collect())
    }

    /// The same, with the time of each line.
    pub async fn lines(&self) -> Result<Vec<Line>> {
        let mut lines = lines(&self.logs, &self.name, 0).await?;
        lines.retain(|line| !is_lambdas(&line.text));
        Ok(lines)
    }

    /// Deletes the function and its stack. Its trigger goes first, see [`crate::delete_trigger`].
    pub async fn delete(self) -> Result {
        match self.lambda.delete_function().function_name(&self.name).send().await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => {}
            deletion => deletion.map(drop).map_err(Error::from)?,
        }
        delete_stack(&self.cfn, &self.name).await
    }
}

/// Lambda's own lines of a text log.
pub fn is_lambdas(line: &str) -> bool {
    ["START ", "END ", "REPORT ", "INIT_START "].iter().any(|begin| line.starts_with(begin))
}
