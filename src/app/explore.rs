//! From what is selected to the expression behind it, on the metrics page.

use super::act;
use super::pages::Page;
use super::state::State;
use crate::domain::{Signal, Status, harmless};
use crate::metrics::promql::parse;
use crate::panels::Chosen;

/// Opens the expression behind what is selected: `esc` comes back.
pub(crate) fn explore(state: &mut State) {
    let Some((expression, filter)) = behind(state) else {
        state.say("there is no expression behind what is selected", false);
        return;
    };
    act::open(state, Page::Metrics);
    state.words.ask(&harmless(&expression));
    if let Some(sheet) = state.sheets.get_mut(&state.page) {
        sheet.filter = filter.to_lowercase();
    }
    state.settle(true);
}

/// The expression behind what the panel shows or has selected, and what narrows
/// its series down.
fn behind(state: &State) -> Option<(String, String)> {
    let sheet = state.sheets.get(&state.page)?;
    let subject = state.subject(sheet);
    let cx = state.act_cx(sheet, subject.as_ref(), state.body()?, false);
    let (_, panel) = sheet.panels.get(sheet.focus)?;
    if let Some(expression) = panel.explores(&cx) {
        return Some((expression, String::new()));
    }
    let known = state.shown();
    let expression = |signal: &Signal| signal.expr.to_string();
    let found = match panel.chosen(&cx).or(subject)? {
        Chosen::Alert(identity) => {
            let alert = known.alerts.iter().find(|alert| alert.identity() == identity)?;
            // Behind an alert may stand a check: that is no expression.
            let reads = alert.source.is_some() || parse(&alert.expression).is_ok();
            reads.then(|| alert.expression.clone())
        }
        Chosen::Signal(id) => {
            known.inventory.signals.iter().find(|signal| signal.id == id).map(expression)
        }
        Chosen::Service(name) => {
            let status = |id: &_| known.signals.get(id).map(|of| of.standing.status);
            let signals = state.index.signals_of(&name);
            // Of those that are alike the first counts.
            worst(signals, |signal| status(&signal.id)).map(expression)
        }
        Chosen::Host { group, instance } => {
            let status = |id: &_| {
                let values = &known.signals.get(id)?.values;
                let of = values.iter().find(|v| v.labels.get("instance") == Some(&instance));
                of.map(|value| value.status)
            };
            let signals = state.index.host_signals(&group);
            let worst = worst(signals, |signal| status(&signal.id))?;
            return Some((expression(worst), instance));
        }
        _ => None,
    };
    found.filter(|expression| !expression.is_empty()).map(|found| (found, String::new()))
}

/// The signal with the worst status, the first of those that are alike.
fn worst<'s>(
    signals: impl Iterator<Item = &'s Signal>,
    status: impl Fn(&Signal) -> Option<Status>,
) -> Option<&'s Signal> {
    signals.reduce(|worst, signal| if status(signal) > status(worst) { signal } else { worst })
}
