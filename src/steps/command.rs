//! Command steps: a block of a runbook, run by a shell in a process group of its own.

use super::ending::{Ended, Ending, Promise, cancelled, limit};
use super::gate::{Around, Held, argv, folder};
use super::heard::{LastLine, Sample};
use super::{Kind, Prepared, Step, StepCx, group};
use crate::domain::runs::{
    CommandStep, ProcessId, Step as Planned, StepEnd, StepKind, StepOutcome,
};
use futures_util::future::BoxFuture;
use rustix::process::Signal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// A command block.
pub(super) const KIND: Kind = Kind { name: "command", build };

/// After the command has ended its output is waited for as long as some comes
/// within this time: what it started may hold the pipe open for ever.
const LATE_OUTPUT: Duration = Duration::from_millis(300);
/// And no longer than this, however much comes.
const LATEST_OUTPUT: Duration = Duration::from_secs(10);
/// A read that failed is tried again after a second, then after two, four, …
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// So much is read at once.
const PIECE: usize = 64 * 1024;

fn build(planned: &Planned) -> Option<Box<dyn Step>> {
    match &planned.kind {
        StepKind::Command(step) if !step.tty => Some(Box::new(CommandBlock(step.clone()))),
        StepKind::Command(_) | StepKind::Check(_) | StepKind::Manual { .. } => None,
    }
}

#[derive(Debug)]
struct CommandBlock(CommandStep);

impl Step for CommandBlock {
    fn preview(&self) -> String {
        self.0.script.clone()
    }

    fn prepare(&self, cx: StepCx) -> BoxFuture<'_, Result<Box<dyn Prepared>, String>> {
        Box::pin(async move {
            let promise = Promise::of(&self.0)?;
            let around = Around {
                env: cx.env.clone(),
                folder: folder(&self.0, &cx.folder),
                identify: cx.identify,
            };
            let argv = argv(self.0.shell, &self.0.script)?;
            let held = Held::start(&argv, &around, promise.capture.is_some())?;
            let waiting = Waiting {
                limit: limit(&self.0, &cx),
                step: self.0.clone(),
                promise,
                argv,
                around,
                held,
                cx,
            };
            Ok(Box::new(waiting) as Box<dyn Prepared>)
        })
    }
}

/// A command at its gate.
struct Waiting {
    step: CommandStep,
    promise: Promise,
    limit: Duration,
    argv: Vec<String>,
    around: Around,
    held: Held,
    cx: StepCx,
}

impl Prepared for Waiting {
    fn process(&self) -> Option<ProcessId> {
        Some(self.held.process.clone())
    }

    fn go(self: Box<Self>) -> BoxFuture<'static, StepEnd> {
        Box::pin(self.run())
    }
}

impl Waiting {
    async fn run(self) -> StepEnd {
        let Self { step, promise, limit, argv, around, held, cx } = self;
        let begun = (cx.monotonic)();
        let tries = if step.changes { 0 } else { step.retry };
        let sample = if promise.wants_output() { Sampled::All } else { Sampled::Nothing };
        let bounds = Bounds { limit, sample };
        let mut cancel = cx.cancel.clone();
        let mut said: Vec<String> = Vec::new();
        let mut pause = FIRST_PAUSE;
        let mut next = Ok(held);
        for attempt in 0..=tries {
            let ended = match next {
                Ok(held) => see_through(held, &bounds, &cx.output, &mut cancel).await,
                Err(why) => return failed(why, (cx.monotonic)().saturating_sub(begun)),
            };
            let again = attempt < tries && !matches!(ended.how, Ending::Cancelled);
            let took = (cx.monotonic)().saturating_sub(begun);
            let mut end = promise.judge(ended, took);
            if end.outcome == StepOutcome::Ok || !again {
                if tries > 0 && attempt > 0 {
                    let before = said.join("; ");
                    end.words =
                        format!("{} at the {} try; before: {before}", end.words, nth(attempt + 1));
                }
                return end;
            }
            // The same words again say nothing new.
            if said.last() != Some(&end.words) {
                said.push(end.words.clone());
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = cancelled(&mut cancel) => {
                    end.words.push_str("; not tried again: ended by hand");
                    return end;
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            next = Held::start(&argv, &around, promise.capture.is_some());
        }
        failed("it was never tried".into(), Duration::ZERO)
    }
}

fn failed(words: String, took: Duration) -> StepEnd {
    StepEnd {
        outcome: StepOutcome::Failed,
        words,
        took,
        captured: None,
        output: None,
        findings: Vec::new(),
    }
}

fn nth(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

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

/// Opens the gate and sees the command through to its end.
pub(super) async fn see_through(
    mut held: Held,
    bounds: &Bounds,
    output: &mpsc::Sender<Vec<u8>>,
    cancel: &mut tokio::sync::watch::Receiver<bool>,
) -> Ended {
    let heard = Mutex::new(Heard::sampling(bounds.sample));
    let begun = held.open();
    let Held { mut child, group, mut out, err, .. } = held;
    let mut err = err;
    let mut stuck = false;
    let how = {
        let reading = async {
            let errors = async {
                if let Some(err) = &mut err {
                    pump(err, false, &heard, output).await;
                }
            };
            tokio::join!(pump(&mut out, true, &heard, output), errors);
        };
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
                Ok(_) if begun.is_err() => Ending::NotBegun,
                Ok(status) => Ending::Exit(status),
                Err(error) => Ending::Lost(error.to_string()),
            },
            () = sleep(bounds.limit) => Ending::Timeout(bounds.limit),
            () = cancelled(cancel) => Ending::Cancelled,
        };
        if matches!(how, Ending::Timeout(_) | Ending::Cancelled) {
            // What it says at its end is read, too.
            let ending = group.end(&mut child, Signal::TERM);
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
            late(reading, &heard).await;
        }
        how
    };
    let whole = matches!(&how, Ending::Exit(status) if status.success());
    // A group that is empty after a good end has left nothing that it did not mean to leave.
    let left = if whole && group.is_empty() { Vec::new() } else { group.left().await };
    if !left.is_empty() {
        // Whoever still writes shall find a reader as long as this process lives.
        tokio::spawn(async move {
            tokio::join!(drain(Some(out)), drain(err));
        });
    }
    let mut heard = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
    let complaint = std::mem::take(&mut heard.complaint);
    Ended {
        how,
        value: heard.value,
        complaint,
        sample: heard.sample,
        left: group::words(&left),
        stuck,
    }
}

/// What was heard of a command's output, and how far it was handed over.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) value: LastLine,
    pub(super) complaint: LastLine,
    pub(super) sample: Sample,
    sampled: Sampled,
    pieces: u64,
    handing_over: u32,
}

impl Heard {
    pub(super) fn sampling(sampled: Sampled) -> Self {
        Self { sampled, ..Self::default() }
    }

    /// A piece of output, or of errors, that is about to be handed over.
    pub(super) fn take(&mut self, piece: &[u8], is_output: bool) {
        if is_output {
            self.value.take(piece);
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

    /// A piece was handed over.
    pub(super) fn handed_over(&mut self) {
        self.handing_over -= 1;
    }
}

pub(super) fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands over all that comes, until nothing can come any more.
async fn pump(
    from: &mut Receiver,
    is_output: bool,
    heard: &Mutex<Heard>,
    output: &mpsc::Sender<Vec<u8>>,
) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let piece = &buffer[..read];
        lock(heard).take(piece, is_output);
        // Nobody may be there to keep it any more; the command goes on.
        let _ = output.send(piece.to_vec()).await;
        lock(heard).handed_over();
    }
}

/// Waits for what was written before the end and is still on its way.
pub(super) async fn late(reading: impl Future<Output = ()>, heard: &Mutex<Heard>) {
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

async fn drain(from: Option<Receiver>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(1..) = from.read(&mut buffer).await {}
}

#[cfg(test)]
mod tests;
