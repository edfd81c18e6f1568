//! Runs: their processes, those who follow them, their evidence.

pub mod arming;
pub mod conductor;
pub mod desk;
pub mod evidence;
pub mod follow;
pub mod library;
pub mod linger;
pub mod masking;
pub mod names;
pub mod output;
pub mod people;
pub mod place;
pub mod process;
pub mod records;
pub mod rehearse;
pub mod start;
