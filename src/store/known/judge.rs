//! Judging the answer to a signal's question: thresholds, coverage, traffic.

use super::SignalValue;
use super::checks::at_most;
use crate::domain::{
    Labels, Mark, Num, Signal, SignalKind, Status, Thresholds, harmless_within, units,
};
use crate::metrics::{Data, Point};
use crate::store::{Answer, Coverage};

/// So many series of an answer are kept.
const VALUES: usize = 5_000;
/// Labels and messages from outside are cut to so many characters.
const WORDS: usize = 120;
/// Labels that say nothing new beside a signal's name and service.
const PLAIN_LABELS: [&str; 3] = ["__name__", "job", "le"];

/// What became of an answer.
pub(super) enum Outcome {
    /// It can be judged, if only as unknown.
    Judged(Judged),
    /// The engine could not answer; `for_good` if asking again changes nothing.
    Failed { reason: String, for_good: bool },
}

/// A judged answer.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) status: Status,
    pub(super) reason: String,
    pub(super) mark: Option<Mark>,
    pub(super) values: Vec<SignalValue>,
    pub(super) notes: Vec<String>,
}

/// How many requests there were in the window.
enum Requests {
    Untold,
    Told(Vec<Point>),
}

impl Requests {
    /// Those of one series: by its labels, or all together.
    fn of(&self, labels: &Labels) -> Option<f64> {
        let Self::Told(points) = self else { return None };
        if let Some(point) = points.iter().find(|point| point.labels == *labels) {
            return Some(if point.value.0.is_nan() { 0.0 } else { point.value.0 });
        }
        Some(points.iter().map(|point| point.value.0).filter(|count| count.is_finite()).sum())
    }
}

/// Judges an answer. Each series is judged, the worst counts. Series that are
/// NaN are unknown; where others have values, those alone decide.
pub(super) fn judge(
    signal: &Signal,
    answer: &Answer,
    requests: Option<&Answer>,
    traffic: Option<&str>,
) -> Outcome {
    let notes: Vec<String> =
        answer.warnings.iter().map(|warning| harmless_within(warning, WORDS)).collect();
    let unknown = |reason: String, mark: Option<Mark>, values: Vec<SignalValue>| {
        let notes = notes.clone();
        Outcome::Judged(Judged { status: Status::Unknown, reason, mark, values, notes })
    };
    for part in [Some(answer), requests].into_iter().flatten() {
        if let Err(error) = &part.outcome {
            let reason = harmless_within(&error.message, WORDS);
            return Outcome::Failed { reason, for_good: error.span.is_some() };
        }
        if let Coverage::Partial { seen, wanted } = part.coverage {
            let reason = if seen.is_zero() {
                "nothing has been scraped yet".to_owned()
            } else {
                format!("{} of {} seen", units::age(seen), units::age(wanted))
            };
            return unknown(reason, Some(Mark::Uncovered { seen, wanted }), Vec::new());
        }
    }
    let Some(points) = points(answer) else {
        return unknown("the answer is a text, not a number".into(), None, Vec::new());
    };
    if points.is_empty() {
        return unknown("no series matches".into(), None, Vec::new());
    }
    let requests = match requests.map(points_of_requests) {
        Some(points) => Requests::Told(points),
        None => Requests::Untold,
    };
    let mut values: Vec<(SignalValue, Said)> =
        points.into_iter().map(|point| value(signal, point, &requests)).collect();
    // Worst first; among equals those that are furthest, then by their labels.
    values.sort_by(|(a, _), (b, _)| {
        let (x, y) = (a.value.0, b.value.0);
        let further = if signal.thresholds.below { x.total_cmp(&y) } else { y.total_cmp(&x) };
        let status = b.status.cmp(&a.status);
        status.then(x.is_nan().cmp(&y.is_nan())).then(further).then_with(|| a.labels.cmp(&b.labels))
    });
    let told =
        values.iter().find(|(value, said)| !value.value.0.is_nan() && *said != Said::NoTraffic);
    let single = values.len() == 1;
    let verdict = match told {
        None => {
            // 0/0: nothing came in. Elsewhere NaN says no more than that.
            let (reason, mark) = if counts_requests(signal) {
                ("no traffic", Some(Mark::NoTraffic))
            } else {
                ("no value (NaN)", None)
            };
            let values = values.into_iter().map(|(value, _)| value).collect();
            return unknown(reason.into(), mark, values);
        }
        Some((worst, said)) => {
            let mut reason = words(signal, worst, single);
            let bad = values.iter().filter(|(value, _)| value.status == worst.status).count();
            if worst.status >= Status::Warning && bad > 1 {
                reason = format!("{reason}, {} more", bad - 1);
            }
            if single && let Some(traffic) = traffic {
                reason = format!("{reason}, {traffic}");
            }
            let mark = match said {
                Said::LittleTraffic(count) => {
                    let count = units::number(*count);
                    reason = format!("{reason}, little traffic: {count} in the window");
                    Some(Mark::LittleTraffic)
                }
                Said::Plainly | Said::NoTraffic => None,
            };
            (worst.status, reason, mark)
        }
    };
    let (status, reason, mark) = verdict;
    let mut notes = notes;
    if values.len() > VALUES {
        notes.push(format!("{} series; the worst {VALUES} are shown", values.len()));
        values.truncate(VALUES);
    }
    let values = values.into_iter().map(|(value, _)| value).collect();
    Outcome::Judged(Judged { status, reason, mark, values, notes })
}

/// Whether a value that is NaN means that there were no requests.
fn counts_requests(signal: &Signal) -> bool {
    let kinds = [SignalKind::Errors, SignalKind::Latency, SignalKind::Traffic];
    let shown_only = signal.thresholds.warning.is_none() && signal.thresholds.critical.is_none();
    kinds.contains(&signal.kind)
        || signal.min_requests.is_some()
        || (signal.service.is_some() && shown_only)
}

/// What was said of one series beside its status.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Plainly,
    LittleTraffic(f64),
    NoTraffic,
}

fn value(signal: &Signal, point: Point, requests: &Requests) -> (SignalValue, Said) {
    let Point { labels, value } = point;
    let beyond = beyond(&signal.thresholds, value.0);
    let judged = at_most(beyond, signal.at_most);
    let (status, said) = match (&signal.min_requests, requests.of(&labels)) {
        (Some(_), Some(count)) if count <= 0.0 => (Status::Unknown, Said::NoTraffic),
        (Some((_, least)), Some(count)) if count < *least => {
            (judged.min(Status::Warning), Said::LittleTraffic(count))
        }
        _ => (judged, Said::Plainly),
    };
    (SignalValue { labels, value, status }, said)
}

/// Which threshold a value is beyond; unknown where it is no number.
fn beyond(thresholds: &Thresholds, value: f64) -> Status {
    let is_beyond = |threshold: Option<f64>| {
        threshold.is_some_and(|at| if thresholds.below { value < at } else { value > at })
    };
    if value.is_nan() {
        Status::Unknown
    } else if is_beyond(thresholds.critical) {
        Status::Critical
    } else if is_beyond(thresholds.warning) {
        Status::Warning
    } else {
        Status::Ok
    }
}

/// One series in words: `5xx 12.4% > 5%`, `disk 8% free < 10% on db-1:9100 /var`.
pub(super) fn words(signal: &Signal, value: &SignalValue, alone: bool) -> String {
    let thresholds = &signal.thresholds;
    let number = units::value(value.value.0, signal.unit);
    let mut text = match signal.kind {
        SignalKind::Disk => format!("{} {number} free", signal.label),
        _ => format!("{} {number}", signal.label),
    };
    let threshold = match beyond(thresholds, value.value.0) {
        Status::Critical => thresholds.critical,
        Status::Warning => thresholds.warning,
        Status::Unknown | Status::Ok => None,
    };
    if let Some(threshold) = threshold {
        let sign = if thresholds.below { '<' } else { '>' };
        text = format!("{text} {sign} {}", units::value(threshold, signal.unit));
    }
    let place = place(&value.labels);
    if !place.is_empty() && (!alone || signal.hosts.is_some()) {
        text = format!("{text} on {place}");
    }
    harmless_within(&text, WORDS)
}

/// What tells a series from the others: the values of its labels, `instance` first.
fn place(labels: &Labels) -> String {
    let telling = labels.iter().filter(|(name, _)| !PLAIN_LABELS.contains(&&***name));
    let mut telling: Vec<_> =
        telling.map(|(name, value)| (&**name != "instance", &**value)).collect();
    telling.sort_by_key(|(later, _)| *later);
    let values: Vec<String> =
        telling.into_iter().take(3).map(|(_, value)| harmless_within(value, 40)).collect();
    values.join(" ")
}

/// The values of an answer; of a range the last of each series.
fn points(answer: &Answer) -> Option<Vec<Point>> {
    match answer.outcome.as_ref().ok()? {
        Data::Scalar(value) => Some(vec![Point { labels: Labels::default(), value: Num(value.0) }]),
        Data::Text(_) => None,
        Data::Vector(points) => Some(points.clone()),
        Data::Matrix(lines) => {
            let last = lines.iter().filter_map(|line| {
                let (_, value) = line.points.last()?;
                Some(Point { labels: line.labels.clone(), value: *value })
            });
            Some(last.collect())
        }
    }
}

fn points_of_requests(answer: &Answer) -> Vec<Point> {
    points(answer).unwrap_or_default()
}
