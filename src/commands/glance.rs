//! `opsroom glance`: what is wrong, in a few lines.

use super::print;
use crate::config::{Config, Mistakes};
use crate::domain::{Status, harmless};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::headless;
use crate::runtime::kept::KeptFiles;
use crate::runtime::paths::StateFolder;
use crate::runtime::state_file;
use crate::sources::kind_keys;
use crate::store::Glance;
use color_eyre::Result;
use color_eyre::eyre::{Report, bail, eyre};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn run(
    config: Option<&Path>,
    json: bool,
    cached: bool,
    deadline: Duration,
) -> Result<ExitCode> {
    let found = super::discover(config)?;
    let state = StateFolder::of_this_user();
    let clock = Clock::Wall;
    let glance = if cached {
        // A mistake in the config does not hide what is known.
        let config = Config::read(&found.text, &kind_keys(), &mut Mistakes::default());
        let files = KeptFiles::of(&config, &found.path, state.as_ref())
            .ok_or_else(|| eyre!("no state folder: this user has no home"))?;
        match state_file::read_summary(&files.summary())? {
            Some(glance) => glance,
            None => bail!(
                "neither a console nor `opsroom watch` has written a summary for {} yet: start one, or ask afresh without --cached",
                harmless(&found.path.to_string_lossy())
            ),
        }
    } else {
        let assembled = Assembled::of(&found, false)?;
        if assembled.config.is_empty() {
            bail!("{}: nothing is configured", found.path.display());
        }
        let files = assembled.kept(state.as_ref());
        let summary = files.as_ref().map(KeptFiles::summary);
        // One that cannot be read only leaves out what a console knows beside.
        let kept = || state_file::read_summary(summary.as_ref()?).ok().flatten();
        let environment = &assembled.config.environment;
        let spared = kept().map(|kept| kept.spares(environment, clock.now())).unwrap_or_default();
        let fresh = Glance::of(&headless::look(assembled, files, deadline, &spared)?);
        // Read once more after the look, when it is newest.
        match kept() {
            Some(kept) => fresh.with_kept(&kept),
            None => fresh,
        }
    };
    let now = clock.now();
    let glance = glance.read_at(now);
    if json {
        print(&format!("{}\n", glance.json(now)))?;
    } else {
        print(&glance.text(now))?;
    }
    Ok(ExitCode::from(glance.verdict.exit_code()))
}

/// What is printed where nothing can be told.
pub(super) fn unknown(failed: &Report, json: bool) -> String {
    let reason = format!("{failed:#}");
    let reason = harmless(reason.lines().next().unwrap_or_default());
    let status = Status::Unknown;
    if json {
        let exit_code = status.exit_code();
        format!("{}\n", json!({ "status": status, "exit_code": exit_code, "error": reason }))
    } else {
        format!("{status}: {reason}\n")
    }
}
