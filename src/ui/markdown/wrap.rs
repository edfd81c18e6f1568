//! Pieces of text wrapped at spaces, each word in its own tone.

use super::{Piece, Tone};
use crate::ui::text;

/// Lines of at most `columns` columns. A piece of `\n` ends a line.
pub(super) fn wrap(pieces: &[Piece], columns: usize) -> Vec<Vec<Piece>> {
    let mut lines = Lines { columns, done: Vec::new(), line: Vec::new(), used: 0, glued: false };
    for piece in pieces {
        if piece.text == "\n" {
            lines.end();
            continue;
        }
        if piece.text.is_empty() {
            if lines.used > 0 {
                lines.line.push(Piece::new(" ", Tone::Text));
            }
            lines.line.push(piece.clone());
            continue;
        }
        let mut first = true;
        for word in piece.text.split(' ') {
            // A word goes on where the piece before it ended without a space.
            if !first {
                lines.glued = false;
            }
            first = false;
            if !word.is_empty() {
                lines.word(word, piece.tone);
                lines.glued = true;
            }
        }
    }
    lines.end();
    lines.done
}

struct Lines {
    columns: usize,
    done: Vec<Vec<Piece>>,
    line: Vec<Piece>,
    used: usize,
    /// The next word belongs to the one before it.
    glued: bool,
}

impl Lines {
    fn end(&mut self) {
        if !self.line.is_empty() {
            self.done.push(std::mem::take(&mut self.line));
        }
        (self.used, self.glued) = (0, false);
    }

    fn word(&mut self, word: &str, tone: Tone) {
        let wide = text::width(word);
        let gap = usize::from(self.used > 0 && !self.glued);
        if self.used + gap + wide <= self.columns {
            self.add(if gap == 1 { " " } else { "" }, word, tone, gap + wide);
            return;
        }
        if self.used > 0 {
            self.end();
        }
        for part in text::fold(word, self.columns) {
            if self.used > 0 {
                self.end();
            }
            let wide = text::width(&part);
            self.add("", &part, tone, wide);
        }
    }

    fn add(&mut self, gap: &str, word: &str, tone: Tone, wide: usize) {
        self.used += wide;
        match self.line.last_mut() {
            Some(last) if last.tone == tone && !last.text.is_empty() => {
                last.text.push_str(gap);
                last.text.push_str(word);
            }
            _ => {
                // The gap belongs to neither tone.
                if !gap.is_empty() {
                    self.line.push(Piece::new(gap, Tone::Text));
                }
                self.line.push(Piece::new(word, tone));
            }
        }
    }
}
