//! What the keys of JSON health answers mean.

use serde_json::Value;

/// Keys whose value is the verdict of the object that they stand in.
const STRONG: &[&str] = &[
    "globalstatus",
    "health",
    "healthstatus",
    "healthy",
    "ishealthy",
    "outcome",
    "overall",
    "overallhealth",
    "overallstatus",
    "status",
    "statusname",
];

/// Keys that are a verdict where their value is one, and may be anything else too.
const WEAK: &[&str] = &[
    "alive",
    "available",
    "connected",
    "indicator",
    "initialized",
    "installed",
    "isalive",
    "isready",
    "level",
    "live",
    "ok",
    "passed",
    "reachable",
    "ready",
    "result",
    "state",
    "success",
    "up",
];

/// Keys whose `true` is bad, and whether it is a failure or only an impairment.
const INVERSE: &[(&str, bool)] = &[
    ("deadlocked", true),
    ("degraded", false),
    ("down", true),
    ("draining", true),
    ("failed", true),
    ("maintenance", false),
    ("maintenancemode", false),
    ("needsdbupgrade", false),
    ("sealed", true),
    ("shuttingdown", true),
    ("unhealthy", true),
];

/// Keys under which the parts of a system are listed.
const CONTAINERS: &[&str] = &[
    "backends",
    "checkresults",
    "checks",
    "components",
    "conditions",
    "dependencies",
    "details",
    "entries",
    "healthchecks",
    "indicators",
    "probes",
    "results",
    "services",
    "subsystems",
];

/// Objects and lists that speak of something else than health.
const ELSEWHERE: &[&str] = &[
    "alarms",
    "alerts",
    "args",
    "build",
    "capabilities",
    "causes",
    "config",
    "data",
    "env",
    "events",
    "experiments",
    "featureflags",
    "features",
    "flags",
    "git",
    "headers",
    "history",
    "incidents",
    "links",
    "meta",
    "metadata",
    "mutes",
    "options",
    "page",
    "params",
    "request",
    "responseheader",
    "scheduledmaintenances",
    "settings",
    "toggles",
    "user",
];

/// Words in a key that make its value a description and never a state.
const DESCRIBES: &[&str] = &[
    "branch",
    "build",
    "code",
    "color",
    "colour",
    "comment",
    "commit",
    "date",
    "description",
    "detail",
    "details",
    "edition",
    "env",
    "environment",
    "hash",
    "help",
    "id",
    "kind",
    "lang",
    "level",
    "locale",
    "message",
    "mode",
    "msg",
    "name",
    "note",
    "notes",
    "output",
    "phase",
    "platform",
    "previous",
    "product",
    "reason",
    "release",
    "revision",
    "role",
    "sha",
    "stage",
    "state",
    "summary",
    "tag",
    "tier",
    "time",
    "timestamp",
    "timezone",
    "title",
    "type",
    "uptime",
    "uri",
    "url",
    "version",
    "versionstring",
];

/// Words in a key whose value most often names something, but may be a state.
const NAMES: &[&str] = &[
    "app",
    "application",
    "cluster",
    "host",
    "hostname",
    "instance",
    "ip",
    "node",
    "os",
    "pid",
    "port",
    "region",
    "runtime",
    "server",
    "service",
    "site",
    "zone",
];

/// Words in a key that make a boolean beside the verdict a part of the system.
const PARTS: &[&str] = &[
    "alive",
    "api",
    "available",
    "bucket",
    "broker",
    "cache",
    "celery",
    "connected",
    "database",
    "db",
    "disk",
    "elastic",
    "elasticsearch",
    "healthy",
    "kafka",
    "mail",
    "memcached",
    "mongo",
    "mongodb",
    "mysql",
    "nats",
    "ok",
    "postgres",
    "postgresql",
    "queue",
    "rabbitmq",
    "reachable",
    "ready",
    "redis",
    "s3",
    "search",
    "smtp",
    "sqlite",
    "storage",
    "up",
    "worker",
    "workers",
];

/// Endings of a key that name what its value is of: `database_status`.
const ENDINGS: &[&str] = &[
    "status",
    "health",
    "healthy",
    "connected",
    "connection",
    "ok",
    "up",
    "ready",
    "alive",
    "available",
    "reachable",
];

/// The key in lower case, letters and digits only.
pub(super) fn normal(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a key: `dbStatus` and `db_status` are `db`, `status`.
fn tokens(key: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut fresh = true;
    let mut lower_before = false;
    for c in key.chars() {
        if !c.is_alphanumeric() {
            fresh = true;
            continue;
        }
        if fresh || (c.is_uppercase() && lower_before) {
            tokens.push(String::new());
        }
        fresh = false;
        lower_before = c.is_lowercase() || c.is_numeric();
        if let Some(last) = tokens.last_mut() {
            last.extend(c.to_lowercase());
        }
    }
    tokens
}

pub(super) fn is_strong(normal: &str) -> bool {
    STRONG.contains(&normal)
}

pub(super) fn is_weak(normal: &str) -> bool {
    WEAK.contains(&normal)
}

/// Whether this key's `true` is bad; `Some(true)` where it is a failure.
pub(super) fn inverse(normal: &str) -> Option<bool> {
    INVERSE.iter().find(|(key, _)| *key == normal).map(|(_, failure)| *failure)
}

pub(super) fn is_container(normal: &str) -> bool {
    CONTAINERS.contains(&normal)
}

pub(super) fn speaks_of_something_else(normal: &str) -> bool {
    ELSEWHERE.contains(&normal)
}

/// Its value describes and is never a state, not even if it reads `ok`.
pub(super) fn describes(key: &str) -> bool {
    tokens(key).iter().any(|token| DESCRIBES.contains(&token.as_str()))
}

/// Its value, where it is no known word, is most likely a name.
pub(super) fn names(key: &str) -> bool {
    tokens(key).iter().any(|token| NAMES.contains(&token.as_str())) || describes(key)
}

/// A boolean under this key says whether a part works.
pub(super) fn names_a_part(key: &str) -> bool {
    tokens(key).iter().any(|token| PARTS.contains(&token.as_str()))
}

/// `database_status` without its ending: `database`.
pub(super) fn without_ending(key: &str) -> Option<&str> {
    let lower = key.to_ascii_lowercase();
    ENDINGS.iter().find_map(|ending| {
        let cut = lower.strip_suffix(ending)?.len();
        let stem = key.get(..cut)?;
        let parted = stem.ends_with(['_', '-', '.', ' ']);
        let camel =
            key.get(cut..)?.starts_with(char::is_uppercase) && stem.ends_with(char::is_lowercase);
        let stem = stem.trim_end_matches(['_', '-', '.', ' ']);
        ((parted || camel) && !stem.is_empty()).then_some(stem)
    })
}

/// The name that an object in a list gives itself.
pub(super) fn own_name(map: &serde_json::Map<String, Value>) -> Option<String> {
    const NAMED: &[&str] = &[
        "name",
        "checkname",
        "checkid",
        "check",
        "checker",
        "component",
        "service",
        "label",
        "id",
        "key",
        "type",
        "resource",
        "system",
    ];
    // Consul's check ids are unique, its names are not.
    let consul = map.get("CheckID").and_then(Value::as_str);
    if let Some(id) = consul {
        return Some(id.to_owned());
    }
    NAMED.iter().find_map(|wanted| {
        let (_, value) = map.iter().find(|(key, _)| normal(key) == *wanted)?;
        match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_come_off_and_words_are_found() {
        assert_eq!(without_ending("database_status"), Some("database"));
        assert_eq!(without_ending("dbStatus"), Some("db"));
        assert_eq!(without_ending("status"), None);
        assert_eq!(without_ending("backup"), None);
        assert!(describes("orchestrator_state") && describes("enterpriseCommit"));
        assert!(!describes("CacheBackend") && names("serviceName"));
        assert!(names_a_part("redis") && !names_a_part("debug"));
    }
}
