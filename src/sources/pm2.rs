//! The `pm2` check: processes as `pm2 jlist` tells of them. Its daemon is never
//! started, and of the environments that it tells nothing is kept.

use super::client::Shared;
use super::processes::{
    self, Failed, Part, Restarts, Tool, count, held, last_line, no_json, text, timed, verdict,
    whole,
};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Shape, Table, home_path, key};
use crate::domain::{Cause, CheckReading, PollError, Reading, SourceInfo, Status, Timestamp};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Check,
    name: "pm2",
    keys: &[KEYS, processes::KEYS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key("pm2", Shape::OneOrMore(&Shape::Name), "Names of processes that must be online; `*` for all that pm2 knows.")
        .like(r#""api""#)
        .needed(),
    key("home", Shape::Path, "Its PM2_HOME. Where no daemon runs for it, none is started.")
        .or("~/.pm2"),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, and words that belong before its arguments; node is looked for beside it, too.")
        .or(r#""pm2""#),
];

/// Asks a daemon that runs, and no other: `pm2 jlist` would start one. What it
/// is given: `PM2_HOME`, the program. A pid that now belongs to something else is
/// told by its command line, a dead one by having none.
const SCRIPT: &str = r#"
h=$1; shift
case $h in '~'/*) h=$HOME/${h#'~/'};; esac
p=$(cat "$h/pm2.pid" 2>/dev/null) || p=
case $p in ''|*[!0-9]*) exit 97;; esac
[ -S "$h/rpc.sock" ] || exit 97
if [ -d /proc/self ]; then
  tr '\0' ' ' 2>/dev/null </proc/"$p"/cmdline | grep -qi pm2 || exit 97
else
  kill -0 "$p" 2>/dev/null || exit 97
fi
case $1 in /*) PATH=${1%/*}:$PATH;; esac
PM2_HOME=$h PM2_NO_INTERACTION=1 TERM=dumb
export PATH PM2_HOME PM2_NO_INTERACTION TERM
exec "$@"
"#;

/// The script's word for: there is no daemon.
const NO_DAEMON: i32 = 97;

/// Processes of a pm2.
struct Pm2 {
    info: SourceInfo,
    shared: Arc<Shared>,
    tool: Tool,
    names: Vec<String>,
    home: String,
    within: Duration,
    restarts: Restarts,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let names = table.texts("pm2");
    if names.is_empty() {
        mistakes.wrong_but(table.span_of("pm2"), "this names nothing", "a name, or \"*\"");
        return None;
    }
    let tool = Tool::read(table, &mut info, "pm2 jlist", mistakes)?;
    info.cost = "1 pm2 jlist: starts node, about 0.3 s of CPU".into();
    // The home folder of whoever runs it elsewhere is known there only.
    let home = if table.has("via") {
        table.text("home")
    } else {
        home_path(&table.text("home")).to_string_lossy().into_owned()
    };
    let within = table.duration("restarted_within");
    let restarts = Restarts::default();
    Some(Arc::new(Pm2 { info, shared, tool, names, home, within, restarts }))
}

impl Pm2 {
    async fn ask(&self, now: Timestamp) -> Result<CheckReading, Failed> {
        let before = ["/bin/sh", "-c", SCRIPT, "opsroom", &self.home];
        let ran = self.tool.run_after(&before, &["jlist"], self.info.timeout).await?;
        if ran.status.code() == Some(NO_DAEMON) {
            return Err(Failed::down("the pm2 daemon does not run", Cause::Refused));
        }
        if !ran.status.success() {
            // Its own words; they are about itself, not about what it runs.
            return Err(Failed::unasked(format!("pm2: {}", last_line(&ran.err))));
        }
        let listed = parse(&ran.out)?;
        drop(ran);
        Ok(self.judge_all(&listed, now))
    }

    fn judge_all(&self, listed: &[Process], now: Timestamp) -> CheckReading {
        let all = self.names.iter().any(|name| name == "*");
        let mut parts = Vec::new();
        for process in listed.iter().filter(|process| all || self.names.contains(&process.name)) {
            let twins = listed.iter().filter(|other| other.name == process.name).count();
            let name = match process.id {
                Some(id) if twins > 1 => format!("{}#{id}", process.name),
                _ => process.name.clone(),
            };
            let mark = process.restarts.and_then(|times| i64::try_from(times).ok());
            let rises = mark.map(|mark| self.restarts.seen(&name, mark, now, self.within));
            parts.push(judge(process, &name, now, self.within, rises.unwrap_or(0)));
        }
        for name in self.names.iter().filter(|name| *name != "*") {
            if !listed.iter().any(|process| process.name == *name) {
                parts.push(Part::new(name, Status::Critical, "pm2 knows no such process"));
            }
        }
        if parts.is_empty() {
            parts.push(Part::new("pm2", Status::Critical, "pm2 has no process at all"));
        }
        verdict(parts, "process")
    }
}

/// A process, and no more of it than is shown. `pm2_env` holds the whole
/// environment beside these.
#[derive(Clone, Debug, Default, PartialEq)]
struct Process {
    name: String,
    id: Option<i64>,
    pid: Option<i64>,
    status: String,
    restarts: Option<u64>,
    unstable: u64,
    started: Option<Timestamp>,
    exit_code: Option<i64>,
    autorestart: bool,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    pm_id: Value,
    #[serde(default)]
    pid: Value,
    pm2_env: Option<Env>,
}

#[derive(Default, Deserialize)]
struct Env {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    restart_time: Value,
    #[serde(default)]
    unstable_restarts: Value,
    #[serde(default)]
    pm_uptime: Value,
    #[serde(default)]
    exit_code: Value,
    #[serde(default)]
    autorestart: Value,
}

/// What `pm2 jlist` printed. A banner and notices may stand before the list,
/// which is the last line that begins with `[` (and not `[PM2]`).
fn parse(bytes: &[u8]) -> Result<Vec<Process>, Failed> {
    let text = String::from_utf8_lossy(bytes);
    let begins = |line: &&str| line.starts_with('[') && !line.starts_with("[PM2");
    let Some(list) = text.lines().rev().find(begins) else {
        return Err(Failed::unusable("pm2: the answer holds no list"));
    };
    let list: Vec<&RawValue> =
        serde_json::from_str(list).map_err(|error| no_json("pm2", &error))?;
    Ok(list.iter().map(|raw| process(raw)).collect())
}

fn process(raw: &RawValue) -> Process {
    let Ok(listed) = serde_json::from_str::<Listed>(raw.get()) else {
        return Process { name: "unreadable".into(), ..Process::default() };
    };
    let env = listed.pm2_env.unwrap_or_default();
    let name = match &listed.name {
        Value::String(name) => name.clone(),
        Value::Number(number) => number.to_string(),
        _ => "unnamed".into(),
    };
    Process {
        name,
        id: whole(&listed.pm_id),
        pid: whole(&listed.pid).filter(|pid| *pid > 0),
        status: text(&env.status).into(),
        restarts: count(&env.restart_time),
        unstable: count(&env.unstable_restarts).unwrap_or(0),
        started: whole(&env.pm_uptime).filter(|ms| *ms > 0).map(Timestamp::from_millis),
        exit_code: whole(&env.exit_code),
        autorestart: env.autorestart.as_bool().unwrap_or(true),
    }
}

/// How a process stands; states as in pm2's `constants.js`.
fn judge(of: &Process, name: &str, now: Timestamp, within: Duration, rises: usize) -> Part {
    let part = |status, words: String| Part::new(name, status, words).restarted(of.restarts);
    let after = match of.exit_code {
        Some(code) => format!("exit code {code}"),
        None => "no exit code told".into(),
    };
    match of.status.as_str() {
        "online" => {
            let since = held(of.started, now);
            let lately = of.started.is_some_and(|started| now.since(started) <= within);
            // A restart by hand ends the process before with 0 or by a signal, a crash does not.
            let crashed = of.exit_code.is_some_and(|code| code != 0);
            let again = of.restarts.unwrap_or(0) > 0;
            if lately && again && (crashed || of.unstable > 0) {
                return part(Status::Warning, format!("came back after {after}, online{since}"));
            }
            if rises > 1 {
                return part(
                    Status::Warning,
                    format!("restarted {rises} times lately, online{since}"),
                );
            }
            let pid = of.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
            part(Status::Ok, format!("online{since}{pid}"))
        }
        "launching" => part(Status::Warning, "starting".into()),
        "stopping" => part(Status::Warning, "stopping".into()),
        "waiting restart" => part(Status::Critical, format!("waits to be restarted after {after}")),
        "errored" => part(Status::Critical, format!("errored, given up after {after}")),
        // A job: it is not to be started again, and has done its work.
        "stopped" if !of.autorestart && of.exit_code == Some(0) => {
            part(Status::Ok, "a job; ended with exit code 0".into())
        }
        "stopped" => part(Status::Critical, format!("stopped, {after}")),
        "one-launch-status" => part(Status::Warning, "launched once".into()),
        "" => part(Status::Unknown, "pm2 does not tell its state".into()),
        other => part(Status::Unknown, format!("in a state of which nothing is known: {other}")),
    }
}

impl Source for Pm2 {
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
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_mins(5);
    /// A minute after the recordings.
    const NOW: Timestamp = Timestamp::from_millis(1_795_252_790_000);

    const JLIST: &[u8] = include_bytes!("../../tests/data/pm2/jlist.out");
    const CRASHED: &[u8] = include_bytes!("../../tests/data/pm2/jlist_after_crash.out");
    const STOPPED: &[u8] = include_bytes!("../../tests/data/pm2/jlist_stopped.out");
    const NO_DAEMON_BEFORE: &[u8] = include_bytes!("../../tests/data/pm2/jlist_nodaemon.out");

    fn words(bytes: &[u8]) -> Vec<String> {
        let told = parse(bytes).unwrap();
        let judged = told.iter().map(|of| judge(of, &of.name, NOW, WITHIN, 0));
        judged.map(|part| format!("{} {}: {}", part.name, part.status, part.detail)).collect()
    }

    fn line(json: &str) -> Vec<String> {
        words(json.as_bytes())
    }

    #[test]
    fn each_recorded_state_has_its_word() {
        assert_eq!(
            words(JLIST),
            [
                "web ok: online for 1m08s, pid 28665",
                "crashy critical: waits to be restarted after exit code 1, 2 restarts",
                "errored critical: errored, given up after exit code 1, 2 restarts",
                "cluster ok: online for 1m08s, pid 28674",
                "cron ok: a job; ended with exit code 0",
                "cluster ok: online for 1m08s, pid 28714",
            ]
        );
        assert_eq!(
            words(CRASHED)[0],
            "web warning: came back after exit code 1, online for 1m01s, 2 restarts"
        );
        assert_eq!(words(STOPPED)[0], "web critical: stopped, exit code 0, 2 restarts");
    }

    #[test]
    fn of_the_environment_nothing_is_kept() {
        assert!(String::from_utf8_lossy(JLIST).contains("visible-in-jlist"));
        let told = parse(JLIST).unwrap();
        let parts = told.iter().map(|of| judge(of, &of.name, NOW, WITHIN, 0)).collect();
        let reading = verdict(parts, "process");
        let all = format!("{told:?}{reading:?}{}", serde_json::to_string(&reading).unwrap());
        assert!(!all.contains("visible-in-jlist") && !all.contains("SECRET_TOKEN"));
        // Nor in the words for an answer that cannot be read.
        let broken = String::from_utf8_lossy(JLIST).replace("\"pm_id\":0", "\"pm_id\":");
        let failed = parse(broken.as_bytes()).unwrap_err();
        assert!(failed.summary.starts_with("pm2: the answer cannot be read (line 1"), "{failed:?}");
        let odd = parse(b"[{\"name\":\"a\",\"pm2_env\":\"TOKEN=visible-in-jlist\"}]").unwrap();
        assert!(!format!("{odd:?}").contains("visible"), "{odd:?}");
    }

    #[test]
    fn a_banner_before_the_list_is_passed_over() {
        assert_eq!(parse(NO_DAEMON_BEFORE).unwrap(), []);
        assert_eq!(parse(b"[PM2] In-memory PM2 is out-of-date\n>>>>\n[]\n").unwrap(), []);
        for odd in [&b""[..], b"[PM2] Spawning", b"<html>", b"\xff\xfe"] {
            assert_eq!(parse(odd).unwrap_err().summary, "pm2: the answer holds no list");
        }
    }

    #[test]
    fn what_is_missing_or_odd_is_told_and_hurts_nothing() {
        assert_eq!(
            line(
                r#"[{"name":7,"pm_id":"3","pm2_env":{"status":"online","restart_time":"4"}},5,null]"#
            ),
            [
                "7 ok: online, 4 restarts",
                "unreadable unknown: pm2 does not tell its state",
                "unreadable unknown: pm2 does not tell its state"
            ]
        );
        let odd =
            line("[{\"name\":\"a\\u001b[2J\",\"pm2_env\":{\"status\":\"\\u001b]0;x\\u0007y\"}}]");
        assert!(!odd[0].contains('\x1b'), "{odd:?}");
    }

    #[test]
    fn restarts_that_are_seen_to_rise_are_a_warning() {
        let of = Process { status: "online".into(), restarts: Some(9), ..Process::default() };
        assert_eq!(judge(&of, "a", NOW, WITHIN, 1).status, Status::Ok, "one may be by hand");
        let part = judge(&of, "a", NOW, WITHIN, 3);
        assert_eq!(part.detail, "restarted 3 times lately, online, 9 restarts");
    }
}
