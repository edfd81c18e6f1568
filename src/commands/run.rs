//! `opsroom run BOOK`: a runbook on this terminal.

use super::following::{Opened, Options, REFUSED, attend, run_to_end};
use super::{complain, firing};
use crate::domain::{ServiceName, glob};
use crate::runbook::RunRequest;
use crate::runtime::runs::{library, start};
use color_eyre::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

/// What is asked for.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command")]
pub(super) struct Asked<'a> {
    pub(super) book: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) alert: Option<&'a str>,
    pub(super) set: &'a [(String, String)],
    pub(super) dry_run: bool,
    pub(super) yes: bool,
    pub(super) no_wait: bool,
    pub(super) json: bool,
}

/// Runs a runbook on this terminal.
pub(super) fn run(config: Option<&Path>, asked: &Asked<'_>) -> Result<ExitCode> {
    let opened = Opened::at(config)?;
    let (alert, its_service) =
        match asked.alert.map(|wanted| firing::alert(&opened, wanted)).transpose()? {
            None => (None, None),
            Some(Ok((alert, service))) => (Some(alert), service),
            Some(Err((code, why))) => {
                complain(&format!("opsroom: {why}"));
                return Ok(ExitCode::from(code));
            }
        };
    let book = whole_path(asked.book);
    let named = asked.service.map(ServiceName::from).or(its_service);
    let service = named.or_else(|| only_service(&opened, &book));
    let values: BTreeMap<String, String> = asked.set.iter().cloned().collect();
    let given: BTreeSet<String> = values.keys().cloned().collect();
    let request = RunRequest { take_up: None, book, hash: None, service, alert, values };
    let options = Options {
        yes: asked.yes,
        no_wait: asked.no_wait,
        json: asked.json,
        dry_run: asked.dry_run,
        given,
        ..Options::default()
    };
    run_to_end(async {
        let ready = start::start(&request, &opened.assembled.path, opened.log.as_deref()).await;
        let code = match ready {
            Ok(ready) => attend(&opened, ready.run, options).await?,
            Err(why) => {
                complain(&format!("opsroom: {why}"));
                REFUSED
            }
        };
        Ok(ExitCode::from(code))
    })
}

/// The one service that the runbook is for, where there is no other.
fn only_service(opened: &Opened, book: &str) -> Option<ServiceName> {
    let assembled = &opened.assembled;
    let known = library::read(&assembled.path, &assembled.config.runbooks);
    // Where there is no such runbook, the run's process says so.
    let book = library::find(&known, book).ok()?;
    let meant = |name: &str| book.front.services.iter().any(|pattern| glob(pattern, name));
    let services = assembled.inventory.services.iter().map(|service| &service.name);
    let mut meant = services.filter(|name| meant(name.as_str()));
    let only = meant.next()?;
    meant.next().is_none().then(|| only.clone())
}

/// A file is named as it is called from anywhere: the run's process is elsewhere.
fn whole_path(book: &str) -> String {
    if !book.contains('/') && Path::new(book).extension().is_none() {
        return book.to_owned();
    }
    match std::fs::canonicalize(book) {
        Ok(path) => path.to_string_lossy().into_owned(),
        // The run's process says that there is none.
        Err(_) => book.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_whole() {
        assert_eq!(whole_path("rollback-api"), "rollback-api");
        assert_eq!(whole_path("/no/such/book.md"), "/no/such/book.md");
        let file = tempfile::NamedTempFile::with_suffix(".md").unwrap();
        let path = file.path().canonicalize().unwrap();
        assert_eq!(whole_path(&file.path().to_string_lossy()), path.to_string_lossy());
    }
}
