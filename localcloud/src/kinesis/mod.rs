//! Kinesis: the crate `ferrokinesis` keeps streams, shards, records and consumers; around it is what the lab needs
//! and it lacks. `records` writes and reads by the lab's clock and within the limits of a shard, `consumers` and
//! `fan_out` are enhanced fan-out, `reshard` is `UpdateShardCount`, `told` is what the feed shows of streams; here are
//! the other operations.
//!
//! The crate's own clock cannot be moved. Everything that a reader sees of time is therefore measured here, by the
//! lab's clock: arrival times, iterators and their five minutes, retention, `AT_TIMESTAMP`, the limits, subscriptions.
// Differs from AWS: kinesis-clock: streams and consumers change their state, and sequence numbers rise, by the machine's time.
//!
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html>.

mod consumers;
mod fan_out;
mod records;
mod reshard;
mod told;

use crate::clock::{Clock, Millis};
use crate::events::{Events, MAX_TEXT};
use crate::wire::error::ApiError;
use crate::{ACCOUNT, REGION};
use axum::body::Body;
use base64::prelude::{Engine, BASE64_STANDARD};
use ferrokinesis::actions::{dispatch, Operation};
use ferrokinesis::error::KinesisErrorResponse;
use ferrokinesis::sequence::resolve_shard_id;
use ferrokinesis::store::{Store, StoreOptions};
use ferrokinesis::types::{ConsumerStatus, Shard, Stream, StreamMode, StreamStatus};
use ferrokinesis::validation::{check_types, check_validations, FieldDef, FieldType};
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{watch, RwLock};

pub use records::Cursor;

/// The operations there are.
pub const OPERATIONS: [&str; 29] = [
    "AddTagsToStream",
    "CreateStream",
    "DecreaseStreamRetentionPeriod",
    "DeleteStream",
    "DeregisterStreamConsumer",
    "DescribeLimits",
    "DescribeStream",
    "DescribeStreamConsumer",
    "DescribeStreamSummary",
    "GetRecords",
    "GetShardIterator",
    "IncreaseStreamRetentionPeriod",
    "ListShards",
    "ListStreamConsumers",
    "ListStreams",
    "ListTagsForResource",
    "ListTagsForStream",
    "MergeShards",
    "PutRecord",
    "PutRecords",
    "RegisterStreamConsumer",
    "RemoveTagsFromStream",
    "SplitShard",
    "SubscribeToShard",
    "TagResource",
    "UntagResource",
    "UpdateMaxRecordSize",
    "UpdateShardCount",
    "UpdateStreamMode",
];

// Differs from AWS: kinesis-bounds: 1,000 open shards, and 1 GiB of records as they come over the wire, in memory.
const MOST_SHARDS: u32 = 1000;
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
// Differs from AWS: kinesis-quick: a stream is made, changed and deleted in 300 ms, a consumer in 500 ms.
/// How long the creation, a change or the deletion of a stream takes.
pub const CHANGES: Duration = Duration::from_millis(300);
// Differs from AWS: on-demand-shards: an on-demand stream keeps its four shards, whatever is written to it.
const ON_DEMAND_SHARDS: u32 = 4;
const LONGEST_RETENTION_HOURS: f64 = 8760.0;
const LARGEST_RECORD: usize = 10 * 1024 * 1024;
/// In one request.
const MOST_TAGS: usize = 200;
/// Of one resource.
const MOST_TAGS_KEPT: usize = 50;
/// What one answer of `ListShards` holds, however many were asked for.
const MOST_LISTED: u64 = 1000;
const SHARD_FILTERS: [&str; 6] = [
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
];
const TOKEN_LIFE: Millis = 5 * 60 * 1000;
// Differs from AWS: kinesis-options: what else AWS can be asked for is refused.
const OPTIONS_ELSEWHERE: [&str; 4] = [
    "DryRun",
    "RecordDistributionStrategy",
    "StreamCreationTimestamp",
    "WarmThroughputMiBps",
];

// Differs from AWS: kinesis-json: requests and answers are JSON; AWS takes CBOR too.
// Differs from AWS: kinesis-rates: the limits of a shard's records hold; those of other calls, such as ListShards, do not.
// Differs from AWS: closed-shards: a closed shard stays listed; on AWS it goes when its records are past their retention.
/// What an operation answers.
pub enum Answer {
    Json(Vec<u8>),
    /// The events of `SubscribeToShard`, `application/vnd.amazon.eventstream`.
    Events(Body),
}

/// The streams of the account. Clones share them.
#[derive(Clone)]
pub struct Kinesis(Arc<Inner>);

struct Inner {
    clock: Clock,
    events: Events,
    changes: Duration,
    store: OnceLock<Store>,
    /// Taken to write by whoever puts and to read by whoever gets: a record has its sequence number a moment before
    /// it is stored, and a reader in that moment would pass over it for good.
    gate: RwLock<told::Told>,
    /// Says that there may be something new to read.
    changed: watch::Sender<()>,
    reads: records::Reads,
    subscriptions: fan_out::Subscriptions,
}

impl Kinesis {
    pub fn new(clock: Clock, events: Events) -> Self {
        Self::with_changes(clock, events, CHANGES)
    }

    /// With streams that take so long to be created, changed or deleted.
    pub fn with_changes(clock: Clock, events: Events, changes: Duration) -> Self {
        Self(Arc::new(Inner {
            clock,
            events,
            changes,
            store: OnceLock::new(),
            gate: RwLock::default(),
            changed: watch::Sender::new(()),
            reads: records::Reads::default(),
            subscriptions: fan_out::Subscriptions::default(),
        }))
    }

    /// One operation as it comes over the wire: JSON in, JSON or events out.
    ///
    /// # Errors
    ///
    /// What AWS answers in its place, or that the operation is not in this lab.
    pub async fn call(&self, operation: &str, body: &[u8]) -> Result<Answer, ApiError> {
        let input = serde_json::from_slice(body).unwrap_or_default();
        if operation == "SubscribeToShard" {
            let input = checked(Operation::SubscribeToShard, input)?;
            return Ok(Answer::Events(self.subscribe_to_shard(input).await?));
        }
        let output = self.ask(operation, input).await?;
        Ok(Answer::Json(match output {
            Value::Null => Vec::new(),
            output => output.to_string().into_bytes(),
        }))
    }

    /// One operation in process; null when AWS answers with nothing. `SubscribeToShard` is for [`Self::call`] only.
    ///
    /// # Errors
    ///
    /// As [`Self::call`].
    pub async fn ask(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let known = OPERATIONS.contains(&operation);
        let Some(kind) = known.then(|| operation.parse().ok()).flatten() else {
            return Err(ApiError::not_in_this_lab("kinesis", operation));
        };
        let input = checked(kind, input)?;
        let changed = changed_stream(kind, &input).map(str::to_owned);
        let output = self.work(kind, input).await?;
        if let Some(stream) = changed {
            self.watch(&stream).await;
        }
        Ok(output)
    }

    async fn work(&self, kind: Operation, input: Value) -> Result<Value, ApiError> {
        match kind {
            Operation::CreateStream => self.create_stream(&input).await,
            Operation::DeleteStream => self.delete_stream(&input).await,
            Operation::DescribeLimits => self.describe_limits().await,
            Operation::DescribeStream => self.describe_stream(&input).await,
            Operation::DescribeStreamConsumer => self.describe_stream_consumer(input).await,
            Operation::DescribeStreamSummary => self.describe_stream_summary(input).await,
            Operation::GetRecords => self.get_records(&input).await,
            Operation::GetShardIterator => self.get_shard_iterator(&input).await,
            Operation::ListShards => self.list_shards(&input).await,
            Operation::ListStreamConsumers => self.list_stream_consumers(&input).await,
            Operation::ListStreams => self.list_streams(&input).await,
            Operation::ListTagsForResource | Operation::TagResource | Operation::UntagResource => {
                self.check_resource(text(&input, "ResourceARN")).await?;
                self.dispatch(kind, input).await
            }
            Operation::PutRecord => self.put_record(&input).await,
            Operation::PutRecords => self.put_records(&input).await,
            Operation::RegisterStreamConsumer => self.register_stream_consumer(input).await,
            Operation::MergeShards | Operation::SplitShard => {
                let stream = self.provisioned(text(&input, "StreamName")).await?;
                // The crate would split or merge a closed shard once more.
                for name in ["ShardToSplit", "ShardToMerge", "AdjacentShardToMerge"] {
                    let index = resolve_shard_id(text(&input, name)).map(|(_, index)| index);
                    let shard = index
                        .ok()
                        .and_then(|index| stream.shards.get(index as usize));
                    if let Some(shard) = shard.filter(|shard| !is_open(shard)) {
                        return Err(invalid(&format!(
                            "Shard {} in stream {} under account {ACCOUNT} is closed.",
                            shard.shard_id, stream.stream_name
                        )));
                    }
                }
                self.dispatch(kind, input).await
            }
            Operation::UpdateShardCount => self.update_shard_count(&input).await,
            _ => self.dispatch(kind, input).await,
        }
    }

    /// Says whenever there may be something new to read in a stream.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Each stream's name, number of open shards, and status, for `/lab/status`.
    pub async fn status(&self) -> Vec<Value> {
        let mut status = Vec::new();
        for stream in self.streams().await {
            status.push(json!({
                "name": stream.stream_name,
                "shards": open_shards(&stream).count(),
                "status": stream.stream_status,
            }));
        }
        status
    }

    /// The crate's store, which is made when it is first needed.
    fn store(&self) -> &Store {
        self.0.store.get_or_init(|| {
            let changes = self.0.changes.as_millis() as u64;
            Store::new(StoreOptions {
                create_stream_ms: changes,
                delete_stream_ms: changes,
                update_stream_ms: changes,
                shard_limit: MOST_SHARDS,
                enforce_limits: true,
                max_retained_bytes: Some(MOST_BYTES),
                aws_account_id: ACCOUNT.to_owned(),
                aws_region: REGION.to_owned(),
                ..StoreOptions::default()
            })
        })
    }

    async fn dispatch(&self, operation: Operation, input: Value) -> Result<Value, ApiError> {
        let output = dispatch(self.store(), operation, input).await;
        Ok(output.map_err(api_error)?.unwrap_or_default())
    }

    async fn stream(&self, name: &str) -> Result<Stream, ApiError> {
        self.store().get_stream(name).await.map_err(api_error)
    }

    /// All streams by name.
    async fn streams(&self) -> Vec<Stream> {
        let Some(store) = self.0.store.get() else {
            return Vec::new();
        };
        let mut names = store.list_stream_names().await;
        names.sort();
        let mut streams = Vec::with_capacity(names.len());
        for name in names {
            streams.extend(store.get_stream(&name).await);
        }
        streams
    }

    /// The stream, when it is one whose shards its owner counts.
    async fn provisioned(&self, name: &str) -> Result<Stream, ApiError> {
        let stream = self.stream(name).await?;
        match stream.stream_mode_details.stream_mode {
            StreamMode::Provisioned => Ok(stream),
            StreamMode::OnDemand => Err(ApiError::sender(
                "ValidationException",
                format!("Stream {name} under account {ACCOUNT} is in On-Demand mode: its shards can't be changed."),
            )),
        }
    }

    async fn create_stream(&self, input: &Value) -> Result<Value, ApiError> {
        let name = text(input, "StreamName");
        if tags(&input["Tags"]).len() > MOST_TAGS_KEPT {
            return Err(invalid("A resource cannot have more than 50 tags."));
        }
        let of_crate = json!({ "StreamName": name, "ShardCount": input["ShardCount"] });
        self.dispatch(Operation::CreateStream, of_crate).await?;
        let now = self.0.clock.now();
        let details = |stream: &mut Stream| {
            stream.stream_creation_timestamp.0 = seconds(now);
            if is_on_demand(input) {
                stream.stream_mode_details.stream_mode = StreamMode::OnDemand;
            }
            if let Some(size) = input["MaxRecordSizeInKiB"].as_u64() {
                stream.max_record_size_kib = size as u32;
            }
            stream.tags = tags(&input["Tags"]);
            Ok(())
        };
        let updated = self.store().update_stream(name, details).await;
        updated.map_err(api_error)?;
        Ok(Value::Null)
    }

    async fn delete_stream(&self, input: &Value) -> Result<Value, ApiError> {
        let name = text(input, "StreamName");
        let stream = self.stream(name).await?;
        let mut consumers = self
            .store()
            .list_consumers_for_stream(&stream.stream_arn)
            .await;
        consumers.retain(|consumer| consumer.consumer_status != ConsumerStatus::Deleting);
        if !consumers.is_empty() && input["EnforceConsumerDeletion"] != true {
            return Err(ApiError::sender(
                "ResourceInUseException",
                format!("Stream {name} under account {ACCOUNT} has registered consumers: deregister them, or set EnforceConsumerDeletion."),
            ));
        }
        for consumer in consumers {
            let input = json!({ "ConsumerARN": consumer.consumer_arn });
            self.dispatch(Operation::DeregisterStreamConsumer, input)
                .await?;
        }
        self.dispatch(Operation::DeleteStream, json!({ "StreamName": name }))
            .await?;
        self.0.reads.forget(name);
        self.0.changed.send_replace(());
        Ok(Value::Null)
    }

    async fn describe_limits(&self) -> Result<Value, ApiError> {
        let streams = self.streams().await;
        let on_demand = |stream: &&Stream| {
            matches!(stream.stream_mode_details.stream_mode, StreamMode::OnDemand)
        };
        Ok(json!({
            "ShardLimit": MOST_SHARDS,
            "OpenShardCount": streams.iter().map(|stream| open_shards(stream).count()).sum::<usize>(),
            "OnDemandStreamCount": streams.iter().filter(on_demand).count(),
            "OnDemandStreamCountLimit": 50,
        }))
    }

    async fn describe_stream(&self, input: &Value) -> Result<Value, ApiError> {
        let mut stream = self.stream(text(input, "StreamName")).await?;
        let limit = input["Limit"].as_u64().unwrap_or(100) as usize;
        if let Some(after) = input["ExclusiveStartShardId"].as_str() {
            stream
                .shards
                .retain(|shard| shard.shard_id.as_str() > after);
        }
        stream.has_more_shards = stream.shards.len() > limit;
        stream.shards.truncate(limit);
        Ok(json!({ "StreamDescription": stream }))
    }

    async fn describe_stream_summary(&self, input: Value) -> Result<Value, ApiError> {
        let stream = self.stream(text(&input, "StreamName")).await?;
        let mut output = self
            .dispatch(Operation::DescribeStreamSummary, input)
            .await?;
        output["StreamDescriptionSummary"]["MaxRecordSizeInKiB"] =
            stream.max_record_size_kib.into();
        Ok(output)
    }

    async fn list_shards(&self, input: &Value) -> Result<Value, ApiError> {
        let start = input["ExclusiveStartShardId"].as_str();
        let (name, mut after) = match (input["StreamName"].as_str(), input["NextToken"].as_str()) {
            (Some(name), None) => (name.to_owned(), start.map(str::to_owned)),
            (None, Some(_)) if start.is_some() => {
                return Err(invalid(
                    "NextToken and ExclusiveStartShardId cannot be provided together.",
                ))
            }
            (None, Some(token)) => {
                let (name, last) = self.read_token(token)?;
                (name, Some(last))
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
        let filter = &input["ShardFilter"];
        let mut only_open = false;
        match filter["Type"].as_str() {
            None | Some("AT_TRIM_HORIZON" | "FROM_TRIM_HORIZON") => {}
            Some("AT_LATEST") => only_open = true,
            Some("AFTER_SHARD_ID") => match filter["ShardId"].as_str() {
                Some(shard) => after = after.max(Some(shard.to_owned())),
                None => {
                    return Err(invalid(
                        "ShardId must be provided with the ShardFilter AFTER_SHARD_ID.",
                    ))
                }
            },
            // Differs from AWS: shard-filters: AT_TIMESTAMP and FROM_TIMESTAMP are refused.
            Some(kind) => {
                return Err(ApiError::not_in_this_lab(
                    "kinesis",
                    &format!("ListShards with the ShardFilter {kind}"),
                ))
            }
        }
        let stream = self.stream(&name).await?;
        let limit = input["MaxResults"].as_u64().unwrap_or(MOST_LISTED);
        let limit = limit.min(MOST_LISTED) as usize;
        let mut shards: Vec<_> = stream
            .shards
            .iter()
            .filter(|shard| !only_open || is_open(shard))
            .filter(|shard| after.as_ref().is_none_or(|after| shard.shard_id > *after))
            .collect();
        let more = shards.len() > limit;
        shards.truncate(limit);
        let mut output = json!({ "Shards": shards });
        if let Some(last) = shards.last().filter(|_| more) {
            output["NextToken"] = self.token(&name, &last.shard_id).into();
        }
        Ok(output)
    }

    /// Leads to the next page of a stream's shards or consumers, for five minutes.
    fn token(&self, stream: &str, last: &str) -> String {
        let now = self.0.clock.now();
        BASE64_STANDARD.encode(format!("{now}/{stream}/{last}"))
    }

    /// The stream, and the last that the page before showed.
    fn read_token(&self, token: &str) -> Result<(String, String), ApiError> {
        let bytes = BASE64_STANDARD.decode(token).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let [handed_out, stream, last] = text.splitn(3, '/').collect::<Vec<_>>()[..] else {
            return Err(invalid("Invalid NextToken."));
        };
        let handed_out: Millis = handed_out
            .parse()
            .map_err(|_| invalid("Invalid NextToken."))?;
        if self.0.clock.now().saturating_sub(handed_out) > TOKEN_LIFE {
            return Err(ApiError::sender(
                "ExpiredNextTokenException",
                "NextToken is older than five minutes.",
            ));
        }
        Ok((stream.to_owned(), last.to_owned()))
    }

    async fn list_streams(&self, input: &Value) -> Result<Value, ApiError> {
        let after = input["NextToken"]
            .as_str()
            .or(input["ExclusiveStartStreamName"].as_str());
        let limit = input["Limit"].as_u64().unwrap_or(100) as usize;
        let mut streams = self.streams().await;
        streams.retain(|stream| after.is_none_or(|after| stream.stream_name.as_str() > after));
        let more = streams.len() > limit;
        streams.truncate(limit);
        let summaries: Vec<_> = streams
            .iter()
            .map(|stream| {
                json!({
                    "StreamName": stream.stream_name,
                    "StreamARN": stream.stream_arn,
                    "StreamStatus": stream.stream_status,
                    "StreamModeDetails": stream.stream_mode_details,
                    "StreamCreationTimestamp": stream.stream_creation_timestamp,
                })
            })
            .collect();
        let names: Vec<_> = streams.iter().map(|stream| &stream.stream_name).collect();
        let mut output =
            json!({ "StreamNames": names, "HasMoreStreams": more, "StreamSummaries": summaries });
        if let Some(last) = names.last().filter(|_| more) {
            output["NextToken"] = json!(last);
        }
        Ok(output)
    }
}

/// The input with the fields of the operation only, each of its type and in its bounds. A stream that is named by its
/// ARN is named by its name.
fn checked(operation: Operation, input: Value) -> Result<Value, ApiError> {
    let Value::Object(mut input) = input else {
        return Err(ApiError::sender(
            "SerializationException",
            "The request is no JSON object.",
        ));
    };
    for option in OPTIONS_ELSEWHERE {
        if input
            .get(option)
            .is_some_and(|asked| !asked.is_null() && *asked != false)
        {
            let what = format!("{operation:?} with {option}");
            return Err(ApiError::not_in_this_lab("kinesis", &what));
        }
    }
    let rules = rules(operation);
    let is_named = rules.iter().any(|(name, _)| *name == "StreamName");
    if let Some(arn) = input.get("StreamARN").filter(|_| is_named) {
        let arn = arn.as_str().unwrap_or_default();
        let Some((_, name)) = arn.split_once(":stream/") else {
            return Err(invalid(&format!("{arn} is not the ARN of a stream.")));
        };
        let name = Value::from(name);
        if input.get("StreamName").is_some_and(|other| *other != name) {
            return Err(invalid("StreamARN and StreamName name two streams."));
        }
        input.remove("StreamARN");
        input.insert("StreamName".to_owned(), name);
    }
    let input = Value::Object(input);
    let mut input = fields_of(&input, &rules)?;
    if operation == Operation::CreateStream && is_on_demand(&input) {
        input["ShardCount"] = ON_DEMAND_SHARDS.into();
    }
    let rules: Vec<_> = rules.iter().map(|(name, rule)| (*name, rule)).collect();
    check_validations(&input, &rules, None).map_err(api_error)?;
    Ok(input)
}

fn fields_of(input: &Value, rules: &[(&str, FieldDef)]) -> Result<Value, ApiError> {
    let rules: Vec<_> = rules.iter().map(|(name, rule)| (*name, rule)).collect();
    check_types(input, &rules).map_err(api_error)
}

/// The crate's rules, and what it doesn't know of.
fn rules(operation: Operation) -> Vec<(&'static str, FieldDef)> {
    let string = || FieldDef::new(FieldType::String);
    let mut rules = operation.validation_rules();
    match operation {
        Operation::CreateStream => {
            let mode = Operation::UpdateStreamMode.validation_rules().into_iter();
            rules.extend(mode.filter(|(name, _)| *name == "StreamModeDetails"));
            let size = Operation::UpdateMaxRecordSize
                .validation_rules()
                .into_iter();
            rules.extend(size.filter(|(name, _)| *name == "MaxRecordSizeInKiB"));
            rules.extend(optional_tags());
            for (name, rule) in &mut rules {
                // Neither must be there; `ShardCount` must, unless the stream is on demand.
                rule.not_null = rule.not_null && matches!(*name, "StreamName" | "ShardCount");
            }
        }
        Operation::DeleteStream => {
            rules.push(("EnforceConsumerDeletion", FieldDef::new(FieldType::Boolean)));
        }
        Operation::ListShards => {
            let kind = string().enum_values(SHARD_FILTERS.to_vec());
            let children = vec![
                ("Type".to_owned(), kind.not_null()),
                ("ShardId".to_owned(), string()),
            ];
            rules.push((
                "ShardFilter",
                FieldDef::new(FieldType::Structure { children }),
            ));
        }
        Operation::ListStreams => rules.push(("NextToken", string())),
        Operation::RegisterStreamConsumer => rules.extend(optional_tags()),
        _ => {}
    }
    for (name, rule) in &mut rules {
        widen(name, rule);
    }
    rules
}

fn optional_tags() -> impl Iterator<Item = (&'static str, FieldDef)> {
    let rules = Operation::TagResource.validation_rules().into_iter();
    rules
        .filter(|(name, _)| *name == "Tags")
        .map(|(name, mut rule)| {
            rule.not_null = false;
            (name, rule)
        })
}

/// Bounds that AWS has raised since the crate wrote them down.
fn widen(name: &str, rule: &mut FieldDef) {
    match name {
        "RetentionPeriodHours" => rule.less_than_or_equal = Some(LONGEST_RETENTION_HOURS),
        "Data" => rule.length_less_than_or_equal = Some(LARGEST_RECORD),
        "Tags" => rule.length_less_than_or_equal = Some(MOST_TAGS),
        _ => {}
    }
    match &mut rule.field_type {
        FieldType::List { children } => widen("", children),
        FieldType::Structure { children } => {
            if name == "StartingPosition" {
                children.push((
                    "SequenceNumber".to_owned(),
                    FieldDef::new(FieldType::String),
                ));
                children.push(("Timestamp".to_owned(), FieldDef::new(FieldType::Timestamp)));
            }
            for (name, rule) in children {
                widen(name, rule);
            }
        }
        _ => {}
    }
}

/// The stream whose shards or consumers an operation changes.
fn changed_stream(operation: Operation, input: &Value) -> Option<&str> {
    match operation {
        Operation::CreateStream
        | Operation::DeleteStream
        | Operation::MergeShards
        | Operation::SplitShard
        | Operation::UpdateShardCount => Some(text(input, "StreamName")),
        Operation::RegisterStreamConsumer | Operation::DeregisterStreamConsumer => {
            let arn = input["StreamARN"].as_str();
            Some(consumers::name_of(
                arn.unwrap_or(text(input, "ConsumerARN")),
            ))
        }
        _ => None,
    }
}

fn is_on_demand(input: &Value) -> bool {
    input["StreamModeDetails"]["StreamMode"] == "ON_DEMAND"
}

fn is_open(shard: &Shard) -> bool {
    shard.sequence_number_range.ending_sequence_number.is_none()
}

fn open_shards(stream: &Stream) -> impl Iterator<Item = &Shard> {
    stream.shards.iter().filter(|shard| is_open(shard))
}

/// Whether records can be put and got.
fn is_there(stream: &Stream) -> bool {
    matches!(
        stream.stream_status,
        StreamStatus::Active | StreamStatus::Updating
    )
}

fn tags(map: &Value) -> BTreeMap<String, String> {
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    map.as_object()
        .map_or_else(BTreeMap::new, |map: &Map<_, _>| {
            map.iter().filter_map(pair).collect()
        })
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or_default()
}

/// What a person may read of a record's data, given in base64, as far as the feed shows it.
fn readable(data: &str) -> String {
    // Four bytes a character at the most, in groups of three.
    let longest = (MAX_TEXT * 4).div_ceil(3) * 4;
    let begin = data.get(..longest).unwrap_or(data);
    let bytes = BASE64_STANDARD.decode(begin).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Milliseconds as AWS writes a time in JSON: seconds with a fraction.
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

fn invalid(message: &str) -> ApiError {
    ApiError::sender("InvalidArgumentException", message)
}

fn api_error(error: KinesisErrorResponse) -> ApiError {
    let message = error.body.message.unwrap_or_default();
    ApiError::sender(&error.body.error_type, message).with_status(error.status_code)
}
