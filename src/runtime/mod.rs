//! Where the world is touched: event loop, poller, engines, clock, terminal, logging.

pub mod clock;
pub mod engine;
pub mod event_loop;
pub mod input;
pub mod isolate;
pub mod keys;
pub mod logging;
pub mod paths;
pub mod pen;
pub mod poller;
pub mod terminal;
