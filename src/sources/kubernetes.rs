//! The `kubernetes` check: rollouts and their pods as `kubectl get -o json`
//! tells of them.

mod pods;
mod workload;

use super::client::Shared;
use super::processes::{self, Failed, Part, Tool, last_line, network_cause, timed, verdict};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Shape, Table, home_path, key};
use crate::domain::{CheckReading, PollError, Reading, SourceInfo, Status, Timestamp};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Check,
    name: "kubernetes",
    keys: &[KEYS, processes::KEYS],
    network: true,
    make,
};

const KEYS: &[Key] = &[
    key("kubernetes", Shape::OneOrMore(&Shape::Name), "Workloads that must be rolled out and available: `deployment/NAME`, `statefulset/NAME`, `daemonset/NAME`.")
        .like(r#"["deployment/api", "statefulset/db"]"#)
        .needed(),
    key("namespace", Shape::Name, "Their namespace; that of the context where left out.").like("shop"),
    key("context", Shape::Name, "The context of the kubeconfig; its current one where left out.").like("prod"),
    key("kubeconfig", Shape::Path, "The kubeconfig, where kubectl does not find it by itself.").like("~/.kube/config"),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, and words that belong before its arguments.")
        .or(r#""kubectl""#),
];

/// More workloads than these are not asked of in one check: each costs a question for its pods.
const MOST: usize = 20;

/// Workloads of a cluster.
struct Kubernetes {
    info: SourceInfo,
    shared: Arc<Shared>,
    tool: Tool,
    /// `deployment/api`
    names: Vec<String>,
    /// What stands before each question.
    whereto: Vec<String>,
    within: Duration,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let mut names = Vec::new();
    for word in table.placed_texts("kubernetes") {
        if let Some(name) = workload::resource(&word.it) {
            names.push(name);
        } else {
            let help = "such as \"deployment/api\", \"statefulset/db\" or \"daemonset/logs\"";
            mistakes.wrong_but(word.span, "this is no workload", help);
        }
    }
    if names.is_empty() || names.len() > MOST {
        if !names.is_empty() {
            let help = format!("at most {MOST} in one check");
            mistakes.wrong_but(table.span_of("kubernetes"), "these are too many", help);
        }
        return None;
    }
    let mut whereto = Vec::new();
    if let Some(path) = table.optional_text("kubeconfig") {
        // The home folder of whoever runs it elsewhere is known there only.
        let path =
            if table.has("via") { path } else { home_path(&path).to_string_lossy().into_owned() };
        whereto.push(format!("--kubeconfig={path}"));
    }
    for key in ["context", "namespace"] {
        whereto.extend(table.optional_text(key).map(|name| format!("--{key}={name}")));
    }
    let tool = Tool::read(table, &mut info, &format!("kubectl get {}", names.join(" ")), mistakes)?;
    info.cost = format!("{} kubectl get: the workloads, and the pods of each", names.len() + 1);
    let within = table.duration("restarted_within");
    Some(Arc::new(Kubernetes { info, shared, tool, names, whereto, within }))
}

impl Kubernetes {
    async fn ask(&self, now: Timestamp) -> Result<CheckReading, Failed> {
        let begun = self.shared.monotonic();
        let left = || {
            let used = self.shared.monotonic().saturating_sub(begun);
            self.info.timeout.saturating_sub(used)
        };
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let ran = self.get(&names, left()).await?;
        let found = workload::parse(&ran.out).or_else(|unusable| {
            // Where all are absent there is nothing but words on its other output.
            if ran.out.trim_ascii().is_empty() { Ok(Vec::new()) } else { Err(unusable) }
        })?;
        if found.is_empty() && !is_absent(&ran.err) {
            return Err(refused(&ran.err));
        }
        let (mut parts, mut notes) = (Vec::new(), Vec::new());
        for name in &self.names {
            let Some(workload) = found.iter().find(|workload| workload.is(name)) else {
                parts.push(Part::new(name, Status::Critical, "the cluster knows no such workload"));
                continue;
            };
            let mut pods = Vec::new();
            if let Some(selector) = workload.selector() {
                let selector = format!("--selector={selector}");
                match self.pods(&selector, left()).await {
                    Ok(found) => pods = found,
                    Err(why) => notes.push(format!("pods of {name}: {}", why.summary)),
                }
            }
            let troubles = pods::troubles(&pods, now, self.within);
            parts.push(workload::judge(workload, name, &pods, &troubles));
            let full = workload::is_available(workload);
            parts.extend(troubles.into_iter().map(|trouble| trouble.part(full)));
        }
        let mut reading = verdict(parts, "workload");
        reading.notes.extend(notes);
        Ok(reading)
    }

    async fn pods(&self, selector: &str, limit: Duration) -> Result<Vec<pods::Pod>, Failed> {
        let ran = self.get(&["pods", selector], limit).await?;
        if !ran.status.success() {
            return Err(refused(&ran.err));
        }
        pods::parse(&ran.out)
    }

    async fn get(&self, what: &[&str], limit: Duration) -> Result<super::process::Ran, Failed> {
        // Its own limit ends before ours, so that it can say why.
        let own = format!("--request-timeout={}ms", limit.mul_f64(0.9).as_millis().max(1));
        let mut arguments: Vec<&str> = self.whereto.iter().map(String::as_str).collect();
        arguments.push("get");
        arguments.extend(what);
        arguments.extend(["-o", "json", &own]);
        self.tool.run(&arguments, limit).await.map_err(|failed| Failed {
            // That nobody answers says nothing about the workloads.
            status: Status::Unknown,
            ..failed
        })
    }
}

fn is_absent(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).contains("(NotFound)")
}

/// kubectl got no answer; its last line is for people, those before are its log's.
fn refused(said: &[u8]) -> Failed {
    let said = last_line(said);
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    let said = said.strip_prefix("Error from server ").unwrap_or(said);
    if said.is_empty() {
        return Failed::unasked("kubectl: failed without a word");
    }
    let words = if said.contains("Unauthorized") || said.contains("must be logged in") {
        "the cluster refuses the credentials".to_owned()
    } else if said.contains("(Forbidden)") {
        format!("no permission: {said}")
    } else {
        format!("kubectl: {said}")
    };
    match network_cause(said) {
        Some(cause) => Failed { cause, ..Failed::unasked(words) },
        None => Failed::unasked(words),
    }
}

impl Source for Kubernetes {
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
#[path = "kubernetes/tests.rs"]
mod tests;
