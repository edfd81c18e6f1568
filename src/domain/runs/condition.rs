//! What a check line asks, and what was found.

use crate::domain::{ServiceName, Status, Timestamp};
use serde::{Deserialize, Serialize};

/// One line of a `check` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// `service NAME is STATUS`
    Service {
        /// Which one.
        name: ServiceName,
        /// The status that it shall have.
        status: Status,
    },
    /// `check NAME is STATUS`: `SERVICE/NAME`, or `NAME` where one service alone has it.
    Check {
        /// Which one.
        name: String,
        /// The status that it shall have.
        status: Status,
    },
    /// `alert NAME is [not] firing`: any alert of that name, or, where it is the
    /// alert that the run was started from, that one alone.
    Alert {
        /// Its `alertname`.
        name: String,
        /// Whether it shall fire.
        firing: bool,
    },
    /// `backup NAME is fresh`: within its RPO and without a fault.
    Backup {
        /// The data set.
        name: String,
    },
    /// `promql EXPR`: holds where the answer is not empty, as in an alerting rule.
    Promql {
        /// The expression.
        expr: String,
    },
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody can tell: no fresh reading, stale, waiting, confirming, silenced,
    /// NaN, little traffic, not the whole window seen. Proves nothing either way.
    Unknown,
}

/// What was found when a condition was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it holds.
    pub holds: Holds,
    /// What was seen, in words: `5xx 12.4% > 5%`, `firing since 03:02`, `waiting for a reading`.
    pub words: String,
    /// The moment that the data behind it is of; none where there is none.
    pub seen: Option<Timestamp>,
    /// The value behind it, where it is a number.
    pub value: Option<crate::domain::Num>,
    /// Nobody can tell yet, and time alone brings it: a window that is not seen yet,
    /// a service without traffic, a first of several answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_time: bool,
}
