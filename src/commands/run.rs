//! `opsroom run`

use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Runs a runbook on this terminal.
pub(super) fn run(_config: Option<&Path>, _asked: &Asked<'_>) -> Result<ExitCode> {
    bail!("not there yet")
}

/// What is asked for.
#[derive(Debug)]
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
