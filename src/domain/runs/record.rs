//! The records of the journal.

use super::{BookId, Finding, Plan, ProcessId, RunId, StepId, WriterId};
use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A record as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place among the records of all writers, in the order of arrival, from 1.
    pub place: i64,
    /// Who wrote it.
    pub writer: WriterId,
    /// Its place in that writer's chain, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub record: Record,
    /// SHA-256 over the hash before it in the chain and all of the above, in hexadecimal.
    pub hash: String,
}

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user's name.
    pub user: String,
    /// Its number.
    pub uid: u32,
    /// The number of the user that logged in, which `sudo` does not change
    /// (`/proc/self/loginuid`); none where the kernel does not tell.
    pub login: Option<u32>,
    /// On which host.
    pub host: String,
    /// From which address, where over SSH.
    pub from: Option<String>,
}

/// What kind of process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriterKind {
    /// A console.
    Console,
    /// The process of a run.
    Run,
    /// `opsroom watch`.
    Watch,
    /// Another command: `arm`, `approve`, `adopt`, `rehearse`.
    Command,
}

/// What the journal holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A writer began: the first record of each chain.
    Opened {
        /// Who started it.
        who: Who,
        /// What it is.
        kind: WriterKind,
        /// Its process.
        process: ProcessId,
        /// opsroom's version.
        version: String,
    },
    /// Something of a run.
    Run {
        /// Which run.
        run: RunId,
        /// What.
        what: RunRecord,
    },
    /// Production was armed: changing steps may be confirmed.
    Armed(Arming),
    /// It was disarmed before its time.
    Disarmed {
        /// By whom.
        who: Who,
        /// Of which environment.
        environment: String,
        /// Why: `by hand`, `the config was read anew`.
        why: String,
    },
    /// Something was refused: a role, a lock, an approval of oneself.
    Refused {
        /// To whom.
        who: Who,
        /// What, in words.
        what: String,
        /// Why, in words.
        why: String,
    },
    /// A runbook was taken over from a URL.
    Adopted {
        /// By whom.
        who: Who,
        /// From where.
        url: String,
        /// As what.
        book: BookId,
        /// SHA-256 of its text, in hexadecimal.
        hash: String,
    },
    /// A runbook was rehearsed.
    Rehearsed {
        /// Which one.
        book: BookId,
        /// SHA-256 of its text then, in hexadecimal.
        hash: String,
        /// What is broken; empty where nothing is.
        broken: Vec<String>,
    },
    /// An operator did something else that is worth keeping: a full check of a backup.
    Acted {
        /// Who.
        who: Who,
        /// What, in words.
        what: String,
    },
}

/// Production is armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arming {
    /// By whom.
    pub who: Who,
    /// Of which environment.
    pub environment: String,
    /// Why.
    pub reason: String,
    /// From when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The boot in which it was armed, and its end in milliseconds since that boot:
    /// neither a clock that is put back nor a restart makes it longer.
    pub boot: (String, u64),
}

/// What happens in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunRecord {
    /// It began. With a changing step in it, its target is held from now on.
    Started {
        /// Who started it.
        who: Who,
        /// What was agreed to.
        plan: Box<Plan>,
        /// Its process.
        process: ProcessId,
        /// What the conditions of the plan said before anything was done.
        before: Vec<ProofLine>,
    },
    /// Another process has taken it up after the one before had died.
    TakenUp {
        /// Who asked for it.
        who: Who,
        /// Its process.
        process: ProcessId,
    },
    /// Its pins were asked before a step.
    PinsAsked {
        /// The step.
        step: StepId,
        /// What was found.
        pins: Vec<PinAsked>,
    },
    /// A person has said that a step may run.
    Confirmed {
        /// The step.
        step: StepId,
        /// Who.
        who: Who,
        /// How.
        how: How,
    },
    /// A second person was asked to approve a step, and has or has not.
    Approved {
        /// The step.
        step: StepId,
        /// Who; none where nobody answered in time.
        who: Option<Who>,
        /// Whether it may run.
        yes: bool,
    },
    /// A step's text was edited by hand before it ran.
    Edited {
        /// The step.
        step: StepId,
        /// Who.
        who: Who,
        /// What will run instead.
        script: String,
    },
    /// What conditions said right before the first change, where it was too early
    /// to tell when the run began.
    Seen {
        /// Those that can be told now.
        before: Vec<ProofLine>,
    },
    /// A step begins: nothing of it has run before this record stood.
    StepStarted {
        /// The step.
        step: StepId,
        /// 1 for the first time.
        attempt: u32,
        /// It runs to undo this step.
        undoing: Option<StepId>,
        /// Exactly what runs.
        preview: String,
        /// The process that will run it once this record stands; none for a step without one.
        process: Option<ProcessId>,
    },
    /// A step was seen to end.
    StepEnded {
        /// The step.
        step: StepId,
        /// Which time.
        attempt: u32,
        /// How.
        end: StepEnd,
    },
    /// A person has ticked a manual step.
    Ticked {
        /// The step.
        step: StepId,
        /// Who.
        who: Who,
        /// What was noted; may be empty.
        note: String,
    },
    /// A step was left out.
    Skipped {
        /// The step.
        step: StepId,
        /// Who.
        who: Who,
        /// Why.
        reason: String,
    },
    /// A person has decided what became of a step whose outcome was unknown, or
    /// what is done about a failed one.
    Decided {
        /// The step.
        step: StepId,
        /// Who.
        who: Who,
        /// What.
        decision: Decision,
        /// Why.
        reason: String,
    },
    /// It ended: its target is free.
    Ended {
        /// How.
        outcome: RunOutcome,
        /// Why, in words.
        reason: String,
        /// What proves it.
        proof: Option<Proof>,
    },
}

/// What was found when a pin was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinAsked {
    /// Its name; `host` and `environment` are always pinned.
    pub name: String,
    /// What it was when the run began.
    pub was: String,
    /// What it is now, or why nobody knows.
    pub is: Result<String, String>,
}

/// How a step was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By a key.
    Key,
    /// By typing this.
    Typed(String),
    /// By `--yes`, for a runbook that the config names for it or a step that asks for nothing.
    Flag,
    /// By nobody: it only reads.
    Reads,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// How.
    pub outcome: StepOutcome,
    /// In words: `exit code 3`, `no answer within 2m`, `5xx 0.1%`.
    pub words: String,
    /// How long it took.
    pub took: Duration,
    /// The last line of its output, where it is captured.
    pub captured: Option<String>,
    /// Where its output stands in the run's output file; none where it wrote nothing.
    pub output: Option<OutputRange>,
    /// What each condition of a check said at last.
    pub findings: Vec<Finding>,
}

/// Bytes of a run's output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRange {
    /// The first.
    pub from: u64,
    /// Behind the last.
    pub to: u64,
    /// So many bytes were written and not kept, between head and tail.
    pub dropped: u64,
}

/// How a step can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// As it should.
    Ok,
    /// Not as it should; it was seen to end.
    Failed,
    /// Nobody saw how it ended: timed out, cancelled or cut off while it changed something.
    Unknown,
    /// A check that neither held nor failed within its time.
    Unproved,
}

/// What a person decides about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Its outcome was unknown: a person has seen that it was done.
    WasDone,
    /// Its outcome was unknown: a person has seen that it was not done.
    WasNotDone,
    /// Try it again.
    Retry,
    /// Undo what was done.
    Undo,
    /// Go no further.
    Abandon,
}

/// How a run can end. The numbers are its exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// All was done and the proof holds: 0.
    Proved,
    /// A step failed and the run was given up, or the proof says no: 10.
    Failed,
    /// All was done and nothing proves it: 11.
    Unproved,
    /// It was not allowed: 12.
    Refused,
    /// Nobody knows what a step has done: 13.
    Unknown,
}

impl RunOutcome {
    /// The exit code of `opsroom run`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Proved => 0,
            Self::Failed => 10,
            Self::Unproved => 11,
            Self::Refused => 12,
            Self::Unknown => 13,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Failed => "failed",
            Self::Unproved => "unproved",
            Self::Refused => "refused",
            Self::Unknown => "outcome unknown",
        }
    }
}

/// Before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What each condition said after the last step. What it said before the
    /// first stands in the run's `Started`.
    pub after: Vec<ProofLine>,
}

/// A condition and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLine {
    /// The line of the check, or of a signal that is watched beside: `5xx`.
    pub line: String,
    /// What was found.
    pub finding: Finding,
}
