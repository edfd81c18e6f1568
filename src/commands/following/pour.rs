//! The output of steps as it is printed while it comes: line by line, harmless,
//! and at a terminal no faster than somebody could read.

use crate::domain::harmless;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

/// At a terminal so many bytes may come at once, and then so many a second: a
/// question must not stand behind minutes of output on a slow link.
const BURST: usize = 64 * 1024;
const A_SECOND: usize = 8 * 1024;
/// Of what is left out the last lines are printed when the step ends.
const LAST: usize = 20;
/// A line without an end is printed when nothing was added for so long.
const IDLE: Duration = Duration::from_millis(700);
/// One that never ends is cut.
const LONGEST_LINE: usize = 16 * 1024;

/// Turns output into what is printed of it.
#[derive(Debug)]
pub(super) struct Pour {
    /// At a terminal, where it is bounded.
    bounded: bool,
    room: usize,
    filled: Duration,
    /// A line whose end has not come.
    partial: String,
    touched: Duration,
    /// So much of `partial` stands on the screen already.
    shown: usize,
    left_out: usize,
    last: VecDeque<String>,
}

impl Pour {
    pub(super) fn new(bounded: bool, now: Duration) -> Self {
        Self {
            bounded,
            room: BURST,
            filled: now,
            partial: String::new(),
            touched: now,
            shown: 0,
            left_out: 0,
            last: VecDeque::new(),
        }
    }

    /// What is printed of this.
    pub(super) fn take(&mut self, text: &str, now: Duration) -> String {
        self.fill(now);
        self.touched = now;
        let mut out = String::new();
        for piece in text.split_inclusive('\n') {
            self.partial.push_str(piece);
            if piece.ends_with('\n') || self.partial.len() > LONGEST_LINE {
                self.line(&mut out);
            }
        }
        out
    }

    /// What is printed because nothing came for a while.
    pub(super) fn idle(&mut self, now: Duration) -> String {
        let over = now.saturating_sub(self.touched) >= IDLE;
        if !over || self.partial.len() == self.shown || self.left_out > 0 {
            return String::new();
        }
        let begin = if self.shown > 0 { "\n" } else { "" };
        self.shown = self.partial.len();
        format!("{begin}{}", visible(&self.partial))
    }

    /// Whether an unfinished line stands on the screen or waits to.
    pub(super) fn is_open(&self) -> bool {
        !self.partial.is_empty()
    }

    /// What is printed before something else is: an unfinished line ends here.
    pub(super) fn end_line(&mut self) -> String {
        let shown = std::mem::take(&mut self.shown);
        let line = std::mem::take(&mut self.partial);
        match (line.is_empty(), shown == line.len()) {
            (true, _) => String::new(),
            (false, true) => "\n".to_owned(),
            (false, false) if shown > 0 => format!("\n{}\n", visible(&line)),
            (false, false) => format!("{}\n", visible(&line)),
        }
    }

    /// The step has ended: what was left out is told, and its last lines printed.
    /// `whole` names where all of it is.
    pub(super) fn end(&mut self, whole: &str) -> String {
        let mut out = String::new();
        if self.left_out > 0 {
            if !self.partial.is_empty() {
                self.partial.push('\n');
                self.line(&mut out);
            }
            let before = self.left_out - self.last.len();
            if before > 0 {
                // Writing into a String cannot fail.
                let _ = writeln!(out, "... {before} lines left out here; all of them: {whole}");
            }
            self.last.drain(..).for_each(|line| out.push_str(&line));
            self.left_out = 0;
        }
        out + &self.end_line()
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled);
        let more = passed.as_millis().saturating_mul(A_SECOND as u128) / 1_000;
        if more > 0 {
            self.filled = now;
            let more = usize::try_from(more).unwrap_or(BURST);
            self.room = self.room.saturating_add(more).min(BURST);
        }
    }

    fn line(&mut self, out: &mut String) {
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let text = match std::mem::take(&mut self.shown) {
            0 => format!("{}\n", visible(line)),
            shown if shown == line.len() => "\n".to_owned(),
            _ => format!("\n{}\n", visible(line)),
        };
        // Once something was left out, all is until the step ends: a few lines
        // out of many mislead.
        if self.bounded && (self.left_out > 0 || text.len() > self.room) {
            self.left_out += 1;
            self.last.push_back(text);
            if self.last.len() > LAST {
                self.last.pop_front();
            }
            return;
        }
        self.room = self.room.saturating_sub(text.len());
        out.push_str(&text);
    }
}

/// What a terminal would show of a line in the end: what stands after its last
/// return of the carriage.
fn visible(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let last = line.rsplit('\r').next().unwrap_or(line);
    harmless(last).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn later(millis: u64) -> Duration {
        NOW + Duration::from_millis(millis)
    }

    #[test]
    fn lines_are_printed_when_they_are_whole() {
        let mut pour = Pour::new(true, NOW);
        assert_eq!(pour.take("one\ntw", NOW), "one\n");
        assert_eq!(pour.take("o\n", NOW), "two\n");
        assert!(!pour.is_open());
    }

    #[test]
    fn nothing_in_a_line_steers_the_terminal() {
        let mut pour = Pour::new(false, NOW);
        let out = pour.take("a\u{1b}[2Jb\u{7}\n10%\r55%\r100%\r\n", NOW);
        assert_eq!(out, "a\u{fffd}b\u{fffd}\n100%\n");
    }

    #[test]
    fn a_line_without_an_end_shows_after_a_while() {
        let mut pour = Pour::new(true, NOW);
        assert_eq!(pour.take("Continue? ", NOW), "");
        assert_eq!(pour.idle(later(100)), "");
        assert_eq!(pour.idle(later(1_000)), "Continue? ");
        assert_eq!(pour.idle(later(2_000)), "");
        assert_eq!(pour.take("y", later(2_000)), "");
        assert_eq!(pour.take("es\n", later(2_000)), "\nContinue? yes\n");
        pour.take("end", later(2_000));
        assert_eq!(pour.end("the file"), "end\n");
    }

    #[test]
    fn too_much_for_a_terminal_is_left_out_and_said() {
        let mut pour = Pour::new(true, NOW);
        let mut out = String::new();
        for i in 0..50_000 {
            out += &pour.take(&format!("line {i}\n"), NOW);
        }
        assert!(out.len() <= BURST);
        let end = pour.end("/runs/4f2k/output");
        assert!(end.starts_with("... ") && end.contains("/runs/4f2k/output"), "{end}");
        assert!(end.ends_with("line 49998\nline 49999\n"));
        // The next step has room again after a while.
        assert_eq!(pour.take("next\n", later(5_000)), "next\n");
    }

    #[test]
    fn a_file_gets_all_of_it() {
        let mut pour = Pour::new(false, NOW);
        let all = "0123456789\n".repeat(100_000);
        assert_eq!(pour.take(&all, NOW).len(), all.len());
        assert_eq!(pour.end(""), "");
    }

    #[test]
    fn a_line_that_never_ends_is_cut() {
        let mut pour = Pour::new(false, NOW);
        assert!(!pour.take(&"x".repeat(LONGEST_LINE + 1), NOW).is_empty());
        assert_eq!(pour.partial, "");
    }
}
