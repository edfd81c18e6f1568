//! One alert: what it says, since when, and what is behind it.

use super::texts::{draw, fact, plain};
use super::{ActCx, Chosen, Kind, Panel, ViewCx, alerts};
use crate::domain::{Alert, AlertState};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind = Kind { name: "alert", filtered: false, build: || Box::new(OneAlert) };

#[derive(Debug)]
struct OneAlert;

fn chosen<'a>(cx: &ActCx<'a>) -> Option<&'a Alert> {
    let Some(Chosen::Alert(identity)) = cx.subject else { return None };
    cx.known.alerts.iter().find(|alert| alert.identity() == *identity)
}

impl Panel for OneAlert {
    fn scope(&self) -> Scope {
        Scope::Text
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 8, most: u16::MAX, order: 1 }
    }

    fn refresh(&mut self, _: &ActCx<'_>) {}

    fn act(&mut self, _: Action, _: &ActCx<'_>) -> Option<Vec<Effect>> {
        None
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        chosen(cx).map(|alert| alert.expression.clone())
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        if let Some(line) = text::line_of(area, 0) {
            rule(cx.theme, line, buf, "ALERT", cx.focused);
        }
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let Some(alert) = chosen(&cx.act) else {
            draw(cx, body, buf, vec![plain(cx, "no alert is selected")]);
            return None;
        };
        draw(cx, body, buf, lines(cx, alert, area.width));
        None
    }
}

fn lines(cx: &ViewCx<'_>, alert: &Alert, width: u16) -> Vec<super::texts::Parts> {
    let mut lines = Vec::new();
    let mut add = |name: &str, value: &str| lines.extend(fact(cx, width, name, value));
    let state = match alert.state {
        AlertState::Pending => "pending: the condition holds, not yet for long enough",
        AlertState::Firing => "firing",
    };
    add("alert", &format!("{}, {} ({state})", alert.name(), alerts::shown_status(alert)));
    add("why", &alert.reason);
    let at = text::moment(alert.since, cx.act.now, cx.offset_min);
    let least = if alert.since_at_least { " or earlier: the beginning was not seen" } else { "" };
    let held = text::age_in_steps(cx.act.now.since(alert.since));
    add("since", &format!("{at}{least}, for {held}"));
    let seen = text::age_in_steps(cx.act.now.since(alert.seen));
    add("seen", &format!("{seen} ago, by {}", alert.origin));
    if let Some(service) = &alert.service {
        add("service", service.as_str());
        if let Some(service) = cx.act.index.service(service) {
            if let Some(contact) = &service.contact {
                add("contact", contact);
            }
            if let Some(owner) = &service.owner {
                add("owner", owner);
            }
        }
    }
    add("behind it", &alert.expression);
    add("labels", &alert.labels.to_string());
    for (name, value) in &alert.annotations {
        let name = crate::domain::harmless_within(name, 12);
        add(&name, value);
    }
    lines
}
