//! What the backup tools have in common: how they are run, what they are given,
//! and what may be told of where they store.

pub(super) mod env_file;
pub(super) mod place;
pub(super) mod words;

use super::client::Shared;
use super::logs::masked;
use super::process::{Program, Ran, RunError};
use crate::config::{Key, Mistakes, Secret, SecretValue, Shape, Table, home_path, key};
use crate::domain::{PollError, PollFailure, harmless_within, units};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Keys that all backup tools share.
pub(super) const SURROUNDINGS: &[Key] = &[
    key("env", Shape::Map(&Shape::Header), "Variables that the tool gets; values may be secret references. Beside them it gets PATH, HOME, USER and SSH_AUTH_SOCK of the environment.")
        .like(r#"{ AWS_SECRET_ACCESS_KEY = "file:/etc/opsroom/s3.key" }"#),
    key("env_file", Shape::Path, "File of `NAME=value` lines that the tool gets too, as cron jobs and systemd units have it. Nothing in it is run, and others must not be able to read it.")
        .like("/etc/restic/orders.env"),
];

/// No more than so much of a tool's output is taken.
const MOST_OUTPUT: usize = 16 << 20;
/// Of many backups the newest so many are shown.
pub(super) const MOST_SNAPSHOTS: usize = 1_000;
/// A closer look may take this long.
pub(super) const LOOK_LIMIT: Duration = Duration::from_hours(6);

/// A backup tool as the config describes it.
pub(super) struct Tool {
    program: Vec<String>,
    env: Vec<(String, Secret)>,
    env_file: Option<String>,
    shared: Arc<Shared>,
}

/// A tool with its secrets at hand, for the time of one poll.
#[derive(Clone)]
pub(super) struct Ready {
    program: Vec<String>,
    env: BTreeMap<String, String>,
    /// To be masked in whatever it says.
    secrets: Vec<SecretValue>,
    /// Texts that hold a secret, and what stands for them.
    stand_ins: Vec<(String, String)>,
    shared: Arc<Shared>,
    begun: Duration,
    limit: Duration,
}

impl Tool {
    /// From its table; `name` is the program that is meant where none is named.
    pub(super) fn read(
        table: &Table,
        name: &str,
        shared: &Arc<Shared>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut program = table.texts("program");
        if program.is_empty() {
            program = vec![name.into()];
        }
        for (variable, _) in table.map("env") {
            if !env_file::is_name(&variable.it) {
                let help = "use letters, digits, `_`";
                mistakes.wrong_but(variable.span, "this is no name of a variable", help);
            }
        }
        Self {
            program,
            env: table.secret_map("env"),
            env_file: table.optional_text("env_file"),
            shared: Arc::clone(shared),
        }
    }

    /// Reads the secrets. `limit` bounds all that is run with them.
    pub(super) async fn ready(&self, limit: Duration) -> Result<Ready, PollError> {
        let mut ready = Ready {
            program: self.program.clone(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
            stand_ins: Vec::new(),
            shared: Arc::clone(&self.shared),
            begun: self.shared.monotonic(),
            limit,
        };
        // Nobody is there to answer a question of ssh, on the terminal least of all.
        ready.set("SSH_ASKPASS", "/bin/false");
        ready.set("SSH_ASKPASS_REQUIRE", "force");
        if let Some(path) = &self.env_file {
            let file = Secret::parse(&format!("file:{}", home_path(path).display()));
            let text = file.resolve().await.map_err(|error| no_secret(&error.to_string()))?;
            for (name, value) in env_file::parse(text.reveal())
                .map_err(|why| no_secret(&format!("{path}: {why}")))?
            {
                if env_file::is_secret(&name) {
                    ready.remember(&value);
                }
                ready.env.insert(name, value);
            }
        }
        for (name, secret) in &self.env {
            let value = if !secret.is_plain() || env_file::is_secret(name) {
                ready.resolve(secret).await?
            } else {
                secret.resolve().await.map_err(|error| no_secret(&error.to_string()))?
            };
            ready.env.insert(name.clone(), value.reveal().into());
        }
        Ok(ready)
    }
}

/// A secret that cannot be read is a credential that is missing.
fn no_secret(why: &str) -> PollError {
    PollError::new(PollFailure::Denied, harmless_within(why, 200))
}

impl Ready {
    async fn resolve(&mut self, secret: &Secret) -> Result<SecretValue, PollError> {
        let value = self.shared.secret(secret).await.map_err(|why| no_secret(&why))?;
        self.secrets.push(value.clone());
        Ok(value)
    }

    /// Masks a value from now on, here and wherever else it comes back.
    fn remember(&mut self, value: &str) {
        if !value.is_empty() {
            let value = SecretValue::from_text(value.into());
            self.shared.remember(value.clone());
            self.secrets.push(value);
        }
    }

    /// Gives a secret by environment.
    pub(super) async fn give(&mut self, name: &str, secret: &Secret) -> Result<(), PollError> {
        let value = self.resolve(secret).await?;
        self.env.insert(name.into(), value.reveal().into());
        Ok(())
    }

    /// Gives where the repository is by environment: it may hold a password.
    pub(super) fn give_place(&mut self, name: &str, place: &str) {
        if let Some(password) = place::password(place) {
            self.remember(password);
            self.stand_ins.push((place.into(), place::shown(place)));
        }
        self.env.insert(name.into(), place.into());
    }

    /// Gives a variable.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.into(), value.into());
    }

    /// Gives a variable that the config does not give.
    pub(super) fn set_default(&mut self, name: &str, value: &str) {
        self.env.entry(name.into()).or_insert_with(|| value.into());
    }

    /// The value of a variable that it gets.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The time since it was made ready.
    pub(super) fn took(&self) -> Duration {
        self.shared.monotonic().saturating_sub(self.begun)
    }

    /// Runs the tool in what is left of the time.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<Ran, PollError> {
        let ran = self.carry_out(arguments, false).await?;
        if ran.out.len() >= MOST_OUTPUT {
            let most = units::bytes(MOST_OUTPUT as f64);
            let words = format!("{}: it answered with more than {most}", self.program[0]);
            return Err(PollError::new(PollFailure::TooBig, words));
        }
        Ok(ran)
    }

    /// Runs the tool for its exit code and errors: what it puts out is let go.
    pub(super) async fn exhaust(&self, arguments: &[&str]) -> Result<Ran, PollError> {
        self.carry_out(arguments, true).await
    }

    async fn carry_out(&self, arguments: &[&str], only_end: bool) -> Result<Ran, PollError> {
        let name = self.program.first().map_or("", String::as_str);
        let timeout = || {
            let limit = units::duration(self.limit);
            PollError::new(PollFailure::Timeout, format!("{name}: no answer in {limit} (ended)"))
        };
        let limit = self.limit.saturating_sub(self.took());
        if limit.is_zero() {
            return Err(timeout());
        }
        let mut argv = self.program.clone();
        argv.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let program = Program {
            argv,
            env: self.env.clone(),
            folder: None,
            limit,
            most: if only_end { 64 << 10 } else { MOST_OUTPUT },
            keep_end: only_end,
        };
        match program.run().await {
            Ok(ran) => Ok(ran),
            Err(RunError::Start(why)) => {
                Err(PollError::new(PollFailure::Absent, harmless_within(&why, 200)))
            }
            Err(RunError::Timeout { .. }) => Err(timeout()),
        }
    }

    /// What a tool says, without secrets: many lines become one.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (whole, stand_in) in &self.stand_ins {
            text = text.replace(whole, stand_in);
        }
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
        harmless_within(&masked(&lines.join(": "), &self.secrets), 240)
    }
}

/// How a program ended: its exit code, or 128 and the signal that ended it.
pub(super) fn code(ran: &Ran) -> i32 {
    ran.status.code().unwrap_or_else(|| 128 + ran.status.signal().unwrap_or_default())
}

/// A text of a JSON object.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// A whole number of a JSON object, written as a number or as text.
pub(super) fn whole(value: &Value, name: &str) -> Option<u64> {
    let value = value.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Is a process of this host alive? Of one that is not ours, too.
pub(super) fn is_alive(pid: u64) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

/// Which of these words is among the first arguments of a process of this host:
/// what a backup tool is doing. Nothing else of its command line is looked at.
pub(super) fn doing(pid: u64, words: &[&'static str]) -> Option<&'static str> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = line.split(|byte| *byte == 0).take(40).skip(1);
    arguments.find_map(|argument| words.iter().find(|word| word.as_bytes() == argument).copied())
}

/// This host's name, as tools write it into their locks.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Where a tool may keep what spares the repository: a folder of ours, never the
/// cache of whoever makes the backups.
pub(super) fn cache_folder(tool: &str) -> Option<PathBuf> {
    let base = directories::BaseDirs::new()?;
    Some(base.cache_dir().join("opsroom").join(tool))
}
