//! A FIFO queue's memory of the last five minutes: the sends, so that a repeated one is taken for the same,
//! and the receives, so that one whose answer was lost can be repeated. It remembers a send though the message is
//! deleted: this is about sending once, not about processing once.
//!
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>.

use crate::clock::Millis;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How long a deduplication id, or a receive's attempt id, is remembered.
pub const INTERVAL: Millis = crate::quotas::DEDUPLICATION_INTERVAL;

/// Values that are forgotten five minutes after they came.
pub struct Memory<K, V> {
    values: HashMap<K, V>,
    by_age: VecDeque<(Millis, K)>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Memory<K, V> {
    /// The value remembered for `key`, unless it is too old.
    pub fn recall(&mut self, now: Millis, key: &K) -> Option<&V> {
        while let Some((since, _)) = self.by_age.front() {
            if since + INTERVAL > now {
                break;
            }
            if let Some((_, key)) = self.by_age.pop_front() {
                self.values.remove(&key);
            }
        }
        self.values.get(key)
    }

    /// Remembers `value` from now on. Only for what [`Memory::recall`] did not find.
    pub fn remember(&mut self, now: Millis, key: K, value: V) {
        self.by_age.push_back((now, key.clone()));
        self.values.insert(key, value);
    }
}

/// The deduplication id of content-based deduplication: the SHA-256 of the body, and of nothing else.
pub fn of_content(body: &str) -> String {
    Sha256::digest(body.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_remembered_for_five_minutes() {
        let mut memory = Memory::default();
        memory.remember(1000, "a", 1);
        memory.remember(2000, "b", 2);
        assert_eq!(memory.recall(1000 + INTERVAL - 1, &"a"), Some(&1));
        assert_eq!(memory.recall(1000 + INTERVAL, &"a"), None);
        assert_eq!(memory.recall(1000 + INTERVAL, &"b"), Some(&2));
        memory.remember(1000 + INTERVAL, "a", 3);
        assert_eq!(memory.recall(2000 + INTERVAL, &"a"), Some(&3));
        assert_eq!(memory.recall(2000 + INTERVAL, &"b"), None);
    }

    #[test]
    fn the_id_of_content_is_its_sha_256() {
        assert_eq!(
            of_content("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
