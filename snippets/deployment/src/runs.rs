//! How often a function has run what it was sent.

use crate::Scratch;
use snippets::Result;
use std::fmt;
use std::time::Duration;
use tokio::time::sleep;

/// Ten items for an experiment to send, one of them bad.
pub const TEN: [&str; 10] = ["1", "2", "3", "4", "poison", "6", "7", "8", "9", "10"];

// ANCHOR: runs
/// How often a function has run each item, in the order of their sending.
pub struct Runs(Vec<(&'static str, usize)>);

impl Runs {
    /// Counts in what the function has written: it prints each item that it runs.
    pub async fn count(function: &Scratch, items: &[&'static str]) -> Result<Self> {
        let written = function.written().await?;
        let runs = |item: &&str| written.iter().filter(|line| line == item).count();
        let counted = items.iter().map(|item| (*item, runs(item)));
        Ok(Self(counted.collect()))
    }

    /// Counts until `item` has run so often, for a minute at most.
    pub async fn until(
        function: &Scratch,
        items: &[&'static str],
        item: &str,
        times: usize,
    ) -> Result<Self> {
        for _ in 0..120 {
            let runs = Self::count(function, items).await?;
            if runs.of(item) >= times {
                return Ok(runs);
            }
            sleep(Duration::from_millis(500)).await;
        }
        Err(format!("{item} has not run {times} times in a minute").into())
    }

    pub fn of(&self, item: &str) -> usize {
        let mut found = self.0.iter().filter(|(of, _)| *of == item);
        found.next().map_or(0, |(_, runs)| *runs)
    }

    /// How often each has run since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let more = |(item, runs): &(&'static str, usize)| (*item, runs - earlier.of(item));
        Self(self.0.iter().map(more).collect())
    }

    /// The items that have run so often.
    pub fn ran(&self, times: impl Fn(usize) -> bool) -> Vec<&'static str> {
        let found = self.0.iter().filter(|(_, runs)| times(*runs));
        found.map(|(item, _)| *item).collect()
    }
}
// ANCHOR_END: runs

/// A line for each number of runs.
impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.0.iter().map(|(_, runs)| *runs).max();
        let lines = (0..=most.unwrap_or(0)).filter_map(|times| {
            let items = self.ran(|runs| runs == times).join(", ");
            let often = match times {
                0 => "never".to_owned(),
                1 => "once".to_owned(),
                _ => format!("{times} times"),
            };
            (!items.is_empty()).then(|| format!("  {often}: {items}"))
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}
