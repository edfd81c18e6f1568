//! An answer as RFC 4180: a row for each value, its labels in columns.

use crate::domain::{Labels, Num, Timestamp};
use crate::metrics::Data;
use std::collections::BTreeSet;

/// All values of an answer.
pub(super) fn csv(data: &Data, at: Timestamp) -> String {
    let rows: Vec<(&Labels, Timestamp, Num)> = match data {
        Data::Scalar(value) => return format!("time,value\r\n{at},{value}\r\n"),
        Data::Text(text) => return format!("time,value\r\n{at},{}\r\n", field(text)),
        Data::Vector(points) => {
            points.iter().map(|point| (&point.labels, at, point.value)).collect()
        }
        Data::Matrix(lines) => lines
            .iter()
            .flat_map(|line| line.points.iter().map(|(at, value)| (&line.labels, *at, *value)))
            .collect(),
    };
    let names: BTreeSet<&str> =
        rows.iter().flat_map(|(labels, ..)| labels.iter().map(|(name, _)| &**name)).collect();
    let mut out = String::from("time,");
    for name in &names {
        out.push_str(&field(name));
        out.push(',');
    }
    out.push_str("value\r\n");
    for (labels, at, value) in rows {
        out.push_str(&at.to_string());
        for name in &names {
            out.push(',');
            out.push_str(&field(labels.get(name).unwrap_or_default()));
        }
        out.push_str(&format!(",{value}\r\n"));
    }
    out
}

fn field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Line, Point};

    #[test]
    fn what_is_in_labels_stays_in_its_column() {
        let at = Timestamp::from_millis(1_500);
        let labels = Labels::new([("a", "x,\"y\"\nz"), ("job", "api")]);
        let other = Labels::new([("job", "db")]);
        let data = Data::Vector(vec![
            Point { labels: labels.clone(), value: Num(1.0) },
            Point { labels: other, value: Num(f64::NAN) },
        ]);
        let time = "1970-01-01T00:00:01.500Z";
        assert_eq!(
            csv(&data, at),
            format!("time,a,job,value\r\n{time},\"x,\"\"y\"\"\nz\",api,1\r\n{time},,db,NaN\r\n")
        );
        let data =
            Data::Matrix(vec![Line { labels: Labels::default(), points: vec![(at, Num(2.5))] }]);
        assert_eq!(csv(&data, at), format!("time,value\r\n{time},2.5\r\n"));
        assert_eq!(csv(&Data::Scalar(Num(3.0)), at), format!("time,value\r\n{time},3\r\n"));
    }
}
