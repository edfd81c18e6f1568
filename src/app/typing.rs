//! Lines of text that are typed: filter, expression, label, command.

use super::completion::{self, Completion};
use super::palette::{self, Command};
use super::runs;
use super::state::{Overlay, State};
use crate::domain::harmless;
use crate::store::{Effect, Key, KeyCode};
use crate::ui::{Heard, LineInput};

/// A line that is being typed, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Typing {
    pub(crate) what: What,
    pub(crate) line: LineInput,
}

/// What a line is typed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Narrows rows down; `before` is the filter to go back to.
    Filter { before: String },
    /// A PromQL expression, and what fits where the cursor is.
    Expression(Box<Completion>),
    /// The label to split charts by.
    Split,
    /// For how long to arm, and why.
    Arm,
    /// A command; the row that is chosen by hand, if one is.
    Palette { chosen: Option<usize>, found: Vec<Command> },
}

impl Typing {
    pub(crate) fn of(what: What, text: &str) -> Self {
        Self { what, line: LineInput::with(text) }
    }

    /// What stands before the line.
    pub(crate) fn prompt(&self) -> &'static str {
        match self.what {
            What::Filter { .. } => "filter: ",
            What::Expression(_) => "expression: ",
            What::Split => "split by label (route, instance, version; none: empty): ",
            What::Arm => "arm for how long, and why (15m api 5xx): ",
            What::Palette { .. } => "command: ",
        }
    }
}

/// A key while a line is typed.
pub(crate) fn press(state: &mut State, mut typing: Typing, key: Key) -> Vec<Effect> {
    if let What::Palette { chosen, found } = &mut typing.what
        && let Some(down) = direction(key)
    {
        *chosen = palette::step(palette::chosen(found, *chosen), down, found.len());
        state.overlay = Some(Overlay::Typing(typing));
        return Vec::new();
    }
    if key.mods.ctrl && key.code == KeyCode::Char('c') {
        return left(state, typing);
    }
    if let Some(effects) = completion::press(state, &mut typing, key) {
        state.overlay = Some(Overlay::Typing(typing));
        return effects;
    }
    let before = typing.line.cursor();
    let heard = typing.line.press(key);
    if heard == Heard::Kept && typing.line.cursor() != before {
        let asked = completion::look(state, &mut typing, false);
        state.overlay = Some(Overlay::Typing(typing));
        return asked;
    }
    after(state, typing, heard)
}

/// Pasted text while a line is typed.
pub(crate) fn paste(state: &mut State, mut typing: Typing, text: &str) -> Vec<Effect> {
    let heard = typing.line.paste(text);
    after(state, typing, heard)
}

fn direction(key: Key) -> Option<bool> {
    match (key.code, key.mods.ctrl) {
        (KeyCode::Down | KeyCode::Tab, _) | (KeyCode::Char('n'), true) => Some(true),
        (KeyCode::Up | KeyCode::BackTab, _) | (KeyCode::Char('p'), true) => Some(false),
        _ => None,
    }
}

fn left(state: &mut State, typing: Typing) -> Vec<Effect> {
    if let What::Filter { before } = typing.what {
        set_filter(state, before);
    }
    Vec::new()
}

fn after(state: &mut State, mut typing: Typing, heard: Heard) -> Vec<Effect> {
    match heard {
        Heard::Left => left(state, typing),
        Heard::Done => done(state, &typing),
        Heard::Changed => {
            match &mut typing.what {
                What::Filter { .. } => set_filter(state, typing.line.text().to_lowercase()),
                What::Palette { chosen, found } => {
                    *chosen = None;
                    *found = palette::found(state, typing.line.text());
                }
                What::Expression(_) => {
                    let asked = completion::changed(state, &mut typing);
                    state.overlay = Some(Overlay::Typing(typing));
                    return asked;
                }
                What::Split | What::Arm => {}
            }
            state.overlay = Some(Overlay::Typing(typing));
            Vec::new()
        }
        Heard::Kept | Heard::NotMine => {
            state.overlay = Some(Overlay::Typing(typing));
            Vec::new()
        }
    }
}

fn set_filter(state: &mut State, filter: String) {
    if let Some(sheet) = state.sheets.get_mut(&state.page) {
        sheet.filter = filter;
    }
    state.settle(true);
}

fn done(state: &mut State, typing: &Typing) -> Vec<Effect> {
    let text = typing.line.text().trim();
    match &typing.what {
        What::Filter { .. } => {}
        What::Expression(_) => state.words.ask(&harmless(text)),
        What::Split => {
            if text.is_empty() {
                state.words.split = None;
            } else if is_label(text) {
                state.words.split = Some(text.to_owned());
            } else {
                state.say(format!("{} is not the name of a label", harmless(text)), true);
            }
        }
        What::Arm => return runs::arm_for(state, text).unwrap_or_default(),
        What::Palette { chosen, found } => return palette::run(state, found, *chosen),
    }
    Vec::new()
}

/// A label's name (Prometheus, "Data model": `[a-zA-Z_][a-zA-Z0-9_]*`).
fn is_label(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}
