//! What the process of a run knows from its config, and its own eyes.

use crate::config::{Config, Mistakes, Role, discover, home_path};
use crate::domain::ServiceName;
use crate::domain::Status;
use crate::domain::Timestamp;
use crate::domain::harmless_within;
use crate::domain::runs::{Condition, Holds, Plan, ProofLine, StepKind, Who};
use crate::runbook::{Book, Evidence, Setting};
use crate::runtime::assemble::Assembled;
use crate::runtime::runs::evidence::Eyes;
use crate::runtime::runs::library;
use crate::sources::{Shared, kind_keys};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What it knows from its config.
pub(super) struct House {
    /// As whom the process runs.
    pub(super) who: Who,
    pub(super) roles: Vec<Role>,
    /// Runbooks that `--yes` carries past a `confirm`.
    pub(super) yes: Vec<String>,
    pub(super) approve_within: Duration,
    shared: Arc<Shared>,
}

impl House {
    pub(super) fn of(assembled: &Assembled, who: Who) -> Self {
        let config = &assembled.config;
        Self {
            who,
            roles: config.roles.clone(),
            yes: config.runbooks.yes.clone(),
            approve_within: config.runbooks.approve_within,
            shared: Arc::clone(&assembled.shared),
        }
    }

    /// The values of secrets that the config's sources have read so far.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.shared.secrets().iter().map(|it| it.reveal().to_owned()).collect()
    }
}

/// What a plan is made with.
pub(in crate::runtime::runs) fn setting(assembled: &Assembled, who: &Who) -> Setting {
    let runbooks = &assembled.config.runbooks;
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let path = &assembled.path;
    Setting {
        environment: assembled.inventory.environment.clone(),
        armed_only: runbooks.armed_only,
        config: path.to_string_lossy().into_owned(),
        host: who.host.clone(),
        user: who.user.clone(),
        home: variable("HOME").unwrap_or_else(|| "/".into()),
        folder: home_path(&runbooks.folder).to_string_lossy().into_owned(),
        timeout: runbooks.timeout,
        path: runbooks.path.iter().map(|it| home_path(it).to_string_lossy().into_owned()).collect(),
        agent: variable("SSH_AUTH_SOCK"),
        zone: variable("TZ"),
        terminal: "xterm-256color".into(),
        approve: runbooks.approve.clone(),
        names: crate::runtime::runs::names::names(&assembled.config),
    }
}

/// What the config calls its environment at this moment.
pub(super) fn environment_now(config: &str) -> Result<String, String> {
    let found = discover::read(Path::new(config)).map_err(|error| error.to_string())?;
    let mut mistakes = Mistakes::default();
    let config = Config::read(&found.text, &kind_keys(), &mut mistakes);
    if mistakes.is_empty() {
        Ok(config.inventory().environment)
    } else {
        Err("the config has mistakes".to_owned())
    }
}

/// The line that asks whether a service is ok.
pub(super) fn service_line(service: &ServiceName) -> (String, Condition) {
    let is_ok = Condition::Service { name: service.clone(), status: Status::Ok };
    (format!("service {service} is ok"), is_ok)
}

/// All that a run looks at: the lines of its checks, its service, its alert.
pub(super) fn lines(plan: &Plan) -> Arc<[(String, Condition)]> {
    let checks = plan.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Check(check) => Some(check.lines.iter().cloned()),
        _ => None,
    });
    let service = plan.service.as_ref().map(service_line);
    let name = plan.alert.as_ref().and_then(|alert| alert.labels.get("alertname"));
    let alert = name.map(|name| {
        let resolved = Condition::Alert { name: name.to_owned(), firing: false };
        (format!("alert {name} is not firing"), resolved)
    });
    let mut lines: Vec<(String, Condition)> = Vec::new();
    for (line, condition) in checks.flatten().chain(service).chain(alert) {
        if !lines.iter().any(|(known, asked)| *known == line || *asked == condition) {
            lines.push((line, condition));
        }
    }
    lines.into()
}

/// What each of these says at the moment, and the signals of the run's service.
pub(super) async fn ask_lines(
    eyes: &Eyes,
    lines: &[(String, Condition)],
    after: Timestamp,
) -> Vec<ProofLine> {
    let asked = lines.iter().map(|(line, condition)| async move {
        ProofLine { line: line.clone(), finding: eyes.ask(condition, after).await }
    });
    let mut all = futures_util::future::join_all(asked).await;
    for mut signal in eyes.signals() {
        if !all.iter().any(|known| known.line == signal.line) {
            if is_old(&signal, after) {
                signal.finding.holds = Holds::Unknown;
                signal.finding.words.push_str(", as read before that");
            }
            all.push(signal);
        }
    }
    all
}

/// Whether what a line says was read before this moment.
pub(super) fn is_old(line: &ProofLine, after: Timestamp) -> bool {
    line.finding.seen.is_some_and(|seen| seen < after)
}

/// Before the start the run's own eyes may be seconds old: where they have not seen
/// a whole window yet, what the alert said stands there, and that it did.
pub(super) fn as_the_alert_said(
    before: &mut [ProofLine],
    lines: &[(String, Condition)],
    plan: &Plan,
) {
    let Some(alert) = plan.alert.as_ref().filter(|alert| !alert.pending) else { return };
    let named = alert.labels.get("alertname");
    for line in before.iter_mut().filter(|line| line.finding.holds == Holds::Unknown) {
        let condition = lines.iter().find(|(of, _)| *of == line.line).map(|(_, of)| of);
        let holds = match condition {
            Some(Condition::Alert { name, firing }) if Some(name.as_str()) == named => {
                if *firing {
                    Holds::Yes
                } else {
                    Holds::No
                }
            }
            // A signal that the alert speaks of: `5xx` of `5xx 39% > 5%`.
            None if alert.reason.strip_prefix(&line.line).is_some_and(|of| of.starts_with(' ')) => {
                Holds::No
            }
            _ => continue,
        };
        let said = if alert.reason.is_empty() { "firing" } else { alert.reason.as_str() };
        line.finding.holds = holds;
        line.finding.words = harmless_within(&format!("{said} (the alert)"), 300);
    }
}

/// The runbook of this name, or in this file.
pub(super) fn book(assembled: &Assembled, name: &str) -> Result<Arc<Book>, Vec<String>> {
    let known = library::read(&assembled.path, &assembled.config.runbooks);
    library::find(&known, name).map_err(|why| {
        let failures = known.failures.iter().cloned();
        [why].into_iter().chain(failures).collect()
    })
}
