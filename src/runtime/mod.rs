//! Where the world is touched: event loop, poller, engines, clock, terminal, logging.

pub mod assemble;
mod chronicle;
pub mod clock;
mod config_file;
pub mod console;
pub mod descriptors;
pub mod engine;
pub mod event_loop;
mod first_scrapes;
pub mod headless;
pub mod input;
pub mod isolate;
mod keeping;
pub mod kept;
pub mod keys;
pub mod logging;
mod notify;
pub mod paths;
pub mod pen;
pub mod plain;
pub mod poller;
pub mod runs;
pub mod state_file;
pub mod terminal;
mod tty;
pub mod watch;
pub mod world;
