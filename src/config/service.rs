//! Services: what users depend on, with their checks and signals.

use super::keys::{KindKeys, nearest};
use super::mistakes::{Mistakes, Span};
use super::root::{CHECK, SERVICE};
use super::shape::Poll;
use super::table::{Table, Value};
use crate::domain::{CheckRole, EngineKind, ServiceName, SignalKind, Status, Thresholds, Unit};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY: f64 = 86_400.0;

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Where its name stands.
    pub span: Span,
    /// Who owns it.
    pub owner: Option<String>,
    /// Whom to call.
    pub contact: Option<String>,
    /// Where to read on.
    pub link: Option<String>,
    /// Its projects in the error tracker.
    pub projects: Vec<String>,
    /// Prints its last log lines.
    pub logs: Option<String>,
    /// Words for its runbooks, by their names in lower case.
    pub vars: Vec<(String, String)>,
    /// Services that it needs.
    pub depends_on: Vec<ServiceName>,
    /// Somebody else runs it.
    pub third_party: bool,
    /// Its checks.
    pub checks: Vec<Check>,
    /// Where its requests are counted; none without a job.
    pub requests: Option<Requests>,
    /// Signals of its own.
    pub signals: Vec<OwnSignal>,
}

/// A check: what is asked is in its table, for the source of its kind.
#[derive(Clone, Debug)]
pub struct Check {
    /// `http`, `tcp`, `tls`, `command`.
    pub kind: &'static str,
    /// Its keys.
    pub table: Table,
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// For the whole of one poll.
    pub timeout: Duration,
    /// To connect.
    pub connect_timeout: Duration,
    /// How its readings are judged.
    pub role: CheckRole,
}

/// Where a service's requests are counted, and when they are bad.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// The job of its metrics.
    pub job: String,
    /// Where `job` stands.
    pub span: Span,
    /// Whose metric names are looked for.
    pub preset: String,
    /// Counter of requests.
    pub requests_metric: Option<String>,
    /// Histogram of seconds.
    pub duration_metric: Option<String>,
    /// Label that holds the HTTP status.
    pub status_label: Option<String>,
    /// More label matchers.
    pub matchers: Option<String>,
    /// Where these stand.
    pub matchers_span: Span,
    /// Rates are taken over this time.
    pub window: Duration,
    /// With fewer requests in the window it is a warning at most.
    pub min_requests: u64,
    /// How often it is asked.
    pub every: Duration,
    /// When errors are bad.
    pub errors: Limits,
    /// When the 95th percentile is bad, in seconds.
    pub latency: Limits,
}

/// Thresholds, and what they may count for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Where warning and critical begin.
    pub thresholds: Thresholds,
    /// The worst status that it may count for.
    pub at_most: Status,
}

/// A signal that the config spells out.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnSignal {
    /// Its name.
    pub name: String,
    /// PromQL.
    pub expr: String,
    /// Where it stands, quotes included.
    pub span: Span,
    /// Unit of its value.
    pub unit: Unit,
    /// When it is bad.
    pub limits: Limits,
    /// Short name on the screen.
    pub label: String,
    /// Who answers, where the config says so.
    pub engine: Option<EngineKind>,
    /// How often it is asked.
    pub every: Duration,
}

/// All services, with their names held against each other.
pub(super) fn services(
    root: &Table,
    poll: &Poll,
    kinds: &[KindKeys],
    mistakes: &mut Mistakes,
) -> Vec<Service> {
    let tables = root.named("service");
    let services: Vec<Service> =
        tables.iter().map(|table| service(table, poll, kinds, mistakes)).collect();
    dependencies(tables, &services, mistakes);
    services
}

fn service(table: &Table, poll: &Poll, kinds: &[KindKeys], mistakes: &mut Mistakes) -> Service {
    let name = ServiceName::from(table.name());
    let third_party = table.flag("third_party");
    let worst = if third_party { Status::Warning } else { Status::Critical };
    let mut checks = Vec::new();
    for (shorthand, kind) in [("health", "http"), ("tcp", "tcp"), ("tls", "tls")] {
        let Some(asked) = table.optional_text(shorthand) else { continue };
        let span = table.span_of(shorthand);
        if table.named("check").iter().any(|check| check.name() == shorthand) {
            let message = format!("a check called `{shorthand}` is there already");
            mistakes.wrong_but(span, message, "keep one of them, or give it another name");
        } else if let Some(kind) = kinds.iter().find(|known| known.name == kind) {
            let path = format!("{}.check.{shorthand}", table.path());
            let table = Table::with(shorthand, path, span, *kind, CHECK, Value::Text(asked));
            checks.extend(check(&name, table, poll, worst, mistakes));
        }
    }
    for table in table.named("check") {
        checks.extend(check(&name, table.clone(), poll, worst, mistakes));
    }
    Service {
        span: table.span(),
        owner: table.optional_text("owner"),
        contact: table.optional_text("contact"),
        link: table.optional_text("link"),
        projects: table.texts("sentry"),
        logs: table.optional_text("logs"),
        vars: table.text_map("vars"),
        depends_on: table.texts("depends_on").into_iter().map(Into::into).collect(),
        third_party,
        checks,
        requests: requests(table, worst, mistakes),
        signals: table
            .named("signal")
            .iter()
            .map(|signal| own_signal(signal, worst, mistakes))
            .collect(),
        name,
    }
}

fn check(
    service: &ServiceName,
    table: Table,
    poll: &Poll,
    worst: Status,
    mistakes: &mut Mistakes,
) -> Option<Check> {
    let kind = table.kind()?;
    let every = table.optional_duration("every").unwrap_or(poll.every);
    let timeout = table.optional_duration("timeout").unwrap_or(poll.timeout);
    let days = limits(&table, "certificate", true, worst, mistakes);
    let role = CheckRole {
        service: service.clone(),
        name: table.name().into(),
        confirm: table.optional_whole("confirm").unwrap_or(poll.confirm),
        confirm_after: table.optional_duration("confirm_after").unwrap_or(poll.confirm_after),
        at_most: at_most(&table).unwrap_or(worst),
        certificate_days: Thresholds {
            below: true,
            warning: days.thresholds.warning.map(|seconds| seconds / DAY),
            critical: days.thresholds.critical.map(|seconds| seconds / DAY),
        },
    };
    Some(Check { kind, table, every, timeout, connect_timeout: poll.connect_timeout, role })
}

fn requests(table: &Table, worst: Status, mistakes: &mut Mistakes) -> Option<Requests> {
    let Some(job) = table.optional_text("job") else {
        for name in ["preset", "requests_metric", "duration_metric", "errors", "latency"] {
            if table.has(name) {
                let message = format!("`{name}` without `job`");
                let help = "`job` says whose requests these are";
                mistakes.wrong_but(table.span_of(name), message, help);
            }
        }
        return None;
    };
    for name in ["requests_metric", "duration_metric", "status_label"] {
        if table.optional_text(name).is_some_and(|text| !good_metric(&text)) {
            let help = "it has letters, digits, `_` and `:`, and begins with no digit";
            mistakes.wrong_but(table.span_of(name), "this is no name of a metric or label", help);
        }
    }
    Some(Requests {
        span: table.span_of("job"),
        preset: table.text("preset"),
        requests_metric: table.optional_text("requests_metric"),
        duration_metric: table.optional_text("duration_metric"),
        status_label: table.optional_text("status_label"),
        matchers: table.optional_text("matchers"),
        matchers_span: table.span_of("matchers"),
        window: table.duration("window"),
        min_requests: table.whole("min_requests"),
        every: table.duration("every"),
        errors: limits(table, "errors", false, worst, mistakes),
        latency: limits(table, "latency", false, worst, mistakes),
        job,
    })
}

fn good_metric(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

fn own_signal(table: &Table, worst: Status, mistakes: &mut Mistakes) -> OwnSignal {
    // Under the name of a ready-made signal it takes that one's place, and
    // its unit and thresholds unless it has its own.
    let unit = match table.name() {
        "errors" => Unit::Ratio,
        "latency" => Unit::Seconds,
        "traffic" => Unit::PerSecond,
        _ => Unit::Number,
    };
    let plain = !table.has("warning") && !table.has("critical");
    let thresholds = if plain && matches!(table.name(), "errors" | "latency") {
        let defaults = Table::empty("service", SERVICE);
        limits(&defaults, table.name(), false, worst, mistakes).thresholds
    } else {
        Thresholds {
            below: table.flag("below"),
            warning: table.optional_number("warning"),
            critical: table.optional_number("critical"),
        }
    };
    in_order(table, thresholds, mistakes);
    OwnSignal {
        name: table.name().into(),
        expr: table.text("expr"),
        span: table.span_of("expr"),
        unit: match table.optional_text("unit").as_deref() {
            None => unit,
            Some("ratio") => Unit::Ratio,
            Some("seconds") => Unit::Seconds,
            Some("bytes") => Unit::Bytes,
            Some("bytes_per_second") => Unit::BytesPerSecond,
            Some("per_second") => Unit::PerSecond,
            Some(_) => Unit::Number,
        },
        limits: Limits { thresholds, at_most: at_most(table).unwrap_or(worst) },
        label: table.optional_text("label").unwrap_or_else(|| table.name().into()),
        engine: table.optional_text("engine").map(|engine| {
            if engine == "server" { EngineKind::Server } else { EngineKind::Embedded }
        }),
        every: table.duration("every"),
    }
}

impl OwnSignal {
    /// What it measures, as its name says.
    pub fn kind(&self) -> SignalKind {
        match self.name.as_str() {
            "errors" => SignalKind::Errors,
            "latency" => SignalKind::Latency,
            "traffic" => SignalKind::Traffic,
            _ => SignalKind::Custom,
        }
    }
}

/// The thresholds in the table called `name`, and what they may count for.
pub(super) fn limits(
    table: &Table,
    name: &str,
    below: bool,
    worst: Status,
    mistakes: &mut Mistakes,
) -> Limits {
    let thresholds = thresholds(table, name, below, mistakes);
    let table = table.table_or_defaults(name);
    Limits { thresholds, at_most: at_most(&table).unwrap_or(worst) }
}

/// The thresholds in the table called `name`, times in seconds. Whoever sets one of the two
/// alone keeps the default of the other, unless they would contradict each other.
pub(crate) fn thresholds(
    table: &Table,
    name: &str,
    below: bool,
    mistakes: &mut Mistakes,
) -> Thresholds {
    let table = table.table_or_defaults(name);
    let value = |name| match table.value(name)? {
        Value::Number(number) => Some(number),
        Value::Duration(time) => Some(time.as_secs_f64()),
        Value::Size(bytes) => Some(bytes as f64),
        _ => None,
    };
    let mut thresholds =
        Thresholds { below, warning: value("warning"), critical: value("critical") };
    match (table.has("warning"), table.has("critical")) {
        (true, false) if !thresholds_in_order(thresholds) => thresholds.critical = None,
        (false, true) if !thresholds_in_order(thresholds) => thresholds.warning = None,
        _ => in_order(&table, thresholds, mistakes),
    }
    thresholds
}

fn thresholds_in_order(thresholds: Thresholds) -> bool {
    match (thresholds.warning, thresholds.critical) {
        (Some(warning), Some(critical)) if thresholds.below => critical <= warning,
        (Some(warning), Some(critical)) => warning <= critical,
        _ => true,
    }
}

fn in_order(table: &Table, thresholds: Thresholds, mistakes: &mut Mistakes) {
    if !thresholds_in_order(thresholds) {
        let side = if thresholds.below { "below" } else { "above" };
        mistakes.wrong_but(
            table.span_of("critical"),
            "critical begins before warning does",
            format!("bad is {side} the thresholds here"),
        );
    }
}

/// The worst status that something may count for, where its table says so.
pub(super) fn at_most(table: &Table) -> Option<Status> {
    Some(match table.optional_text("at_most")?.as_str() {
        "ok" => Status::Ok,
        "warning" => Status::Warning,
        _ => Status::Critical,
    })
}

/// Unknown names, and circles.
fn dependencies(tables: &[Table], services: &[Service], mistakes: &mut Mistakes) {
    let known: BTreeMap<&str, usize> =
        services.iter().enumerate().map(|(i, service)| (service.name.as_str(), i)).collect();
    for table in tables {
        for needed in table.placed_texts("depends_on") {
            if !known.contains_key(needed.it.as_str()) {
                let help = match nearest(&needed.it, known.keys().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "name a `[service.NAME]` of this file".into(),
                };
                mistakes.wrong_but(needed.span, "there is no such service", help);
            }
        }
    }
    let needs: Vec<Vec<usize>> = services
        .iter()
        .map(|service| {
            let found = service.depends_on.iter().filter_map(|name| known.get(name.as_str()));
            found.copied().collect()
        })
        .collect();
    if let Some(circle) = circle(&needs) {
        let names: Vec<&str> = circle.iter().map(|&i| services[i].name.as_str()).collect();
        let message = format!("services need each other in a circle: {}", names.join(" > "));
        let help = "take one `depends_on` out: what fails first could not be told";
        mistakes.wrong_but(tables[circle[0]].span_of("depends_on"), message, help);
    }
}

/// One circle of a graph, its first member repeated at the end. Takes no
/// stack of its own, so that long chains do no harm.
fn circle(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    let mut on_path = vec![false; needs.len()];
    for start in 0..needs.len() {
        let mut path = vec![(start, 0)];
        while let Some((at, next)) = path.last_mut() {
            let at = *at;
            if done[at] && *next == 0 {
                path.pop();
                continue;
            }
            on_path[at] = true;
            let Some(&to) = needs[at].get(*next) else {
                done[at] = true;
                on_path[at] = false;
                path.pop();
                continue;
            };
            *next += 1;
            if on_path[to] {
                let mut circle: Vec<usize> =
                    path.iter().map(|(at, _)| *at).skip_while(|at| *at != to).collect();
                circle.push(to);
                return Some(circle);
            }
            if !done[to] {
                path.push((to, 0));
            }
        }
    }
    None
}
