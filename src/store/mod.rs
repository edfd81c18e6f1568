//! Messages, effects, actions, and what is known now.

pub mod known;
pub mod message;

pub use known::{
    CheckState, Known, Mark, Online, ServiceState, SignalState, SignalValue, SourceState, Standing,
};
pub use message::{
    Action, Answer, Answered, Ask, AskError, AskId, AskRange, Coverage, Effect, Key, KeyCode, Mods,
    Msg, Polled, Stamped,
};
