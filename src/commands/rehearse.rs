//! `opsroom rehearse`

use super::ledger::Ledger;
use super::{complain, discover, print};
use crate::domain::runs::Record;
use crate::domain::{harmless, units};
use crate::runbook::{Book, built_in};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::moment;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::rehearse::{Rehearsal, rehearse};
use crate::runtime::runs::{library, process};
use color_eyre::Result;
use color_eyre::eyre::{bail, eyre};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// One of them is broken.
const BROKEN: u8 = 10;
/// None is broken, and one cannot run before a person has edited lines of it.
const WAITS: u8 = 14;

/// Tries runbooks out without changing anything.
pub(super) fn run(config: Option<&Path>, books: &[String], json: bool) -> Result<ExitCode> {
    let found = discover(config)?;
    let Ok(assembled) = Assembled::of(&found, super::colored()) else {
        bail!("the config has mistakes: `opsroom validate` shows them");
    };
    let library = library::read(&assembled.path, &assembled.config.runbooks);
    let chosen = if books.is_empty() {
        library.books.values().cloned().collect()
    } else {
        let all: Result<Vec<_>, String> =
            books.iter().map(|name| library::find(&library, name)).collect();
        all.map_err(|why| eyre!(why))?
    };
    let ledger = Ledger::of(config)?;
    let who = process::who();
    let state = StateFolder::of_this_user();
    let ends = ledger.block_on(async {
        let journal = ledger.open(&who, moment()?.at).await?;
        let mut ends = Vec::new();
        for book in chosen {
            let kept = assembled.kept(state.as_ref());
            let end = tokio::select! {
                end = rehearse(&assembled, &book, &who, kept) => end,
                why = stopped() => return Err(why),
            };
            let end = if books.is_empty() { if_set_up(&book, end) } else { end };
            if end.skipped.is_none() {
                let broken = end.broken.clone();
                let (id, hash) = (book.id.clone(), book.hash.clone());
                journal.append(moment()?.at, Record::Rehearsed { book: id, hash, broken }).await?;
            }
            if !json {
                print(&line(book.id.as_str(), &end))?;
            }
            ends.push((book, end));
        }
        color_eyre::eyre::Ok(ends)
    })?;
    for failure in &library.failures {
        complain(&format!("warning: {failure}"));
    }
    if json {
        let all: Vec<serde_json::Value> = ends
            .iter()
            .map(|(book, end)| {
                serde_json::json!({
                    "runbook": book.id, "hash": book.hash, "broken": end.broken,
                    "open": end.open, "edits": end.edits, "ran": end.ran,
                    "planned": end.planned, "skipped": end.skipped,
                })
            })
            .collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
    }
    Ok(ExitCode::from(ends.iter().map(|(_, end)| code(end)).fold(0, worse)))
}

/// What is said of one with its exit code.
fn code(end: &Rehearsal) -> u8 {
    if end.skipped.is_some() {
        0
    } else if !end.broken.is_empty() {
        BROKEN
    } else if !end.edits.is_empty() {
        WAITS
    } else {
        0
    }
}

/// Broken before all others.
fn worse(one: u8, other: u8) -> u8 {
    if one == BROKEN || other == BROKEN { BROKEN } else { one.max(other) }
}

/// A runbook that ships with opsroom, and that nobody named, may want programs,
/// alerts or services that are not here: nothing of this house is broken by that.
fn if_set_up(book: &Book, end: Rehearsal) -> Rehearsal {
    match end.broken.first() {
        Some(why) if book.path == built_in::PATH => {
            let why = format!("it ships with opsroom, and is not set up here: {why}");
            Rehearsal { skipped: Some(why), broken: Vec::new(), ..end }
        }
        _ => end,
    }
}

/// Whoever ends it ends what it runs.
async fn stopped() -> color_eyre::Report {
    let mut term = match signal(SignalKind::terminate()) {
        Ok(term) => term,
        Err(error) => return error.into(),
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    eyre!("ended before it was through")
}

fn line(id: &str, end: &Rehearsal) -> String {
    let id = harmless(id);
    if let Some(why) = &end.skipped {
        return format!("-            {id}  not rehearsed: {}\n", harmless(why));
    }
    let ran = units::count(end.ran, "command");
    let planned = units::count(end.planned, "step");
    let word = match code(end) {
        BROKEN => "BROKEN     ",
        WAITS => "needs edits",
        _ => "ok         ",
    };
    let mut out = format!("{word}  {id}  {ran} run, {planned} only planned\n");
    for why in &end.broken {
        let _ = writeln!(out, "             {}", harmless(why));
    }
    for why in &end.edits {
        let _ = writeln!(out, "             to be edited: {}", harmless(why));
    }
    for why in &end.open {
        let _ = writeln!(out, "             not known now: {}", harmless(why));
    }
    out
}
