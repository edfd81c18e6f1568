//! The `command` check: any Nagios plugin, or anything with its exit codes.

mod plugin;

use super::client::Shared;
use super::process::{Program, RunError};
use super::{Brought, Kind, Made, Source, http};
use crate::config::{Family, Key, Mistakes, Secret, Shape, Table, home_path, key};
use crate::domain::{
    Cause, CheckReading, PollError, Reading, SourceInfo, Status, Timestamp, harmless_within, units,
};
use futures_util::future::BoxFuture;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "command", keys: &[KEYS], network: false, make };

const KEYS: &[Key] = &[
    key(
        "command",
        Shape::OneOrMore(&Shape::Text),
        "A list is run as it is; one text is a line for `/bin/sh`. Exit codes as Nagios has them. Of the environment it gets PATH, HOME, USER, TZ and SSH_AUTH_SOCK; `env` adds to that.",
    )
    .like(r#"["check_disk", "-w", "20%", "-c", "10%", "-p", "/"]"#)
    .needed(),
    key("env", Shape::Map(&Shape::Header), "Variables; values may be secret references.")
        .like(r#"{ PGPASSWORD = "file:/etc/opsroom/pg.password" }"#),
    key("folder", Shape::Path, "Where it runs.").or("/"),
    key("network", Shape::Bool, "It goes over the network, so a dead one of our own explains it.")
        .or("false"),
];

/// Of each output so many bytes are read.
const MOST_OUTPUT: usize = 64 << 10;

/// A program that answers with its exit code.
struct Command {
    info: SourceInfo,
    shared: Arc<Shared>,
    program: Program,
    env: Vec<(String, Secret)>,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let words = table.texts("command");
    let argv = match words.as_slice() {
        [] => return None,
        [line] => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        _ => words.clone(),
    };
    if words.iter().any(|word| word.contains('\0')) || words[0].trim().is_empty() {
        mistakes.wrong_but(table.span_of("command"), "this is no command", "name a program");
        return None;
    }
    for (name, _) in table.map("env") {
        if name.it.is_empty() || name.it.contains(['=', '\0']) {
            mistakes.wrong_but(
                name.span,
                "this is no name of a variable",
                "use letters, digits, `_`",
            );
        }
    }
    info.asks = asks(&words);
    info.network = table.flag("network");
    let program = Program {
        argv,
        env: std::collections::BTreeMap::new(),
        folder: table.optional_text("folder").map(|folder| home_path(&folder)),
        limit: info.timeout,
        most: MOST_OUTPUT,
        keep_end: false,
    };
    Some(Arc::new(Command { info, shared, program, env: table.secret_map("env") }))
}

/// A command's first words: later ones may be secrets.
pub(super) fn asks(words: &[String]) -> String {
    let all: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let told: Vec<&str> = all.iter().copied().take(2).filter(|word| !word.contains('=')).collect();
    let more = if all.len() > told.len() { " …" } else { "" };
    harmless_within(&format!("{}{more}", told.join(" ")), 60)
}

impl Command {
    async fn ask(&self) -> CheckReading {
        let begun = self.shared.monotonic();
        let mut reading = match self.run().await {
            Ok(reading) => reading,
            Err(message) => http::not_carried_out(&message),
        };
        reading.took = self.shared.monotonic().saturating_sub(begun);
        reading
    }

    async fn run(&self) -> Result<CheckReading, String> {
        let mut program = self.program.clone();
        for (name, secret) in &self.env {
            let value = self.shared.secret(secret).await?;
            program.env.insert(name.clone(), value.reveal().to_owned());
        }
        let ran = match program.run().await {
            Ok(ran) => ran,
            Err(RunError::Start(why)) => return Err(why),
            Err(RunError::Timeout { .. }) => {
                let limit = units::duration(self.info.timeout);
                return Ok(CheckReading {
                    status: Status::Critical,
                    summary: format!("no answer in {limit} (ended)"),
                    cause: Some(Cause::Timeout),
                    ..CheckReading::default()
                });
            }
        };
        if let Some(signal) = ran.status.signal() {
            return Err(format!("ended by signal {signal}"));
        }
        let code = ran.status.code().unwrap_or(3);
        let mut read = plugin::read(&ran.out);
        if read.summary.is_empty() {
            // Whatever it complained of is better than nothing.
            read.summary = plugin::read(&ran.err).summary;
        }
        if matches!(code, 126 | 127) && read.summary.is_empty() {
            return Err(format!("exit code {code}: the program cannot be run"));
        }
        Ok(judge(code, read))
    }
}

/// Nagios Plugins Development Guidelines, "Plugin Return Codes".
fn judge(code: i32, read: plugin::Output) -> CheckReading {
    let (status, cause) = match code {
        0 => (Status::Ok, None),
        1 => (Status::Warning, Some(Cause::Answer)),
        2 => (Status::Critical, Some(Cause::Answer)),
        3 => (Status::Unknown, Some(Cause::Answer)),
        _ => (Status::Unknown, Some(Cause::Check)),
    };
    let summary = match (read.summary.is_empty(), code) {
        (true, 0..=3) => format!("exit code {code}, and no word"),
        (true, _) => format!("exit code {code}, which is none of 0 to 3"),
        (false, 0..=3) => read.summary,
        (false, _) => format!("exit code {code}: {}", read.summary),
    };
    CheckReading { status, summary, cause, numbers: read.numbers, ..CheckReading::default() }
}

impl Source for Command {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move { Ok(Brought::Reading(Reading::Check(self.ask().await))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_status_and_others_are_unknown() {
        let status = |code| judge(code, plugin::read(b"x")).status;
        assert_eq!(
            [0, 1, 2, 3].map(status),
            [Status::Ok, Status::Warning, Status::Critical, Status::Unknown]
        );
        assert_eq!(judge(255, plugin::read(b"")).summary, "exit code 255, which is none of 0 to 3");
        assert_eq!(judge(0, plugin::read(b"")).summary, "exit code 0, and no word");
    }

    #[test]
    fn later_words_and_assignments_are_not_shown() {
        let words = |text: &str| asks(&[text.to_owned()]);
        assert_eq!(words("check_http -H x -a user:pass"), "check_http -H …");
        assert_eq!(words("PGPASSWORD=x psql -c 'select 1'"), "psql …");
        assert_eq!(words("true"), "true");
    }
}
