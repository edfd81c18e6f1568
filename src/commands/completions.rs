//! `opsroom completions SHELL`.

use crate::cli::Cli;
use clap::CommandFactory;
use color_eyre::Result;
use std::process::ExitCode;

pub(super) fn run(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "opsroom", &mut out);
    super::print(&String::from_utf8(out)?)?;
    Ok(ExitCode::SUCCESS)
}
