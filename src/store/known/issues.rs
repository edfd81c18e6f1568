//! Issues of error trackers: all of them in order, those of a service, and
//! what they count for where the config says that they count.

use super::{Known, Turn};
use crate::domain::{
    CrashFree, Issue, IssueEvent, IssuesReading, Level, Mark, PollError, Reading, Release, Role,
    ServiceName, SourceId, SourceInfo, Standing, Status, Timestamp, Trend, units,
};
use crate::store::{Look, Looked, Seen};
use std::cmp::Reverse;
use std::sync::Arc;

/// The issues of a service in a few numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceIssues<'a> {
    /// How many are unresolved.
    pub unresolved: usize,
    /// The newest release of the service, where one is known.
    pub release: Option<&'a str>,
    /// How many came with that release: first seen in it, or after it came to
    /// be in use. Without a release: those that the server calls new.
    pub new: usize,
    /// How many came back.
    pub regressed: usize,
    /// How many come much more often than before.
    pub escalating: usize,
    /// The one that matters most, with the source that tells of it.
    pub first: Option<(&'a SourceInfo, &'a Issue)>,
    /// Of its projects' sessions the share that did not crash; the worst of them.
    pub crash_free: Option<f64>,
    /// When all of this was read; of several trackers the oldest.
    pub seen: Option<Timestamp>,
}

impl ServiceIssues<'_> {
    /// `2 new since v142`, `1 regressed, 12 unresolved`, `no issues`.
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        match self.release {
            _ if self.new == 0 => {}
            Some(release) => parts.push(format!("{} new since {release}", self.new)),
            None => parts.push(format!("{} new", self.new)),
        }
        for (count, word) in [(self.escalating, "escalating"), (self.regressed, "regressed")] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        match self.unresolved {
            0 => parts.push("no issues".into()),
            count if parts.is_empty() => parts.push(format!("{count} unresolved, none new")),
            count if count > self.new.max(self.regressed).max(self.escalating) => {
                parts.push(format!("{count} unresolved"));
            }
            _ => {}
        }
        parts.join(", ")
    }
}

/// Where an issue stands in the order of issues: what changed comes before what
/// goes on, then what is worse, more frequent, later.
fn order(issue: &Issue) -> impl Ord + use<> {
    let turn = match issue.trend {
        Trend::Escalating => 0,
        Trend::Regressed => 1,
        Trend::New => 2,
        Trend::Ongoing => 3,
    };
    // Errors and worse by how often they come; what only may be wrong later.
    let level = issue.level.max(Level::Warning);
    (turn, Reverse(level), Reverse(issue.events), Reverse(issue.last))
}

impl Known {
    /// The error trackers: how each stands, and what it last told.
    pub fn trackers(
        &self,
    ) -> impl Iterator<Item = (&SourceInfo, &super::SourceState, Option<&IssuesReading>)> {
        self.tellers().filter(|(info, _)| info.role == Role::Issues).map(|(info, state)| {
            let reading = match &state.reading {
                Some(Reading::Issues(reading)) => Some(&**reading),
                _ => None,
            };
            (info, state, reading)
        })
    }

    /// All unresolved issues of all trackers: escalating, regressed and new ones
    /// first, then fatal ones and errors by how many events they have and when
    /// they were last seen.
    pub fn issues(&self) -> Vec<(&SourceInfo, &Issue)> {
        let told = self.trackers().filter_map(|(info, _, reading)| Some((info, reading?)));
        let mut issues: Vec<(&SourceInfo, &Issue)> = told
            .flat_map(|(info, reading)| reading.issues.iter().map(move |issue| (info, issue)))
            .collect();
        issues.sort_by(|(a_of, a), (b_of, b)| {
            let ids = || (&a_of.id, &a.id).cmp(&(&b_of.id, &b.id));
            order(a).cmp(&order(b)).then_with(ids)
        });
        issues
    }

    /// An issue by the source that tells of it and the server's id.
    pub fn issue(&self, source: &SourceId, id: &str) -> Option<&Issue> {
        let Some(Reading::Issues(reading)) = &self.sources.get(source)?.reading else {
            return None;
        };
        reading.issues.iter().find(|issue| issue.id == id)
    }

    /// The latest event of an issue, where it was asked for: when that came, and
    /// what it is, or why there is none.
    pub fn issue_event(
        &self,
        source: &SourceId,
        id: &str,
    ) -> Option<(Timestamp, Result<&IssueEvent, &PollError>)> {
        let about = |looked: &&Looked| {
            looked.source == *source && matches!(&looked.look, Look::Issue(of) if of == id)
        };
        let looked = self.looked.iter().find(about)?;
        match &looked.outcome {
            Ok(Seen::Event(event)) => Some((looked.at, Ok(event))),
            Ok(_) => None,
            Err(error) => Some((looked.at, Err(error))),
        }
    }

    /// The issues of a service, and its newest release with what came with it.
    /// None where no tracker has told anything, or the service has no project.
    pub fn issues_of(&self, service: &ServiceName) -> Option<ServiceIssues<'_>> {
        let known = self.inventory.services.iter().find(|known| known.name == *service)?;
        let mut told = ServiceIssues::default();
        let newest = self.newest_release(service);
        told.release = newest.map(|release| release.version.as_str());
        for (info, state, reading) in self.trackers() {
            let Some(reading) = reading.filter(|_| !known.projects.is_empty()) else { continue };
            told.seen = told.seen.min(state.answered).or(state.answered);
            for issue in &reading.issues {
                if issue.service.as_ref() != Some(service) {
                    continue;
                }
                told.unresolved += 1;
                told.new += usize::from(match newest {
                    Some(release) => came_with(issue, release),
                    None => issue.trend == Trend::New,
                });
                told.regressed += usize::from(issue.trend == Trend::Regressed);
                told.escalating += usize::from(issue.trend == Trend::Escalating);
                if told.first.is_none_or(|(_, first)| order(issue) < order(first)) {
                    told.first = Some((info, issue));
                }
            }
            let shares = shares_of(reading, &known.projects).map(|(_, share)| share);
            told.crash_free = shares.chain(told.crash_free).reduce(f64::min);
        }
        told.seen.is_some().then_some(told)
    }

    /// A tracker has answered, or what it told has become old.
    pub(super) fn issues_told(&self, turn: &mut Turn) {
        if self.inventory.issues.count() {
            let services = self.inventory.services.iter();
            let with = services.filter(|service| !service.projects.is_empty());
            turn.services.extend(with.map(|service| service.name.clone()));
        }
    }

    /// What issues count for in the verdict of a service: nothing unless the
    /// config says so. Old data that was bad stays critical, all else is unknown.
    pub fn issue_standings(&self, service: &ServiceName) -> Vec<Standing> {
        let inventory = Arc::clone(&self.inventory);
        if !inventory.issues.count() {
            return Vec::new();
        }
        let known = inventory.services.iter().find(|known| known.name == *service);
        let Some(known) = known.filter(|known| !known.projects.is_empty()) else {
            return Vec::new();
        };
        let mut standings = Vec::new();
        for (info, state, reading) in self.trackers() {
            let Some(reading) = reading else {
                standings.push(Standing::waiting(self.started));
                continue;
            };
            let mut standing = self.issue_standing(service, &known.projects, reading);
            standing.seen = state.answered;
            if state.is_stale(self.now, info.every) {
                standing.mark = Some(Mark::Stale);
                if standing.status != Status::Critical {
                    standing.status = Status::Unknown;
                    standing.reason = format!("no answer from {}", info.label);
                    standing.since = state.answered.unwrap_or(self.started);
                }
            }
            standings.push(standing);
        }
        standings
    }

    fn issue_standing(
        &self,
        service: &ServiceName,
        projects: &[String],
        reading: &IssuesReading,
    ) -> Standing {
        let rules = &self.inventory.issues;
        let limits = &rules.crash_free;
        let worst = shares_of(reading, projects).min_by(|(_, a), (_, b)| a.total_cmp(b));
        // How it began is not told: the latest it can be is now, or since the
        // verdict stands that it is part of.
        let before = self.services.get(service).map(|state| &state.standing);
        let since = |status: Status| match before {
            Some(before) if before.status == status && !before.is_waiting() => before.since,
            _ => self.now,
        };
        if let Some((project, share)) = worst {
            let below = |limit: Option<f64>| limit.filter(|limit| share < *limit);
            let critical = below(limits.critical).map(|limit| (Status::Critical, limit));
            let bad = critical.or(below(limits.warning).map(|limit| (Status::Warning, limit)));
            if let Some((status, limit)) = bad {
                let percent = |share| units::value(share, crate::domain::Unit::Ratio);
                let reason = format!(
                    "crash-free sessions {} < {} in {project}",
                    percent(share),
                    percent(limit)
                );
                let since = since(status);
                return Standing { status, reason, since, ..Standing::default() };
            }
        }
        let counted: Vec<&Issue> = reading
            .issues
            .iter()
            .filter(|issue| issue.service.as_ref() == Some(service))
            .filter(|issue| rules.warning.contains(&issue.trend))
            .collect();
        let Some(first) = counted.iter().min_by_key(|issue| order(issue)) else {
            let (status, reason) = (Status::Ok, "no issue that counts".to_owned());
            return Standing { status, reason, since: since(Status::Ok), ..Standing::default() };
        };
        let mut reason = format!("{} issue {}: {}", first.trend.word(), first.short, first.title);
        if counted.len() > 1 {
            reason = format!("{reason}, {} more", counted.len() - 1);
        }
        let since = since(Status::Warning);
        Standing { status: Status::Warning, reason, since, ..Standing::default() }
    }
}

/// Whether an issue came with a release.
fn came_with(issue: &Issue, release: &Release) -> bool {
    issue.first_release.as_ref() == Some(&release.version) || issue.first >= release.at
}

/// The crash-free shares of some projects: of sessions, or else of users.
fn shares_of<'a>(
    reading: &'a IssuesReading,
    projects: &'a [String],
) -> impl Iterator<Item = (&'a str, f64)> {
    let of = |told: &'a CrashFree| {
        let share = told.sessions.or(told.users)?.0;
        share.is_finite().then_some((told.project.as_str(), share))
    };
    reading.crash_free.iter().filter(|told| projects.contains(&told.project)).filter_map(of)
}
