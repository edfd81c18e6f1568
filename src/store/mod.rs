//! Messages, effects, actions, and what is known now.

pub mod complete;
pub mod export;
pub mod glance;
pub mod key;
pub mod known;
pub mod message;
pub mod runs;

pub use crate::domain::{Mark, Standing};
pub use complete::{Complete, Completed, MOST_NAMES, Named, Names, SeriesOf, Sought};
pub use export::Export;
pub use glance::{Glance, Problem, ProblemKind};
pub use key::NotAKey;
pub use known::{
    BackupState, Change, CheckState, Explained, HostState, Known, LOCAL_RULES, Online,
    ServiceState, SignalState, SignalValue, SourceState, Watch, WatchKind, certificate_at,
    signal_alert_name,
};
pub use message::{
    Action, Answer, Answered, Ask, AskError, AskId, AskRange, Coverage, Effect, Key, KeyCode, Look,
    Looked, Mods, Msg, Polled, Seen, Stamped,
};
pub use runs::{Followed, Runs, RunsEffect, RunsMsg, Tail};
