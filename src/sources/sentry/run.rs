//! One poll of an error tracker: what is asked, in which order, and what is
//! left out where time or the rate limit is short.

use super::issues::{Told, next_cursor};
use super::projects::Project;
use super::{Memory, SELDOM, Sentry, bugsink, head, issues, json, projects, refused};
use crate::config::TrackerKind;
use crate::domain::reading::PollFailure;
use crate::domain::{Issue, IssuesReading, PollError, Timestamp, harmless_within, units};
use crate::sources::client::Fetched;
use reqwest::Url;
use std::collections::BTreeSet;
use std::time::Duration;

/// So many issues are read, and so many pages of them.
const MOST_ISSUES: usize = 1_000;
const MOST_PAGES: usize = 10;
/// Sentry gives no more on one page.
const PAGE: usize = 100;
/// So many projects are named in one question; more are sorted out here.
const NAMED: usize = 50;
/// So many projects of a Bugsink are read, each with questions of its own.
const MOST_PROJECTS: usize = 20;

/// A poll under way. Dropped, it leaves nothing behind.
pub(super) struct Run<'a> {
    of: &'a Sentry,
    pub(super) memory: Memory,
    now: Timestamp,
    begun: Duration,
    /// From the beginning; less where something was read already.
    limit: Duration,
    notes: Vec<String>,
    skew_ms: Option<i64>,
}

/// The issues of a poll.
#[derive(Default)]
struct Pages {
    issues: Vec<Told>,
    count: usize,
    more: bool,
    odd: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(of: &'a Sentry, memory: Memory, now: Timestamp) -> Self {
        let begun = of.shared.monotonic();
        let limit = of.info.timeout;
        Self { of, memory, now, begun, limit, notes: Vec::new(), skew_ms: None }
    }

    /// Asks once, in what is left of the time for the whole.
    async fn send(&mut self, url: &Url) -> Result<Fetched, PollError> {
        let limit = self.limit;
        let gone = self.of.shared.monotonic().saturating_sub(self.begun);
        let fetch = self.of.target.fetch_with(&self.of.shared, url, None);
        // The request's own limit says more of how it ended, and comes first
        // where all of the time is left.
        let left = limit.saturating_sub(gone) + Duration::from_millis(50);
        let fetched = tokio::time::timeout(left, fetch).await;
        let fetched = fetched.map_err(|_| {
            let message = format!("no answer in {}", units::duration(limit));
            PollError::new(PollFailure::Timeout, message)
        })??;
        if let Some(limit) = refused::rate_limit(head(&fetched)) {
            self.memory.limit = Some(limit);
        }
        self.skew_ms = self.skew_ms.or(fetched.skew_ms(self.now + gone));
        Ok(fetched)
    }

    /// What was read must come home: what is asked beside it ends a little earlier.
    fn spare(&mut self) {
        self.limit = self.of.info.timeout / 10 * 9;
    }

    /// Asks once for something that must be there.
    pub(super) async fn get(&mut self, url: &Url) -> Result<Fetched, PollError> {
        let fetched = self.send(url).await?;
        self.good(&fetched)?;
        Ok(fetched)
    }

    fn good(&self, fetched: &Fetched) -> Result<(), PollError> {
        if (200..300).contains(&fetched.status) {
            return Ok(());
        }
        Err(refused::refused(head(fetched), &fetched.body, &self.of.what(), self.now))
    }

    /// Whose API it is, found out once: by the list of projects, which is read
    /// anyway, and by what only a GlitchTip has.
    pub(super) async fn find_out(&mut self) -> Result<TrackerKind, PollError> {
        if let Some(kind) = self.memory.kind {
            return Ok(kind);
        }
        let fetched = self.send(&self.projects_url(TrackerKind::Sentry)).await?;
        let is_json = json::read(&fetched.body).is_ok();
        let refusal = self.good(&fetched).err();
        if refused::rate_limit(head(&fetched)).is_some() {
            self.memory.kind = Some(TrackerKind::Sentry);
        } else if matches!(fetched.status, 404 | 405) && !is_json {
            let other = self.send(&self.projects_url(TrackerKind::Bugsink)).await?;
            let own = String::from_utf8_lossy(&fetched.body).contains("Unimplemented API endpoint");
            if own || other.header("content-type").contains("json") {
                self.good(&other)?;
                self.memory.projects = Some(projects::projects(&other.body)?);
                self.memory.kind = Some(TrackerKind::Bugsink);
                return Ok(TrackerKind::Bugsink);
            }
            return Err(refusal.unwrap_or_else(|| PollError::broken("no error tracker")));
        } else if refusal.is_none() || fetched.status == 403 && is_json {
            if refusal.is_none() {
                // A page of HTML is no server that could be told apart.
                projects::projects(&fetched.body)?;
            }
            let settings = self.send(&self.of.endpoint(&["api", "settings"])).await?;
            let glitchtip = (settings.status == 200).then(|| projects::glitchtip(&settings.body));
            self.memory.server = glitchtip.flatten();
            let is = self.memory.server.is_some();
            self.memory.kind = Some(if is { TrackerKind::GlitchTip } else { TrackerKind::Sentry });
        }
        match (self.memory.kind, refusal) {
            (Some(kind), None) => {
                self.memory.projects = Some(projects::projects(&fetched.body)?);
                Ok(kind)
            }
            // Issues may be readable where projects are not.
            (Some(kind), Some(refusal)) if fetched.status == 403 => {
                self.memory.denied = Some(note("projects", &refusal));
                Ok(kind)
            }
            (_, refusal) => Err(refusal.unwrap_or_else(|| PollError::broken("no error tracker"))),
        }
    }

    fn projects_url(&self, kind: TrackerKind) -> Url {
        match kind {
            TrackerKind::Bugsink => self.of.endpoint(&["api", "canonical", "0", "projects"]),
            TrackerKind::Sentry | TrackerKind::GlitchTip => self.of.of_org(&["projects"]),
        }
    }

    /// The whole poll.
    pub(super) async fn read(&mut self) -> Result<IssuesReading, PollError> {
        let kind = self.find_out().await?;
        let seldom = self.of.info.every.saturating_mul(2 * SELDOM - 1) / 2;
        let now = self.now;
        let is_due = |last: Timestamp| last > now || now.since(last) >= seldom;
        let is_due = self.memory.seldom.is_none_or(is_due);
        // Those that were just read to find out are fresh.
        let told = self.memory.projects.is_some() || self.memory.denied.is_some();
        let fresh = self.memory.seldom.is_none() && told;
        let is_short = self.memory.limit.is_some_and(refused::is_little);
        if !told || is_due && !fresh && !is_short {
            self.read_projects(kind).await?;
        }
        let projects = self.wanted_projects()?;
        let mut pages = match kind {
            TrackerKind::Bugsink => self.bugsink_issues(&projects).await?,
            TrackerKind::Sentry | TrackerKind::GlitchTip => {
                self.sentry_issues(&projects, kind).await?
            }
        };
        if is_due {
            self.read_seldom(kind, &projects).await;
        }
        let issues = self.judged(&mut pages, kind);
        if pages.odd > 0 {
            self.notes.push(format!("{} issues could not be read", pages.odd));
        }
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.memory.denied.clone());
        notes.extend(self.memory.notes.iter().cloned());
        Ok(IssuesReading {
            server: self.memory.server(),
            issues,
            more: pages.more,
            releases: self.memory.releases.clone(),
            crash_free: self.memory.crash_free.clone(),
            limit: self.memory.limit,
            notes,
            took: self.of.shared.monotonic().saturating_sub(self.begun),
            skew_ms: self.skew_ms,
        })
    }

    /// All projects that the token may see. Where it may not list them, issues
    /// are sorted out here by what they say of their project.
    async fn read_projects(&mut self, kind: TrackerKind) -> Result<(), PollError> {
        let url = self.projects_url(kind);
        let told = self.get(&url).await.and_then(|fetched| projects::projects(&fetched.body));
        match told {
            Ok(projects) => {
                self.memory.projects = Some(projects);
                self.memory.denied = None;
            }
            // A Bugsink is read project by project.
            Err(error) if kind == TrackerKind::Bugsink || self.memory.projects.is_none() => {
                if kind == TrackerKind::Bugsink || error.cause != PollFailure::Denied {
                    return Err(error);
                }
                self.memory.denied = Some(note("projects", &error));
            }
            Err(error) => self.notes.push(note("projects", &error)),
        }
        Ok(())
    }

    /// The projects to read, where they are known.
    fn wanted_projects(&mut self) -> Result<Vec<Project>, PollError> {
        let Some(all) = &self.memory.projects else { return Ok(Vec::new()) };
        let wanted = &self.of.wanted;
        let found: Vec<Project> =
            all.iter().filter(|project| self.of.is_wanted(&project.slug)).cloned().collect();
        let is_there = |slug: &&String| found.iter().any(|project| project.slug == **slug);
        let missing: Vec<&String> = wanted.iter().filter(|slug| !is_there(slug)).collect();
        if !wanted.is_empty() && found.is_empty() {
            let names = names(&missing);
            let message = format!("no project {names} that the token may see");
            return Err(PollError::new(PollFailure::Absent, message));
        }
        if !missing.is_empty() {
            self.notes.push(format!("no project {} that the token may see", names(&missing)));
        }
        Ok(found)
    }

    /// Adds what a question is narrowed down to.
    fn narrow(&self, url: &mut Url, projects: &[Project]) {
        let mut query = url.query_pairs_mut();
        if !self.of.wanted.is_empty() && projects.len() <= NAMED {
            for project in projects {
                query.append_pair("project", &project.id);
            }
        }
        if let Some(environment) = &self.of.tracker.environment {
            query.append_pair("environment", environment);
        }
    }

    /// Unresolved issues, page by page.
    async fn sentry_issues(
        &mut self,
        projects: &[Project],
        kind: TrackerKind,
    ) -> Result<Pages, PollError> {
        let mut url = self.of.of_org(&["issues"]);
        // Without `sort` the last seen come first, in the dialect of each server.
        url.query_pairs_mut()
            .append_pair("query", "is:unresolved")
            .append_pair("groupStatsPeriod", "24h")
            .append_pair("limit", "100");
        self.narrow(&mut url, projects);
        let mut read = Pages::default();
        let mut cursor: Option<String> = None;
        loop {
            let mut page = url.clone();
            if let Some(cursor) = &cursor {
                page.query_pairs_mut().append_pair("cursor", cursor);
            }
            let fetched = self.get(&page).await;
            let told = fetched.and_then(|fetched| {
                let (told, odd) = issues::page(&fetched.body)?;
                let links = fetched.headers.get_all("link").iter();
                let links: Vec<&str> = links.filter_map(|link| link.to_str().ok()).collect();
                Ok((told, odd, links.join(", ")))
            });
            let (told, odd, link) = match told {
                Ok(told) => told,
                // What is there is exact, and that there is more is said.
                Err(error) if read.count > 0 => {
                    read.more = true;
                    self.notes.push(note(&format!("issues after {}", read.issues.len()), &error));
                    return Ok(read);
                }
                Err(error) => return Err(error),
            };
            let full = told.len() + odd >= PAGE;
            read.count += 1;
            self.spare();
            read.odd += odd;
            read.issues.extend(told);
            let next = next_cursor(&link);
            let is_over = next.is_none() || next == cursor;
            if is_over {
                // A server that says nothing of pages may hold more than one.
                read.more = next.is_some() || link.trim().is_empty() && full;
                break;
            }
            if read.count >= MOST_PAGES || read.issues.len() >= MOST_ISSUES {
                read.more = true;
                break;
            }
            if self.memory.limit.is_some_and(|limit| limit.remaining == 0 && limit.reset > self.now)
            {
                read.more = true;
                let count = read.issues.len();
                self.notes
                    .push(format!("issues after {count}: left out, the rate limit is used up"));
                break;
            }
            cursor = next;
        }
        for told in &mut read.issues {
            let issue = &mut told.issue;
            // GlitchTip does not count users.
            if kind == TrackerKind::GlitchTip {
                issue.users = issue.users.filter(|users| *users > 0);
            }
            issue.environment.clone_from(&self.of.tracker.environment);
        }
        Ok(read)
    }

    /// The issues of each project of a Bugsink, the last seen first.
    async fn bugsink_issues(&mut self, projects: &[Project]) -> Result<Pages, PollError> {
        let mut read = Pages::default();
        if projects.len() > MOST_PROJECTS {
            read.more = true;
            self.notes.push(format!("the first {MOST_PROJECTS} of {} projects", projects.len()));
        }
        let mut left = MOST_PAGES;
        for project in projects.iter().take(MOST_PROJECTS) {
            let mut url = self.of.endpoint(&["api", "canonical", "0", "issues"]);
            url.query_pairs_mut()
                .append_pair("project", &project.id)
                .append_pair("sort", "last_seen")
                .append_pair("order", "desc");
            let mut cursor: Option<String> = None;
            loop {
                let mut page = url.clone();
                if let Some(cursor) = &cursor {
                    page.query_pairs_mut().append_pair("cursor", cursor);
                }
                let told = self.get(&page).await;
                let (items, next) = match told.and_then(|fetched| bugsink::page(&fetched.body)) {
                    Ok(told) => told,
                    Err(error) if read.count > 0 => {
                        read.more = true;
                        self.notes.push(note(&project.slug, &error));
                        break;
                    }
                    Err(error) => return Err(error),
                };
                read.count += 1;
                self.spare();
                let base = &self.of.target.url;
                let told: Vec<Told> =
                    items.iter().filter_map(|item| bugsink::issue(item, project, base)).collect();
                read.odd += items.len() - told.len();
                read.issues.extend(told);
                if next.is_none() || next == cursor {
                    break;
                }
                if left == 0 || read.issues.len() >= 2 * MOST_ISSUES {
                    read.more = true;
                    break;
                }
                left -= 1;
                cursor = next;
            }
        }
        Ok(read)
    }

    /// Open issues of wanted projects, the last seen first, each once, with
    /// their service and where they go.
    fn judged(&mut self, pages: &mut Pages, kind: TrackerKind) -> Vec<Issue> {
        let mut told = std::mem::take(&mut pages.issues);
        let mut seen = BTreeSet::new();
        told.retain(|one| seen.insert(one.issue.id.clone()));
        told.retain(|one| self.of.is_wanted(&one.issue.project));
        for closed in told.iter().filter(|one| !one.is_open() && !one.trend_told) {
            self.memory.watched.closed(&closed.issue.id, self.now);
        }
        told.retain(Told::is_open);
        // A Bugsink lists what is resolved as well: missing there is deleted.
        let is_whole = !pages.more && kind != TrackerKind::Bugsink;
        self.memory.watched.judge(&mut told, is_whole, self.now);
        let mut issues: Vec<Issue> = told.into_iter().map(|one| one.issue).collect();
        issues.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.id.cmp(&b.id)));
        pages.more |= issues.len() > MOST_ISSUES;
        issues.truncate(MOST_ISSUES);
        for issue in &mut issues {
            issue.service = self.of.service_of(&issue.project);
        }
        issues
    }

    /// Releases and crash-free shares. What fails here is said beside the issues.
    async fn read_seldom(&mut self, kind: TrackerKind, projects: &[Project]) {
        let mut notes = Vec::new();
        if let Some(limit) = self.memory.limit.filter(|limit| refused::is_little(*limit)) {
            let (left, of) = (limit.remaining, limit.limit);
            // The next poll tries again: the time of the last one stays as it is.
            self.notes.push(format!(
                "releases and crash-free rate: left out, {left} of {of} requests are left"
            ));
            return;
        }
        match self.read_releases(kind, projects).await {
            Ok(mut releases) => {
                for one in &mut releases {
                    one.origin.clone_from(&self.of.info.label);
                }
                releases.truncate(200);
                self.memory.releases = releases;
            }
            Err(error) => notes.push(note("releases", &error)),
        }
        if kind == TrackerKind::Sentry {
            let mut url = self.of.of_org(&["sessions"]);
            url.query_pairs_mut()
                .append_pair("field", "crash_free_rate(session)")
                .append_pair("field", "crash_free_rate(user)")
                .append_pair("groupBy", "project")
                .append_pair("statsPeriod", "24h")
                .append_pair("interval", "1d")
                .append_pair("includeSeries", "0");
            self.narrow(&mut url, projects);
            let known = self.memory.projects.clone().unwrap_or_default();
            let told = self.get(&url).await;
            match told.and_then(|fetched| projects::crash_free(&fetched.body, &known)) {
                Ok(mut told) => {
                    told.retain(|one| self.of.is_wanted(&one.project));
                    self.memory.crash_free = told;
                }
                // Servers without sessions are no worse for it.
                Err(error) if error.cause == PollFailure::Absent => self.memory.crash_free.clear(),
                Err(error) => {
                    // What is not known now must not look as if it were.
                    self.memory.crash_free.clear();
                    notes.push(note("crash-free rate", &error));
                }
            }
        }
        self.memory.notes = notes;
        self.memory.seldom = Some(self.now);
    }

    async fn read_releases(
        &mut self,
        kind: TrackerKind,
        projects: &[Project],
    ) -> Result<Vec<crate::domain::Release>, PollError> {
        if kind == TrackerKind::Bugsink {
            let mut all = Vec::new();
            for project in projects.iter().take(MOST_PROJECTS) {
                let mut url = self.of.endpoint(&["api", "canonical", "0", "releases"]);
                url.query_pairs_mut()
                    .append_pair("project", &project.id)
                    .append_pair("order", "desc");
                let (items, _) = bugsink::page(&self.get(&url).await?.body)?;
                let service = self.of.service_of(&project.slug);
                all.extend(bugsink::releases(&items, service.as_ref()));
            }
            all.sort_by_key(|release| std::cmp::Reverse(release.at));
            return Ok(all);
        }
        let mut url = self.of.of_org(&["releases"]);
        url.query_pairs_mut().append_pair("per_page", "50");
        self.narrow(&mut url, projects);
        let fetched = self.get(&url).await?;
        let environment = self.of.tracker.environment.as_deref();
        projects::releases(&fetched.body, environment, |slug| self.of.service_of(slug))
    }
}

/// What could not be read, and why.
fn note(what: &str, error: &PollError) -> String {
    format!("{what}: {}", error.message)
}

/// A few names in words.
fn names(slugs: &[&String]) -> String {
    let few: Vec<String> =
        slugs.iter().take(5).map(|slug| format!("`{}`", harmless_within(slug, 40))).collect();
    few.join(", ")
}
