//! What a stream can be told besides its shards: tags, policies, retention, encryption, metrics, mode, record size.
//! See <https://docs.aws.amazon.com/streams/latest/dev/working-with-streams.html>.

use super::consumers::stream_in;
use super::input::{of_wrong_type, Input, ANY, MODES};
use super::stream::{Change, Status};
use super::{in_use, invalid, no_stream, not_found, Entry, Kinesis, HOUR, RECORD_SIZES};
use crate::account::{self, ACCOUNT};
use crate::wire::error::ApiError;
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// Of one resource.
const MAX_TAGS: usize = 50;
const MAX_TAG_KEYS: usize = 50;
const RETENTION_HOURS: std::ops::RangeInclusive<u32> = 1..=crate::quotas::KINESIS_RETENTION_MAX;
const SHORTEST_RETENTION_HOURS: u32 = 24;
const METRICS: [&str; 8] = [
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
    "ALL",
];

/// A stream or a consumer, as far as they have the same.
pub(super) struct Resource<'a> {
    pub tags: &'a mut BTreeMap<String, String>,
    pub policy: &'a mut Option<String>,
}

impl Kinesis {
    pub(super) fn add_tags_to_stream(&self, input: &Input) -> Result<Value, ApiError> {
        let tags = input.need("Tags", input.tags("Tags")?)?;
        self.with(input.need_stream()?, |entry, _| add(&mut entry.tags, tags))
    }

    pub(super) fn remove_tags_from_stream(&self, input: &Input) -> Result<Value, ApiError> {
        let keys = input.need("TagKeys", input.texts("TagKeys", MAX_TAG_KEYS)?)?;
        self.with(input.need_stream()?, |entry, _| {
            entry.tags.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(Value::Null)
        })
    }

    pub(super) fn list_tags_for_stream(&self, input: &Input) -> Result<Value, ApiError> {
        let limit = input.number("Limit", 1..=50)?.unwrap_or(50) as usize;
        let after = input.words("ExclusiveStartTagKey", &ANY)?;
        self.with(input.need_stream()?, |entry, _| {
            let mut rest = entry.tags.clone();
            rest.retain(|key, _| after.is_none_or(|after| key.as_str() > after));
            let has_more = rest.len() > limit;
            Ok(json!({ "Tags": listed(rest.iter().take(limit)), "HasMoreTags": has_more }))
        })
    }

    pub(super) fn tag_resource(&self, input: &Input) -> Result<Value, ApiError> {
        let tags = input.need("Tags", input.tags("Tags")?)?;
        self.with_resource(input, |resource| add(resource.tags, tags))
    }

    pub(super) fn untag_resource(&self, input: &Input) -> Result<Value, ApiError> {
        let keys = input.need("TagKeys", input.texts("TagKeys", MAX_TAG_KEYS)?)?;
        self.with_resource(input, |resource| {
            resource.tags.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(Value::Null)
        })
    }

    pub(super) fn list_tags_for_resource(&self, input: &Input) -> Result<Value, ApiError> {
        self.with_resource(input, |resource| {
            Ok(json!({ "Tags": listed(resource.tags.iter()) }))
        })
    }

    // Differs from AWS: stream-settings: policies, encryption and metrics are kept and shown, and have no effect.
    pub(super) fn put_resource_policy(&self, input: &Input) -> Result<Value, ApiError> {
        let policy = input.need("Policy", input.words("Policy", &ANY)?)?;
        if !serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy.is_object()) {
            return Err(invalid("Policy must be a valid JSON document."));
        }
        self.with_resource(input, |resource| {
            *resource.policy = Some(policy.to_owned());
            Ok(Value::Null)
        })
    }

    pub(super) fn get_resource_policy(&self, input: &Input) -> Result<Value, ApiError> {
        self.with_resource(input, |resource| {
            Ok(json!({ "Policy": resource.policy.as_deref().unwrap_or("{}") }))
        })
    }

    pub(super) fn delete_resource_policy(&self, input: &Input) -> Result<Value, ApiError> {
        let arn = input.need_arn("ResourceARN")?;
        self.with_resource(input, |resource| match resource.policy.take() {
            Some(_) => Ok(Value::Null),
            None => Err(not_found(format!("No resource policy found for {arn}."))),
        })
    }

    fn with_resource<T>(
        &self,
        input: &Input,
        work: impl FnOnce(Resource) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let arn = input.need_arn("ResourceARN")?;
        let name = stream_in(arn).unwrap_or_default();
        self.with(name, |entry, _| {
            if arn == entry.arn {
                return work(Resource {
                    tags: &mut entry.tags,
                    policy: &mut entry.policy,
                });
            }
            match entry.consumer_of(arn) {
                Some(consumer) => work(consumer.resource()),
                None if arn.contains("/consumer/") => Err(super::consumers::no_consumer(arn)),
                None => Err(no_stream(name)),
            }
        })
    }

    pub(super) fn set_retention(&self, input: &Input, longer: bool) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        let hours = input.number("RetentionPeriodHours", RETENTION_HOURS)?;
        let hours = input.need("RetentionPeriodHours", hours)?;
        if hours < SHORTEST_RETENTION_HOURS {
            return Err(invalid(format!(
                "Minimum allowed retention period is {SHORTEST_RETENTION_HOURS} hours. Requested retention period \
                 ({hours} hours) is too short."
            )));
        }
        self.with(name, |entry, now| {
            let (old, new) = (entry.log.retention, u64::from(hours) * HOUR);
            let wrong = match longer {
                true if new < old => Some(("shorter", "Decrease")),
                false if new > old => Some(("longer", "Increase")),
                _ => None,
            };
            if let Some((what, other)) = wrong {
                return Err(invalid(format!(
                    "Requested retention period ({hours} hours) for stream {name} can not be {what} than existing retention \
                     period ({} hours). Use {other}RetentionPeriod API.",
                    old / HOUR
                )));
            }
            entry.check_active()?;
            // What the old period no longer keeps is gone, however long the new one is.
            entry.log.forget(now);
            entry.log.retention = new;
            entry.planned.send_replace(());
            Ok(Value::Null)
        })
    }

    pub(super) fn set_encryption(&self, input: &Input, is_on: bool) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        input.need("EncryptionType", input.one_of("EncryptionType", &["KMS"])?)?;
        let key = input.need("KeyId", input.words("KeyId", &ANY)?)?;
        self.with(name, |entry, now| {
            if !is_on && entry.key.is_none() {
                return Err(invalid(format!(
                    "Stream {name} under account {ACCOUNT} is not encrypted with KMS."
                )));
            }
            entry.begin(now, Change::Other)?;
            entry.key = is_on.then(|| key.to_owned());
            Ok(Value::Null)
        })
    }

    pub(super) fn set_metrics(&self, input: &Input, is_on: bool) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        let asked = input.need("ShardLevelMetrics", input.texts("ShardLevelMetrics", 7)?)?;
        let known = |metric: &&str| METRICS.iter().find(|known| *known == metric).copied();
        let mut asked: Vec<_> =
            asked
                .iter()
                .map(known)
                .collect::<Option<_>>()
                .ok_or_else(|| {
                    of_wrong_type(format!(
                        "ShardLevelMetrics are of [{}].",
                        METRICS.join(", ")
                    ))
                })?;
        if asked.contains(&"ALL") {
            asked = METRICS[..METRICS.len() - 1].to_vec();
        }
        self.with(name, |entry, _| {
            entry.check_active()?;
            let before = entry.metrics.clone();
            match is_on {
                true => entry.metrics.extend(asked),
                false => entry.metrics.retain(|metric| !asked.contains(metric)),
            }
            Ok(json!({
                "StreamName": name,
                "StreamARN": entry.arn,
                "CurrentShardLevelMetrics": before,
                "DesiredShardLevelMetrics": entry.metrics,
            }))
        })
    }

    pub(super) fn update_stream_mode(&self, input: &Input) -> Result<Value, ApiError> {
        let details = input.need("StreamModeDetails", input.inside("StreamModeDetails")?)?;
        let mode = details.need("StreamMode", details.one_of("StreamMode", &MODES)?)?;
        let arn = input.need_arn("StreamARN")?;
        self.with(stream_in(arn).unwrap_or_default(), |entry, now| {
            entry.begin(now, Change::Other)?;
            entry.is_on_demand = mode == "ON_DEMAND";
            Ok(Value::Null)
        })
    }

    pub(super) fn update_max_record_size(&self, input: &Input) -> Result<Value, ApiError> {
        let size = input.number("MaxRecordSizeInKiB", RECORD_SIZES)?;
        let size = input.need("MaxRecordSizeInKiB", size)?;
        let arn = input.need_arn("StreamARN")?;
        self.with(stream_in(arn).unwrap_or_default(), |entry, now| {
            entry.begin(now, Change::Other)?;
            entry.largest_record = size;
            Ok(Value::Null)
        })
    }
}

impl Entry {
    fn check_active(&self) -> Result<(), ApiError> {
        match self.log.status() {
            Status::Active => Ok(()),
            status => Err(in_use(format!(
                "Stream {} under account {ACCOUNT} not ACTIVE, instead in state {}",
                self.name,
                status.name()
            ))),
        }
    }
}

/// The ARN of a stream.
pub(super) fn arn(name: &str) -> String {
    account::arn("kinesis", format_args!("stream/{name}"))
}

/// Whether a resource may have so many tags.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    match tags.len() > MAX_TAGS {
        true => Err(invalid(format!(
            "A resource cannot have more than {MAX_TAGS} tags."
        ))),
        false => Ok(()),
    }
}

fn add(
    tags: &mut BTreeMap<String, String>,
    more: BTreeMap<String, String>,
) -> Result<Value, ApiError> {
    let mut all = tags.clone();
    all.extend(more);
    check_tags(&all)?;
    *tags = all;
    Ok(Value::Null)
}

fn listed<'a>(tags: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<Value> {
    tags.map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect()
}
