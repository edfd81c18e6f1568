//! The end of a run's output, as it is told piece by piece.

use super::OUTPUT;
use crate::domain::runs::OutputRange;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Stands in a text for bytes that are no UTF-8.
const STAND_IN: char = '\u{fffd}';

/// The end of an output, bounded to [`OUTPUT`]. It knows where each part of it
/// stands in the output file, where bytes that are no UTF-8 were replaced, too.
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
    /// So many bytes it has in the text.
    length: usize,
    /// So many characters in it stand for one to three bytes of the file each.
    stand_ins: usize,
}

impl Piece {
    /// Where it ends in the file, at the earliest and at the latest.
    fn ends(&self) -> (u64, u64) {
        let latest = self.from.saturating_add(self.length as u64);
        (latest.saturating_sub(2 * self.stand_ins as u64).max(self.from), latest)
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

    /// Where it ends there. After bytes that are no UTF-8 nobody can tell: then
    /// where the last piece begins, so that nothing is missed by asking from there.
    pub fn to(&self) -> u64 {
        self.pieces.back().map_or(0, |piece| match piece.stand_ins {
            0 => piece.ends().1,
            _ => piece.from,
        })
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
        if self.pieces.back().is_some_and(|last| from < last.ends().0) {
            self.cut_off(from);
        }
        // What is longer than all that is kept is cut at its front already.
        let skip = text.ceil_char_boundary(text.len().saturating_sub(OUTPUT));
        let skipped = skip - 2 * text[..skip].matches(STAND_IN).count();
        let (from, text) = (from.saturating_add(skipped as u64), &text[skip..]);
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        let stand_ins = text.matches(STAND_IN).count();
        let joins =
            |last: &&mut Piece| last.stand_ins == 0 && stand_ins == 0 && last.ends().1 == from;
        match self.pieces.back_mut().filter(joins) {
            Some(last) => last.length += text.len(),
            None => self.pieces.push_back(Piece { from, length: text.len(), stand_ins }),
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
                let start = self.text.len() - last.length;
                last.stand_ins = self.text[start..].matches(STAND_IN).count();
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
            if offset <= piece.from {
                return start;
            }
            let into = offset - piece.from;
            let end = start + piece.length;
            if piece.stand_ins == 0 {
                if into < piece.length as u64 {
                    let at = start + usize::try_from(into).unwrap_or(piece.length);
                    return self.text.floor_char_boundary(at);
                }
            } else if offset < piece.ends().0 {
                return self.place_among_stand_ins(start, end, into);
            }
            start = end;
        }
        start
    }

    /// Characters that stand in are counted as one byte each: what is held then
    /// ends too early rather than too late.
    fn place_among_stand_ins(&self, start: usize, end: usize, into: u64) -> usize {
        let mut bytes = 0;
        for (at, c) in self.text[start..end].char_indices() {
            let next = bytes + if c == STAND_IN { 1 } else { c.len_utf8() as u64 };
            if next > into {
                return start + at;
            }
            bytes = next;
        }
        end
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
                let stand_ins = self.text[cut - gone..cut].matches(STAND_IN).count();
                first.from = first.from.saturating_add((gone - 2 * stand_ins) as u64);
                first.length -= gone;
                first.stand_ins -= stand_ins;
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
    fn bytes_that_are_no_text_are_no_overlap() {
        let mut tail = Tail::default();
        // Three bytes of the file, each replaced by a character of three bytes.
        tail.take(0, "\u{fffd}\u{fffd}\u{fffd}");
        tail.take(3, "end");
        assert_eq!(tail.text(), "\u{fffd}\u{fffd}\u{fffd}end");
        assert_eq!(tail.of(range(3, 6)), "end");
        assert_eq!(tail.to(), 6);
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
