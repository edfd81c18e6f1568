//! One alert: what it says, since when, and what is behind it.

use super::texts::{Fact, Scroll, draw, plain};
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
pub const KIND: Kind =
    Kind { name: "alert", filtered: false, build: || Box::new(OneAlert::default()) };

#[derive(Debug, Default)]
struct OneAlert {
    scroll: Scroll<u64>,
}

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

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.scroll.turn_to(chosen(cx).map(Alert::identity));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let facts = chosen(cx).map_or_else(Vec::new, |alert| facts(cx, alert, 0));
        self.scroll.act(action, cx.area, &facts).then(Vec::new)
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
        self.scroll.draw(cx, body, buf, &facts(&cx.act, alert, cx.offset_min));
        None
    }
}

fn facts(cx: &ActCx<'_>, alert: &Alert, offset_min: i32) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: &str| facts.push((name.to_owned(), value.to_owned()));
    let state = match alert.state {
        AlertState::Pending => "pending: the condition holds, not yet for long enough",
        AlertState::Firing => "firing",
    };
    add("alert", &format!("{}, {} ({state})", alert.name(), alerts::shown_status(alert)));
    add("why", &alert.reason);
    let at = text::moment(alert.since, cx.now, offset_min);
    let least = if alert.since_at_least { " or earlier: the beginning was not seen" } else { "" };
    let held = text::age_in_steps(cx.now.since(alert.since));
    add("since", &format!("{at}{least}, for {held}"));
    let seen = text::age_in_steps(cx.now.since(alert.seen));
    add("seen", &format!("{seen} ago, by {}", alert.origins.join(" and ")));
    if let Some(service) = &alert.service {
        add("service", service.as_str());
        if let Some(service) = cx.index.service(service) {
            if let Some(contact) = &service.contact {
                add("contact", contact);
            }
            if let Some(owner) = &service.owner {
                add("owner", owner);
            }
        }
    }
    for (name, value) in &alert.annotations {
        let name = crate::domain::harmless_within(name, 12);
        add(&name, value);
    }
    add("labels", &alert.labels.to_string());
    // The longest comes last: it is for those who doubt the rest.
    add("behind it", &alert.expression);
    facts
}
