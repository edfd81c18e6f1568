//! Health answers as the usual frameworks and servers give them, read by their meaning.

mod json;
mod keys;
mod text;
mod words;

use crate::domain::harmless::harmless_within;
use crate::domain::{Component, Status};

/// More parts than this are not shown.
const MOST_COMPONENTS: usize = 200;

/// What a health answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The status that HTTP's code and the body make together.
    pub status: Status,
    /// The reason in a few words, harmless to show: `HTTP 503, redis error`.
    pub summary: String,
    /// The parts that the body speaks of.
    pub components: Vec<Component>,
}

/// What a body alone says.
#[derive(Clone, Debug, Default)]
struct Body {
    /// `None` where the body does not speak of health.
    status: Option<Status>,
    /// Its own word for it.
    word: Option<String>,
    /// Its parts.
    components: Vec<Component>,
    /// Its HTTP code is a state and not a failure (Vault: 429 is a standby).
    code_is_state: bool,
    /// It ought to be JSON and cannot be read.
    unreadable: bool,
}

/// Reads a health answer. `http` is the code of the answer, `content_type` its
/// header or empty. Bodies of no known form count by their code alone.
pub fn understand(http: u16, content_type: &str, body: &[u8]) -> Health {
    let read = read_body(content_type, body);
    let status = together(http, &read);
    Health { status, summary: summary(http, status, &read), components: read.components }
}

fn read_body(content_type: &str, body: &[u8]) -> Body {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let typed = content_type.to_ascii_lowercase();
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let looks = matches!(first, Some(b'{' | b'['));
    if looks || typed.contains("json") {
        if let Ok(value) = serde_json::from_slice(body) {
            return json::read(&value);
        }
        // `[+]ping ok` begins like JSON as well; a lone `OK` is often sent as JSON.
        let text = text::read(&String::from_utf8_lossy(body));
        let unreadable = text.status.is_none() && first.is_some();
        return Body { unreadable, ..text };
    }
    text::read(&String::from_utf8_lossy(body))
}

/// HTTP's code and the body's word make one status. What the code calls a
/// failure is never ok; a body that calls itself degraded is believed.
fn together(http: u16, body: &Body) -> Status {
    let by_code = match http {
        200..=299 => Status::Ok,
        _ if body.code_is_state => Status::Ok,
        300..=399 | 429 => Status::Warning,
        _ => Status::Critical,
    };
    match (by_code, body.status) {
        (Status::Ok, None) if body.unreadable => Status::Unknown,
        (Status::Ok, Some(said)) => said,
        (Status::Critical, Some(Status::Warning)) => Status::Warning,
        (Status::Warning, Some(Status::Critical)) => Status::Critical,
        (code, _) => code,
    }
}

fn summary(http: u16, status: Status, body: &Body) -> String {
    use std::fmt::Write as _;
    let mut text = format!("HTTP {http}");
    if body.unreadable {
        text.push_str(", and the body is cut or not the JSON it should be");
        return text;
    }
    let bad: Vec<&Component> =
        body.components.iter().filter(|part| part.status >= Status::Warning).collect();
    if status == Status::Ok && bad.is_empty() {
        return text;
    }
    if let Some(word) = &body.word {
        if body.status == Some(Status::Ok) && status != Status::Ok && bad.is_empty() {
            let _ = write!(text, ", although the body says {word}");
        } else {
            let _ = write!(text, ", {word}");
        }
    }
    for (at, part) in bad.iter().take(3).enumerate() {
        text.push_str(if at == 0 && body.word.is_some() { ": " } else { ", " });
        text.push_str(&part.name);
        let says = if part.detail.is_empty() { part.status.word() } else { &part.detail };
        let _ = write!(text, " {says}");
    }
    if bad.len() > 3 {
        let _ = write!(text, " and {} more", bad.len() - 3);
    }
    harmless_within(&text, 200)
}

/// A text of the answer as a component's detail.
fn detail(text: &str) -> String {
    harmless_within(text.trim(), 120)
}

/// A text of the answer as a component's name.
fn name(text: &str) -> String {
    harmless_within(text.trim(), 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(http: u16, body: &str) -> Status {
        understand(http, "application/json", body.as_bytes()).status
    }

    #[test]
    fn what_the_code_calls_a_failure_is_never_ok() {
        assert_eq!(status(503, r#"{"status":"UP"}"#), Status::Critical);
        assert_eq!(status(404, r#"{"status":"ok"}"#), Status::Critical);
        assert_eq!(status(500, ""), Status::Critical);
        assert_eq!(status(503, r#"{"status":"degraded"}"#), Status::Warning);
        assert_eq!(status(302, ""), Status::Warning);
    }

    #[test]
    fn a_body_that_does_not_speak_of_health_counts_by_its_code() {
        assert_eq!(status(200, r#"{"result":"0x10d4f"}"#), Status::Ok);
        assert_eq!(understand(200, "text/html", b"<h1>Shop</h1>").status, Status::Ok);
        assert_eq!(understand(200, "", b"\xff\xfe\x00").status, Status::Ok);
    }

    #[test]
    fn what_is_cut_or_in_unknown_words_is_unknown() {
        assert_eq!(status(200, r#"{"status":"ok""#), Status::Unknown);
        assert_eq!(status(200, r#"{"status":"purple"}"#), Status::Unknown);
        assert_eq!(status(200, r#"{"status":"UNKNOWN"}"#), Status::Unknown);
    }

    #[test]
    fn the_reason_names_the_parts_that_fail() {
        let body = r#"{"status":"DOWN","components":{"db":{"status":"DOWN",
            "details":{"error":"refused\u001b[2J"}},"disk":{"status":"UP"}}}"#;
        let health = understand(503, "", body.as_bytes());
        assert_eq!(health.summary, "HTTP 503, DOWN: db refused\u{fffd}");
        assert_eq!(understand(200, "", br#"{"status":"UP"}"#).summary, "HTTP 200");
        assert_eq!(
            understand(503, "", br#"{"status":"UP"}"#).summary,
            "HTTP 503, although the body says UP"
        );
    }
}
