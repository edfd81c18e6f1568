//! Pods that do not run as they should, and why.

use crate::domain::{Status, Timestamp, units};
use crate::sources::processes::{Failed, Part, count, moment, no_json, text, whole};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// A pod, and no more of it than is judged: its spec holds environments.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    metadata: Metadata,
    status: State,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: Value,
    deletion_timestamp: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct State {
    phase: Value,
    reason: Value,
    conditions: Option<Vec<Condition>>,
    init_container_statuses: Option<Vec<Container>>,
    container_statuses: Option<Vec<Container>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: Value,
    status: Value,
    reason: Value,
    message: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    ready: Value,
    restart_count: Value,
    state: Option<Phase>,
    last_state: Option<Phase>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Phase {
    waiting: Option<Waiting>,
    running: Option<Running>,
    terminated: Option<Terminated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Running {
    started_at: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Terminated {
    reason: Value,
    exit_code: Value,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    items: Option<Vec<Pod>>,
}

/// What `kubectl get pods -o json` printed.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Pod>, Failed> {
    let list: List = serde_json::from_slice(bytes).map_err(|error| no_json("kubectl", &error))?;
    Ok(list.items.unwrap_or_default())
}

impl Pod {
    /// How often its containers were started again.
    pub(super) fn restarts(&self) -> u64 {
        let all = self.status.container_statuses.iter().flatten();
        all.filter_map(|container| count(&container.restart_count)).sum()
    }
}

/// A pod that does not run as it should.
#[derive(Debug, PartialEq)]
pub(super) struct Trouble {
    pod: String,
    pub(super) words: String,
    /// It does not serve, beyond what a start takes.
    pub(super) hurts: bool,
    restarts: u64,
}

impl Trouble {
    /// As a part; where others serve for it, it is no more than a warning.
    pub(super) fn part(self, others_serve: bool) -> Part {
        let status = match (self.hurts, others_serve) {
            (true, false) => Status::Critical,
            _ => Status::Warning,
        };
        Part::new(&format!("pod {}", self.pod), status, &self.words).restarted(Some(self.restarts))
    }
}

/// The pods in trouble, the worst first. Those that are being ended are left out.
pub(super) fn troubles(pods: &[Pod], now: Timestamp, within: Duration) -> Vec<Trouble> {
    let stay = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_null());
    let mut troubles: Vec<Trouble> = stay.filter_map(|pod| trouble(pod, now, within)).collect();
    troubles.sort_by_key(|trouble| std::cmp::Reverse((trouble.hurts, trouble.restarts)));
    troubles
}

fn trouble(pod: &Pod, now: Timestamp, within: Duration) -> Option<Trouble> {
    let (words, hurts) = why(pod, now, within)?;
    let name = text(&pod.metadata.name).to_owned();
    Some(Trouble { pod: name, words, hurts, restarts: pod.restarts() })
}

fn why(pod: &Pod, now: Timestamp, within: Duration) -> Option<(String, bool)> {
    let state = &pod.status;
    let containers = || {
        state
            .init_container_statuses
            .iter()
            .flatten()
            .chain(state.container_statuses.iter().flatten())
    };
    for container in containers() {
        let Some(is) = &container.state else { continue };
        if let Some(waiting) = &is.waiting {
            let reason = text(&waiting.reason);
            // These are what a start goes through.
            if !matches!(reason, "" | "ContainerCreating" | "PodInitializing") {
                return Some((format!("{reason}{}", last_end(container)), true));
            }
        }
        if let Some(ended) = &is.terminated
            && whole(&ended.exit_code) != Some(0)
        {
            return Some((end(ended), true));
        }
    }
    let scheduled = state.conditions.iter().flatten().find(|is| text(&is.kind) == "PodScheduled");
    if let Some(not) = scheduled.filter(|is| text(&is.status) == "False") {
        let message = text(&not.message);
        let message = message.split(". ").next().unwrap_or_default();
        return Some((format!("{}: {message}", text(&not.reason)), true));
    }
    match text(&state.phase) {
        "Failed" if text(&state.reason) == "Evicted" => return None,
        "Failed" => return Some((format!("failed {}", text(&state.reason)), true)),
        "Unknown" => return Some(("its node does not answer".into(), true)),
        _ => {}
    }
    for container in state.container_statuses.iter().flatten() {
        let running = container.state.as_ref().and_then(|is| is.running.as_ref());
        let since = running.and_then(|is| moment(text(&is.started_at)));
        let lately = since.is_some_and(|since| now.since(since) <= within);
        if lately && count(&container.restart_count).unwrap_or(0) > 0 {
            let up = since.map_or_else(String::new, |since| units::age(now.since(since)));
            return Some((format!("came back {up} ago{}", last_end(container)), false));
        }
        if container.ready.as_bool() == Some(false) && running.is_some() {
            return Some(("runs and is not ready".into(), !lately));
        }
    }
    None
}

/// Why the container's last run ended.
fn last_end(container: &Container) -> String {
    let ended = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    ended.map_or_else(String::new, |ended| format!(" after {}", end(ended)))
}

fn end(ended: &Terminated) -> String {
    let code = whole(&ended.exit_code).map_or_else(String::new, |code| format!("exit code {code}"));
    match text(&ended.reason) {
        "" | "Error" | "Completed" => code,
        reason => format!("{reason} ({code})"),
    }
}
