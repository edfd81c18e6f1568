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
    for (member, days) in [(Member::Payments, 5), (Member::Api, 3), (Member::Web, 2)] {
        let [before, version, _] = member.history();
        write(practice, member, version, before, "ci", now - DAY * days)?;
    }
    Ok(())
}

/// A deployment that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deployment {
    /// When, as it stands there.
    pub(super) at: String,
    /// Which release came.
    pub(super) version: &'static str,
    /// Which one ran before.
    pub(super) before: &'static str,
    /// Who did it.
    pub(super) by: String,
}

/// Those of a member, the newest first.
pub(super) fn all(practice: &Path, member: Member) -> Vec<Deployment> {
    let text = std::fs::read_to_string(file(practice)).unwrap_or_default();
    let lines = text.lines().rev().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter_map(|line: serde_json::Value| deployment(&line, member)).collect()
}

fn deployment(line: &serde_json::Value, member: Member) -> Option<Deployment> {
    let text = |name: &str| line.get(name)?.as_str();
    (text("service")? == member.name()).then_some(())?;
    Some(Deployment {
        at: text("at")?.into(),
        version: member.release(text("version")?)?,
        before: member.release(text("before")?)?,
        by: text("by")?.into(),
    })
}

/// The release of a member that runs, as far as it is written down.
pub(super) fn current(practice: &Path, member: Member) -> &'static str {
    all(practice, member).first().map_or(member.releases().0, |last| last.version)
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
