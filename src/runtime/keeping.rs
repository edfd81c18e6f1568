//! Says once that the state folder takes nothing, and once that it does again.

use crate::store::Msg;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::Sender;

/// So many writings in a row must succeed after a failure: a disk that is
/// nearly full takes one and refuses the next.
const STEADY: u32 = 3;

/// What a console keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// For `glance --cached`.
    Summary,
    /// All that is known, for the next console.
    Known,
    /// The window of samples.
    Window,
}

impl Kept {
    fn failed(self) -> &'static str {
        match self {
            Self::Summary => "the summary for `glance --cached` cannot be written",
            Self::Known | Self::Window => "the history cannot be kept",
        }
    }
}

/// How the keeping goes, told to the operator and the log when it turns.
#[derive(Clone, Debug)]
pub(super) struct Keeping(Arc<Mutex<Course>>);

#[derive(Debug)]
struct Course {
    out: Sender<Msg>,
    /// What has failed, and how often it went well since.
    failing: Vec<(Kept, u32)>,
    told: bool,
}

impl Keeping {
    pub(super) fn new(out: Sender<Msg>) -> Self {
        Self(Arc::new(Mutex::new(Course { out, failing: Vec::new(), told: false })))
    }

    /// Takes in how a writing of `path` ended.
    pub(super) fn ended(&self, kept: Kept, path: &Path, written: std::io::Result<()>) {
        let mut course = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(()) => course.went_well(kept),
            Err(error) => course.failed(kept, path, &error),
        }
    }
}

impl Course {
    fn failed(&mut self, kept: Kept, path: &Path, error: &std::io::Error) {
        if let Some((_, well)) = self.failing.iter_mut().find(|(failing, _)| *failing == kept) {
            *well = 0;
        } else {
            self.failing.push((kept, 0));
            tracing::warn!(?kept, path = %path.display(), %error, "not kept");
        }
        if !self.told {
            let folder = path.parent().unwrap_or(path).display();
            self.told = self.say(format!("{}: {folder}: {error}", kept.failed()), true);
        }
    }

    fn went_well(&mut self, kept: Kept) {
        self.failing.retain_mut(|(failing, well)| {
            *well += u32::from(*failing == kept);
            let failing = *well < STEADY;
            if !failing {
                tracing::info!(?kept, "kept again");
            }
            failing
        });
        if self.told && self.failing.is_empty() {
            let text = "summary and history are kept again".to_owned();
            self.told = !self.say(text, false);
        }
    }

    /// Whether it could be said; where the channel is full it is tried again.
    fn say(&self, text: String, bad: bool) -> bool {
        self.out.try_send(Msg::Said { text, bad }).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn full() -> std::io::Result<()> {
        Err(std::io::Error::other("disk full"))
    }

    fn said(messages: &mut mpsc::Receiver<Msg>) -> Option<(String, bool)> {
        match messages.try_recv() {
            Ok(Msg::Said { text, bad }) => Some((text, bad)),
            _ => None,
        }
    }

    #[test]
    fn a_full_disk_is_said_once_and_so_is_its_end() {
        let (out, mut messages) = mpsc::channel(8);
        let keeping = Keeping::new(out);
        let path = Path::new("/state/a");
        keeping.ended(Kept::Summary, path, Ok(()));
        assert_eq!(said(&mut messages), None);
        for _ in 0..4 {
            keeping.ended(Kept::Summary, path, full());
            keeping.ended(Kept::Window, path, full());
        }
        let text = "the summary for `glance --cached` cannot be written: /state: disk full";
        assert_eq!(said(&mut messages), Some((text.to_owned(), true)));
        assert_eq!(said(&mut messages), None);
        // It is not over before both are kept, steadily.
        (0..9).for_each(|_| keeping.ended(Kept::Summary, path, Ok(())));
        for outcome in [Ok(()), Ok(()), full(), Ok(()), Ok(())] {
            keeping.ended(Kept::Window, path, outcome);
            assert_eq!(said(&mut messages), None);
        }
        keeping.ended(Kept::Window, path, Ok(()));
        let text = "summary and history are kept again".to_owned();
        assert_eq!(said(&mut messages), Some((text, false)));
        keeping.ended(Kept::Window, path, Ok(()));
        assert_eq!(said(&mut messages), None);
        keeping.ended(Kept::Window, path, full());
        assert!(said(&mut messages).unwrap().0.starts_with("the history cannot be kept: /state:"));
    }

    #[test]
    fn what_found_no_room_among_the_messages_is_said_later() {
        let (out, mut messages) = mpsc::channel(1);
        out.try_send(Msg::Ticked).unwrap();
        let keeping = Keeping::new(out);
        keeping.ended(Kept::Window, Path::new("/state/a"), full());
        assert_eq!(messages.try_recv(), Ok(Msg::Ticked));
        keeping.ended(Kept::Window, Path::new("/state/a"), full());
        assert!(said(&mut messages).unwrap().1);
    }
}
