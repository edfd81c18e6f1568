//! Hosts: the worst of what the signals of their group say of each instance.

use super::checks::counts;
use super::judge::words;
use super::{HostState, Known};
use crate::domain::{Mark, Standing, Status, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The label that names a host.
const INSTANCE: &str = "instance";
/// A host of which nothing tells any more is shown as unknown for so long.
const KEPT: Duration = Duration::from_hours(1);

impl HostState {
    /// Whether it has been missing for so long that it is left out.
    pub(super) fn is_long_gone(&self, now: Timestamp) -> bool {
        self.missing.is_some_and(|since| now.since(since) > KEPT)
    }
}

impl Known {
    /// Each host of a group: the worst of the series that carry its `instance`,
    /// or of the scrape that brings them. A host that was there and is no
    /// longer in any answer is unknown for an hour, then left out; one that the
    /// config names stays.
    pub(super) fn refresh_hosts(&mut self, name: &str) {
        let inventory = Arc::clone(&self.inventory);
        let index = Arc::clone(&self.index);
        let Some(group) = index.groups.get(name) else { return };
        let now = self.now;
        let mut found: BTreeMap<Arc<str>, Vec<Standing>> = BTreeMap::new();
        for id in &group.signals {
            let signal = index.signals.get(id).and_then(|place| inventory.signals.get(*place));
            let (Some(signal), Some(state)) = (signal, self.signals.get(id)) else { continue };
            let judged =
                signal.thresholds.warning.is_some() || signal.thresholds.critical.is_some();
            let believed = state.standing.status != Status::Unknown;
            for value in &state.values {
                let Some(instance) = value.labels.get(INSTANCE) else { continue };
                let parts = match found.get_mut(instance) {
                    Some(parts) => parts,
                    None => found.entry(Arc::from(instance)).or_default(),
                };
                let mut part = Standing { seen: state.standing.seen, ..Standing::default() };
                if !believed {
                    part.reason.clone_from(&state.standing.reason);
                    part.mark = state.standing.mark;
                } else if judged && counts(signal.at_most) && !value.value.0.is_nan() {
                    part.status = value.status;
                    if part.status > Status::Ok {
                        part.reason = without_place(&words(signal, value, false));
                    }
                    part.mark = state.standing.mark;
                } else {
                    part.status = Status::Ok;
                }
                parts.push(part);
            }
        }
        for (instance, id) in &group.scrapes {
            let Some(source) = self.sources.get(id) else { continue };
            let parts = found.entry(Arc::clone(instance)).or_default();
            let standing = &source.standing;
            if standing.status != Status::Ok {
                parts.push(standing.clone());
            } else if parts.is_empty() {
                parts.push(Standing {
                    seen: standing.seen,
                    ..Standing::unknown("no data", now, None)
                });
            }
        }
        let hosts = self.hosts.entry(name.to_owned()).or_default();
        for (instance, host) in hosts.iter_mut() {
            if found.contains_key(instance) {
                host.missing = None;
            } else {
                let since = *host.missing.get_or_insert(now);
                host.settle(
                    Standing {
                        seen: host.standing.seen,
                        ..Standing::unknown("no longer in any answer", since, Some(Mark::Stale))
                    },
                    now,
                );
            }
        }
        hosts.retain(|_, host| !host.is_long_gone(now));
        for (instance, parts) in found {
            let seen = parts.iter().filter_map(|part| part.seen).max();
            let mut worst = Standing::waiting(now);
            let status = parts.iter().map(|part| part.status).max();
            if let Some(part) = parts.into_iter().find(|part| Some(part.status) == status) {
                worst = part;
            }
            worst.seen = seen;
            hosts.entry(instance).or_default().settle(worst, now);
        }
    }
}

impl HostState {
    /// Takes a new standing over; `since` is kept while the status is the same.
    fn settle(&mut self, mut standing: Standing, now: Timestamp) {
        let before = &self.standing;
        let first = before.since == Timestamp::default();
        (standing.since, standing.since_at_least) = if !first && before.status == standing.status {
            (before.since, before.since_at_least)
        } else {
            (standing.seen.filter(|_| standing.status != Status::Unknown).unwrap_or(now), first)
        };
        self.standing = standing;
    }
}

/// A host's row names the host already.
fn without_place(text: &str) -> String {
    match text.rsplit_once(" on ") {
        Some((text, place)) => match place.split_once(' ') {
            Some((_, rest)) => format!("{text} on {rest}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}
