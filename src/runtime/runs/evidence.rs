//! The run's own eyes: its own polls, scrapes and questions of all that its
//! conditions name, with the same poller, engines and rules as a console's.

mod alerts;
mod course;
mod expr;
mod finding;
mod firing;
mod needs;
mod parts;
mod seen;

use super::super::assemble::Assembled;
use super::super::clock::{self, Clock};
use super::super::event_loop::Execute;
use super::super::isolate::isolated;
use super::super::world::{MESSAGES, World};
use crate::domain::alert::ALERT_NAME;
use crate::domain::runs::{Condition, Finding, Holds, Plan, ProofLine};
use crate::domain::{
    EngineKind, Inventory, Reading, Role, ServiceName, Signal, SignalId, SourceId, Status,
    Timestamp,
};
use crate::runbook::Evidence;
use crate::runtime::kept::KeptFiles;
use crate::store::{Ask, AskId, Effect, Known, Msg};
use alerts::{Alerts, Say};
use course::Course;
use expr::{AskEngine, Blind, Question, Says};
use finding::{Part, together};
pub use firing::{Absent, absent};
use futures_util::future::BoxFuture;
use needs::{Needs, Subject, backup_named};
use parts::View;
use seen::Polls;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// A source is not polled out of turn sooner than this after its last poll;
/// a look at backups costs more.
const HURRY_EVERY: Duration = Duration::from_secs(3);
const HURRY_BACKUP_EVERY: Duration = Duration::from_secs(30);
/// An engine's answer comes within this time, or proves nothing.
const ANSWER: Duration = Duration::from_secs(20);

/// What a run sees by itself. It looks as long as this lives.
pub struct Eyes {
    /// What is polled and scraped.
    part: Assembled,
    subject: Subject,
    clock: Clock,
    looking: Mutex<Looking>,
}

/// What was seen since the clock was set last: that it is set anew begins another one.
struct Looking {
    course: Course,
    inner: Arc<Inner>,
    watching: AbortHandle,
}

impl std::fmt::Debug for Eyes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eyes").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

struct Inner {
    clock: Clock,
    subject: Subject,
    seen: Mutex<Seen>,
    ask: AskEngine,
    /// Carries out what the rules want: polls out of turn, questions.
    execute: Box<dyn Fn(Effect, Timestamp) + Send + Sync>,
}

struct Seen {
    known: Known,
    polls: Polls,
    /// The expressions of alerts, as they were told while those fired.
    expressions: BTreeMap<String, String>,
}

impl Eyes {
    /// Begins to poll and scrape what these conditions and the signals of the
    /// run's service need. `kept` is where a console keeps its
    /// samples. Needs a tokio runtime.
    pub fn open(
        assembled: &Assembled,
        plan: &Plan,
        conditions: &[&Condition],
        clock: Clock,
        kept: Option<KeptFiles>,
    ) -> std::io::Result<Self> {
        let subject = Subject { service: plan.service.clone(), alert: plan.alert.clone() };
        let part = assembled.part(needs::reduced(&assembled.inventory, conditions, &subject));
        let course = Course::at(clock.now(), clock::monotonic());
        let (inner, watching) = look(&part, &subject, clock, kept, BTreeMap::new())?;
        let looking = Mutex::new(Looking { course, inner, watching });
        Ok(Self { part, subject, clock, looking })
    }

    /// The signals of the run's service, or its checks where it has none: what
    /// they say at the moment.
    pub fn signals(&self) -> Vec<ProofLine> {
        self.looking().map_or_else(|_| Vec::new(), |(inner, _)| inner.signals())
    }

    /// What is seen, and how the clock goes. Where that was set meanwhile, all is
    /// looked at anew: ages and windows of before cannot be told any more.
    fn looking(&self) -> std::io::Result<(Arc<Inner>, Course)> {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, monotonic) = (self.clock.now(), clock::monotonic());
        if let Some(course) = looking.course.set_since(now, monotonic) {
            tracing::warn!("the clock was set: all is looked at anew");
            let learnt = looking.inner.seen().expressions.clone();
            let (inner, watching) = look(&self.part, &self.subject, self.clock, None, learnt)?;
            *looking = Looking { course, inner, watching };
        }
        Ok((Arc::clone(&looking.inner), looking.course))
    }
}

/// Begins to poll and scrape.
fn look(
    part: &Assembled,
    subject: &Subject,
    clock: Clock,
    kept: Option<KeptFiles>,
    learnt: BTreeMap<String, String>,
) -> std::io::Result<(Arc<Inner>, AbortHandle)> {
    let inventory = Arc::clone(&part.inventory);
    let server = part.server.clone();
    let (out, messages) = mpsc::channel(MESSAGES);
    let (world, _engine) = World::start(part.part(Inventory::clone(&inventory)), clock, out, None)?;
    if let Some(kept) = kept {
        world.take_up(kept, part.limits());
    }
    let engine = world.engine().clone();
    let ask: AskEngine = Arc::new(move |expr, kind, at| {
        let (engine, server) = (engine.clone(), server.clone());
        Box::pin(async move {
            match (kind, server) {
                (EngineKind::Server, Some(server)) => {
                    let answer = server.instant(&expr, at).await;
                    let told = answer.outcome.map_err(|error| error.message)?;
                    Ok((told.data, crate::store::Coverage::Whole))
                }
                (EngineKind::Server, None) => Err("no metrics server is set".to_owned()),
                (EngineKind::Embedded, _) => {
                    let id = AskId("evidence".into());
                    let ask = Ask { id, expr, split: None, range: None, at, engine: kind };
                    let answer = engine.answer(ask).await;
                    let answer = answer.ok_or("the metrics engine has ended")?;
                    let data = answer.outcome.clone().map_err(|error| error.message)?;
                    Ok((data, answer.coverage))
                }
            }
        })
    });
    let execute = move |effect: Effect, at: Timestamp| world.clone().execute(effect, at);
    let inner = Inner::of(inventory, subject.clone(), clock, ask, Box::new(execute));
    inner.seen().expressions = learnt;
    let watching = tokio::spawn(watch(Arc::clone(&inner), messages));
    Ok((inner, watching.abort_handle()))
}

impl Evidence for Eyes {
    fn ask<'a>(&'a self, condition: &'a Condition, after: Timestamp) -> BoxFuture<'a, Finding> {
        Box::pin(async move {
            let (inner, course) = match self.looking() {
                Ok(looking) => looking,
                Err(error) => {
                    let words = format!("nothing can be polled: {error}");
                    return Part::unknown(words, None).finding(Holds::Unknown);
                }
            };
            let after = course.after(after, self.clock.now());
            let asked = tokio::time::timeout(ANSWER, inner.find(condition, after));
            let words = match isolated(asked).await {
                Ok(Ok(finding)) => return finding,
                Ok(Err(_)) => "no answer in time".to_owned(),
                Err(words) => format!("this question has a mistake: {words}"),
            };
            Part::unknown(words, None).finding(Holds::Unknown)
        })
    }

    fn hurry(&self, conditions: &[&Condition]) {
        if let Ok((inner, _)) = self.looking() {
            inner.hurry(conditions);
        }
    }
}

/// Folds in what comes, and lets the time go by.
async fn watch(inner: Arc<Inner>, mut messages: mpsc::Receiver<Msg>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            msg = messages.recv() => match msg {
                Some(msg) => inner.hear(&msg),
                None => return,
            },
            _ = ticks.tick() => inner.hear(&Msg::Ticked),
        }
    }
}

impl Inner {
    fn of(
        inventory: Arc<Inventory>,
        subject: Subject,
        clock: Clock,
        ask: AskEngine,
        execute: Box<dyn Fn(Effect, Timestamp) + Send + Sync>,
    ) -> Arc<Self> {
        let known = Known::new(inventory, clock.now());
        let seen = Seen { known, polls: Polls::default(), expressions: BTreeMap::new() };
        Arc::new(Self { clock, subject, seen: Mutex::new(seen), ask, execute })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, msg: &Msg) {
        let at = self.clock.now();
        let effects = {
            let mut seen = self.seen();
            if let Msg::Polled(polls) = msg {
                for polled in polls {
                    seen.polls.take(polled);
                }
            }
            let effects = seen.known.take(at, msg);
            let Seen { known, expressions, .. } = &mut *seen;
            for alert in known.alerts.iter().filter(|alert| alert.source.is_some()) {
                if !alert.expression.is_empty() && !expressions.contains_key(alert.name()) {
                    expressions.insert(alert.name().to_owned(), alert.expression.clone());
                }
            }
            effects
        };
        for effect in effects {
            (self.execute)(effect, at);
        }
    }

    async fn find(&self, condition: &Condition, after: Timestamp) -> Finding {
        let now = self.clock.now();
        match condition {
            Condition::Service { name, status } => {
                let (parts, signals) = self
                    .look(after, |view| (view.service(name), view.known.signals_of(name).to_vec()));
                let finding = together(*status, &parts);
                let finding = self.confirmed(finding, &signals, now, after).await;
                if finding.holds != Holds::Yes || *status != Status::Ok {
                    return finding;
                }
                self.own_alert_of(name, now, after).await.unwrap_or(finding)
            }
            Condition::Check { name, status } => {
                let part = self.look(after, |view| view.check_named(name));
                together(*status, &[part])
            }
            Condition::Backup { name } => {
                let part =
                    self.look(after, |view| match backup_named(&view.known.inventory, name) {
                        Some(info) => view.backup(&info.id),
                        None => Part::unknown(format!("the config has no backup {name}"), None),
                    });
                together(Status::Ok, &[part])
            }
            Condition::Alert { name, firing } => {
                let told = self.alert(name, now, after).await;
                let signals = told.signals.clone();
                let finding = told.finding(*firing);
                self.confirmed(finding, &signals, now, after).await
            }
            Condition::Promql { expr } => self.promql(expr, now, after).await,
        }
    }

    fn look<T>(&self, after: Timestamp, look: impl FnOnce(View<'_>) -> T) -> T {
        let mut seen = self.seen();
        let at = self.clock.now();
        // What is old by now shall look old.
        if at > seen.known.now {
            let effects = seen.known.take(at, &Msg::Ticked);
            let Seen { known, polls, .. } = &*seen;
            let found = look(View { known, polls, after });
            drop(seen);
            for effect in effects {
                (self.execute)(effect, at);
            }
            return found;
        }
        let Seen { known, polls, .. } = &*seen;
        look(View { known, polls, after })
    }

    fn question(&self, engine: EngineKind, now: Timestamp, after: Timestamp) -> Question<'_> {
        let skew_ms = match engine {
            EngineKind::Server => self.server_skew(),
            EngineKind::Embedded => 0,
        };
        Question { ask: &self.ask, engine, now, after, skew_ms, identity: None }
    }

    /// How far the server's clock is ahead, in milliseconds.
    fn server_skew(&self) -> i64 {
        let seen = self.seen();
        let servers = seen.known.inventory.sources.iter().filter(|it| it.role == Role::Server);
        let mut readings = servers.filter_map(|info| seen.known.sources.get(&info.id));
        readings.find_map(|state| state.reading.as_ref().and_then(Reading::skew_ms)).unwrap_or(0)
    }

    async fn promql(&self, expr: &str, now: Timestamp, after: Timestamp) -> Finding {
        let engine = self.seen().known.inventory.engine;
        let Some(engine) = engine else {
            let words = "the config names no metrics server and nothing to scrape";
            return Part::unknown(words, None).finding(Holds::Unknown);
        };
        let (says, part) = self.question(engine, now, after).says(expr).await;
        part.finding(match says {
            Says::Something => Holds::Yes,
            Says::Nothing => Holds::No,
            Says::Unknown => Holds::Unknown,
        })
    }

    /// What is told of an alert; where all say that it does not fire, the
    /// expression that fired is asked again.
    async fn alert(&self, name: &str, now: Timestamp, after: Timestamp) -> Alerts {
        let learnt = self.seen().expressions.get(name).cloned();
        let mut told = self.look(after, |view| view.alert(name, &self.subject, learnt.as_deref()));
        if told.is_quiet()
            && let Some(say) = self.again(&told, name, now, after).await
        {
            told.says = vec![say];
        }
        told
    }

    /// Why a service is not ok, or not yet, although all that it is judged by says
    /// so: the expression of the alert that the run was started from holds, and
    /// its rule has only not raised it again.
    async fn own_alert_of(
        &self,
        service: &ServiceName,
        now: Timestamp,
        after: Timestamp,
    ) -> Option<Finding> {
        let Subject { service: of, alert } = &self.subject;
        let alert = alert.as_ref().filter(|_| of.as_ref() == Some(service))?;
        let name = alert.labels.get(ALERT_NAME)?;
        let told = self.look(after, |view| view.alert(name, &self.subject, None));
        let (part, holds) = match self.again(&told, name, now, after).await? {
            Say::Fires(part) => (part, Holds::No),
            Say::Unknown(part) if part.in_time => (part, Holds::Unknown),
            // One whose series are gone for good keeps no service from being ok.
            Say::Unknown(_) | Say::Quiet(_) => return None,
        };
        let words = format!("alert {name}: {}", part.words);
        Some(Part { words, ..part }.finding(holds))
    }

    /// What an alert's expression says, where it can be asked again.
    async fn again(
        &self,
        told: &Alerts,
        name: &str,
        now: Timestamp,
        after: Timestamp,
    ) -> Option<Say> {
        let expression = told.expression.as_ref()?;
        let mut question = self.question(told.engine, now, after);
        question.identity = self.subject.identity(name);
        let (says, part) = question.says(expression).await;
        let reworded = |words: &str, part: Part| {
            let words = format!("{words}: {}", part.words);
            Part { words, ..part }
        };
        Some(match says {
            Says::Something => Say::Fires(reworded("its expression holds again", part)),
            Says::Nothing => Say::Quiet(reworded("not firing, its expression is empty", part)),
            Says::Unknown => {
                Say::Unknown(reworded("not firing, its expression proves nothing", part))
            }
        })
    }

    /// A finding that rests on these signals proves something only if the
    /// samples behind them are of after the change.
    async fn confirmed(
        &self,
        finding: Finding,
        signals: &[SignalId],
        now: Timestamp,
        after: Timestamp,
    ) -> Finding {
        if finding.holds != Holds::Yes || after <= Timestamp::default() {
            return finding;
        }
        let judged: Vec<Signal> = {
            let seen = self.seen();
            let all = seen.known.inventory.signals.iter();
            let is_judged = |signal: &&Signal| {
                let limits = &signal.thresholds;
                signals.contains(&signal.id)
                    && (limits.warning.is_some() || limits.critical.is_some())
            };
            all.filter(is_judged).cloned().collect()
        };
        for signal in judged {
            let question = self.question(signal.engine, now, after);
            if let Err(Blind { words, in_time }) = question.is_fresh(&signal.expr).await {
                let words = format!("{}: {words}", signal.label);
                let part = Part { in_time, ..Part::unknown(words, finding.seen) };
                return part.finding(Holds::Unknown);
            }
        }
        finding
    }

    fn hurry(&self, conditions: &[&Condition]) {
        let now = self.clock.now();
        let mut effects = Vec::new();
        {
            let seen = self.seen();
            let inventory = &seen.known.inventory;
            let needs = Needs::of(inventory, conditions.iter().copied(), &self.subject);
            for info in inventory.sources.iter().filter(|it| needs.sources.contains(&it.id)) {
                let gap = match info.role {
                    Role::Backup(_) => HURRY_BACKUP_EVERY,
                    _ => HURRY_EVERY,
                };
                let last: Option<Timestamp> = seen.polls.last(&info.id);
                if last.is_some_and(|last| now.since(last) < gap && last <= now) {
                    continue;
                }
                effects.extend(turns(&info.id, &info.role));
            }
        }
        for effect in effects {
            (self.execute)(effect, now);
        }
    }

    fn signals(&self) -> Vec<ProofLine> {
        let seen = self.seen();
        let known = &seen.known;
        let Some(name) = &self.subject.service else { return Vec::new() };
        let signals = known.signals_of(name).iter().filter_map(|id| {
            let signal = known.inventory.signals.iter().find(|signal| signal.id == *id)?;
            let state = known.signals.get(id)?;
            let value = state.values.first().map(|value| value.value);
            Some(line(&signal.label, &state.standing, value))
        });
        let signals: Vec<ProofLine> = signals.collect();
        if !signals.is_empty() {
            return signals;
        }
        let checks = known.checks_of(name).iter().filter_map(|id| {
            let info = known.inventory.sources.iter().find(|info| info.id == *id)?;
            Some(line(&info.label, &known.checks.get(id)?.standing, None))
        });
        checks.collect()
    }
}

fn line(
    label: &str,
    standing: &crate::domain::Standing,
    value: Option<crate::domain::Num>,
) -> ProofLine {
    let holds = match standing.status {
        _ if standing.mark.is_some() => Holds::Unknown,
        Status::Ok => Holds::Yes,
        Status::Warning | Status::Critical => Holds::No,
        Status::Unknown => Holds::Unknown,
    };
    let words = standing.reason.clone();
    let in_time = finding::comes_in_time(standing);
    let part = Part { value, in_time, ..Part::unknown(words, standing.seen) };
    ProofLine { line: label.to_owned(), finding: part.finding(holds) }
}

/// Polls at once, and as often again as a change has to be seen.
fn turns(id: &SourceId, role: &Role) -> Vec<Effect> {
    let mut effects = vec![Effect::PollNow(id.clone())];
    if let Role::Check(role) = role {
        for time in 1..=role.confirm.min(10) {
            let after = role.confirm_after * time;
            effects.push(Effect::PollAgain { source: id.clone(), after });
        }
    }
    effects
}

#[cfg(test)]
mod tests;
