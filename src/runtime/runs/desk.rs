//! Carries out what a console asks about runs. Everything that comes of it comes
//! as a message; nothing here is waited for by the loop.

use super::follow::{Heard, Wanted, follow};
use super::{process, records, start};
use crate::config::{Config, home_path};
use crate::domain::runs::{Arming, Record, RunId, Who, WriterKind};
use crate::journal::{Journal, JournalError, Place};
use crate::runbook::{Library, Order, RunRequest, Told, proof};
use crate::runtime::clock::{Clock, moment};
use crate::runtime::isolate::isolated;
use crate::runtime::paths::StateFolder;
use crate::store::{Msg, RunsEffect, RunsMsg};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{self, Sender};

/// So many runs are listed.
const LISTED: usize = 100;
/// Orders that wait for the follower, and what it heard that waits for the loop.
const WAITING: usize = 256;

/// Where a console's wishes about runs are carried out.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    clock: Clock,
    out: Sender<Msg>,
    /// The config that runs read for themselves.
    path: PathBuf,
    config: Mutex<Arc<Config>>,
    place: Result<Place, String>,
    /// Where processes of runs complain.
    log: Option<PathBuf>,
    who: Who,
    followed: Mutex<HashMap<RunId, Sender<Order>>>,
    /// Opened when something is recorded for the first time: whoever only
    /// looks writes nothing.
    journal: tokio::sync::Mutex<Option<Journal>>,
    reading_runs: AtomicBool,
    reading_books: AtomicBool,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("place", &self.0.place).finish_non_exhaustive()
    }
}

impl Desk {
    /// For a console on this config, whose file is `path`.
    pub fn new(
        clock: Clock,
        out: Sender<Msg>,
        path: PathBuf,
        config: Config,
        state: Option<&StateFolder>,
    ) -> Self {
        Self(Arc::new(Inner {
            clock,
            out,
            path,
            place: place(&config, state),
            config: Mutex::new(Arc::new(config)),
            log: state.map(StateFolder::log),
            who: process::who(),
            followed: Mutex::default(),
            journal: tokio::sync::Mutex::default(),
            reading_runs: AtomicBool::new(false),
            reading_books: AtomicBool::new(false),
        }))
    }

    /// Carries an effect out, without being waited for.
    pub fn execute(&self, effect: RunsEffect) {
        let desk = self.clone();
        match effect {
            RunsEffect::ReadLibrary => alone(desk.read_library()),
            RunsEffect::ReadRuns => alone(desk.read_runs()),
            RunsEffect::Prepare(request) => alone(desk.prepare(request)),
            RunsEffect::Follow(run) => alone(desk.follow(run)),
            RunsEffect::Leave(run) => alone(desk.leave(run)),
            // In the order in which they were given.
            RunsEffect::Order { run, order } => self.order(run, *order),
            RunsEffect::Arm { time, reason } => alone(desk.arm(time, reason)),
            RunsEffect::Disarm => alone(desk.disarm_by_hand()),
            RunsEffect::SaveProof(run) => alone(desk.save_proof(run)),
        }
    }

    /// Another config is in use: its runbooks are read from now on, and changes
    /// have to be allowed anew.
    pub fn reloaded(&self, config: Config) {
        *lock(&self.0.config) = Arc::new(config);
        let desk = self.clone();
        alone(async move {
            if desk.armed().await.is_ok_and(|armed| armed.is_some()) {
                desk.disarmed("the config was read anew").await;
            }
        });
    }

    fn place(&self) -> Result<&Place, JournalError> {
        self.0.place.as_ref().map_err(|why| JournalError::Read(why.clone()))
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&lock(&self.0.config))
    }

    async fn tell(&self, msg: RunsMsg) {
        // Nobody listens any more when the program is ending.
        let _ = self.0.out.send(Msg::Runs(msg)).await;
    }

    async fn say(&self, text: String, bad: bool) {
        let _ = self.0.out.send(Msg::Said { text, bad }).await;
    }

    async fn read_library(self) {
        if self.0.reading_books.swap(true, Ordering::Relaxed) {
            return;
        }
        let library = self.library().await;
        self.0.reading_books.store(false, Ordering::Relaxed);
        self.tell(RunsMsg::LibraryRead(Arc::new(library))).await;
    }

    async fn library(&self) -> Library {
        let config = self.config();
        let mut library = Library { urls: config.runbooks.urls.clone(), ..Library::default() };
        let past = match self.place() {
            Ok(place) => records::past(place).await,
            Err(error) => Err(error),
        };
        match past {
            Ok(past) => library.past = past,
            Err(error) => library.failures.push(error.to_string()),
        }
        library
    }

    async fn read_runs(self) {
        if self.0.reading_runs.swap(true, Ordering::Relaxed) {
            return;
        }
        let runs = match self.place() {
            Ok(place) => records::runs(place, LISTED).await,
            Err(error) => Err(error),
        };
        let armed = self.armed().await;
        self.0.reading_runs.store(false, Ordering::Relaxed);
        let runs = runs.map(Arc::from).map_err(|error| error.to_string());
        self.tell(RunsMsg::RunsRead(runs)).await;
        // What cannot be read is not armed: the run's process will say the same.
        self.tell(RunsMsg::ArmedRead(armed.unwrap_or_default())).await;
    }

    async fn armed(&self) -> Result<Option<Arming>, JournalError> {
        let environment = self.config().environment.clone();
        let now = moment().map_err(|error| JournalError::Read(error.to_string()))?;
        records::armed(self.place()?, &self.0.who, &environment, &now).await
    }

    async fn prepare(self, request: Box<RunRequest>) {
        let started = start::start(&request, &self.0.path, self.0.log.as_deref()).await;
        let run = match started {
            Ok(ready) => Ok(ready.run),
            Err(why) => Err(why.to_string()),
        };
        self.tell(RunsMsg::Prepared { request, run: run.clone() }).await;
        if let Ok(run) = run {
            self.follow_anew(run).await;
        }
    }

    async fn follow(self, run: RunId) {
        let is_followed =
            lock(&self.0.followed).get(&run).is_some_and(|orders| !orders.is_closed());
        if !is_followed {
            self.follow_anew(run).await;
        }
    }

    async fn follow_anew(&self, run: RunId) {
        let place = match self.place() {
            Ok(place) => place.clone(),
            Err(why) => return self.tell(RunsMsg::Lost { run, why: why.to_string() }).await,
        };
        let (orders, ordered) = mpsc::channel(WAITING);
        let (heard, hears) = mpsc::channel(WAITING);
        lock(&self.0.followed).insert(run.clone(), orders);
        alone(follow(Wanted { run: run.clone(), place, listens: false }, ordered, heard));
        alone(self.clone().relay(run, hears));
    }

    /// Hands on what a follower hears.
    async fn relay(self, run: RunId, mut hears: mpsc::Receiver<Heard>) {
        while let Some(heard) = hears.recv().await {
            let run = run.clone();
            match heard {
                Heard::Told(told) => self.tell(RunsMsg::Told { run, told }).await,
                Heard::Lost(why) => {
                    let why = format!("{why}; trying again");
                    self.tell(RunsMsg::Lost { run, why }).await;
                }
                Heard::Died(why) => self.tell(RunsMsg::Lost { run, why }).await,
                Heard::Ended => {}
            }
        }
        // Followed again, or to its end: then what was told stays.
        let was_left = !lock(&self.0.followed).contains_key(&run);
        if was_left {
            self.tell(RunsMsg::Left { run }).await;
        }
    }

    async fn leave(self, run: RunId) {
        let orders = lock(&self.0.followed).remove(&run);
        // Whoever still relays says so when all was told.
        if orders.is_none_or(|orders| orders.is_closed()) {
            self.tell(RunsMsg::Left { run }).await;
        }
    }

    fn order(&self, run: RunId, order: Order) {
        let orders = lock(&self.0.followed).get(&run).cloned();
        let why = match orders.map(|orders| orders.try_send(order)) {
            Some(Ok(())) => return,
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                "not sent: the run's process takes no orders at the moment"
            }
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => {
                "not sent: nobody is there to take it"
            }
        };
        let desk = self.clone();
        alone(async move {
            desk.tell(RunsMsg::Told { run, told: vec![Told::Refused(why.into())] }).await;
        });
    }

    /// This console's own writer; opened with its first record.
    async fn append(&self, record: Record) -> Result<(), JournalError> {
        let at = self.0.clock.now();
        let mut journal = self.0.journal.lock().await;
        let writer = if let Some(writer) = &*journal {
            writer.clone()
        } else {
            let place = self.place()?.clone();
            let own = process::own().map_err(|error| JournalError::Write(error.to_string()))?;
            let who = self.0.who.clone();
            let opened = Journal::open(place, WriterKind::Console, who, own, at).await?;
            journal.insert(opened).clone()
        };
        drop(journal);
        writer.append(at, record).await.map(drop)
    }

    async fn arm(self, time: Duration, reason: String) {
        let _ = (time, reason);
        self.say("not armed: not there yet".into(), true).await;
    }

    async fn disarm_by_hand(self) {
        self.disarmed("by hand").await;
    }

    async fn disarmed(&self, why: &str) {
        match self.disarm(why).await {
            Ok(()) => self.tell(RunsMsg::ArmedRead(None)).await,
            Err(error) => self.say(format!("not disarmed: {error}"), true).await,
        }
    }

    async fn disarm(&self, why: &str) -> Result<(), JournalError> {
        let (who, environment) = (self.0.who.clone(), self.config().environment.clone());
        self.append(Record::Disarmed { who, environment, why: why.into() }).await
    }

    async fn save_proof(self, run: RunId) {
        let saved = match self.place() {
            Ok(place) => write_proof(place, &run).await,
            Err(error) => Err(error.to_string()),
        };
        match saved {
            Ok(path) => self.say(format!("the proof is in {}", path.display()), false).await,
            Err(why) => self.say(format!("no proof was written: {why}"), true).await,
        }
    }
}

/// Writes what a run did and proved into its folder; gives the file.
pub async fn write_proof(place: &Place, run: &RunId) -> Result<PathBuf, String> {
    let entries = records::of_run(place, run, 0).await.map_err(|error| error.to_string())?;
    let text = proof::markdown(&entries).ok_or("it was never started")?;
    let path = place.run(run).join("proof.md");
    let to = path.clone();
    let write = move || crate::runtime::state_file::replace(&to, text.as_bytes());
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => Ok(path),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Lets a task go on by itself; its panic ends nothing else.
fn alone(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(words) = isolated(task).await {
            tracing::error!(words, "a task has panicked");
        }
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the journal lies that a config means.
pub fn place(config: &Config, state: Option<&StateFolder>) -> Result<Place, String> {
    let journal = &config.journal;
    if journal.shared {
        let folder = journal.folder.as_deref().unwrap_or("/var/lib/opsroom").into();
        let sockets = journal.sockets.as_deref().unwrap_or("/run/opsroom").into();
        return Ok(Place { folder, sockets, shared: true, syslog: None });
    }
    let folder = match (&journal.folder, state) {
        (Some(folder), _) => home_path(folder),
        (None, Some(state)) => state.path().to_path_buf(),
        (None, None) => return Err("there is no journal: this user has no home".into()),
    };
    let sockets = journal.sockets.as_deref().map_or_else(|| folder.join("s"), home_path);
    Ok(Place { folder, sockets, shared: false, syslog: None })
}

#[cfg(test)]
pub(super) fn place_at(folder: &std::path::Path) -> Place {
    Place { sockets: folder.to_path_buf(), ..Place::own(folder) }
}
