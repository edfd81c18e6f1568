//! A run's records as lines for a plain terminal.

use super::ask::{push_text, titled};
use crate::domain::runs::{
    Decision, Entry, Finding, Holds, How, PinAsked, Plan, ProofLine, Record, RunRecord, StepEnd,
    StepKind, StepOutcome, Who,
};
use crate::domain::{Timestamp, harmless, units};
use crate::runbook::Run;
use std::fmt::Write;

/// A moment as a clock on the wall here shows it.
pub(super) fn clock(at: Timestamp) -> String {
    use chrono::{Local, TimeZone};
    match Local.timestamp_millis_opt(at.millis()).single() {
        Some(moment) => moment.format("%H:%M:%S").to_string(),
        None => at.to_string(),
    }
}

/// What a record says, line by line. `run` is the run with it folded in.
pub(super) fn record(entry: &Entry, run: &Run) -> Vec<String> {
    let Record::Run { what, .. } = &entry.record else { return Vec::new() };
    let plan = &run.plan;
    let at = clock(entry.at);
    let by = |who: &Who| harmless(&who.user).into_owned();
    let line = |text: String| vec![format!("{at} {text}")];
    match what {
        RunRecord::Started { who, .. } => line(format!(
            "run {}, {}, on {} as {}, started by {}; if you leave: opsroom attach {}",
            run.id,
            harmless(&plan.book.title),
            harmless(&plan.host),
            harmless(&plan.user),
            by(who),
            run.id
        )),
        RunRecord::TakenUp { who, .. } => {
            line(format!("taken up by {}: the process before it had died", by(who)))
        }
        RunRecord::Seen { .. } => Vec::new(),
        RunRecord::PinsAsked { pins, .. } => pins_changed(&at, pins),
        RunRecord::Confirmed { step, who, how } => match how {
            How::Reads => Vec::new(),
            How::Key => line(format!("step {step} confirmed by {}", by(who))),
            How::Typed(word) => {
                line(format!("step {step} confirmed by {}, who typed {}", by(who), harmless(word)))
            }
            How::Flag => line(format!("step {step} confirmed by --yes, for {}", by(who))),
        },
        RunRecord::Approved { step, who, yes } => line(match (who, yes) {
            (Some(who), true) => format!("step {step} approved by {}", by(who)),
            (Some(who), false) => format!("step {step} not approved: {} says no", by(who)),
            (None, _) => format!("step {step} not approved: nobody answered in time"),
        }),
        RunRecord::Edited { step, who, script } => {
            let mut lines = line(format!("step {step} edited by {}:", by(who)));
            push_text(&mut lines, script);
            lines
        }
        RunRecord::StepStarted { step, attempt, undoing, preview, .. } => {
            let mut words = format!("-- {}{}", titled(plan, *step), kind(plan, *step));
            // Writing into a String cannot fail.
            if let Some(undone) = undoing {
                let _ = write!(words, ", undoes step {undone}");
            }
            if *attempt > 1 {
                let _ = write!(words, ", attempt {attempt}");
            }
            let mut lines = line(words);
            push_text(&mut lines, preview);
            lines
        }
        RunRecord::StepEnded { step, end, .. } => ended(&at, plan, *step, end),
        RunRecord::Ticked { step, who, note } => line(match note.as_str() {
            "" => format!("{} done, says {}", titled(plan, *step), by(who)),
            note => format!("{} done, says {}: {}", titled(plan, *step), by(who), harmless(note)),
        }),
        RunRecord::Skipped { step, who, reason } => {
            line(format!("{} left out by {}: {}", titled(plan, *step), by(who), harmless(reason)))
        }
        RunRecord::Decided { step, who, decision, reason } => {
            let because = match reason.as_str() {
                "" => String::new(),
                reason => format!(": {}", harmless(reason)),
            };
            line(format!("step {step}: {}, says {}{because}", decided(*decision), by(who)))
        }
        RunRecord::Ended { outcome, reason, proof } => {
            let mut lines = Vec::new();
            if !run.before.is_empty() {
                lines.push("   before:".to_owned());
                lines.extend(run.before.iter().map(proof_line));
            }
            if let Some(proof) = proof {
                lines.push("   after:".to_owned());
                lines.extend(proof.after.iter().map(proof_line));
            }
            let took = units::duration(entry.at.since(run.started));
            let because = match reason.as_str() {
                "" => String::new(),
                reason => format!(": {}", harmless(reason)),
            };
            lines.push(format!("{at} == run {} {} after {took}{because}", run.id, outcome.word()));
            lines
        }
    }
}

fn ended(at: &str, plan: &Plan, step: crate::domain::runs::StepId, end: &StepEnd) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(StepKind::Check(check)) = plan.step(step).map(|step| &step.kind) {
        let found = check.lines.iter().zip(&end.findings);
        lines.extend(found.map(|((line, _), found)| finding(line, found)));
    }
    let captured = match &end.captured {
        Some(value) => format!(", captured {}", harmless(value)),
        None => String::new(),
    };
    let took = units::duration(end.took);
    let word = outcome(end.outcome);
    let words = harmless(&end.words);
    let words = if words.is_empty() { String::new() } else { format!(", {words}") };
    lines.push(format!("{at}    step {step} {word}{words}, {took}{captured}"));
    lines
}

/// What was not as it was pinned.
fn pins_changed(at: &str, pins: &[PinAsked]) -> Vec<String> {
    let changed = pins.iter().filter(|pin| pin.is.as_ref() != Ok(&pin.was));
    let line = |pin: &PinAsked| {
        let name = harmless(&pin.name);
        match &pin.is {
            Ok(is) => format!("{at} pin {name} was {}, is {}", harmless(&pin.was), harmless(is)),
            Err(why) => format!("{at} pin {name} cannot be told: {}", harmless(why)),
        }
    };
    changed.map(line).collect()
}

/// How a step ended, so that it is not overlooked.
pub(super) fn outcome(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Ok => "ok",
        StepOutcome::Failed => "FAILED",
        StepOutcome::Unknown => "OUTCOME UNKNOWN",
        StepOutcome::Unproved => "UNPROVED",
    }
}

fn decided(decision: Decision) -> &'static str {
    match decision {
        Decision::WasDone => "it was done",
        Decision::WasNotDone => "it was not done",
        Decision::Retry => "again",
        Decision::Undo => "undo what was done",
        Decision::Abandon => "go no further",
    }
}

fn kind(plan: &Plan, step: crate::domain::runs::StepId) -> &'static str {
    match plan.step(step).map(|step| &step.kind) {
        Some(StepKind::Command(command)) if command.changes => "  CHANGES",
        Some(StepKind::Command(_)) => "  reads",
        Some(StepKind::Check(_)) => "  check",
        Some(StepKind::Manual { .. }) => "  by hand",
        None => "",
    }
}

/// A condition and what it says.
pub(super) fn finding(line: &str, found: &Finding) -> String {
    let holds = match found.holds {
        Holds::Yes => "holds  ",
        Holds::No => "NOT    ",
        Holds::Unknown => "unknown",
    };
    format!("   {holds} {}: {}", harmless(line), harmless(&found.words))
}

fn proof_line(line: &ProofLine) -> String {
    finding(&line.line, &line.finding)
}
