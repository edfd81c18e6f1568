//! Prometheus rule files as teams already write them: reading, templates, and
//! the rules' way from inactive to firing. Pure: time is an argument.

mod book;
mod check;
pub mod duration;
pub mod engine;
#[cfg(test)]
mod engine_tests;
mod file;
#[cfg(test)]
mod file_tests;
pub mod template;
pub mod unit;
mod yaml;

pub use book::{Book, BookFile, External};
pub use engine::{Active, Context, Earlier, GroupState, Health, RuleState, State, Store, evaluate};
pub use file::{Group, LARGEST, Mistake, Names, Rule, RuleFile, RuleKind, read};
pub use template::Template;
