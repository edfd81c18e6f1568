//! Values as a table for other programs (RFC 4180).

use super::{Data, Line};
use crate::domain::{Labels, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

/// Writes the series that are named, in that order, and gives how many values
/// were written. Over a range a row is a moment and a column a series, empty
/// where it has no value; at one instant a row is a series and each of the
/// labels a column.
pub fn write(
    out: &mut impl Write,
    data: &Data,
    at: Timestamp,
    series: &[Labels],
) -> io::Result<usize> {
    match data {
        Data::Scalar(value) => {
            write!(out, "time,value\r\n{at},{value}\r\n")?;
            Ok(1)
        }
        Data::Text(text) => {
            write!(out, "time,value\r\n{at},{}\r\n", field(text))?;
            Ok(1)
        }
        Data::Vector(points) => {
            let by_labels: HashMap<_, _> = points.iter().map(|p| (&p.labels, p.value)).collect();
            let names = names(series);
            let head: Vec<String> = names.iter().map(|name| field(name)).collect();
            let comma = if head.is_empty() { "" } else { "," };
            write!(out, "time,{}{comma}value\r\n", head.join(","))?;
            let mut written = 0;
            for labels in series {
                let Some(value) = by_labels.get(labels) else { continue };
                write!(out, "{at}")?;
                for name in &names {
                    write!(out, ",{}", field(labels.get(name).unwrap_or("")))?;
                }
                write!(out, ",{value}\r\n")?;
                written += 1;
            }
            Ok(written)
        }
        Data::Matrix(lines) => {
            let by_labels: HashMap<_, _> = lines.iter().map(|line| (&line.labels, line)).collect();
            let shown: Vec<&Line> =
                series.iter().filter_map(|labels| by_labels.get(labels).copied()).collect();
            wide(out, &shown)
        }
    }
}

fn wide(out: &mut impl Write, lines: &[&Line]) -> io::Result<usize> {
    write!(out, "time")?;
    for line in lines {
        write!(out, ",{}", field(&line.labels.to_string()))?;
    }
    write!(out, "\r\n")?;
    let mut rows: BTreeMap<Timestamp, Vec<(usize, crate::domain::Num)>> = BTreeMap::new();
    for (column, line) in lines.iter().enumerate() {
        for (at, value) in &line.points {
            rows.entry(*at).or_default().push((column, *value));
        }
    }
    let mut written = 0;
    for (at, values) in rows {
        write!(out, "{at}")?;
        let mut next = 0;
        for (column, value) in values {
            write!(out, "{}{value}", ",".repeat(column + 1 - next))?;
            next = column + 1;
            written += 1;
        }
        write!(out, "{}\r\n", ",".repeat(lines.len() - next))?;
    }
    Ok(written)
}

fn names(series: &[Labels]) -> BTreeSet<&str> {
    series.iter().flat_map(|labels| labels.iter().map(|(name, _)| &**name)).collect()
}

/// A text as a field. One that a spreadsheet would take for a formula is
/// marked as the text that it is.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Num;
    use crate::metrics::Point;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn text(data: &Data, series: &[Labels]) -> (String, usize) {
        let mut out = Vec::new();
        let written = write(&mut out, data, at(0), series).unwrap();
        (String::from_utf8(out).unwrap().replace("\r\n", "\n"), written)
    }

    #[test]
    fn over_a_range_gaps_stay_empty() {
        let line = |job: &str, points: &[(i64, f64)]| Line {
            labels: Labels::new([("job", job)]),
            points: points.iter().map(|(s, v)| (at(*s), Num(*v))).collect(),
        };
        let lines =
            vec![line("a", &[(0, 1.0), (20, f64::NAN)]), line("b", &[(10, -2.5)]), line("c", &[])];
        let series = [lines[1].labels.clone(), lines[0].labels.clone(), lines[2].labels.clone()];
        let (told, written) = text(&Data::Matrix(lines), &series);
        assert_eq!(
            told,
            "time,\"{job=\"\"b\"\"}\",\"{job=\"\"a\"\"}\",\"{job=\"\"c\"\"}\"\n\
             1970-01-01T00:00:00.000Z,,1,\n\
             1970-01-01T00:00:10.000Z,-2.5,,\n\
             1970-01-01T00:00:20.000Z,,NaN,\n"
        );
        assert_eq!(written, 3);
    }

    #[test]
    fn at_an_instant_labels_are_columns_and_text_is_no_formula() {
        let point = |pairs: &[(&str, &str)], value| Point {
            labels: Labels::new(pairs.iter().copied()),
            value: Num(value),
        };
        let points = vec![
            point(&[("a", "=1+1"), ("b", "x,\"y\"")], 1e300),
            point(&[("a", "z")], f64::INFINITY),
        ];
        let series: Vec<Labels> = points.iter().map(|point| point.labels.clone()).collect();
        let (told, _) = text(&Data::Vector(points), &series);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "time,a,b,value");
        assert!(
            lines[1].starts_with("1970-01-01T00:00:00.000Z,'=1+1,\"x,\"\"y\"\"\",1000"),
            "{told}"
        );
        assert_eq!(lines[2], "1970-01-01T00:00:00.000Z,z,,+Inf");
        assert_eq!(
            text(&Data::Scalar(Num(2.0)), &[]).0,
            "time,value\n1970-01-01T00:00:00.000Z,2\n"
        );
    }
}
