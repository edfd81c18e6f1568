//! `opsroom schema`.

use crate::config::schema::schema;
use crate::sources::kind_keys;
use color_eyre::Result;
use std::process::ExitCode;

pub(super) fn run() -> Result<ExitCode> {
    let schema = serde_json::to_string_pretty(&schema(&kind_keys()))?;
    super::print(&format!("{schema}\n"))?;
    Ok(ExitCode::SUCCESS)
}
