//! Carries effects out: polls, questions, logs, reloads. Everything that comes
//! of them comes as a message.

mod export;
mod history;
mod names;
mod pages;

use super::assemble::Assembled;
use super::clock::Clock;
use super::config_file::{Following, Signature, Turn, signature};
use super::descriptors;
use super::engine::{AskServer, Engine, Notes};
use super::event_loop::Execute;
use super::first_scrapes::FirstScrapes;
use super::isolate::isolated;
use super::poller::{Order, PollerHandle};
use super::runs::desk::Desk;
use crate::config::discover;
use crate::domain::{AlertsReading, PollError, PollFailure, ServiceName, SourceId, Timestamp};
use crate::metrics::{Memory, Target};
use crate::sources::prometheus::Prometheus;
use crate::sources::{EvaluateRules, Shared, Source, local, logs};
use crate::store::{Answer, Ask, AskError, Effect, Look, Looked, Msg};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::Sender;

/// A service's logs come within this time.
const LOGS: Duration = Duration::from_secs(15);
/// The config file is looked at this often, and read when it has rested.
const LOOK: Duration = Duration::from_secs(2);
/// Messages that wait for the loop; it never lets so many wait.
pub const MESSAGES: usize = 4_096;

/// Starts a fault of the practice environment; says what was done, or why not.
pub type CallFault = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// What the program can do to the world.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    clock: Clock,
    out: Sender<Msg>,
    poller: PollerHandle,
    engine: Engine,
    first: FirstScrapes,
    /// What is scraped, which commands print logs, and the metrics server: all
    /// that a reload changes.
    made: Arc<Mutex<Made>>,
    path: PathBuf,
    /// A reload does not change it: what was armed for one environment must
    /// never act on another.
    environment: String,
    practice: Option<CallFault>,
    /// Where wishes about runs go; nowhere unless a console has said so.
    runs: OnceLock<Desk>,
    /// Where files are written that the operator asks for.
    exports: OnceLock<PathBuf>,
    /// Names for who types an expression.
    names: names::Lookup,
}

struct Made {
    /// To be looked at closer.
    sources: HashMap<SourceId, Arc<dyn Source>>,
    targets: HashMap<SourceId, Target>,
    logs: HashMap<ServiceName, String>,
    shared: Arc<Shared>,
    server: Option<Arc<Prometheus>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl World {
    /// Starts poller and engine, and polls all sources. Needs a tokio runtime.
    /// The engine's thread ends with the last handle.
    pub fn start(
        assembled: Assembled,
        clock: Clock,
        out: Sender<Msg>,
        practice: Option<CallFault>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let limits = assembled.limits();
        descriptors::make_room_for(assembled.sources.len());
        let Assembled { path, config, sources, targets, logs, server, shared, .. } = assembled;
        let by_id = by_id(&sources);
        let first = FirstScrapes::default();
        first.expect(targets.keys().cloned());
        let sharing = Arc::clone(&shared);
        let made = Made { sources: by_id, targets, logs, shared, server };
        let made = Arc::new(Mutex::new(made));
        let (pages, poller_task, poller) = pages::poller(clock, config.poll.in_flight, out.clone());
        let ask = ask_server(made.clone());
        let (engine, thread) = Engine::start(Memory::new(limits), limits, Some(ask), out.clone())?;
        let world = Self(Arc::new(Inner {
            clock,
            out,
            poller,
            engine,
            first,
            made,
            path,
            environment: config.environment,
            practice,
            runs: OnceLock::new(),
            exports: OnceLock::new(),
            names: names::Lookup::default(),
        }));
        world.let_ask(&sharing);
        tokio::spawn(poller_task.run());
        tokio::spawn(pages::read(world.clone(), pages));
        world.0.poller.order(Order::Sources(sources));
        Ok((world, thread))
    }

    /// Lets sources ask the engine. They hold nothing of the world: it is them
    /// who are held.
    fn let_ask(&self, shared: &Shared) {
        let world = Arc::downgrade(&self.0);
        shared.set_embedded(Arc::new(move |ask| {
            let world = world.upgrade().map(Self);
            Box::pin(async move { world?.answer(ask).await })
        }));
        let world = Arc::downgrade(&self.0);
        shared.set_rules(Arc::new(move |rules| {
            let world = world.upgrade().map(Self);
            Box::pin(async move { world?.evaluate_rules(rules).await })
        }));
    }

    /// Answers once all that is scraped was scraped, from the newest samples.
    async fn answer(self, ask: Ask) -> Option<Arc<Answer>> {
        self.0.first.all().await;
        let at = ask.at.max(self.0.clock.now());
        self.0.engine.answer(Ask { at, ..ask }).await
    }

    /// Evaluates rules once all that is scraped was scraped.
    async fn evaluate_rules(self, rules: EvaluateRules) -> Option<AlertsReading> {
        self.0.first.all().await;
        let now = rules.now.max(self.0.clock.now());
        self.0.engine.evaluate_rules(EvaluateRules { now, ..rules }).await
    }

    /// From now on wishes about runs go there.
    pub fn serve_runs(&self, desk: Desk) {
        // Only one console is ever in front of it.
        let _ = self.0.runs.set(desk);
    }

    /// The engine, to be given or asked for its memory.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Reads the config anew whenever its file has changed and rests again,
    /// and says when the file is gone and when it is back.
    pub async fn follow_config(self) {
        let mut following = Following::from(self.look_at_config().await);
        loop {
            tokio::time::sleep(LOOK).await;
            let look = self.look_at_config().await;
            if let Some(turn) = following.look(look) {
                self.config_turned(turn).await;
            }
        }
    }

    async fn config_turned(&self, turn: Turn) {
        let path = self.0.path.display();
        let (text, bad) = match turn {
            Turn::Changed => return self.reload().await,
            Turn::Gone(why) => (format!("{why}, the old config stays: {path}"), true),
            Turn::Back => (format!("the config file is back, unchanged: {path}"), false),
        };
        tracing::info!(text, "config file");
        self.tell(Msg::Said { text, bad }).await;
    }

    async fn look_at_config(&self) -> Result<Signature, String> {
        let path = self.0.path.clone();
        let looked = tokio::task::spawn_blocking(move || signature(&path)).await;
        looked.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn reload(&self) {
        let path = self.0.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let found = discover::read(&path).map_err(|error| error.to_string())?;
            Assembled::of(&found, false).map_err(|mistakes| mistakes.in_one_line)
        });
        let assembled = match read.await {
            Ok(Ok(assembled)) => Ok(assembled),
            Ok(Err(words)) => Err(words),
            Err(error) => Err(error.to_string()),
        };
        let result = assembled.and_then(|assembled| {
            if assembled.config.environment == self.0.environment {
                Ok(assembled)
            } else {
                Err(format!(
                    "this console watches {}, and the config now says {}: start another one for that",
                    self.0.environment, assembled.config.environment
                ))
            }
        });
        match result {
            Ok(assembled) => self.apply(assembled).await,
            Err(words) => self.tell(Msg::Reloaded(Err(words))).await,
        }
    }

    async fn apply(&self, assembled: Assembled) {
        descriptors::make_room_for(assembled.sources.len());
        let Assembled { config, inventory, sources, targets, logs, server, shared, .. } = assembled;
        let now = self.0.clock.now();
        let by_id = by_id(&sources);
        self.let_ask(&shared);
        let made = Made { sources: by_id, targets, logs, shared, server };
        let old = std::mem::replace(&mut *self.made(), made);
        self.0.names.forget();
        let targets = self.made().targets.clone();
        self.0.first.retain(|source| targets.contains_key(source));
        let is_new = |(id, target): &(SourceId, Target)| old.targets.get(id) != Some(target);
        self.0.first.expect(targets.clone().into_iter().filter(is_new).map(|(id, _)| id));
        let kept: HashSet<Target> = targets.into_values().collect();
        for target in old.targets.into_values().filter(|target| !kept.contains(target)) {
            self.0.engine.forget_target(target, now);
        }
        let has_rules = |source: &Arc<dyn Source>| source.info().kind == local::KIND;
        if !sources.iter().any(has_rules) {
            // Rules that the config names no more are evaluated no more.
            let engine = self.0.engine.clone();
            let none = EvaluateRules { book: Arc::default(), now };
            alone(async move { drop(engine.evaluate_rules(none).await) });
        }
        if let Some(runs) = self.0.runs.get() {
            runs.reloaded(config);
        }
        self.tell(Msg::Reloaded(Ok(inventory))).await;
        self.0.poller.order(Order::Sources(sources));
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, msg: Msg) {
        // Nobody listens any more when the program is ending.
        let _ = self.0.out.send(msg).await;
    }

    async fn read_logs(self, service: ServiceName) {
        let (command, secrets) = {
            let made = self.made();
            (made.logs.get(&service).cloned(), made.shared.secrets())
        };
        let lines = match command {
            Some(command) => logs::read(&command, LOGS, &secrets).await.map(Arc::from),
            None => Err(format!("{service} has no `logs` command in the config")),
        };
        self.tell(Msg::LogsRead { service, lines }).await;
    }

    /// A closer look takes as long as it takes: the source bounds it.
    async fn look(self, source: SourceId, look: Look) {
        let asked = self.made().sources.get(&source).cloned();
        // Whoever asked is told how it ended, even if by a mistake.
        let looking = isolated(async {
            let looks = asked.as_ref().and_then(|asked| asked.look(&look, self.0.clock.now()))?;
            Some(looks.await)
        });
        let outcome = match looking.await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                Err(PollError::new(PollFailure::Absent, "there is nothing closer to look at"))
            }
            Err(words) => Err(PollError::broken(format!("this look has a mistake: {words}"))),
        };
        let at = self.0.clock.now();
        self.tell(Msg::Looked(Looked { source, look, at, outcome })).await;
    }

    async fn call_fault(self, name: String) {
        let Some(call) = self.0.practice.clone() else {
            let text = "faults are for the practice environment: opsroom demo".to_owned();
            return self.tell(Msg::Said { text, bad: true }).await;
        };
        let called = tokio::task::spawn_blocking(move || call(&name)).await;
        let (text, bad) = match called {
            Ok(Ok(text)) => (text, false),
            Ok(Err(text)) => (text, true),
            Err(error) => (error.to_string(), true),
        };
        self.tell(Msg::Said { text, bad }).await;
    }
}

impl Execute for World {
    fn execute(&mut self, effect: Effect, _now: Timestamp) {
        let world = self.clone();
        match effect {
            Effect::PollNow(source) => self.0.poller.order(Order::Now(source)),
            Effect::PollAgain { source, after } => {
                self.0.poller.order(Order::Again(source, after));
            }
            Effect::PollAll => self.0.poller.order(Order::All),
            Effect::Ask(ask) => self.0.engine.ask(ask),
            Effect::StopAsking(id) => self.0.engine.stop(&id),
            Effect::Complete(ask) => self.complete(ask),
            Effect::Export(export) => alone(world.export(export)),
            Effect::Look { source, look } => alone(world.look(source, look)),
            Effect::ReadLogs(service) => alone(world.read_logs(service)),
            Effect::Runs(effect) => {
                if let Some(runs) = self.0.runs.get() {
                    runs.execute(effect);
                }
            }
            Effect::Copy(text) => alone(copy_into_tmux(text)),
            Effect::Practice(name) => alone(world.call_fault(name)),
            Effect::Reload => alone(async move { world.reload().await }),
            // The loop itself sees to these.
            Effect::Suspend | Effect::Redraw | Effect::Quit => {}
        }
    }
}

fn by_id(sources: &[Arc<dyn Source>]) -> HashMap<SourceId, Arc<dyn Source>> {
    sources.iter().map(|source| (source.info().id.clone(), Arc::clone(source))).collect()
}

/// Lets a task go on by itself; its panic ends nothing else.
fn alone(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(words) = isolated(task).await {
            tracing::error!(words, "a task has panicked");
        }
    });
}

/// Asks whatever metrics server the config names by now.
fn ask_server(made: Arc<Mutex<Made>>) -> AskServer {
    Arc::new(move |ask: Ask| {
        let server = made.lock().unwrap_or_else(PoisonError::into_inner).server.clone();
        Box::pin(async move {
            let Some(server) = server else {
                let message =
                    "no metrics server is set: add `prometheus = \"http://…\"` to the config";
                return (Err(AskError { message: message.into(), span: None }), Notes::default());
            };
            let answer = match ask.range {
                None => server.instant(&ask.expr, ask.at).await,
                Some(range) => {
                    server.range(&ask.expr, ask.at - range.length, ask.at, range.step).await
                }
            };
            match answer.outcome {
                Ok(told) => (Ok(told.data), Notes { warnings: told.warnings, infos: told.infos }),
                Err(error) => (Err(error), Notes::default()),
            }
        })
    })
}

/// Beside the terminal's own clipboard, tmux keeps a copy and hands it on.
async fn copy_into_tmux(text: String) {
    if std::env::var_os("TMUX").is_none() {
        return;
    }
    let spawned = tokio::process::Command::new("tmux")
        .args(["load-buffer", "-w", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = spawned else { return };
    if let Some(mut into) = child.stdin.take() {
        // The terminal has got the text already, by its own way.
        let _ = into.write_all(text.as_bytes()).await;
    }
    let _ = tokio::time::timeout(Duration::from_secs(2), child.wait()).await;
}

#[cfg(test)]
mod tests;
