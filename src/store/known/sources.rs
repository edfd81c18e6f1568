//! Polls as they come in, and how sources themselves stand.

use super::{Known, Online, Turn};
use crate::domain::{
    Cause, EventKind, Fold, Mark, PollError, PollFailure, Probe, Reading, Role, Rules, SourceId,
    SourceInfo, Standing, Status, Timestamp,
};
use crate::store::{Effect, Polled};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A source that fails is asked again like a check.
const CONFIRM: u32 = 2;
const CONFIRM_AFTER: Duration = Duration::from_secs(1);
/// A look at backups costs more, and is asked once more only.
const BACKUP_CONFIRM: u32 = 1;
const BACKUP_CONFIRM_AFTER: Duration = Duration::from_secs(5);
/// A canary is confirmed sooner than the checks that it excuses.
const CANARY_CONFIRM: u32 = 1;
const CANARY_CONFIRM_AFTER: Duration = Duration::from_millis(500);
/// Canaries are asked out of turn at most this often: a check's first two failures
/// must both be able to ask them, or the third would count before they have answered.
const NUDGE_EVERY: Duration = Duration::from_millis(500);

/// What the rules remember of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub(super) fold: Fold,
    /// The last poll that did not end in the network between.
    pub(super) reached: Option<Timestamp>,
    /// How far off its clock was in the last two readings that told the time.
    pub(super) skews: [Option<i64>; 2],
    /// The moment after which time alone changes how it stands.
    pub(super) turns: Option<Timestamp>,
    pub(super) raised: Vec<super::alerts::Key>,
}

impl Memory {
    pub(super) fn not_after(&mut self, now: Timestamp) {
        self.fold.not_after(now);
        self.reached = self.reached.map(|reached| reached.min(now));
    }
}

/// How a source of this role is asked and confirmed. One whose polls take
/// longer than its interval cannot be asked as often as that.
pub(super) fn rules(info: &SourceInfo, took: Duration) -> Rules {
    let (confirm, confirm_after) = match &info.role {
        Role::Check(role) => (role.confirm, role.confirm_after),
        Role::Scrape { .. }
        | Role::Server
        | Role::Alerts
        | Role::Targets
        | Role::Issues
        | Role::Releases => (CONFIRM, CONFIRM_AFTER),
        Role::Backup(_) => (BACKUP_CONFIRM, BACKUP_CONFIRM_AFTER),
        Role::Canary => (CANARY_CONFIRM, CANARY_CONFIRM_AFTER),
    };
    Rules { every: info.every.max(took), confirm, confirm_after }
}

/// Whether a failed poll says no more than that this host has no network.
fn is_explained_by_network(outcome: &Result<Reading, PollError>) -> bool {
    match outcome {
        Ok(Reading::Check(reading)) => matches!(
            reading.cause,
            Some(Cause::Name | Cause::Refused | Cause::Timeout | Cause::Network | Cause::Tls)
        ),
        Ok(_) => false,
        Err(error) => matches!(
            error.cause,
            PollFailure::Name
                | PollFailure::Refused
                | PollFailure::Timeout
                | PollFailure::Network
                | PollFailure::Tls
        ),
    }
}

/// A poll's outcome for a source whose only question is whether it answers.
fn probe_of_source(role: &Role, outcome: &Result<Reading, PollError>) -> (Status, String, bool) {
    match (role, outcome) {
        (Role::Canary, Ok(Reading::Check(reading))) => {
            // Whoever gives a bad answer has been reached.
            let reached = reading.status <= Status::Warning && reading.status != Status::Unknown
                || reading.cause == Some(Cause::Answer);
            let status = if reached { Status::Ok } else { Status::Critical };
            (status, reading.summary.clone(), true)
        }
        (Role::Canary, Err(error)) => (Status::Critical, error.message.clone(), true),
        (Role::Canary | Role::Scrape { .. }, Ok(Reading::Scrape(_)))
        | (Role::Canary | Role::Server, Ok(Reading::Server(_)))
        | (Role::Issues, Ok(Reading::Issues(_)))
        | (Role::Backup(_), Ok(Reading::Backup(_)))
        | (Role::Releases, Ok(Reading::Releases(_))) => (Status::Ok, "answers".into(), true),
        (Role::Alerts, Ok(Reading::Alerts(told))) => match told.complaint() {
            Some(complaint) => (Status::Warning, complaint, true),
            None if !told.unknown_rules.is_empty() => {
                (Status::Unknown, told.unknown_words().unwrap_or_default(), true)
            }
            None => (Status::Ok, told.words(), true),
        },
        (Role::Targets, Ok(Reading::Targets(told))) => (Status::Ok, told.words(), true),
        (_, Ok(_)) => (Status::Warning, "it answers something else".into(), true),
        (_, Err(error)) => (Status::Warning, error.message.clone(), false),
    }
}

/// Whether two readings tell of the same alerts in the same way.
fn is_alike(before: Option<&Reading>, reading: &Reading) -> bool {
    let (Some(Reading::Alerts(before)), Reading::Alerts(reading)) = (before, reading) else {
        return false;
    };
    before.alerts == reading.alerts && before.watchdog == reading.watchdog
}

impl Known {
    pub(super) fn polled(&mut self, turn: &mut Turn, polled: &Polled) {
        let Some(place) = self.index.sources.get(&polled.source).copied() else { return };
        let inventory = Arc::clone(&self.inventory);
        let Some(info) = inventory.sources.get(place) else { return };
        let now = self.now;
        let taken = polled.taken.min(now);
        let Some(state) = self.sources.get_mut(&polled.source) else { return };
        state.polls += 1;
        state.failures += u64::from(polled.outcome.is_err());
        if state.polled.is_some_and(|last| taken < last) {
            return;
        }
        let was_stale = state.is_stale(now, info.every);
        state.polled = Some(taken);
        state.next = Some(polled.next);
        state.took = polled.took;
        state.late = polled.late;
        let mut alike = false;
        match &polled.outcome {
            Ok(reading) => {
                alike = !was_stale && is_alike(state.reading.as_ref(), reading);
                state.answered = Some(taken);
                state.failing = None;
                if let Some(skew) = reading.skew_ms() {
                    state.memory.skews = [state.memory.skews[1], Some(skew)];
                }
                if !matches!(info.role, Role::Check(_)) {
                    state.reading = Some(reading.clone());
                }
            }
            Err(error) => {
                let since = state.failing.as_ref().map_or(taken, |(since, _)| *since);
                state.failing = Some((since, error.clone()));
            }
        }
        if !is_explained_by_network(&polled.outcome) {
            state.memory.reached = Some(taken);
        } else if matches!(self.online, Online::No { .. })
            && info.network
            && !matches!(info.role, Role::Canary)
        {
            return;
        }
        let again = match &info.role {
            Role::Check(role) => self.check_polled(turn, info, role, polled),
            Role::Scrape { .. }
            | Role::Server
            | Role::Canary
            | Role::Alerts
            | Role::Targets
            | Role::Issues
            | Role::Backup(_)
            | Role::Releases => {
                turn.sources.insert(info.id.clone());
                let (status, reason, answered) = probe_of_source(&info.role, &polled.outcome);
                let probe = Probe { at: taken, status, reason: &reason, answered };
                state.memory.fold.take(&rules(info, polled.took), now, &probe)
            }
        };
        if let Some(after) = again {
            let told = polled.outcome.as_ref().err().and_then(|error| error.retry_after);
            // Whoever is asked too often is not asked again before its time.
            let limited =
                polled.outcome.as_ref().is_err_and(|error| error.cause == PollFailure::Limited);
            let least = told.unwrap_or(if limited { info.every } else { Duration::ZERO });
            let after = after.max(least);
            turn.effects.push(Effect::PollAgain { source: info.id.clone(), after });
            let failed = polled.outcome.is_err() || is_explained_by_network(&polled.outcome);
            if info.network && failed && !matches!(info.role, Role::Canary) {
                self.nudge_canaries(turn);
            }
        }
        match (&info.role, &polled.outcome) {
            (Role::Scrape { job }, Ok(_)) => self.ask_after_scrape(turn, job),
            (Role::Alerts, Ok(_)) => Self::reported(turn, alike),
            (Role::Backup(_), _) => self.backup_polled(turn, info, polled),
            (Role::Issues | Role::Releases, Ok(reading)) => self.releases_told(info, reading),
            _ => {}
        }
    }

    /// Before something is held against others, one's own network is looked at.
    fn nudge_canaries(&mut self, turn: &mut Turn) {
        if self.nudged.is_some_and(|last| self.now.since(last) < NUDGE_EVERY) {
            return;
        }
        for id in &self.index.canaries {
            let polled = self.sources.get(id).and_then(|state| state.polled);
            if polled.is_none_or(|polled| self.now.since(polled) >= NUDGE_EVERY) {
                turn.effects.push(Effect::PollNow(id.clone()));
                self.nudged = Some(self.now);
            }
        }
    }

    /// How a source stands as a source, from what was heard of it and the time.
    pub(super) fn refresh_source(&mut self, turn: &mut Turn, id: &SourceId) {
        let Some(place) = self.index.sources.get(id).copied() else { return };
        let inventory = Arc::clone(&self.inventory);
        let Some(info) = inventory.sources.get(place) else { return };
        let offline = self.offline_since(info);
        let (now, started) = (self.now, self.started);
        let Some(state) = self.sources.get_mut(id) else { return };
        let rules = rules(info, state.took);
        let fold = &state.memory.fold;
        let reached = state.memory.reached;
        let standing = masked(fold.standing(&rules, now, started), reached, offline);
        let stale_at = fold.stale_at(&rules);
        let turns = stale_at.into_iter().chain(state.stale_at(info.every));
        state.memory.turns = turns.filter(|moment| *moment >= now).min();
        let before = std::mem::replace(&mut state.standing, standing);
        let after = &state.standing;
        // A good scrape like the last one changes no host; its signals will.
        let news = before.status != after.status
            || before.reason != after.reason
            || before.mark != after.mark;
        let (was, is) = (before.status == Status::Ok, after.status == Status::Ok);
        let own_network = [&before, after].iter().any(|is| is.mark == Some(Mark::Offline));
        let learnt = is && before.is_waiting();
        if was != is && !learnt && !own_network && !matches!(info.role, Role::Canary) {
            let reason = after.reason.clone();
            self.note(EventKind::SourceChanged { source: id.clone(), answers: is, reason });
        }
        if let Role::Scrape { job } = &info.role
            && news
        {
            let groups = inventory.hosts.iter().filter(|group| group.job == *job);
            turn.groups.extend(groups.map(|group| group.name.clone()));
        }
        // What a tracker told last may be too old by now, though it is known to be down.
        if info.role == Role::Issues {
            self.issues_told(turn);
        }
        self.raise_for_source(turn, info);
    }

    /// Since when this host is offline, if that bears on the source.
    pub(super) fn offline_since(&self, info: &SourceInfo) -> Option<Timestamp> {
        match self.online {
            Online::No { since } if info.network && !matches!(info.role, Role::Canary) => {
                Some(since)
            }
            Online::No { .. } | Online::Yes | Online::Untold => None,
        }
    }

    /// What the canaries say together. A canary that has not been heard of for
    /// too long says nothing: a real fault must not hide behind it.
    pub(super) fn refresh_online(&mut self, turn: &mut Turn) {
        if self.index.canaries.is_empty() && self.online == Online::Untold {
            return;
        }
        let canaries = self.index.canaries.iter().filter_map(|id| self.sources.get(id));
        let standings: Vec<&Standing> = canaries.map(|state| &state.standing).collect();
        let fails = |standing: &&Standing| {
            standing.status == Status::Critical && standing.mark != Some(Mark::Stale)
        };
        let online = if standings.iter().any(|standing| standing.status == Status::Ok) {
            Online::Yes
        } else if !standings.is_empty() && standings.iter().all(fails) {
            let since = standings.iter().map(|standing| standing.since).max();
            Online::No { since: since.unwrap_or(self.now) }
        } else {
            Online::Untold
        };
        let before = std::mem::replace(&mut self.online, online);
        let was_offline = matches!(before, Online::No { .. });
        let is_offline = matches!(online, Online::No { .. });
        if was_offline == is_offline {
            return;
        }
        self.note(EventKind::NetworkChanged { online: !is_offline });
        if !is_offline {
            turn.effects.push(Effect::PollAll);
        }
        let inventory = Arc::clone(&self.inventory);
        for info in inventory.sources.iter().filter(|info| info.network) {
            match &info.role {
                Role::Canary => {}
                Role::Check(_) => {
                    if let Some(check) = self.checks.get_mut(&info.id) {
                        check.memory.fold.drop_pending();
                        turn.checks.insert(info.id.clone());
                    }
                }
                Role::Scrape { .. }
                | Role::Server
                | Role::Alerts
                | Role::Targets
                | Role::Issues
                | Role::Backup(_)
                | Role::Releases => {
                    if let Some(source) = self.sources.get_mut(&info.id) {
                        source.memory.fold.drop_pending();
                        turn.sources.insert(info.id.clone());
                    }
                    if self.backups.contains_key(&info.id) {
                        turn.backups.insert(info.id.clone());
                    }
                }
            }
        }
    }
}

/// A standing as it reads while this host is offline, unless it was reached since.
pub(super) fn masked(
    standing: Standing,
    reached: Option<Timestamp>,
    offline: Option<Timestamp>,
) -> Standing {
    match offline {
        Some(since) if reached.is_none_or(|reached| reached < since) => Standing {
            status: Status::Unknown,
            reason: "this host is offline".into(),
            since,
            since_at_least: false,
            seen: standing.seen,
            mark: Some(Mark::Offline),
        },
        Some(_) | None => standing,
    }
}
