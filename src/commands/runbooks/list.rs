//! `opsroom runbooks list`

use super::super::columns::aligned;
use crate::domain::runs::RunOutcome;
use crate::domain::{Timestamp, harmless_within, units};
use crate::runbook::{Book, Level, Past};
use crate::runtime::clock::Clock;
use color_eyre::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Lists all runbooks, one a line.
pub(super) fn run(config: Option<&Path>, json: bool) -> Result<ExitCode> {
    let library = super::all(config)?;
    super::complain_of(&library);
    let nothing = Past::default();
    let books = library
        .books
        .values()
        .map(|book| (&**book, library.past.get(&book.id).unwrap_or(&nothing)));
    let out = if json {
        let books: Vec<Value> = books.map(|(book, past)| as_json(book, past)).collect();
        format!("{}\n", serde_json::to_string_pretty(&books)?)
    } else {
        table(books, Clock::Wall.now())
    };
    super::super::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn count(book: &Book, level: Level) -> usize {
    book.remarks.iter().filter(|remark| remark.level == level).count()
}

fn as_json(book: &Book, past: &Past) -> Value {
    let run = past.run.as_ref().map(
        |(at, outcome)| json!({ "at_ms": at.millis(), "outcome": outcome.map(RunOutcome::word) }),
    );
    let rehearsed = past
        .rehearsed
        .as_ref()
        .map(|(at, broken)| json!({ "at_ms": at.millis(), "broken": broken }));
    json!({
        "name": book.id.as_str(),
        "title": book.title,
        "path": book.path,
        "hash": book.hash,
        "alerts": book.front.alerts,
        "services": book.front.services,
        "hosts": book.front.hosts,
        "steps": book.steps.len(),
        "foreign": book.foreign,
        "errors": count(book, Level::Error),
        "warnings": count(book, Level::Warning),
        "last_run": run,
        "last_rehearsed": rehearsed,
    })
}

/// What a runbook is for, in few words.
fn purpose(book: &Book) -> String {
    let named: Vec<&str> =
        book.front.alerts.iter().chain(&book.front.services).map(String::as_str).collect();
    if named.is_empty() { "-".into() } else { named.join(", ") }
}

/// How it went before: `proved 9d ago`.
fn before(past: &Past, now: Timestamp) -> String {
    match &past.run {
        None => "never run".into(),
        Some((at, outcome)) => {
            let ended = outcome.map_or("runs, begun", |outcome| outcome.word());
            format!("{ended} {} ago", units::age(now.since(*at)))
        }
    }
}

fn state(book: &Book) -> &'static str {
    if !book.is_sound() {
        "broken"
    } else if book.foreign {
        "for people"
    } else {
        "ok"
    }
}

fn table<'b>(books: impl Iterator<Item = (&'b Book, &'b Past)>, now: Timestamp) -> String {
    let rows: Vec<[String; 5]> = books
        .map(|(book, past)| {
            [
                harmless_within(book.id.as_str(), 40),
                state(book).to_owned(),
                before(past, now),
                harmless_within(&purpose(book), 40),
                harmless_within(&book.title, 60),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no runbooks: put Markdown files into `runbooks` next to the config\n".into();
    }
    aligned(&rows)
}
