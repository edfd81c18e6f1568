//! Which keys do something on the page of a run, for the hint line.

use super::pages::Page;
use super::run_keys::is_beside;
use super::state::State;
use crate::domain::runs::Decision;
use crate::panels::desk::{self, Wants};
use crate::runbook::{AskKind, StepState};
use crate::store::Action;

/// Whether a key would do something on the page of a run, for the hint line.
pub(crate) fn works(state: &State, action: Action) -> bool {
    let Page::Run(id) = &state.page else { return false };
    let Some(followed) = desk::followed(state.shown(), id) else { return false };
    let followed = followed.as_ref();
    let desk = &state.words.desk;
    let typing = desk::wants(desk, followed).filter(|_| !desk.keys);
    match typing {
        Some(Wants::Word(word)) => {
            let first = state.keys.bindings().iter().find(|of| of.action == action);
            let first = first.and_then(|of| of.keys.first()).map(ToString::to_string);
            let is_letter_of_it = first.is_some_and(|key| word.starts_with(&key));
            if is_letter_of_it || !is_beside(action) {
                return false;
            }
        }
        Some(_) => return false,
        None => {}
    }
    let changes = state.keys.bindings().iter().any(|of| of.action == action && of.dangerous);
    let taken_up = action == Action::Yes && followed.lost.is_some();
    if changes && !taken_up && desk::stale(followed, state.known.now).is_some() {
        return false;
    }
    let begun = followed.run.is_some();
    let ended = followed.has_ended();
    let running = followed
        .run
        .as_ref()
        .is_some_and(|run| run.steps.iter().any(|of| of.state == StepState::Running));
    let asked = desk::ask(followed).map(|ask| &ask.kind);
    match action {
        Action::Output | Action::FullText => begun,
        Action::SaveProof => ended,
        Action::Cancel => {
            (running && asked.is_none()) || matches!(asked, Some(AskKind::Unknown { alive: true }))
        }
        Action::Terminal => running && followed.doing.terminal.is_some(),
        Action::Yes => {
            matches!(asked, Some(AskKind::Manual | AskKind::Confirm { typed: None, .. }))
                || (followed.lost.is_some() && !ended)
        }
        Action::Retry => {
            matches!(asked, Some(AskKind::Failed { .. } | AskKind::Changed { may_go_on: true, .. }))
        }
        Action::Skip => match asked {
            Some(AskKind::Failed { skip, .. }) => *skip,
            Some(AskKind::Unknown { .. }) | None => false,
            Some(_) => true,
        },
        Action::Undo => match asked {
            Some(AskKind::Failed { choices, .. }) => choices.contains(&Decision::Undo),
            Some(AskKind::Unknown { .. }) | None => false,
            Some(_) => {
                let run = followed.run.as_ref().zip(desk::ask(followed));
                run.is_some_and(|(run, ask)| run.can_undo(ask.step))
            }
        },
        Action::Abandon => asked.is_some(),
        Action::WasDone | Action::WasNotDone => {
            matches!(asked, Some(AskKind::Unknown { alive: false }))
        }
        Action::LookAgain => matches!(
            asked,
            Some(
                AskKind::Unknown { alive: true }
                    | AskKind::Changed { .. }
                    | AskKind::Approve { .. }
                    | AskKind::Arm
            )
        ),
        _ => true,
    }
}

/// The keys that do something while an answer is typed: whether they are always
/// shown, what they are, and what they do. Nothing where letters are keys.
pub(crate) fn typing_hints(state: &State) -> Option<Vec<(bool, String, &'static str)>> {
    let Page::Run(id) = &state.page else { return None };
    if state.overlay.is_some() {
        return None;
    }
    let always = |key: &str, word| (true, key.to_owned(), word);
    let desk = &state.words.desk;
    if desk.terminal.is_some() {
        return Some(vec![always("ctrl-]", "comes back")]);
    }
    let followed = state.shown().runs.followed.get(id)?;
    let wants = desk::wants(desk, followed).filter(|_| !desk.keys)?;
    let begins = followed.run.is_none();
    let mut hints = match &wants {
        Wants::Values => vec![
            always("enter", "next"),
            always("tab", "other field"),
            always("arrows", "choose"),
            always("esc", "leave"),
        ],
        Wants::Text | Wants::Secret => vec![
            always("enter", "send"),
            always("esc", if desk.intent.is_some() { "take back" } else { "other keys" }),
        ],
        Wants::Lines => vec![always("ctrl-x", "done"), always("esc", "other keys")],
        Wants::Word(_) if begins => vec![always("pgdn", "scroll"), always("esc", "leave")],
        Wants::Word(word) => {
            let mut hints = vec![always("esc", "other keys")];
            for binding in state.keys.bindings() {
                let Some(key) = binding.keys.first().map(ToString::to_string) else { continue };
                let here = is_beside(binding.action) && !word.starts_with(&key);
                let does = binding.action == Action::Help || works(state, binding.action);
                if let Some(hint) = binding.hint.filter(|_| here && does) {
                    hints.push((false, key, hint));
                }
            }
            hints
        }
    };
    hints.push(always("ctrl-c", if begins { "quit" } else { "leave (run waits)" }));
    Some(hints)
}
