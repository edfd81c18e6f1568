//! The console's hold on its practice environment: starts it, puts faults into
//! it, heals it, takes it away.

use super::backups;
use super::books;
use super::chance::Chance;
use super::config;
use super::control;
use super::folder;
use super::processes::{Processes, Start};
use super::releases;
use super::shop::Member;
use super::tracker;
use crate::domain::Timestamp;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    /// There is no such query.
    #[error("db runs no query {0}")]
    NoSuchQuery(u32),
    /// The one that it is for does not run.
    #[error("{0} is not running; heal all starts it")]
    NotRunning(&'static str),
}

/// A running practice environment. Dropped, it is gone.
#[derive(Debug)]
pub struct Practice {
    config: String,
    processes: Arc<Processes>,
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
        let mut processes = Processes::new(program.to_path_buf(), folder.clone(), seed);
        // All addresses are known before the first process starts, and all
        // sockets accept connections before anybody asks.
        let mut chance = Chance::new(seed ^ u64::from(std::process::id()), 0);
        let mut sockets = BTreeMap::new();
        let mut no_port = None;
        for member in Member::ALL.into_iter().filter(|member| *member != Member::Visitors) {
            match free_port(&mut chance) {
                Ok((socket, address)) => {
                    processes.addresses.insert(member, address);
                    sockets.insert(member, socket);
                }
                Err(error) => no_port = Some(error),
            }
        }
        let config = config::text(&processes.addresses, &folder);
        // From here on its drop takes everything away again.
        let practice = Self { config, processes: Arc::new(processes) };
        if let Some(error) = no_port {
            return Err(PracticeError::Port(error));
        }
        backups::write(&folder, now).map_err(in_folder)?;
        tracker::write_token(&folder).map_err(in_folder)?;
        releases::begin(&folder, now).map_err(in_folder)?;
        books::write(&folder, program).map_err(in_folder)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            // A config holds commands: nobody else may write it, whatever the umask.
            .mode(0o600)
            .open(practice.config_path())
            .map_err(in_folder)?;
        file.write_all(practice.config.as_bytes()).map_err(in_folder)?;
        control::listen(&practice.processes).map_err(in_folder)?;
        for member in Member::ALL {
            let release_after = (member == Member::Api).then_some(RELEASE_AFTER_S);
            let start = Start { release_after, deploy: None };
            practice.processes.launch(member, sockets.remove(&member), start)?;
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
        self.folder().join("config.toml")
    }

    /// Its scratch folder, which is removed with it.
    pub fn folder(&self) -> &Path {
        &self.processes.folder
    }

    /// Puts a fault in, or heals all; says in words what was done.
    pub fn fault(&self, name: &str) -> Result<String, PracticeError> {
        let processes = &self.processes;
        match name {
            "bad release" => {
                processes.order(Member::Api, "release")?;
                Ok("practice: api runs v142, which is bad".into())
            }
            "hang" => {
                processes.order(Member::Payments, "hang")?;
                Ok("practice: payments hangs: it accepts connections and does not answer".into())
            }
            "kill" => {
                processes.kill(Member::Api)?;
                Ok("practice: api was killed".into())
            }
            "slow database" => {
                processes.slow()?;
                Ok("practice: db answers slowly".into())
            }
            "heal all" => {
                processes.heal()?;
                Ok("practice: all is healed; api is back on v141".into())
            }
            other => Err(PracticeError::NoSuchFault(other.into())),
        }
    }

    /// Ends it, as a drop does, where others still hold it.
    pub fn end(&self) {
        self.processes.end();
        control::wake(self.folder());
        folder::remove(self.folder());
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
