//! `opsroom conduct`

use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Is the process of a run.
pub(super) fn run(_config: Option<&Path>) -> Result<ExitCode> {
    bail!("not there yet")
}
