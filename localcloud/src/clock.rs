//! The one clock of the local cloud. Everything that waits, waits here, so that moving the clock by five
//! minutes wakes whoever was due in those five minutes.

use crate::lock::lock;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Milliseconds since the Unix epoch, as AWS writes its timestamps.
pub type Millis = u64;

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A patient clock looks so often within its patience, and each time all must be quiet.
const LOOKS: u32 = 4;

/// How a clock goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// With the machine's clock.
    #[default]
    Machine,
    /// For tests: with the machine's clock; and when someone waits for a time and nobody has asked for anything for
    /// so long, it goes to that time. So the end of a long poll costs a moment, not its twenty seconds.
    Patient(Duration),
    /// For tests: only [`Clock::advance`] moves it. A second is over when the test says so.
    Stopped,
}

/// A wall clock that can be moved forward, never back. Clones show the same time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    started: Instant,
    started_at: Millis,
    moved: watch::Sender<Millis>,
    pace: Pace,
    requests: AtomicU64,
    /// How much is being worked on, see [`Clock::work`].
    at_work: AtomicU64,
    /// See [`Clock::watch`].
    watched: Mutex<Vec<u32>>,
    /// The times that are waited for, each with a number of its own.
    awaited: Mutex<BTreeSet<(Millis, u64)>>,
    next: AtomicU64,
}

impl Clock {
    /// A clock that goes as this machine's does.
    pub fn new() -> Self {
        Self::with_pace(Pace::Machine)
    }

    /// A clock that goes at this pace, from this machine's time on.
    pub fn with_pace(pace: Pace) -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(Arc::new(Inner {
            started: Instant::now(),
            started_at: since_epoch.as_millis() as Millis,
            moved: watch::Sender::new(0),
            pace,
            requests: AtomicU64::new(0),
            at_work: AtomicU64::new(0),
            watched: Mutex::default(),
            awaited: Mutex::default(),
            next: AtomicU64::new(0),
        }))
    }

    /// Somebody asks for something.
    pub fn note_request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody works, as long as the answer lives: an impatient clock stays where it is, so that nothing runs out
    /// under a function's hands.
    pub fn work(&self) -> Work {
        self.0.at_work.fetch_add(1, Ordering::Relaxed);
        Work(self.clone())
    }

    /// While this process, or one that it has started, computes or waits for its turn to, a patient clock stays where
    /// it is: on a busy machine a program that would ask for something in a moment has not come to it yet. Only Linux
    /// tells; elsewhere this does nothing.
    pub fn watch(&self, process: u32) -> Watched {
        self.watched().push(process);
        Watched(self.clone(), process)
    }

    /// The time in the local cloud: the machine's, plus what the clock was moved by.
    pub fn now(&self) -> Millis {
        let moved = *self.0.moved.borrow();
        let gone = match self.0.pace {
            Pace::Stopped => 0,
            Pace::Machine | Pace::Patient(_) => self.0.started.elapsed().as_millis() as Millis,
        };
        self.0.started_at + gone + moved
    }

    /// When the local cloud started.
    pub fn started_at(&self) -> Millis {
        self.0.started_at
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

    /// Returns when nothing is being worked on any more, or after `longest` by the machine's clock.
    pub async fn until_idle(&self, longest: Duration) {
        let idle = async {
            while self.is_at_work() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let _ = tokio::time::timeout(longest, idle).await;
    }

    /// Returns when the clock shows `time` or later.
    pub async fn sleep_until(&self, time: Millis) {
        let sleeper = Sleeper::enter(self, time);
        self.wait(time, Some(&sleeper)).await;
    }

    /// The same for a wait that begins again whenever it ends, such as a poller's. It counts for nothing to an
    /// impatient clock, which would run for ever after it.
    pub async fn idle_until(&self, time: Millis) {
        self.wait(time, None).await;
    }

    async fn wait(&self, time: Millis, sleeper: Option<&Sleeper<'_>>) {
        let patience = match self.0.pace {
            Pace::Patient(patience) if sleeper.is_some() => Some(patience),
            _ => None,
        };
        let look = patience.map(|patience| patience / LOOKS);
        let mut quiet_looks = 0;
        let mut moves = self.0.moved.subscribe();
        loop {
            let left = Duration::from_millis(time.saturating_sub(self.now()));
            if left.is_zero() {
                return;
            }
            let requests = self.requests();
            tokio::select! {
                () = tokio::time::sleep(look.unwrap_or(left).min(left)), if self.0.pace != Pace::Stopped => {
                    if look.is_none() || !sleeper.is_some_and(Sleeper::is_first) || !self.is_quiet(requests) {
                        quiet_looks = 0;
                        continue;
                    }
                    quiet_looks += 1;
                    if quiet_looks == LOOKS {
                        self.advance(left);
                    }
                }
                _ = moves.changed() => quiet_looks = 0,
            }
        }
    }

    /// Nobody has asked for anything since there were so many requests, and nobody is about to.
    fn is_quiet(&self, requests: u64) -> bool {
        requests == self.requests()
            && !self.is_at_work()
            && !self.watched().iter().any(|process| is_busy(*process))
    }

    fn watched(&self) -> MutexGuard<'_, Vec<u32>> {
        lock(&self.0.watched)
    }

    fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    fn is_at_work(&self) -> bool {
        self.0.at_work.load(Ordering::Relaxed) > 0
    }

    fn awaited(&self) -> MutexGuard<'_, BTreeSet<(Millis, u64)>> {
        lock(&self.0.awaited)
    }
}

/// Work under way, see [`Clock::work`].
pub struct Work(Clock);

impl Drop for Work {
    fn drop(&mut self) {
        // Patience begins anew.
        self.0.note_request();
        self.0 .0.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A process that is watched, see [`Clock::watch`].
pub struct Watched(Clock, u32);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.watched().retain(|process| *process != self.1);
    }
}

/// Whether a thread of this process, or of one that it has started, runs, waits for its turn, or for the disk.
fn is_busy(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    threads.into_iter().flatten().flatten().any(|thread| {
        let read = |file| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let stat = read("stat");
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('R' | 'D'))
            || read("children")
                .split_whitespace()
                .any(|child| child.parse().is_ok_and(is_busy))
    })
}

/// One of those who wait for a time.
struct Sleeper<'a> {
    clock: &'a Clock,
    key: (Millis, u64),
}

impl<'a> Sleeper<'a> {
    fn enter(clock: &'a Clock, time: Millis) -> Self {
        let key = (time, clock.0.next.fetch_add(1, Ordering::Relaxed));
        clock.awaited().insert(key);
        Self { clock, key }
    }

    fn is_first(&self) -> bool {
        self.clock.awaited().first() == Some(&self.key)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.awaited().remove(&self.key);
    }
}

/// `2026-11-23T08:00:00`
pub fn date_time(at: Millis) -> String {
    let seconds = at / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // From the first of March 0000 on, leap days come last in a year of the Gregorian calendar's 400.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// `2026-11-23T08:00:00.123Z`
pub fn timestamp(at: Millis) -> String {
    format!("{}.{:03}Z", date_time(at), at % 1000)
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

    #[tokio::test]
    async fn a_stopped_clock_goes_where_it_is_moved() {
        let clock = Clock::with_pace(Pace::Stopped);
        let (began, due) = (clock.now(), clock.now() + 50);
        let moved = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(clock.now(), began);
            clock.advance(Duration::from_millis(50));
        };
        tokio::join!(clock.sleep_until(due), moved);
        assert_eq!(clock.now(), due);
    }

    #[tokio::test]
    async fn an_impatient_clock_goes_to_the_first_time_waited_for() {
        let clock = Clock::with_pace(Pace::Patient(Duration::from_millis(20)));
        let (near, far) = (clock.now() + 3_600_000, clock.now() + 7_200_000);
        let began = Instant::now();
        tokio::join!(clock.sleep_until(far), async {
            clock.sleep_until(near).await;
            assert!(clock.now() < far, "one after the other");
        });
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn while_somebody_asks_an_impatient_clock_stays() {
        let clock = Clock::with_pace(Pace::Patient(Duration::from_millis(200)));
        let busy = async {
            for _ in 0..100 {
                clock.note_request();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = clock.sleep_until(clock.now() + 3_600_000) => panic!("it went there"),
            () = busy => {}
        }
        assert!(clock.moved().is_zero());
    }

    #[tokio::test]
    async fn while_somebody_works_an_impatient_clock_stays() {
        let clock = Clock::with_pace(Pace::Patient(Duration::from_millis(20)));
        let (work, due) = (clock.work(), clock.now() + 3_600_000);
        let released = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert!(clock.moved().is_zero(), "it went there");
            drop(work);
        };
        tokio::join!(clock.sleep_until(due), released);
        assert!(clock.now() >= due);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn while_a_watched_process_computes_a_patient_clock_stays() {
        // The shell waits; the one that it has started computes until it is gone.
        let inner = "sh -c 'while kill -0 $PPID 2> /dev/null; do :; done' & wait";
        let mut busy = std::process::Command::new("sh")
            .args(["-c", inner])
            .spawn()
            .expect("a shell");
        let clock = Clock::with_pace(Pace::Patient(Duration::from_millis(20)));
        let watched = clock.watch(busy.id());
        let due = clock.now() + 3_600_000;
        let ended = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(clock.moved().is_zero(), "it went there");
            drop(watched);
        };
        tokio::join!(clock.sleep_until(due), ended);
        assert!(busy.kill().is_ok() && busy.wait().is_ok());
    }

    #[tokio::test]
    async fn until_idle_waits_for_work_but_not_for_ever() {
        let clock = Clock::new();
        let (work, began) = (clock.work(), Instant::now());
        clock.until_idle(Duration::from_millis(100)).await;
        assert!(began.elapsed() >= Duration::from_millis(100));
        let released = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(work);
        };
        let long = Duration::from_secs(60);
        tokio::join!(clock.until_idle(long), released);
        assert!(!clock.is_at_work() && began.elapsed() < long);
    }

    #[tokio::test]
    async fn an_idle_wait_moves_no_clock_but_ends_with_it() {
        let clock = Clock::with_pace(Pace::Patient(Duration::from_millis(20)));
        let due = clock.now() + 3_600_000;
        let idle = async {
            clock.idle_until(due).await;
            assert!(clock.now() >= due);
        };
        let moved = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert!(clock.moved().is_zero(), "it went there");
            clock.advance(Duration::from_secs(3600));
        };
        tokio::join!(idle, moved);
    }
}
