//! A run's questions in words, and what a typed line answers to them.

use crate::domain::harmless;
use crate::domain::runs::{Decision, Plan, Step, StepId, StepKind};
use crate::runbook::{Answer, Ask, AskKind, Run, beside};

/// What a line means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meant {
    /// This answer.
    Answer(Answer),
    /// Allow changes for so long, and for this reason; then look again.
    Arm { time: std::time::Duration, reason: String },
    /// End what still runs of the step.
    Cancel,
}

/// What is asked, line by line. The last line says what can be typed.
pub(super) fn question(ask: &Ask, run: &Run) -> Vec<String> {
    let plan = &run.plan;
    let step = plan.step(ask.step);
    let undo = if run.can_undo(ask.step) { ", undo WHY" } else { "" };
    let title = titled(plan, ask.step);
    let mut lines = Vec::new();
    match &ask.kind {
        AskKind::Confirm { typed, preview } => {
            lines.push(format!("?? {title}{}", changes(step, plan)));
            push_exactly(&mut lines, run, ask.step, preview);
            let word = typed.as_deref().unwrap_or("y");
            lines.push(format!(
                "   type {} to run it; or: skip WHY, abandon WHY{undo}",
                harmless(word)
            ));
        }
        AskKind::Manual => {
            lines.push(format!("?? {title}  by hand"));
            if let Some(StepKind::Manual { text }) = step.map(|step| &step.kind) {
                push_text(&mut lines, text);
            }
            lines.push("   type done, or done and a note; or: skip WHY, abandon WHY".to_owned());
        }
        AskKind::Failed { choices, skip } => {
            lines.push(format!("?? {title}  did not end as it should; what now?"));
            lines.push(format!("   type {}", ways(choices, *skip)));
        }
        AskKind::Unknown { alive: true } => {
            lines.push(format!("?? {title}  still running: nobody has seen how it ends"));
            lines.push("   type again to look again, cancel to end it".to_owned());
        }
        AskKind::Unknown { alive: false } => {
            lines.push(format!("?? {title}  outcome unknown: look at the system itself"));
            lines.push(
                "   type done and how you know, not and how you know; or: abandon WHY".to_owned(),
            );
        }
        AskKind::Edit { why, .. } => {
            lines.push(format!("?? {title}  has to be edited: {}", harmless(why)));
            lines.push(
                "   each line comes to be edited; enter keeps it, esc goes back to the first"
                    .to_owned(),
            );
        }
        AskKind::Secret { ask, .. } => {
            lines.push(format!("?? {title}  needs {}", harmless(ask)));
            lines.push("   what you type is not shown".to_owned());
        }
        AskKind::Arm => {
            let environment = harmless(&plan.environment).to_uppercase();
            lines.push(format!("?? {title}  changes something, and {environment} is not armed"));
            lines.push(
                "   type arm 15m WHY; again when it was armed elsewhere; or: abandon WHY"
                    .to_owned(),
            );
        }
        AskKind::Approve { until } => {
            lines.push(format!("?? {title}  waits for a second person, from their own login"));
            lines.push(format!(
                "   opsroom approve, until {}; nobody is a no",
                super::say::clock(*until)
            ));
        }
        AskKind::Changed { difference, may_go_on } => {
            lines.push(format!("?? {title}  stands still: something has changed"));
            for line in difference {
                push_text(&mut lines, line);
            }
            let anyway = if *may_go_on { ", anyway to go on all the same" } else { "" };
            lines.push(format!(
                "   type again to look again{anyway}; or: skip WHY, abandon WHY{undo}"
            ));
        }
    }
    lines
}

/// What a line answers; where it answers nothing, what would.
pub(super) fn meant(kind: &AskKind, line: &str) -> Result<Meant, String> {
    let answer = |answer| Ok(Meant::Answer(answer));
    if let AskKind::Confirm { typed: Some(word), .. } = kind
        && line == word
    {
        return answer(Answer::Go { typed: Some(line.to_owned()) });
    }
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let reason = rest.trim().to_owned();
    let decide = |decision| answer(Answer::Decide { decision, reason: reason.clone() });
    let with_reason = |found: Answer| {
        if reason.is_empty() { Err(format!("say why: {word} WHY")) } else { answer(found) }
    };
    let settle = |decision| with_reason(Answer::Decide { decision, reason: reason.clone() });
    match (kind, word) {
        (AskKind::Confirm { typed: None, .. }, "y") if reason.is_empty() => {
            answer(Answer::Go { typed: None })
        }
        (AskKind::Manual, "done") => answer(Answer::Tick { note: reason }),
        (AskKind::Failed { .. }, "r" | "retry") | (AskKind::Changed { .. }, "anyway") => {
            decide(Decision::Retry)
        }
        (AskKind::Unknown { alive: false }, "done") => settle(Decision::WasDone),
        (AskKind::Unknown { alive: false }, "not") => settle(Decision::WasNotDone),
        (AskKind::Unknown { alive: true }, "cancel") => Ok(Meant::Cancel),
        (AskKind::Unknown { .. } | AskKind::Arm | AskKind::Changed { .. }, "again") => {
            answer(Answer::Again)
        }
        (AskKind::Arm, "arm") => arm(&reason),
        (AskKind::Unknown { .. }, "skip" | "s" | "undo" | "u") => {
            Err("first: was it done or not?".to_owned())
        }
        (_, "skip" | "s") => with_reason(Answer::Skip { reason: reason.clone() }),
        (_, "undo" | "u") => decide(Decision::Undo),
        (_, "abandon" | "a") => decide(Decision::Abandon),
        (AskKind::Confirm { typed: Some(word), .. }, _) => {
            Err(format!("nothing was run: it takes {}, typed in full", harmless(word)))
        }
        (AskKind::Confirm { typed: None, .. }, _) => Err("nothing was run: it takes y".to_owned()),
        (_, "") => Err("nothing was done".to_owned()),
        _ => Err("that is no answer to what is asked".to_owned()),
    }
}

fn arm(rest: &str) -> Result<Meant, String> {
    let (time, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let reason = reason.trim();
    match crate::config::units::duration(time) {
        Some(time) if !time.is_zero() && !reason.is_empty() => {
            Ok(Meant::Arm { time, reason: reason.to_owned() })
        }
        _ => Err("for how long and why: arm 15m WHY".to_owned()),
    }
}

/// `step 3, roll back`
pub(super) fn titled(plan: &Plan, id: StepId) -> String {
    match plan.step(id) {
        Some(step) => format!("step {id}, {}", harmless(&step.title)),
        None => format!("step {id}"),
    }
}

fn changes(step: Option<&Step>, plan: &Plan) -> String {
    match step.map(|step| &step.kind) {
        Some(StepKind::Command(command)) if command.changes => format!(
            "  CHANGES {} in {}",
            harmless(&plan.target),
            harmless(&plan.environment).to_uppercase()
        ),
        _ => String::new(),
    }
}

fn ways(choices: &[Decision], skip: bool) -> String {
    let mut ways: Vec<&str> = choices
        .iter()
        .map(|choice| match choice {
            Decision::Retry => "r to retry",
            Decision::Undo => "u to undo what was done",
            Decision::Abandon => "a to abandon",
            Decision::WasDone => "done and how you know",
            Decision::WasNotDone => "not and how you know",
        })
        .collect();
    if skip {
        ways.push("s and why to leave it out");
    }
    ways.join(", ")
}

/// Exactly what will run, with which values, and what it is held to.
pub(super) fn push_exactly(lines: &mut Vec<String>, run: &Run, step: StepId, script: &str) {
    lines.push("   exactly this will run:".to_owned());
    push_text(lines, script);
    if let Some(StepKind::Command(command)) = run.plan.step(step).map(|step| &step.kind) {
        let values = beside::values(run, command);
        let beside = values.into_iter().chain(beside::limits(command, &run.plan));
        lines.extend(beside.map(|words| format!("   {words}")));
    }
}

/// A text of many lines, set in.
pub(super) fn push_text(lines: &mut Vec<String>, text: &str) {
    for line in text.trim_end().lines() {
        lines.push(format!("   | {}", harmless(line)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn confirm(typed: Option<&str>) -> AskKind {
        AskKind::Confirm { typed: typed.map(str::to_owned), preview: "x".into() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what `meant` gives")]
    fn go(typed: Option<&str>) -> Result<Meant, String> {
        Ok(Meant::Answer(Answer::Go { typed: typed.map(str::to_owned) }))
    }

    #[test]
    fn only_the_name_itself_runs_a_step() {
        let kind = confirm(Some("api"));
        assert_eq!(meant(&kind, "api"), go(Some("api")));
        for wrong in ["", "y", "yes", "ap", "api ", " api", "API", "apii", "api api"] {
            assert!(meant(&kind, wrong).is_err(), "{wrong:?}");
        }
        // A target may be called like a word of ours.
        assert_eq!(meant(&confirm(Some("skip")), "skip"), go(Some("skip")));
    }

    #[test]
    fn y_runs_what_takes_no_name_and_enter_alone_never_does() {
        let kind = confirm(None);
        assert_eq!(meant(&kind, "y"), go(None));
        for wrong in ["", " ", "yy", "yyyyyyy", "y y", "n", "Y"] {
            assert!(meant(&kind, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn enter_alone_answers_nothing_at_all() {
        let kinds = [
            confirm(None),
            confirm(Some("api")),
            AskKind::Manual,
            AskKind::Failed { choices: vec![Decision::Retry], skip: true },
            AskKind::Unknown { alive: true },
            AskKind::Unknown { alive: false },
            AskKind::Arm,
            AskKind::Approve { until: Timestamp::default() },
            AskKind::Changed { difference: Vec::new(), may_go_on: true },
        ];
        for kind in kinds {
            assert!(meant(&kind, "").is_err() && meant(&kind, "  ").is_err(), "{kind:?}");
        }
    }

    #[test]
    fn a_person_decides_with_a_word_and_a_reason() {
        let failed = AskKind::Failed { choices: Vec::new(), skip: true };
        let decided = |decision, reason: &str| {
            Ok(Meant::Answer(Answer::Decide { decision, reason: reason.into() }))
        };
        assert_eq!(meant(&failed, "r"), decided(Decision::Retry, ""));
        assert_eq!(meant(&failed, "u too slow"), decided(Decision::Undo, "too slow"));
        assert_eq!(meant(&failed, "a"), decided(Decision::Abandon, ""));
        assert!(meant(&failed, "s").is_err());
        let skipped = Answer::Skip { reason: "not needed".into() };
        assert_eq!(meant(&failed, "s not needed"), Ok(Meant::Answer(skipped)));
        let unknown = AskKind::Unknown { alive: false };
        assert!(meant(&unknown, "done").is_err());
        assert_eq!(meant(&unknown, "done  saw v141"), decided(Decision::WasDone, "saw v141"));
        assert!(meant(&unknown, "r").is_err());
        let note = Answer::Tick { note: "told them".into() };
        assert_eq!(meant(&AskKind::Manual, "done told them"), Ok(Meant::Answer(note)));
    }

    #[test]
    fn arming_takes_a_time_and_a_reason() {
        let time = std::time::Duration::from_mins(15);
        let reason = "api 5xx".to_owned();
        assert_eq!(meant(&AskKind::Arm, "arm 15m api 5xx"), Ok(Meant::Arm { time, reason }));
        assert!(meant(&AskKind::Arm, "arm 15m").is_err());
        assert!(meant(&AskKind::Arm, "arm soon because").is_err());
        assert!(meant(&AskKind::Manual, "arm 15m why").is_err());
    }
}
