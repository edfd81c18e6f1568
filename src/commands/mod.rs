//! One file per subcommand.

mod completions;
mod info;
mod man;
mod practice_service;
mod schema;
mod validate;

use crate::cli::{Cli, Command, UNKNOWN};
use color_eyre::Result;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Something went wrong that is not the command line's fault.
const FAILED: u8 = 1;

/// Carries the command out and says with which code to end.
pub fn run(cli: &Cli) -> ExitCode {
    let is_glance = matches!(cli.command, Some(Command::Glance { .. }));
    match dispatch(cli) {
        Ok(code) => code,
        Err(failed) => {
            complain(&format!("opsroom: {failed:#}"));
            ExitCode::from(if is_glance { UNKNOWN } else { FAILED })
        }
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Some(Command::Schema) => schema::run(),
        Some(Command::Validate { live: false }) => validate::run(cli.config.as_deref()),
        Some(Command::Info) => info::run(cli.config.as_deref()),
        Some(Command::Completions { shell }) => completions::run(*shell),
        Some(Command::Man) => man::run(),
        Some(Command::PracticeService { name, folder, seed, release_after, peers }) => {
            practice_service::run(name, folder, *seed, *release_after, peers)
        }
        _ => Err(color_eyre::eyre::eyre!("not built yet")),
    }
}

/// Writes data to standard output. A reader that has gone away is no error:
/// it has what it wanted.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(gone) if gone.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes data to standard output as the last thing that the program does.
pub fn print_to_end(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            complain(&format!("opsroom: cannot write to standard output: {failed}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Writes a message to standard error. Where even that fails there is nobody to tell.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
