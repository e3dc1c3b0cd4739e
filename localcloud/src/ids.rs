//! Ids as AWS makes them, from a seeded source, so that a run can be repeated.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A source of random choices that depends on the seed and on `name` only.
pub fn source(seed: u64, name: &str) -> SmallRng {
    let mut hasher = DefaultHasher::new();
    (seed, name).hash(&mut hasher);
    SmallRng::seed_from_u64(hasher.finish())
}

/// A version 4 UUID in lower case.
pub fn uuid(random: &mut SmallRng) -> String {
    let mut bytes = [0u8; 16];
    random.fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text
}

/// So many characters of `alphabet`, which is ASCII.
pub fn letters(random: &mut SmallRng, alphabet: &[u8], how_many: usize) -> String {
    let mut letter = || char::from(alphabet[random.random_range(0..alphabet.len())]);
    (0..how_many).map(|_| letter()).collect()
}
