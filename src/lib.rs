//! opsroom: a terminal operations console for people on call.
//!
//! The modules stand in the order of their dependencies: each may use those
//! above it and none below. `tests/layers.rs` holds the exact table.

pub mod domain;
pub mod metrics;

pub mod rules;
pub mod runbook;

pub mod store;

pub mod config;

pub mod journal;
pub mod sources;
pub mod steps;

pub mod ui;

pub mod panels;

pub mod app;

pub mod runtime;

pub mod demo;

pub mod cli;
pub mod commands;
