//! A stream against its model: random records, reads, changes of the shards and jumps of the clock.
//!
//! The model knows only what was put, and in which order. A reader that follows one rule (parents before children) must see
//! each record that is kept once, and those of a key in the order in which they were put.

use crate::support::model::{cases, START};
use bytes::Bytes;
use localcloud::kinesis::sequence::Number;
use localcloud::kinesis::shard::{Position, Record, Start, WRITE_RECORDS};
use localcloud::kinesis::stream::{Change, Passed, Status, Stream};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const RETENTION: u64 = 24 * 60 * 60 * 1000;
/// How long a change of the shards takes.
const TAKES: u64 = 300;

#[derive(Clone, Debug)]
enum Step {
    Put {
        key: u8,
        several: u16,
    },
    /// Reads on in each shard that may be read.
    Read {
        limit: usize,
    },
    Split {
        pick: prop::sample::Index,
        at: u128,
    },
    Merge {
        pick: prop::sample::Index,
    },
    Count {
        times: u32,
    },
    Pass {
        millis: u64,
    },
    /// To about the moment in which the oldest record is forgotten.
    Age {
        millis: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12u8, 1..40u16).prop_map(|(key, several)| Step::Put { key, several }),
        4 => (1..50usize).prop_map(|limit| Step::Read { limit }),
        1 => (any::<prop::sample::Index>(), any::<u128>()).prop_map(|(pick, at)| Step::Split { pick, at }),
        1 => any::<prop::sample::Index>().prop_map(|pick| Step::Merge { pick }),
        1 => (1..=4u32).prop_map(|times| Step::Count { times }),
        3 => (1..2000u64).prop_map(|millis| Step::Pass { millis }),
        1 => (1..RETENTION / 4).prop_map(|millis| Step::Pass { millis }),
        1 => (0..3u64).prop_map(|millis| Step::Age { millis }),
    ]
}

/// A stream, its model and its reader.
struct Trial {
    now: u64,
    /// The time that the stream was told last.
    passed_at: u64,
    stream: Stream,
    /// When each record of a key was put, in order.
    put: BTreeMap<u8, Vec<u64>>,
    /// When each record of a shard was put, in order.
    arrivals: BTreeMap<u32, Vec<u64>>,
    /// The last sequence number of each key.
    last: BTreeMap<u8, String>,
    /// How far each shard is read that has been begun.
    places: BTreeMap<u32, Position>,
    read_out: BTreeSet<u32>,
    /// The records of each key that were read.
    read: BTreeMap<u8, Vec<usize>>,
}

/// Spreads the keys over all hash keys.
fn hash(key: u8) -> u128 {
    u128::from(key) * (u128::MAX / 12) + 7
}

impl Trial {
    fn new(shards: u32) -> Self {
        let mut stream = Stream::create(shards, RETENTION, START);
        assert_eq!(stream.status(), Status::Creating);
        assert_eq!(stream.pass(START), [Passed::Created]);
        Self {
            now: START,
            passed_at: START,
            stream,
            put: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            last: BTreeMap::new(),
            places: BTreeMap::new(),
            read_out: BTreeSet::new(),
            read: BTreeMap::new(),
        }
    }

    fn carry_out(&mut self, step: &Step) {
        self.stream.pass(self.now);
        self.passed_at = self.now;
        match step {
            Step::Put { key, several } => {
                for _ in 0..*several {
                    self.put(*key);
                }
            }
            Step::Read { limit } => self.read(*limit),
            Step::Split { pick, at } => {
                let id = self.open(pick);
                self.change(Change::Split(id, *at));
            }
            Step::Merge { pick } => {
                let id = self.open(pick);
                let (_, end) = self.stream.shard(id).expect("it is open").range;
                let next = end
                    .checked_add(1)
                    .and_then(|start| self.stream.route(start));
                if let Some(next) = next {
                    self.change(Change::Merge(id, next));
                }
            }
            Step::Count { times } => {
                let open = self.stream.open_shards() as u32;
                self.change(Change::Count((open * times).div_ceil(2).clamp(1, 24)));
            }
            Step::Pass { millis } => self.now += millis,
            Step::Age { millis } => {
                let horizon = self.now.saturating_sub(RETENTION);
                let kept = self
                    .arrivals
                    .values()
                    .flatten()
                    .filter(|at| **at >= horizon);
                if let Some(oldest) = kept.min() {
                    self.now = self.now.max(oldest + RETENTION + millis - 1);
                }
            }
        }
        self.check();
    }

    fn open(&self, pick: &prop::sample::Index) -> u32 {
        let open: Vec<_> = self
            .stream
            .shards()
            .filter(|shard| shard.is_open())
            .collect();
        pick.get(&open).id
    }

    /// A change may be refused; then nothing happens.
    fn change(&mut self, change: Change) {
        let before = (self.stream.status(), self.stream.next_due());
        match self.stream.begin(self.now + TAKES, change) {
            Ok(()) => assert_eq!(self.stream.status(), Status::Updating),
            Err(_) => assert_eq!((self.stream.status(), self.stream.next_due()), before),
        }
    }

    fn put(&mut self, key: u8) {
        let number = self.put.get(&key).map_or(0, Vec::len);
        let record = Record {
            key: key.to_string().into(),
            data: Bytes::from(number.to_string()),
            arrived_at: self.now,
            is_encrypted: false,
        };
        let route = self.stream.route(hash(key));
        match self
            .stream
            .put(hash(key), record)
            .expect("a shard for each key")
        {
            Err(shard) => assert_eq!(Some(shard), route),
            Ok(number) => {
                assert_eq!(Some(number.shard), route);
                let text = number.to_string();
                assert_eq!(Number::parse(&text), Some(number));
                // The numbers of a key rise, over all changes of the shards.
                assert!(
                    self.last.get(&key).is_none_or(|last| *last < text),
                    "{text}"
                );
                self.last.insert(key, text);
                self.put.entry(key).or_default().push(self.now);
                self.arrivals
                    .entry(number.shard)
                    .or_default()
                    .push(self.now);
            }
        }
    }

    /// Reads each shard whose parents are read to their end, or forgotten.
    fn read(&mut self, limit: usize) {
        let ids: Vec<_> = self.stream.shards().map(|shard| shard.id).collect();
        for id in ids {
            let shard = self.stream.shard(id).expect("it is listed");
            let waits = |parent: &u32| {
                self.stream.shard(*parent).is_some() && !self.read_out.contains(parent)
            };
            if self.read_out.contains(&id) || shard.parents.iter().any(waits) {
                continue;
            }
            let begin = self.stream.place(self.now, id, Start::TrimHorizon);
            let begin = begin.expect("it is there");
            let horizon = self.now.saturating_sub(RETENTION);
            let all = self.arrivals.get(&id).map_or(&[][..], Vec::as_slice);
            let kept = all.iter().filter(|at| **at >= horizon).count();
            let end = self.stream.shard(id).map(|shard| shard.end());
            assert_eq!(end, Some(begin + kept as u64), "what is kept of shard {id}");
            let place = *self.places.entry(id).or_insert(begin);
            let batch = self.stream.read(self.now, id, place, limit, usize::MAX);
            let batch = batch.expect("it is there");
            assert!(batch.records.len() <= limit);
            for (_, record) in &batch.records {
                let key = record.key.parse().expect("a key");
                let text = std::str::from_utf8(&record.data).expect("text");
                let number = text.parse().expect("a number");
                assert_eq!(self.put[&key][number], record.arrived_at);
                self.read.entry(key).or_default().push(number);
            }
            self.places.insert(id, batch.next);
            let shard = self.stream.shard(id).expect("it is there");
            if shard.is_read_out(batch.next) {
                self.read_out.insert(id);
            }
        }
    }

    fn check(&self) {
        let mut open: Vec<_> = self
            .stream
            .shards()
            .filter(|shard| shard.is_open())
            .collect();
        open.sort_by_key(|shard| shard.range);
        assert_eq!(open.len(), self.stream.open_shards());
        assert_eq!(
            (open[0].range.0, open[open.len() - 1].range.1),
            (0, u128::MAX)
        );
        assert!(open
            .windows(2)
            .all(|pair| pair[0].range.1 + 1 == pair[1].range.0));
        let kept: usize = self.stream.shards().map(|shard| shard.bytes()).sum();
        assert_eq!(kept, self.stream.bytes());
        for shard in self.stream.shards() {
            if let Some(closed_at) = shard.closed_at {
                assert!(
                    closed_at + RETENTION >= self.passed_at,
                    "it should be forgotten"
                );
                for child in &shard.children {
                    let child = self.stream.shard(*child).expect("younger than its parent");
                    let end = shard.ending_number().expect("it is closed").to_string();
                    assert!(end < child.starting_number().to_string());
                }
            }
        }
    }

    /// Reads all there is and compares it with what was put.
    fn finish(mut self) {
        self.now += TAKES;
        self.stream.pass(self.now);
        let horizon = self.now - RETENTION;
        // A generation of shards at a time.
        let mut before = usize::MAX;
        while before != self.read_out.len() + self.read.values().map(Vec::len).sum::<usize>() {
            before = self.read_out.len() + self.read.values().map(Vec::len).sum::<usize>();
            self.read(usize::MAX);
        }
        for shard in self.stream.shards() {
            assert_eq!(shard.is_open(), !self.read_out.contains(&shard.id));
        }
        for (key, put) in &self.put {
            let read = self.read.get(key).map_or(&[][..], Vec::as_slice);
            assert!(
                read.windows(2).all(|pair| pair[0] < pair[1]),
                "{key}: {read:?}"
            );
            let kept = (0..put.len()).filter(|n| put[*n] >= horizon);
            let lost: Vec<_> = kept.filter(|n| !read.contains(n)).collect();
            assert!(lost.is_empty(), "{key}: {lost:?} of {put:?}");
        }
    }
}

#[test]
fn nothing_is_lost_and_a_keys_order_holds_whatever_happens_to_the_shards() {
    crate::support::unless_green(
        "nothing_is_lost_and_a_keys_order_holds_whatever_happens_to_the_shards",
        cases_of_nothing_is_lost_and_a_keys_order_holds_whatever_happens_to_the_shards,
    );
}

proptest! {
    #![proptest_config(cases(256))]

    fn cases_of_nothing_is_lost_and_a_keys_order_holds_whatever_happens_to_the_shards(
        shards in 1..5u32,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut trial = Trial::new(shards);
        for step in &steps {
            trial.carry_out(step);
        }
        trial.finish();
    }
}

#[test]
fn a_shard_takes_a_thousand_records_a_second() {
    let mut trial = Trial::new(1);
    for _ in 0..WRITE_RECORDS + 10 {
        trial.put(0);
    }
    assert_eq!(trial.put[&0].len(), WRITE_RECORDS);
    trial.now += 999;
    trial.put(0);
    assert_eq!(trial.put[&0].len(), WRITE_RECORDS);
    trial.now += 1;
    trial.put(0);
    assert_eq!(trial.put[&0].len(), WRITE_RECORDS + 1);
}

#[test]
fn a_reader_begins_at_or_after_a_number_and_where_it_stopped() {
    let mut trial = Trial::new(1);
    for _ in 0..3 {
        trial.put(0);
        trial.now += 1000;
    }
    let now = trial.now;
    let batch = trial
        .stream
        .read(now, 0, 0, 2, usize::MAX)
        .expect("a shard");
    let (second, _) = batch.records[1].clone();
    let stopped = trial
        .stream
        .shard(0)
        .expect("a shard")
        .number_before(batch.next);
    for (start, position) in [
        (Start::TrimHorizon, 1),
        (Start::Latest, 4),
        (Start::At(second), 2),
        (Start::After(second), 3),
        // What a subscription says where to go on: it is between two records.
        (Start::At(stopped), 3),
        (Start::After(stopped), 3),
        (Start::Time(START), 1),
        (Start::Time(START + 1), 2),
        (Start::Time(now), 4),
    ] {
        assert_eq!(
            trial.stream.place(now, 0, start),
            Some(position),
            "{start:?}"
        );
    }
}
