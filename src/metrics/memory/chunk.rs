//! A stretch of samples of one series, packed into bytes.
//!
//! A series that is scraped with its target needs no moments of its own: its
//! samples stand at consecutive places of the target's list of moments. Of
//! values that are whole numbers and never fall, as those of most counters, the
//! steps are kept, all as wide as the widest: nothing at all for a value that
//! stays, a byte for one that moves a little, and a sum tells any of them. Other
//! values are kept one after the other as in `token`. Every value comes back to
//! the last bit.

use super::token::{self, Values, whole};

/// A chunk of steps with so many samples is full.
const FULL_STEPS: u8 = 120;
/// A chunk of other values with so many samples is full: it can only be read
/// from its beginning.
const FULL_TOKENS: u8 = 64;
/// The first room for bytes: enough for a chunk of small steps.
const FIRST_ROOM: usize = 144;
/// What is added where that is not enough.
const MORE_ROOM: usize = 96;

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

    /// At most `count` moments from `place` on.
    pub(super) fn from(&self, place: u32, count: u8) -> &[i64] {
        let skipped =
            place.checked_sub(self.first).and_then(|skipped| usize::try_from(skipped).ok());
        let rest = skipped.and_then(|skipped| self.at.get(skipped..)).unwrap_or_default();
        rest.get(..usize::from(count)).unwrap_or(rest)
    }

    /// Forgets the places before `place`.
    pub(super) fn forget_before(&mut self, place: u32) {
        let gone = place.saturating_sub(self.first).min(self.next().wrapping_sub(self.first));
        self.at.drain(..(gone as usize).min(self.at.len()));
        self.first += gone;
        if self.at.capacity() > 2 * self.at.len() + 64 {
            self.at.shrink_to_fit();
        }
    }
}

/// How a chunk's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Steps of so many bytes each, up to four.
    Steps(u8),
    /// One value after the other; so many times the last one came again after
    /// what the bytes say.
    Tokens(u8),
    /// The same, each after the time since the one before, as pages gave it.
    Timed,
}

/// A stretch of samples.
#[derive(Clone, Debug)]
pub(super) struct Chunk<B> {
    /// When the first was taken.
    pub(super) first_at: i64,
    /// When the last was taken.
    pub(super) last_at: i64,
    /// The first value.
    pub(super) first: f64,
    /// The place of the first in the target's moments; without meaning where timed.
    pub(super) start: u32,
    /// How many there are.
    pub(super) count: u8,
    pub(super) form: Form,
    /// The packed values after the first.
    pub(super) bytes: B,
}

/// The chunk that is being filled.
pub(super) type Head = Chunk<Vec<u8>>;
/// A full chunk.
pub(super) type Sealed = Chunk<Box<[u8]>>;

impl Default for Head {
    fn default() -> Self {
        Self {
            first_at: 0,
            last_at: 0,
            first: 0.0,
            start: 0,
            count: 0,
            form: Form::Steps(0),
            bytes: Vec::new(),
        }
    }
}

impl Head {
    /// Begins anew with a sample; the room for bytes stays.
    pub(super) fn begin(&mut self, place: u32, timed: bool, at: i64, value: f64) {
        self.bytes.clear();
        (self.first_at, self.last_at, self.first) = (at, at, value);
        (self.start, self.count) = (place, 1);
        self.form = if timed { Form::Timed } else { Form::Steps(0) };
    }

    /// Whether the sample at `place` can follow.
    pub(super) fn takes(&self, place: u32, timed: bool) -> bool {
        let full = if matches!(self.form, Form::Steps(_)) { FULL_STEPS } else { FULL_TOKENS };
        self.count < full
            && (self.form == Form::Timed) == timed
            && (timed || self.start.wrapping_add(u32::from(self.count)) == place)
    }

    /// Adds a sample after that with the value `before`.
    pub(super) fn push(&mut self, before: f64, value: f64, at: i64) {
        if let Form::Steps(width) = self.form
            && !self.push_step(width, before, value)
        {
            self.retell();
        }
        let repeated = value.to_bits() == before.to_bits();
        match &mut self.form {
            Form::Steps(_) => {}
            Form::Tokens(run) if repeated => *run += 1,
            Form::Tokens(run) => {
                let run = std::mem::take(run);
                self.make_room(0);
                token::put_run(&mut self.bytes, run);
                token::put_change(&mut self.bytes, before, value);
            }
            Form::Timed => {
                self.make_room(0);
                token::put_varint(&mut self.bytes, at.abs_diff(self.last_at));
                if repeated {
                    token::put_run(&mut self.bytes, 1);
                } else {
                    token::put_change(&mut self.bytes, before, value);
                }
            }
        }
        self.last_at = at;
        self.count += 1;
    }

    /// Adds a step; false where it is none.
    fn push_step(&mut self, width: u8, before: f64, value: f64) -> bool {
        if value.to_bits() == before.to_bits() {
            let length = self.bytes.len() + usize::from(width);
            if width > 0 {
                self.make_room(0);
            }
            self.bytes.resize(length, 0);
            return true;
        }
        let (Some(from), Some(to)) = (whole(before), whole(value)) else { return false };
        let Ok(step) = u32::try_from(to - from) else { return false };
        let needed = match step {
            0..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x100_0000 => 3,
            _ => 4,
        };
        if needed > width {
            self.widen(width, needed);
        }
        self.make_room(0);
        let bytes = step.to_le_bytes();
        let width = usize::from(needed.max(width));
        self.bytes.extend_from_slice(bytes.get(..width).unwrap_or(&bytes));
        true
    }

    fn widen(&mut self, from: u8, to: u8) {
        let mut steps = [0_u32; FULL_STEPS as usize];
        let count = usize::from(self.count.saturating_sub(1)).min(steps.len());
        for (to, step) in steps.iter_mut().zip(Steps::new(from, &self.bytes)) {
            *to = step;
        }
        self.bytes.clear();
        self.make_room(usize::from(to) * count);
        for step in steps.iter().take(count) {
            self.bytes.extend_from_slice(step.to_le_bytes().get(..usize::from(to)).unwrap_or(&[]));
        }
        self.form = Form::Steps(to);
    }

    /// Writes steps down as values.
    fn retell(&mut self) {
        let mut values = [0.0; FULL_STEPS as usize];
        let mut count = 0;
        self.packed().values(0, usize::from(self.count), &mut |value| {
            if let Some(place) = values.get_mut(count) {
                *place = value;
            }
            count += 1;
        });
        self.bytes.clear();
        let mut run = 0;
        let mut before = self.first;
        for &value in values.iter().take(count).skip(1) {
            if value.to_bits() == before.to_bits() {
                run += 1;
            } else {
                token::put_run(&mut self.bytes, std::mem::take(&mut run));
                token::put_change(&mut self.bytes, before, value);
            }
            before = value;
        }
        self.form = Form::Tokens(run);
    }

    /// Room for so many bytes and another sample: at first for a whole chunk of
    /// small steps, and always for some, so that the next ones find it; never for
    /// so many that a scrape on which all series grow takes much.
    fn make_room(&mut self, bytes: usize) {
        const LONGEST: usize = 24;
        let (room, needed) = (self.bytes.capacity(), self.bytes.len() + bytes + LONGEST);
        if room < needed {
            let room = FIRST_ROOM.max(room + MORE_ROOM).max(needed);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
    }

    /// As a full chunk, which takes no more room than it needs.
    pub(super) fn seal(&self) -> Sealed {
        let mut form = self.form;
        let mut run = [0; 4];
        let mut added = 0;
        if let Form::Tokens(pending) = &mut form {
            added = token::run_bytes(std::mem::take(pending), &mut run);
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() + added);
        bytes.extend_from_slice(&self.bytes);
        bytes.extend_from_slice(run.get(..added).unwrap_or_default());
        self.with(form, bytes.into_boxed_slice())
    }
}

impl Sealed {
    /// To be filled further.
    pub(super) fn open(mut self) -> Head {
        let bytes = std::mem::take(&mut self.bytes).into_vec();
        self.with(self.form, bytes)
    }
}

impl<B> Chunk<B> {
    /// The same with other bytes.
    fn with<C>(&self, form: Form, bytes: C) -> Chunk<C> {
        Chunk {
            first_at: self.first_at,
            last_at: self.last_at,
            first: self.first,
            start: self.start,
            count: self.count,
            form,
            bytes,
        }
    }
}

impl<B: AsRef<[u8]>> Chunk<B> {
    /// To be read.
    pub(super) fn packed(&self) -> Chunk<&[u8]> {
        self.with(self.form, self.bytes.as_ref())
    }

    /// Whether its samples have moments of their own.
    pub(super) fn is_timed(&self) -> bool {
        self.form == Form::Timed
    }
}

impl<'a> Chunk<&'a [u8]> {
    /// The values of the samples from the one at `from` to that before `to`, in
    /// order; of a chunk that is not timed. Bytes that make no sense end it.
    pub(super) fn values(&self, from: usize, to: usize, each: &mut impl FnMut(f64)) {
        let to = to.min(usize::from(self.count));
        if from >= to {
            return;
        }
        match self.form {
            Form::Steps(0) => (from..to).for_each(|_| each(self.first)),
            Form::Steps(width) => {
                let Some(first) = whole(self.first) else { return };
                let mut now = first.saturating_add_unsigned(self.sum(width, 0, from));
                each(now as f64);
                for step in Steps::new(width, self.steps(width, from, to - 1)) {
                    now = now.saturating_add_unsigned(u64::from(step));
                    each(now as f64);
                }
            }
            Form::Tokens(mut run) => {
                let mut values = Values::new(self.bytes, self.first);
                let (mut place, mut repeats) = (0, 1);
                loop {
                    let next = (place + usize::from(repeats)).min(to);
                    (place.max(from)..next).for_each(|_| each(values.last));
                    place = next;
                    if place == to {
                        return;
                    }
                    repeats = if values.is_done() {
                        std::mem::take(&mut run)
                    } else {
                        values.next().unwrap_or(0)
                    };
                    if repeats == 0 {
                        return;
                    }
                }
            }
            Form::Timed => {}
        }
    }

    /// Where the values are steps: the first one of these samples and the last
    /// one, between which none fell.
    pub(super) fn ends(&self, from: usize, to: usize) -> Option<(f64, f64)> {
        match self.form {
            Form::Steps(0) => Some((self.first, self.first)),
            Form::Steps(width) => {
                let first = whole(self.first)?.saturating_add_unsigned(self.sum(width, 0, from));
                let last = first.saturating_add_unsigned(self.sum(width, from, to - 1));
                Some((first as f64, last as f64))
            }
            Form::Tokens(_) | Form::Timed => None,
        }
    }

    /// The samples with their moments; of a chunk that is timed.
    pub(super) fn timed(&self, each: &mut impl FnMut(i64, f64)) {
        let mut values = Values::new(self.bytes, self.first);
        let mut at = self.first_at;
        each(at, self.first);
        for _ in 1..self.count {
            let Some(by) = values.varint() else { return };
            at = at.saturating_add_unsigned(by);
            if values.next().is_none() {
                return;
            }
            each(at, values.last);
        }
    }

    fn steps(&self, width: u8, from: usize, to: usize) -> &'a [u8] {
        let width = usize::from(width);
        let end = (to * width).min(self.bytes.len());
        self.bytes.get(from * width..end).unwrap_or_default()
    }

    /// The sum of the steps from the one after sample `from` to that of sample `to`.
    fn sum(&self, width: u8, from: usize, to: usize) -> u64 {
        let bytes = self.steps(width, from, to);
        match width {
            // At most 120 of them.
            1 => u64::from(bytes.iter().map(|&byte| u16::from(byte)).sum::<u16>()),
            2 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&step| u64::from(u16::from_le_bytes(step)))
                .sum(),
            _ => Steps::new(width, bytes).map(u64::from).sum(),
        }
    }
}

/// Steps of one width.
struct Steps<'a> {
    width: usize,
    bytes: &'a [u8],
}

impl<'a> Steps<'a> {
    fn new(width: u8, bytes: &'a [u8]) -> Self {
        Self { width: usize::from(width), bytes }
    }
}

impl Iterator for Steps<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (step, rest) = match self.width {
            1 => {
                let (step, rest) = self.bytes.split_first()?;
                (u32::from(*step), rest)
            }
            2 => {
                let (step, rest) = self.bytes.split_first_chunk::<2>()?;
                (u32::from(u16::from_le_bytes(*step)), rest)
            }
            3 => {
                let ([a, b, c], rest) = self.bytes.split_first_chunk::<3>()?;
                (u32::from_le_bytes([*a, *b, *c, 0]), rest)
            }
            4 => {
                let (step, rest) = self.bytes.split_first_chunk::<4>()?;
                (u32::from_le_bytes(*step), rest)
            }
            _ => return None,
        };
        self.bytes = rest;
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::STALE_BITS;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn packed(values: &[f64]) -> Head {
        let mut chunk = Head::default();
        let mut before = 0.0;
        for (at, &value) in (1_000..).step_by(5_000).zip(values) {
            if chunk.count == 0 {
                chunk.begin(7, false, at, value);
            } else {
                chunk.push(before, value, at);
            }
            before = value;
        }
        chunk
    }

    fn part<B: AsRef<[u8]>>(chunk: &Chunk<B>, from: usize, to: usize) -> Vec<u64> {
        let mut values = Vec::new();
        chunk.packed().values(from, to, &mut |value: f64| values.push(value.to_bits()));
        values
    }

    fn unpacked<B: AsRef<[u8]>>(chunk: &Chunk<B>) -> Vec<u64> {
        part(chunk, 0, usize::from(chunk.count))
    }

    #[test]
    fn a_value_that_stays_takes_no_bytes() {
        let chunk = packed(&[5.5; 60]);
        assert_eq!((chunk.bytes.len(), chunk.form), (0, Form::Steps(0)));
        assert_eq!(unpacked(&chunk), [5.5_f64.to_bits(); 60]);
    }

    #[test]
    fn a_counter_takes_as_many_bytes_as_its_widest_step() {
        let counter = |by: i64| (0..120).map(|i| (1_000 + i * by) as f64).collect::<Vec<_>>();
        for (by, width) in [(0, 0), (255, 1), (256, 2), (70_000, 3), (1 << 31, 4)] {
            let chunk = packed(&counter(by)).seal();
            assert_eq!(
                (chunk.bytes.len(), chunk.form),
                (119 * usize::from(width), Form::Steps(width))
            );
            let last = (1_000 + 119 * by) as f64;
            assert_eq!(chunk.packed().ends(0, 120), Some((1_000.0, last)));
            assert_eq!(chunk.packed().ends(119, 120), Some((last, last)));
        }
        assert!(packed(&counter(1 << 33)).packed().ends(0, 1).is_none());
    }

    #[test]
    fn a_chunk_keeps_its_room_for_the_next_one() {
        let mut chunk = packed(&[1.0, 2.0, 3.0]);
        let room = chunk.bytes.capacity();
        chunk.begin(9, false, 0, 1.0);
        assert_eq!((chunk.bytes.capacity(), chunk.bytes.len()), (room, 0));
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

    /// Mostly counters, and anything after them.
    fn any_values() -> impl Strategy<Value = Vec<f64>> {
        let steps = prop::collection::vec(
            prop_oneof![4 => 0_u64..300, 1 => 0_u64..100_000, 1 => 0_u64..20_000_000_000, 2 => Just(0)],
            0..80,
        );
        let counter = (any::<u32>(), steps).prop_map(|(from, steps)| {
            let mut now = u64::from(from);
            steps
                .into_iter()
                .map(|step| {
                    now += step;
                    now as f64
                })
                .collect::<Vec<_>>()
        });
        (counter, prop::collection::vec(any_value(), 0..40)).prop_map(|(mut all, rest)| {
            all.extend(rest);
            all
        })
    }

    proptest! {
        #[test]
        fn values_come_back_to_the_last_bit(
            values in any_values(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
        ) {
            let chunk = packed(&values);
            let wanted: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
            prop_assert_eq!(unpacked(&chunk), wanted.clone());
            let sealed = chunk.seal();
            prop_assert_eq!(unpacked(&sealed), wanted.clone());
            let (from, to) = (from.index(values.len() + 1), to.index(values.len() + 1));
            prop_assert_eq!(part(&sealed, from, to), wanted.get(from..to).unwrap_or_default());
            prop_assert_eq!(part(&chunk, from, to), wanted.get(from..to).unwrap_or_default());
            if from < to && let Some((first, last)) = sealed.packed().ends(from, to) {
                prop_assert_eq!([first.to_bits(), last.to_bits()], [wanted[from], wanted[to - 1]]);
                prop_assert!(values[from..to].windows(2).all(|two| two[0].partial_cmp(&two[1]) != Some(Ordering::Greater)));
            }
        }

        #[test]
        fn moments_of_their_own_come_back(
            samples in prop::collection::vec((1_u64..100_000_000_000, any_value()), 1..64),
        ) {
            let mut chunk = Head::default();
            let mut wanted = Vec::new();
            let (mut at, mut before) = (-5_000_i64, 0.0);
            for (by, value) in samples {
                at = at.saturating_add_unsigned(by);
                if chunk.count == 0 {
                    chunk.begin(0, true, at, value);
                } else {
                    chunk.push(before, value, at);
                }
                before = value;
                wanted.push((at, value.to_bits()));
            }
            let mut seen = Vec::new();
            chunk.seal().packed().timed(&mut |at, value: f64| seen.push((at, value.to_bits())));
            prop_assert_eq!(seen, wanted);
        }

        #[test]
        fn bytes_that_make_no_sense_end_a_chunk_quietly(
            bytes in prop::collection::vec(any::<u8>(), 0..64), count in 1_u8..,
            first in any_value(), form in 0_u8..8, from in 0_usize..300, to in 0_usize..300,
        ) {
            let form = match form {
                0..5 => Form::Steps(form),
                5 => Form::Timed,
                run => Form::Tokens(run * 20),
            };
            let chunk = Head { first, count, form, bytes, ..Head::default() };
            prop_assert!(part(&chunk, from, to).len() <= to.saturating_sub(from));
            if from < to {
                chunk.packed().ends(from, to);
            }
            let mut samples = 0;
            chunk.packed().timed(&mut |_, _| samples += 1);
            prop_assert!(samples <= u32::from(count));
        }
    }
}
