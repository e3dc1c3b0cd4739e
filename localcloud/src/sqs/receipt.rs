//! Receipt handles: opaque to the receiver, and of one delivery, not of the message.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use sha2::{Digest, Sha256};

/// The delivery that a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub sequence: u64,
    pub delivery: u64,
}

/// Writes and reads the handles of one queue; it knows those that are not its own.
pub struct Receipts {
    key: u64,
}

impl Receipts {
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    pub fn write(&self, receipt: Receipt) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&receipt.delivery.to_be_bytes());
        bytes[8..16].copy_from_slice(&(receipt.sequence ^ receipt.delivery).to_be_bytes());
        bytes[16..].copy_from_slice(&self.check(receipt).to_be_bytes());
        STANDARD.encode(bytes)
    }

    pub fn read(&self, handle: &str) -> Option<Receipt> {
        let bytes: [u8; 24] = STANDARD.decode(handle).ok()?.try_into().ok()?;
        let word = |at: usize| {
            bytes[at..at + 8]
                .iter()
                .fold(0, |n, b| n << 8 | u64::from(*b))
        };
        let receipt = Receipt {
            delivery: word(0),
            sequence: word(8) ^ word(0),
        };
        (word(16) == self.check(receipt)).then_some(receipt)
    }

    fn check(&self, receipt: Receipt) -> u64 {
        let mut hash = Sha256::new();
        for part in [self.key, receipt.sequence, receipt.delivery] {
            hash.update(part.to_be_bytes());
        }
        let hash = hash.finalize();
        hash[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_by_its_own_queue_only() {
        let receipt = Receipt {
            sequence: 7,
            delivery: 0xfeed,
        };
        let handle = Receipts::new(1).write(receipt);
        assert_eq!(Receipts::new(1).read(&handle), Some(receipt));
        assert_eq!(Receipts::new(2).read(&handle), None);
        for garbage in [
            "",
            "x",
            "AAAA",
            &handle[1..],
            &handle.replace('A', "B").to_lowercase(),
        ] {
            assert_eq!(Receipts::new(1).read(garbage), None, "{garbage}");
        }
    }
}
