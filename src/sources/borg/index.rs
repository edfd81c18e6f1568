//! Whether a repository's index is whole, seen without borg.
//!
//! borg that finds a bad index takes it away and makes a new one, in `borg list`
//! too and without a lock where it was told to take none. A look must not do
//! that, so a bad index is found before borg is asked.

use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A greater index is looked at by its head and its length only.
const BIGGEST: u64 = 256 << 20;
/// Magic, entries, buckets, size of a key, size of a value
/// (borg's manual, "Internals / Data structures / Indexes").
const HEAD: usize = 18;
const MAGIC: &[u8] = b"BORG_IDX";

/// How an index stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    /// It is as it was written, as far as that is told.
    Sound,
    /// It is not as it was written.
    Bad,
    /// We may not read it.
    Hidden,
}

/// Looks at `index.N`.
pub(super) fn of(folder: &Path, number: u64) -> Index {
    let name = format!("index.{number}");
    let Ok(mut file) = File::open(folder.join(&name)) else { return Index::Hidden };
    let mut head = [0; HEAD];
    let Ok(length) = file.metadata().map(|about| about.len()) else { return Index::Hidden };
    if file.read_exact(&mut head).is_err() {
        return Index::Bad;
    }
    // Newer ones begin otherwise: of those nothing is said here.
    if head.starts_with(MAGIC) && expected_length(&head) != Some(length) {
        return Index::Bad;
    }
    let mut written = Vec::new();
    let integrity = File::open(folder.join(format!("integrity.{number}")));
    let read = integrity.and_then(|file| file.take(64 << 10).read_to_end(&mut written));
    let told = read.ok().and_then(|_| digest(&written));
    let Some(told) = told.filter(|_| length <= BIGGEST) else { return Index::Sound };
    let mut hash = Xxh64::new();
    hash.update(format!("{:10}{name}", name.len()).as_bytes());
    hash.update(&head);
    hash.update(b"        10HashHeader18");
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hash.update(&buffer[..read]),
            Err(_) => return Index::Bad,
        }
    }
    hash.update(format!("         5final{length}").as_bytes());
    if format!("{:016x}", hash.finish()) == told { Index::Sound } else { Index::Bad }
}

fn expected_length(head: &[u8; HEAD]) -> Option<u64> {
    let buckets = u32::from_le_bytes(head[12..16].try_into().ok()?);
    let bucket = u64::from(head[16]) + u64::from(head[17]);
    u64::from(buckets).checked_mul(bucket)?.checked_add(HEAD as u64)
}

/// The digest of the whole index in `integrity.N`: a packed map whose values are
/// JSON, that of the index with a digest of its head.
fn digest(written: &[u8]) -> Option<String> {
    let starts = written.iter().enumerate().filter(|(_, byte)| **byte == b'{').map(|(at, _)| at);
    starts.into_iter().find_map(|at| {
        let mut all = serde_json::Deserializer::from_slice(&written[at..]).into_iter::<Value>();
        let told = all.next()?.ok()?;
        let digests = told.get("digests")?;
        digests.get("HashHeader")?;
        let is_ours = told.get("algorithm")?.as_str()? == "XXH64";
        is_ours.then(|| digests.get("final")?.as_str().map(str::to_owned))?
    })
}

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

/// XXH64 with seed 0, piece by piece.
struct Xxh64 {
    lanes: [u64; 4],
    /// What does not fill a stripe yet.
    rest: [u8; 32],
    filled: usize,
    length: u64,
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

impl Xxh64 {
    fn new() -> Self {
        let lanes = [P1.wrapping_add(P2), P2, 0, 0_u64.wrapping_sub(P1)];
        Self { lanes, rest: [0; 32], filled: 0, length: 0 }
    }

    fn stripe(lanes: &mut [u64; 4], stripe: &[u8]) {
        for (lane, bytes) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
            *lane = round(*lane, word(bytes));
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.filled > 0 {
            let taken = bytes.len().min(32 - self.filled);
            self.rest[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled < 32 {
                return;
            }
            Self::stripe(&mut self.lanes, &self.rest);
        }
        let stripes = bytes.chunks_exact(32);
        let rest = stripes.remainder();
        for stripe in stripes {
            Self::stripe(&mut self.lanes, stripe);
        }
        self.rest[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    fn finish(&self) -> u64 {
        let [a, b, c, d] = self.lanes;
        let mut hash = if self.length >= 32 {
            let turned = [(a, 1), (b, 7), (c, 12), (d, 18)];
            let sum = turned
                .iter()
                .fold(0_u64, |sum, (lane, by)| sum.wrapping_add(lane.rotate_left(*by)));
            self.lanes
                .iter()
                .fold(sum, |hash, lane| (hash ^ round(0, *lane)).wrapping_mul(P1).wrapping_add(P4))
        } else {
            P5
        };
        hash = hash.wrapping_add(self.length);
        let mut words = self.rest[..self.filled].chunks_exact(8);
        for bytes in &mut words {
            hash = (hash ^ round(0, word(bytes))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        }
        let mut halves = words.remainder().chunks_exact(4);
        for bytes in &mut halves {
            hash = (hash ^ word(bytes).wrapping_mul(P1))
                .rotate_left(23)
                .wrapping_mul(P2)
                .wrapping_add(P3);
        }
        for byte in halves.remainder() {
            hash = (hash ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
        hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
        hash ^ (hash >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_xxh64_however_the_bytes_come() {
        let bytes: Vec<u8> = (0..=100).collect();
        for piece in [1, 7, 31, 32, 33, 101] {
            let mut hash = Xxh64::new();
            bytes.chunks(piece).for_each(|piece| hash.update(piece));
            assert_eq!(hash.finish(), 0xe990_3849_5f85_381e, "{piece}");
        }
        assert_eq!(Xxh64::new().finish(), 0xef46_db37_51d8_e999);
    }

    #[test]
    fn an_index_that_is_not_as_it_was_written_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = b"BORG_IDX\x01\x00\x00\x00\x02\x00\x00\x00\x20\x08".to_vec();
        index.extend([7; 80]);
        let mut hash = Xxh64::new();
        hash.update(b"         7index.3");
        hash.update(&index[..HEAD]);
        hash.update(b"        10HashHeader18");
        hash.update(&index[HEAD..]);
        hash.update(b"         5final98");
        let told = |algorithm: &str| {
            let digest = hash.finish();
            format!(
                "\u{7}hints {{\"algorithm\": \"XXH64\", \"digests\": {{\"final\": \"0\"}}}} index \
                 {{\"algorithm\": \"{algorithm}\", \"digests\": {{\"HashHeader\": \"1\", \"final\": \
                 \"{digest:016x}\"}}}}"
            )
        };
        let ask = |index: &[u8], integrity: Option<String>| {
            std::fs::write(folder.path().join("index.3"), index).unwrap();
            let path = folder.path().join("integrity.3");
            let _ = std::fs::remove_file(&path);
            if let Some(text) = integrity {
                std::fs::write(path, text).unwrap();
            }
            of(folder.path(), 3)
        };
        assert_eq!(ask(&index, Some(told("XXH64"))), Index::Sound);
        assert_eq!(ask(&index, None), Index::Sound);
        let mut flipped = index.clone();
        flipped[60] ^= 1;
        assert_eq!(ask(&flipped, Some(told("XXH64"))), Index::Bad);
        assert_eq!(ask(&flipped, Some(told("SHA512"))), Index::Sound);
        assert_eq!(ask(&index[..90], None), Index::Bad);
        assert_eq!(ask(b"", None), Index::Bad);
        assert_eq!(of(Path::new("/no/such"), 3), Index::Hidden);
    }
}
