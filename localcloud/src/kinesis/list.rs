//! Streams and shards, described and listed.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html>.

use super::input::{violation, Input, ANY, NAME};
use super::stream::Stream;
use super::{id_of, invalid, seconds, shard_name, Entry, Kinesis, Shard, MAX_SHARDS};
use crate::clock::Millis;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Value};

/// What one answer of `ListShards` holds, however many were asked for.
const MAX_LISTED: usize = 1000;
const TOKEN_LIFE: Millis = 5 * 60 * 1000;
const FILTERS: [&str; 6] = [
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
];

/// Which shards are listed.
#[derive(Clone, Copy)]
enum Filter {
    All,
    After(u32),
    Open,
    AtTrimHorizon,
    At(Millis),
    From(Millis),
}

impl Filter {
    fn read(input: &Input) -> Result<Self, ApiError> {
        let Some(filter) = input.inside("ShardFilter")? else {
            return Ok(Self::All);
        };
        let kind = filter.need("Type", filter.one_of("Type", &FILTERS)?)?;
        let needs = |what: &str| {
            invalid(format!(
                "{what} must be provided with the ShardFilter {kind}."
            ))
        };
        let time = || filter.time("Timestamp")?.ok_or_else(|| needs("Timestamp"));
        Ok(match kind {
            "AFTER_SHARD_ID" => {
                let shard = filter.words("ShardId", &NAME)?;
                let shard = shard.ok_or_else(|| needs("ShardId"))?;
                Self::After(
                    id_of(shard).ok_or_else(|| invalid(format!("{shard} is no shard's id.")))?,
                )
            }
            "AT_TRIM_HORIZON" => Self::AtTrimHorizon,
            "AT_LATEST" => Self::Open,
            "AT_TIMESTAMP" => Self::At(time()?),
            "FROM_TIMESTAMP" => Self::From(time()?),
            _ => Self::All,
        })
    }

    fn passes(self, stream: &Stream, now: Millis, shard: &Shard) -> bool {
        let was_open = |time| shard.closed_at.is_none_or(|closed_at| closed_at >= time);
        match self {
            Self::All | Self::After(_) => true,
            Self::Open => shard.is_open(),
            Self::From(time) => was_open(time),
            Self::At(time) => shard.opened_at <= time && was_open(time),
            Self::AtTrimHorizon => {
                let time = stream.horizon(now);
                shard.opened_at <= time && was_open(time)
            }
        }
    }
}

impl Kinesis {
    pub(super) fn describe_limits(&self) -> Value {
        let mut state = self.lock();
        self.pass_all(&mut state);
        let streams = state.streams.values();
        let open: usize = streams.clone().map(|entry| entry.log.open_shards()).sum();
        json!({
            "ShardLimit": MAX_SHARDS,
            "OpenShardCount": open,
            "OnDemandStreamCount": streams.filter(|entry| entry.is_on_demand).count(),
            "OnDemandStreamCountLimit": 50,
        })
    }

    pub(super) fn describe_stream(&self, input: &Input) -> Result<Value, ApiError> {
        let limit = input.number("Limit", 1..=10_000)?.unwrap_or(100) as usize;
        let after = input
            .words("ExclusiveStartShardId", &NAME)?
            .map(after)
            .transpose()?;
        self.with(input.need_stream()?, |entry, _| {
            let mut rest = entry.log.shards_after(after);
            let shards: Vec<_> = rest.by_ref().take(limit).map(shown).collect();
            let mut description = entry.describe();
            description["Shards"] = shards.into();
            description["HasMoreShards"] = rest.next().is_some().into();
            Ok(json!({ "StreamDescription": description }))
        })
    }

    pub(super) fn describe_stream_summary(&self, input: &Input) -> Result<Value, ApiError> {
        self.with(input.need_stream()?, |entry, _| {
            let mut summary = entry.describe();
            summary["OpenShardCount"] = entry.log.open_shards().into();
            summary["ConsumerCount"] = entry.consumers.len().into();
            summary["MaxRecordSizeInKiB"] = entry.largest_record.into();
            Ok(json!({ "StreamDescriptionSummary": summary }))
        })
    }

    pub(super) fn list_shards(&self, input: &Input) -> Result<Value, ApiError> {
        let start = input
            .words("ExclusiveStartShardId", &NAME)?
            .map(after)
            .transpose()?;
        let token = input.words("NextToken", &ANY)?;
        let (name, mut after) = match (input.stream()?, token) {
            (Some(name), None) => (name.to_owned(), start),
            (None, Some(_)) if start.is_some() => {
                return Err(invalid(
                    "NextToken and ExclusiveStartShardId cannot be provided together.",
                ))
            }
            (None, Some(token)) => {
                let (name, last) = self.read_token(token)?;
                (
                    name,
                    Some(last.parse().map_err(|_| invalid("Invalid NextToken."))?),
                )
            }
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "NextToken and StreamName cannot be provided together.",
                ))
            }
            (None, None) => {
                return Err(invalid(
                    "Either NextToken or StreamName should be provided.",
                ))
            }
        };
        let limit = input.number("MaxResults", 1..=10_000)?;
        let limit = limit.map_or(MAX_LISTED, |limit| MAX_LISTED.min(limit as usize));
        let filter = Filter::read(input)?;
        if let Filter::After(shard) = filter {
            after = after.max(Some(shard));
        }
        self.with(&name, |entry, now| {
            let shards = entry.log.shards_after(after);
            let mut rest = shards.filter(|shard| filter.passes(&entry.log, now, shard));
            let page: Vec<_> = rest.by_ref().take(limit).collect();
            let has_more = rest.next().is_some();
            let listed: Vec<_> = page.iter().map(|shard| shown(shard)).collect();
            let mut output = json!({ "Shards": listed });
            if let Some(last) = page.last().filter(|_| has_more) {
                output["NextToken"] = self.token(&name, &last.id.to_string()).into();
            }
            Ok(output)
        })
    }

    /// Leads to the next page of a stream's shards or consumers, for five minutes.
    pub(super) fn token(&self, stream: &str, last: &str) -> String {
        let now = self.0.clock.now();
        BASE64_STANDARD.encode(format!("{now}/{stream}/{last}"))
    }

    /// The stream, and the last that the page before showed.
    pub(super) fn read_token(&self, token: &str) -> Result<(String, String), ApiError> {
        let wrong = || invalid("Invalid NextToken.");
        let bytes = BASE64_STANDARD.decode(token).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let [handed_out, stream, last] = text.splitn(3, '/').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        let handed_out: Millis = handed_out.parse().map_err(|_| wrong())?;
        if self.0.clock.now().saturating_sub(handed_out) > TOKEN_LIFE {
            return Err(ApiError::sender(
                "ExpiredNextTokenException",
                "NextToken is older than five minutes.",
            ));
        }
        Ok((stream.to_owned(), last.to_owned()))
    }

    pub(super) fn list_streams(&self, input: &Input) -> Result<Value, ApiError> {
        let after = input.words("ExclusiveStartStreamName", &NAME)?;
        let after = input.words("NextToken", &ANY)?.or(after);
        let limit = input.number("Limit", 1..=10_000)?.unwrap_or(100) as usize;
        let mut state = self.lock();
        self.pass_all(&mut state);
        let mut rest = state
            .streams
            .values()
            .filter(|entry| after.is_none_or(|after| &*entry.name > after));
        let page: Vec<_> = rest.by_ref().take(limit).collect();
        let has_more = rest.next().is_some();
        let names: Vec<_> = page.iter().map(|entry| &*entry.name).collect();
        let summary = |entry: &&Entry| {
            json!({
                "StreamName": &*entry.name,
                "StreamARN": entry.arn,
                "StreamStatus": entry.log.status().name(),
                "StreamModeDetails": { "StreamMode": entry.mode() },
                "StreamCreationTimestamp": seconds(entry.created_at),
            })
        };
        let summaries: Vec<_> = page.iter().map(summary).collect();
        let mut output = json!({
            "StreamNames": names,
            "HasMoreStreams": has_more,
            "StreamSummaries": summaries,
        });
        if let Some(last) = names.last().filter(|_| has_more) {
            output["NextToken"] = json!(last);
        }
        Ok(output)
    }
}

impl Entry {
    /// What both descriptions of a stream have.
    fn describe(&self) -> Value {
        let mut description = json!({
            "StreamName": &*self.name,
            "StreamARN": self.arn,
            "StreamStatus": self.log.status().name(),
            "StreamModeDetails": { "StreamMode": self.mode() },
            "StreamCreationTimestamp": seconds(self.created_at),
            "RetentionPeriodHours": self.log.retention / super::HOUR,
            "EnhancedMonitoring": [{ "ShardLevelMetrics": self.metrics }],
            "EncryptionType": "NONE",
        });
        if let Some(key) = &self.key {
            description["EncryptionType"] = "KMS".into();
            description["KeyId"] = json!(key);
        }
        description
    }
}

/// A shard as AWS describes it.
fn shown(shard: &Shard) -> Value {
    let mut shown = json!({
        "ShardId": shard_name(shard.id),
        "HashKeyRange": range(shard),
        "SequenceNumberRange": { "StartingSequenceNumber": shard.starting_number().to_string() },
    });
    if let Some(number) = shard.ending_number() {
        shown["SequenceNumberRange"]["EndingSequenceNumber"] = number.to_string().into();
    }
    for (field, parent) in ["ParentShardId", "AdjacentParentShardId"]
        .iter()
        .zip(&shard.parents)
    {
        shown[field] = shard_name(*parent).into();
    }
    shown
}

pub(super) fn range(shard: &Shard) -> Value {
    json!({
        "StartingHashKey": shard.range.0.to_string(),
        "EndingHashKey": shard.range.1.to_string(),
    })
}

/// The number in an exclusive start.
fn after(shard: &str) -> Result<u32, ApiError> {
    let rule = "Member must be the id of a shard";
    id_of(shard).ok_or_else(|| violation("ExclusiveStartShardId", Some(shard), rule))
}
