//! What the journal tells of runs, for those who only look.

use crate::domain::Timestamp;
use crate::domain::runs::{Arming, BookId, Entry, RunId, Who};
use crate::journal::{JournalError, Place};
use crate::runbook::{Past, Run};
use std::collections::BTreeMap;

/// The newest runs, the newest first.
pub async fn runs(_place: &Place, _most: usize) -> Result<Vec<Run>, JournalError> {
    Ok(Vec::new())
}

/// The records of a run behind a place.
pub async fn of_run(_place: &Place, _run: &RunId, _after: i64) -> Result<Vec<Entry>, JournalError> {
    Ok(Vec::new())
}

/// The arming that counts for this user.
pub async fn armed(
    _place: &Place,
    _who: &Who,
    _environment: &str,
    _at: Timestamp,
) -> Result<Option<Arming>, JournalError> {
    Ok(None)
}

/// What was done with each runbook before.
pub async fn past(_place: &Place) -> Result<BTreeMap<BookId, Past>, JournalError> {
    Ok(BTreeMap::new())
}
