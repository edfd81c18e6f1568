//! What a console knows of runbooks and runs: the library, the runs of this
//! host, the one that is followed, and whether the environment is armed.

mod fold;
mod tail;
#[cfg(test)]
mod tests;

pub use tail::Tail;

use crate::domain::Timestamp;
use crate::domain::runs::{Arming, Plan, RunId};
use crate::runbook::{Doing, Library, Order, ParamAsk, Run, RunRequest, Told};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// So many bytes of output are kept of a followed run.
pub const OUTPUT: usize = 256 * 1024;

/// Something about runbooks and runs happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunsMsg {
    /// The runbooks were read.
    LibraryRead(Arc<Library>),
    /// The runs of this host were read, the newest first, or why not.
    RunsRead(Result<Arc<[Run]>, String>),
    /// The processes of these runs, which go on, have died.
    DeadRead(BTreeSet<RunId>),
    /// Whether the environment is armed for this user was read.
    ArmedRead(Option<Arming>),
    /// The process of a run was started and can be followed, or not.
    Prepared {
        /// What was asked for.
        request: Box<RunRequest>,
        /// Its name, or why there is none.
        run: Result<RunId, String>,
    },
    /// A run that is followed told something.
    Told {
        /// Which run.
        run: RunId,
        /// What, in order.
        told: Vec<Told>,
    },
    /// The line to a run's process is cut: what it said last is not what is now.
    Lost {
        /// Which run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// A run is followed no longer, because the operator wanted it so.
    Left {
        /// Which run.
        run: RunId,
    },
}

/// Something about runs that the world is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunsEffect {
    /// Read runbooks and what was done with them before.
    ReadLibrary,
    /// Read the runs of this host and whether it is armed.
    ReadRuns,
    /// Start the process of a run and follow it; nothing of it runs before `Order::Start`.
    Prepare(Box<RunRequest>),
    /// Follow a run.
    Follow(RunId),
    /// Follow it no longer. One that was not started yet is gone then.
    Leave(RunId),
    /// Order it something.
    Order {
        /// Which run.
        run: RunId,
        /// What.
        order: Box<Order>,
    },
    /// Arm the environment for so long.
    Arm {
        /// For how long.
        time: Duration,
        /// Why.
        reason: String,
    },
    /// Disarm it.
    Disarm,
    /// Write what the run did and proved as Markdown.
    SaveProof(RunId),
}

/// What is known of runbooks and runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// The runbooks.
    pub library: Arc<Library>,
    /// The runs of this host, the newest first.
    pub list: Arc<[Run]>,
    /// Those whose process has died: somebody has to take them up.
    pub dead: BTreeSet<RunId>,
    /// Why they could not be read, if so.
    pub failure: Option<String>,
    /// When they were read.
    pub read: Option<Timestamp>,
    /// Armed until then; [`Runs::armed_at`] says whether that is over.
    pub armed: Option<Arming>,
    /// The runs that are followed.
    pub followed: BTreeMap<RunId, Followed>,
    /// What was last asked for and could not be prepared, and why.
    pub unprepared: Option<(Box<RunRequest>, String)>,
    /// When the runs were last asked for; none where they shall be at once.
    asked: Option<Timestamp>,
    /// The same for the runbooks.
    asked_books: Option<Timestamp>,
}

/// A run that is followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// What it was asked for, where it was asked from here.
    pub request: Option<Box<RunRequest>>,
    /// The parameters that it wants before the start.
    pub parameters: Vec<ParamAsk>,
    /// What would be run.
    pub plan: Option<Box<Plan>>,
    /// Why it cannot be run.
    pub impossible: Vec<String>,
    /// The run, once it was started.
    pub run: Option<Run>,
    /// What it does at this moment.
    pub doing: Doing,
    /// When it last told something.
    pub heard: Timestamp,
    /// The end of its output.
    pub output: Tail,
    /// Why the last order was refused.
    pub refused: Option<String>,
    /// Why it is not heard any more.
    pub lost: Option<String>,
}
