//! One issue: counts, releases, and the exception of its latest event.

use super::texts::{Scroll, Toned, draw, plain};
use super::{ActCx, Chosen, Kind, Panel, ViewCx, issues};
use crate::domain::{Frame, Issue, IssueEvent, Level, SourceId, SourceInfo, Status, Timestamp};
use crate::store::{Action, Effect, Look, Seen};
use crate::ui::glyphs::{Glyphs, UNICODE};
use crate::ui::layout::Need;
use crate::ui::sparkline::heights;
use crate::ui::table::rule;
use crate::ui::{Scope, text};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "issue", filtered: false, build: || Box::new(OneIssue::default()) };

#[derive(Debug, Default)]
struct OneIssue {
    scroll: Scroll<(SourceId, String)>,
}

impl Panel for OneIssue {
    fn scope(&self) -> Scope {
        Scope::Text
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        Need { least: cx.area.height / 2, most: u16::MAX, order: 1 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.scroll.turn_to(match cx.subject {
            Some(Chosen::Issue { source, id }) => Some((source.clone(), id.clone())),
            _ => None,
        });
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let facts = issues::chosen(cx)
            .map_or_else(Vec::new, |(source, issue)| facts(cx, source, issue, (0, &UNICODE)));
        self.scroll.act(action, cx.area, &facts).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        issues::chosen(cx).map(|(_, issue)| issues::copied(issue))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let found = issues::chosen(&cx.act);
        if let Some(line) = text::line_of(area, 0) {
            let short = found.map_or("", |(_, issue)| issue.short.as_str());
            let title = format!("ISSUE {}", crate::domain::harmless_within(short, 40));
            rule(cx.theme, line, buf, title.trim_end(), cx.focused);
        }
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let Some((source, issue)) = found else {
            draw(cx, body, buf, vec![plain(cx, "no issue is selected")]);
            return None;
        };
        let facts = facts(&cx.act, source, issue, (cx.offset_min, cx.theme.glyphs));
        self.scroll.draw(cx, body, buf, &facts);
        None
    }
}

/// `text, text`, without those that are empty.
fn joined<'a>(parts: impl IntoIterator<Item = &'a str>, by: &str) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(by)
}

fn facts(
    cx: &ActCx<'_>,
    source: &SourceInfo,
    issue: &Issue,
    (offset_min, glyphs): (i32, &Glyphs),
) -> Vec<Toned> {
    let mut facts = vec![Toned::new("issue", &issue.title).strong()];
    let age = |at| text::age_in_steps(cx.now.since(at));
    let moment = |at| text::moment(at, cx.now, offset_min);
    if !issue.culprit.is_empty() {
        facts.push(Toned::new("where", &issue.culprit));
    }
    let unhandled = match issue.unhandled {
        Some(true) => "unhandled",
        Some(false) => "handled",
        None => "",
    };
    let trend = issue.trend.word();
    let of = format!("{trend}, {}", issues::level_word(issue.level));
    let status = match issue.level {
        Level::Fatal => Status::Critical,
        _ if issue.trend == crate::domain::Trend::Ongoing => Status::Ok,
        _ => Status::Warning,
    };
    let service = issue.service.as_ref().map_or("", |service| service.as_str());
    let project = if service == issue.project { "" } else { issue.project.as_str() };
    let told = joined([of.as_str(), unhandled, service, project], ", ");
    facts.push(Toned::new("is", told).of(status));
    let users =
        issue.users.map_or_else(String::new, |users| format!("{} users", issues::count(users)));
    let events = format!("{} events", issues::count(issue.events));
    facts.push(Toned::new("counts", joined([events.as_str(), &users], ", ")));
    let release =
        |of: &Option<String>| of.as_ref().map_or_else(String::new, |of| format!(" in {of}"));
    let first = format!(
        "{} ago, {}{}",
        age(issue.first),
        moment(issue.first),
        release(&issue.first_release)
    );
    let last =
        format!("{} ago, {}{}", age(issue.last), moment(issue.last), release(&issue.last_release));
    facts.push(Toned::new("first seen", first));
    let environment =
        issue.environment.as_ref().map_or_else(String::new, |name| format!(", {name}"));
    facts.push(Toned::new("last seen", format!("{last}{environment}")));
    let hours = issues::hours(issue);
    if let Some(most) = issue.hours.iter().max() {
        let drawn = heights(&hours, 24, glyphs);
        let sum: u64 = issue.hours.iter().map(|events| u64::from(*events)).sum();
        let told = format!("{drawn} {} events, at most {most} an hour", issues::count(sum));
        facts.push(Toned::new("last 24 h", told).one_line());
    }
    event(cx, &source.id, issue, &mut facts);
    if let Some(link) = &issue.link {
        facts.push(Toned::new("link", link));
    }
    if let Some(why) = issues::trouble(cx, source) {
        facts.push(Toned::new(&source.label, why).of(Status::Unknown));
    }
    facts
}

/// The latest event as it was last read, or why it was not.
fn event(cx: &ActCx<'_>, source: &SourceId, issue: &Issue, facts: &mut Vec<Toned>) {
    const NAME: &str = "last event";
    let look = Look::Issue(issue.id.clone());
    let looking = cx.looking(source, &look).is_some();
    let Some(looked) = cx.looked(source, &look) else {
        let told = if looking { "reading..." } else { "enter reads it" };
        facts.push(Toned::new(NAME, told).faint());
        return;
    };
    let read = text::age_in_steps(cx.now.since(looked.at));
    let again = if looking { ", reading it again..." } else { "" };
    match &looked.outcome {
        Ok(Seen::Event(event)) => {
            one_event(cx.now, event, &format!("read {read} ago{again}"), facts);
        }
        Ok(Seen::Verified(_)) => facts.push(Toned::new(NAME, "it answers something else")),
        Err(error) => {
            let told = format!("cannot be read: {} ({read} ago{again})", error.message);
            facts.push(Toned::new(NAME, told).of(Status::Unknown));
        }
    }
}

fn one_event(now: Timestamp, event: &IssueEvent, read: &str, facts: &mut Vec<Toned>) {
    let at = text::age_in_steps(now.since(event.at));
    let release = event.release.as_deref().unwrap_or_default();
    let environment = event.environment.as_deref().unwrap_or_default();
    let told = joined([format!("{at} ago").as_str(), release, environment, read], ", ");
    facts.push(Toned::new("last event", told));
    let exception = joined([event.kind.as_str(), &event.value], ": ");
    if !exception.is_empty() {
        facts.push(Toned::new("", exception).strong());
    }
    for frame in &event.frames {
        frame_facts(frame, facts);
    }
    if event.frames.is_empty() {
        facts.push(Toned::new("", "it holds no stack").faint());
    }
    let tags = event.tags.iter().map(|(name, value)| format!("{name} {value}"));
    let tags = tags.collect::<Vec<_>>().join(", ");
    if !tags.is_empty() {
        facts.push(Toned::new("tags", tags).faint());
    }
}

fn frame_facts(frame: &Frame, facts: &mut Vec<Toned>) {
    let line = frame.line.map_or_else(String::new, |line| format!(":{line}"));
    let function =
        if frame.function.is_empty() { String::new() } else { format!(" in {}", frame.function) };
    let place = format!("{}{line}{function}", frame.file);
    if frame.own {
        facts.push(Toned::new("own code", place));
    } else {
        facts.push(Toned::new("", place).faint());
    }
    let code = frame.code.trim();
    if !code.is_empty() {
        let code = Toned::new("", format!("    {code}")).one_line();
        facts.push(if frame.own { code.strong() } else { code.faint() });
    }
}
