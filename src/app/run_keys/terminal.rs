//! Keys that are typed into the terminal of a step.

use super::order;
use crate::app::state::State;
use crate::domain::runs::RunId;
use crate::runbook::Order;
use crate::store::{Effect, Key, KeyCode};

/// Keys that go to the terminal of a step; ctrl-] comes back.
pub(super) fn terminal(state: &mut State, id: &RunId, key: Key) -> Option<Vec<Effect>> {
    state.words.desk.terminal.as_ref()?;
    if key.mods.ctrl && matches!(key.code, KeyCode::Char(']' | '5')) {
        state.words.desk.terminal = None;
        state.say("keys are the console's again", false);
        return Some(Vec::new());
    }
    let bytes = bytes_of(key);
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    Some(order(state, id, Order::Input(bytes)))
}

/// What a terminal sends for a key (xterm, "Alt and Meta Keys", "PC-Style Function Keys").
fn bytes_of(key: Key) -> Vec<u8> {
    let mut bytes = Vec::new();
    if key.mods.alt {
        bytes.push(0x1b);
    }
    match key.code {
        KeyCode::Char(c) if key.mods.ctrl => {
            let c = c.to_ascii_lowercase();
            match c {
                'a'..='z' => bytes.push(c as u8 & 0x1f),
                ' ' | '@' | '2' => bytes.push(0),
                '[' | '3' => bytes.push(0x1b),
                '\\' | '4' => bytes.push(0x1c),
                '^' | '6' => bytes.push(0x1e),
                '_' | '7' | '/' => bytes.push(0x1f),
                _ => bytes.clear(),
            }
        }
        KeyCode::Char(c) => bytes.extend(c.to_string().as_bytes()),
        KeyCode::Enter => bytes.push(b'\r'),
        KeyCode::Esc => bytes.push(0x1b),
        KeyCode::Tab => bytes.push(b'\t'),
        KeyCode::Backspace => bytes.push(0x7f),
        KeyCode::BackTab => bytes.extend(b"\x1b[Z"),
        KeyCode::Delete => bytes.extend(b"\x1b[3~"),
        KeyCode::Up => bytes.extend(b"\x1b[A"),
        KeyCode::Down => bytes.extend(b"\x1b[B"),
        KeyCode::Right => bytes.extend(b"\x1b[C"),
        KeyCode::Left => bytes.extend(b"\x1b[D"),
        KeyCode::Home => bytes.extend(b"\x1b[H"),
        KeyCode::End => bytes.extend(b"\x1b[F"),
        KeyCode::PageUp => bytes.extend(b"\x1b[5~"),
        KeyCode::PageDown => bytes.extend(b"\x1b[6~"),
        KeyCode::F(number @ 1..=4) => bytes.extend([0x1b, b'O', b'P' + number - 1]),
        KeyCode::F(_) => bytes.clear(),
    }
    bytes
}
