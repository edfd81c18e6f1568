//! What stands beside a command wherever it is shown: the values that it uses,
//! and what it is held to.

use super::Run;
use crate::domain::runs::{CommandStep, Held, Origin, Plan, StepKind, Value};
use crate::domain::{harmless_within, units};

/// The values that a command uses, each in words.
pub fn values(run: &Run, command: &CommandStep) -> Vec<String> {
    let in_words_of = |name: &String| {
        let value = run.plan.values.iter().find(|value| value.name == *name);
        let captured = run.captured.get(name).map(String::as_str);
        let words = value.map(|value| in_words(value, captured));
        let words = words.or_else(|| captured.map(|value| format!("{name}={value}")));
        words.map(|words| harmless_within(&words, 400))
    };
    command.uses.iter().filter_map(in_words_of).collect()
}

/// `RELEASE=v141 (you chose)`
pub fn in_words(value: &Value, captured: Option<&str>) -> String {
    let origin = match value.origin {
        Origin::Chosen => "you chose",
        Origin::Default => "the runbook's default",
        Origin::Label => "a label of the alert",
        Origin::Service => "from the config",
        Origin::Step => "from a step",
    };
    match (&value.held, captured) {
        (Held::Text(text), _) => format!("{}={text} ({origin})", value.name),
        (Held::Secret, _) => format!("{}: a secret, not shown ({origin})", value.name),
        (Held::Captured(step), Some(text)) => {
            format!("{}={text} (from step {step})", value.name)
        }
        (Held::Captured(step), None) => format!("{}: what step {step} will say", value.name),
    }
}

/// `timeout 2m, then: outcome unknown`, `undo: deployctl promote "$SERVICE"`
pub fn limits(command: &CommandStep, plan: &Plan) -> Vec<String> {
    let limit = units::duration(command.timeout.unwrap_or(plan.timeout));
    let then = if command.changes { "outcome unknown" } else { "failed" };
    let mut words = vec![format!("timeout {limit}, then: {then}")];
    if let Some(undo) = command.undo.and_then(|undo| plan.step(undo)) {
        let what = match &undo.kind {
            StepKind::Command(of) => of.script.trim_end().replace('\n', "; "),
            _ => undo.title.clone(),
        };
        words.push(harmless_within(&format!("undo: {what}"), 400));
    } else if command.changes && !command.undoes {
        words.push("nothing undoes it".to_owned());
    }
    words
}
