//! What keeps a look from knowing whether an alert fires that it has not found.

use super::needs::{Origins, last_part};
use crate::domain::{EngineKind, Signal, SignalId, SourceId, Status};
use crate::metrics::promql;
use crate::store::Known;
use std::time::Duration;

/// How it is with an alert that was not found among those that fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nothing here could raise it.
    Nobody,
    /// All that could raise it was heard: it does not fire.
    Quiet,
    /// Whoever could raise it does not know.
    Unknown {
        /// Why not.
        words: String,
        /// It is judged on samples that are scraped here, over this time: it is
        /// known after so long at the latest, and not only when all of it was
        /// seen before.
        within: Option<Duration>,
    },
}

/// So many scrapes beyond the window tell what an expression over it says.
const SCRAPES: u32 = 2;

/// How it is with an alert of this name and these labels that does not stand
/// among the alerts.
pub fn absent(known: &Known, name: &str, labels: &[(String, String)]) -> Absent {
    let label = |name: &str| labels.iter().find(|(is, _)| is == name).map(|(_, value)| &**value);
    let origins = Origins::of(&known.inventory, name, None);
    let tellers = if origins.is_own() { &[] } else { origins.tellers.as_slice() };
    if !origins.is_own() && tellers.is_empty() {
        return Absent::Nobody;
    }
    let signal = |id: &SignalId| known.inventory.signals.iter().find(|it| it.id == *id);
    let meant = |signal: &&Signal| {
        let service = signal.service.as_ref().map(crate::domain::ServiceName::as_str);
        (service.is_none() || label("service").is_none_or(|it| service == Some(it)))
            && label("signal").is_none_or(|it| it == last_part(signal.id.as_str()))
    };
    for signal in origins.signals.iter().filter_map(signal).filter(meant) {
        let Some(state) = known.signals.get(&signal.id) else { continue };
        if state.standing.status == Status::Unknown {
            let words = format!("{}: {}", signal.label, state.standing.reason);
            return Absent::Unknown { words, within: within(signal) };
        }
    }
    for id in origins.checks.iter().chain(&origins.backups) {
        let check = known.checks.get(id).map(|check| &check.standing);
        let standing = check.or_else(|| known.backups.get(id).map(|backup| &backup.standing));
        let of =
            |name: &str| label(name).is_none_or(|it| id.as_str().split('/').any(|at| at == it));
        if let Some(standing) = standing
            && standing.status == Status::Unknown
            && ["service", "check", "backup"].into_iter().all(of)
        {
            let words = format!("{id}: {}", standing.reason);
            return Absent::Unknown { words, within: None };
        }
    }
    let silent = tellers.iter().find_map(|id| silent(known, id));
    silent.map_or(Absent::Quiet, |words| Absent::Unknown { words, within: None })
}

/// How long it takes to know what a signal says without anything that was seen before.
fn within(signal: &Signal) -> Option<Duration> {
    if signal.engine != EngineKind::Embedded {
        return None;
    }
    let exprs = [Some(&signal.expr), signal.min_requests.as_ref().map(|(expr, _)| expr)];
    let windows: Result<Vec<Duration>, _> = exprs
        .into_iter()
        .flatten()
        .map(|expr| promql::parse(expr).map(|expr| promql::window(&expr)))
        .collect();
    let window = windows.ok()?.into_iter().max()?;
    Some(window + signal.every.saturating_mul(SCRAPES))
}

/// Why one who tells of alerts is not heard.
fn silent(known: &Known, id: &SourceId) -> Option<String> {
    let state = known.sources.get(id)?;
    match &state.failing {
        Some((_, error)) => Some(format!("{id}: {}", error.message)),
        None if state.answered.is_none() => Some(format!("{id}: it has not answered")),
        None => None,
    }
}
