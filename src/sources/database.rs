//! What the checks of databases have in common: where a server is, thresholds,
//! the parts of an answer, and what failed connections are called.

mod place;
mod statement;

pub(super) use place::{Host, Place};
pub(super) use statement::without_literals;

use super::client::{Shared, io_failed, tls_failed};
use super::{Brought, Made, http, tcp};
use crate::config::{Key, Mistakes, Secret, Shape, Table, key, thresholds};
use crate::domain::reading::PollFailure;
use crate::domain::{
    Cause, CheckReading, Component, Num, PollError, Reading, SourceInfo, Status, Thresholds,
    harmless_within, units,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// No text of a server is shown longer than this.
const LONGEST_WORDS: usize = 160;
/// So long is looked whether a server that did not answer takes connections at all.
const PROBE: Duration = Duration::from_millis(300);

/// Two thresholds of one shape with their defaults, for a table of them.
pub(super) const fn limits(
    shape: Shape,
    warning: &'static str,
    critical: &'static str,
) -> [Key; 2] {
    [
        key("warning", shape, "Where warning begins.").or(warning),
        key("critical", shape, "Where critical begins.").or(critical),
    ]
}

/// Two thresholds that nobody has set unless the config does.
pub(super) const fn wishes(
    shape: Shape,
    warning: &'static str,
    critical: &'static str,
) -> [Key; 2] {
    [
        key("warning", shape, "Where warning begins.").like(warning),
        key("critical", shape, "Where critical begins.").like(critical),
    ]
}

/// Where and how a server is entered, whatever its product.
pub(super) struct Entrance {
    pub(super) info: SourceInfo,
    pub(super) shared: Arc<Shared>,
    pub(super) place: Place,
    pub(super) user: String,
    password: Option<Secret>,
    pub(super) connect_timeout: Duration,
}

impl Entrance {
    /// From the table of a check: its own key, `user`, `password`, `database`.
    pub(super) fn new(
        table: &Table,
        made: Made,
        (name, schemes, port): (&str, &[&str], u16),
        cost: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let Made { mut info, connect_timeout, shared, .. } = made;
        let mut place = Place::read(table, name, schemes, port, mistakes)?;
        place.database = table.optional_text("database").or(place.database);
        if table.has("cert") != table.has("key") {
            let help = "a client certificate needs both `cert` and `key`";
            mistakes.wrong_but(table.span(), "half a client certificate", help);
        }
        let user = match place.user.take() {
            Some(user) if !table.has("user") => user,
            _ => table.text("user"),
        };
        info.asks = place.shown();
        info.network = matches!(place.host, Host::Tcp { .. });
        info.cost = cost.into();
        let password = table.secret("password");
        Some(Self { info, shared, place, user, password, connect_timeout })
    }

    /// A poll: what `talk` comes to within the time of one.
    pub(super) fn asked<'a>(
        &'a self,
        talk: impl Future<Output = Outcome> + Send + 'a,
    ) -> BoxFuture<'a, Result<Brought, PollError>> {
        Box::pin(async move {
            let begun = self.shared.monotonic();
            let limit = self.info.timeout;
            let outcome = match tokio::time::timeout(limit, talk).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::Failed(self.silent(limit).await),
            };
            let mut reading = outcome.into_reading(self.shared.monotonic().saturating_sub(begun));
            reading.notes.extend(self.info.note.clone());
            Ok(Brought::Reading(Reading::Check(reading)))
        })
    }

    /// The password, if one is set; why not, where it cannot be had.
    pub(super) async fn password(&self) -> Result<Option<String>, String> {
        match &self.password {
            Some(secret) => Ok(Some(self.shared.secret(secret).await?.reveal().to_owned())),
            None => Ok(None),
        }
    }

    /// Whether a password is set.
    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// What is said when nobody answered within `limit`: a host that takes no
    /// connection is something else than a server that takes one and is silent.
    pub(super) async fn silent(&self, limit: Duration) -> PollError {
        let limit = units::duration(limit);
        let answered = match &self.place.host {
            Host::Tcp { host, port } => {
                tcp::connect(&Place::address(host, *port), PROBE).await.is_ok()
            }
            Host::Socket(_) => true,
        };
        let message = if answered {
            format!("connected, and no answer in {limit}")
        } else {
            format!("no connection in {limit}")
        };
        PollError::new(PollFailure::Timeout, message)
    }
}

/// What a poll came to: an answer, a failure to reach one, or nothing asked at all.
pub(super) enum Outcome {
    Read(CheckReading),
    Failed(PollError),
    NotAsked(String),
}

impl Outcome {
    fn into_reading(self, took: Duration) -> CheckReading {
        let reading = match self {
            Self::Read(reading) => reading,
            Self::Failed(error) => http::failed(&error),
            Self::NotAsked(why) => http::not_carried_out(&why),
        };
        CheckReading { took, ..reading }
    }
}

/// Which threshold a value is beyond.
pub(super) fn beyond(thresholds: &Thresholds, value: f64) -> Status {
    let is_beyond = |threshold: Option<f64>| {
        threshold.is_some_and(|at| if thresholds.below { value < at } else { value > at })
    };
    if is_beyond(thresholds.critical) {
        Status::Critical
    } else if is_beyond(thresholds.warning) {
        Status::Warning
    } else {
        Status::Ok
    }
}

/// The thresholds of a table, bad being above them.
pub(super) fn above(table: &Table, name: &str, mistakes: &mut Mistakes) -> Thresholds {
    thresholds(table, name, false, mistakes)
}

/// Collects the parts of an answer.
#[derive(Debug, Default)]
pub(super) struct Parts {
    all: Vec<(Component, String)>,
    numbers: Vec<(String, Num)>,
    notes: Vec<String>,
}

impl Parts {
    /// A part of which `name detail` says all: `connections 12 of 30 (40%)`.
    pub(super) fn part(&mut self, name: &str, status: Status, detail: impl Into<String>) {
        let detail = detail.into();
        let words = format!("{name} {detail}");
        self.part_saying(name, status, detail, words);
    }

    /// A part that is told with other words in the summary.
    pub(super) fn part_saying(
        &mut self,
        name: &str,
        status: Status,
        detail: impl Into<String>,
        words: impl Into<String>,
    ) {
        let detail = harmless_within(&detail.into(), LONGEST_WORDS);
        let words = harmless_within(&words.into(), LONGEST_WORDS);
        self.all.push((Component { name: harmless_within(name, 60), status, detail }, words));
    }

    /// A number with its unit in its name, for charts.
    pub(super) fn number(&mut self, name: &str, value: f64) {
        self.numbers.push((name.into(), Num(value)));
    }

    /// What a reader must know beside; once.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = harmless_within(&note.into(), LONGEST_WORDS);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A part that could not be asked: that alone says nothing bad of the server.
    pub(super) fn not_known(&mut self, name: &str, why: &str) {
        self.part(name, Status::Unknown, why);
        self.note(format!("{name}: {why}"));
    }

    /// The whole: as bad as its worst part, and in its words. `good` is said
    /// where all is well. What could not be asked does not count.
    pub(super) fn reading(self, good: String) -> CheckReading {
        let known = self.all.iter().filter(|(part, _)| part.status != Status::Unknown);
        let status = known.clone().map(|(part, _)| part.status).max().unwrap_or(Status::Ok);
        let (summary, cause) = if status == Status::Ok {
            (good, None)
        } else {
            let mut worst = known.clone().filter(|(part, _)| part.status == status);
            let first = worst.next().map(|(_, words)| words.clone()).unwrap_or_default();
            let bad = known.filter(|(part, _)| part.status != Status::Ok).count();
            let more = if bad > 1 { format!(" (and {} more)", bad - 1) } else { String::new() };
            (format!("{first}{more}"), Some(Cause::Answer))
        };
        CheckReading {
            status,
            summary: harmless_within(&summary, 200),
            cause,
            components: self.all.into_iter().map(|(part, _)| part).collect(),
            numbers: self.numbers,
            notes: self.notes,
            ..CheckReading::default()
        }
    }
}

/// What is used of what there is: `12 of 30 (40%)`.
pub(super) fn used(many: f64, of: f64) -> String {
    if of > 0.0 {
        format!("{} of {} ({})", units::number(many), units::number(of), whole_percent(many / of))
    } else {
        units::number(many)
    }
}

/// A share without decimals.
pub(super) fn whole_percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// Seconds as an age: `4s`, `7m`.
pub(super) fn age(seconds: f64) -> String {
    units::age(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// Why a connection or a query failed, never in the driver's own words where
/// those could quote a URL. `answered` names what the server itself said.
pub(super) fn driver_failed(
    error: &sqlx::Error,
    product: &str,
    answered: impl Fn(&dyn sqlx::error::DatabaseError) -> PollError,
) -> PollError {
    match error {
        sqlx::Error::Database(said) => answered(said.as_ref()),
        sqlx::Error::Io(io) => {
            let tls = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match tls {
                Some(tls) => tls_failed(tls),
                None => io_failed(io).unwrap_or_else(|| tcp::unnamed(io)),
            }
        }
        sqlx::Error::Tls(tls) => {
            let unnamed = || {
                let why = harmless_within(&tls.to_string(), 80);
                PollError::new(PollFailure::Tls, format!("TLS: {why}"))
            };
            tls.downcast_ref::<rustls::Error>().map_or_else(unnamed, tls_failed)
        }
        sqlx::Error::Configuration(_) => {
            PollError::new(PollFailure::Tls, "TLS: `ca`, `cert` or `key` cannot be used")
        }
        sqlx::Error::Protocol(_) => {
            PollError::broken(format!("what answers there does not speak as {product} does"))
        }
        _ => PollError::broken("the answer cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_as_bad_as_its_worst_known_part() {
        let mut parts = Parts::default();
        parts.part("connections", Status::Ok, "1 of 30 (3%)");
        parts.not_known("slow queries", "not permitted");
        let good = parts.reading("PostgreSQL 15".into());
        assert_eq!((good.status, good.summary.as_str()), (Status::Ok, "PostgreSQL 15"));
        assert_eq!(good.notes, ["slow queries: not permitted"]);

        let mut parts = Parts::default();
        parts.part("a", Status::Warning, "x");
        parts.part("connections", Status::Critical, "29 of 30 (97%)");
        let bad = parts.reading(String::new());
        assert_eq!(bad.summary, "connections 29 of 30 (97%) (and 1 more)");
        assert_eq!((bad.status, bad.cause), (Status::Critical, Some(Cause::Answer)));
    }

    #[test]
    fn nothing_of_the_driver_that_may_quote_a_url_is_repeated() {
        let error = sqlx::Error::Configuration("postgres://u:hunter2@h".into());
        let nobody = |_: &dyn sqlx::error::DatabaseError| PollError::broken("");
        let told = driver_failed(&error, "PostgreSQL", nobody);
        assert!(!told.message.contains("hunter2"), "{told}");
        let refused = sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        let told = driver_failed(&refused, "PostgreSQL", nobody);
        assert_eq!(
            (told.cause, told.message.as_str()),
            (PollFailure::Refused, "connection refused")
        );
    }
}
