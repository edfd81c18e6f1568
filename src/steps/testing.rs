//! What the tests of steps share: a context, and steps made of a line.

use super::{Prepared, StepCx, TerminalInput, step};
use crate::domain::Timestamp;
use crate::domain::runs::{
    CommandStep, Condition, Finding, Holds, ProcessId, Step, StepEnd, StepKind, fixtures,
};
use crate::runbook::Evidence;
pub(super) use fixtures::command as block;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};

/// Longer than any test takes.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// Nobody knows anything.
pub(super) struct Blind;

impl Evidence for Blind {
    fn ask<'a>(&'a self, _: &'a Condition, _: Timestamp) -> BoxFuture<'a, Finding> {
        let words = "nobody knows".into();
        Box::pin(async {
            Finding { holds: Holds::Unknown, words, seen: None, value: None, in_time: false }
        })
    }

    fn hurry(&self, _: &[&Condition]) {}
}

/// The other ends of a context.
pub(super) struct Ends {
    pub(super) output: mpsc::Receiver<Vec<u8>>,
    pub(super) cancel: watch::Sender<bool>,
    pub(super) input: mpsc::Sender<TerminalInput>,
    pub(super) findings: watch::Receiver<Vec<(String, Finding)>>,
}

impl Ends {
    /// All that was put out so far.
    pub(super) fn text(&mut self) -> String {
        let mut all = Vec::new();
        while let Ok(piece) = self.output.try_recv() {
            all.extend(piece);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

static CONTEXTS: AtomicU32 = AtomicU32::new(0);

/// A context, and its other ends.
pub(super) fn context() -> (StepCx, Ends) {
    let (output, out) = mpsc::channel(100_000);
    let (cancel, wanted) = watch::channel(false);
    let (input, typed) = mpsc::channel(100);
    let (findings, found) = watch::channel(Vec::new());
    // Tests that run side by side do not find each other's processes.
    let number = CONTEXTS.fetch_add(1, Ordering::Relaxed);
    let run = format!("test-{}-{number}", std::process::id());
    let env = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("RELEASE", "v1 $(id) \"x\""),
        ("OPSROOM_RUN", &run),
        ("OPSROOM_STEP", "1"),
    ];
    let cx = StepCx {
        env: env.map(|(name, value)| (name.into(), value.into())).into(),
        folder: "/".into(),
        timeout: LONG,
        output,
        cancel: wanted,
        input: Arc::new(Mutex::new(typed)),
        evidence: Arc::new(Blind),
        after: Timestamp::from_millis(0),
        identify: |pid| Some(ProcessId { pid, start: 1, boot: "here".into() }),
        monotonic: || Duration::ZERO,
        findings,
    };
    (cx, Ends { output: out, cancel, input, findings: found })
}

pub(super) fn planned(kind: StepKind) -> Step {
    fixtures::step(1, "a step", kind)
}

/// The block at its gate.
pub(super) async fn prepared(block: CommandStep, cx: StepCx) -> Result<Box<dyn Prepared>, String> {
    let step = step(&planned(StepKind::Command(block))).unwrap();
    step.prepare(cx).await
}

/// Runs a block to its end, and gives what it put out.
pub(super) async fn run(block: CommandStep) -> (StepEnd, String) {
    let (cx, mut ends) = context();
    let end = prepared(block, cx).await.unwrap().go().await;
    (end, ends.text())
}
