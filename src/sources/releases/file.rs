//! Releases from a file that whoever releases appends a line to.

use super::{Common, MOST_BYTES, parse};
use crate::config::{Family, Key, Mistakes, Shape, Table, home_path, key};
use crate::domain::reading::PollFailure;
use crate::domain::{PollError, Reading, ReleasesReading, SourceInfo, Timestamp, harmless_within};
use crate::sources::client::Shared;
use crate::sources::{Brought, Kind, Made, Source};
use futures_util::future::BoxFuture;
use std::io::{ErrorKind, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// The kind in the registry.
pub(in crate::sources) const KIND: Kind =
    Kind { family: Family::Release, name: "file", keys: &[KEYS], network: false, make };

const KEYS: &[Key] = &[key(
    "file",
    Shape::Path,
    "A file with a line for each release: `{\"version\": \"v142\", \"at\": \"2026-11-21T09:00:00Z\", \"service\": \"api\", \"by\": \"ci\", \"before\": \"v141\"}` (`at` may be seconds or milliseconds, too; `version` and `at` are needed), or `2026-11-21T09:00:00Z v142 by ci`. Its last 256 KiB are read.",
)
.like("/var/log/deploys.jsonl")
.needed()];

/// A file of releases.
struct File {
    info: SourceInfo,
    shared: Arc<Shared>,
    path: PathBuf,
    common: Common,
}

#[expect(clippy::unnecessary_wraps, reason = "as the registry has it")]
fn make(table: &Table, made: Made, _: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let path = home_path(&table.text("file"));
    info.asks = harmless_within(&path.to_string_lossy(), 120);
    info.cost = "reads at most the last 256 KiB of the file".into();
    let common = Common::read(table, &info.label);
    Some(Arc::new(File { info, shared, path, common }))
}

impl File {
    async fn ask(&self) -> Result<ReleasesReading, PollError> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => PollError::new(PollFailure::Absent, "no such file"),
            ErrorKind::PermissionDenied => {
                PollError::new(PollFailure::Denied, "no permission to read the file")
            }
            _ => PollError::broken(harmless_within(&error.to_string(), 120)),
        };
        // Opening a pipe would wait for whoever writes into it.
        let is = tokio::fs::metadata(&self.path).await.map_err(failed)?;
        if !is.is_file() {
            return Err(PollError::broken("this is no file"));
        }
        let mut file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        let length = file.metadata().await.map_err(failed)?.len();
        let skipped = length.saturating_sub(MOST_BYTES as u64);
        file.seek(SeekFrom::Start(skipped)).await.map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES as u64).read_to_end(&mut bytes).await.map_err(failed)?;
        parse(&bytes, skipped > 0, &self.common)
    }
}

impl Source for File {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let begun = self.shared.monotonic();
            let asked = tokio::time::timeout(self.info.timeout, self.ask()).await;
            let late = |_| PollError::new(PollFailure::Timeout, "the file cannot be read in time");
            let mut reading = asked.map_err(late)??;
            reading.took = self.shared.monotonic().saturating_sub(begun);
            Ok(Brought::Reading(Reading::Releases(Arc::new(reading))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Role, SourceId};
    use std::time::Duration;

    fn file(path: PathBuf) -> File {
        let info = SourceInfo {
            id: SourceId::from("release/x"),
            kind: "file".into(),
            label: "x".into(),
            asks: String::new(),
            every: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            role: Role::Releases,
            network: false,
            note: None,
            cost: String::new(),
        };
        File { info, shared: Shared::new(|| Duration::ZERO, 1), path, common: Common::default() }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let words = async |path: PathBuf| {
            let failed = file(path).ask().await.unwrap_err();
            (failed.cause, failed.message)
        };
        let absent = words(folder.path().join("none")).await;
        assert_eq!(absent, (PollFailure::Absent, "no such file".into()));
        let no_file = words(folder.path().to_owned()).await;
        assert_eq!(no_file, (PollFailure::Broken, "this is no file".into()));
    }

    #[tokio::test]
    async fn of_a_huge_file_the_end_is_read_and_an_empty_one_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deploys.jsonl");
        std::fs::write(&path, "").unwrap();
        assert!(file(path.clone()).ask().await.unwrap().releases.is_empty());
        let lines = (1..100_000).map(|i| format!("{{\"version\":\"v{i}\",\"at\":{i}}}\n"));
        std::fs::write(&path, lines.collect::<Vec<_>>().concat()).unwrap();
        let reading = file(path).ask().await.unwrap();
        assert_eq!(reading.releases[0].version, "v99999");
        assert_eq!((reading.releases.len(), reading.notes.len()), (200, 0));
    }
}
