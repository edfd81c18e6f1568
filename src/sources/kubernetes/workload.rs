//! Deployments, stateful sets and daemon sets: whether a rollout is done.

use super::pods::{Pod, Trouble};
use crate::domain::Status;
use crate::sources::processes::{Failed, Part, count, no_json, text};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A workload, and no more of it than is judged: its template holds environments.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Workload {
    kind: Value,
    metadata: Metadata,
    spec: Spec,
    status: State,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: Value,
    generation: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    replicas: Value,
    paused: Value,
    selector: Option<Selector>,
    update_strategy: Option<Strategy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Strategy {
    #[serde(rename = "type")]
    kind: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Expression>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Expression {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

/// Counts that are 0 are left out of the JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct State {
    observed_generation: Value,
    replicas: Value,
    updated_replicas: Value,
    ready_replicas: Value,
    available_replicas: Value,
    current_revision: Value,
    update_revision: Value,
    desired_number_scheduled: Value,
    updated_number_scheduled: Value,
    number_available: Value,
    conditions: Option<Vec<Condition>>,
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

/// Either one object, or a list of them.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    items: Option<Vec<Workload>>,
    #[serde(flatten)]
    one: serde_json::Map<String, Value>,
}

/// What `kubectl get -o json` printed.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Workload>, Failed> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|e| no_json("kubectl", &e))?;
    if let Some(items) = answer.items {
        return Ok(items);
    }
    let one = serde_json::from_value(Value::Object(answer.one));
    Ok(vec![one.map_err(|error| no_json("kubectl", &error))?])
}

/// `deployment/api` from any of the ways in which it can be written.
pub(super) fn resource(word: &str) -> Option<String> {
    let (kind, name) = word.trim().split_once('/')?;
    let kind = match kind.to_lowercase().split('.').next()? {
        "deployment" | "deployments" | "deploy" => "deployment",
        "statefulset" | "statefulsets" | "sts" => "statefulset",
        "daemonset" | "daemonsets" | "ds" => "daemonset",
        _ => return None,
    };
    // RFC 1123 subdomains (Kubernetes, "Object Names and IDs").
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    (!name.is_empty() && name.chars().all(fits) && !name.starts_with('-'))
        .then(|| format!("{kind}/{name}"))
}

/// The five counts that the state of a rollout follows from.
struct Counts {
    wanted: u64,
    all: u64,
    updated: u64,
    available: u64,
}

impl Workload {
    fn kind(&self) -> String {
        text(&self.kind).to_lowercase()
    }

    pub(super) fn is(&self, name: &str) -> bool {
        name.split_once('/')
            .is_some_and(|(kind, name)| kind == self.kind() && name == text(&self.metadata.name))
    }

    /// The labels of its pods, as `kubectl -l` takes them.
    pub(super) fn selector(&self) -> Option<String> {
        let selector = self.spec.selector.as_ref()?;
        let labels = selector.match_labels.iter().flatten();
        let mut all: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
        for one in selector.match_expressions.iter().flatten() {
            let values = one.values.as_deref().unwrap_or_default().join(",");
            all.push(match one.operator.as_str() {
                "In" => format!("{} in ({values})", one.key),
                "NotIn" => format!("{} notin ({values})", one.key),
                "Exists" => one.key.clone(),
                "DoesNotExist" => format!("!{}", one.key),
                _ => return None,
            });
        }
        (!all.is_empty()).then(|| all.join(","))
    }

    fn counts(&self) -> Counts {
        let (spec, state) = (&self.spec, &self.status);
        let of = |value| count(value).unwrap_or(0);
        if self.kind() == "daemonset" {
            let wanted = of(&state.desired_number_scheduled);
            return Counts {
                wanted,
                all: wanted,
                updated: of(&state.updated_number_scheduled),
                available: of(&state.number_available),
            };
        }
        // A stateful set before 1.22 does not count what is available.
        let available = count(&state.available_replicas).unwrap_or(0);
        let ready = of(&state.ready_replicas);
        let available = if self.kind() == "statefulset" { available.max(ready) } else { available };
        Counts {
            // Left out it is 1.
            wanted: count(&spec.replicas).unwrap_or(1),
            all: of(&state.replicas),
            updated: of(&state.updated_replicas),
            available,
        }
    }

    fn condition(&self, kind: &str) -> Option<&Condition> {
        let all = self.status.conditions.as_ref()?;
        all.iter().find(|condition| text(&condition.kind) == kind)
    }
}

/// As many of its pods are available as are wanted.
pub(super) fn is_available(workload: &Workload) -> bool {
    let counts = workload.counts();
    counts.wanted > 0 && counts.available >= counts.wanted
}

/// How a workload stands: the comparisons of kubectl's `rollout_status.go`, and
/// how many of its pods serve.
pub(super) fn judge(of: &Workload, name: &str, pods: &[Pod], troubles: &[Trouble]) -> Part {
    let counts = of.counts();
    let Counts { wanted, all, updated, available } = counts;
    let (mut status, mut words) = match (wanted, available) {
        (0, _) => (Status::Warning, "scaled to 0".to_owned()),
        (_, 0) => (Status::Critical, format!("none of {wanted} available")),
        _ if available < wanted => (Status::Warning, format!("{available} of {wanted} available")),
        _ => (Status::Ok, format!("{available} of {wanted} available")),
    };
    let mut at_least = |worse: Status| status = status.max(worse);
    let progressing = of.condition("Progressing");
    let stuck = progressing.is_some_and(|is| text(&is.reason) == "ProgressDeadlineExceeded");
    let failure = of.condition("ReplicaFailure").filter(|is| text(&is.status) == "True");
    let (generation, seen) =
        (count(&of.metadata.generation), count(&of.status.observed_generation));
    let by_hand = of.spec.update_strategy.as_ref().is_some_and(|is| text(&is.kind) == "OnDelete");
    let revisions = (text(&of.status.current_revision), text(&of.status.update_revision));
    let rollout = if stuck {
        at_least(Status::Critical);
        Some("rollout stuck: progress deadline exceeded".to_owned())
    } else if let Some(failure) = failure {
        at_least(Status::Critical);
        Some(format!("pods cannot be made: {}", text(&failure.message)))
    } else if generation > Some(seen.unwrap_or(0)) {
        Some("the last change is not taken up yet".to_owned())
    } else if of.spec.paused.as_bool() == Some(true) {
        Some("rollout paused".to_owned())
    } else if by_hand || wanted == 0 {
        None
    } else if updated < wanted {
        Some(format!("rolling out: {updated} of {wanted} new"))
    } else if all > updated {
        Some(format!("rolling out: {} old ones still end", all - updated))
    } else if of.kind() == "statefulset" && !revisions.1.is_empty() && revisions.0 != revisions.1 {
        Some("rolling out".to_owned())
    } else {
        None
    };
    if let Some(rollout) = rollout {
        words = format!("{words}, {rollout}");
    }
    if let Some(worst) = troubles.first() {
        if worst.hurts {
            at_least(Status::Warning);
        }
        words = format!("{words}; {}", worst.words);
    }
    let restarts = (!pods.is_empty()).then(|| pods.iter().map(Pod::restarts).sum());
    Part::new(name, status, words).restarted(restarts)
}
