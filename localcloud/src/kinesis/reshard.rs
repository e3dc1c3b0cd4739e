//! Splitting, merging, and setting the number of shards, within what AWS allows of each.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html>.

use super::input::{Input, HASH_KEY, NAME};
use super::stream::Change;
use super::{could_not_find, id_of, invalid, Entry, Kinesis, MAX_SHARDS};
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::quotas;
use crate::wire::error::ApiError;
use serde_json::{json, Value};

/// How often the number of a stream's shards may be set in 24 hours.
const COUNTS_A_DAY: usize = quotas::RESHARD_DAY;
const DAY: Millis = 24 * 60 * 60 * 1000;

impl Kinesis {
    pub(super) fn split_shard(&self, input: &Input) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        let shard = shard_of(input, "ShardToSplit", name)?;
        let key = input.words("NewStartingHashKey", &HASH_KEY)?;
        let key = input.need("NewStartingHashKey", key)?;
        let key: u128 = key.parse().map_err(|_| {
            invalid(format!(
                "NewStartingHashKey {key} must be in the range: [0, 2^128-1]."
            ))
        })?;
        self.change(name, |_, _| Ok((Change::Split(shard, key), 1)))
    }

    pub(super) fn merge_shards(&self, input: &Input) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        let one = shard_of(input, "ShardToMerge", name)?;
        let other = shard_of(input, "AdjacentShardToMerge", name)?;
        self.change(name, |_, _| Ok((Change::Merge(one, other), 0)))
    }

    pub(super) fn update_shard_count(&self, input: &Input) -> Result<Value, ApiError> {
        let name = input.need_stream()?;
        let target = input.number("TargetShardCount", 1..=100_000)?;
        let target = input.need("TargetShardCount", target)?;
        let kind = input.one_of("ScalingType", &["UNIFORM_SCALING"])?;
        input.need("ScalingType", kind)?;
        let mut answer = Value::Null;
        self.change(name, |entry, now| {
            let current = entry.log.open_shards();
            entry.check_count(now, current, target as usize)?;
            answer = json!({
                "StreamName": name,
                "StreamARN": entry.arn,
                "CurrentShardCount": current,
                "TargetShardCount": target,
            });
            Ok((
                Change::Count(target),
                (target as usize).saturating_sub(current),
            ))
        })?;
        Ok(answer)
    }

    /// Begins a change of the shards, after which there may be so many more.
    fn change(
        &self,
        name: &str,
        plan: impl FnOnce(&mut Entry, Millis) -> Result<(Change, usize), ApiError>,
    ) -> Result<Value, ApiError> {
        let mut state = self.lock();
        let now = self.0.clock.now();
        self.pass(&mut state, name, now);
        let entry = state.streams.get_mut(name);
        let entry = entry.ok_or_else(|| super::no_stream(name))?;
        entry.check_provisioned()?;
        let (change, more) = plan(entry, now)?;
        if more > 0 {
            state.check_room(more)?;
        }
        let entry = state.streams.get_mut(name);
        let entry = entry.ok_or_else(|| super::no_stream(name))?;
        entry.begin(now, change)?;
        if let Change::Count(_) = change {
            entry.counts_set_at.push_back(now);
        }
        Ok(Value::Null)
    }
}

impl Entry {
    fn check_provisioned(&self) -> Result<(), ApiError> {
        match self.is_on_demand {
            false => Ok(()),
            true => Err(ApiError::sender(
                "ValidationException",
                format!(
                    "Stream {} under account {ACCOUNT} is in On-Demand mode: its shards can't be changed.",
                    self.name
                ),
            )),
        }
    }

    fn check_count(&mut self, now: Millis, current: usize, target: usize) -> Result<(), ApiError> {
        let limit = |message: String| Err(ApiError::sender("LimitExceededException", message));
        if target > current * quotas::RESHARD_FACTOR {
            return limit(format!(
                "UpdateShardCount cannot scale up over double your current open shard count. \
                 Current open shard count: {current} Target shard count: {target}"
            ));
        }
        if target < current.div_ceil(quotas::RESHARD_FACTOR) {
            return limit(format!(
                "UpdateShardCount cannot scale down below half your current open shard count. \
                 Current open shard count: {current} Target shard count: {target}"
            ));
        }
        if target > MAX_SHARDS {
            return limit(format!(
                "Target shard count or number of open shards cannot be greater than {MAX_SHARDS}."
            ));
        }
        while self.counts_set_at.front().is_some_and(|at| at + DAY <= now) {
            self.counts_set_at.pop_front();
        }
        if self.counts_set_at.len() >= COUNTS_A_DAY {
            return limit(format!(
                "UpdateShardCount cannot be called more than {COUNTS_A_DAY} times in a rolling 24-hour period for stream {} \
                 under account {ACCOUNT}.",
                self.name
            ));
        }
        Ok(())
    }
}

/// The number of the shard that a field names.
fn shard_of(input: &Input, field: &str, stream: &str) -> Result<u32, ApiError> {
    let shard = input.need(field, input.words(field, &NAME)?)?;
    id_of(shard).ok_or_else(|| could_not_find(shard, stream))
}
