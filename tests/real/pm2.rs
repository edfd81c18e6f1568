//! The `pm2` check against a real pm2, which `tests/run` installs through npm.

use super::support::{reading, until};
use opsroom::domain::{Cause, Status};
use opsroom::sources::Source;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// As `tests/run` says; nothing where pm2 could not be installed.
pub(crate) fn pm2() -> Option<PathBuf> {
    let found = std::env::var_os("OPSROOM_PM2").map(PathBuf::from).filter(|path| path.is_file());
    if found.is_none() {
        println!("skipped: pm2 is not installed (tests/run does it)");
    }
    found
}

/// A pm2 of its own, whose daemon ends with this.
pub(crate) struct Daemon {
    pub(crate) pm2: PathBuf,
    pub(crate) home: PathBuf,
}

impl Daemon {
    pub(crate) fn run(&self, words: &[&str]) {
        let mut command = Command::new(&self.pm2);
        command.args(words).env("PM2_HOME", self.home.join("pm2")).env("HOME", &self.home);
        command.env("SECRET_TOKEN", "swordfish").current_dir(&self.home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }

    fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.home.join("pm2/pm2.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process(self.pid().unwrap(), signal);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.pid().is_some() {
            let _ = self.pid().map(|pid| kill_process(pid, Signal::CONT));
            self.run(&["kill"]);
        }
    }
}

async fn until_it_says(source: &dyn Source, part: &str, words: &str) {
    until(words, || async {
        let reading = reading(source).await;
        let mut parts = reading.components.iter().filter(|is| is.name == part);
        parts.any(|is| is.detail.starts_with(words))
    })
    .await;
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
async fn every_fault_has_its_word_and_the_daemon_is_never_started() {
    let Some(pm2) = pm2() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    write(home, "web.js", "setInterval(() => {}, 1000)");
    write(home, "bad.js", "process.exit(4)");
    let daemon = Daemon { pm2: pm2.clone(), home: home.into() };
    let table = |names: &str| {
        let (at, pm2) = (home.join("pm2"), pm2.display());
        format!("timeout = '20s'\npm2 = {names}\nhome = '{}'\nprogram = '{pm2}'", at.display())
    };
    // `check_source` has a limit of its own, too short for node on a busy machine.
    let source_of = |names: &str| {
        let sources = super::support::sources(&format!("[service.x.check.y]\n{}", table(names)));
        std::sync::Arc::clone(&sources.all[0])
    };
    let all = source_of("'*'");
    let answer = reading(&*all).await;
    assert_eq!((answer.status, answer.cause), (Status::Critical, Some(Cause::Refused)));
    assert_eq!(answer.summary, "the pm2 daemon does not run");
    assert!(!home.join("pm2").exists(), "asking has started something");

    daemon.run(&["start", "web.js", "--name", "web"]);
    until_it_says(&*all, "web", "online").await;
    let answer = reading(&*all).await;
    assert_eq!(answer.status, Status::Ok, "{answer:?}");
    assert!(!format!("{answer:?}").contains("swordfish"));
    daemon.run(&["start", "bad.js", "--name", "bad", "--max-restarts", "2"]);
    until_it_says(&*all, "bad", "errored, given up after exit code 4").await;
    daemon.run(&["stop", "web"]);
    until_it_says(&*all, "web", "stopped").await;
    let answer = reading(&*source_of("'nope'")).await;
    assert_eq!(answer.summary, "pm2 knows no such process");

    daemon.signal(Signal::KILL);
    until("the daemon is gone", || async {
        reading(&*all).await.summary == "the pm2 daemon does not run"
    })
    .await;
}
