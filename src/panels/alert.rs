//! One alert: what it says, since when, and what is behind it.

use super::texts::{Fact, Scroll, draw, plain};
use super::{ActCx, Chosen, Kind, Panel, ViewCx, alerts};
use crate::domain::{
    Alert, AlertState, BrokenRule, Quiet, Reading, ServiceName, Status, UnknownRule,
    harmless_within, units,
};
use crate::store::{Action, Effect, LOCAL_RULES};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "alert", filtered: false, build: || Box::new(OneAlert::default()) };

/// More alerts of a fold are not listed.
const FOLDED: usize = 200;

#[derive(Debug, Default)]
struct OneAlert {
    scroll: Scroll<Chosen>,
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
        self.scroll.turn_to(cx.subject.cloned());
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let facts = all_facts(cx, 0);
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
        let mut body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let said = broken_rules(&cx.act).map(|said| (Status::Warning, said));
        let said = said.or_else(|| Some((Status::Unknown, unknown_rules(&cx.act)?)));
        let said = said.map(|(status, said)| {
            let glyph = cx.theme.glyphs.status(status);
            (cx.theme.status(status), format!("{glyph} {said}"))
        });
        let said = said.or_else(|| Some((cx.theme.stale(), noted(&cx.act)?)));
        if let (Some((style, said)), Some(line)) = (said, text::line_of(body, 0)) {
            let parts = [(format!("  {said}").into(), style)];
            text::write(buf, line, parts, cx.theme.glyphs.cut);
            body = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        }
        let facts = all_facts(&cx.act, cx.offset_min);
        if facts.is_empty() {
            draw(cx, body, buf, vec![plain(cx, "no alert is selected")]);
        } else {
            self.scroll.draw(cx, body, buf, &facts);
        }
        None
    }
}

/// Of the alert or the fold that is selected.
fn all_facts(cx: &ActCx<'_>, offset_min: i32) -> Vec<Fact> {
    match (chosen(cx), cx.subject) {
        (Some(alert), _) => facts(cx, alert, offset_min),
        (None, Some(Chosen::Service(root))) => facts_of_fold(cx, root),
        (None, _) => Vec::new(),
    }
}

/// What a fold row stands for.
fn facts_of_fold(cx: &ActCx<'_>, root: &ServiceName) -> Vec<Fact> {
    let explained = cx.known.explained();
    let of_root = |alert: &&Alert| explained.root_of_alert(alert.identity()) == Some(root);
    let alerts: Vec<&Alert> = cx.known.alerts.iter().filter(of_root).collect();
    if alerts.is_empty() {
        return Vec::new();
    }
    let mut facts = vec![(
        "folded".to_owned(),
        format!(
            "{} alerts began after {root} broke, and name it or could not be reached; they count all the same",
            alerts.len()
        ),
    )];
    if let Some(service) = cx.known.services.get(root) {
        let standing = &service.standing;
        let why = if standing.reason.is_empty() { "" } else { ": " };
        facts.push((root.to_string(), format!("{}{why}{}", standing.status, standing.reason)));
    }
    for alert in alerts.into_iter().take(FOLDED) {
        let of = alert.service.as_ref().map_or("", |name| name.as_str());
        facts.push((harmless_within(of, 12), format!("{}: {}", alert.name(), alert.reason)));
    }
    facts
}

/// What a server tells of the alert that the list does not: its value.
fn value(cx: &ActCx<'_>, alert: &Alert) -> Option<f64> {
    alert.source.as_ref()?;
    let told = cx.known.sources.values().filter_map(|source| match &source.reading {
        Some(Reading::Alerts(reading)) => Some(reading),
        _ => None,
    });
    let mut found = told.flat_map(|reading| &reading.alerts);
    found.find(|told| told.labels == alert.labels && told.value.is_some())?.value.map(|num| num.0)
}

/// `2 rules cannot be evaluated: HighLatency: found duplicate series`.
fn broken_rules(cx: &ActCx<'_>) -> Option<String> {
    let told = cx.known.sources.values().filter_map(|source| match &source.reading {
        Some(Reading::Alerts(reading)) => Some(reading),
        _ => None,
    });
    let broken: Vec<&BrokenRule> = told.flat_map(|reading| &reading.broken_rules).collect();
    let first = broken.first()?;
    let many =
        if broken.len() == 1 { "1 rule".to_owned() } else { format!("{} rules", broken.len()) };
    let said = format!("{many} cannot be evaluated: {}: {}", first.name, first.error);
    Some(harmless_within(&said, super::cells::LONGEST))
}

/// `QueueLong unknown: 40s of 5m seen (and 2 more)`: neither firing nor ok.
fn unknown_rules(cx: &ActCx<'_>) -> Option<String> {
    let told = cx.known.sources.values().filter_map(|source| match &source.reading {
        Some(Reading::Alerts(reading)) => Some(reading),
        _ => None,
    });
    let mut unknown: Vec<&UnknownRule> = told.flat_map(|reading| &reading.unknown_rules).collect();
    unknown.sort_by_key(|rule| std::cmp::Reverse(rule.wanted.saturating_sub(rule.seen)));
    let first = unknown.first()?;
    let more = match unknown.len() {
        1 => String::new(),
        many => format!(" (and {} more rules)", many - 1),
    };
    let (seen, wanted) = (units::age(first.seen), units::age(first.wanted));
    let said = format!("{} unknown: {seen} of {wanted} seen{more}", first.name);
    Some(harmless_within(&said, super::cells::LONGEST))
}

/// What is to be noted of rules of one's own: one that is slow, a pattern that
/// no file matches.
fn noted(cx: &ActCx<'_>) -> Option<String> {
    let own = cx.known.inventory.sources.iter().filter(|info| info.kind == LOCAL_RULES);
    let told = own.filter_map(|info| match &cx.known.sources.get(&info.id)?.reading {
        Some(Reading::Alerts(reading)) => Some(reading),
        _ => None,
    });
    let notes: Vec<&str> = told.flat_map(|reading| &reading.notes).map(String::as_str).collect();
    let first = notes.first()?;
    let more = if notes.len() > 1 {
        format!(" (and {} more: page 9)", notes.len() - 1)
    } else {
        String::new()
    };
    Some(harmless_within(&format!("{first}{more}"), super::cells::LONGEST))
}

fn facts(cx: &ActCx<'_>, alert: &Alert, offset_min: i32) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: &str| facts.push((name.to_owned(), value.to_owned()));
    let state = match alert.state {
        AlertState::Pending => "pending: the condition holds, not yet for long enough",
        AlertState::Firing if alert.is_quiet() => "firing, and nobody is told",
        AlertState::Firing => "firing",
    };
    let severity = alerts::severity_word(alert.severity);
    add("alert", &format!("{}, {severity} ({state})", alert.name()));
    for quiet in &alert.quiet {
        let words = alerts::quiet_words(quiet, cx.now, offset_min);
        match quiet {
            Quiet::Silenced { id, comment, .. } => {
                let comment = if comment.is_empty() { "no comment" } else { comment };
                add("silence", &format!("{words}: {comment} ({id})"));
            }
            Quiet::Inhibited { .. } => add("inhibited", &words),
            Quiet::Muted { .. } => add("muted", &words),
        }
    }
    if let Some(root) = cx.known.explained().root_of_alert(alert.identity()) {
        add("explained", &format!("explained by {root}"));
    }
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
    if !alert.receivers.is_empty() {
        add("receivers", &alert.receivers.join(", "));
    }
    // What helps most comes first, whatever its name.
    let known = ["summary", "description", "runbook_url"];
    let first = known.iter().filter_map(|name| alert.annotations.get_key_value(*name));
    let rest = alert.annotations.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    for (name, value) in first.chain(rest) {
        add(&harmless_within(name, 12), value);
    }
    if let Some(link) = &alert.link {
        add("link", link);
    }
    if let Some(value) = value(cx, alert) {
        add("value", &units::number(value));
    }
    add("labels", &alert.labels.to_string());
    // The longest comes last: it is for those who doubt the rest.
    if !alert.expression.is_empty() {
        add("behind it", &alert.expression);
    }
    facts
}
