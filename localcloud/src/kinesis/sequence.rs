//! Sequence numbers: 56 decimals that say which shard took a record, when, and as the how-manieth.
//!
//! They rise within a shard, because a shard counts its records; and from a parent to its children, because a number
//! begins with the second in which its shard was made. Between shards that live at the same time they mean nothing.
//!
//! See <https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#sequence-number>.

use std::fmt;

const DIGITS: usize = 56;
/// The largest power of ten in 64 bits, and its digits.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 19;
/// The index in the last number of a closed shard: greater than any record's.
pub const LAST: u64 = i64::MAX as u64;

// ANCHOR: number
/// A sequence number, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// When its shard was made, in seconds since the Unix epoch.
    pub made: u64,
    /// The how-manieth record of its shard it is, from 1.
    pub index: u64,
    /// When the record arrived, in seconds since the Unix epoch.
    pub at: u64,
    pub shard: u32,
}
// ANCHOR_END: number

impl Number {
    /// None for what is no sequence number.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != DIGITS || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let mut limbs = [0u64; 3];
        for digit in text.bytes() {
            let mut carry = u128::from(digit - b'0');
            for limb in &mut limbs {
                carry += u128::from(*limb) * 10;
                *limb = carry as u64;
                carry >>= 64;
            }
        }
        let (low, high) = (u128::from(limbs[1]) << 64 | u128::from(limbs[0]), limbs[2]);
        let number = Self {
            made: high >> 20 & 0xf_ffff_ffff,
            index: (high & 0xffff) << 48 | (low >> 80) as u64,
            at: (low >> 36) as u64 & 0xf_ffff_ffff,
            shard: (low >> 4) as u32,
        };
        let is_one = high >> 56 == 2 && low & 0xf == 2 && number.index <= LAST;
        (is_one && high >> 16 & 0xf == u64::from(number.shard & 0xf)).then_some(number)
    }

    /// In decimals. From the left, in bits: 2 (4), made (36), the shard's last four, index (64), nothing (8), at (36),
    /// shard (32), 2 (4).
    pub fn digits(&self) -> [u8; DIGITS] {
        let low = u128::from(self.index) << 80
            | u128::from(self.at & 0xf_ffff_ffff) << 36
            | u128::from(self.shard) << 4
            | 2;
        let high = 2 << 56
            | (self.made & 0xf_ffff_ffff) << 20
            | u64::from(self.shard & 0xf) << 16
            | self.index >> 48;
        // 56 digits are two chunks and 18 more: divided twice by a chunk.
        let chunk = u128::from(CHUNK);
        let upper = u128::from(high) << 64 | low >> 64;
        let lower = (upper % chunk) << 64 | low & u128::from(u64::MAX);
        let rest = ((upper / chunk) << 64) | (lower / chunk);
        let mut digits = [0; DIGITS];
        write_decimal(&mut digits[DIGITS - CHUNK_DIGITS..], (lower % chunk) as u64);
        let middle = DIGITS - 2 * CHUNK_DIGITS..DIGITS - CHUNK_DIGITS;
        write_decimal(&mut digits[middle], (rest % chunk) as u64);
        write_decimal(
            &mut digits[..DIGITS - 2 * CHUNK_DIGITS],
            (rest / chunk) as u64,
        );
        digits
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

/// Fills `digits` with a number in decimals, zeros in front.
pub fn write_decimal(digits: &mut [u8], mut number: u64) {
    for pair in digits.rchunks_mut(2) {
        let two = (number % 100) as u8;
        number /= 100;
        if let [tens, ones] = pair {
            (*tens, *ones) = (b'0' + two / 10, b'0' + two % 10);
        } else {
            pair[0] = b'0' + two % 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_was_written() {
        for index in [0, 1, 1 << 47, 1 << 48, LAST] {
            for shard in [0, 1, 15, 16, 999, u32::MAX] {
                let number = Number {
                    made: 1_795_000_000,
                    index,
                    at: 1_795_000_123,
                    shard,
                };
                let text = number.to_string();
                assert_eq!(text.len(), DIGITS);
                assert_eq!(Number::parse(&text), Some(number), "{text}");
            }
        }
        // A shard's first number as AWS gave it, see <https://github.com/mhart/kinesalite/issues/33>.
        let aws = "49563335997420305725896584603874146327194044269160562690";
        let number = Number::parse(aws).expect("a number");
        assert_eq!((number.index, number.shard), (0, 0));
        assert_eq!(number.to_string(), aws);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "0",
            "1",
            "x",
            &"1".repeat(56),
            &"9".repeat(56),
            &"4".repeat(57),
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_rise_with_the_shards_age_then_the_index() {
        let number = |made, index, at| {
            let shard = 3;
            Number {
                made,
                index,
                at,
                shard,
            }
            .to_string()
        };
        assert!(number(10, LAST, 99) < number(11, 0, 11));
        assert!(number(10, 1, 99) < number(10, 2, 10));
    }
}
