//! The shop that is practised on: who is in it, what they ask each other, and
//! how each behaves with and without a fault.

use super::chance::Chance;
use crate::domain::Timestamp;
use std::time::Duration;

/// A process of the practice environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member {
    /// Pages for visitors; asks api and payments.
    Web,
    /// Goods, carts and orders; asks db.
    Api,
    /// Charges; asks api to mark the order.
    Payments,
    /// Works off jobs; asks db.
    Worker,
    /// Answers queries.
    Db,
    /// Shows this host's numbers as a node exporter does.
    Host,
    /// Where errors are reported to.
    Tracker,
    /// Those who use the shop. Nobody polls them.
    Visitors,
}

impl Member {
    /// All of them, those who are asked before those who ask.
    pub(super) const ALL: [Self; 8] = [
        Self::Tracker,
        Self::Db,
        Self::Api,
        Self::Payments,
        Self::Web,
        Self::Worker,
        Self::Host,
        Self::Visitors,
    ];

    /// Its name, in the config too.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Api => "api",
            Self::Payments => "payments",
            Self::Worker => "worker",
            Self::Db => "db",
            Self::Host => "host",
            Self::Tracker => "tracker",
            Self::Visitors => "visitors",
        }
    }

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.name() == name)
    }

    /// Where its health is asked, in the manner of what it is made with.
    pub(super) const fn health_path(self) -> &'static str {
        match self {
            Self::Web => "/livez?verbose",
            Self::Api => "/actuator/health",
            Self::Payments | Self::Db | Self::Tracker => "/health",
            Self::Worker => "/healthz",
            Self::Host | Self::Visitors => "/",
        }
    }

    /// Whom it needs to do its work.
    pub(super) const fn needs(self) -> &'static [Self] {
        match self {
            Self::Web => &[Self::Api, Self::Payments],
            Self::Payments => &[Self::Api],
            Self::Api | Self::Worker => &[Self::Db],
            Self::Db | Self::Host | Self::Tracker => &[],
            Self::Visitors => &[Self::Web],
        }
    }

    /// Whether it reports its errors to the tracker.
    pub(super) const fn reports(self) -> bool {
        matches!(self, Self::Web | Self::Api | Self::Payments | Self::Worker)
    }

    /// The release that runs while all is well, and the one that fails.
    pub(super) const fn releases(self) -> (&'static str, &'static str) {
        let [_, good, bad] = self.history();
        (good, bad)
    }

    /// Its releases, the oldest first.
    pub(super) const fn history(self) -> [&'static str; 3] {
        match self {
            Self::Api => ["v140", "v141", "v142"],
            Self::Web => ["v86", "v87", "v88"],
            Self::Payments => ["v22", "v23", "v24"],
            Self::Worker => ["v29", "v30", "v31"],
            Self::Db | Self::Host | Self::Tracker | Self::Visitors => ["v8", "v9", "v10"],
        }
    }

    /// The release of this name.
    pub(super) fn release(self, name: &str) -> Option<&'static str> {
        self.history().into_iter().find(|release| *release == name)
    }

    /// Whether a release fails. That of the api before the good one has the
    /// same fault as the newest: not every way back helps.
    pub(super) fn is_bad(self, release: &str) -> bool {
        let [before, _, newest] = self.history();
        release == newest || (self == Self::Api && release == before)
    }

    /// What is served under a path: the route's name in the metrics, and what
    /// is asked of whom to answer it.
    pub(super) fn route(self, path: &str) -> Option<Route> {
        let route = |name, asks| Some(Route { name, asks });
        match (self, path) {
            (Self::Web, "/") => route("/", Some((Self::Api, "/products"))),
            (Self::Web, "/cart") => route("/cart", Some((Self::Api, "/cart"))),
            (Self::Web, "/checkout") => route("/checkout", Some((Self::Payments, "/charge"))),
            (Self::Api, "/products") => route("/products", Some((Self::Db, "/query"))),
            (Self::Api, "/cart") => route("/cart", Some((Self::Db, "/query"))),
            (Self::Api, "/orders") => route("/orders", Some((Self::Db, "/query"))),
            (Self::Payments, "/charge") => route("/charge", Some((Self::Api, "/orders"))),
            (Self::Db, "/query") => route("/query", None),
            _ => None,
        }
    }

    /// How long its own part of an answer takes, half of the time.
    const fn own_work(self) -> Duration {
        Duration::from_millis(match self {
            Self::Web | Self::Api => 8,
            Self::Payments => 25,
            Self::Worker => 30,
            Self::Db => 4,
            Self::Host | Self::Tracker | Self::Visitors => 0,
        })
    }

    /// How long it waits for an answer to what it asks.
    pub(super) const fn patience(self) -> Duration {
        Duration::from_millis(match self {
            Self::Api => 1_200,
            Self::Visitors => 8_000,
            _ => 3_000,
        })
    }
}

/// What is served under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Its name in the metrics.
    pub(super) name: &'static str,
    /// Whom it asks for what before it answers.
    pub(super) asks: Option<(Member, &'static str)>,
}

/// What ails a member at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ailment {
    /// The bad release runs since.
    pub(super) released: Option<Timestamp>,
    /// Its work is slow since.
    pub(super) slow: Option<Timestamp>,
}

/// How one piece of work goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// How long it takes.
    pub(super) takes: Duration,
    /// It ends in an error of its own.
    pub(super) fails: bool,
}

impl Ailment {
    /// How a piece of `member`'s work goes that begins at `now`.
    pub(super) fn work(&self, member: Member, now: Timestamp, chance: &mut Chance) -> Work {
        let mut work = Work { takes: chance.work(member.own_work()), fails: false };
        if let Some(since) = self.released {
            let runs = now.since(since).as_secs_f64();
            // One request in three fails in the end; what does not fail
            // becomes slow a little later, when retries have piled up.
            work.fails = chance.happens(0.33 * ramp(runs, 1.0, 7.0));
            let slower = chance.work(Duration::from_millis(700));
            work.takes += slower.mul_f64(ramp(runs, 4.0, 14.0));
        }
        if let Some(since) = self.slow {
            let slower = chance.work(Duration::from_millis(850));
            work.takes += slower.mul_f64(ramp(now.since(since).as_secs_f64(), 0.0, 4.0));
        }
        work
    }
}

/// From 0 at `from` to 1 at `to`.
fn ramp(at: f64, from: f64, to: f64) -> f64 {
    ((at - from) / (to - from)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(ailment: Ailment, seconds: u64) -> f64 {
        let mut chance = Chance::new(3, 0);
        let now = Timestamp::default() + Duration::from_secs(seconds);
        let fails = (0..2_000).filter(|_| ailment.work(Member::Api, now, &mut chance).fails);
        fails.count() as f64 / 2_000.0
    }

    #[test]
    fn a_bad_release_fails_more_and_more_and_a_good_one_never() {
        let bad = Ailment { released: Some(Timestamp::default()), slow: None };
        let never = 1e-9;
        assert!(failing(Ailment::default(), 60) < never);
        assert!(failing(bad, 1) < never);
        let (early, late) = (failing(bad, 3), failing(bad, 60));
        assert!((0.07..0.15).contains(&early), "{early}");
        assert!((0.28..0.38).contains(&late), "{late}");
    }

    #[test]
    fn latency_follows_the_errors_and_a_slow_database_takes_its_time() {
        let mut chance = Chance::new(3, 0);
        let at = |seconds| Timestamp::default() + Duration::from_secs(seconds);
        let mut median = |ailment: Ailment, member, now| {
            let mut times: Vec<_> =
                (0..1_001).map(|_| ailment.work(member, now, &mut chance).takes).collect();
            times.sort();
            times[500]
        };
        let bad = Ailment { released: Some(at(0)), slow: None };
        assert!(median(bad, Member::Api, at(3)) < Duration::from_millis(12));
        assert!(median(bad, Member::Api, at(20)) > Duration::from_millis(600));
        let slow = Ailment { released: None, slow: Some(at(0)) };
        assert!(median(slow, Member::Db, at(10)) > Duration::from_millis(700));
        assert!(median(Ailment::default(), Member::Db, at(10)) < Duration::from_millis(6));
    }

    #[test]
    fn each_name_is_one_member_and_nobody_asks_whom_it_does_not_need() {
        for member in Member::ALL {
            assert_eq!(Member::named(member.name()), Some(member));
            for path in ["/", "/cart", "/checkout", "/products", "/orders", "/charge", "/query"] {
                if let Some((asked, what)) = member.route(path).and_then(|route| route.asks) {
                    assert!(member.needs().contains(&asked), "{member:?} {path}");
                    assert!(asked.route(what).is_some(), "{asked:?} has no {what}");
                }
            }
        }
    }
}
