//! Bytes of a terminal to keys and pastes; a sequence may come in pieces.

use crate::store::{Key, KeyCode, Mods};

/// What a terminal's bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A key.
    Key(Key),
    /// A bracketed paste, whole.
    Paste(String),
}

/// More than this of a paste is dropped.
const PASTE_MAX: usize = 1 << 20;
/// A sequence that is longer than this is none.
const SEQUENCE_MAX: usize = 256;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Reads keys out of bytes as they come.
#[derive(Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
    paste: Option<Vec<u8>>,
}

enum Step {
    Typed(Typed, usize),
    Skip(usize),
    Paste(usize),
    Incomplete,
}

impl Parser {
    /// Takes bytes in and hands over each whole key or paste.
    pub fn feed(&mut self, bytes: &[u8], found: &mut dyn FnMut(Typed)) {
        self.bytes.extend_from_slice(bytes);
        loop {
            if self.paste.is_some() {
                if !self.take_paste(found) {
                    return;
                }
                continue;
            }
            if self.bytes.is_empty() {
                return;
            }
            match step(&self.bytes) {
                Step::Typed(typed, used) => {
                    self.bytes.drain(..used);
                    found(typed);
                }
                Step::Skip(used) => {
                    self.bytes.drain(..used);
                }
                Step::Paste(used) => {
                    self.bytes.drain(..used);
                    self.paste = Some(Vec::new());
                }
                Step::Incomplete if self.bytes.len() > SEQUENCE_MAX => self.bytes.clear(),
                Step::Incomplete => return,
            }
        }
    }

    /// Whether bytes are held that may be the beginning of a longer sequence.
    pub fn is_waiting(&self) -> bool {
        self.paste.is_none() && !self.bytes.is_empty()
    }

    /// Nothing followed for a while: what is held was meant as it stands.
    pub fn give_up_waiting(&mut self, found: &mut dyn FnMut(Typed)) {
        if !self.is_waiting() {
            return;
        }
        let held = std::mem::take(&mut self.bytes);
        match held.as_slice() {
            [0x1b] => found(plain(KeyCode::Esc)),
            [0x1b, second] if second.is_ascii_graphic() => {
                found(key(KeyCode::Char(char::from(*second)), false, true));
            }
            _ => {}
        }
    }

    fn take_paste(&mut self, found: &mut dyn FnMut(Typed)) -> bool {
        let Some(mut text) = self.paste.take() else { return true };
        let end = self.bytes.windows(PASTE_END.len()).position(|window| window == PASTE_END);
        // Without an end in sight, a part of the end may stand at the end.
        let upto = end.unwrap_or(self.bytes.len().saturating_sub(PASTE_END.len() - 1));
        let room = PASTE_MAX.saturating_sub(text.len()).min(upto);
        text.extend_from_slice(&self.bytes[..room]);
        if end.is_some() {
            self.bytes.drain(..upto + PASTE_END.len());
            found(Typed::Paste(String::from_utf8_lossy(&text).into_owned()));
            true
        } else {
            self.bytes.drain(..upto);
            self.paste = Some(text);
            false
        }
    }
}

fn key(code: KeyCode, ctrl: bool, alt: bool) -> Typed {
    Typed::Key(Key { code, mods: Mods { ctrl, alt } })
}

fn plain(code: KeyCode) -> Typed {
    key(code, false, false)
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] | [0x1b, b'O'] => Step::Incomplete,
        [0x1b, b'[', rest @ ..] => csi(rest),
        [0x1b, b'O', letter, ..] => match named_by_letter(*letter) {
            Some(code) => Step::Typed(plain(code), 3),
            None => Step::Skip(3),
        },
        // Answers of the terminal that nobody asked for, up to BEL or ESC \.
        [0x1b, b'P' | b']' | b'_' | b'^' | b'X', rest @ ..] => string_end(rest),
        [0x1b, 0x1b, ..] => Step::Typed(plain(KeyCode::Esc), 1),
        [0x1b, rest @ ..] => match step(rest) {
            Step::Typed(Typed::Key(mut with), used) => {
                with.mods.alt = true;
                Step::Typed(Typed::Key(with), used + 1)
            }
            Step::Typed(other, used) => Step::Typed(other, used + 1),
            Step::Skip(used) | Step::Paste(used) => Step::Skip(used + 1),
            Step::Incomplete => Step::Incomplete,
        },
        [b'\r', ..] => Step::Typed(plain(KeyCode::Enter), 1),
        [b'\t', ..] => Step::Typed(plain(KeyCode::Tab), 1),
        [0x7f | 0x08, ..] => Step::Typed(plain(KeyCode::Backspace), 1),
        [0, ..] => Step::Typed(key(KeyCode::Char(' '), true, false), 1),
        [letter @ 0x01..=0x1a, ..] => {
            Step::Typed(key(KeyCode::Char(char::from(letter | 0x60)), true, false), 1)
        }
        [sign @ 0x1c..=0x1f, ..] => {
            Step::Typed(key(KeyCode::Char(char::from(sign | 0x40)), true, false), 1)
        }
        _ => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Step {
    let width = match bytes[0] {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Skip(1),
    };
    match std::str::from_utf8(&bytes[..width.min(bytes.len())]) {
        Ok(text) => match text.chars().next() {
            Some(one) => Step::Typed(plain(KeyCode::Char(one)), width),
            None => Step::Skip(1),
        },
        Err(error) if error.error_len().is_none() => Step::Incomplete,
        Err(_) => Step::Skip(1),
    }
}

fn string_end(rest: &[u8]) -> Step {
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            0x07 => return Step::Skip(at + 3),
            0x1b if rest.get(at + 1) == Some(&b'\\') => return Step::Skip(at + 4),
            _ => {}
        }
    }
    Step::Incomplete
}

/// What follows `ESC [`: parameters, then one final byte (ECMA-48, 5.4).
fn csi(rest: &[u8]) -> Step {
    if let [b'[', letter, ..] = rest {
        // The Linux console's own way to say F1 to F5.
        return match letter {
            b'A'..=b'E' => Step::Typed(plain(KeyCode::F(letter - b'A' + 1)), 4),
            _ => Step::Skip(4),
        };
    }
    if rest == b"[" {
        return Step::Incomplete;
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return Step::Incomplete;
    };
    let used = end + 3;
    let letter = rest[end];
    if !(0x40..=0x7e).contains(&letter) {
        // Cut off by another key: what came is dropped, that key is kept.
        return Step::Skip(used - 1);
    }
    let mut parameters = std::str::from_utf8(&rest[..end])
        .unwrap_or_default()
        .split(';')
        .map(|one| one.split(':').next().unwrap_or_default().parse::<u32>().unwrap_or(0));
    let first = parameters.next().unwrap_or(0);
    let held = parameters.next().unwrap_or(0).saturating_sub(1);
    let (alt, ctrl) = (held & 2 != 0, held & 4 != 0);
    let code = match letter {
        b'~' => match first {
            200 => return Step::Paste(used),
            1 | 7 => KeyCode::Home,
            4 | 8 => KeyCode::End,
            3 => KeyCode::Delete,
            5 => KeyCode::PageUp,
            6 => KeyCode::PageDown,
            11..=15 => function(first - 10),
            17..=21 => function(first - 11),
            23 | 24 => function(first - 12),
            _ => return Step::Skip(used),
        },
        b'u' => match char::from_u32(first) {
            Some('\r') => KeyCode::Enter,
            Some('\t') => KeyCode::Tab,
            Some('\u{1b}') => KeyCode::Esc,
            Some('\u{7f}') => KeyCode::Backspace,
            Some(one) if !one.is_control() => KeyCode::Char(one),
            _ => return Step::Skip(used),
        },
        _ => match named_by_letter(letter) {
            Some(code) => code,
            None => return Step::Skip(used),
        },
    };
    Step::Typed(key(code, ctrl, alt), used)
}

fn function(number: u32) -> KeyCode {
    KeyCode::F(u8::try_from(number).unwrap_or(0))
}

fn named_by_letter(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'Z' => KeyCode::BackTab,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pieces: &[&[u8]]) -> Vec<Typed> {
        let mut parser = Parser::default();
        let mut all = Vec::new();
        for piece in pieces {
            parser.feed(piece, &mut |one| all.push(one));
        }
        parser.give_up_waiting(&mut |one| all.push(one));
        all
    }

    #[test]
    fn keys_are_read_with_what_is_held() {
        assert_eq!(
            typed(&[b"q\x03\x1b[A\x1b[1;5C\x1bOH\x1b[5~\x1b[21~\x1bx\r\x7f\x1b[Z"]),
            [
                plain(KeyCode::Char('q')),
                key(KeyCode::Char('c'), true, false),
                plain(KeyCode::Up),
                key(KeyCode::Right, true, false),
                plain(KeyCode::Home),
                plain(KeyCode::PageUp),
                plain(KeyCode::F(10)),
                key(KeyCode::Char('x'), false, true),
                plain(KeyCode::Enter),
                plain(KeyCode::Backspace),
                plain(KeyCode::BackTab),
            ]
        );
    }

    #[test]
    fn a_sequence_in_pieces_is_one_key_and_a_lone_escape_is_escape() {
        assert_eq!(typed(&[b"\x1b", b"[", b"B"]), [plain(KeyCode::Down)]);
        assert_eq!(typed(&["é".as_bytes()]), [plain(KeyCode::Char('é'))]);
        assert_eq!(typed(&[&[0xe4], &[0xb8], &[0xad]]), [plain(KeyCode::Char('中'))]);
        assert_eq!(typed(&[b"\x1b"]), [plain(KeyCode::Esc)]);
        assert_eq!(typed(&[b"\x1b\x1b"]), [plain(KeyCode::Esc), plain(KeyCode::Esc)]);
    }

    #[test]
    fn a_paste_comes_whole_and_its_escapes_are_no_keys() {
        assert_eq!(
            typed(&[b"\x1b[200~rm -rf\r\x1b[A", b"x\x1b[20", b"1~q"]),
            [Typed::Paste("rm -rf\r\x1b[Ax".to_owned()), plain(KeyCode::Char('q'))]
        );
    }

    #[test]
    fn answers_of_the_terminal_and_rubbish_are_no_keys() {
        assert_eq!(typed(&[b"\x1b]11;rgb:0000/0000/0000\x07\x1b[?62;4c\x1bP1$r0m\x1b\\"]), []);
        assert_eq!(typed(&[&[0xff, 0xfe, 0xc0]]), []);
        assert_eq!(typed(&[&[b"\x1b[".as_slice(), &[b'1'; 4_000]].concat()]), []);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hold_on_to_much(
            pieces in proptest::collection::vec(proptest::collection::vec(0u8.., 0..40), 0..30)
        ) {
            let mut parser = Parser::default();
            for piece in &pieces {
                parser.feed(piece, &mut |_| ());
            }
            proptest::prop_assert!(parser.bytes.len() <= SEQUENCE_MAX);
        }
    }
}
