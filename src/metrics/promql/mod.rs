//! PromQL as Prometheus 3 understands it: parser with positions, printer, evaluator.

mod ast;
mod build;
mod eval;
pub mod functions;
mod inspect;
mod lexer;
mod literal;
mod parser;
mod print;
mod split;
mod subject;

pub use ast::{
    Aggregate, Aggregation, At, Binary, BinaryOp, Expr, Group, Grouping, Kind, LabelMatch,
    MatchKind, Matching, Selector, Shift, Span, Subquery, Type,
};
pub use eval::{EvalError, Evaluated, Limits, instant, range};
pub use functions::Function;
pub use inspect::{Reach, reaches, selectors, window};
pub use parser::{MAX_LENGTH, ParseError, parse};
pub use split::split_by;
pub use subject::{Subject, asks_absence, instants, subjects};
