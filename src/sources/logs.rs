//! The last lines of a service's log: bounded, masked, harmless.

use super::guard::{MASK, hide_in_text, long_enough};
use super::process::{Program, RunError};
use crate::config::SecretValue;
use crate::domain::{harmless_within, units};
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// How many lines are kept.
pub const MOST_LINES: usize = 200;
/// A longer line is cut.
const LONGEST_LINE: usize = 500;
/// Of the output so many bytes are read.
const MOST_BYTES: usize = 512 << 10;

/// Runs a service's `logs` command in `/bin/sh` and gives its last lines.
/// `secrets` are masked in them, and so is what looks like one.
pub async fn read(
    command: &str,
    limit: Duration,
    secrets: &[SecretValue],
) -> Result<Vec<String>, String> {
    let program = Program {
        argv: vec!["/bin/sh".into(), "-c".into(), command.into()],
        env: BTreeMap::new(),
        folder: None,
        limit,
        most: MOST_BYTES,
        keep_end: true,
    };
    let ran = match program.run().await {
        Ok(ran) => ran,
        Err(RunError::Start(why)) => return Err(harmless_within(&why, 200)),
        Err(RunError::Timeout { out }) => {
            // A command that follows a log never ends: what it said is wanted all the same.
            let ended = format!("no end in {}, and it was stopped", units::duration(limit));
            let mut lines = last_lines(&out, secrets);
            if lines.is_empty() {
                return Err(ended);
            }
            lines.push(format!("({ended})"));
            lines.drain(..lines.len().saturating_sub(MOST_LINES));
            return Ok(lines);
        }
    };
    let lines = last_lines(&ran.out, secrets);
    let complaint = last_lines(&ran.err, secrets);
    if !lines.is_empty() {
        return Ok(lines);
    }
    match (ran.status.success(), complaint) {
        // Some programs print their log on the other output.
        (true, complaint) => Ok(complaint),
        (false, complaint) => {
            let last = complaint.last().map_or("and no word", String::as_str);
            Err(format!("it ended with {}: {last}", ran.status))
        }
    }
}

/// The last lines of an output whose beginning may be cut off.
fn last_lines(output: &[u8], secrets: &[SecretValue]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let whole = output.len() < MOST_BYTES;
    let mut lines: Vec<&str> = text.lines().collect();
    if !whole {
        let first = lines.remove(0);
        if lines.iter().all(|line| line.trim().is_empty()) {
            return vec![end_of(first, secrets)];
        }
    }
    let start = lines.len().saturating_sub(MOST_LINES);
    lines[start..]
        .iter()
        .map(|line| {
            // Cut before masking, or a line of a megabyte would be searched whole.
            let near: String = line.chars().take(4 * LONGEST_LINE).collect();
            harmless_within(&masked(&near, secrets), LONGEST_LINE)
        })
        .collect()
}

/// The end of a line that is longer than all that is read. It is masked whole:
/// a secret that a cut went through would not be known any more.
fn end_of(line: &str, secrets: &[SecretValue]) -> String {
    let masked = masked(line, secrets);
    let shown = LONGEST_LINE - 1;
    let from = masked.char_indices().rev().nth(shown - 1).map_or(0, |(at, _)| at);
    harmless_within(&format!("\u{2026}{}", &masked[from..]), LONGEST_LINE)
}

/// What most likely is a secret, with what stands before it as the first group.
static LOOKS_SECRET: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // Authorization: Bearer …, Basic …
        r"(?i)\b((?:bearer|basic)\s+)[a-z0-9+/=._~-]{8,}",
        // password=…, "api_key": "…", X-Auth-Token: …
        r#"(?i)((?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)["']?\s*[:=]\s*["']?)[^\s"',;&)}\]]+"#,
        // postgres://user:…@host
        r"([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+@",
        // Tokens that say by their beginning whose they are.
        r"()\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        r"()\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})",
        r"()\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"()\b[sr]k[-_](?:live|test|proj)?[-_]?[A-Za-z0-9]{20,}",
        r"()\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",
    ]
    .iter()
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// A text without the secrets that are known, and without what looks like one.
pub fn masked(text: &str, secrets: &[SecretValue]) -> String {
    let mut text = text.to_owned();
    hide_in_text(&mut text, &long_enough(secrets));
    for (at, pattern) in LOOKS_SECRET.iter().enumerate() {
        if pattern.is_match(&text) {
            let with = if at == 2 { format!("${{1}}{MASK}@") } else { format!("${{1}}{MASK}") };
            text = pattern.replace_all(&text, with.as_str()).into_owned();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn all_patterns_are_regular_expressions() {
        assert_eq!(LOOKS_SECRET.len(), 8);
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (line, shown) in [
            ("Authorization: Bearer abcdef123456", "Authorization: Bearer (hidden)"),
            ("login password=hunter2 ok", "login password=(hidden) ok"),
            (r#"{"api_key": "k-1", "n": 2}"#, r#"{"api_key": "(hidden)", "n": 2}"#),
            ("dsn postgres://app:pw1@db/x", "dsn postgres://app:(hidden)@db/x"),
            ("key AKIAIOSFODNN7EXAMPLE end", "key (hidden) end"),
            ("jwt eyJhbGciOi.eyJzdWIiOiI.sig end", "jwt (hidden) end"),
            ("GET /tokens 200 in 3 ms", "GET /tokens 200 in 3 ms"),
        ] {
            assert_eq!(masked(line, &[]), shown);
        }
    }

    #[tokio::test]
    async fn known_secrets_are_hidden_wherever_they_stand() {
        let secret = crate::config::Secret::parse("swordfish").resolve().await.unwrap();
        assert_eq!(masked("x=swordfish!", &[secret]), "x=(hidden)!");
    }

    #[tokio::test]
    async fn the_last_lines_come_harmless_and_bounded() {
        let lines = read("seq 1 100000; printf 'a\\033[2Jb\\n'", LIMIT, &[]).await.unwrap();
        assert_eq!(lines.len(), MOST_LINES);
        assert_eq!(lines[MOST_LINES - 1], "a\u{fffd}b");
        assert_eq!(lines[MOST_LINES - 2], "100000");
        let long = read("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end", LIMIT, &[]).await;
        assert_eq!(long.unwrap().last().unwrap(), "end");
    }

    #[test]
    fn of_one_line_without_end_the_end_is_shown() {
        let start = "x ".repeat(MOST_BYTES);
        let secret = format!("token={} last words\n\n", "s".repeat(3_000));
        let output = &(start + &secret).into_bytes();
        let lines = last_lines(&output[output.len() - MOST_BYTES..], &[]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].chars().count(), LONGEST_LINE);
        assert!(lines[0].starts_with('\u{2026}'), "{}", lines[0]);
        assert!(lines[0].ends_with("x token=(hidden) last words"), "{}", lines[0]);
        // An output of nothing but line ends does no harm.
        assert_eq!(last_lines(&vec![b'\n'; MOST_BYTES], &[]).concat(), "\u{2026}");
    }

    #[tokio::test]
    async fn a_command_that_follows_a_log_shows_what_it_said() {
        let short = Duration::from_millis(500);
        let lines = read("echo one; echo two; exec sleep 60", short, &[]).await.unwrap();
        assert_eq!(lines, ["one", "two", "(no end in 500ms, and it was stopped)"]);
        let endless = read("yes", short, &[]).await.unwrap();
        assert_eq!(endless.len(), MOST_LINES);
        assert!(read("sleep 60", short, &[]).await.is_err(), "nothing was said");
    }

    #[tokio::test]
    async fn a_failure_says_its_last_word() {
        let error = read("echo no such unit >&2; exit 4", LIMIT, &[]).await.unwrap_err();
        assert_eq!(error, "it ended with exit status: 4: no such unit");
    }
}
