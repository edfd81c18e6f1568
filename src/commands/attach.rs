//! `opsroom attach`

use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Follows a run.
pub(super) fn run(_config: Option<&Path>, _run: Option<&str>, _watch: bool) -> Result<ExitCode> {
    bail!("not there yet")
}
