//! The processes of a practice: started, ordered, ended, started anew with
//! another release.

use super::log::Log;
use super::practice::PracticeError;
use super::releases;
use super::shop::Member;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// All that is needed to start one of them, and those that run.
#[derive(Debug)]
pub(super) struct Processes {
    /// The program whose `practice-service` they are.
    pub(super) program: PathBuf,
    /// The folder of the practice.
    pub(super) folder: PathBuf,
    /// The seed of all chance.
    pub(super) seed: u64,
    /// Where each listens.
    pub(super) addresses: BTreeMap<Member, SocketAddr>,
    running: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<Member, Running>,
    /// Taken away: nothing is started any more.
    ended: bool,
    /// The query that makes the database slow.
    query: Option<u32>,
    /// So many such queries there were.
    queries: u32,
}

#[derive(Debug)]
struct Running {
    child: Child,
    orders: ChildStdin,
}

/// How one is started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start<'a> {
    /// After so many seconds the bad release comes by itself.
    pub(super) release_after: Option<u64>,
    /// With this release, which somebody deploys.
    pub(super) deploy: Option<(&'static str, &'a str)>,
}

impl Running {
    /// Kills it while its orders are still open: their end would tell it that
    /// the console is gone, and that the folder has to go as well.
    fn end(mut self) {
        // It may have ended by itself; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.orders);
    }

    fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Processes {
    /// None yet.
    pub(super) fn new(program: PathBuf, folder: PathBuf, seed: u64) -> Self {
        Self { program, folder, seed, addresses: BTreeMap::new(), running: Mutex::default() }
    }

    /// Ends all of them; none is started afterwards.
    pub(super) fn end(&self) {
        let running = {
            let mut state = self.state();
            state.ended = true;
            std::mem::take(&mut state.running)
        };
        running.into_values().for_each(Running::end);
    }

    /// Whether they were ended.
    pub(super) fn ended(&self) -> bool {
        self.state().ended
    }

    /// The pid of one that lives.
    pub(super) fn pid(&self, member: Member) -> Option<u32> {
        let mut state = self.state();
        let process = state.running.get_mut(&member)?;
        process.lives().then(|| process.child.id())
    }

    /// Tells one that lives what to do.
    pub(super) fn order(&self, member: Member, order: &str) -> Result<(), PracticeError> {
        let mut state = self.state();
        let told =
            state.running.get_mut(&member).map(|process| writeln!(process.orders, "{order}"));
        match told {
            Some(Ok(())) => Ok(()),
            _ => Err(PracticeError::NotRunning(member.name())),
        }
    }

    /// Kills one, without a word to it.
    pub(super) fn kill(&self, member: Member) -> Result<(), PracticeError> {
        let killed = self.state().running.remove(&member);
        let Some(killed) = killed else { return Err(PracticeError::NotRunning(member.name())) };
        killed.end();
        Ok(())
    }

    /// A query begins that everybody waits for.
    pub(super) fn slow(&self) -> Result<u32, PracticeError> {
        self.order(Member::Db, "slow")?;
        let mut state = self.state();
        if let Some(query) = state.query {
            return Ok(query);
        }
        state.queries += 1;
        let query = 4_710 + state.queries;
        state.query = Some(query);
        Ok(query)
    }

    /// The query that everybody waits for.
    pub(super) fn query(&self) -> Option<u32> {
        self.state().query
    }

    /// Ends that query.
    pub(super) fn cancel(&self, query: u32) -> Result<(), PracticeError> {
        if self.query() != Some(query) {
            return Err(PracticeError::NoSuchQuery(query));
        }
        self.order(Member::Db, "cancel")?;
        self.state().query = None;
        Ok(())
    }

    /// Ends one, if it lives, and starts it anew; gives its new pid.
    pub(super) fn restart(&self, member: Member, start: Start<'_>) -> Result<u32, PracticeError> {
        let old = self.state().running.remove(&member);
        old.into_iter().for_each(Running::end);
        let socket = match self.addresses.get(&member) {
            Some(address) => Some(TcpListener::bind(address).map_err(PracticeError::Port)?),
            None => None,
        };
        self.launch(member, socket, start)
    }

    /// Heals those that live, starts those that do not.
    pub(super) fn heal(&self) -> Result<(), PracticeError> {
        for member in Member::ALL {
            if self.pid(member).is_some() {
                self.order(member, "heal")?;
                continue;
            }
            let good = member.releases().0;
            let other = releases::current(&self.folder, member) != good;
            self.restart(
                member,
                Start { deploy: other.then_some((good, "ci")), release_after: None },
            )?;
        }
        self.state().query = None;
        Ok(())
    }

    /// Starts one; gives its pid.
    pub(super) fn launch(
        &self,
        member: Member,
        socket: Option<TcpListener>,
        start: Start<'_>,
    ) -> Result<u32, PracticeError> {
        let name = member.name();
        let mut state = self.state();
        if state.ended {
            return Err(PracticeError::NotRunning(name));
        }
        let started = self.spawn(member, socket, start);
        let running = started.map_err(|source| PracticeError::Start { name, source })?;
        let pid = running.child.id();
        if member == Member::Db {
            state.query = None;
        }
        state.running.insert(member, running).into_iter().for_each(Running::end);
        Ok(pid)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A map of processes is whole at every moment.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(
        &self,
        member: Member,
        socket: Option<TcpListener>,
        start: Start<'_>,
    ) -> io::Result<Running> {
        // A panic's last words belong with the rest of the log.
        let log = Log::path(&self.folder, member.name());
        let last_words = OpenOptions::new().append(true).create(true).open(log)?;
        let mut command = Command::new(&self.program);
        command
            .args(["practice-service", member.name(), "--seed", &self.seed.to_string()])
            .arg("--folder")
            .arg(&self.folder)
            .current_dir("/")
            // Not in the console's group: ctrl-z stops the console alone.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(socket.map_or_else(Stdio::null, |socket| OwnedFd::from(socket).into()))
            .stderr(last_words);
        if let Some(seconds) = start.release_after {
            command.args(["--release-after", &seconds.to_string()]);
        }
        let release = start.deploy.map(|(release, _)| release);
        let release = release.unwrap_or_else(|| releases::current(&self.folder, member));
        command.args(["--release", release]);
        if let Some((_, by)) = start.deploy {
            command.args(["--deployed-by", by]);
        }
        let tracker = member.reports().then_some(&Member::Tracker);
        for other in member.needs().iter().chain(tracker) {
            if let Some(address) = self.addresses.get(other) {
                command.args(["--peer", &format!("{}={address}", other.name())]);
            }
        }
        let mut child = command.spawn()?;
        let orders = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Running { child, orders })
    }
}
