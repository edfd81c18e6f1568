//! What stands between a person and a change: a line to be edited, an
//! environment that is not armed, a step's own terminal.

use super::super::bench::{Bench, LONG, text, wait_for_half_a_second};
use super::super::harness::Home;
use super::super::waiting::SOON;

#[test]
fn a_step_with_a_terminal_gets_this_one() {
    const TTY: &str = "---\ntitle: Tty\n---\n```sh {reads tty}\n\
        tty >/dev/null && printf 'na%s? ' me; read -r name; echo \"hello $name\"\n```\n";
    let bench = Bench::new(&[("tty", TTY)]);
    let mut terminal = bench.terminal(&["run", "tty"]);
    let before = terminal.line_settings();
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("its prompt", LONG, |text| text.contains("name?"));
    terminal.press("li\r");
    terminal.see_within("its answer", LONG, |text| text.contains("hello li"));
    assert_eq!(terminal.end(LONG).exit_code(), 11);
    terminal.assert_given_back(&before);
}

/// A runbook as people write it for people.
const FOREIGN: &str = "# Mend it\n\nTake away what is in the way:\n\n```bash\n\
    cd HOME\nsh -c 'touch <file>'\n```\n";

#[test]
fn a_line_that_no_value_fits_into_is_edited_by_hand() {
    let bench = Bench::new(&[("foreign", FOREIGN)]);
    let mut terminal = bench.terminal(&["run", "foreign"]);
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("the question", LONG, |text| text.contains("has to be edited"));
    terminal.see_text("> cd ");
    wait_for_half_a_second();
    terminal.press("\r");
    terminal.see_text("> sh -c 'touch <file>'");
    wait_for_half_a_second();
    // The placeholder and the quote go, others come.
    terminal.press(&"\x7f".repeat("<file>'".len()));
    terminal.press("edited'\r");
    terminal.see_within("exactly this", LONG, |text| {
        text.contains("| sh -c 'touch edited'") && text.contains("type y to run it")
    });
    assert!(!bench.exists("edited"));
    wait_for_half_a_second();
    terminal.press("y\r");
    terminal.see_within("its end", LONG, |text| text.contains("== run"));
    assert_eq!(terminal.end(SOON).exit_code(), 11);
    assert!(bench.exists("edited"));
}

#[test]
fn production_is_armed_at_the_prompt_with_a_reason() {
    const CHANGE: &str = "---\ntitle: Mend\n---\n```sh\ntouch HOME/mended\n```\n";
    let bench = Bench::at(Home::new(), "production", "", &[("mend", CHANGE)]);
    let mut terminal = bench.terminal(&["run", "mend", "--service", "api"]);
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("that it is not armed", LONG, |text| {
        text.contains("PRODUCTION is not armed") && text.contains("type arm 15m WHY")
    });
    wait_for_half_a_second();
    terminal.press("arm 15m\r");
    terminal.see_text("for how long and why");
    wait_for_half_a_second();
    terminal.press("y\r");
    terminal.see_text("that is no answer");
    wait_for_half_a_second();
    terminal.press("arm 15m the api is down\r");
    terminal.see_within("the question", LONG, |text| text.contains("type y to run it"));
    assert!(!bench.exists("mended"));
    wait_for_half_a_second();
    terminal.press("y\r");
    terminal.see_within("its end", LONG, |text| text.contains("== run"));
    assert_eq!(terminal.end(SOON).exit_code(), 11);
    assert!(bench.exists("mended"));
    let journal = bench.without(&["audit", "show"]);
    assert!(text(&journal).contains("the api is down"), "{}", text(&journal));
}
