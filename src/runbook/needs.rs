//! What a value has to look like in the places where a runbook uses it.

use super::places::unsafe_place;
use super::words::variables;
use crate::domain::runs::{Step, StepKind};

/// What the places that use a variable ask of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// No place uses it.
    Nothing,
    /// Reads use it as one quoted word.
    Word,
    /// It has to match a whole pattern: a changing step uses it, or a read does in
    /// a place that makes more of it than a word. Where, in words.
    Whole(String),
}

/// What these steps, and these commands that read, ask of a variable.
pub(super) fn need_in<'c>(
    steps: &[Step],
    reads: impl IntoIterator<Item = &'c str>,
    name: &str,
) -> Need {
    let mut need = Need::Nothing;
    for step in steps {
        let StepKind::Command(command) = &step.kind else { continue };
        if !command.uses.iter().any(|used| used == name) {
            continue;
        }
        if command.changes {
            return Need::Whole(format!("step {} changes something with it", step.id));
        }
        if let Some(place) = unsafe_place(&command.script, name) {
            return Need::Whole(format!("step {} uses it {place}", step.id));
        }
        need = Need::Word;
    }
    for command in reads {
        if variables(command).iter().any(|used| used == name) {
            if let Some(place) = unsafe_place(command, name) {
                return Need::Whole(format!(
                    "`{}` uses it {place}",
                    crate::domain::harmless_within(command, 40)
                ));
            }
            need = Need::Word;
        }
    }
    need
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_place_uses_may_look_like_anything() {
        assert_eq!(need_in(&[], [], "X"), Need::Nothing);
        assert_eq!(need_in(&[], ["deployctl list \"$X\""], "X"), Need::Word);
        assert!(matches!(need_in(&[], ["ssh host \"ls $X\""], "X"), Need::Whole(_)));
        assert!(matches!(need_in(&[], ["ls $X"], "X"), Need::Whole(_)));
    }
}
