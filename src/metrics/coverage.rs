//! Whether the samples at hand reach back as far as an expression looks.

use super::promql::{Expr, Reach, reaches};
use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much of an expression's window the engine has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// All of it, or the engine has a history of its own.
    Whole,
    /// Only this much of what it takes: the answer is not to be judged.
    Partial {
        /// This much was seen.
        seen: Duration,
        /// This much is needed.
        wanted: Duration,
    },
}

/// How much of what `expr` looks at, evaluated at `at`, was seen. `first_scrape`
/// gives the moment of the first scrape of a job, or without a name that of the
/// targets which such a selector can mean; none where there was no scrape yet.
///
/// A selector without range and offset needs one scrape. Of several selectors
/// the one counts that is furthest from being covered.
pub fn coverage(
    expr: &Expr,
    at: Timestamp,
    first_scrape: &dyn Fn(Option<&str>) -> Option<Timestamp>,
) -> Coverage {
    let gaps = reaches(expr).into_iter().filter_map(|reach| gap(&reach, at, first_scrape));
    match gaps.max_by_key(|(seen, wanted)| wanted.saturating_sub(*seen)) {
        Some((seen, wanted)) => Coverage::Partial { seen, wanted },
        None => Coverage::Whole,
    }
}

/// The moment before which nothing of what `expr` looks at was seen, evaluated
/// at moments in a range; none where that cannot be told.
pub fn seen_from(
    expr: &Expr,
    first_scrape: &dyn Fn(Option<&str>) -> Option<Timestamp>,
) -> Option<Timestamp> {
    let reaches = reaches(expr);
    if reaches.iter().any(|reach| reach.fixed_ms.is_some()) {
        return None;
    }
    reaches.iter().filter_map(|reach| first_scrape(reach.selector.equal("job"))).min()
}

/// Seen and wanted, where the one is less than the other.
fn gap(
    reach: &Reach<'_>,
    at: Timestamp,
    first_scrape: &dyn Fn(Option<&str>) -> Option<Timestamp>,
) -> Option<(Duration, Duration)> {
    let oldest = match reach.fixed_ms {
        Some(millis) => Timestamp::from_millis(millis).min(at),
        None => at - reach.back,
    };
    let wanted = at.since(oldest);
    match first_scrape(reach.selector.equal("job")) {
        Some(first) if first <= oldest => None,
        Some(first) => Some((at.since(first).min(wanted), wanted)),
        None => Some((Duration::ZERO, wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::promql::parse;

    const AT: Timestamp = Timestamp::from_millis(1_000_000);

    fn ask(expr: &str, first: Option<i64>) -> Coverage {
        let first = first.map(Timestamp::from_millis);
        coverage(&parse(expr).unwrap(), AT, &|job| {
            if job == Some("old") { Some(Timestamp::from_millis(0)) } else { first }
        })
    }

    fn partial(seen: u64, wanted: u64) -> Coverage {
        Coverage::Partial { seen: Duration::from_secs(seen), wanted: Duration::from_secs(wanted) }
    }

    #[test]
    fn two_scrapes_are_not_a_rate() {
        assert_eq!(ask("rate(x[5m])", Some(960_000)), partial(40, 300));
        assert_eq!(ask("rate(x[5m])", Some(700_000)), Coverage::Whole);
        assert_eq!(
            ask("rate(x[5m])", Some(700_001)),
            Coverage::Partial {
                seen: Duration::from_millis(299_999),
                wanted: Duration::from_mins(5),
            }
        );
    }

    #[test]
    fn of_several_jobs_the_one_that_was_seen_first_counts_for_a_range() {
        let first = |job: Option<&str>| match job {
            Some("a") => Some(Timestamp::from_millis(10)),
            Some("b") => Some(Timestamp::from_millis(20)),
            _ => None,
        };
        let from = |expr: &str| seen_from(&parse(expr).unwrap(), &first);
        assert_eq!(from("x{job=\"b\"} / y{job=\"a\"}"), Some(Timestamp::from_millis(10)));
        assert_eq!(from("rate(x{job=\"b\"}[5m])"), Some(Timestamp::from_millis(20)));
        assert_eq!((from("x"), from("1"), from("x{job=\"b\"} @ 5")), (None, None, None));
    }

    #[test]
    fn the_latest_value_needs_one_scrape() {
        assert_eq!(ask("up", Some(1_000_000)), Coverage::Whole);
        assert_eq!(ask("up", None), partial(0, 0));
        assert_eq!(ask("up offset 1m", Some(970_000)), partial(30, 60));
        assert_eq!(ask("1 + 1", None), Coverage::Whole);
    }

    #[test]
    fn the_least_covered_selector_counts_by_its_own_job() {
        assert_eq!(ask("rate(x{job=\"old\"}[5m])", None), Coverage::Whole);
        assert_eq!(
            ask("rate(x{job=\"old\"}[10m]) / max_over_time(y[1m:])", Some(970_000)),
            partial(30, 60)
        );
    }

    #[test]
    fn a_moment_that_is_named_counts_too() {
        assert_eq!(ask("rate(x[1m] @ 900)", Some(850_000)), partial(150, 160));
        assert_eq!(ask("rate(x[1m] @ 900)", Some(840_000)), Coverage::Whole);
    }
}
