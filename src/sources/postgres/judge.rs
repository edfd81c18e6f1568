//! What the answers mean.

use super::facts::{Answers, Archiver, Blocked, Core, Own, Session, Slow};
use super::{Limits, replication};
use crate::domain::{CheckReading, Status, harmless_within, units};
use crate::sources::database::{Parts, age, beyond, used, whole_percent, without_literals};

/// So many transaction ids there are before the server stops taking writes
/// (PostgreSQL documentation, "Preventing Transaction ID Wraparound Failures").
const IDS: f64 = 2_146_483_648.0;

/// Judges one poll. `deadlocks` is their number at the poll before.
pub(super) fn judge(
    answers: &Answers,
    limits: &Limits,
    deadlocks: &mut Option<f64>,
) -> CheckReading {
    let core = &answers.core;
    let mut parts = Parts::default();
    let connections = connections(&mut parts, core, limits);
    if let Some(own) = &answers.own {
        own_query(&mut parts, own);
    }
    sessions(&mut parts, answers, limits);
    replication::judge(&mut parts, core, &answers.replication, limits);
    if core.archives()
        && let Some(archiver) = &core.archiver
    {
        archive(&mut parts, core, archiver, answers.waiting_segments, limits);
    }
    if let Some(age) = core.xid_age {
        let share = age / IDS;
        let status = beyond(&limits.ids, share);
        let detail = format!("{} of those there are in use", whole_percent(share));
        parts.part("transaction ids", status, detail);
        parts.number("transaction_ids_ratio", share);
    }
    deadlocks_since(&mut parts, core, deadlocks);
    for (name, value) in [("temp_bytes_total", core.temp_bytes), ("commits_total", core.commits)] {
        if let Some(value) = value {
            parts.number(name, value);
        }
    }
    slow(&mut parts, answers.slow.as_ref());
    let role = if core.standby { "standby" } else { "primary" };
    let version = core.version.split(' ').next().unwrap_or_default();
    parts.reading(format!("PostgreSQL {version} {role}, {connections} connections"))
}

fn connections(parts: &mut Parts, core: &Core, limits: &Limits) -> String {
    let many = if core.monitor { core.clients } else { core.backends.or(core.clients) };
    let (many, max) = (many.unwrap_or_default(), core.max.unwrap_or_default());
    // Ordinary roles are refused before all are in use.
    let reserved = core.reserved.unwrap_or_default();
    let room = max - reserved;
    let status = if room > 0.0 { beyond(&limits.connections, many / room) } else { Status::Ok };
    let mut detail = used(many, max);
    if status != Status::Ok && reserved > 0.0 {
        detail = format!("{detail}, {} of them reserved", units::number(reserved));
    }
    parts.part("connections", status, detail);
    parts.number("connections", many);
    parts.number("connections_max", max);
    format!("{} of {}", units::number(many), units::number(max))
}

fn own_query(parts: &mut Parts, own: &Own) {
    let took = units::duration(own.took);
    let (status, detail) = match &own.outcome {
        Ok(Some(true)) => (Status::Ok, format!("answers in {took}")),
        Ok(Some(false)) => (Status::Critical, "brings false, 0 or NULL".to_owned()),
        Ok(None) => (Status::Critical, "brings no row".to_owned()),
        Err(why) => (Status::Critical, why.clone()),
    };
    parts.part_saying("query", status, detail.clone(), format!("query: {detail}"));
    parts.number("query_s", own.took.as_secs_f64());
}

const NOT_PERMITTED: &str = "not permitted; grant pg_monitor to this role";

fn sessions(parts: &mut Parts, answers: &Answers, limits: &Limits) {
    let core = &answers.core;
    if !core.monitor {
        for name in ["blocked", "longest transaction", "idle in transaction"] {
            parts.part(name, Status::Unknown, "not permitted");
        }
        parts.note(format!("sessions of others: {NOT_PERMITTED}"));
        return;
    }
    // First, as who is blocked waits for somebody's transaction, and tells which.
    match &answers.blocked {
        None => {
            parts.part("blocked", Status::Ok, "none");
            parts.number("blocked", 0.0);
        }
        Some(Ok(blocked)) => blocked_by(parts, blocked, limits),
        Some(Err(why)) => parts.not_known("blocked", why),
    }

    let told = |session: &Session, with_state: bool| {
        let mut text = format!("{}, pid {}", age(session.seconds.unwrap_or(0.0)), session.pid);
        for word in
            [session.state.as_ref().filter(|s| with_state && *s != "active"), session.app.as_ref()]
                .into_iter()
                .flatten()
                .filter(|word| !word.is_empty())
        {
            text.push_str(", ");
            text.push_str(&harmless_within(word, 40));
        }
        text
    };
    let seconds = |session: Option<&Session>| session.and_then(|one| one.seconds).unwrap_or(0.0);
    let longest = core.longest.as_ref();
    let mut status = beyond(&limits.longest, seconds(longest));
    if longest.and_then(|one| one.app.as_deref()).is_some_and(|app| app.starts_with("pg_dump")) {
        status = status.min(Status::Warning);
    }
    let detail = longest.map_or_else(|| "none".into(), |one| told(one, true));
    parts.part("longest transaction", status, detail);
    parts.number("longest_transaction_s", seconds(longest));

    let idle = core.idle.as_ref();
    let many = core.idle_count.unwrap_or(0.0);
    let detail = match idle {
        Some(one) if many > 1.0 => format!("{}; {} in all", told(one, false), units::number(many)),
        Some(one) => told(one, false),
        None => "none".into(),
    };
    parts.part("idle in transaction", beyond(&limits.idle, seconds(idle)), detail);
    parts.number("idle_in_transaction_s", seconds(idle));
}

fn blocked_by(parts: &mut Parts, blocked: &Blocked, limits: &Limits) {
    let many = blocked.count.unwrap_or(0.0);
    parts.number("blocked", many);
    if many == 0.0 {
        // Whoever waited when the sessions were counted has got the lock since.
        parts.part("blocked", Status::Ok, "none");
        return;
    }
    let longest = blocked.seconds.unwrap_or(0.0);
    parts.number("blocked_s", longest);
    let mut detail = units::number(many);
    if let Some(pid) = blocked.by {
        detail = format!("{detail} by pid {pid}");
        let state = blocked.state.as_deref().unwrap_or("unknown");
        let since = blocked.since.map(|s| format!(" {}", age(s))).unwrap_or_default();
        detail = format!("{detail} ({}{since})", harmless_within(state, 40));
    }
    let words = match blocked.by {
        Some(pid) => format!("{} blocked by pid {pid}, for {}", units::number(many), age(longest)),
        None => format!("{} blocked, for {}", units::number(many), age(longest)),
    };
    let detail = format!("{detail}, for {}", age(longest));
    parts.part_saying("blocked", beyond(&limits.blocked, longest), detail, words);
}

fn archive(
    parts: &mut Parts,
    core: &Core,
    archiver: &Archiver,
    waiting: Option<f64>,
    limits: &Limits,
) {
    let ago = core.now.zip(archiver.last_archived).map(|(now, then)| (now - then).max(0.0));
    if let Some(failed) = archiver.failed_count {
        parts.number("archive_failed_total", failed);
    }
    if core.archiving_fails() {
        let status = beyond(&limits.archive, ago.unwrap_or(f64::MAX));
        let mut detail = "fails".to_owned();
        if let Some(wal) = archiver.last_failed_wal.as_deref() {
            detail = format!("{detail} at {}", harmless_within(wal, 40));
        }
        if let Some(failed) = archiver.failed_count {
            detail = format!("{detail}, {}", units::count(many(failed), "failure"));
        }
        if let Some(waiting) = waiting {
            detail = format!("{detail}, {} waiting", units::count(many(waiting), "segment"));
            parts.number("archive_waiting", waiting);
        }
        if let Some(ago) = ago.filter(|_| archiver.archived_count.is_some_and(|n| n > 0.0)) {
            detail = format!("{detail}, last archived {} ago", age(ago));
        } else {
            detail = format!("{detail}, nothing was ever archived");
        }
        parts.part("archive", status, detail);
    } else {
        let detail = match ago.filter(|_| archiver.archived_count.is_some_and(|n| n > 0.0)) {
            Some(ago) => format!("last segment {} ago", age(ago)),
            None => "nothing to archive yet".into(),
        };
        parts.part("archive", Status::Ok, detail);
    }
}

/// A count as `units::count` takes it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and counts are not negative"
)]
fn many(count: f64) -> usize {
    count as usize
}

fn deadlocks_since(parts: &mut Parts, core: &Core, before: &mut Option<f64>) {
    let Some(now) = core.deadlocks else { return };
    parts.number("deadlocks_total", now);
    if let Some(before) = before.filter(|before| now > *before) {
        let new = units::count(many(now - before), "deadlock");
        let words = format!("{new} since the last poll");
        parts.part_saying("deadlocks", Status::Ok, words.clone(), words);
    }
    *before = Some(now);
}

fn slow(parts: &mut Parts, slow: Option<&Slow>) {
    match slow {
        None => {}
        Some(Slow::Not(why)) => parts.not_known("slow queries", why),
        Some(Slow::Top(top)) => {
            for (place, one) in top.iter().enumerate() {
                let text = one.query.as_deref().unwrap_or_default();
                let text = if text == "<insufficient privilege>" {
                    "of another role".to_owned()
                } else {
                    without_literals(text)
                };
                let detail = format!(
                    "{} in {} calls, {} each: {text}",
                    units::seconds(one.total),
                    units::number(one.calls),
                    units::seconds(one.mean),
                );
                parts.part(&format!("slow queries/{}", place + 1), Status::Ok, detail);
            }
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
