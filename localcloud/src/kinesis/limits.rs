//! How often a second the calls that carry no records may be made.
//! See <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>.

use super::input::Input;
use super::Kinesis;
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::faults::Kind;
use crate::wire::error::ApiError;
use std::collections::HashMap;

/// Whose calls are counted together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Account,
    Stream,
    Shard,
}

const LIMITS: [(&str, Of, usize); 21] = [
    ("AddTagsToStream", Of::Account, 5),
    ("CreateStream", Of::Account, 5),
    ("DecreaseStreamRetentionPeriod", Of::Stream, 5),
    ("DeleteStream", Of::Account, 5),
    ("DeregisterStreamConsumer", Of::Stream, 5),
    ("DescribeLimits", Of::Account, 1),
    ("DescribeStream", Of::Account, 10),
    ("DescribeStreamConsumer", Of::Stream, 20),
    ("DescribeStreamSummary", Of::Account, 20),
    ("DisableEnhancedMonitoring", Of::Stream, 5),
    ("EnableEnhancedMonitoring", Of::Stream, 5),
    ("GetShardIterator", Of::Shard, 5),
    ("IncreaseStreamRetentionPeriod", Of::Stream, 5),
    ("ListShards", Of::Stream, 1000),
    ("ListStreamConsumers", Of::Stream, 5),
    ("ListStreams", Of::Account, 5),
    ("ListTagsForStream", Of::Account, 5),
    ("MergeShards", Of::Account, 5),
    ("RegisterStreamConsumer", Of::Stream, 5),
    ("RemoveTagsFromStream", Of::Account, 5),
    ("SplitShard", Of::Account, 5),
];

/// The calls of the present second, by operation and by whose they are.
#[derive(Default)]
pub(super) struct Calls {
    second: Millis,
    counts: HashMap<(&'static str, String), usize>,
}

impl Calls {
    /// Counts a call. False when it is beyond the limit.
    fn allows(
        &mut self,
        now: Millis,
        operation: &'static str,
        whose: String,
        limit: usize,
    ) -> bool {
        if self.second != now / 1000 {
            self.second = now / 1000;
            self.counts.clear();
        }
        let count = self.counts.entry((operation, whose)).or_default();
        *count += 1;
        *count <= limit
    }
}

impl Kinesis {
    // Differs from AWS: kinesis-rates: calls that carry no records keep to their limits only while that fault is asked for.
    pub(super) fn check_rate(&self, operation: &str, input: &Input) -> Result<(), ApiError> {
        let faults = &self.0.faults;
        let Some((operation, of, limit)) = LIMITS.iter().find(|(name, ..)| *name == operation)
        else {
            return Ok(());
        };
        if !faults.is_waiting(Kind::StreamQuota, operation) {
            return Ok(());
        }
        let mut whose = String::new();
        if *of != Of::Account {
            whose += input.stream()?.unwrap_or_default();
        }
        if *of == Of::Shard {
            whose += input.text("ShardId")?.unwrap_or_default();
        }
        let mut state = self.lock();
        let now = self.0.clock.now();
        let is_allowed = state.calls.allows(now, operation, whose, *limit);
        if is_allowed || !faults.take(Kind::StreamQuota, operation) {
            return Ok(());
        }
        let code = match of {
            Of::Shard => "ProvisionedThroughputExceededException",
            _ => "LimitExceededException",
        };
        Err(ApiError::sender(
            code,
            format!("Rate exceeded for {operation} under account {ACCOUNT}."),
        ))
    }
}
