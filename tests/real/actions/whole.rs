//! The runbooks that ship as a person runs them: through `opsroom run` on a
//! terminal, every answer typed, up to the exit code.

use super::super::bench::{Bench, LONG, wait_for_half_a_second};
use super::super::harness::{Home, Terminal};
use super::super::pm2::{Daemon, pm2};
use super::super::support::{Server, free_port, program, supervisor_conf};
use super::super::waiting::now;
use super::text;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

/// A bench with this config.
pub(crate) fn bench(config: &str) -> Bench {
    Bench::at(Home::new(), "test", config, &[])
}

/// Asks whether the run shall start.
pub(crate) const START: (&str, &str) = ("type start to start it", "start");
/// A step that failed is given up.
pub(crate) const GIVE_UP: (&str, &str) = ("what now?", "a it does not help");

/// Starts a run, and answers each of these questions when it is asked again.
pub(crate) fn talk(bench: &Bench, arguments: &[&str], answers: &[(&str, &str)]) -> Terminal {
    let mut terminal = bench.terminal(&[&["run"], arguments].concat());
    let mut asked = BTreeMap::new();
    for (question, answer) in answers {
        let times = asked.entry(*question).or_insert(0);
        *times += 1;
        until(&terminal, question, *times);
        wait_for_half_a_second();
        terminal.press(&format!("{answer}\r"));
    }
    terminal
}

/// Starts a run, and types this name as often as a change is asked about.
pub(crate) fn run(bench: &Bench, arguments: &[&str], name: &str, changes: usize) -> Terminal {
    let question = format!("type {name} to run it");
    let mut answers = vec![START];
    answers.extend(vec![(question.as_str(), name); changes]);
    talk(bench, arguments, &answers)
}

/// Until the terminal was told this so often.
fn until(terminal: &Terminal, words: &str, times: usize) {
    let deadline = now() + LONG;
    let (_keep, pause) = channel::<()>();
    let told = || String::from_utf8_lossy(&terminal.raw()).into_owned();
    while told().matches(words).count() < times {
        assert!(now() < deadline, "not told {times} times: {words}\n{}", told());
        let _ = pause.recv_timeout(Duration::from_millis(20));
    }
}

/// It ends with this code, and gives all that was told.
pub(crate) fn ends(bench: &Bench, mut terminal: Terminal, code: u32) -> String {
    let ended = terminal.end(LONG).exit_code();
    let told = bench.without(&["attach", &newest(bench)]);
    let told = super::super::bench::text(&told);
    assert_eq!(ended, code, "{told}");
    told
}

/// It ends proved, and gives all that was told.
pub(crate) fn is_proved(bench: &Bench, terminal: Terminal) -> String {
    let told = ends(bench, terminal, 0);
    assert_eq!(bench.runs()[0]["outcome"], "proved", "{told}");
    told
}

/// A step does not end as it should; it is given up, and ends failed.
pub(crate) fn fails(bench: &Bench, mut terminal: Terminal) -> String {
    until(&terminal, GIVE_UP.0, 1);
    wait_for_half_a_second();
    terminal.press(&format!("{}\r", GIVE_UP.1));
    ends(bench, terminal, 10)
}

/// A step has said this, and not its script alone.
pub(crate) fn says(told: &str, words: &str) -> bool {
    told.lines().any(|line| line.trim().starts_with(words))
}

pub(crate) fn died_again(told: &str) -> bool {
    says(told, "it died again") || says(told, "it does not run")
}

fn newest(bench: &Bench) -> String {
    bench.runs()[0]["run"].as_str().unwrap().to_owned()
}

/// Until a service answers on this port.
pub(crate) fn until_it_answers(port: u16) {
    let deadline = now() + LONG;
    let (_keep, pause) = channel::<()>();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(now() < deadline, "nobody listens");
        let _ = pause.recv_timeout(Duration::from_millis(20));
    }
}

/// It answers nothing any more, and does not end either.
pub(crate) fn hang(pid: &str) {
    let pid = pid.trim().parse().ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
}

const SUPERVISED: &str = "
[program:web]
command=/bin/sh -c 'if [ -e DIR/bad ]; then sleep 1.5; exit 3; fi; exec /usr/bin/python3 -m http.server --bind 127.0.0.1 PORT'
directory=DIR/www
startsecs=1
stopwaitsecs=1
";

/// The config of a service called web with this health check and these vars.
fn web(port: u16, vars: &str) -> String {
    format!("[service.web]\nhealth = 'http://127.0.0.1:{port}/'\nvars = {{ {vars} }}\n")
}

#[test]
fn under_supervisor_a_process_that_hangs_is_restarted_and_proved_and_one_that_dies_again_fails() {
    let Some(supervisord) = program("supervisord") else { return };
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    std::fs::create_dir(folder.path().join("www")).unwrap();
    let programs = SUPERVISED.replace("PORT", &port.to_string());
    let conf = supervisor_conf(folder.path(), "", &programs);
    let _server = Server::start(Command::new(supervisord).arg("-n").arg("-c").arg(&conf));
    until_it_answers(port);
    let conf = text(&conf);
    let bench = bench(&web(port, &format!("supervisor = 'web', supervisor_conf = '{conf}'")));
    let pid = Command::new("supervisorctl").args(["-c", &conf, "pid", "web"]).output().unwrap();
    hang(&String::from_utf8_lossy(&pid.stdout));
    let restart = ["restart-supervisor", "--service", "web"];
    let told = is_proved(&bench, run(&bench, &restart, "web", 1));
    assert!(told.contains("runs anew, up for 1"), "{told}");
    std::fs::write(folder.path().join("bad"), "").unwrap();
    let told = fails(&bench, run(&bench, &restart, "web", 1));
    assert!(says(&told, "web: started"), "the command itself went well: {told}");
    assert!(died_again(&told), "{told}");
}

const SERVED: &str =
    "if (require('fs').existsSync(__dirname + '/bad')) setTimeout(() => process.exit(1), 700);
require('http').createServer((_, answer) => answer.end('ok')).listen(PORT, '127.0.0.1')";

#[test]
fn under_pm2_a_process_that_hangs_is_restarted_and_proved_and_one_that_dies_again_fails() {
    let Some(pm2) = pm2() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (home, port) = (folder.path(), free_port());
    std::fs::write(home.join("serves.js"), SERVED.replace("PORT", &port.to_string())).unwrap();
    let daemon = Daemon { pm2: pm2.clone(), home: home.into() };
    daemon.run(&["start", "serves.js", "--name", "web"]);
    until_it_answers(port);
    let vars = format!("pm2 = 'web', pm2_home = '{}'", text(&home.join("pm2")));
    let programs = text(pm2.parent().unwrap());
    let bench = bench(&format!("[runbooks]\npath = '{programs}'\n{}", web(port, &vars)));
    hang(&std::fs::read_to_string(pid_file(&home.join("pm2/pids"))).unwrap());
    let restart = ["restart-pm2", "--service", "web"];
    let told = is_proved(&bench, run(&bench, &restart, "web", 1));
    assert!(told.contains("runs anew, up for 1"), "{told}");
    assert!(!told.contains("swordfish"), "{told}");
    std::fs::write(home.join("bad"), "").unwrap();
    let told = fails(&bench, run(&bench, &restart, "web", 1));
    assert!(told.contains("[PM2] [web](0) \u{2713}"), "the command itself went well: {told}");
    assert!(died_again(&told), "{told}");
}

fn pid_file(folder: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    files.next().unwrap()
}
