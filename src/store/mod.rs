//! Messages, effects, actions, and what is known now.

pub mod message;

pub use message::{
    Action, Answer, Answered, Ask, AskError, AskId, AskRange, Coverage, Effect, Key, KeyCode, Mods,
    Msg, Polled, Stamped,
};
