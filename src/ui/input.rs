//! A line of text that is typed.
//!
//! tui-input maps its events from crossterm, leaves pastes out and takes META
//! for word motion where terminals send ALT; keys are mapped here instead.

use crate::store::{Key, KeyCode, Mods};
use tui_input::{Input, InputRequest};

/// A line that is being typed.
#[derive(Clone, Debug, Default)]
pub struct LineInput {
    input: Input,
}

impl PartialEq for LineInput {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() && self.input.cursor() == other.input.cursor()
    }
}

impl Eq for LineInput {}

/// What a key did to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The text changed.
    Changed,
    /// The cursor moved, or nothing did.
    Kept,
    /// Enter: it is done.
    Done,
    /// Escape: it is not wanted.
    Left,
    /// Not a key for a line of text.
    NotMine,
}

/// Longer lines are not taken, typed or pasted.
const MOST_CHARS: usize = 4096;

impl LineInput {
    /// With this text, and the cursor at its end.
    pub fn with(text: &str) -> Self {
        Self { input: Input::new(text.to_owned()) }
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Where the cursor stands, in bytes.
    pub fn cursor(&self) -> usize {
        let text = self.text();
        text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(at, _)| at)
    }

    /// Puts `text` in the place of these bytes, and the cursor after it; nothing
    /// where they are no part of the text.
    pub fn replace(&mut self, bytes: std::ops::Range<usize>, text: &str) {
        let (Some(before), Some(after)) =
            (self.text().get(..bytes.start), self.text().get(bytes.end..))
        else {
            return;
        };
        let cursor = before.chars().count() + text.chars().count();
        self.input = Input::new(format!("{before}{text}{after}")).with_cursor(cursor);
    }

    /// The first column to show in `columns` of them, and the cursor's column there.
    pub fn window(&self, columns: usize) -> (usize, usize) {
        let cursor = self.input.visual_cursor();
        let from = (cursor + 1).saturating_sub(columns);
        (from, cursor - from)
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key) -> Heard {
        let Mods { ctrl, alt } = key.mods;
        let request = match (key.code, ctrl, alt) {
            (KeyCode::Enter, ..) => return Heard::Done,
            (KeyCode::Esc, ..) => return Heard::Left,
            (KeyCode::Char(c), false, false) => {
                if self.input.value().chars().count() >= MOST_CHARS || c.is_control() {
                    return Heard::Kept;
                }
                InputRequest::InsertChar(c)
            }
            (KeyCode::Left, false, false) | (KeyCode::Char('b'), true, _) => {
                InputRequest::GoToPrevChar
            }
            (KeyCode::Right, false, false) | (KeyCode::Char('f'), true, _) => {
                InputRequest::GoToNextChar
            }
            (KeyCode::Left, ..) | (KeyCode::Char('b'), _, true) => InputRequest::GoToPrevWord,
            (KeyCode::Right, ..) | (KeyCode::Char('f'), _, true) => InputRequest::GoToNextWord,
            (KeyCode::Home, ..) | (KeyCode::Char('a'), true, _) => InputRequest::GoToStart,
            (KeyCode::End, ..) | (KeyCode::Char('e'), true, _) => InputRequest::GoToEnd,
            (KeyCode::Backspace, false, false) | (KeyCode::Char('h'), true, _) => {
                InputRequest::DeletePrevChar
            }
            (KeyCode::Backspace, ..) | (KeyCode::Char('w'), true, _) => {
                InputRequest::DeletePrevWord
            }
            (KeyCode::Delete, false, false) => InputRequest::DeleteNextChar,
            (KeyCode::Delete, ..) | (KeyCode::Char('d'), _, true) => InputRequest::DeleteNextWord,
            (KeyCode::Char('u'), true, _) => InputRequest::DeleteFromStart,
            (KeyCode::Char('k'), true, _) => InputRequest::DeleteTillEnd,
            (KeyCode::Char('y'), true, _) => InputRequest::Yank,
            _ => return Heard::NotMine,
        };
        self.ask(request)
    }

    /// Why a paste cannot be taken as it is.
    pub fn cannot_take(&self, pasted: &str) -> Option<&'static str> {
        let room = MOST_CHARS.saturating_sub(self.input.value().chars().count());
        cannot_be_taken(pasted, room)
    }

    /// Takes pasted text; line ends and tabs become spaces, other controls go.
    pub fn paste(&mut self, pasted: &str) -> Heard {
        let room = MOST_CHARS.saturating_sub(self.input.value().chars().count());
        let mut heard = Heard::Kept;
        for c in crate::domain::harmless(pasted.trim_end_matches(['\r', '\n'])).chars().take(room) {
            heard = self.ask(InputRequest::InsertChar(c));
        }
        heard
    }

    fn ask(&mut self, request: InputRequest) -> Heard {
        match self.input.handle(request) {
            Some(changed) if changed.value => Heard::Changed,
            _ => Heard::Kept,
        }
    }
}

/// Why a paste cannot be taken as it is, where there is room for so many
/// characters: where a value is asked for, another one than was pasted is worse
/// than none.
pub fn cannot_be_taken(pasted: &str, room: usize) -> Option<&'static str> {
    let line = pasted.trim_end_matches(['\r', '\n']);
    if line.contains(['\r', '\n']) {
        Some("a paste of several lines is not taken: one line is asked for")
    } else if line.chars().count() > room {
        Some("a paste that does not fit is not taken: it is too long")
    } else if crate::domain::harmless(line) != line {
        Some("a paste with control characters is not taken")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alt(code: KeyCode) -> Key {
        Key { code, mods: Mods { ctrl: false, alt: true } }
    }

    #[test]
    fn alt_moves_by_words_and_pastes_are_taken() {
        let mut line = LineInput::with("rate(errors)");
        assert_eq!(line.paste("[5m]\n"), Heard::Changed);
        assert_eq!(line.text(), "rate(errors)[5m]");
        line.press(alt(KeyCode::Left));
        line.press(alt(KeyCode::Char('b')));
        line.press(alt(KeyCode::Backspace));
        assert!(line.text().len() < "rate(errors)[5m]".len(), "{}", line.text());
    }

    #[test]
    fn what_is_pasted_cannot_steer_a_terminal() {
        let mut line = LineInput::default();
        line.paste("a\u{1b}[2Jb\u{7}\nc");
        assert!(!line.text().chars().any(char::is_control), "{:?}", line.text());
    }

    #[test]
    fn a_long_line_shows_where_the_cursor_is() {
        let line = LineInput::with("0123456789");
        assert_eq!(line.window(20), (0, 10));
        assert_eq!(line.window(5), (6, 4));
    }

    #[test]
    fn a_part_is_replaced_and_the_cursor_stands_after_it() {
        let mut line = LineInput::with("sum(zähler)");
        line.replace(4..11, "http_requests_total");
        assert_eq!((line.text(), line.cursor()), ("sum(http_requests_total)", 23));
        line.replace(90..91, "x");
        assert_eq!(line.text(), "sum(http_requests_total)");
        let mut line = LineInput::with("ä");
        line.replace(1..2, "x");
        assert_eq!((line.text(), line.cursor()), ("ä", 2), "half a letter is no part");
    }

    #[test]
    fn a_huge_paste_is_cut_off() {
        let mut line = LineInput::default();
        line.paste(&"x".repeat(100_000));
        assert_eq!(line.text().len(), MOST_CHARS);
    }
}
