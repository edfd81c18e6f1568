//! What is found of backups against what is wanted of them: pure.

use super::Concern;
use super::figures::{estimate, size_change};
use crate::domain::{
    BackupReading, BackupRole, RestoreTest, Running, Snapshot, Status, Timestamp, units,
};
use std::time::Duration;

/// Clocks of other hosts may be ahead by so much.
const AHEAD: Duration = Duration::from_mins(5);

/// What a reading comes to at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) reason: String,
    /// Since when it is so, where the data tells.
    pub(super) begun: Option<Timestamp>,
    /// Worst first.
    pub(super) concerns: Vec<Concern>,
    pub(super) advisories: Vec<String>,
    /// Place of the newest good one.
    pub(super) good: Option<usize>,
    /// The next moment at which time alone changes it.
    pub(super) turns: Option<Timestamp>,
}

/// Collects what is wrong, and when that changes by itself.
struct Judge<'a> {
    reading: &'a BackupReading,
    role: &'a BackupRole,
    now: Timestamp,
    concerns: Vec<Concern>,
    advisories: Vec<String>,
    turns: Vec<Timestamp>,
}

/// Judges a reading as of `now`. `earliest` is the oldest backup that was ever
/// seen of the data set, which may be gone by now.
pub(super) fn judge(
    reading: &BackupReading,
    role: &BackupRole,
    earliest: Option<Timestamp>,
    now: Timestamp,
) -> Verdict {
    let concerns = Vec::new();
    let mut judge =
        Judge { reading, role, now, concerns, advisories: Vec::new(), turns: Vec::new() };
    let place = judge.newest(|snapshot| snapshot.fault.is_none() && snapshot.size != Some(0));
    let good = place.and_then(|place| reading.snapshots.get(place));
    judge.freshness(good);
    judge.future();
    judge.problems();
    judge.size(place);
    judge.kept(earliest);
    judge.restores();
    judge.restore_time(place);
    judge.running();
    judge.storage();
    let Judge { mut concerns, advisories, turns, .. } = judge;
    // Of equals the first that was found: what matters most is asked first.
    concerns.sort_by_key(|concern| std::cmp::Reverse(concern.status));
    let (status, reason, begun) = match concerns.as_slice() {
        [] => {
            let age = good.map_or(Duration::ZERO, |good| now.since(good.taken));
            (Status::Ok, format!("{} old, {} allowed", units::age(age), units::age(role.rpo)), None)
        }
        [only] => (only.status, only.words.clone(), only.begun),
        [worst, second, rest @ ..] => {
            let more = match rest.len() {
                0 => String::new(),
                many => format!("; {many} more"),
            };
            (worst.status, format!("{}; {}{more}", worst.words, second.words), worst.begun)
        }
    };
    let turns = turns.into_iter().filter(|at| *at >= now).min();
    Verdict { status, reason, begun, concerns, advisories, good: place, turns }
}

impl Judge<'_> {
    fn concern(&mut self, status: Status, words: String, begun: Option<Timestamp>) {
        self.concerns.push(Concern { status, words, begun });
    }

    fn is_future(&self, at: Timestamp) -> bool {
        at > self.now + AHEAD
    }

    /// Place of the newest one of a sort; what is dated in the future is none.
    fn newest(&self, of: impl Fn(&Snapshot) -> bool) -> Option<usize> {
        let snapshots = self.reading.snapshots.iter().enumerate();
        let those = snapshots.filter(|(_, one)| !self.is_future(one.taken) && of(one));
        those.max_by_key(|(_, one)| one.taken).map(|(place, _)| place)
    }

    /// The last good one against the RPO, and whether a newer one is none.
    fn freshness(&mut self, good: Option<&Snapshot>) {
        let newest = self.newest(|_| true).and_then(|place| self.reading.snapshots.get(place));
        let age = good.map(|good| self.now.since(good.taken));
        let rpo = self.role.rpo;
        if let Some(good) = good {
            self.turns.push(good.taken + rpo);
        }
        let late = age.is_none_or(|age| age > rpo);
        let old = age.map(|age| old(age, rpo));
        let bad = newest.filter(|newest| {
            good.is_none_or(|good| newest.taken >= good.taken)
                && (newest.fault.is_some() || newest.size == Some(0))
        });
        let begun = good.map(|good| good.taken + rpo);
        match (bad, old) {
            (Some(bad), old) => {
                let (worst, why) = fault(bad);
                let empty = bad.size == Some(0);
                let status =
                    if late || empty { Status::Critical } else { worst.min(Status::Warning) };
                let words = match old {
                    Some(old) if late => format!("newest is {why}; last good {old}"),
                    Some(_) => {
                        format!(
                            "newest is {why}; last good {} old",
                            units::age(age.unwrap_or_default())
                        )
                    }
                    None => format!("no good backup: newest is {why}"),
                };
                let begun = if late && !empty { begun } else { Some(bad.taken) };
                self.concern(status, words, begun);
            }
            (None, Some(old)) if late => self.concern(Status::Critical, old, begun),
            (None, Some(_)) => {}
            (None, None) => {
                let words = match (self.reading.snapshots.len(), &self.reading.running) {
                    (0, None) => "no backup at all".to_owned(),
                    (0, Some(_)) => "no backup yet; the first is being made".to_owned(),
                    _ => "no good backup".to_owned(),
                };
                self.concern(Status::Critical, words, None);
            }
        }
        let faulty = self.reading.snapshots.iter().filter(|one| one.fault.is_some()).count();
        if faulty > usize::from(bad.is_some()) {
            self.advisories.push(format!("{faulty} of {} are faulty", self.reading.count));
        }
    }

    /// A backup of tomorrow is none, and hides that there is none of today.
    fn future(&mut self) {
        let limit = self.now + AHEAD;
        let future = self.reading.snapshots.iter().filter(|one| one.taken > limit);
        let Some(furthest) = future.clone().max_by_key(|one| one.taken) else { return };
        let ahead = units::age(furthest.taken.since(self.now));
        let more = match future.clone().count() {
            1 => String::new(),
            many => format!(", as are {} more", many - 1),
        };
        let words = format!("{} is dated {ahead} in the future{more}", furthest.id);
        self.turns.extend(future.map(|one| one.taken - AHEAD));
        self.concern(Status::Warning, words, None);
    }

    /// What the tool itself finds wrong.
    fn problems(&mut self) {
        for problem in &self.reading.problems {
            match problem.status {
                Status::Ok => self.advisories.push(problem.words.clone()),
                status => self.concern(status, problem.words.clone(), None),
            }
        }
    }

    fn size(&mut self, place: Option<usize>) {
        let Some(change) = size_change(self.reading, place) else { return };
        if change.is_half() {
            let taken = place.and_then(|place| self.reading.snapshots.get(place));
            self.concern(Status::Warning, change.words(), taken.map(|newest| newest.taken));
        }
    }

    /// How many and how far back.
    fn kept(&mut self, earliest: Option<Timestamp>) {
        let listed = &self.reading.snapshots;
        let is_good = |one: &&Snapshot| {
            one.fault.is_none() && one.size != Some(0) && !self.is_future(one.taken)
        };
        let bad = listed.len() - listed.iter().filter(is_good).count();
        let good = self.reading.count.max(listed.len() as u64).saturating_sub(bad as u64);
        let oldest = listed.iter().filter(is_good).map(|one| one.taken).min();
        if let Some(keep) = self.role.keep
            && good > 0
            && good < u64::from(keep)
        {
            self.concern(Status::Warning, format!("{good} kept, {keep} wanted"), None);
        }
        // Older ones may be among those that are not listed.
        let all_listed = self.reading.count <= listed.len() as u64;
        let (Some(keep_for), Some(oldest), true) = (self.role.keep_for, oldest, all_listed) else {
            return;
        };
        let reach = self.now.since(oldest);
        if reach >= keep_for {
            return;
        }
        self.turns.push(oldest + keep_for);
        let words = format!("reaches back {}, {} wanted", units::age(reach), units::age(keep_for));
        // A young set cannot reach back further; one that was seen to be older could.
        if earliest.is_some_and(|earliest| earliest < oldest) {
            self.concern(Status::Warning, words, None);
        } else {
            self.advisories.push(words);
        }
    }

    fn restores(&mut self) {
        let allowed = self.role.restore_test;
        let tried = self.reading.restore.as_ref();
        let Some(restore) = tried.filter(|restore| !self.is_future(restore.at)) else {
            let words = match tried {
                None => "restore never tried".to_owned(),
                Some(_) => "the last restore is dated in the future".to_owned(),
            };
            match allowed {
                Some(allowed) => {
                    let words = format!("{words}, wanted every {}", units::age(allowed));
                    self.concern(Status::Warning, words, None);
                }
                None => self.advisories.push(words),
            }
            return;
        };
        let age = self.now.since(restore.at);
        if !restore.good {
            let status = if allowed.is_some() { Status::Critical } else { Status::Warning };
            self.concern(status, failed(restore, age), Some(restore.at));
        } else if let Some(allowed) = allowed {
            self.turns.push(restore.at + allowed);
            if age > allowed {
                let words = format!("last restore {}", old(age, allowed));
                self.concern(Status::Warning, words, Some(restore.at + allowed));
            }
        }
    }

    fn restore_time(&mut self, place: Option<usize>) {
        let Some(rto) = self.role.rto else { return };
        match estimate(self.reading, place) {
            Some(estimate) if estimate.takes > rto => {
                let words = format!("{}, {} allowed", estimate.words(), units::age(rto));
                self.concern(Status::Warning, words, None);
            }
            None if place.is_some() => {
                let rto = units::age(rto);
                self.advisories
                    .push(format!("nothing tells how long a restore takes; {rto} allowed"));
            }
            Some(_) | None => {}
        }
    }

    fn running(&mut self) {
        let Some(Running { since: Some(since), by }) = &self.reading.running else { return };
        self.turns.push(*since + self.role.rpo);
        let age = self.now.since(*since);
        if age > self.role.rpo {
            let by = if by.is_empty() { String::new() } else { format!(" ({by})") };
            let words = format!("a backup has been running for {}{by}", units::age(age));
            self.concern(Status::Warning, words, Some(*since + self.role.rpo));
        }
    }

    fn storage(&mut self) {
        let bytes = |bytes: u64| units::bytes(bytes as f64);
        match (self.reading.free, self.role.min_free) {
            (Some(free), Some(least)) if free < least => {
                let words =
                    format!("{} free where it is stored, {} wanted", bytes(free), bytes(least));
                self.concern(Status::Warning, words, None);
            }
            (Some(0), None) => {
                self.concern(Status::Warning, "no space left where it is stored".into(), None);
            }
            (None, Some(_)) => {
                self.advisories.push("free space where it is stored cannot be seen".into());
            }
            _ => {}
        }
        if self.reading.encrypted == Some(false) {
            self.advisories.push("not encrypted".into());
        }
        if self.reading.off_host == Some(false) {
            self.advisories.push("not off the host".into());
        }
    }
}

/// `27h old, 26h allowed`; where both read the same, by how much it is over.
fn old(age: Duration, allowed: Duration) -> String {
    let (is, may) = (units::age(age), units::age(allowed));
    let over = match age.checked_sub(allowed) {
        Some(over) if is == may => format!(", {} over", units::age(over)),
        _ => String::new(),
    };
    format!("{is} old, {may} allowed{over}")
}

fn fault(snapshot: &Snapshot) -> (Status, String) {
    match &snapshot.fault {
        Some(fault) => (fault.status, fault.words.clone()),
        None => (Status::Critical, "empty".into()),
    }
}

fn failed(restore: &RestoreTest, age: Duration) -> String {
    let why = if restore.words.is_empty() { String::new() } else { format!(": {}", restore.words) };
    format!("last restore failed {} ago{why}", units::age(age))
}
