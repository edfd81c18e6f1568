//! How runs end, by what a service says: proved, not proved, and not known.

use super::super::bench::{Bench, LONG, Web, text, wait_for_half_a_second};
use super::super::harness::{Home, Terminal};
use super::super::waiting::{SOON, eventually};

/// A bench with a service called web, which is ill.
fn ill(books: &[(&str, &str)]) -> (Bench, Web) {
    let home = Home::new();
    let web = Web::ill_while(&home.file("ill", ""));
    let config = format!("[service.web]\nhealth = \"{}\"\n", web.url);
    (Bench::at(home, "test", &config, books), web)
}

/// The runbook `mend` for that service, whose only change is this.
fn mend(change: &str) -> String {
    format!(
        "---\ntitle: Mend the web\n---\n## Is it this?\n```check\nservice web is critical\n```\n\
         ## Do\n```sh {{confirm=service}}\n{change}\n```\n\
         ## Proof\n```check {{within=8s}}\nservice web is ok\n```\n"
    )
}

/// Starts the run and lets its change go.
fn go(bench: &Bench) -> Terminal {
    let mut terminal = bench.terminal(&["run", "mend", "--service", "web"]);
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("the question", LONG, |text| text.contains("type web to run it"));
    wait_for_half_a_second();
    terminal.press("web\r");
    terminal
}

#[test]
fn a_fix_that_fixes_is_proved_by_the_service_itself() {
    let (bench, _web) = ill(&[("mend", &mend("rm HOME/ill"))]);
    let mut terminal = go(&bench);
    terminal.see_within("its end", LONG, |text| text.contains("proved after"));
    assert!(!terminal.text().contains("unproved"), "{}", terminal.text());
    assert_eq!(terminal.end(SOON).exit_code(), 0);
    assert_eq!(bench.runs()[0]["outcome"], "proved");
    let told = bench.without(&["attach", &bench.run()]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
}

#[test]
fn a_fix_that_says_0_and_fixes_nothing_is_not_proved() {
    let (bench, _web) = ill(&[("mend", &mend("true"))]);
    let mut terminal = go(&bench);
    terminal.see_within("the proof does not hold", LONG, |text| text.contains("what now?"));
    let shown = terminal.text();
    assert!(shown.contains("503"), "it says what it saw: {shown}");
    wait_for_half_a_second();
    terminal.press("a it was not that\r");
    terminal.see_within("its end", LONG, |text| text.contains("== run"));
    assert_eq!(terminal.end(SOON).exit_code(), 10);
    assert_eq!(bench.runs()[0]["outcome"], "failed");
}

/// Says that it has begun, and ends when it may.
const SLOW: &str = "---\ntitle: Slow\n---\n```sh {timeout=2m}\n\
    touch HOME/begun\nwhile [ ! -e HOME/go ]; do sleep 0.1; done\necho done >> HOME/log\n```\n";

/// A run in the middle of a change, whose process is killed.
fn killed() -> Bench {
    let bench = Bench::new(&[("slow", SLOW)]);
    let mut terminal = bench.terminal(&["run", "slow", "--service", "api"]);
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("the question", LONG, |text| text.contains("type y to run it"));
    wait_for_half_a_second();
    terminal.press("y\r");
    eventually("the command has begun", LONG, || bench.exists("begun"));
    assert_eq!(bench.kill_runs(), 1);
    terminal.see_within("that nobody carries it out", LONG, |text| text.contains("!! "));
    assert_eq!(terminal.end(LONG).exit_code(), 13);
    bench
}

#[test]
fn a_run_that_was_killed_is_taken_up_and_what_still_runs_is_waited_for() {
    let bench = killed();
    let mut terminal = bench.terminal(&["attach"]);
    terminal.see_within("it still runs", LONG, |text| text.contains("still running"));
    bench.home.file("go", "");
    terminal.see_within("it has ended", LONG, |text| text.contains("outcome unknown"));
    wait_for_half_a_second();
    terminal.press("done the log says so\r");
    terminal.see_within("its end", LONG, |text| text.contains("== run"));
    // It was done, and nothing proves it.
    assert_eq!(terminal.end(SOON).exit_code(), 11);
    let log = std::fs::read_to_string(bench.home.path().join("log")).unwrap();
    assert_eq!(log, "done\n", "the command ran once");
}

#[test]
fn what_nobody_knows_stays_unknown_to_the_end() {
    let bench = killed();
    // Without a terminal nobody decides: it waits for a person.
    let waits = bench.without(&["attach"]);
    assert_eq!(waits.status.code(), Some(14), "{}", text(&waits));
    assert!(text(&waits).contains("still running"), "{}", text(&waits));
    let mut terminal = bench.terminal(&["attach"]);
    terminal.see_within("it still runs", LONG, |text| text.contains("type again"));
    wait_for_half_a_second();
    terminal.press("cancel\r");
    terminal.see_within("it was ended", LONG, |text| text.contains("outcome unknown: look"));
    wait_for_half_a_second();
    terminal.press("abandon nobody can say\r");
    terminal.see_within("its end", LONG, |text| text.contains("== run"));
    assert_eq!(terminal.end(SOON).exit_code(), 13);
    assert!(!bench.exists("log"));
    assert_eq!(bench.runs()[0]["outcome"], "outcome unknown");
}
