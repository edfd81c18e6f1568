//! The hash chain of a writer: pure.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Tells these hashes from any others, and one form from a later one.
const FORM: &[u8] = b"opsroom journal 1\n";
/// What stands before the first record of a chain.
pub(super) const BEFORE_ALL: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// A record as it lies in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place among the records of all writers, from 1.
    pub place: i64,
    /// Who wrote it.
    pub writer: String,
    /// Its place in that writer's chain, from 1.
    pub seq: i64,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// What, as JSON; the very text counts.
    pub record: String,
    /// The hash over all of this and the hash before it, in hexadecimal.
    pub hash: String,
}

impl Row {
    /// The hash that it must have behind `before`: SHA-256 over a form in which
    /// each part begins with its length, so that no part can lend to the next.
    pub(super) fn hash_behind(&self, before: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(FORM);
        let numbers = [self.place, self.seq, self.at].map(i64::to_be_bytes);
        let parts: [&[u8]; 6] = [
            before.as_bytes(),
            self.writer.as_bytes(),
            &numbers[0],
            &numbers[1],
            &numbers[2],
            self.record.as_bytes(),
        ];
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hex(&hasher.finalize())
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            place: 7,
            writer: "w".into(),
            seq: 2,
            at: 5,
            record: "{}".into(),
            hash: String::new(),
        }
    }

    #[test]
    fn the_form_never_changes() {
        // Made by another program from the description of the form.
        let known = "df37f2c010ba9f909ce54b772a39baf077b425b94f9bc0cd5263d12b0f9d9679";
        assert_eq!(row().hash_behind(BEFORE_ALL), known);
    }

    #[test]
    fn every_part_counts() {
        let whole = row().hash_behind(BEFORE_ALL);
        let others = [
            Row { place: 8, ..row() },
            Row { writer: "v".into(), ..row() },
            Row { seq: 3, ..row() },
            Row { at: 6, ..row() },
            Row { record: "{ }".into(), ..row() },
            Row { writer: "w{".into(), record: "}".into(), ..row() },
        ];
        for other in others {
            assert_ne!(other.hash_behind(BEFORE_ALL), whole, "{other:?}");
        }
        assert_ne!(row().hash_behind(&whole), whole);
    }
}
