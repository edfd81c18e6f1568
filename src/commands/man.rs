//! `opsroom man`.

use crate::cli::Cli;
use clap::CommandFactory;
use color_eyre::Result;
use std::process::ExitCode;

pub(super) fn run() -> Result<ExitCode> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut out)?;
    super::print(&String::from_utf8(out)?)?;
    Ok(ExitCode::SUCCESS)
}
