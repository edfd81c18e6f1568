//! A run as a state machine: the fold of its records, and what comes next.

mod course;
mod take;
#[cfg(test)]
mod tests;

use crate::domain::Timestamp;
use crate::domain::runs::{
    Entry, Plan, ProcessId, Proof, ProofLine, Record, RunId, RunOutcome, RunRecord, Step, StepEnd,
    StepId, StepKind, Who,
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
    /// What each pin was when it was first asked.
    pub pinned: BTreeMap<String, String>,
    /// When a changing step last ended, or its outcome was settled: what is
    /// proved is proved on readings after it.
    pub changed: Option<Timestamp>,
    /// Where it is going.
    pub course: Course,
    /// The place of the last record that was folded in.
    pub place: i64,
    /// How it ended, when, and why; none while it goes on.
    pub ended: Option<(Timestamp, RunOutcome, String)>,
    /// What proves it.
    pub proof: Option<Proof>,
}

/// Where a run is going.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Through its steps, in their order.
    Forward,
    /// Back: these steps are still to be undone, the next one first.
    Back(Vec<StepId>),
    /// Nowhere: it was given up at this step, for this reason.
    GivenUp(StepId, String),
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
    /// When it last ended, and how; none while it runs.
    pub end: Option<(Timestamp, StepEnd)>,
    /// The process of its last command.
    pub process: Option<ProcessId>,
    /// Who confirmed, ticked, skipped or decided it, and what was said.
    pub word: Option<(Who, String)>,
    /// What will run instead of the plan's text.
    pub edited: Option<String>,
    /// Nobody saw how it ended, and a person has found out: whether it was done.
    pub settled: Option<bool>,
    /// It was not approved: it failed by that.
    pub refused: bool,
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
    /// It failed, was not approved, or a person has seen that it was not done.
    Failed,
    /// Nobody knows.
    Unknown,
    /// A check that neither held nor failed.
    Unproved,
    /// Ticked by a person, or nobody saw how it ended and a person has seen that it was done.
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
    pub fn begun_by(entry: &Entry) -> Option<Self> {
        let Record::Run { run, what: RunRecord::Started { who, plan, process, before } } =
            &entry.record
        else {
            return None;
        };
        Some(Self {
            id: run.clone(),
            who: who.clone(),
            started: entry.at,
            process: process.clone(),
            before: before.clone(),
            steps: plan.steps.iter().map(Standing::of).collect(),
            plan: plan.as_ref().clone(),
            captured: BTreeMap::new(),
            pinned: BTreeMap::new(),
            changed: None,
            course: Course::Forward,
            place: entry.place,
            ended: None,
            proof: None,
        })
    }

    /// The run that these records tell, in the order of the journal; none where
    /// its beginning is not among them.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let begin = entries.iter().position(|entry| Self::begun_by(entry).is_some())?;
        let mut run = Self::begun_by(entries.get(begin)?)?;
        for entry in entries.get(begin + 1..)? {
            run.take(entry);
        }
        Some(run)
    }

    /// How a step stands.
    pub fn standing(&self, step: StepId) -> Option<&Standing> {
        self.steps.iter().find(|standing| standing.step == step)
    }

    /// Whether a step of this run changes something.
    pub fn changes(&self, step: StepId) -> bool {
        matches!(self.plan.step(step), Some(Step { kind: StepKind::Command(it), .. }) if it.changes)
    }

    /// Whether a changing step was ever started.
    pub fn has_changed(&self) -> bool {
        self.steps.iter().any(|it| it.attempts > 0 && self.changes(it.step))
    }

    fn standing_mut(&mut self, step: StepId) -> Option<&mut Standing> {
        self.steps.iter_mut().find(|standing| standing.step == step)
    }

    /// The step that undoes this one.
    fn undo_of(&self, step: StepId) -> Option<StepId> {
        match &self.plan.step(step)?.kind {
            StepKind::Command(command) => command.undo,
            _ => None,
        }
    }
}

impl Standing {
    fn of(step: &Step) -> Self {
        Self {
            step: step.id,
            state: Self::fresh(step),
            attempts: 0,
            started: None,
            end: None,
            process: None,
            word: None,
            edited: None,
            settled: None,
            refused: false,
        }
    }

    /// How a step stands that was not started, or is to be started again.
    fn fresh(step: &Step) -> StepState {
        match &step.kind {
            StepKind::Command(command) if command.undoes => StepState::Reserve,
            _ => StepState::Waiting,
        }
    }
}
