//! Figures of backups: how long a restore takes, how sizes change.

use super::BackupState;
use crate::domain::{BackupReading, Snapshot, Timestamp, units};
use std::time::Duration;

/// A size is compared with so many before it.
const COMPARED: usize = 10;

/// How long a restore will take, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// How long.
    pub takes: Duration,
    /// What it follows from: `from the last restore`.
    pub basis: &'static str,
}

impl Estimate {
    /// `restore takes ~3h05m (from the last restore)`.
    pub fn words(&self) -> String {
        format!("restore takes ~{} ({})", units::duration(self.takes), self.basis)
    }
}

/// The size of the newest good backup against those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeChange {
    /// Its size in bytes.
    pub size: u64,
    /// The median of those before it, ten at most.
    pub usual: u64,
    /// How many those are.
    pub of: usize,
}

impl SizeChange {
    /// The change as a share: -0.52 where it shrank to 48 %.
    pub fn share(&self) -> f64 {
        if self.usual == 0 { 0.0 } else { self.size as f64 / self.usual as f64 - 1.0 }
    }

    /// Whether it shrank by half or more.
    pub fn is_half(&self) -> bool {
        self.size.saturating_mul(2) <= self.usual
    }

    /// `12MB, usual 30MB (-60%)`, `shrank to 12MB, usual 30MB (-60%)`.
    pub fn words(&self) -> String {
        let bytes = |bytes: u64| units::bytes(bytes as f64);
        let shrank = if self.is_half() { "shrank to " } else { "" };
        let sign = if self.share() > 0.0 { "+" } else { "" };
        let share = format!("{sign}{:.0}%", self.share() * 100.0);
        format!("{shrank}{}, usual {} ({share})", bytes(self.size), bytes(self.usual))
    }
}

impl BackupState {
    /// How long a restore of the newest good backup will take.
    pub fn restore_estimate(&self) -> Option<Estimate> {
        estimate(self.last.as_ref()?, self.memory.good)
    }

    /// How the size of the newest good backup compares with those before it.
    pub fn size_change(&self) -> Option<SizeChange> {
        size_change(self.last.as_ref()?, self.memory.good)
    }

    /// Moment, size, and whether it is a good one, of all that tell a size, oldest first.
    pub fn sizes(&self) -> Vec<(Timestamp, u64, bool)> {
        let snapshots = self.last.iter().flat_map(|reading| &reading.snapshots);
        let sizes = snapshots.filter_map(|one| Some((one.taken, one.size?, one.fault.is_none())));
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_by_key(|(taken, ..)| *taken);
        sizes
    }
}

/// By the speed of the last verified restore, else by the slowest speed at
/// which a backup was made: one that only adds what is new is made much faster
/// than the whole is read back, so that the fastest would promise too much.
pub(super) fn estimate(reading: &BackupReading, newest: Option<usize>) -> Option<Estimate> {
    let newest = reading.snapshots.get(newest?)?;
    let restore = reading.restore.as_ref().filter(|restore| restore.good);
    if let Some(took) = restore.and_then(|restore| restore.took) {
        let size = restore.and_then(|restore| restore.size).filter(|size| *size > 0);
        let takes = match (newest.size, size) {
            (Some(newest), Some(size)) => scaled(took, newest, size),
            _ => took,
        };
        return Some(Estimate { takes, basis: "from the last restore" });
    }
    let good = reading.snapshots.iter().filter(|one| one.fault.is_none());
    let takes = good.filter_map(|one| {
        let took = one.took.filter(|took| !took.is_zero())?;
        match (newest.size, one.size.filter(|size| *size > 0)) {
            (Some(newest), Some(size)) => Some(scaled(took, newest, size)),
            _ => Some(took),
        }
    });
    takes.max().map(|takes| Estimate { takes, basis: "from how long backups took" })
}

fn scaled(took: Duration, newest: u64, size: u64) -> Duration {
    let seconds = took.as_secs_f64() * newest as f64 / size as f64;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Compared with good ones of the same host only: several hosts may share a repository.
pub(super) fn size_change(reading: &BackupReading, newest: Option<usize>) -> Option<SizeChange> {
    let newest = reading.snapshots.get(newest?)?;
    let size = newest.size?;
    let before = |one: &&Snapshot| {
        one.taken < newest.taken && one.fault.is_none() && one.host == newest.host
    };
    let before = reading.snapshots.iter().filter(before);
    let mut before: Vec<(Timestamp, u64)> =
        before.filter_map(|one| Some((one.taken, one.size.filter(|size| *size > 0)?))).collect();
    before.sort_by_key(|(taken, _)| *taken);
    let skip = before.len().saturating_sub(COMPARED);
    let mut sizes: Vec<u64> = before.into_iter().skip(skip).map(|(_, size)| size).collect();
    sizes.sort_unstable();
    let of = sizes.len();
    let upper = *sizes.get(of / 2)?;
    let usual = match of % 2 {
        1 => upper,
        _ => sizes.get(of / 2 - 1)?.midpoint(upper),
    };
    Some(SizeChange { size, usual, of })
}
