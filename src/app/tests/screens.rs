//! Screens as a person sees them.

use super::house::{burning, calm, inventory, press, text_of, unicode_of, waiting, waiting_of};

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
fn without_a_config_the_screen_says_what_to_do() {
    let mut state = waiting_of(crate::domain::Inventory::default(), 80, 24);
    state.setting.configured = false;
    let text = text_of(&state, 80, 24);
    for word in ["opsroom demo", "opsroom init", "--config"] {
        assert!(text.contains(word), "{text}");
    }
}
