//! What a run did and what proves it, as Markdown: for a ticket, a channel, a
//! look back on the next day.

#[cfg(test)]
mod tests;

use super::Run;
use crate::domain::runs::{
    Decision, Entry, Finding, Held, Holds, How, Origin, Plan, ProofLine, Record, RunRecord,
    StepEnd, StepId, StepKind, StepOutcome, Who,
};
use crate::domain::{Timestamp, harmless, units};
use std::fmt::Write;

/// The Markdown of a run, from its records; none where it never began. Secrets
/// are in no record, and what came from outside can neither steer a terminal nor
/// become markup.
pub fn markdown(entries: &[Entry]) -> Option<String> {
    let run = Run::of(entries)?;
    let mut out = String::new();
    // Writing into a String cannot fail, here and below.
    let _ = heading(&mut out, &run);
    let _ = wrong(&mut out, &run);
    let _ = values(&mut out, &run.plan);
    let _ = done(&mut out, &run, entries);
    let _ = proof(&mut out, &run);
    Some(out)
}

fn heading(out: &mut String, run: &Run) -> std::fmt::Result {
    let plan = &run.plan;
    let outcome = run.ended.as_ref().map_or("not ended", |(_, outcome, _)| outcome.word());
    writeln!(out, "# {}: {outcome}\n", text(&plan.book.title))?;
    writeln!(out, "| | |\n|---|---|")?;
    let mut row = |name: &str, words: String| writeln!(out, "| {name} | {words} |");
    row("run", code(run.id.as_str()))?;
    let hash = plan.book.hash.get(..12).unwrap_or(&plan.book.hash);
    row(
        "runbook",
        format!(
            "{}, {}, sha256 {}",
            code(plan.book.id.as_str()),
            code(&plan.book.path),
            text(hash)
        ),
    )?;
    row("environment", text(&plan.environment))?;
    row("target", text(&plan.target))?;
    row(
        "where",
        format!("on {} as {}, in {}", text(&plan.host), text(&plan.user), code(&plan.folder)),
    )?;
    row("by", person(&run.who))?;
    row("began", run.started.to_string())?;
    if let Some((at, outcome, reason)) = &run.ended {
        row("ended", format!("{at}, after {}", units::duration(at.since(run.started))))?;
        let because = if reason.is_empty() { String::new() } else { format!(": {}", text(reason)) };
        row("outcome", format!("**{}**{because}", outcome.word()))?;
    }
    Ok(())
}

fn wrong(out: &mut String, run: &Run) -> std::fmt::Result {
    if run.plan.alert.is_none() && run.before.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## What was wrong\n")?;
    if let Some(alert) = &run.plan.alert {
        writeln!(
            out,
            "{} {}since {}: {}",
            code(&alert.labels.to_string()),
            if alert.pending { "pending, not firing yet, " } else { "" },
            alert.since,
            text(&alert.reason)
        )?;
        if !alert.expression.is_empty() {
            out.push('\n');
            fenced(out, "", &alert.expression)?;
        }
    }
    Ok(())
}

fn values(out: &mut String, plan: &Plan) -> std::fmt::Result {
    if plan.values.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## With these values\n\n| variable | value | from |\n|---|---|---|")?;
    for value in &plan.values {
        let held = match &value.held {
            Held::Text(held) => code(held),
            Held::Secret => "a secret, not kept".to_owned(),
            Held::Captured(step) => format!("what step {step} captured"),
        };
        let origin = match value.origin {
            Origin::Chosen => "chosen",
            Origin::Default => "the runbook",
            Origin::Label => "the alert",
            Origin::Service => "the config",
            Origin::Step => "a step",
        };
        writeln!(out, "| {} | {held} | {origin} |", code(&value.name))?;
    }
    Ok(())
}

fn done(out: &mut String, run: &Run, entries: &[Entry]) -> std::fmt::Result {
    writeln!(out, "\n## What was done")?;
    for entry in entries {
        let Record::Run { run: of, what } = &entry.record else { continue };
        if *of == run.id {
            record(out, &run.plan, entry.at, what)?;
        }
    }
    Ok(())
}

fn record(out: &mut String, plan: &Plan, at: Timestamp, what: &RunRecord) -> std::fmt::Result {
    match what {
        RunRecord::Started { .. } | RunRecord::Seen { .. } | RunRecord::Ended { .. } => Ok(()),
        RunRecord::TakenUp { who, .. } => {
            writeln!(out, "\n{at}: taken up by {}, its process had died", person(who))
        }
        RunRecord::PinsAsked { step, pins } => {
            for pin in pins.iter().filter(|pin| pin.is.as_ref() != Ok(&pin.was)) {
                let is = match &pin.is {
                    Ok(is) => format!("is {}", code(is)),
                    Err(why) => format!("could not be told: {}", text(why)),
                };
                writeln!(
                    out,
                    "\n{at}: before step {step} the pin {} was {}, and {is}",
                    code(&pin.name),
                    code(&pin.was)
                )?;
            }
            Ok(())
        }
        RunRecord::Confirmed { step, who, how } => match how {
            How::Reads => Ok(()),
            How::Key => writeln!(out, "\n{at}: step {step} confirmed by {}", person(who)),
            How::Typed(word) => writeln!(
                out,
                "\n{at}: step {step} confirmed by {}, who typed {}",
                person(who),
                code(word)
            ),
            How::Flag => {
                writeln!(out, "\n{at}: step {step} confirmed by `--yes`, for {}", person(who))
            }
        },
        RunRecord::Approved { step, who, yes } => match who {
            Some(who) if *yes => writeln!(out, "\n{at}: step {step} approved by {}", person(who)),
            Some(who) => writeln!(out, "\n{at}: step {step} not approved by {}", person(who)),
            None => writeln!(out, "\n{at}: step {step} not approved: nobody answered in time"),
        },
        RunRecord::Edited { step, who, script } => {
            writeln!(out, "\n{at}: step {step} edited by {}\n", person(who))?;
            fenced(out, "sh", script)
        }
        RunRecord::StepStarted { step, attempt, undoing, preview, .. } => {
            write!(out, "\n### {step}. {}{}\n\n{at}", text(title(plan, *step)), kind(plan, *step))?;
            if let Some(undone) = undoing {
                write!(out, ", to undo step {undone}")?;
            }
            if *attempt > 1 {
                write!(out, ", attempt {attempt}")?;
            }
            writeln!(out, "\n")?;
            fenced(out, "sh", preview)
        }
        RunRecord::StepEnded { step, end, .. } => ended(out, plan, *step, end),
        RunRecord::Ticked { step, who, note } => {
            writeln!(out, "\n### {step}. {}, by hand\n", text(title(plan, *step)))?;
            let note = if note.is_empty() { String::new() } else { format!(": {}", text(note)) };
            writeln!(out, "{at}: done, says {}{note}", person(who))
        }
        RunRecord::Skipped { step, who, reason } => writeln!(
            out,
            "\n{at}: step {step}, {}, left out by {}: {}",
            text(title(plan, *step)),
            person(who),
            text(reason)
        ),
        RunRecord::Decided { step, who, decision, reason } => {
            let because =
                if reason.is_empty() { String::new() } else { format!(": {}", text(reason)) };
            let what = match decision {
                Decision::WasDone => "it was done",
                Decision::WasNotDone => "it was not done",
                Decision::Retry => "try again",
                Decision::Undo => "undo what was done",
                Decision::Abandon => "go no further",
            };
            writeln!(out, "\n{at}: step {step}: {what}, says {}{because}", person(who))
        }
    }
}

fn ended(out: &mut String, plan: &Plan, step: StepId, end: &StepEnd) -> std::fmt::Result {
    if let Some(StepKind::Check(check)) = plan.step(step).map(|step| &step.kind) {
        writeln!(out)?;
        for ((line, _), found) in check.lines.iter().zip(&end.findings) {
            writeln!(out, "- {} {}", code(line), said(found))?;
        }
    }
    let outcome = match end.outcome {
        StepOutcome::Ok => "ok",
        StepOutcome::Failed => "**failed**",
        StepOutcome::Unknown => "**outcome unknown**",
        StepOutcome::Unproved => "**unproved**",
    };
    let words =
        if end.words.is_empty() { String::new() } else { format!(", {}", text(&end.words)) };
    let captured = match &end.captured {
        Some(value) => format!(", captured {}", code(value)),
        None => String::new(),
    };
    writeln!(out, "\n{outcome}{words}, took {}{captured}", units::duration(end.took))
}

fn proof(out: &mut String, run: &Run) -> std::fmt::Result {
    let after = run.proof.as_ref().map_or(&[][..], |proof| &proof.after);
    if run.before.is_empty() && after.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Proof\n\n| | before | after |\n|---|---|---|")?;
    let find = |lines: &[ProofLine], wanted: &str| {
        lines.iter().find(|line| line.line == wanted).map(|line| said(&line.finding))
    };
    let only_after = after.iter().filter(|line| find(&run.before, &line.line).is_none());
    for line in run.before.iter().chain(only_after) {
        let before = find(&run.before, &line.line).unwrap_or_default();
        let after = find(after, &line.line).unwrap_or_default();
        writeln!(out, "| {} | {before} | {after} |", code(&line.line))?;
    }
    Ok(())
}

fn said(found: &Finding) -> String {
    let holds = match found.holds {
        Holds::Yes => "holds",
        Holds::No => "does not hold",
        Holds::Unknown => "unknown",
    };
    match found.seen {
        Some(seen) => format!("{holds}: {}, seen {seen}", text(&found.words)),
        None => format!("{holds}: {}", text(&found.words)),
    }
}

fn person(who: &Who) -> String {
    let from = match &who.from {
        Some(from) => format!(" from {}", text(from)),
        None => String::new(),
    };
    format!("{} (uid {}){from}", text(&who.user), who.uid)
}

fn title(plan: &Plan, step: StepId) -> &str {
    plan.step(step).map_or("", |step| &step.title)
}

fn kind(plan: &Plan, step: StepId) -> &'static str {
    match plan.step(step).map(|step| &step.kind) {
        Some(StepKind::Command(command)) if command.changes => ", changes",
        Some(StepKind::Command(_)) => ", reads",
        Some(StepKind::Check(_)) => ", check",
        Some(StepKind::Manual { .. }) | None => "",
    }
}

/// Words from outside: nothing in them is markup.
fn text(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in harmless(words).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The same as code in a line, also in a cell of a table.
fn code(words: &str) -> String {
    let words = harmless(words);
    let words = words.trim();
    if words.is_empty() {
        return String::new();
    }
    // A bar would end the cell even in code.
    if words.contains('|') {
        return text(words);
    }
    let ticks = "`".repeat(longest_ticks(words) + 1);
    let space = if words.starts_with('`') || words.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{words}{space}{ticks}")
}

fn fenced(out: &mut String, language: &str, script: &str) -> std::fmt::Result {
    let fence = "`".repeat((longest_ticks(script) + 1).max(3));
    writeln!(out, "{fence}{language}")?;
    for line in script.trim_end().lines() {
        writeln!(out, "{}", harmless(line))?;
    }
    writeln!(out, "{fence}")
}

fn longest_ticks(words: &str) -> usize {
    words.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
