//! The poller of a stream. Each shard is read in order, and each of its lanes (one, unless the mapping parallelizes)
//! goes on only when the function is done with a batch: a batch that fails is tried again until it succeeds, is split,
//! or is given up.
//! See <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>.

use super::answer;
use super::poller::Poller;
use super::progress::{cursor, shards, text};
use super::settings::{Settings, Source, Start};
use super::state::queue_url;
use crate::account::REGION;
use crate::clock::{Clock, Millis};
use crate::events::in_the_name_of;
use crate::ids;
use crate::kinesis::{Cursor, Kinesis};
use crate::lambda::invocation::{Invoked, MAX_PAYLOAD};
use crate::wire::query::timestamp;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Value};
use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A shard is read once in so long.
const BETWEEN_READS: Millis = 1000;
const MAX_RECORDS: usize = 10_000;
// Differs from AWS: mapping-pauses: AWS doesn't tell how long it waits between tries.
const FIRST_PAUSE: Millis = 1000;
const MAX_PAUSE: Millis = 60_000;
const HOUR: Millis = 60 * 60 * 1000;
/// No stream forgets a record sooner.
const MIN_RETENTION: Millis = 24 * HOUR;

/// A record on its way to the function.
#[derive(Clone)]
struct Record {
    number: String,
    key: String,
    arrived_at: Millis,
    /// As the event has it.
    json: Arc<str>,
}

/// A batch, or a part of one, and how often it was tried.
#[derive(Clone, Default)]
struct Attempt {
    records: Vec<Record>,
    retries: u32,
    invocations: u32,
    pauses: u32,
}

impl Attempt {
    /// The first part, up to `at`, and the rest. Splitting costs no retry.
    fn split(mut self, at: usize) -> (Self, Self) {
        let rest = self.records.split_off(at);
        self.pauses = 0;
        let rest = Self {
            records: rest,
            ..self
        };
        (self, rest)
    }
}

/// Polls until it is stopped, and ends when the last batch has.
pub async fn run(poller: &Poller) {
    let Source::Stream { arn, name } = &poller.settings.source else {
        return;
    };
    let stream = Stream {
        poller: poller.clone(),
        name: name.clone(),
        arn: arn.clone(),
    };
    let mut readers = JoinSet::new();
    let mut read = BTreeSet::new();
    while !poller.is_stopped() {
        for shard in stream.readable().await {
            if read.insert(shard.clone()) {
                let reader = stream.clone().read_shard(shard);
                readers.spawn(in_the_name_of(poller.agent(), reader));
            }
        }
        tokio::select! {
            Some(_) = readers.join_next() => {}
            () = poller.pause() => {}
        }
    }
    while readers.join_next().await.is_some() {}
}

#[derive(Clone)]
struct Stream {
    poller: Poller,
    name: String,
    arn: String,
}

impl Stream {
    /// The shards whose parents are done.
    async fn readable(&self) -> Vec<String> {
        if self.poller.ready().is_none() {
            return Vec::new();
        }
        let kinesis = self.kinesis();
        let shards = match shards(kinesis, &self.name).await {
            Ok(shards) => shards,
            Err(error) => {
                self.poller.report_problem(&error.message);
                return Vec::new();
            }
        };
        let ids: BTreeSet<_> = shards.iter().map(|shard| text(shard, "ShardId")).collect();
        let progress = &self.poller.progress;
        let mut readable = Vec::new();
        for shard in &shards {
            let id = text(shard, "ShardId");
            let waits = ["ParentShardId", "AdjacentParentShardId"]
                .iter()
                .filter_map(|parent| shard[parent].as_str())
                .any(|parent| ids.contains(parent) && !progress.is_done(parent));
            if waits || progress.is_done(&id) {
                continue;
            }
            if !progress.is_known(&id) {
                // A shard that came later is read whole.
                match cursor(kinesis, &self.name, &id, Start::TrimHorizon).await {
                    Ok(cursor) => progress.add(&id, cursor),
                    Err(_) => continue,
                }
            }
            readable.push(id);
        }
        readable
    }

    /// Reads a shard until it is read out or the poller stops.
    async fn read_shard(self, shard: String) {
        let Some(cursor) = self.poller.progress.resume(&shard) else {
            return;
        };
        let mut lanes = JoinSet::new();
        let mut entrances = Vec::new();
        for _ in 0..self.poller.settings.parallelization {
            let (entrance, pages) = mpsc::channel(1);
            entrances.push(entrance);
            let lane = Lane {
                stream: self.clone(),
                shard: shard.clone(),
                invoked: None,
            };
            lanes.spawn(lane.run(pages));
        }
        let is_read_out = tokio::select! {
            () = self.poller.stopped() => false,
            () = self.feed(&shard, cursor, &entrances) => true,
        };
        drop(entrances);
        while lanes.join_next().await.is_some() {}
        if is_read_out {
            self.poller.progress.finish(&shard);
        }
    }

    /// Reads a shard to its end and gives each lane the records of its keys, in order.
    async fn feed(&self, shard: &str, mut cursor: Cursor, lanes: &[mpsc::Sender<Vec<Record>>]) {
        let clock = self.poller.clock();
        let mut changes = self.kinesis().changes(&cursor);
        loop {
            let Some(function) = self.poller.ready() else {
                self.poller.pause().await;
                continue;
            };
            let next_read = clock.now() + BETWEEN_READS;
            match self.kinesis().follow(&mut cursor, MAX_RECORDS).await {
                Ok((records, is_read_out)) => {
                    let records = self.wanted(shard, &function.role, &records);
                    self.poller.progress.read(shard, &cursor, numbers(&records));
                    self.poller.tell_polled(records.len());
                    let mut pages = vec![Vec::new(); lanes.len()];
                    for record in records {
                        pages[lane_of(&record.key, lanes.len())].push(record);
                    }
                    for (lane, page) in lanes.iter().zip(pages) {
                        if !page.is_empty() {
                            // A lane that has ended was stopped.
                            let _ = lane.send(page).await;
                        }
                    }
                    if is_read_out {
                        return;
                    }
                }
                // Other readers took the shard's share of this second.
                Err(error) if error.code == "ProvisionedThroughputExceededException" => {}
                Err(error) => self.poller.report_problem(&error.message),
            }
            tokio::select! {
                () = clock.idle_until(next_read) => {}
                changed = changes.changed() => match changed {
                    Ok(()) => clock.sleep_until(next_read).await,
                    // The stream is gone.
                    Err(_) => clock.idle_until(next_read).await,
                }
            }
        }
    }

    /// The records that the filter lets pass.
    fn wanted(&self, shard: &str, role: &str, records: &[Value]) -> Vec<Record> {
        let wanted = |record: &&Value| {
            let filter = &self.poller.settings.filter;
            if filter.is_empty() {
                return true;
            }
            let data = BASE64_STANDARD.decode(text(record, "Data"));
            let data = data.ok().and_then(|data| String::from_utf8(data).ok());
            data.is_some_and(|data| filter.passes(&data))
        };
        let event = |record: &Value| {
            let number = text(record, "SequenceNumber");
            let event = json!({
                "kinesis": kinesis_part(record),
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": format!("{shard}:{number}"),
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": role,
                "awsRegion": REGION,
                "eventSourceARN": self.arn,
            });
            let arrived = record["ApproximateArrivalTimestamp"].as_f64();
            Record {
                key: text(record, "PartitionKey"),
                arrived_at: (arrived.unwrap_or_default() * 1000.0).round() as Millis,
                json: event.to_string().into(),
                number,
            }
        };
        records.iter().filter(wanted).map(event).collect()
    }

    fn kinesis(&self) -> &Kinesis {
        &self.poller.mappings.0.kinesis
    }
}

/// Processes the records of some of a shard's keys, batch after batch.
struct Lane {
    stream: Stream,
    shard: String,
    /// The last invocation that the function answered or failed.
    invoked: Option<Invoked>,
}

/// Why records are given up, as the destination is told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    RecordAgeExceeded,
    RetryAttemptsExhausted,
}

/// How an attempt went.
enum Outcome {
    Success,
    /// The function failed, or reported the record at this place as the first that failed.
    Failed {
        first: usize,
    },
    /// The function was not run: it is throttled, or gone.
    NotRun,
}

impl Lane {
    async fn run(mut self, mut pages: mpsc::Receiver<Vec<Record>>) {
        let poller = self.stream.poller.clone();
        let (clock, settings) = (poller.clock(), &poller.settings);
        let mut waiting = VecDeque::new();
        while !poller.is_stopped() {
            if waiting.is_empty() {
                tokio::select! {
                    () = poller.stopped() => return,
                    page = pages.recv() => match page {
                        Some(page) => waiting.extend(page),
                        None => return,
                    }
                }
            }
            let ends = clock.now() + settings.window;
            let is_open = |waiting: &VecDeque<Record>| {
                waiting.len() < settings.batch_size
                    && fits(waiting, settings.batch_size) == waiting.len()
            };
            while settings.window > 0 && is_open(&waiting) {
                tokio::select! {
                    () = poller.stopped() => return,
                    () = clock.sleep_until(ends) => break,
                    page = pages.recv() => match page {
                        Some(page) => waiting.extend(page),
                        None => break,
                    }
                }
            }
            // A record that is too large for an event is sent all the same.
            let several = fits(&waiting, settings.batch_size).max(1);
            self.process(waiting.drain(..several).collect()).await;
        }
    }

    /// Tries a batch, whole or in parts, until all its records are dealt with or the poller stops.
    async fn process(&mut self, records: Vec<Record>) {
        let settings = self.stream.poller.settings.clone();
        let mut attempts = VecDeque::from([Attempt {
            records,
            ..Attempt::default()
        }]);
        while let Some(mut attempt) = attempts.pop_front() {
            if self.stream.poller.is_stopped() {
                return;
            }
            self.drop_aged(&mut attempt).await;
            if attempt.records.is_empty() {
                continue;
            }
            attempt.invocations += 1;
            let outcome = self.invoke(&attempt).await;
            match outcome {
                Outcome::Success => self.deal_with(&attempt.records),
                Outcome::Failed { first } if first > 0 => {
                    // The rest is a batch of its own, with all its retries before it.
                    let (done, rest) = attempt.split(first);
                    self.deal_with(&done.records);
                    let mut rest = Attempt {
                        records: rest.records,
                        ..Attempt::default()
                    };
                    if !settings.bisects {
                        self.pause(&mut rest, settings.is_bounded()).await;
                    }
                    attempts.push_front(rest);
                }
                Outcome::Failed { .. } if settings.bisects && attempt.records.len() > 1 => {
                    let middle = attempt.records.len().div_ceil(2);
                    let (first, second) = attempt.split(middle);
                    attempts.push_front(second);
                    attempts.push_front(first);
                }
                Outcome::Failed { .. } if attempt.is_last(settings.retries) => {
                    self.give_up(&attempt, Condition::RetryAttemptsExhausted)
                        .await;
                }
                Outcome::Failed { .. } => {
                    attempt.retries += 1;
                    self.pause(&mut attempt, settings.is_bounded()).await;
                    attempts.push_front(attempt);
                }
                Outcome::NotRun => {
                    attempt.invocations -= 1;
                    let is_bounded = settings.longest_age.is_some();
                    self.pause(&mut attempt, is_bounded).await;
                    attempts.push_front(attempt);
                }
            }
        }
    }

    async fn invoke(&mut self, attempt: &Attempt) -> Outcome {
        let poller = &self.stream.poller;
        let _work = poller.clock().work();
        if let Some(last) = attempt.records.last() {
            poller.report_age(poller.clock().now().saturating_sub(last.arrived_at));
        }
        let records = attempt.records.iter().map(|record| &*record.json);
        let outcome = match poller.invoke(records).await {
            Err(_) => Outcome::NotRun,
            Ok(invoked) => {
                let outcome = match &invoked.error {
                    Some(_) => Outcome::Failed { first: 0 },
                    None if poller.settings.reports_failures => {
                        let ids = attempt.records.iter().map(|record| record.number.as_str());
                        let ids: Vec<_> = ids.collect();
                        match answer::failures(&invoked.payload, &ids).first() {
                            Some(&first) => Outcome::Failed { first },
                            None => Outcome::Success,
                        }
                    }
                    None => Outcome::Success,
                };
                self.invoked = Some(invoked);
                outcome
            }
        };
        match outcome {
            Outcome::Success => poller.report(Some("OK".to_owned())),
            _ => poller.report_problem("Function call failed"),
        }
        outcome
    }

    /// Gives up the records that are older than the mapping lets them be, and forgets those that the stream forgets.
    async fn drop_aged(&self, attempt: &mut Attempt) {
        let now = self.stream.poller.clock().now();
        let older_than = |age: Millis, records: &[Record]| {
            let is_older = |record: &&Record| now.saturating_sub(record.arrived_at) > age;
            records.iter().take_while(is_older).count()
        };
        if let Some(longest) = self.stream.poller.settings.longest_age {
            let aged = older_than(longest, &attempt.records);
            if aged > 0 {
                let (aged, rest) = std::mem::take(attempt).split(aged);
                self.give_up(&aged, Condition::RecordAgeExceeded).await;
                *attempt = rest;
            }
        }
        if older_than(MIN_RETENTION, &attempt.records) > 0 {
            let input = json!({ "StreamName": self.stream.name });
            let summary = self.stream.kinesis().ask("DescribeStreamSummary", input);
            let summary = summary.await.unwrap_or_default();
            let hours = summary["StreamDescriptionSummary"]["RetentionPeriodHours"].as_u64();
            let kept = hours.map_or(MIN_RETENTION, |hours| hours * HOUR);
            let (forgotten, rest) = {
                let forgotten = older_than(kept, &attempt.records);
                std::mem::take(attempt).split(forgotten)
            };
            self.deal_with(&forgotten.records);
            *attempt = rest;
        }
    }

    /// Discards records, and tells the destination for failures.
    async fn give_up(&self, attempt: &Attempt, condition: Condition) {
        let poller = &self.stream.poller;
        let (Some(first), Some(last)) = (attempt.records.first(), attempt.records.last()) else {
            return;
        };
        if let (Some((arn, name)), Some(function)) = (&poller.settings.on_failure, poller.ready()) {
            let mappings = &poller.mappings;
            let request_id = match &self.invoked {
                Some(invoked) => invoked.request_id.clone(),
                None => ids::uuid(&mut mappings.lock().random),
            };
            let mut message = json!({
                "requestContext": {
                    "requestId": request_id,
                    "functionArn": function.arn,
                    "condition": format!("{condition:?}"),
                    // As recorded, even of what was never sent to the function.
                    "approximateInvokeCount": attempt.invocations.max(1),
                },
                "version": "1.0",
                "timestamp": timestamp(poller.clock().now()),
                "KinesisBatchInfo": {
                    "shardId": self.shard,
                    "startSequenceNumber": first.number,
                    "endSequenceNumber": last.number,
                    "approximateArrivalOfFirstRecord": timestamp(first.arrived_at),
                    "approximateArrivalOfLastRecord": timestamp(last.arrived_at),
                    "batchSize": attempt.records.len(),
                    "streamArn": self.stream.arn,
                },
            });
            let tried = condition == Condition::RetryAttemptsExhausted;
            if let Some(invoked) = self.invoked.as_ref().filter(|_| tried) {
                message["responseContext"] = json!({
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": invoked.error,
                });
            }
            // A record that may not or can't be sent is lost, as on AWS.
            if mappings
                .0
                .access
                .allows(&function.role, "sqs:SendMessage", arn)
            {
                let input =
                    json!({ "QueueUrl": queue_url(name), "MessageBody": message.to_string() });
                let _ = mappings.sqs("SendMessage", &input).await;
            }
        }
        self.deal_with(&attempt.records);
    }

    fn deal_with(&self, records: &[Record]) {
        let progress = &self.stream.poller.progress;
        progress.deal_with(&self.shard, numbers(records));
    }

    /// Waits before the next try, longer each time. A wait that is one of a limited number is awaited.
    async fn pause(&self, attempt: &mut Attempt, is_bounded: bool) {
        let poller = &self.stream.poller;
        let length = FIRST_PAUSE << attempt.pauses.min(6);
        attempt.pauses += 1;
        let clock: &Clock = poller.clock();
        let until = clock.now() + length.min(MAX_PAUSE);
        tokio::select! {
            () = poller.stopped() => {}
            () = clock.idle_until(until) => {}
            () = clock.sleep_until(until), if is_bounded => {}
        }
    }
}

impl Attempt {
    fn is_last(&self, retries: Option<u32>) -> bool {
        retries.is_some_and(|most| self.retries >= most)
    }
}

impl Settings {
    /// Whether a batch that fails is given up some time.
    fn is_bounded(&self) -> bool {
        self.retries.is_some() || self.longest_age.is_some()
    }
}

/// How many of the records make a batch.
fn fits(waiting: &VecDeque<Record>, most: usize) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Record| {
        bytes += record.json.len() + 1;
        bytes < MAX_PAYLOAD
    };
    waiting.iter().take(most).take_while(fits).count()
}

fn numbers(records: &[Record]) -> impl Iterator<Item = &str> {
    records.iter().map(|record| record.number.as_str())
}

/// The lane of a partition key: the same key, the same lane.
fn lane_of(key: &str, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % lanes as u64) as usize
}

/// A record as the event's `kinesis` has it.
fn kinesis_part(record: &Value) -> Value {
    json!({
        "kinesisSchemaVersion": "1.0",
        "partitionKey": record["PartitionKey"],
        "sequenceNumber": record["SequenceNumber"],
        "data": record["Data"],
        "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
    })
}
