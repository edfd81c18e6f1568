//! Alertmanager: its alerts, silences, receivers, and how it fares itself.

pub mod answer;
mod lately;
mod told;

use super::client::{Fetched, Shared, Target, shown};
use super::http::NOT_VERIFIED;
use super::{Brought, Source};
use crate::config;
use crate::domain::{AlertsReading, PollError, Reading, SourceInfo, Timestamp, harmless_within};
use answer::ApiStatus;
use futures_util::future::BoxFuture;
use lately::{Counters, Lately, counters};
use reqwest::Url;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The largest answer that is taken: some 15,000 alerts.
const LARGEST: u64 = 16 << 20;

/// An Alertmanager, or the members of a cluster of them.
pub struct Alertmanager {
    info: SourceInfo,
    shared: Arc<Shared>,
    /// One at least.
    members: Vec<Target>,
    /// Which alerts are asked for.
    wanted: Vec<(&'static str, String)>,
    watchdog: Option<String>,
    state: Mutex<State>,
}

/// What is remembered from poll to poll.
#[derive(Debug, Default)]
struct State {
    /// The member that answered last.
    member: usize,
    /// What became of the member that was asked before.
    passed: Option<String>,
    /// The watchdog that was seen.
    watchdog: Option<String>,
    lately: Lately,
}

/// What one member brought beside its alerts; each part may fail alone.
struct Rest {
    silences: Result<Vec<answer::ApiSilence>, PollError>,
    receivers: Result<Vec<String>, PollError>,
    status: Result<ApiStatus, PollError>,
    counters: Result<Counters, PollError>,
    /// Entries that could not be read.
    unread: usize,
}

impl Alertmanager {
    /// Asks the members of the config; fails where one of them is no URL.
    pub fn new(
        mut info: SourceInfo,
        told: &config::Alertmanager,
        connect_timeout: Duration,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        // Where one hangs, the next still has its time.
        let members = u32::try_from(told.urls.len()).unwrap_or(u32::MAX).max(1);
        let timeout = info.timeout / members;
        let member = |url: &String| {
            let url = Url::parse(url).map_err(|error| format!("this is no URL: {error}"))?;
            let mut target = Target::get(url, told.client.clone(), timeout);
            target.connect_timeout = connect_timeout.min(timeout);
            target.max_body = LARGEST;
            Ok(target)
        };
        let members: Vec<Target> = told.urls.iter().map(member).collect::<Result<_, String>>()?;
        let first = members.first().ok_or("no member is named")?;
        info.kind = "alertmanager".into();
        info.network = true;
        info.asks = shown(&endpoint(&first.url, "api/v2/alerts"));
        if members.len() > 1 {
            info.asks = format!("{} and {} more", info.asks, members.len() - 1);
        }
        if told.client.skip_verify && members.iter().any(|one| one.url.scheme() == "https") {
            info.note = Some(NOT_VERIFIED.into());
        }
        info.cost = "5 GETs of one member: alerts, silences, receivers, status, /metrics".into();
        let receiver = told.receiver.iter().map(|receiver| ("receiver", receiver.clone()));
        let filter = told.filter.iter().map(|filter| ("filter", filter.clone()));
        let wanted = receiver.chain(filter).collect();
        let (watchdog, state) = (told.watchdog.clone(), Mutex::default());
        Ok(Self { info, shared, members, wanted, watchdog, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, now: Timestamp) -> Result<AlertsReading, PollError> {
        let begun = self.shared.monotonic();
        let from = self.state().member;
        let mut failed: Option<(usize, PollError)> = None;
        for step in 0..self.members.len() {
            let place = (from + step) % self.members.len();
            let Some(member) = self.members.get(place) else { continue };
            match self.ask_member(member, place, now).await {
                Ok(mut reading) => {
                    let mut state = self.state();
                    if let Some((first, error)) = failed {
                        let name = self.members.get(first).map_or_else(String::new, name_of);
                        state.passed = Some(format!("{name} did not answer: {error}"));
                    }
                    state.member = place;
                    reading.notes.extend(state.passed.clone());
                    reading.took = self.shared.monotonic().saturating_sub(begun);
                    return Ok(reading);
                }
                Err(error) => {
                    failed.get_or_insert((place, error));
                }
            }
        }
        // The next poll begins with another one.
        self.state().member = (from + 1) % self.members.len();
        let (first, mut error) = failed.unwrap_or((0, PollError::broken("no member is named")));
        if self.members.len() > 1 {
            let name = self.members.get(first).map_or_else(String::new, name_of);
            error.message = format!("no member answers; {name}: {}", error.message);
        }
        Err(error)
    }

    /// One member's alerts, and all else that it tells.
    async fn ask_member(
        &self,
        member: &Target,
        place: usize,
        now: Timestamp,
    ) -> Result<AlertsReading, PollError> {
        let mut alerts = endpoint(&member.url, "api/v2/alerts");
        if !self.wanted.is_empty() {
            alerts.query_pairs_mut().extend_pairs(&self.wanted);
        }
        let (alerts, silences, receivers, status, metrics) = tokio::join!(
            self.get(member, alerts),
            self.get(member, endpoint(&member.url, "api/v2/silences")),
            self.get(member, endpoint(&member.url, "api/v2/receivers")),
            self.get(member, endpoint(&member.url, "api/v2/status")),
            self.get(member, endpoint(&member.url, "metrics")),
        );
        let fetched = alerts?;
        let alerts = answer::alerts(&fetched.body)?;
        let mut unread = 0;
        let silences = silences.and_then(|fetched| answer::silences(&fetched.body));
        let silences = silences.map(|listed| {
            unread += listed.unread;
            listed.items
        });
        let receivers = receivers.and_then(|fetched| answer::receivers(&fetched.body));
        let rest = Rest {
            silences,
            receivers: receivers.map(|listed| listed.items),
            status: status.and_then(|fetched| answer::status(&fetched.body)),
            counters: metrics.and_then(|fetched| {
                counters(fetched.header("content-type"), &fetched.body)
                    .map_err(|error| PollError::broken(error.to_string()))
            }),
            unread: unread + alerts.unread,
        };
        let mut state = self.state();
        let mut reading = told::reading(alerts.items, rest, now, |counters| {
            state.lately.take(place, self.shared.monotonic(), counters)
        });
        state.watchdog =
            told::watchdog(&mut reading, self.watchdog.as_deref(), state.watchdog.as_deref());
        reading.skew_ms = fetched.skew_ms(now);
        Ok(reading)
    }

    async fn get(&self, member: &Target, url: Url) -> Result<Fetched, PollError> {
        let fetched = member.fetch_with(&self.shared, &url, None).await?;
        if (200..300).contains(&fetched.status) {
            return Ok(fetched);
        }
        Err(answer::error(fetched.status, fetched.header("retry-after"), &fetched.body))
    }
}

/// The base URL with the path of an endpoint after its own.
fn endpoint(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let before = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{before}/{path}"));
    url
}

/// A member's host and port.
fn name_of(member: &Target) -> String {
    let host = member.url.host_str().unwrap_or_default();
    let name = match member.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    harmless_within(&name, 80)
}

impl Source for Alertmanager {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = self.ask(now).await?;
            Ok(Brought::Reading(Reading::Alerts(Arc::new(reading))))
        })
    }
}

#[cfg(test)]
mod tests;
