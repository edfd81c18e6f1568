//! Releases from what a command prints.

use super::{Common, MOST_BYTES, parse};
use crate::config::{Family, Key, Mistakes, Secret, Shape, Table, key};
use crate::domain::reading::PollFailure;
use crate::domain::{
    PollError, Reading, ReleasesReading, SourceInfo, Timestamp, harmless_within, units,
};
use crate::sources::client::Shared;
use crate::sources::process::{Program, RunError};
use crate::sources::{Brought, Kind, Made, Source};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kind in the registry.
pub(in crate::sources) const KIND: Kind =
    Kind { family: Family::Release, name: "command", keys: &[KEYS], network: false, make };

const KEYS: &[Key] = &[
    key("command", Shape::OneOrMore(&Shape::Text), "Prints a line for each release, as `file` has them; those it told of before are remembered. A list is run as it is; one text is a line for `/bin/sh`.")
        .like(r#"["deployctl", "history", "--json"]"#)
        .needed(),
    key("env", Shape::Map(&Shape::Header), "Variables; values may be secret references.")
        .like(r#"{ DEPLOY_TOKEN = "file:/etc/opsroom/deploy.token" }"#),
    key("network", Shape::Bool, "It goes over the network, so a dead one of our own explains it.")
        .or("false"),
];

/// A command that prints releases.
struct Command {
    info: SourceInfo,
    shared: Arc<Shared>,
    argv: Vec<String>,
    env: Vec<(String, Secret)>,
    common: Common,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, shared, .. } = made;
    let words = table.texts("command");
    let blank = words.first().is_none_or(|word| word.trim().is_empty());
    if blank || words.iter().any(|word| word.contains('\0')) {
        mistakes.wrong_but(table.span_of("command"), "this is no command", "name a program");
        return None;
    }
    for (name, _) in table.map("env") {
        if name.it.is_empty() || name.it.contains(['=', '\0']) {
            let help = "use letters, digits, `_`";
            mistakes.wrong_but(name.span, "this is no name of a variable", help);
        }
    }
    info.asks = crate::sources::command::asks(&words);
    info.network = table.flag("network");
    info.cost = "1 run of the command".into();
    let argv = match words.as_slice() {
        [line] => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        _ => words,
    };
    let common = Common::read(table, &info.label);
    Some(Arc::new(Command { info, shared, argv, env: table.secret_map("env"), common }))
}

impl Command {
    async fn ask(&self) -> Result<ReleasesReading, PollError> {
        let mut env = BTreeMap::new();
        for (name, secret) in &self.env {
            let value = self.shared.secret(secret).await;
            let value = value.map_err(|why| PollError::new(PollFailure::Denied, why))?;
            env.insert(name.clone(), value.reveal().to_owned());
        }
        let program = Program {
            argv: self.argv.clone(),
            env,
            folder: None,
            limit: self.info.timeout,
            most: MOST_BYTES,
            keep_end: true,
        };
        let ran = match program.run().await {
            Ok(ran) => ran,
            Err(RunError::Start(why)) => return Err(PollError::new(PollFailure::Absent, why)),
            Err(RunError::Timeout { .. }) => {
                let limit = units::duration(self.info.timeout);
                let words = format!("no answer in {limit} (ended)");
                return Err(PollError::new(PollFailure::Timeout, words));
            }
        };
        if !ran.status.success() {
            let said = crate::sources::processes::last_line(&ran.err);
            let end = match ran.status.code() {
                Some(code) => format!("exit code {code}"),
                None => "ended by a signal".into(),
            };
            let words = if said.is_empty() { end } else { format!("{end}: {said}") };
            return Err(PollError::broken(harmless_within(&words, 160)));
        }
        let cut = ran.out.len() >= MOST_BYTES;
        // It has ended: what it wrote last is whole, whether it ended the line or not.
        let mut out = ran.out;
        out.push(b'\n');
        parse(&out, cut, &self.common)
    }
}

impl Source for Command {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let begun = self.shared.monotonic();
            let mut reading = self.ask().await?;
            reading.took = self.shared.monotonic().saturating_sub(begun);
            Ok(Brought::Reading(Reading::Releases(Arc::new(reading))))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Mistakes};
    use crate::domain::reading::PollFailure;
    use crate::domain::{PollError, Reading, ReleasesReading, Timestamp};
    use crate::sources::{Brought, Shared, Sources, kind_keys};
    use std::sync::Arc;
    use std::time::Duration;

    async fn poll(line: &str) -> Result<Arc<ReleasesReading>, PollError> {
        let text = format!(
            "[service.api]\ntcp = 'h:1'\n[release.x]\nservice = 'api'\ncommand = {line}\n\
             env = {{ TOKEN = 'swordfish' }}"
        );
        let mut mistakes = Mistakes::default();
        let config = Config::read(&text, &kind_keys(), &mut mistakes);
        let sources = Sources::of(&config, &Shared::new(|| Duration::ZERO, 1), &mut mistakes);
        let source = sources.all.last().unwrap();
        assert!(!format!("{:?}", source.info()).contains("swordfish"));
        match source.poll(Timestamp::default()).await? {
            Brought::Reading(Reading::Releases(reading)) => Ok(reading),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_it_prints_are_releases_and_its_secrets_stay_in_its_environment() {
        let reading = poll(r#"'test -n "$TOKEN" && printf "2026-11-21T09:00:00Z v1 by ci"'"#).await;
        let reading = reading.unwrap();
        assert_eq!(reading.releases[0].version, "v1");
        assert_eq!(reading.releases[0].service, Some("api".into()));
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_in_its_own_words() {
        let failed = async |line| {
            let failed = poll(line).await.unwrap_err();
            (failed.cause, failed.message)
        };
        let broken = failed("'echo no such cluster >&2; exit 3'").await;
        assert_eq!(broken, (PollFailure::Broken, "exit code 3: no such cluster".into()));
        let absent = failed("['/no/such', 'x']").await;
        assert_eq!(absent, (PollFailure::Absent, "/no/such: no such program".into()));
        assert_eq!(failed("'echo nonsense'").await.0, PollFailure::Broken);
        assert!(poll("'true'").await.unwrap().releases.is_empty());
    }
}
