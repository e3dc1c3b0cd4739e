//! Ids as AWS makes them, from a seeded source, so that a run can be repeated.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use sha2::{Digest, Sha256};

/// The generator of all random choices: small, and the same on every machine, so that a seed repeats a run on any.
pub type Random = Xoshiro256PlusPlus;

/// A source of random choices that depends on the seed and on `name` only.
pub fn source(seed: u64, name: &str) -> Random {
    let hash = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(name);
    Random::from_seed(hash.finalize().into())
}

/// A version 4 UUID in lower case.
pub fn uuid(random: &mut Random) -> String {
    let mut bytes = [0u8; 16];
    random.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// So many characters of `alphabet`, which is ASCII.
pub fn letters(random: &mut Random, alphabet: &[u8], how_many: usize) -> String {
    let mut letter = || char::from(alphabet[random.random_range(0..alphabet.len())]);
    (0..how_many).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_on_every_machine() {
        let mut random = source(1, "sqs");
        // By another implementation of the same generator.
        assert_eq!(uuid(&mut random), "deac7c56-d6ce-478c-8bbf-12eb2df7cc01");
        assert_eq!(letters(&mut random, b"abcdefghij", 12), "fcbjdbjigdae");
        assert_ne!(source(1, "iam"), source(1, "sqs"));
        assert_ne!(source(2, "sqs"), source(1, "sqs"));
    }
}
