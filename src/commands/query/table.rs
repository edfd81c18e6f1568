//! An answer for a person to read.

use super::{chart, clock};
use crate::domain::harmless_within;
use crate::metrics::Data;
use std::fmt::Write;

/// Labels longer than this are not waited for when values are put in a column.
const COLUMN: usize = 100;
/// The longest labels that are shown, in characters.
const LONGEST: usize = 2_000;

/// One line for each series, or for each of its points.
pub(super) fn table(data: &Data) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    match data {
        Data::Scalar(value) => writeln!(out, "{value}")?,
        Data::Text(text) => writeln!(out, "{}", harmless_within(text, LONGEST))?,
        Data::Vector(points) => {
            let labels: Vec<_> = points
                .iter()
                .map(|point| harmless_within(&point.labels.to_string(), LONGEST))
                .collect();
            let length = |text: &str| text.chars().count();
            let lengths = labels.iter().map(|text| length(text)).filter(|long| *long <= COLUMN);
            let column = lengths.max().unwrap_or(0);
            for (labels, point) in labels.iter().zip(points) {
                let space = column.saturating_sub(length(labels));
                writeln!(out, "{labels}{:space$}  {}", "", point.value)?;
            }
        }
        Data::Matrix(lines) => {
            for line in lines {
                let labels = harmless_within(&line.labels.to_string(), LONGEST);
                let (count, says) = (line.points.len(), chart::said(line, &chart::short));
                writeln!(out, "{labels}  {count} values: {says}")?;
                for (at, value) in &line.points {
                    writeln!(out, "  {}  {value}", clock(*at))?;
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Labels, Num};
    use crate::metrics::Point;

    #[test]
    fn values_stand_below_one_another() {
        let point = |name: &str, value: f64| Point {
            labels: Labels::new([("job", name)]),
            value: Num(value),
        };
        let data = Data::Vector(vec![point("a", 1.5), point("long", 20.0)]);
        assert_eq!(table(&data).unwrap(), "{job=\"a\"}     1.5\n{job=\"long\"}  20\n");
    }
}
