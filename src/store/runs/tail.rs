//! The end of a run's output, as it is told piece by piece.

use super::OUTPUT;
use crate::domain::runs::OutputRange;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The end of an output, bounded to [`OUTPUT`]. It knows where each part of it
/// stands in the output file, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    text: String,
    pieces: VecDeque<Piece>,
}

/// A part of the text that stands in one piece in the output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    /// Where it begins in the file.
    from: u64,
    /// So many bytes it has, there and in the text.
    length: usize,
}

impl Piece {
    fn end(&self) -> u64 {
        self.from.saturating_add(self.length as u64)
    }
}

impl Tail {
    /// The text: not made harmless yet.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the text begins in the output file.
    pub fn from(&self) -> u64 {
        self.pieces.front().map_or(0, |piece| piece.from)
    }

    /// Where it ends there.
    pub fn to(&self) -> u64 {
        self.pieces.back().map_or(0, Piece::end)
    }

    /// What of a part of the output file is still held.
    pub fn of(&self, range: OutputRange) -> &str {
        let start = self.place(range.from);
        let end = self.place(range.to).max(start);
        self.text.get(start..end).unwrap_or_default()
    }

    /// Takes in what stands at `from` in the output file. What is held from
    /// there on is replaced by it.
    pub fn take(&mut self, from: u64, text: &str) {
        if from < self.to() {
            self.cut_off(from);
        }
        // What is longer than all that is kept is cut at its front already.
        let skip = text.ceil_char_boundary(text.len().saturating_sub(OUTPUT));
        let (from, text) = (from.saturating_add(skip as u64), &text[skip..]);
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        match self.pieces.back_mut().filter(|last| last.end() == from) {
            Some(last) => last.length += text.len(),
            None => self.pieces.push_back(Piece { from, length: text.len() }),
        }
        self.keep_within(OUTPUT);
    }

    /// Forgets what stands at `from` in the file and behind it.
    fn cut_off(&mut self, from: u64) {
        let keep = self.place(from);
        let mut gone = self.text.len() - keep;
        self.text.truncate(keep);
        while let Some(last) = self.pieces.back_mut() {
            if last.length > gone {
                last.length -= gone;
                return;
            }
            gone -= last.length;
            self.pieces.pop_back();
        }
    }

    /// Where a byte of the file stands in the text, or would.
    fn place(&self, offset: u64) -> usize {
        let mut start = 0;
        for piece in &self.pieces {
            let into = offset.saturating_sub(piece.from);
            if into < piece.length as u64 {
                let into = usize::try_from(into).unwrap_or(piece.length);
                return self.text.floor_char_boundary(start + into);
            }
            start += piece.length;
        }
        start
    }

    fn keep_within(&mut self, most: usize) {
        if self.text.len() <= most {
            return;
        }
        // A quarter goes at once, so that not every line moves all of it.
        let cut = self.text.ceil_char_boundary(self.text.len() - most + most / 4);
        let mut gone = cut;
        while let Some(first) = self.pieces.front_mut() {
            if first.length > gone {
                first.from = first.from.saturating_add(gone as u64);
                first.length -= gone;
                break;
            }
            gone -= first.length;
            self.pieces.pop_front();
        }
        self.text.drain(..cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(from: u64, to: u64) -> OutputRange {
        OutputRange { from, to, dropped: 0 }
    }

    #[test]
    fn what_comes_in_order_is_one_text() {
        let mut tail = Tail::default();
        tail.take(0, "one\n");
        tail.take(4, "two\n");
        assert_eq!((tail.text(), tail.from(), tail.to()), ("one\ntwo\n", 0, 8));
        assert_eq!(tail.of(range(4, 8)), "two\n");
        assert_eq!(tail.of(range(4, 99)), "two\n");
        assert_eq!(tail.pieces.len(), 1);
    }

    #[test]
    fn what_is_told_again_replaces_what_was_told() {
        let mut tail = Tail::default();
        tail.take(10, "one\n");
        tail.take(14, "two\nthree\n");
        tail.take(14, "two\nthree\nfour\n");
        assert_eq!(tail.text(), "one\ntwo\nthree\nfour\n");
        tail.take(12, "e!\n");
        assert_eq!(tail.text(), "one!\n");
        tail.take(0, "anew");
        assert_eq!((tail.text(), tail.from()), ("anew", 0));
    }

    #[test]
    fn parts_that_were_left_out_keep_the_offsets_true() {
        let mut tail = Tail::default();
        tail.take(0, "head ");
        tail.take(1_000, "tail");
        assert_eq!(tail.of(range(1_000, 1_004)), "tail");
        assert_eq!(tail.of(range(0, 5)), "head ");
        assert_eq!(tail.of(range(500, 600)), "");
    }

    #[test]
    fn the_front_goes_when_it_grows_too_long() {
        let mut tail = Tail::default();
        let line = "0123456789abcdé\n";
        for i in 0..40_000_u64 {
            tail.take(i * line.len() as u64, line);
        }
        assert!(tail.text().len() <= OUTPUT);
        assert_eq!(tail.to(), 40_000 * line.len() as u64);
        assert_eq!(tail.to() - tail.from(), tail.text().len() as u64);
        let last = range(tail.to() - line.len() as u64, tail.to());
        assert_eq!(tail.of(last), line);
        tail.take(tail.to(), &"x".repeat(2 * OUTPUT));
        assert!(tail.text().len() <= OUTPUT && tail.text().ends_with('x'));
        assert_eq!(tail.to() - tail.from(), tail.text().len() as u64);
    }

    proptest! {
        #[test]
        fn any_pieces_in_any_order_are_held(
            pieces in prop::collection::vec((0_u64..300_000, 0_usize..60_000, any::<String>()), 0..30)
        ) {
            let mut tail = Tail::default();
            for (from, times, text) in pieces {
                tail.take(from, &text.repeat(times / (text.len() + 1)));
                let lengths: usize = tail.pieces.iter().map(|piece| piece.length).sum();
                prop_assert_eq!(lengths, tail.text().len());
                prop_assert!(tail.text().len() <= OUTPUT);
                prop_assert!(tail.pieces.iter().map(|piece| piece.from).is_sorted());
                prop_assert!(tail.from() <= tail.to());
                let _ = tail.of(range(from / 2, from));
            }
        }
    }
}
