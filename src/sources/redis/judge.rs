//! What the answers mean.

use super::info::Info;
use super::{Answers, Before, Limits, wire};
use crate::domain::{CheckReading, Status, Timestamp, harmless_within, units};
use crate::sources::database::{Parts, age, beyond, used, whole_percent};
use std::collections::BTreeMap;
use std::time::Duration;

/// With fewer look-ups between two polls a hit rate says nothing.
const LOOK_UPS: f64 = 100.0;
/// A primary is heard of at least this often, in seconds: it pings every 10 s.
const SILENT: f64 = 30.0;

/// Judges one poll. `before` holds the counters of the poll before.
pub(super) fn judge(
    answers: &Answers,
    limits: &Limits,
    (at, now): (Duration, Timestamp),
    before: &mut Option<Before>,
) -> CheckReading {
    let mut parts = Parts::default();
    if answers.needless_password {
        parts.note("a password is set here, and the server has none");
    }
    let info = match &answers.info {
        Ok(info) => info,
        Err(why) => {
            for name in ["memory", "clients", "replication", "persistence"] {
                parts.part(name, Status::Unknown, "not permitted");
            }
            parts.note(format!("INFO: {why}"));
            return parts.reading("PONG".into());
        }
    };
    loading(&mut parts, info);
    if let Some(error) = answers.ping.as_deref().filter(|error| !error.starts_with("LOADING")) {
        let words = wire::refused(error, true).message;
        parts.part_saying("ping", Status::Critical, words.clone(), words);
    }
    memory(&mut parts, info, limits);
    clients(&mut parts, info, limits);
    let seen = Before {
        at,
        run: info.text("run_id").unwrap_or_default().to_owned(),
        hits: info.zero("keyspace_hits"),
        misses: info.zero("keyspace_misses"),
        evicted: info.zero("evicted_keys"),
        rejected: info.zero("rejected_connections"),
    };
    let same = before.replace(seen.clone()).filter(|before| before.run == seen.run);
    since(&mut parts, same.as_ref(), &seen, limits);
    replication(&mut parts, info, limits);
    persistence(&mut parts, info, now, limits);
    if let Some(cluster) = &answers.cluster {
        of_cluster(&mut parts, cluster);
    }
    sentinel(&mut parts, info);
    for (name, field) in [
        ("commands_total", "total_commands_processed"),
        ("commands_per_s", "instantaneous_ops_per_sec"),
        ("evicted_total", "evicted_keys"),
        ("rejected_total", "rejected_connections"),
        ("fragmentation_ratio", "mem_fragmentation_ratio"),
    ] {
        if let Some(value) = info.number(field) {
            parts.number(name, value);
        }
    }
    parts.reading(good(info))
}

/// `Redis 7.0.15 primary, 1.1MB, 12 clients`.
fn good(info: &Info) -> String {
    let product = match info.text("server_name").or(info.text("valkey_version").map(|_| "valkey")) {
        Some("valkey") => "Valkey",
        _ => "Redis",
    };
    let version = info.text("valkey_version").or(info.text("redis_version")).unwrap_or("");
    let role = match (info.text("redis_mode"), info.text("role")) {
        (Some("sentinel"), _) => "sentinel",
        (_, Some("slave")) => "replica",
        _ => "primary",
    };
    let clients = match info.zero("connected_clients") {
        1.0 => "1 client".to_owned(),
        many => format!("{} clients", units::number(many)),
    };
    let memory = units::bytes(info.zero("used_memory"));
    format!("{product} {} {role}, {memory}, {clients}", harmless_within(version, 20))
}

fn loading(parts: &mut Parts, info: &Info) {
    if info.zero("loading") > 0.0 {
        let share = whole_percent(info.zero("loading_loaded_perc") / 100.0);
        let left = age(info.zero("loading_eta_seconds"));
        let words = format!("loading its data from disk: {share}, {left} left");
        parts.part_saying("loading", Status::Critical, format!("{share}, {left} left"), words);
    } else if info.zero("async_loading") > 0.0 {
        parts.part("loading", Status::Warning, "a new copy beside the old one, which is served");
    }
}

fn memory(parts: &mut Parts, info: &Info, limits: &Limits) {
    let Some(used) = info.number("used_memory") else { return };
    parts.number("memory_bytes", used);
    let max = info.zero("maxmemory");
    let policy = info.text("maxmemory_policy").unwrap_or("noeviction");
    if max <= 0.0 {
        parts.part("memory", Status::Ok, format!("{}, no limit", units::bytes(used)));
        return;
    }
    parts.number("memory_max_bytes", max);
    let share = used / max;
    let detail = format!(
        "{} of {} ({}), {}",
        units::bytes(used),
        units::bytes(max),
        whole_percent(share),
        harmless_within(policy, 20)
    );
    match policy {
        "noeviction" if share >= 1.0 => {
            let words = format!("out of memory: writes are refused, {detail}");
            parts.part_saying("memory", Status::Critical, detail, words);
        }
        "noeviction" => parts.part("memory", beyond(&limits.memory, share), detail),
        // Only keys with an expiry go: it may still come to refusing.
        policy if policy.starts_with("volatile") => {
            let status = beyond(&limits.memory, share).min(Status::Warning);
            let evicts = info.zero("evicted_keys") > 0.0;
            parts.part("memory", if evicts { Status::Ok } else { status }, detail);
        }
        // A cache that is full does what it is there for.
        _ => parts.part("memory", Status::Ok, detail),
    }
}

fn clients(parts: &mut Parts, info: &Info, limits: &Limits) {
    let Some(many) = info.number("connected_clients") else { return };
    parts.number("clients", many);
    let max = info.zero("maxclients");
    let status = if max > 0.0 { beyond(&limits.clients, many / max) } else { Status::Ok };
    let mut detail = used(many, max);
    let blocked = info.zero("blocked_clients");
    if blocked > 0.0 {
        detail = format!("{detail}, {} waiting in a blocking command", units::number(blocked));
        parts.number("clients_blocked", blocked);
    }
    if max > 0.0 {
        parts.number("clients_max", max);
    }
    parts.part("clients", status, detail);
}

/// What changed since the poll before.
fn since(parts: &mut Parts, before: Option<&Before>, seen: &Before, limits: &Limits) {
    let Some(before) = before else { return };
    let seconds = seen.at.saturating_sub(before.at).as_secs_f64();
    let grown = |now: f64, then: f64| (now - then).max(0.0);
    let (hits, misses) = (grown(seen.hits, before.hits), grown(seen.misses, before.misses));
    let look_ups = hits + misses;
    if look_ups > 0.0 {
        let share = hits / look_ups;
        let enough = look_ups >= LOOK_UPS;
        let status = if enough { beyond(&limits.hit_rate, share) } else { Status::Ok };
        let detail = format!("{} of {} look-ups", whole_percent(share), units::number(look_ups));
        parts.part("hit rate", status, detail);
        if enough {
            parts.number("hit_rate", share);
        }
    }
    let evicted = grown(seen.evicted, before.evicted);
    if seconds > 0.0 {
        parts.number("evicted_per_s", evicted / seconds);
        if evicted > 0.0
            || limits.evictions.warning.is_some()
            || limits.evictions.critical.is_some()
        {
            let status = beyond(&limits.evictions, evicted / seconds);
            parts.part("evictions", status, format!("{}/s", units::number(evicted / seconds)));
        }
    }
    let rejected = grown(seen.rejected, before.rejected);
    if rejected > 0.0 {
        let words = format!("{} connections rejected since the last poll", units::number(rejected));
        parts.part_saying("rejected", Status::Warning, words.clone(), words);
    }
}

fn replication(parts: &mut Parts, info: &Info, limits: &Limits) {
    if info.text("role") == Some("slave") {
        link(parts, info);
    }
    let replicas = info.numbered("slave");
    let end = info.number("master_repl_offset");
    for replica in &replicas {
        of_replica(parts, replica, end, limits);
    }
    if let Some(wanted) = limits.replicas {
        let online = replicas.iter().filter(|one| one.get("state") == Some(&"online")).count();
        let enough = usize::try_from(wanted).is_ok_and(|wanted| online >= wanted);
        let status = if enough { Status::Ok } else { Status::Critical };
        parts.part("replicas", status, format!("{online} of {wanted} online"));
    }
}

fn link(parts: &mut Parts, info: &Info) {
    let host = info.text("master_host").unwrap_or("?");
    let port = info.text("master_port").unwrap_or("?");
    let primary = harmless_within(&format!("{host}:{port}"), 60);
    let up = info.text("master_link_status") == Some("up");
    let silent = info.zero("master_last_io_seconds_ago");
    let (status, detail) = if up && silent <= SILENT {
        (Status::Ok, format!("{primary} up"))
    } else if up {
        (Status::Warning, format!("{primary} silent for {}", age(silent)))
    } else if info.zero("master_sync_in_progress") > 0.0 {
        let left = info.number("master_sync_left_bytes").filter(|left| *left > 0.0);
        let left = left.map(|left| format!(", {} left", units::bytes(left))).unwrap_or_default();
        (Status::Warning, format!("{primary}: copying all data{left}"))
    } else {
        let since = info.number("master_link_down_since_seconds").filter(|s| *s >= 0.0);
        let since = since.map(|s| format!(" for {}", age(s))).unwrap_or_default();
        (Status::Critical, format!("{primary} down{since}"))
    };
    let words = format!("link to primary {detail}");
    parts.part_saying("link to primary", status, detail, words);
    parts.number("primary_up", f64::from(u8::from(up)));
}

fn of_replica(
    parts: &mut Parts,
    replica: &BTreeMap<&str, &str>,
    end: Option<f64>,
    limits: &Limits,
) {
    let field = |name: &str| replica.get(name).copied().unwrap_or("?");
    let name = harmless_within(&format!("{}:{}", field("ip"), field("port")), 60);
    let offset = field("offset").parse::<f64>().ok();
    let bytes = end.zip(offset).map(|(end, offset)| (end - offset).max(0.0));
    let state = field("state");
    let mut status = bytes.map_or(Status::Ok, |bytes| beyond(&limits.lag_bytes, bytes));
    if state != "online" {
        status = status.max(Status::Warning);
    }
    let mut detail = harmless_within(state, 20);
    if let Some(bytes) = bytes {
        detail = format!("{detail}, {} behind", units::bytes(bytes));
        parts.number(&format!("replica_{name}_lag_bytes"), bytes);
    }
    parts.part(&format!("replica {name}"), status, detail);
}

fn persistence(parts: &mut Parts, info: &Info, now: Timestamp, limits: &Limits) {
    if info.text("rdb_last_bgsave_status").is_some_and(|status| status != "ok") {
        parts.part("save", Status::Critical, "to disk fails (rdb_last_bgsave_status err)");
    } else if let Some(saved) = info.number("rdb_last_save_time").filter(|at| *at > 0.0) {
        let clock = info.number("server_time_usec").map(|micros| micros / 1e6);
        let ago = (clock.unwrap_or_else(|| now.seconds()) - saved).max(0.0);
        let pending = info.zero("rdb_changes_since_last_save");
        let mut detail = format!("{} ago", age(ago));
        if pending > 0.0 {
            detail = format!("{detail}, {} changes since", units::number(pending));
        }
        // Nothing to save is nothing to lose.
        let status = if pending > 0.0 { beyond(&limits.last_save, ago) } else { Status::Ok };
        parts.part("last save", status, detail);
        parts.number("last_save_s", ago);
        parts.number("unsaved_changes", pending);
    }
    if info.zero("aof_enabled") > 0.0 {
        let failed = |name| info.text(name).is_some_and(|status| status != "ok");
        let (status, detail) = if failed("aof_last_write_status") {
            (Status::Critical, "cannot be written (aof_last_write_status err)")
        } else if failed("aof_last_bgrewrite_status") {
            (Status::Warning, "cannot be rewritten (aof_last_bgrewrite_status err)")
        } else {
            (Status::Ok, "written")
        };
        parts.part("append-only file", status, detail);
    }
}

fn of_cluster(parts: &mut Parts, cluster: &Info) {
    let state = cluster.text("cluster_state").unwrap_or("unknown");
    let (assigned, ok) = (cluster.zero("cluster_slots_assigned"), cluster.zero("cluster_slots_ok"));
    let status = match state {
        "ok" if cluster.zero("cluster_slots_pfail") > 0.0 => Status::Warning,
        "ok" => Status::Ok,
        _ => Status::Critical,
    };
    let detail = format!(
        "{}, {} of 16384 slots assigned, {} served",
        harmless_within(state, 20),
        assigned,
        ok
    );
    parts.part("cluster", status, detail);
}

fn sentinel(parts: &mut Parts, info: &Info) {
    if info.text("redis_mode") != Some("sentinel") {
        return;
    }
    for primary in info.numbered("master") {
        let field = |name: &str| primary.get(name).copied().unwrap_or("?");
        let status = match field("status") {
            "ok" => Status::Ok,
            "sdown" => Status::Warning,
            _ => Status::Critical,
        };
        let detail = format!(
            "{}, {}, {} replicas, {} sentinels",
            field("status"),
            field("address"),
            field("slaves"),
            field("sentinels")
        );
        parts.part(&format!("primary {}", field("name")), status, detail);
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
