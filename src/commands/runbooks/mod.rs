//! `opsroom runbooks`

mod begin;
mod list;
mod show;

use crate::cli::Runbooks;
use crate::domain::runs::BookId;
use crate::runbook::{Book, Library, built_in};
use crate::runtime::runs::library;
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Lists, shows, begins and takes over runbooks.
pub(super) fn run(config: Option<&Path>, what: &Runbooks) -> Result<ExitCode> {
    match what {
        Runbooks::List { json } => list::run(config, *json),
        Runbooks::Show { book, json } => show::run(config, book, *json),
        Runbooks::New { file, alert } => begin::run(file.as_deref(), alert.as_deref()),
        Runbooks::Adopt { url, yes } => super::adopt::run(config, url, *yes),
    }
}

/// All runbooks, with what was done with them before. Without a config, and
/// none named: those that ship.
fn all(config: Option<&Path>) -> Result<Library> {
    let found = match super::discover(config) {
        Ok(found) => found,
        Err(error) if config.is_some() => return Err(error),
        Err(_) => {
            let book = |(id, text): &(&str, &str)| {
                (BookId::from(*id), Arc::new(Book::read(id, built_in::PATH, text)))
            };
            let books = built_in::BOOKS.iter().map(book).collect();
            return Ok(Library { books, ..Library::default() });
        }
    };
    let ledger = super::ledger::Ledger::of(config)?;
    let mut library = library::read(&found.path, &ledger.config.runbooks);
    let texts = library.books.iter().map(|(id, book)| (id.clone(), book.hash.clone())).collect();
    match ledger.block_on(async { Ok(ledger.reader().past(&texts).await?) }) {
        Ok(past) => library.past = past,
        Err(why) => library.failures.push(format!("the journal: {why}")),
    }
    Ok(library)
}

/// Says what could not be read.
fn complain_of(library: &Library) {
    for failure in &library.failures {
        super::complain(&format!("opsroom: {}", crate::domain::harmless(failure)));
    }
}
