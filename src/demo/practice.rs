//! The console's hold on its practice environment: starts it, puts faults into
//! it, heals it, takes it away.

use super::backups;
use super::chance::Chance;
use super::config;
use super::folder;
use super::log::Log;
use super::releases;
use super::shop::Member;
use super::tracker;
use crate::domain::Timestamp;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// When the bad release comes by itself, in seconds after the start.
const RELEASE_AFTER_S: u64 = 20;
/// Below what the kernel hands out for outgoing connections, so that a port
/// stays free while the service that had it is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Why there is no practice, or not this fault.
#[derive(Debug, Error)]
pub enum PracticeError {
    /// The scratch folder could not be made or written.
    #[error("cannot make a scratch folder in {parent}: {source}")]
    Folder {
        /// Where it was to be.
        parent: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No port could be had.
    #[error("no free loopback port: {0}")]
    Port(io::Error),
    /// A process could not be started.
    #[error("cannot start {name}: {source}")]
    Start {
        /// Which one.
        name: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// There is no such fault.
    #[error(
        "no fault is called \"{0}\"; there are: bad release, hang, kill, slow database, heal all"
    )]
    NoSuchFault(String),
    /// The one that it is for does not run.
    #[error("{0} is not running; heal all starts it")]
    NotRunning(&'static str),
}

/// A running practice environment. Dropped, it is gone.
#[derive(Debug)]
pub struct Practice {
    program: PathBuf,
    folder: PathBuf,
    config: String,
    seed: u64,
    addresses: BTreeMap<Member, SocketAddr>,
    running: Mutex<BTreeMap<Member, Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    orders: ChildStdin,
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
}

impl Practice {
    /// Starts it at `now`, with a scratch folder of its own under `parent` and
    /// all chance from `seed`. What killed consoles left under `parent` is removed.
    pub fn start(parent: &Path, seed: u64, now: Timestamp) -> Result<Self, PracticeError> {
        let program = std::env::current_exe()
            .map_err(|source| PracticeError::Start { name: "opsroom", source })?;
        Self::start_as(&program, parent, seed, now)
    }

    /// The same with the processes of another `opsroom` program.
    pub fn start_as(
        program: &Path,
        parent: &Path,
        seed: u64,
        now: Timestamp,
    ) -> Result<Self, PracticeError> {
        let in_folder = |source| PracticeError::Folder { parent: parent.to_path_buf(), source };
        let folder = folder::make(parent).map_err(in_folder)?;
        let mut practice = Self {
            program: program.to_path_buf(),
            folder,
            config: String::new(),
            seed,
            addresses: BTreeMap::new(),
            running: Mutex::default(),
        };
        // All addresses are known before the first process starts, and all
        // sockets accept connections before anybody asks.
        let mut chance = Chance::new(seed ^ u64::from(std::process::id()), 0);
        let mut sockets = BTreeMap::new();
        for member in Member::ALL.into_iter().filter(|member| *member != Member::Visitors) {
            let (socket, address) = free_port(&mut chance).map_err(PracticeError::Port)?;
            practice.addresses.insert(member, address);
            sockets.insert(member, socket);
        }
        backups::write(&practice.folder, now).map_err(in_folder)?;
        tracker::write_token(&practice.folder).map_err(in_folder)?;
        releases::begin(&practice.folder, now).map_err(in_folder)?;
        practice.config = config::text(&practice.addresses, &practice.folder);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            // A config holds commands: nobody else may write it, whatever the umask.
            .mode(0o600)
            .open(practice.config_path())
            .map_err(in_folder)?;
        file.write_all(practice.config.as_bytes()).map_err(in_folder)?;
        for member in Member::ALL {
            let release = (member == Member::Api).then_some(RELEASE_AFTER_S);
            practice.launch(member, sockets.remove(&member), release)?;
        }
        Ok(practice)
    }

    /// What can be done to it, for the palette.
    pub const fn names() -> &'static [&'static str] {
        &["bad release", "hang", "kill", "slow database", "heal all"]
    }

    /// Its config, as it lies in [`Self::config_path`].
    pub fn config_text(&self) -> &str {
        &self.config
    }

    /// Its config file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Its scratch folder, which is removed with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a fault in, or heals all; says in words what was done.
    pub fn fault(&self, name: &str) -> Result<String, PracticeError> {
        match name {
            "bad release" => {
                self.order(Member::Api, "release")?;
                Ok("practice: api runs v142, which is bad".into())
            }
            "hang" => {
                self.order(Member::Payments, "hang")?;
                Ok("practice: payments hangs: it accepts connections and does not answer".into())
            }
            "kill" => {
                let mut running = self.running();
                let Some(killed) = running.remove(&Member::Api) else {
                    return Err(PracticeError::NotRunning(Member::Api.name()));
                };
                killed.end();
                Ok("practice: api was killed".into())
            }
            "slow database" => {
                self.order(Member::Db, "slow")?;
                Ok("practice: db answers slowly".into())
            }
            "heal all" => {
                self.heal()?;
                Ok("practice: all is healed; api is back on v141".into())
            }
            other => Err(PracticeError::NoSuchFault(other.into())),
        }
    }

    /// Ends it, as a drop does, where others still hold it.
    pub fn end(&self) {
        let running = std::mem::take(&mut *self.running());
        running.into_values().for_each(Running::end);
        folder::remove(&self.folder);
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<Member, Running>> {
        // A map of processes is whole at every moment.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, member: Member, order: &str) -> Result<(), PracticeError> {
        let mut running = self.running();
        let told = running.get_mut(&member).map(|process| writeln!(process.orders, "{order}"));
        match told {
            Some(Ok(())) => Ok(()),
            _ => Err(PracticeError::NotRunning(member.name())),
        }
    }

    fn heal(&self) -> Result<(), PracticeError> {
        for member in Member::ALL {
            let gone = {
                let mut running = self.running();
                let lives = running
                    .get_mut(&member)
                    .is_some_and(|process| matches!(process.child.try_wait(), Ok(None)));
                if !lives {
                    running.remove(&member).into_iter().for_each(Running::end);
                }
                !lives
            };
            if !gone {
                self.order(member, "heal")?;
                continue;
            }
            let socket = match self.addresses.get(&member) {
                Some(address) => Some(TcpListener::bind(address).map_err(PracticeError::Port)?),
                None => None,
            };
            self.launch(member, socket, None)?;
        }
        Ok(())
    }

    fn launch(
        &self,
        member: Member,
        socket: Option<TcpListener>,
        release_after: Option<u64>,
    ) -> Result<(), PracticeError> {
        let name = member.name();
        let started = self.spawn(member, socket, release_after);
        let running = started.map_err(|source| PracticeError::Start { name, source })?;
        self.running().insert(member, running);
        Ok(())
    }

    fn spawn(
        &self,
        member: Member,
        socket: Option<TcpListener>,
        release_after: Option<u64>,
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
        if let Some(seconds) = release_after {
            command.args(["--release-after", &seconds.to_string()]);
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

impl Drop for Practice {
    fn drop(&mut self) {
        self.end();
    }
}

/// A loopback port that nobody listens on, listened on.
fn free_port(chance: &mut Chance) -> io::Result<(TcpListener, SocketAddr)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    let width = u64::from(PORTS.end - PORTS.start);
    for _ in 0..200 {
        let port = PORTS.start + u16::try_from(chance.number() % width).unwrap_or(0);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(address) {
            Ok(socket) => return Ok((socket, address)),
            Err(error) => last = error,
        }
    }
    Err(last)
}
