//! Where the world is touched: event loop, poller, engines, clock, terminal, logging.

pub mod clock;
pub mod engine;
pub mod logging;
pub mod paths;
