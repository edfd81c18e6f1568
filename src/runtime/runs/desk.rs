//! Carries out what a console asks about runs. Everything that comes of it comes
//! as a message; nothing here is waited for by the loop.

use super::follow::{Heard, Wanted, follow};
use super::names::names;
use super::place::place;
use super::{arming, library, process, records, start};
use crate::config::Config;
use crate::domain::runs::{Arming, RunId, Who, WriterKind};
use crate::journal::{Journal, JournalError, Reader};
use crate::runbook::{Library, Order, Run, RunRequest, Told, proof};
use crate::runtime::clock::{Clock, moment};
use crate::runtime::isolate::isolated;
use crate::runtime::paths::StateFolder;
use crate::store::{Msg, RunsEffect, RunsMsg};
use std::collections::{BTreeMap, HashMap};
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
    reader: Result<Reader, String>,
    /// The runs as they were read last, and the place of the last record then.
    runs: tokio::sync::Mutex<(i64, Arc<[Run]>)>,
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
        f.debug_struct("Desk").field("reader", &self.0.reader).finish_non_exhaustive()
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
        let place = place(&config, &path, state).map_err(|why| why.to_string());
        Self(Arc::new(Inner {
            clock,
            out,
            path,
            reader: place.map(Reader::new),
            runs: tokio::sync::Mutex::default(),
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

    fn reader(&self) -> Result<&Reader, JournalError> {
        self.0.reader.as_ref().map_err(|why| JournalError::Read(why.clone()))
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
        let (config, path) = (self.config(), self.0.path.clone());
        let fields = names(&config).services;
        let read = tokio::task::spawn_blocking(move || library::read(&path, &config.runbooks));
        let mut library = match read.await {
            Ok(library) => library,
            Err(error) => Library { failures: vec![error.to_string()], ..Library::default() },
        };
        let names_of = |fields: BTreeMap<String, String>| fields.into_keys().collect();
        library.fields =
            fields.into_iter().map(|(service, fields)| (service, names_of(fields))).collect();
        let texts = library.books.iter().map(|(id, book)| (id.clone(), book.hash.clone()));
        let texts = texts.collect();
        let past = match self.reader() {
            Ok(reader) => reader.past(&texts).await,
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
        let runs = self.runs().await;
        let armed = self.armed().await;
        self.0.reading_runs.store(false, Ordering::Relaxed);
        let runs = runs.map_err(|error| error.to_string());
        let going = runs.iter().flat_map(|runs| runs.iter()).filter(|run| run.ended.is_none());
        let dead = going.filter(|run| !process::is_alive(&run.process));
        let dead = dead.map(|run| run.id.clone()).collect();
        self.tell(RunsMsg::RunsRead(runs)).await;
        self.tell(RunsMsg::DeadRead(dead)).await;
        // What cannot be read is not armed: the run's process will say the same.
        self.tell(RunsMsg::ArmedRead(armed.unwrap_or_default())).await;
    }

    async fn armed(&self) -> Result<Option<Arming>, JournalError> {
        let environment = self.config().environment.clone();
        let now = moment().map_err(|error| JournalError::Read(error.to_string()))?;
        self.reader()?.armed(&self.0.who, &environment, &now).await
    }

    /// The runs of this host; read anew where anything was recorded since.
    async fn runs(&self) -> Result<Arc<[Run]>, JournalError> {
        let reader = self.reader()?;
        let newest = reader.newest(None, 1).await?.last().map_or(0, |row| row.place);
        let mut runs = self.0.runs.lock().await;
        if runs.0 != newest {
            *runs = (newest, records::runs(reader, LISTED).await?.into());
        }
        Ok(Arc::clone(&runs.1))
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
        let journal = match self.reader() {
            Ok(reader) => reader.clone(),
            Err(why) => return self.tell(RunsMsg::Lost { run, why: why.to_string() }).await,
        };
        let (orders, ordered) = mpsc::channel(WAITING);
        let (tells, hears) = mpsc::channel(WAITING);
        lock(&self.0.followed).insert(run.clone(), orders);
        alone(follow(
            Wanted { run: run.clone(), journal, listens: false, past_first: false },
            ordered,
            tells,
        ));
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
    async fn journal(&self) -> Result<Journal, JournalError> {
        let mut journal = self.0.journal.lock().await;
        if let Some(writer) = &*journal {
            return Ok(writer.clone());
        }
        let place = self.reader()?.place().clone();
        let own = process::own().map_err(|error| JournalError::Write(error.to_string()))?;
        let (who, at) = (self.0.who.clone(), self.0.clock.now());
        let opened = Journal::open(place, WriterKind::Console, who, own, at).await?;
        Ok(journal.insert(opened).clone())
    }

    async fn arm(self, time: Duration, reason: String) {
        match self.armed_for(time, &reason).await {
            Ok(armed) => self.tell(RunsMsg::ArmedRead(Some(armed))).await,
            Err(why) => self.say(format!("not armed: {why}"), true).await,
        }
    }

    async fn armed_for(&self, time: Duration, reason: &str) -> Result<Arming, String> {
        let (config, who) = (self.config(), &self.0.who);
        let now = moment().map_err(|error| error.to_string())?;
        // What cannot be is said before anything is opened.
        arming::arming(&config, who, time, reason, &now).map_err(|why| why.to_string())?;
        let journal = self.journal().await.map_err(|error| error.to_string())?;
        let armed = arming::arm(&journal, &config, who, time, reason, &now).await;
        armed.map_err(|why| why.to_string())
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
        let now = moment().map_err(|error| JournalError::Write(error.to_string()))?;
        let environment = self.config().environment.clone();
        arming::disarm(&self.journal().await?, &self.0.who, &environment, why, &now).await
    }

    async fn save_proof(self, run: RunId) {
        let saved = match self.reader() {
            Ok(reader) => write_proof(reader, &run).await,
            Err(error) => Err(error.to_string()),
        };
        match saved {
            Ok(path) => self.say(format!("the proof is in {}", path.display()), false).await,
            Err(why) => self.say(format!("no proof was written: {why}"), true).await,
        }
    }
}

/// Writes what a run did and proved into its folder; gives the file.
pub async fn write_proof(journal: &Reader, run: &RunId) -> Result<PathBuf, String> {
    let entries = journal.of_run(run, 0).await.map_err(|error| error.to_string())?;
    let text = proof::markdown(&entries).ok_or("it was never started")?;
    let path = journal.place().run(run).join("proof.md");
    let to = path.clone();
    let write = move || crate::runtime::state_file::replace_for_good(&to, text.as_bytes(), 0o600);
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
