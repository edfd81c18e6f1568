//! `opsroom runs`

use color_eyre::Result;
use color_eyre::eyre::bail;
use std::path::Path;
use std::process::ExitCode;

/// Lists the runs of this host.
pub(super) fn run(_config: Option<&Path>, _most: usize, _json: bool) -> Result<ExitCode> {
    bail!("not there yet")
}
