//! Prometheus rule files as teams already write them: reading, templates, and
//! the rules' way from inactive to firing. Pure: time is an argument.

mod check;
pub mod duration;
mod file;
#[cfg(test)]
mod file_tests;
pub mod template;
mod yaml;

pub use file::{Group, LARGEST, Mistake, Names, Rule, RuleFile, RuleKind, read};
pub use template::Template;
