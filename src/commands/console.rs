//! `opsroom` without a command: the console.

use crate::cli::USAGE;
use crate::runtime::assemble::Assembled;
use crate::runtime::console::{ConsoleError, Setup, run as show};
use crate::runtime::paths::StateFolder;
use crate::runtime::terminal::{TerminalError, Tty};
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(config: Option<&Path>) -> Result<ExitCode> {
    if let Err(unfit) = Tty::check_fit() {
        return Ok(refused(&unfit));
    }
    let found = super::discover(config)?;
    let assembled = match Assembled::of(&found, super::colored()) {
        Ok(assembled) => assembled,
        Err(mistakes) => {
            super::complain(mistakes.text.trim_end());
            return Ok(ExitCode::from(super::FAILED));
        }
    };
    open(Setup { assembled, state: StateFolder::of_this_user(), practice: None })
}

/// Shows the console until it ends.
pub(super) fn open(setup: Setup) -> Result<ExitCode> {
    match show(setup) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(ConsoleError::Terminal(unfit @ TerminalError::Unfit(_))) => Ok(refused(&unfit)),
        Err(error) => Err(error.into()),
    }
}

/// Says why no console can be shown here.
pub(super) fn refused(unfit: &TerminalError) -> ExitCode {
    super::complain(&format!("opsroom: {unfit}"));
    ExitCode::from(USAGE)
}
