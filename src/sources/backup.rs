//! What all backup sources share: the mark that a verified restore leaves, and
//! an order in what they bring.

pub(super) mod promql;
pub(super) mod restored;
pub(super) mod status;

use super::{Brought, Source};
use crate::config::{Key, Shape, key};
use crate::domain::{PollError, Reading, SourceInfo, Timestamp};
use crate::store::message::{Look, Seen};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(super) const MIN_SIZE: Key =
    key("min_size", Shape::Size, "A backup that is smaller is no good one.").like("1 MiB");
pub(super) const OFF_HOST: Key = key(
    "off_host",
    Shape::Bool,
    "Whether they are on another host than the data, which nothing tells by itself.",
)
.like("true");
pub(super) const ENCRYPTED: Key = key(
    "encrypted",
    Shape::Bool,
    "Whether they are encrypted where they are, if nothing tells that by itself.",
)
.like("true");

/// So many backups of a data set are told of, the newest.
const MOST: usize = 1_000;
/// The mark is read within this time; where it hangs the look goes without it.
const MARK: Duration = Duration::from_secs(5);

/// A backup source with what all of them have.
pub(super) struct WithRestores {
    inner: Arc<dyn Source>,
    mark: Option<PathBuf>,
}

impl WithRestores {
    /// `mark` is the file that the last verified restore leaves.
    pub(super) fn of(inner: Arc<dyn Source>, mark: Option<PathBuf>) -> Arc<dyn Source> {
        Arc::new(Self { inner, mark })
    }

    async fn complete(&self, brought: Brought) -> Brought {
        let Brought::Reading(Reading::Backup(mut reading)) = brought else { return brought };
        let changed = Arc::make_mut(&mut reading);
        changed.count = changed.count.max(changed.snapshots.len() as u64);
        changed.snapshots.sort_by_key(|snapshot| snapshot.taken);
        let over = changed.snapshots.len().saturating_sub(MOST);
        changed.snapshots.drain(..over);
        if let Some(mark) = self.mark.clone() {
            let read = tokio::task::spawn_blocking(move || restored::read(&mark));
            let read = match tokio::time::timeout(MARK, read).await {
                Ok(Ok(read)) => read,
                Ok(Err(_)) | Err(_) => Err("it cannot be read in time".into()),
            };
            match read {
                Ok(restored::Mark { test, note }) => {
                    let both = changed.restore.take().into_iter().chain(test);
                    changed.restore = both.max_by_key(|test| test.at);
                    changed.notes.extend(note.map(|note| format!("restore mark: {note}")));
                }
                Err(why) => changed.notes.push(format!("restore mark: {why}")),
            }
        }
        Brought::Reading(Reading::Backup(reading))
    }
}

impl Source for WithRestores {
    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let brought = self.inner.poll(now).await?;
            Ok(self.complete(brought).await)
        })
    }

    fn look(&self, look: &Look, now: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        self.inner.look(look, now)
    }
}
