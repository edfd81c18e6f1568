//! Notifications that fail: counters of `/metrics`, and what they did of late.

use crate::domain::{Notifications, harmless_within};
use crate::metrics::exposition::{Format, PageError, SampleLine, Sink, Value, parse};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What is seen as of late.
const LATELY: Duration = Duration::from_mins(5);
/// So many integrations are told apart.
const MOST: usize = 64;

/// What one integration has counted since the server's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// `alertmanager_notifications_total`
    pub(super) tried: u64,
    /// `alertmanager_notifications_failed_total`: given up.
    pub(super) failed: u64,
    /// `alertmanager_notification_requests_total`: single attempts.
    pub(super) attempts: u64,
    /// `alertmanager_notification_requests_failed_total`
    pub(super) failed_attempts: u64,
}

impl Counted {
    /// What came since `before`; a counter that fell began anew.
    fn since(self, before: Self) -> Self {
        let step = |now: u64, before: u64| if now < before { now } else { now - before };
        Self {
            tried: step(self.tried, before.tried),
            failed: step(self.failed, before.failed),
            attempts: step(self.attempts, before.attempts),
            failed_attempts: step(self.failed_attempts, before.failed_attempts),
        }
    }

    /// Nothing came through since the server's start: even one look sees that.
    fn all_failed(self) -> bool {
        let Self { tried, failed, attempts, failed_attempts } = self;
        if attempts > 0 { attempts == failed_attempts } else { tried > 0 && tried == failed }
    }

    fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.failed_attempts += other.failed_attempts;
    }
}

/// What a page of metrics says of notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// By integration. Since 0.26 and 0.27 failures are split by reason and
    /// receiver, which are added up.
    pub(super) by_integration: BTreeMap<String, Counted>,
    /// The last reload of the config failed.
    pub(super) bad_config: bool,
}

impl Sink for Counters {
    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        let Value::Float(value) = sample.value else { return };
        if sample.name == "alertmanager_config_last_reload_successful" {
            self.bad_config = value == 0.0;
            return;
        }
        let field: fn(&mut Counted) -> &mut u64 = match sample.name {
            "alertmanager_notifications_total" => |counted| &mut counted.tried,
            "alertmanager_notifications_failed_total" => |counted| &mut counted.failed,
            "alertmanager_notification_requests_total" => |counted| &mut counted.attempts,
            "alertmanager_notification_requests_failed_total" => {
                |counted| &mut counted.failed_attempts
            }
            _ => return,
        };
        let label = sample.labels.iter().find(|label| label.name == "integration");
        let name = label.map_or_else(|| "?".into(), |label| harmless_within(&label.value, 60));
        if !self.by_integration.contains_key(&name) && self.by_integration.len() >= MOST {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` stops at the bounds, and a count is nothing else"
        )]
        let count = value as u64;
        let counted = self.by_integration.entry(name).or_default();
        *field(counted) = field(counted).saturating_add(count);
    }
}

/// Reads a page of Alertmanager's metrics.
pub(super) fn counters(content_type: &str, body: &[u8]) -> Result<Counters, PageError> {
    let format = Format::from_content_type(content_type, body)?;
    let mut counters = Counters::default();
    let faults = parse(body, format, &mut counters);
    match faults.first.first() {
        Some(first) if counters.by_integration.is_empty() => {
            Err(PageError::Unreadable(first.clone()))
        }
        _ => Ok(counters),
    }
}

/// What the members' counters did of late.
#[derive(Debug, Default)]
pub(super) struct Lately {
    last: BTreeMap<usize, BTreeMap<String, Counted>>,
    steps: VecDeque<(Duration, String, Counted)>,
}

impl Lately {
    /// Takes the counters of a member in, at `now` of a stopwatch. The first
    /// look at a member says nothing of late.
    pub(super) fn take(
        &mut self,
        member: usize,
        now: Duration,
        counters: &Counters,
    ) -> Vec<Notifications> {
        let all = &counters.by_integration;
        if let Some(before) = self.last.insert(member, all.clone()) {
            for (name, counted) in all {
                let step = counted.since(before.get(name).copied().unwrap_or_default());
                if step != Counted::default() {
                    self.steps.push_back((now, name.clone(), step));
                }
            }
        }
        while self.steps.front().is_some_and(|(at, _, _)| now.saturating_sub(*at) > LATELY) {
            self.steps.pop_front();
        }
        let used = all.iter().filter(|(_, counted)| **counted != Counted::default());
        used.map(|(name, counted)| self.told(name, *counted)).collect()
    }

    fn told(&self, name: &str, counted: Counted) -> Notifications {
        let mut sum = Counted::default();
        for (_, _, step) in self.steps.iter().filter(|(_, of, _)| of == name) {
            sum.add(*step);
        }
        // Before 0.22 single attempts were not counted.
        let attempts = counted.attempts > 0;
        let (tried, failed) =
            if attempts { (sum.attempts, sum.failed_attempts) } else { (sum.tried, sum.failed) };
        Notifications {
            integration: name.to_owned(),
            tried: counted.tried,
            failed: counted.failed,
            tried_lately: tried,
            failed_lately: failed,
            failing: sum.failed > 0 || (tried > 0 && failed == tried) || counted.all_failed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(tried: u64, failed: u64, attempts: u64, failed_attempts: u64) -> Counters {
        let text = format!(
            "# TYPE alertmanager_notifications_total counter\n\
             alertmanager_notifications_total{{integration=\"email\"}} 0\n\
             alertmanager_notifications_total{{integration=\"webhook\"}} {tried}\n\
             alertmanager_notifications_failed_total{{integration=\"webhook\",reason=\"serverError\"}} {failed}\n\
             alertmanager_notifications_failed_total{{integration=\"webhook\",reason=\"other\"}} 0\n\
             alertmanager_notification_requests_total{{integration=\"webhook\"}} {attempts}\n\
             alertmanager_notification_requests_failed_total{{integration=\"webhook\"}} {failed_attempts}\n"
        );
        counters("text/plain; version=0.0.4", text.as_bytes()).unwrap()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_look_says_nothing_of_late_and_what_is_given_up_is_failing() {
        let mut lately = Lately::default();
        let first = lately.take(0, at(0), &page(9, 3, 20, 10));
        assert_eq!(first.len(), 1, "email was never used: {first:?}");
        assert_eq!((first[0].tried, first[0].failed, first[0].failing), (9, 3, false));
        let good = lately.take(0, at(10), &page(10, 3, 22, 11));
        assert_eq!((good[0].tried_lately, good[0].failed_lately, good[0].failing), (2, 1, false));
        let given_up = lately.take(0, at(20), &page(11, 4, 25, 14));
        assert!(given_up[0].failing, "{given_up:?}");
        assert_eq!(given_up[0].failed_lately, 4);
        let later = lately.take(0, at(400), &page(12, 4, 26, 14));
        assert!(!later[0].failing, "{later:?}");
    }

    #[test]
    fn no_attempt_that_comes_through_is_failing_before_it_is_given_up() {
        let mut lately = Lately::default();
        lately.take(0, at(0), &page(0, 0, 0, 0));
        let told = lately.take(0, at(10), &page(1, 0, 4, 4));
        assert!(told[0].failing, "{told:?}");
    }

    #[test]
    fn one_look_is_enough_where_nothing_ever_came_through() {
        let told = Lately::default().take(0, at(0), &page(2, 1, 4, 4));
        assert!(told[0].failing && told[0].tried_lately == 0, "{told:?}");
        assert!(!Lately::default().take(0, at(0), &page(2, 1, 4, 3))[0].failing);
        assert!(Lately::default().take(0, at(0), &page(2, 2, 0, 0))[0].failing);
    }

    #[test]
    fn a_restart_and_another_member_are_no_flood_of_failures() {
        let mut lately = Lately::default();
        lately.take(0, at(0), &page(900, 300, 900, 300));
        let restarted = lately.take(0, at(10), &page(1, 0, 1, 0));
        assert_eq!((restarted[0].tried_lately, restarted[0].failing), (1, false));
        let other = lately.take(1, at(20), &page(500, 200, 500, 200));
        assert!(!other[0].failing, "{other:?}");
    }

    #[test]
    fn a_page_that_is_none_is_said_and_a_bad_config_is_seen() {
        assert!(counters("text/html", b"<html>").is_err());
        assert!(counters("", b"404 page not found").is_err());
        let told = counters("", b"alertmanager_config_last_reload_successful 0\n").unwrap();
        assert!(told.bad_config);
    }
}
