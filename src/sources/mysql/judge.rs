//! What the answers mean.

use super::ask::{Answers, Row, Rows, number};
use super::{Before, Limits};
use crate::domain::{CheckReading, Status, harmless_within, units};
use crate::sources::database::{Parts, age, beyond, used};
use std::time::Duration;

/// Judges one poll. `before` holds the counters of the poll before.
pub(super) fn judge(
    answers: &Answers,
    limits: &Limits,
    at: Duration,
    before: &mut Option<Before>,
) -> CheckReading {
    let mut parts = Parts::default();
    let many = answers.number("threads_connected").unwrap_or_default();
    let max = answers.number("max_connections").unwrap_or_default();
    let status = if max > 0.0 { beyond(&limits.connections, many / max) } else { Status::Ok };
    parts.part("connections", status, used(many, max));
    parts.number("connections", many);
    parts.number("connections_max", max);
    if let Some((outcome, took)) = &answers.own {
        let (status, detail) = match outcome {
            Ok(Some(true)) => (Status::Ok, format!("answers in {}", units::duration(*took))),
            Ok(Some(false)) => (Status::Critical, "brings 0 or NULL".to_owned()),
            Ok(None) => (Status::Critical, "brings no row".to_owned()),
            Err(why) => (Status::Critical, why.clone()),
        };
        parts.part_saying("query", status, detail.clone(), format!("query: {detail}"));
        parts.number("query_s", took.as_secs_f64());
    }
    longest(&mut parts, answers.longest.as_ref(), limits);
    blocked(&mut parts, answers, limits);
    slow(&mut parts, answers, limits, at, before);
    let replica = replication(&mut parts, answers.replica.as_ref(), limits);
    let on = |name| matches!(answers.text(name), "ON" | "1");
    let read_only = on("read_only") || on("super_read_only");
    if read_only {
        parts.part("read only", Status::Ok, "yes");
    } else if replica {
        parts.note("a replica that takes writes: read_only is off");
    }
    for (name, field) in [
        ("threads_running", "threads_running"),
        ("questions_total", "questions"),
        ("aborted_connects_total", "aborted_connects"),
        ("refused_connections_total", "connection_errors_max_connections"),
        ("deadlocks_total", "innodb_deadlocks"),
    ] {
        if let Some(value) = answers.number(field) {
            parts.number(name, value);
        }
    }
    let product = if answers.is_mariadb() { "MariaDB" } else { "MySQL" };
    let version = answers.text("version").split('-').next().unwrap_or_default();
    let role = if replica { "replica" } else { "primary" };
    let (many, max) = (units::number(many), units::number(max));
    let version = harmless_within(version, 20);
    parts.reading(format!("{product} {version} {role}, {many} of {max} connections"))
}

fn longest(parts: &mut Parts, asked: Option<&Rows>, limits: &Limits) {
    match asked {
        None => {}
        Some(Err(why)) => parts.not_known("longest transaction", why),
        Some(Ok(rows)) => {
            let row = rows.first();
            let seconds = row.and_then(|row| number(row, "seconds")).unwrap_or(0.0);
            let detail = match row.and_then(|row| number(row, "id")) {
                Some(id) => format!("{}, connection {id}", age(seconds)),
                None => "none".into(),
            };
            parts.part("longest transaction", beyond(&limits.longest, seconds), detail);
            parts.number("longest_transaction_s", seconds);
        }
    }
}

fn blocked(parts: &mut Parts, answers: &Answers, limits: &Limits) {
    let (mut many, mut seconds) = (0.0_f64, 0.0_f64);
    for asked in [&answers.waiting, &answers.tables].into_iter().flatten() {
        match asked {
            Err(why) => {
                parts.not_known("blocked", why);
                return;
            }
            Ok(rows) => {
                let of = |name| rows.first().and_then(|row| number(row, name)).unwrap_or(0.0);
                many += of("many");
                seconds = seconds.max(of("seconds"));
            }
        }
    }
    parts.number("blocked", many);
    if many == 0.0 {
        parts.part("blocked", Status::Ok, "none");
        return;
    }
    let by = answers.blockers.as_ref().and_then(|rows| rows.as_ref().ok()?.first());
    let by = by.and_then(|row| number(row, "id"));
    let by = by.map(|id| format!(" by connection {id}")).unwrap_or_default();
    let detail = format!("{}{by}, for {}", units::number(many), age(seconds));
    let words = format!("{} blocked{by}, for {}", units::number(many), age(seconds));
    parts.part_saying("blocked", beyond(&limits.blocked, seconds), detail, words);
}

fn slow(
    parts: &mut Parts,
    answers: &Answers,
    limits: &Limits,
    at: Duration,
    before: &mut Option<Before>,
) {
    let (Some(slow), Some(uptime)) = (answers.number("slow_queries"), answers.number("uptime"))
    else {
        return;
    };
    parts.number("slow_queries_total", slow);
    let seen = Before { at, uptime, slow };
    // Counters begin anew with the server.
    let Some(before) = before.replace(seen).filter(|before| before.uptime <= uptime) else {
        return;
    };
    let seconds = at.saturating_sub(before.at).as_secs_f64();
    if seconds > 0.0 {
        let rate = (slow - before.slow).max(0.0) / seconds;
        let longer = answers.number("long_query_time").map(age).unwrap_or_default();
        let detail = format!("{}/s longer than {longer}", units::number(rate));
        parts.part("slow queries", beyond(&limits.slow, rate), detail);
        parts.number("slow_queries_per_s", rate);
    }
}

/// Whether this is a replica.
fn replication(parts: &mut Parts, asked: Option<&Rows>, limits: &Limits) -> bool {
    let rows = match asked {
        None => return false,
        Some(Err(why)) => {
            parts.not_known("replication", why);
            return false;
        }
        Some(Ok(rows)) => rows,
    };
    for row in rows.iter().take(20) {
        link(parts, row, limits);
    }
    !rows.is_empty()
}

fn link(parts: &mut Parts, row: &Row, limits: &Limits) {
    // MariaDB and older MySQL say master and slave, newer MySQL source and replica.
    let field = |names: [&str; 2]| {
        names.iter().find_map(|name| row.get(*name)?.as_deref()).unwrap_or_default()
    };
    let io = field(["slave_io_running", "replica_io_running"]);
    let sql = field(["slave_sql_running", "replica_sql_running"]);
    let behind = field(["seconds_behind_master", "seconds_behind_source"]).parse::<f64>().ok();
    let host = field(["master_host", "source_host"]);
    let name = match field(["connection_name", "channel_name"]) {
        "" => "replication".to_owned(),
        name => format!("replication {}", harmless_within(name, 40)),
    };
    let host = harmless_within(host, 60);
    // Errors can quote rows: their number says what to look for.
    let (io_error, sql_error) = (field(["last_io_errno", ""]), field(["last_sql_errno", ""]));
    let number = |error: &str| match error {
        "" | "0" => String::new(),
        error => format!(", error {}", harmless_within(error, 10)),
    };
    let (status, detail) = match (io, sql) {
        ("Yes", "Yes") => {
            let lag = behind.unwrap_or(0.0);
            parts.number("replication_lag_s", lag);
            (beyond(&limits.lag, lag), format!("from {host}, {} behind", age(lag)))
        }
        (_, "No") => {
            (Status::Critical, format!("from {host}: applying has stopped{}", number(sql_error)))
        }
        ("Connecting" | "Preparing", _) => {
            (Status::Critical, format!("from {host}: no link to it{}", number(io_error)))
        }
        ("No", _) => {
            (Status::Critical, format!("from {host}: receiving has stopped{}", number(io_error)))
        }
        _ => (Status::Warning, format!("from {host}: state not known")),
    };
    parts.part(&name, status, detail);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Thresholds;
    use std::collections::BTreeMap;

    fn limits() -> Limits {
        let above = |warning, critical| Thresholds {
            below: false,
            warning: Some(warning),
            critical: Some(critical),
        };
        Limits {
            connections: above(0.8, 0.95),
            longest: above(300.0, 3_600.0),
            blocked: above(10.0, 120.0),
            slow: above(1.0, 10.0),
            lag: above(60.0, 600.0),
        }
    }

    /// What the command-line client printed: names, then rows, tabs between them.
    fn recorded(text: &str) -> BTreeMap<String, String> {
        let pairs = text.lines().skip(1).filter_map(|line| line.split_once('\t'));
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect()
    }

    fn answers() -> Answers {
        let mut values = recorded(include_str!("../../../tests/data/mariadb/show_status_some.out"));
        values.extend(recorded(include_str!("../../../tests/data/mariadb/show_variables.out")));
        Answers { values, ..Answers::default() }
    }

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    fn judged(answers: &Answers) -> CheckReading {
        judge(answers, &limits(), Duration::ZERO, &mut None)
    }

    #[test]
    fn a_server_without_trouble_is_told_in_a_line() {
        let good = judged(&answers());
        assert_eq!(good.summary, "MariaDB 10.11.19 primary, 1 of 20 connections");
        assert_eq!(good.status, Status::Ok);
    }

    #[test]
    fn waiting_sessions_name_who_holds_them_up() {
        let mut waiting = answers();
        waiting.waiting = Some(Ok(vec![row(&[("many", "2"), ("seconds", "40")])]));
        waiting.blockers = Some(Ok(vec![row(&[("id", "411"), ("many", "2")])]));
        let told = judged(&waiting);
        assert_eq!(told.summary, "2 blocked by connection 411, for 40s");
        assert_eq!(told.status, Status::Warning);
    }

    #[test]
    fn replication_is_told_in_the_words_of_both_products() {
        let told = |pairs: &[(&str, &str)]| {
            let mut of = answers();
            of.replica = Some(Ok(vec![row(pairs)]));
            let told = judged(&of);
            let part = told.components.iter().find(|part| part.name == "replication").unwrap();
            (told.status, part.detail.clone())
        };
        let yes = [("replica_io_running", "Yes"), ("replica_sql_running", "Yes")];
        let mut late = yes.to_vec();
        late.extend([("seconds_behind_source", "700"), ("source_host", "db-1")]);
        assert_eq!(told(&late), (Status::Critical, "from db-1, 11m behind".into()));
        let stopped = [
            ("slave_io_running", "Yes"),
            ("slave_sql_running", "No"),
            ("master_host", "db-1"),
            ("last_sql_errno", "1062"),
            ("last_sql_error", "Duplicate entry 'hunter2'"),
        ];
        let words = "from db-1: applying has stopped, error 1062";
        assert_eq!(told(&stopped), (Status::Critical, words.into()));
        let lost = [("slave_io_running", "Connecting"), ("slave_sql_running", "Yes")];
        assert_eq!(told(&lost).0, Status::Critical);
    }

    #[test]
    fn slow_queries_are_a_rate_that_begins_anew_with_the_server() {
        let mut of = answers();
        let mut before = None;
        let mut at = |slow: &str, uptime: &str, seconds| {
            of.values.insert("slow_queries".into(), slow.into());
            of.values.insert("uptime".into(), uptime.into());
            judge(&of, &limits(), Duration::from_secs(seconds), &mut before).status
        };
        assert_eq!(at("100", "50", 0), Status::Ok);
        assert_eq!(at("120", "60", 10), Status::Warning);
        assert_eq!(at("0", "1", 20), Status::Ok);
    }

    #[test]
    fn what_is_denied_is_not_known_and_harms_nothing() {
        let mut of = answers();
        of.longest = Some(Err("not permitted (1227)".into()));
        of.replica = Some(Err("not permitted (1227)".into()));
        let told = judged(&of);
        assert_eq!((told.status, told.notes.len()), (Status::Ok, 2));
    }
}
