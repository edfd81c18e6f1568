//! The file that the shop's deployments are written to, a line each.

use super::shop::Member;
use crate::domain::Timestamp;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// The file.
pub(super) fn file(practice: &Path) -> PathBuf {
    practice.join("deploys.jsonl")
}

/// With the deployments of the days before `now`.
pub(super) fn begin(practice: &Path, now: Timestamp) -> io::Result<()> {
    for (member, before, days) in
        [(Member::Payments, "v22", 5), (Member::Api, "v140", 3), (Member::Web, "v86", 2)]
    {
        let version = member.releases().0;
        write(practice, member, version, before, "ci", now - DAY * days)?;
    }
    Ok(())
}

/// Adds a deployment.
pub(super) fn write(
    practice: &Path,
    member: Member,
    version: &str,
    before: &str,
    by: &str,
    at: Timestamp,
) -> io::Result<()> {
    let line = json!({
        "at": at.to_string(),
        "service": member.name(),
        "version": version,
        "before": before,
        "by": by,
    });
    let mut out = OpenOptions::new().append(true).create(true).open(file(practice))?;
    // In one write, so that a reader sees whole lines.
    out.write_all(format!("{line}\n").as_bytes())
}
