//! `opsroom rehearse`

use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Tries runbooks out without changing anything.
pub(super) fn run(_config: Option<&Path>, _books: &[String], _json: bool) -> Result<ExitCode> {
    bail!("not there yet")
}
