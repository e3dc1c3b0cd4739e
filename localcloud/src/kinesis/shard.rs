//! A shard, as a state machine: records in at its end, reads from anywhere, the time passed in.
//!
//! It is a log. A record gets the next number and stays until its retention is over; reading changes nothing. An
//! iterator is a position in the log and lives with the reader. What makes a shard a *unit* is what it takes and gives
//! in a second: who needs more needs more shards.
//!
//! See <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>.

use super::sequence::{Number, LAST};
use crate::clock::Millis;
use crate::quotas;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

pub const MEBIBYTE: usize = 1024 * 1024;
/// What a shard takes in a second.
pub const WRITE_BYTES: usize = quotas::SHARD_IN_BYTES;
pub const WRITE_RECORDS: usize = quotas::SHARD_IN_RECORDS;
/// What a shard gives to all `GetRecords` in a second, and what one call may take at once.
pub const READ_BYTES: usize = quotas::SHARD_OUT_BYTES;
pub const READ_CALLS: usize = quotas::SHARD_READS;
pub const MAX_READ: usize = quotas::SHARD_GET_BYTES;
// Differs from AWS: large-record-burst: AWS doesn't tell how much more than its second a shard takes for a large record.
/// What a shard takes above its second when a record is larger than that, after it was quiet for ten seconds.
const BURST: usize = 10 * MEBIBYTE;

/// A record as a shard keeps it.
#[derive(Clone, Debug)]
pub struct Record {
    pub key: Arc<str>,
    pub data: Bytes,
    pub arrived_at: Millis,
    /// Whether it came in while the stream was encrypted.
    pub is_encrypted: bool,
}

impl Record {
    /// What counts.
    pub fn size(&self) -> usize {
        self.key.len() + self.data.len()
    }
}

// ANCHOR: position
/// A place in the log: the index of the record that is read next.
pub type Position = u64;
// ANCHOR_END: position

// ANCHOR: start
/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    TrimHorizon,
    Latest,
    At(Number),
    After(Number),
    Time(Millis),
}
// ANCHOR_END: start

/// What was read.
#[derive(Debug, Default)]
pub struct Batch {
    /// Each with its sequence number.
    pub records: Vec<(Number, Record)>,
    pub size: usize,
    /// Where to read on.
    pub next: Position,
    /// How old the newest of these records is when there are more; else 0.
    pub millis_behind: Millis,
}

/// The second of a shard is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled;

// ANCHOR: state
/// One shard of a stream.
pub struct Shard {
    pub id: u32,
    /// The first and the last hash key that it takes.
    pub range: (u128, u128),
    pub parents: Vec<u32>,
    pub children: Vec<u32>,
    pub opened_at: Millis,
    pub closed_at: Option<Millis>,
    /// When it was made, as its sequence numbers have it.
    made: u64,
    /// What is kept, the oldest first.
    log: VecDeque<Record>,
    /// The index of the first of them. The next record's follows the last one's.
    first: Position,
    bytes: usize,
    taken: Taken,
    given: Given,
}
// ANCHOR_END: state

impl Shard {
    /// An open shard without records. `made` is later than when its parents were made, in seconds.
    pub fn new(
        id: u32,
        range: (u128, u128),
        parents: Vec<u32>,
        made: u64,
        opened_at: Millis,
    ) -> Self {
        Self {
            id,
            range,
            parents,
            children: Vec::new(),
            opened_at,
            closed_at: None,
            made,
            log: VecDeque::new(),
            first: 1,
            bytes: 0,
            taken: Taken::default(),
            given: Given::default(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    pub fn made(&self) -> u64 {
        self.made
    }

    /// Bytes of the records that are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.log.len()
    }

    pub fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// Less than that of any record.
    pub fn starting_number(&self) -> Number {
        self.number(0, self.made)
    }

    /// More than that of any record; none while the shard is open.
    pub fn ending_number(&self) -> Option<Number> {
        let closed_at = self.closed_at? / 1000;
        Some(self.number(LAST, closed_at.max(self.made)))
    }

    fn number(&self, index: u64, at: u64) -> Number {
        Number {
            made: self.made,
            index,
            at,
            shard: self.id,
        }
    }

    /// Whether this is a number of this shard and not of another.
    pub fn has(&self, number: Number) -> bool {
        (number.shard, number.made) == (self.id, self.made)
    }

    // ANCHOR: put
    /// Takes a record in, when its second has room for it.
    pub fn put(&mut self, record: Record) -> Result<Number, Throttled> {
        let size = record.size();
        self.taken.take(record.arrived_at, size)?;
        let number = self.number(self.end(), record.arrived_at / 1000);
        self.bytes += size;
        self.log.push_back(record);
        Ok(number)
    }

    /// The position behind the last record.
    pub fn end(&self) -> Position {
        self.first + self.log.len() as u64
    }
    // ANCHOR_END: put

    // ANCHOR: place
    /// Where a reader that begins so finds its first record.
    pub fn place(&self, start: Start) -> Position {
        match start {
            Start::TrimHorizon => self.first,
            Start::Latest => self.end(),
            Start::At(number) => number.index + u64::from(self.second_of(number.index) < number.at),
            Start::After(number) => {
                number.index + u64::from(self.second_of(number.index) <= number.at)
            }
            Start::Time(time) => {
                let before = self.log.partition_point(|record| record.arrived_at < time);
                self.first + before as u64
            }
        }
    }
    // ANCHOR_END: place

    /// The second in which the record of this index arrived; 0 when there is none.
    fn second_of(&self, index: u64) -> u64 {
        let at = index.checked_sub(self.first).map(|at| at as usize);
        let record = at.and_then(|at| self.log.get(at));
        record.map_or(0, |record| record.arrived_at / 1000)
    }

    /// A number between that of the record before this position and that of the one at it.
    pub fn number_before(&self, position: Position) -> Number {
        let index = position.saturating_sub(1);
        self.number(index, self.second_of(index).max(self.made) + 1)
    }

    // ANCHOR: read
    /// Reads on from a position, `limit` records and about `bytes` bytes at the most.
    pub fn read(&self, now: Millis, from: Position, limit: usize, bytes: usize) -> Batch {
        // What was kept no longer is passed over.
        let from = from.clamp(self.first, self.end());
        let mut batch = Batch {
            next: from,
            ..Batch::default()
        };
        let mut rest = self.log.range((from - self.first) as usize..);
        for record in rest.by_ref() {
            let size = record.size();
            let is_full = batch.records.len() == limit
                || !batch.records.is_empty() && batch.size + size > bytes;
            if is_full {
                let behind = batch.records.last().map(|(_, last)| last.arrived_at);
                batch.millis_behind = now.saturating_sub(behind.unwrap_or(now)).max(1);
                break;
            }
            let number = self.number(batch.next, record.arrived_at / 1000);
            batch.records.push((number, record.clone()));
            batch.size += size;
            batch.next += 1;
        }
        batch
    }
    // ANCHOR_END: read

    // ANCHOR: get
    /// A read that counts against the shard's second.
    pub fn get(&mut self, now: Millis, from: Position, limit: usize) -> Result<Batch, Throttled> {
        self.given.begin(now)?;
        let batch = self.read(now, from, limit, MAX_READ);
        self.given.bytes += batch.size;
        Ok(batch)
    }
    // ANCHOR_END: get

    /// Whether a reader at this position has read all there will ever be.
    pub fn is_read_out(&self, position: Position) -> bool {
        !self.is_open() && position >= self.end()
    }

    /// The newest records, the oldest of them first.
    pub fn newest(&self, most: usize) -> Vec<(Number, Record)> {
        let from = self.end() - (most.min(self.log.len()) as u64);
        self.read(0, from, most, usize::MAX).records
    }

    pub fn close(&mut self, at: Millis, children: &[u32]) {
        self.closed_at = Some(at);
        self.children.extend_from_slice(children);
    }

    // ANCHOR: forget
    /// Forgets what arrived before `horizon`; gives the number of bytes.
    pub fn forget(&mut self, horizon: Millis) -> usize {
        let before = self.bytes;
        while let Some(record) = self.log.front() {
            if record.arrived_at >= horizon {
                break;
            }
            self.bytes -= record.size();
            self.first += 1;
            self.log.pop_front();
        }
        before - self.bytes
    }
    // ANCHOR_END: forget
}

// ANCHOR: taken
/// How much of its second a shard has taken.
struct Taken {
    began: Millis,
    bytes: usize,
    records: usize,
    /// What is left for records that are larger than a second. What seconds leave unused fills it.
    burst: usize,
}

impl Taken {
    fn take(&mut self, now: Millis, size: usize) -> Result<(), Throttled> {
        if now >= self.began + 1000 {
            let seconds = ((now - self.began) / 1000) as usize;
            let unused = seconds.saturating_mul(WRITE_BYTES) - self.bytes;
            self.burst = self.burst.saturating_add(unused).min(BURST);
            (self.began, self.bytes, self.records) = (now, 0, 0);
        }
        let is_large = size > WRITE_BYTES;
        let has_room = match is_large {
            true => size <= self.burst,
            false => self.bytes + size <= WRITE_BYTES,
        };
        if self.records == WRITE_RECORDS || !has_room {
            return Err(Throttled);
        }
        self.records += 1;
        match is_large {
            true => self.burst -= size,
            false => self.bytes += size,
        }
        Ok(())
    }
}
// ANCHOR_END: taken

impl Default for Taken {
    fn default() -> Self {
        Self {
            began: 0,
            bytes: 0,
            records: 0,
            burst: BURST,
        }
    }
}

// ANCHOR: given
/// How much of its second a shard has given away.
#[derive(Default)]
struct Given {
    began: Millis,
    calls: usize,
    bytes: usize,
}

impl Given {
    fn begin(&mut self, now: Millis) -> Result<(), Throttled> {
        // What is read at once has to be waited for afterwards: five seconds after 10 MiB.
        let takes = (self.bytes as Millis * 1000 / READ_BYTES as Millis).max(1000);
        if now >= self.began + takes {
            (self.began, self.calls, self.bytes) = (now, 0, 0);
        }
        if self.calls == READ_CALLS || self.bytes >= READ_BYTES {
            return Err(Throttled);
        }
        self.calls += 1;
        Ok(())
    }
}
// ANCHOR_END: given
