//! The fold from the answers of one check to the status that counts:
//! confirming, flapping, staleness, and what the clock may do in between.

mod recent;

#[cfg(test)]
mod tests;

use super::{Mark, Standing, Status, Timestamp};
use recent::Recent;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An answer is stale when it is older than this many intervals.
const STALE_INTERVALS: u32 = 3;
/// So many changes of what counts within the recent polls are flapping.
const FLAPPING_CHANGES: u32 = 4;
/// So many polls without a change end it.
const QUIET_POLLS: u32 = 10;
/// So is nearly every other of them at odds with what counts. That a change
/// must be confirmed would hide it for ever; but a few failed probes of a
/// service that restarts instance after instance are no flapping, though they
/// come and go more than four times.
const FLAPPING_STRAYS: u32 = 9;

/// How one check is asked and confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// From poll to poll.
    pub every: Duration,
    /// How often a change is asked again before it counts.
    pub confirm: u32,
    /// The time between those.
    pub confirm_after: Duration,
}

impl Rules {
    /// The age beyond which an answer is stale.
    pub fn stale_after(&self) -> Duration {
        self.every.saturating_mul(STALE_INTERVALS)
    }
}

/// One poll, as the fold sees it.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// The moment that its data is of.
    pub at: Timestamp,
    /// What it found.
    pub status: Status,
    /// Why, in words.
    pub reason: &'a str,
    /// It was answered. A poll that could not ask says nothing of recovery.
    pub answered: bool,
}

/// What is remembered of the polls of one check.
///
/// A change counts once it was seen in `1 + confirm` polls in a row. Polls that
/// agree only on the direction (unknown, then critical) move the status as far
/// as all of them agree: to the mildest when it gets worse, to the worst when
/// it gets better. The first `ok` after the start counts at once; nothing has
/// to be taken back for it. A poll that could not ask never ends a `critical`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    counted: Option<Counted>,
    pending: Option<Pending>,
    /// The last poll that was taken in, answered or not.
    heard: Option<Timestamp>,
    /// The last poll that was answered.
    seen: Option<Timestamp>,
    /// The last poll that bore out what counts.
    borne_out: Option<Timestamp>,
    recent: Recent,
    flapping: Option<Flapping>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    status: Status,
    reason: String,
    since: Timestamp,
    since_at_least: bool,
}

/// A change that is being confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    worse: bool,
    /// How many polls in a row say so.
    times: u32,
    first: Timestamp,
    /// As far as all of them agree.
    to: Status,
    reason: String,
    /// What counts had not been seen for too long when it began.
    after_gap: bool,
    last: Status,
    /// How many of the last polls were `last`, and the first of them.
    run: u32,
    run_first: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Flapping {
    since: Timestamp,
    worst: Status,
    reason: String,
    last: Status,
    changed: Timestamp,
}

impl Fold {
    /// Takes one poll in, at `now`. Gives the time after which the check wants
    /// to be asked again beside its schedule.
    ///
    /// A poll that is not newer than the last one is left out; one from the
    /// future counts as of now.
    pub fn take(&mut self, rules: &Rules, now: Timestamp, probe: &Probe<'_>) -> Option<Duration> {
        let probe = Probe { at: probe.at.min(now), ..*probe };
        if self.heard.is_some_and(|heard| probe.at <= heard) {
            return None;
        }
        let gap = self.is_stale(rules, probe.at);
        self.heard = Some(probe.at);
        if probe.answered {
            self.seen = Some(probe.at);
        }
        if self.flapping.is_some() {
            self.recent.push(probe.status, false, false);
            self.flap_on(&probe);
            return None;
        }
        let counts = |fold: &Self| fold.counted.as_ref().map(|counted| counted.status);
        let before = counts(self);
        self.settle(rules, &probe, gap);
        let after = counts(self);
        let changed = before.is_some() && before != after;
        let held = !probe.answered && after == Some(Status::Critical);
        self.recent.push(probe.status, after != Some(probe.status) && !held, changed);
        let flaps =
            self.recent.changes() >= FLAPPING_CHANGES || self.recent.strays() >= FLAPPING_STRAYS;
        if flaps && self.counted.is_some() {
            self.flap(&probe);
            return None;
        }
        self.pending.as_ref().map(|_| rules.confirm_after)
    }

    /// Moves what counts, or begins, carries on or drops a confirming.
    fn settle(&mut self, rules: &Rules, probe: &Probe<'_>, gap: bool) {
        let base = match &mut self.counted {
            Some(counted) if counted.status == probe.status => {
                probe.reason.clone_into(&mut counted.reason);
                // What stayed critical was never taken back; anything else was
                // unknown in between, and may have come back at any time.
                if gap && counted.status != Status::Critical {
                    counted.since = probe.at;
                    counted.since_at_least = true;
                }
                self.borne_out = Some(probe.at);
                self.pending = None;
                return;
            }
            Some(counted) if counted.status == Status::Critical && !probe.answered => {
                self.pending = None;
                return;
            }
            Some(counted) => counted.status,
            None if probe.status == Status::Ok => {
                self.count(probe.status, probe.reason.to_owned(), probe.at, true);
                self.borne_out = Some(probe.at);
                self.pending = None;
                return;
            }
            // Whatever it is, it is worse than having nothing to take back.
            None => Status::Ok,
        };
        if base != Status::Ok && probe.status > base {
            self.borne_out = Some(probe.at);
        }
        let worse = probe.status > base;
        match &mut self.pending {
            Some(pending) if pending.worse == worse => pending.carry_on(probe),
            pending => *pending = Some(Pending::begin(probe, worse, gap)),
        }
        let Some(done) = self.pending.take_if(|pending| pending.times > rules.confirm) else {
            return;
        };
        if done.last != done.to {
            let mut rest = Pending::begin(probe, done.last > done.to, false);
            (rest.times, rest.run) = (done.run, done.run);
            (rest.first, rest.run_first) = (done.run_first, done.run_first);
            self.pending = Some(rest);
        }
        let since_at_least = done.after_gap || self.counted.is_none();
        self.count(done.to, done.reason, done.first, since_at_least);
        self.borne_out = Some(probe.at);
    }

    fn count(&mut self, status: Status, reason: String, since: Timestamp, since_at_least: bool) {
        self.counted = Some(Counted { status, reason, since, since_at_least });
    }

    fn flap(&mut self, probe: &Probe<'_>) {
        let worst = self.recent.worst();
        let known = [
            self.pending.take().map(|pending| (pending.to, pending.reason)),
            self.counted.as_ref().map(|counted| (counted.status, counted.reason.clone())),
            Some((probe.status, probe.reason.to_owned())),
        ];
        let reason = known.into_iter().flatten().max_by_key(|(status, _)| *status);
        self.flapping = Some(Flapping {
            since: probe.at,
            worst,
            // What was worst may be over already, and its words gone.
            reason: reason.map_or_else(String::new, |(status, reason)| {
                if status < worst { format!("{worst} just before, now {reason}") } else { reason }
            }),
            last: probe.status,
            changed: probe.at,
        });
    }

    fn flap_on(&mut self, probe: &Probe<'_>) {
        let Some(flapping) = &mut self.flapping else { return };
        if probe.status != flapping.last {
            flapping.last = probe.status;
            flapping.changed = probe.at;
        }
        if probe.status >= flapping.worst {
            flapping.worst = probe.status;
            probe.reason.clone_into(&mut flapping.reason);
        }
        if self.recent.run() > QUIET_POLLS {
            let changed = flapping.changed;
            self.flapping = None;
            self.recent = Recent::default();
            self.count(probe.status, probe.reason.to_owned(), changed, false);
            self.borne_out = Some(probe.at);
        }
    }

    /// How it stands at `now`; `started` is when watching began.
    pub fn standing(&self, rules: &Rules, now: Timestamp, started: Timestamp) -> Standing {
        let seen = self.seen;
        if let Some(flapping) = &self.flapping {
            let standing = Standing {
                status: flapping.worst,
                reason: format!("flapping: {}", flapping.reason),
                since: flapping.since,
                since_at_least: false,
                seen,
                mark: Some(Mark::Flapping),
            };
            return self.aged(standing, rules, now);
        }
        let confirming = |pending: &Pending| Some(Mark::Confirming { to: pending.last });
        let Some(counted) = &self.counted else {
            return match &self.pending {
                Some(pending) => Standing {
                    seen,
                    ..Standing::unknown(asked_again(&pending.reason), started, confirming(pending))
                },
                None => Standing::waiting(started),
            };
        };
        let standing = Standing {
            status: counted.status,
            reason: match &self.pending {
                Some(pending) if pending.worse => asked_again(&pending.reason),
                _ => counted.reason.clone(),
            },
            since: counted.since,
            since_at_least: counted.since_at_least,
            seen,
            mark: self.pending.as_ref().and_then(confirming),
        };
        self.aged(standing, rules, now)
    }

    /// What age makes of a standing: a stale critical stays, the rest is unknown.
    fn aged(&self, mut standing: Standing, rules: &Rules, now: Timestamp) -> Standing {
        if !self.is_stale(rules, now) {
            return standing;
        }
        if !matches!(standing.mark, Some(Mark::Confirming { .. })) {
            standing.mark = Some(Mark::Stale);
        }
        if standing.status != Status::Critical {
            if standing.mark == Some(Mark::Stale) {
                standing.reason = was(standing.status, &standing.reason);
            }
            standing.status = Status::Unknown;
            standing.since = self.stale_at(rules).unwrap_or(now);
            standing.since_at_least = false;
        }
        standing
    }

    /// Whether what counts was last borne out too long before `now`.
    fn is_stale(&self, rules: &Rules, now: Timestamp) -> bool {
        self.stale_at(rules).is_some_and(|moment| now > moment)
    }

    /// The moment after which what counts is stale, if nothing is heard until
    /// then; none where there is nothing that could become stale.
    pub fn stale_at(&self, rules: &Rules) -> Option<Timestamp> {
        let last = match (&self.flapping, &self.counted) {
            (Some(_), _) => self.seen,
            (None, None) => None,
            (None, Some(counted)) => match counted.status {
                Status::Unknown => None,
                Status::Critical => self.seen,
                Status::Ok | Status::Warning => self.borne_out,
            },
        };
        last.map(|last| last + rules.stale_after())
    }

    /// Drops a confirming: what began it turned out to say nothing of the check.
    pub fn drop_pending(&mut self) {
        self.pending = None;
    }

    /// The clock went back: nothing that was seen may lie after `now`, or it
    /// would stay fresh until the clock has caught up.
    pub fn not_after(&mut self, now: Timestamp) {
        for moment in [&mut self.heard, &mut self.seen, &mut self.borne_out].into_iter().flatten() {
            *moment = (*moment).min(now);
        }
        if let Some(counted) = &mut self.counted {
            counted.since = counted.since.min(now);
        }
        if let Some(pending) = &mut self.pending {
            pending.first = pending.first.min(now);
            pending.run_first = pending.run_first.min(now);
        }
        if let Some(flapping) = &mut self.flapping {
            flapping.since = flapping.since.min(now);
            flapping.changed = flapping.changed.min(now);
        }
    }
}

impl Pending {
    fn begin(probe: &Probe<'_>, worse: bool, after_gap: bool) -> Self {
        Self {
            worse,
            times: 1,
            first: probe.at,
            to: probe.status,
            reason: probe.reason.to_owned(),
            after_gap,
            last: probe.status,
            run: 1,
            run_first: probe.at,
        }
    }

    fn carry_on(&mut self, probe: &Probe<'_>) {
        self.times += 1;
        if probe.status == self.last {
            self.run += 1;
        } else {
            self.last = probe.status;
            self.run = 1;
            self.run_first = probe.at;
        }
        let further = if self.worse { probe.status <= self.to } else { probe.status >= self.to };
        if further {
            self.to = probe.status;
            probe.reason.clone_into(&mut self.reason);
        }
    }
}

fn asked_again(reason: &str) -> String {
    format!("{reason}, asked again")
}

fn was(status: Status, reason: &str) -> String {
    if status == Status::Ok || reason.is_empty() {
        format!("was {status}")
    } else {
        format!("was {status}: {reason}")
    }
}
