//! A group's rules on their way from inactive to pending to firing, exactly as
//! Prometheus' rule manager has them (prometheus/prometheus, rules/alerting.go,
//! rules/recording.go).

use super::file::{Group, Rule, RuleKind};
use super::template::{Answer, Template, World};
use crate::domain::alert::ALERT_NAME;
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Timestamp};
use crate::metrics::memory::Recorder;
use crate::metrics::promql::{self, Limits};
use crate::metrics::{Data, MatchOp, Matcher, Memory, Sample, Storage, is_stale};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The series that tells of alerts.
const ALERTS: &str = "ALERTS";
/// The series that tells since when an alert is active.
const FOR_STATE: &str = "ALERTS_FOR_STATE";
/// An alert that has ended is remembered for so long.
const RESOLVED_KEPT: Duration = Duration::from_mins(15);
/// A rule's state from before a restart counts where it is no older.
const OUTAGE: Duration = Duration::from_hours(1);
/// One rule has so many alerts at most: more is a mistake, and would starve all else.
pub const MOST_ALERTS: usize = 10_000;

/// Where samples lie that rules read and write.
pub trait Store: Storage {
    /// Takes what a rule yields, complete: what it wrote before and not now ends.
    fn keep(&mut self, by: Recorder<'_>, at: Timestamp, samples: Vec<(Labels, f64)>);
}

impl Store for Memory {
    fn keep(&mut self, by: Recorder<'_>, at: Timestamp, samples: Vec<(Labels, f64)>) {
        self.record(by, at, samples);
    }
}

/// Alerts by their labels, as another process last knew them: when that was, and
/// since when each was active then.
pub type Earlier = HashMap<Labels, (Timestamp, Timestamp)>;

/// What an evaluation is told of the world.
#[derive(Clone, Debug)]
pub struct Context<'c> {
    /// Labels that tell this server from others.
    pub external_labels: &'c Labels,
    /// Where this server is reached.
    pub external_url: &'c str,
    /// How far one expression may go.
    pub limits: Limits,
    /// Where a group says nothing, it is evaluated this often.
    pub every: Duration,
    /// States are taken up from the store where this is the first evaluation.
    pub restores: bool,
    /// And from what another process knew, which may be newer.
    pub earlier: &'c Earlier,
}

/// How far an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It has ended.
    Inactive,
    /// Its condition holds, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
}

/// An alert of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    /// Its words, in the order of their names.
    pub annotations: Vec<(Arc<str>, String)>,
    /// How far it is.
    pub state: State,
    /// The value of its expression when that last held.
    pub value: f64,
    /// Since when its condition holds.
    pub since: Timestamp,
    /// It held when the rule was first looked at: `since` is the latest it can be.
    pub since_at_least: bool,
    /// Since when it has fired.
    pub fired: Option<Timestamp>,
    /// When it ended.
    pub resolved: Option<Timestamp>,
    /// Since when its condition does not hold any more, while it still fires.
    kept_since: Option<Timestamp>,
}

/// How a rule does.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Health {
    /// It was not evaluated yet.
    #[default]
    Waiting,
    /// It has a value.
    Good,
    /// Why it has none.
    Failed(String),
    /// It looks further back than has been seen.
    Uncovered {
        /// This much was seen.
        seen: Duration,
        /// This much is needed.
        wanted: Duration,
    },
}

/// What is remembered of a rule.
#[derive(Clone, Debug, Default)]
pub struct RuleState {
    /// Tells it from the others of its group, the same when a file is read anew.
    pub id: Arc<str>,
    /// How it did the last time.
    pub health: Health,
    /// Its alerts by their labels; for a while those that have ended, too.
    pub active: BTreeMap<Labels, Active>,
    /// When it was last evaluated, and how long that took, as told by whoever does it.
    pub evaluated: Option<(Timestamp, Duration)>,
    /// It has had a value before.
    begun: bool,
}

/// What is remembered of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupState {
    /// In the order of its rules.
    pub rules: Vec<RuleState>,
}

impl GroupState {
    /// Of a group that was not evaluated yet.
    pub fn new(group: &Group) -> Self {
        let mut known: HashMap<String, usize> = HashMap::new();
        let rules = group.rules.iter().map(|rule| {
            let mut labels: Vec<String> = rule
                .labels
                .iter()
                .map(|(name, held)| format!("{name}={:?}", held.text()))
                .collect();
            labels.sort_unstable();
            let kind = if rule.is_alert() { "alert" } else { "record" };
            let name = format!("{kind} {}{{{}}}", rule.name, labels.join(","));
            let count = known.entry(name.clone()).or_default();
            *count += 1;
            let id = if *count > 1 { format!("{name}#{count}") } else { name };
            RuleState { id: id.into(), ..RuleState::default() }
        });
        Self { rules: rules.collect() }
    }

    /// Takes over what was remembered of the same rules before a file was read anew.
    pub fn take_over(&mut self, old: Self) {
        let mut old: HashMap<Arc<str>, RuleState> =
            old.rules.into_iter().map(|rule| (Arc::clone(&rule.id), rule)).collect();
        for rule in &mut self.rules {
            if let Some(old) = old.remove(&rule.id) {
                *rule = old;
            }
        }
    }
}

/// Evaluates one rule of a group at `at`; `group_id` names the group among all.
/// What it yields lies in the store afterwards, its health and alerts in `state`.
pub fn evaluate(
    store: &mut dyn Store,
    (group, group_id): (&Group, &str),
    rule: &Rule,
    state: &mut RuleState,
    at: Timestamp,
    context: &Context<'_>,
) {
    let moment = at - group.offset;
    let evaluated = match &rule.kind {
        RuleKind::Record => recorded(&*store, group, rule, moment, context),
        RuleKind::Alert { hold, keep_firing, annotations } => {
            let times = Times { hold: *hold, keep_firing: *keep_firing, at, moment };
            found(&*store, rule, annotations, &times, context).and_then(|found| {
                let earlier = if context.restores && !state.begun {
                    let mut known = earlier(&*store, &rule.name, at);
                    for (labels, (last, since)) in context.earlier {
                        let old = known.get(labels).is_some_and(|(kept, _)| kept >= last);
                        if !old && *last <= at && at.since(*last) <= OUTAGE {
                            known.insert(labels.clone(), (*last, *since));
                        }
                    }
                    known
                } else {
                    HashMap::new()
                };
                state.take(found, &earlier, &times, group.limit)?;
                state.begun = true;
                Ok(state.series(&rule.name))
            })
        }
    };
    match evaluated {
        Ok(samples) => {
            state.health = Health::Good;
            let every = group.interval.unwrap_or(context.every);
            store.keep(Recorder { group: group_id, rule: &state.id, every }, moment, samples);
        }
        Err(words) => state.health = Health::Failed(words),
    }
}

struct Times {
    hold: Duration,
    keep_firing: Duration,
    /// When the group is evaluated.
    at: Timestamp,
    /// The moment that its expressions look at.
    moment: Timestamp,
}

/// The value of an expression as rules take it.
fn vector(
    storage: &dyn Storage,
    expr: &promql::Expr,
    at: Timestamp,
    limits: &Limits,
) -> Result<Vec<(Labels, f64)>, String> {
    let evaluated = promql::instant(expr, storage, at, limits).map_err(|error| error.message)?;
    match evaluated.data {
        Data::Vector(points) => {
            Ok(points.into_iter().map(|point| (point.labels, point.value.0)).collect())
        }
        Data::Scalar(value) => Ok(vec![(Labels::default(), value.0)]),
        Data::Text(_) | Data::Matrix(_) => Err("rule result is not a vector or scalar".into()),
    }
}

fn recorded(
    storage: &dyn Storage,
    group: &Group,
    rule: &Rule,
    at: Timestamp,
    context: &Context<'_>,
) -> Result<Vec<(Labels, f64)>, String> {
    let mut series = vector(storage, &rule.expr, at, &context.limits)?;
    let mut known = HashSet::with_capacity(series.len());
    for (labels, _) in &mut series {
        let own = labels.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value)));
        let name = (Arc::from(METRIC_NAME), Arc::clone(&rule.name));
        let set = rule.labels.iter().map(|(name, held)| (Arc::clone(name), Arc::from(held.text())));
        *labels = Labels::new(own.chain([name]).chain(set));
        if !known.insert(labels.clone()) {
            let words = "vector contains metrics with the same labelset after applying rule labels";
            return Err(words.into());
        }
    }
    if group.limit > 0 && series.len() > group.limit {
        return Err(format!("exceeded limit of {} with {} series", group.limit, series.len()));
    }
    Ok(series)
}

/// Labels, annotations and value of an alert.
type Found = (Labels, Vec<(Arc<str>, String)>, f64);

/// The alerts whose condition holds.
fn found(
    storage: &dyn Storage,
    rule: &Rule,
    annotations: &[(Arc<str>, Template)],
    times: &Times,
    context: &Context<'_>,
) -> Result<Vec<Found>, String> {
    let series = vector(storage, &rule.expr, times.moment, &context.limits)?;
    if series.len() > MOST_ALERTS {
        let words = format!("it has {} series; {MOST_ALERTS} alerts are kept", series.len());
        return Err(words);
    }
    let query = |text: &str| -> Answer {
        let expr = promql::parse(text).map_err(|error| error.message)?;
        vector(storage, &expr, times.moment, &context.limits)
    };
    let world = World {
        at: times.at,
        external_labels: context.external_labels,
        external_url: context.external_url,
        query: &query,
    };
    let mut known = HashSet::with_capacity(series.len());
    let mut found = Vec::with_capacity(series.len());
    for (metric, value) in series {
        let expand = |held: &Template| {
            let filled = held.expand(&rule.name, &metric, value, &world);
            filled.unwrap_or_else(|words| format!("<error expanding template: {words}>"))
        };
        let own = metric.iter().filter(|(name, _)| &***name != METRIC_NAME);
        let own = own.map(|(name, value)| (Arc::clone(name), Arc::clone(value)));
        let set = rule.labels.iter().map(|(name, held)| (Arc::clone(name), expand(held).into()));
        let name = (Arc::from(ALERT_NAME), Arc::clone(&rule.name));
        let labels = Labels::new(own.chain(set).chain([name]));
        let mut words: Vec<(Arc<str>, String)> =
            annotations.iter().map(|(name, held)| (Arc::clone(name), expand(held))).collect();
        words.sort();
        if !known.insert(labels.clone()) {
            let words =
                "vector contains metrics with the same labelset after applying alert labels";
            return Err(words.into());
        }
        found.push((labels, words, value));
    }
    Ok(found)
}

/// What the store remembers of a rule's alerts: the last moment at which each
/// was active, and since when it was then.
fn earlier(storage: &dyn Storage, name: &str, at: Timestamp) -> Earlier {
    let is = |name: &str, value: &str| Matcher {
        name: name.to_owned(),
        op: MatchOp::Equal(value.to_owned()),
    };
    let mut earlier = HashMap::new();
    let mut take = |labels: &Labels, samples: &[Sample]| {
        let Some(last) = samples.last().filter(|last| !is_stale(last.value)) else { return };
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds that were written here")]
        let since = Timestamp::from_millis((last.value * 1000.0) as i64);
        earlier.insert(labels.filtered(|name| name != METRIC_NAME), (last.at, since));
    };
    let matchers = [is(METRIC_NAME, FOR_STATE), is(ALERT_NAME, name)];
    storage.select(&matchers, at - OUTAGE, at, &mut take);
    earlier
}

impl RuleState {
    /// It looks further back than has been seen, and is left as it was.
    pub fn uncovered(&mut self, seen: Duration, wanted: Duration) {
        self.health = Health::Uncovered { seen, wanted };
    }

    /// Takes in which alerts' conditions hold now.
    fn take(
        &mut self,
        found: Vec<Found>,
        earlier: &Earlier,
        times: &Times,
        limit: usize,
    ) -> Result<(), String> {
        let mut holds = HashSet::with_capacity(found.len());
        for (labels, annotations, value) in found {
            holds.insert(labels.clone());
            match self.active.get_mut(&labels) {
                Some(known) if known.state != State::Inactive => {
                    known.value = value;
                    known.annotations = annotations;
                }
                _ => {
                    let since = earlier.get(&labels).map(|before| taken_up(*before, times));
                    let since_at_least = !self.begun && since.is_none();
                    let new = Active {
                        annotations,
                        state: State::Pending,
                        value,
                        since: since.unwrap_or(times.at),
                        since_at_least,
                        fired: None,
                        resolved: None,
                        kept_since: None,
                    };
                    self.active.insert(labels, new);
                }
            }
        }
        self.active.retain(|labels, alert| alert.goes_on(holds.contains(labels), times));
        let count = self.active.values().filter(|alert| alert.state != State::Inactive).count();
        if limit > 0 && count > limit {
            self.active.clear();
            return Err(format!("exceeded limit of {limit} with {count} alerts"));
        }
        Ok(())
    }

    /// What Prometheus writes of a rule's alerts.
    fn series(&self, name: &Arc<str>) -> Vec<(Labels, f64)> {
        let mut series = Vec::with_capacity(self.active.len() * 2);
        for (labels, alert) in &self.active {
            let state = match alert.state {
                State::Inactive => continue,
                State::Pending => "pending",
                State::Firing => "firing",
            };
            let own = || labels.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value)));
            let pair = |name: &str, value: &str| (Arc::<str>::from(name), Arc::<str>::from(value));
            let told = [pair(METRIC_NAME, ALERTS), (ALERT_NAME.into(), Arc::clone(name))];
            let told = own().chain(told).chain([pair("alertstate", state)]);
            series.push((Labels::new(told), 1.0));
            let told = [pair(METRIC_NAME, FOR_STATE), (ALERT_NAME.into(), Arc::clone(name))];
            let seconds = alert.since.millis().div_euclid(1000);
            series.push((Labels::new(own().chain(told)), seconds as f64));
        }
        series
    }
}

/// Since when an alert is active that was active before a pause: the pause
/// itself counts for nothing, as nobody saw it.
fn taken_up((last, since): (Timestamp, Timestamp), times: &Times) -> Timestamp {
    if last.since(since) >= times.hold {
        // It fired when it was last seen.
        return since;
    }
    since + times.at.since(last)
}

impl Active {
    /// One turn further; whether it is still worth remembering.
    fn goes_on(&mut self, holds: bool, times: &Times) -> bool {
        if holds {
            self.kept_since = None;
        } else {
            let mut keeps = false;
            if self.state == State::Firing && !times.keep_firing.is_zero() {
                let since = *self.kept_since.get_or_insert(times.at);
                keeps = times.at.since(since) < times.keep_firing;
            }
            let past = self.resolved.is_some_and(|end| times.at.since(end) > RESOLVED_KEPT);
            if self.state == State::Pending || past {
                return false;
            }
            if keeps {
                return true;
            }
            if self.state != State::Inactive {
                self.state = State::Inactive;
                self.resolved = Some(times.at);
            }
            return true;
        }
        if self.state == State::Pending && times.at.since(self.since) >= times.hold {
            self.state = State::Firing;
            self.fired = Some(times.at);
        }
        true
    }
}
