//! What a run asks the world to know whether a condition holds.

use crate::domain::Timestamp;
use crate::domain::runs::{Condition, Finding};
use futures_util::future::BoxFuture;

/// The run's own eyes: its own polls and scrapes, never a screen's data.
/// `runtime/` fulfils it; tests do with tables.
pub trait Evidence: Send + Sync {
    /// What can be said of a condition now, on readings that were taken after
    /// `after` alone; for an expression over a range one whole window after it.
    /// Does not wait for better readings: whoever wants them asks again.
    fn ask<'a>(&'a self, condition: &'a Condition, after: Timestamp) -> BoxFuture<'a, Finding>;

    /// Has all sources polled at once that these conditions need, out of turn.
    fn hurry(&self, conditions: &[&Condition]);
}
