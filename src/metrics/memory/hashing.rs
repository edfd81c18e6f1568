//! Quick hashing of texts and numbers that come from outside: keyed, so that
//! nobody can choose labels that all fall into one place.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map by texts or numbers from outside.
pub(super) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// Makes hashers that share a secret key.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    start: u64,
    factor: u64,
}

impl Default for Keyed {
    fn default() -> Self {
        let random = RandomState::new();
        Self { start: random.hash_one(0_u8), factor: random.hash_one(1_u8) | 1 }
    }
}

impl Keyed {
    /// The hash of a list of numbers.
    pub(super) fn numbers(&self, numbers: &[u32]) -> u64 {
        let mut hasher = self.build_hasher();
        for pair in numbers.chunks(2) {
            let high = pair.get(1).map_or(0, |&high| u64::from(high) + 1);
            hasher.fold(u64::from(pair[0]) | high << 32);
        }
        hasher.finish()
    }
}

impl BuildHasher for Keyed {
    type Hasher = Mixing;

    fn build_hasher(&self) -> Mixing {
        Mixing { hash: self.start, factor: self.factor }
    }
}

/// Folds eight bytes at a time: both halves of a product count.
#[derive(Clone, Debug)]
pub(super) struct Mixing {
    hash: u64,
    factor: u64,
}

impl Mixing {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(self.factor);
        #[expect(clippy::cast_possible_truncation, reason = "the halves are wanted")]
        let (low, high) = (product as u64, (product >> 64) as u64);
        self.hash = (low ^ high).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixing {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut whole = [0; 8];
            whole.copy_from_slice(word);
            self.fold(u64::from_le_bytes(whole));
        }
        let rest = words.remainder();
        let mut whole = [0; 8];
        whole[..rest.len()].copy_from_slice(rest);
        whole[7] = u8::try_from(rest.len()).unwrap_or(0) | 0x80;
        self.fold(u64::from_le_bytes(whole));
    }

    fn write_u8(&mut self, byte: u8) {
        // The end of a text: its length has been folded in.
        if byte != 0xff {
            self.fold(u64::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_and_lists_that_differ_a_little_hash_apart() {
        let keyed = Keyed::default();
        let mut seen = HashSet::new();
        for length in 0..40 {
            assert!(seen.insert(keyed.hash_one("a".repeat(length))), "{length}");
            assert!(seen.insert(keyed.hash_one("\0".repeat(length + 1))), "{length}");
            assert!(seen.insert(keyed.numbers(&vec![0; length + 1])), "{length}");
        }
        for number in 0..10_000 {
            assert!(seen.insert(keyed.numbers(&[number, 7])), "{number}");
        }
    }
}
