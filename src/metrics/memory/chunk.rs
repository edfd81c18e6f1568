//! A stretch of samples of one series, packed into bytes.
//!
//! A series that is scraped with its target needs no moments of its own: its
//! samples stand at consecutive places of the target's list of moments. Values
//! are kept as the difference from the one before: nothing at all for a value
//! that stays, a byte or two for a counter that moves, and the bits that
//! changed for other numbers. Every value comes back to the last bit.

/// A chunk with so many samples is full.
pub(super) const FULL: u16 = 64;

/// The moments at which a target was scraped, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// The place of the first moment that is still kept.
    pub(super) first: u32,
    /// The moments, growing.
    pub(super) at: Vec<i64>,
}

impl Times {
    /// Adds a moment; its place.
    pub(super) fn push(&mut self, at: i64) -> u32 {
        self.at.push(at);
        self.next() - 1
    }

    /// The place that comes next.
    pub(super) fn next(&self) -> u32 {
        self.first.wrapping_add(u32::try_from(self.at.len()).unwrap_or(u32::MAX))
    }

    /// The moments from `place` on.
    fn from(&self, place: u32) -> &[i64] {
        let skipped =
            place.checked_sub(self.first).and_then(|skipped| usize::try_from(skipped).ok());
        skipped.and_then(|skipped| self.at.get(skipped..)).unwrap_or_default()
    }

    /// Forgets the places before `place`.
    pub(super) fn forget_before(&mut self, place: u32) {
        let gone = place.saturating_sub(self.first).min(self.next().wrapping_sub(self.first));
        self.at.drain(..(gone as usize).min(self.at.len()));
        self.first += gone;
    }
}

/// A stretch of samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    /// When the first was taken.
    pub(super) first_at: i64,
    /// When the last was taken.
    pub(super) last_at: i64,
    /// The place of the first in the target's moments; without meaning where `timed`.
    pub(super) start: u32,
    /// How many there are.
    pub(super) count: u16,
    /// So many times the last value came again, after what the bytes say.
    pub(super) run: u8,
    /// Each sample has a moment of its own, as the page gave it.
    pub(super) timed: bool,
    /// The packed values.
    pub(super) bytes: Vec<u8>,
}

// How the bytes are to be read; the first of each value tells.
/// `00nnnnnn`: the value before, n + 1 times.
const RUN: u8 = 0x00;
/// `01dddddd`: a whole number, differing by the zigzag number d.
const DELTA_6: u8 = 0x40;
/// `10dddddd d`: the same in 14 bits, high bits first.
const DELTA_14: u8 = 0x80;
/// `110ddddd d d`: the same in 21 bits.
const DELTA_21: u8 = 0xc0;
/// `11100nnn`: the same in n bytes.
const DELTA_BYTES: u8 = 0xe0;
/// `11110lll`: bits that differ, without l zero bytes at their front.
const BITS: u8 = 0xf0;
/// `11111lll t`: the same, and without t zero bytes at their end.
const BITS_CUT: u8 = 0xf8;

impl Chunk {
    /// An empty chunk that begins at `place`, or whose samples have their own moments.
    pub(super) fn new(place: u32, timed: bool) -> Self {
        Self { start: place, timed, ..Self::default() }
    }

    /// Whether the sample at `place` can follow.
    pub(super) fn takes(&self, place: u32, timed: bool) -> bool {
        self.count < FULL
            && self.timed == timed
            && (timed || self.start.wrapping_add(u32::from(self.count)) == place)
    }

    /// Adds a sample; `before` is the value of the one before it in this chunk.
    pub(super) fn push(&mut self, before: f64, value: f64, at: i64) {
        let before = if self.count == 0 { 0.0 } else { before };
        if self.count == 0 {
            self.first_at = at;
            self.last_at = at;
        }
        let repeated = value.to_bits() == before.to_bits();
        if self.timed {
            self.put_varint(at.abs_diff(self.last_at));
            if repeated {
                self.put(&[RUN]);
            } else {
                self.put_change(before, value);
            }
        } else if repeated {
            self.run += 1;
        } else {
            self.settle();
            self.put_change(before, value);
        }
        self.last_at = at;
        self.count += 1;
    }

    /// Writes down a pending run.
    pub(super) fn settle(&mut self) {
        if self.run > 0 {
            let run = RUN | (self.run - 1);
            self.run = 0;
            self.put(&[run]);
        }
    }

    /// Appends, growing by a little: most series need few bytes a chunk.
    fn put(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > self.bytes.capacity() {
            self.bytes.reserve_exact(bytes.len().max(16));
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn put_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put(&[number.to_le_bytes()[0] | 0x80]);
            number >>= 7;
        }
        self.put(&[number.to_le_bytes()[0]]);
    }

    fn put_change(&mut self, before: f64, value: f64) {
        if let (Some(from), Some(to)) = (whole(before), whole(value)) {
            let difference = to - from;
            let zigzag = (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned();
            let [.., c, b, a] = zigzag.to_be_bytes();
            match zigzag {
                0..0x40 => self.put(&[DELTA_6 | a]),
                0x40..0x4000 => self.put(&[DELTA_14 | b, a]),
                0x4000..0x20_0000 => self.put(&[DELTA_21 | c, b, a]),
                _ => {
                    let bytes = zigzag.to_le_bytes();
                    let length = 8 - zigzag.leading_zeros() / 8;
                    self.put(&[DELTA_BYTES | low_byte(length)]);
                    self.put(&bytes[..length as usize]);
                }
            }
            return;
        }
        let bits = before.to_bits() ^ value.to_bits();
        let front = (bits.leading_zeros() / 8).min(7);
        let end = (bits.trailing_zeros() / 8).min(7 - front);
        let bytes = bits.to_le_bytes();
        let length = 8 - front as usize;
        if end >= 2 {
            self.put(&[BITS_CUT | low_byte(front), low_byte(end)]);
            self.put(&bytes[end as usize..length]);
        } else {
            self.put(&[BITS | low_byte(front)]);
            self.put(&bytes[..length]);
        }
    }

    /// Hands over the samples in order until `each` says that it is enough.
    /// Bytes that make no sense end it.
    pub(super) fn samples(&self, times: &Times, mut each: impl FnMut(i64, f64) -> bool) {
        let mut values = Values { bytes: Bytes(&self.bytes), last: 0.0, whole: Some(0) };
        if self.timed {
            let mut at = self.first_at;
            for _ in 0..self.count {
                let Some(by) = values.bytes.varint() else { return };
                at = at.saturating_add_unsigned(by);
                if values.next().is_none() || !each(at, values.last) {
                    return;
                }
            }
            return;
        }
        let mut moments = times.from(self.start).iter().take(usize::from(self.count));
        while !values.bytes.0.is_empty() {
            let Some(repeats) = values.next() else { return };
            for _ in 0..repeats {
                match moments.next() {
                    Some(&at) if each(at, values.last) => {}
                    _ => return,
                }
            }
        }
        for &at in moments.take(usize::from(self.run)) {
            if !each(at, values.last) {
                return;
            }
        }
    }
}

fn low_byte(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

/// The value as a whole number, where it is one that a float holds exactly.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !(-EXACT..=EXACT).contains(&value) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the exact whole numbers")]
    let number = value as i64;
    ((number as f64).to_bits() == value.to_bits()).then_some(number)
}

/// The rest of the packed bytes.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn little_endian(&mut self, count: usize) -> Option<u64> {
        let mut whole = [0; 8];
        whole.get_mut(..count)?.copy_from_slice(self.take(count)?);
        Some(u64::from_le_bytes(whole))
    }
}

/// The packed values, one after the other.
struct Values<'a> {
    bytes: Bytes<'a>,
    /// The value that was read last.
    last: f64,
    /// The same as a whole number, where that is known.
    whole: Option<i64>,
}

impl Values<'_> {
    /// Reads on: how many times the value comes that is the last one now.
    fn next(&mut self) -> Option<u16> {
        let bytes = &mut self.bytes;
        let head = bytes.byte()?;
        let zigzag = match head {
            0x00..DELTA_6 => return Some(u16::from(head) + 1),
            DELTA_6..DELTA_14 => u64::from(head & 0x3f),
            DELTA_14..DELTA_21 => u64::from(head & 0x3f) << 8 | u64::from(bytes.byte()?),
            DELTA_21..DELTA_BYTES => {
                let high = u64::from(head & 0x1f) << 16;
                high | u64::from(bytes.byte()?) << 8 | u64::from(bytes.byte()?)
            }
            DELTA_BYTES..BITS => bytes.little_endian(usize::from(head & 0x0f))?,
            BITS.. => {
                let front = usize::from(head & 0x07);
                let end = if head >= BITS_CUT { usize::from(bytes.byte()?) } else { 0 };
                let bits = bytes.little_endian(8_usize.checked_sub(front + end)?)?;
                let bits = bits.checked_shl(u32::try_from(end).ok()? * 8)?;
                self.last = f64::from_bits(self.last.to_bits() ^ bits);
                self.whole = None;
                return Some(1);
            }
        };
        let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let before = self.whole.or_else(|| whole(self.last))?;
        let now = before.checked_add(difference)?;
        self.whole = Some(now);
        self.last = now as f64;
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::STALE_BITS;
    use proptest::prelude::*;

    fn packed(values: &[f64]) -> (Chunk, Times) {
        let mut times = Times::default();
        let mut chunk = Chunk::new(0, false);
        let mut before = 0.0;
        for (at, &value) in (1_000..).step_by(5_000).zip(values) {
            times.push(at);
            chunk.push(before, value, at);
            before = value;
        }
        (chunk, times)
    }

    fn unpacked(chunk: &Chunk, times: &Times) -> Vec<(i64, u64)> {
        let mut samples = Vec::new();
        chunk.samples(times, |at, value| {
            samples.push((at, value.to_bits()));
            true
        });
        samples
    }

    #[test]
    fn a_value_that_stays_takes_no_bytes() {
        let (chunk, times) = packed(&[5.0; 60]);
        assert_eq!(chunk.bytes.len(), 1);
        assert_eq!(unpacked(&chunk, &times).len(), 60);
    }

    #[test]
    fn a_counter_takes_a_byte_or_two_a_sample() {
        let values: Vec<f64> = (0..60).map(|i| 1e6 + f64::from(i * i)).collect();
        let (chunk, _) = packed(&values);
        assert!(chunk.bytes.len() < 120, "{}", chunk.bytes.len());
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            3 => (-1_000_000_i64..1_000_000).prop_map(|n| n as f64),
            2 => any::<f64>(),
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => any::<i64>().prop_map(|n| n as f64),
            1 => Just(f64::from_bits(STALE_BITS)),
            1 => Just(-0.0),
            3 => Just(7.0),
            1 => (0_u32..100).prop_map(|n| f64::from(n) / 8.0),
        ]
    }

    proptest! {
        #[test]
        fn values_come_back_to_the_last_bit(values in prop::collection::vec(any_value(), 0..64)) {
            let (mut chunk, times) = packed(&values);
            let wanted: Vec<(i64, u64)> = (1_000..)
                .step_by(5_000)
                .zip(values.iter().map(|value| value.to_bits()))
                .collect();
            prop_assert_eq!(unpacked(&chunk, &times), wanted.clone());
            chunk.settle();
            prop_assert_eq!(unpacked(&chunk, &times), wanted);
        }

        #[test]
        fn moments_of_their_own_come_back(
            samples in prop::collection::vec((1_u64..100_000_000_000, any_value()), 0..64),
        ) {
            let mut chunk = Chunk::new(0, true);
            let mut wanted = Vec::new();
            let (mut at, mut before) = (-5_000_i64, 0.0);
            for (by, value) in samples {
                at = at.saturating_add_unsigned(by);
                chunk.push(before, value, at);
                before = value;
                wanted.push((at, value.to_bits()));
            }
            prop_assert_eq!(unpacked(&chunk, &Times::default()), wanted);
        }

        #[test]
        fn bytes_that_make_no_sense_end_a_chunk_quietly(
            bytes in prop::collection::vec(any::<u8>(), 0..64), timed in any::<bool>(),
        ) {
            let mut times = Times::default();
            for at in 0..64 {
                times.push(at);
            }
            let chunk = Chunk { bytes, timed, count: 64, run: 3, ..Chunk::default() };
            prop_assert!(unpacked(&chunk, &times).len() <= 64);
        }
    }
}
