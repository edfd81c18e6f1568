//! Labels, exposition parser, sample memory, PromQL: pure functions over bytes and samples.

pub mod coverage;
pub mod csv;
pub mod data;
pub mod exposition;
pub mod memory;
pub mod promql;
pub mod storage;
pub mod window;

pub use coverage::{Coverage, coverage, seen_from};
pub use data::{Data, Line, Point};
pub use exposition::PageError;
pub use memory::{Limits, Memory, PageSummary, Recorded, Recorder, Target};
pub use storage::{
    Ends, Grouping, MatchOp, Matcher, OfGroup, Packed, STALE_BITS, Sample, Storage, is_stale,
};
