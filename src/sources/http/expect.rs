//! What makes an HTTP answer a good one.

use super::path::Condition;
use crate::config::{Key, Keys, Mistakes, Shape, Table, key};
use crate::domain::{Cause, CheckReading, Status, harmless_within, units};
use crate::sources::client::Fetched;
use crate::sources::health;
use regex::Regex;
use std::time::Duration;

/// Keys of `expect`.
pub(super) const KEYS: Keys = &[EXPECT];

const EXPECT: &[Key] = &[
    key(
        "status",
        Shape::OneOrMore(&Shape::Code),
        "Codes that are good, instead of 2xx: `200`, `\"2xx\"`, `\"200-299\"`.",
    )
    .like(r#"[200, "3xx"]"#),
    key(
        "header",
        Shape::Map(&Shape::Text),
        "Headers that must be there: with this value, with any (`\"\"`), or matching (`\"~ REGEX\"`).",
    )
    .like(r#"{ Strict-Transport-Security = "~ max-age=[0-9]{7,}" }"#),
    key("body", Shape::Regex, "A regular expression that must match in the body.").like("Welcome"),
    key(
        "json",
        Shape::OneOrMore(&Shape::Name),
        "Conditions on the JSON of the body: `PATH`, or `PATH OP VALUE` with == != < <= > >=.",
    )
    .like(r#"['$.status == "ok"', "queue.length < 100"]"#),
    key("latency_warning", Shape::TIMEOUT, "A slower answer is a warning.").like("500ms"),
    key("latency_critical", Shape::TIMEOUT, "A slower answer is critical.").like("2s"),
];

/// What makes an answer a good one.
#[derive(Debug)]
pub(crate) struct Expect {
    status: Vec<(u16, u16)>,
    headers: Vec<(String, Wanted)>,
    body: Option<Regex>,
    json: Vec<Condition>,
    warning: Option<Duration>,
    critical: Option<Duration>,
    health: bool,
}

#[derive(Debug)]
enum Wanted {
    Any,
    Equal(String),
    Matching(Regex),
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            status: Vec::new(),
            headers: Vec::new(),
            body: None,
            json: Vec::new(),
            warning: None,
            critical: None,
            health: true,
        }
    }
}

impl Expect {
    /// From a check's table.
    pub(super) fn read(check: &Table, mistakes: &mut Mistakes) -> Self {
        let table = check.table_or_defaults("expect");
        let mut expect = Self { health: check.flag("health"), ..Self::default() };
        expect.status = table.texts("status").iter().filter_map(|code| codes(code)).collect();
        for (name, value) in table.map("header") {
            let crate::config::Value::Text(text) = value.it else { continue };
            let wanted = if text.is_empty() {
                Wanted::Any
            } else if let Some(pattern) = text.strip_prefix('~') {
                match Regex::new(pattern.trim()) {
                    Ok(regex) => Wanted::Matching(regex),
                    Err(error) => {
                        let help = error.to_string().lines().last().unwrap_or_default().to_owned();
                        mistakes.wrong_but(value.span, "this is no regular expression", help);
                        continue;
                    }
                }
            } else {
                Wanted::Equal(text)
            };
            expect.headers.push((name.it, wanted));
        }
        expect.body = table.regex("body");
        for text in table.placed_texts("json") {
            match Condition::parse(&text.it) {
                Ok(condition) => expect.json.push(condition),
                Err(why) => mistakes.wrong_but(
                    text.span,
                    why,
                    "write it like `$.status == \"ok\"`, `checks[0].ok == true` or `$.id exists`",
                ),
            }
        }
        expect.warning = table.optional_duration("latency_warning");
        expect.critical = table.optional_duration("latency_critical");
        expect
    }

    /// Judges an answer.
    pub(super) fn judge(&self, fetched: &Fetched) -> CheckReading {
        let mut bad: Vec<(Status, String)> = Vec::new();
        let code = fetched.status;
        let good_code = self.status.iter().any(|(from, to)| (*from..=*to).contains(&code));
        if !self.status.is_empty() && !good_code {
            bad.push((Status::Critical, format!("HTTP {code}, expected {}", self.codes())));
        }
        self.judge_headers(fetched, &mut bad);
        self.judge_body(fetched, &mut bad);
        self.judge_latency(fetched.took, &mut bad);

        // What the config calls good is not a failure for its code alone.
        let as_code = if good_code { 200 } else { code };
        let told = if self.health { &fetched.body[..] } else { b"" };
        let mut health = health::understand(as_code, fetched.header("content-type"), told);
        if good_code {
            health.summary = health.summary.replacen("HTTP 200", &format!("HTTP {code}"), 1);
        }
        let asked_body = self.body.is_some() || !self.json.is_empty();
        let counts = if asked_body {
            // Whoever names what the body must say has judged the rest of it.
            health::understand(as_code, "", b"").status
        } else {
            health.status
        };
        let worst = bad.iter().map(|(status, _)| *status).max().unwrap_or(Status::Ok);
        let by_health = counts > Status::Ok && (self.status.is_empty() || good_code);
        let status = if by_health { worst.max(counts) } else { worst };
        let mut reasons: Vec<String> = Vec::new();
        if by_health {
            reasons.push(health.summary.clone());
        }
        bad.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
        reasons.extend(bad.into_iter().map(|(_, reason)| reason));
        let summary = if reasons.is_empty() { format!("HTTP {code}") } else { reasons.join("; ") };
        CheckReading {
            status,
            summary: harmless_within(&summary, 240),
            took: fetched.took,
            cause: (status > Status::Ok).then_some(Cause::Answer),
            components: health.components,
            ..CheckReading::default()
        }
    }

    fn codes(&self) -> String {
        let words: Vec<String> = self
            .status
            .iter()
            .map(|(from, to)| match (from % 100, to % 100) {
                _ if from == to => from.to_string(),
                (0, 99) if from / 100 == to / 100 => format!("{}xx", from / 100),
                _ => format!("{from}-{to}"),
            })
            .collect();
        words.join(" or ")
    }

    fn judge_headers(&self, fetched: &Fetched, bad: &mut Vec<(Status, String)>) {
        for (name, wanted) in &self.headers {
            let values: Vec<String> = fetched
                .headers
                .get_all(name.as_str())
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            let good = match wanted {
                Wanted::Any => !values.is_empty(),
                Wanted::Equal(text) => values.iter().any(|value| value.trim() == text),
                Wanted::Matching(regex) => values.iter().any(|value| regex.is_match(value)),
            };
            if good {
                continue;
            }
            let reason = match values.first() {
                None => format!("header {name} is missing"),
                Some(value) => format!("header {name} is {}", harmless_within(value, 60)),
            };
            bad.push((Status::Critical, reason));
        }
    }

    fn judge_body(&self, fetched: &Fetched, bad: &mut Vec<(Status, String)>) {
        if let Some(regex) = &self.body
            && !regex.is_match(&String::from_utf8_lossy(&fetched.body))
        {
            let pattern = harmless_within(regex.as_str(), 60);
            bad.push((Status::Critical, format!("the body does not match {pattern}")));
        }
        if self.json.is_empty() {
            return;
        }
        let Ok(body) = serde_json::from_slice(&fetched.body) else {
            bad.push((Status::Critical, "the body is not JSON".into()));
            return;
        };
        for condition in &self.json {
            if let Err(reason) = condition.check(&body) {
                bad.push((Status::Critical, reason));
            }
        }
    }

    fn judge_latency(&self, took: Duration, bad: &mut Vec<(Status, String)>) {
        let limits = [(self.critical, Status::Critical), (self.warning, Status::Warning)];
        for (limit, status) in limits {
            if let Some(limit) = limit.filter(|limit| took > *limit) {
                let reason = format!(
                    "took {}, limit {}",
                    units::seconds(took.as_secs_f64()),
                    units::duration(limit)
                );
                bad.push((status, reason));
                return;
            }
        }
    }
}

/// `200`, `2xx` or `200-299` as a range.
fn codes(text: &str) -> Option<(u16, u16)> {
    let text = text.trim().to_ascii_lowercase();
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok()?;
        return Some((class * 100, class * 100 + 99));
    }
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use reqwest::header::{HeaderMap, HeaderValue};

    fn answer(status: u16, body: &'static str) -> Fetched {
        let mut headers = HeaderMap::new();
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
        let took = Duration::from_millis(700);
        Fetched { status, headers, body: Bytes::from_static(body.as_bytes()), took, leaf: None }
    }

    #[test]
    fn without_expectations_code_and_health_body_decide() {
        let expect = Expect::default();
        assert_eq!(expect.judge(&answer(200, "<h1>hi</h1>")).status, Status::Ok);
        assert_eq!(expect.judge(&answer(503, "x")).summary, "HTTP 503");
        let degraded = expect.judge(&answer(200, r#"{"status":"ok","db":"down"}"#));
        assert_eq!((degraded.status, degraded.components.len()), (Status::Warning, 1));
    }

    #[test]
    fn named_codes_replace_the_rule_for_codes() {
        let expect = Expect { status: vec![(404, 404), (300, 399)], ..Expect::default() };
        assert_eq!(expect.judge(&answer(404, "")).status, Status::Ok);
        assert_eq!(expect.judge(&answer(404, r#"{"status":"down"}"#)).status, Status::Critical);
        let wrong = expect.judge(&answer(200, ""));
        assert_eq!(wrong.summary, "HTTP 200, expected 404 or 3xx");
    }

    #[test]
    fn headers_are_there_equal_or_matching() {
        let header = |wanted| vec![("Strict-Transport-Security".to_owned(), wanted)];
        let judge = |wanted| {
            Expect { headers: header(wanted), ..Expect::default() }.judge(&answer(200, "")).status
        };
        assert_eq!(judge(Wanted::Any), Status::Ok);
        assert_eq!(judge(Wanted::Matching(Regex::new("max-age=\\d{8}").unwrap())), Status::Ok);
        assert_eq!(judge(Wanted::Equal("max-age=1".into())), Status::Critical);
    }

    #[test]
    fn what_the_config_says_of_the_body_counts_before_its_own_words() {
        let json = vec![Condition::parse("$.mode == \"drill\"").unwrap()];
        let expect = Expect { json, ..Expect::default() };
        assert_eq!(
            expect.judge(&answer(200, r#"{"mode":"drill","status":"down"}"#)).status,
            Status::Ok
        );
        assert_eq!(expect.judge(&answer(200, "nope")).summary, "the body is not JSON");
        assert_eq!(expect.judge(&answer(500, r#"{"mode":"drill"}"#)).status, Status::Critical);
    }

    #[test]
    fn slow_answers_are_told_with_their_limit() {
        let limits = (Some(Duration::from_millis(500)), Some(Duration::from_secs(2)));
        let expect = Expect { warning: limits.0, critical: limits.1, ..Expect::default() };
        let slow = expect.judge(&answer(200, ""));
        assert_eq!(slow.status, Status::Warning);
        assert!(slow.summary.contains("limit 500ms"), "{}", slow.summary);
    }
}
