//! The whole program in a terminal of its own, watched as a person would.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod bench;
mod console;
mod endings;
mod first;
mod harness;
mod practice;
mod runs;
mod waiting;
