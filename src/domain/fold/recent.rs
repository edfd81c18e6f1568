//! The last polls of a check, packed small: ten thousand checks keep one each.

use crate::domain::Status;
use serde::{Deserialize, Serialize};

/// So many polls are remembered.
const POLLS: u32 = 20;
const STATUS_BITS: u32 = 2;

/// The statuses of the last 20 polls, the newest in the lowest bits, which of
/// them differed from what counted, and which of them changed what counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent {
    polls: u32,
    statuses: u64,
    strays: u32,
    changes: u32,
}

impl Recent {
    pub(super) fn push(&mut self, status: Status, stray: bool, change: bool) {
        let bits: u64 = match status {
            Status::Ok => 0,
            Status::Unknown => 1,
            Status::Warning => 2,
            Status::Critical => 3,
        };
        self.statuses = (self.statuses << STATUS_BITS | bits) & ((1 << (STATUS_BITS * POLLS)) - 1);
        let all = (1 << POLLS) - 1;
        self.strays = (self.strays << 1 | u32::from(stray)) & all;
        self.changes = (self.changes << 1 | u32::from(change)) & all;
        self.polls = (self.polls + 1).min(POLLS);
    }

    fn bits(self, back: u32) -> u64 {
        self.statuses >> (STATUS_BITS * back) & 0b11
    }

    /// How often what counts changed.
    pub(super) fn changes(self) -> u32 {
        self.changes.count_ones()
    }

    /// How many polls differed from what counted.
    pub(super) fn strays(self) -> u32 {
        self.strays.count_ones()
    }

    /// How many polls the last status has lasted.
    pub(super) fn run(self) -> u32 {
        let same = (0..self.polls).take_while(|back| self.bits(*back) == self.bits(0));
        u32::try_from(same.count()).unwrap_or(POLLS)
    }

    /// The worst status among them; unknown where there is none.
    pub(super) fn worst(self) -> Status {
        match (0..self.polls).map(|back| self.bits(back)).max() {
            Some(0) => Status::Ok,
            Some(2) => Status::Warning,
            Some(3) => Status::Critical,
            _ => Status::Unknown,
        }
    }
}
