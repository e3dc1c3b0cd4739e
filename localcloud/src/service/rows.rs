//! The services, a row each.

use super::{Call, Input, SQS_VERSION};
use crate::cloud::Cloud;
use crate::wire::error::ApiError;
use crate::wire::json::{Json, JSON_1_0, JSON_1_1};
use crate::wire::query::Query;
use crate::wire::rest::Rest;
use crate::wire::{Output, Protocol};
use crate::{kinesis, sqs, sts};
use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

/// One service.
pub struct Service {
    /// As it stands in the ARNs of its resources.
    pub name: &'static str,
    /// The protocols it speaks, each with what names the service in a request: what stands before the operation in
    /// `x-amz-target`, or the form's `Version`.
    pub protocols: &'static [(&'static str, Protocol)],
    /// The code and the HTTP status of the error by which it throttles an operation.
    pub throttle: fn(operation: &str) -> (&'static str, u16),
    pub call: for<'a> fn(&'a Cloud, &'a Call<'a>) -> Answering<'a>,
    /// Tells that a call was refused before it came to the service.
    pub note_refused: fn(&Cloud, &Call<'_>, &ApiError),
}

pub type Outcome = Result<Output, ApiError>;
type Answering<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

pub static SERVICES: [Service; 7] = [
    Service {
        name: "sqs",
        protocols: &[
            (
                "AmazonSQS",
                Protocol::Json(Json {
                    content_type: JSON_1_0,
                    namespace: Some("com.amazonaws.sqs"),
                    has_query_errors: true,
                }),
            ),
            (
                SQS_VERSION,
                Protocol::Query(Query {
                    namespace: Cow::Borrowed("http://queue.amazonaws.com/doc/2012-11-05/"),
                    shapes: Some(sqs::shapes::OPERATIONS),
                }),
            ),
        ],
        throttle: |_| ("RequestThrottled", 400),
        call: |cloud, call| {
            Box::pin(async move {
                let output = cloud.sqs.call(&call.operation, call.json(), &call.base);
                output.await.map(Output::document)
            })
        },
        note_refused: |cloud, call, error| {
            let error = error.clone();
            cloud.sqs.refused(&call.operation, call.json(), error);
        },
    },
    Service {
        name: "kinesis",
        protocols: &[
            ("Kinesis_20131202", Protocol::Json(Json::plain(JSON_1_1))),
            ("Kinesis_20131202", Protocol::Cbor),
        ],
        throttle: |operation| match operation {
            "GetRecords" | "GetShardIterator" | "PutRecord" | "PutRecords" => {
                ("ProvisionedThroughputExceededException", 400)
            }
            _ => ("LimitExceededException", 400),
        },
        call: |cloud, call| {
            Box::pin(async move {
                let answer = cloud.kinesis.call(&call.operation, call.json());
                Ok(match answer.await? {
                    kinesis::Answer::Json(json) => Output::document(json),
                    kinesis::Answer::Events(events) => Output::events(events),
                })
            })
        },
        note_refused: |_, _, _| {},
    },
    Service {
        name: "lambda",
        protocols: &[("", Protocol::Rest(Rest::Json))],
        throttle: |_| ("TooManyRequestsException", 429),
        call: |cloud, call| {
            Box::pin(async move {
                let Input::Rest(call, headers, body) = &call.input else {
                    return Err(ApiError::not_in_this_lab("lambda", &call.operation));
                };
                let answer = match call.is_for_mappings() {
                    true => cloud.mappings.call(call, body).await?,
                    false => cloud.lambda.call(call, headers, body).await?,
                };
                Ok(Output {
                    status: answer.status,
                    headers: answer.headers,
                    ..Output::document(answer.body)
                })
            })
        },
        note_refused: |_, _, _| {},
    },
    Service {
        name: "cloudformation",
        protocols: &[(
            "2010-05-15",
            Protocol::Query(Query::plain(
                "http://cloudformation.amazonaws.com/doc/2010-05-15/",
            )),
        )],
        throttle: |_| ("Throttling", 400),
        call: |cloud, call| {
            Box::pin(async move {
                let form = call.form();
                let result = cloud
                    .cloudformation
                    .call(&call.operation, &form, &call.base);
                result.await.map(Output::document)
            })
        },
        note_refused: |_, _, _| {},
    },
    Service {
        name: "iam",
        protocols: &[(
            "2010-05-08",
            Protocol::Query(Query::plain("https://iam.amazonaws.com/doc/2010-05-08/")),
        )],
        throttle: |_| ("Throttling", 400),
        call: |cloud, call| {
            Box::pin(async move {
                let result = cloud.iam.call(&call.operation, &call.form());
                result.map(Output::document)
            })
        },
        note_refused: |_, _, _| {},
    },
    Service {
        name: "logs",
        protocols: &[("Logs_20140328", Protocol::Json(Json::plain(JSON_1_1)))],
        throttle: |_| ("ThrottlingException", 400),
        call: |cloud, call| {
            Box::pin(async move {
                Ok(match cloud.logs.call(&call.operation, call.json())? {
                    serde_json::Value::Null => Output::none(),
                    output => Output::document(output.to_string()),
                })
            })
        },
        note_refused: |_, _, _| {},
    },
    Service {
        name: "sts",
        protocols: &[(
            "2011-06-15",
            Protocol::Query(Query::plain("https://sts.amazonaws.com/doc/2011-06-15/")),
        )],
        throttle: |_| ("Throttling", 400),
        call: |cloud, call| {
            Box::pin(async move {
                let identity = sts::call(&call.operation, &cloud.iam, call.access_key);
                identity.map(Output::document)
            })
        },
        note_refused: |_, _, _| {},
    },
];
