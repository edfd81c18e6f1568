//! What a run has to tell, for all who follow it: each reads at its own pace,
//! and none is waited for.

use crate::domain::runs::{Entry, StepId};
use crate::runbook::{Doing, Told};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// So much output is told at once.
const PIECE: u64 = 32 * 1024;

/// All that was told so far.
pub(super) struct Board {
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    items: Vec<Item>,
    /// Before the start: parameters, plan, or why there is none; each told as it changes.
    parameters: Slot,
    plan: Slot,
    doing: Slot,
    is_over: bool,
}

/// Told in order, once.
enum Item {
    Entry(String),
    Output { step: StepId, from: u64, to: u64 },
}

/// Only the newest counts.
#[derive(Default)]
struct Slot {
    version: u64,
    line: String,
}

impl Slot {
    fn set(&mut self, told: &Told) {
        let line = line(told);
        if line != self.line {
            self.line = line;
            self.version += 1;
        }
    }
}

/// How far a follower has read.
#[derive(Default)]
pub(super) struct Reader {
    item: usize,
    /// Output before this was told.
    output: u64,
    parameters: u64,
    plan: u64,
    doing: u64,
}

/// What a follower is told next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// These lines.
    Lines(String),
    /// Output of a step, which stands there in the file.
    Output { step: StepId, from: u64, to: u64 },
    /// Nothing for now.
    Nothing,
    /// Nothing any more.
    Over,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { inner: Mutex::default(), version: watch::Sender::new(0) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked with it left whole lines behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Turns when there is something new.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(super) fn entry(&self, entry: &Entry) {
        self.inner().items.push(Item::Entry(line(&Told::Entry(entry.clone()))));
        self.changed();
    }

    /// These bytes of the output file are of this step.
    pub(super) fn output(&self, step: StepId, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let mut inner = self.inner();
        match inner.items.last_mut() {
            Some(Item::Output { step: last, to: end, .. }) if *last == step && *end == from => {
                *end = to;
            }
            _ => inner.items.push(Item::Output { step, from, to }),
        }
        drop(inner);
        self.changed();
    }

    /// Told also where it is the same as before: whoever hears it knows that the
    /// run's process lives.
    pub(super) fn doing(&self, doing: &Doing) {
        let line = line(&Told::Doing(doing.clone()));
        let mut inner = self.inner();
        inner.doing = Slot { version: inner.doing.version + 1, line };
        drop(inner);
        self.changed();
    }

    /// What is done now is told again though it is the same: it lives.
    pub(super) fn beat(&self) {
        let mut inner = self.inner();
        if !inner.doing.line.is_empty() {
            inner.doing.version += 1;
        }
        drop(inner);
        self.changed();
    }

    /// What is told before the start.
    pub(super) fn before(&self, told: &Told) {
        let mut inner = self.inner();
        match told {
            Told::Parameters(_) => inner.parameters.set(told),
            _ => inner.plan.set(told),
        }
        drop(inner);
        self.changed();
    }

    /// It began: what was told before is of no interest any more.
    pub(super) fn began(&self) {
        let mut inner = self.inner();
        inner.parameters = Slot { version: inner.parameters.version, line: String::new() };
        inner.plan = Slot { version: inner.plan.version, line: String::new() };
    }

    /// There is no more to come.
    pub(super) fn over(&self) {
        self.inner().is_over = true;
        self.changed();
    }

    /// Whether there is no more to come.
    pub(super) fn is_over(&self) -> bool {
        self.inner().is_over
    }

    /// The next piece for a follower that has read so far.
    pub(super) fn next(&self, reader: &mut Reader) -> Piece {
        let inner = self.inner();
        let mut lines = String::new();
        while let Some(item) = inner.items.get(reader.item) {
            match item {
                Item::Entry(line) if lines.len() < 256 * 1024 => lines.push_str(line),
                Item::Entry(_) => break,
                Item::Output { step, from, to } => {
                    let begin = reader.output.max(*from);
                    let is_last = reader.item + 1 == inner.items.len();
                    if begin < *to {
                        if !lines.is_empty() {
                            break;
                        }
                        let end = (*to).min(begin + PIECE);
                        return Piece::Output { step: *step, from: begin, to: end };
                    }
                    if is_last {
                        // It may grow.
                        break;
                    }
                }
            }
            reader.item += 1;
        }
        if !lines.is_empty() {
            return Piece::Lines(lines);
        }
        for (slot, seen) in [
            (&inner.parameters, &mut reader.parameters),
            (&inner.plan, &mut reader.plan),
            (&inner.doing, &mut reader.doing),
        ] {
            if slot.version > *seen {
                *seen = slot.version;
                lines.push_str(&slot.line);
            }
        }
        match (lines.is_empty(), inner.is_over) {
            (false, _) => Piece::Lines(lines),
            (true, true) => Piece::Over,
            (true, false) => Piece::Nothing,
        }
    }
}

impl Reader {
    /// For a follower that has the output up to there.
    pub(super) fn from(output: u64) -> Self {
        Self { output, ..Self::default() }
    }

    /// Output was told up to here.
    pub(super) fn told_output(&mut self, to: u64) {
        self.output = self.output.max(to);
    }
}

/// A line for the socket.
pub(super) fn line(told: &Told) -> String {
    // Plain data of this program's own: it always has a JSON form.
    let mut line = serde_json::to_string(told).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::runs::{Record, Who};

    fn entry(place: i64) -> Entry {
        let record = Record::Acted { who: Who::default(), what: format!("no {place}") };
        Entry {
            place,
            writer: "w".into(),
            seq: 1,
            at: Timestamp::from_millis(0),
            record,
            hash: String::new(),
        }
    }

    fn read(board: &Board, reader: &mut Reader) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            match board.next(reader) {
                Piece::Lines(lines) => all.extend(lines.lines().map(str::to_owned)),
                Piece::Output { step, from, to } => {
                    reader.told_output(to);
                    all.push(format!("{step}: {from}-{to}"));
                }
                Piece::Nothing | Piece::Over => return all,
            }
        }
    }

    #[test]
    fn each_follower_reads_all_of_it_in_order_whenever_it_comes() {
        let board = Board::new();
        let mut early = Reader::default();
        let mut told = Vec::new();
        board.entry(&entry(1));
        told.extend(read(&board, &mut early));
        board.output(StepId(1), 0, 10);
        told.extend(read(&board, &mut early));
        board.output(StepId(1), 10, 25);
        board.entry(&entry(2));
        board.output(StepId(2), 25, 30);
        told.extend(read(&board, &mut early));
        let outputs: Vec<&str> =
            told.iter().map(String::as_str).filter(|it| !it.starts_with('{')).collect();
        assert_eq!(outputs, ["1: 0-10", "1: 10-25", "2: 25-30"]);
        assert!(told[0].contains("no 1") && told[3].contains("no 2"), "{told:?}");

        let late = read(&board, &mut Reader::from(20));
        assert_eq!(late.len(), 4, "{late:?}");
        assert_eq!(late[1], "1: 20-25");
        assert_eq!(read(&board, &mut early), Vec::<String>::new());
    }

    #[test]
    fn of_what_is_done_at_the_moment_only_the_newest_is_told() {
        let board = Board::new();
        let mut reader = Reader::default();
        for followers in 1..4 {
            board.doing(&Doing { followers, ..Doing::default() });
        }
        let told = read(&board, &mut reader);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("\"followers\":3"), "{told:?}");
        board.doing(&Doing { followers: 3, ..Doing::default() });
        assert_eq!(read(&board, &mut reader).len(), 1, "it lives");
        assert!(read(&board, &mut reader).is_empty());
        board.over();
        assert_eq!(board.next(&mut reader), Piece::Over);
    }

    #[test]
    fn much_output_comes_in_pieces() {
        let board = Board::new();
        board.output(StepId(1), 0, 3 * PIECE - 1);
        let told = read(&board, &mut Reader::default());
        assert_eq!(told.len(), 3);
    }
}
