//! Before a run begins: its name and socket, its parameters, its plan, and the
//! word that starts it; or what its journal tells where it is taken up.

mod prepare;

use super::board::Board;
use super::floor::Floor;
use super::house::{self, House};
use super::listen::{Served, Socket, serve};
use super::mask::Mask;
use super::{Conductor, settle};
use crate::config::{Found, discover};
use crate::domain::Timestamp;
use crate::domain::runs::{
    Condition, Entry, Plan, ProofLine, Record, RunId, RunRecord, Who, WriterKind,
};
use crate::journal::{BeginError, Journal, Place};
use crate::runbook::{Book, Hidden, Run, RunRequest, Told};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::evidence::Eyes;
use crate::runtime::runs::output::Output;
use crate::runtime::runs::people::{May, allowed, groups_of};
use crate::runtime::runs::{place, process};
use prepare::Said;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Whoever asked for the run follows it within this time, or nobody does.
const FIRST_FOLLOWER: Duration = Duration::from_mins(1);
/// A follower whose line broke comes back within this time, or nobody does.
const COMES_BACK: Duration = Duration::from_secs(10);
/// Why it cannot be run is read within this time.
const TO_BE_READ: Duration = Duration::from_mins(1);
/// Followers are told how it ended within this time.
const LAST_WORDS: Duration = Duration::from_mins(10);
/// How often it is looked whether somebody has come.
const LOOK: Duration = Duration::from_millis(50);
/// How often the signals of the target are told.
const SIGNALS: Duration = Duration::from_secs(2);
/// Things that followers do and that wait to be heard.
const EVENTS: usize = 64;

/// Tells whoever asked for the run `ready RUN SOCKET` or `no WORDS`.
pub type Announce = Box<dyn FnOnce(&str) + Send>;

/// Is the process of a run until that has ended, or nobody wants it.
pub async fn conduct(
    found: Found,
    state: Option<StateFolder>,
    request: RunRequest,
    announce: Announce,
) {
    match begin(found, state, request).await {
        Err(why) => announce(&format!("no {}", crate::domain::harmless(&why))),
        Ok((run_stage, socket)) => {
            let (run, path) = (run_stage.run.clone(), socket.path().display().to_string());
            let serving = run_stage.serve(socket);
            announce(&format!("ready {run} {path}"));
            Box::pin(run_stage.go(serving)).await;
        }
    }
}

/// A run that has a name and a socket, and was not begun here.
struct Stage {
    run: RunId,
    found: Found,
    state: Option<StateFolder>,
    assembled: Assembled,
    house: Arc<House>,
    journal: Journal,
    floor: Floor,
    events: mpsc::Sender<super::listen::Event>,
    mask: Mask,
    /// What the journal tells of it, where it is taken up, and how many records
    /// are missing from that.
    past: Option<(Run, Vec<Entry>, u64)>,
    request: RunRequest,
}

async fn begin(
    mut found: Found,
    state: Option<StateFolder>,
    request: RunRequest,
) -> Result<(Stage, Socket), String> {
    let mut assembled = assembled(&found)?;
    let (clock, who) = (Clock::Wall, process::who());
    let own = process::own().map_err(|error| error.to_string())?;
    let lies = place::place(&assembled.config, &assembled.path, state.as_ref());
    let lies = lies.map_err(|error| error.to_string())?;
    // Who only looks at a plan has done nothing.
    let journal = Journal::quiet(lies, WriterKind::Run, who.clone(), own.clone(), clock.now());
    let journal = journal.await.map_err(|error| error.to_string())?;
    let mut past = None;
    let run = match &request.take_up {
        None => {
            may_run(&assembled, &journal, &who, &request).await?;
            journal.fresh_run_id().await.map_err(|error| error.to_string())?
        }
        Some(run) => {
            let entries = journal.of_run(run, 0).await.map_err(|error| error.to_string())?;
            let told = Run::of(&entries).ok_or_else(|| format!("there is no run {run}"))?;
            if told.plan.user != who.user {
                return Err(format!("run {run} is {}'s", told.plan.user));
            }
            // It goes on with the config that it began with.
            let config = Path::new(&told.plan.config);
            let real = |path: &Path| path.canonicalize().ok();
            if real(&assembled.path).is_none_or(|own| Some(own) != real(config)) {
                found = discover::read(config).map_err(|error| error.to_string())?;
                assembled = self::assembled(&found)?;
            }
            let lost = match entries.last() {
                Some(last) => journal.missing(&last.writer).await,
                None => Ok(0),
            };
            past = Some((told, entries, lost.map_err(|error| error.to_string())?));
            run.clone()
        }
    };
    let socket = match &mut past {
        None => open(journal.place(), &run)?,
        Some((told, entries, _)) => {
            let dead = |process: &_| !process::is_alive(process);
            let taken = journal.take_up(clock.now(), &run, who.clone(), own, dead).await;
            let entry = taken.map_err(|error| error.to_string())?;
            told.take(&entry);
            entries.push(entry);
            open(journal.place(), &run)?
        }
    };
    let (events, heard) = mpsc::channel(EVENTS);
    let floor = Floor::new(Arc::new(Board::new()), clock, heard, terms()?);
    let house = Arc::new(House::of(&assembled, who));
    let mask = Mask::default();
    Ok((
        Stage { run, found, state, assembled, house, journal, floor, events, mask, past, request },
        socket,
    ))
}

fn assembled(found: &Found) -> Result<Assembled, String> {
    Assembled::of(found, false).map_err(|mistakes| format!("the config: {mistakes}"))
}

fn open(place: &Place, run: &RunId) -> Result<Socket, String> {
    Socket::open(place, run)
        .map_err(|error| format!("no socket in {}: {error}", place.sockets.display()))
}

fn terms() -> Result<Signal, String> {
    signal(SignalKind::terminate()).map_err(|error| error.to_string())
}

/// Whether this user's roles allow the run. A refusal stands in the journal.
async fn may_run(
    assembled: &Assembled,
    journal: &Journal,
    who: &Who,
    request: &RunRequest,
) -> Result<(), String> {
    let service = request.service.as_ref().map(|it| it.as_str().to_owned());
    let (roles, groups) = (&assembled.config.roles, groups_of(who.uid));
    let book = Some(request.book.as_str());
    let Err(why) = allowed(roles, &who.user, &groups, May::Run, book, service.as_deref()) else {
        return Ok(());
    };
    let what = format!("to run {}", crate::domain::harmless_within(&request.book, 100));
    let refused = Record::Refused { who: who.clone(), what, why: why.clone() };
    let written = journal.append(Clock::Wall.now(), refused).await;
    written.map_err(|error| format!("{why}; {error}"))?;
    Err(why)
}

/// What a run needs beside its journal to be carried out.
struct Open {
    eyes: Arc<Eyes>,
    since: Timestamp,
    lines: Arc<[(String, Condition)]>,
}

impl Stage {
    /// Lets followers in.
    fn serve(&self, socket: Socket) -> JoinHandle<()> {
        let served = Served {
            run: self.run.clone(),
            board: Arc::clone(&self.floor.board),
            output: self.journal.place().run(&self.run).join("output"),
            events: self.events.clone(),
            host: self.house.who.host.clone(),
        };
        tokio::spawn(serve(socket, Arc::new(served)))
    }

    async fn go(mut self, serving: JoinHandle<()>) {
        let run = self.run.clone();
        let (board, place) = (Arc::clone(&self.floor.board), self.journal.place().clone());
        let has_begun = self.past.is_some();
        let conductor = match self.past.take() {
            Some((told, entries, lost)) => self.taken_up(told, &entries, lost),
            None => Box::pin(self.prepared()).await,
        };
        let Some(mut conductor) = conductor else {
            if !has_begun {
                place.forget(&run);
            }
            if board.is_over() {
                let _ = timeout(TO_BE_READ, serving).await;
            } else {
                serving.abort();
            }
            return;
        };
        if let Err(over) = conductor.carry().await {
            tracing::info!(run = %run, ?over, "the run is left");
            serving.abort();
            return;
        }
        board.over();
        let _ = conductor.floor.meanwhile(timeout(LAST_WORDS, serving)).await;
    }

    /// A run that another process began.
    fn taken_up(mut self, told: Run, entries: &[Entry], lost: u64) -> Option<Conductor> {
        let board = Arc::clone(&self.floor.board);
        for entry in entries {
            if let Record::Run { what: RunRecord::StepEnded { step, end, .. }, .. } = &entry.record
                && let Some(range) = end.output
            {
                board.output(*step, range.from, range.to);
            }
            board.entry(entry);
        }
        let path = self.journal.place().run(&self.run).join("output");
        let size = std::fs::metadata(path).map_or(0, |it| it.len());
        // What no record tells of is of the step that was cut off, or of one whose
        // records are lost.
        let cut_off = told.steps.iter().find(|it| it.attempts > 0 && it.end.is_none());
        let cut_off = cut_off.map(|it| it.step);
        let lost_one = || told.ahead(1).first().map(|(step, _)| *step);
        if let Some(step) = cut_off.or_else(lost_one) {
            board.output(step, settle::kept_before(&told), size);
        }
        self.floor.questions_after(told.place);
        let open = match self.open(&told.plan) {
            Ok(open) => open,
            Err(why) => {
                tracing::error!(run = %self.run, why, "the run is not carried on");
                return None;
            }
        };
        self.conductor(told, open, BTreeMap::new(), lost)
    }

    fn conductor(
        self,
        run: Run,
        open: Open,
        secrets: BTreeMap<String, Hidden>,
        lost: u64,
    ) -> Option<Conductor> {
        let place = self.journal.place();
        let path = place.run(&self.run).join("output");
        let output = match Output::open(&path, place.shared, self.mask.masker()) {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(run = %self.run, %error, "no output file");
                return None;
            }
        };
        Some(Conductor {
            floor: self.floor,
            run,
            journal: self.journal,
            house: self.house,
            eyes: open.eyes,
            open_since: open.since,
            lines: open.lines,
            secrets,
            mask: self.mask,
            output,
            goes_on: false,
            may_go_on: false,
            lost,
        })
    }

    /// Opens the run's own eyes on what its plan names, and tells what they see.
    fn open(&mut self, plan: &Plan) -> Result<Open, String> {
        let since = self.floor.clock.now();
        let lines = house::lines(plan);
        let conditions: Vec<&Condition> = lines.iter().map(|(_, condition)| condition).collect();
        let kept = self.assembled.kept(self.state.as_ref());
        let eyes = Eyes::open(&self.assembled, plan, &conditions, self.floor.clock, kept);
        let eyes = Arc::new(eyes.map_err(|error| format!("nothing can be polled: {error}"))?);
        let (said, signals) = watch::channel(Vec::new());
        self.floor.watch_signals(signals);
        tokio::spawn(tell_signals(Arc::clone(&eyes), Arc::clone(&lines), since, said));
        Ok(Open { eyes, since, lines })
    }

    /// Asks for parameters, shows the plan, and begins when somebody says so;
    /// none where nobody does.
    async fn prepared(mut self) -> Option<Conductor> {
        let setting = house::setting(&self.assembled, &self.house.who);
        let loaded = house::book(&self.assembled, &self.request.book);
        let book = match loaded {
            Ok(book) => book,
            Err(why) => return self.impossible(why).await,
        };
        let mut secrets = BTreeMap::new();
        let mut seen: Option<(Plan, Open)> = None;
        loop {
            let planned = self.planned(&book, &setting, &secrets).await;
            match planned {
                Ok(Some(plan)) => {
                    if seen.as_ref().is_none_or(|(known, _)| *known != plan) {
                        let open = match self.open(&plan) {
                            Ok(open) => open,
                            Err(why) => return self.impossible(vec![why]).await,
                        };
                        self.floor.board.before(&Told::Planned(Box::new(plan.clone())));
                        seen = Some((plan, open));
                    }
                }
                Ok(None) => seen = None,
                Err(why) => return self.impossible(why).await,
            }
            match self.next_order(&book, &mut secrets, seen.as_ref()).await? {
                Said::Values => {}
                Said::Start { from } => {
                    let Some((plan, open)) = seen.take() else { continue };
                    match self.start(&plan, &open, &book).await {
                        Ok(run) => {
                            self.floor.board.began();
                            return self.conductor(run, open, secrets, 0);
                        }
                        Err(why) => {
                            self.floor.refuse(from, why);
                            seen = Some((plan, open));
                        }
                    }
                }
            }
        }
    }

    /// Journals the beginning, which takes the target.
    async fn start(&mut self, plan: &Plan, open: &Open, book: &Book) -> Result<Run, String> {
        let asked = house::ask_lines(&open.eyes, &open.lines, open.since);
        let mut before: Vec<ProofLine> = self.floor.meanwhile(asked).await;
        house::as_the_alert_said(&mut before, &open.lines, plan);
        self.mask.lines(&mut before);
        let process = process::own().map_err(|error| error.to_string())?;
        let who = self.house.who.clone();
        while let Err(error) = keep_text(self.journal.place(), &self.run, book) {
            let is_full = error.kind() == std::io::ErrorKind::StorageFull;
            if !is_full || !self.journal.make_room().await {
                return Err(format!("its text cannot be kept: {error}"));
            }
        }
        let started =
            RunRecord::Started { who: who.clone(), plan: Box::new(plan.clone()), process, before };
        let begun = self.journal.begin(self.floor.clock.now(), self.run.clone(), started).await;
        let entry = match begun {
            Ok(entry) => entry,
            Err(error) => {
                if let BeginError::Held { .. } = &error {
                    let what = format!("to run {} on {}", plan.book.id, plan.target);
                    let refused = Record::Refused { who, what, why: error.to_string() };
                    let written = self.journal.append(self.floor.clock.now(), refused).await;
                    written.map_err(|failed| format!("{error}; {failed}"))?;
                }
                return Err(error.to_string());
            }
        };
        tracing::info!(run = %self.run, book = %plan.book.id, target = %plan.target, "run started");
        self.floor.board.entry(&entry);
        Run::begun_by(&entry).ok_or_else(|| "the journal gave another record".to_owned())
    }
}

/// Keeps the text that was agreed to beside the run's output.
fn keep_text(place: &Place, run: &RunId, book: &Book) -> std::io::Result<()> {
    use std::io::Write;
    let path = place.run(run).join("text.md");
    let mut file = place.open_file(&path)?;
    file.write_all(book.text.as_bytes())?;
    file.sync_data()
}

/// Asks what is told live, again and again, as long as somebody wants to know.
async fn tell_signals(
    eyes: Arc<Eyes>,
    lines: Arc<[(String, Condition)]>,
    since: Timestamp,
    said: watch::Sender<Vec<ProofLine>>,
) {
    while !said.is_closed() {
        let now = house::ask_lines(&eyes, &lines, since).await;
        said.send_if_modified(|known| {
            let is_new = *known != now;
            *known = now;
            is_new
        });
        sleep(SIGNALS).await;
    }
}
