//! What is known, held to what happens: a small world and its days.

#![expect(clippy::unnecessary_wraps, reason = "outcomes of polls and questions are results")]

mod backups;
mod checks;
mod day;
mod explain;
mod foreign;
mod issues;
mod releases;
mod remember;
mod replay;
mod signals;
mod sources;
mod watch;

use super::*;
use crate::domain::{
    Cause, CheckReading, CheckRole, EngineKind, HostGroup, Labels, Mark, Num, PollError,
    PollFailure, Reading, ScrapeReading, Service, Signal, SignalKind, SourceInfo, Thresholds, Unit,
};
use crate::metrics::{Data, Point};
use crate::store::{Answered, Ask, AskError, Coverage, Polled};
use std::collections::BTreeSet;
use std::time::Duration;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const EVERY: Duration = Duration::from_secs(10);

fn check(service: &str, name: &str) -> SourceInfo {
    let role = CheckRole {
        service: service.into(),
        name: name.into(),
        confirm: 2,
        confirm_after: Duration::from_secs(1),
        at_most: Status::Critical,
        certificate_days: Thresholds { below: true, warning: Some(21.0), critical: Some(7.0) },
    };
    source(&format!("check/{service}/{name}"), Role::Check(role))
}

fn source(id: &str, role: Role) -> SourceInfo {
    SourceInfo {
        id: id.into(),
        kind: "http".into(),
        label: id.replacen('/', " ", 1),
        asks: format!("http://{id}"),
        every: EVERY,
        timeout: Duration::from_secs(5),
        role,
        network: true,
        note: None,
        cost: String::new(),
    }
}

fn scrape(name: &str, job: &str, target: &str) -> SourceInfo {
    source(&format!("scrape/{name}/{target}"), Role::Scrape { job: job.into() })
}

fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        owner: None,
        contact: None,
        link: None,
        depends_on: Vec::new(),
        has_logs: false,
        job: None,
        projects: Vec::new(),
    }
}

fn signal(id: &str, kind: SignalKind, label: &str, unit: Unit) -> Signal {
    Signal {
        id: id.into(),
        service: id.split_once('/').map(|(service, _)| service.into()),
        hosts: None,
        kind,
        label: label.into(),
        expr: format!("{id}{{job=\"api\"}}").into(),
        engine: EngineKind::Embedded,
        unit,
        thresholds: Thresholds { below: false, warning: Some(0.01), critical: Some(0.05) },
        at_most: Status::Critical,
        min_requests: None,
        every: EVERY,
        labels: Labels::default(),
    }
}

fn reading(status: Status, summary: &str, cause: Option<Cause>) -> Result<Reading, PollError> {
    let summary = summary.to_owned();
    Ok(Reading::Check(CheckReading { status, summary, cause, ..CheckReading::default() }))
}

fn fine() -> Result<Reading, PollError> {
    reading(Status::Ok, "HTTP 200", None)
}

fn bad() -> Result<Reading, PollError> {
    reading(Status::Critical, "HTTP 503", Some(Cause::Answer))
}

fn cut_off() -> Result<Reading, PollError> {
    reading(Status::Critical, "no route to host", Some(Cause::Network))
}

fn page() -> Result<Reading, PollError> {
    Ok(Reading::Scrape(ScrapeReading::default()))
}

fn refused() -> Result<Reading, PollError> {
    Err(PollError::new(PollFailure::Refused, "connection refused"))
}

/// A console's knowledge and its clock.
struct World {
    known: Known,
    now: Timestamp,
}

impl World {
    fn new(inventory: Inventory) -> Self {
        let inventory = Inventory { environment: "test".into(), ..inventory };
        Self { known: Known::new(Arc::new(inventory), START), now: START }
    }

    fn later(&mut self, by: Duration) -> &mut Self {
        self.now = self.now + by;
        self
    }

    fn seconds(&mut self, by: u64) -> &mut Self {
        self.later(Duration::from_secs(by))
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.known.take(self.now, &Msg::Ticked)
    }

    fn poll(&mut self, id: &str, outcome: Result<Reading, PollError>) -> Vec<Effect> {
        let polled = Polled {
            source: id.into(),
            taken: self.now,
            next: self.now + EVERY,
            took: Duration::from_millis(3),
            late: Duration::ZERO,
            outcome,
        };
        self.known.take(self.now, &Msg::Polled(vec![polled]))
    }

    /// The same poll three times, a second apart, as the confirming does it.
    fn poll_thrice(&mut self, id: &str, outcome: &Result<Reading, PollError>) {
        for _ in 0..3 {
            self.seconds(1).poll(id, outcome.clone());
        }
    }

    fn answer(&mut self, ask: &Ask, outcome: Result<Data, AskError>) -> Vec<Effect> {
        self.answer_covered(ask, outcome, Coverage::Whole)
    }

    fn answer_covered(
        &mut self,
        ask: &Ask,
        outcome: Result<Data, AskError>,
        coverage: Coverage,
    ) -> Vec<Effect> {
        let answer = Answer {
            ask: ask.clone(),
            outcome,
            coverage,
            warnings: Vec::new(),
            infos: Vec::new(),
            took: Duration::ZERO,
        };
        let answered = Answered { id: ask.id.clone(), answer: Arc::new(answer) };
        self.known.take(self.now, &Msg::Answered(vec![answered]))
    }

    fn check(&self, id: &str) -> &Standing {
        &self.known.checks[&SourceId::from(id)].standing
    }

    fn service(&self, name: &str) -> &Standing {
        &self.known.services[&ServiceName::from(name)].standing
    }

    fn signal(&self, id: &str) -> &Standing {
        &self.known.signals[&SignalId::from(id)].standing
    }

    fn alert_names(&self) -> Vec<&str> {
        self.known.alerts.iter().map(Alert::name).collect()
    }
}

fn asks(effects: &[Effect]) -> Vec<Ask> {
    let asks = effects.iter().filter_map(|effect| match effect {
        Effect::Ask(ask) => Some(ask.clone()),
        _ => None,
    });
    asks.collect()
}

fn vector(values: &[(&str, f64)]) -> Result<Data, AskError> {
    let point = |(instance, value): &(&str, f64)| Point {
        labels: Labels::new([("instance", *instance)]),
        value: Num(*value),
    };
    Ok(Data::Vector(values.iter().map(point).collect()))
}

fn one(value: f64) -> Result<Data, AskError> {
    vector(&[("", value)])
}

fn engine_error(message: &str) -> Result<Data, AskError> {
    Err(AskError { message: message.into(), span: None })
}
