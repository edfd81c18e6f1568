//! Words and rules of the field: no clock, no I/O, no drawing.

pub mod alert;
pub mod alerting;
pub mod backup;
pub mod event;
pub mod fold;
pub mod glob;
pub mod harmless;
pub mod inventory;
pub mod issue;
pub mod labels;
pub mod num;
pub mod reading;
pub mod release;
pub mod runs;
pub mod standing;
pub mod status;
pub mod time;
pub mod units;
pub mod words;

pub use alert::{Alert, AlertState, Severity};
pub use alerting::{
    AlertsReading, BrokenRule, Cluster, ListedRule, Notifications, Quiet, Reported, RuleStands,
    Silence, SilenceState, TargetDown, TargetsReading, UnknownRule, Watchdog, is_watchdog,
};
pub use backup::{
    BackupProblem, BackupReading, BackupRole, Fault, FullCheck, RestoreTest, Running, Snapshot,
};
pub use event::{Event, EventKind};
pub use fold::{Fold, Probe, Rules};
pub use glob::glob;
pub use harmless::{harmless, harmless_within};
pub use inventory::{
    CheckRole, EngineKind, HostGroup, Inventory, Role, Service, Signal, SignalKind, SourceInfo,
    Thresholds, Unit,
};
pub use issue::{
    CrashFree, Frame, Issue, IssueEvent, IssueRules, IssuesReading, Level, RateLimit, Trend,
};
pub use labels::Labels;
pub use num::Num;
pub use reading::{
    Cause, Certificate, CheckReading, Component, Malformed, PollError, PollFailure, Reading,
    ScrapeReading, ServerReading,
};
pub use release::{Release, ReleasesReading};
pub use standing::{Mark, Standing};
pub use status::{Counts, Status};
pub use time::Timestamp;
pub(crate) use words::nearest;

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Names a source that is polled, for good: it is built from the names in the
/// config (`check/api/health`, `scrape/node/10.0.0.1:9100`, `prometheus`,
/// `self/canary`, `backup/orders`) and survives a reload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub Arc<str>);

/// Names a signal for good: `api/errors`, `host/db/cpu`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignalId(pub Arc<str>);

/// The name of a service, as its table in the config is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceName(pub Arc<str>);

/// What every name can do: be read as text, made of it, looked up by it and shown.
macro_rules! name_like {
    ($($name:ident),*) => {$(
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}
pub(crate) use name_like;
name_like!(SourceId, SignalId, ServiceName);
