//! Releases: what was changed last, whoever tells of it.

use super::Known;
use crate::domain::{
    Alert, AlertState, EventKind, Reading, Release, Role, ServiceName, Severity, SourceInfo,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many releases are kept, the newest.
const MOST: usize = 200;
/// The same version that two sources tell of within this time is one release.
const SAME: Duration = Duration::from_hours(1);
/// A release explains nothing that began later than this.
const SUSPECT_FOR: Duration = Duration::from_hours(24);

/// What changed last, and what began after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The release.
    pub release: Release,
    /// How long after it the first of the present problems began that it may
    /// have brought; none where nothing is wrong that began after it.
    pub before_first_error: Option<Duration>,
    /// The beginning of that problem was not seen: the time is the longest that
    /// it can be.
    pub at_most: bool,
}

impl Known {
    /// A source that tells of releases has answered: these are kept, the newest
    /// first. What happened while this console watches is an event.
    pub(super) fn releases_told(&mut self, info: &SourceInfo, reading: &Reading) {
        let told = match reading {
            Reading::Releases(reading) => &reading.releases,
            Reading::Issues(reading) => &reading.releases,
            _ => return,
        };
        let mut fresh = Vec::new();
        for release in told.iter().take(MOST).filter(|release| !release.version.is_empty()) {
            let mut release = release.clone();
            if release.origin.is_empty() {
                release.origin.clone_from(&info.label);
            }
            if self.merge_release(&release, &info.role) && release.at >= self.started {
                fresh.push(release);
            }
        }
        self.releases.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.version.cmp(&b.version)));
        self.releases.truncate(MOST);
        fresh.sort_by_key(|release| release.at);
        for Release { service, version, by, at, .. } in fresh {
            self.note(EventKind::Released { service, version, by, since: at });
        }
    }

    /// Puts a release to those that are known; false where it is known already.
    ///
    /// One source that tells twice of a version at different moments tells of
    /// two releases: the second is a step back, or the same once more. Where two
    /// sources tell of one, the moment of a marker of releases counts more than
    /// the tracker's, which knows when a version was made and often not when it
    /// came into use; of two of a kind the earlier one counts.
    fn merge_release(&mut self, told: &Release, role: &Role) -> bool {
        let same_version =
            |known: &Release| known.version == told.version && concerns_same(known, told);
        let apart = |known: &Release| {
            if known.at > told.at { known.at.since(told.at) } else { told.at.since(known.at) }
        };
        let exact = self.releases.iter().position(|known| {
            same_version(known) && known.origin == told.origin && known.at == told.at
        });
        let near = || {
            let others = self.releases.iter().enumerate().filter(|(_, known)| {
                same_version(known) && known.origin != told.origin && apart(known) <= SAME
            });
            others.min_by_key(|(_, known)| apart(known)).map(|(place, _)| place)
        };
        let Some(place) = exact.or_else(near) else {
            self.releases.push(told.clone());
            return true;
        };
        let marker = |origin: &str| {
            self.tellers().any(|(info, _)| info.label == origin && info.role == Role::Releases)
        };
        let told_by_marker = matches!(role, Role::Releases);
        let known_by_marker = marker(&self.releases[place].origin);
        let known = &mut self.releases[place];
        if told_by_marker && !known_by_marker
            || told_by_marker == known_by_marker && told.at < known.at
        {
            known.at = told.at;
            known.origin.clone_from(&told.origin);
        }
        if known.by.is_empty() {
            known.by.clone_from(&told.by);
        }
        known.before = known.before.take().or_else(|| told.before.clone());
        known.service = known.service.take().or_else(|| told.service.clone());
        // Issues come in later.
        known.new_issues = told.new_issues.or(known.new_issues);
        false
    }

    /// The newest release of a service that is in use by now.
    pub fn newest_release(&self, service: &ServiceName) -> Option<&Release> {
        let past = self.releases.iter().filter(|release| release.at <= self.now);
        past.into_iter().find(|release| release.service.as_ref() == Some(service))
    }

    /// Releases from `from` to `to`, the newest first, to mark them on a chart:
    /// those of this service and those that name none; all where no service is asked for.
    pub fn releases_within(
        &self,
        service: Option<&ServiceName>,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = &Release> {
        self.releases.iter().filter(move |release| {
            let concerns = match (service, &release.service) {
                (Some(asked), Some(released)) => asked == released,
                _ => true,
            };
            concerns && release.at >= from && release.at <= to
        })
    }

    /// The version before this release: as told, or else the version of the
    /// release of the same service before it.
    pub fn version_before<'k>(&'k self, release: &'k Release) -> Option<&'k str> {
        release.before.as_deref().or_else(|| {
            let older = self.releases.iter().filter(|other| {
                other.at < release.at
                    && other.service == release.service
                    && other.version != release.version
            });
            older.max_by_key(|other| other.at).map(|other| other.version.as_str())
        })
    }

    /// What changed last before the present problems, and how long before the
    /// first of them; the newest release where nothing is wrong, or where
    /// nothing that is wrong began after a release.
    ///
    /// A problem is an alert that fires and is not quiet. It is held against the
    /// last release before it, within a day, of its own service, of one that it
    /// needs, or of nobody in particular. Of several such releases the one
    /// counts that stands behind the worst problem, then the latest.
    pub fn last_change(&self) -> Option<Change> {
        let problems = self.alerts.iter().filter(|alert| {
            alert.state == AlertState::Firing
                && !alert.is_quiet()
                && alert.severity >= Severity::Warning
        });
        let mut behind: Vec<(Reverse<Severity>, Reverse<Timestamp>, usize, &Alert)> = Vec::new();
        // Many alerts of few services: whose releases bear on each is worked out once.
        let mut bearing: BTreeMap<Option<&ServiceName>, Vec<usize>> = BTreeMap::new();
        for alert in problems {
            let service = alert.service.as_ref();
            let bearing = bearing.entry(service).or_insert_with(|| self.releases_on(service));
            let later = bearing.partition_point(|place| self.releases[*place].at > alert.since);
            let suspect = bearing.get(later).copied();
            let suspect = suspect.map(|place| (place, self.releases[place].at));
            if let Some((place, at)) = suspect
                && alert.since.since(at) <= SUSPECT_FOR
            {
                behind.push((Reverse(alert.severity), Reverse(at), place, alert));
            }
        }
        let worst = behind.iter().min_by_key(|(severity, at, place, _)| (*severity, *at, *place));
        let Some((_, _, place, _)) = worst else {
            let newest = self.releases.iter().find(|release| release.at <= self.now)?;
            let release = newest.clone();
            return Some(Change { release, before_first_error: None, at_most: false });
        };
        let begun = behind.iter().filter(|(_, _, other, _)| other == place);
        let first = begun.map(|(_, _, _, alert)| *alert).min_by_key(|alert| alert.since)?;
        let release = self.releases[*place].clone();
        let before = first.since.since(release.at);
        Some(Change { release, before_first_error: Some(before), at_most: first.since_at_least })
    }

    /// Places of the releases, the newest first, that bear on a service: its
    /// own, those of what it needs, and those of nobody in particular.
    fn releases_on(&self, service: Option<&ServiceName>) -> Vec<usize> {
        let concerned = service.map(|service| self.with_what_it_needs(service));
        let bears = |release: &Release| match (&concerned, &release.service) {
            (Some(services), Some(released)) => services.contains(released),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let places = self.releases.iter().enumerate();
        places.filter(|(_, release)| bears(release)).map(|(place, _)| place).collect()
    }

    /// A service and all that it needs, near and far.
    fn with_what_it_needs<'k>(&'k self, service: &'k ServiceName) -> BTreeSet<&'k ServiceName> {
        let mut found = BTreeSet::from([service]);
        let mut open = vec![service];
        while let Some(name) = open.pop() {
            let needs = self.index.needs.get(name);
            for needed in needs.into_iter().flat_map(super::names::Needs::direct) {
                if found.insert(needed) {
                    open.push(needed);
                }
            }
        }
        found
    }
}

/// Whether two tellings can be of one service: one of them may not know it.
fn concerns_same(a: &Release, b: &Release) -> bool {
    a.service.is_none() || b.service.is_none() || a.service == b.service
}
