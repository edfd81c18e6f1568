//! `opsroom run BOOK`: a runbook on this terminal.

use super::complain;
use super::following::{Opened, Options, REFUSED, attend, run_to_end};
use crate::cli::USAGE;
use crate::domain::runs::AlertSeen;
use crate::domain::{Alert, ServiceName, harmless};
use crate::runbook::RunRequest;
use crate::runtime::headless;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::start;
use color_eyre::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Sources answer in this time, or the alert is not found.
const LOOK: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command")]
pub(super) struct Asked<'a> {
    pub(super) book: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) alert: Option<&'a str>,
    pub(super) set: &'a [(String, String)],
    pub(super) dry_run: bool,
    pub(super) yes: bool,
    pub(super) no_wait: bool,
    pub(super) json: bool,
}

/// Runs a runbook on this terminal.
pub(super) fn run(config: Option<&Path>, asked: &Asked<'_>) -> Result<ExitCode> {
    let alert = match asked.alert.map(|wanted| alert(config, wanted)).transpose()? {
        None => None,
        Some(Ok(alert)) => Some(alert),
        Some(Err((code, why))) => {
            complain(&format!("opsroom: {why}"));
            return Ok(ExitCode::from(code));
        }
    };
    let opened = Opened::at(config)?;
    let values: BTreeMap<String, String> = asked.set.iter().cloned().collect();
    let given: BTreeSet<String> = values.keys().cloned().collect();
    let request = RunRequest {
        take_up: None,
        book: whole_path(asked.book),
        hash: None,
        service: asked.service.map(ServiceName::from),
        alert,
        values,
    };
    let options = Options {
        yes: asked.yes,
        no_wait: asked.no_wait,
        json: asked.json,
        dry_run: asked.dry_run,
        given,
        ..Options::default()
    };
    run_to_end(async {
        let ready = start::start(&request, &opened.assembled.path, opened.log.as_deref()).await;
        let code = match ready {
            Ok(ready) => attend(&opened, ready.run, options).await?,
            Err(why) => {
                complain(&format!("opsroom: {why}"));
                REFUSED
            }
        };
        Ok(ExitCode::from(code))
    })
}

/// A file is named as it is called from anywhere: the run's process is elsewhere.
fn whole_path(book: &str) -> String {
    if !book.contains('/') && Path::new(book).extension().is_none() {
        return book.to_owned();
    }
    match std::fs::canonicalize(book) {
        Ok(path) => path.to_string_lossy().into_owned(),
        // The run's process says that there is none.
        Err(_) => book.to_owned(),
    }
}

/// Looks at everything once and finds the alert; its exit code and words where
/// it is not the one alert that fires.
fn alert(config: Option<&Path>, wanted: &str) -> Result<Result<AlertSeen, (u8, String)>> {
    let Some((name, labels)) = parsed(wanted) else {
        let why = format!("{}: write NAME or 'NAME{{label=\"value\"}}'", harmless(wanted));
        return Ok(Err((USAGE, why)));
    };
    let opened = Opened::at(config)?;
    complain("opsroom: looking whether it fires");
    let state = StateFolder::of_this_user();
    let window = state.map(|state| state.window(&opened.assembled.path));
    let known = headless::look(opened.assembled, window, LOOK, &BTreeSet::new())?;
    let is_wanted = |alert: &&Alert| {
        alert.name() == name
            && labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value.as_str()))
    };
    let found: Vec<&Alert> = known.alerts.iter().filter(is_wanted).collect();
    Ok(match found.as_slice() {
        [] => Err((REFUSED, format!("{} does not fire at the moment", harmless(wanted)))),
        [alert] => Ok(seen(alert)),
        many => {
            let all: Vec<String> =
                many.iter().map(|alert| format!("\n  {}", written(alert))).collect();
            Err((
                USAGE,
                format!("{} alerts are meant; name the labels:{}", all.len(), all.concat()),
            ))
        }
    })
}

fn seen(alert: &Alert) -> AlertSeen {
    AlertSeen {
        identity: alert.identity(),
        labels: alert.labels.clone(),
        expression: alert.expression.clone(),
        reason: alert.reason.clone(),
        since: alert.since,
    }
}

/// As it can be given to `--alert`.
fn written(alert: &Alert) -> String {
    let labels: Vec<String> = alert
        .labels
        .iter()
        .filter(|(name, _)| &***name != "alertname")
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    harmless(&format!("'{}{{{}}}'", alert.name(), labels.join(","))).into_owned()
}

/// `NAME` or `NAME{label="value", ...}`
fn parsed(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('{') else {
        return (!text.is_empty()).then(|| (text.to_owned(), Vec::new()));
    };
    let mut rest = rest.strip_suffix('}')?.trim();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, c) => value.push(c),
            }
        };
        labels.push((label.trim().to_owned(), value));
        rest = after[end + 1..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some((name.trim().to_owned(), labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_named_alone_or_with_labels() {
        let labels = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        assert_eq!(parsed("HighErrorRate"), Some(("HighErrorRate".into(), Vec::new())));
        assert_eq!(
            parsed(r#"HighErrorRate{service="api", path="/a\"b,c}"}"#),
            Some(("HighErrorRate".into(), labels(&[("service", "api"), ("path", "/a\"b,c}")])))
        );
        assert_eq!(parsed("X{}"), Some(("X".into(), Vec::new())));
        for wrong in ["", "X{", "X{a}", "X{a=b}", "X{a=\"b}"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_is_named_whole() {
        assert_eq!(whole_path("rollback-api"), "rollback-api");
        assert_eq!(whole_path("/no/such/book.md"), "/no/such/book.md");
        let file = tempfile::NamedTempFile::with_suffix(".md").unwrap();
        let path = file.path().canonicalize().unwrap();
        assert_eq!(whole_path(&file.path().to_string_lossy()), path.to_string_lossy());
    }
}
