//! Which runbooks there are, and which fit an alert or a service.

use super::Book;
use crate::domain::Timestamp;
use crate::domain::runs::{BookId, RunOutcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All runbooks that were found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Library {
    /// By their names.
    pub books: BTreeMap<BookId, Arc<Book>>,
    /// When each was last run and rehearsed.
    pub past: BTreeMap<BookId, Past>,
    /// `runbook_url` prefixes and the folder that stands for each (`[runbooks] urls`).
    pub urls: Vec<(String, String)>,
    /// Folders and files that could not be read, and why.
    pub failures: Vec<String>,
}

/// What was done with a runbook before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// When it was last run, and how that ended; none while it runs.
    pub run: Option<(Timestamp, Option<RunOutcome>)>,
    /// When it was last rehearsed, and what was broken; of this text alone.
    pub rehearsed: Option<(Timestamp, Vec<String>)>,
}

/// A runbook that is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLine {
    /// Which one.
    pub book: BookId,
    /// Why it is offered.
    pub fit: Fit,
}

/// Why a runbook is offered: the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The alert's `runbook_url` names it.
    Url,
    /// Its front matter names the alert.
    Alert,
    /// Its file is called like the alert.
    Name,
    /// Its front matter names the service: a guess from here on.
    Service,
    /// Its text speaks of the alert or the service.
    Search,
}

impl Fit {
    /// Whether it is only a guess: then none is preselected.
    pub fn is_guess(self) -> bool {
        self >= Self::Service
    }
}
