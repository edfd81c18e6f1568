//! Health answers in plain text and HTML.

use super::{Body, MOST_COMPONENTS, detail, name};
use super::{keys, words};
use crate::domain::{Component, Status};

/// Longer texts are pages, not words.
const LONGEST_WORD: usize = 64;

/// Reads a text: Kubernetes' and etcd's `[+]name ok` lines, `name: PASSED …`
/// lines as Ruby's okcomputer writes them, one known word, or Rails' page with a colour.
pub(super) fn read(text: &str) -> Body {
    let text = text.trim();
    if text.is_empty() {
        return Body::default();
    }
    if let Some(body) = marked_lines(text).or_else(|| named_lines(text)) {
        return body;
    }
    if text.starts_with('<') {
        return Body { status: page_colour(text), ..Body::default() };
    }
    let first = text.lines().next().unwrap_or_default().trim();
    let status = if text.len() <= LONGEST_WORD {
        words::phrase(text).or_else(|| words::word(first))
    } else if text.len() <= 8 * LONGEST_WORD {
        words::word(first)
    } else {
        None
    };
    Body { status, word: status.map(|_| detail(first)), ..Body::default() }
}

/// `[+]etcd ok`, `[-]etcd failed: reason withheld`
/// (k8s.io/apiserver, pkg/server/healthz/healthz.go).
fn marked_lines(text: &str) -> Option<Body> {
    let mut components = Vec::new();
    for line in text.lines().take(MOST_COMPONENTS) {
        let line = line.trim();
        let (status, rest) = if let Some(rest) = line.strip_prefix("[+]") {
            (Status::Ok, rest)
        } else if let Some(rest) = line.strip_prefix("[-]") {
            (Status::Critical, rest)
        } else {
            continue;
        };
        let (called, says) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let status = if status == Status::Ok && says.starts_with("excluded") {
            Status::Unknown
        } else {
            status
        };
        components.push(Component {
            name: name(called),
            status,
            detail: if says == "ok" { String::new() } else { detail(says) },
        });
    }
    if components.is_empty() {
        return None;
    }
    let bad = components.iter().any(|component| component.status == Status::Critical);
    let status = Some(if bad { Status::Critical } else { Status::Ok });
    Some(Body { status, components, ..Body::default() })
}

/// `database: PASSED Schema version: 1 (0.02s)` in every line.
fn named_lines(text: &str) -> Option<Body> {
    let mut components = Vec::new();
    let mut whole: Option<Status> = None;
    for line in text.lines().take(MOST_COMPONENTS) {
        let (called, says) = line.split_once(": ").or_else(|| line.split_once('='))?;
        let first = says.split_whitespace().next()?;
        let status = words::word(first)?;
        if keys::is_strong(&keys::normal(called)) {
            whole = whole.max(Some(status));
            continue;
        }
        let reason = if status == Status::Ok { "" } else { says };
        components.push(Component { name: name(called), status, detail: detail(reason) });
    }
    let worst = components.iter().map(|component| component.status).max();
    let status = match (whole, worst) {
        (Some(Status::Ok), Some(Status::Critical)) => Status::Warning,
        (Some(whole), _) => whole,
        (None, worst) => worst?,
    };
    Some(Body { status: Some(status), components, ..Body::default() })
}

/// Rails answers a page of one colour: green or red
/// (railties, `health_controller.rb`).
fn page_colour(page: &str) -> Option<Status> {
    let page: String = page.chars().take(1_000).filter(|c| !c.is_whitespace()).collect();
    let page = page.to_lowercase();
    if page.contains("background-color:red") {
        Some(Status::Critical)
    } else if page.contains("background-color:green") {
        Some(Status::Ok)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_marks_are_components_and_one_bad_one_is_enough() {
        let body = read("[+]ping ok\n[-]etcd failed: reason withheld\nhealthz check failed\n");
        assert_eq!(body.status, Some(Status::Critical));
        assert_eq!(body.components.len(), 2);
        assert_eq!(body.components[1].name, "etcd");
        assert_eq!(body.components[1].detail, "failed: reason withheld");
    }

    #[test]
    fn okcomputer_lines_are_components() {
        let body = read("default: PASSED Application is running (0s)\nredis: FAILED refused (0s)");
        assert_eq!(body.status, Some(Status::Critical));
        assert_eq!(body.components[0].status, Status::Ok);
        assert_eq!(body.components[1].name, "redis");
    }

    #[test]
    fn a_page_or_prose_says_nothing_about_health() {
        for text in ["<html><body>Down the rabbit hole</body></html>", "Welcome to nginx", ""] {
            assert_eq!(read(text).status, None, "{text}");
        }
        assert_eq!(read("Ok.\n").status, Some(Status::Ok));
        assert_eq!(read("DRAINING").status, Some(Status::Critical));
        assert_eq!(read("healthy\nversion 1.2, built today").status, Some(Status::Ok));
        assert_eq!(read("status: DOWN\ndb: OK\n").status, Some(Status::Critical));
        assert_eq!(read("status=ok").components.len(), 0);
    }
}
