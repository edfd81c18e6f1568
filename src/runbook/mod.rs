//! Runbooks: from Markdown to a book, from a book to a plan, and the run as a
//! state machine. Pure: no clock, no file, no process.

pub mod attributes;
pub mod beside;
pub mod book;
pub mod built_in;
mod commands;
pub mod conditions;
pub mod evidence;
mod foreign;
mod front;
pub mod given;
mod guess;
mod language;
pub mod library;
pub mod lint;
pub mod live;
pub mod markdown;
mod marks;
mod naming;
pub mod needs;
mod node;
mod placeholders;
pub mod places;

pub mod plan;
pub mod proof;
pub mod reading;
pub mod run;
pub mod shell;
mod terminal;
pub mod values;

pub use book::{Attribute, Block, BlockKind, Book, Document, Front, Heading, Level, Param, Remark};
pub use evidence::Evidence;
pub use library::{BookLine, Firing, Fit, Library, Past};
pub use live::{Answer, Ask, AskKind, Doing, Hello, Hidden, Order, ParamAsk, RunRequest, Told};
pub use plan::{Names, Setting, parameters, plan};
pub use run::{Course, Next, Run, Standing, StepState};
