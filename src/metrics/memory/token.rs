//! Values one after the other, each as its difference from the one before: a
//! byte or two for whole numbers that move a little, and the bits that changed
//! for others.

// How a value is to be read; the first byte of each tells.
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
/// A run of so many takes one byte.
const LONGEST_RUN: u8 = 64;

/// Says that the value before came again `run` times.
pub(super) fn put_run(out: &mut Vec<u8>, run: u8) {
    let mut bytes = [0; 4];
    let count = run_bytes(run, &mut bytes);
    out.extend_from_slice(bytes.get(..count).unwrap_or_default());
}

/// The same as bytes; how many they are.
pub(super) fn run_bytes(mut run: u8, bytes: &mut [u8; 4]) -> usize {
    let mut count = 0;
    for byte in bytes {
        if run == 0 {
            break;
        }
        let now = run.min(LONGEST_RUN);
        *byte = RUN | (now - 1);
        run -= now;
        count += 1;
    }
    count
}

/// A number in as few bytes as it takes, low bits first.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// A value that is not the one before.
pub(super) fn put_change(out: &mut Vec<u8>, before: f64, value: f64) {
    if let (Some(from), Some(to)) = (whole(before), whole(value)) {
        let difference = to - from;
        let zigzag = (difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned();
        let [.., c, b, a] = zigzag.to_be_bytes();
        match zigzag {
            0..0x40 => out.push(DELTA_6 | a),
            0x40..0x4000 => out.extend_from_slice(&[DELTA_14 | b, a]),
            0x4000..0x20_0000 => out.extend_from_slice(&[DELTA_21 | c, b, a]),
            _ => {
                let bytes = zigzag.to_le_bytes();
                let length = 8 - zigzag.leading_zeros() / 8;
                out.push(DELTA_BYTES | low_byte(length));
                out.extend_from_slice(&bytes[..length as usize]);
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
        out.extend_from_slice(&[BITS_CUT | low_byte(front), low_byte(end)]);
        out.extend_from_slice(&bytes[end as usize..length]);
    } else {
        out.push(BITS | low_byte(front));
        out.extend_from_slice(&bytes[..length]);
    }
}

fn low_byte(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

/// The value as a whole number, where it is one that a float holds exactly.
pub(super) fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !(-EXACT..=EXACT).contains(&value) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the exact whole numbers")]
    let number = value as i64;
    ((number as f64).to_bits() == value.to_bits()).then_some(number)
}

/// The packed values, one after the other.
pub(super) struct Values<'a> {
    bytes: &'a [u8],
    /// The value that was read last.
    pub(super) last: f64,
    /// The same as a whole number, where that is known.
    whole: Option<i64>,
}

impl<'a> Values<'a> {
    /// Those after `first`.
    pub(super) fn new(bytes: &'a [u8], first: f64) -> Self {
        Self { bytes, last: first, whole: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.bytes.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// A number that [`put_varint`] wrote.
    pub(super) fn varint(&mut self) -> Option<u64> {
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
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        let mut whole = [0; 8];
        whole.get_mut(..count)?.copy_from_slice(taken);
        self.bytes = rest;
        Some(u64::from_le_bytes(whole))
    }

    /// Reads on: how many times the value comes that is the last one now. None
    /// at the end and where the bytes make no sense.
    pub(super) fn next(&mut self) -> Option<u8> {
        let head = self.byte()?;
        let zigzag = match head {
            RUN..DELTA_6 => return Some(head + 1),
            DELTA_6..DELTA_14 => u64::from(head & 0x3f),
            DELTA_14..DELTA_21 => u64::from(head & 0x3f) << 8 | u64::from(self.byte()?),
            DELTA_21..DELTA_BYTES => {
                let high = u64::from(head & 0x1f) << 16;
                high | u64::from(self.byte()?) << 8 | u64::from(self.byte()?)
            }
            DELTA_BYTES..BITS => self.little_endian(usize::from(head & 0x0f))?,
            BITS.. => {
                let front = usize::from(head & 0x07);
                let end = if head >= BITS_CUT { usize::from(self.byte()?) } else { 0 };
                let bits = self.little_endian(8_usize.checked_sub(front + end)?)?;
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
