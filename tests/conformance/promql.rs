//! Set `promql`: the cases of Prometheus' own evaluator tests, and what it parses.

use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::promql::{Expr, Limits, instant, parse, range};
use opsroom::metrics::{Data, Matcher, STALE_BITS, Sample, Storage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is not there yet: the words that say so, and its name in the cases.
/// A case that needs none of these must pass.
const MISSING: &[(&str, &str)] = &[
    ("", "start-timestamps"),
    ("", "type-and-unit-labels"),
    ("", "delayed name removal"),
    ("native histograms are not supported", "native histograms"),
];

/// Which part of a case is not there yet.
fn missing(case: &Value) -> Option<&'static str> {
    let names = case["experimental"].as_array().unwrap();
    let needs = |name: &str| {
        names.iter().any(|one| one == name)
            || (name == "delayed name removal" && case["delayed_name_removal"] == true)
            || (name == "native histograms"
                && (case["tier"] == "native"
                    || (case["tier"] == "experimental" && case["native_histogram"] == true)))
    };
    MISSING.iter().map(|(_, name)| *name).find(|name| needs(name))
}

fn says_missing(message: &str) -> bool {
    MISSING.iter().any(|(words, _)| !words.is_empty() && message.contains(words))
}

#[derive(Default)]
struct Series(Vec<(Labels, Vec<Sample>)>);

impl Storage for Series {
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        for (labels, samples) in &self.0 {
            if matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or_default())) {
                let from = samples.partition_point(|s| s.at <= after);
                let to = samples.partition_point(|s| s.at <= until);
                if from < to {
                    found(labels, &samples[from..to]);
                }
            }
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text == "stale" => Some(f64::from_bits(STALE_BITS)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().unwrap().iter();
    Labels::new(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn load(group: &Value, case: &Value) -> Series {
    let mut found: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for index in case["loads"].as_array().unwrap() {
        let load = &group["loads"][usize::try_from(index.as_u64().unwrap()).unwrap()];
        let step = load["step_ms"].as_i64().unwrap();
        for series in load["series"].as_array().unwrap() {
            let samples = found.entry(labels(&series["labels"])).or_default();
            for (at, value) in (0..).zip(series["values"].as_array().unwrap()) {
                if let Some(value) = number(value) {
                    samples.push(Sample { at: Timestamp::from_millis(at * step), value });
                }
            }
        }
    }
    for samples in found.values_mut() {
        samples.sort_by_key(|sample| sample.at);
    }
    Series(found.into_iter().collect())
}

fn near(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
        || (a.is_nan() && b.is_nan())
        || (a.is_infinite() && a.signum().total_cmp(&b.signum()).is_eq() && b.is_infinite())
        || (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

/// The expectation as series with moments, in the order given.
type Flat = Vec<(Labels, Vec<(i64, f64)>)>;

fn compare(mut found: Flat, mut wanted: Flat, ordered: bool) -> Result<(), String> {
    found.retain(|(_, points)| !points.is_empty());
    wanted.retain(|(_, points)| !points.is_empty());
    if !ordered {
        found.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let same = found.len() == wanted.len()
        && found.iter().zip(&wanted).all(|(a, b)| {
            a.0 == b.0
                && a.1.len() == b.1.len()
                && a.1.iter().zip(&b.1).all(|(x, y)| x.0 == y.0 && near(x.1, y.1))
        });
    if same { Ok(()) } else { Err(format!("found {found:?}, wanted {wanted:?}")) }
}

fn flat(data: Data, at: i64) -> Flat {
    match data {
        Data::Scalar(value) => vec![(Labels::default(), vec![(at, value.0)])],
        Data::Text(_) => Vec::new(),
        Data::Vector(points) => {
            points.into_iter().map(|p| (p.labels, vec![(at, p.value.0)])).collect()
        }
        Data::Matrix(lines) => lines
            .into_iter()
            .map(|line| {
                let points = line.points.into_iter().map(|(at, value)| (at.millis(), value.0));
                (line.labels, points.collect())
            })
            .collect(),
    }
}

fn wanted(case: &Value) -> Flat {
    let expected = &case["expected"];
    let at = case["at_ms"].as_i64().unwrap_or(0);
    let (start, step) = match expected["type"].as_str().unwrap() {
        "matrix" => (
            expected["start_ms"].as_i64().or(case["start_ms"].as_i64()).unwrap_or(0),
            expected["step_ms"].as_i64().or(case["step_ms"].as_i64()).unwrap_or(1),
        ),
        "scalar" => {
            return vec![(Labels::default(), vec![(at, number(&expected["value"]).unwrap())])];
        }
        "string" => return Vec::new(),
        _ => {
            let series = expected["series"].as_array().unwrap().iter();
            return series
                .map(|s| (labels(&s["labels"]), vec![(at, number(&s["value"]).unwrap())]))
                .collect();
        }
    };
    let series = expected["series"].as_array().unwrap().iter();
    series
        .map(|one| {
            let values = (0..).zip(one["values"].as_array().unwrap());
            let points = values.filter_map(|(i, v)| Some((start + i * step, number(v)?)));
            (labels(&one["labels"]), points.collect())
        })
        .collect()
}

/// Runs a case; fails with words.
fn run(expr: &Expr, case: &Value, series: &Series) -> Result<(), String> {
    let limits = Limits::default();
    let moment = |name: &str| Timestamp::from_millis(case[name].as_i64().unwrap());
    let text = |error: opsroom::metrics::promql::EvalError| format!("error: {error}");
    let must_fail = case.get("fail").is_some_and(|fail| !fail.is_null());
    let is_instant = case["kind"] == "instant";
    let found = if is_instant {
        instant(expr, series, moment("at_ms"), &limits)
    } else {
        let step = Duration::from_millis(case["step_ms"].as_u64().unwrap());
        range(expr, series, moment("start_ms"), moment("end_ms"), step, &limits)
    };
    if must_fail {
        return match found {
            Ok(found) => Err(format!("did not fail: {:?}", found.data)),
            Err(_) => Ok(()),
        };
    }
    let data = found.map_err(text)?.data;
    if let Data::Text(found) = &data {
        let wanted = case["expected"]["value"].as_str().unwrap_or_default();
        return if found == wanted { Ok(()) } else { Err(format!("found {found:?}")) };
    }
    let at = case["at_ms"].as_i64().unwrap_or(0);
    let ordered = case["expected"]["ordered"] == true;
    let is_matrix = matches!(data, Data::Matrix(_));
    compare(flat(data, at), wanted(case), ordered)?;
    // What an expression says of its query is not the same within a range.
    let names = case["experimental"].as_array().unwrap();
    let of_query = ["start", "end", "step", "range"].iter().any(|n| names.iter().any(|x| x == n));
    if !is_instant || ordered || is_matrix || of_query {
        return Ok(());
    }
    // As upstream does: the same within a range, a minute before and after.
    let step = Duration::from_mins(1);
    let middle = moment("at_ms");
    let found = range(expr, series, middle - step, middle + step, step, &limits).map_err(text)?;
    let mut found = flat(found.data, at);
    for (_, points) in &mut found {
        points.retain(|point| point.0 == at);
    }
    compare(found, wanted(case), false).map_err(|words| format!("as a range: {words}"))
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    missing: usize,
}

#[test]
fn expressions_have_the_values_that_prometheus_gives() {
    let Some(folder) = super::folder("promql") else {
        return;
    };
    let mut failures = Vec::new();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut outside: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("cases")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let content: Value = serde_json::from_str(&text).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let count = counts.entry(name).or_default();
        for group in content["groups"].as_array().unwrap() {
            for case in group["cases"].as_array().unwrap() {
                if let Some(feature) = missing(case) {
                    *outside.entry(feature).or_default() += 1;
                    count.missing += 1;
                    continue;
                }
                let text = case["expr"].as_str().unwrap();
                let must_fail = case.get("fail").is_some_and(|fail| !fail.is_null());
                let outcome = match parse(text) {
                    Ok(expr) => run(&expr, case, &load(group, case)),
                    Err(_) if must_fail => Ok(()),
                    Err(error) => Err(format!("error: {error}")),
                };
                match outcome {
                    Ok(()) => count.passed += 1,
                    Err(words) => {
                        count.failed += 1;
                        failures.push(format!("{} {text}: {words}", case["id"]));
                    }
                }
            }
        }
    }
    let mut total = 0;
    for (file, count) in &counts {
        let missing = count.missing;
        total += count.passed + count.failed;
        println!(
            "set promql, {file}: {} passed, {} failed, {missing} not there yet, {} in all",
            count.passed,
            count.failed,
            count.passed + count.failed + missing
        );
    }
    for (feature, count) in &outside {
        println!("set promql: not there yet: {feature}, {count} cases");
    }
    super::tell("promql", total, &failures);
    assert!(failures.is_empty());
    assert!(total > 0);
}

#[test]
fn what_prometheus_parses_is_parsed_and_what_it_rejects_is_rejected() {
    let Some(folder) = super::folder("promql") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("parse.json")).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    let mut failures = Vec::new();
    let (mut total, mut outside, mut in_place, mut refused) = (0, 0, 0, 0);
    for case in content["cases"].as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        let valid = case["valid"] == true;
        let found = parse(input);
        if let (true, Err(error)) = (valid, &found)
            && says_missing(&error.message)
        {
            outside += 1;
            continue;
        }
        total += 1;
        match found {
            Ok(expr) if valid => {
                // What is printed reads back to the same.
                let printed = expr.to_string();
                if parse(&printed).as_ref() != Ok(&expr) {
                    failures.push(format!("{input}: printed as {printed}"));
                }
            }
            Err(error) if !valid => {
                assert!(error.start <= error.end && error.end <= input.len(), "{input}");
                refused += 1;
                let near = case["error_at"][0].as_u64().unwrap();
                in_place += usize::from(near.abs_diff(error.start as u64) <= 1);
            }
            found => failures.push(format!("{input}: {found:?}")),
        }
    }
    println!(
        "set promql, parse.json: {in_place} of {refused} errors begin where Prometheus has them"
    );
    println!("set promql, parse.json: {outside} cases need what is not there yet");
    super::tell("promql, parse.json", total, &failures);
    assert!(failures.is_empty());
}

#[test]
fn every_real_rule_is_parsed_as_the_oracle_parses_it() {
    let Some(folder) = super::folder("rules") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("rules.jsonl")).unwrap();
    let mut failures = Vec::new();
    let mut total = 0;
    for line in text.lines() {
        let rule: Value = serde_json::from_str(line).unwrap();
        let expr = rule["expr"].as_str().unwrap();
        total += 1;
        let oracle = promql_parser::parser::parse(expr);
        match (parse(expr), oracle) {
            (Ok(expr), Ok(_)) => {
                if parse(&expr.to_string()).as_ref() != Ok(&expr) {
                    failures.push(format!("printed as {expr}"));
                }
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => {
                let theirs = theirs.map(|_| "parsed");
                failures.push(format!("{expr}: ours {ours:?}, theirs {theirs:?}"));
            }
        }
    }
    super::tell("rules, parsed", total, &failures);
    assert!(failures.is_empty());
}
