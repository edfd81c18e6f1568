//! Error trackers: Sentry (sentry.io and self-hosted), GlitchTip and Bugsink,
//! one poller for each organization.

pub mod bugsink;
pub mod event;
pub mod issues;
pub mod json;
pub mod projects;
pub mod refused;
mod run;

use super::client::{Fetched, Shared, Target, shown};
use super::http::NOT_VERIFIED;
use super::{Brought, Source};
use crate::config::{Tracker, TrackerKind};
use crate::domain::reading::PollFailure;
use crate::domain::{
    CrashFree, IssueEvent, IssuesReading, PollError, RateLimit, Reading, Release, ServiceName,
    SourceInfo, Timestamp,
};
use crate::store::message::{Look, Seen};
use futures_util::future::BoxFuture;
use issues::Watched;
use projects::Project;
use refused::Head;
use reqwest::Url;
use run::Run;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The largest answer; a page of a hundred issues is about 400 KB.
const LARGEST: u64 = 16 << 20;
/// What changes seldom is asked for at every fifth poll.
const SELDOM: u32 = 5;

/// An error tracker that can be asked.
pub struct Sentry {
    info: SourceInfo,
    shared: Arc<Shared>,
    target: Target,
    tracker: Tracker,
    /// Slugs of projects and the services that they belong to.
    services: Vec<(String, ServiceName)>,
    /// Slugs of the projects that are read; all where empty.
    wanted: Vec<String>,
    /// What was found out; taken over when a poll ends.
    memory: Mutex<Memory>,
    /// The server has only the older path of an issue.
    old_paths: AtomicBool,
}

/// What is kept from poll to poll.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Whose API it is.
    kind: Option<TrackerKind>,
    /// What it calls itself.
    server: Option<String>,
    /// All projects that the token may see; none while nobody knows.
    projects: Option<Vec<Project>>,
    releases: Vec<Release>,
    crash_free: Vec<CrashFree>,
    /// Why the projects could not be listed.
    denied: Option<String>,
    /// What could not be read of all that is asked seldom.
    notes: Vec<String>,
    /// When that was asked last.
    seldom: Option<Timestamp>,
    limit: Option<RateLimit>,
    watched: Watched,
}

impl Memory {
    fn server(&self) -> String {
        let name = match self.kind {
            None | Some(TrackerKind::Sentry) => "Sentry",
            Some(TrackerKind::GlitchTip) => "GlitchTip",
            Some(TrackerKind::Bugsink) => "Bugsink",
        };
        self.server.clone().unwrap_or_else(|| name.into())
    }
}

impl Sentry {
    /// Asks the tracker of a config; fails where its URL is none. `services`
    /// are the slugs of projects with the services that they belong to.
    pub fn new(
        mut info: SourceInfo,
        tracker: &Tracker,
        services: Vec<(String, ServiceName)>,
        connect_timeout: Duration,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        let url = Url::parse(&tracker.url).map_err(|error| format!("this is no URL: {error}"))?;
        let kind = tracker.kind.or_else(|| is_sentry_io(&url).then_some(TrackerKind::Sentry));
        info.kind = "sentry".into();
        info.network = true;
        info.asks = match tracker.org.as_str() {
            "" => shown(&url),
            org => format!("{} {org}", shown(&url)),
        };
        info.cost = match kind {
            Some(TrackerKind::Bugsink) => {
                "1 GET for each project and 250 issues, every 5th time 2 for each project".into()
            }
            _ => "1 GET for each 100 issues, 10 at most, every 5th time up to 3 more".into(),
        };
        if tracker.client.skip_verify && url.scheme() == "https" {
            info.note = Some(NOT_VERIFIED.into());
        }
        let mut target = Target::get(url, tracker.client.clone(), info.timeout);
        target.connect_timeout = connect_timeout.min(info.timeout);
        target.max_body = LARGEST;
        let wanted = if tracker.projects.is_empty() {
            services.iter().map(|(slug, _)| slug.clone()).collect()
        } else {
            tracker.projects.clone()
        };
        Ok(Self {
            info,
            shared,
            target,
            tracker: tracker.clone(),
            services,
            wanted,
            memory: Mutex::new(Memory { kind, ..Memory::default() }),
            old_paths: AtomicBool::new(false),
        })
    }

    /// The base URL with the parts of a path after its own, and a slash at the end.
    fn endpoint(&self, parts: &[&str]) -> Url {
        let mut url = self.target.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts).push("");
        }
        url
    }

    /// An endpoint of the organization.
    fn of_org(&self, parts: &[&str]) -> Url {
        let begin = ["api", "0", "organizations", &self.tracker.org];
        self.endpoint(&[&begin, parts].concat())
    }

    /// What is asked for, in words for an error.
    fn what(&self) -> String {
        match self.tracker.org.as_str() {
            "" => "it".into(),
            org => format!("organization `{}`", crate::domain::harmless_within(org, 60)),
        }
    }

    fn service_of(&self, slug: &str) -> Option<ServiceName> {
        let found = self.services.iter().find(|(project, _)| project == slug);
        found.map(|(_, service)| service.clone())
    }

    fn is_wanted(&self, slug: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == slug)
    }

    fn begin(&self, now: Timestamp) -> Run<'_> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Run::new(self, memory, now)
    }

    fn keep(&self, memory: Memory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    async fn ask(&self, now: Timestamp) -> Result<IssuesReading, PollError> {
        let mut run = self.begin(now);
        let outcome = run.read().await;
        if outcome.as_ref().is_err_and(|error| error.cause == PollFailure::Absent) {
            // Another server may stand there now.
            run.memory.kind = self.tracker.kind;
            run.memory.projects = None;
        }
        self.keep(run.memory);
        outcome
    }

    /// The latest event of an issue.
    async fn latest(&self, id: &str, now: Timestamp) -> Result<IssueEvent, PollError> {
        let mut run = self.begin(now);
        let kind = run.find_out().await?;
        if kind == TrackerKind::Bugsink {
            let mut url = self.endpoint(&["api", "canonical", "0", "events"]);
            url.query_pairs_mut().append_pair("issue", id).append_pair("order", "desc");
            let (events, _) = bugsink::page(&run.get(&url).await?.body)?;
            let Some(event) = bugsink::latest(&events) else {
                return Err(PollError::new(PollFailure::Absent, "no event of it is kept"));
            };
            let url = self.endpoint(&["api", "canonical", "0", "events", &event]);
            return Ok(event::parse(&run.get(&url).await?.body)?.event);
        }
        let new = self.of_org(&["issues", id, "events", "latest"]);
        let old = self.endpoint(&["api", "0", "issues", id, "events", "latest"]);
        let mut paths = [(&new, false), (&old, true)];
        if kind == TrackerKind::GlitchTip || self.old_paths.load(Ordering::Relaxed) {
            paths.reverse();
        }
        let mut first = None;
        for (url, is_old) in paths {
            match run.get(url).await {
                Ok(fetched) => {
                    let told = event::parse(&fetched.body)?;
                    self.old_paths.store(is_old, Ordering::Relaxed);
                    return Ok(told.event);
                }
                Err(error) if error.cause == PollFailure::Absent => {
                    first.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(PollError::new(PollFailure::Absent, "no event of it is kept, or the issue is gone"))
    }
}

/// Sentry's own hosts: nothing has to be found out there.
fn is_sentry_io(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "sentry.io" || host.ends_with(".sentry.io")
}

/// An answer's code and headers.
fn head(fetched: &Fetched) -> Head<'_> {
    Head { status: fetched.status, headers: &fetched.headers }
}

impl Source for Sentry {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = self.ask(now).await?;
            Ok(Brought::Reading(Reading::Issues(Arc::new(reading))))
        })
    }

    fn look(&self, look: &Look, now: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        let Look::Issue(id) = look else { return None };
        let id = id.clone();
        Some(Box::pin(async move { Ok(Seen::Event(self.latest(&id, now).await?)) }))
    }
}
