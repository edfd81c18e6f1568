//! The last good backup of a data set as a metric tells of it.

use super::restored::{time, whole};
use super::{ENCRYPTED, MIN_SIZE, OFF_HOST};
use crate::config::{Family, Key, Mistakes, Shape, Table, key};
use crate::domain::{
    BackupProblem, BackupReading, EngineKind, Fault, PollError, PollFailure, Reading, Snapshot,
    SourceInfo, Status, Timestamp, harmless_within, units,
};
use crate::metrics::promql::{parse, selectors};
use crate::metrics::{Data, Point};
use crate::sources::client::Shared;
use crate::sources::{Brought, Kind, Made, Source};
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The kind in the registry.
pub(in crate::sources) const KIND: Kind =
    Kind { family: Family::Backup, name: "promql", keys: &[KEYS], network: false, make };

const KEYS: &[Key] = &[
    key(
        "promql",
        Shape::PromQl,
        "PromQL for the moment of the last good backup, in seconds since 1970. Of several series each is a part, so the oldest counts. Asked each minute unless `every` says otherwise.",
    )
    .like(r#"backup_last_success_timestamp_seconds{job="orders"}"#)
    .needed(),
    key("size", Shape::PromQl, "PromQL for its size in bytes; several series are added up.")
        .like(r#"backup_size_bytes{job="orders"}"#),
    key(
        "engine",
        Shape::OneOf(&["server", "embedded"]),
        "Who answers. Left out: opsroom itself where a job that the expression names is scraped; else the server.",
    )
    .like("server"),
    MIN_SIZE,
    OFF_HOST,
    ENCRYPTED,
];

/// A question costs little, and a metric is forgotten soon.
const EVERY: Duration = Duration::from_mins(1);
/// A value below this is no moment: in seconds it is 1973, before all backups.
const EARLIEST: f64 = 1e8;
/// So many series are told apart; of more the rest is left out of the words.
const WORDS: usize = 120;

struct Metric {
    info: SourceInfo,
    shared: Arc<Shared>,
    engine: EngineKind,
    wants: Wants,
}

/// What the config says of it.
struct Wants {
    expr: Arc<str>,
    size: Option<Arc<str>>,
    min_size: u64,
    off_host: Option<bool>,
    encrypted: Option<bool>,
}

fn make(table: &Table, made: Made, _: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, engine, .. } = made;
    let engine = engine?;
    let wants = Wants {
        expr: table.optional_text("promql")?.into(),
        size: table.optional_text("size").map(Into::into),
        min_size: if table.has("min_size") { table.size("min_size") } else { 0 },
        off_host: table.optional_flag("off_host"),
        encrypted: table.optional_flag("encrypted"),
    };
    info.asks = harmless_within(&wants.expr, WORDS);
    if !table.has("every") {
        info.every = EVERY;
    }
    info.network = engine == EngineKind::Server;
    info.cost = match (engine, &wants.size) {
        (EngineKind::Embedded, _) => "nothing beside what is scraped".into(),
        (EngineKind::Server, None) => "1 query".into(),
        (EngineKind::Server, Some(_)) => "2 queries".into(),
    };
    Some(Arc::new(Metric { info, shared, engine, wants }))
}

impl Metric {
    async fn ask(&self, now: Timestamp) -> Result<BackupReading, PollError> {
        let asking = &self.shared.asking;
        let points = points(asking.ask(self.engine, &self.wants.expr, now).await?)?;
        if points.iter().all(|point| point.value.0.is_nan()) {
            // A target that does not answer takes its series with it.
            if let Some(down) = down(&self.wants.expr, self.engine) {
                let down = asking.ask(self.engine, &down.into(), now).await?;
                if let Data::Vector(down) = down
                    && !down.is_empty()
                {
                    let words = format!(
                        "no series matches, and {} down",
                        units::count(down.len(), "target")
                    );
                    return Err(PollError::new(PollFailure::Network, words));
                }
            }
            return Err(PollError::new(PollFailure::Absent, "no series matches"));
        }
        let size = match &self.wants.size {
            Some(expr) => asking.ask(self.engine, expr, now).await.and_then(size),
            None => Ok(None),
        };
        read(&points, size, &self.wants)
    }
}

/// The values of an answer, whatever its type.
fn points(data: Data) -> Result<Vec<Point>, PollError> {
    match data {
        Data::Vector(points) => Ok(points),
        Data::Scalar(value) => Ok(vec![Point { labels: crate::domain::Labels::default(), value }]),
        Data::Text(_) => Err(PollError::broken("the answer is a text, not a moment")),
        Data::Matrix(_) => Err(PollError::broken("the answer is a range, not a moment")),
    }
}

/// Asks whether a target is down of the jobs that are named. A server knows
/// many that have nothing to do with it.
fn down(expr: &str, engine: EngineKind) -> Option<String> {
    let parsed = parse(expr).ok()?;
    let selectors = selectors(&parsed);
    let jobs: Option<BTreeSet<&str>> = selectors.iter().map(|one| one.equal("job")).collect();
    match (jobs.filter(|jobs| !jobs.is_empty()), engine) {
        (Some(jobs), _) => {
            let each = jobs.iter().map(|job| format!("up{{job={job:?}}} == 0"));
            Some(each.collect::<Vec<_>>().join(" or "))
        }
        (None, EngineKind::Embedded) => Some("up == 0".into()),
        (None, EngineKind::Server) => None,
    }
}

/// The sum of all series; none where there is no number.
fn size(data: Data) -> Result<Option<u64>, PollError> {
    let values = points(data)?.into_iter().map(|point| point.value.0);
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    Ok(if values.is_empty() { None } else { whole(values.iter().sum()) })
}

/// The reading from the moments of all parts.
fn read(
    points: &[Point],
    size: Result<Option<u64>, PollError>,
    wants: &Wants,
) -> Result<BackupReading, PollError> {
    let mut reading = BackupReading {
        off_host: wants.off_host,
        encrypted: wants.encrypted,
        place: harmless_within(&wants.expr, WORDS),
        ..BackupReading::default()
    };
    let name = |point: &Point| harmless_within(&point.labels.to_string(), WORDS);
    // What has no number or zero is a part that was never backed up.
    let never = |point: &&Point| point.value.0.is_nan() || point.value.0 == 0.0;
    if let Some(first) = points.iter().find(never) {
        let many = points.iter().filter(never).count();
        if many == points.len() {
            reading.notes.push(format!("{} is {}", name(first), first.value.0));
            return Ok(reading);
        }
        let more = if many > 1 { format!(" and {} more", many - 1) } else { String::new() };
        let words = format!("{}{more}: no backup at all", name(first));
        reading.problems.push(BackupProblem { status: Status::Critical, words });
    }
    let told: Vec<&Point> = points.iter().filter(|point| !never(point)).collect();
    let moment = |point: &Point| {
        let value = point.value.0;
        let at = (value >= EARLIEST).then(|| time(&value.into())).flatten();
        let words =
            || PollError::broken(format!("{value} is no moment: seconds since 1970 are wanted"));
        at.ok_or_else(words)
    };
    let mut oldest: Option<(Timestamp, &Point)> = None;
    for point in &told {
        let at = moment(point)?;
        if oldest.is_none_or(|(before, _)| at < before) {
            oldest = Some((at, point));
        }
    }
    let Some((taken, oldest)) = oldest else { return Ok(reading) };
    if points.len() > 1 {
        let many = points.len();
        reading.notes.push(format!("the oldest of {many} series counts: {}", name(oldest)));
    }
    let size = size.unwrap_or_else(|error| {
        reading.notes.push(format!("size: {}", error.message));
        None
    });
    if wants.size.is_some()
        && size.is_none()
        && reading.notes.iter().all(|n| !n.starts_with("size"))
    {
        reading.notes.push("size: no series matches".into());
    }
    let small = size.filter(|size| *size < wants.min_size && *size > 0).map(|size| Fault {
        status: Status::Critical,
        words: format!(
            "too small: {}, at least {} wanted",
            units::bytes(size as f64),
            units::bytes(wants.min_size as f64)
        ),
    });
    let id = name(oldest);
    reading.snapshots.push(Snapshot { id, taken, took: None, size, fault: small, host: None });
    reading.count = 1;
    Ok(reading)
}

impl Source for Metric {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let begun = self.shared.monotonic();
            let limit = self.info.timeout;
            let found = tokio::time::timeout(limit, self.ask(now)).await;
            let mut found = found.unwrap_or_else(|_| {
                let words = format!("no answer in {}", units::duration(limit));
                Err(PollError::new(PollFailure::Timeout, words))
            })?;
            found.took = self.shared.monotonic().saturating_sub(begun);
            Ok(Brought::Reading(Reading::Backup(Arc::new(found))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::{Labels, Num};
    use crate::metrics::Coverage;
    use crate::sources::{Sources, kind_keys};
    use crate::store::message::{Answer, AskError};

    const NOW: Timestamp = Timestamp::from_millis(1_795_252_353_000);

    fn series(part: &str, value: f64) -> Point {
        Point { labels: Labels::new([("part", part)]), value: Num(value) }
    }

    fn told(points: &[Point]) -> Result<BackupReading, PollError> {
        let wants = Wants {
            expr: "x".into(),
            size: None,
            min_size: 0,
            off_host: Some(true),
            encrypted: None,
        };
        read(points, Ok(None), &wants)
    }

    #[test]
    fn the_oldest_of_several_parts_counts() {
        let reading = told(&[series("a", 1_795_250_000.0), series("b", 1_795_100_000.5)]).unwrap();
        assert_eq!(reading.snapshots[0].taken.millis(), 1_795_100_000_500);
        assert_eq!(reading.notes, [r#"the oldest of 2 series counts: {part="b"}"#]);
        assert_eq!((reading.count, reading.off_host), (1, Some(true)));
        let millis = told(&[series("a", 1_795_250_000_123.0)]).unwrap();
        assert_eq!(millis.snapshots[0].taken.millis(), 1_795_250_000_123);
        assert!(millis.notes.is_empty());
    }

    #[test]
    fn a_part_that_was_never_backed_up_is_bad_however_fresh_the_others_are() {
        let reading = told(&[series("a", 1_795_250_000.0), series("b", 0.0)]).unwrap();
        assert_eq!(reading.problems[0].words, r#"{part="b"}: no backup at all"#);
        assert_eq!(reading.problems[0].status, Status::Critical);
        assert_eq!(reading.snapshots.len(), 1);
        let none = told(&[series("a", 0.0), series("b", f64::NAN)]).unwrap();
        assert_eq!((none.count, none.snapshots.len()), (0, 0));
        // An age where a moment should be.
        let age = told(&[series("a", 43_200.0)]).unwrap_err();
        assert_eq!(age.cause, PollFailure::Broken);
        assert_eq!(age.message, "43200 is no moment: seconds since 1970 are wanted");
        assert!(told(&[series("a", f64::INFINITY)]).is_err());
        assert!(told(&[series("a", -5.0)]).is_err());
    }

    #[test]
    fn only_the_jobs_that_are_named_can_explain_what_is_missing() {
        let server = |expr| down(expr, EngineKind::Server);
        assert_eq!(server("x{job=\"a\"}").unwrap(), "up{job=\"a\"} == 0");
        assert_eq!(server("x"), None);
        assert_eq!(
            server("x{job=\"b\"} or y{job=\"a\"}").unwrap(),
            "up{job=\"a\"} == 0 or up{job=\"b\"} == 0"
        );
        assert_eq!(down("x", EngineKind::Embedded).unwrap(), "up == 0");
    }

    /// What the embedded engine answers to each expression.
    async fn polled(
        more: &str,
        answer: fn(&str) -> (Result<Data, AskError>, Coverage),
    ) -> Result<BackupReading, PollError> {
        let text = format!(
            "[backup.orders]\npromql = 'x'\n{more}\n[scrape.app]\ntargets = ['127.0.0.1:1']\n"
        );
        let mut mistakes = Mistakes::default();
        let config = Config::read(&text, &kind_keys(), &mut mistakes);
        let shared = Shared::new(|| Duration::ZERO, 1);
        let sources = Sources::of(&config, &shared, &mut mistakes);
        assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
        shared.set_embedded(Arc::new(move |ask| {
            let (outcome, coverage) = answer(&ask.expr);
            let (warnings, infos, took) = (Vec::new(), Vec::new(), Duration::ZERO);
            let answer = Arc::new(Answer { ask, outcome, coverage, warnings, infos, took });
            Box::pin(async move { Some(answer) })
        }));
        assert_eq!(sources.all[0].info().every, EVERY);
        match sources.all[0].poll(NOW).await? {
            Brought::Reading(Reading::Backup(reading)) => Ok(BackupReading::clone(&reading)),
            other => panic!("no backups: {other:?}"),
        }
    }

    fn vector(value: f64) -> (Result<Data, AskError>, Coverage) {
        (Ok(Data::Vector(vec![series("a", value)])), Coverage::Whole)
    }

    #[tokio::test]
    async fn what_was_not_seen_is_unknown_and_never_absent() {
        let early = polled("", |_| {
            let (seen, wanted) = (Duration::from_secs(40), Duration::from_mins(5));
            (Ok(Data::Vector(Vec::new())), Coverage::Partial { seen, wanted })
        });
        let early = early.await.unwrap_err();
        assert_eq!((early.cause, early.message.as_str()), (PollFailure::Busy, "40s of 5m seen"));
        let down = polled("", |expr| match expr {
            "x" => (Ok(Data::Vector(Vec::new())), Coverage::Whole),
            "up == 0" => vector(0.0),
            other => panic!("{other} was not to be asked"),
        });
        let down = down.await.unwrap_err();
        assert_eq!(down.cause, PollFailure::Network);
        assert_eq!(down.message, "no series matches, and 1 target down");
        let gone = polled("", |_| (Ok(Data::Vector(Vec::new())), Coverage::Whole));
        let gone = gone.await.unwrap_err();
        assert_eq!((gone.cause, gone.message.as_str()), (PollFailure::Absent, "no series matches"));
        let refused = polled("", |_| {
            (Err(AskError { message: "too many".into(), span: None }), Coverage::Whole)
        });
        assert_eq!(refused.await.unwrap_err().cause, PollFailure::Network);
    }

    #[tokio::test]
    async fn its_size_comes_from_a_second_question() {
        let answer = |expr: &str| {
            if expr == "x" {
                return vector(1_795_250_000.0);
            }
            let points = vec![series("a", 3e6), series("b", 1e6), series("c", f64::NAN)];
            (Ok(Data::Vector(points)), Coverage::Whole)
        };
        let reading = polled("size = 'y'", answer).await.unwrap();
        assert_eq!(reading.snapshots[0].size, Some(4_000_000));
        let small = polled("size = 'y'\nmin_size = '5 MiB'", answer).await.unwrap();
        let words = &small.snapshots[0].fault.as_ref().unwrap().words;
        assert!(words.starts_with("too small: "), "{words}");
        let none = polled("size = 'y'", |expr| match expr {
            "x" => vector(1_795_250_000.0),
            _ => (Ok(Data::Vector(Vec::new())), Coverage::Whole),
        });
        let none = none.await.unwrap();
        assert_eq!((none.snapshots[0].size, none.notes.len()), (None, 1));
    }

    #[test]
    fn a_config_without_anybody_who_answers_is_refused() {
        let mistakes = |text: &str| {
            let mut mistakes = Mistakes::default();
            Config::read(text, &kind_keys(), &mut mistakes);
            let told = mistakes.in_order().into_iter().map(|one| one.message.clone());
            told.collect::<Vec<_>>()
        };
        assert_eq!(mistakes("[backup.a]\npromql = 'x'\n"), ["nobody can answer this"]);
        let scrape = "[scrape.app]\ntargets = ['h:1']\n";
        let server = format!("[backup.a]\npromql = 'x'\nengine = 'server'\n{scrape}");
        assert_eq!(mistakes(&server), ["nobody can answer this"]);
        let wrong = mistakes(&format!("[backup.a]\npromql = 'x{{'\n{scrape}"));
        assert!(wrong[0].starts_with("not PromQL: "), "{wrong:?}");
        let keep = mistakes(&format!("[backup.a]\npromql = 'x'\nkeep = 3\n{scrape}"));
        assert_eq!(keep, ["a metric tells of the last backup, and not how many there are"]);
    }
}
