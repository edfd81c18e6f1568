//! `opsroom approve`

use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Approves a step of another person's run.
pub(super) fn run(_config: Option<&Path>, _run: Option<&str>, _no: bool) -> Result<ExitCode> {
    bail!("not there yet")
}
