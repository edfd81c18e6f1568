//! The `systemd` check: units as `systemctl show` tells of them.

use super::client::Shared;
use super::processes::{self, Failed, Part, Restarts, Tool, first_line, held, timed, verdict};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Shape, Table, key};
use crate::domain::{
    CheckReading, PollError, Reading, SourceInfo, Status, Timestamp, harmless_within, units,
};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Check,
    name: "systemd",
    keys: &[KEYS, processes::KEYS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key(
        "systemd",
        Shape::OneOrMore(&Shape::Name),
        "Units that must be active; a pattern such as `api@*` takes all that are loaded.",
    )
    .like(r#""api.service""#)
    .needed(),
    key("user", Shape::Bool, "Units of the user's own manager.").or("false"),
    key(
        "program",
        Shape::OneOrMore(&Shape::Name),
        "The program, and words that belong before its arguments.",
    )
    .or(r#""systemctl""#),
];

/// What is asked of a unit; never its environment.
const PROPERTIES: &str = "Id,Type,LoadState,ActiveState,SubState,Result,NRestarts,MainPID,\
                          ExecMainCode,ExecMainStatus,ExecMainExitTimestamp,ActiveEnterTimestamp,\
                          InactiveEnterTimestamp,InactiveExitTimestamp,NeedDaemonReload,InvocationID";

/// Units of a systemd.
struct Systemd {
    info: SourceInfo,
    shared: Arc<Shared>,
    tool: Tool,
    units: Vec<String>,
    user: bool,
    within: Duration,
    restarts: Restarts,
    /// This systemctl does not know `--timestamp=unix` (before 251).
    old: AtomicBool,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let units = table.texts("systemd");
    if units.is_empty() || units.iter().any(|unit| unit.starts_with('-')) {
        mistakes.wrong_but(table.span_of("systemd"), "this is no unit", "such as \"api.service\"");
        return None;
    }
    let user = table.flag("user");
    let asks = format!("systemctl {}show {}", if user { "--user " } else { "" }, units.join(" "));
    let mut tool = Tool::read(table, &mut info, &asks, mistakes)?;
    // Where there is no other way to read a moment, it is at least in UTC.
    tool.env.insert("TZ".into(), "UTC".into());
    info.cost = "1 systemctl show, answered by systemd from memory".into();
    let within = table.duration("restarted_within");
    let (restarts, old) = (Restarts::default(), AtomicBool::new(false));
    Some(Arc::new(Systemd { info, shared, tool, units, user, within, restarts, old }))
}

impl Systemd {
    async fn ask(&self, now: Timestamp) -> Result<CheckReading, Failed> {
        let begun = self.shared.monotonic();
        let mut ran = None;
        if !self.old.load(Ordering::Relaxed) {
            let answer = self.show(&["--timestamp=unix"], self.info.timeout).await?;
            let said = String::from_utf8_lossy(&answer.err);
            if !answer.status.success() && said.contains("timestamp") {
                self.old.store(true, Ordering::Relaxed);
            } else {
                ran = Some(answer);
            }
        }
        let ran = if let Some(ran) = ran {
            ran
        } else {
            let used = self.shared.monotonic().saturating_sub(begun);
            self.show(&[], self.info.timeout.saturating_sub(used)).await?
        };
        if !ran.status.success() {
            return Err(refused(&self.tool.name(), &ran.err));
        }
        let shown = parse(&ran.out)?;
        if shown.is_empty() {
            let part = Part::new(&self.units.join(" "), Status::Critical, "no such unit");
            return Ok(verdict(vec![part], "unit"));
        }
        let parts = shown.iter().map(|unit| {
            let rises = unit.restarts.and_then(|restarts| i64::try_from(restarts).ok());
            let rises = rises.map(|mark| self.restarts.seen(&unit.id, mark, now, self.within));
            judge(unit, now, self.within, rises.unwrap_or(0))
        });
        let mut reading = verdict(parts.collect(), "unit");
        if shown.iter().any(|unit| unit.need_reload) {
            reading
                .notes
                .push("a unit file changed on disk: systemctl daemon-reload is due".into());
        }
        Ok(reading)
    }

    async fn show(&self, more: &[&str], limit: Duration) -> Result<super::process::Ran, Failed> {
        let mut arguments = vec!["--no-pager"];
        if self.user {
            arguments.push("--user");
        }
        arguments.extend(["show", "-p", PROPERTIES]);
        arguments.extend(more);
        arguments.push("--");
        arguments.extend(self.units.iter().map(String::as_str));
        self.tool.run(&arguments, limit).await
    }
}

/// systemctl got no answer.
fn refused(name: &str, said: &[u8]) -> Failed {
    let said = first_line(said);
    if said.contains("not been booted with systemd") {
        return Failed::unasked("this host does not run systemd");
    }
    let said = if said.is_empty() { "failed without a word".to_owned() } else { said };
    Failed::unasked(format!("{name}: {said}"))
}

/// A unit as it was shown.
#[derive(Debug, Default, PartialEq)]
struct Unit {
    id: String,
    oneshot: bool,
    load: String,
    active: String,
    sub: String,
    result: String,
    restarts: Option<u64>,
    /// 1 ended by itself, 2 killed, 3 dumped core (siginfo's `si_code`).
    code: i64,
    status: i64,
    entered: Option<Timestamp>,
    left: Option<Timestamp>,
    starting: Option<Timestamp>,
    need_reload: bool,
}

/// What `systemctl show` printed: `KEY=value` lines, an empty line between units.
fn parse(bytes: &[u8]) -> Result<Vec<Unit>, Failed> {
    let text = String::from_utf8_lossy(bytes);
    let mut units = Vec::new();
    let mut unit: HashMap<&str, &str> = HashMap::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            if unit.contains_key("Id") || unit.contains_key("ActiveState") {
                units.push(of(&unit));
            }
            unit.clear();
        } else if let Some((key, value)) = line.split_once('=') {
            unit.insert(key.trim(), value.trim());
        }
    }
    if units.is_empty() && !text.trim().is_empty() {
        let words = harmless_within(text.trim(), 60);
        return Err(Failed::unusable(format!("systemctl: unexpected answer: {words}")));
    }
    Ok(units)
}

fn of(lines: &HashMap<&str, &str>) -> Unit {
    let word =
        |key: &str| lines.get(key).map(|value| harmless_within(value, 60)).unwrap_or_default();
    let number = |key: &str| lines.get(key).and_then(|value| value.parse().ok());
    let at = |key: &str| lines.get(key).and_then(|value| when(value));
    Unit {
        id: word("Id"),
        oneshot: word("Type") == "oneshot",
        load: word("LoadState"),
        active: word("ActiveState"),
        sub: word("SubState"),
        result: word("Result"),
        restarts: lines.get("NRestarts").and_then(|value| value.parse().ok()),
        code: number("ExecMainCode").unwrap_or(0),
        status: number("ExecMainStatus").unwrap_or(0),
        entered: at("ActiveEnterTimestamp"),
        left: at("InactiveEnterTimestamp"),
        starting: at("InactiveExitTimestamp"),
        need_reload: word("NeedDaemonReload") == "yes",
    }
}

/// `@1795252989`, or `Sat 2026-11-21 09:23:09 UTC`; other zones have no sure meaning.
fn when(value: &str) -> Option<Timestamp> {
    if let Some(seconds) = value.strip_prefix('@') {
        let seconds: i64 = seconds.split('.').next()?.parse().ok()?;
        return (seconds > 0).then(|| Timestamp::from_millis(seconds.saturating_mul(1_000)));
    }
    let moment = value.strip_suffix(" UTC")?.split_once(' ')?.1;
    let moment = chrono::NaiveDateTime::parse_from_str(moment, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(Timestamp::from_millis(moment.and_utc().timestamp_millis()))
}

/// How a unit stands. States as in systemd's `unit-def.c`, results as in
/// systemd.exec(5) and systemd.service(5).
fn judge(unit: &Unit, now: Timestamp, within: Duration, rises: usize) -> Part {
    let part = |status, words: String| Part::new(&unit.id, status, words).restarted(unit.restarts);
    let active = unit.active == "active" || unit.active == "reloading";
    match unit.load.as_str() {
        "not-found" if !active => return Part::new(&unit.id, Status::Critical, "no such unit"),
        "masked" if !active => return part(Status::Critical, "masked: it cannot start".into()),
        "bad-setting" | "error" if !active => {
            return part(Status::Critical, format!("its unit file is broken ({})", unit.load));
        }
        _ => {}
    }
    match (unit.active.as_str(), unit.sub.as_str()) {
        ("active" | "reloading", sub) => {
            let lately = unit.entered.is_some_and(|entered| now.since(entered) <= within);
            let since = held(unit.entered, now);
            if rises > 0 || lately && unit.restarts.unwrap_or(0) > 0 {
                return part(Status::Warning, format!("came back by itself, {sub}{since}"));
            }
            part(Status::Ok, format!("{} ({sub}){since}", unit.active))
        }
        ("activating", "auto-restart" | "auto-restart-queued") => {
            part(Status::Critical, format!("waits to be restarted: {}", ended(unit)))
        }
        // A job that runs is what a oneshot unit is for.
        ("activating", _) if unit.oneshot => {
            part(Status::Ok, format!("runs{}", held(unit.starting, now)))
        }
        ("activating", _) => part(Status::Warning, format!("starting{}", held(unit.starting, now))),
        ("deactivating", _) => part(Status::Warning, "stopping".into()),
        ("failed", _) => {
            let gave_up =
                if unit.restarts.unwrap_or(0) > 0 { "failed, given up" } else { "failed" };
            part(Status::Critical, format!("{gave_up}{}: {}", held(unit.left, now), ended(unit)))
        }
        ("inactive", _) if unit.oneshot && unit.result == "success" => {
            let ago = unit.left.map(|left| units::age(now.since(left)));
            let words = ago.map_or_else(
                || "a job that has not run yet".to_owned(),
                |ago| format!("a job; ended well {ago} ago"),
            );
            part(Status::Ok, words)
        }
        ("inactive", _) => part(Status::Critical, format!("stopped{}", held(unit.left, now))),
        ("maintenance", _) => part(Status::Warning, "in maintenance".into()),
        ("", _) => Part::new(&unit.id, Status::Unknown, "systemctl does not tell its state"),
        (other, _) => {
            part(Status::Unknown, format!("in a state of which nothing is known: {other}"))
        }
    }
}

/// Why its main process ended.
fn ended(unit: &Unit) -> String {
    match unit.result.as_str() {
        // systemd.exec(5), "Process Exit Codes": 200 and up are systemd's own.
        "exit-code" if unit.code <= 1 => match unit.status {
            203 => "exit code 203: its program cannot be run".into(),
            200 => "exit code 200: its working folder is missing".into(),
            217 => "exit code 217: its user is unknown".into(),
            226 => "exit code 226: its namespace cannot be set up".into(),
            status => format!("exit code {status}"),
        },
        "signal" => format!("killed by signal {}", unit.status),
        "core-dump" => format!("crashed by signal {}", unit.status),
        "oom-kill" => "killed: out of memory".into(),
        "timeout" => "it took too long to start or stop".into(),
        "watchdog" => "its watchdog was not answered".into(),
        "start-limit-hit" => "started too often".into(),
        "resources" => "systemd lacks something to start it".into(),
        "protocol" => "it did not say that it is ready".into(),
        "success" | "" => "no reason told".into(),
        other => other.into(),
    }
}

impl Source for Systemd {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = timed(&self.shared, self.ask(now)).await;
            Ok(Brought::Reading(Reading::Check(reading)))
        })
    }
}

#[cfg(test)]
#[path = "systemd_tests.rs"]
mod tests;
