//! `opsroom query EXPR`: PromQL, on the metrics server or the embedded engine.

mod chart;
mod pointer;
mod table;

use super::{FAILED, complain, print};
use crate::cli::{QueryAt, QueryForm};
use crate::domain::{EngineKind, Num, Timestamp, harmless};
use crate::metrics::{Coverage, Data, Line, Point, csv, promql};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::headless;
use crate::runtime::paths::StateFolder;
use crate::store::{Answer, Ask, AskError, AskId, AskRange};
use crate::ui::chart::Base;
use color_eyre::Result;
use color_eyre::eyre::{bail, eyre};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long scraped targets and engine have to answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// Columns of a drawing where there is no terminal, and rows of any.
const COLUMNS: usize = 80;
const ROWS: usize = 16;

pub(super) fn run(
    config: Option<&Path>,
    expr: &str,
    range: Option<AskRange>,
    at: Option<QueryAt>,
    form: QueryForm,
) -> Result<ExitCode> {
    let assembled = Assembled::of(&super::discover(config)?, false)?;
    let Some(engine) = assembled.config.main_engine().map(|_| assembled.config.engine_of(expr))
    else {
        bail!(
            "the config has neither a metrics server nor targets to scrape; add `prometheus = \"http://...\"` or a [scrape.NAME] table"
        );
    };
    // A server may know more than we do.
    if engine == EngineKind::Embedded
        && let Err(wrong) = promql::parse(expr)
    {
        refuse(expr, &wrong.message, Some((wrong.start, wrong.end)));
        return Ok(ExitCode::from(FAILED));
    }
    let kept = assembled.kept(StateFolder::of_this_user().as_ref());
    let now = Clock::Wall.now();
    let moment = match at {
        None => now,
        Some(QueryAt::Moment(moment)) => moment,
        Some(QueryAt::Ago(ago)) => now - ago,
    };
    let id = AskId("query".into());
    let ask = Ask { id, expr: expr.into(), split: None, range, at: moment, engine };
    let answer = if at.is_some() {
        headless::ask_at(assembled, kept, ask, DEADLINE)?
    } else {
        headless::ask_once(assembled, kept, ask, DEADLINE)?
    };
    let answer = answer.ok_or_else(|| eyre!("no answer in {} s", DEADLINE.as_secs()))?;
    say(&answer);
    match &answer.outcome {
        Ok(data) => {
            show(data, &answer, form)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(AskError { message, span }) => {
            refuse(expr, message, *span);
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// What is beside the data, for the person at the terminal.
fn say(answer: &Answer) {
    let kinds = [
        ("warning", "PromQL warning: ", &answer.warnings),
        ("info", "PromQL info: ", &answer.infos),
    ];
    for (kind, prefix, all) in kinds {
        for words in all {
            let words = words.strip_prefix(prefix).unwrap_or(words);
            complain(&format!("{kind}: {}", harmless(words)));
        }
    }
    if let Coverage::Partial { seen, wanted } = answer.coverage
        && !wanted.is_zero()
    {
        let (seen, wanted) = (crate::domain::units::age(seen), crate::domain::units::age(wanted));
        complain(&format!("warning: {seen} of {wanted} seen: do not judge by this yet"));
    }
    let none = match &answer.outcome {
        Ok(Data::Vector(points)) => points.is_empty(),
        Ok(Data::Matrix(lines)) => lines.is_empty(),
        _ => false,
    };
    if none {
        complain(&format!("no series at {}", clock(answer.ask.at)));
    } else if std::io::stdout().is_terminal()
        && answer.outcome.is_ok()
        && answer.ask.range.is_none()
    {
        complain(&format!("at {}", clock(answer.ask.at)));
    }
}

fn show(data: &Data, answer: &Answer, form: QueryForm) -> Result<()> {
    let at = answer.ask.at;
    match form {
        QueryForm::Table => print(&table::table(data)?)?,
        QueryForm::Json => print(&format!("{}\n", as_json(data, at, answer)))?,
        QueryForm::Csv => print(&as_csv(data, at)?)?,
        QueryForm::Chart => match (data, answer.ask.range) {
            (Data::Matrix(lines), Some(range)) => {
                let counted =
                    promql::parse(&answer.ask.expr).is_ok_and(|expr| promql::counts(&expr));
                let base = if counted { Base::Zero } else { Base::Auto };
                print(&chart::chart(lines, (at - range.length, at), range.step, base, look()))?;
            }
            _ => bail!("a chart needs a range of time: add --range 1h"),
        },
    }
    Ok(())
}

/// What the terminal can show, or the reader of a pipe.
fn look() -> chart::Look {
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let terminal = std::io::stdout().is_terminal();
    let size = if terminal { crossterm::terminal::size().ok() } else { None };
    let width = size.map_or(COLUMNS, |(columns, _)| usize::from(columns));
    let height = size.map_or(ROWS, |(_, rows)| usize::from(rows / 2).min(ROWS));
    let term = env("TERM").unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(env).unwrap_or_default();
    let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
    chart::Look {
        width: width.clamp(24, 240),
        height,
        colour: terminal && env("NO_COLOR").is_none() && term != "dumb",
        // The console of Linux has no braille.
        braille: utf8 && term != "linux" && term != "dumb",
    }
}

/// What is wrong, and where.
fn refuse(expr: &str, message: &str, span: Option<(usize, usize)>) {
    complain(&format!("opsroom: {}", harmless(message)));
    if let Some((start, end)) = span {
        complain(&pointer::pointer(expr, start, end));
    }
}

/// A moment in the time of this host, which it states.
fn clock(at: Timestamp) -> String {
    use chrono::{Local, TimeZone};
    match Local.timestamp_millis_opt(at.millis()).single() {
        Some(moment) => {
            let text = moment.format("%Y-%m-%d %H:%M:%S%:z").to_string();
            let millis = at.millis().rem_euclid(1_000);
            if millis == 0 {
                return text;
            }
            moment.format("%Y-%m-%d %H:%M:%S%.3f%:z").to_string()
        }
        None => at.to_string(),
    }
}

/// The same in few columns; the day where `other` is of another one.
fn short_clock(at: Timestamp, other: Timestamp) -> String {
    use chrono::{Local, TimeZone};
    let local = |at: Timestamp| Local.timestamp_millis_opt(at.millis()).single();
    match (local(at), local(other)) {
        (Some(at), Some(other)) if at.date_naive() == other.date_naive() => {
            at.format("%H:%M:%S").to_string()
        }
        (Some(at), _) => at.format("%m-%d %H:%M").to_string(),
        (None, _) => at.to_string(),
    }
}

/// RFC 4180, of all series.
fn as_csv(data: &Data, at: Timestamp) -> Result<String> {
    let series: Vec<_> = match data {
        Data::Vector(points) => points.iter().map(|point| point.labels.clone()).collect(),
        Data::Matrix(lines) => lines.iter().map(|line| line.labels.clone()).collect(),
        Data::Scalar(_) | Data::Text(_) => Vec::new(),
    };
    let mut out = Vec::new();
    csv::write(&mut out, data, at, &series)?;
    let text = String::from_utf8_lossy(&out).into_owned();
    if !std::io::stdout().is_terminal() {
        return Ok(text);
    }
    // What comes from outside must not steer a terminal.
    let lines = text.split("\r\n").map(harmless);
    Ok(lines.collect::<Vec<_>>().join("\r\n"))
}

/// As the HTTP API of Prometheus writes the `data` of an answer, with the
/// warnings and infos beside it: scripts for the one work with the other.
fn as_json(data: &Data, at: Timestamp, answer: &Answer) -> Value {
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
    json!({
        "resultType": kind,
        "result": result,
        "warnings": answer.warnings,
        "infos": answer.infos,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(warnings: &[&str]) -> Answer {
        let ask = Ask {
            id: AskId("query".into()),
            expr: "up".into(),
            split: None,
            range: None,
            at: Timestamp::from_millis(1_500),
            engine: EngineKind::Embedded,
        };
        Answer {
            ask,
            outcome: Ok(Data::Scalar(Num(2.0))),
            coverage: Coverage::Whole,
            warnings: warnings.iter().map(|text| (*text).to_owned()).collect(),
            infos: Vec::new(),
            took: Duration::ZERO,
        }
    }

    #[test]
    fn json_is_as_prometheus_writes_it() {
        let at = Timestamp::from_millis(1_500);
        let labels = crate::domain::Labels::new([("__name__", "up"), ("job", "api")]);
        let vector = Data::Vector(vec![Point { labels, value: Num(f64::INFINITY) }]);
        assert_eq!(
            as_json(&vector, at, &answer(&["partial"])).to_string(),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"api"},"value":[1.5,"+Inf"]}],"warnings":["partial"],"infos":[]}"#
        );
        assert_eq!(
            as_json(&Data::Scalar(Num(2.0)), at, &answer(&[])).to_string(),
            r#"{"resultType":"scalar","result":[1.5,"2"],"warnings":[],"infos":[]}"#
        );
    }
}
