//! Kinds of runbook steps: one file each, one line each in [`KINDS`].

mod asking;
mod check;
mod command;
mod course;
mod ending;
mod gate;
mod group;
mod heard;
mod terminal;
#[cfg(test)]
mod testing;

pub use asking::ask;
pub use terminal::SIZE as TERMINAL_SIZE;

use crate::domain::Timestamp;
use crate::domain::runs::{ProcessId, Step as Planned, StepEnd};
use crate::runbook::Evidence;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What a step may use while it runs.
#[derive(Clone)]
pub struct StepCx {
    /// The whole environment of its command: values, secrets among them, and the rest;
    /// `OPSROOM_RUN` and `OPSROOM_STEP` too, by which what it leaves behind is found.
    pub env: BTreeMap<String, String>,
    /// Where its command runs.
    pub folder: String,
    /// Ended after this where the step says nothing else.
    pub timeout: std::time::Duration,
    /// Where its output goes, byte for byte; whoever holds it masks and keeps it.
    pub output: mpsc::Sender<Vec<u8>>,
    /// Turns true when a person wants it to end.
    pub cancel: watch::Receiver<bool>,
    /// What was typed into its terminal, for a `tty` step.
    pub input: Arc<tokio::sync::Mutex<mpsc::Receiver<TerminalInput>>>,
    /// The run's own eyes.
    pub evidence: Arc<dyn Evidence>,
    /// Conditions hold on readings after this moment alone: the end of the last changing step.
    pub after: Timestamp,
    /// Who a process is, by its number.
    pub identify: fn(u32) -> Option<ProcessId>,
    /// The time since the boot; for how long something took.
    pub monotonic: fn() -> std::time::Duration,
    /// What each condition said, as it is asked.
    pub findings: watch::Sender<Vec<(String, crate::domain::runs::Finding)>>,
}

/// What comes into the terminal of a `tty` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalInput {
    /// Bytes that were typed.
    Bytes(Vec<u8>),
    /// It has this many columns and rows.
    Size(u16, u16),
}

/// A step that can be carried out.
pub trait Step: Debug + Send + Sync {
    /// Exactly what will happen. Shown before the operator agrees, and journalled.
    fn preview(&self) -> String;

    /// Makes everything ready: starts the process that will run it, held at a
    /// gate. Nothing of the step has happened when this gives; dropped, nothing will.
    fn prepare(&self, cx: StepCx) -> BoxFuture<'_, Result<Box<dyn Prepared>, String>>;
}

/// A step at its gate.
pub trait Prepared: Send {
    /// The process that waits there; none for a step without one.
    fn process(&self) -> Option<ProcessId>;

    /// Opens the gate and sees it through to its end: a timeout or a cancel
    /// ends the whole group, TERM first, then KILL.
    fn go(self: Box<Self>) -> BoxFuture<'static, StepEnd>;
}

/// A kind of step.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Makes one, where the step is of this kind.
    pub build: fn(&Planned) -> Option<Box<dyn Step>>,
}

/// All kinds of steps that run; a manual step is ticked by a person.
pub const KINDS: &[Kind] = &[command::KIND, terminal::KIND, check::KIND];

/// What carries this step out; none for a manual one.
pub fn step(planned: &Planned) -> Option<Box<dyn Step>> {
    KINDS.iter().find_map(|kind| (kind.build)(planned))
}
