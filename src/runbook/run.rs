//! A run as a state machine: the fold of its records, and what comes next.

use crate::domain::Timestamp;
use crate::domain::runs::{
    Entry, Plan, ProcessId, Proof, ProofLine, RunId, RunOutcome, StepEnd, StepId, Who,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run as its records tell it. The same records give the same run, whoever
/// folds them: its process, a console, or a process that takes it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which one.
    pub id: RunId,
    /// What was agreed to.
    pub plan: Plan,
    /// Who started it.
    pub who: Who,
    /// When.
    pub started: Timestamp,
    /// The process that carries it out, or did last.
    pub process: ProcessId,
    /// What the conditions said before anything was done.
    pub before: Vec<ProofLine>,
    /// Each step, in the order of the plan.
    pub steps: Vec<Standing>,
    /// What was captured.
    pub captured: BTreeMap<String, String>,
    /// The place of the last record that was folded in.
    pub place: i64,
    /// How it ended, when, and why; none while it goes on.
    pub ended: Option<(Timestamp, RunOutcome, String)>,
    /// What proves it.
    pub proof: Option<Proof>,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Which one.
    pub step: StepId,
    /// How.
    pub state: StepState,
    /// How often it was started.
    pub attempts: u32,
    /// When it was last started.
    pub started: Option<Timestamp>,
    /// When it last ended, and how.
    pub end: Option<(Timestamp, StepEnd)>,
    /// The process of its last command.
    pub process: Option<ProcessId>,
    /// Who confirmed, ticked, skipped or decided it, and what was said.
    pub word: Option<(Who, String)>,
    /// What will run instead of the plan's text.
    pub edited: Option<String>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not yet.
    Waiting,
    /// It runs, as far as its records tell.
    Running,
    /// It did as it should.
    Ok,
    /// It failed.
    Failed,
    /// Nobody knows.
    Unknown,
    /// A check that neither held nor failed.
    Unproved,
    /// Ticked by a person.
    Ticked,
    /// Left out.
    Skipped,
    /// Undone after it had been done.
    Undone,
    /// It undoes another one, and has not been needed.
    Reserve,
}

/// What comes next in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step, to be confirmed first where it changes something; forward, or to undo another.
    Step {
        /// Which one.
        step: StepId,
        /// Which it undoes.
        undoing: Option<StepId>,
    },
    /// A person decides about this failed or unproved step.
    Decide(StepId),
    /// A person decides what became of this step.
    Settle(StepId),
    /// It is over.
    End(RunOutcome, String),
}

impl Run {
    /// The run that a record begins; none where it is another record.
    pub fn begun_by(_entry: &Entry) -> Option<Self> {
        None
    }

    /// Takes the next record in. One that was folded in already, or is of
    /// another run, changes nothing.
    pub fn take(&mut self, _entry: &Entry) {}

    /// What comes next.
    pub fn next(&self) -> Next {
        Next::End(RunOutcome::Unknown, String::new())
    }

    /// How a step stands.
    pub fn standing(&self, step: StepId) -> Option<&Standing> {
        self.steps.iter().find(|standing| standing.step == step)
    }
}
