//! `opsroom info`: where things are.

use crate::config::discover::discover;
use crate::domain::harmless;
use crate::runtime::paths::StateFolder;
use color_eyre::Result;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(config: Option<&Path>) -> Result<ExitCode> {
    let mut out = format!("opsroom   {}\n", env!("CARGO_PKG_VERSION"));
    let config = match discover(config) {
        Ok(found) => harmless(&found.path.to_string_lossy()).into_owned(),
        Err(why) => why.to_string().replacen("no config:", "none:", 1),
    };
    writeln!(out, "config    {config}")?;
    match StateFolder::of_this_user() {
        Some(state) => {
            writeln!(out, "state     {}", state.path().display())?;
            writeln!(out, "log       {}", state.log().display())?;
        }
        None => writeln!(out, "state     none: this user has no home folder")?,
    }
    super::print(&out)?;
    Ok(ExitCode::SUCCESS)
}
