//! One file per system that is polled, each with its own part of the config.

pub mod health;

use crate::domain::{PollError, Reading, SourceInfo, Timestamp};
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// What a poll brought: a reading, or a page of samples that the engine still
/// has to read.
#[derive(Clone, Debug)]
pub enum Brought {
    /// Ready to be judged.
    Reading(Reading),
    /// For the sample memory.
    Page(Page),
}

/// A page of samples as it came, unpacked.
#[derive(Clone, Debug)]
pub struct Page {
    /// The Content-Type that came with it; empty where none did.
    pub content_type: String,
    /// The text.
    pub body: Bytes,
    /// How long it took to come.
    pub took: std::time::Duration,
}

/// Something that can be asked for a reading.
///
/// The poller owns schedule, time-out and back-off: a source neither sleeps
/// nor retries, and its future can be dropped at any await.
pub trait Source: Send + Sync {
    /// What the config says of it.
    fn info(&self) -> &SourceInfo;
    /// Asks once, at `now`.
    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>>;
}
