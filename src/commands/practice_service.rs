//! `opsroom practice-service`: one process of the practice environment.

use crate::demo::{Part, serve};
use crate::runtime::clock::Clock;
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;

/// Plays the part until the console that started it is gone.
pub(super) fn run(
    name: &str,
    folder: &Path,
    seed: u64,
    release_after: Option<u64>,
    peers: &[String],
) -> Result<ExitCode> {
    serve(&Part {
        name: name.into(),
        folder: folder.into(),
        seed,
        release_after,
        peers: peers.to_vec(),
        now: || Clock::Wall.now(),
    })?;
    Ok(ExitCode::SUCCESS)
}
