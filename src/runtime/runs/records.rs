//! What the journal tells of runs, for those who only look.

use crate::domain::runs::{Arming, BookId, Entry, Moment, RunId, Who};
use crate::journal::{JournalError, Place, Reader};
use crate::runbook::{Past, Run};
use std::collections::BTreeMap;

/// The newest runs, the newest first.
pub async fn runs(place: &Place, most: usize) -> Result<Vec<Run>, JournalError> {
    let runs = Reader::new(place.clone()).runs(most).await?;
    Ok(runs.iter().filter_map(|entries| folded(entries)).collect())
}

/// A run as its records tell it.
fn folded(entries: &[Entry]) -> Option<Run> {
    let (first, rest) = entries.split_first()?;
    let mut run = Run::begun_by(first)?;
    rest.iter().for_each(|entry| run.take(entry));
    Some(run)
}

/// The records of a run behind a place.
pub async fn of_run(place: &Place, run: &RunId, after: i64) -> Result<Vec<Entry>, JournalError> {
    Reader::new(place.clone()).of_run(run, after).await
}

/// The arming that counts for this user.
pub async fn armed(
    place: &Place,
    who: &Who,
    environment: &str,
    now: &Moment,
) -> Result<Option<Arming>, JournalError> {
    Reader::new(place.clone()).armed(who, environment, now).await
}

/// What was done with each runbook before.
pub async fn past(place: &Place) -> Result<BTreeMap<BookId, Past>, JournalError> {
    Reader::new(place.clone()).past(&BTreeMap::new()).await
}
