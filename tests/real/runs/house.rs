//! A house with a config, runbooks and a journal of its own, runs in it, and
//! followers who drive them.

use opsroom::domain::runs::{Arming, Decision, Entry, Plan, Record, RunId, WriterKind};
use opsroom::journal::{Journal, Place, Reader};
use opsroom::runbook::{Answer, Ask, AskKind, Doing, Hello, Order, Run, RunRequest, Told};
use opsroom::runtime::clock;
use opsroom::runtime::runs::process;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Nothing here takes longer.
const LONGEST: Duration = Duration::from_mins(1);

/// A scratch folder with a config, runbooks and state.
pub(crate) struct House {
    scratch: tempfile::TempDir,
    state: PathBuf,
    /// What the process of a run gets into its environment, beside the rest.
    env: Vec<(&'static str, PathBuf)>,
}

impl House {
    pub(crate) fn new(config: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let state = scratch.path().join("state");
        let house = Self { scratch, state, env: Vec::new() };
        let books = house.scratch().join("runbooks");
        std::fs::create_dir(&books).unwrap();
        std::fs::set_permissions(&books, PermissionsExt::from_mode(0o700)).unwrap();
        house.write("config.toml", config);
        house
    }

    /// Its state lies there instead.
    pub(crate) fn with_state(mut self, state: &Path) -> Self {
        self.state = state.to_path_buf();
        self
    }

    /// The processes of its runs have this in their environment.
    pub(crate) fn with_env(mut self, env: Vec<(&'static str, PathBuf)>) -> Self {
        self.env = env;
        self
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.scratch().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// A runbook; `$FILE` in it is the log.
    pub(crate) fn book(&self, name: &str, text: &str) {
        let text = text.replace("$FILE", &self.log_path().display().to_string());
        self.write(&format!("runbooks/{name}.md"), &text);
    }

    fn log_path(&self) -> PathBuf {
        self.scratch().join("log")
    }

    /// What the commands of its runbooks have logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn clear_log(&self) {
        let _ = std::fs::remove_file(self.log_path());
    }

    pub(crate) async fn until_logged(&self, text: &str) {
        crate::support::until("the log", || async { self.log().contains(text) }).await;
    }

    /// Ten steps, each of which logs its number when it begins and ends, and
    /// that another copy of one runs, if so.
    pub(crate) fn ten_steps(&self) {
        let mut text = "# Ten steps\n".to_owned();
        for step in 1..=10 {
            let marks = if step % 4 == 1 { "{reads}" } else { "{timeout=1m}" };
            let pause = f64::from(step % 3 + 1) / 50.0;
            let _ = write!(
                text,
                "## Step {step}\n```bash {marks}\nexec 9> \"$FILE.lock\"\n\
                 flock -n 9 || echo \"{step} clash\" >> \"$FILE\"\n\
                 echo \"{step} begin\" >> \"$FILE\"\nsleep {pause} 9>&-\n\
                 echo \"{step} end\" >> \"$FILE\"\necho \"step {step} says hello\"\n```\n"
            );
        }
        self.book("ten", &text);
    }

    pub(crate) fn ten() -> RunRequest {
        Self::request("ten")
    }

    pub(crate) fn request(book: &str) -> RunRequest {
        RunRequest { book: book.into(), ..RunRequest::default() }
    }

    /// The numbers of the steps that began, in order.
    pub(crate) fn steps_begun(&self) -> Vec<u32> {
        let log = self.log();
        let begun = log.lines().filter_map(|line| line.strip_suffix(" begin"));
        begun.map(|number| number.parse().unwrap()).collect()
    }

    pub(crate) fn place(&self) -> Place {
        Place::own(&self.state.join("opsroom"))
    }

    pub(crate) async fn entries(&self, run: &RunId) -> Vec<Entry> {
        Reader::new(self.place()).of_run(run, 0).await.unwrap()
    }

    /// What is wrong with the journal.
    pub(crate) async fn verify(&self) -> Vec<String> {
        Reader::new(self.place()).verify(&[]).await.unwrap().wrong
    }

    async fn journal(&self) -> Journal {
        let (who, own) = (process::who(), process::own().unwrap());
        let at = clock::moment().unwrap().at;
        Journal::open(self.place(), WriterKind::Command, who, own, at).await.unwrap()
    }

    /// Arms production for a minute.
    pub(crate) async fn arm(&self) {
        self.arm_for(Duration::from_mins(1)).await;
    }

    /// Arms production; gives when that ends, as time since the boot.
    pub(crate) async fn arm_for(&self, time: Duration) -> Duration {
        let now = clock::moment().unwrap();
        let end = now.since_boot + time;
        let arming = Arming {
            who: process::who(),
            environment: "production".into(),
            reason: "a test".into(),
            at: now.at,
            until: now.at + time,
            boot: (now.boot.to_string(), u64::try_from(end.as_millis()).unwrap()),
        };
        self.journal().await.append(now.at, Record::Armed(arming)).await.unwrap();
        end
    }

    pub(crate) async fn disarm(&self) {
        let disarmed = Record::Disarmed {
            who: process::who(),
            environment: "production".into(),
            why: "a test".into(),
        };
        let at = clock::moment().unwrap().at;
        self.journal().await.append(at, disarmed).await.unwrap();
    }

    /// No file of the state holds this text.
    pub(crate) fn nowhere(&self, text: &str) {
        let mut folders = vec![self.state.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    let found = bytes.windows(text.len()).any(|it| it == text.as_bytes());
                    assert!(!found, "{} holds it", path.display());
                }
            }
        }
    }

    /// What the program prints with these arguments, and its exit code.
    pub(crate) fn program(&self, arguments: &[&str]) -> (String, i32) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_opsroom"));
        command.arg("--config").arg(self.scratch().join("config.toml")).args(arguments);
        command.env("XDG_STATE_HOME", &self.state).env("HOME", self.scratch());
        let out = command.stdin(Stdio::null()).output().unwrap();
        let text = [out.stdout, out.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), out.status.code().unwrap())
    }

    /// Starts the process of a run, or says why there is none.
    pub(crate) async fn conduct(&self, request: &RunRequest) -> Result<Conducted, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_opsroom"))
            .arg("--config")
            .arg(self.scratch().join("config.toml"))
            .arg("conduct")
            .env("XDG_STATE_HOME", &self.state)
            .env("HOME", self.scratch())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = serde_json::to_vec(request).unwrap();
        line.push(b'\n');
        child.stdin.take().unwrap().write_all(&line).await.unwrap();
        let mut said = String::new();
        let mut out = child.stdout.take().unwrap();
        timeout(LONGEST, out.read_to_string(&mut said)).await.unwrap().unwrap();
        if let Some(why) = said.strip_prefix("no ") {
            return Err(why.trim_end().to_owned());
        }
        let (run, socket) =
            said.trim_end().strip_prefix("ready ").and_then(|it| it.split_once(' ')).unwrap();
        Ok(Conducted { child, run: run.into(), socket: socket.into() })
    }

    pub(crate) async fn take_up(&self, run: &str) -> Result<Conducted, String> {
        self.conduct(&RunRequest { take_up: Some(run.into()), ..RunRequest::default() }).await
    }

    pub(crate) async fn follow(&self, run: &Conducted) -> Follower {
        Follower::connect(run, false).await.unwrap()
    }

    pub(crate) async fn listen(&self, run: &Conducted) -> Follower {
        Follower::connect(run, true).await.unwrap()
    }
}

/// The process of a run.
#[derive(Debug)]
pub(crate) struct Conducted {
    child: Child,
    pub(crate) run: RunId,
    socket: PathBuf,
}

impl Conducted {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let _ = kill_process(pid.unwrap(), signal);
    }

    /// The most memory that it has had.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// It ends by itself.
    pub(crate) async fn ends(mut self) {
        timeout(LONGEST, self.child.wait()).await.unwrap().unwrap();
    }
}

/// What a follower was told.
#[derive(Debug)]
pub(crate) enum Said {
    /// It is asked something new.
    Asked(Ask),
    /// The run has ended.
    Over,
    /// The line was cut.
    Cut,
}

pub(crate) struct Follower {
    reading: BufReader<OwnedReadHalf>,
    writing: OwnedWriteHalf,
    line: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) run: Option<Run>,
    pub(crate) output: String,
    pub(crate) doing: Doing,
    plan: Option<Plan>,
    refused: VecDeque<String>,
    impossible: Option<Vec<String>>,
    asked: u64,
}

impl Follower {
    pub(crate) async fn connect(run: &Conducted, listens: bool) -> std::io::Result<Self> {
        let (reading, writing) = UnixStream::connect(&run.socket).await?.into_split();
        let mut follower = Self {
            reading: BufReader::new(reading),
            writing,
            line: Vec::new(),
            entries: Vec::new(),
            run: None,
            output: String::new(),
            doing: Doing::default(),
            plan: None,
            refused: VecDeque::new(),
            impossible: None,
            asked: 0,
        };
        let hello = Hello { run: run.run.clone(), output_from: 0, listens };
        follower.write(&hello).await;
        Ok(follower)
    }

    async fn write(&mut self, value: &impl serde::Serialize) {
        let mut line = serde_json::to_vec(value).unwrap();
        line.push(b'\n');
        // Whoever is killed does not listen.
        let _ = self.writing.write_all(&line).await;
    }

    pub(crate) async fn order(&mut self, order: Order) {
        self.write(&order).await;
    }

    pub(crate) async fn answer(&mut self, ask: u64, answer: Answer) {
        self.order(Order::Answer { ask, answer }).await;
    }

    pub(crate) async fn decide(&mut self, ask: u64, decision: Decision) {
        self.answer(ask, Answer::Decide { decision, reason: "a test".into() }).await;
    }

    /// Takes in one line; false where the line is cut. Can be dropped at any moment.
    pub(crate) async fn hear(&mut self) -> bool {
        let read = timeout(LONGEST, self.reading.read_until(b'\n', &mut self.line)).await;
        match read.unwrap() {
            Ok(1..) if self.line.ends_with(b"\n") => {}
            _ => return false,
        }
        let line = std::mem::take(&mut self.line);
        match serde_json::from_slice::<Told>(&line).unwrap() {
            Told::Entry(entry) => {
                match &mut self.run {
                    Some(run) => run.take(&entry),
                    None => self.run = Run::begun_by(&entry),
                }
                self.entries.push(entry);
            }
            Told::Output { from, text, .. } => {
                assert_eq!(from, self.output.len() as u64, "output was lost or told twice");
                self.output.push_str(&text);
            }
            Told::Doing(doing) => self.doing = doing,
            Told::Refused(why) => self.refused.push_back(why),
            Told::Planned(plan) => self.plan = Some(*plan),
            Told::Impossible(why) => self.impossible = Some(why),
            Told::Parameters(_) | Told::Outlined(_) => {}
        }
        true
    }

    pub(crate) async fn planned(&mut self) -> Plan {
        while self.plan.is_none() {
            assert!(self.hear().await, "{:?}", self.impossible);
        }
        self.plan.clone().unwrap()
    }

    pub(crate) async fn until_impossible(&mut self) -> Vec<String> {
        while self.impossible.is_none() {
            assert!(self.hear().await);
        }
        self.impossible.clone().unwrap()
    }

    pub(crate) async fn until_refused(&mut self) -> String {
        loop {
            if let Some(why) = self.refused.pop_front() {
                return why;
            }
            assert!(self.hear().await, "the line was cut");
        }
    }

    /// Until something is asked that was not asked before, or it is over.
    pub(crate) async fn until_asked(&mut self) -> Said {
        loop {
            if let Some(ask) = self.doing.ask.clone().filter(|ask| ask.number > self.asked) {
                self.asked = ask.number;
                return Said::Asked(ask);
            }
            if self.run.as_ref().is_some_and(|run| run.ended.is_some()) {
                return Said::Over;
            }
            if !self.hear().await {
                return Said::Cut;
            }
        }
    }

    /// As it is when something is asked.
    pub(crate) async fn until_ask(mut self) -> Self {
        assert!(matches!(self.until_asked().await, Said::Asked(_)));
        self
    }

    /// The size of the terminal of the step that runs, once it has one.
    pub(crate) async fn until_terminal(&mut self) -> (u16, u16) {
        loop {
            if let Some(size) = self.doing.terminal {
                return size;
            }
            assert!(self.hear().await, "the line was cut");
        }
    }

    pub(crate) async fn until_over(&mut self) {
        while self.hear().await {}
        assert!(self.run.as_ref().is_some_and(|run| run.ended.is_some()), "{:?}", self.doing);
    }

    /// The next question is whether a step may run: it may.
    pub(crate) async fn confirm(&mut self) {
        let Said::Asked(ask) = self.until_asked().await else { panic!("nothing is asked") };
        let AskKind::Confirm { typed, .. } = ask.kind else { panic!("{ask:?}") };
        self.answer(ask.number, Answer::Go { typed }).await;
    }

    pub(crate) async fn give_up(&mut self) {
        let number = self.doing.ask.as_ref().unwrap().number;
        self.decide(number, Decision::Abandon).await;
        self.until_over().await;
    }
}
