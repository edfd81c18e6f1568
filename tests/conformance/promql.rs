//! Set `promql`: the cases of Prometheus' own evaluator tests, and what it parses.

use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::memory::{Limits as MemoryLimits, Memory};
use opsroom::metrics::promql::{Annotation, Evaluated, Expr, Limits, instant, parse, range};
use opsroom::metrics::{Data, Matcher, STALE_BITS, Sample, Storage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Cases that are believed wrong: file, line, reason. Each is run nevertheless,
/// and must fail, so that none stays here that has been mended.
const BELIEVED_WRONG: &[(&str, u64, &str)] = &[
    ("name_label_dropping", 59, DELAYED),
    ("name_label_dropping", 64, DELAYED),
    ("name_label_dropping", 115, DELAYED),
    ("name_label_dropping", 119, DELAYED),
    ("name_label_dropping", 123, DELAYED),
];

const DELAYED: &str = "wants the metric name after a function has dropped it: delayed name removal, which Prometheus itself leaves off unless told otherwise";

/// What is left out, by its name in the cases; each says so when it is used. A
/// case that needs none of these must pass.
const LEFT_OUT: &[&str] = &["start-timestamps", "type-and-unit-labels", "native histograms"];

/// Which part of a case is left out.
fn left_out(case: &Value) -> Option<&'static str> {
    let tier = case["tier"].as_str().unwrap();
    if tier.starts_with("core") {
        return None;
    }
    let names = case["experimental"].as_array().unwrap();
    let native = tier == "native" || case["native_histogram"] == true;
    let needs =
        |name: &str| names.iter().any(|one| one == name) || (name == "native histograms" && native);
    LEFT_OUT.iter().copied().find(|name| needs(name))
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

/// The same samples in the memory that users have; none where it does not take
/// them all.
fn into_memory(series: &Series) -> Option<Memory> {
    let mut memory = Memory::new(MemoryLimits { bytes: 1 << 30, ..MemoryLimits::default() });
    for (labels, samples) in &series.0 {
        let kept = memory.append(labels, samples.iter().copied());
        if kept != samples.len() as u64 {
            return None;
        }
    }
    Some(memory)
}

fn near(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
        || (a.is_nan() && b.is_nan())
        || (a.is_finite() && b.is_finite() && (a - b).abs() <= 1e-6 * a.abs().max(b.abs()))
}

#[test]
fn a_wrong_value_is_seen() {
    for (a, b) in [(1.0, 1.0 + 1e-7), (f64::NAN, f64::NAN), (f64::INFINITY, f64::INFINITY)] {
        assert!(near(a, b), "{a} {b}");
    }
    for (a, b) in [(1.0, 1.0 + 1e-5), (f64::INFINITY, 1.0), (f64::INFINITY, f64::NEG_INFINITY)] {
        assert!(!near(a, b) && !near(b, a), "{a} {b}");
    }
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

/// What a case wants to be told beside its answer, and what of it is told.
#[derive(Default)]
struct Told {
    wanted: usize,
    matched: usize,
    failures: Vec<String>,
}

impl Told {
    fn compare(&mut self, case: &Value, text: &str, found: &Evaluated) {
        let placed = |all: &[Annotation]| -> Vec<String> {
            all.iter().map(|one| one.placed(text)).collect()
        };
        let (warnings, infos) = (placed(&found.warnings), placed(&found.infos));
        for one in case["annotations"].as_array().into_iter().flatten() {
            let kind = one["type"].as_str().unwrap();
            let of_kind = if kind.ends_with("info") { &infos } else { &warnings };
            let fits = match one["msg"].as_str() {
                _ if kind.starts_with("no_") => of_kind.is_empty(),
                Some(words) => of_kind.iter().any(|found| found == words),
                None => !of_kind.is_empty(),
            };
            self.wanted += 1;
            self.matched += usize::from(fits);
            // Of native histograms nothing can be said: they are dropped.
            if !fits && case["tier"] == "core" {
                self.failures.push(format!("{} {text}: {one}, found {of_kind:?}", case["id"]));
            }
        }
    }
}

/// Runs a case; fails with words.
fn run(
    expr: &Expr,
    case: &Value,
    series: &dyn Storage,
    told: &mut Option<&mut Told>,
) -> Result<(), String> {
    let limits = Limits::default();
    let moment = |name: &str| Timestamp::from_millis(case[name].as_i64().unwrap());
    let text = |error: opsroom::metrics::promql::EvalError| format!("error: {error}");
    let is_instant = case["kind"] == "instant";
    let found = if is_instant {
        instant(expr, series, moment("at_ms"), &limits)
    } else {
        let step = Duration::from_millis(case["step_ms"].as_u64().unwrap());
        range(expr, series, moment("start_ms"), moment("end_ms"), step, &limits)
    };
    if must_fail(case) {
        return match found {
            Ok(found) => Err(format!("did not fail: {:?}", found.data)),
            Err(_) => Ok(()),
        };
    }
    let found = found.map_err(text)?;
    if let Some(told) = told {
        told.compare(case, case["expr"].as_str().unwrap(), &found);
    }
    let data = found.data;
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
    let of_query = ["start", "end", "step", "range"].iter().any(|n| names.iter().any(|x| x == n))
        || expr.to_string().contains("range()")
        || expr.to_string().contains("step()");
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
}

fn must_fail(case: &Value) -> bool {
    case.get("fail").is_some_and(|fail| !fail.is_null())
}

/// Runs a case over the samples as they are, and over the memory.
fn run_everywhere(
    group: &Value,
    case: &Value,
    memory: &mut Count,
    told: &mut Told,
) -> Result<(), String> {
    let expr = match parse(case["expr"].as_str().unwrap()) {
        Ok(expr) => expr,
        Err(_) if must_fail(case) => return Ok(()),
        Err(error) => return Err(format!("error: {error}")),
    };
    let series = load(group, case);
    run(&expr, case, &series, &mut Some(told))?;
    if let Some(taken) = into_memory(&series) {
        let outcome = run(&expr, case, &taken, &mut None);
        memory.passed += usize::from(outcome.is_ok());
        memory.failed += usize::from(outcome.is_err());
        outcome.map_err(|words| format!("in memory: {words}"))?;
    }
    Ok(())
}

#[test]
fn expressions_have_the_values_that_prometheus_gives() {
    let Some(folder) = super::folder("promql") else {
        return;
    };
    let mut failures = Vec::new();
    let mut tiers: BTreeMap<String, Count> = BTreeMap::new();
    let mut outside: BTreeMap<&'static str, usize> = BTreeMap::new();
    let (mut memory, mut told, mut doubted) = (Count::default(), Told::default(), 0);
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("cases")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let content: Value = serde_json::from_str(&text).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for group in content["groups"].as_array().unwrap() {
            for case in group["cases"].as_array().unwrap() {
                if let Some(feature) = left_out(case) {
                    *outside.entry(feature).or_default() += 1;
                    continue;
                }
                let outcome = run_everywhere(group, case, &mut memory, &mut told);
                let line = case["line"].as_u64().unwrap();
                let doubt = BELIEVED_WRONG.iter().find(|one| (one.0, one.1) == (&name, line));
                let outcome = match (doubt, outcome) {
                    (Some((_, _, reason)), Err(_)) => {
                        println!("set promql: believed wrong: {name}, line {line}: {reason}");
                        doubted += 1;
                        continue;
                    }
                    (Some(_), Ok(())) => Err("is believed wrong, but passes".to_owned()),
                    // Those that are not at hand when this is written.
                    (None, Err(_)) if case["delayed_name_removal"] == true => {
                        println!("set promql: believed wrong: {name}, line {line}: {DELAYED}");
                        doubted += 1;
                        continue;
                    }
                    (None, outcome) => outcome,
                };
                let count = tiers.entry(case["tier"].as_str().unwrap().to_owned()).or_default();
                match outcome {
                    Ok(()) => count.passed += 1,
                    Err(words) => {
                        count.failed += 1;
                        failures.push(format!("{} {}: {words}", case["id"], case["expr"]));
                    }
                }
            }
        }
    }
    let mut total = 0;
    for (tier, Count { passed, failed }) in &tiers {
        total += passed + failed;
        println!(
            "set promql, {tier}: {passed} passed, {failed} failed, {} in all",
            passed + failed
        );
    }
    let Count { passed, failed } = memory;
    println!("set promql, through the memory that users have: {passed} passed, {failed} failed");
    println!("set promql, believed wrong: {doubted} cases");
    for (feature, count) in &outside {
        println!("set promql, left out: {feature}, {count} cases");
    }
    println!("set promql, warnings and hints: {} of {} match", told.matched, told.wanted);
    failures.extend(told.failures);
    super::tell("promql", total, &failures);
    assert!(failures.is_empty());
    assert!(total > 0 && passed > 0);
}

#[test]
fn what_prometheus_parses_is_parsed_and_what_it_rejects_is_rejected() {
    let Some(folder) = super::folder("promql") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("parse.json")).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    let mut failures = Vec::new();
    let (mut total, mut in_place, mut refused) = (0, 0, 0);
    for case in content["cases"].as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        let valid = case["valid"] == true;
        let found = parse(input);
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
                if near.abs_diff(error.start as u64) <= 1 {
                    in_place += 1;
                } else {
                    println!(
                        "set promql, parse.json: elsewhere: {input:?}: {near}, here {}: {error}",
                        error.start
                    );
                }
            }
            found => failures.push(format!("{input}: {found:?}")),
        }
    }
    println!(
        "set promql, parse.json: {in_place} of {refused} errors begin where Prometheus has them"
    );
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
