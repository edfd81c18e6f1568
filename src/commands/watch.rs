//! `opsroom watch`: polls and keeps history without a screen.

use super::complain;
use crate::domain::harmless;
use crate::runtime::assemble::Assembled;
use crate::runtime::kept::Keeper;
use crate::runtime::lines::Lines;
use crate::runtime::paths::StateFolder;
use crate::runtime::watch;
use color_eyre::Result;
use color_eyre::eyre::{WrapErr, bail};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// A reader that takes nothing is waited for so long at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) fn run(config: Option<&Path>) -> Result<ExitCode> {
    let assembled = Assembled::of(&super::discover(config)?, super::colored())?;
    if assembled.config.is_empty() {
        bail!("{}: nothing is configured", harmless(&assembled.path.to_string_lossy()));
    }
    // A service of the whole host may have no home: its history is in the shared folder.
    let own = StateFolder::of_this_user();
    let made = own.as_ref().map(StateFolder::create);
    let state = own.filter(|_| made.as_ref().is_some_and(Result::is_ok));
    let Some(files) = assembled.kept(state.as_ref()) else {
        match made {
            Some(Err(error)) => bail!("no place for the history: {error}"),
            _ => bail!("no place for the history: this user has no home; set XDG_STATE_HOME"),
        }
    };
    let window = files.window();
    let keeper = Keeper::new(files, "watch");
    let keeps = keeper.keeps();
    if !keeps.wrap_err_with(|| format!("the history cannot be kept: {}", window.display()))? {
        let other = keeper.other().unwrap_or_else(|| "another process".to_owned());
        if other.starts_with("watch") {
            bail!("{} is watched already: {}", assembled.path.display(), harmless(&other));
        }
        complain(&format!("opsroom: {} keeps the history until it ends", harmless(&other)));
    }
    let mut lines = Lines::start(std::io::stdout())?;
    watch::watch(assembled, state.as_ref(), Some(keeper), &mut lines)?;
    lines.finish(LAST_WORDS);
    Ok(ExitCode::SUCCESS)
}
