//! A line that is typed as an answer: what stands on the screen of it.

use crate::domain::harmless;
use crate::runtime::keys::Typed;
use crate::store::{Key, KeyCode};
use crate::ui::input::{Heard, LineInput};
use unicode_width::UnicodeWidthStr;

const MARK: &str = "> ";

/// A line that is being typed.
#[derive(Debug)]
pub(super) struct Prompt {
    line: LineInput,
    /// It is not shown.
    hidden: bool,
    /// A paste goes into it; enter is still needed.
    takes_pastes: bool,
    columns: usize,
    /// The terminal takes escape sequences.
    able: bool,
}

/// What came of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// This is to be written.
    Echo(String),
    /// The line is done.
    Done(String),
    /// It was a paste, and answers nothing; why.
    Pasted(&'static str),
    /// It is not wanted any more.
    Left,
}

impl Prompt {
    pub(super) fn new(prefilled: &str, columns: u16, able: bool) -> Self {
        Self {
            line: LineInput::with(&harmless(prefilled)),
            hidden: false,
            takes_pastes: false,
            columns: usize::from(columns.max(20)),
            able,
        }
    }

    pub(super) fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    pub(super) fn taking_pastes(self) -> Self {
        Self { takes_pastes: true, ..self }
    }

    pub(super) fn resize(&mut self, columns: u16) {
        self.columns = usize::from(columns.max(20));
    }

    /// The whole line as it is drawn, the cursor in its place.
    pub(super) fn drawn(&self) -> String {
        if !self.able {
            let text = if self.hidden { "" } else { self.line.text() };
            return format!("\r{MARK}{text}");
        }
        if self.hidden {
            return format!("\r{MARK}\x1b[K");
        }
        let room = self.columns - MARK.len() - 1;
        let (from, cursor) = self.line.window(room);
        let shown = columns(self.line.text(), from, room);
        let back = shown.width().saturating_sub(cursor);
        let back = if back > 0 { format!("\x1b[{back}D") } else { String::new() };
        format!("\r{MARK}{shown}\x1b[K{back}")
    }

    /// Takes it off the screen, so that something else can stand there.
    pub(super) fn erased(&self) -> &'static str {
        if self.able { "\r\x1b[K" } else { "\n" }
    }

    pub(super) fn take(&mut self, typed: Typed) -> Came {
        let key = match typed {
            Typed::Paste(_) if !self.takes_pastes => {
                return Came::Pasted("a paste answers nothing here: type it");
            }
            Typed::Paste(text) => {
                if let Some(why) = self.line.cannot_take(&text) {
                    return Came::Pasted(why);
                }
                self.line.paste(&text);
                return Came::Echo(self.drawn());
            }
            Typed::Key(key) => key,
        };
        let before = self.line.text().width();
        match self.line.press(key) {
            Heard::Done => Came::Done(self.line.text().to_owned()),
            Heard::Left => Came::Left,
            Heard::NotMine => Came::Echo(String::new()),
            Heard::Changed | Heard::Kept => Came::Echo(self.echo(key, before)),
        }
    }

    /// As little as shows what a key did: a link may be slow.
    fn echo(&self, key: Key, before: usize) -> String {
        if self.hidden {
            return String::new();
        }
        let text = self.line.text();
        let room = self.columns - MARK.len() - 1;
        let at_end = self.line.window(usize::MAX).1 == text.width();
        match key.code {
            KeyCode::Char(c)
                if at_end
                    && text.ends_with(c)
                    && text.width() == before + 1
                    && text.width() < room =>
            {
                c.to_string()
            }
            KeyCode::Backspace if at_end && before < room && text.width() + 1 == before => {
                "\u{8} \u{8}".to_owned()
            }
            _ if !self.able => format!("\n{MARK}{text}"),
            _ => self.drawn(),
        }
    }
}

/// So many columns of a text from one on.
fn columns(text: &str, from: usize, most: usize) -> String {
    let mut column = 0;
    let mut out = String::new();
    for c in text.chars() {
        let wide = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if column >= from && column + wide <= from + most {
            out.push(c);
        }
        column += wide;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> Typed {
        Typed::Key(Key::plain(code))
    }

    fn typed(prompt: &mut Prompt, text: &str) -> String {
        text.chars()
            .map(|c| match prompt.take(key(KeyCode::Char(c))) {
                Came::Echo(echo) => echo,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_is_typed_at_the_end_is_echoed_as_it_is() {
        let mut prompt = Prompt::new("", 80, true);
        assert_eq!(typed(&mut prompt, "api"), "api");
        assert_eq!(prompt.take(key(KeyCode::Backspace)), Came::Echo("\u{8} \u{8}".into()));
        assert_eq!(prompt.take(key(KeyCode::Enter)), Came::Done("ap".into()));
    }

    #[test]
    fn what_is_typed_in_the_middle_is_drawn_anew() {
        let mut prompt = Prompt::new("kubectl get", 80, true);
        prompt.take(key(KeyCode::Home));
        assert_eq!(typed(&mut prompt, "x"), "\r> xkubectl get\x1b[K\x1b[11D");
    }

    #[test]
    fn a_line_longer_than_the_terminal_shows_its_end() {
        let mut prompt = Prompt::new("", 20, true);
        let echo = typed(&mut prompt, "0123456789abcdefghij");
        assert!(echo.ends_with("j\x1b[K"), "{echo:?}");
        assert!(prompt.drawn().len() < 30);
    }

    #[test]
    fn a_paste_answers_nothing_unless_it_may() {
        let mut prompt = Prompt::new("", 80, true);
        assert!(matches!(prompt.take(Typed::Paste("api\n".into())), Came::Pasted(_)));
        assert_eq!(prompt.take(key(KeyCode::Enter)), Came::Done(String::new()));
        let mut prompt = Prompt::new("", 80, true).taking_pastes();
        assert!(matches!(prompt.take(Typed::Paste("v1\n".into())), Came::Echo(_)));
        assert_eq!(prompt.take(key(KeyCode::Enter)), Came::Done("v1".into()));
    }

    #[test]
    fn a_paste_is_taken_as_it_is_or_not_at_all() {
        for pasted in ["-----BEGIN\nKEY\n-----END\n", "a\rb", "a\u{1b}[2Jb", &"x".repeat(4_097)] {
            let mut prompt = Prompt::new("", 80, true).hidden().taking_pastes();
            assert!(matches!(prompt.take(Typed::Paste(pasted.into())), Came::Pasted(_)));
            assert_eq!(prompt.take(key(KeyCode::Enter)), Came::Done(String::new()));
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let mut prompt = Prompt::new("", 80, true).hidden().taking_pastes();
        assert_eq!(typed(&mut prompt, "hunter2"), "");
        prompt.take(Typed::Paste("!".into()));
        assert!(!prompt.drawn().contains("hunter2"));
        assert_eq!(prompt.take(key(KeyCode::Enter)), Came::Done("hunter2!".into()));
    }
}
