//! Runs: their processes, those who follow them, their evidence.

pub mod process;
