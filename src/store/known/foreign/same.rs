//! Which alert of Prometheus is which of Alertmanager.
//!
//! Alertmanager has the labels of Prometheus with its external labels added. So
//! the same labels are the same alert; else one of the same name that has all
//! labels of Prometheus' and the fewest more. Each of Alertmanager's is one of
//! Prometheus' at most: what Alertmanager keeps apart stays apart.

use super::{Found, Teller, alert_of};
use crate::domain::{AlertState, Labels, Timestamp};
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Alerts of one name are looked at by so many sets of label names at most: a
/// rule gives all its alerts the same, or a few.
const NAME_SETS: usize = 16;

/// The alerts of all tellers, each once.
pub(super) fn merged(tellers: &[Teller<'_>]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    let (routers, rulers): (Vec<&Teller<'_>>, Vec<&Teller<'_>>) =
        tellers.iter().partition(|teller| teller.is_alertmanager());
    for found in routers.iter().flat_map(|teller| told(teller, tellers)) {
        add(&mut all, &mut places, found);
    }
    let routed = all.len();
    let mut rest = Vec::new();
    let mut taken = vec![false; routed];
    for found in rulers.iter().flat_map(|teller| told(teller, tellers)) {
        let known = places.get(&found.alert.identity()).copied();
        match known.filter(|place| *place < routed) {
            Some(place) => {
                taken[place] = true;
                join(&mut all[place], found);
            }
            None => rest.push(found),
        }
    }
    // One with more labels has less to choose from.
    rest.sort_by_key(|found| Reverse(found.alert.labels.len()));
    let mut wider = Wider::of(&all);
    for found in rest {
        match wider.find(&found.alert.labels, &all, &mut taken) {
            Some(place) => join(&mut all[place], found),
            None => add(&mut all, &mut places, found),
        }
    }
    all
}

/// What a teller tells, without alerts that must always fire, whoever says so.
fn told<'t>(teller: &'t Teller<'t>, all: &'t [Teller<'t>]) -> impl Iterator<Item = Found> + 't {
    let news = teller.reading.alerts.iter().filter(|told| {
        let name = told.labels.get(super::ALERT_NAME).unwrap_or_default();
        !all.iter().any(|teller| teller.reading.is_watchdog(name))
    });
    news.map(|told| alert_of(teller, told))
}

/// Puts one in, or joins it with one that has the very same labels.
fn add(all: &mut Vec<Found>, places: &mut HashMap<u64, usize>, found: Found) {
    let identity = found.alert.identity();
    if let Some(known) = places.get(&identity).and_then(|place| all.get_mut(*place)) {
        join(known, found);
        return;
    }
    places.insert(identity, all.len());
    all.push(found);
}

/// Two tellers tell of one alert: the first one's labels, severity and silences
/// stay; what the other one knows beside comes in.
fn join(known: &mut Found, other: Found) {
    let identity = other.alert.identity();
    if identity != known.alert.identity() {
        known.alias = Some(identity);
    }
    let (alert, other_alert) = (&mut known.alert, other.alert);
    for origin in other_alert.origins {
        if !alert.origins.contains(&origin) {
            alert.origins.push(origin);
        }
    }
    if other_alert.state == AlertState::Firing {
        alert.state = AlertState::Firing;
    }
    let told = |since: Timestamp| since != Timestamp::default();
    if told(other_alert.since) && (!told(alert.since) || other_alert.since < alert.since) {
        alert.since = other_alert.since;
        alert.since_at_least = other_alert.since_at_least;
    }
    if alert.annotations.is_empty() && !other_alert.annotations.is_empty() {
        alert.annotations = other_alert.annotations;
        alert.reason = other_alert.reason;
    }
    if !other_alert.expression.is_empty() {
        alert.expression = other_alert.expression;
    }
    alert.link = alert.link.take().or(other_alert.link);
    if alert.quiet.is_empty() {
        alert.quiet = other_alert.quiet;
    }
    alert.seen = alert.seen.max(other_alert.seen);
    if known.stale && !other.stale {
        alert.source = other_alert.source;
    }
    known.stale &= other.stale;
}

/// Alertmanager's alerts, to be found by a part of their labels.
struct Wider {
    by_name: HashMap<Arc<str>, Vec<usize>>,
    sets: HashMap<Arc<str>, Vec<NameSet>>,
}

/// Alerts of one name by their values of some labels.
struct NameSet {
    names: Vec<Arc<str>>,
    places: HashMap<u64, VecDeque<usize>>,
}

impl Wider {
    fn of(all: &[Found]) -> Self {
        let mut by_name: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for (place, found) in all.iter().enumerate() {
            by_name.entry(found.alert.name().into()).or_default().push(place);
        }
        for places in by_name.values_mut() {
            let labels = |place: &usize| &all[*place].alert.labels;
            places.sort_by(|a, b| {
                let (a, b) = (labels(a), labels(b));
                a.len().cmp(&b.len()).then_with(|| a.cmp(b))
            });
        }
        Self { by_name, sets: HashMap::new() }
    }

    /// The one with all of these labels and the fewest more that is not taken
    /// yet; it is then.
    fn find(&mut self, labels: &Labels, all: &[Found], taken: &mut [bool]) -> Option<usize> {
        let name = labels.get(super::ALERT_NAME)?;
        let candidates = self.by_name.get(name)?;
        let sets = self.sets.entry(name.into()).or_default();
        let has = |set: &NameSet| {
            set.names.len() == labels.len()
                && set.names.iter().zip(labels.iter()).all(|(known, (name, _))| known == name)
        };
        let at = match sets.iter().position(has) {
            Some(at) => at,
            None if sets.len() >= NAME_SETS => return None,
            None => {
                sets.push(NameSet::of(labels, candidates, all));
                sets.len() - 1
            }
        };
        let places = sets.get_mut(at)?.places.get_mut(&labels.fingerprint())?;
        while let Some(place) = places.pop_front() {
            if !std::mem::replace(taken.get_mut(place)?, true) {
                return Some(place);
            }
        }
        None
    }
}

impl NameSet {
    fn of(labels: &Labels, candidates: &[usize], all: &[Found]) -> Self {
        let names: Vec<Arc<str>> = labels.iter().map(|(name, _)| Arc::clone(name)).collect();
        let mut places: HashMap<u64, VecDeque<usize>> = HashMap::new();
        for place in candidates {
            let own = &all[*place].alert.labels;
            let part = own.filtered(|name| labels.get(name).is_some());
            if part.len() == names.len() {
                places.entry(part.fingerprint()).or_default().push_back(*place);
            }
        }
        Self { names, places }
    }
}
