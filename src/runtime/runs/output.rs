//! The output file of a run: masked, bounded, append-only.
//!
//! What stands at a place in it stands there for good, so that a follower who
//! was cut off goes on where it was. It is text: what is no UTF-8 is replaced
//! before it is written. Of a step with very much output the file keeps the
//! head, glimpses of what passes by while it runs, and the tail; in between
//! stands how much was left out. Each step may take a share of the room that is
//! left, so that there is always some for the next.

use super::masking::Masker;
use crate::domain::runs::OutputRange;
use crate::domain::units;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// A run's file has so many bytes at most.
pub const MOST: u64 = 16 << 20;
/// So much of a step's beginning is kept, and no more than half of the room that is left.
const HEAD: u64 = 4 << 20;
/// So much of its end, and no more than an eighth.
const TAIL: u64 = 1 << 20;
/// So much of what passes by between them, and no more than an eighth.
const GLIMPSES: u64 = 1 << 20;
/// One of them.
const GLIMPSE: usize = 2 << 10;
const PASSING: &str = "\n[opsroom: much output; this passes by]\n";
/// A second from one to the next, then ever more, up to a minute.
const FIRST_GAP: Duration = Duration::from_secs(1);
const LONGEST_GAP: Duration = Duration::from_mins(1);

/// A piece of the file, as followers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it stands in the file, in bytes.
    pub from: u64,
    /// What stands there: as many bytes as the file has of it.
    pub text: String,
}

/// The output file of a run, for the one process that writes it.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// So many bytes stand in it.
    end: u64,
    most: u64,
    masker: Masker,
    step: OfStep,
    /// Why something could not be kept, if so, since the step began.
    loss: Option<String>,
}

/// What is remembered of the step that runs.
#[derive(Debug, Default)]
struct OfStep {
    from: u64,
    /// May be the beginning of a secret.
    held: Vec<u8>,
    /// The beginning of a character.
    cut: Vec<u8>,
    /// Room for the head that is left.
    head: u64,
    glimpses: u64,
    tail_most: usize,
    /// What came last and was not written yet.
    tail: String,
    /// Came before it and was not written: all of it, and what the file does not say yet.
    dropped: u64,
    untold: u64,
    /// So much came since the last glimpse.
    unseen: usize,
    next_glimpse: Option<Duration>,
    gap: Duration,
    synced: bool,
}

impl Output {
    /// Opens the file, or makes it for its owner alone (for the group as well
    /// where it is `shared`), and goes on at its end.
    pub fn open(path: &Path, shared: bool, masker: Masker) -> io::Result<Self> {
        let mode = if shared { 0o660 } else { 0o600 };
        let file = OpenOptions::new().append(true).create(true).mode(mode).open(path)?;
        let end = file.metadata()?.len();
        let step = OfStep { synced: true, ..OfStep::default() };
        let mut output = Self { file, end, most: MOST, masker, step, loss: None };
        output.begin();
        Ok(output)
    }

    /// Hides other texts from now on.
    pub fn hide(&mut self, masker: Masker) {
        self.masker = masker;
    }

    /// A step begins: what comes from now on is its own.
    pub fn begin(&mut self) {
        let room = self.most.saturating_sub(self.end);
        self.loss = None;
        self.step = OfStep {
            from: self.end,
            head: HEAD.min(room / 2),
            glimpses: GLIMPSES.min(room / 8),
            tail_most: usize::try_from(TAIL.min(room / 8)).unwrap_or(0),
            gap: FIRST_GAP,
            synced: true,
            ..OfStep::default()
        };
    }

    /// Takes what a step has put out, at `at` of a clock that only goes forward.
    /// Gives what stands in the file because of it.
    pub fn take(&mut self, bytes: &[u8], at: Duration) -> Vec<Piece> {
        let masked = self.masker.take(&mut self.step.held, bytes);
        let text = whole_characters(&mut self.step.cut, &masked);
        let mut pieces = Vec::new();
        self.keep(&text, at, &mut pieces);
        pieces
    }

    /// The step has ended: its tail is written, and all of it is on the disk.
    /// Gives where its output stands; none where there was none.
    pub fn end(&mut self) -> (Option<OutputRange>, Vec<Piece>) {
        let masked = self.masker.flush(&mut self.step.held);
        let mut text = whole_characters(&mut self.step.cut, &masked);
        text.push_str(&String::from_utf8_lossy(&std::mem::take(&mut self.step.cut)));
        let mut pieces = Vec::new();
        self.keep(&text, Duration::MAX, &mut pieces);
        if !self.step.tail.is_empty() || self.step.untold > 0 {
            let tail = std::mem::take(&mut self.step.tail);
            let told = self.told_gap();
            self.write(&format!("{told}{tail}"), tail.len() as u64, &mut pieces);
        }
        if !self.step.synced
            && let Err(error) = self.file.sync_data()
        {
            self.loss = Some(error.to_string());
        }
        let (from, to, dropped) = (self.step.from, self.end, self.step.dropped);
        let range = (to > from || dropped > 0).then_some(OutputRange { from, to, dropped });
        self.begin_after_end();
        (range, pieces)
    }

    /// Why something of the step could not be kept, if so: a full disk.
    pub fn loss(&self) -> Option<&str> {
        self.loss.as_deref()
    }

    fn begin_after_end(&mut self) {
        let loss = self.loss.take();
        self.begin();
        self.loss = loss;
    }

    /// Into the head as long as there is room, then into the tail.
    fn keep(&mut self, text: &str, at: Duration, pieces: &mut Vec<Piece>) {
        let room = usize::try_from(self.step.head).unwrap_or(usize::MAX);
        let (head, rest) = text.split_at(boundary(text, room.min(text.len())));
        if !head.is_empty() {
            // What begins the tail does not go on in the head.
            self.step.head = if rest.is_empty() { self.step.head - head.len() as u64 } else { 0 };
            self.write(head, head.len() as u64, pieces);
        }
        if rest.is_empty() {
            return;
        }
        self.step.tail.push_str(rest);
        self.step.unseen += rest.len();
        if self.step.tail.len() > 2 * self.step.tail_most {
            let over = self.step.tail.len() - self.step.tail_most;
            self.drop_from_tail(over);
        }
        self.glimpse(at, pieces);
    }

    fn drop_from_tail(&mut self, over: usize) {
        let tail = &mut self.step.tail;
        let mut cut = over.min(tail.len());
        while !tail.is_char_boundary(cut) {
            cut += 1;
        }
        tail.drain(..cut);
        self.step.dropped += cut as u64;
        self.step.untold += cut as u64;
    }

    /// Lets followers see what passes by, now and then. It may stand in the tail
    /// again, and counts as left out where it does not.
    fn glimpse(&mut self, at: Duration, pieces: &mut Vec<Piece>) {
        if at == Duration::MAX || self.step.unseen < GLIMPSE {
            return;
        }
        let Some(next) = self.step.next_glimpse else {
            self.step.next_glimpse = Some(at + self.step.gap);
            return;
        };
        if at < next || self.step.glimpses < GLIMPSE as u64 {
            return;
        }
        self.step.gap = self.step.gap.mul_f64(1.1).min(LONGEST_GAP);
        self.step.next_glimpse = Some(at + self.step.gap);
        self.step.glimpses -= GLIMPSE as u64;
        self.step.unseen = 0;
        let tail = &self.step.tail;
        let mut from = tail.len().saturating_sub(GLIMPSE - PASSING.len());
        while !tail.is_char_boundary(from) {
            from += 1;
        }
        let seen = &tail[from..];
        let seen = seen.split_once('\n').map_or(seen, |(_, lines)| lines);
        let text = format!("{PASSING}{seen}");
        self.write(&text, 0, pieces);
    }

    /// Says in the file what stands not in it.
    fn told_gap(&mut self) -> String {
        let untold = std::mem::take(&mut self.step.untold);
        if untold == 0 {
            return String::new();
        }
        format!("\n[opsroom: {} of output left out here]\n", units::bytes(untold as f64))
    }

    /// Appends a text; where it cannot be, what counts of it is lost and the
    /// step goes on.
    fn write(&mut self, text: &str, counts: u64, pieces: &mut Vec<Piece>) {
        self.step.synced = false;
        match self.file.write_all(text.as_bytes()) {
            Ok(()) => {
                pieces.push(Piece { from: self.end, text: text.to_owned() });
                self.end += text.len() as u64;
            }
            Err(error) => {
                self.loss = Some(error.to_string());
                self.step.dropped += counts;
                self.step.untold += counts;
                // A part of it may stand there, which nobody was told of.
                let _ = self.file.set_len(self.end);
            }
        }
    }
}

/// The largest place up to `most` at which a character begins.
fn boundary(text: &str, most: usize) -> usize {
    (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// All characters that are whole; the beginning of another one stays in `cut`.
fn whole_characters(cut: &mut Vec<u8>, bytes: &[u8]) -> String {
    let mut all = std::mem::take(cut);
    all.extend_from_slice(bytes);
    let mut text = String::with_capacity(all.len());
    let mut rest = all.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                let Some(bad) = error.error_len() else {
                    *cut = after.to_vec();
                    return text;
                };
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &after[bad..];
            }
        }
    }
}

/// What stands in an output file from this byte on, at most so many bytes;
/// begins at the character in which that byte stands. Empty at its end.
pub fn read(path: &Path, from: u64, most: usize) -> io::Result<Piece> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    // A character has four bytes at most.
    let begin = from.min(end).saturating_sub(3);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    let before = from.min(end) - begin;
    // No further than asked: what follows may be another step's.
    file.take(before + most as u64).read_to_end(&mut bytes)?;
    let wanted = usize::try_from(before).unwrap_or(0);
    let is_inside = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let mut first = wanted;
    while first > 0 && bytes.get(first).copied().is_some_and(is_inside) {
        first -= 1;
    }
    let text = whole_characters(&mut Vec::new(), &bytes[first.min(bytes.len())..]);
    Ok(Piece { from: begin + first as u64, text })
}

#[cfg(test)]
mod tests;
