//! `opsroom runbooks`

use crate::cli::Runbooks;
use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Lists, shows, begins and takes over runbooks.
pub(super) fn run(_config: Option<&Path>, _what: &Runbooks) -> Result<ExitCode> {
    bail!("not there yet")
}
