//! What `supervisorctl status` prints.

use super::Process;
use crate::domain::{Cause, Timestamp, harmless_within};
use crate::sources::processes::{Failed, first_line};
use std::time::Duration;

const STATES: &[&str] =
    &["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"];

/// One process a line: name, state, words, parted by blanks. The exit code says
/// little: 3 where any is not RUNNING, 4 where one is unknown or nobody answers.
pub(super) fn parse(out: &[u8], err: &[u8], now: Timestamp) -> Result<Vec<Process>, Failed> {
    let text = String::from_utf8_lossy(out);
    let mut processes = Vec::new();
    let mut other = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match process(line, now) {
            Some(process) => processes.push(process),
            None => other = other.or(Some(line)),
        }
    }
    match (processes.is_empty(), other) {
        (false, _) => Ok(processes),
        (true, Some(line)) => Err(refused(line)),
        (true, None) => {
            let said = first_line(err);
            if said.is_empty() { Ok(processes) } else { Err(refused(&said)) }
        }
    }
}

fn process(line: &str, now: Timestamp) -> Option<Process> {
    let mut words = line.split_whitespace();
    let (name, state) = (words.next()?, words.next()?);
    if state == "ERROR" && line.contains("no such") {
        let name = harmless_within(name.trim_end_matches(':'), 120);
        return Some(Process { name, state: "NONE".into(), ..Process::default() });
    }
    if !STATES.contains(&state) {
        return None;
    }
    let rest: Vec<&str> = words.collect();
    let rest = rest.join(" ");
    let held = (state == "RUNNING").then(|| uptime(&rest)).flatten();
    let start = held.map(|held| (now - held).millis() / 1_000);
    let pid = rest.strip_prefix("pid ").and_then(|rest| rest.split(',').next()?.parse().ok());
    let name = harmless_within(name, 120);
    let group = name.split_once(':').map_or(name.as_str(), |(group, _)| group).to_owned();
    let fresh = state == "STOPPED" && rest == "Not started";
    Some(Process {
        name,
        group,
        state: state.into(),
        words: harmless_within(&rest, 120),
        held,
        start,
        pid,
        exit: None,
        fresh,
    })
}

/// `pid 27577, uptime 12 days, 0:00:06`, as Python writes a `timedelta`.
fn uptime(words: &str) -> Option<Duration> {
    let (_, uptime) = words.split_once("uptime ")?;
    let (days, clock) = match uptime.split_once(", ") {
        Some((days, clock)) => (days.split_whitespace().next()?.parse::<u64>().ok()?, clock),
        None => (0, uptime),
    };
    let mut parts = clock.trim().splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let minutes =
        days.checked_mul(24)?.checked_add(hours)?.checked_mul(60)?.checked_add(minutes)?;
    Some(Duration::from_secs(minutes.checked_mul(60)?.checked_add(seconds)?))
}

/// supervisorctl has no answer and says why, on its standard output.
fn refused(line: &str) -> Failed {
    let words = line.to_lowercase();
    if words.contains("no such file") && !words.contains("config") {
        return Failed::down("supervisord does not run: no socket", Cause::Refused);
    }
    if words.contains("refused") {
        return Failed::down("supervisord does not run: connection refused", Cause::Refused);
    }
    if words.contains("permission denied") || words.contains("permissionerror") {
        return Failed::unasked("no permission to ask supervisord");
    }
    if words.contains("authentication") || words.contains("unauthorized") || words.contains("401") {
        return Failed::unasked("supervisord refuses the credentials");
    }
    if words.contains("shutdown_state") || words.contains("shutting down") {
        return Failed::down("supervisord is shutting down", Cause::Answer);
    }
    Failed::unusable(format!("supervisorctl: {}", harmless_within(line.trim(), 120)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptimes_with_and_without_days_are_read() {
        let seconds = |words| uptime(words).map(|uptime| uptime.as_secs());
        assert_eq!(seconds("pid 27577, uptime 0:00:06"), Some(6));
        assert_eq!(seconds("pid 1, uptime 1 day, 2:03:04"), Some(86_400 + 7_384));
        assert_eq!(seconds("pid 1, uptime 400 days, 23:59:59"), Some(400 * 86_400 + 86_399));
        for odd in ["", "pid 1", "uptime", "uptime x", "uptime 99999999999999999999:0:0"] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
    }

    #[test]
    fn refusals_have_their_words() {
        let parse = |text: &str| parse(text.as_bytes(), b"", Timestamp::default()).unwrap_err();
        let down = include_str!("../../../tests/data/supervisor/daemon_down.out");
        assert_eq!(parse(down).summary, "supervisord does not run: no socket");
        assert_eq!(parse(down).cause, Cause::Refused);
        for (said, words) in [
            (
                "http://localhost:9001 refused connection",
                "supervisord does not run: connection refused",
            ),
            (
                "error: <class 'PermissionError'>, [Errno 13] Permission denied: file: x.py line: 1",
                "no permission to ask supervisord",
            ),
            ("Server requires authentication", "supervisord refuses the credentials"),
            (
                "Error: could not find config file /x\nFor help, use -h",
                "supervisorctl: Error: could not find config file /x",
            ),
            (
                "Error: No config file found at default paths",
                "supervisorctl: Error: No config file found at default paths",
            ),
        ] {
            assert_eq!(parse(said).summary, words);
        }
        let on_stderr = super::parse(b"", b"sudo: a password is required\n", Timestamp::default());
        assert_eq!(on_stderr.unwrap_err().summary, "supervisorctl: sudo: a password is required");
    }
}
