//! Targets whose first page is still to come: what is asked before they are all
//! there would be judged on a part of it.

use crate::domain::SourceId;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Nobody waits longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who was not scraped yet.
#[derive(Debug, Default)]
pub(super) struct FirstScrapes {
    left: Mutex<HashSet<SourceId>>,
    ended: Notify,
}

impl FirstScrapes {
    /// Waits for these, too.
    pub(super) fn expect(&self, more: impl IntoIterator<Item = SourceId>) {
        self.left().extend(more);
    }

    /// What is not among these will never come.
    pub(super) fn retain(&self, is_there: impl Fn(&SourceId) -> bool) {
        self.left().retain(is_there);
        self.ended.notify_waiters();
    }

    /// A scrape ended, well or not, and the engine knows of it.
    pub(super) fn ended(&self, source: &SourceId) {
        self.left().remove(source);
        self.ended.notify_waiters();
    }

    /// Waits until all have ended, or for as long as is sensible.
    pub(super) async fn all(&self) {
        let all = async {
            loop {
                let ended = self.ended.notified();
                if self.left().is_empty() {
                    return;
                }
                ended.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    fn left(&self) -> MutexGuard<'_, HashSet<SourceId>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn whoever_asks_waits_for_the_last_one() {
        let first = FirstScrapes::default();
        first.all().await;
        first.expect(["a".into(), "b".into(), "c".into()]);
        first.ended(&"a".into());
        assert!(first.all().now_or_never().is_none());
        let mut waits = std::pin::pin!(first.all());
        assert!(waits.as_mut().now_or_never().is_none());
        first.ended(&"b".into());
        assert!(waits.as_mut().now_or_never().is_none());
        first.retain(|source| source.as_str() != "c");
        waits.await;
    }
}
