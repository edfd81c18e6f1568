//! Whether an alert fires, as all of those tell who could raise it.

use super::finding::Part;
use super::needs::{Origins, Subject};
use super::parts::View;
use crate::domain::runs::{Finding, Holds};
use crate::domain::{
    AlertState, EngineKind, Labels, Quiet, Reading, SourceId, Status, Timestamp, units,
};

/// What is told of an alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Say {
    /// It fires.
    Fires(Part),
    /// It does not, as far as this one tells.
    Quiet(Part),
    /// Nobody can tell.
    Unknown(Part),
}

impl Say {
    fn unknown(words: impl Into<String>, seen: Option<Timestamp>) -> Self {
        Self::Unknown(Part::unknown(words, seen))
    }
}

/// What is told together: one that fires is enough, and one that cannot be
/// heard leaves it open.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alerts {
    pub(super) says: Vec<Say>,
    /// Its expression, to be asked again, and the labels that count.
    pub(super) expression: Option<String>,
    /// Who answers it: opsroom itself where its own rules tell of the alert.
    pub(super) engine: EngineKind,
    /// The signals whose data has to be of after the moment.
    pub(super) signals: Vec<crate::domain::SignalId>,
}

impl View<'_> {
    /// All that is told of the alert of this name: of the one that the run was
    /// started from, where it has that name.
    pub(super) fn alert(&self, name: &str, subject: &Subject, learnt: Option<&str>) -> Alerts {
        let identity = subject.identity(name);
        let origins = Origins::of(&self.known.inventory, name, identity);
        let mut says = Vec::new();
        for id in &origins.signals {
            says.push(self.signal_alert(id, name, identity));
        }
        for id in &origins.checks {
            says.push(said(self.check(id)));
        }
        for id in &origins.certificates {
            says.extend(self.certificate(id).map(said));
        }
        for id in &origins.backups {
            says.push(said(self.backup(id)));
        }
        for id in &origins.sources {
            says.push(said(self.source(id)));
        }
        for id in &origins.tellers {
            says.push(self.told_by(id, name, identity));
        }
        let is_foreign = !origins.is_own();
        let first = subject.alert.as_ref().filter(|_| identity.is_some());
        let expression = first.map(|alert| alert.expression.as_str()).filter(|it| !it.is_empty());
        let engine = self.engine_of_alert(&origins.tellers, name, identity);
        let asked_again = !origins.tellers.is_empty() && is_foreign && engine.is_some();
        let expression = expression.or(learnt).filter(|_| asked_again).map(str::to_owned);
        let engine = engine.unwrap_or(EngineKind::Server);
        Alerts { says, expression, engine, signals: origins.signals }
    }

    /// Who can be asked again for the expression of an alert that is told of:
    /// where rules of opsroom's own tell of it, or nobody else could, opsroom.
    fn engine_of_alert(
        &self,
        tellers: &[SourceId],
        name: &str,
        identity: Option<&Labels>,
    ) -> Option<EngineKind> {
        let local = |id: &SourceId| {
            let mut sources = self.known.inventory.sources.iter();
            sources.any(|info| info.id == *id && info.kind == crate::sources::local::KIND)
        };
        let main = self.known.inventory.engine;
        if !tellers.iter().any(local) {
            return main.filter(|engine| *engine == EngineKind::Server);
        }
        let told = tellers.iter().filter(|id| local(id)).filter_map(|id| {
            match self.known.sources.get(id)?.reading.as_ref()? {
                Reading::Alerts(reading) => Some(reading),
                _ => None,
            }
        });
        let mut told = told.flat_map(|reading| &reading.alerts);
        let own = told.any(|alert| {
            alert.labels.get(crate::domain::alert::ALERT_NAME) == Some(name)
                && identity.is_none_or(|identity| is_same(&alert.labels, identity))
        });
        if own || tellers.iter().all(local) { Some(EngineKind::Embedded) } else { main }
    }

    /// What a signal of opsroom's own says of its alert.
    fn signal_alert(
        &self,
        id: &crate::domain::SignalId,
        name: &str,
        identity: Option<&Labels>,
    ) -> Say {
        let part = self.signal_part(id);
        let Some(status) = part.status else { return Say::Unknown(part) };
        let Some(identity) = identity else { return said(part) };
        let fires = self.known.alerts.iter().any(|alert| {
            alert.source.is_none() && alert.name() == name && alert.labels == *identity
        });
        if fires {
            return Say::Fires(part);
        }
        let values = self.known.signals.get(id).map(|state| state.values.as_slice());
        let is_there = values.unwrap_or_default().iter().any(|value| {
            value.labels.iter().all(|(name, value)| identity.get(name) == Some(value))
        });
        if is_there || status == Status::Ok && identity.get("signal").is_none() {
            Say::Quiet(part)
        } else {
            Say::unknown("its series is gone", part.seen)
        }
    }

    /// What Alertmanager or Prometheus tells of it.
    fn told_by(&self, id: &SourceId, name: &str, identity: Option<&Labels>) -> Say {
        let teller = self.teller(id);
        if teller.status.is_none() {
            return Say::Unknown(teller);
        }
        let state = self.known.sources.get(id);
        let Some(Reading::Alerts(reading)) = state.and_then(|state| state.reading.as_ref()) else {
            return Say::unknown("it tells of no alerts", teller.seen);
        };
        let label = teller.words;
        let seen = teller.seen;
        if let Some(rule) = reading.broken_rules.iter().find(|rule| rule.name == name) {
            return Say::unknown(format!("its rule is broken: {}", rule.error), seen);
        }
        if let Some(rule) = reading.unknown_rules.iter().find(|rule| rule.name == name) {
            let (had, wanted) = (units::age(rule.seen), units::age(rule.wanted));
            return Say::unknown(format!("its rule is unknown: {had} of {wanted} seen"), seen);
        }
        let mine = reading.alerts.iter().filter(|alert| {
            alert.labels.get(crate::domain::alert::ALERT_NAME) == Some(name)
                && identity.is_none_or(|identity| is_same(&alert.labels, identity))
        });
        let mut open = None;
        for alert in mine {
            let since = since(alert.since, self.known.now);
            match (alert.state, alert.quiet.first()) {
                (AlertState::Firing, None) => {
                    let words = format!("firing{since}, as {label} tells");
                    return Say::Fires(Part::says(Status::Critical, words, seen));
                }
                (AlertState::Firing, Some(quiet)) => open = Some(quiet_words(quiet)),
                (AlertState::Pending, _) => {
                    open = open.or(Some(format!("pending{since}: its condition holds")));
                }
            }
        }
        match open {
            Some(words) => Say::unknown(words, seen),
            None => {
                Say::Quiet(Part::says(Status::Ok, format!("not firing, as {label} tells"), seen))
            }
        }
    }
}

impl Alerts {
    /// Whether it fires as wanted.
    pub(super) fn finding(self, firing: bool) -> Finding {
        let mut fires = None;
        let mut open = None;
        let mut quiet: Option<Part> = None;
        for say in self.says {
            match say {
                Say::Fires(part) => fires = fires.or(Some(part)),
                Say::Unknown(part) => open = open.or(Some(part)),
                Say::Quiet(part) => {
                    let oldest = quiet.as_ref().is_none_or(|known| part.seen < known.seen);
                    quiet = if oldest { Some(part) } else { quiet };
                }
            }
        }
        let as_wanted = |is: bool| if is == firing { Holds::Yes } else { Holds::No };
        match (fires, open, quiet) {
            (Some(part), ..) => part.finding(as_wanted(true)),
            (None, Some(part), _) => part.finding(Holds::Unknown),
            (None, None, Some(part)) => part.finding(as_wanted(false)),
            (None, None, None) => {
                Part::unknown("nobody here raises such an alert", None).finding(Holds::Unknown)
            }
        }
    }

    /// Whether all of those who were heard say that it does not fire.
    pub(super) fn is_quiet(&self) -> bool {
        !self.says.is_empty() && self.says.iter().all(|say| matches!(say, Say::Quiet(_)))
    }
}

fn said(part: Part) -> Say {
    match part.status {
        Some(Status::Ok) => Say::Quiet(part),
        Some(Status::Warning | Status::Critical) => Say::Fires(part),
        Some(Status::Unknown) | None => Say::Unknown(part),
    }
}

/// The same alert, though one of its tellers adds labels of its own.
fn is_same(told: &Labels, identity: &Labels) -> bool {
    let within =
        |few: &Labels, many: &Labels| few.iter().all(|(name, value)| many.get(name) == Some(value));
    within(told, identity) || within(identity, told)
}

fn since(since: Timestamp, now: Timestamp) -> String {
    if since == Timestamp::default() {
        return String::new();
    }
    format!(" for {}", units::age(now.since(since)))
}

fn quiet_words(quiet: &Quiet) -> String {
    match quiet {
        Quiet::Silenced { by, .. } if by.is_empty() => "firing, and silenced".to_owned(),
        Quiet::Silenced { by, .. } => format!("firing, and silenced by {by}"),
        Quiet::Inhibited { by } => format!("firing, and inhibited by {by}"),
        Quiet::Muted { by } => format!("firing, and muted by {by}"),
    }
}
