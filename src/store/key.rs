//! How keys are written in the config, on the hint line and on the help page:
//! `q`, `ctrl-c`, `alt-b`, `enter`, `pgdn`, `f5`.

use super::{Key, KeyCode, Mods};
use std::fmt;
use std::str::FromStr;

const NAMED: [(&str, KeyCode); 16] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
    ("minus", KeyCode::Char('-')),
];

/// Not the name of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key; keys are written like q, G, ctrl-c, alt-b, enter, pgdn, f5")]
pub struct NotAKey(pub String);

impl Key {
    /// A key with nothing held.
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, mods: Mods { ctrl: false, alt: false } }
    }
}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let wrong = || NotAKey(text.to_owned());
        let mut rest = text;
        let mut mods = Mods::default();
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-") {
                mods.ctrl = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("alt-") {
                mods.alt = true;
                rest = after;
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            if c.is_control() || c.is_whitespace() {
                return Err(wrong());
            }
            return Ok(Self { code: KeyCode::Char(c), mods });
        }
        if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == rest) {
            return Ok(Self { code: *code, mods });
        }
        match rest.strip_prefix('f').and_then(|number| number.parse().ok()) {
            Some(number @ 1..=24) => Ok(Self { code: KeyCode::F(number), mods }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mods.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.mods.alt {
            f.write_str("alt-")?;
        }
        if let KeyCode::F(number) = self.code {
            return write!(f, "f{number}");
        }
        if self.code == KeyCode::Char('-') && self.mods == Mods::default() {
            return f.write_str("-");
        }
        if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(c) => write!(f, "{c}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_is_written() {
        for text in [
            "q",
            "G",
            "ctrl-c",
            "alt-b",
            "ctrl-alt-x",
            "enter",
            "pgdn",
            "f5",
            "-",
            "+",
            "space",
            "?",
        ] {
            let key: Key = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
        }
        assert_eq!("ctrl--".parse::<Key>().unwrap().to_string(), "ctrl-minus");
    }

    #[test]
    fn other_words_are_not_keys() {
        for text in ["", "ctrl-", "hyper-x", "f0", "f99", "qq", " ", "\u{7}"] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
    }
}
