//! `opsroom practice-tool`: `shopctl` and `deployctl` of the practice environment.

use super::{complain, print};
use crate::demo::{Asked, ask};
use crate::runtime::runs::process;
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;

/// Asks the practice in `folder`, and ends as it says.
pub(super) fn run(folder: &Path, words: &[String]) -> Result<ExitCode> {
    let Some((tool, words)) = words.split_first() else { return Ok(ExitCode::FAILURE) };
    let asked = Asked { tool: tool.clone(), words: words.to_vec(), by: process::who().user };
    match ask(folder, &asked) {
        Ok((0, text)) => {
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Ok((code, text)) => {
            complain(text.trim_end());
            Ok(ExitCode::from(code))
        }
        Err(_) => {
            complain(&format!("{tool}: the practice is not there"));
            Ok(ExitCode::FAILURE)
        }
    }
}
