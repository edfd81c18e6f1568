//! The `docker` check: containers as `docker inspect` tells of them; podman
//! answers alike.

use super::client::Shared;
use super::processes::{
    self, Failed, Part, Restarts, Tool, count, first_line, held, last_line, moment, no_json, text,
    timed, verdict, whole,
};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Shape, Table, key};
use crate::domain::{
    Cause, CheckReading, PollError, Reading, SourceInfo, Status, Timestamp, units,
};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Check,
    name: "docker",
    keys: &[KEYS, processes::KEYS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key("docker", Shape::OneOrMore(&Shape::Name), "Containers that must run, by name; `label:KEY=VALUE` takes all that have it, `*` all that are there.")
        .like(r#"["api", "label:com.docker.compose.project=shop"]"#)
        .needed(),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, and words that belong before its arguments: `\"podman\"`, `[\"docker\", \"--context\", \"prod\"]`.")
        .or(r#""docker""#),
];

/// What is told of a container: never its environment or command.
const FORMAT: &str = concat!(
    r#"{"name":{{json .Name}},"state":{{json .State}},"restarts":{{json .RestartCount}},"#,
    r#""policy":{{json .HostConfig.RestartPolicy.Name}}}"#
);

/// More containers than these are not looked at.
const MOST: usize = 500;

/// Containers of a host.
struct Docker {
    info: SourceInfo,
    shared: Arc<Shared>,
    tool: Tool,
    names: Vec<String>,
    /// Without `label:`; an empty one is all.
    labels: Vec<String>,
    within: Duration,
    restarts: Restarts,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let (mut names, mut labels) = (Vec::new(), Vec::new());
    for word in table.texts("docker") {
        match word.strip_prefix("label:") {
            Some(label) => labels.push(label.trim().to_owned()),
            None if word == "*" => labels.push(String::new()),
            None => names.push(word),
        }
    }
    let bad = |word: &String| word.starts_with('-') || word.contains(char::is_whitespace);
    if names.iter().any(bad) || names.is_empty() && labels.is_empty() {
        mistakes.wrong_but(
            table.span_of("docker"),
            "this is no container",
            "a name, `label:KEY=VALUE` or `*`",
        );
        return None;
    }
    let asks = format!("inspect {}", table.texts("docker").join(" "));
    let tool = Tool::read(table, &mut info, &asks, mistakes)?;
    info.asks = info.asks.replacen("inspect", &format!("{} inspect", tool.name()), 1);
    info.cost = if labels.is_empty() { "1 inspect" } else { "1 ps and 1 inspect" }.into();
    let within = table.duration("restarted_within");
    let restarts = Restarts::default();
    Some(Arc::new(Docker { info, shared, tool, names, labels, within, restarts }))
}

impl Docker {
    async fn ask(&self, now: Timestamp) -> Result<CheckReading, Failed> {
        let begun = self.shared.monotonic();
        let left = || {
            let used = self.shared.monotonic().saturating_sub(begun);
            self.info.timeout.saturating_sub(used)
        };
        let mut parts = Vec::new();
        let mut wanted = self.names.clone();
        for label in &self.labels {
            let filter = format!("label={label}");
            let mut arguments = vec!["ps", "-a", "-q", "--no-trunc"];
            if !label.is_empty() {
                arguments.extend(["--filter", &filter]);
            }
            let ran = self.tool.run(&arguments, left()).await?;
            if !ran.status.success() {
                return Err(refused(&self.tool.name(), &ran.err));
            }
            let found = ids(&ran.out)?;
            if found.is_empty() {
                let name = if label.is_empty() { "*" } else { label };
                parts.push(Part::new(name, Status::Critical, "no such container"));
            }
            wanted.extend(found);
        }
        wanted.truncate(MOST);
        if wanted.is_empty() {
            return Ok(verdict(parts, "container"));
        }
        let mut arguments = vec!["inspect", "--type", "container", "--format", FORMAT];
        arguments.extend(wanted.iter().map(String::as_str));
        let ran = self.tool.run(&arguments, left()).await?;
        let containers = parse(&ran.out)?;
        if containers.is_empty() && !is_absent(&ran.err) {
            return Err(refused(&self.tool.name(), &ran.err));
        }
        for container in &containers {
            let name = container.name();
            let mark = whole(&container.restarts);
            let rises = mark.map(|mark| self.restarts.seen(name, mark, now, self.within));
            let named = self.names.iter().any(|wanted| wanted == name);
            parts.push(judge(container, named, now, self.within, rises.unwrap_or(0)));
        }
        for name in &self.names {
            // An id is as good as a name, and cannot be held against the answer.
            let is_id = name.len() >= 12 && name.chars().all(|c| c.is_ascii_hexdigit());
            if !is_id && !containers.iter().any(|container| container.name() == name) {
                parts.push(Part::new(name, Status::Critical, "no such container"));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        parts.retain(|part| seen.insert(part.name.clone()));
        Ok(verdict(parts, "container"))
    }
}

/// Ids, one a line.
fn ids(bytes: &[u8]) -> Result<Vec<String>, Failed> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.iter().any(|line| !line.chars().all(|c| c.is_ascii_hexdigit())) {
        return Err(Failed::unusable(format!("unexpected answer: {}", first_line(bytes))));
    }
    Ok(lines.into_iter().map(String::from).collect())
}

fn is_absent(said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said).to_lowercase();
    said.contains("no such")
}

/// It was asked and gave no answer.
fn refused(name: &str, said: &[u8]) -> Failed {
    let whole = String::from_utf8_lossy(said).to_lowercase();
    if whole.contains("permission denied") {
        return Failed::unasked(format!("{name}: no permission to ask its daemon"));
    }
    if whole.contains("cannot connect to the docker daemon")
        || whole.contains("cannot connect to podman")
        || whole.contains("is the docker daemon running")
    {
        return Failed::down(format!("the {name} daemon does not run"), Cause::Refused);
    }
    let said = last_line(said);
    let said = if said.is_empty() { "failed without a word".to_owned() } else { said };
    match processes::network_cause(&said) {
        Some(cause) => Failed { cause, ..Failed::unasked(format!("{name}: {said}")) },
        None => Failed::unasked(format!("{name}: {said}")),
    }
}

/// A container as the format above tells of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    name: Value,
    state: State,
    restarts: Value,
    policy: Value,
}

/// Of its state what is shown; the output of health checks is dropped.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    status: Value,
    exit_code: Value,
    #[serde(rename = "OOMKilled")]
    oom: Value,
    error: Value,
    started_at: Value,
    finished_at: Value,
    /// As podman before 4.4 calls it.
    #[serde(alias = "Healthcheck")]
    health: Option<Health>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Health {
    status: Value,
    failing_streak: Value,
}

impl Container {
    fn name(&self) -> &str {
        text(&self.name).trim_start_matches('/')
    }
}

/// JSON, one container a line.
fn parse(bytes: &[u8]) -> Result<Vec<Container>, Failed> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let read = |line| serde_json::from_str(line).map_err(|error| no_json("inspect", &error));
    lines.map(read).collect()
}

/// How a container stands; states as in the Engine API's `ContainerState` and
/// podman's `define.ContainerStatus`. One that is `named` must run; of the
/// others those may have ended that nobody restarts.
fn judge(of: &Container, named: bool, now: Timestamp, within: Duration, rises: usize) -> Part {
    let restarts = count(&of.restarts);
    let part = |status, words: String| Part::new(of.name(), status, words).restarted(restarts);
    let started = moment(text(&of.state.started_at));
    let finished = moment(text(&of.state.finished_at));
    let code = whole(&of.state.exit_code).unwrap_or(0);
    let why = match (of.state.oom.as_bool(), code) {
        (Some(true), _) => format!("out of memory (exit code {code})"),
        (_, 137) => "exit code 137 (killed)".into(),
        (_, 143) => "exit code 143 (ended by TERM)".into(),
        _ => format!("exit code {code}"),
    };
    let error = text(&of.state.error);
    let why = if error.is_empty() { why } else { format!("{why}, {error}") };
    match text(&of.state.status) {
        "running" => {
            let since = held(started, now);
            let health = of.state.health.as_ref().map_or("", |health| text(&health.status));
            match health {
                "unhealthy" => {
                    let times =
                        of.state.health.as_ref().and_then(|health| count(&health.failing_streak));
                    let times =
                        times.map_or_else(String::new, |n| format!(" ({n} checks in a row)"));
                    return part(Status::Critical, format!("unhealthy{times}, running{since}"));
                }
                "starting" => {
                    return part(Status::Warning, format!("running{since}, health not known yet"));
                }
                _ => {}
            }
            let lately = started.is_some_and(|started| now.since(started) <= within);
            if rises > 0 || lately && restarts.unwrap_or(0) > 0 {
                return part(Status::Warning, format!("came back by itself, running{since}"));
            }
            let health = if health == "healthy" { ", healthy" } else { "" };
            part(Status::Ok, format!("running{since}{health}"))
        }
        "restarting" => part(Status::Critical, format!("waits to be restarted: {why}")),
        "paused" => part(Status::Critical, "paused".into()),
        "exited" | "stopped" => {
            let ago = finished.map(|at| format!(" {} ago", units::age(now.since(at))));
            let words = format!("exited{}: {why}", ago.unwrap_or_default());
            let is_job = matches!(text(&of.policy), "" | "no" | "on-failure");
            let done = !named && is_job && code == 0 && of.state.oom.as_bool() != Some(true);
            part(if done { Status::Ok } else { Status::Critical }, words)
        }
        "created" | "configured" | "initialized" => {
            let status = if named { Status::Critical } else { Status::Warning };
            part(status, "created, not started".into())
        }
        "removing" | "stopping" => part(Status::Warning, format!("{} now", text(&of.state.status))),
        "dead" => part(Status::Critical, format!("dead: {why}")),
        "" => part(Status::Unknown, "its state is not told".into()),
        other => part(Status::Unknown, format!("in a state of which nothing is known: {other}")),
    }
}

impl Source for Docker {
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
    const NOW: Timestamp = Timestamp::from_millis(1_795_253_060_000); // 2026-11-21T09:24:20Z

    fn judged(json: &str, named: bool) -> String {
        let of = &parse(json.as_bytes()).unwrap()[0];
        let part = judge(of, named, NOW, WITHIN, 0);
        format!("{} {}: {}", part.name, part.status, part.detail)
    }

    #[test]
    fn each_state_has_its_word() {
        let started =
            r#""StartedAt":"2026-11-21T06:24:20.123456789Z","FinishedAt":"0001-01-01T00:00:00Z""#;
        let running = format!(r#""Status":"running",{started}"#);
        let healthy =
            |word: &str| format!(r#"{running},"Health":{{"Status":"{word}","FailingStreak":4}}"#);
        let exited = |fields: &str| {
            format!(r#""Status":"exited","FinishedAt":"2026-11-21T09:21:20Z",{fields}"#)
        };
        let lately = r#""Status":"running","StartedAt":"2026-11-21T09:24:12Z""#;
        let oom = exited(r#""ExitCode":137,"OOMKilled":true"#);
        let well = exited(r#""ExitCode":"0","Error":"""#);
        for (state, restarts, policy, named, words) in [
            (running.as_str(), 0, "", true, "ok: running for 2h59m"),
            (&healthy("healthy"), 0, "", true, "ok: running for 2h59m, healthy"),
            (
                &healthy("unhealthy"),
                0,
                "",
                true,
                "critical: unhealthy (4 checks in a row), running for 2h59m",
            ),
            (&healthy("starting"), 0, "", true, "warning: running for 2h59m, health not known yet"),
            (lately, 7, "", true, "warning: came back by itself, running for 8s, 7 restarts"),
            (&running, 7, "", true, "ok: running for 2h59m, 7 restarts"),
            (
                r#""Status":"restarting","ExitCode":1"#,
                12,
                "always",
                true,
                "critical: waits to be restarted: exit code 1, 12 restarts",
            ),
            (&oom, 0, "no", false, "critical: exited 3m ago: out of memory (exit code 137)"),
            (&well, 0, "no", false, "ok: exited 3m ago: exit code 0"),
            (&well, 0, "always", false, "critical: exited 3m ago: exit code 0"),
            (&well, 0, "no", true, "critical: exited 3m ago: exit code 0"),
            (r#""Status":"created""#, 0, "no", true, "critical: created, not started"),
            (r#""Status":"paused""#, 0, "no", true, "critical: paused"),
            (
                r#""Status":"odd""#,
                0,
                "no",
                true,
                "unknown: in a state of which nothing is known: odd",
            ),
            (r#""Status":null"#, 0, "no", true, "unknown: its state is not told"),
        ] {
            let json = format!(
                r#"{{"name":"/api","state":{{{state}}},"restarts":{restarts},"policy":"{policy}"}}"#
            );
            assert_eq!(judged(&json, named), format!("api {words}"), "{json}");
        }
    }

    #[test]
    fn the_format_asks_for_no_environment_and_health_output_is_dropped() {
        assert!(!FORMAT.contains("Env") && !FORMAT.contains("Cmd") && !FORMAT.contains(".Config"));
        let filled = FORMAT.replace("{{json .State}}", r#"{"Status":"running","Health":{"Status":"healthy","Log":[{"Output":"TOKEN=swordfish"}]}}"#);
        let filled = regex::Regex::new(r"\{\{json [^}]*\}\}").unwrap().replace_all(&filled, "1");
        let read = parse(filled.as_bytes()).unwrap();
        assert!(read.len() == 1 && !format!("{read:?}").contains("swordfish"), "{filled}");
    }

    #[test]
    fn refusals_have_their_words() {
        let words = |said: &str| {
            let failed = refused("docker", said.as_bytes());
            (failed.status, failed.summary)
        };
        let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        assert_eq!(words(down), (Status::Critical, "the docker daemon does not run".into()));
        let denied = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://x\": dial unix /var/run/docker.sock: connect: permission denied";
        assert_eq!(
            words(denied),
            (Status::Unknown, "docker: no permission to ask its daemon".into())
        );
        assert_eq!(words(""), (Status::Unknown, "docker: failed without a word".into()));
        assert!(is_absent(b"Error: No such object: nope"));
        assert!(ids(b"0123abcdef\n\nffff\n").unwrap().len() == 2 && ids(b"<html>").is_err());
        assert!(parse(b"not json").is_err() && parse(b"\n").unwrap().is_empty());
    }
}
