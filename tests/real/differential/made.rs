//! Expressions of real rule files, made to select what was scraped: metrics that
//! are not there stand for some that are, and windows are as long as the test.

use opsroom::domain::Timestamp;
use opsroom::metrics::Data;
use opsroom::metrics::memory::Memory;
use opsroom::metrics::promql::{self, Expr, Kind, Limits, Selector};
use std::collections::BTreeSet;
use std::time::Duration;

/// So many are compared at most.
const MOST: usize = 320;

/// The expressions; none where no rules are at hand.
pub(super) fn from_rules(memory: &Memory, at: Timestamp) -> Option<Vec<String>> {
    let folder = std::env::var_os("OPSROOM_CONFORMANCE")?;
    let path = std::path::Path::new(&folder).join("rules/rules.jsonl");
    let text = std::fs::read_to_string(path).ok()?;
    let known: BTreeSet<&str> = memory.metric_names().into_iter().collect();
    let mut made = BTreeSet::new();
    for line in text.lines() {
        let rule: serde_json::Value = serde_json::from_str(line).unwrap();
        let Ok(mut expr) = promql::parse(rule["expr"].as_str().unwrap()) else { continue };
        change(&mut expr, &known, memory, at);
        let text = expr.to_string();
        // Names that scrapes add themselves tell of their own time.
        let own = text.contains("scrape_") || text.contains("ALERTS");
        // What the older version does not have.
        let newer =
            ["mad_over_time", "double_exp", "holt_winters", "sort_by_label", "limit", "ts_of"];
        if own || newer.iter().any(|word| text.contains(word)) || promql::parse(&text).is_err() {
            continue;
        }
        made.insert(text);
    }
    let all: Vec<String> = made.into_iter().collect();
    let each = (all.len() / MOST).max(1);
    Some(all.into_iter().step_by(each).take(MOST).collect())
}

fn shorter(range: Duration) -> Duration {
    Duration::from_secs(match range.as_secs() {
        0..=60 => 6,
        61..=600 => 10,
        _ => 14,
    })
}

fn change(expr: &mut Expr, known: &BTreeSet<&str>, memory: &Memory, at: Timestamp) {
    match &mut expr.kind {
        Kind::Selector(selector) => select(selector, known, memory, at),
        Kind::Range(selector, range) => {
            select(selector, known, memory, at);
            *range = shorter(*range);
        }
        Kind::Subquery(subquery) => {
            change(&mut subquery.expr, known, memory, at);
            subquery.range = shorter(subquery.range);
            subquery.step = Some(Duration::from_secs(2));
            subquery.shift.offset_ms = subquery.shift.offset_ms.map(|_| 2_000);
        }
        Kind::Call(_, args) => args.iter_mut().for_each(|arg| change(arg, known, memory, at)),
        Kind::Aggregate(aggregate) => {
            change(&mut aggregate.expr, known, memory, at);
            if let Some(param) = &mut aggregate.param {
                change(param, known, memory, at);
            }
        }
        Kind::Binary(binary) => {
            change(&mut binary.lhs, known, memory, at);
            change(&mut binary.rhs, known, memory, at);
            // A threshold that is not crossed would leave nothing to compare.
            binary.bool_result |= binary.op.compares();
        }
        Kind::Negate(inner) | Kind::Plus(inner) | Kind::Paren(inner) => {
            change(inner, known, memory, at);
        }
        _ => {}
    }
}

fn select(selector: &mut Selector, known: &BTreeSet<&str>, memory: &Memory, at: Timestamp) {
    selector.shift.offset_ms = selector.shift.offset_ms.map(|_| 3_000);
    selector.shift.at = None;
    let name = selector.equal("__name__").unwrap_or_default().to_owned();
    selector.matches.retain(|one| one.name != "__name__");
    let stands_in = if known.contains(&*name) {
        &*name
    } else if name.ends_with("_bucket") {
        "app_latency_seconds_bucket"
    } else if name.ends_with("_sum") {
        "app_latency_seconds_sum"
    } else if name.ends_with("_count") {
        "app_latency_seconds_count"
    } else if name.contains("err") || name.contains("fail") {
        "app_errors_total"
    } else if name.ends_with("_total") {
        "app_requests_total"
    } else if name.len().is_multiple_of(2) {
        "app_queue_length"
    } else {
        "app_saturation_ratio"
    };
    selector.name = Some(stands_in.to_owned());
    // Conditions that nothing fulfils go.
    if !any(memory, selector, at) {
        selector.matches.clear();
    }
}

fn any(memory: &Memory, selector: &Selector, at: Timestamp) -> bool {
    let plain = Selector { shift: promql::Shift::default(), ..selector.clone() };
    let Ok(mut expr) = promql::parse("x") else { return false };
    expr.kind = Kind::Selector(plain);
    let Ok(expr) = promql::parse(&expr.to_string()) else { return false };
    let found = promql::instant(&expr, memory, at, &Limits::default());
    matches!(found.map(|it| it.data), Ok(Data::Vector(points)) if !points.is_empty())
}
