//! A command from the opening of its gate to its end: what it says is heard, its
//! limit and a person's word end it, and what it leaves behind is found.

use super::ending::{Ended, Ending};
use super::group::{self, Group};
use super::heard::{LastLine, Sample};
use rustix::process::Signal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// After the command has ended its output is waited for as long as some comes
/// within this time: what it started may hold the pipe open for ever.
const LATE_OUTPUT: Duration = Duration::from_millis(300);
/// And no longer than this, however much comes.
const LATEST_OUTPUT: Duration = Duration::from_secs(10);

/// What a command is held to while it runs.
pub(super) struct Bounds {
    pub(super) limit: Duration,
    /// What of its output is held against something.
    pub(super) sample: Sampled,
}

/// What of an output is kept for a closer look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sampled {
    #[default]
    Nothing,
    /// Output and errors.
    All,
    /// Without errors.
    Output,
}

/// A command whose gate was opened.
pub(super) struct Running<'a> {
    pub(super) child: &'a mut Child,
    pub(super) group: &'a Group,
    /// Whether it could be told to go.
    pub(super) begun: bool,
    /// What it is asked to end with.
    pub(super) first: Signal,
    pub(super) limit: Duration,
}

/// How a running command came to its end.
pub(super) struct Seen {
    how: Ending,
    /// Its process would not end.
    stuck: bool,
}

impl Running<'_> {
    /// Sees it through, while `reading` hands over what it says and until `unwanted`
    /// comes. What it says at its end is read, too.
    pub(super) async fn see_through(
        self,
        heard: &Mutex<Heard>,
        reading: impl Future<Output = ()>,
        unwanted: impl Future<Output = ()>,
    ) -> Seen {
        let Self { child, group, begun, first, limit } = self;
        tokio::pin!(reading);
        let mut all_read = false;
        let by_itself = async {
            tokio::select! {
                status = child.wait() => status,
                () = &mut reading => { all_read = true; child.wait().await }
            }
        };
        let how = tokio::select! {
            status = by_itself => match status {
                Ok(_) if !begun => Ending::NotBegun,
                Ok(status) => Ending::Exit(status),
                Err(error) => Ending::Lost(error.to_string()),
            },
            () = sleep(limit) => Ending::Timeout(limit),
            () = unwanted => Ending::Cancelled,
        };
        let mut stuck = false;
        if matches!(how, Ending::Timeout(_) | Ending::Cancelled) {
            let ending = group.end(child, first);
            tokio::pin!(ending);
            let gone = if all_read {
                ending.await
            } else {
                tokio::select! {
                    gone = &mut ending => gone,
                    () = &mut reading => { all_read = true; ending.await }
                }
            };
            stuck = !gone;
        }
        if !all_read {
            late(reading, heard).await;
        }
        Seen { how, stuck }
    }
}

impl Seen {
    /// What is known of it now, and whether something of it still lives.
    pub(super) async fn ended(self, group: &Group, heard: Mutex<Heard>) -> (Ended, bool) {
        let whole = matches!(&self.how, Ending::Exit(status) if status.success());
        // A group that is empty after a good end has left nothing that it did not mean to leave.
        let left = if whole && group.is_empty() { Vec::new() } else { group.left().await };
        let Heard { value, complaint, mut errors, sample, .. } =
            heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What was said to explain it explains it better than what was said last.
        let complaint = if errors.value().is_some() { errors } else { complaint };
        let Self { how, stuck } = self;
        let words = group::words(&left);
        (Ended { how, value, complaint, sample, left: words, stuck }, !left.is_empty())
    }
}

/// What was heard of a command's output, and how far it was handed over.
#[derive(Default)]
pub(super) struct Heard {
    value: LastLine,
    complaint: LastLine,
    /// Of errors alone, where those come by themselves.
    errors: LastLine,
    sample: Sample,
    sampled: Sampled,
    pieces: u64,
    handing_over: u32,
}

impl Heard {
    pub(super) fn sampling(sampled: Sampled) -> Mutex<Self> {
        Mutex::new(Self { sampled, ..Self::default() })
    }

    /// A piece of output, or of errors, that is about to be handed over.
    fn take(&mut self, piece: &[u8], is_output: bool) {
        if is_output {
            self.value.take(piece);
        } else {
            self.errors.take(piece);
        }
        self.complaint.take(piece);
        let sampled = match self.sampled {
            Sampled::Nothing => false,
            Sampled::All => true,
            Sampled::Output => is_output,
        };
        if sampled {
            self.sample.take(piece);
        }
        self.pieces += 1;
        self.handing_over += 1;
    }
}

/// Notes a piece of output, or of errors, and hands it over.
pub(super) async fn hand_over(
    piece: &[u8],
    is_output: bool,
    heard: &Mutex<Heard>,
    output: &tokio::sync::mpsc::Sender<Vec<u8>>,
) {
    lock(heard).take(piece, is_output);
    // Nobody may be there to keep it any more; the command goes on.
    let _ = output.send(piece.to_vec()).await;
    lock(heard).handing_over -= 1;
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for what was written before the end and is still on its way.
async fn late(reading: impl Future<Output = ()>, heard: &Mutex<Heard>) {
    let all = async {
        tokio::pin!(reading);
        loop {
            let before = lock(heard).pieces;
            if timeout(LATE_OUTPUT, &mut reading).await.is_ok() {
                return;
            }
            let heard = lock(heard);
            if heard.pieces == before && heard.handing_over == 0 {
                return;
            }
        }
    };
    let _ = timeout(LATEST_OUTPUT, all).await;
}
