//! Screens as a person sees them.

use super::house::{
    answer_charts, burning, calm, inventory, press, send, text_of, unicode_of, waiting, waiting_of,
};
use crate::store::Msg;

#[test]
fn the_first_frame_comes_from_the_inventory_alone() {
    insta::assert_snapshot!(text_of(&waiting(80, 24), 80, 24));
}

#[test]
fn a_calm_night() {
    insta::assert_snapshot!(unicode_of(&calm(80, 24), 80, 24));
}

#[test]
fn a_burning_night() {
    insta::assert_snapshot!(text_of(&burning(80, 24), 80, 24));
}

#[test]
fn a_burning_night_on_a_larger_screen() {
    insta::assert_snapshot!(unicode_of(&burning(120, 40), 120, 40));
}

#[test]
fn a_frozen_screen_says_so() {
    let mut state = burning(80, 24);
    press(&mut state, "f");
    insta::assert_snapshot!(text_of(&state, 80, 24).lines().next().unwrap());
}

#[test]
fn the_help_page() {
    let mut state = calm(120, 60);
    press(&mut state, "?");
    insta::assert_snapshot!(text_of(&state, 120, 60));
}

#[test]
fn the_palette() {
    let mut state = calm(80, 24);
    press(&mut state, ": s e r");
    insta::assert_snapshot!(text_of(&state, 80, 24));
}

#[test]
fn wide_names_take_their_cells() {
    let mut state = waiting_of(inventory(&["支付服务数据库连接池监控", "api"]), 80, 24);
    press(&mut state, "2");
    insta::assert_snapshot!(unicode_of(&state, 80, 24));
}

#[test]
fn a_screen_that_is_too_small_says_what_it_needs() {
    insta::assert_snapshot!(text_of(&calm(60, 10), 60, 10).trim_end(), @"opsroom needs 80 columns and 24 rows; this terminal has 60\nand 10.");
    for (width, height) in [(1, 1), (0, 0), (79, 24), (80, 23), (5, 50)] {
        text_of(&calm(width, height), width, height);
    }
}

#[test]
fn charts_of_the_worst_service_where_there_is_room() {
    let mut state = burning(120, 40);
    answer_charts(&mut state);
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
}

#[test]
fn a_very_large_screen_has_two_columns() {
    let mut state = burning(200, 50);
    answer_charts(&mut state);
    insta::assert_snapshot!(unicode_of(&state, 200, 50));
}

#[test]
fn the_page_of_a_service() {
    let mut state = burning(80, 24);
    press(&mut state, "enter");
    answer_charts(&mut state);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let mut state = burning(120, 40);
    press(&mut state, "enter");
    answer_charts(&mut state);
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
}

#[test]
fn the_page_of_alerts() {
    let mut state = burning(80, 24);
    press(&mut state, "3");
    insta::assert_snapshot!(text_of(&state, 80, 24));
}

#[test]
fn the_page_of_sources() {
    let mut state = burning(80, 24);
    press(&mut state, "9");
    insta::assert_snapshot!(text_of(&state, 80, 24));
}

#[test]
fn the_metrics_page_points_at_a_mistake() {
    let mut state = calm(80, 24);
    let mut known = (*state.known.inventory).clone();
    known.engine = Some(crate::domain::EngineKind::Embedded);
    send(&mut state, Msg::Reloaded(Ok(std::sync::Arc::new(known))));
    press(&mut state, "5 e");
    send(&mut state, Msg::Pasted("sum(rate(http_requests_total[5m])".into()));
    press(&mut state, "enter");
    insta::assert_snapshot!(text_of(&state, 80, 24));
}

#[test]
fn the_metrics_page_draws_an_expression() {
    let mut state = calm(80, 24);
    press(&mut state, "5 e");
    send(&mut state, Msg::Pasted("sum by (job) (rate(http_requests_total[5m]))".into()));
    let effects = send(&mut state, Msg::KeyPressed("enter".parse().unwrap()));
    super::house::answer(&mut state, effects);
    insta::assert_snapshot!(text_of(&state, 80, 24));
}

#[test]
fn logs_are_shown_from_their_end() {
    let mut state = burning(80, 24);
    press(&mut state, "l");
    assert!(text_of(&state, 80, 24).contains("reading the logs"));
    let lines: Vec<String> = (0..200).map(|i| format!("line {i}\u{1b}[31m red")).collect();
    send(&mut state, Msg::LogsRead { service: "api".into(), lines: Ok(lines.into()) });
    let text = text_of(&state, 80, 24);
    assert!(
        text.contains("LOGS api, lines 181 to 200 of 200") && text.contains("line 199"),
        "{text}"
    );
    press(&mut state, "g");
    assert!(text_of(&state, 80, 24).contains("line 0"));
}

#[test]
fn pages_without_a_source_say_so() {
    let mut state = calm(80, 24);
    for (key, sentence) in [("4", "No issues"), ("6", "backup"), ("7", "incidents"), ("8", "runs")]
    {
        press(&mut state, key);
        assert!(text_of(&state, 80, 24).contains(sentence), "{key}");
    }
}

#[test]
fn only_the_last_of_ten_thousand_services_is_a_key_away() {
    let names: Vec<String> = (0..10_000).map(|i| format!("service-{i:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut state = waiting_of(inventory(&names), 80, 24);
    press(&mut state, "2 G");
    assert!(text_of(&state, 80, 24).contains("service-09999"));
    press(&mut state, "/ - 0 7 7 7 7 enter");
    assert!(text_of(&state, 80, 24).contains("SERVICES 1 of 10000"));
}
