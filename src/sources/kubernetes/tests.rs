//! The `kubernetes` check on answers in the shape of the API's documentation.

use super::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_millis(1_795_253_060_000); // 2026-11-21T09:24:20Z
const WITHIN: Duration = Duration::from_mins(5);

fn judged(kind: &str, spec: &serde_json::Value, status: &serde_json::Value) -> (Status, String) {
    let body = json!({
        "kind": kind, "metadata": {"name": "api", "generation": 5}, "spec": spec, "status": status,
    });
    let found = workload::parse(body.to_string().as_bytes()).unwrap();
    let part = workload::judge(&found[0], "x", &[], &[]);
    (part.status, part.detail)
}

fn deployment(status: &serde_json::Value) -> (Status, String) {
    let mut whole = json!({"observedGeneration": 5});
    whole.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    judged("Deployment", &json!({"replicas": 3}), &whole)
}

#[test]
fn a_rollout_is_done_stuck_or_on_its_way() {
    let full = json!({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
    let is = |status: Status, words: &str| (status, words.to_owned());
    assert_eq!(deployment(&full), is(Status::Ok, "3 of 3 available"));
    assert_eq!(
        deployment(&json!({})),
        is(Status::Critical, "none of 3 available, rolling out: 0 of 3 new")
    );
    assert_eq!(
        deployment(&json!({"replicas": 4, "updatedReplicas": 1, "availableReplicas": 3})),
        is(Status::Ok, "3 of 3 available, rolling out: 1 of 3 new")
    );
    assert_eq!(
        deployment(&json!({"replicas": 4, "updatedReplicas": 3, "availableReplicas": 3})),
        is(Status::Ok, "3 of 3 available, rolling out: 1 old ones still end")
    );
    assert_eq!(
        deployment(&json!({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 2})),
        is(Status::Warning, "2 of 3 available")
    );
    let stuck = json!({
        "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    });
    assert_eq!(
        deployment(&stuck),
        is(Status::Critical, "3 of 3 available, rollout stuck: progress deadline exceeded")
    );
    let quota = json!({
        "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3,
        "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}],
    });
    assert_eq!(
        deployment(&quota),
        is(Status::Critical, "3 of 3 available, pods cannot be made: exceeded quota")
    );
    let unseen = json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
    assert_eq!(
        judged("Deployment", &json!({"replicas": 3}), &unseen),
        is(Status::Ok, "3 of 3 available, the last change is not taken up yet")
    );
    let none = json!({"observedGeneration": 5});
    assert_eq!(
        judged("Deployment", &json!({"replicas": 0}), &none),
        is(Status::Warning, "scaled to 0")
    );
}

#[test]
fn stateful_and_daemon_sets_have_counts_of_their_own() {
    let sets = json!({
        "observedGeneration": 5, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2,
        "currentRevision": "a", "updateRevision": "b",
    });
    let (status, words) = judged("StatefulSet", &json!({"replicas": 2}), &sets);
    assert_eq!((status, words.as_str()), (Status::Ok, "2 of 2 available, rolling out"));
    let daemons = json!({
        "observedGeneration": 5, "desiredNumberScheduled": 4, "updatedNumberScheduled": 4,
        "numberAvailable": 3,
    });
    let (status, words) = judged("DaemonSet", &json!({}), &daemons);
    assert_eq!((status, words.as_str()), (Status::Warning, "3 of 4 available"));
}

#[test]
fn pods_say_why_they_do_not_run() {
    let pod = |status: serde_json::Value| {
        let list = json!({"items": [{"metadata": {"name": "api-1"}, "status": status,
            "spec": {"containers": [{"env": [{"name": "TOKEN", "value": "swordfish"}]}]}}]});
        let pods = pods::parse(list.to_string().as_bytes()).unwrap();
        assert!(!format!("{pods:?}").contains("swordfish"));
        let mut troubles = pods::troubles(&pods, NOW, WITHIN);
        troubles.pop().map(|trouble| {
            let part = trouble.part(false);
            format!("{} {}: {}", part.name, part.status, part.detail)
        })
    };
    let container = |state: serde_json::Value, restarts: u64| {
        json!({"phase": "Running", "containerStatuses": [{"ready": false, "restartCount": restarts,
            "state": state, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]})
    };
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    for (status, words) in [
        (
            container(waiting("CrashLoopBackOff"), 9),
            Some(
                "pod api-1 critical: CrashLoopBackOff after OOMKilled (exit code 137), 9 restarts",
            ),
        ),
        (container(waiting("ContainerCreating"), 0), None),
        (
            container(json!({"running": {"startedAt": "2026-11-21T09:24:12Z"}}), 2),
            Some("pod api-1 warning: came back 8s ago after OOMKilled (exit code 137), 2 restarts"),
        ),
        (
            container(json!({"running": {"startedAt": "2026-11-21T09:24:12Z"}}), 0),
            Some("pod api-1 warning: runs and is not ready"),
        ),
        (
            container(json!({"running": {"startedAt": "2026-11-21T07:24:12Z"}}), 0),
            Some("pod api-1 critical: runs and is not ready"),
        ),
        (
            json!({"phase": "Pending", "containerStatuses": [{"state": waiting("ImagePullBackOff")}]}),
            Some("pod api-1 critical: ImagePullBackOff"),
        ),
        (
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu. more"}]}),
            Some("pod api-1 critical: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu"),
        ),
        (json!({"phase": "Running", "containerStatuses": null}), None),
    ] {
        assert_eq!(pod(status.clone()).as_deref(), words, "{status}");
    }
}

#[test]
fn workloads_are_named_as_kubectl_names_them() {
    for (word, name) in [
        ("deploy/api", Some("deployment/api")),
        ("Deployment.apps/api", Some("deployment/api")),
        ("sts/db", Some("statefulset/db")),
        ("ds/logs", Some("daemonset/logs")),
        ("pod/x", None),
        ("api", None),
        ("deployment/-o", None),
        ("deployment/a b", None),
    ] {
        assert_eq!(workload::resource(word).as_deref(), name, "{word}");
    }
}

#[test]
fn selectors_are_written_as_kubectl_takes_them() {
    let body = json!({"items": [{"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"selector": {
        "matchLabels": {"app": "api", "tier": "web"},
        "matchExpressions": [{"key": "env", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"}]}}}]});
    let found = workload::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(found[0].selector().unwrap(), "app=api,tier=web,env in (a,b),!old");
    assert!(found[0].is("deployment/api") && !found[0].is("statefulset/api"));
}

#[test]
fn refusals_have_their_words_and_their_layer() {
    use crate::domain::Cause;
    for (said, cause, words) in [
        (
            "E1121 09:00:00 1 memcache.go:265] couldn't get current server API group list\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?",
            Cause::Refused,
            "kubectl: The connection to the server localhost:8080 was refused - did you specify the right host or port?",
        ),
        (
            "Unable to connect to the server: dial tcp: lookup k8s.nope: no such host",
            Cause::Name,
            "kubectl: Unable to connect to the server: dial tcp: lookup k8s.nope: no such host",
        ),
        (
            "error: You must be logged in to the server (Unauthorized)",
            Cause::Check,
            "the cluster refuses the credentials",
        ),
        (
            "Error from server (Forbidden): pods is forbidden: User \"x\" cannot list",
            Cause::Check,
            "no permission: (Forbidden): pods is forbidden: User \"x\" cannot list",
        ),
        (
            "error: context \"nope\" does not exist",
            Cause::Check,
            "kubectl: context \"nope\" does not exist",
        ),
    ] {
        let failed = refused(said.as_bytes());
        assert_eq!(
            (failed.status, failed.cause, failed.summary.as_str()),
            (Status::Unknown, cause, words)
        );
    }
    assert!(is_absent(b"Error from server (NotFound): deployments.apps \"x\" not found"));
    assert!(workload::parse(b"<html>").is_err());
    assert!(workload::parse(b"[]").is_err() && pods::parse(b"5").is_err());
    assert!(pods::parse(b"{\"items\":null}").unwrap().is_empty());
}
