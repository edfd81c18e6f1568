//! The `supervisor` check: processes of a supervisord, asked over its XML-RPC
//! or through `supervisorctl`.

mod rpc;
mod status;

use super::client::Shared;
use super::processes::{self, Failed, Part, Restarts, Tool, timed, verdict};
use super::{Brought, Kind, Made, Source};
use crate::config::{
    CLIENT, Client, Family, Key, Keys, Mistakes, Shape, TRUST, Table, home_path, key,
};
use crate::domain::{CheckReading, PollError, Reading, SourceInfo, Status, Timestamp, units};
use futures_util::future::BoxFuture;
use rpc::Server;
use std::sync::Arc;
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Check,
    name: "supervisor",
    keys: &[KEYS, processes::KEYS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key("supervisor", Shape::OneOrMore(&Shape::Name), "Processes that must run: `name`, `group:name`, `group:*`; `*` for all.")
        .like(r#"["web", "worker:*"]"#)
        .needed(),
    key("server", Shape::TableOr("url", SERVER), "Asks supervisord itself over its XML-RPC, which costs least and tells exit codes: `\"unix:///run/supervisor.sock\"`, `{ url = \"http://app-1:9001\", auth = { basic = { user = \"ops\", password = \"file:/etc/opsroom/sup\" } } }`. Left out, `supervisorctl` is run, which takes credentials from its own config.")
        .instead_of("program"),
    key("config", Shape::Path, "The config that supervisorctl reads, where it does not find it by itself.")
        .like("/etc/supervisor/supervisord.conf"),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, and words that belong before its arguments.")
        .or(r#""supervisorctl""#),
];

/// A supervisord's own address.
const SERVER: Keys = &[
    &[key("url", Shape::Name, "Its socket or its HTTP server.")
        .like("unix:///run/supervisor.sock")
        .needed()],
    CLIENT,
    TRUST,
];

/// Processes of a supervisord.
struct Supervisor {
    info: SourceInfo,
    shared: Arc<Shared>,
    way: Way,
    names: Vec<String>,
    within: Duration,
    restarts: Restarts,
}

/// How it is asked.
enum Way {
    Rpc(Server),
    Tool { tool: Tool, config: Option<String> },
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, connect_timeout, .. } = made;
    let names = table.texts("supervisor");
    if names.is_empty() || names.iter().any(|name| name.starts_with('-')) {
        let help = "such as \"web\", \"worker:*\" or \"*\"";
        mistakes.wrong_but(table.span_of("supervisor"), "this is no process", help);
        return None;
    }
    let way = if let Some(server) = table.table("server") {
        for key in ["via", "config", "program"] {
            if table.has(key) {
                let message = format!("`server` and `{key}` at once");
                mistakes.wrong_but(table.span_of(key), message, "supervisorctl is not run");
            }
        }
        let client = Client::read(server, mistakes);
        let limits = (info.timeout, connect_timeout);
        let Some(server) = Server::new(&server.text("url"), client, limits) else {
            let help = "such as \"unix:///run/supervisor.sock\" or \"http://app-1:9001\"";
            mistakes.wrong_but(server.span_of("url"), "this is no address of supervisord", help);
            return None;
        };
        info.asks = format!("getAllProcessInfo {}", server.shown());
        info.network = server.is_network();
        info.cost = "1 XML-RPC getAllProcessInfo".into();
        Way::Rpc(server)
    } else {
        let asks = format!("supervisorctl status {}", names.join(" "));
        let tool = Tool::read(table, &mut info, &asks, mistakes)?;
        info.cost = "1 supervisorctl status: starts Python, about 0.2 s of CPU".into();
        // The home folder of whoever runs it elsewhere is known there only.
        let config = table.optional_text("config").map(|path| {
            if table.has("via") { path } else { home_path(&path).to_string_lossy().into_owned() }
        });
        Way::Tool { tool, config }
    };
    let within = table.duration("restarted_within");
    let restarts = Restarts::default();
    Some(Arc::new(Supervisor { info, shared, way, names, within, restarts }))
}

/// A process as supervisord tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Process {
    /// `name`, or `group:name` where they differ.
    name: String,
    group: String,
    state: String,
    /// Why it does not run, or what else is told of it.
    words: String,
    /// For how long it runs, or has not run.
    held: Option<Duration>,
    /// The moment of its start, on supervisord's own clock.
    start: Option<i64>,
    pid: Option<i64>,
    /// None where it is not told.
    exit: Option<i64>,
    /// It was never started.
    fresh: bool,
}

impl Process {
    /// Whether one of the names of the config means it.
    fn is_meant_by(&self, name: &str) -> bool {
        let own = self.name.rsplit(':').next().unwrap_or_default();
        name == "*"
            || name == self.name
            || name == format!("{}:{own}", self.group)
            || name == format!("{}:*", self.group)
            || name.strip_suffix(':').is_some_and(|group| group == self.group)
    }
}

impl Supervisor {
    async fn ask(&self, now: Timestamp) -> Result<CheckReading, Failed> {
        let processes = match &self.way {
            Way::Rpc(server) => server.ask(&self.shared).await?,
            Way::Tool { tool, config } => {
                let mut arguments = Vec::new();
                if let Some(config) = config {
                    arguments.extend(["-c", config.as_str()]);
                }
                arguments.push("status");
                if !self.names.iter().any(|name| name == "*") {
                    arguments.extend(self.names.iter().map(String::as_str));
                }
                let ran = tool.run(&arguments, self.info.timeout).await?;
                status::parse(&ran.out, &ran.err, now)?
            }
        };
        Ok(self.judge_all(&processes, now))
    }

    fn judge_all(&self, processes: &[Process], now: Timestamp) -> CheckReading {
        let mut parts = Vec::new();
        for process in processes {
            let mut meant = self.names.iter().filter(|name| process.is_meant_by(name)).peekable();
            if meant.peek().is_none() {
                continue;
            }
            let named = meant.any(|name| name != "*");
            // Reckoned from whole seconds, a start's moment is off by one at times.
            let rises = process
                .start
                .map(|start| self.restarts.seen_above(&process.name, start, 2, now, self.within));
            parts.push(judge(process, named, self.within, rises.unwrap_or(0)));
        }
        for name in &self.names {
            let is_there = processes.iter().any(|process| process.is_meant_by(name));
            if !is_there {
                let words = "supervisord knows no such process";
                parts.push(Part::new(name, Status::Critical, words));
            }
        }
        verdict(parts, "process")
    }
}

/// How a process stands; states as in supervisor's `states.py`. One that is
/// `named` must run, of the others those may rest that were never started.
fn judge(of: &Process, named: bool, within: Duration, rises: usize) -> Part {
    let part = |status, words: String| Part::new(&of.name, status, words);
    let held = of.held.map_or_else(String::new, |held| format!(" for {}", units::age(held)));
    let ago = of.held.map_or_else(String::new, |held| format!(" {} ago", units::age(held)));
    let why = if of.words.is_empty() { "no reason told" } else { &of.words };
    match of.state.as_str() {
        "RUNNING" if rises > 1 => {
            let within = units::age(within);
            part(Status::Warning, format!("restarted {rises} times in {within}, running{held}"))
        }
        "RUNNING" => {
            let pid = of.pid.map_or_else(String::new, |pid| format!(", pid {pid}"));
            let again = if rises > 0 { ", restarted once" } else { "" };
            part(Status::Ok, format!("running{held}{pid}{again}"))
        }
        "STARTING" => part(Status::Warning, "starting".into()),
        "STOPPING" => part(Status::Warning, "stopping".into()),
        "BACKOFF" => part(Status::Critical, format!("cannot start, tries again: {why}")),
        "FATAL" => part(Status::Critical, format!("FATAL, given up: {why}")),
        // Supervisor was told not to start it again after such an end.
        "EXITED" => match of.exit {
            Some(0) => part(Status::Ok, format!("a job; ended well{ago}")),
            Some(code) => part(Status::Critical, format!("exited{ago}: exit code {code}")),
            None => {
                let words = "exited; supervisorctl does not tell with which exit code";
                part(Status::Warning, words.into())
            }
        },
        "STOPPED" if of.fresh && !named => part(Status::Ok, "not started, by its config".into()),
        "STOPPED" if of.fresh => part(Status::Critical, "never started".into()),
        "STOPPED" => part(Status::Critical, format!("stopped{ago}")),
        "NONE" => part(Status::Critical, "supervisord knows no such process".into()),
        "" | "UNKNOWN" => part(Status::Unknown, "supervisord does not know its state".into()),
        other => part(Status::Unknown, format!("in a state of which nothing is known: {other}")),
    }
}

impl Source for Supervisor {
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
#[path = "supervisor/tests.rs"]
mod tests;
