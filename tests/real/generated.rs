//! Made by chance, judged by the real programs: expressions over series that both
//! hold, expressions with a mistake, regular expressions.
//!
//! A normal run takes a few of each. `OPSROOM_GENERATED=5000 OPSROOM_SEED=7` takes
//! more, others; what differs is printed as small as it could be made.

mod chance;
mod expressions;
mod mistakes;
mod patterns;
mod series;
mod server;

use super::support::program;
use chance::Chance;
use expressions::Made;
use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::memory::{Limits as MemoryLimits, Memory};
use opsroom::metrics::promql::{self, Expr, Limits};
use opsroom::metrics::{Data, Storage};
use serde_json::Value;
use server::{Prometheus, Said};
use std::collections::BTreeMap;
use std::time::Duration;

/// The series of an answer in its order, each with its moments and values.
type Lines = Vec<(Labels, Vec<(i64, f64)>)>;

/// An answer, as either of both gives it.
#[derive(Debug)]
enum Answer {
    Lines(Lines),
    Text(String),
    Refused(String),
}

fn ours(said: Result<promql::Evaluated, promql::EvalError>, at: i64) -> Answer {
    match said.map(|it| it.data) {
        Err(error) => Answer::Refused(error.message),
        Ok(Data::Text(text)) => Answer::Text(text),
        Ok(Data::Scalar(value)) => Answer::Lines(vec![(Labels::default(), vec![(at, value.0)])]),
        Ok(Data::Vector(points)) => {
            Answer::Lines(points.into_iter().map(|p| (p.labels, vec![(at, p.value.0)])).collect())
        }
        Ok(Data::Matrix(lines)) => Answer::Lines(
            lines
                .into_iter()
                .map(|line| {
                    let points = line.points.iter().map(|(at, value)| (at.millis(), value.0));
                    (line.labels, points.collect())
                })
                .collect(),
        ),
    }
}

fn point(value: &Value, at: Option<i64>) -> (i64, f64) {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of our time")]
    let millis = (value[0].as_f64().unwrap() * 1_000.0).round() as i64;
    (at.unwrap_or(millis), value[1].as_str().unwrap().parse().unwrap())
}

fn theirs(said: Said) -> Answer {
    let data = match said {
        Ok(data) => data,
        Err((_, words)) => return Answer::Refused(words),
    };
    let result = &data["result"];
    let lines = |of: &dyn Fn(&Value) -> Vec<(i64, f64)>| {
        let all = result.as_array().unwrap().iter();
        all.map(|one| {
            let labels = one["metric"].as_object().unwrap().iter();
            let labels = labels.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
            (Labels::new(labels), of(one))
        })
        .collect()
    };
    Answer::Lines(match data["resultType"].as_str().unwrap() {
        "string" => return Answer::Text(result[1].as_str().unwrap().to_owned()),
        "scalar" => vec![(Labels::default(), vec![point(result, None)])],
        "vector" => lines(&|one| vec![point(&one["value"], None)]),
        _ => lines(&|one| {
            one["values"].as_array().unwrap().iter().map(|it| point(it, None)).collect()
        }),
    })
}

fn near(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits()
        || (a.is_nan() && b.is_nan())
        || (a.is_finite() && b.is_finite() && (a - b).abs() <= 1e-9 * a.abs().max(b.abs()))
        // What is left of numbers that took each other away.
        || (a.is_finite() && b.is_finite() && a.abs().max(b.abs()) < 1e-9)
}

fn line((labels, points): &(Labels, Vec<(i64, f64)>)) -> String {
    let points: Vec<String> = points.iter().map(|(at, value)| format!("{value:e}@{at}")).collect();
    format!("{labels} {}", points.join(" "))
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lines(lines) => {
                let lines: Vec<String> = lines.iter().map(line).collect();
                write!(f, "[{}]", lines.join("; "))
            }
            Self::Text(text) | Self::Refused(text) => write!(f, "{text:?}"),
        }
    }
}

/// How the series of an answer are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// They come in any order.
    Any,
    /// Their values come in this order.
    Values,
    /// Of equal ones any may be there.
    Choice,
}

impl Order {
    fn of(expr: &Expr) -> Self {
        let text = expr.bare().to_string();
        if text.starts_with("sort") {
            Self::Values
        } else if text.starts_with("topk") || text.starts_with("bottomk") {
            Self::Choice
        } else {
            Self::Any
        }
    }
}

/// What differs between two answers, in words.
fn difference(ours: &Answer, theirs: &Answer, order: Order) -> Option<String> {
    // The older version takes no -Inf for a number of series.
    if matches!(theirs, Answer::Refused(words) if words.starts_with("Scalar value -")) {
        return None;
    }
    let all = || Some(format!("{ours}, Prometheus {theirs}"));
    let (ours, theirs) = match (ours, theirs) {
        (Answer::Refused(_), Answer::Refused(_)) => return None,
        (Answer::Text(a), Answer::Text(b)) if a == b => return None,
        (Answer::Lines(a), Answer::Lines(b)) if a.len() == b.len() || order == Order::Choice => {
            (a, b)
        }
        _ => return all(),
    };
    if order == Order::Choice {
        let values = |lines: &Lines| {
            let points = lines.iter().flat_map(|(_, points)| points);
            let mut all: Vec<(i64, f64)> = points.copied().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            all
        };
        return if near_all(&values(ours), &values(theirs)) { None } else { all() };
    }
    let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
    let in_order =
        ours.iter().zip(&theirs).all(|(a, b)| a.1.len() == b.1.len() && near_all(&a.1, &b.1));
    if order == Order::Values && !in_order {
        return all();
    }
    ours.sort_by(|a, b| a.0.cmp(&b.0));
    theirs.sort_by(|a, b| a.0.cmp(&b.0));
    let mut pairs = ours.iter().zip(&theirs);
    let wrong = pairs.find(|(a, b)| a.0 != b.0 || !near_all(&a.1, &b.1))?;
    Some(format!("{}, Prometheus {}", line(wrong.0), line(wrong.1)))
}

fn near_all(ours: &[(i64, f64)], theirs: &[(i64, f64)]) -> bool {
    let same = |(a, b): (&(i64, f64), &(i64, f64))| a.0 == b.0 && near(a.1, b.1);
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
}

/// Both engines with the same samples.
struct Both {
    prometheus: Prometheus,
    lists: series::Lists,
    memory: Memory,
}

#[derive(Clone, Copy)]
struct When {
    at: i64,
    range: (i64, i64, i64),
}

impl When {
    fn by(chance: &mut Chance) -> Self {
        // 0.7 s after a full second: no sample lies there.
        let mut at = || {
            let second = chance.within(300..2_900);
            (series::BEGIN_MS / 1_000 + second) * 1_000 + 700
        };
        let (at, start) = (at(), at());
        let (steps, step) = (chance.within(0..12), chance.within(1..90) * 1_000);
        Self { at, range: (start, start + steps * step, step) }
    }
}

fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

impl Both {
    fn compare(&self, text: &str, when: When, count: &mut Count) -> Option<String> {
        let asked = self.prometheus.ask("query", &[("query", text), ("time", &seconds(when.at))]);
        // What one has and the other calls by its new name.
        let text = text.replace("holt_winters", "double_exponential_smoothing");
        let expr = match promql::parse(&text) {
            Ok(expr) => expr,
            Err(error) => {
                count.refused += 1;
                return match asked {
                    Err(_) => None,
                    Ok(_) => Some(format!("not parsed: {error}")),
                };
            }
        };
        let at = Timestamp::from_millis(when.at);
        let limits = Limits::default();
        let asked = theirs(asked);
        let over = [&self.lists as &dyn Storage, &self.memory];
        let order = Order::of(&expr);
        for (name, storage) in ["lists", "memory"].into_iter().zip(over) {
            let found = ours(promql::instant(&expr, storage, at, &limits), when.at);
            if let Some(words) = difference(&found, &asked, order) {
                return Some(format!("instant at {} ({name}): {words}", when.at));
            }
        }
        match asked {
            Answer::Refused(_) => count.refused += 1,
            Answer::Lines(lines) if lines.is_empty() => count.empty += 1,
            _ => count.with_values += 1,
        }
        let (start, end, step) = when.range;
        let text = text.replace("double_exponential_smoothing", "holt_winters");
        let form = [
            ("query", &*text),
            ("start", &seconds(start)),
            ("end", &seconds(end)),
            ("step", &seconds(step)),
        ];
        let asked = theirs(self.prometheus.ask("query_range", &form));
        let (start, end) = (Timestamp::from_millis(start), Timestamp::from_millis(end));
        let step = Duration::from_millis(step.unsigned_abs());
        for (name, storage) in ["lists", "memory"].into_iter().zip(over) {
            let found = ours(promql::range(&expr, storage, start, end, step, &limits), when.at);
            if let Some(words) =
                difference(&found, &asked, if order == Order::Choice { order } else { Order::Any })
            {
                return Some(format!("range {:?} ({name}): {words}", when.range));
            }
        }
        None
    }

    /// The smallest part of an expression that differs by itself.
    fn smallest(&self, text: &str, when: When) -> (String, String) {
        let mut count = Count::default();
        let mut words = self.compare(text, when, &mut count).unwrap_or_default();
        let mut text = text.to_owned();
        'smaller: loop {
            let Ok(expr) =
                promql::parse(&text.replace("holt_winters", "double_exponential_smoothing"))
            else {
                return (text, words);
            };
            let mut parts = vec![];
            below(&expr, &mut parts);
            for part in parts {
                let part = part.replace("double_exponential_smoothing", "holt_winters");
                if part.len() < text.len()
                    && let Some(found) = self.compare(&part, when, &mut count)
                {
                    (text, words) = (part, found);
                    continue 'smaller;
                }
            }
            return (text, words);
        }
    }
}

fn below(expr: &Expr, into: &mut Vec<String>) {
    for child in expr.children() {
        into.push(child.to_string());
        below(child, into);
    }
}

#[derive(Debug, Default)]
struct Count {
    with_values: usize,
    empty: usize,
    refused: usize,
}

/// Both with the same series; none where there is no Prometheus.
fn both(seed: u64) -> Option<Both> {
    let program = program("prometheus")?;
    let lists = series::made(seed);
    let mut memory = Memory::new(MemoryLimits { bytes: 1 << 30, ..MemoryLimits::default() });
    for (labels, samples) in &lists.0 {
        assert_eq!(memory.append(labels, samples.iter().copied()), samples.len() as u64);
    }
    let folder = tempfile::tempdir().unwrap();
    let config = "global: { scrape_interval: 1m, evaluation_interval: 1m }\n";
    let prometheus = Prometheus::start(&program, folder, config);
    prometheus.write(&lists.0);
    Some(Both { prometheus, lists, memory })
}

/// Says how many there were and what differs, and fails where anything does.
fn tell(what: &str, seed: u64, count: &dyn std::fmt::Debug, wrong: &BTreeMap<String, String>) {
    println!("generated {what}, seed {seed}: {count:?}");
    for (text, words) in wrong {
        let words: String = words.chars().take(2_000).collect();
        println!("DIFFERS {text}\n    {words}");
    }
    assert!(wrong.is_empty(), "{} differ", wrong.len());
}

#[test]
fn expressions_by_chance_have_the_values_that_prometheus_gives() {
    let seed = Chance::seed();
    let Some(both) = both(seed) else { return };
    let mut chance = Chance::new(seed);
    let mut count = Count::default();
    let mut wrong = BTreeMap::new();
    for _ in 0..chance::cases(150) {
        let when = When::by(&mut chance);
        let moments = [when.at, when.range.0, when.range.1].map(seconds);
        let text = Made { chance: &mut chance, moments }.any();
        if both.compare(&text, when, &mut count).is_some() {
            let (text, words) = both.smallest(&text, when);
            wrong.insert(text, words);
        }
    }
    tell("expressions", seed, &count, &wrong);
}

#[test]
fn patterns_by_chance_match_what_they_match_in_prometheus() {
    let seed = Chance::seed();
    let Some(both) = both(seed) else { return };
    let mut chance = Chance::new(seed);
    let mut count = Count::default();
    let mut wrong = BTreeMap::new();
    for _ in 0..chance::cases(100) {
        let pattern = patterns::any(&mut chance);
        // `.` matches a newline in the newer version; names of groups may be
        // written without the P.
        let text = patterns::quoted(&format!("(?s:{pattern})"));
        let when = When::by(&mut chance);
        let when = When { range: (when.at, when.at, 1_000), ..when };
        for text in [
            format!("words{{text=~{text}}}"),
            format!("label_replace(words, \"found\", \"[$0|$1|$n]\", \"text\", {text})"),
        ] {
            if let Some(words) = both.compare(&text, when, &mut count) {
                wrong.insert(text, words);
            }
        }
    }
    tell("patterns", seed, &count, &wrong);
}

/// What the version that is asked refuses, and the one that we follow takes:
/// durations as numbers and computed ones, `1_000`, quoted names, numbers' words
/// as labels, comments within brackets.
fn is_newer(refusal: &str) -> bool {
    [
        "unexpected duration",
        "missing unit character in duration",
        "bad number or duration syntax",
        "in subquery or range",
        "in grouping opts",
        "unexpected string",
        "bad duration syntax",
        "unexpected character inside brackets",
    ]
    .iter()
    .any(|words| refusal.contains(words))
}

#[test]
fn expressions_with_something_changed_are_taken_and_refused_as_by_prometheus() {
    let Some(program) = program("prometheus") else { return };
    let seed = Chance::seed();
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Prometheus::start(&program, folder, "global: {}\n");
    let mut chance = Chance::new(seed ^ 7);
    let mut wrong = BTreeMap::new();
    let [mut taken, mut refused, mut newer] = [0; 3];
    for _ in 0..chance::cases(400) {
        let moments = ["5", "6.5", "-7"].map(str::to_owned);
        let depth = chance.below(3);
        let whole = Made { chance: &mut chance, moments }.vector(depth);
        let text = mistakes::changed(&whole, &mut chance);
        if text.contains("holt_winters") {
            continue;
        }
        let theirs = prometheus.ask("format_query", &[("query", &text)]);
        match (promql::parse(&text), theirs) {
            (Ok(_), Ok(_)) => taken += 1,
            (Err(_), Err(_)) => refused += 1,
            // Within brackets the older version takes any letter for a colon.
            (Err(error), Ok(_)) if error.to_string().contains("to close the range") => newer += 1,
            (Ok(_), Err((_, words))) if is_newer(&words) => newer += 1,
            (ours, theirs) => {
                let ours = ours.map(|expr| expr.to_string()).map_err(|error| error.to_string());
                let theirs = theirs.map_err(|(_, words)| words);
                wrong.insert(text, format!("{ours:?}\n    Prometheus: {theirs:?}"));
            }
        }
    }
    let count = format!("{taken} taken, {refused} refused, {newer} newer");
    tell("changed expressions", seed, &count, &wrong);
}
