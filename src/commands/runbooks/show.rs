//! `opsroom runbooks show BOOK`

use crate::domain::runs::{Step, StepKind};
use crate::domain::{harmless, harmless_within, units};
use crate::runbook::{Book, Level};
use crate::runtime::runs::library;
use color_eyre::Result;
use color_eyre::eyre::eyre;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// Shows a runbook: its text, its steps, what is wrong with it.
pub(super) fn run(config: Option<&Path>, name: &str, json: bool) -> Result<ExitCode> {
    let is_file = name.contains('/') || Path::new(name).extension().is_some();
    let known = if is_file { crate::runbook::Library::default() } else { super::all(config)? };
    let book = library::find(&known, name).map_err(|why| eyre!(why))?;
    let out =
        if json { format!("{}\n", serde_json::to_string_pretty(&*book)?) } else { shown(&book)? };
    super::super::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(book: &Book) -> Result<String> {
    let mut out = String::new();
    for line in book.text.lines() {
        writeln!(out, "{}", harmless(line))?;
    }
    writeln!(out, "\n-- {} --", harmless(&book.title))?;
    writeln!(out, "name    {}", harmless(book.id.as_str()))?;
    writeln!(out, "file    {}", harmless(&book.path))?;
    writeln!(out, "sha256  {}", book.hash)?;
    if book.foreign {
        writeln!(out, "written for people: each command is confirmed by itself")?;
    }
    for param in &book.front.params {
        let secret = if param.secret { " (secret)" } else { "" };
        writeln!(out, "asks    {}: {}{secret}", param.name, harmless_within(&param.ask, 80))?;
    }
    for pin in &book.pins {
        let command = harmless_within(&pin.command, 80);
        writeln!(out, "pin     {} = {command}, from step {} on", harmless(&pin.name), pin.before)?;
    }
    for step in &book.steps {
        writeln!(out, "{:>3} {}", step.id, in_words(step))?;
        match &step.kind {
            StepKind::Command(command) => {
                for line in command.script.lines() {
                    writeln!(out, "      {}", harmless(line))?;
                }
            }
            StepKind::Check(check) => {
                for (line, _) in &check.lines {
                    writeln!(out, "      {}", harmless(line))?;
                }
            }
            StepKind::Manual { .. } => {}
        }
    }
    for remark in &book.remarks {
        let level = match remark.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        writeln!(out, "{level}, line {}: {}", remark.line, harmless(&remark.words))?;
    }
    Ok(out)
}

/// `CHANGES  Roll back (line 31) timeout 2m, confirm service, undo: step 5`
fn in_words(step: &Step) -> String {
    let mut marks: Vec<String> = Vec::new();
    let kind = match &step.kind {
        StepKind::Command(command) => {
            if command.tty {
                marks.push("in a terminal".into());
            }
            marks.extend(command.timeout.map(|time| format!("timeout {}", units::duration(time))));
            marks.extend(command.confirm.as_ref().map(|word| format!("confirm {word}")));
            marks.extend(command.capture.as_ref().map(|name| format!("keeps {name}")));
            marks.extend(command.undo.map(|undo| format!("undo: step {undo}")));
            if command.approve {
                marks.push("a second person approves".into());
            }
            marks.extend(command.edit.as_ref().map(|why| format!("edited by hand: {why}")));
            match (command.undoes, command.changes) {
                (true, _) => "undoes ",
                (false, true) => "CHANGES",
                (false, false) => "reads  ",
            }
        }
        StepKind::Check(check) => {
            marks.extend(check.within.map(|time| format!("within {}", units::duration(time))));
            if check.proof { "proof  " } else { "check  " }
        }
        StepKind::Manual { .. } => "manual ",
    };
    let marks = if marks.is_empty() { String::new() } else { format!(": {}", marks.join(", ")) };
    format!("{kind}  {} (line {}){}", harmless(&step.title), step.line, harmless(&marks))
}
