//! What another process of the same config knew: a console that starts while
//! `watch` runs goes on from there.

use super::foreign::LOCAL_RULES;
use super::{EVENTS, Known, Turn};
use crate::domain::{Event, EventKind, Reading, Timestamp, units};
use crate::rules::Earlier;
use crate::store::Runs;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// After a longer time nobody knows what stood in between: what was known says
/// nothing of now, only of then.
const UNBROKEN: Duration = Duration::from_mins(1);

impl Known {
    /// What of it is worth keeping for the next console: all but what panels
    /// asked, what an operator looked at, and runs, which have a journal.
    #[must_use]
    pub fn to_be_kept(&self) -> Self {
        Self {
            answers: BTreeMap::new(),
            looked: VecDeque::new(),
            runs: Runs::default(),
            inventory: self.inventory.clone(),
            sources: self.sources.clone(),
            checks: self.checks.clone(),
            signals: self.signals.clone(),
            services: self.services.clone(),
            hosts: self.hosts.clone(),
            backups: self.backups.clone(),
            releases: self.releases.clone(),
            alerts: self.alerts.clone(),
            events: self.events.clone(),
            explained: self.explained.clone(),
            foreign: self.foreign.clone(),
            index: self.index.clone(),
            ..*self
        }
    }

    /// Goes on from what was known a moment ago. Of an older time only what
    /// happened then is taken over, and that nobody watched since.
    pub(super) fn remember(&mut self, turn: &mut Turn, kept: &Self) {
        if kept.inventory.environment != self.inventory.environment || kept.now > self.now {
            return;
        }
        let gap = self.now.since(kept.now);
        if gap > UNBROKEN {
            self.remember_events(kept, gap);
            return;
        }
        let (inventory, now) = (self.inventory.clone(), self.now);
        let own = std::mem::replace(self, kept.clone());
        self.now = now;
        self.moved = own.moved + 1;
        (self.answers, self.looked, self.runs) = (own.answers, own.looked, own.runs);
        self.nudged = None;
        for source in self.sources.values_mut() {
            source.next = None;
        }
        self.reloaded(turn, &inventory);
    }

    fn remember_events(&mut self, kept: &Self, gap: Duration) {
        let pause = |at: Timestamp| Event {
            at,
            kind: EventKind::Note {
                text: format!("nobody watched from here on, for {}", units::age(gap)),
            },
        };
        let own = std::mem::take(&mut self.events);
        let before = kept.events.iter().cloned().chain([pause(kept.now)]);
        self.events = before.chain(own).collect();
        let over = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..over);
    }
}

impl Known {
    /// What its own rules last said of alerts: when, and since when each is active.
    pub fn own_alerts(&self) -> Earlier {
        let told = self.inventory.sources.iter().filter(|info| info.kind == LOCAL_RULES);
        let told = told.filter_map(|info| self.sources.get(&info.id));
        let mut earlier = Earlier::new();
        for source in told {
            let (Some(Reading::Alerts(reading)), Some(last)) = (&source.reading, source.answered)
            else {
                continue;
            };
            let alerts = reading.alerts.iter();
            earlier.extend(alerts.map(|alert| (alert.labels.clone(), (last, alert.since))));
        }
        earlier
    }
}
