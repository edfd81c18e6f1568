//! The palette: every command by its name. Nothing that changes anything is
//! ever chosen beforehand.

use super::act;
use super::pages::Page;
use super::state::State;
use crate::store::{Action, Effect};
use crate::ui::{Scope, fuzzy};

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// The key that does the same.
    pub(crate) key: String,
    pub(crate) does: Does,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Act(Action),
    Open(Page),
    Practice(String),
    /// Arms for what was typed: `15m api 5xx`.
    Arm(String),
    Disarm,
}

impl Command {
    /// Whether it changes something beside the screen.
    pub(crate) fn changes(&self) -> bool {
        matches!(self.does, Does::Practice(_))
    }
}

fn all(state: &State) -> Vec<Command> {
    let mut all = Vec::new();
    for binding in state.keys.bindings() {
        let moves = matches!(
            binding.action,
            Action::Up
                | Action::Down
                | Action::Left
                | Action::Right
                | Action::HalfUp
                | Action::HalfDown
                | Action::First
                | Action::Last
                | Action::Palette
        );
        let elsewhere = binding.scope == Scope::Run && state.scope() != Scope::Run;
        let known = all.iter().any(|known: &Command| known.does == Does::Act(binding.action));
        if !moves && !known && !elsewhere {
            let key = binding.keys.first().map_or_else(String::new, ToString::to_string);
            let does = Does::Act(binding.action);
            all.push(Command { name: binding.doc.into(), key, does });
        }
    }
    for fault in &state.setting.practice {
        let does = Does::Practice(fault.clone());
        all.push(Command { name: format!("practice: {fault}"), key: String::new(), does });
    }
    for service in &state.shown().inventory.services {
        let name = format!("service {}", crate::domain::harmless(service.name.as_str()));
        let does = Does::Open(Page::Service(service.name.clone()));
        all.push(Command { name, key: String::new(), does });
    }
    all
}

/// The commands that what is typed finds, best first.
pub(crate) fn found(state: &State, typed: &str) -> Vec<Command> {
    let armed = |does, name: &str| vec![Command { name: name.into(), key: String::new(), does }];
    if let Some(rest) = typed.strip_prefix("arm ").filter(|rest| !rest.trim().is_empty()) {
        let words = match super::runs::arming(rest) {
            Ok((time, reason)) => format!("arm for {}: {reason}", crate::domain::units::age(time)),
            Err(why) => why,
        };
        return armed(Does::Arm(rest.to_owned()), &crate::domain::harmless_within(&words, 60));
    }
    if typed.trim() == "disarm" {
        return armed(Does::Disarm, "disarm");
    }
    let all = all(state);
    let found = fuzzy::find(typed, all.iter().map(|command| command.name.as_str()));
    found.into_iter().filter_map(|i| all.get(i).cloned()).collect()
}

/// The row that `enter` takes: the one chosen by hand, else the first, unless
/// that one changes something.
pub(crate) fn chosen(found: &[Command], by_hand: Option<usize>) -> Option<usize> {
    match by_hand {
        Some(row) => (row < found.len()).then_some(row),
        None => found.first().filter(|first| !first.changes()).map(|_| 0),
    }
}

/// One row down or up from the one that `enter` would take; from none, to the first.
pub(crate) fn step(from: Option<usize>, down: bool, count: usize) -> Option<usize> {
    let last = count.checked_sub(1)?;
    Some(match (from, down) {
        (None, _) => 0,
        (Some(row), true) => (row + 1).min(last),
        (Some(row), false) => row.saturating_sub(1),
    })
}

pub(crate) fn run(state: &mut State, found: &[Command], by_hand: Option<usize>) -> Vec<Effect> {
    let Some(command) = chosen(found, by_hand).and_then(|row| found.get(row)) else {
        let why = if found.is_empty() {
            "no command has this name"
        } else {
            "this would change something: choose it with the arrow keys, then enter"
        };
        state.say(why, true);
        return Vec::new();
    };
    match &command.does {
        Does::Arm(_) | Does::Disarm | Does::Practice(_) if state.frozen.is_some() => {
            state.say(act::REFUSED_FROZEN, true);
            Vec::new()
        }
        Does::Arm(typed) => super::runs::arm_for(state, typed).unwrap_or_default(),
        Does::Disarm => super::runs::disarm(state),
        Does::Act(action) => act::act(state, *action),
        Does::Open(page) => {
            act::open(state, page.clone());
            Vec::new()
        }
        Does::Practice(fault) => {
            state.say(format!("asked for: {fault}"), false);
            vec![Effect::Practice(fault.clone())]
        }
    }
}
