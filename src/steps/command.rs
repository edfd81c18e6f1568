//! Command steps: a block of a runbook, run by a shell in a process group of its own.

use super::course::{Bounds, Heard, Running, Sampled, hand_over};
use super::ending::{Ended, Ending, Promise, cancelled, limit};
use super::gate::{Around, Held, argv, folder};
use super::{Kind, Prepared, Step, StepCx};
use crate::domain::runs::{
    CommandStep, ProcessId, Step as Planned, StepEnd, StepKind, StepOutcome,
};
use futures_util::future::BoxFuture;
use rustix::process::Signal;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// A command block.
pub(super) const KIND: Kind = Kind { name: "command", build };

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

/// Opens the gate and sees the command through to its end.
pub(super) async fn see_through(
    mut held: Held,
    bounds: &Bounds,
    output: &mpsc::Sender<Vec<u8>>,
    cancel: &mut tokio::sync::watch::Receiver<bool>,
) -> Ended {
    let heard = Heard::sampling(bounds.sample);
    let begun = held.open().is_ok();
    let Held { mut child, group, mut out, mut err, .. } = held;
    let seen = {
        let reading = async {
            let errors = async {
                if let Some(err) = &mut err {
                    pump(err, false, &heard, output).await;
                }
            };
            tokio::join!(pump(&mut out, true, &heard, output), errors);
        };
        let (child, limit) = (&mut child, bounds.limit);
        let running = Running { child, group: &group, begun, first: Signal::TERM, limit };
        running.see_through(&heard, reading, cancelled(cancel)).await
    };
    let (ended, lives) = seen.ended(&group, heard).await;
    if lives {
        // Whoever still writes shall find a reader as long as this process lives.
        tokio::spawn(async move {
            tokio::join!(drain(Some(out)), drain(err));
        });
    }
    ended
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
        hand_over(&buffer[..read], is_output, heard, output).await;
    }
}

async fn drain(from: Option<Receiver>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(1..) = from.read(&mut buffer).await {}
}

#[cfg(test)]
mod tests;
