//! `limitk` and `limit_ratio`: some of the series, the same ones each time.

use super::aggregate::Groups;
use super::table::{ABSENT, Table, is_there};
use super::{Engine, EvalError, Outcome};
use crate::domain::{Labels, Num};
use crate::metrics::promql::ast::Span;

impl Engine<'_> {
    /// The first `wanted` series of each group, in the order of their labels.
    pub(super) fn limitk(
        table: &Table,
        groups: &Groups,
        wanted: &[f64],
        span: Span,
    ) -> Outcome<Table> {
        if wanted.iter().any(|value| value.is_nan()) {
            return Err(EvalError::new("limitk cannot give NaN series", span));
        }
        let mut order: Vec<usize> = (0..table.labels.len()).collect();
        order.sort_by(|a, b| table.labels[*a].cmp(&table.labels[*b]));
        let mut result = table.clone();
        let mut given = vec![0.0_f64; groups.labels.len()];
        for (step, wanted) in wanted.iter().enumerate() {
            given.fill(0.0);
            for &row in &order {
                if !is_there(table.at(row, step)) {
                    continue;
                }
                let given = &mut given[groups.of_row[row]];
                if *given + 1.0 > *wanted {
                    result.set(row, step, ABSENT);
                } else {
                    *given += 1.0;
                }
            }
        }
        Ok(result)
    }

    /// The share of series that `wanted` says; a negative one gives the rest.
    pub(super) fn limit_ratio(&self, table: Table, wanted: &[f64], span: Span) -> Outcome<Table> {
        let mut ratios = Vec::with_capacity(wanted.len());
        for value in wanted {
            if value.is_nan() {
                return Err(EvalError::new("limit_ratio cannot give a share of NaN", span));
            }
            let capped = value.clamp(-1.0, 1.0);
            if capped.to_bits() != value.to_bits() {
                let (value, capped) = (Num(*value), Num(capped));
                self.warn(
                    format!(
                        "ratio value should be between -1 and 1, got {value}, capping to {capped}"
                    ),
                    span,
                );
            }
            ratios.push(capped);
        }
        let mut table = table.settle();
        for row in 0..table.labels.len() {
            let place = place(&table.labels[row]);
            for (step, ratio) in ratios.iter().enumerate() {
                let taken = if *ratio >= 0.0 { place < *ratio } else { place >= 1.0 + *ratio };
                if !taken {
                    table.set(row, step, ABSENT);
                }
            }
        }
        Ok(table)
    }
}

/// Where a series lies between 0 and 1: the hash that Prometheus has of its
/// labels (names and values by their lengths, XXH64), so that both choose alike.
fn place(labels: &Labels) -> f64 {
    let mut bytes = Vec::new();
    let mut add = |text: &str| {
        match u8::try_from(text.len()) {
            Ok(length) if length < 255 => bytes.push(length),
            _ => {
                bytes.push(255);
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                bytes.extend_from_slice(&length.to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    };
    for (name, value) in labels.iter() {
        add(name);
        add(value);
    }
    xxh64(&bytes) as f64 / u64::MAX as f64
}

const PRIMES: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// XXH64 with seed 0 (xxhash.com, `doc/xxhash_spec.md`).
fn xxh64(bytes: &[u8]) -> u64 {
    let round = |lane: u64, word: u64| {
        lane.wrapping_add(word.wrapping_mul(PRIMES[1])).rotate_left(31).wrapping_mul(PRIMES[0])
    };
    let word =
        |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    let mut stripes = bytes.chunks_exact(32);
    let mut hash = if bytes.len() < 32 {
        PRIMES[4]
    } else {
        let mut lanes =
            [PRIMES[0].wrapping_add(PRIMES[1]), PRIMES[1], 0, 0_u64.wrapping_sub(PRIMES[0])];
        for stripe in &mut stripes {
            for (lane, part) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word(part));
            }
        }
        let turns = [1, 7, 12, 18];
        let mut hash = lanes
            .iter()
            .zip(turns)
            .fold(0_u64, |hash, (lane, by)| hash.wrapping_add(lane.rotate_left(by)));
        for lane in lanes {
            hash = (hash ^ round(0, lane)).wrapping_mul(PRIMES[0]).wrapping_add(PRIMES[3]);
        }
        hash
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut eights = stripes.remainder().chunks_exact(8);
    for part in &mut eights {
        hash ^= round(0, word(part));
        hash = hash.rotate_left(27).wrapping_mul(PRIMES[0]).wrapping_add(PRIMES[3]);
    }
    let mut rest = eights.remainder();
    if let Some((part, after)) = rest.split_at_checked(4) {
        hash ^= word(part).wrapping_mul(PRIMES[0]);
        hash = hash.rotate_left(23).wrapping_mul(PRIMES[1]).wrapping_add(PRIMES[2]);
        rest = after;
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(PRIMES[4]);
        hash = hash.rotate_left(11).wrapping_mul(PRIMES[0]);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIMES[1]);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIMES[2]);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_reference() {
        assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
        assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
        assert_eq!(xxh64(b"Nobody inspects the spammish repetition"), 0xfbce_a83c_8a37_8bf1);
    }
}
