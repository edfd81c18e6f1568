//! The last polls of each source, as they ended: what the fold of a status does
//! not keep.

use crate::domain::{Reading, SourceId, Status, Timestamp};
use crate::store::Polled;
use std::collections::{HashMap, VecDeque};

/// So many polls of each source are remembered.
const KEPT: usize = 32;

/// The last polls of each source.
#[derive(Debug, Default)]
pub(super) struct Polls {
    of: HashMap<SourceId, Lately>,
}

#[derive(Debug, Default)]
struct Lately {
    /// When each began, and whether what it found was good.
    polls: VecDeque<(Timestamp, bool)>,
    failing: bool,
    came_back: Option<Timestamp>,
}

impl Polls {
    pub(super) fn take(&mut self, polled: &Polled) {
        let lately = self.of.entry(polled.source.clone()).or_default();
        let good = match &polled.outcome {
            Ok(Reading::Check(reading)) => reading.status == Status::Ok,
            Ok(_) => true,
            Err(_) => false,
        };
        if lately.polls.len() >= KEPT {
            lately.polls.pop_front();
        }
        lately.polls.push_back((polled.taken, good));
        let fails = polled.outcome.is_err();
        if lately.failing && !fails {
            lately.came_back = Some(polled.taken);
        }
        lately.failing = fails;
    }

    /// How many polls in a row were good, the last one included, that began
    /// after a moment.
    pub(super) fn good_since(&self, id: &SourceId, after: Timestamp) -> u32 {
        let Some(lately) = self.of.get(id) else { return 0 };
        let row = lately.polls.iter().rev().take_while(|(at, good)| *good && *at >= after);
        u32::try_from(row.count()).unwrap_or(u32::MAX)
    }

    /// When it last answered again after it had not.
    pub(super) fn came_back(&self, id: &SourceId) -> Option<Timestamp> {
        self.of.get(id)?.came_back
    }

    /// When it was last polled.
    pub(super) fn last(&self, id: &SourceId) -> Option<Timestamp> {
        self.of.get(id)?.polls.back().map(|(at, _)| *at)
    }
}
