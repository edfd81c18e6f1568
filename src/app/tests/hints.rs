//! What the hint line offers, what the strip and the sources page say.

use super::super::Page;
use super::house::{alert, burning, calm, press, text_of, waiting_of};
use crate::domain::{Cause, CheckReading, Labels, Severity, Standing, Status};

fn hint(state: &super::super::State) -> String {
    text_of(state, 80, 24).lines().last().unwrap().to_owned()
}

#[test]
fn the_hint_line_offers_only_keys_that_do_something_here() {
    let mut state = burning(80, 24);
    assert!(!hint(&state).contains("esc back"), "there is nothing to go back to");
    assert!(hint(&state).contains("enter open"));
    press(&mut state, "6");
    let empty = hint(&state);
    for word in ["enter", "logs", "split", "filter", "panel"] {
        assert!(!empty.contains(word), "{empty}");
    }
    assert!(empty.contains("esc back") && empty.contains("? help") && empty.contains("q quit"));
}

#[test]
fn help_and_quit_stay_on_the_hint_line_when_there_is_little_room() {
    let mut state = burning(80, 24);
    press(&mut state, "/ a p i enter");
    let line = hint(&state);
    assert!(line.contains("filter: api") && line.contains("? help") && line.contains("q quit"));
    let long = vec!["x"; 200].join(" ");
    press(&mut state, &format!("/ {long} enter"));
    let line = hint(&state);
    assert!(line.contains("? help") && line.contains("q quit"), "{line}");
}

#[test]
fn the_help_page_offers_the_keys_of_the_help_page() {
    let mut state = calm(80, 24);
    press(&mut state, "?");
    assert!(hint(&state).contains("scroll") && !hint(&state).contains("quit"));
    assert!(text_of(&state, 80, 24).contains("down for more"));
    press(&mut state, "G");
    assert!(text_of(&state, 80, 24).contains("up for more"));
}

#[test]
fn a_check_that_answers_is_ok_on_the_page_of_sources() {
    let mut state = calm(80, 24);
    for source in state.known.sources.values_mut() {
        // Nobody keeps the standing of a source that answers a check.
        source.standing = Standing::default();
    }
    press(&mut state, "9");
    let text = text_of(&state, 80, 24);
    let line = text.lines().skip(2).find(|line| line.contains("web/health")).unwrap();
    assert!(line.contains("ok ") && !line.contains("UNKN"), "{line}");
}

#[test]
fn a_refused_check_is_no_answer_and_never_hides_among_those_that_answer() {
    let mut state = calm(80, 24);
    let refused = CheckReading {
        status: Status::Critical,
        summary: "connection refused".into(),
        cause: Some(Cause::Refused),
        ..CheckReading::default()
    };
    state.known.checks.get_mut("check/api/health").unwrap().last = Some(refused);
    state.settle(true);
    let strip = text_of(&state, 80, 24).lines().nth(1).unwrap().to_owned();
    assert!(strip.starts_with("? api/health no answer"), "{strip}");
    press(&mut state, "9 / a p i enter");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("answered     not by the last poll"), "{text}");
}

#[test]
fn enter_on_a_check_opens_its_source_and_circles_do_not_pile_up() {
    let mut state = burning(80, 24);
    press(&mut state, "enter");
    assert_eq!(state.page(), &Page::Service("api".into()));
    press(&mut state, "enter");
    assert_eq!(state.page(), &Page::Sources);
    assert!(text_of(&state, 80, 24).contains("check health of service api"));
    for _ in 0..3 {
        press(&mut state, "enter");
        assert_eq!(state.page(), &Page::Service("api".into()));
        press(&mut state, "enter");
    }
    press(&mut state, "esc esc");
    assert_eq!(state.page(), &Page::Overview);
}

#[test]
fn the_details_of_an_alert_scroll_and_another_alert_begins_at_its_top() {
    let mut state = burning(80, 24);
    state.known.alerts[0].expression = "rate(http_requests_total[5m]) ".repeat(60);
    press(&mut state, "3");
    assert!(text_of(&state, 80, 24).contains("more lines: tab, then down"));
    press(&mut state, "tab G");
    let text = text_of(&state, 80, 24);
    assert!(!text.contains("why          5xx") && !text.contains("more lines"), "{text}");
    press(&mut state, "k");
    assert!(text_of(&state, 80, 24).contains("1 more lines") || !text.contains("more lines"));
    press(&mut state, "backtab down");
    assert!(text_of(&state, 80, 24).contains("why          p95 2.3s"));
}

#[test]
fn a_host_is_named_once_and_without_its_exporters_port() {
    let mut state = burning(80, 24);
    let mut disk = alert("LowDisk", "db", Severity::Warning, 30, "disk 9% on 10.0.0.7:9100 /var");
    disk.service = None;
    disk.labels = Labels::new([("alertname", "LowDisk"), ("instance", "10.0.0.7:9100")]);
    state.known.alerts.push(disk);
    state.settle(true);
    let text = text_of(&state, 80, 24);
    let line = text.lines().find(|line| line.contains("disk 9%")).unwrap();
    assert!(line.contains("WARN 10.0.0.7 ") && line.contains(" disk 9% on /var "), "{line}");
    let down = "node on 10.0.0.7:9100 is down";
    down.clone_into(&mut state.known.alerts.last_mut().unwrap().reason);
    state.settle(true);
    assert!(text_of(&state, 80, 24).contains(down));
    let hosts = state.known.hosts.get_mut("node").unwrap();
    let same = hosts.values().next().unwrap().clone();
    hosts.insert("10.0.0.7:9200".into(), same);
    state.settle(true);
    let text = text_of(&state, 80, 24);
    assert!(text.contains("10.0.0.7:9100") && text.contains("10.0.0.7:9200"), "{text}");
}

#[test]
fn a_reason_takes_the_room_of_figures_that_are_not_there() {
    let mut state = burning(120, 40);
    let why = "crashy: FATAL, given up: Exited too quickly (process log may have details)";
    why.clone_into(&mut state.known.services.get_mut("db").unwrap().standing.reason);
    state.settle(true);
    let text = text_of(&state, 120, 40);
    assert!(text.contains(&why[..60]), "{text}");
}

#[test]
fn charts_without_room_are_told_with_the_key_that_shows_them() {
    let mut state = burning(80, 24);
    press(&mut state, "enter");
    assert!(text_of(&state, 80, 24).contains("+1 more: tab"));
    press(&mut state, "backtab");
    assert!(text_of(&state, 80, 24).contains("+1 more: right"));
    press(&mut state, "right");
    assert!(text_of(&state, 80, 24).contains("+1 more: left"));
}

#[test]
fn the_first_arrow_chooses_the_best_match_even_where_it_was_not_chosen_beforehand() {
    let mut state = calm(80, 24);
    let effects = press(&mut state, ": h e a l down enter");
    assert!(effects.contains(&crate::store::Effect::Practice("heal all".into())), "{effects:?}");
}

#[test]
fn a_config_without_services_says_where_to_look() {
    let state = waiting_of(crate::domain::Inventory::default(), 80, 24);
    assert!(text_of(&state, 80, 24).contains("the config names no services; 5 asks"));
}
