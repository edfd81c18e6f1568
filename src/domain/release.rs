//! Releases: what was changed, when and by whom.

use super::{ServiceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something new was brought out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its version: `v142`.
    pub version: String,
    /// The version before it, where told.
    pub before: Option<String>,
    /// The service, where told.
    pub service: Option<ServiceName>,
    /// When it came to be in use.
    pub at: Timestamp,
    /// Who brought it out: `ci`, `wang`; may be empty.
    pub by: String,
    /// Who says so: the label of the source.
    pub origin: String,
    /// Issues that were first seen in it, where told.
    pub new_issues: Option<u64>,
}

/// What one poll of a source of releases brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasesReading {
    /// The newest first; at most 200.
    pub releases: Vec<Release>,
    /// Lines that could not be read: the first few.
    pub notes: Vec<String>,
    /// How long it took.
    pub took: Duration,
}
