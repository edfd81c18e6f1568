//! `opsroom query EXPR`: PromQL, on the metrics server or the embedded engine.

use super::{FAILED, complain, print};
use crate::domain::{Num, Timestamp, harmless};
use crate::metrics::{Coverage, Data, Line, Point};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::headless;
use crate::runtime::paths::StateFolder;
use crate::store::{Ask, AskId, AskRange};
use color_eyre::Result;
use color_eyre::eyre::{bail, eyre};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long scraped targets and engine have to answer.
const DEADLINE: Duration = Duration::from_secs(30);

pub(super) fn run(
    config: Option<&Path>,
    expr: &str,
    range: Option<AskRange>,
    json: bool,
) -> Result<ExitCode> {
    let assembled = Assembled::of(&super::discover(config)?, false)?;
    let Some(engine) = assembled.config.main_engine().map(|_| assembled.config.engine_of(expr))
    else {
        bail!("the config has neither a metrics server nor targets to scrape");
    };
    let window = assembled.kept(StateFolder::of_this_user().as_ref()).map(|kept| kept.window());
    let ask = Ask {
        id: AskId("query".into()),
        expr: expr.into(),
        split: None,
        range,
        at: Clock::Wall.now(),
        engine,
    };
    let answer = headless::ask_once(assembled, window, ask, DEADLINE)?
        .ok_or_else(|| eyre!("no answer in {} s", DEADLINE.as_secs()))?;
    for warning in &answer.warnings {
        complain(&format!("warning: {}", harmless(warning)));
    }
    if let Coverage::Partial { seen, wanted } = answer.coverage {
        let (seen, wanted) = (crate::domain::units::age(seen), crate::domain::units::age(wanted));
        complain(&format!("warning: {seen} of {wanted} seen: do not judge by this yet"));
    }
    match &answer.outcome {
        Ok(data) if json => {
            print(&format!("{}\n", as_json(data, answer.ask.at, &answer.warnings)))?;
        }
        Ok(data) => print(&table(data)?)?,
        Err(wrong) => {
            complain(&format!("opsroom: {}", harmless(&wrong.message)));
            if let Some((start, end)) = wrong.span {
                complain(&pointer(expr, start, end));
            }
            return Ok(ExitCode::from(FAILED));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As the HTTP API of Prometheus writes the `data` of an answer, with the
/// warnings beside it: scripts for the one work with the other.
fn as_json(data: &Data, at: Timestamp, warnings: &[String]) -> Value {
    let pair = |at: Timestamp, value: Num| json!([at.seconds(), value.to_string()]);
    let (kind, result) = match data {
        Data::Scalar(value) => ("scalar", pair(at, *value)),
        Data::Text(text) => ("string", json!([at.seconds(), text])),
        Data::Vector(points) => {
            let of =
                |point: &Point| json!({"metric": point.labels, "value": pair(at, point.value)});
            ("vector", points.iter().map(of).collect())
        }
        Data::Matrix(lines) => {
            let of = |line: &Line| {
                let values = line.points.iter().map(|(at, value)| pair(*at, *value));
                json!({"metric": line.labels, "values": values.collect::<Vec<_>>()})
            };
            ("matrix", lines.iter().map(of).collect())
        }
    };
    json!({"resultType": kind, "result": result, "warnings": warnings})
}

/// One line for each series, or for each of its points.
fn table(data: &Data) -> Result<String> {
    let mut out = String::new();
    match data {
        Data::Scalar(value) => writeln!(out, "{value}")?,
        Data::Text(text) => writeln!(out, "{}", harmless(text))?,
        Data::Vector(points) => {
            for point in points {
                writeln!(out, "{}  {}", harmless(&point.labels.to_string()), point.value)?;
            }
        }
        Data::Matrix(lines) => {
            for line in lines {
                writeln!(out, "{}", harmless(&line.labels.to_string()))?;
                for (at, value) in &line.points {
                    writeln!(out, "  {at}  {value}")?;
                }
            }
        }
    }
    Ok(out)
}

/// The expression with a mark under the part that is wrong.
fn pointer(expr: &str, start: usize, end: usize) -> String {
    let start = expr.floor_char_boundary(start);
    let line_start = expr[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = expr[line_start..].lines().next().unwrap_or_default();
    let before = expr[line_start..start].chars().count();
    let end = expr.ceil_char_boundary(end).clamp(start, line_start + line.len());
    let marked = expr[start..end.max(start)].chars().count().max(1);
    format!("  {}\n  {}{}", harmless(line), " ".repeat(before), "^".repeat(marked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_as_prometheus_writes_it() {
        let at = Timestamp::from_millis(1_500);
        let labels = crate::domain::Labels::new([("__name__", "up"), ("job", "api")]);
        let vector = Data::Vector(vec![Point { labels, value: Num(f64::INFINITY) }]);
        assert_eq!(
            as_json(&vector, at, &["partial".into()]).to_string(),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"api"},"value":[1.5,"+Inf"]}],"warnings":["partial"]}"#
        );
        assert_eq!(
            as_json(&Data::Scalar(Num(2.0)), at, &[]).to_string(),
            r#"{"resultType":"scalar","result":[1.5,"2"],"warnings":[]}"#
        );
    }

    #[test]
    fn the_mark_stands_under_what_is_wrong() {
        assert_eq!(pointer("sum(", 4, 4), "  sum(\n      ^");
        assert_eq!(pointer("a\n+ bb", 4, 6), "  + bb\n    ^^");
        assert_eq!(pointer("ä{", 2, 3), "  ä{\n   ^");
        assert_eq!(pointer("", 9, 12), "  \n  ^");
    }
}
