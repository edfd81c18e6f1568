//! Rules in the engine's worker: which group is due, what is known of each rule.
//!
//! A group is evaluated when samples have come that it asks for, at most once a
//! second, and never later than its interval says. Between two rules pages are
//! read; a group that takes long is evaluated seldom.

use super::super::clock;
use crate::domain::labels::METRIC_NAME;
use crate::domain::{
    AlertState, AlertsReading, BrokenRule, Labels, ListedRule, Num, Reported, RuleStands, Severity,
    Timestamp, UnknownRule, harmless_within, units,
};
use crate::metrics::promql::{Limits, reaches, selectors};
use crate::metrics::{MatchOp, Matcher, Memory, Storage, Target};
use crate::rules::{
    Book, Context, Earlier, Group, GroupState, Health, Rule, RuleKind, RuleState, State, evaluate,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A group that says nothing is evaluated this often at least, as in Prometheus.
const EVERY: Duration = Duration::from_mins(1);
/// And any group this often at most.
const LEAST: Duration = Duration::from_secs(1);
/// A group may take this part of the time.
const SHARE: u32 = 20;
/// So many samples may one rule look at; its evaluation stops after some two seconds.
const SAMPLES: u64 = 50_000_000;
/// A target that was asked so long ago was asked.
const ASKED: Duration = Duration::from_mins(5);
/// What is shown of an expression, and asked again.
const EXPRESSION: usize = 8_000;
/// What is shown of words from outside.
const WORDS: usize = 2_000;

/// The rules, and what is remembered of them.
#[derive(Default)]
pub(super) struct Rules {
    book: Option<Arc<Book>>,
    groups: Vec<Known>,
    /// Which series are recorded, and by which rules.
    recorded: HashMap<String, Vec<(usize, usize)>>,
    /// What another process knew of alerts.
    pub(super) earlier: Earlier,
    /// The group that is being evaluated, the rule that comes next, the moment.
    under_way: Option<(usize, usize, Timestamp)>,
}

/// A group.
struct Known {
    id: String,
    group: Group,
    state: GroupState,
    /// The jobs that it asks for; none where it may mean any.
    jobs: Option<Vec<String>>,
    last: Option<Timestamp>,
    /// Samples have come since.
    fresh: bool,
    took: Duration,
}

impl Known {
    fn of(id: String, group: &Group) -> Self {
        let mut jobs = Some(Vec::new());
        for selector in group.rules.iter().flat_map(|rule| selectors(&rule.expr)) {
            match (selector.equal("job"), &mut jobs) {
                (Some(job), Some(jobs)) => jobs.push(job.to_owned()),
                _ => jobs = None,
            }
        }
        Self {
            id,
            state: GroupState::new(group),
            group: group.clone(),
            jobs,
            last: None,
            fresh: true,
            took: Duration::ZERO,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let Some(last) = self.last else { return true };
        // Clocks are set back, too.
        let since = if now < last { EVERY } else { now.since(last) };
        let pause = LEAST.max(self.took * SHARE);
        let ceiling = self.group.interval.unwrap_or(EVERY).max(pause);
        since >= ceiling || (self.fresh && since >= pause)
    }
}

impl Rules {
    /// From now on these are evaluated; alerts of rules that stay go on.
    pub(super) fn install(&mut self, book: &Arc<Book>, memory: &mut Memory, now: Timestamp) {
        if self.book.as_ref().is_some_and(|known| Arc::ptr_eq(known, book)) {
            return;
        }
        self.under_way = None;
        let mut old: HashMap<String, Known> = std::mem::take(&mut self.groups)
            .into_iter()
            .map(|known| (known.id.clone(), known))
            .collect();
        for (id, group) in book.groups() {
            let mut known = Known::of(id, group);
            if let Some(before) = old.remove(&known.id) {
                let gone: Vec<Arc<str>> = before
                    .state
                    .rules
                    .iter()
                    .map(|rule| Arc::clone(&rule.id))
                    .filter(|id| !known.state.rules.iter().any(|rule| rule.id == *id))
                    .collect();
                for rule in gone {
                    memory.forget_rule(&known.id, &rule, now);
                }
                known.last = before.last;
                known.state.take_over(before.state);
            }
            self.groups.push(known);
        }
        for id in old.into_keys() {
            memory.forget_group(&id, now);
        }
        let recorded = book.recorded().into_iter();
        self.recorded = recorded.map(|(name, by)| (name.to_owned(), by)).collect();
        self.book = Some(Arc::clone(book));
    }

    /// The memory is another one: what was known lies in it.
    pub(super) fn forget(&mut self) {
        for known in &mut self.groups {
            known.state = GroupState::new(&known.group);
            known.last = None;
        }
        self.under_way = None;
    }

    /// Samples of a target have come.
    pub(super) fn scraped(&mut self, target: &Target) {
        for known in &mut self.groups {
            let asks =
                known.jobs.as_ref().is_none_or(|jobs| jobs.iter().any(|job| job == target.job()));
            known.fresh |= asks;
        }
    }

    /// Evaluates one rule of what is due at `now`; whether there is more to do.
    pub(super) fn step(
        &mut self,
        memory: &mut Memory,
        now: Timestamp,
        limits: impl Fn() -> Limits,
    ) -> bool {
        if self.under_way.is_none() {
            let due = self.groups.iter().position(|known| known.is_due(now));
            let Some(place) = due else { return false };
            let known = &mut self.groups[place];
            known.fresh = false;
            known.took = Duration::ZERO;
            known.last = Some(now);
            self.under_way = Some((place, 0, now));
        }
        let Some((place, at, moment)) = self.under_way else { return false };
        if self.groups.get(place).is_some_and(|known| at < known.group.rules.len()) {
            let began = clock::instant();
            self.one(memory, (place, at), moment, limits());
            let took = began.elapsed();
            let known = &mut self.groups[place];
            known.took += took;
            known.state.rules[at].evaluated = Some((moment, took));
            self.under_way = Some((place, at + 1, moment));
        } else {
            self.under_way = None;
        }
        true
    }

    /// The rule that was being evaluated made the program fail: it has no value,
    /// and the next one comes. Its name.
    pub(super) fn failed(&mut self) -> String {
        let Some((place, at, moment)) = self.under_way else { return String::new() };
        self.under_way = Some((place, at + 1, moment));
        let Some(known) = self.groups.get_mut(place) else { return String::new() };
        if let Some(state) = known.state.rules.get_mut(at) {
            state.health = Health::Failed("opsroom failed on this rule".into());
        }
        known.group.rules.get(at).map(|rule| rule.name.to_string()).unwrap_or_default()
    }

    fn one(
        &mut self,
        memory: &mut Memory,
        (place, at): (usize, usize),
        now: Timestamp,
        limits: Limits,
    ) {
        let uncovered = self.uncovered(memory, (place, at), now);
        let Known { id, group, state, .. } = &mut self.groups[place];
        let (rule, state) = (&group.rules[at], &mut state.rules[at]);
        if let Some((seen, wanted)) = uncovered {
            return state.uncovered(seen, wanted);
        }
        let external = self.book.as_ref().map(|book| book.external.clone()).unwrap_or_default();
        let context = Context {
            external_labels: &external.labels,
            external_url: &external.url,
            limits: Limits { samples: limits.samples.min(SAMPLES), ..limits },
            every: EVERY,
            restores: true,
            earlier: &self.earlier,
        };
        evaluate(memory, (group, id), rule, state, now, &context);
    }

    /// How much of what a rule looks at was seen, and how much it takes, where
    /// that is more. What a rule records is covered from when it was recorded.
    fn uncovered(
        &self,
        memory: &Memory,
        (place, at): (usize, usize),
        now: Timestamp,
    ) -> Option<(Duration, Duration)> {
        let book = self.book.as_ref()?;
        let group = &self.groups[place].group;
        let moment = now - group.offset;
        let mut worst: Option<(Duration, Duration)> = None;
        for reach in reaches(&group.rules[at].expr) {
            let oldest = match reach.fixed_ms {
                Some(millis) => Timestamp::from_millis(millis).min(moment),
                None => moment - reach.back,
            };
            let wanted = now.since(oldest);
            let by = reach.selector.equal(METRIC_NAME).and_then(|name| self.recorded.get(name));
            let gap = match by {
                Some(by) => self.recorded_gap(memory, by, oldest, now),
                // What was last seen needs no past, and who never answered has none.
                None if reach.back.is_zero() && reach.fixed_ms.is_none() => {
                    let job = reach.selector.equal("job").filter(|job| book.jobs.contains(*job));
                    let asked = job.is_none_or(|job| was_asked(memory, job, now));
                    (!asked).then_some((Duration::ZERO, LEAST))
                }
                None => {
                    let job = reach.selector.equal("job").filter(|job| book.jobs.contains(*job));
                    let first = match job {
                        Some(job) => memory.first_scrape(job),
                        None => memory.first_scrapes().into_values().max(),
                    };
                    gap(first, oldest, now)
                }
            };
            let further = |(seen, wanted): (Duration, Duration)| wanted.saturating_sub(seen);
            if let Some(gap) = gap.map(|(seen, of)| (seen, of.max(wanted)))
                && worst.is_none_or(|worst| further(gap) > further(worst))
            {
                worst = Some(gap);
            }
        }
        worst
    }

    fn recorded_gap(
        &self,
        memory: &Memory,
        by: &[(usize, usize)],
        oldest: Timestamp,
        now: Timestamp,
    ) -> Option<(Duration, Duration)> {
        by.iter().find_map(|&(place, at)| {
            let known = self.groups.get(place)?;
            let state = known.state.rules.get(at)?;
            if let Health::Uncovered { seen, wanted } = state.health {
                return Some((seen, wanted + now.since(oldest)));
            }
            if oldest >= now {
                return None;
            }
            gap(memory.recorded_since(&known.id, &state.id), oldest, now)
        })
    }

    /// What the rules say, as a source of alerts tells it.
    pub(super) fn reading(&self) -> AlertsReading {
        let mut reading = AlertsReading::default();
        let mut count = 0;
        let keep = self.book.as_ref().map_or(Duration::MAX, |book| book.keep);
        for known in &self.groups {
            let of_group = reading.listed.len();
            for (rule, state) in known.group.rules.iter().zip(&known.state.rules) {
                count += u64::from(rule.is_alert());
                let of_rule = reading.alerts.len();
                reading.alerts.extend(alerts(rule, state));
                let states = reading.alerts[of_rule..].iter().map(|alert| alert.state);
                let stands = stands(state, states, keep);
                tell(&mut reading, listed(&known.group, rule, state, stands));
            }
            let slow = reading.listed[of_group..].iter().filter(|rule| rule.is_slow());
            if let Some(rule) = slow.max_by_key(|rule| rule.took) {
                let took = units::duration(rule.took.unwrap_or_default());
                let pause = known.took * SHARE;
                let seldom = if pause > known.group.interval.unwrap_or(EVERY) {
                    format!(", so its group comes no more often than every {}", units::age(pause))
                } else {
                    String::new()
                };
                let name = harmless_within(&rule.name, 100);
                reading.notes.push(format!("slow rule: {name} took {took}{seldom}"));
            }
        }
        reading.alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
        reading.rules = Some(count);
        reading
    }
}

/// How a rule stands whose alerts are in these states.
fn stands(
    state: &RuleState,
    alerts: impl Iterator<Item = AlertState>,
    keep: Duration,
) -> RuleStands {
    match &state.health {
        Health::Failed(words) => RuleStands::Broken(harmless_within(words, 300)),
        Health::Uncovered { wanted, .. } if *wanted > keep => {
            let (wanted, keep) = (units::duration(*wanted), units::duration(keep));
            let error = format!("it looks back {wanted}, and {keep} are kept: [memory] keep");
            RuleStands::Broken(error)
        }
        Health::Uncovered { seen, wanted } => RuleStands::Unknown { seen: *seen, wanted: *wanted },
        Health::Good => RuleStands::of_alerts(alerts),
        Health::Waiting => RuleStands::Waiting,
    }
}

fn listed(group: &Group, rule: &Rule, state: &RuleState, stands: RuleStands) -> ListedRule {
    ListedRule {
        name: harmless_within(&rule.name, 200),
        group: harmless_within(&group.name, 200),
        records: !rule.is_alert(),
        stands,
        evaluated: state.evaluated.map(|(at, _)| at),
        took: state.evaluated.map(|(_, took)| took),
    }
}

/// Adds a rule, and names it among those that are broken or not known yet.
fn tell(reading: &mut AlertsReading, rule: ListedRule) {
    let (name, group) = (rule.name.clone(), rule.group.clone());
    match &rule.stands {
        RuleStands::Broken(error) => {
            reading.broken_rules.push(BrokenRule { name, group, error: error.clone() });
        }
        &RuleStands::Unknown { seen, wanted } if !rule.records => {
            reading.unknown_rules.push(UnknownRule { name, group, seen, wanted });
        }
        _ => {}
    }
    reading.listed.push(rule);
}

/// Whether a target of the job was asked lately, whatever came of it.
fn was_asked(memory: &Memory, job: &str, now: Timestamp) -> bool {
    if memory.first_scrape(job).is_some() {
        return true;
    }
    let is = |name: &str, value: &str| Matcher {
        name: name.to_owned(),
        op: MatchOp::Equal(value.to_owned()),
    };
    let mut asked = false;
    let matchers = [is(METRIC_NAME, "up"), is("job", job)];
    memory.select(&matchers, now - ASKED, now, &mut |_, _| asked = true);
    asked
}

fn gap(
    first: Option<Timestamp>,
    oldest: Timestamp,
    now: Timestamp,
) -> Option<(Duration, Duration)> {
    let wanted = now.since(oldest);
    match first {
        Some(first) if first <= oldest => None,
        Some(first) => Some((now.since(first).min(wanted), wanted)),
        None => Some((Duration::ZERO, wanted)),
    }
}

fn alerts<'r>(rule: &'r Rule, state: &'r RuleState) -> impl Iterator<Item = Reported> + 'r {
    debug_assert!(matches!(rule.kind, RuleKind::Alert { .. }) || state.active.is_empty());
    state.active.iter().filter_map(|(labels, alert)| {
        let told = match alert.state {
            State::Inactive => return None,
            State::Pending => AlertState::Pending,
            State::Firing => AlertState::Firing,
        };
        let annotations = alert.annotations.iter();
        Some(Reported {
            labels: harmless_labels(labels),
            annotations: annotations
                .map(|(name, text)| (harmless_within(name, 200), harmless_within(text, WORDS)))
                .collect(),
            state: told,
            severity: Severity::of_label(labels.get("severity")),
            since: alert.since,
            since_at_least: alert.since_at_least,
            quiet: Vec::new(),
            receivers: Vec::new(),
            expression: harmless_within(&rule.expr.to_string(), EXPRESSION),
            value: Some(Num(alert.value)),
            link: None,
        })
    })
}

fn harmless_labels(labels: &Labels) -> Labels {
    Labels::new(
        labels
            .iter()
            .map(|(name, value)| (harmless_within(name, 200), harmless_within(value, WORDS))),
    )
}

#[cfg(test)]
mod tests;
