//! Runs unit tests of rules: the same steps as promtool's, the same verdicts.

use super::super::engine::{Context, Earlier, GroupState, Health, State, evaluate};
use super::super::file::Group;
use super::file::{AlertTest, ExprTest, TestCase, TestFile};
use super::notation::Written;
use crate::domain::Labels;
use crate::metrics::promql::{self, Limits};
use crate::metrics::{self, Data, Memory, STALE_BITS, Sample};
use crate::rules::duration;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many evaluations may one test take.
const MOST_STEPS: u128 = 1_000_000;

/// Groups and the file that each is in.
pub type RulesOf<'r> = [(&'r str, &'r Group)];

/// An expectation that did not come true.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The test's name; may be empty.
    pub test: String,
    /// Where the expectation stands in the file, from 1; 0 where it is the whole test.
    pub line: usize,
    /// What it is about: `alert Down at 5m`.
    pub about: String,
    /// What was expected, line by line, in order.
    pub expected: Vec<String>,
    /// What came.
    pub got: Vec<String>,
    /// Why it could not even be compared.
    pub error: Option<String>,
}

/// Runs all tests; what did not come true, in the order of the file.
pub fn run(file: &TestFile, rules: &RulesOf<'_>) -> Vec<Failure> {
    file.tests.iter().flat_map(|test| Bench::new(file, test, rules).run()).collect()
}

struct Bench<'t> {
    file: &'t TestFile,
    test: &'t TestCase,
    memory: Memory,
    groups: Vec<(String, &'t Group, GroupState)>,
    failures: Vec<Failure>,
}

impl<'t> Bench<'t> {
    fn new(file: &'t TestFile, test: &'t TestCase, rules: &RulesOf<'t>) -> Self {
        let all = metrics::Limits {
            age: Duration::from_secs(1 << 40),
            bytes: usize::MAX / 4,
            series_per_target: 1 << 24,
        };
        let mut groups: Vec<(String, &Group, GroupState)> = rules
            .iter()
            .map(|(path, group)| (format!("{path};{}", group.name), *group, GroupState::new(group)))
            .collect();
        let place = |name: &str| file.order.iter().position(|known| known == name).unwrap_or(0);
        groups.sort_by_key(|(_, group, _)| place(&group.name));
        Self { file, test, memory: Memory::new(all), groups, failures: Vec::new() }
    }

    fn fail(&mut self, line: usize, about: String, error: String) {
        let (expected, got) = (Vec::new(), Vec::new());
        let test = self.test.name.clone();
        self.failures.push(Failure { test, line, about, expected, got, error: Some(error) });
    }

    fn run(mut self) -> Vec<Failure> {
        let interval =
            if self.test.interval.is_zero() { self.file.every } else { self.test.interval };
        for (labels, values) in &self.test.series {
            let mut at = self.test.start;
            let samples = values.iter().filter_map(|value| {
                let moment = at;
                at = at + interval;
                let value = match value {
                    Written::None => return None,
                    Written::Stale => f64::from_bits(STALE_BITS),
                    Written::Value(value) => *value,
                };
                Some(Sample { at: moment, value })
            });
            self.memory.append(labels, samples);
        }
        let times = self.test.alerts.iter().map(|test| test.at);
        let times = times.chain(self.test.exprs.iter().map(|test| test.at));
        let last = times.max().unwrap_or_default();
        let every = self.file.every;
        if last.as_millis() / every.as_millis().max(1) > MOST_STEPS {
            let words = format!("more than {MOST_STEPS} evaluations until the last eval_time");
            self.fail(0, "the test".into(), words);
            return self.failures;
        }
        let mut at = Duration::ZERO;
        while at <= last {
            self.evaluate(at);
            for test in &self.test.alerts {
                if at <= test.at && test.at < at + every {
                    self.alerts(test);
                }
            }
            at += every;
        }
        for test in &self.test.exprs {
            self.expr(test);
        }
        self.failures
    }

    fn limits(&self) -> Limits {
        Limits { subquery_step: self.file.every, samples: u64::MAX, ..Limits::default() }
    }

    fn evaluate(&mut self, at: Duration) {
        let context = Context {
            external_labels: &self.test.external_labels,
            external_url: &self.test.external_url,
            limits: self.limits(),
            every: self.file.every,
            restores: false,
            earlier: &Earlier::default(),
        };
        let moment = self.test.start + at;
        let mut wrong = Vec::new();
        for (id, group, state) in &mut self.groups {
            for (rule, state) in group.rules.iter().zip(&mut state.rules) {
                evaluate(&mut self.memory, (group, id), rule, state, moment, &context);
                if let Health::Failed(words) = &state.health {
                    wrong.push((rule.name.to_string(), words.clone()));
                }
            }
        }
        for (name, words) in wrong {
            self.fail(0, format!("rule {name} at {}", duration::written(at)), words);
        }
    }

    fn alerts(&mut self, test: &AlertTest) {
        let mut got = Vec::new();
        for (_, group, state) in &self.groups {
            for (rule, state) in group.rules.iter().zip(&state.rules) {
                if !rule.is_alert() || *rule.name != *test.name {
                    continue;
                }
                for (labels, alert) in
                    state.active.iter().filter(|(_, it)| it.state == State::Firing)
                {
                    let words = alert.annotations.iter();
                    let words = words.map(|(name, text)| (name.to_string(), text.clone()));
                    got.push((labels.clone(), words.collect::<Vec<_>>()));
                }
            }
        }
        let mut expected = test.expected.clone();
        expected.sort();
        got.sort();
        if expected != got {
            let lines =
                |all: &[(Labels, Vec<(String, String)>)]| all.iter().flat_map(told).collect();
            self.failures.push(Failure {
                test: self.test.name.clone(),
                line: test.line,
                about: format!("alert {} at {}", test.name, duration::written(test.at)),
                expected: lines(&expected),
                got: lines(&got),
                error: None,
            });
        }
    }

    fn expr(&mut self, test: &ExprTest) {
        let about = format!("{} at {}", test.text, duration::written(test.at));
        let moment = self.test.start + test.at;
        let data = promql::instant(&test.expr, &self.memory, moment, &self.limits());
        let mut got: BTreeMap<Labels, f64> = match data.map(|found| found.data) {
            Ok(Data::Vector(points)) => {
                points.into_iter().map(|point| (point.labels, point.value.0)).collect()
            }
            Ok(Data::Scalar(value)) => BTreeMap::from([(Labels::default(), value.0)]),
            Ok(Data::Text(_) | Data::Matrix(_)) => {
                return self.fail(test.line, about, "rule result is not a vector or scalar".into());
            }
            Err(error) => return self.fail(test.line, about, error.message),
        };
        let line = |labels: &Labels, value: f64| format!("{labels} {}", crate::domain::Num(value));
        let mut lines: Vec<String> =
            test.expected.iter().map(|one| line(&one.labels, one.value)).collect();
        let came: Vec<String> = got.iter().map(|(labels, value)| line(labels, *value)).collect();
        let is_near = |a: f64, b: f64| {
            let is = |a: f64| a.partial_cmp(&b) == Some(std::cmp::Ordering::Equal);
            is(a) || self.file.fuzzy && (is(a.next_up()) || is(a.next_down()))
        };
        let all = test
            .expected
            .iter()
            .all(|one| got.remove(&one.labels).is_some_and(|value| is_near(one.value, value)));
        if !(all && got.is_empty()) {
            lines.sort();
            self.failures.push(Failure {
                test: self.test.name.clone(),
                line: test.line,
                about,
                expected: lines,
                got: came,
                error: None,
            });
        }
    }
}

/// An alert, line by line.
fn told((labels, words): &(Labels, Vec<(String, String)>)) -> Vec<String> {
    let mut lines = vec![labels.to_string()];
    lines.extend(words.iter().map(|(name, text)| format!("  {name}: {text}")));
    lines
}
