//! A stream, as a state machine: shards that share out the hash keys, split and merge, the time passed in.
//!
//! At any time each hash key belongs to one open shard. A change of the shards closes some and opens others in their
//! place; a closed shard takes nothing more and can be read until it is forgotten. Who reads parents to their end before
//! their children sees the records of a key in order, whatever happens to the shards.
//!
//! See <https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html>.

use super::sequence::Number;
use super::shard::{Batch, Position, Record, Shard, Start, Throttled, WRITE_BYTES, WRITE_RECORDS};
use crate::clock::Millis;
use std::collections::{BTreeMap, VecDeque};

/// What a stream is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Creating,
    Active,
    Updating,
    Deleting,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
        }
    }
}

/// What is to happen to a stream after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It gets its first shards.
    Create(u32),
    /// The shard is split: its second half begins with this hash key.
    Split(u32, u128),
    Merge(u32, u32),
    /// It gets so many open shards, all of the same size.
    Count(u32),
    /// Something that shards have no part in.
    Other,
    Delete,
}

/// What the passing of time did to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    Created,
    /// Shards were opened, closed or forgotten.
    Resharded,
    Updated,
    Deleted,
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another change is under way.
    Busy(Status),
    NoShard(u32),
    /// The shard was merged or split before.
    Closed(u32),
    NotAdjacent,
    /// A shard of this range can't be split there.
    Nowhere((u128, u128)),
}

// ANCHOR: state
/// The shards of one stream.
pub struct Stream {
    shards: BTreeMap<u32, Shard>,
    /// The open ones, by the first hash key of each.
    open: BTreeMap<u128, u32>,
    /// The closed ones, in the order in which that happened.
    closed: VecDeque<u32>,
    // ANCHOR_END: state
    next: u32,
    /// How long a record is kept.
    pub retention: Millis,
    status: Status,
    /// What is under way, and when it is done.
    change: Option<(Millis, Change)>,
    created_at: Millis,
    written: Written,
    bytes: usize,
}

/// What the present second brought to all shards together.
#[derive(Default)]
struct Written {
    began: Millis,
    bytes: usize,
    records: usize,
}

impl Stream {
    /// A stream that will have so many shards.
    pub fn create(shards: u32, retention: Millis, due: Millis) -> Self {
        Self {
            shards: BTreeMap::new(),
            open: BTreeMap::new(),
            closed: VecDeque::new(),
            next: 0,
            retention,
            status: Status::Creating,
            change: Some((due, Change::Create(shards))),
            created_at: due,
            written: Written::default(),
            bytes: 0,
        }
    }

    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether records can be put and got.
    pub fn is_there(&self) -> bool {
        matches!(self.status, Status::Active | Status::Updating)
    }

    /// All shards that are not forgotten, the oldest first.
    pub fn shards(&self) -> impl DoubleEndedIterator<Item = &Shard> {
        self.shards.values()
    }

    /// The shards after this one, or all.
    pub fn shards_after(&self, after: Option<u32>) -> impl Iterator<Item = &Shard> {
        let from = after.map_or(0, |id| id.saturating_add(1));
        self.shards.range(from..).map(|(_, shard)| shard)
    }

    pub fn shard(&self, id: u32) -> Option<&Shard> {
        self.shards.get(&id)
    }

    /// Whether there was such a shard that is forgotten by now.
    pub fn had(&self, id: u32) -> bool {
        id < self.next && !self.shards.contains_key(&id)
    }

    pub fn open_shards(&self) -> usize {
        self.open.len()
    }

    /// How many open shards there are, or will be when what is under way is done.
    pub fn planned_shards(&self) -> usize {
        let open = self.open.len();
        match self.change {
            Some((_, Change::Create(shards))) => shards as usize,
            Some((_, Change::Split(..))) => open + 1,
            Some((_, Change::Count(shards))) => open.max(shards as usize),
            _ => open,
        }
    }

    /// Bytes of the records that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The oldest record that may still be there arrived at this time or later.
    pub fn horizon(&self, now: Millis) -> Millis {
        now.saturating_sub(self.retention).max(self.created_at)
    }

    // ANCHOR: route
    /// The open shard that takes a hash key.
    pub fn route(&self, hash: u128) -> Option<u32> {
        let (_, id) = self.open.range(..=hash).next_back()?;
        Some(*id)
    }
    // ANCHOR_END: route

    /// Takes a record in; gives its number, or the shard whose second is used up. None while there are no shards.
    pub fn put(&mut self, hash: u128, record: Record) -> Option<Result<Number, u32>> {
        let (now, size) = (record.arrived_at, record.size());
        let id = self.route(hash)?;
        let shard = self.keep(now, id)?;
        let number = match shard.put(record) {
            Ok(number) => number,
            Err(Throttled) => return Some(Err(id)),
        };
        self.bytes += size;
        if now >= self.written.began + 1000 {
            let began = now;
            self.written = Written {
                began,
                ..Written::default()
            };
        }
        self.written.bytes += size;
        self.written.records += 1;
        Some(Ok(number))
    }

    /// Where a reader that begins so finds its first record. None when there is no such shard.
    pub fn place(&mut self, now: Millis, id: u32, start: Start) -> Option<Position> {
        Some(self.keep(now, id)?.place(start))
    }

    /// A read that counts against the shard's second.
    pub fn get(
        &mut self,
        now: Millis,
        id: u32,
        from: Position,
        limit: usize,
    ) -> Option<Result<Batch, Throttled>> {
        Some(self.keep(now, id)?.get(now, from, limit))
    }

    /// A read that has a second of its own.
    pub fn read(
        &mut self,
        now: Millis,
        id: u32,
        from: Position,
        limit: usize,
        bytes: usize,
    ) -> Option<Batch> {
        Some(self.keep(now, id)?.read(now, from, limit, bytes))
    }

    /// A shard without what its retention no longer keeps.
    fn keep(&mut self, now: Millis, id: u32) -> Option<&mut Shard> {
        let horizon = now.saturating_sub(self.retention);
        let shard = self.shards.get_mut(&id)?;
        self.bytes -= shard.forget(horizon);
        Some(shard)
    }

    /// Forgets all that the retention no longer keeps, in every shard.
    pub fn forget(&mut self, now: Millis) {
        let horizon = now.saturating_sub(self.retention);
        for shard in self.shards.values_mut() {
            self.bytes -= shard.forget(horizon);
        }
    }

    // Differs from AWS: on-demand-shards: a stream on demand doubles at once, and never gives shards back.
    // ANCHOR: grow
    /// How many shards a stream on demand should have: room for twice the most that a second has brought.
    pub fn growth(&self) -> Option<u32> {
        let open = self.open.len();
        let is_busy = self.written.bytes > open * WRITE_BYTES / 2
            || self.written.records > open * WRITE_RECORDS / 2;
        (is_busy && self.status == Status::Active).then_some(open as u32 * 2)
    }
    // ANCHOR_END: grow

    /// Begins a change that is done when it is due.
    pub fn begin(&mut self, due: Millis, change: Change) -> Result<(), Refusal> {
        if change == Change::Delete {
            self.status = Status::Deleting;
        } else {
            self.check(change)?;
            self.status = Status::Updating;
        }
        self.change = Some((due, change));
        Ok(())
    }

    fn check(&self, change: Change) -> Result<(), Refusal> {
        if self.status != Status::Active {
            return Err(Refusal::Busy(self.status));
        }
        let open = |id: u32| match self.shards.get(&id) {
            None => Err(Refusal::NoShard(id)),
            Some(shard) if !shard.is_open() => Err(Refusal::Closed(id)),
            Some(shard) => Ok(shard),
        };
        match change {
            Change::Split(id, at) => {
                let range = open(id)?.range;
                if at <= range.0.saturating_add(1) || at >= range.1 {
                    return Err(Refusal::Nowhere(range));
                }
            }
            Change::Merge(one, other) => {
                let (one, other) = (open(one)?.range, open(other)?.range);
                let follows = |a: (u128, u128), b: (u128, u128)| a.1.checked_add(1) == Some(b.0);
                if !follows(one, other) && !follows(other, one) {
                    return Err(Refusal::NotAdjacent);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// When what is under way will be done.
    pub fn next_due(&self) -> Option<Millis> {
        self.change.map(|(due, _)| due)
    }

    /// When the next closed shard is forgotten.
    pub fn next_forgotten(&self) -> Option<Millis> {
        let closed_at = self.shards.get(self.closed.front()?)?.closed_at?;
        Some(closed_at + self.retention + 1)
    }

    // ANCHOR: pass
    /// Does what is due by now. To be called before anything else is asked of the stream.
    pub fn pass(&mut self, now: Millis) -> Vec<Passed> {
        let mut passed = Vec::new();
        if let Some((due, change)) = self.change.filter(|(due, _)| *due <= now) {
            self.change = None;
            passed.push(self.apply(due, change));
        }
        let mut is_forgotten = false;
        while self.next_forgotten().is_some_and(|due| due <= now) {
            if let Some(shard) = self
                .closed
                .pop_front()
                .and_then(|id| self.shards.remove(&id))
            {
                self.bytes -= shard.bytes();
                is_forgotten = true;
            }
        }
        if is_forgotten {
            passed.push(Passed::Resharded);
        }
        passed
    }
    // ANCHOR_END: pass

    fn apply(&mut self, at: Millis, change: Change) -> Passed {
        self.status = Status::Active;
        match change {
            Change::Create(shards) => {
                let starts = equal_parts(shards);
                for (n, &start) in starts.iter().enumerate() {
                    let end = starts.get(n + 1).map_or(u128::MAX, |next| next - 1);
                    self.open_shard(at, (start, end), Vec::new());
                }
                return Passed::Created;
            }
            Change::Split(shard, middle) => self.split(at, shard, middle),
            Change::Merge(one, other) => self.merge(at, one, other),
            Change::Count(shards) => self.scale(at, shards),
            Change::Other => return Passed::Updated,
            Change::Delete => {
                self.status = Status::Deleting;
                return Passed::Deleted;
            }
        }
        Passed::Resharded
    }

    // ANCHOR: reshard
    fn split(&mut self, at: Millis, parent: u32, middle: u128) {
        let (start, end) = self.shards[&parent].range;
        self.open.remove(&start);
        let low = self.open_shard(at, (start, middle - 1), vec![parent]);
        let high = self.open_shard(at, (middle, end), vec![parent]);
        self.close_shard(at, parent, &[low, high]);
    }

    fn merge(&mut self, at: Millis, one: u32, other: u32) {
        let (a, b) = (self.shards[&one].range, self.shards[&other].range);
        self.open.remove(&a.0);
        self.open.remove(&b.0);
        let whole = (a.0.min(b.0), a.1.max(b.1));
        let child = self.open_shard(at, whole, vec![one, other]);
        self.close_shard(at, one, &[child]);
        self.close_shard(at, other, &[child]);
    }
    // ANCHOR_END: reshard

    /// Splits and merges until there are `target` open shards, each with an equal part of the hash keys. Short-lived
    /// shards may come between, as on AWS.
    fn scale(&mut self, at: Millis, target: u32) {
        let starts = equal_parts(target);
        for &start in &starts {
            let around = self.route(start).map(|id| (id, self.shards[&id].range.0));
            if let Some((id, _)) = around.filter(|(_, first)| *first < start) {
                self.split(at, id, start);
            }
        }
        for (n, &start) in starts.iter().enumerate() {
            let end = starts.get(n + 1).map_or(u128::MAX, |next| next - 1);
            loop {
                let mut inside = self.open.range(start..=end).map(|(_, id)| *id);
                let (Some(one), Some(other)) = (inside.next(), inside.next()) else {
                    break;
                };
                drop(inside);
                self.merge(at, one, other);
            }
        }
    }

    fn open_shard(&mut self, at: Millis, range: (u128, u128), parents: Vec<u32>) -> u32 {
        let id = self.next;
        self.next += 1;
        // Later than its parents, so that its numbers are greater than theirs.
        let youngest = parents
            .iter()
            .map(|parent| self.shards[parent].made())
            .max();
        let made = youngest.map_or(0, |made| made + 1).max(at / 1000);
        self.open.insert(range.0, id);
        self.shards
            .insert(id, Shard::new(id, range, parents, made, at));
        id
    }

    fn close_shard(&mut self, at: Millis, id: u32, children: &[u32]) {
        if let Some(shard) = self.shards.get_mut(&id) {
            shard.close(at, children);
            self.closed.push_back(id);
        }
    }
}

/// The first hash keys of so many shards of the same size.
fn equal_parts(shards: u32) -> Vec<u128> {
    let shards = u128::from(shards.max(1));
    // 2^128 / shards, rounded down.
    let part = match shards {
        1 => 0,
        shards => u128::MAX / shards + u128::from(u128::MAX % shards == shards - 1),
    };
    (0..shards).map(|n| part * n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(shards: u32) -> Stream {
        let mut stream = Stream::create(shards, 1_000_000, 1_000_000);
        assert_eq!(stream.pass(1_000_000), [Passed::Created]);
        stream
    }

    #[test]
    fn the_open_shards_cover_all_keys_in_equal_parts_and_know_their_parents() {
        for from in 1..=9 {
            for to in 1..=18 {
                let mut stream = stream(from);
                assert_eq!(stream.begin(1_000_300, Change::Count(to)), Ok(()));
                assert_eq!(stream.pass(1_000_300), [Passed::Resharded]);
                let mut open: Vec<_> = stream.shards().filter(|shard| shard.is_open()).collect();
                open.sort_unstable_by_key(|shard| shard.range);
                assert_eq!(open.len(), to as usize, "{from} to {to}");
                assert_eq!(
                    (open[0].range.0, open[open.len() - 1].range.1),
                    (0, u128::MAX)
                );
                let are_next = |pair: &[&Shard]| pair[0].range.1 + 1 == pair[1].range.0;
                assert!(open.windows(2).all(are_next), "{from} to {to}");
                let size = |shard: &Shard| (shard.range.1 - shard.range.0) as f64;
                let is_equal = |shard: &&Shard| (size(shard) / size(open[0]) - 1.0).abs() < 1e-9;
                assert!(open.iter().all(is_equal), "{from} to {to}");
                for shard in stream.shards() {
                    for parent in &shard.parents {
                        let parent = stream.shard(*parent).expect("a parent there is");
                        assert!(parent.children.contains(&shard.id));
                        let last = parent.ending_number().expect("it is closed");
                        let first = shard.starting_number();
                        assert!(last.to_string() < first.to_string(), "{from} to {to}");
                    }
                }
            }
        }
    }
}
