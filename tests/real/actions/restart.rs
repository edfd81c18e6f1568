//! `restart-pm2` and `restart-supervisor` against the real ones: a process that
//! dies again at once is a failure, whatever the command said.

use super::super::pm2::{Daemon, pm2};
use super::super::support::{Server, program, supervisor_conf};
use super::{Hand, Went, text};
use std::process::Command;

/// Runs well until a file called `bad` lies beside it.
const TURNS: &str =
    "if (require('fs').existsSync(__dirname + '/bad')) setTimeout(() => process.exit(1), 700);
setInterval(() => {}, 1000)";

#[test]
fn pm2_restarts_a_process_and_one_that_dies_again_is_a_failure() {
    let Some(pm2) = pm2() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    std::fs::write(home.join("turns.js"), TURNS).unwrap();
    let daemon = Daemon { pm2: pm2.clone(), home: home.into() };
    let place = text(&home.join("pm2"));
    let hand = |name: &str| {
        Hand::new("restart-pm2", &[("pm2", name), ("pm2_home", &place)])
            .home(home)
            .path(pm2.parent().unwrap())
    };
    hand("web").run().fails("look", "no pm2 daemon runs");
    assert!(!home.join("pm2").exists(), "asking has started something");
    daemon.run(&["start", "turns.js", "--name", "web"]);
    hand("nope").run().fails("look", "pm2 knows no process called nope");
    let went = hand("web").run();
    went.well();
    assert!(went.said["alive"].contains("runs anew, up for 1"), "{went:#?}");
    assert!(!format!("{went:?}").contains("swordfish"));
    std::fs::write(home.join("bad"), "").unwrap();
    let went = hand("web").run();
    went.fails("alive", "");
    assert!(went.said.contains_key("restart"), "the command itself went well: {went:#?}");
}

const SUPERVISED: &str = "
[program:web]
command=/bin/sh -c 'if [ -e DIR/bad ]; then sleep 1.5; exit 3; fi; exec sleep 1000'
startsecs=1
[program:off]
command=/bin/sleep 1000
startsecs=0
autostart=false
";

#[test]
fn supervisor_restarts_a_process_and_one_that_dies_again_is_a_failure() {
    let Some(supervisord) = program("supervisord") else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = supervisor_conf(folder.path(), "", SUPERVISED);
    let conf = text(&config);
    let hand = |name: &str| {
        Hand::new("restart-supervisor", &[("supervisor", name), ("supervisor_conf", &conf)])
    };
    hand("web").run().fails("look", "no such file");
    let _server = Server::start(Command::new(supervisord).arg("-n").arg("-c").arg(&config));
    let mut left = 200;
    while hand("web").run_step("look", &Went::default()).failed.is_some() {
        left -= 1;
        assert!(left > 0, "supervisord does not come up");
    }
    hand("nope").run().fails("look", "no such process");
    // One that was off is another process afterwards, too.
    let went = hand("off").run();
    went.well();
    let went = hand("web").run();
    went.well();
    assert!(went.said["alive"].contains("runs anew, up for 1"), "{went:#?}");
    std::fs::write(folder.path().join("bad"), "").unwrap();
    let went = hand("web").run();
    went.fails("alive", "");
    assert!(went.said["restart"].contains("started"), "the command itself went well: {went:#?}");
}
