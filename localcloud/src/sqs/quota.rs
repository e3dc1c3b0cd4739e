//! The quota of a FIFO queue without high throughput, for each action: 300 calls and 3,000 messages a second.
//! See <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.

use crate::clock::Millis;
use crate::quotas;

const CALLS_A_SECOND: usize = quotas::FIFO_CALLS;
const MESSAGES_A_SECOND: usize = quotas::FIFO_MESSAGES;

/// The part of the quota that is used up in the present second.
#[derive(Default)]
pub struct Quota {
    second: Millis,
    calls: usize,
    messages: usize,
}

impl Quota {
    /// Counts a call. False when it is beyond the quota.
    pub fn allows(&mut self, now: Millis, messages: usize) -> bool {
        if self.second != now / 1000 {
            *self = Self {
                second: now / 1000,
                ..Self::default()
            };
        }
        self.calls += 1;
        self.messages += messages;
        self.calls <= CALLS_A_SECOND && self.messages <= MESSAGES_A_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_quota() {
        for (messages, calls) in [(1, 300), (10, 300), (20, 150)] {
            let mut quota = Quota::default();
            for second in [1000, 2999] {
                let allowed = (0..500).filter(|_| quota.allows(second, messages)).count();
                assert_eq!(allowed, calls, "{messages} at a time");
            }
        }
    }
}
