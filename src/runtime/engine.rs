//! The metrics engines: one worker thread that owns the sample memory and
//! evaluates over it, and the questions to a metrics server.
//!
//! Nobody waits here for an evaluation: pages and questions go in, readings and
//! answers come out. Of two questions with one id the newer one is answered.

mod rules;
mod server;
mod worker;

use crate::domain::{AlertsReading, EngineKind, PollError, ScrapeReading, Timestamp};
use crate::metrics::memory::{Limits as MemoryLimits, Memory, Target};
use crate::metrics::promql::{self, ParseError};
use crate::metrics::{Coverage, Data};
use crate::rules::Earlier;
use crate::sources::{EvaluateRules, Page};
use crate::store::{Answer, Answered, Ask, AskError, AskId, Msg};
use futures_util::future::BoxFuture;
use server::Server;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use worker::{Current, Job, Worker};

/// Answers that go out together.
const BATCH: usize = 64;

/// What is said beside an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What is likely wrong.
    pub warnings: Vec<String>,
    /// What may be meant otherwise.
    pub infos: Vec<String>,
}

/// What a metrics server said: its data, or why there is none, and what it said beside it.
pub type ServerOutcome = (Result<Data, AskError>, Notes);
/// Asks a metrics server.
pub type AskServer = Arc<dyn Fn(Ask) -> BoxFuture<'static, ServerOutcome> + Send + Sync>;

/// A handle to both engines. The worker ends with the last one.
#[derive(Clone)]
pub struct Engine {
    jobs: Sender<Job>,
    /// The question that is being evaluated, and the flag that stops it.
    current: Current,
    /// How many pages wait to be read.
    waiting: Arc<AtomicUsize>,
    server: Option<Server>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("server", &self.server.is_some()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the worker on `memory`, which is empty or was kept. Answers go to `out`.
    /// Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        memory: Memory,
        limits: MemoryLimits,
        server: Option<AskServer>,
        out: mpsc::Sender<Msg>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, inbox) = channel();
        let current = Current::default();
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut worker = Worker::new(memory, limits, out.clone());
        (worker.current, worker.waiting) = (Arc::clone(&current), Arc::clone(&waiting));
        let thread =
            std::thread::Builder::new().name("engine".into()).spawn(move || worker.run(&inbox))?;
        let server = server.map(|ask| Server::start(ask, out));
        Ok((Self { jobs, current, waiting, server }, thread))
    }

    /// Reads a page of `target`, scraped at `at`, into the memory.
    pub async fn take_page(
        &self,
        target: Target,
        page: Page,
        at: Timestamp,
    ) -> Result<ScrapeReading, PollError> {
        let (reply, read) = oneshot::channel();
        let gone = || PollError::broken("the metrics engine has ended");
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(Job::Page { target, page, at, reply }).map_err(|_| gone())?;
        read.await.map_err(|_| gone())?
    }

    /// A scrape of `target` that began at `at` failed after `took`.
    pub fn target_failed(&self, target: Target, took: Duration, at: Timestamp) {
        self.send(Job::Failed { target, took, at });
    }

    /// `target` is scraped no more.
    pub fn forget_target(&self, target: Target, at: Timestamp) {
        self.send(Job::Forget { target, at });
    }

    /// Lets go of what is older than the memory may hold.
    pub fn expire(&self, now: Timestamp) {
        self.send(Job::Expire { now });
    }

    /// Asks; the answer comes as a message. Another question of the same id
    /// that is not answered yet never will be.
    pub fn ask(&self, ask: Ask) {
        match (ask.engine, &self.server) {
            (EngineKind::Embedded, _) => {
                let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((id, stop)) = &*current
                    && *id == ask.id
                {
                    stop.store(true, Ordering::Relaxed);
                }
                drop(current);
                self.send(Job::Ask(ask));
            }
            (EngineKind::Server, Some(server)) => server.ask(ask),
            (EngineKind::Server, None) => {
                let why = "no metrics server is set: add `prometheus = \"http://…\"` to the config";
                self.send(Job::Ask(Ask { expr: why.into(), ..ask }));
            }
        }
    }

    /// Nobody waits for the answer to this question any more.
    pub fn stop(&self, id: &AskId) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((current, stop)) = &*current
            && current == id
        {
            stop.store(true, Ordering::Relaxed);
        }
        drop(current);
        self.send(Job::Stop(id.clone()));
        if let Some(server) = &self.server {
            server.stop(id);
        }
    }

    /// Has the embedded engine answer whoever waits for it; `None` where it has ended.
    pub async fn answer(&self, ask: Ask) -> Option<Arc<Answer>> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Question { ask, reply }).ok()?;
        answer.await.ok()
    }

    /// Evaluates the rules that are due; what they say then. `None` where the
    /// engine has ended.
    pub async fn evaluate_rules(&self, rules: EvaluateRules) -> Option<AlertsReading> {
        let (reply, reading) = oneshot::channel();
        self.jobs.send(Job::Rules { rules, reply }).ok()?;
        reading.await.ok()
    }

    /// Lets `work` have the memory, after all that was sent before: to take a
    /// kept window up, or to keep one where nobody can wait.
    pub fn with_memory(&self, work: impl FnOnce(&mut Memory) + Send + 'static) {
        self.send(Job::With(Box::new(work)));
    }

    /// Lets `work` take up what another process kept: its samples, and what it
    /// knew of alerts.
    pub fn take_up(&self, work: impl FnOnce(&mut Memory) -> Earlier + Send + 'static) {
        self.send(Job::TakeUp(Box::new(work)));
    }

    fn send(&self, job: Job) {
        // A worker that has ended takes no jobs; the program is ending then.
        let _ = self.jobs.send(job);
    }
}

/// The expression as it is to be evaluated: split where that is asked for.
fn written(ask: &Ask) -> Result<Arc<str>, ParseError> {
    match &ask.split {
        None => Ok(Arc::clone(&ask.expr)),
        Some(label) => promql::split_by(&ask.expr, label).map(Into::into),
    }
}

fn told(wrong: &ParseError) -> AskError {
    AskError { message: wrong.message.clone(), span: Some((wrong.start, wrong.end)) }
}

fn answered(
    ask: Ask,
    outcome: Result<Data, AskError>,
    coverage: Coverage,
    notes: Notes,
    took: Duration,
) -> Answered {
    let id = ask.id.clone();
    let Notes { warnings, infos } = notes;
    Answered { id, answer: Arc::new(Answer { ask, outcome, coverage, warnings, infos, took }) }
}

#[cfg(test)]
mod tests;
