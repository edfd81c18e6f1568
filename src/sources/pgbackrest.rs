//! Backups of a Postgres cluster by pgBackRest: what its `info` tells.

mod answer;
mod place;

use super::repos::{self, SURROUNDINGS, Tool};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Mistakes, Secret, Shape, Table, home_path, key};
use crate::domain::{
    BackupReading, FullCheck, PollError, PollFailure, Reading, SourceInfo, Status, Timestamp,
    harmless_within,
};
use crate::store::message::{Look, Seen};
use answer::{failed, info};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The kind in the registry.
pub(super) const KIND: Kind = Kind {
    family: Family::Backup,
    name: "pgbackrest",
    keys: &[KEYS, SURROUNDINGS],
    network: false,
    make,
};

const KEYS: &[Key] = &[
    key("pgbackrest", Shape::Name, "A stanza of pgBackRest, as its own config names it.")
        .like("main")
        .needed(),
    key("config", Shape::Path, "pgBackRest's config, where it is not at its usual place.")
        .like("/etc/pgbackrest/pgbackrest.conf"),
    key("repo", Shape::Integer { min: 1, max: 256 }, "Only this one of its repositories.").like("1"),
    key("cipher_pass", Shape::Secret, "Passphrase of an encrypted repository, where its config does not give it; of the one that `repo` names, else the first.")
        .like("file:/etc/opsroom/pgbackrest.pass"),
    key("program", Shape::OneOrMore(&Shape::Name), "The program, with what goes before it where it is a list: it must be able to read the repository. sudo gives none of `env` on.")
        .or(r#"["pgbackrest"]"#)
        .like(r#"["sudo", "-n", "-u", "postgres", "pgbackrest"]"#),
];

/// What is asked, with nothing logged.
const INFO: &[&str] = &[
    "info",
    "--output=json",
    "--log-level-console=off",
    "--log-level-file=off",
    "--log-level-stderr=warn",
];

/// A stanza.
struct PgBackRest {
    info: SourceInfo,
    tool: Tool,
    stanza: String,
    config: Option<String>,
    repo: Option<u64>,
    cipher_pass: Option<Secret>,
    hangs: Arc<AtomicBool>,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let stanza = table.text("pgbackrest").trim().to_owned();
    if stanza.starts_with('-') || stanza.contains(|c: char| c.is_whitespace() || c == '/') {
        let help = "expected the name of a stanza, such as \"main\"";
        mistakes.wrong_but(table.span_of("pgbackrest"), "this is no stanza", help);
        return None;
    }
    let tool = Tool::read(table, "pgbackrest", &shared, mistakes);
    info.asks = harmless_within(&format!("stanza {stanza}"), 80);
    info.cost = "pgbackrest info: reads a small file of each repository and its list of WAL folders, no lock, about 0.01 s of CPU".into();
    Some(Arc::new(PgBackRest {
        info,
        tool,
        stanza,
        config: table.optional_text("config"),
        repo: table.optional_whole("repo"),
        cipher_pass: table.secret("cipher_pass"),
        hangs: Arc::default(),
    }))
}

impl PgBackRest {
    async fn ready(&self, limit: Duration) -> Result<repos::Ready, PollError> {
        let mut ready = self.tool.ready(limit).await?;
        if let Some(pass) = &self.cipher_pass {
            let name = format!("PGBACKREST_REPO{}_CIPHER_PASS", self.repo.unwrap_or(1));
            ready.give(&name, pass).await?;
        }
        Ok(ready)
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let mut arguments = vec![format!("--stanza={}", self.stanza)];
        if let Some(config) = &self.config {
            arguments.push(format!("--config={}", home_path(config).display()));
        }
        arguments.extend(self.repo.map(|repo| format!("--repo={repo}")));
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        arguments
    }

    async fn run(&self, ready: &repos::Ready, more: &[&str]) -> Result<Vec<u8>, PollError> {
        let arguments = self.arguments(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = ready.run(&arguments).await?;
        match repos::code(&ran) {
            0 => Ok(ran.out),
            code => {
                let (cause, words) = failed(code, &ran.err, &ran.out);
                Err(PollError::new(cause, ready.shown(&words)))
            }
        }
    }

    async fn ask(&self) -> Result<BackupReading, PollError> {
        let ready = self.ready(self.info.timeout).await?;
        let out = self.run(&ready, INFO).await?;
        let mut reading = info(&out, &self.stanza, self.repo)
            .map_err(|error| PollError::new(error.cause, ready.shown(&error.message)))?;
        let config = self.config.as_deref().map(home_path);
        let (repo, stanza) = (self.repo, self.stanza.clone());
        let env = |name: &str| ready.variable(name).map(str::to_owned);
        let told = place::Told {
            kind: env(&format!("PGBACKREST_REPO{}_TYPE", repo.unwrap_or(1))),
            host: env(&format!("PGBACKREST_REPO{}_HOST", repo.unwrap_or(1))),
            path: env(&format!("PGBACKREST_REPO{}_PATH", repo.unwrap_or(1))),
        };
        let found = super::repos::place::patiently(&self.hangs, move || {
            place::of(config.as_deref(), &stanza, repo.unwrap_or(1), told)
        });
        let found = found.await.flatten();
        reading.place = format!("stanza {}", self.stanza);
        if let Some(found) = found {
            reading.place = format!("{}, {}", found.shown, reading.place);
            reading.off_host = found.elsewhere;
            if let Some(folder) = found.folder {
                let (backups, mut listed) =
                    (folder.join("backup").join(&self.stanza), reading.snapshots.clone());
                let marked = super::repos::place::patiently(&self.hangs, move || {
                    place::mark_lost(&backups, &mut listed);
                    listed
                });
                reading.snapshots = marked.await.unwrap_or(reading.snapshots);
                let room = super::repos::place::room(folder, &self.hangs).await;
                reading.free = room.free;
                if room.foreign && reading.off_host == Some(false) {
                    reading.off_host = None;
                }
            }
        }
        reading.place = harmless_within(&reading.place, 160);
        reading.took = ready.took();
        Ok(reading)
    }

    /// Checks the files of all backups and WAL segments against their checksums.
    async fn verify(&self) -> Result<Seen, PollError> {
        let ready = self.ready(repos::LOOK_LIMIT).await?;
        let before = self.run(&ready, INFO).await?;
        let reading = info(&before, &self.stanza, self.repo)?;
        if reading.snapshots.is_empty() {
            return Err(PollError::new(PollFailure::Absent, "there is no backup to check"));
        }
        let more = ["verify", "--log-level-console=info", "--log-level-file=off"];
        let (status, words) = match self.run(&ready, &more).await {
            Ok(out) => answer::verified(&out),
            Err(error) if error.cause == PollFailure::Broken => {
                (Status::Critical, format!("not all of it is sound: {}", error.message))
            }
            Err(error) => return Err(error),
        };
        let of = harmless_within(&format!("stanza {}", self.stanza), 80);
        let words = ready.shown(&words);
        Ok(Seen::Verified(FullCheck { of, status, words, took: ready.took() }))
    }
}

impl Source for PgBackRest {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = self.ask().await?;
            Ok(Brought::Reading(Reading::Backup(Arc::new(reading))))
        })
    }

    fn look(&self, look: &Look, _: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        matches!(look, Look::Verify).then(|| -> BoxFuture<'_, _> { Box::pin(self.verify()) })
    }
}
