//! The journal as Markdown, to be read by people.

use super::words::{person, said, who};
use crate::domain::runs::{Entry, Holds, ProofLine, Record, RunId, RunRecord};
use crate::domain::{harmless, units};
use crate::journal::Row;
use std::collections::HashMap;
use std::fmt::Write;

/// What is written: each run for itself, in the order of their beginnings, and
/// behind them all the rest.
#[derive(Default)]
pub(super) struct Report {
    order: Vec<RunId>,
    runs: HashMap<RunId, Vec<Entry>>,
    others: Vec<Entry>,
    /// Records that this opsroom does not know.
    odd: Vec<String>,
}

impl Report {
    pub(super) fn take(&mut self, row: Row) {
        let entry = match row.entry() {
            Ok(entry) => entry,
            Err(error) => return self.odd.push(error.to_string()),
        };
        match &entry.record {
            Record::Run { run, .. } => {
                let run = run.clone();
                if !self.runs.contains_key(&run) {
                    self.order.push(run.clone());
                }
                self.runs.entry(run).or_default().push(entry);
            }
            _ => self.others.push(entry),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty() && self.others.is_empty() && self.odd.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::from("# Journal\n\nTimes are UTC.\n");
        for run in &self.order {
            if let Some(entries) = self.runs.get(run) {
                of_run(&mut out, run, entries);
            }
        }
        if !self.others.is_empty() {
            out.push_str("\n## Beside the runs\n\n");
            self.others.iter().for_each(|entry| item(&mut out, entry));
        }
        if !self.odd.is_empty() {
            out.push_str("\n## Not understood\n\n");
            self.odd.iter().for_each(|why| line(&mut out, &format!("- {}", plain(why))));
        }
        out
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Text that means nothing in Markdown and to a terminal.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn of_run(out: &mut String, run: &RunId, entries: &[Entry]) {
    let begun = entries.iter().find_map(|entry| match &entry.record {
        Record::Run { what: RunRecord::Started { plan, who, before, .. }, .. } => {
            Some((entry.at, plan, who, before))
        }
        _ => None,
    });
    let ended = entries.iter().rev().find_map(|entry| match &entry.record {
        Record::Run { what: RunRecord::Ended { outcome, reason, proof }, .. } => {
            Some((entry.at, outcome, reason, proof))
        }
        _ => None,
    });
    let title = begun.map_or("its beginning is missing", |(_, plan, ..)| &plan.book.title);
    let _ = writeln!(out, "\n## Run {}: {}\n", plain(run.as_str()), plain(title));
    if let Some((at, plan, who, _)) = begun {
        let book = &plan.book;
        let facts = [
            ("Runbook", format!("{} ({}), SHA-256 {}", book.id, book.path, book.hash)),
            ("Target", format!("{} in {}", plan.target, plan.environment)),
            ("Where", format!("{} on {}, in {}", plan.user, plan.host, plan.folder)),
            ("Started", format!("{at} by {}", person(who))),
        ];
        for (name, fact) in facts {
            line(out, &format!("- {name}: {}", plain(&fact)));
        }
        if let Some(alert) = &plan.alert {
            let fact = format!("{}, since {}: {}", alert.labels, alert.since, alert.reason);
            line(out, &format!("- Alert: {}", plain(&fact)));
        }
        for value in &plan.values {
            use crate::domain::runs::Held;
            let held = match &value.held {
                Held::Text(text) => text.clone(),
                Held::Secret => "a secret, not kept".into(),
                Held::Captured(step) => format!("what step {step} captures"),
            };
            line(out, &format!("- {} = {}", plain(&value.name), plain(&held)));
        }
    }
    match ended {
        Some((at, outcome, reason, _)) => {
            let took = begun.map(|(from, ..)| units::age(at.since(from))).unwrap_or_default();
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let fact = format!("{at}, after {took}: {}{reason}", outcome.word());
            line(out, &format!("- Ended: {}", plain(&fact)));
        }
        None => line(out, "- It has not ended"),
    }
    out.push('\n');
    for entry in entries {
        item(out, entry);
    }
    let after = ended.and_then(|(.., proof)| proof.as_ref()).map(|proof| proof.after.as_slice());
    proof(out, begun.map_or(&[], |(.., before)| before), after.unwrap_or(&[]));
}

/// A record as an item of a list; what ran stands as code below it.
fn item(out: &mut String, entry: &Entry) {
    let by = who(&entry.record).map(|who| format!(" **{}**", plain(&who.user))).unwrap_or_default();
    let (said, code) = match &entry.record {
        Record::Run {
            what: RunRecord::StepStarted { step, attempt, undoing, preview, process },
            run,
        } => {
            let short = Record::Run {
                run: run.clone(),
                what: RunRecord::StepStarted {
                    step: *step,
                    attempt: *attempt,
                    undoing: *undoing,
                    preview: String::new(),
                    process: process.clone(),
                },
            };
            (said(&short).trim_end_matches(": ").to_owned(), Some(preview))
        }
        Record::Run { what: RunRecord::Edited { step, script, .. }, .. } => {
            (format!("step {step} edited"), Some(script))
        }
        record => (said(record), None),
    };
    line(out, &format!("- {}{by} {}", entry.at, plain(&said)));
    if let Some(code) = code {
        fenced(out, code);
    }
}

/// Code in a list, in a fence that it cannot end.
fn fenced(out: &mut String, code: &str) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "\n  {fence}");
    for code in code.lines() {
        // Tabs stay what they are: as spaces they would be another text.
        let code: Vec<_> = code.split('\t').map(harmless).collect();
        let _ = writeln!(out, "  {}", code.join("\t"));
    }
    let _ = writeln!(out, "  {fence}\n");
}

/// Before and after of each condition.
fn proof(out: &mut String, before: &[ProofLine], after: &[ProofLine]) {
    if before.is_empty() && after.is_empty() {
        return;
    }
    out.push_str("\n| condition | before | after |\n| --- | --- | --- |\n");
    let mut lines: Vec<&str> = Vec::new();
    for proof in before.iter().chain(after) {
        if !lines.contains(&proof.line.as_str()) {
            lines.push(&proof.line);
        }
    }
    let cell = |of: &[ProofLine], name: &str| {
        let Some(found) = of.iter().find(|it| it.line == name) else { return "-".into() };
        let holds = match found.finding.holds {
            Holds::Yes => "holds",
            Holds::No => "does not hold",
            Holds::Unknown => "unknown",
        };
        plain(&format!("{holds}: {}", found.finding.words))
    };
    for name in lines {
        let (then, now) = (cell(before, name), cell(after, name));
        let _ = writeln!(out, "| {} | {then} | {now} |", plain(name));
    }
}
