//! What an error tracker refuses, in words, and what is left of its rate limit.

use super::json::{plain, read};
use crate::domain::reading::PollFailure;
use crate::domain::{PollError, RateLimit, Timestamp, harmless_within};
use crate::sources::client::said_status;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// Nobody is asked to wait longer than this, or shorter than a second.
const LONGEST: Duration = Duration::from_hours(1);

/// An answer without its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The HTTP code.
    pub status: u16,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

impl Head<'_> {
    /// A header as text; empty where it is missing or no text.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Why an answer with a code other than 2xx is of no use. `what` was asked for:
/// `organization shop`.
pub fn refused(head: Head<'_>, body: &[u8], what: &str, now: Timestamp) -> PollError {
    let status = head.status;
    let mut error = said_status(status, "", b"");
    let json = read(body).ok();
    let says = json.as_ref().and_then(detail).or_else(|| text(body));
    let because = |begin: &str| match &says {
        Some(says) => format!("HTTP {status}: {begin} ({says})"),
        None => format!("HTTP {status}: {begin}"),
    };
    error.message = match status {
        401 => "HTTP 401: the token is missing or not accepted".into(),
        403 => because("the token may not read this"),
        404 if json.is_some() => {
            format!("HTTP 404: {what} is not there, or the token may not see it")
        }
        404 | 405 | 410 => {
            format!("HTTP {status}: there is no such API, are `url` and `server` right?")
        }
        429 => because("asked too often"),
        _ => match &says {
            Some(says) => format!("HTTP {status}: {says}"),
            None => format!("HTTP {status}"),
        },
    };
    if matches!(error.cause, PollFailure::Limited | PollFailure::Busy) {
        error.retry_after = wait(head, now);
    }
    error
}

/// What an error says in JSON: `{"detail": …}`, `{"message": …}`, `{"error": …}`,
/// each a text or an object with a `message`, or a bare text.
fn detail(value: &Value) -> Option<String> {
    const MOST: usize = 120;
    let said = match value {
        Value::Object(table) => {
            let keys = ["detail", "message", "error"];
            let found = keys.iter().find_map(|key| table.get(*key))?;
            plain(found, MOST).or_else(|| plain(found.get("message")?, MOST))
        }
        bare => plain(bare, MOST),
    };
    said.filter(|said| !said.contains('<'))
}

/// The first line of an answer in plain text.
fn text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
    let first = text.trim().lines().next().unwrap_or_default();
    let plain = !first.is_empty() && !first.starts_with(['<', '{', '[', '"']);
    plain.then(|| harmless_within(first, 120))
}

/// How long to wait: `Retry-After` in seconds or as a date, else until the
/// window of the rate limit begins anew. By the server's clock, where it tells.
fn wait(head: Head<'_>, now: Timestamp) -> Option<Duration> {
    let date = |text: &str| {
        let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
        Some(Timestamp::from_millis(date.timestamp_millis()))
    };
    let there = date(head.header("date")).unwrap_or(now);
    let told = head.header("retry-after").trim();
    let seconds = || {
        let seconds: f64 = told.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    let reset = || Some(rate_limit(head)?.reset.since(there));
    let wait = seconds().or_else(|| Some(date(told)?.since(there))).or_else(reset)?;
    Some(wait.clamp(Duration::from_secs(1), LONGEST))
}

/// The headers that Sentry puts on every answer
/// (docs.sentry.io/api/ratelimits): `Reset` is in seconds since 1970.
pub fn rate_limit(head: Head<'_>) -> Option<RateLimit> {
    let number = |name: &str| {
        let told = head.header(&format!("x-sentry-rate-limit-{name}"));
        told.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below zero")]
    let whole = |number: f64| number as u64;
    #[expect(clippy::cast_possible_truncation, reason = "a cut moment is as good as a wrong one")]
    let reset = number("reset").map_or(0, |seconds| (seconds * 1e3) as i64);
    Some(RateLimit {
        limit: whole(number("limit")?),
        remaining: whole(number("remaining")?),
        reset: Timestamp::from_millis(reset),
    })
}

/// Whether so little is left that only what matters is asked.
pub(super) fn is_little(limit: RateLimit) -> bool {
    limit.remaining < 2 || limit.remaining.saturating_mul(10) < limit.limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    const NOW: Timestamp = Timestamp::from_millis(1_795_251_784_000);

    fn told(status: u16, headers: &[(&str, &str)], body: &str) -> PollError {
        let pairs = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        });
        let headers: HeaderMap = pairs.collect();
        let head = Head { status, headers: &headers };
        refused(head, body.as_bytes(), "organization shop", NOW)
    }

    #[test]
    fn every_form_of_too_often_says_when_to_come_again() {
        let reset = ("x-sentry-rate-limit-reset", "1795251790");
        let all =
            [reset, ("x-sentry-rate-limit-limit", "40"), ("x-sentry-rate-limit-remaining", "0")];
        for (headers, body, wait, words) in [
            (
                &all[..],
                r#"{"detail":"Limit is 40 requests in 1 seconds"}"#,
                Some(6),
                "(Limit is 40 requests in 1 seconds)",
            ),
            (&[("retry-after", "30")], r#""slow down""#, Some(30), "(slow down)"),
            (
                &[("retry-after", "600")],
                r#"{"message": "Please retry later"}"#,
                Some(600),
                "(Please retry later)",
            ),
            (
                &[
                    ("retry-after", "Sat, 21 Nov 2026 03:04:04 GMT"),
                    ("date", "Sat, 21 Nov 2026 03:03:04 GMT"),
                ],
                "",
                Some(60),
                "too often",
            ),
            (&[("retry-after", "99999999")], "", Some(3_600), "too often"),
            (&[("retry-after", "-1")], "", None, "too often"),
            (&[], "", None, "too often"),
            (&[], "<html>429</html>", None, "too often"),
            (&[], r#"{"detail":{"code":"x","message":"later"}}"#, None, "(later)"),
        ] {
            let error = told(429, headers, body);
            assert_eq!(error.cause, PollFailure::Limited);
            assert_eq!(error.retry_after.map(|wait| wait.as_secs()), wait, "{body} {headers:?}");
            assert!(error.message.starts_with("HTTP 429: asked too often"), "{error}");
            assert!(error.message.ends_with(words), "{error}");
        }
    }

    #[test]
    fn denied_and_absent_and_broken_are_told_apart_in_short_words() {
        let page = format!("<!doctype html>\n<html>{}</html>", "<p>not here</p>\n".repeat(5_000));
        for (status, body, cause, words) in [
            (
                401,
                r#"{"detail": "Unauthorized"}"#,
                PollFailure::Denied,
                "HTTP 401: the token is missing or not accepted",
            ),
            (
                403,
                r#"{"detail": "Permission denied"}"#,
                PollFailure::Denied,
                "HTTP 403: the token may not read this (Permission denied)",
            ),
            (
                404,
                r#"{"detail": "Not Found"}"#,
                PollFailure::Absent,
                "HTTP 404: organization shop is not there, or the token may not see it",
            ),
            (
                404,
                &page,
                PollFailure::Absent,
                "HTTP 404: there is no such API, are `url` and `server` right?",
            ),
            (
                405,
                "Method not allowed",
                PollFailure::Absent,
                "HTTP 405: there is no such API, are `url` and `server` right?",
            ),
            (500, "<!doctype html>\n<html>", PollFailure::Broken, "HTTP 500"),
            (502, "bad\u{1b}[2J gateway", PollFailure::Broken, "HTTP 502: bad\u{fffd} gateway"),
            (503, "", PollFailure::Busy, "HTTP 503"),
        ] {
            let error = told(status, &[], body);
            assert_eq!((error.cause, error.message.as_str()), (cause, words));
        }
    }

    #[test]
    fn little_is_a_tenth_or_less_than_two() {
        let left = |remaining, limit| is_little(RateLimit { limit, remaining, reset: NOW });
        assert!(left(1, 5) && left(3, 40) && left(0, 0));
        assert!(!left(4, 40) && !left(39, 40));
    }
}
