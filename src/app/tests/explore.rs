//! The metrics page: several series, time, and the way there and back.

use super::super::{Page, State};
use super::house::{NOW, answer, burning, calm, press, send, text_of, unicode_of};
use crate::domain::{Labels, Num, Timestamp};
use crate::metrics::{Data, Line};
use crate::panels::Chosen;
use crate::store::{Answer, Answered, Ask, Coverage, Effect, Msg, Stamped};
use std::sync::Arc;
use std::time::Duration;

/// Asks the expression; gives the questions.
fn ask(state: &mut State, expression: &str) -> Vec<Effect> {
    press(state, "5 e ctrl-u");
    send(state, Msg::Pasted(expression.into()));
    send(state, Msg::KeyPressed("enter".parse().unwrap()))
}

fn asks(effects: Vec<Effect>) -> Vec<Ask> {
    let ask = |effect| match effect {
        Effect::Ask(ask) => Some(ask),
        _ => None,
    };
    effects.into_iter().filter_map(ask).collect()
}

/// Answers with these lines: code and values, the last one at the end.
fn tell(state: &mut State, effects: Vec<Effect>, lines: &[(String, Vec<f64>)], seen: Coverage) {
    let answers = asks(effects).into_iter().map(|ask| {
        let labels = |code: &str| {
            Labels::new([("__name__", "http_requests_total"), ("job", "api"), ("code", code)])
        };
        let outcome = match ask.range {
            None => Data::Vector(
                lines
                    .iter()
                    .map(|(code, values)| crate::metrics::Point {
                        labels: labels(code),
                        value: Num(values.last().copied().unwrap_or(0.0)),
                    })
                    .collect(),
            ),
            Some(range) => Data::Matrix(
                lines
                    .iter()
                    .map(|(code, values)| Line {
                        labels: labels(code),
                        points: (0..values.len())
                            .rev()
                            .map(|back| ask.at - range.step * u32::try_from(back).unwrap())
                            .zip(values.iter().map(|value| Num(*value)))
                            .collect(),
                    })
                    .collect(),
            ),
        };
        let coverage = if ask.range.is_some() { seen } else { Coverage::Whole };
        let id = ask.id.clone();
        let (warnings, infos) = (Vec::new(), Vec::new());
        let took = Duration::ZERO;
        let answer = Answer { ask, outcome: Ok(outcome), coverage, warnings, infos, took };
        Answered { id, answer: Arc::new(answer) }
    });
    let answers = answers.collect();
    send(state, Msg::Answered(answers));
}

fn codes(values: &[(&str, &[f64])]) -> Vec<(String, Vec<f64>)> {
    values.iter().map(|(code, values)| ((*code).to_owned(), values.to_vec())).collect()
}

fn three(width: u16, height: u16) -> State {
    let mut state = calm(width, height);
    let effects = ask(&mut state, "http_requests_total{job=\"api\"}");
    let wave = |base: f64| (0..100).map(|i| base + f64::from(i % 20)).collect::<Vec<_>>();
    let ended = vec![3.0; 40].into_iter().chain(vec![f64::NAN; 60]).collect();
    let lines =
        vec![("200".to_owned(), wave(90.0)), ("404".into(), wave(20.0)), ("500".into(), ended)];
    let seen = Coverage::Partial { seen: Duration::from_mins(24), wanted: Duration::from_mins(30) };
    tell(&mut state, effects, &lines, seen);
    state
}

#[test]
fn several_series_with_the_list_as_their_legend() {
    let mut state = three(80, 24);
    insta::assert_snapshot!(unicode_of(&state, 80, 24));
    press(&mut state, "left left left");
    insta::assert_snapshot!(text_of(&state, 80, 24));
    press(&mut state, "esc t");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("VALUES 3, highest first") && !text.contains("CHART"), "{text}");
}

#[test]
fn series_are_hidden_isolated_and_counted_never_cut_off_unseen() {
    let mut state = three(80, 24);
    press(&mut state, "space");
    let text = text_of(&state, 80, 24);
    assert!(text.contains(">- code=\"200\""), "{text}");
    press(&mut state, "space down enter");
    assert!(text_of(&state, 80, 24).contains("one drawn: enter shows all"));
    press(&mut state, "esc");
    assert!(!text_of(&state, 80, 24).contains("one drawn"));
    assert_eq!(state.page(), &Page::Metrics, "esc took the isolation away first");
    let effects = ask(&mut state, "many");
    let many: Vec<_> = (0..340).map(|i| (format!("{i:03}"), vec![f64::from(i)])).collect();
    tell(&mut state, effects, &many, Coverage::Whole);
    let text = text_of(&state, 80, 24);
    assert!(text.contains("CHART 1 to 12 of 340, highest by last value (> more)"), "{text}");
    assert!(text.contains("SERIES 340 +") && text.contains("- avg\n"), "{text}");
    assert!(text.contains(">a code=\"339\""), "{text}");
    press(&mut state, ">");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("CHART 13 to 24 of 340"), "{text}");
    let first = text.lines().skip_while(|line| !line.starts_with("SERIES")).nth(1);
    assert!(first.is_some_and(|row| row.starts_with(">a code=\"327\"")), "{text}");
    press(&mut state, "< <");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("CHART 337 to 340 of 340"), "{text}");
    assert!(text.contains(" code=\"003\""), "{text}");
    press(&mut state, "space");
    assert!(text_of(&state, 80, 24).contains("CHART 337 to 339 of 339"));
    press(&mut state, ">");
    assert!(text_of(&state, 80, 24).contains("CHART 1 to 12 of 339"));
    press(&mut state, "o");
    assert!(text_of(&state, 80, 24).contains("1 to 12 of 339, lowest by last value"));
}

#[test]
fn a_big_gauge_with_small_moves_is_drawn_where_it_is_and_a_key_shows_it_from_zero() {
    let moves: Vec<f64> = (0..100).map(|i| 1_003.0 + f64::from(i % 15)).collect();
    let lines = [("1".to_owned(), moves)];
    let asked = |expression: &str| {
        let mut state = calm(80, 24);
        let effects = ask(&mut state, expression);
        tell(&mut state, effects, &lines, Coverage::Whole);
        state
    };
    let mut state = asked("queue_bytes");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("CHART scale not from 0") && text.contains("1002|"), "{text}");
    assert!(text.contains("y scale"), "{text}");
    press(&mut state, "y");
    let text = text_of(&state, 80, 24);
    assert!(!text.contains("not from 0") && text.contains("   0|"), "{text}");
    press(&mut state, "y");
    assert!(text_of(&state, 80, 24).contains("scale not from 0"));
    let mut state = asked("sum(rate(requests_total[5m]))");
    assert!(!text_of(&state, 80, 24).contains("not from 0"), "a rate means something from 0");
    press(&mut state, "y");
    assert!(text_of(&state, 80, 24).contains("scale not from 0"));
}

#[test]
fn a_colour_stays_with_its_series_when_the_order_changes() {
    let mut state = calm(80, 24);
    let effects = ask(&mut state, "x");
    tell(&mut state, effects, &codes(&[("1", &[5.0]), ("2", &[4.0])]), Coverage::Whole);
    assert!(text_of(&state, 80, 24).contains(">a code=\"1\""));
    state.asked.clear();
    let effects = send(&mut state, Msg::Polled(vec![]));
    tell(&mut state, effects, &codes(&[("1", &[5.0]), ("2", &[6.0])]), Coverage::Whole);
    let text = text_of(&state, 80, 24);
    assert!(text.contains(">b code=\"2\"") || text.contains(" b code=\"2\""), "{text}");
    assert!(text.contains("a code=\"1\""), "{text}");
}

#[test]
fn earlier_times_are_asked_and_live_comes_back() {
    let mut state = three(80, 24);
    state.words.waiting.clear();
    let effects = send(&mut state, Msg::KeyPressed("[".parse().unwrap()));
    let asked = asks(effects);
    let chart = asked.iter().find(|ask| ask.range.is_some()).unwrap();
    assert!(chart.at < NOW - Duration::from_mins(10), "{chart:?}");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("0 is live") && text.contains("asked, no answer yet"), "{text}");
    answer(&mut state, asked.into_iter().map(Effect::Ask).collect());
    assert!(!text_of(&state, 80, 24).contains("no answer yet"));
    press(&mut state, "0");
    assert!(text_of(&state, 80, 24).contains("to now"));
}

#[test]
fn the_expression_behind_what_is_selected_opens_and_esc_comes_back_to_it() {
    let mut state = burning(80, 24);
    press(&mut state, "down");
    let selected = state.chosen();
    assert!(matches!(selected, Some(Chosen::Alert(_))));
    press(&mut state, "x");
    assert_eq!(state.page(), &Page::Metrics);
    assert!(state.words.expression.contains("http_requests_total"));
    assert_eq!(state.words.history.len(), 1);
    press(&mut state, "esc");
    assert_eq!((state.page(), state.chosen()), (&Page::Overview, selected));
    // On the page of a service the chart has it.
    press(&mut state, "enter backtab enter");
    assert_eq!(state.page(), &Page::Metrics);
    press(&mut state, "esc");
    assert_eq!(state.page(), &Page::Service("api".into()));
}

#[test]
fn a_host_opens_its_worst_signal_narrowed_down_to_it() {
    let mut state = burning(120, 40);
    while !matches!(state.chosen(), Some(Chosen::Host { .. })) {
        press(&mut state, "tab");
    }
    press(&mut state, "x");
    assert_eq!(state.words.expression, "disk");
    assert!(text_of(&state, 120, 40).contains("filter: 10.0.0.7:9100"));
}

#[test]
fn a_slow_question_says_how_long_it_takes_and_esc_stops_it() {
    let mut state = calm(80, 24);
    let asked = asks(ask(&mut state, "slow"));
    let later = |state: &mut State, seconds: u64| {
        let at = NOW + Duration::from_secs(seconds);
        super::super::update(state, Stamped { at, msg: Msg::Ticked })
    };
    let effects = later(&mut state, 7);
    let again = asks(effects).into_iter().any(|ask| asked.iter().any(|old| old.id == ask.id));
    assert!(!again, "a question that is being answered is not asked anew");
    assert!(text_of(&state, 80, 24).contains("no answer for 7s yet; esc stops asking"));
    let effects = press(&mut state, "esc");
    assert_eq!(effects.iter().filter(|e| matches!(e, Effect::StopAsking(_))).count(), 2);
    assert_eq!(state.page(), &Page::Metrics);
    assert!(text_of(&state, 80, 24).contains("stopped"));
    assert!(asks(later(&mut state, 60)).iter().all(|ask| !ask.id.0.starts_with("page/")));
    press(&mut state, "e");
    let effects = send(&mut state, Msg::KeyPressed("enter".parse().unwrap()));
    assert_eq!(asks(effects).len(), 2, "it is asked again when that is wanted");
}

#[test]
fn what_is_seen_is_written_and_what_is_hidden_is_not() {
    let mut state = three(80, 24);
    press(&mut state, "space");
    let effects = press(&mut state, "w");
    let [Effect::Export(export)] = effects.as_slice() else { panic!("{effects:?}") };
    let written: Vec<_> = export.series.iter().map(|of| of.get("code").unwrap()).collect();
    assert_eq!(written, ["404", "500"]);
    assert!(matches!(export.answer.outcome, Ok(Data::Matrix(_))));
}

#[test]
fn no_values_are_too_odd_for_the_page() {
    let odd: [&[f64]; 8] = [
        &[1e300, -1e300],
        &[f64::MAX, f64::MIN],
        &[f64::NAN, f64::NAN],
        &[f64::INFINITY, 1.0, f64::NEG_INFINITY],
        &[-5.0, -5.0, -5.0],
        &[0.0],
        &[],
        &[1e-300, 2e-300],
    ];
    for values in odd {
        let mut state = calm(80, 24);
        let effects = ask(&mut state, "odd");
        tell(&mut state, effects, &codes(&[("1", values), ("2", &[1.0])]), Coverage::Whole);
        for keys in ["left", "right", "[", "t", "t", "z", "+", "+", "-", "0", "f", "esc"] {
            press(&mut state, keys);
            let text = text_of(&state, 80, 24);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }
    let mut state = calm(80, 24);
    let effects = ask(&mut state, "long");
    let long: Vec<f64> = (0..11_000).map(f64::from).collect();
    tell(&mut state, effects, &codes(&[("1", &long)]), Coverage::Whole);
    assert!(text_of(&state, 80, 24).contains("SERIES 1"));
    let _ = Timestamp::default();
}

#[test]
fn on_a_frozen_screen_earlier_times_can_be_looked_at() {
    let mut state = three(80, 24);
    press(&mut state, "f");
    let effects = send(&mut state, Msg::KeyPressed("[".parse().unwrap()));
    let asked = asks(effects);
    assert!(!asked.is_empty());
    answer(&mut state, asked.into_iter().map(Effect::Ask).collect());
    let text = text_of(&state, 80, 24);
    assert!(text.contains("FROZEN") && !text.contains("no answer yet"), "{text}");
}
