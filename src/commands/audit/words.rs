//! A record in a line of words.

use crate::domain::runs::{
    Decision, How, OutputRange, Record, RunRecord, StepEnd, StepOutcome, Who,
};
use crate::domain::{Timestamp, harmless, harmless_within, units};
use crate::journal::Row;
use std::fmt::Write;

/// Longer texts are cut, in characters: the export has all of them.
const LONGEST: usize = 240;

/// `2026-11-21T03:16:31.000Z  17  li  run 4f2k  step 3 began: deployctl rollback …`
pub(super) fn line(row: Row) -> String {
    let (place, at) = (row.place, Timestamp::from_millis(row.at));
    let shown = match row.entry() {
        Ok(entry) => {
            let who = who(&entry.record).map_or("-", |who| &who.user);
            let run = match &entry.record {
                Record::Run { run, .. } => format!("run {run}  "),
                _ => String::new(),
            };
            format!("{who}  {run}{}", said(&entry.record))
        }
        Err(error) => error.to_string(),
    };
    format!("{at}  {place:>5}  {}\n", harmless_within(&shown, LONGEST))
}

/// The person behind a record, where it names one.
pub(super) fn who(record: &Record) -> Option<&Who> {
    match record {
        Record::Opened { who, .. }
        | Record::Disarmed { who, .. }
        | Record::Refused { who, .. }
        | Record::Adopted { who, .. }
        | Record::Acted { who, .. } => Some(who),
        Record::Armed(arming) => Some(&arming.who),
        Record::Rehearsed { .. } => None,
        Record::Run { what, .. } => match what {
            RunRecord::Started { who, .. }
            | RunRecord::TakenUp { who, .. }
            | RunRecord::Confirmed { who, .. }
            | RunRecord::Edited { who, .. }
            | RunRecord::Ticked { who, .. }
            | RunRecord::Skipped { who, .. }
            | RunRecord::Decided { who, .. } => Some(who),
            RunRecord::Approved { who, .. } => who.as_ref(),
            RunRecord::PinsAsked { .. }
            | RunRecord::Seen { .. }
            | RunRecord::StepStarted { .. }
            | RunRecord::StepEnded { .. }
            | RunRecord::Ended { .. } => None,
        },
    }
}

/// A person, as far as it is known: `li (uid 1000, login 1000) on bastion-2 from 10.0.0.7`.
pub(super) fn person(who: &Who) -> String {
    let mut text = format!("{} (uid {}", who.user, who.uid);
    match who.login {
        Some(login) => {
            let _ = write!(text, ", login {login})");
        }
        None => text.push(')'),
    }
    let _ = write!(text, " on {}", who.host);
    if let Some(from) = &who.from {
        let _ = write!(text, " from {from}");
    }
    harmless(&text).into_owned()
}

/// What happened; the text is as it came.
pub(super) fn said(record: &Record) -> String {
    match record {
        Record::Opened { kind, process, version, .. } => {
            let kind = format!("{kind:?}").to_lowercase();
            format!("opened the journal: {kind}, process {}, opsroom {version}", process.pid)
        }
        Record::Run { what, .. } => of_run(what),
        Record::Armed(it) => {
            format!("armed {} until {}: {}", it.environment, it.until, it.reason)
        }
        Record::Disarmed { environment, why, .. } => format!("disarmed {environment}: {why}"),
        Record::Refused { what, why, .. } => format!("was refused: {what}: {why}"),
        Record::Adopted { url, book, hash, .. } => {
            format!("adopted {url} as {book}, SHA-256 {hash}")
        }
        Record::Rehearsed { book, broken, .. } if broken.is_empty() => {
            format!("rehearsed {book}: nothing is broken")
        }
        Record::Rehearsed { book, broken, .. } => {
            format!("rehearsed {book}: broken: {}", broken.join("; "))
        }
        Record::Acted { what, .. } => what.clone(),
    }
}

fn of_run(what: &RunRecord) -> String {
    match what {
        RunRecord::Started { plan, process, .. } => format!(
            "started {} on {} in {}, process {}",
            plan.book.id, plan.target, plan.environment, process.pid
        ),
        RunRecord::TakenUp { process, .. } => format!("taken up by process {}", process.pid),
        RunRecord::Seen { before } => {
            let lines: Vec<String> =
                before.iter().map(|of| format!("{}: {}", of.line, of.finding.words)).collect();
            format!("before the first change: {}", lines.join("; "))
        }
        RunRecord::PinsAsked { step, pins } => {
            let pin = |pin: &crate::domain::runs::PinAsked| match &pin.is {
                Ok(is) if *is == pin.was => format!("{} = {is}", pin.name),
                Ok(is) => format!("{} was {}, is {is}", pin.name, pin.was),
                Err(why) => format!("{} was {}, unknown: {why}", pin.name, pin.was),
            };
            let pins: Vec<String> = pins.iter().map(pin).collect();
            format!("step {step}: pins asked: {}", pins.join(", "))
        }
        RunRecord::Confirmed { step, how, .. } => {
            let how = match how {
                How::Key => "by a key".into(),
                How::Typed(text) => format!("by typing {text}"),
                How::Flag => "by --yes".into(),
                How::Reads => "by nobody: it only reads".into(),
            };
            format!("step {step} confirmed {how}")
        }
        RunRecord::Approved { step, who: None, .. } => {
            format!("step {step} not approved: nobody answered in time")
        }
        RunRecord::Approved { step, yes: true, .. } => format!("step {step} approved"),
        RunRecord::Approved { step, yes: false, .. } => format!("step {step} not approved"),
        RunRecord::Edited { step, script, .. } => format!("step {step} edited: {}", block(script)),
        RunRecord::StepStarted { step, attempt, undoing, preview, process } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            let undoing = undoing.map(|it| format!(", undoing step {it}")).unwrap_or_default();
            let process =
                process.as_ref().map(|it| format!(", process {}", it.pid)).unwrap_or_default();
            format!("step {step} began{again}{undoing}{process}: {}", block(preview))
        }
        RunRecord::StepEnded { step, end, .. } => format!("step {step}: {}", ended(end)),
        RunRecord::Ticked { step, note, .. } if note.is_empty() => format!("step {step} ticked"),
        RunRecord::Ticked { step, note, .. } => format!("step {step} ticked: {note}"),
        RunRecord::Skipped { step, reason, .. } => format!("step {step} skipped: {reason}"),
        RunRecord::Decided { step, decision, reason, .. } => {
            let decision = match decision {
                Decision::WasDone => "it was done",
                Decision::WasNotDone => "it was not done",
                Decision::Retry => "try again",
                Decision::Undo => "undo",
                Decision::Abandon => "go no further",
            };
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            format!("step {step} decided: {decision}{reason}")
        }
        RunRecord::Ended { outcome, reason, .. } if reason.is_empty() => {
            format!("ended: {}", outcome.word())
        }
        RunRecord::Ended { outcome, reason, .. } => format!("ended: {}: {reason}", outcome.word()),
    }
}

fn ended(end: &StepEnd) -> String {
    let outcome = match end.outcome {
        StepOutcome::Ok => "ok",
        StepOutcome::Failed => "failed",
        StepOutcome::Unknown => "outcome unknown",
        StepOutcome::Unproved => "unproved",
    };
    let mut text = format!("{outcome}, {}", units::seconds(end.took.as_secs_f64()));
    if !end.words.is_empty() {
        let _ = write!(text, ": {}", end.words);
    }
    if let Some(captured) = &end.captured {
        let _ = write!(text, "; captured {captured}");
    }
    if let Some(OutputRange { from, to, dropped }) = end.output {
        let _ = write!(text, "; output bytes {from} to {to}");
        if dropped > 0 {
            let _ = write!(text, ", {dropped} not kept");
        }
    }
    for finding in &end.findings {
        let _ = write!(text, "; {}", finding.words);
    }
    text
}

/// A block of several lines in one: where one ends has to be seen.
fn block(script: &str) -> String {
    let script = script.trim_end();
    match script.lines().count() {
        0 | 1 => script.to_owned(),
        lines => format!("({lines} lines) {}", script.replace('\n', " / ")),
    }
}
