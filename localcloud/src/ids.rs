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
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// So many characters of `alphabet`, which is ASCII.
pub fn letters(random: &mut SmallRng, alphabet: &[u8], how_many: usize) -> String {
    let mut letter = || char::from(alphabet[random.random_range(0..alphabet.len())]);
    (0..how_many).map(|_| letter()).collect()
}
