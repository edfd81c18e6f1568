//! `opsroom` without a command: the console.

use crate::cli::USAGE;
use crate::runtime::assemble::Assembled;
use crate::runtime::console::{ConsoleError, Setup, run as show};
use crate::runtime::paths::StateFolder;
use crate::runtime::terminal::{TerminalError, Tty};
use color_eyre::Result;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(config: Option<&Path>) -> Result<ExitCode> {
    if let Err(unfit) = Tty::check_fit() {
        super::complain(&format!("opsroom: {unfit}"));
        return Ok(ExitCode::from(USAGE));
    }
    let found = super::discover(config)?;
    let assembled = match Assembled::of(&found, std::io::stderr().is_terminal()) {
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
        Err(ConsoleError::Terminal(unfit @ TerminalError::Unfit(_))) => {
            super::complain(&format!("opsroom: {unfit}"));
            Ok(ExitCode::from(USAGE))
        }
        Err(error) => Err(error.into()),
    }
}
