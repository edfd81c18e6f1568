//! Where the world is touched: event loop, poller, engines, clock, terminal, logging.

pub mod logging;
pub mod paths;
