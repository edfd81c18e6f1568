//! What runs, their steps and their writers are called.

use crate::domain::name_like;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Names a run on this host: a few lower-case letters and digits, `4f2k`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Arc<str>);

/// Names a runbook: its file's name without `.md`, `rollback-api`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BookId(pub Arc<str>);

/// Names a writer of the journal for good: one process that appends to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriterId(pub Arc<str>);

name_like!(RunId, BookId, WriterId);

/// A step's number in its runbook: 1 for the first, in the order of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A process for good: its number alone is used again by others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number; its process group's, too, where it is a step's command.
    pub pid: u32,
    /// When it started, in clock ticks since the boot (field 22 of `/proc/PID/stat`).
    pub start: u64,
    /// The boot it lives in (`/proc/sys/kernel/random/boot_id`).
    pub boot: Arc<str>,
}
