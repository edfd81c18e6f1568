//! Runs on a plain terminal: asked, answered, left, taken up again.

mod alert;
mod ends;
mod gates;

use super::bench::{Bench, LONG, text, wait_for_half_a_second};
use super::harness::Terminal;
use super::waiting::{SOON, eventually};
use portable_pty::CommandBuilder;

const CHANGE: &str = "---\ntitle: Mend the API\n---\n\
    ## Look\n```sh {reads capture=WHAT}\necho looking; echo v1\n```\n\
    ## Mend\n```sh {confirm=api}\necho mending \"$WHAT\"\ntouch HOME/mended\n```\n";

#[test]
fn a_run_is_confirmed_by_typing_the_name_and_nothing_else() {
    let bench = Bench::new(&[("mend", CHANGE)]);
    let mut terminal = bench.terminal(&["run", "mend", "--service", "api"]);
    terminal.see_text("type start to start it");
    // Typed before the question has stood there for half a second: dropped.
    terminal.press("start\r");
    terminal.see_text("is dropped");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("the question", LONG, |text| text.contains("type api to run it"));
    assert!(!bench.exists("mended"));
    wait_for_half_a_second();
    // A paste answers nothing, enter alone neither, nor another name.
    terminal.press("\x1b[200~api\r\x1b[201~");
    terminal.see_text("a paste answers nothing");
    terminal.press("\r");
    terminal.see("enter does nothing", |text| text.matches("nothing was run").count() == 1);
    wait_for_half_a_second();
    terminal.press("apii\r");
    terminal.see("another name neither", |text| text.matches("nothing was run").count() == 2);
    assert!(!bench.exists("mended"));
    wait_for_half_a_second();
    terminal.press("api\r");
    terminal.see_within("its output", LONG, |text| text.contains("mending v1"));
    terminal.see_within("its end", LONG, |text| text.contains("unproved after"));
    // Nothing in it proves anything.
    assert_eq!(terminal.end(SOON).exit_code(), 11);
    assert!(bench.exists("mended"));
    assert_eq!(bench.runs()[0]["outcome"], "unproved");
}

/// Prints a line, waits for a file, prints another.
const SLOW: &str = "---\ntitle: Slow\n---\n```sh {reads}\n\
    echo first line\nwhile [ ! -e HOME/go ]; do echo waiting; sleep 0.1; done\necho last line\n```\n\
    ";

#[test]
fn a_step_goes_on_when_the_line_drops_and_attach_shows_all_its_output() {
    let bench = Bench::new(&[("slow", SLOW)]);
    let mut terminal = bench.terminal(&["run", "slow", "--service", "api", "--yes"]);
    terminal.see_within("the step runs", LONG, |text| text.contains("\nfirst line"));
    terminal.hang_up();
    terminal.end(SOON);
    bench.home.file("go", "");
    eventually("the run has ended", LONG, || bench.runs()[0]["outcome"] == "unproved");
    let attached = bench.without(&["attach", &bench.run()]);
    let shown = text(&attached);
    assert!(shown.contains("\nfirst line\nwaiting\n"), "{shown}");
    assert!(shown.contains("\nwaiting\nlast line\n"), "{shown}");
    assert_eq!(attached.status.code(), Some(11), "{shown}");
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_no_run() {
    const LOUD: &str = "---\ntitle: Loud\n---\n```sh {reads}\n\
        i=0; while [ $i -lt 20000 ]; do echo \"line $i of many that nobody reads now\"; i=$((i+1)); done\n```\n\
        ";
    let bench = Bench::new(&[("loud", LOUD)]);
    let mut terminal = bench.terminal(&["run", "loud", "--service", "api"]);
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("it has begun", LONG, |text| text.contains("step 1"));
    terminal.stall(true);
    eventually("the run has ended", LONG, || bench.runs()[0]["outcome"] == "unproved");
    terminal.stall(false);
    terminal.see_within("its end", LONG, |text| text.contains("unproved after"));
    // Nothing in it proves anything.
    assert_eq!(terminal.end(SOON).exit_code(), 11);
    let all = bench.without(&["attach", &bench.run()]);
    let lines = text(&all);
    assert!(lines.contains("\nline 0 of many") && lines.contains("\nline 19999 of many"));
}

#[test]
fn who_leaves_by_ctrl_c_takes_the_question_up_again() {
    let bench = Bench::new(&[("mend", CHANGE)]);
    let mut terminal = bench.terminal(&["run", "mend", "--service", "api"]);
    let before = terminal.line_settings();
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("the question", LONG, |text| text.contains("type api to run it"));
    terminal.press("\x03");
    terminal.see_text("opsroom attach");
    assert_eq!(terminal.end(SOON).exit_code(), 14);
    terminal.assert_given_back(&before);
    assert!(!bench.exists("mended"));
    let mut terminal = bench.terminal(&["attach"]);
    terminal.see_within("the question again", LONG, |text| text.contains("type api to run it"));
    wait_for_half_a_second();
    terminal.press("abandon not today\r");
    terminal.see_within("the end", LONG, |text| text.contains("== run"));
    assert_eq!(terminal.end(SOON).exit_code(), 10);
    assert!(!bench.exists("mended"));
}

#[test]
fn without_a_terminal_nobody_is_asked_and_the_run_waits() {
    let bench = Bench::new(&[("mend", CHANGE)]);
    let planned = bench.without(&["run", "mend", "--service", "api"]);
    assert_eq!(planned.status.code(), Some(14), "{}", text(&planned));
    let dry = bench.without(&["run", "mend", "--service", "api", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry));
    assert!(bench.runs().is_empty());
    let waits = bench.without(&["run", "mend", "--service", "api", "--yes", "--json"]);
    assert_eq!(waits.status.code(), Some(14), "{}", text(&waits));
    let records = String::from_utf8(waits.stdout.clone()).unwrap();
    for line in records.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["record"]["run"].is_object(), "{line}");
    }
    assert!(text(&waits).contains("opsroom attach"), "{}", text(&waits));
    assert!(!bench.exists("mended"));
    assert_eq!(bench.runs()[0]["state"], "waits");
    // One changing run at a time.
    let held = bench.without(&["run", "mend", "--service", "api", "--yes"]);
    assert_eq!(held.status.code(), Some(12), "{}", text(&held));
    assert!(text(&held).contains(&bench.run()), "{}", text(&held));
}

#[test]
fn a_dry_run_without_values_shows_the_plan_and_says_which_are_missing() {
    const ASKS: &str = "---\ntitle: Asks\nparams:\n  RELEASE: { ask: Which release, match: 'v[0-9]+' }\n  \
        TOKEN: { ask: The token, secret: true }\n  WHICH: { ask: Service to prove }\n---\n\
        ```sh {confirm=api}\necho \"$RELEASE\" \"$TOKEN\"\n```\n\
        ```check {within=2s}\nservice $WHICH is ok\n```\n";
    let bench = Bench::new(&[("asks", ASKS)]);
    let dry = |more: &[&str]| {
        let mut asked = vec!["run", "asks", "--service", "api", "--dry-run"];
        asked.extend(more);
        bench.without(&asked)
    };
    let told = dry(&[]);
    assert_eq!(told.status.code(), Some(64), "{}", text(&told));
    let plan = String::from_utf8(told.stdout.clone()).unwrap();
    for wanted in [
        "RELEASE=?  (missing)",
        "TOKEN=?  (secret, asked before the start)",
        "echo \"$RELEASE\" \"$TOKEN\"",
        "| service $WHICH is ok",
        "confirmed by typing api",
    ] {
        assert!(plan.contains(wanted), "{wanted}: {plan}");
    }
    let said = String::from_utf8(told.stderr.clone()).unwrap();
    assert!(said.contains("RELEASE has no value: --set RELEASE=..."), "{said}");
    assert!(said.contains("WHICH has no value") && !said.contains("TOKEN"), "{said}");
    let told = dry(&["--set", "RELEASE=latest", "--set", "WHICH=api", "--json"]);
    assert_eq!(told.status.code(), Some(64), "{}", text(&told));
    let plan: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(plan["missing"], serde_json::json!(["RELEASE", "TOKEN"]));
    assert!(text(&told).contains("RELEASE: `latest` does not match"), "{}", text(&told));
    // Secrets are wanted by who starts it, not by who looks at it.
    let told = dry(&["--set", "RELEASE=v1", "--set", "WHICH=api"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
    assert!(text(&told).contains("| service api is ok"), "{}", text(&told));
    // What stands against it anyway is said without its values.
    let told = dry(&["--set", "RELESE=v1"]);
    assert_eq!(told.status.code(), Some(12), "{}", text(&told));
    assert!(text(&told).contains("did you mean RELEASE?"), "{}", text(&told));
    // Nobody is asked at a terminal either.
    let mut terminal = bench.terminal(&["run", "asks", "--service", "api", "--dry-run"]);
    terminal.see_text("WHICH=?  (missing)");
    assert_eq!(terminal.end(SOON).exit_code(), 64);
    assert!(bench.runs().is_empty());
}

#[test]
fn ctrl_z_and_fg_bring_the_question_back_and_a_paste_of_several_lines_is_no_value() {
    const ASKS: &str = "---\ntitle: Asks\nparams:\n  KEY: { ask: The key, secret: true }\n---\n\
        ```sh {reads}\necho \"${#KEY} characters\"\n```\n";
    let bench = Bench::new(&[("asks", ASKS)]);
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    bench.home.furnish(&mut shell);
    shell.env("PS1", "prompt: ");
    let mut terminal = Terminal::start(shell, 120, 40);
    terminal.see_text("prompt:");
    let (program, config) = (env!("CARGO_BIN_EXE_opsroom"), bench.config.display());
    terminal.press(&format!("{program} --config {config} run asks\r"));
    terminal.see_within("the question", LONG, |text| text.contains("what you type is not shown"));
    terminal.press("\x1a");
    terminal.see_text("Stopped");
    terminal.press("fg\r");
    let is_below = |text: &str| text.lines().rfind(|line| !line.is_empty()) == Some(">");
    terminal.see("the question's line", |text| is_below(text.trim_end()));
    wait_for_half_a_second();
    terminal.press("\x1b[200~BEGIN\nKEY\x1b[201~");
    terminal.see_text("a paste of several lines is not taken");
    terminal.press("\x1b[200~swordfish\n\x1b[201~");
    terminal.press("\r");
    terminal.see_within("the plan", LONG, |text| text.contains("type start to start it"));
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("all of it", LONG, |text| text.contains("9 characters"));
    terminal.see_within("the shell", LONG, |text| text.trim_end().ends_with("prompt:"));
    terminal.press("exit\r");
    terminal.end(SOON);
}

#[test]
fn yes_passes_a_name_only_where_the_config_says_so() {
    let bench = Bench::with("[runbooks]\nyes = [\"mend\"]", &[("mend", CHANGE)]);
    let ran = bench.without(&["run", "mend", "--service", "api", "--yes"]);
    assert_eq!(ran.status.code(), Some(11), "{}", text(&ran));
    assert!(bench.exists("mended"));
    assert!(text(&ran).contains("confirmed by --yes"), "{}", text(&ran));
}

#[test]
fn each_end_has_its_exit_code() {
    const ASKS: &str = "---\ntitle: Asks\nparams:\n  RELEASE: { ask: Which, match: 'v[0-9]+' }\n---\n\
        ```sh {reads}\necho \"$RELEASE\"\n```\n";
    const NOT: &str = "---\ntitle: Not\n---\n```sh {reads}\necho hello\n```\n\
        ```check {within=2s}\nservice api is critical\n```\n";
    let bench = Bench::new(&[("asks", ASKS), ("not", NOT)]);
    let code = |arguments: &[&str]| {
        let ran = bench.without(arguments);
        (ran.status.code(), text(&ran))
    };
    let (missing, words) = code(&["run", "asks", "--yes"]);
    assert_eq!(missing, Some(64), "{words}");
    assert!(words.contains("--set RELEASE="), "{words}");
    let (wrong, words) = code(&["run", "asks", "--yes", "--set", "RELEASE=$(id)"]);
    assert_eq!(wrong, Some(64), "{words}");
    let (unproved, words) = code(&["run", "asks", "--yes", "--set", "RELEASE=v1"]);
    assert_eq!(unproved, Some(11), "{words}");
    assert!(words.contains("\nv1\n"), "{words}");
    let (none, words) = code(&["run", "nobody"]);
    assert_eq!(none, Some(12), "{words}");
    // What does not hold waits for a person's decision.
    let (waits, words) = code(&["run", "not", "--yes", "--service", "api"]);
    assert_eq!(waits, Some(14), "{words}");
    let (none, words) = code(&["attach", "zzzz"]);
    assert_eq!(none, Some(64), "{words}");
}

#[test]
fn parameters_are_asked_line_by_line_and_choices_have_numbers() {
    const ASKS: &str = "---\ntitle: Asks\nparams:\n  RELEASE: { ask: Release to go back to, choices: [v141, v140], match: 'v[0-9]+' }\n  TOKEN: { ask: The token, secret: true }\n---\n\
        ```sh {reads}\necho \"to $RELEASE with ${#TOKEN} characters\"\n```\n";
    let bench = Bench::new(&[("asks", ASKS)]);
    let mut terminal = bench.terminal(&["run", "asks"]);
    terminal.see_text("2  v140");
    wait_for_half_a_second();
    terminal.press("2\r");
    terminal.see_text("what you type is not shown");
    wait_for_half_a_second();
    terminal.press("hunter2\r");
    terminal.see_text("type start to start it");
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("what it got", LONG, |text| text.contains("to v140 with 7 characters"));
    terminal.end(LONG);
    assert!(!String::from_utf8_lossy(&terminal.raw()).contains("hunter2"));
}
