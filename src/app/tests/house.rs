//! A house to look at: services, signals, hosts, and a night that goes wrong.

use super::super::view::draw;
use super::super::{Setting, State, update};
use crate::domain::{
    Alert, AlertState, CheckRole, EngineKind, HostGroup, Inventory, Labels, Num, PollError,
    PollFailure, Role, Service, Severity, Signal, SignalKind, SourceInfo, Status, Thresholds,
    Timestamp, Unit,
};
use crate::metrics::{Data, Line, Point};
use crate::store::{
    Answer, Answered, Ask, AskRange, Coverage, Effect, HostState, Mark, Msg, SignalValue, Stamped,
    Standing,
};
use crate::ui::{ASCII, Keys, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// 03:07:20 at UTC+8.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_763_665_640_000);

pub(super) fn ago(seconds: u64) -> Timestamp {
    NOW - Duration::from_secs(seconds)
}

fn check(service: &str, every_s: u64) -> SourceInfo {
    SourceInfo {
        id: format!("check/{service}/health").into(),
        kind: "http".into(),
        label: format!("{service}/health"),
        asks: format!("https://{service}.shop.example/healthz"),
        every: Duration::from_secs(every_s),
        timeout: Duration::from_secs(5),
        role: Role::Check(CheckRole {
            service: service.into(),
            name: "health".into(),
            confirm: 2,
            confirm_after: Duration::from_secs(1),
            at_most: Status::Critical,
            certificate_days: Thresholds { below: true, warning: Some(21.0), critical: Some(7.0) },
        }),
        network: true,
        note: None,
        cost: String::new(),
    }
}

fn signal(owner: &str, kind: SignalKind, label: &str, unit: Unit, expr: &str) -> Signal {
    let host = label == "cpu" || label == "memory" || label == "disk";
    let thresholds = match kind {
        SignalKind::Errors => {
            Thresholds { below: false, warning: Some(0.01), critical: Some(0.05) }
        }
        SignalKind::Latency => Thresholds { below: false, warning: Some(0.5), critical: Some(2.0) },
        _ => Thresholds::default(),
    };
    Signal {
        id: format!("{owner}/{label}").into(),
        service: (!host).then(|| owner.into()),
        hosts: host.then(|| owner.into()),
        kind,
        label: label.into(),
        expr: expr.into(),
        engine: EngineKind::Server,
        unit,
        thresholds,
        at_most: Status::Critical,
        min_requests: None,
        every: Duration::from_secs(10),
        labels: Labels::default(),
    }
}

pub(super) fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        owner: Some("shop team".into()),
        contact: Some("Wang, +86 10 5555 0100".into()),
        link: Some("https://wiki.shop.example/api".into()),
        depends_on: vec!["db".into()],
        has_logs: name == "api",
        job: None,
        projects: Vec::new(),
    }
}

pub(super) fn inventory(names: &[&str]) -> Inventory {
    let mut sources = vec![SourceInfo {
        id: "prometheus".into(),
        kind: "prometheus".into(),
        label: "prom".into(),
        asks: "http://prom.internal:9090".into(),
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        role: Role::Server,
        network: true,
        note: None,
        cost: String::new(),
    }];
    sources.extend(names.iter().map(|name| check(name, 10)));
    let mut signals = Vec::new();
    for name in names.iter().filter(|name| **name != "db") {
        let errors = format!("sum(rate(http_requests_total{{job=\"{name}\",code=~\"5..\"}}[5m]))");
        let p95 = format!(
            "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{{job=\"{name}\"}}[5m])))"
        );
        let all = format!("sum(rate(http_requests_total{{job=\"{name}\"}}[5m]))");
        signals.push(signal(name, SignalKind::Errors, "5xx", Unit::Ratio, &errors));
        signals.push(signal(name, SignalKind::Latency, "p95", Unit::Seconds, &p95));
        signals.push(signal(name, SignalKind::Traffic, "req/s", Unit::PerSecond, &all));
    }
    signals.push(signal("node", SignalKind::Cpu, "cpu", Unit::Ratio, "cpu"));
    signals.push(signal("node", SignalKind::Memory, "memory", Unit::Ratio, "memory"));
    signals.push(signal("node", SignalKind::Disk, "disk", Unit::Ratio, "disk"));
    Inventory {
        environment: "production".into(),
        site: "shop".into(),
        sources,
        services: names.iter().map(|name| service(name)).collect(),
        signals,
        hosts: vec![HostGroup { name: "node".into(), job: "node".into() }],
        engine: Some(EngineKind::Server),
        ..Inventory::default()
    }
}

pub(super) const NAMES: [&str; 5] = ["web", "api", "payments", "worker", "db"];

pub(super) fn setting() -> Setting {
    Setting {
        host: "bastion-2".into(),
        user: "li".into(),
        offset_min: 480,
        practice: vec!["bad release".into(), "heal all".into()],
        log: None,
    }
}

pub(super) fn waiting_of(inventory: Inventory, width: u16, height: u16) -> State {
    State::new(Arc::new(inventory), setting(), Keys::default(), (width, height), NOW)
}

pub(super) fn waiting(width: u16, height: u16) -> State {
    waiting_of(inventory(&NAMES), width, height)
}

fn standing(status: Status, reason: &str, since_s: u64) -> Standing {
    Standing {
        status,
        reason: reason.into(),
        since: ago(since_s),
        since_at_least: false,
        seen: Some(ago(4)),
        mark: None,
    }
}

fn set_signal(state: &mut State, id: &str, value: f64, status: Status) {
    let known = state.known.signals.get_mut(id).unwrap();
    known.standing = standing(status, "", 600);
    let values = if id.starts_with("node") {
        vec![("10.0.0.7:9100", value), ("10.0.0.8:9100", value * 0.7)]
    } else {
        vec![("", value)]
    };
    known.values = values
        .into_iter()
        .map(|(instance, value)| SignalValue {
            labels: Labels::new([("instance", instance)]),
            value: Num(value),
            status,
        })
        .collect();
}

/// All is well.
pub(super) fn calm(width: u16, height: u16) -> State {
    calm_of(inventory(&NAMES), width, height)
}

/// All is well with what this inventory has of the usual house.
pub(super) fn calm_of(inventory: Inventory, width: u16, height: u16) -> State {
    let mut state = waiting_of(inventory, width, height);
    let usual = ["prometheus".to_owned()]
        .into_iter()
        .chain(NAMES.map(|name| format!("check/{name}/health")));
    for (i, id) in usual.enumerate() {
        let source = state.known.sources.get_mut(id.as_str()).unwrap();
        source.standing = standing(Status::Ok, "", 3600);
        source.answered = Some(ago(4));
        source.polled = Some(ago(4));
        source.next = Some(NOW + Duration::from_secs(6));
        source.took = Duration::from_millis(40 + i as u64);
        source.polls = 60;
    }
    for (i, service) in state.known.services.values_mut().enumerate() {
        service.standing = standing(Status::Ok, "", 3600 * (i as u64 + 1));
    }
    for check in state.known.checks.values_mut() {
        check.standing = standing(Status::Ok, "HTTP 200", 3600);
    }
    for name in NAMES.iter().filter(|name| **name != "db") {
        set_signal(&mut state, &format!("{name}/5xx"), 0.0003, Status::Ok);
        set_signal(&mut state, &format!("{name}/p95"), 0.081, Status::Ok);
        set_signal(&mut state, &format!("{name}/req/s"), 96.0, Status::Ok);
    }
    set_signal(&mut state, "node/cpu", 0.41, Status::Ok);
    set_signal(&mut state, "node/memory", 0.62, Status::Ok);
    set_signal(&mut state, "node/disk", 0.55, Status::Ok);
    for (instance, group) in [("10.0.0.7:9100", "node"), ("10.0.0.8:9100", "node")] {
        let host = HostState { standing: standing(Status::Ok, "", 3600), missing: None };
        state.known.hosts.entry(group.into()).or_default().insert(instance.into(), host);
    }
    let worker = state.known.signals.get_mut("worker/5xx").unwrap();
    worker.values.clear();
    worker.standing.mark = Some(Mark::NoTraffic);
    state.settle(true);
    state
}

pub(super) fn alert(
    name: &str,
    service: &str,
    severity: Severity,
    since_s: u64,
    why: &str,
) -> Alert {
    Alert {
        labels: Labels::new([("alertname", name), ("service", service), ("severity", "page")]),
        origins: vec!["opsroom".into()],
        state: AlertState::Firing,
        severity,
        service: Some(service.into()),
        since: ago(since_s),
        since_at_least: false,
        reason: why.into(),
        expression: "sum(rate(http_requests_total{code=~\"5..\"}[5m])) > 0.05".into(),
        seen: ago(4),
        annotations: BTreeMap::from([("summary".to_owned(), "Too many requests fail".to_owned())]),
        quiet: Vec::new(),
        receivers: Vec::new(),
        link: None,
        source: None,
    }
}

/// The night that goes wrong.
pub(super) fn burning(width: u16, height: u16) -> State {
    let mut state = calm(width, height);
    let services = &mut state.known.services;
    services.get_mut("api").unwrap().standing =
        standing(Status::Critical, "5xx 12.4% > 5%, 41 req/s", 660);
    services.get_mut("web").unwrap().standing = standing(Status::Warning, "5xx 1.1% > 1%", 130);
    services.get_mut("db").unwrap().standing = Standing {
        mark: Some(Mark::Stale),
        seen: Some(ago(130)),
        ..standing(Status::Unknown, "no answer for 2m10s: connect timed out", 100)
    };
    set_signal(&mut state, "api/5xx", 0.124, Status::Critical);
    set_signal(&mut state, "api/p95", 2.3, Status::Critical);
    set_signal(&mut state, "api/req/s", 41.0, Status::Ok);
    set_signal(&mut state, "web/5xx", 0.011, Status::Warning);
    set_signal(&mut state, "node/disk", 0.12, Status::Warning);
    let host = state.known.hosts.get_mut("node").unwrap().get_mut("10.0.0.7:9100").unwrap();
    host.standing = standing(Status::Warning, "disk 12% free", 2280);
    state.known.alerts = vec![
        alert("HighErrorRate", "api", Severity::Critical, 660, "5xx 12.4% > 5%, 41 req/s"),
        alert("HighLatency", "api", Severity::Critical, 500, "p95 2.3s > 2s"),
        alert("HighErrorRate", "web", Severity::Warning, 130, "5xx 1.1% > 1%"),
    ];
    let db = state.known.sources.get_mut("check/db/health").unwrap();
    db.answered = Some(ago(130));
    db.failing = Some((ago(120), PollError::new(PollFailure::Timeout, "connect timed out")));
    db.failures = 12;
    state.sheets.clear();
    state.settle(true);
    state
}

pub(super) fn send(state: &mut State, msg: Msg) -> Vec<Effect> {
    update(state, Stamped { at: state.known.now, msg })
}

/// Presses keys; gives the effects beside questions.
pub(super) fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    let keys = keys.split(' ').map(|key| key.parse().unwrap());
    let effects = keys.flat_map(|key| send(state, Msg::KeyPressed(key)));
    effects.filter(|effect| !matches!(effect, Effect::Ask(_))).collect()
}

pub(super) fn buffer_of(state: &State, theme: &Theme, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(state, theme, area, &mut buf);
    buf
}

pub(super) fn lines_of(buf: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buf.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buf[(x, y)].symbol();
            skip = crate::ui::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The screen as text, in ASCII glyphs.
pub(super) fn text_of(state: &State, width: u16, height: u16) -> String {
    let theme = Theme::named("dark").unwrap().with_glyphs(&ASCII);
    lines_of(&buffer_of(state, &theme, width, height))
}

/// The screen as text, in Unicode glyphs.
pub(super) fn unicode_of(state: &State, width: u16, height: u16) -> String {
    lines_of(&buffer_of(state, &Theme::named("dark").unwrap(), width, height))
}

/// Answers all questions that the visible panels ask.
pub(super) fn answer_charts(state: &mut State) {
    state.asked.clear();
    let effects = send(state, Msg::Polled(vec![]));
    answer(state, effects);
}

/// Answers these questions with made-up lines: a fault began 11 minutes ago.
pub(super) fn answer(state: &mut State, effects: Vec<Effect>) {
    let asks = effects.into_iter().filter_map(|effect| match effect {
        Effect::Ask(ask) => Some(ask),
        _ => None,
    });
    let answers = asks.map(|ask| {
        let jobs: &[&str] = if ask.expr.contains("by (job)") { &["api", "web"] } else { &[""] };
        let outcome = match ask.range {
            None => Data::Vector(
                jobs.iter().map(|job| Point { labels: job_label(job), value: Num(41.0) }).collect(),
            ),
            Some(range) => Data::Matrix(jobs.iter().map(|job| line(&ask, range, job)).collect()),
        };
        let id = ask.id.clone();
        let took = Duration::from_millis(3);
        let answer = Answer {
            ask,
            outcome: Ok(outcome),
            coverage: Coverage::Whole,
            warnings: vec![],
            infos: vec![],
            took,
        };
        Answered { id, answer: Arc::new(answer) }
    });
    let answers = answers.collect();
    send(state, Msg::Answered(answers));
}

fn job_label(job: &str) -> Labels {
    Labels::new([("job", job)])
}

fn line(ask: &Ask, range: AskRange, job: &str) -> Line {
    let (calm, bad) = match &ask.expr {
        expr if expr.contains("0.5,") => (0.04, 0.9),
        expr if expr.contains("0.95,") => (0.08, 2.3),
        expr if expr.contains("0.99,") => (0.2, 4.1),
        expr if expr.contains("5..") => (0.0003, 0.124),
        _ => (96.0, 41.0),
    };
    let steps = range.length.as_secs() / range.step.as_secs();
    let mut points = Vec::new();
    for i in 0..=steps {
        let at = ask.at - range.step * u32::try_from(steps - i).unwrap();
        let hole = (1200..1380).contains(&NOW.since(at).as_secs());
        if !hole {
            let wave = 1.0 + (i % 7) as f64 / 40.0;
            let value = if NOW.since(at) < Duration::from_mins(11) { bad } else { calm };
            points.push((at, Num(value * wave)));
        }
    }
    Line { labels: job_label(job), points }
}
