use crate::domain::runs::{CommandStep, Expect, Shell, StepOutcome};
use crate::steps::ask;
use crate::steps::testing::{LONG, block, context, prepared, run};
use std::collections::BTreeMap;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(300);

fn reads(script: &str) -> CommandStep {
    CommandStep { changes: false, ..block(script) }
}

/// Whether a process lives, as the kernel tells.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn nothing_runs_before_the_gate_is_opened_and_nothing_after_it_was_dropped() {
    let scratch = tempfile::tempdir().unwrap();
    let line = format!("touch {}/ran", scratch.path().display());
    let (cx, _ends) = context();
    let waiting = prepared(block(&line), cx.clone()).await.unwrap();
    let pid = waiting.process().unwrap().pid;
    assert!(lives(&pid.to_string()));
    drop(waiting);
    // The shell at the gate reads the end of the pipe, and goes.
    while lives(&pid.to_string()) {
        tokio::task::yield_now().await;
    }
    assert!(!scratch.path().join("ran").exists());
    let end = prepared(block(&line), cx).await.unwrap().go().await;
    assert_eq!((end.outcome, end.words.as_str()), (StepOutcome::Ok, "exit code 0"));
    assert!(scratch.path().join("ran").exists());
}

#[tokio::test]
async fn output_and_errors_come_in_one_stream_in_order() {
    let (end, text) = run(block("for i in 1 2 3; do echo out $i; echo err $i >&2; done")).await;
    assert_eq!(end.outcome, StepOutcome::Ok);
    assert_eq!(text, "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
}

#[tokio::test]
async fn it_has_its_stated_environment_alone_and_nothing_to_read() {
    let (_, text) = run(block("echo \"$RELEASE|${CARGO_MANIFEST_DIR-none}|$(pwd)\"; cat")).await;
    assert_eq!(text, "v1 $(id) \"x\"|none|/\n");
}

#[tokio::test]
async fn a_failing_line_stops_the_block_and_a_missing_value_is_an_error() {
    let (end, text) = run(block("echo a; false; echo b")).await;
    assert_eq!((end.outcome, text.as_str()), (StepOutcome::Failed, "a\n"));
    let (end, _) = run(block("false | true; echo b")).await;
    assert_eq!(end.outcome, StepOutcome::Failed);
    for shell in [Shell::Sh, Shell::Bash] {
        let (end, text) = run(CommandStep { shell, ..block("echo \"$NO_SUCH\"; echo b") }).await;
        assert_eq!(end.outcome, StepOutcome::Failed);
        assert!(text.contains("NO_SUCH") && end.words.contains("NO_SUCH"), "{end:?}");
    }
}

#[tokio::test]
async fn a_text_that_begins_like_an_option_is_a_text() {
    for shell in [Shell::Sh, Shell::Bash] {
        let (end, _) = run(CommandStep { shell, ..block("-x") }).await;
        assert!(end.words.starts_with("exit code 127: a program"), "{end:?}");
    }
}

#[tokio::test]
async fn the_code_and_the_last_line_say_why() {
    let (end, _) = run(block("echo 'no such release' >&2; exit 3")).await;
    assert_eq!(end.words, "exit code 3: no such release");
    let (end, _) = run(CommandStep { expect: Expect::Codes(vec![0, 3]), ..block("exit 3") }).await;
    assert_eq!((end.outcome, end.words.as_str()), (StepOutcome::Ok, "exit code 3"));
}

#[tokio::test]
async fn output_is_held_against_a_pattern() {
    let expect = |pattern: &str| Expect::Output(pattern.into());
    let of = |pattern, line| run(CommandStep { expect: expect(pattern), ..block(line) });
    let (end, _) = of("^healthy$", "echo healthy; echo end").await;
    assert_eq!(end.outcome, StepOutcome::Ok);
    let (end, _) = of("^healthy$", "echo unhealthy").await;
    assert_eq!(end.words, "exit code 0, but its output has no /^healthy$/");
    let (end, _) = of("healthy", "echo healthy; exit 1").await;
    assert_eq!(end.outcome, StepOutcome::Failed);
    let (cx, _ends) = context();
    let broken = CommandStep { expect: expect("("), ..block("true") };
    assert!(prepared(broken, cx).await.err().unwrap().contains("cannot be read"));
}

#[tokio::test]
async fn the_last_line_is_kept_and_complaints_are_none() {
    let capture = |line: &str| CommandStep { capture: Some("PREVIOUS".into()), ..reads(line) };
    let (end, text) = run(capture("echo v141; echo v142; echo; echo deprecated >&2")).await;
    assert_eq!(end.captured.as_deref(), Some("v142"));
    assert!(text.contains("deprecated"));
    let (end, _) = run(capture("echo nothing here >&2")).await;
    assert_eq!((end.outcome, end.captured), (StepOutcome::Failed, None));
    assert_eq!(end.words, "exit code 0, but no line that PREVIOUS could hold");
    let (end, _) = run(CommandStep { changes: true, ..capture("true") }).await;
    assert_eq!(end.outcome, StepOutcome::Ok, "what was done is not offered again");
}

#[tokio::test]
async fn at_its_limit_the_whole_group_ends_and_a_change_is_unknown() {
    let line = "sleep 61 & echo $!; sleep 62";
    let (end, text) = run(CommandStep { timeout: Some(SHORT), ..block(line) }).await;
    assert_eq!(end.outcome, StepOutcome::Unknown);
    assert_eq!(end.words, "not done within 300ms, and ended");
    assert!(!lives(&text));
    let (end, _) = run(CommandStep { timeout: Some(SHORT), ..reads("sleep 62") }).await;
    assert_eq!(end.outcome, StepOutcome::Failed);
}

#[tokio::test]
async fn what_left_its_group_is_found_and_named() {
    let (cx, mut ends) = context();
    let line = "setsid sleep 63 >/dev/null 2>&1 & echo $!; sleep 64";
    let step = CommandStep { timeout: Some(SHORT), ..block(line) };
    let end = prepared(step, cx).await.unwrap().go().await;
    let pid = ends.text().trim().to_owned();
    let expected = format!("a process of it still runs: {pid} sleep");
    assert!(end.words.ends_with(&expected), "{end:?}");
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_person_ends_it_even_where_it_ignores_that() {
    let (cx, mut ends) = context();
    let line = "trap 'echo no' TERM; echo up; while :; do sleep 0.1 || :; done";
    let going = prepared(block(line), cx).await.unwrap().go();
    let going = tokio::spawn(going);
    assert_eq!(ends.output.recv().await.unwrap(), b"up\n");
    ends.cancel.send(true).unwrap();
    let end = going.await.unwrap();
    assert_eq!((end.outcome, end.words.as_str()), (StepOutcome::Unknown, "ended by hand"));
    assert!(ends.text().contains("no"));
}

#[tokio::test]
async fn ended_by_somebody_else_in_the_middle_a_change_is_unknown() {
    let (end, _) = run(block("kill -KILL $$")).await;
    assert_eq!(end.outcome, StepOutcome::Unknown);
    assert_eq!(end.words, "ended by signal 9 (KILL) from elsewhere");
    let (end, _) = run(reads("kill -KILL $$")).await;
    assert_eq!(end.outcome, StepOutcome::Failed);
    // The shell saw this one end: it knows that it failed.
    let (end, _) = run(block("sh -c 'kill -KILL $$'; true")).await;
    assert_eq!(end.outcome, StepOutcome::Failed);
    assert!(end.words.starts_with("exit code 137: a command in it was ended by signal 9"));
}

#[tokio::test]
async fn ended_at_its_gate_nothing_has_run() {
    let (cx, _ends) = context();
    let waiting = prepared(block("true"), cx).await.unwrap();
    let pid = waiting.process().unwrap().pid;
    let group = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    while lives(&pid.to_string()) {
        tokio::task::yield_now().await;
    }
    let end = waiting.go().await;
    assert_eq!(end.outcome, StepOutcome::Failed);
    assert!(end.words.contains("nothing of it has run"), "{end:?}");
}

#[tokio::test]
async fn what_goes_on_behind_it_neither_holds_it_nor_goes_unsaid() {
    let (end, text) = run(block("sleep 65 & echo $!")).await;
    assert_eq!(end.outcome, StepOutcome::Ok);
    let pid = text.trim();
    assert_eq!(end.words, format!("exit code 0; a process of it still runs: {pid} sleep"));
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn all_of_a_large_output_arrives() {
    let (end, text) = run(block("head -c 5000000 /dev/zero | tr '\\0' x; echo end")).await;
    assert_eq!(end.outcome, StepOutcome::Ok);
    assert_eq!(text.len(), 5_000_004);
}

#[tokio::test]
async fn whoever_stops_reading_does_not_end_the_command() {
    let (cx, ends) = context();
    let waiting = prepared(block("head -c 300000 /dev/zero; echo end"), cx).await.unwrap();
    drop(ends.output);
    assert_eq!(waiting.go().await.outcome, StepOutcome::Ok);
}

/// As a process that takes a run up does it: the shell itself keeps the pipe open.
#[tokio::test]
async fn with_its_run_process_gone_a_command_goes_on_and_its_output_can_be_read() {
    use std::io::Read;
    let around = super::Around {
        env: context().0.env,
        folder: "/".into(),
        identify: |pid| Some(crate::domain::runs::ProcessId { pid, start: 1, boot: "here".into() }),
    };
    let scratch = tempfile::tempdir().unwrap();
    let done = scratch.path().join("done");
    let line = format!("echo before; sleep 0.2; echo after; touch {0}; sleep 66", done.display());
    let argv = super::argv(Shell::Bash, &line).unwrap();
    let mut held = super::Held::start(&argv, &around, false).unwrap();
    held.open().unwrap();
    let super::Held { mut child, group, out, process, .. } = held;
    drop(out);
    while !done.exists() {
        tokio::task::yield_now().await;
    }
    let mut pipe = std::fs::File::open(format!("/proc/{}/fd/1", process.pid)).unwrap();
    let mut text = [0; 13];
    pipe.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"before\nafter\n");
    assert!(group.end(&mut child, rustix::process::Signal::TERM).await);
}

#[tokio::test]
async fn a_read_that_fails_is_tried_again_and_each_try_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let line =
        format!("cd {}; test -e second || {{ touch second; exit 4; }}", scratch.path().display());
    let (end, _) = run(CommandStep { retry: 2, ..reads(&line) }).await;
    assert_eq!(end.outcome, StepOutcome::Ok);
    assert_eq!(end.words, "exit code 0 at the 2nd try; before: exit code 4");
    std::fs::remove_file(scratch.path().join("second")).unwrap();
    let (end, _) = run(CommandStep { retry: 2, ..block(&line) }).await;
    assert_eq!(end.outcome, StepOutcome::Failed, "a change is never made twice");
}

#[tokio::test]
async fn where_it_cannot_run_it_says_so_before_anything_has() {
    let (cx, _ends) = context();
    let nowhere = CommandStep { folder: Some("/no/such".into()), ..block("true") };
    let why = prepared(nowhere, cx.clone()).await.err().unwrap();
    assert!(why.starts_with("the folder /no/such cannot be entered"), "{why}");
    assert!(prepared(block(&"x".repeat(200_000)), cx.clone()).await.is_err());
    assert!(prepared(block("a\0b"), cx).await.is_err());
}

#[tokio::test]
async fn a_question_is_answered_by_output_alone() {
    let env = context().0.env;
    let identify = context().0.identify;
    let ask = |line: &'static str, limit| {
        let env: BTreeMap<_, _> = env.clone();
        async move { ask(line, &env, "/", limit, identify).await }
    };
    assert_eq!(ask("echo a; echo b; echo c >&2", LONG).await.unwrap(), "a\nb");
    assert_eq!(ask("true", LONG).await.unwrap(), "");
    assert_eq!(ask("echo why >&2; exit 2", LONG).await.unwrap_err(), "exit code 2: why");
    assert_eq!(ask("sleep 67", SHORT).await.unwrap_err(), "no answer within 300ms");
    assert!(ask("yes", SHORT).await.is_err());
}
