//! One look without a screen: the same poller, engine and rules as the
//! console's, within a deadline. For `glance`, `validate --live` and `query`.

use super::assemble::Assembled;
use super::clock::{self, Clock};
use super::descriptors;
use super::engine::Engine;
use super::event_loop::Execute;
use super::first_scrapes::FirstScrapes;
use super::kept::KeptFiles;
use super::poller::{Order, PollEnd, Poller};
use super::world::{MESSAGES, World};
use crate::domain::{Mark, PollError, PollFailure, Role, SourceId, Timestamp, units};
use crate::metrics::Memory;
use crate::sources::{Brought, EvaluateRules};
use crate::store::{Answer, Ask, AskId, Effect, Known, Msg, Polled};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Of the deadline, scraped pages are waited for so long together: a rate is
/// judged on all targets or on those that answered in time.
const FOR_PAGES: f64 = 0.6;

/// Asks everything afresh and says what is known when all has answered and is
/// confirmed, or when the deadline is over. `kept` is where a
/// console keeps its samples; the backups of the data sets that are `spared`
/// are not looked at.
pub fn look(
    assembled: Assembled,
    kept: Option<KeptFiles>,
    deadline: Duration,
    spared: &BTreeSet<String>,
) -> std::io::Result<Known> {
    look_on(assembled, kept, deadline, spared, |_| None)
}

/// The same, and goes on while `longer` says so of what is known: for as long
/// as it said first.
pub fn look_on(
    assembled: Assembled,
    kept: Option<KeptFiles>,
    deadline: Duration,
    spared: &BTreeSet<String>,
    longer: impl Fn(&Known) -> Option<Duration>,
) -> std::io::Result<Known> {
    let runtime = runtime()?;
    let known = runtime.block_on(async {
        let clock = Clock::Wall;
        let (out, mut messages) = mpsc::channel(MESSAGES);
        let limits = assembled.limits();
        let known = Known::new(assembled.inventory.clone(), clock.now());
        let only = assembled
            .only(|info| !matches!(info.role, Role::Backup(_)) || !spared.contains(&info.label));
        let asked = only.sources.iter().map(|source| source.info().id.clone()).collect();
        let (world, _engine) = World::start(only, clock, out, None)?;
        if let Some(kept) = kept {
            world.take_up(kept, limits);
        }
        let mut look = Look::of(known, world, clock, deadline, asked);
        look.until_known(&mut messages).await;
        look.until_enough(&mut messages, longer).await;
        Ok(look.known)
    });
    // Nothing that still hangs is waited for.
    runtime.shutdown_background();
    known
}

/// Asks each source once; what has not ended at the deadline is told as such.
pub fn poll_once(assembled: &Assembled, deadline: Duration) -> std::io::Result<Vec<PollEnd>> {
    let runtime = runtime()?;
    let ends = runtime.block_on(polled_once(assembled, deadline));
    runtime.shutdown_background();
    ends
}

/// Asks one question: over what a console kept and one fresh scrape of each
/// target, or of the metrics server.
pub fn ask_once(
    assembled: Assembled,
    kept: Option<KeptFiles>,
    ask: Ask,
    deadline: Duration,
) -> std::io::Result<Option<Arc<Answer>>> {
    asked(assembled, kept, ask, deadline, true)
}

/// The same about the moment that the question names, without a fresh scrape:
/// that would tell of now.
pub fn ask_at(
    assembled: Assembled,
    kept: Option<KeptFiles>,
    ask: Ask,
    deadline: Duration,
) -> std::io::Result<Option<Arc<Answer>>> {
    asked(assembled, kept, ask, deadline, false)
}

fn asked(
    assembled: Assembled,
    kept: Option<KeptFiles>,
    ask: Ask,
    deadline: Duration,
    fresh: bool,
) -> std::io::Result<Option<Arc<Answer>>> {
    let runtime = runtime()?;
    let answer = runtime.block_on(async {
        let clock = Clock::Wall;
        let over = clock::instant() + deadline;
        let (out, mut messages) = mpsc::channel(MESSAGES);
        let limits = assembled.limits();
        let mut scraped: BTreeSet<SourceId> = match ask.engine {
            crate::domain::EngineKind::Server => BTreeSet::new(),
            crate::domain::EngineKind::Embedded if !fresh => BTreeSet::new(),
            crate::domain::EngineKind::Embedded => scraped(&assembled.inventory.sources),
        };
        let only = assembled.only(|info| scraped.contains(&info.id));
        let (world, _engine) = World::start(only, clock, out, None)?;
        if let Some(kept) = kept {
            world.take_up(kept, limits);
        }
        while !scraped.is_empty() {
            match tokio::time::timeout_at(over, messages.recv()).await {
                Ok(Some(Msg::Polled(polls))) => {
                    for polled in polls {
                        scraped.remove(&polled.source);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        // Fresh samples are of a moment after the question was typed.
        let at = if fresh { ask.at.max(clock.now()) } else { ask.at };
        world.engine().ask(Ask { at, ..ask });
        let wait = over.max(clock::instant() + Duration::from_secs(1));
        loop {
            match tokio::time::timeout_at(wait, messages.recv()).await {
                Ok(Some(Msg::Answered(answers))) => {
                    return Ok(answers.into_iter().next().map(|answered| answered.answer));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    });
    runtime.shutdown_background();
    answer
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(16).build()
}

fn scraped(sources: &[crate::domain::SourceInfo]) -> BTreeSet<SourceId> {
    let scraped = sources.iter().filter(|info| matches!(info.role, Role::Scrape { .. }));
    scraped.map(|info| info.id.clone()).collect()
}

async fn polled_once(assembled: &Assembled, deadline: Duration) -> std::io::Result<Vec<PollEnd>> {
    let clock = Clock::Wall;
    let pages = Pages::of(assembled, clock)?;
    descriptors::make_room_for(assembled.sources.len());
    let over = clock::instant() + deadline;
    let (sender, mut ends) = mpsc::unbounded_channel();
    let deliver = move |ends: Vec<PollEnd>| {
        for end in ends {
            // Nobody listens any more after the deadline.
            let _ = sender.send(end);
        }
    };
    let (poller, handle) = Poller::new(clock, assembled.config.poll.in_flight, Box::new(deliver));
    tokio::spawn(poller.run());
    handle.order(Order::Sources(assembled.sources.clone()));
    let begun = clock.now();
    let mut found: HashMap<SourceId, PollEnd> = HashMap::new();
    while found.len() < assembled.sources.len() {
        match tokio::time::timeout_at(over, ends.recv()).await {
            Ok(Some(end)) => {
                pages.take(assembled, &end).await;
                found.entry(end.source.clone()).or_insert(end);
            }
            Ok(None) | Err(_) => break,
        }
    }
    let infos = assembled.sources.iter().map(|source| source.info());
    let ends = infos
        .map(|info| {
            found.remove(&info.id).unwrap_or_else(|| PollEnd {
                source: info.id.clone(),
                role: info.role.clone(),
                taken: begun,
                next: begun,
                took: deadline,
                late: Duration::ZERO,
                outcome: Err(PollError::new(
                    PollFailure::Timeout,
                    format!("no answer within {}", units::duration(deadline)),
                )) as Result<Brought, PollError>,
            })
        })
        .collect();
    Ok(ends)
}

/// What one poll of each target scrapes, for sources that ask PromQL.
struct Pages {
    engine: Engine,
    first: Arc<FirstScrapes>,
}

impl Pages {
    fn of(assembled: &Assembled, clock: Clock) -> std::io::Result<Self> {
        let limits = assembled.limits();
        // Nothing but readings is told, and nothing of these to a loop.
        let (out, _) = mpsc::channel(1);
        let (engine, _thread) = Engine::start(Memory::new(limits), limits, None, out)?;
        let first = Arc::<FirstScrapes>::default();
        first.expect(assembled.targets.keys().cloned());
        let pages = Self { engine: engine.clone(), first: Arc::clone(&first) };
        assembled.shared.set_embedded(Arc::new(move |ask| {
            let (engine, first) = (engine.clone(), Arc::clone(&first));
            Box::pin(async move {
                first.all().await;
                engine.answer(Ask { at: ask.at.max(clock.now()), ..ask }).await
            })
        }));
        let (engine, first) = (pages.engine.clone(), Arc::clone(&pages.first));
        assembled.shared.set_rules(Arc::new(move |rules| {
            let (engine, first) = (engine.clone(), Arc::clone(&first));
            Box::pin(async move {
                first.all().await;
                let now = rules.now.max(clock.now());
                engine.evaluate_rules(EvaluateRules { now, ..rules }).await
            })
        }));
        Ok(pages)
    }

    async fn take(&self, assembled: &Assembled, end: &PollEnd) {
        let Some(target) = assembled.targets.get(&end.source).cloned() else { return };
        match &end.outcome {
            Ok(Brought::Page(page)) => {
                // Whether it can be read is told by whoever shows it.
                let _ = self.engine.take_page(target, page.clone(), end.taken).await;
            }
            Ok(Brought::Reading(_)) => {}
            Err(_) => self.engine.target_failed(target, end.took, end.taken),
        }
        self.first.ended(&end.source);
    }
}

/// A look at everything, as it goes on.
struct Look {
    known: Known,
    world: World,
    clock: Clock,
    deadline: Duration,
    over: Instant,
    pages_until: Instant,
    /// Not polled yet.
    unpolled: BTreeSet<SourceId>,
    /// Scraped, and not there yet.
    unscraped: BTreeSet<SourceId>,
    /// Scraped pages that wait for the others.
    pages: Vec<Polled>,
    /// Asked, and not answered yet.
    unanswered: BTreeSet<AskId>,
    /// Signals are asked from the first tick on, after the pages.
    ticking: bool,
}

impl Look {
    fn of(
        known: Known,
        world: World,
        clock: Clock,
        deadline: Duration,
        asked: BTreeSet<SourceId>,
    ) -> Self {
        let begun = clock::instant();
        Self {
            unscraped: scraped(&known.inventory.sources),
            unpolled: asked,
            pages: Vec::new(),
            unanswered: BTreeSet::new(),
            ticking: false,
            deadline,
            over: begun + deadline,
            pages_until: begun + deadline.mul_f64(FOR_PAGES),
            known,
            world,
            clock,
        }
    }

    async fn until_known(&mut self, messages: &mut mpsc::Receiver<Msg>) {
        let mut next_tick = clock::instant() + Duration::from_secs(1);
        loop {
            let now = clock::instant();
            if !self.ticking && (self.unscraped.is_empty() || now >= self.pages_until) {
                self.ticking = true;
                let pages = std::mem::take(&mut self.pages);
                self.take(&Msg::Polled(pages));
                self.take(&Msg::Ticked);
            }
            if self.is_done() {
                return;
            }
            if now >= self.over {
                return self.give_up_backups();
            }
            let wake = if self.ticking { next_tick } else { self.pages_until };
            match tokio::time::timeout_at(wake.min(self.over), messages.recv()).await {
                Ok(Some(msg)) => self.hear(msg),
                Ok(None) => return,
                Err(_) if self.ticking => {
                    next_tick = clock::instant() + Duration::from_secs(1);
                    self.take(&Msg::Ticked);
                }
                Err(_) => {}
            }
        }
    }

    /// Goes on as a console does, while more is wanted.
    async fn until_enough(
        &mut self,
        messages: &mut mpsc::Receiver<Msg>,
        longer: impl Fn(&Known) -> Option<Duration>,
    ) {
        let Some(limit) = longer(&self.known) else { return };
        self.over = clock::instant() + limit;
        let mut next_tick = clock::instant();
        while clock::instant() < self.over && longer(&self.known).is_some() {
            match tokio::time::timeout_at(next_tick.min(self.over), messages.recv()).await {
                Ok(Some(msg)) => self.hear(msg),
                Ok(None) => return,
                Err(_) => {
                    next_tick = clock::instant() + Duration::from_secs(1);
                    self.take(&Msg::Ticked);
                }
            }
        }
    }

    /// A look at backups may take longer than anybody waits here: that is told.
    fn give_up_backups(&mut self) {
        let at = self.clock.now();
        let deadline = units::duration(self.deadline);
        let unpolled = std::mem::take(&mut self.unpolled);
        let infos = self.known.inventory.sources.iter();
        let late = infos
            .filter(|info| matches!(info.role, Role::Backup(_)) && unpolled.contains(&info.id));
        let polls = late.map(|info| {
            let limit = units::duration(info.timeout);
            let words = format!("no answer within {deadline}, it may take {limit}");
            Polled {
                source: info.id.clone(),
                taken: at,
                next: at,
                took: self.deadline,
                late: Duration::ZERO,
                outcome: Err(PollError::new(PollFailure::Timeout, words)),
            }
        });
        let polls = polls.collect();
        self.take(&Msg::Polled(polls));
    }

    fn hear(&mut self, msg: Msg) {
        match msg {
            Msg::Polled(polls) => {
                let mut now = Vec::new();
                for polled in polls {
                    self.unpolled.remove(&polled.source);
                    let is_page = self.unscraped.remove(&polled.source);
                    if is_page && !self.ticking {
                        self.pages.push(polled);
                    } else {
                        now.push(polled);
                    }
                }
                self.take(&Msg::Polled(now));
            }
            Msg::Answered(answers) => {
                for answered in &answers {
                    self.unanswered.remove(&answered.id);
                }
                self.take(&Msg::Answered(answers));
            }
            other => self.take(&other),
        }
    }

    fn take(&mut self, msg: &Msg) {
        let at: Timestamp = self.clock.now();
        for effect in self.known.take(at, msg) {
            if let Effect::Ask(ask) = &effect {
                self.unanswered.insert(ask.id.clone());
            }
            self.world.execute(effect, at);
        }
    }

    /// Everything was asked and has answered, and nothing is being asked again.
    fn is_done(&self) -> bool {
        let confirming = |mark: Option<Mark>| matches!(mark, Some(Mark::Confirming { .. }));
        self.ticking
            && self.unpolled.is_empty()
            && self.unanswered.is_empty()
            && !self.known.checks.values().any(|check| confirming(check.standing.mark))
            && !self.known.sources.values().any(|source| confirming(source.standing.mark))
    }
}

#[cfg(test)]
mod tests;
