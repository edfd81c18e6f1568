//! What the answers about replication mean.

use super::Limits;
use super::facts::{Core, Replica, Replication, Slot};
use crate::domain::{Status, harmless_within, units};
use crate::sources::database::{Parts, age, beyond};

/// A primary says something at least this often, in seconds: half of
/// `wal_receiver_timeout`, and the answer to that.
const SILENT: f64 = 60.0;

/// Judges standbys, slots and the link to a primary.
pub(super) fn judge(
    parts: &mut Parts,
    core: &Core,
    asked: &Result<Replication, String>,
    limits: &Limits,
) {
    let replication = match asked {
        Ok(replication) => replication,
        Err(why) => {
            parts.not_known("replication", why);
            return;
        }
    };
    if replication.standby {
        standby(parts, core, replication, limits);
    }
    let replicas = replication.replicas.as_deref().unwrap_or_default();
    if !core.monitor && replicas.iter().any(|replica| replica.state.is_none()) {
        parts.not_known("replicas", "not permitted; grant pg_monitor to this role");
    } else {
        for one in replicas.iter().filter(|one| one.state.as_deref() != Some("backup")) {
            replica(parts, one, limits);
        }
        wanted(parts, replicas, limits);
    }
    for one in replication.slots.iter().flatten() {
        slot(parts, one, limits);
    }
}

fn standby(parts: &mut Parts, core: &Core, of: &Replication, limits: &Limits) {
    let receiver = of.receiver.as_ref();
    let streaming = receiver.and_then(|one| one.status.as_deref());
    let silent = receiver.and_then(|one| one.silent).unwrap_or(0.0);
    let bytes = of.bytes.map(|bytes| bytes.max(0.0));
    let behind = bytes.unwrap_or(0.0) > 0.0;
    // On a quiet primary the last transaction is old, and nothing is behind.
    let seconds = of.seconds.filter(|_| behind).unwrap_or(0.0);
    let (link, detail) = match (receiver, streaming) {
        (None, _) => (Status::Critical, "no link to the primary: nothing is received".to_owned()),
        (Some(_), _) if silent > SILENT => {
            (Status::Warning, format!("nothing from the primary for {}", age(silent)))
        }
        (Some(_), None) if !core.monitor => (Status::Unknown, "not permitted".into()),
        (Some(_), Some("streaming") | None) => (Status::Ok, "streaming".into()),
        (Some(_), Some(state)) => (Status::Warning, harmless_within(state, 40)),
    };
    parts.part_saying("link to primary", link, detail.clone(), format!("standby: {detail}"));
    if let Some(bytes) = bytes {
        let status = beyond(&limits.lag_bytes, bytes).max(beyond(&limits.lag, seconds));
        let lag = if behind {
            format!("{} and {} behind", units::bytes(bytes), age(seconds))
        } else {
            "replayed all that came".into()
        };
        parts.part("replay", status, lag);
        parts.number("replay_lag_bytes", bytes);
        parts.number("replay_lag_s", seconds);
    }
    if of.paused == Some(true) {
        parts.part("replay paused", Status::Warning, "by an operator");
    }
}

fn replica(parts: &mut Parts, one: &Replica, limits: &Limits) {
    let (bytes, seconds) = (one.bytes.unwrap_or(0.0).max(0.0), one.seconds.unwrap_or(0.0));
    let state = one.state.as_deref().unwrap_or("unknown");
    let mut status = beyond(&limits.lag_bytes, bytes);
    if bytes > 0.0 {
        status = status.max(beyond(&limits.lag, seconds));
    }
    if state != "streaming" {
        status = status.max(Status::Warning);
    }
    let mut detail = harmless_within(state, 20);
    if let Some(sync @ ("sync" | "quorum" | "potential")) = one.sync_state.as_deref() {
        detail = format!("{detail}, {sync}");
    }
    detail = if bytes > 0.0 {
        format!("{detail}, {} and {} behind", units::bytes(bytes), age(seconds))
    } else {
        format!("{detail}, nothing behind")
    };
    let name = harmless_within(&one.name, 40);
    parts.part(&format!("replica {name}"), status, detail);
    parts.number(&format!("replica_{name}_lag_bytes"), bytes);
    parts.number(&format!("replica_{name}_lag_s"), seconds);
}

fn wanted(parts: &mut Parts, replicas: &[Replica], limits: &Limits) {
    let streaming = replicas.iter().filter(|one| one.state.as_deref() == Some("streaming")).count();
    if let Some(wanted) = limits.replicas {
        let enough = usize::try_from(wanted).is_ok_and(|wanted| streaming >= wanted);
        let status = if enough { Status::Ok } else { Status::Critical };
        parts.part("replicas", status, format!("{streaming} of {wanted} streaming"));
    }
    if limits.replicas.is_some() || !replicas.is_empty() {
        parts.number("replicas_streaming", streaming as f64);
    }
}

fn slot(parts: &mut Parts, one: &Slot, limits: &Limits) {
    let bytes = one.bytes.unwrap_or(0.0).max(0.0);
    let name = harmless_within(&one.name, 40);
    let mut status = beyond(&limits.slot_bytes, bytes);
    let kept = format!("keeps {} of WAL", units::bytes(bytes));
    let detail = match (one.wal_status.as_deref(), one.active) {
        (Some("lost"), _) => {
            status = Status::Critical;
            "lost the WAL that its reader needs".to_owned()
        }
        (Some("unreserved"), _) => {
            status = status.max(Status::Warning);
            format!("{kept}, and may lose it")
        }
        (_, true) => kept,
        (_, false) => {
            status = status.max(Status::Warning);
            format!("nobody reads it, and it {kept}")
        }
    };
    parts.part(&format!("slot {name}"), status, detail);
    parts.number(&format!("slot_{name}_bytes"), bytes);
}
