//! One journal for all users of a host, with real users of its own: made here as
//! root, and taken away again.

use crate::bench::wait_for_half_a_second;
use crate::harness::Terminal;
use crate::support::{Server, free_port, program};
use crate::waiting::SOON;
use opsroom::domain::runs::{Decision, Entry, Record, RunId, RunRecord};
use opsroom::runbook::{Answer, Ask, AskKind, Hello, Order, RunRequest, Told};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Nothing here takes longer unless it hangs.
const LATE: Duration = Duration::from_mins(1);

/// A user of this host, as long as this is not dropped.
struct User {
    name: String,
    uid: u32,
}

impl User {
    fn new(name: String, group: Option<&str>) -> Self {
        let mut add = Command::new("useradd");
        add.args(["--no-create-home", "--shell", "/bin/sh", "--user-group"]);
        if let Some(group) = group {
            add.args(["--groups", group]);
        }
        assert!(add.arg(&name).status().unwrap().success());
        let id = Command::new("id").args(["-u", &name]).output().unwrap();
        let uid = String::from_utf8(id.stdout).unwrap().trim().parse().unwrap();
        Self { name, uid }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // A process of theirs that is about to end keeps no user.
        let mut delete = Command::new("userdel");
        let _ = delete.args(["--force", &self.name]).stderr(Stdio::null()).status();
    }
}

/// A group of this host, as long as this is not dropped.
struct Group(String);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("groupdel").arg(&self.0).stderr(Stdio::null()).status();
    }
}

/// Ends a process that a test has left.
struct Ends(u32);

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A host with a shared journal: `li` and `wang` share it, `eve` does not.
struct Host {
    li: User,
    wang: User,
    eve: User,
    group: Group,
    scratch: tempfile::TempDir,
}

const BOOK: &str = "---\ntitle: Swap\n---\n# Swap\n```sh {approve}\ntrue\n```\n";

impl Host {
    /// `None` where this test may not make users.
    fn new(mark: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root makes users");
            return None;
        }
        for name in ["useradd", "userdel", "groupadd", "groupdel", "setpriv"] {
            program(name)?;
        }
        let name = |who: &str| format!("ops{mark}{who}{}", std::process::id());
        let group = Group(name("g"));
        assert!(Command::new("groupadd").arg(&group.0).status().unwrap().success());
        let li = User::new(name("li"), Some(&group.0));
        let wang = User::new(name("wa"), Some(&group.0));
        let eve = User::new(name("ev"), None);
        let scratch = tempfile::tempdir().unwrap();
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        open(scratch.path(), 0o755);
        for (what, from) in [
            ("opsroom", PathBuf::from(env!("CARGO_BIN_EXE_opsroom"))),
            ("person", std::env::current_exe().unwrap()),
        ] {
            let to = scratch.path().join(what);
            // Where the builds are is no place for other users.
            if std::fs::hard_link(&from, &to).is_err() {
                std::fs::copy(&from, &to).unwrap();
            }
        }
        std::fs::create_dir(scratch.path().join("books")).unwrap();
        std::fs::write(scratch.path().join("books/swap.md"), BOOK).unwrap();
        open(&scratch.path().join("books"), 0o755);
        let host = Self { li, wang, eve, group, scratch };
        host.config("production", "60s");
        // Root makes the folders with whatever it does first.
        let (_, err, code) = host.root(&["audit", "verify"]);
        assert_eq!(code, 0, "{err}");
        Some(host)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn config(&self, environment: &str, approve_within: &str) {
        let (li, wang, group) = (&self.li.name, &self.wang.name, &self.group.0);
        let (books, lib, run) = (self.path("books"), self.path("lib"), self.path("run"));
        let text = format!(
            "environment = {environment:?}\n\
             [runbooks]\nfolders = [\"{}\"]\nbuilt_in = false\n\
             approve_within = {approve_within:?}\n\
             [journal]\nshared = true\nfolder = \"{}\"\nsockets = \"{}\"\ngroup = {group:?}\n\
             [role.oncall]\nusers = [{li:?}]\nmay = [\"run\", \"arm\", \"approve\"]\n\
             [role.second]\nusers = [{wang:?}]\nmay = [\"approve\"]\n",
            books.display(),
            lib.display(),
            run.display(),
        );
        let path = self.path("config.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// A program of the scratch folder as this user, who logged in as `login`.
    fn command(&self, user: &User, login: &User, name: &str) -> Command {
        let enter = r#"if ! echo "$1" 2>/dev/null >/proc/self/loginuid; then :; fi
            shift; exec "$@""#;
        let mut command = Command::new("sh");
        command.args(["-c", enter, "sh", &login.uid.to_string(), "setpriv", "--init-groups"]);
        command.args(["--reuid", &user.name, "--regid", &user.name, "--"]).arg(self.path(name));
        command.env("HOME", "/nonexistent").env("NO_COLOR", "1").current_dir("/");
        command.env_remove("XDG_RUNTIME_DIR").env_remove("XDG_STATE_HOME");
        command
    }

    fn opsroom(&self, user: &User, arguments: &[&str]) -> (String, String, i32) {
        let mut command = self.command(user, user, "opsroom");
        command.arg("--config").arg(self.path("config.toml")).args(arguments);
        ended(&mut command)
    }

    /// The program as this user, on a terminal.
    fn terminal(&self, user: &User, arguments: &[&str]) -> Terminal {
        let mut command = self.command(user, user, "opsroom");
        command.arg("--config").arg(self.path("config.toml")).args(arguments);
        let mut typed = CommandBuilder::new(command.get_program());
        typed.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => typed.env(name, value),
                None => typed.env_remove(name),
            }
        }
        typed.env("TERM", "xterm-256color");
        typed.cwd("/");
        Terminal::start(typed, 120, 100)
    }

    fn root(&self, arguments: &[&str]) -> (String, String, i32) {
        let mut command = Command::new(self.path("opsroom"));
        command.arg("--config").arg(self.path("config.toml")).args(arguments);
        ended(&mut command)
    }

    /// The process of a run that this user has asked for: its name and socket.
    fn conduct(&self, user: &User) -> (RunId, PathBuf) {
        let request = RunRequest { book: "swap".into(), ..RunRequest::default() };
        let mut command = self.command(user, user, "opsroom");
        command.arg("--config").arg(self.path("config.toml")).arg("conduct");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", serde_json::to_string(&request).unwrap()).unwrap();
        drop(stdin);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words.first(), words.len()), (Some(&"ready"), 3), "{line}");
        // It is reaped when it has ended.
        std::thread::spawn(move || child.wait());
        (words[1].into(), words[2].into())
    }
}

fn ended(command: &mut Command) -> (String, String, i32) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap_or(-1))
}

/// Somebody who follows a run, in a process of their own.
struct Person {
    child: Child,
    stdin: ChildStdin,
    told: Receiver<Told>,
    records: Vec<RunRecord>,
    process: Option<Ends>,
    /// The run is theirs, and ends with them.
    started: bool,
}

impl Person {
    fn new(host: &Host, user: &User, login: &User, run: &RunId, socket: &Path) -> Self {
        let mut command = host.command(user, login, "person");
        command.args(["--exact", "shared::a_person", "--ignored", "--nocapture"]);
        command.env("OPSROOM_TEST_SOCKET", socket);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let (tell, told) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            for told in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if tell.send(told).is_err() {
                    return;
                }
            }
        });
        let mut person =
            Self { child, stdin, told, records: Vec::new(), process: None, started: false };
        let hello = Hello { run: run.clone(), output_from: 0, listens: false };
        person.send(&serde_json::to_string(&hello).unwrap());
        person
    }

    fn send(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    fn order(&mut self, order: &Order) {
        self.send(&serde_json::to_string(order).unwrap());
    }

    fn answer(&mut self, ask: &Ask, answer: Answer) {
        self.order(&Order::Answer { ask: ask.number, answer });
    }

    /// What it is told, up to what is looked for.
    fn until<T>(&mut self, wanted: impl Fn(&Told) -> Option<T>) -> T {
        loop {
            let told = self.told.recv_timeout(LATE).unwrap();
            if let Told::Entry(Entry { record: Record::Run { what, .. }, .. }) = &told {
                if let RunRecord::Started { process, .. } = what
                    && self.started
                {
                    self.process = Some(Ends(process.pid));
                }
                self.records.push(what.clone());
            }
            if let Some(found) = wanted(&told) {
                return found;
            }
        }
    }

    fn asked(&mut self, kind: impl Fn(&AskKind) -> bool) -> Ask {
        self.until(|told| match told {
            Told::Doing(doing) => doing.ask.clone().filter(|ask| kind(&ask.kind)),
            _ => None,
        })
    }

    fn refused(&mut self) -> String {
        self.until(|told| match told {
            Told::Refused(why) => Some(why.clone()),
            _ => None,
        })
    }

    /// Starts the run, and confirms its step if that is asked before the approval.
    fn start(&mut self) -> Ask {
        let hash = self.until(|told| match told {
            Told::Planned(plan) => Some(plan.hash()),
            Told::Impossible(why) => panic!("{why:?}"),
            _ => None,
        });
        self.started = true;
        self.order(&Order::Start(hash));
        let ask = self.asked(|_| true);
        let AskKind::Confirm { typed: None, .. } = ask.kind else { return ask };
        self.answer(&ask, Answer::Go { typed: Some("y".into()) });
        self.asked(|kind| matches!(kind, AskKind::Approve { .. }))
    }

    /// A step of it was started.
    fn has_begun(&mut self) -> bool {
        while let Ok(told) = self.told.try_recv() {
            if let Told::Entry(Entry { record: Record::Run { what, .. }, .. }) = told {
                self.records.push(what);
            }
        }
        let began = |record: &RunRecord| matches!(record, RunRecord::StepStarted { .. });
        self.records.iter().any(began)
    }

    fn ended(&mut self) -> RunRecord {
        self.until(|told| match told {
            Told::Entry(Entry { record: Record::Run { what, .. }, .. }) => {
                matches!(what, RunRecord::Ended { .. }).then(|| what.clone())
            }
            _ => None,
        })
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a follower is: lines from standard input to the socket and back.
#[test]
#[ignore = "started by other tests, as another user"]
fn a_person() {
    let socket = std::env::var_os("OPSROOM_TEST_SOCKET").unwrap();
    let stream = UnixStream::connect(socket).unwrap();
    let mut to = stream.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut std::io::stdin(), &mut to));
    let mut out = std::io::stdout();
    for line in BufReader::new(stream).lines() {
        writeln!(out, "{}", line.unwrap()).unwrap();
    }
}

#[test]
fn two_users_share_a_journal_and_a_stranger_cannot_look() {
    let Some(host) = Host::new("j") else { return };
    let (out, err, code) = host.opsroom(&host.li, &["arm", "15m", "--reason", "api 5xx"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("on this host"), "{out}");
    let (_, err, code) = host.opsroom(&host.wang, &["arm", "15m", "--reason", "me too"]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("{} may not arm (role second)", host.wang.name)), "{err}");
    // Each sees what the other did.
    for user in [&host.li, &host.wang] {
        let (out, err, code) = host.opsroom(user, &["audit", "show"]);
        assert_eq!(code, 0, "{err}");
        assert!(out.contains(&format!("{}  armed production until", host.li.name)), "{out}");
        let refused = format!("{}  was refused: arm production for 15m", host.wang.name);
        assert!(out.contains(&refused), "{out}");
        let (out, err, code) = host.opsroom(user, &["audit", "verify"]);
        assert_eq!(code, 0, "{out}{err}");
    }
    let (out, err, code) = host.opsroom(&host.eve, &["audit", "show"]);
    assert_eq!((out.as_str(), code), ("", 1), "{err}");
    let (_, err, code) = host.opsroom(&host.eve, &["arm", "15m", "--reason", "mine"]);
    assert!(code == 1 && err.contains("this user may not use it"), "{err}");
    for file in ["journal.sqlite", "heads", "reserve"] {
        let mode = std::fs::metadata(host.path("lib").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{file}");
    }
    // A config that another can write shares nothing.
    let config = std::fs::Permissions::from_mode(0o646);
    std::fs::set_permissions(host.path("config.toml"), config).unwrap();
    assert_ne!(host.opsroom(&host.li, &["audit", "show"]).2, 0);
    std::os::unix::fs::chown(host.path("config.toml"), Some(host.li.uid), None).unwrap();
    let config = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(host.path("config.toml"), config).unwrap();
    let (_, err, code) = host.opsroom(&host.li, &["audit", "show"]);
    assert!(code == 1 && err.contains("root alone can write"), "{err}");
}

#[test]
fn a_second_person_approves_from_their_own_login_and_nobody_else() {
    let Some(host) = Host::new("a") else { return };
    host.config("staging", "60s");
    let (run, socket) = host.conduct(&host.li);
    let mut li = Person::new(&host, &host.li, &host.li, &run, &socket);
    let ask = li.start();
    li.answer(&ask, Answer::Approve(true));
    assert_eq!(li.refused(), "a second person approves, from a login of their own");
    let knows_logins = {
        let mut command = host.command(&host.wang, &host.li, "opsroom");
        let text = ended(command.arg("--version")).0;
        let own = std::fs::read_to_string("/proc/self/loginuid");
        own.is_ok() && !text.is_empty()
    };
    if knows_logins {
        // As `sudo -u wang` would have it: another user, the same login.
        let mut sudo = Person::new(&host, &host.wang, &host.li, &run, &socket);
        let ask = sudo.asked(|kind| matches!(kind, AskKind::Approve { .. }));
        sudo.answer(&ask, Answer::Approve(true));
        let why = "the same login started the run: a second person approves";
        assert_eq!(sudo.refused(), why);
    } else {
        println!("skipped in part: this kernel knows no logins");
    }
    let mut eve = host.command(&host.eve, &host.eve, "person");
    eve.args(["--exact", "shared::a_person", "--ignored"]).env("OPSROOM_TEST_SOCKET", &socket);
    assert_ne!(ended(&mut eve).2, 0, "a stranger has followed the run");
    let mut wang = Person::new(&host, &host.wang, &host.wang, &run, &socket);
    let ask = wang.asked(|kind| matches!(kind, AskKind::Approve { .. }));
    wang.answer(&ask, Answer::Approve(true));
    li.ended();
    let approved = li.records.iter().find_map(|record| match record {
        RunRecord::Approved { who, yes, .. } => Some((who.as_ref().map(|who| who.uid), *yes)),
        _ => None,
    });
    assert_eq!(approved, Some((Some(host.wang.uid), true)), "{:?}", li.records);
    let (out, _, _) = host.root(&["audit", "show"]);
    assert_eq!(out.matches("was refused: ").count(), 1 + usize::from(knows_logins), "{out}");
    assert_eq!(host.root(&["audit", "verify"]).2, 0);
}

#[test]
fn a_second_person_types_the_name_of_the_run_to_approve_it() {
    let Some(host) = Host::new("t") else { return };
    host.config("staging", "5m");
    let (run, socket) = host.conduct(&host.li);
    let (out, _, code) = host.opsroom(&host.wang, &["approve"]);
    assert_eq!((out.as_str(), code), ("nothing waits for approval\n", 0));
    let mut li = Person::new(&host, &host.li, &host.li, &run, &socket);
    li.start();
    let (out, err, code) = host.opsroom(&host.wang, &["approve"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(run.as_str()) && out.contains(&host.li.name), "{out}");
    // Nobody is at this terminal, and a stranger does not even see that there is one.
    assert_eq!(host.opsroom(&host.wang, &["approve", run.as_str()]).2, 14);
    assert_ne!(host.opsroom(&host.eve, &["approve", run.as_str()]).2, 0);
    let (_, err, code) = host.opsroom(&host.li, &["approve", run.as_str(), "--no"]);
    assert_eq!(code, 12, "{err}");
    assert!(err.contains("a second person approves"), "{err}");
    let mut terminal = host.terminal(&host.wang, &["approve", run.as_str()]);
    terminal.see_text(&format!("type {run} to approve it"));
    assert!(terminal.text().contains("   | true"), "{}", terminal.text());
    for (times, wrong) in [(1, "y"), (2, "approve")] {
        wait_for_half_a_second();
        terminal.press(&format!("{wrong}\r"));
        terminal
            .see("it is not taken", |text| text.matches("nothing was approved").count() == times);
    }
    assert!(!li.has_begun());
    wait_for_half_a_second();
    terminal.press(&format!("{run}\r"));
    assert_eq!(terminal.end(SOON).exit_code(), 0, "{}", terminal.text());
    li.ended();
    assert!(li.has_begun());
    let approved = |record: &RunRecord| matches!(record, RunRecord::Approved { who: Some(who), yes: true, .. } if who.uid == host.wang.uid);
    assert!(li.records.iter().any(approved), "{:?}", li.records);
    let (_, err, code) = host.opsroom(&host.wang, &["approve", run.as_str()]);
    assert_eq!(code, 12);
    assert!(err.contains("has ended"), "{err}");
}

#[test]
fn silence_is_a_no() {
    let Some(host) = Host::new("s") else { return };
    host.config("staging", "1s");
    let (run, socket) = host.conduct(&host.li);
    let mut li = Person::new(&host, &host.li, &host.li, &run, &socket);
    li.start();
    let ask = li.asked(|kind| matches!(kind, AskKind::Failed { .. }));
    let silence =
        |record: &RunRecord| matches!(record, RunRecord::Approved { who: None, yes: false, .. });
    assert!(li.records.iter().any(silence), "{:?}", li.records);
    let began = |record: &RunRecord| matches!(record, RunRecord::StepStarted { .. });
    assert!(!li.records.iter().any(began), "{:?}", li.records);
    let (decision, reason) = (Decision::Abandon, "nobody is there".into());
    li.answer(&ask, Answer::Decide { decision, reason });
    li.ended();
}

#[test]
fn what_one_users_watch_saw_is_there_for_the_others_of_the_group() {
    let Some(host) = Host::new("w") else { return };
    let config = host.path("config.toml");
    let port = free_port();
    let watched = format!("[service.gone]\ntcp = \"127.0.0.1:{port}\"\n");
    let text = std::fs::read_to_string(&config).unwrap() + &watched;
    std::fs::write(&config, text).unwrap();
    let mut watch = host.command(&host.li, &host.li, "opsroom");
    let _watch = Server::start(watch.arg("--config").arg(&config).arg("watch"));
    let cached = |user| host.opsroom(user, &["glance", "--cached"]);
    for turn in 0.. {
        if cached(&host.wang).2 == 2 {
            break;
        }
        assert!(turn < 100, "{:?}", cached(&host.wang));
        wait_for_half_a_second();
    }
    assert!(cached(&host.wang).0.starts_with("critical: gone"), "{:?}", cached(&host.wang));
    // Nothing of it is for those outside.
    assert_eq!(cached(&host.eve).2, 3);
    // Another of the group cannot take it over as long as it is kept.
    let (_, err, code) = host.opsroom(&host.wang, &["watch"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("is watched already: watch, process"), "{err}");
}
