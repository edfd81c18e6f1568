//! Where a run hears its followers: who is there, what they order, and the
//! questions that wait for one of them.

use super::board::Board;
use super::listen::{Event, Peer};
use crate::domain::runs::{ProofLine, StepId, Who};
use crate::runbook::{Answer, Ask, AskKind, Doing, Order};
use crate::runtime::clock::{self, Clock};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// Why a run is not carried on here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// This process was asked to end: another one takes the run up.
    Asked,
}

/// What was heard.
pub(super) enum Heard {
    /// An order of this follower.
    Order { from: u64, order: Order },
    /// This process was asked to end.
    Asked,
    /// The last follower has gone.
    Alone,
}

/// Whoever hears nothing for longer than a few of these takes what was told for stale.
const BEAT: Duration = Duration::from_secs(2);

/// All that comes from outside while a run goes on.
pub(super) struct Floor {
    pub(super) board: Arc<Board>,
    pub(super) clock: Clock,
    pub(super) doing: Doing,
    events: mpsc::Receiver<Event>,
    followers: BTreeMap<u64, Peer>,
    /// The signals of the target, as a task of its own asks them.
    signals: watch::Receiver<Vec<ProofLine>>,
    /// It tells that it lives, where nothing else is told.
    beat: tokio::time::Interval,
    terms: Signal,
    /// This process was asked to end, and does so when nothing runs.
    pub(super) leaving: bool,
    /// Number of the last question.
    questions: u64,
    /// What still runs of an earlier process of the run shall end.
    pub(super) cancels: bool,
}

impl Floor {
    pub(super) fn new(
        board: Arc<Board>,
        clock: Clock,
        events: mpsc::Receiver<Event>,
        terms: Signal,
    ) -> Self {
        let (_, signals) = watch::channel(Vec::new());
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            board,
            clock,
            doing: Doing::default(),
            events,
            followers: BTreeMap::new(),
            signals,
            beat,
            terms,
            leaving: false,
            questions: 0,
            cancels: false,
        }
    }

    /// These are told from now on.
    pub(super) fn watch_signals(&mut self, signals: watch::Receiver<Vec<ProofLine>>) {
        self.signals = signals;
    }

    /// Questions have numbers behind this one: no earlier process of the run has
    /// asked one of them.
    pub(super) fn questions_after(&mut self, place: i64) {
        self.questions = u64::try_from(place).unwrap_or(0) << 20;
    }

    /// Tells what is done now.
    pub(super) fn tell(&self) {
        self.board.doing(&self.doing);
    }

    /// Says what keeps the run from going on; none where nothing does.
    pub(super) fn trouble(&mut self, why: Option<String>) {
        if self.doing.trouble != why {
            self.doing.trouble = why;
            self.tell();
        }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.followers.is_empty()
    }

    /// Who a follower is.
    pub(super) fn who(&self, id: u64) -> Option<&Who> {
        self.followers.get(&id).map(|peer| &peer.who)
    }

    /// Tells one follower why its order was not carried out.
    pub(super) fn refuse(&self, id: u64, why: impl Into<String>) {
        if let Some(peer) = self.followers.get(&id) {
            // One that asks faster than it reads hears less.
            let _ = peer.refusals.try_send(why.into());
        }
    }

    /// Waits for something to be heard; can be dropped at any moment.
    pub(super) async fn hear(&mut self) -> Heard {
        loop {
            tokio::select! {
                biased;
                _ = self.terms.recv() => {
                    self.leaving = true;
                    return Heard::Asked;
                }
                event = self.events.recv() => match event {
                    Some(Event::Joined { id, peer }) => {
                        self.followers.insert(id, peer);
                        self.count();
                    }
                    Some(Event::Ordered { id, order }) => {
                        if self.followers.get(&id).is_some_and(|peer| peer.listens) {
                            self.refuse(id, "you only listen");
                        } else {
                            return Heard::Order { from: id, order };
                        }
                    }
                    Some(Event::Left { id }) => {
                        self.followers.remove(&id);
                        self.count();
                        if self.followers.is_empty() {
                            return Heard::Alone;
                        }
                    }
                    // Those who serve followers live as long as the run.
                    None => std::future::pending().await,
                },
                Ok(()) = self.signals.changed() => {
                    self.doing.signals.clone_from(&self.signals.borrow_and_update());
                    self.tell();
                }
                _ = self.beat.tick() => self.board.beat(),
            }
        }
    }

    /// Waits for an order while somebody follows. None where nobody does: nobody
    /// has come within `first`, or again within `back` after the last line broke,
    /// or this process was asked to end.
    pub(super) async fn order_of_somebody(
        &mut self,
        first: Duration,
        back: Duration,
    ) -> Option<(u64, Order)> {
        let alone = tokio::time::sleep(first);
        tokio::pin!(alone);
        let mut waits = self.is_alone();
        loop {
            tokio::select! {
                // Whoever has come meanwhile was counted, and not told of here.
                () = &mut alone, if waits => {
                    if self.is_alone() {
                        return None;
                    }
                    waits = false;
                }
                heard = self.hear() => match heard {
                    Heard::Order { from, order } => return Some((from, order)),
                    Heard::Asked => return None,
                    Heard::Alone => {
                        // A line that broke is no wish to leave.
                        alone.as_mut().reset(clock::instant() + back);
                        waits = true;
                    }
                },
            }
        }
    }

    fn count(&mut self) {
        self.doing.followers = u32::try_from(self.followers.len()).unwrap_or(u32::MAX);
        self.tell();
    }

    /// Waits for something that is no question; orders are refused meanwhile.
    pub(super) async fn meanwhile<T>(&mut self, done: impl Future<Output = T>) -> T {
        tokio::pin!(done);
        loop {
            tokio::select! {
                biased;
                value = &mut done => return value,
                heard = self.hear() => {
                    if let Heard::Order { from, order } = heard {
                        self.refuse(from, not_now(&order));
                    }
                }
            }
        }
    }

    /// The next question. Nothing is asked yet.
    pub(super) fn new_question(&mut self, step: StepId, kind: AskKind) -> Ask {
        self.questions += 1;
        Ask { number: self.questions, step, since: self.clock.now(), kind }
    }

    /// Asks a question until somebody gives an answer that `fits`, or `wake` is
    /// over: then nobody has, and it still stands.
    pub(super) async fn ask(
        &mut self,
        question: &Ask,
        fits: impl Fn(&Answer) -> Result<(), String>,
        mut wake: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<Option<(u64, Who, Answer)>, Over> {
        if self.leaving {
            return Err(Over::Asked);
        }
        self.doing.ask = Some(question.clone());
        self.tell();
        let answered = loop {
            let (from, order) = tokio::select! {
                biased;
                () = &mut wake => break Ok(None),
                heard = self.hear() => match heard {
                    Heard::Order { from, order } => (from, order),
                    Heard::Asked => break Err(Over::Asked),
                    Heard::Alone => continue,
                },
            };
            let Order::Answer { ask, answer } = order else {
                if let (Order::Cancel { step }, AskKind::Unknown { .. }) = (&order, &question.kind)
                    && *step == question.step
                {
                    self.cancels = true;
                    break Ok(None);
                }
                self.refuse(from, not_now(&order));
                continue;
            };
            let Some(who) = self.who(from).cloned() else { continue };
            let said = if ask == question.number {
                fits(&answer)
            } else {
                Err("that is asked no more".to_owned())
            };
            match said {
                Ok(()) => break Ok(Some((from, who, answer))),
                Err(why) => self.refuse(from, why),
            }
        };
        if !matches!(answered, Ok(None)) {
            self.ask_no_more();
        }
        answered
    }

    /// The question is asked no more.
    pub(super) fn ask_no_more(&mut self) {
        self.doing.ask = None;
        self.tell();
    }
}

/// Why an order is not for this moment.
pub(super) fn not_now(order: &Order) -> &'static str {
    match order {
        Order::Values { .. } | Order::Start(_) => "the run has begun",
        Order::Answer { .. } => "nothing is asked at the moment",
        Order::Cancel { .. } => "no such step runs",
        Order::Input(_) | Order::Resize(..) => "no step runs in a terminal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use tokio::signal::unix::{SignalKind, signal};
    use tokio::time::{sleep, timeout};

    const FIRST: Duration = Duration::from_mins(1);
    const BACK: Duration = Duration::from_secs(10);

    fn floor() -> (Floor, mpsc::Sender<Event>) {
        let (events, heard) = mpsc::channel(8);
        let clock = Clock::following_tokio(Timestamp::from_millis(0));
        let terms = signal(SignalKind::user_defined2()).unwrap();
        (Floor::new(Arc::new(Board::new()), clock, heard, terms), events)
    }

    async fn joins(events: &mpsc::Sender<Event>, id: u64) {
        let peer = Peer { who: Who::default(), listens: false, refusals: mpsc::channel(1).0 };
        events.send(Event::Joined { id, peer }).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_a_plan_for_long_is_waited_for() {
        let (mut floor, events) = floor();
        let follower = async {
            sleep(FIRST / 2).await;
            joins(&events, 1).await;
            sleep(20 * FIRST).await;
            // Its line breaks, and it comes back.
            events.send(Event::Left { id: 1 }).await.unwrap();
            sleep(BACK / 2).await;
            joins(&events, 2).await;
            sleep(20 * FIRST).await;
            events.send(Event::Ordered { id: 2, order: Order::Resize(1, 1) }).await.unwrap();
        };
        let (heard, ()) = tokio::join!(floor.order_of_somebody(FIRST, BACK), follower);
        assert_eq!(heard, Some((2, Order::Resize(1, 1))));
    }

    #[tokio::test(start_paused = true)]
    async fn whom_nobody_follows_ends_by_itself() {
        let (mut floor, events) = floor();
        let heard = timeout(FIRST + BACK, floor.order_of_somebody(FIRST, BACK)).await;
        assert_eq!(heard, Ok(None));
        joins(&events, 1).await;
        events.send(Event::Left { id: 1 }).await.unwrap();
        let heard = timeout(2 * BACK, floor.order_of_somebody(FIRST, BACK)).await;
        assert_eq!(heard, Ok(None));
    }
}
