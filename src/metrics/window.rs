//! The sample memory as bytes and back, so that a console can keep its window
//! in a file and a glance can read it.
//!
//! The layout: a magic word, a version, the length and the CRC-32 of what
//! follows; then counted lists, numbers as LEB128, texts with their length.

use super::memory::{Limits, Memory};

/// What a window begins with.
const MAGIC: &[u8; 8] = b"opsr-win";
/// The layout that is written, and the only one that is read.
const VERSION: u16 = 2;
/// Magic, version, length, checksum.
const HEAD: usize = 8 + 2 + 8 + 4;

/// Why a window cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// It is something else.
    #[error("this is no kept window")]
    Foreign,
    /// It is of another version of the program.
    #[error("the kept window has layout {0}; this program reads layout {VERSION}")]
    Version(u16),
    /// It is cut, or its checksum does not fit.
    #[error("the kept window is damaged")]
    Damaged,
}

/// The memory as it was at a moment, still without its checksum: what has to be
/// done while nobody may change the memory. Any thread makes the rest of it.
#[derive(Clone, Debug)]
pub struct Snapshot(Vec<u8>);

impl Snapshot {
    /// The bytes to be kept.
    pub fn into_bytes(mut self) -> Vec<u8> {
        let Some((head, body)) = self.0.split_at_mut_checked(HEAD) else { return self.0 };
        let length = (body.len() as u64).to_le_bytes();
        let parts: [&[u8]; 4] =
            [MAGIC, &VERSION.to_le_bytes(), &length, &crc32(body).to_le_bytes()];
        for (to, from) in head.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        self.0
    }
}

/// The memory at this moment: about as much work as copying its bytes.
pub fn snapshot(memory: &Memory) -> Snapshot {
    let mut out = Writer(vec![0; HEAD]);
    memory.save(&mut out);
    Snapshot(out.0)
}

/// The memory as bytes; where somebody waits for the memory, better [`snapshot`].
pub fn write(memory: &Memory) -> Vec<u8> {
    snapshot(memory).into_bytes()
}

/// The memory that [`write()`] made bytes of, with limits of its own.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Memory, WindowError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(WindowError::Foreign)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(WindowError::Damaged)?;
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(WindowError::Version(version));
    }
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(WindowError::Damaged)?;
    let (sum, body) = rest.split_first_chunk::<4>().ok_or(WindowError::Damaged)?;
    if u64::from_le_bytes(*length) != body.len() as u64 || u32::from_le_bytes(*sum) != crc32(body) {
        return Err(WindowError::Damaged);
    }
    Memory::load(&mut Reader(body), limits).ok_or(WindowError::Damaged)
}

/// Puts numbers and texts into bytes.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    pub(super) fn signed(&mut self, number: i64) {
        self.number((number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn bits(&mut self, number: f64) {
        self.0.extend_from_slice(&number.to_bits().to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }
}

/// Takes them out again; `None` where the bytes end or make no sense.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        self.number()?.try_into().ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A count of things that take a byte each at least: never more than are there.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.small().filter(|&count: &usize| count <= self.0.len())
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bits(&mut self) -> Option<f64> {
        let (bits, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(f64::from_bits(u64::from_le_bytes(*bits)))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

/// CRC-32 as in zlib (ISO 3309, reflected polynomial 0xedb88320), eight bytes at
/// a time: a table for each of them.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLES: [[u32; 256]; 8] = {
        let mut tables = [[0; 256]; 8];
        let mut i = 0;
        while i < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "below 256")]
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
                bit += 1;
            }
            tables[0][i] = crc;
            i += 1;
        }
        let mut table = 1;
        while table < 8 {
            let mut i = 0;
            while i < 256 {
                let before: u32 = tables[table - 1][i];
                tables[table][i] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
                i += 1;
            }
            table += 1;
        }
        tables
    };
    let byte = |table: usize, byte: u8| TABLES[table][usize::from(byte)];
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = !0_u32;
    for [a, b, c, d, e, f, g, h] in words {
        let [i, j, k, l] = (crc ^ u32::from_le_bytes([*a, *b, *c, *d])).to_le_bytes();
        crc = byte(7, i) ^ byte(6, j) ^ byte(5, k) ^ byte(4, l);
        crc ^= byte(3, *e) ^ byte(2, *f) ^ byte(1, *g) ^ byte(0, *h);
    }
    for one in rest {
        crc = byte(0, crc.to_le_bytes()[0] ^ one) ^ (crc >> 8);
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::metrics::{Storage, Target};
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn take(memory: &mut Memory, target: &Target, body: &str, millis: i64) {
        memory.take_page(target, "", body.as_bytes(), Duration::ZERO, at(millis)).unwrap();
    }

    fn targets() -> [Target; 2] {
        [Target::new("api", "h:1", [("zone", "ü")]), Target::new("web", "h:2", [("", ""); 0])]
    }

    fn filled() -> Memory {
        let mut memory = Memory::new(Limits::default());
        let [api, web] = targets();
        for i in 1..200 {
            let body = format!("# TYPE a counter\n# HELP a Help.\na{{b=\"c\"}} {i}\nd 0.{i}\n");
            take(&mut memory, &api, &body, i * 5_000);
            take(&mut memory, &web, &format!("a {}\nt 5 {}\n", i / 50, i * 4_999), i * 5_000 + 7);
        }
        memory.target_failed(&web, Duration::ZERO, at(1_000_000));
        memory
    }

    fn all(memory: &Memory) -> Vec<String> {
        let mut found = Vec::new();
        memory.select(&[], at(i64::MIN), at(i64::MAX), &mut |labels, samples| {
            found.push(format!("{labels} {samples:?}"));
        });
        found
    }

    #[test]
    fn what_is_kept_comes_back_and_goes_on() {
        let mut memory = filled();
        let mut again = read(&write(&memory), Limits::default()).unwrap();
        assert_eq!(all(&again), all(&memory));
        assert_eq!(again.first_scrapes(), memory.first_scrapes());
        assert_eq!(again.metadata("a"), memory.metadata("a"));
        assert_eq!(again.label_values("zone"), ["ü"]);
        for memory in [&mut memory, &mut again] {
            let [api, web] = targets();
            take(memory, &api, "a{b=\"c\"} 7\nnew 1\n", 1_001_000);
            take(memory, &web, "a 8\n", 1_001_007);
        }
        // The kept window does not know what was on the last page: what is
        // missing from the next one has not ended, it is only not seen.
        let ended = |line: &&String| !line.starts_with("d{");
        let (memory, again) = (all(&memory), all(&again));
        assert!(memory.iter().filter(ended).eq(again.iter().filter(ended)));
    }

    #[test]
    fn an_empty_memory_is_kept_too() {
        let bytes = write(&Memory::new(Limits::default()));
        assert_eq!(all(&read(&bytes, Limits::default()).unwrap()), Vec::<String>::new());
    }

    #[test]
    fn what_is_foreign_newer_or_damaged_says_so() {
        let error = |bytes: &[u8]| read(bytes, Limits::default()).unwrap_err();
        let mut bytes = write(&filled());
        assert_eq!(error(b"hello"), WindowError::Foreign);
        assert_eq!(error(&bytes[..9]), WindowError::Damaged);
        assert_eq!(error(&bytes[..bytes.len() - 1]), WindowError::Damaged);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert_eq!(error(&bytes), WindowError::Damaged);
        bytes[8] = 9;
        assert_eq!(
            error(&bytes).to_string(),
            "the kept window has layout 9; this program reads layout 2"
        );
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        /// Damage that the checksum does not see neither panics nor takes much memory.
        #[test]
        fn bytes_that_make_no_sense_are_survived(
            place in any::<prop::sample::Index>(), new in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut memory = Memory::new(Limits::default());
            let [api, web] = targets();
            for i in 1..80 {
                take(&mut memory, &api, &format!("a {i}\nt 1 {}\n", i * 77), i * 100);
                take(&mut memory, &web, "a 5\n", i * 100);
            }
            let mut bytes = write(&memory)[HEAD..].to_vec();
            let place = place.index(bytes.len());
            if cut {
                bytes.truncate(place);
            } else {
                bytes[place] = new;
            }
            if let Some(mut memory) = Memory::load(&mut Reader(&bytes), Limits::default()) {
                let _ = all(&memory);
                let _ = memory.stats();
                let _ = memory.take_page(&api, "", b"a 1\nb 2\n", Duration::ZERO, at(9_999));
                memory.expire(at(100_000_000));
            }
        }
    }
}
