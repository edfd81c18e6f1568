//! Backups: how the backups of a data set stand against what is wanted of them.

mod figures;
mod judge;

pub use figures::{Estimate, SizeChange};

use super::alerts::Key;
use super::checks::{at_most, counts};
use super::sources::masked;
use super::{Known, Turn};
use crate::domain::{
    BackupProblem, BackupReading, BackupRole, EventKind, FullCheck, Mark, PollError, PollFailure,
    Reading, Role, Snapshot, SourceId, SourceInfo, Standing, Status, Timestamp, harmless_within,
};
use crate::store::Polled;
use judge::{Verdict, judge};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// What was seen is stale when it is older than this many intervals.
const STALE_INTERVALS: u32 = 3;
/// An answer that takes back what was known counts when it was given so often.
const CONFIRMED: u32 = 2;
/// The age in a reason is told anew this often.
const AGES: Duration = Duration::from_mins(1);
/// Reasons are cut to so many characters.
const WORDS: usize = 200;

/// How the backups of a data set stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupState {
    /// Their status and reason.
    pub standing: Standing,
    /// What the last look found that found anything.
    pub last: Option<Arc<BackupReading>>,
    /// When that was.
    pub looked: Option<Timestamp>,
    /// All that is wrong with them, worst first; the standing's reason is the first.
    pub concerns: Vec<Concern>,
    /// What is worth knowing and counts for nothing: `restore never tried`.
    pub advisories: Vec<String>,
    /// What a reader must know beside: what the tool tells, and why the last
    /// look found nothing.
    pub notes: Vec<String>,
    /// What the rules remember of them.
    pub memory: Memory,
}

/// What the rules remember of the backups of a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Place of the newest good one in the last reading.
    good: Option<usize>,
    /// The oldest that was ever seen here: the set is at least that old.
    earliest: Option<Timestamp>,
    /// The last looks found nothing.
    failing: Option<Failing>,
    /// What the last look said that was answered, where it said that nothing
    /// can be known or that all is lost.
    refused: Option<Refused>,
    /// What the last full check found wrong.
    #[serde(default)]
    unsound: Option<Unsound>,
    /// The moment after which time alone changes how they stand.
    pub(super) turns: Option<Timestamp>,
    pub(super) raised: Vec<Key>,
}

/// Something that is wrong with the backups of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    /// How bad it is.
    pub status: Status,
    /// In words, harmless to show.
    pub words: String,
    /// Since when, where the data tells.
    begun: Option<Timestamp>,
}

/// Looks that found nothing, one after the other for the same reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Failing {
    since: Timestamp,
    times: u32,
    error: PollError,
}

/// A repository that is not there, is damaged, or lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    since: Timestamp,
    last: Timestamp,
    status: Status,
    words: String,
}

/// What a full check found wrong, until one finds all sound or what was
/// checked is no longer kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unsound {
    /// The snapshot that was checked; nothing where all of them were.
    of: Option<String>,
    problem: BackupProblem,
}

impl BackupState {
    /// The newest backup that nothing is wrong with.
    pub fn last_good(&self) -> Option<&Snapshot> {
        self.last.as_ref()?.snapshots.get(self.memory.good?)
    }

    /// The age of the newest backup that nothing is wrong with.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.last_good().map(|good| now.since(good.taken))
    }

    /// The clock went back: nothing may be of a later moment than now.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        let failing = self.memory.failing.as_mut().map(|failing| &mut failing.since);
        let refused =
            self.memory.refused.as_mut().map(|refused| [&mut refused.since, &mut refused.last]);
        let moments = self.looked.iter_mut().chain(failing).chain(refused.into_iter().flatten());
        for moment in moments.chain(&mut self.standing.seen).chain([&mut self.standing.since]) {
            *moment = (*moment).min(now);
        }
    }

    /// A look found something.
    fn take(&mut self, reading: &Arc<BackupReading>, at: Timestamp) {
        let oldest = reading.snapshots.iter().map(|snapshot| snapshot.taken).min();
        self.memory.earliest = self.memory.earliest.into_iter().chain(oldest).min();
        self.last = Some(Arc::clone(reading));
        self.looked = Some(at);
        self.memory.failing = None;
        self.memory.refused = None;
    }

    /// A look found nothing.
    fn fail(&mut self, error: &PollError, at: Timestamp) {
        let (since, times) = match &self.memory.failing {
            Some(before) if before.error.cause == error.cause => (before.since, before.times + 1),
            Some(_) | None => (at, 1),
        };
        self.memory.failing = Some(Failing { since, times, error: error.clone() });
        let status = match error.cause {
            PollFailure::Denied => Status::Unknown,
            PollFailure::Absent | PollFailure::Broken => Status::Critical,
            _ => return,
        };
        // Where nothing was known there is nothing to take back.
        if times >= CONFIRMED || self.last.is_none() {
            self.memory.refused = Some(Refused { since, last: at, status, words: words(error) });
        }
    }

    /// Where the last look may yet turn out to be a passing failure.
    fn confirming(&self) -> Option<(Status, String)> {
        let failing = self.memory.failing.as_ref().filter(|failing| failing.times < CONFIRMED)?;
        let to = match failing.error.cause {
            PollFailure::Denied => Status::Unknown,
            PollFailure::Absent | PollFailure::Broken => Status::Critical,
            _ => return None,
        };
        self.memory.refused.is_none().then(|| (to, words(&failing.error)))
    }

    /// A full check ended.
    fn checked(&mut self, check: &FullCheck) {
        match check.status {
            Status::Ok => self.memory.unsound = None,
            Status::Unknown => {}
            status @ (Status::Warning | Status::Critical) => {
                let known = self.last.iter().flat_map(|reading| &reading.snapshots);
                let of = known.map(|snapshot| &snapshot.id).find(|id| **id == check.of).cloned();
                let words = format!("broken: full check of {}: {}", check.of, check.words);
                let problem = BackupProblem { status, words: harmless_within(&words, WORDS) };
                self.memory.unsound = Some(Unsound { of, problem });
            }
        }
    }

    /// What was last seen, with what a full check found wrong with it.
    fn seen(&self) -> Option<Cow<'_, BackupReading>> {
        let reading = &**self.last.as_ref()?;
        let kept = |unsound: &&Unsound| {
            let is = |of: &String| reading.snapshots.iter().any(|snapshot| snapshot.id == *of);
            unsound.of.as_ref().is_none_or(is)
        };
        let Some(unsound) = self.memory.unsound.as_ref().filter(kept) else {
            return Some(Cow::Borrowed(reading));
        };
        let mut reading = reading.clone();
        reading.problems.push(unsound.problem.clone());
        Some(Cow::Owned(reading))
    }

    /// What was last seen comes to, at `now`.
    fn verdict(
        &mut self,
        role: &BackupRole,
        stale_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Verdict {
        // What is not seen any more is judged as of the last moment that is known.
        let refused_at = self.memory.refused.as_ref().map(|refused| refused.since);
        let at = [stale_at, refused_at].into_iter().flatten().fold(now, Timestamp::min);
        let mut verdict = match self.seen() {
            Some(reading) => judge(&reading, role, self.memory.earliest, at),
            None => Verdict::default(),
        };
        self.memory.good = verdict.good;
        verdict.turns = verdict.turns.into_iter().chain(stale_at.filter(|at| *at >= now)).min();
        verdict
    }
}

/// Why a look found nothing; four of its causes have a word that tells them apart.
fn words(error: &PollError) -> String {
    let word = match error.cause {
        PollFailure::Busy => "busy",
        PollFailure::Denied => "denied",
        PollFailure::Absent => "absent",
        PollFailure::Broken => "broken",
        _ => "",
    };
    let message = harmless_within(&error.message, WORDS);
    if word.is_empty() || message.starts_with(word) {
        message
    } else if message.is_empty() {
        word.into()
    } else {
        format!("{word}: {message}")
    }
}

impl Known {
    /// The backups that are in the counts, with what the config says of them.
    pub fn backups_that_count(&self) -> impl Iterator<Item = (&SourceInfo, &BackupState)> {
        self.backups.iter().filter_map(|(id, state)| {
            let info = self.inventory.sources.get(*self.index.sources.get(id)?)?;
            let Role::Backup(role) = &info.role else { return None };
            counts(role.at_most).then_some((info, state))
        })
    }

    /// Takes a look at backups in.
    pub(super) fn backup_polled(&mut self, turn: &mut Turn, info: &SourceInfo, polled: &Polled) {
        let at = polled.taken.min(self.now);
        let Some(state) = self.backups.get_mut(&info.id) else { return };
        match &polled.outcome {
            Ok(Reading::Backup(reading)) => state.take(reading, at),
            Ok(_) => state.fail(&PollError::broken("it answers something else"), at),
            Err(error) => state.fail(error, at),
        }
        turn.backups.insert(info.id.clone());
    }

    /// A full check that was asked for has ended.
    pub(super) fn backup_checked(&mut self, turn: &mut Turn, id: &SourceId, check: &FullCheck) {
        let Some(state) = self.backups.get_mut(id) else { return };
        state.checked(check);
        turn.backups.insert(id.clone());
    }

    /// How the backups of a data set stand, from what was last seen and the time.
    pub(super) fn refresh_backup(&mut self, turn: &mut Turn, id: &SourceId) {
        let Some(place) = self.index.sources.get(id).copied() else { return };
        let inventory = Arc::clone(&self.inventory);
        let Some(info) = inventory.sources.get(place) else { return };
        let Role::Backup(role) = &info.role else { return };
        let offline = self.offline_since(info);
        let (now, started) = (self.now, self.started);
        let source = self.sources.get(id);
        let reached = source.and_then(|source| source.memory.reached);
        let took = source.map_or(Duration::ZERO, |source| source.took);
        let Some(state) = self.backups.get_mut(id) else { return };
        let every = info.every.max(took);
        let stale_at = state.looked.map(|looked| looked + every.saturating_mul(STALE_INTERVALS));
        let verdict = state.verdict(role, stale_at, now);
        let before = state.standing.clone();
        let mut standing = state.combine(&verdict, stale_at, (now, started));
        standing.status = at_most(standing.status, role.at_most);
        standing = standing_since(standing, &before);
        state.standing = masked(standing, reached, offline);
        state.notes = state.last.as_ref().map_or_else(Vec::new, |reading| reading.notes.clone());
        if let Some(failing) = &state.memory.failing {
            state.notes.push(words(&failing.error));
        }
        state.concerns = verdict.concerns;
        state.advisories = verdict.advisories;
        state.memory.turns = verdict.turns.into_iter().chain([now + AGES]).min();
        let after = &state.standing;
        let own_network = [&before, after].iter().any(|is| is.mark == Some(Mark::Offline));
        let learnt = before.is_waiting() && after.status == Status::Ok;
        if before.status != after.status && !learnt && !own_network {
            let (from, to) = (before.status, after.status);
            let reason = after.reason.clone();
            self.note(EventKind::BackupChanged { source: id.clone(), from, to, reason });
        }
        self.raise_for_backup(turn, info, role);
    }
}

impl BackupState {
    /// What was seen and what was not, put together; `since` is when it began
    /// by what the data tells.
    fn combine(
        &self,
        verdict: &Verdict,
        stale_at: Option<Timestamp>,
        (now, started): (Timestamp, Timestamp),
    ) -> Standing {
        let failing = self.memory.failing.as_ref().map(|failing| words(&failing.error));
        let judged = || Standing {
            status: verdict.status,
            reason: harmless_within(&verdict.reason, WORDS),
            since: verdict.begun.unwrap_or(now).min(now),
            since_at_least: verdict.begun.is_none(),
            seen: self.looked,
            mark: None,
        };
        if let Some(refused) = &self.memory.refused {
            let mut standing = Standing {
                status: refused.status,
                reason: refused.words.clone(),
                since: refused.since,
                since_at_least: false,
                seen: Some(refused.last),
                mark: None,
            };
            // A wrong password takes nothing back that is known to be bad.
            if refused.status == Status::Unknown && verdict.status == Status::Critical {
                standing = judged();
                standing.reason = format!("{}; {}", standing.reason, refused.words);
            }
            return standing;
        }
        if self.last.is_none() {
            return match failing {
                Some(why) => Standing::unknown(why, started, None),
                None => Standing::waiting(started),
            };
        }
        let mut standing = judged();
        if let Some(moment) = stale_at.filter(|moment| now > *moment) {
            standing.mark = Some(Mark::Stale);
            if standing.status != Status::Critical {
                let was = match standing.status {
                    Status::Ok => "was ok".to_owned(),
                    status => format!("was {status}: {}", standing.reason),
                };
                standing.reason = match failing {
                    Some(why) => format!("{why}, {was}"),
                    None => was,
                };
                standing.status = Status::Unknown;
                standing.since = moment;
                standing.since_at_least = false;
            }
        } else if standing.status != Status::Critical
            && let Some((to, why)) = self.confirming()
        {
            standing.mark = Some(Mark::Confirming { to });
            standing.reason = format!("{why}, asked again");
        } else if let Some(why) = failing {
            standing.reason = format!("{}; {why}", standing.reason);
        }
        standing
    }
}

/// The same status goes on; another one begins no earlier than the one that it ends.
fn standing_since(mut standing: Standing, before: &Standing) -> Standing {
    if before.is_waiting() {
        return standing;
    }
    if standing.status == before.status {
        standing.since = before.since;
        standing.since_at_least = before.since_at_least;
    } else {
        standing.since = standing.since.max(before.since);
        standing.since_at_least = false;
    }
    standing
}
