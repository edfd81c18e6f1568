//! What the sources that ask process managers share: running their tools
//! here or elsewhere, what tools that fail are called, and the verdict over
//! parts.

use super::client::Shared;
use super::http::not_carried_out;
use super::process::{Program, Ran, RunError};
use crate::config::{Key, Mistakes, Shape, Table, key};
use crate::domain::{
    Cause, CheckReading, Component, Num, SourceInfo, Status, Timestamp, harmless_within, units,
};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Keys that all of them have, beside `program`, whose default differs.
pub(super) const KEYS: &[Key] = &[
    key("via", Shape::OneOrMore(&Shape::Name), "Words that are put before the command, to run it elsewhere; it then counts as going over the network. After `ssh` the command is quoted for the shell there, and nothing is ever asked on the terminal.")
        .like(r#"["ssh", "app-1"]"#),
    key("restarted_within", Shape::SPAN, "A process that was restarted by itself is a warning for so long.")
        .or("5m"),
];

/// Of each output so many bytes are read.
const MOST_OUTPUT: usize = 8 << 20;
/// So many parts are kept, the worst first where there are more.
const MOST_PARTS: usize = 100;
/// A name or a word of a tool is cut to so many characters.
const WORDS: usize = 120;

/// A tool that tells of processes, and where it runs.
#[derive(Debug)]
pub(super) struct Tool {
    /// The program, with whatever belongs before its arguments.
    program: Vec<String>,
    via: Vec<String>,
    /// Set for it beside what every program gets.
    pub(super) env: BTreeMap<String, String>,
}

/// Why a tool gave no answer that can be read: status, reason, layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) status: Status,
    pub(super) summary: String,
    pub(super) cause: Cause,
}

impl Failed {
    /// Nobody knows: it could not be asked.
    pub(super) fn unasked(summary: impl Into<String>) -> Self {
        Self { status: Status::Unknown, summary: summary.into(), cause: Cause::Check }
    }

    /// It was asked, and what it says cannot be used.
    pub(super) fn unusable(summary: impl Into<String>) -> Self {
        Self { status: Status::Unknown, summary: summary.into(), cause: Cause::Answer }
    }

    /// It is down, and that is bad.
    pub(super) fn down(summary: impl Into<String>, cause: Cause) -> Self {
        Self { status: Status::Critical, summary: summary.into(), cause }
    }

    /// As the answer of a check.
    pub(super) fn into_reading(self) -> CheckReading {
        CheckReading {
            status: self.status,
            cause: Some(self.cause),
            ..not_carried_out(&self.summary)
        }
    }
}

impl Tool {
    /// From the keys of its table; what it is asked and whether that goes over
    /// the network is put into `info`.
    pub(super) fn read(
        table: &Table,
        info: &mut SourceInfo,
        asks: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let program = table.texts("program");
        let program = if program.is_empty() { vec![table.text("program")] } else { program };
        let via = table.texts("via");
        for (name, words) in [("program", &program), ("via", &via)] {
            if words.iter().any(|word| word.contains('\0') || word.trim().is_empty()) {
                mistakes.wrong_but(table.span_of(name), "this is no command", "name a program");
                return None;
            }
        }
        let over = via.iter().filter(|word| !word.starts_with('-') && !word.contains('=')).take(2);
        let over: Vec<&str> = over.map(String::as_str).collect();
        let over = if over.is_empty() { String::new() } else { format!("{}: ", over.join(" ")) };
        info.asks = harmless_within(&format!("{over}{asks}"), WORDS);
        info.network |= !via.is_empty();
        let mut env = BTreeMap::new();
        if !via.is_empty() {
            // ssh would otherwise ask for a password on the console's own terminal.
            env.insert("SSH_ASKPASS".into(), "/bin/false".into());
            env.insert("SSH_ASKPASS_REQUIRE".into(), "force".into());
        }
        Some(Self { program, via, env })
    }

    /// The words that are run for these arguments, `before` standing before the program.
    fn argv(&self, before: &[&str], arguments: &[&str]) -> Vec<String> {
        let words = before.iter().copied().chain(self.program.iter().map(String::as_str));
        let words = words.chain(arguments.iter().copied());
        let for_shell = self.via.iter().any(|word| {
            Path::new(word).file_name().is_some_and(|name| name == "ssh" || name == "autossh")
        });
        let quoted = words.map(|word| if for_shell { quoted(word) } else { word.into() });
        self.via.iter().cloned().chain(quoted).collect()
    }

    /// Runs it with these arguments.
    pub(super) async fn run(&self, arguments: &[&str], limit: Duration) -> Result<Ran, Failed> {
        self.run_after(&[], arguments, limit).await
    }

    /// Runs it with words before it.
    pub(super) async fn run_after(
        &self,
        before: &[&str],
        arguments: &[&str],
        limit: Duration,
    ) -> Result<Ran, Failed> {
        let program = Program {
            argv: self.argv(before, arguments),
            env: self.env.clone(),
            folder: None,
            limit,
            most: MOST_OUTPUT + 1,
            keep_end: false,
        };
        let name = self.name();
        let ran = match program.run().await {
            Ok(ran) => ran,
            Err(RunError::Start(why)) => return Err(Failed::unasked(why)),
            Err(RunError::Timeout { .. }) => {
                let words = format!("{name}: no answer in {} (ended)", units::duration(limit));
                return Err(Failed::down(words, Cause::Timeout));
            }
        };
        if let Some(signal) = ran.status.signal() {
            return Err(Failed::unasked(format!("{name}: ended by signal {signal}")));
        }
        if ran.out.len() > MOST_OUTPUT {
            let most = units::bytes(MOST_OUTPUT as f64);
            return Err(Failed::unusable(format!("{name}: the answer is larger than {most}")));
        }
        match ran.status.code() {
            Some(255) if !self.via.is_empty() => Err(self.not_reached(&ran)),
            Some(code @ (126 | 127)) => {
                let said = last_line(&ran.err);
                let said = if said.is_empty() { format!("exit code {code}") } else { said };
                Err(Failed::unasked(format!("{name} cannot be run: {said}")))
            }
            _ => Ok(ran),
        }
    }

    /// ssh ends with 255 where it did not get through (ssh(1), "EXIT STATUS").
    fn not_reached(&self, ran: &Ran) -> Failed {
        let said = last_line(&ran.err);
        let cause = network_cause(&said).unwrap_or(Cause::Check);
        let way = self.via.first().map_or("ssh", String::as_str);
        let said = if said.is_empty() { "exit code 255".into() } else { said };
        let said = said.strip_prefix("ssh: ").map_or(said.as_str(), |rest| rest);
        Failed { status: Status::Unknown, summary: format!("{way}: {said}"), cause }
    }

    /// Its program's own name, for messages.
    pub(super) fn name(&self) -> String {
        let path = self.program.first().map_or("", String::as_str);
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path);
        harmless_within(name, WORDS)
    }
}

/// A word for a POSIX shell (XCU 2.2.2, "Single-Quotes").
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The layer that a message of a failed connection speaks of.
pub(super) fn network_cause(said: &str) -> Option<Cause> {
    let said = said.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if any(&[
        "could not resolve",
        "no such host",
        "name or service not known",
        "server misbehaving",
    ]) {
        Some(Cause::Name)
    } else if any(&["refused", "is the docker daemon running"]) {
        Some(Cause::Refused)
    } else if any(&["x509", "certificate", "tls: "]) {
        Some(Cause::Tls)
    } else if any(&["timed out", "timeout", "deadline exceeded", "request canceled"]) {
        Some(Cause::Timeout)
    } else if any(&[
        "no route to host",
        "unreachable",
        "connection reset",
        "connection closed",
        "closed by",
    ]) {
        Some(Cause::Network)
    } else {
        None
    }
}

/// The last line with something on it, harmless and short.
pub(super) fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    harmless_within(line.trim(), WORDS)
}

/// The first line with something on it, harmless and short.
pub(super) fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    harmless_within(line.trim(), WORDS)
}

/// A unit, process, container or workload as its manager tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) detail: String,
    /// Restarts as the manager counts them.
    pub(super) restarts: Option<u64>,
}

impl Part {
    /// Text from outside is made harmless here.
    pub(super) fn new(name: &str, status: Status, detail: impl AsRef<str>) -> Self {
        Self {
            name: harmless_within(name.trim(), WORDS),
            status,
            detail: harmless_within(detail.as_ref().trim(), 160),
            restarts: None,
        }
    }

    /// With this many restarts: told where there were any.
    pub(super) fn restarted(mut self, times: Option<u64>) -> Self {
        if let Some(times @ 1..) = times {
            let words = if times == 1 { "restart" } else { "restarts" };
            self.detail = format!("{}, {times} {words}", self.detail);
        }
        self.restarts = times;
        self
    }
}

/// The answer of a check over its parts: the worst one's status and words.
/// `kind` is what one part is called: `unit`, `process`.
pub(super) fn verdict(mut parts: Vec<Part>, kind: &str) -> CheckReading {
    let status = parts.iter().map(|part| part.status).max().unwrap_or(Status::Unknown);
    let all = parts.len();
    let bad: Vec<&Part> = parts.iter().filter(|part| part.status != Status::Ok).collect();
    let worst = bad.iter().find(|part| part.status == status);
    let summary = match (worst, parts.as_slice()) {
        (_, []) => format!("no {kind}"),
        (_, [only]) => only.detail.clone(),
        (None, _) => format!("all {} run", several(all, kind)),
        (Some(worst), _) => {
            let more = match bad.len() - 1 {
                0 => String::new(),
                more => format!(", {more} more of {all}"),
            };
            format!("{}: {}{more}", worst.name, worst.detail)
        }
    };
    let mut numbers = vec![("running".to_owned(), Num((all - bad.len()) as f64))];
    let restarts: Vec<u64> = parts.iter().filter_map(|part| part.restarts).collect();
    if !restarts.is_empty() {
        let sum = restarts.iter().fold(0_u64, |sum, more| sum.saturating_add(*more));
        numbers.push(("restarts".to_owned(), Num(sum as f64)));
    }
    let mut notes = Vec::new();
    if all > MOST_PARTS {
        parts.sort_by_key(|part| std::cmp::Reverse(part.status));
        parts.truncate(MOST_PARTS);
        notes.push(format!("the first {MOST_PARTS} of {all} are shown"));
    }
    let component =
        |part: Part| Component { name: part.name, status: part.status, detail: part.detail };
    CheckReading {
        status,
        summary: harmless_within(&summary, 200),
        cause: (status != Status::Ok).then_some(Cause::Answer),
        components: parts.into_iter().map(component).collect(),
        numbers,
        notes,
        ..CheckReading::default()
    }
}

fn several(many: usize, kind: &str) -> String {
    match kind.strip_suffix("ss") {
        Some(_) => format!("{many} {kind}es"),
        None => format!("{many} {kind}s"),
    }
}

/// For how long something has been so: ` for 3h05m`; nothing where unknown.
pub(super) fn held(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(String::new, |since| format!(" for {}", units::age(now.since(since))))
}

/// What a source remembers of restarts between its polls, for managers that
/// do not say when the last one was. Bounded.
#[derive(Debug, Default)]
pub(super) struct Restarts(Mutex<BTreeMap<String, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// What tells one start from the next: a count, a start's moment, a pid.
    last: Option<i64>,
    rises: VecDeque<Timestamp>,
}

impl Restarts {
    /// Notes that `name` was seen with this count of restarts at `now`, and gives
    /// how often it rose within the time `within`.
    pub(super) fn seen(&self, name: &str, count: i64, now: Timestamp, within: Duration) -> usize {
        self.seen_above(name, count, 0, now, within)
    }

    /// The same for a mark that may differ by `slack` without meaning anything.
    pub(super) fn seen_above(
        &self,
        name: &str,
        mark: i64,
        slack: i64,
        now: Timestamp,
        within: Duration,
    ) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= 10 * MOST_PARTS && !all.contains_key(name) {
            all.clear();
        }
        let seen = all.entry(name.to_owned()).or_default();
        if seen.last.is_some_and(|last| mark.saturating_sub(last) > slack) {
            seen.rises.push_back(now);
        }
        seen.last = Some(mark);
        seen.rises.retain(|at| now.since(*at) <= within);
        while seen.rises.len() > 100 {
            seen.rises.pop_front();
        }
        seen.rises.len()
    }
}

/// A whole number, also one written as a text.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.abs() < 9e15)?;
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number in bounds")]
            (float.fract() == 0.0).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A count: a whole number that is not below zero.
pub(super) fn count(value: &Value) -> Option<u64> {
    whole(value).and_then(|number| u64::try_from(number).ok())
}

/// A text; empty where it is something else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A moment in RFC 3339, none where it is Go's zero or unreadable.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(text.trim()).ok()?;
    let millis = moment.timestamp_millis();
    (millis > 0).then(|| Timestamp::from_millis(millis))
}

/// Why a text is no JSON, without a word of what is in it: that may be secret.
pub(super) fn no_json(name: &str, error: &serde_json::Error) -> Failed {
    let place = format!("line {}, column {}", error.line(), error.column());
    Failed::unusable(format!("{name}: the answer cannot be read ({place})"))
}

/// Times an answer and gives it the time it took.
pub(super) async fn timed(
    shared: &Shared,
    ask: impl Future<Output = Result<CheckReading, Failed>>,
) -> CheckReading {
    let begun = shared.monotonic();
    let mut reading = ask.await.unwrap_or_else(Failed::into_reading);
    reading.took = shared.monotonic().saturating_sub(begun);
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(via: &[&str]) -> Tool {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Tool { program: words(&["docker"]), via: words(via), env: BTreeMap::new() }
    }

    #[test]
    fn after_ssh_words_are_quoted_and_after_others_they_stay() {
        let arguments = ["ps", "--format", "{{json .}}", "it's", ""];
        let line = |via| tool(via).argv(&[], &arguments).join(" ");
        assert_eq!(
            line(&["/usr/bin/ssh", "app-1"]),
            r"/usr/bin/ssh app-1 docker ps --format '{{json .}}' 'it'\''s' ''"
        );
        assert_eq!(line(&["sudo", "-n"]), "sudo -n docker ps --format {{json .}} it's ");
    }

    #[test]
    fn the_verdict_is_the_worst_part_in_its_own_words() {
        let part = |name, status| Part::new(name, status, format!("is {status}"));
        let two = vec![part("a", Status::Ok), part("b", Status::Ok)];
        assert_eq!(verdict(two, "process").summary, "all 2 processes run");
        let bad = ["a", "b", "c"].iter().zip([Status::Warning, Status::Critical, Status::Ok]);
        let reading = verdict(bad.map(|(name, status)| part(name, status)).collect(), "unit");
        assert_eq!((reading.status, reading.components.len()), (Status::Critical, 3));
        assert_eq!(reading.summary, "b: is critical, 1 more of 3");
        assert_eq!(verdict(vec![part("a", Status::Warning)], "unit").summary, "is warning");
        assert_eq!(verdict(Vec::new(), "unit").status, Status::Unknown);
        let many =
            (0..300).map(|i| part("x", if i == 299 { Status::Critical } else { Status::Ok }));
        let reading = verdict(many.collect(), "unit");
        assert_eq!(reading.components.len(), 100);
        assert_eq!(reading.components[0].status, Status::Critical);
    }

    #[test]
    fn restarts_are_counted_while_they_are_recent() {
        let (restarts, within) = (Restarts::default(), Duration::from_mins(5));
        let at = |s: i64| Timestamp::from_millis(s * 1_000);
        assert_eq!(restarts.seen("a", 57, at(0), within), 0, "the first look proves nothing");
        assert_eq!(restarts.seen("a", 58, at(10), within), 1);
        assert_eq!(restarts.seen("a", 58, at(11), within), 1, "asked again, it still counts");
        assert_eq!(restarts.seen("a", 0, at(20), within), 1, "started by hand: it begins anew");
        assert_eq!(restarts.seen("a", 1, at(30), within), 2);
        assert_eq!(restarts.seen("a", 1, at(400), within), 0);
    }

    #[test]
    fn failed_connections_have_their_layer() {
        for (said, cause) in [
            ("ssh: Could not resolve hostname nope: Name or service not known", Some(Cause::Name)),
            ("ssh: connect to host a port 22: Connection refused", Some(Cause::Refused)),
            ("ssh: connect to host a port 22: Connection timed out", Some(Cause::Timeout)),
            ("ssh: connect to host a port 22: No route to host", Some(Cause::Network)),
            ("li@a: Permission denied (publickey).", None),
        ] {
            assert_eq!(network_cause(said), cause, "{said}");
        }
    }

    #[tokio::test]
    async fn what_a_tool_does_wrong_has_its_own_words() {
        let run = async |line: &str, limit: u64| {
            let mut tool = tool(&[]);
            tool.program = ["/bin/sh", "-c", line].map(String::from).to_vec();
            tool.run(&[], Duration::from_millis(limit)).await.map(|ran| ran.out)
        };
        assert_eq!(run("echo a", 20_000).await, Ok(b"a\n".to_vec()));
        let words = async |line, limit| {
            let failed = run(line, limit).await.unwrap_err();
            (failed.status, failed.cause, failed.summary)
        };
        let ended = (Status::Critical, Cause::Timeout, "sh: no answer in 100ms (ended)".to_owned());
        assert_eq!(words("sleep 60", 100).await, ended);
        let (status, cause, said) = words("no-such-tool", 20_000).await;
        assert_eq!((status, cause), (Status::Unknown, Cause::Check));
        assert!(said.starts_with("sh cannot be run: ") && said.contains("not found"), "{said}");
        let (_, cause, said) = words("yes | head -c 9000000", 20_000).await;
        assert_eq!((cause, said.as_str()), (Cause::Answer, "sh: the answer is larger than 8MB"));
        let (_, _, said) = words("kill -9 $$", 20_000).await;
        assert_eq!(said, "sh: ended by signal 9");
        let absent = Tool { program: vec!["/no/such".into()], ..tool(&[]) };
        let failed = absent.run(&[], Duration::from_secs(9)).await.unwrap_err();
        assert_eq!(failed.summary, "/no/such: no such program");
    }
}
