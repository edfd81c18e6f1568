//! The four emergencies that ship, and the restart of a systemd unit, as a person
//! runs them against real process managers and a real database.

use super::super::bench::Bench;
use super::super::pm2::{Daemon, pm2};
use super::super::support::{Server, free_port, program, supervisor_conf};
use super::super::systemd::Manager;
use super::postgres::Shop;
use super::text;
use super::whole::{self, GIVE_UP, START, hang, is_proved, says, talk, until_it_answers};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHANGE: (&str, &str) = ("type web to run it", "web");
const DONE: (&str, &str) = ("type done", "done");

/// A service called web: `shop.py`, whatever looks after it, and its folder.
struct Web {
    folder: tempfile::TempDir,
    port: u16,
}

impl Web {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), port: free_port() }
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    /// What is run, as words of a line.
    fn line(&self) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/actions/shop.py");
        format!("/usr/bin/python3 {} {} {}", text(&script), self.port, text(self.at()))
    }

    /// It is broken from now on.
    fn breaks(&self, how: &str) {
        std::fs::write(self.at().join(how), "").unwrap();
    }

    fn config(&self, vars: &str) -> String {
        format!("[service.web]\nhealth = 'http://127.0.0.1:{}/'\nvars = {{ {vars} }}\n", self.port)
    }
}

/// A supervisord with that service.
struct Supervised {
    web: Web,
    conf: String,
    _server: Server,
}

impl Supervised {
    fn start() -> Option<Self> {
        let supervisord = program("supervisord")?;
        let web = Web::new();
        let programs =
            format!("[program:web]\ncommand={}\nstartsecs=1\nstopwaitsecs=1\n", web.line());
        let conf = supervisor_conf(web.at(), "", &programs);
        let server = Server::start(Command::new(supervisord).arg("-n").arg("-c").arg(&conf));
        until_it_answers(web.port);
        Some(Self { web, conf: text(&conf), _server: server })
    }

    fn vars(&self) -> String {
        format!("supervisor = 'web', supervisor_conf = '{}'", self.conf)
    }

    fn hang(&self) {
        let ctl = Command::new("supervisorctl").args(["-c", &self.conf, "pid", "web"]).output();
        hang(&String::from_utf8_lossy(&ctl.unwrap().stdout));
    }
}

fn run(bench: &Bench, book: &str, answers: &[(&str, &str)]) -> super::super::harness::Terminal {
    talk(bench, &[book, "--service", "web"], &[&[START], answers].concat())
}

#[test]
fn a_server_that_is_down_is_restarted_to_a_proof_and_one_that_dies_again_fails() {
    let Some(supervised) = Supervised::start() else { return };
    let web = &supervised.web;
    let bench = whole::bench(&web.config(&supervised.vars()));
    // It is well: there is nothing to do.
    let told = whole::ends(&bench, run(&bench, "server-down", &[GIVE_UP]), 10);
    assert!(!says(&told, "web: started"), "{told}");
    supervised.hang();
    let told = is_proved(&bench, run(&bench, "server-down", &[CHANGE]));
    assert!(says(&told, "web: started") && told.contains("runs anew, up for 1"), "{told}");
    // It hangs, and dies again at once when it is restarted.
    supervised.hang();
    web.breaks("bad");
    let told = whole::ends(&bench, run(&bench, "server-down", &[CHANGE, GIVE_UP]), 10);
    assert!(whole::died_again(&told), "{told}");
}

#[test]
fn a_server_that_stays_ill_after_its_restart_is_not_proved() {
    let Some(supervised) = Supervised::start() else { return };
    let web = &supervised.web;
    let bench = whole::bench(&web.config(&supervised.vars()));
    web.breaks("ill");
    let cancel = [
        CHANGE,
        (", service web is ok", "K"),
        ("type cancel to end it", "cancel"),
        ("what now?", "s it is another thing"),
    ];
    let told = whole::ends(&bench, run(&bench, "server-down", &cancel), 11);
    assert!(told.contains("runs anew, up for 1"), "{told}");
}

#[test]
fn slowness_is_ended_by_a_restart_and_proved_over_a_whole_window() {
    let Some(supervised) = Supervised::start() else { return };
    let web = &supervised.web;
    let bench = whole::bench(&format!(
        "{}job = 'web'\nwindow = '5s'\nevery = '1s'\n[scrape.web]\ntargets = ['127.0.0.1:{}']\n\
         every = '1s'\ntimeout = '1s'\n",
        web.config(&supervised.vars()),
        web.port
    ));
    // It is quick: the first check says so.
    let told = whole::ends(&bench, run(&bench, "slowness", &[GIVE_UP]), 10);
    assert!(!says(&told, "web: started"), "{told}");
    web.breaks("slow");
    let told = is_proved(&bench, run(&bench, "slowness", &[CHANGE]));
    assert!(told.contains("runs anew, up for 1"), "{told}");
    assert!(!web.at().join("slow").exists());
    web.breaks("slow");
    web.breaks("bad");
    let told = whole::ends(&bench, run(&bench, "slowness", &[CHANGE, GIVE_UP]), 10);
    assert!(whole::died_again(&told), "{told}");
}

#[test]
fn payments_that_fail_are_restarted_to_a_proof_and_a_provider_that_is_down_is_left_alone() {
    let Some(pm2) = pm2() else { return };
    let web = Web::new();
    let daemon = Daemon { pm2: pm2.clone(), home: web.at().into() };
    let line = web.line();
    let words: Vec<&str> = line.split(' ').collect();
    daemon.run(
        &[&["start", words[1], "--name", "web", "--interpreter", words[0], "--"], &words[2..]]
            .concat(),
    );
    until_it_answers(web.port);
    let vars = format!("pm2 = 'web', pm2_home = '{}'", text(&web.at().join("pm2")));
    let programs = text(pm2.parent().unwrap());
    let bench = whole::bench(&format!("[runbooks]\npath = '{programs}'\n{}", web.config(&vars)));
    let mut pids = std::fs::read_dir(web.at().join("pm2/pids")).unwrap();
    hang(&std::fs::read_to_string(pids.next().unwrap().unwrap().path()).unwrap());
    let away = ("type done", "abandon the provider is down");
    let told = whole::ends(&bench, run(&bench, "payment-failures", &[away]), 10);
    assert!(!told.contains("[PM2]"), "nothing was restarted: {told}");
    let told = is_proved(&bench, run(&bench, "payment-failures", &[DONE, CHANGE, DONE]));
    assert!(told.contains("runs anew, up for 1"), "{told}");
    web.breaks("ill");
    web.breaks("bad");
    let died = [DONE, CHANGE, GIVE_UP];
    let told = whole::ends(&bench, run(&bench, "payment-failures", &died), 10);
    assert!(whole::died_again(&told), "{told}");
}

#[tokio::test]
async fn whoever_blocks_a_database_is_ended_and_it_is_proved_when_nobody_blocks_any_more() {
    let Some(shop) = Shop::new().await else { return };
    let server = &shop.server;
    let host = text(&server.data);
    let bench = whole::bench(&format!(
        "[service.db]\nvars = {{ pg_host = '{host}', pg_port = '{port}' }}\n\
         [service.db.check.pg]\npostgres = '{host}/.s.PGSQL.{port}'\nuser = 'postgres'\n\
         [service.db.check.pg.blocked]\nwarning = '1s'\n",
        port = server.port
    ));
    server.sql("create table tills (id int)");
    let holds = "begin; lock table tills in access exclusive mode; select pg_sleep(600)";
    let _first = server.session(holds);
    server.sessions(1, "query like '%pg_sleep%' and wait_event = 'PgSleep'").await;
    // It gets the lock when the first one has gone.
    let _second = server.session(holds);
    server.sessions(1, "cardinality(pg_blocking_pids(pid)) = 1").await;
    let _waits = server.session("select count(*) from tills");
    server.sessions(1, "cardinality(pg_blocking_pids(pid)) = 2").await;
    let run = |answers: &[(&str, &str)]| {
        let pid = server.sql("select pid from pg_stat_activity where wait_event = 'PgSleep'");
        let session = format!("SESSION={pid}");
        let arguments = ["database-trouble", "--service", "db", "--set", &session];
        talk(&bench, &arguments, &[&[START], answers].concat())
    };
    let change = ("type db to run it", "db");
    let cancel = [
        change,
        (", service db is ok", "K"),
        ("type cancel to end it", "cancel"),
        ("what now?", "s the next one blocks"),
    ];
    let told = whole::ends(&bench, run(&cancel), 11);
    assert!(says(&told, "cancelled: true") && says(&told, "nobody waits for session"), "{told}");
    let told = is_proved(&bench, run(&[change]));
    assert!(says(&told, "nobody waits for session"), "{told}");
    // The number of one that has gone is nobody's.
    let gone = ["database-trouble", "--service", "db", "--set", "SESSION=999999"];
    let told = whole::ends(&bench, talk(&bench, &gone, &[START, GIVE_UP]), 10);
    assert!(says(&told, "there is no such session any more"), "{told}");
}

#[tokio::test]
async fn a_systemd_unit_is_restarted_to_a_proof_and_one_that_dies_again_fails() {
    let web = Web::new();
    let unit = format!("ExecStart={}\nRestart=always\nRestartSec=300ms", web.line());
    let Some(manager) = Manager::start(web.at(), &[("web", &unit)]).await else { return };
    manager.control(&["start", "web"]);
    until_it_answers(web.port);
    // The manager is a user's own in another namespace: these stand for the
    // programs of the same names, which speak with the host's.
    let tools = web.at().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let via = manager.via().join(" ");
    tool(&tools, "systemctl", &format!("exec {via} /usr/bin/systemctl --user --no-pager \"$@\""));
    tool(&tools, "sudo", "[ \"$1\" = -n ] && shift; exec \"$@\"");
    let config = web.config("unit = 'web.service'");
    let bench = whole::bench(&format!("[runbooks]\npath = '{}'\n{config}", text(&tools)));
    let told = is_proved(&bench, run(&bench, "restart-systemd", &[CHANGE]));
    assert!(says(&told, "it runs anew since "), "{told}");
    web.breaks("bad");
    let told = whole::ends(&bench, run(&bench, "restart-systemd", &[CHANGE, GIVE_UP]), 10);
    // Which of them it is turns on when systemd gives up.
    let died = ["it died again", "it is activating", "it is failed"];
    assert!(died.iter().any(|words| says(&told, words)), "{told}");
    // Where there is no systemd to speak with, that is what it says.
    if !Path::new("/run/systemd/system").exists() {
        let bench = whole::bench(&web.config("unit = 'web.service'"));
        let give_up = ("type again to look again", "abandon it is not here");
        let told = whole::ends(&bench, run(&bench, "restart-systemd", &[give_up]), 10);
        assert!(told.contains("Failed to connect to bus"), "{told}");
    }
}

fn tool(folder: &Path, name: &str, line: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}
