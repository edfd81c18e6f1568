//! What a PromQL expression evaluates to.

use crate::domain::{Labels, Num, Timestamp};
use serde::{Deserialize, Serialize};

/// The value of an expression, in any of PromQL's types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Data {
    /// A number.
    Scalar(Num),
    /// A text.
    Text(String),
    /// At one instant, one value a series.
    Vector(Vec<Point>),
    /// Over a range, values in the order of time.
    Matrix(Vec<Line>),
}

/// The value of a series at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: Num,
}

/// The values of a series over a range; where a moment is missing there is a gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its labels.
    pub labels: Labels,
    /// Moment and value, in the order of time.
    pub points: Vec<(Timestamp, Num)>,
}
