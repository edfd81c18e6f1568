//! Unit tests of rules, as promtool runs them.

mod file;
mod notation;
mod run;
#[cfg(test)]
mod tests;

pub use file::{AlertTest, Expected, ExprTest, TestCase, TestFile, read};
pub use notation::{Written, series};
pub use run::{Failure, RulesOf, run};
