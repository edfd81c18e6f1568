//! What a value has to look like in the places where a runbook uses it.

use super::places::unsafe_place;
use super::shell::{named, read};
use super::values::{fits, fits_reading};
use crate::domain::runs::{Origin, Step, StepKind};

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
        let required = command.uses.iter().any(|used| used == name);
        if !required && !read(&command.script).optional().iter().any(|used| used == name) {
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
        if named(command).iter().any(|used| used == name) {
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

/// What a value that the config gives (`vars`) has to match in a changing step: a
/// path, too. Whoever may write the config may write commands into it.
const OF_CONFIG: &str = "[A-Za-z0-9/][A-Za-z0-9._:@/+,=-]{0,255}";

/// Whether a value can be used where it is needed.
pub(super) fn held_to(
    need: &Need,
    origin: Option<Origin>,
    pattern: Option<&str>,
    value: &str,
) -> Result<(), String> {
    let of_config = || (origin == Some(Origin::Service)).then_some(OF_CONFIG);
    match need {
        Need::Whole(_) => fits(pattern.or_else(of_config), value),
        Need::Word | Need::Nothing => fits_reading(pattern, value),
    }
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

    #[test]
    fn what_a_command_can_do_without_is_needed_where_it_is_there() {
        assert_eq!(need_in(&[], ["ls \"${X:-/srv}\""], "X"), Need::Word);
        assert!(matches!(need_in(&[], ["ls ${X:-/srv}"], "X"), Need::Whole(_)));
        let script = "env ${X:+\"A=$X\"} ls \"$Y\"";
        let script = read(script);
        assert_eq!((script.variables(), script.optional()), (vec!["Y".into()], vec!["X".into()]));
    }

    #[test]
    fn a_path_of_the_config_may_go_into_a_changing_step_and_one_of_a_label_may_not() {
        let whole = Need::Whole(String::new());
        let held = |origin, value| held_to(&whole, Some(origin), None, value).is_ok();
        assert!(held(Origin::Service, "/etc/pgbackrest.conf"));
        assert!(!held(Origin::Label, "/etc/pgbackrest.conf"));
        for bad in ["-rf", "a b", "$(id)", "/tmp/a;b", "a\nb", "`id`", "/x'y", ""] {
            assert!(!held(Origin::Service, bad), "{bad:?}");
        }
    }
}
