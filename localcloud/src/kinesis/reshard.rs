//! `UpdateShardCount` as AWS does it: by splits and merges, so that each shard knows its parents and the records of a
//! key keep their order across the change. Short-lived shards may come between.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html>.

use super::{is_open, open_shards, text, Kinesis, MOST_SHARDS};
use crate::wire::error::ApiError;
use crate::ACCOUNT;
use ferrokinesis::error::KinesisErrorResponse;
use ferrokinesis::sequence::{
    parse_sequence, shard_id_name, stringify_sequence, SeqObj, MAX_SEQ_IX,
};
use ferrokinesis::types::{HashKeyRange, SequenceNumberRange, Shard, Stream, StreamStatus};
use ferrokinesis::util::current_time_ms;
use serde_json::{json, Value};

impl Kinesis {
    // Differs from AWS: reshard-limits: UpdateShardCount may be called as often as you like (AWS: ten times a day).
    pub(super) async fn update_shard_count(&self, input: &Value) -> Result<Value, ApiError> {
        let name = text(input, "StreamName").to_owned();
        let target = input["TargetShardCount"].as_u64().unwrap_or_default() as u32;
        let stream = self.provisioned(&name).await?;
        let current = open_shards(&stream).count() as u32;
        let elsewhere = self.store().sum_open_shards().await.saturating_sub(current);
        let limit = |message: String| Err(ApiError::sender("LimitExceededException", message));
        if target > current * 2 {
            return limit(format!(
                "UpdateShardCount cannot scale up over double your current open shard count. \
                 Current open shard count: {current} Target shard count: {target}"
            ));
        }
        if target < current.div_ceil(2) {
            return limit(format!(
                "UpdateShardCount cannot scale down below half your current open shard count. \
                 Current open shard count: {current} Target shard count: {target}"
            ));
        }
        if elsewhere.saturating_add(target) > MOST_SHARDS {
            return limit(format!(
                "Target shard count or number of open shards cannot be greater than {MOST_SHARDS}."
            ));
        }
        let begin = |stream: &mut Stream| match stream.stream_status {
            StreamStatus::Active => {
                stream.stream_status = StreamStatus::Updating;
                Ok(())
            }
            status => Err(KinesisErrorResponse::client_error(
                "ResourceInUseException",
                Some(&format!(
                    "Stream {name} under account {ACCOUNT} not ACTIVE, instead in state {status}"
                )),
            )),
        };
        self.store()
            .update_stream(&name, begin)
            .await
            .map_err(super::api_error)?;
        let output = json!({
            "StreamName": name,
            "StreamARN": stream.stream_arn,
            "CurrentShardCount": current,
            "TargetShardCount": target,
        });
        let kinesis = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(kinesis.0.changes).await;
            let _gate = kinesis.0.gate.write().await;
            let finish = |stream: &mut Stream| {
                if stream.stream_status == StreamStatus::Updating {
                    reshard(stream, target, current_time_ms());
                    stream.stream_status = StreamStatus::Active;
                }
                Ok(())
            };
            // A stream that was deleted meanwhile needs no more shards.
            let _ = kinesis.store().update_stream(&name, finish).await;
            kinesis.0.changed.send_replace(());
        });
        Ok(output)
    }
}

/// Splits and merges the open shards until there are `target`, each with an equal part of the hash keys.
fn reshard(stream: &mut Stream, target: u32, now: u64) {
    let target = u128::from(target.max(1));
    // 2^128 / target, rounded down as the crate does for a new stream.
    let part = match target {
        1 => 0,
        target => u128::MAX / target + u128::from(u128::MAX % target == target - 1),
    };
    let starts: Vec<u128> = (0..target).map(|n| part * n).collect();
    for &start in &starts {
        let inside = |shard: &Shard| {
            is_open(shard)
                && shard.hash_key_range.start_u128() < start
                && start <= shard.hash_key_range.end_u128()
        };
        if let Some(at) = stream.shards.iter().position(inside) {
            let (low, high) = bounds(&stream.shards[at]);
            close(stream, at, now);
            open(stream, (low, start - 1), [Some(at), None], now);
            open(stream, (start, high), [Some(at), None], now);
        }
    }
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).map_or(u128::MAX, |next| next - 1);
        loop {
            let mut parts: Vec<_> = (0..stream.shards.len())
                .filter(|&at| is_open(&stream.shards[at]))
                .filter(|&at| (start..=end).contains(&bounds(&stream.shards[at]).0))
                .collect();
            parts.sort_by_key(|&at| bounds(&stream.shards[at]).0);
            let [first, second, ..] = parts[..] else {
                break;
            };
            let whole = (
                bounds(&stream.shards[first]).0,
                bounds(&stream.shards[second]).1,
            );
            close(stream, first, now);
            close(stream, second, now);
            open(stream, whole, [Some(first), Some(second)], now);
        }
    }
}

fn bounds(shard: &Shard) -> (u128, u128) {
    (
        shard.hash_key_range.start_u128(),
        shard.hash_key_range.end_u128(),
    )
}

/// When the shard was made, as its sequence numbers have it.
fn made(shard: &Shard) -> u64 {
    parse_sequence(&shard.sequence_number_range.starting_sequence_number)
        .map_or(0, |number| number.shard_create_time)
}

fn close(stream: &mut Stream, at: usize, now: u64) {
    let shard = &mut stream.shards[at];
    let made = made(shard);
    shard.sequence_number_range.ending_sequence_number =
        Some(number(at, made, Some(MAX_SEQ_IX), now.max(made)));
}

fn open(stream: &mut Stream, (start, end): (u128, u128), parents: [Option<usize>; 2], now: u64) {
    let at = stream.shards.len();
    // Numbers begin with the time of their shard in seconds: later than the parents', they are greater than theirs.
    let youngest = parents
        .iter()
        .flatten()
        .map(|&parent| made(&stream.shards[parent]))
        .max();
    let made = youngest.unwrap_or(0).max(now) + 1000;
    let [parent, adjacent] = parents.map(|parent| parent.map(|at| shard_id_name(at as i64)));
    stream.shards.push(Shard {
        shard_id: shard_id_name(at as i64),
        parent_shard_id: parent,
        adjacent_parent_shard_id: adjacent,
        hash_key_range: HashKeyRange::new(start.to_string(), end.to_string()),
        sequence_number_range: SequenceNumberRange {
            starting_sequence_number: number(at, made, None, made),
            ending_sequence_number: None,
        },
    });
}

fn number(shard: usize, made: u64, index: Option<u64>, time: u64) -> String {
    stringify_sequence(&SeqObj {
        shard_create_time: made,
        shard_ix: shard as i64,
        seq_ix: index,
        seq_time: Some(time),
        byte1: None,
        seq_rand: None,
        version: 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrokinesis::types::{EpochSeconds, StreamBuilder};

    fn stream(shards: u32) -> Stream {
        let mut stream = StreamBuilder::new(
            "s".to_owned(),
            "arn".to_owned(),
            StreamStatus::Updating,
            EpochSeconds(1.0),
            Vec::new(),
        )
        .build();
        open(&mut stream, (0, u128::MAX), [None, None], 1_000_000);
        reshard(&mut stream, shards, 1_001_000);
        stream
    }

    #[test]
    fn the_open_shards_cover_all_keys_in_equal_parts_and_know_their_parents() {
        for from in 1..=9 {
            for to in 1..=18 {
                let mut stream = stream(from);
                reshard(&mut stream, to, 2_000_000);
                let mut open: Vec<_> = open_shards(&stream).map(bounds).collect();
                open.sort_unstable();
                assert_eq!(open.len(), to as usize, "{from} to {to}");
                assert_eq!((open[0].0, open[open.len() - 1].1), (0, u128::MAX));
                assert!(
                    open.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0),
                    "{from} to {to}"
                );
                let size = |(start, end): &(u128, u128)| (end - start) as f64;
                assert!(open
                    .iter()
                    .all(|part| (size(part) / size(&open[0]) - 1.0).abs() < 1e-9));
                for shard in &stream.shards[1..] {
                    for parent in [&shard.parent_shard_id, &shard.adjacent_parent_shard_id]
                        .into_iter()
                        .flatten()
                    {
                        let parent = stream.shards.iter().find(|other| other.shard_id == *parent);
                        let parent = parent.expect("a parent there is");
                        assert!(!is_open(parent));
                        let last = parent
                            .sequence_number_range
                            .ending_sequence_number
                            .as_deref();
                        let first = &shard.sequence_number_range.starting_sequence_number;
                        assert!(last.expect("closed") < first.as_str(), "{from} to {to}");
                    }
                }
            }
        }
    }
}
