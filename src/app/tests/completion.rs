//! Completion while an expression is typed.

use super::super::State;
use super::super::state::Overlay;
use super::house::{calm, press, send, text_of};
use crate::store::{Complete, Completed, Effect, Key, KeyCode, Msg, Named, Names, Sought};

fn typing(text: &str) -> (State, Vec<Effect>) {
    let mut state = calm(80, 24);
    press(&mut state, "5 e");
    let effects = typed(&mut state, text);
    (state, effects)
}

/// Types it letter by letter; gives the effects of the last one.
fn typed(state: &mut State, text: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in text.chars() {
        let key = Key::plain(KeyCode::Char(c));
        effects = send(state, Msg::KeyPressed(key));
    }
    effects
}

fn asked(effects: &[Effect]) -> Option<&Complete> {
    effects.iter().find_map(|effect| match effect {
        Effect::Complete(ask) => Some(ask),
        _ => None,
    })
}

fn line(state: &State) -> &str {
    match &state.overlay {
        Some(Overlay::Typing(typing)) => typing.line.text(),
        _ => "",
    }
}

fn tell(state: &mut State, ask: &Complete, names: &[&str]) {
    let named = |name: &&str| Named {
        name: (*name).to_owned(),
        kind: "counter".into(),
        help: "Requests that came.".into(),
    };
    let best: Vec<Named> = names.iter().map(named).collect();
    let about = ask.about.as_ref().map(|name| named(&name.as_str()));
    let names = Names { of: best.len(), best, about };
    send(state, Msg::Completed(Completed { id: ask.id, outcome: Ok(names) }));
}

#[test]
fn names_come_while_an_expression_is_typed_and_tab_takes_one() {
    let (mut state, effects) = typing("sum(rate(http_r");
    let ask = asked(&effects).unwrap().clone();
    assert_eq!((&ask.sought, ask.typed.as_str()), (&Sought::Metrics, "http_r"));
    tell(&mut state, &ask, &["http_requests_total", "http_requests_failed_total"]);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    press(&mut state, "tab");
    assert_eq!(line(&state), "sum(rate(http_requests_total");
    assert!(!text_of(&state, 80, 24).contains("FITS"), "it is whole");
    typed(&mut state, "[5");
    press(&mut state, "tab");
    assert_eq!(line(&state), "sum(rate(http_requests_total[5m");
    press(&mut state, "enter");
    assert_eq!(state.words.expression, "sum(rate(http_requests_total[5m");
}

#[test]
fn labels_and_values_are_offered_before_a_letter_of_them_is_typed() {
    let (mut state, effects) = typing("up{");
    let ask = asked(&effects).unwrap().clone();
    tell(&mut state, &ask, &["instance", "job"]);
    press(&mut state, "down tab");
    assert_eq!(line(&state), "up{job");
    let effects = typed(&mut state, "=");
    let ask = asked(&effects).unwrap().clone();
    assert!(matches!(&ask.sought, Sought::Values { label, .. } if label == "job"), "{ask:?}");
    tell(&mut state, &ask, &["a\"b\\c"]);
    press(&mut state, "tab");
    assert_eq!(line(&state), r#"up{job="a\"b\\c""#);
}

#[test]
fn what_answers_an_older_question_or_another_line_is_not_shown() {
    let (mut state, effects) = typing("h");
    let older = asked(&effects).unwrap().clone();
    let effects = typed(&mut state, "t");
    let newer = asked(&effects).unwrap().clone();
    tell(&mut state, &older, &["http_old"]);
    assert!(!text_of(&state, 80, 24).contains("http_old"));
    press(&mut state, "esc esc e");
    tell(&mut state, &newer, &["http_new"]);
    assert!(!text_of(&state, 80, 24).contains("http_new"), "another line is typed");
}

#[test]
fn a_list_that_is_whole_is_narrowed_down_without_asking_again() {
    let (mut state, effects) = typing("http_r");
    let ask = asked(&effects).unwrap().clone();
    tell(&mut state, &ask, &["http_requests_total", "http_retries_total"]);
    let effects = typed(&mut state, "etr");
    assert_eq!(asked(&effects), None);
    let text = text_of(&state, 80, 24);
    assert!(text.contains("http_retries") && text.contains("FITS 1 "), "{text}");
}

#[test]
fn esc_closes_the_list_first_and_the_keys_go_back_to_the_line() {
    let (mut state, _) = typing("rat");
    assert!(text_of(&state, 80, 24).contains("rate(counter[range])"));
    press(&mut state, "esc");
    assert!(!text_of(&state, 80, 24).contains("FITS"));
    assert_eq!(line(&state), "rat");
    press(&mut state, "esc");
    assert!(state.overlay.is_none());
}

#[test]
fn earlier_expressions_come_back_with_up_each_once() {
    let mut state = calm(80, 24);
    press(&mut state, "5");
    for expression in ["up", "down", "up"] {
        state.words.ask(expression);
    }
    state.words.ask("last");
    press(&mut state, "e ctrl-u");
    typed(&mut state, "x");
    press(&mut state, "esc up");
    assert_eq!(line(&state), "last");
    press(&mut state, "up");
    assert_eq!(line(&state), "up");
    press(&mut state, "up up up");
    assert_eq!(line(&state), "down");
    press(&mut state, "down down down");
    assert_eq!(line(&state), "x", "what was typed is not lost");
}

#[test]
fn names_that_would_steer_a_terminal_are_written_in_numbers() {
    let (mut state, effects) = typing("up{job=\"");
    let ask = asked(&effects).unwrap().clone();
    tell(&mut state, &ask, &["\u{1b}[2Jx"]);
    assert!(!text_of(&state, 80, 24).chars().any(|c| c.is_control() && c != '\n'));
    press(&mut state, "tab");
    assert_eq!(line(&state), "up{job=\"\\u001b[2Jx\"");
}

#[test]
fn a_server_that_does_not_tell_names_leaves_the_words_of_the_language() {
    let (mut state, effects) = typing("irat");
    let id = asked(&effects).unwrap().id;
    send(&mut state, Msg::Completed(Completed { id, outcome: Err("HTTP 404".into()) }));
    let text = text_of(&state, 80, 24);
    assert!(
        text.contains("no names: HTTP 404") && text.contains("irate(counter[range])"),
        "{text}"
    );
}
