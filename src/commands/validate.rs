//! `opsroom validate [--live]`: everything that is wrong with the config.

use crate::config::{Config, Mistakes, discover, render};
use crate::sources::kind_keys;
use color_eyre::Result;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(config: Option<&Path>) -> Result<ExitCode> {
    let found = discover::discover(config)?;
    let mut mistakes = Mistakes::default();
    let config = Config::read(&found.text, &kind_keys(), &mut mistakes);
    let color = std::io::stderr().is_terminal();
    super::complain(&render(&found.path, &found.text, &mistakes, color));
    let _ = config;
    Ok(ExitCode::SUCCESS)
}
