//! Issues: their page, the event that is read when one rests on it, their lines elsewhere.

use super::super::{Page, State, update};
use super::house::{
    NAMES, ago, answer_charts, buffer_of, calm, calm_of, inventory, lines_of, press, send, text_of,
    unicode_of, waiting_of,
};
use crate::domain::{
    CrashFree, Frame, Inventory, Issue, IssueEvent, IssuesReading, Level, Num, PollError,
    PollFailure, RateLimit, Reading, Role, SourceInfo, Timestamp, Trend,
};
use crate::panels::Chosen;
use crate::store::{Effect, Look, Looked, Msg, Polled, Seen, Stamped};
use crate::ui::Theme;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn tracker(id: &str) -> SourceInfo {
    SourceInfo {
        id: id.into(),
        kind: "sentry".into(),
        label: id.into(),
        asks: "https://sentry.example/api/0/organizations/shop".into(),
        every: Duration::from_mins(1),
        timeout: Duration::from_secs(15),
        role: Role::Issues,
        network: true,
        note: None,
        cost: "3 GETs".into(),
    }
}

fn house(names: &[&str]) -> Inventory {
    let mut house = inventory(names);
    house.sources.push(tracker("sentry"));
    for service in &mut house.services {
        service.projects = vec![service.name.to_string()];
    }
    house
}

fn issue(number: u64, project: &str, title: &str, trend: Trend) -> Issue {
    Issue {
        id: number.to_string(),
        short: format!("SHOP-{number}"),
        project: project.into(),
        service: NAMES.contains(&project).then(|| project.into()),
        title: title.into(),
        culprit: "checkout.views in pay".into(),
        trend,
        unhandled: Some(true),
        events: 318 / number + 3,
        users: (number != 3).then_some(94 / number),
        first: ago(7_200 * number),
        last: ago(41 * number),
        first_release: Some("v142".into()),
        last_release: Some("v142".into()),
        environment: Some("production".into()),
        hours: (0..24).map(|hour| if hour > 20 { 40 + hour } else { hour % 3 }).collect(),
        link: Some(format!("https://sentry.example/organizations/shop/issues/{number}/")),
        ..Issue::default()
    }
}

fn trouble() -> Vec<Issue> {
    let mut fatal = issue(4, "worker", "MemoryError: cannot allocate 8 GB", Trend::Regressed);
    fatal.level = Level::Fatal;
    let mut slow = issue(5, "web", "N+1 query in /orders", Trend::Ongoing);
    slow.level = Level::Info;
    slow.first = ago(86_400 * 40);
    vec![
        issue(
            1,
            "api",
            "TypeError: Cannot read properties of undefined (reading 'total')",
            Trend::New,
        ),
        issue(2, "api", "支付失败: 数据库连接池已满，请稍后再试", Trend::New),
        issue(3, "mobile-app", "ConnectionResetError", Trend::Escalating),
        fatal,
        slow,
    ]
}

pub(super) fn told(issues: Vec<Issue>) -> Reading {
    Reading::Issues(Arc::new(IssuesReading {
        server: "Sentry 26.4".into(),
        issues,
        ..IssuesReading::default()
    }))
}

pub(super) fn poll(state: &mut State, source: &str, outcome: Result<Reading, PollError>) {
    let polled = Polled {
        source: source.into(),
        taken: state.known.now,
        next: state.known.now + Duration::from_mins(1),
        took: Duration::from_millis(800),
        late: Duration::ZERO,
        outcome,
    };
    send(state, Msg::Polled(vec![polled]));
}

fn later(state: &mut State, seconds: u64) -> Vec<Effect> {
    let at = state.known.now + Duration::from_secs(seconds);
    let effects = update(state, Stamped { at, msg: Msg::Ticked });
    effects.into_iter().filter(|effect| matches!(effect, Effect::Look { .. })).collect()
}

/// The calm house, with an error tracker that tells of trouble.
fn troubled(width: u16, height: u16) -> State {
    let mut state = calm_of(house(&NAMES), width, height);
    poll(&mut state, "sentry", Ok(told(trouble())));
    state.sheets.clear();
    state.settle(true);
    state
}

fn event() -> IssueEvent {
    let frame = |file: &str, function: &str, line, own, code: &str| Frame {
        file: file.into(),
        function: function.into(),
        line: Some(line),
        own,
        code: code.into(),
    };
    IssueEvent {
        id: "e1".into(),
        at: ago(41),
        kind: "TypeError".into(),
        value: "Cannot read properties of undefined (reading 'total')".into(),
        frames: vec![
            frame("checkout/views.py", "pay", 88, true, "    total = cart.total / cart.items"),
            frame("checkout/cart.py", "__getattr__", 12, true, ""),
            frame(
                "django/core/handlers/base.py",
                "_get_response",
                197,
                false,
                "response = wrapped(request)",
            ),
        ],
        release: Some("v142".into()),
        environment: Some("production".into()),
        tags: vec![("browser".into(), "Chrome 120".into()), ("os".into(), "Windows".into())],
    }
}

fn looked(state: &mut State, id: &str, outcome: Result<Seen, PollError>) {
    let at = state.known.now;
    let look = Look::Issue(id.into());
    send(state, Msg::Looked(Looked { source: "sentry".into(), look, at, outcome }));
}

fn chosen_id(state: &State) -> Option<String> {
    match state.chosen() {
        Some(Chosen::Issue { id, .. }) => Some(id),
        _ => None,
    }
}

#[test]
fn the_page_of_issues() {
    let mut state = troubled(80, 24);
    press(&mut state, "4");
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let mut state = troubled(120, 40);
    press(&mut state, "4");
    later(&mut state, 1);
    later(&mut state, 1);
    let id = chosen_id(&state).unwrap();
    looked(&mut state, &id, Ok(Seen::Event(event())));
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
}

#[test]
fn the_details_of_an_issue_on_the_whole_screen_and_back() {
    let mut state = troubled(80, 24);
    press(&mut state, "4 down");
    let id = chosen_id(&state).unwrap();
    let effects = press(&mut state, "enter");
    let look = Effect::Look { source: "sentry".into(), look: Look::Issue(id.clone()) };
    assert_eq!(effects, [look]);
    assert!(text_of(&state, 80, 24).contains("reading..."));
    looked(&mut state, &id, Ok(Seen::Event(event())));
    insta::assert_snapshot!(text_of(&state, 80, 24));
    press(&mut state, "esc");
    assert_eq!((state.page(), chosen_id(&state)), (&Page::Issues, Some(id)));
    assert!(text_of(&state, 80, 24).contains("ISSUES 5"));
    assert!(text_of(&state, 80, 24).lines().last().unwrap().contains("enter open"));
}

#[test]
fn the_page_of_issues_on_a_very_large_screen() {
    let mut state = troubled(200, 50);
    press(&mut state, "4");
    poll(&mut state, "sentry", Err(PollError::new(PollFailure::Denied, "HTTP 401: invalid token")));
    insta::assert_snapshot!(unicode_of(&state, 200, 50));
}

#[test]
fn scrolling_past_asks_nothing_and_resting_asks_once() {
    let mut state = troubled(80, 24);
    let mut effects = press(&mut state, "4 down down up down");
    effects.extend(later(&mut state, 0));
    assert_eq!(effects, []);
    let id = chosen_id(&state).unwrap();
    let asked = later(&mut state, 1);
    assert_eq!(asked, [Effect::Look { source: "sentry".into(), look: Look::Issue(id.clone()) }]);
    assert_eq!(later(&mut state, 1), []);
    looked(&mut state, &id, Ok(Seen::Event(event())));
    for _ in 0..200 {
        assert_eq!(later(&mut state, 1), [], "it was read");
    }
}

#[test]
fn an_issue_seen_again_is_read_again_and_not_before_five_minutes() {
    let mut state = troubled(80, 24);
    press(&mut state, "4");
    later(&mut state, 2);
    let id = chosen_id(&state).unwrap();
    looked(&mut state, &id, Ok(Seen::Event(event())));
    later(&mut state, 200);
    let mut issues = trouble();
    for issue in &mut issues {
        issue.last = state.known.now;
    }
    poll(&mut state, "sentry", Ok(told(issues)));
    assert_eq!(later(&mut state, 10), []);
    assert_eq!(later(&mut state, 100).len(), 1);
}

#[test]
fn a_look_that_fails_says_so_and_is_not_repeated_at_once() {
    let mut state = troubled(80, 24);
    press(&mut state, "4");
    assert_eq!(later(&mut state, 2).len(), 1);
    let id = chosen_id(&state).unwrap();
    looked(&mut state, &id, Err(PollError::new(PollFailure::Limited, "HTTP 429: asked too often")));
    assert_eq!(later(&mut state, 20), []);
    assert!(
        text_of(&state, 80, 24).contains("cannot be read: HTTP 429"),
        "{}",
        text_of(&state, 80, 24)
    );
    assert_eq!(later(&mut state, 50).len(), 1);
}

#[test]
fn a_look_asked_for_on_a_frozen_screen_is_shown_there() {
    let mut state = troubled(80, 24);
    press(&mut state, "4 f");
    assert_eq!(later(&mut state, 5), [], "a frozen screen asks nothing by itself");
    let id = chosen_id(&state).unwrap();
    assert_eq!(press(&mut state, "enter").len(), 1);
    looked(&mut state, &id, Ok(Seen::Event(event())));
    assert!(text_of(&state, 80, 24).contains("own code"));
}

#[test]
fn a_tracker_that_fails_says_so_where_its_issues_are_and_keeps_their_age() {
    let mut state = troubled(80, 24);
    press(&mut state, "4");
    let at = state.known.now + Duration::from_mins(12);
    update(&mut state, Stamped { at, msg: Msg::Ticked });
    poll(&mut state, "sentry", Err(PollError::new(PollFailure::Network, "HTTP 503")));
    let text = text_of(&state, 80, 24);
    let line = text.lines().find(|line| line.contains("HTTP 503")).unwrap();
    assert!(line.contains("? UNKN") && line.contains("data is 12m old"), "{text}");
    assert!(text.contains("TypeError"), "{text}");
    press(&mut state, "1");
    let text = text_of(&state, 80, 24);
    let line = text.lines().find(|line| line.starts_with("SENTRY")).unwrap();
    assert!(line.contains("? HTTP 503"), "{text}");
}

#[test]
fn before_the_first_answer_the_page_waits() {
    let mut state = waiting_of(house(&NAMES), 80, 24);
    press(&mut state, "4");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("? wait") && text.contains("nothing has answered yet"), "{text}");
    poll(&mut state, "sentry", Ok(told(Vec::new())));
    assert!(text_of(&state, 80, 24).contains("no unresolved issues"));
}

#[test]
fn issues_stand_on_the_overview_and_on_the_page_of_their_service() {
    let mut state = troubled(80, 24);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    press(&mut state, "2 down enter");
    assert_eq!(state.page(), &Page::Service("api".into()));
    answer_charts(&mut state);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let state = troubled(120, 40);
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
}

#[test]
fn enter_on_the_line_of_the_overview_opens_the_page_at_its_issue() {
    let mut state = troubled(120, 40);
    press(&mut state, "tab tab enter");
    assert_eq!(state.page(), &Page::Issues);
    assert_eq!(chosen_id(&state).as_deref(), Some("3"));
}

#[test]
fn what_is_copied_is_the_name_and_the_link() {
    let mut state = troubled(80, 24);
    press(&mut state, "4 / t o t a l enter");
    let copied = "SHOP-1 https://sentry.example/organizations/shop/issues/1/";
    assert_eq!(press(&mut state, "c"), [Effect::Copy(copied.into())]);
    press(&mut state, "tab");
    assert_eq!(press(&mut state, "c"), [Effect::Copy(copied.into())]);
    assert_eq!(press(&mut state, "p"), [Effect::PollNow("sentry".into())]);
}

#[test]
fn hostile_issues_are_harmless_and_the_selection_stays_on_its_issue() {
    const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}\u{200b}\r\n";
    let mut state = troubled(120, 40);
    press(&mut state, "4 G");
    let before = state.chosen();
    let mut issues = trouble();
    for number in 10..40 {
        let mut hostile = issue(number, HOSTILE, &HOSTILE.repeat(1_000), Trend::New);
        hostile.last_release = Some(HOSTILE.into());
        hostile.link = Some(HOSTILE.into());
        hostile.short = HOSTILE.into();
        hostile.culprit = HOSTILE.into();
        hostile.events = u64::MAX;
        hostile.first = Timestamp::from_millis(i64::MAX);
        hostile.last = Timestamp::from_millis(i64::MIN);
        issues.push(hostile);
    }
    poll(&mut state, "sentry", Ok(told(issues)));
    assert_eq!(state.chosen(), before);
    let mut bad_event = event();
    bad_event.value = HOSTILE.into();
    bad_event.frames[0].code = HOSTILE.into();
    press(&mut state, "g down down down");
    let id = chosen_id(&state).unwrap();
    looked(&mut state, &id, Ok(Seen::Event(bad_event)));
    for key in ["4", "1", "9", "4 enter"] {
        press(&mut state, key);
        let text = lines_of(&buffer_of(&state, &Theme::named("dark").unwrap(), 120, 40));
        let bad = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(text.chars().find(bad), None, "{key}");
    }
}

#[test]
fn the_last_of_a_thousand_issues_is_a_key_away() {
    let mut state = troubled(80, 24);
    let many = (1..=1_000).map(|number| issue(number, "api", "TypeError", Trend::Ongoing));
    let reading = IssuesReading { issues: many.collect(), more: true, ..IssuesReading::default() };
    poll(&mut state, "sentry", Ok(Reading::Issues(Arc::new(reading))));
    press(&mut state, "4 G");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("ISSUES 1000+") && text.contains("above"), "{text}");
}

#[test]
fn the_page_of_sources_tells_what_a_tracker_brought_and_costs() {
    let mut state = troubled(80, 24);
    let reading = IssuesReading {
        server: "Sentry 26.4".into(),
        issues: trouble(),
        crash_free: vec![CrashFree {
            project: "api".into(),
            sessions: Some(Num(0.994)),
            users: None,
        }],
        limit: Some(RateLimit { limit: 40, remaining: 37, reset: state.known.now }),
        notes: vec!["releases: HTTP 403".into()],
        skew_ms: Some(-90_000),
        ..IssuesReading::default()
    };
    poll(&mut state, "sentry", Ok(Reading::Issues(Arc::new(reading))));
    press(&mut state, "9 / s e n t r y enter z");
    let text = text_of(&state, 80, 24);
    press(&mut state, "z tab z");
    let text = format!("{text}{}", text_of(&state, 80, 24));
    for told in [
        "costs        3 GETs",
        "server       Sentry 26.4",
        "issues       5 unresolved, 4 new or growing",
        "crash-free   api: 99.4% of sessions",
        "rate limit   37 of 40 requests left",
        "note         releases: HTTP 403",
        "clock        1m30s behind this host's",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
}

#[test]
fn a_page_that_nothing_is_configured_for_names_the_key_that_brings_it() {
    let mut state = calm(80, 24);
    press(&mut state, "4");
    assert!(text_of(&state, 80, 24).contains("[sentry] in the config"));
    press(&mut state, "/");
    assert!(text_of(&state, 80, 24).contains("no rows to filter"));
}
