//! What the process of a run and those who follow it tell each other: one JSON
//! value a line over a Unix socket.

use super::book::Param;
use crate::domain::runs::{
    AlertSeen, Decision, Entry, Finding, PinAsked, Plan, ProofLine, RunId, StepId,
};
use crate::domain::{ServiceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a run tells each of its followers: first all of its records and the
/// tail of its output, then everything as it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A record of this run, in the order of the journal.
    Entry(Entry),
    /// Output of a step, masked and not yet made harmless; `from` is where it
    /// stands in the output file.
    Output {
        /// The step.
        step: StepId,
        /// Where its first byte stands in the output file.
        from: u64,
        /// The text; bytes that are no UTF-8 are replaced.
        text: String,
    },
    /// What it does at this moment; replaces what was told before.
    Doing(Doing),
    /// The last order of this follower was not carried out, and why.
    Refused(String),
    /// Before the start: these parameters are wanted. Told again, with what is
    /// wrong with them, as long as a value cannot be used.
    Parameters(Vec<ParamAsk>),
    /// Before the start: what would be run. Nothing was journalled yet, and
    /// nothing is done until `Order::Start`; the run already polls what it names.
    Planned(Box<Plan>),
    /// Before the start, while values are missing: what is known of the plan
    /// without them. What speaks of them stands there as it was written.
    Outlined(Box<Plan>),
    /// Before the start: it cannot be run, and why, line by line. The process ends.
    Impossible(Vec<String>),
}

/// What a run is asked for: the runbook, and what it is about. The run's
/// process makes the plan from it by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Instead of all below: this run is taken up, whose process has died.
    pub take_up: Option<RunId>,
    /// The runbook.
    pub book: String,
    /// SHA-256 of the text that the operator has seen, in hexadecimal: another
    /// text is refused. None where nobody has seen it (`opsroom run`).
    pub hash: Option<String>,
    /// The service it is about.
    pub service: Option<ServiceName>,
    /// The alert that it is started from.
    pub alert: Option<AlertSeen>,
    /// Values that are given already.
    pub values: BTreeMap<String, String>,
}

/// A parameter that is wanted before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamAsk {
    /// The parameter.
    pub param: Param,
    /// The values to choose from, read just now: of `choices`, `from` or `values`.
    pub choices: Vec<String>,
    /// Why there are none though there should be.
    pub failure: Option<String>,
    /// What it holds by now: what was given, else the default.
    pub value: Option<String>,
    /// What is wrong with it.
    pub mistake: Option<String>,
}

/// What a run does at this moment, beside what its records tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Doing {
    /// What it waits for a person to say.
    pub ask: Option<Ask>,
    /// What each condition of the running check said last, line by line.
    pub findings: Vec<(String, Finding)>,
    /// What the pins said last.
    pub pins: Vec<PinAsked>,
    /// When they did.
    pub pins_at: Option<Timestamp>,
    /// The signals of the target, live: the same lines as `before` of the run's start.
    pub signals: Vec<ProofLine>,
    /// How many follow it.
    pub followers: u32,
    /// The size of the terminal of a `tty` step.
    pub terminal: Option<(u16, u16)>,
    /// What keeps it from going on though nobody is asked: the journal cannot be written.
    pub trouble: Option<String>,
}

/// A question to a person. A run with a question waits, for as long as it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Its number in this run, from 1: an answer names it, so that an answer to
    /// an older question is never taken for this one's.
    pub number: u64,
    /// About which step.
    pub step: StepId,
    /// Since when it is asked.
    pub since: Timestamp,
    /// What is asked.
    pub kind: AskKind,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskKind {
    /// Shall this step run? Where `typed` is set, by typing that.
    Confirm {
        /// What has to be typed; `y` does where nothing has.
        typed: Option<String>,
        /// Exactly what will run, or what changed and what is done about it.
        preview: String,
    },
    /// A manual step: done?
    Manual,
    /// The step failed, or the check did not hold: what now?
    Failed {
        /// What can be chosen.
        choices: Vec<Decision>,
        /// Whether it can be skipped.
        skip: bool,
    },
    /// Nobody saw how the step ended. `alive` while its command still runs.
    Unknown {
        /// Whether its command still runs.
        alive: bool,
    },
    /// The line has to be edited before it can run; why in words.
    Edit {
        /// The text as it stands.
        script: String,
        /// What could not be placed.
        why: String,
    },
    /// A secret is needed that was asked before and lives in no file.
    Secret {
        /// The variable.
        name: String,
        /// The question.
        ask: String,
    },
    /// The environment has to be armed before this step.
    Arm,
    /// A second person has to approve the step, from their own login.
    Approve {
        /// Nobody in time is a no.
        until: Timestamp,
    },
    /// A pin changed, the alert resolved or the service became ok meanwhile.
    Changed {
        /// What changed, in words, line by line.
        difference: Vec<String>,
        /// A person may say that it goes on all the same: no pin has changed.
        #[serde(default)]
        may_go_on: bool,
    },
}

/// What a follower orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Before the start: values of parameters.
    Values {
        /// Those that may be seen.
        values: BTreeMap<String, String>,
        /// Those that may not.
        secrets: BTreeMap<String, Hidden>,
    },
    /// Start what was planned. With the hash of the plan that was seen
    /// ([`Plan::hash`]): another plan is refused.
    Start(String),
    /// The answer to the question of this number.
    Answer {
        /// The question's number.
        ask: u64,
        /// The answer.
        answer: Answer,
    },
    /// End the step that runs: its outcome is unknown then if it changes something.
    Cancel {
        /// Which step, so that a late key ends no other.
        step: StepId,
    },
    /// Bytes for the terminal of a `tty` step. Never recorded.
    Input(Vec<u8>),
    /// The follower's terminal has this many columns and rows.
    Resize(u16, u16),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Run it; with what was typed.
    Go {
        /// What was typed, where something has to be.
        typed: Option<String>,
    },
    /// Run it, by `--yes`: for a step that asks for nothing to be typed and for nobody's
    /// approval, or of a runbook that the config names for it; refused otherwise.
    Flag,
    /// A manual step is done.
    Tick {
        /// A note; may be empty.
        note: String,
    },
    /// Leave the step out.
    Skip {
        /// Why.
        reason: String,
    },
    /// Decide about a failed or unknown step.
    Decide {
        /// What.
        decision: Decision,
        /// Why.
        reason: String,
    },
    /// The edited text.
    Edited(String),
    /// The secret.
    Secret(Hidden),
    /// A second person's word.
    Approve(bool),
    /// Look again: whether it is armed, whether the command has ended, what the pins say.
    Again,
}

/// A text that is never shown: neither by `Debug` nor in a log. It is only
/// written where it is sent to the run's process.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The first line of a follower: what it wants to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The run.
    pub run: RunId,
    /// Output from this byte of the output file on; all of it where 0.
    pub output_from: u64,
    /// Only listens: its orders are refused.
    pub listens: bool,
}
