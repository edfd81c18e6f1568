//! Runbooks: from Markdown to a book, from a book to a plan, and the run as a
//! state machine. Pure: no clock, no file, no process.

pub mod book;
pub mod evidence;
pub mod given;
pub mod library;
pub mod live;
mod naming;
pub mod needs;
pub mod plan;
pub mod proof;
pub mod run;
pub mod values;
pub mod words;

pub use book::{Attribute, Block, BlockKind, Book, Document, Front, Heading, Level, Param, Remark};
pub use evidence::Evidence;
pub use library::{BookLine, Fit, Library, Past};
pub use live::{Answer, Ask, AskKind, Doing, Hello, Hidden, Order, ParamAsk, RunRequest, Told};
pub use plan::{Names, Setting, parameters, plan};
pub use run::{Course, Next, Run, Standing, StepState};
