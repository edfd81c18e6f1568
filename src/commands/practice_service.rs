//! `opsroom practice-service`: one process of the practice environment.

use crate::demo::{Part, serve};
use color_eyre::Result;
use std::process::ExitCode;

/// Plays the part until the console that started it is gone.
pub(super) fn run(part: &Part) -> Result<ExitCode> {
    serve(part)?;
    Ok(ExitCode::SUCCESS)
}
