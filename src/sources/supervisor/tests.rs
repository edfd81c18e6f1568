//! The `supervisor` check on recorded answers of supervisor 4.2.5.

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/data/supervisor/", $name))
    };
}

const NOW: Timestamp = Timestamp::from_millis(1_795_252_800_000);
const WITHIN: Duration = Duration::from_mins(5);

fn words(processes: &[Process], named: bool) -> Vec<String> {
    let judged = processes.iter().map(|process| judge(process, named, WITHIN, 0));
    judged.map(|part| format!("{} {}: {}", part.name, part.status, part.detail)).collect()
}

fn told(out: &[u8]) -> Vec<Process> {
    status::parse(out, b"", NOW).unwrap()
}

#[test]
fn the_words_of_supervisorctl_have_their_meaning() {
    assert_eq!(
        words(&told(recorded!("status.out")), false),
        [
            "crashy critical: FATAL, given up: Exited too quickly (process log may have details)",
            "manual ok: not started, by its config",
            "nofile critical: cannot start, tries again: can't find command '/no/such/binary'",
            "oneshot warning: exited; supervisorctl does not tell with which exit code",
            "web ok: running for 6s, pid 27577",
            "worker:worker_00 ok: running for 6s, pid 27580",
            "worker:worker_01 ok: running for 6s, pid 27582",
        ]
    );
    assert_eq!(
        words(&told(recorded!("status_stopped.out")), true),
        ["manual critical: never started"]
    );
    assert_eq!(words(&told(recorded!("status_after_stop.out")), false), ["web critical: stopped"]);
    let killed = words(&told(recorded!("status_killed.out")), true);
    assert_eq!(killed, ["worker:worker_00 warning: starting"]);
    let unknown = words(&told(recorded!("status_unknown.out")), true);
    assert_eq!(unknown, ["nope critical: supervisord knows no such process"]);
    assert_eq!(words(&told(recorded!("status_starting.out")), false).len(), 7);
}

#[test]
fn the_words_of_xml_rpc_tell_exit_codes_and_times_too() {
    let told = rpc::parse(recorded!("rpc_getAllProcessInfo.xml")).unwrap();
    let words = words(&told, false);
    for expected in [
        "crashy critical: FATAL, given up: Exited too quickly (process log may have details)",
        "manual ok: not started, by its config",
    ] {
        assert!(words.iter().any(|line| line == expected), "{expected} is not in {words:#?}");
    }
    let of = |name: &str| told.iter().find(|process| process.name == name).unwrap();
    assert_eq!(of("oneshot").exit, Some(0));
    assert!(judge(of("oneshot"), true, WITHIN, 0).detail.starts_with("a job; ended well"));
    assert_eq!(of("worker:worker_00").group, "worker");
    assert!(of("worker:worker_01").held.is_some());
}

#[test]
fn names_mean_processes_groups_or_all() {
    let process = |name: &str, group: &str| Process {
        name: name.into(),
        group: group.into(),
        ..Process::default()
    };
    let (web, worker) = (process("web", "web"), process("worker:one", "worker"));
    for name in ["*", "web", "web:web", "web:*"] {
        assert!(web.is_meant_by(name), "{name}");
    }
    for name in ["*", "worker:one", "worker:*", "worker:"] {
        assert!(worker.is_meant_by(name), "{name}");
    }
    assert!(!worker.is_meant_by("one") && !worker.is_meant_by("worker") && !web.is_meant_by("we"));
}

#[test]
fn what_is_no_answer_is_not_taken_for_one() {
    let words = |body: &[u8]| rpc::parse(body).unwrap_err().summary;
    assert_eq!(words(b"<html>401</html>"), "supervisord: the answer is no XML-RPC");
    assert_eq!(words(recorded!("rpc_fault_badname.xml")), "supervisord: BAD_NAME: nope");
    let whole = recorded!("rpc_getAllProcessInfo.xml");
    assert_eq!(words(&whole[..whole.len() / 2]), "supervisord: the answer is cut off");
    let hostile = "<methodResponse><struct><member><name>name</name><value><string>a&amp;lt;\
                   \x1b[2J</string></value></member></struct></methodResponse>";
    let told = rpc::parse(hostile.as_bytes()).unwrap();
    assert_eq!(told[0].name, "a&lt;\u{fffd}");
    assert_eq!(judge(&told[0], true, WITHIN, 0).status, Status::Unknown);
}

#[test]
fn restarts_are_a_warning_where_there_are_several() {
    let process = Process { state: "RUNNING".into(), ..Process::default() };
    assert_eq!(judge(&process, true, WITHIN, 1).status, Status::Ok, "one may be by hand");
    let part = judge(&process, true, WITHIN, 4);
    assert_eq!(
        (part.status, part.detail.as_str()),
        (Status::Warning, "restarted 4 times in 5m, running")
    );
}
