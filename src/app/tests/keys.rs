//! What keys do.

use super::super::Page;
use super::house::{alert, buffer_of, burning, calm, lines_of, press, send, text_of};
use crate::domain::Severity;
use crate::panels::Chosen;
use crate::store::{Effect, Msg};
use crate::ui::Theme;

#[test]
fn numbers_switch_pages_and_esc_comes_back() {
    let mut state = burning(80, 24);
    press(&mut state, "9");
    assert_eq!(state.page(), &Page::Sources);
    press(&mut state, "esc");
    assert_eq!(state.page(), &Page::Overview);
    press(&mut state, "enter");
    assert_eq!(state.page(), &Page::Service("api".into()));
    press(&mut state, "esc");
    assert_eq!(state.page(), &Page::Overview);
}

#[test]
fn escape_and_a_key_that_come_in_one_go_are_both_heard() {
    let mut state = burning(80, 24);
    press(&mut state, "9");
    press(&mut state, "alt-2");
    assert_eq!(state.page(), &Page::Services);
    assert_eq!(press(&mut state, "alt-q"), [Effect::Quit]);
}

#[test]
fn an_alert_without_a_service_opens_on_its_own_details() {
    let mut state = burning(80, 24);
    let mut lone = alert("LowDisk", "db", Severity::Warning, 30, "disk 9% free");
    lone.service = None;
    state.known.alerts.push(lone.clone());
    state.settle(true);
    press(&mut state, "G enter");
    assert_eq!(state.page(), &Page::Alerts);
    assert_eq!(state.chosen(), Some(Chosen::Alert(lone.identity())));
}

#[test]
fn the_selection_stays_on_its_alert_when_a_worse_one_comes() {
    let mut state = burning(80, 24);
    press(&mut state, "down down");
    let before = state.chosen();
    assert!(matches!(before, Some(Chosen::Alert(_))));
    state.known.alerts.insert(0, alert("CheckFailing", "db", Severity::Critical, 5, "HTTP 503"));
    state.settle(true);
    assert_eq!(state.chosen(), before);
}

#[test]
fn a_filter_keeps_the_selection_and_esc_gives_all_rows_back() {
    let mut state = burning(80, 24);
    press(&mut state, "2 G");
    let before = state.chosen();
    press(&mut state, "/ a p i enter");
    assert!(text_of(&state, 80, 24).contains("SERVICES 1 of 5"));
    press(&mut state, "esc");
    assert_eq!(state.chosen(), before);
}

#[test]
fn nothing_that_changes_anything_is_chosen_beforehand() {
    let mut state = calm(80, 24);
    assert!(press(&mut state, ": b a d space r e l e a s e enter").is_empty());
    assert!(text_of(&state, 80, 24).contains("choose it with the arrow keys"));
    let effects = press(&mut state, ": b a d space r e l e a s e down enter");
    assert_eq!(effects, [Effect::Practice("bad release".into())]);
    press(&mut state, "f");
    assert!(press(&mut state, ": b a d space r e l e a s e down enter").is_empty());
    assert!(text_of(&state, 80, 24).contains("refused"));
}

#[test]
fn typed_characters_are_not_keys() {
    let mut state = calm(80, 24);
    assert!(press(&mut state, "/ q f z 1").is_empty());
    assert_eq!(state.page(), &Page::Overview);
    assert!(text_of(&state, 80, 24).contains("filter: qfz1"));
    assert_eq!(press(&mut state, "esc q"), [Effect::Quit]);
}

#[test]
fn a_frozen_screen_does_not_change() {
    let mut state = burning(80, 24);
    press(&mut state, "f");
    let before = text_of(&state, 80, 24);
    state.known.alerts.clear();
    send(&mut state, Msg::Polled(vec![]));
    assert_eq!(text_of(&state, 80, 24), before);
    press(&mut state, "f");
    assert!(text_of(&state, 80, 24).contains("no alert fires"));
}

#[test]
fn a_second_in_which_nothing_changes_is_not_drawn() {
    let mut state = calm(80, 24);
    let mut draws = 0;
    for _ in 0..60 {
        let at = state.known.now + std::time::Duration::from_secs(1);
        let before = state.generation();
        super::super::update(&mut state, crate::store::Stamped { at, msg: Msg::Ticked });
        draws += usize::from(state.generation() != before);
    }
    assert!((1..=20).contains(&draws), "{draws}");
}

#[test]
fn every_action_is_on_the_help_page() {
    let mut state = calm(120, 120);
    press(&mut state, "?");
    let text = text_of(&state, 120, 120);
    for binding in state.keys.bindings() {
        assert!(text.contains(binding.doc), "{} is missing", binding.name);
        assert!(text.contains(&binding.keys[0].to_string()), "{}", binding.name);
    }
}

#[test]
fn hostile_text_never_reaches_the_screen() {
    const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}\u{200b}\r\n";
    let mut state = burning(120, 40);
    for service in state.known.services.values_mut() {
        service.standing.reason = HOSTILE.repeat(1000);
    }
    for alert in &mut state.known.alerts {
        alert.reason = HOSTILE.into();
        alert.labels = crate::domain::Labels::new([("alertname", HOSTILE), ("a", HOSTILE)]);
    }
    send(&mut state, Msg::Said { text: HOSTILE.into(), bad: true });
    for key in ["1", "2", "3", "9", "enter"] {
        press(&mut state, key);
        let text = lines_of(&buffer_of(&state, &Theme::named("dark").unwrap(), 120, 40));
        let bad = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(text.chars().find(bad), None, "page {key}");
    }
}

#[test]
fn the_same_messages_make_the_same_state_and_effects() {
    let run = || {
        let mut state = burning(120, 40);
        let effects = press(&mut state, "down tab z z / a enter esc 3 enter b r enter + - 5 ? esc");
        (format!("{state:?}"), effects)
    };
    assert_eq!(run(), run());
}

#[test]
fn an_overview_that_nobody_touched_has_what_is_worst_selected() {
    let mut state = calm(80, 24);
    assert!(matches!(state.chosen(), Some(Chosen::Service(_))), "no alert: the services");
    let lesser = alert("LowDisk", "db", Severity::Warning, 300, "disk 8% free");
    state.known.alerts = vec![lesser.clone()];
    state.settle(true);
    assert_eq!(state.chosen(), Some(Chosen::Alert(lesser.identity())));
    let worse = alert("HighErrorRate", "api", Severity::Critical, 60, "5xx 12% > 5%");
    state.known.alerts = vec![worse.clone(), lesser.clone()];
    state.settle(true);
    assert_eq!(state.chosen(), Some(Chosen::Alert(worse.identity())));
    press(&mut state, "down");
    let newest = alert("HighErrorRate", "web", Severity::Critical, 10, "5xx 9% > 5%");
    state.known.alerts = vec![newest, worse, lesser.clone()];
    state.settle(true);
    assert_eq!(state.chosen(), Some(Chosen::Alert(lesser.identity())), "it was chosen by hand");
}
