//! Shard iterators: a position in a shard that its reader keeps, good for five minutes, and opaque.
//! See <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html>.

use super::input::{Input, ITERATOR_TYPES, NAME, NUMBER};
use super::sequence::Number;
use super::shard::{Position, Shard, Start};
use super::{id_of, invalid, no_shard, no_stream, shard_name, Entry, Kinesis};
use crate::account::ACCOUNT;
use crate::clock::Millis;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Value};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

const LIFE: Millis = crate::quotas::ITERATOR_LIFE;
/// The words in front of the stream's name.
const WORDS: usize = 5;

/// How far a shard is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) stream: Arc<str>,
    /// Tells the stream from another of its name.
    pub(super) incarnation: u64,
    pub(super) shard: u32,
    pub(super) position: Position,
}

impl Cursor {
    /// Back to this record.
    pub fn rewind(&mut self, sequence_number: &str) {
        if let Some(number) = Number::parse(sequence_number) {
            self.position = number.index;
        }
    }

    /// The iterator that stands for it, handed out now.
    pub(super) fn write(&self, now: Millis) -> String {
        let words = [self.incarnation, u64::from(self.shard), self.position, now];
        let check = check(&words, &self.stream);
        let mut bytes = Vec::with_capacity(WORDS * 8 + self.stream.len());
        bytes.extend_from_slice(&check.to_be_bytes());
        for word in words {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(self.stream.as_bytes());
        hide(check, &mut bytes[8..]);
        BASE64_STANDARD.encode(bytes)
    }

    /// The place that an iterator stands for, and when it was handed out. None for what is no iterator.
    pub(super) fn read(iterator: &str) -> Option<(Self, Millis)> {
        let mut bytes = BASE64_STANDARD.decode(iterator).ok()?;
        let check_of = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        hide(check_of, &mut bytes[8..]);
        let (words, name) = bytes[8..].split_at_checked((WORDS - 1) * 8)?;
        let stream = std::str::from_utf8(name).ok()?;
        let mut chunks = words.chunks_exact(8).map(|word| {
            word.iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
        });
        let words = [(); WORDS - 1].map(|()| chunks.next().unwrap_or_default());
        let [incarnation, shard, position, handed_out] = words;
        let cursor = Self {
            stream: stream.into(),
            incarnation,
            shard: u32::try_from(shard).ok()?,
            position,
        };
        (check(&words, stream) == check_of).then_some((cursor, handed_out))
    }
}

fn check(words: &[u64; WORDS - 1], stream: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (words, stream).hash(&mut hasher);
    hasher.finish()
}

/// Makes bytes unreadable, and readable again.
fn hide(key: u64, bytes: &mut [u8]) {
    for (n, chunk) in bytes.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (key, n).hash(&mut hasher);
        for (byte, mask) in chunk.iter_mut().zip(hasher.finish().to_be_bytes()) {
            *byte ^= mask;
        }
    }
}

impl Kinesis {
    pub(super) fn get_shard_iterator(&self, input: &Input) -> Result<Value, ApiError> {
        let iterator = self.cursor_of(input)?.write(self.0.clock.now());
        Ok(json!({ "ShardIterator": iterator }))
    }

    /// Where a poller of the cloud's own begins to read, by the input of `GetShardIterator`.
    ///
    /// # Errors
    ///
    /// As `GetShardIterator`.
    pub async fn cursor(&self, input: Value) -> Result<Cursor, ApiError> {
        self.cursor_of(&Input::new("GetShardIterator", input)?)
    }

    fn cursor_of(&self, input: &Input) -> Result<Cursor, ApiError> {
        let name = input.need_stream()?;
        let shard = input.need("ShardId", input.words("ShardId", &NAME)?)?;
        let asked = Asked {
            kind: input.need(
                "ShardIteratorType",
                input.one_of("ShardIteratorType", &ITERATOR_TYPES)?,
            )?,
            number: input.words("StartingSequenceNumber", &NUMBER)?,
            time: input.time("Timestamp")?,
        };
        self.with(name, |entry, now| entry.cursor(now, shard, &asked))
    }

    /// The cursor that an iterator stands for, unless it is none or too old.
    pub(super) fn read_iterator(&self, iterator: &str) -> Result<Cursor, ApiError> {
        let bare = iterator
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let now = self.0.clock.now();
        let (cursor, handed_out) = Cursor::read(bare.unwrap_or(iterator))
            .filter(|(_, handed_out)| *handed_out <= now)
            .ok_or_else(|| invalid("Invalid ShardIterator."))?;
        if now - handed_out > LIFE {
            return Err(ApiError::sender(
                "ExpiredIteratorException",
                format!(
                    "Iterator expired. The iterator was created at time {} while right now it is {} which is further \
                     in the future than the tolerated delay of {LIFE} milliseconds.",
                    date(handed_out),
                    date(now)
                ),
            ));
        }
        Ok(cursor)
    }
}

/// Where a reader wants to begin.
pub(super) struct Asked<'a> {
    pub kind: &'a str,
    pub number: Option<&'a str>,
    pub time: Option<Millis>,
}

impl Entry {
    pub(super) fn cursor(
        &mut self,
        now: Millis,
        shard: &str,
        asked: &Asked<'_>,
    ) -> Result<Cursor, ApiError> {
        if !self.log.is_there() {
            return Err(match self.log.status() {
                super::stream::Status::Deleting => no_stream(&self.name),
                _ => no_shard(shard, &self.name),
            });
        }
        let id = id_of(shard).ok_or_else(|| no_shard(shard, &self.name))?;
        let known = self.log.shard(id);
        let start = start(
            known.ok_or_else(|| no_shard(shard, &self.name))?,
            &self.name,
            now,
            asked,
        )?;
        let place = self.log.place(now, id, start);
        Ok(Cursor {
            stream: self.name.clone(),
            incarnation: self.incarnation,
            shard: id,
            position: place.ok_or_else(|| no_shard(shard, &self.name))?,
        })
    }
}

fn start(shard: &Shard, stream: &str, now: Millis, asked: &Asked<'_>) -> Result<Start, ApiError> {
    let Asked { kind, number, time } = asked;
    match (*kind, number) {
        ("TRIM_HORIZON", None) => Ok(Start::TrimHorizon),
        ("LATEST", None) => Ok(Start::Latest),
        ("AT_TIMESTAMP", None) => {
            let time = time.ok_or_else(|| {
                invalid("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
            })?;
            if time > now {
                return Err(invalid(format!(
                    "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
                     timestampInMillis: {time}, currentTimestampInMillis: {now}"
                )));
            }
            Ok(Start::Time(time))
        }
        ("AT_SEQUENCE_NUMBER", Some(number)) => {
            Ok(Start::At(number_of(shard, stream, number)?))
        }
        ("AFTER_SEQUENCE_NUMBER", Some(number)) => {
            Ok(Start::After(number_of(shard, stream, number)?))
        }
        _ => Err(invalid(format!(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or \
             (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and {} \
             StartingSequenceNumber.",
            if number.is_some() { "also a" } else { "no" }
        ))),
    }
}

/// A sequence number of this shard.
fn number_of(shard: &Shard, stream: &str, text: &str) -> Result<Number, ApiError> {
    let what = format!(
        "StartingSequenceNumber {text} used in GetShardIterator on shard {} in stream {stream} under account {ACCOUNT} \
         is invalid",
        shard_name(shard.id)
    );
    match Number::parse(text) {
        None => Err(invalid(format!("{what}."))),
        Some(number) if number.shard != shard.id => Err(invalid(format!(
            "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a shard with {}",
            shard_name(number.shard),
            shard_name(shard.id)
        ))),
        Some(number) if !shard.has(number) => Err(invalid(format!(
            "{what} because it did not come from this stream."
        ))),
        Some(number) => Ok(number),
    }
}

/// `Thu Jan 22 01:22:02 UTC 2015`
fn date(time: Millis) -> String {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(time));
    match text.split(' ').collect::<Vec<_>>()[..] {
        [weekday, day, month, year, time, _] => {
            format!(
                "{} {month} {day} {time} UTC {year}",
                weekday.trim_end_matches(',')
            )
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iterator_is_read_as_it_was_written_and_looks_like_nothing() {
        let cursor = Cursor {
            stream: "orders".into(),
            incarnation: 3,
            shard: 7,
            position: 1 << 40,
        };
        let iterator = cursor.write(5);
        assert_eq!(Cursor::read(&iterator), Some((cursor.clone(), 5)));
        assert_ne!(cursor.write(6), iterator);
        assert!(!BASE64_STANDARD
            .decode(&iterator)
            .expect("base64")
            .windows(6)
            .any(|part| part == b"orders"));
        for wrong in ["", "x", "AAAA", &iterator[4..], &"A".repeat(80)] {
            assert_eq!(Cursor::read(wrong), None, "{wrong}");
        }
    }
}
