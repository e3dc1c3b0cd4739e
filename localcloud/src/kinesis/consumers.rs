//! Consumers of enhanced fan-out as resources: registered, described, listed. What is pushed to them is `fan_out`'s.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html>.

use super::{api_error, invalid, text, Kinesis};
use crate::wire::error::ApiError;
use crate::ACCOUNT;
use ferrokinesis::actions::Operation;
use serde_json::{json, Value};

impl Kinesis {
    pub(super) async fn register_stream_consumer(
        &self,
        mut input: Value,
    ) -> Result<Value, ApiError> {
        let tags = input["Tags"].take();
        let arn = text(&input, "StreamARN");
        if self.stream(name_of(arn)).await?.stream_arn != arn {
            return Err(ApiError::sender(
                "ResourceNotFoundException",
                format!("Stream {arn} not found."),
            ));
        }
        let output = self
            .dispatch(Operation::RegisterStreamConsumer, input)
            .await?;
        if tags.is_object() {
            let arn = text(&output["Consumer"], "ConsumerARN");
            let tagged = json!({ "ResourceARN": arn, "Tags": tags });
            if let Err(error) = self.dispatch(Operation::TagResource, tagged).await {
                self.store().delete_consumer(arn).await.map_err(api_error)?;
                return Err(error);
            }
        }
        Ok(output)
    }

    pub(super) async fn describe_stream_consumer(&self, input: Value) -> Result<Value, ApiError> {
        let mut output = self
            .dispatch(Operation::DescribeStreamConsumer, input)
            .await?;
        let description = &mut output["ConsumerDescription"];
        let (stream, _) = of_consumer(text(description, "ConsumerARN")).unwrap_or_default();
        description["StreamARN"] = json!(stream);
        Ok(output)
    }

    pub(super) async fn list_stream_consumers(&self, input: &Value) -> Result<Value, ApiError> {
        let arn = text(input, "StreamARN");
        let name = name_of(arn);
        self.stream(name).await?;
        let after = match input["NextToken"].as_str() {
            None => None,
            Some(token) => match self.read_token(token)? {
                (of, last) if of == name => Some(last),
                _ => return Err(invalid("NextToken is of another stream.")),
            },
        };
        let mut consumers = self.store().list_consumers_for_stream(arn).await;
        consumers.sort_by(|a, b| a.consumer_arn.cmp(&b.consumer_arn));
        consumers.retain(|consumer| {
            after
                .as_ref()
                .is_none_or(|after| consumer.consumer_arn > *after)
        });
        let limit = input["MaxResults"].as_u64().unwrap_or(100) as usize;
        let more = consumers.len() > limit;
        consumers.truncate(limit);
        let mut output = json!({ "Consumers": consumers });
        if let Some(last) = consumers.last().filter(|_| more) {
            output["NextToken"] = self.token(name, &last.consumer_arn).into();
        }
        Ok(output)
    }

    /// Is there such a stream or consumer, to have tags?
    pub(super) async fn check_resource(&self, arn: &str) -> Result<(), ApiError> {
        if of_consumer(arn).is_none() {
            return self.stream(name_of(arn)).await.map(drop);
        }
        match self.store().get_consumer(arn).await {
            Some(_) => Ok(()),
            None => Err(no_consumer(arn)),
        }
    }
}

pub(super) fn no_consumer(arn: &str) -> ApiError {
    ApiError::sender(
        "ResourceNotFoundException",
        format!("Consumer {arn} under account {ACCOUNT} not found."),
    )
}

/// The stream's name in its ARN, or in that of its consumer.
pub(super) fn name_of(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or_default()
}

/// The consumer's name in its ARN.
pub(super) fn consumer_in(arn: &str) -> &str {
    let (_, rest) = of_consumer(arn).unwrap_or_default();
    rest.split(':').next().unwrap_or_default()
}

/// The ARN of the stream, and the rest of the ARN of its consumer.
fn of_consumer(arn: &str) -> Option<(&str, &str)> {
    arn.split_once("/consumer/")
}
