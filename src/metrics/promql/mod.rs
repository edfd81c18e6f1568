//! PromQL as Prometheus 3 understands it: parser with positions, printer, evaluator.

mod annotation;
mod ast;
mod build;
mod eval;
pub mod functions;
mod inspect;
mod lexer;
mod literal;
mod parser;
mod pattern;
mod print;
mod split;
mod subject;
mod timing;

pub use annotation::Annotation;
pub use ast::{
    Aggregate, Aggregation, At, Binary, BinaryOp, Expr, Extent, Group, Grouping, Kind, LabelMatch,
    MatchKind, Matching, Selector, Shift, Span, Subquery, Type,
};
pub use eval::{Check, EvalError, Evaluated, Limits, instant, range};
pub use functions::Function;
pub use inspect::{Reach, counts, reaches, selectors, window};
pub use parser::{MAX_LENGTH, ParseError, parse};
pub(crate) use pattern::of_go;
pub use split::split_by;
pub use subject::{Subject, asks_absence, instants, subjects};
pub use timing::Timed;
