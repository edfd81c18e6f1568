//! On paused time, with polls and answers made up.

use super::*;
use crate::config::Found;
use crate::domain::runs::AlertSeen;
use crate::domain::{
    AlertState, AlertsReading, CheckReading, Labels, Num, PollError, PollFailure, Quiet, Reported,
    ServiceName, Severity,
};
use crate::metrics::{Data, Point};
use crate::store::{Answer, Answered, Coverage, Polled};
use std::collections::HashMap;

const CONFIG: &str = r#"
    prometheus = "http://127.0.0.1:9/"
    alertmanager = "http://127.0.0.1:9/am"
    [service.api]
    health = "http://127.0.0.1:9/healthz"
    [service.api.signal.errors]
    expr = 'sum(rate(r{code=~"5.."}[1m])) / sum(rate(r[1m]))'
    unit = "ratio"
    critical = "5%"
    [service.web]
    health = "http://127.0.0.1:9/"
"#;
const EXPR: &str = r#"sum(rate(r{code=~"5.."}[1m])) / sum(rate(r[1m])) > 0.05"#;
const SHARE: &str = r#"sum(rate(r{code=~"5.."}[1m])) / sum(rate(r[1m]))"#;
const ALL: &str = "sum(rate(r[1m]))";
const S: Duration = Duration::from_secs(1);

type Table = Arc<Mutex<HashMap<String, Vec<f64>>>>;

/// Eyes whose world is made up.
struct Bench {
    inner: Arc<Inner>,
    table: Table,
    asked: Arc<Mutex<Vec<Ask>>>,
    ordered: Arc<Mutex<Vec<Effect>>>,
}

impl Bench {
    fn of(subject: Subject) -> Self {
        let found = Found { path: "/nowhere/config.toml".into(), text: CONFIG.into() };
        let assembled =
            Assembled::of(&found, false).unwrap_or_else(|wrong| panic!("{}", wrong.text));
        let table = Table::default();
        let answers = Arc::clone(&table);
        let ask: AskEngine = Arc::new(move |expr, _, at| {
            let mut values = answers.lock().unwrap().get(&*expr).cloned();
            if values.is_none() && expr.starts_with("min(timestamp(") {
                values = Some(vec![at.seconds()]);
            }
            let points = values.unwrap_or_default().into_iter();
            let point = |value| Point { labels: Labels::default(), value: Num(value) };
            let data = Data::Vector(points.map(point).collect());
            Box::pin(async move { Ok((data, Coverage::Whole)) })
        });
        let (asked, ordered) =
            (Arc::<Mutex<Vec<Ask>>>::default(), Arc::<Mutex<Vec<Effect>>>::default());
        let (asks, orders) = (Arc::clone(&asked), Arc::clone(&ordered));
        let execute = move |effect: Effect, _| match effect {
            Effect::Ask(ask) => asks.lock().unwrap().push(ask),
            other => orders.lock().unwrap().push(other),
        };
        let clock = Clock::following_tokio(Timestamp::from_millis(1_800_000_000_000));
        let inner = Inner::of(assembled.inventory, subject, clock, ask, Box::new(execute));
        Self { inner, table, asked, ordered }
    }

    fn started_from(alert: &Labels, expression: &str) -> Self {
        Self::about(None, alert, expression)
    }

    fn about(service: Option<&str>, alert: &Labels, expression: &str) -> Self {
        let alert = AlertSeen {
            identity: alert.fingerprint(),
            labels: alert.clone(),
            expression: expression.into(),
            reason: "x".into(),
            since: Timestamp::from_millis(0),
            pending: false,
        };
        Self::of(Subject { service: service.map(ServiceName::from), alert: Some(alert) })
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn set(&self, expr: &str, values: &[f64]) {
        self.table.lock().unwrap().insert(expr.into(), values.to_vec());
    }

    /// A second goes by; what signals ask is answered with this value.
    async fn second(&self, signal: f64) {
        tokio::time::advance(S).await;
        self.inner.hear(&Msg::Ticked);
        let asks = std::mem::take(&mut *self.asked.lock().unwrap());
        let answers = asks.into_iter().map(|ask| {
            let point = Point { labels: Labels::default(), value: Num(signal) };
            let id = ask.id.clone();
            let (outcome, coverage) = (Ok(Data::Vector(vec![point])), Coverage::Whole);
            let answer = Answer {
                ask,
                outcome,
                coverage,
                warnings: Vec::new(),
                infos: Vec::new(),
                took: Duration::ZERO,
            };
            Answered { id, answer: Arc::new(answer) }
        });
        self.inner.hear(&Msg::Answered(answers.collect()));
    }

    fn poll(&self, source: &str, outcome: Result<Reading, PollError>) {
        let now = self.now();
        let polled = Polled {
            source: source.into(),
            taken: now,
            next: now + S,
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome,
        };
        self.inner.hear(&Msg::Polled(vec![polled]));
    }

    fn check(&self, source: &str, status: Status) {
        let reading =
            CheckReading { status, summary: "HTTP 200".into(), ..CheckReading::default() };
        self.poll(source, Ok(Reading::Check(reading)));
    }

    fn alerts(&self, source: &str, alerts: Vec<Reported>) {
        let reading = AlertsReading { alerts, ..AlertsReading::default() };
        self.poll(source, Ok(Reading::Alerts(Arc::new(reading))));
    }

    fn quiet_alerts(&self) {
        self.alerts("alertmanager", Vec::new());
        self.alerts("prometheus/alerts", Vec::new());
    }

    async fn find(&self, condition: &Condition, after: Timestamp) -> (Holds, String) {
        let found = self.inner.find(condition, after).await;
        (found.holds, found.words)
    }
}

fn down() -> Result<Reading, PollError> {
    Err(PollError::new(PollFailure::Refused, "connection refused"))
}

fn service(name: &str) -> Condition {
    Condition::Service { name: ServiceName::from(name), status: Status::Ok }
}

fn resolved(name: &str) -> Condition {
    Condition::Alert { name: name.into(), firing: false }
}

fn promql(expr: &str) -> Condition {
    Condition::Promql { expr: expr.into() }
}

fn reported(labels: &Labels, state: AlertState, quiet: Vec<Quiet>) -> Reported {
    Reported {
        labels: labels.clone(),
        annotations: BTreeMap::new(),
        state,
        severity: Severity::Critical,
        since: Timestamp::from_millis(1_799_999_000_000),
        since_at_least: false,
        quiet,
        receivers: Vec::new(),
        expression: String::new(),
        value: None,
        link: None,
    }
}

fn labels(instance: &str) -> Labels {
    Labels::new([("alertname", "ApiErrors"), ("instance", instance)])
}

#[tokio::test(start_paused = true)]
async fn a_check_is_ok_when_it_was_as_often_as_a_change_has_to_be_seen() {
    let bench = Bench::of(Subject::default());
    let condition = Condition::Check { name: "api/health".into(), status: Status::Ok };
    for _ in 0..5 {
        bench.second(0.0).await;
        bench.check("check/api/health", Status::Ok);
    }
    bench.second(0.0).await;
    let after = bench.now();
    assert_eq!(bench.find(&condition, after).await.0, Holds::Unknown);
    for seen in 1..3 {
        bench.second(0.0).await;
        bench.check("check/api/health", Status::Ok);
        let (holds, words) = bench.find(&condition, after).await;
        assert_eq!(
            (holds, words),
            (Holds::Unknown, format!("not sure yet: {seen} of 3 ok answers"))
        );
    }
    bench.second(0.0).await;
    bench.check("check/api/health", Status::Ok);
    assert_eq!(bench.find(&condition, after).await.0, Holds::Yes);
    // It dies again: that is asked again first, and then it is no.
    bench.second(0.0).await;
    bench.check("check/api/health", Status::Critical);
    assert_eq!(bench.find(&condition, after).await.0, Holds::Unknown);
    for _ in 0..2 {
        bench.second(0.0).await;
        bench.check("check/api/health", Status::Critical);
    }
    assert_eq!(bench.find(&condition, after).await.0, Holds::No);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_proves_nothing() {
    let bench = Bench::of(Subject::default());
    let after = bench.now();
    for condition in [
        service("nobody"),
        Condition::Check { name: "nothing".into(), status: Status::Ok },
        Condition::Check { name: "health".into(), status: Status::Ok },
        Condition::Backup { name: "nothing".into() },
        promql("sum("),
        promql("1 > 0"),
        promql("no_such_series"),
        promql("no_such_series > 1"),
    ] {
        let (holds, words) = bench.find(&condition, after).await;
        assert_eq!(holds, Holds::Unknown, "{condition:?}: {words}");
        assert!(!words.is_empty());
    }
}

/// All is well but the signal, which says this.
async fn a_minute_of(bench: &Bench, signal: f64) {
    for _ in 0..90 {
        bench.second(signal).await;
        bench.check("check/api/health", Status::Ok);
        bench.quiet_alerts();
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_is_ok_when_one_whole_window_of_its_signals_is() {
    let bench = Bench::of(Subject::default());
    a_minute_of(&bench, 0.12).await;
    let after = bench.now();
    for _ in 0..40 {
        bench.second(0.001).await;
        bench.check("check/api/health", Status::Ok);
        bench.quiet_alerts();
    }
    let (holds, words) = bench.find(&service("api"), after).await;
    assert_eq!(holds, Holds::Unknown);
    assert_eq!(words, "errors: waiting: 40s of 1m seen so far");
    a_minute_of(&bench, 0.001).await;
    assert_eq!(bench.find(&service("api"), after).await.0, Holds::Yes);
    // The server still gives samples of before the change.
    let old = (after - Duration::from_secs(20)).seconds();
    bench.set("min(timestamp(r))", &[old]);
    let (holds, words) = bench.find(&service("api"), after).await;
    assert_eq!(holds, Holds::Unknown);
    assert_eq!(words, "errors: waiting: the data is still of 20s before the change");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_fixed_is_not_ok() {
    let bench = Bench::of(Subject::default());
    let after = bench.now();
    a_minute_of(&bench, 0.12).await;
    let (holds, words) = bench.find(&service("api"), after).await;
    assert_eq!(holds, Holds::No);
    assert!(words.starts_with("critical: errors 12% > 5%"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn without_traffic_or_without_whoever_tells_of_alerts_nothing_is_proved() {
    let bench = Bench::of(Subject::default());
    let after = bench.now();
    a_minute_of(&bench, f64::NAN).await;
    let (holds, words) = bench.find(&service("api"), after).await;
    assert_eq!(holds, Holds::Unknown, "{words}");
    a_minute_of(&bench, 0.0).await;
    assert_eq!(bench.find(&service("api"), after).await.0, Holds::Yes);
    bench.second(0.0).await;
    bench.poll("alertmanager", down());
    let (holds, words) = bench.find(&service("api"), after).await;
    assert_eq!((holds, words.as_str()), (Holds::Unknown, "alertmanager: connection refused"));
}

#[tokio::test(start_paused = true)]
async fn an_alert_fires_is_silenced_is_pending_is_over() {
    let bench = Bench::of(Subject::default());
    let condition = resolved("ApiErrors");
    let after = bench.now();
    bench.second(0.0).await;
    assert_eq!(bench.find(&condition, after).await.0, Holds::Unknown);
    let silenced =
        Quiet::Silenced { id: "1".into(), by: "li".into(), until: None, comment: String::new() };
    for (alerts, holds, words) in [
        (vec![(AlertState::Firing, vec![])], Holds::No, "firing for"),
        (vec![(AlertState::Firing, vec![silenced])], Holds::Unknown, "firing, and silenced by li"),
        (vec![(AlertState::Pending, vec![])], Holds::Unknown, "pending"),
        (vec![], Holds::Yes, "not firing, as"),
    ] {
        bench.second(0.0).await;
        let alerts = alerts.into_iter();
        let alerts = alerts.map(|(state, quiet)| reported(&labels("a"), state, quiet));
        bench.alerts("alertmanager", alerts.collect());
        bench.alerts("prometheus/alerts", Vec::new());
        let found = bench.find(&condition, after).await;
        assert_eq!(found.0, holds, "{found:?}");
        assert!(found.1.starts_with(words), "{found:?}");
        let firing = Condition::Alert { name: "ApiErrors".into(), firing: true };
        let opposite = match holds {
            Holds::Yes => Holds::No,
            Holds::No => Holds::Yes,
            Holds::Unknown => Holds::Unknown,
        };
        assert_eq!(bench.find(&firing, after).await.0, opposite);
    }
}

#[tokio::test(start_paused = true)]
async fn every_teller_is_heard_and_one_that_came_back_is_not_believed_at_once() {
    let bench = Bench::of(Subject::default());
    let condition = resolved("ApiErrors");
    let after = bench.now();
    bench.second(0.0).await;
    bench.alerts("prometheus/alerts", Vec::new());
    bench.poll("alertmanager", down());
    let found = bench.find(&condition, after).await;
    assert_eq!(found, (Holds::Unknown, "alertmanager: connection refused".into()));
    bench.second(0.0).await;
    bench.quiet_alerts();
    let found = bench.find(&condition, after).await;
    assert_eq!(found.0, Holds::Unknown);
    assert!(found.1.contains("it may not know all alerts again"), "{found:?}");
    for _ in 0..95 {
        bench.second(0.0).await;
        bench.quiet_alerts();
    }
    assert_eq!(bench.find(&condition, after).await.0, Holds::Yes);
}

#[tokio::test(start_paused = true)]
async fn started_from_an_alert_that_one_alone_counts_and_its_expression_is_asked_again() {
    let bench = Bench::started_from(&labels("a"), EXPR);
    let condition = resolved("ApiErrors");
    let after = bench.now();
    let other = reported(&labels("b"), AlertState::Firing, Vec::new());
    let quiet = || {
        bench.alerts("alertmanager", vec![other.clone()]);
        bench.alerts("prometheus/alerts", vec![other.clone()]);
    };
    for _ in 0..40 {
        bench.second(0.0).await;
    }
    quiet();
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::Unknown);
    assert!(words.ends_with("waiting: 40s of 1m seen so far"), "{words}");
    for _ in 0..40 {
        bench.second(0.0).await;
    }
    quiet();
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::Unknown, "no data at all: {words}");
    assert!(words.ends_with("no data: nothing matches any more"), "{words}");
    bench.set(SHARE, &[f64::NAN]);
    assert_eq!(bench.find(&condition, after).await.0, Holds::Unknown, "NaN");
    bench.set(SHARE, &[0.01]);
    bench.set(ALL, &[0.0]);
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::Unknown, "no requests: {words}");
    assert!(words.ends_with("no traffic"), "{words}");
    bench.set(ALL, &[40.0]);
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::Yes);
    assert_eq!(words, "not firing, its expression is empty: 0.01, not > 0.05");
    // A process that has just begun has no failed requests to tell of.
    bench.set(SHARE, &[]);
    assert_eq!(bench.find(&condition, after).await.0, Holds::Yes);
    bench.set(EXPR, &[0.12]);
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::No);
    assert_eq!(words, "its expression holds again: 0.12 > 0.05");
}

#[tokio::test(start_paused = true)]
async fn a_service_is_not_ok_while_the_expression_of_the_runs_alert_holds() {
    let bench = Bench::about(Some("web"), &labels("web"), EXPR);
    let condition = Condition::Service { name: "web".into(), status: Status::Ok };
    let after = bench.now();
    let seconds = |count| {
        let bench = &bench;
        async move {
            for _ in 0..count {
                bench.second(0.0).await;
                bench.check("check/web/health", Status::Ok);
                bench.quiet_alerts();
            }
        }
    };
    bench.set(ALL, &[40.0]);
    bench.set(SHARE, &[0.12]);
    bench.set(EXPR, &[0.12]);
    // Nobody has raised it again yet.
    seconds(30).await;
    let words = "alert ApiErrors: not firing, its expression proves nothing: waiting: 30s of 1m seen so far";
    assert_eq!(bench.find(&condition, after).await, (Holds::Unknown, words.into()));
    seconds(40).await;
    let words = "alert ApiErrors: its expression holds again: 0.12 > 0.05";
    assert_eq!(bench.find(&condition, after).await, (Holds::No, words.into()));
    bench.set(SHARE, &[0.01]);
    bench.set(EXPR, &[]);
    assert_eq!(bench.find(&condition, after).await.0, Holds::Yes);
    // Without any series it says nothing, and all else says ok.
    bench.set(SHARE, &[]);
    bench.set(ALL, &[]);
    assert_eq!(bench.find(&condition, after).await.0, Holds::Yes);
    // Of another service it says nothing.
    let bench = Bench::about(Some("api"), &labels("api"), EXPR);
    bench.set(EXPR, &[0.12]);
    bench.set(ALL, &[40.0]);
    let after = bench.now();
    for _ in 0..70 {
        bench.second(0.0).await;
        bench.check("check/web/health", Status::Ok);
        bench.quiet_alerts();
    }
    assert_eq!(bench.find(&condition, after).await.0, Holds::Yes);
}

#[tokio::test(start_paused = true)]
async fn an_expression_holds_where_it_gives_something_of_after_the_change() {
    let bench = Bench::of(Subject::default());
    let after = bench.now();
    tokio::time::advance(S * 120).await;
    let find = |expr: &'static str| {
        let bench = &bench;
        async move { bench.find(&promql(expr), after).await }
    };
    bench.set("up{job=\"api\"} == 1", &[1.0]);
    assert_eq!(find("up{job=\"api\"} == 1").await, (Holds::Yes, "1 == 1".into()));
    bench.set("up{job=\"db\"}", &[0.0]);
    assert_eq!(find("up{job=\"db\"} == 1").await, (Holds::No, "0, not == 1".into()));
    bench.set("x > 1", &[f64::NAN]);
    assert_eq!(find("x > 1").await.0, Holds::Unknown);
    let low = "sum(rate(r{code=~\"5..\"}[1m])) < 1";
    bench.set(low, &[0.0]);
    assert_eq!(find(low).await, (Holds::Unknown, "no traffic".into()));
    bench.set(ALL, &[3.0]);
    assert_eq!(find(low).await.0, Holds::Yes);
    let before = "up{job=\"api\"} @ 5 == 1";
    assert_eq!(find(before).await.0, Holds::Unknown);
    assert_eq!(find("absent(up{job=\"api\"})").await.0, Holds::No);
    let old = (after - Duration::from_secs(5)).seconds();
    bench.set("min(timestamp(up{job=\"api\"}))", &[old]);
    assert_eq!(
        find("up{job=\"api\"} == 1").await,
        (Holds::Unknown, "waiting: the data is still of 5s before the change".into())
    );
}

#[tokio::test(start_paused = true)]
async fn opsrooms_own_alert_ends_with_its_signal() {
    let bench = Bench::of(Subject::default());
    a_minute_of(&bench, 0.12).await;
    let raised = bench.inner.seen().known.alerts.first().cloned().unwrap();
    let bench = Bench::started_from(&raised.labels, &raised.expression);
    let condition = resolved(raised.name());
    let after = bench.now();
    a_minute_of(&bench, 0.12).await;
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::No, "{words}");
    let after = bench.now();
    for _ in 0..90 {
        bench.second(0.001).await;
    }
    // Alertmanager is dead, and could not raise this one.
    bench.poll("alertmanager", down());
    let (holds, words) = bench.find(&condition, after).await;
    assert_eq!(holds, Holds::Yes, "{words}");
}

#[tokio::test(start_paused = true)]
async fn what_is_needed_is_hurried_and_nothing_twice() {
    let bench = Bench::of(Subject::default());
    let condition = Condition::Check { name: "api/health".into(), status: Status::Ok };
    bench.inner.hurry(&[&condition]);
    let orders = || std::mem::take(&mut *bench.ordered.lock().unwrap());
    let health = SourceId::from("check/api/health");
    let first = orders();
    assert_eq!(first[0], Effect::PollNow(health.clone()));
    assert_eq!(first.len(), 3, "as often as a change has to be seen");
    bench.check("check/api/health", Status::Ok);
    orders();
    bench.inner.hurry(&[&condition]);
    assert_eq!(orders(), []);
}

#[test]
fn no_more_is_watched_than_is_needed() {
    let found = Found { path: "/nowhere/config.toml".into(), text: CONFIG.into() };
    let assembled = Assembled::of(&found, false).unwrap_or_else(|wrong| panic!("{}", wrong.text));
    let of = |conditions: &[&Condition], subject: &Subject| {
        let part = assembled.part(needs::reduced(&assembled.inventory, conditions, subject));
        let mut sources: Vec<String> =
            part.sources.iter().map(|source| source.info().id.to_string()).collect();
        sources.sort();
        (sources, part.inventory.signals.len())
    };
    let (sources, signals) = of(&[], &Subject::default());
    assert_eq!((sources, signals), (Vec::new(), 0));
    let check = Condition::Check { name: "web/health".into(), status: Status::Ok };
    assert_eq!(of(&[&check], &Subject::default()).0, ["check/web/health"]);
    let about = Subject { service: Some(ServiceName::from("api")), alert: None };
    let (sources, signals) = of(&[&promql("up")], &about);
    let all = ["alertmanager", "check/api/health", "prometheus", "prometheus/alerts"];
    assert_eq!((sources, signals), (all.map(String::from).to_vec(), 1));
}
