//! The alert that `opsroom run --alert` names: whether it fires, looked at afresh.

use super::complain;
use super::following::{Opened, REFUSED};
use crate::cli::USAGE;
use crate::domain::runs::AlertSeen;
use crate::domain::{Alert, Inventory, ServiceName, harmless, units};
use crate::runtime::headless;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::evidence::{Absent, absent};
use crate::store::Known;
use color_eyre::Result;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

/// Sources answer in this time.
const LOOK: Duration = Duration::from_secs(20);
/// Nobody waits longer than this for an expression over a window that was not
/// seen yet: where it takes longer, that is said at once.
const LONGEST: Duration = Duration::from_mins(11);

/// An alert that fires, and the service that it speaks of.
type Fires = (AlertSeen, Option<ServiceName>);
/// An exit code, and why.
type Refused = (u8, String);

/// Looks at everything until it is known whether the alert fires, and the service
/// that it speaks of; its exit code and words where it is not the one alert that does.
pub(super) fn alert(opened: &Opened, wanted: &str) -> Result<Result<Fires, Refused>> {
    let Some((name, labels)) = parsed(wanted) else {
        let why = format!("{}: write NAME or 'NAME{{label=\"value\"}}'", harmless(wanted));
        return Ok(Err((USAGE, why)));
    };
    complain("opsroom: looking whether it fires");
    let state = StateFolder::of_this_user();
    let kept = opened.assembled.kept(state.as_ref());
    let is_wanted = |alert: &&Alert| {
        alert.name() == name
            && labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value.as_str()))
    };
    let told = Cell::new(false);
    let longer = |known: &Known| {
        if known.alerts.iter().any(|alert| is_wanted(&alert)) {
            return None;
        }
        let Absent::Unknown { words, within } = absent(known, &name, &labels) else { return None };
        let within = within.filter(|within| *within <= LONGEST)?;
        if !told.replace(true) {
            complain(&format!(
                "opsroom: not known yet ({}): looking on, {} at most; ctrl-c ends it",
                harmless(&words),
                units::duration(within)
            ));
        }
        Some(within)
    };
    let all = opened.assembled.part(Inventory::clone(&opened.assembled.inventory));
    let known = headless::look_on(all, kept, LOOK, &BTreeSet::new(), longer)?;
    let found: Vec<&Alert> = known.alerts.iter().filter(is_wanted).collect();
    Ok(match found.as_slice() {
        [] => Err((REFUSED, why_not(&known, &name, &labels))),
        [alert] => Ok((AlertSeen::from(*alert), alert.service.clone())),
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

/// Why there is no such alert; what is not known is not called quiet.
fn why_not(known: &Known, name: &str, labels: &[(String, String)]) -> String {
    let shown = harmless(name);
    match absent(known, name, labels) {
        Absent::Nobody => format!("nothing that this config names raises an alert {shown}"),
        Absent::Quiet => format!("{shown} does not fire at the moment"),
        Absent::Unknown { words, within } => {
            let hint = match within {
                Some(_) => "; a console that runs keeps what it sees",
                None => "",
            };
            format!("nobody knows whether {shown} fires: {}{hint}", harmless(&words))
        }
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
}
