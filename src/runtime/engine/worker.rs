//! The worker: it owns the sample memory, reads pages, evaluates rules and questions.

use super::super::clock;
use super::super::isolate::isolated_call;
use super::rules::Rules;
use super::{BATCH, Notes, answered, told, written};
use crate::domain::{AlertsReading, EngineKind, PollError, ScrapeReading, Timestamp};
use crate::metrics::memory::{Limits as MemoryLimits, Memory, Target};
use crate::metrics::promql::{self, Annotation, Expr, ParseError};
use crate::metrics::{Coverage, Data, coverage, seen_from};
use crate::rules::Earlier;
use crate::sources::{EvaluateRules, Page};
use crate::store::{Answer, Answered, Ask, AskError, AskId, Msg};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Parsed expressions that are kept; a screen has some dozens.
const EXPRESSIONS_KEPT: usize = 1_024;
/// How long an evaluation may take.
const LONGEST: Duration = Duration::from_secs(10);
/// How long it may take once a scraped page waits for its end.
const LONGEST_IN_THE_WAY: Duration = Duration::from_secs(3);

/// The question that is being evaluated, and the flag that stops it.
pub(super) type Current = Arc<Mutex<Option<(AskId, Arc<AtomicBool>)>>>;

/// What the worker is given to do.
pub(super) enum Job {
    Page { target: Target, page: Page, at: Timestamp, reply: oneshot::Sender<Read> },
    Failed { target: Target, took: Duration, at: Timestamp },
    Forget { target: Target, at: Timestamp },
    Expire { now: Timestamp },
    Ask(Ask),
    Stop(AskId),
    Question { ask: Ask, reply: oneshot::Sender<Arc<Answer>> },
    With(Box<dyn FnOnce(&mut Memory) + Send>),
    TakeUp(Box<dyn FnOnce(&mut Memory) -> Earlier + Send>),
    Rules { rules: EvaluateRules, reply: oneshot::Sender<AlertsReading> },
}

/// What became of a page.
pub(super) type Read = Result<ScrapeReading, PollError>;

/// An expression, and the label that its answer is split by.
type Question = (Arc<str>, Option<Arc<str>>);

pub(super) struct Worker {
    pub(super) memory: Memory,
    limits: MemoryLimits,
    expressions: HashMap<Question, Result<Arc<Expr>, ParseError>>,
    pub(super) asks: VecDeque<Ask>,
    pub(super) current: Current,
    pub(super) waiting: Arc<AtomicUsize>,
    out: mpsc::Sender<Msg>,
    rules: Rules,
    /// The moment that rules are evaluated at next.
    rules_at: Option<Timestamp>,
    /// Who waits for what the rules say.
    rules_asked: Vec<oneshot::Sender<AlertsReading>>,
}

impl Worker {
    pub(super) fn new(memory: Memory, limits: MemoryLimits, out: mpsc::Sender<Msg>) -> Self {
        Self {
            memory,
            limits,
            expressions: HashMap::new(),
            asks: VecDeque::new(),
            current: Current::default(),
            waiting: Arc::default(),
            out,
            rules: Rules::default(),
            rules_at: None,
            rules_asked: Vec::new(),
        }
    }

    pub(super) fn run(mut self, inbox: &Receiver<Job>) {
        while let Ok(job) = inbox.recv() {
            self.take(job);
            let mut answers = Vec::new();
            loop {
                // Pages first: what is asked is answered from the newest samples.
                while let Ok(job) = inbox.try_recv() {
                    self.take(job);
                }
                let ask = self.asks.pop_front();
                // Between two rules pages are read and questions answered.
                let more = self.evaluate_rule();
                let Some(ask) = ask else {
                    if more {
                        continue;
                    }
                    break;
                };
                answers.extend(self.answer(ask));
                if answers.len() >= BATCH && !self.deliver(&mut answers) {
                    return;
                }
            }
            if !answers.is_empty() && !self.deliver(&mut answers) {
                return;
            }
        }
    }

    fn deliver(&self, answers: &mut Vec<Answered>) -> bool {
        self.out.blocking_send(Msg::Answered(std::mem::take(answers))).is_ok()
    }

    pub(super) fn take(&mut self, job: Job) {
        match job {
            Job::Page { target, page, at, reply } => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                // Nobody waits any more when the poll was given up.
                let _ = reply.send(self.read(&target, &page, at));
                self.came(&target, at);
            }
            Job::Failed { target, took, at } => {
                self.memory.target_failed(&target, took, at);
                self.came(&target, at);
            }
            Job::Rules { rules, reply } => {
                self.rules.install(&rules.book, &mut self.memory, rules.now);
                self.rules_at(rules.now);
                self.rules_asked.push(reply);
            }
            Job::Forget { target, at } => self.memory.forget_target(&target, at),
            Job::Expire { now } => self.memory.expire(now),
            Job::With(work) => {
                let memory = &mut self.memory;
                if let Err(words) = isolated_call(|| work(memory)) {
                    tracing::error!(words, "the memory could not be worked on");
                }
            }
            Job::TakeUp(work) => {
                let memory = &mut self.memory;
                match isolated_call(|| work(memory)) {
                    Ok(earlier) => self.rules.earlier = earlier,
                    Err(words) => tracing::error!(words, "what was kept is not taken up"),
                }
            }
            Job::Question { ask, reply } => {
                if let Some(answered) = self.answer(ask) {
                    let _ = reply.send(answered.answer);
                }
            }
            Job::Stop(id) => self.asks.retain(|ask| ask.id != id),
            Job::Ask(ask) => {
                self.asks.retain(|older| older.id != ask.id);
                self.asks.push_back(ask);
            }
        }
    }

    /// Samples of a target have come: rules look at them.
    fn came(&mut self, target: &Target, at: Timestamp) {
        self.rules.scraped(target);
        self.rules_at(at);
    }

    fn rules_at(&mut self, at: Timestamp) {
        // Scrapes begin before those that ended meanwhile; a clock that was set
        // back for good is followed.
        let late = |known: Timestamp| known.since(at) < Duration::from_mins(1);
        self.rules_at =
            Some(self.rules_at.filter(|known| late(*known)).map_or(at, |it| it.max(at)));
    }

    /// Evaluates one rule that is due; whether there was one. Once there is
    /// none, whoever waits is told what they say.
    fn evaluate_rule(&mut self) -> bool {
        let Some(at) = self.rules_at else { return false };
        let waiting = Arc::clone(&self.waiting);
        let limits = || promql::Limits {
            check: Some(too_long(Arc::clone(&waiting))),
            ..promql::Limits::default()
        };
        let (rules, memory) = (&mut self.rules, &mut self.memory);
        let stepped = catch_unwind(AssertUnwindSafe(|| rules.step(memory, at, limits)));
        let more = stepped.unwrap_or_else(|_| {
            let rule = self.rules.failed();
            tracing::error!(rule, "the evaluation of a rule failed");
            true
        });
        if !more {
            for asked in self.rules_asked.drain(..) {
                // Nobody waits any more when the poll was given up.
                let _ = asked.send(self.rules.reading());
            }
        }
        more
    }

    fn read(&mut self, target: &Target, page: &Page, at: Timestamp) -> Read {
        let memory = &mut self.memory;
        let read = catch_unwind(AssertUnwindSafe(|| {
            memory.take_page(target, &page.content_type, &page.body, page.took, at)
        }));
        match read {
            Ok(Ok(summary)) => {
                let since = self.memory.first_scrape(target.job());
                let reading = summary.to_reading(page.body.len() as u64, page.took);
                Ok(ScrapeReading { since, ..reading })
            }
            Ok(Err(unusable)) => Err(PollError::broken(unusable.to_string())),
            Err(_) => {
                // A memory that was left half-written must not be asked.
                tracing::error!(
                    instance = target.instance(),
                    "the page could not be read; memory emptied"
                );
                self.memory = Memory::new(self.limits);
                self.rules.forget();
                Err(PollError::broken("opsroom failed on this page; its samples so far are lost"))
            }
        }
    }

    /// The answer, unless a newer question has taken this one's place.
    pub(super) fn answer(&mut self, ask: Ask) -> Option<Answered> {
        if ask.engine == EngineKind::Server {
            // There is no server: the question carries the reason.
            let outcome = Err(AskError { message: ask.expr.to_string(), span: None });
            return Some(answered(ask, outcome, Coverage::Whole, Notes::default(), Duration::ZERO));
        }
        let stop = Arc::new(AtomicBool::new(false));
        *self.current() = Some((ask.id.clone(), Arc::clone(&stop)));
        let began = clock::instant();
        let evaluated = catch_unwind(AssertUnwindSafe(|| self.evaluate(&ask, &stop)));
        *self.current() = None;
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let (outcome, coverage, notes) = evaluated.unwrap_or_else(|_| {
            tracing::error!(expr = &*ask.expr, "the evaluation failed");
            let message = "opsroom failed on this expression".to_owned();
            (Err(AskError { message, span: None }), Coverage::Whole, Notes::default())
        });
        Some(answered(ask, outcome, coverage, notes, began.elapsed()))
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<(AskId, Arc<AtomicBool>)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn evaluate(
        &mut self,
        ask: &Ask,
        stop: &Arc<AtomicBool>,
    ) -> (Result<Data, AskError>, Coverage, Notes) {
        let expr = match self.parsed(ask) {
            Ok(expr) => expr,
            Err(wrong) => return (Err(wrong), Coverage::Whole, Notes::default()),
        };
        let limits = promql::Limits {
            stop: Some(Arc::clone(stop)),
            check: Some(too_long(Arc::clone(&self.waiting))),
            ..promql::Limits::default()
        };
        let evaluated = match ask.range {
            None => promql::instant(&expr, &self.memory, ask.at, &limits),
            Some(range) => {
                let start = ask.at - range.length;
                promql::range(&expr, &self.memory, start, ask.at, range.step, &limits)
            }
        };
        let coverage = match ask.range {
            // A chart shows where nothing was seen; only a judgement needs the whole window.
            Some(range) => {
                let firsts = |job: Option<&str>| match job {
                    Some(job) => self.memory.first_scrape(job),
                    None => self.memory.first_scrapes().into_values().min(),
                };
                let seen = seen_from(&expr, &firsts).map(|from| ask.at.since(from));
                match seen.filter(|seen| *seen < range.length) {
                    Some(seen) => Coverage::Partial { seen, wanted: range.length },
                    None => Coverage::Whole,
                }
            }
            None => coverage(&expr, ask.at, &|job| match job {
                Some(job) => self.memory.first_scrape(job),
                None => self.memory.first_scrapes().into_values().max(),
            }),
        };
        match evaluated {
            Ok(found) => {
                let text = written(ask).unwrap_or_default();
                let placed = |all: &[Annotation]| all.iter().map(|one| one.placed(&text)).collect();
                let notes =
                    Notes { warnings: placed(&found.warnings), infos: placed(&found.infos) };
                (Ok(found.data), coverage, notes)
            }
            Err(failed) => {
                let span = Some((failed.span.start, failed.span.end));
                (Err(AskError { message: failed.message, span }), coverage, Notes::default())
            }
        }
    }

    fn parsed(&mut self, ask: &Ask) -> Result<Arc<Expr>, AskError> {
        if self.expressions.len() >= EXPRESSIONS_KEPT {
            self.expressions.clear();
        }
        let parsed = self
            .expressions
            .entry((Arc::clone(&ask.expr), ask.split.clone()))
            .or_insert_with(|| promql::parse(&written(ask)?).map(Arc::new));
        parsed.clone().map_err(|wrong| told(&wrong))
    }
}

/// Ends an evaluation that takes too long from now on, sooner where pages wait for it.
fn too_long(waiting: Arc<AtomicUsize>) -> promql::Check {
    let began = clock::instant();
    promql::Check::new(move || {
        let took = began.elapsed();
        let in_the_way = waiting.load(Ordering::Relaxed) > 0;
        let (longest, why) = if in_the_way {
            (LONGEST_IN_THE_WAY, " while scraped pages waited for it")
        } else {
            (LONGEST, "")
        };
        (took > longest).then(|| {
            let longest = longest.as_secs();
            format!(
                "the query took longer than {longest} s{why} and was ended; select fewer series, a shorter time or a longer step"
            )
        })
    })
}
