//! The practice environment: a small shop of real processes on loopback ports,
//! real faults in it, and the way to heal them.
//!
//! Nothing here is known to the console: it reads an ordinary config file and
//! polls what that names. Each process ends when the console does, in whatever
//! way that ended, because the pipe that its orders come through is closed
//! then; each removes the scratch folder as it goes.

mod backups;
mod books;
mod chance;
mod config;
mod control;
mod exposition;
mod folder;
mod health;
mod host;
mod log;
mod peer;
mod practice;
mod processes;
mod releases;
mod service;
mod shop;
mod tally;
mod tools;
mod tracker;

pub use control::{Asked, ask};
pub use practice::{Practice, PracticeError};
pub use service::{Part, serve};
