//! The `systemd` check on recorded answers of systemctl 252.

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/data/systemd/", $name))
    };
}

const WITHIN: Duration = Duration::from_mins(5);

/// A minute after all of the recordings.
const NOW: Timestamp = Timestamp::from_millis(1_795_253_060_000);

fn judged(bytes: &[u8]) -> (Status, String) {
    let units = parse(bytes).unwrap();
    let part = judge(&units[0], NOW, WITHIN, 0);
    (part.status, part.detail)
}

#[test]
fn each_recorded_state_has_its_word() {
    for (bytes, status, words) in [
        (&recorded!("show_running.out")[..], Status::Ok, "active (running) for 1m11s"),
        (recorded!("show_missing.out"), Status::Critical, "no such unit"),
        (
            recorded!("show_crashy.out"),
            Status::Critical,
            "failed, given up for 1m09s: exit code 3, 3 restarts",
        ),
        (
            recorded!("show_autorestart.out"),
            Status::Warning,
            "came back by itself, running for 1m11s, 1 restart",
        ),
        (
            recorded!("show_nobin.out"),
            Status::Critical,
            "failed for 1m08s: exit code 203: its program cannot be run",
        ),
        (
            recorded!("show_slow.out"),
            Status::Critical,
            "failed for 1m06s: it took too long to start or stop",
        ),
        (
            recorded!("show_stubborn.out"),
            Status::Critical,
            "failed for 1m04s: it took too long to start or stop",
        ),
        (recorded!("show_failjob.out"), Status::Critical, "failed for 1m08s: exit code 1"),
    ] {
        assert_eq!(judged(bytes), (status, words.to_owned()));
    }
    let (status, words) = judged(recorded!("show_stopped.out"));
    assert_eq!(status, Status::Critical);
    assert_eq!(words, "stopped");
}

#[test]
fn units_are_parted_by_empty_lines_and_each_has_its_own_state() {
    let units = parse(recorded!("show_two.out")).unwrap();
    let ids: Vec<&str> = units.iter().map(|unit| unit.id.as_str()).collect();
    assert_eq!(ids, ["web.service", "job.service"]);
    let units = parse(recorded!("show_need_reload.out")).unwrap();
    assert!(units[0].need_reload);
    assert_eq!(judge(&units[0], NOW, WITHIN, 0).status, Status::Unknown, "no state was told");
}

#[test]
fn restarts_are_a_warning_for_a_while_and_then_history() {
    let units = parse(recorded!("show_autorestart.out")).unwrap();
    let later = NOW + Duration::from_hours(1);
    let part = judge(&units[0], later, WITHIN, 0);
    assert_eq!((part.status, part.restarts), (Status::Ok, Some(1)));
    assert_eq!(judge(&units[0], later, WITHIN, 2).status, Status::Warning, "seen to rise");
}

#[test]
fn states_that_were_not_recorded_have_their_words_too() {
    let show = |lines: &str| judged(format!("Id=x.service\nLoadState=loaded\n{lines}").as_bytes());
    for (lines, status, words) in [
        (
            "ActiveState=activating\nSubState=auto-restart\nResult=signal\nExecMainCode=2\n\
             ExecMainStatus=9\nNRestarts=41",
            Status::Critical,
            "waits to be restarted: killed by signal 9, 41 restarts",
        ),
        ("ActiveState=activating\nSubState=start", Status::Warning, "starting"),
        ("Type=oneshot\nActiveState=activating\nSubState=start", Status::Ok, "runs"),
        (
            "Type=oneshot\nActiveState=inactive\nResult=success\nInactiveEnterTimestamp=@1795253000",
            Status::Ok,
            "a job; ended well 1m ago",
        ),
        ("ActiveState=deactivating\nSubState=stop-sigterm", Status::Warning, "stopping"),
        ("ActiveState=active\nSubState=waiting", Status::Ok, "active (waiting)"),
        ("ActiveState=active\nSubState=exited\nNRestarts=[not set]", Status::Ok, "active (exited)"),
        ("ActiveState=failed\nResult=oom-kill", Status::Critical, "failed: killed: out of memory"),
        ("ActiveState=quantum", Status::Unknown, "in a state of which nothing is known: quantum"),
    ] {
        assert_eq!(show(lines), (status, words.to_owned()), "{lines}");
    }
    let masked = judged(b"Id=x\nLoadState=masked\nActiveState=inactive\nSubState=dead");
    assert_eq!(masked, (Status::Critical, "masked: it cannot start".into()));
}

#[test]
fn moments_come_as_seconds_or_as_text_in_utc() {
    let at = Some(Timestamp::from_millis(1_795_252_989_000));
    assert_eq!(when("@1795252989"), at);
    assert_eq!(when("Sat 2026-11-21 09:23:09 UTC"), at);
    for odd in ["", "@0", "n/a", "[not set]", "Sat 2026-11-21 09:23:09 +08", "@x"] {
        assert_eq!(when(odd), None, "{odd}");
    }
}

#[test]
fn what_is_no_answer_is_not_taken_for_one() {
    assert_eq!(parse(b"").unwrap(), []);
    let failed = parse(b"<html>\x1b[31mnope</html>").unwrap_err();
    assert_eq!(failed.summary, "systemctl: unexpected answer: <html>\u{fffd}nope</html>");
    let not_booted = refused("systemctl", recorded!("not_booted.txt"));
    assert_eq!(not_booted.status, Status::Unknown);
    assert_eq!(not_booted.summary, "this host does not run systemd");
    let hostile = judged(b"Id=a\x1b[2J.service\nLoadState=loaded\nActiveState=x\x1b]0;t\x07y");
    assert!(!hostile.1.contains('\x1b'), "{hostile:?}");
}
