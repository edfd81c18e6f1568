//! `opsroom info`: where things are.

use super::ledger::Ledger;
use crate::config::discover::discover;
use crate::domain::{harmless, units};
use crate::runtime::kept::KeptFiles;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::linger::{Survives, survives_logout};
use color_eyre::Result;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(given: Option<&Path>) -> Result<ExitCode> {
    let mut out = format!("opsroom   {}\n", env!("CARGO_PKG_VERSION"));
    let config = match discover(given) {
        Ok(found) => harmless(&found.path.to_string_lossy()).into_owned(),
        Err(why) => why.to_string().replacen("no config:", "none:", 1),
    };
    writeln!(out, "config    {config}")?;
    match StateFolder::of_this_user() {
        Some(state) => {
            writeln!(out, "state     {}", state.path().display())?;
            writeln!(out, "log       {}", state.log().display())?;
        }
        None => writeln!(out, "state     none: this user has no home folder")?,
    }
    match Ledger::of(given) {
        Ok(Ledger { place, config }) => {
            if let Some(files) = discover(given).ok().and_then(|found| {
                KeptFiles::of(&config, &found.path, StateFolder::of_this_user().as_ref())
            }) {
                writeln!(out, "history   {}", history(&files))?;
            }
            writeln!(out, "journal   {}", shown(&place.folder))?;
            writeln!(out, "sockets   {}", shown(&place.sockets))?;
            writeln!(out, "lock      {}", place.reach())?;
        }
        // The line on the config says what is the matter with it, if anything is.
        Err(why) => {
            let why = why.to_string();
            writeln!(out, "journal   none: {}", harmless(why.lines().next().unwrap_or_default()))?;
        }
    }
    let runs = match survives_logout() {
        Survives::Yes => "go on after logout".into(),
        Survives::InScope(_) => "go on after logout, in a scope of their own".into(),
        Survives::No(why) => format!("end at logout: {}", harmless(&why)),
    };
    writeln!(out, "runs      {runs}")?;
    super::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// Where the history is, how old, and who keeps it.
fn history(files: &KeptFiles) -> String {
    let window = files.window();
    let written = std::fs::metadata(&window).and_then(|file| file.modified()).ok();
    let age = written.and_then(|at| at.elapsed().ok());
    let age = age.map_or("none yet".to_owned(), |age| format!("kept {} ago", units::age(age)));
    let by = files.keeper().map_or("nobody keeps it now".to_owned(), |by| harmless(&by).into());
    format!("{}, {age}; {by}", shown(&window))
}

fn shown(path: &Path) -> String {
    harmless(&path.to_string_lossy()).into_owned()
}
