//! Runs of runbooks, as they are planned and as the journal holds them.

mod condition;
#[cfg(test)]
pub(crate) mod fixtures;
mod ids;
mod moment;
mod plan;
mod record;
mod step;

pub use condition::{Condition, Finding, Holds};
pub use ids::{BookId, ProcessId, RunId, StepId, WriterId};
pub use moment::Moment;
pub use plan::{AlertSeen, BookRef, Held, Origin, Plan, Value, sha256};
pub use record::{
    Arming, Decision, Entry, How, OutputRange, PinAsked, Proof, ProofLine, Record, RunOutcome,
    RunRecord, StepEnd, StepOutcome, Who, WriterKind,
};
pub use step::{CheckStep, CommandStep, Expect, Pin, Shell, Step, StepKind};
