//! The one clock of the local cloud. Everything that waits, waits here, so that moving the clock by five
//! minutes wakes whoever was due in those five minutes.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Milliseconds since the Unix epoch, as AWS writes its timestamps.
pub type Millis = u64;

/// A wall clock that can be moved forward, never back. Clones show the same time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    started: Instant,
    started_at: Millis,
    moved: watch::Sender<Millis>,
}

impl Clock {
    pub fn new() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(Arc::new(Inner {
            started: Instant::now(),
            started_at: since_epoch.as_millis() as Millis,
            moved: watch::Sender::new(0),
        }))
    }

    /// The time in the local cloud: the machine's, plus what the clock was moved by.
    pub fn now(&self) -> Millis {
        let moved = *self.0.moved.borrow();
        self.0.started_at + self.0.started.elapsed().as_millis() as Millis + moved
    }

    /// How far the clock has been moved since the start.
    pub fn moved(&self) -> Duration {
        Duration::from_millis(*self.0.moved.borrow())
    }

    /// Moves the clock forward and wakes everyone who waits for a time.
    pub fn advance(&self, by: Duration) {
        self.0
            .moved
            .send_modify(|moved| *moved += by.as_millis() as Millis);
    }

    /// Returns when the clock shows `time` or later.
    pub async fn sleep_until(&self, time: Millis) {
        let mut moves = self.0.moved.subscribe();
        loop {
            let left = time.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = moves.changed() => {}
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn moving_the_clock_wakes_a_sleeper() {
        let clock = Clock::new();
        let due = clock.now() + 12 * 60 * 60 * 1000;
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(due).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(12 * 60 * 60));
        sleeper.await.expect("the sleeper returns");
        assert!(clock.now() >= due);
    }
}
