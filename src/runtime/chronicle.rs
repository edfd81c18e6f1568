//! Writes down what is known, for glances and for the console that comes next.

use super::keeping::{Keeping, Kept};
use super::kept::Keeper;
use super::state_file;
use crate::domain::{AlertState, Timestamp};
use crate::store::{Glance, Known};
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedSender};

/// The summary is written at most this often, when it has changed.
const SUMMARY: Duration = Duration::from_secs(3);
/// It is written this often although nothing has changed, so that it stays fresh.
const SUMMARY_ANYWAY: Duration = Duration::from_secs(15);
/// All that is known is written this often.
const KNOWN: Duration = Duration::from_secs(15);

/// Something to be written.
enum Page {
    Summary(Glance),
    Known(Box<Known>),
}

/// Looks at what is known, and has it written by this process where it is the
/// one that keeps the history.
pub(super) struct Chronicle {
    keeper: Keeper,
    pages: UnboundedSender<Page>,
    summarized: Option<Glance>,
    written: Option<Timestamp>,
    /// The alerts that were written last.
    alerts: Vec<(u64, AlertState)>,
}

impl Chronicle {
    /// Starts the writer. Needs a tokio runtime.
    pub(super) fn start(keeper: Keeper, keeping: Keeping) -> Self {
        let (pages, mut waiting) = mpsc::unbounded_channel::<Page>();
        let files = keeper.files().clone();
        tokio::spawn(async move {
            while let Some(page) = waiting.recv().await {
                let (mut summary, mut known) = (None, None);
                let mut page = Some(page);
                // The newest of each where the disk is slow.
                while let Some(next) = page {
                    match next {
                        Page::Summary(newer) => summary = Some(newer),
                        Page::Known(newer) => known = Some(newer),
                    }
                    page = waiting.try_recv().ok();
                }
                let (files, keeping) = (files.clone(), keeping.clone());
                let write = move || {
                    if let Some(summary) = summary {
                        let path = files.summary();
                        let written = state_file::write_summary(&path, &summary, files.mode());
                        keeping.ended(Kept::Summary, &path, written);
                    }
                    if let Some(known) = known {
                        let path = files.known();
                        let written = state_file::write_known(&path, &known, files.mode());
                        keeping.ended(Kept::Known, &path, written);
                    }
                };
                // A panic in it has written its words already.
                let _ = tokio::task::spawn_blocking(write).await;
            }
        });
        Self { keeper, pages, summarized: None, written: None, alerts: Vec::new() }
    }

    /// Looks at what is known at `now`; for each second.
    pub(super) fn look(&mut self, known: &Known, now: Timestamp) {
        let due = |last: Option<Timestamp>, every| last.is_none_or(|last| now.since(last) >= every);
        let summarized = self.summarized.as_ref().map(|last| last.taken);
        if !due(summarized, SUMMARY) && !due(self.written, KNOWN) {
            return;
        }
        // A lock that cannot be had is told by what cannot be written.
        if !self.keeper.keeps().unwrap_or(true) {
            return;
        }
        if due(summarized, SUMMARY) {
            self.summarize(Glance::of(known), due(summarized, SUMMARY_ANYWAY));
        }
        // Since when an alert is active is what the next one must know.
        let alerts: Vec<_> = known.alerts.iter().map(|it| (it.identity(), it.state)).collect();
        if due(self.written, KNOWN) || (due(self.written, SUMMARY) && alerts != self.alerts) {
            self.written = Some(now);
            self.alerts = alerts;
            // The writer lives as long as the runtime.
            let _ = self.pages.send(Page::Known(Box::new(known.to_be_kept())));
        }
    }

    fn summarize(&mut self, mut summary: Glance, anyway: bool) {
        let changed = self.summarized.as_ref().is_none_or(|last| {
            let taken = std::mem::replace(&mut summary.taken, last.taken);
            let same = *last == summary;
            summary.taken = taken;
            !same
        });
        if changed || anyway {
            let _ = self.pages.send(Page::Summary(summary.clone()));
            self.summarized = Some(summary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::kept::KeptFiles;
    use crate::store::Msg;
    use std::path::Path;
    use std::sync::Arc;

    fn started(folder: &Path) -> (Chronicle, Keeper, mpsc::Receiver<Msg>) {
        let (out, messages) = mpsc::channel(8);
        let files = KeptFiles::at(folder, Path::new("/c.toml"), false);
        let keeper = Keeper::new(files, "console");
        (Chronicle::start(keeper.clone(), Keeping::new(out)), keeper, messages)
    }

    fn known() -> (Known, Timestamp) {
        let now = Timestamp::from_millis(5_000);
        (Known::new(Arc::default(), now), now)
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_said() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut chronicle, _, mut messages) = started(&scratch.path().join("gone"));
        let (known, now) = known();
        chronicle.look(&known, now);
        let Some(Msg::Said { text, bad: true }) = messages.recv().await else { panic!("nothing") };
        assert!(text.starts_with("the summary for `glance --cached` cannot be written"), "{text}");
    }

    #[tokio::test]
    async fn only_the_one_that_keeps_the_history_writes() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut second, keeper, _) = started(scratch.path());
        let first = Keeper::new(keeper.files().clone(), "watch");
        assert!(first.keeps().unwrap());
        let (known, now) = known();
        second.look(&known, now);
        assert!(second.written.is_none() && second.summarized.is_none());
        drop(first);
        second.look(&known, now);
        assert!(second.written.is_some() && second.summarized.is_some());
    }
}
