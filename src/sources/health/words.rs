//! The words that health answers use for good and bad.

use crate::domain::Status;

/// Words that say that all is well, in the form that [`normal`] gives.
const GOOD: &[&str] = &[
    "accepting",
    "accepting traffic",
    "active",
    "alive",
    "all good",
    "all systems operational",
    "available",
    "check result ok",
    "connected",
    "correct",
    "fine",
    "good",
    "green",
    "health ok",
    "healthy",
    "imok",
    "in sync",
    "initialized",
    "live",
    "nominal",
    "normal",
    "ok",
    "okay",
    "online",
    "open for business",
    "operational",
    "pass",
    "passed",
    "passing",
    "pong",
    "reachable",
    "ready",
    "running",
    "server is ready",
    "server is not shutting down",
    "serving",
    "stable",
    "started",
    "succeeded",
    "success",
    "successful",
    "synced",
    "true",
    "up",
    "working",
    "yes",
];

/// Words that say that something is impaired, or off on purpose.
const IMPAIRED: &[&str] = &[
    "amber",
    "at risk",
    "check result warning",
    "degraded",
    "degraded performance",
    "degradedperformance",
    "hasissues",
    "health warn",
    "impaired",
    "limited",
    "maintenance",
    "maintenance mode",
    "minor",
    "minor outage",
    "orange",
    "overloaded",
    "partial",
    "partial outage",
    "partialoutage",
    "partially available",
    "partially degraded",
    "slow",
    "under maintenance",
    "undermaintenance",
    "unstable",
    "warn",
    "warning",
    "warnings",
    "yellow",
];

/// Words that say that it does not work.
const BAD: &[&str] = &[
    "bad",
    "broken",
    "check result critical",
    "crashed",
    "crit",
    "critical",
    "dead",
    "disconnected",
    "down",
    "draining",
    "err",
    "error",
    "errored",
    "errors",
    "exited",
    "fail",
    "failed",
    "failing",
    "failure",
    "false",
    "fatal",
    "health err",
    "ko",
    "lost",
    "major",
    "major outage",
    "majoroutage",
    "nok",
    "no",
    "not alive",
    "not available",
    "not connected",
    "not healthy",
    "not ok",
    "not ready",
    "not reachable",
    "not running",
    "not serving",
    "not working",
    "notready",
    "offline",
    "out of service",
    "outage",
    "red",
    "refused",
    "refusing traffic",
    "sealed",
    "server is not ready",
    "server is shutting down",
    "service unavailable",
    "shutting down",
    "stopped",
    "terminating",
    "timed out",
    "timeout",
    "unavailable",
    "unexpected result",
    "unhealthy",
    "unreachable",
    "unready",
];

/// Words that say that nobody knows, or that it was not looked at.
const UNSURE: &[&str] = &[
    "booting",
    "check not implemented",
    "disabled",
    "initializing",
    "n/a",
    "not applicable",
    "not checked",
    "not configured",
    "not implemented",
    "pending",
    "service unknown",
    "skipped",
    "starting",
    "starting up",
    "unconfigured",
    "unknown",
    "warming up",
];

/// How a text begins that reports a failure in its own words.
const COMPLAINTS: &[&str] = &[
    "can't ",
    "cannot ",
    "connection refused",
    "connection reset",
    "could not ",
    "couldn't ",
    "error ",
    "error:",
    "exception",
    "fail ",
    "failed ",
    "failed:",
    "failure ",
    "no connection",
    "timed out ",
    "timeout ",
    "unable to ",
];

/// Lower case, words parted by one blank, no full stop at the end.
pub(super) fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text
        .trim()
        .trim_end_matches(['.', '!'])
        .split(|c: char| c.is_whitespace() || c == '_' || c == '-')
        .filter(|part| !part.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(part.chars().flat_map(char::to_lowercase));
    }
    out
}

/// What a single word or set phrase says; `None` where it is none of ours.
pub(super) fn word(text: &str) -> Option<Status> {
    if text.len() > 64 {
        return None;
    }
    let text = normal(text);
    let is = |words: &[&str]| words.contains(&text.as_str());
    if is(GOOD) {
        Some(Status::Ok)
    } else if is(IMPAIRED) {
        Some(Status::Warning)
    } else if is(BAD) {
        Some(Status::Critical)
    } else if is(UNSURE) {
        Some(Status::Unknown)
    } else {
        None
    }
}

/// What a value says that may go on after its word: `ok (3 ms)`,
/// `error: connection refused`, `unable to connect`.
pub(super) fn phrase(text: &str) -> Option<Status> {
    let text: String = text.trim().chars().take(200).collect();
    if let Some(status) = word(&text) {
        return Some(status);
    }
    let lower = text.to_lowercase();
    if COMPLAINTS.iter().any(|start| lower.starts_with(start)) {
        return Some(Status::Critical);
    }
    let end = lower.find([':', '(', ',', ';', '[']).or_else(|| lower.find(" - "))?;
    word(&lower[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_spelling() {
        for good in ["UP", "Healthy", "HEALTH_OK", "ok.", "  Ready\n", "all-systems operational"] {
            assert_eq!(word(good), Some(Status::Ok), "{good}");
        }
        assert_eq!(word("Partially Available"), Some(Status::Warning));
        assert_eq!(word("OUT_OF_SERVICE"), Some(Status::Critical));
        assert_eq!(word("check_not_implemented"), Some(Status::Unknown));
        assert_eq!(word("IDLE"), None);
        assert_eq!(word("not quite ok"), None);
    }

    #[test]
    fn a_phrase_is_known_by_how_it_begins() {
        assert_eq!(phrase("error: connection refused"), Some(Status::Critical));
        assert_eq!(phrase("Unable to connect to db"), Some(Status::Critical));
        assert_eq!(phrase("ok (3 ms)"), Some(Status::Ok));
        assert_eq!(phrase("connected, 4 clients"), Some(Status::Ok));
        assert_eq!(phrase("okra"), None);
        assert_eq!(phrase("postgres 15: primary"), None);
    }

    #[test]
    fn no_word_stands_in_two_lists_and_all_are_in_normal_form() {
        let lists = [GOOD, IMPAIRED, BAD, UNSURE];
        let all: Vec<&str> = lists.iter().flat_map(|list| list.iter().copied()).collect();
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{one} stands twice");
            assert_eq!(normal(one), *one);
        }
    }
}
