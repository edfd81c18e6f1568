//! One scheduler for all sources: who is asked when, and what becomes of it.

use super::clock::{self, Clock};
use super::isolate::isolated;
use crate::domain::{PollError, PollFailure, Role, SourceId, Timestamp, units};
use crate::sources::{Brought, Source};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

/// Due times lie on a grid of this width, so that one wake-up serves many.
const GRID: Duration = Duration::from_millis(20);
/// The first round begins a source each this often, so that few are seen at
/// once and many within one interval.
const FIRST_ROUND: Duration = Duration::from_micros(1_500);
/// Back-off and a server's own wish never make a source wait longer.
const CEILING: Duration = Duration::from_mins(5);
/// How long a source may go on after its limit to end what it began and to say why.
const OVERTIME: Duration = Duration::from_secs(2);
/// So many polls are under way at once unless the config says otherwise, so
/// that their timings stay true.
pub const IN_FLIGHT: usize = 64;
/// A poll that goes on for longer than this waits for somebody else and costs
/// nothing here: it no longer counts among those that are under way. Hundreds
/// of hung targets must not hold up those that answer.
const YOUNG: Duration = Duration::from_secs(1);
/// A look at backups starts a program that may take a hundred megabytes and
/// seconds of a processor: fewer of them are under way at once,
const LOOKS: usize = 4;
/// and each counts for longer.
const YOUNG_LOOK: Duration = Duration::from_secs(15);
/// So many polls are under way at most, whatever they wait for.
const FLIGHTS: usize = 8_192;

/// One poll of one source ended.
#[derive(Clone, Debug)]
pub struct PollEnd {
    /// Which source.
    pub source: SourceId,
    /// What its readings count for.
    pub role: Role,
    /// When it began.
    pub taken: Timestamp,
    /// When the source will be asked next.
    pub next: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How late it began, against its schedule.
    pub late: Duration,
    /// What it brought.
    pub outcome: Result<Brought, PollError>,
}

/// What the poller can be told.
pub enum Order {
    /// These are the sources from now on; those that stay keep their schedule.
    Sources(Vec<Arc<dyn Source>>),
    /// Poll this one at once.
    Now(SourceId),
    /// Poll this one after this time, beside its schedule.
    Again(SourceId, Duration),
    /// Poll all at once.
    All,
}

/// Tells the poller what to do.
#[derive(Clone, Debug)]
pub struct PollerHandle(UnboundedSender<Order>);

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sources(sources) => write!(f, "Sources({})", sources.len()),
            Self::Now(source) => write!(f, "Now({source})"),
            Self::Again(source, after) => write!(f, "Again({source}, {after:?})"),
            Self::All => f.write_str("All"),
        }
    }
}

impl PollerHandle {
    /// Says so. A poller that has ended takes no orders, and none matter then.
    pub fn order(&self, order: Order) {
        let _ = self.0.send(order);
    }
}

/// Hands over what ended together.
pub type Deliver = Box<dyn FnMut(Vec<PollEnd>) + Send>;

/// Names a slot for good: a timer or poll of a slot that is gone finds none.
type Key = u64;

struct Slot {
    source: Arc<dyn Source>,
    /// The source's place in its interval, from the poller's beginning on.
    phase: Duration,
    due: Instant,
    in_flight: bool,
    queued: bool,
    failures: u32,
}

struct Done {
    key: Key,
    began: Instant,
    taken: Timestamp,
    took: Duration,
    late: Duration,
    outcome: Result<Brought, PollError>,
}

/// Polls of about the same weight: how many of them are under way at once, and
/// who waits.
struct Lane {
    most: usize,
    /// So long each counts.
    young_for: Duration,
    /// Polls that count among those under way, oldest first.
    young: VecDeque<(Key, Instant)>,
    queue: VecDeque<(Key, Instant)>,
}

impl Lane {
    fn new(most: usize, young_for: Duration) -> Self {
        Self { most, young_for, young: VecDeque::new(), queue: VecDeque::new() }
    }

    fn has_room(&self) -> bool {
        self.young.len() < self.most
    }

    /// When there is room again for those that wait, if nothing ends before.
    fn room_at(&self) -> Option<Instant> {
        let oldest = self.young.front().filter(|_| !self.queue.is_empty());
        oldest.map(|(_, began)| *began + self.young_for)
    }

    fn age(&mut self, now: Instant) {
        while self.young.front().is_some_and(|(_, began)| *began + self.young_for <= now) {
            self.young.pop_front();
        }
    }

    fn ended(&mut self, poll: (Key, Instant)) {
        if let Some(place) = self.young.iter().position(|young| *young == poll) {
            self.young.remove(place);
        }
    }
}

/// The lane of a source.
fn lane_of(role: &Role) -> usize {
    usize::from(matches!(role, Role::Backup(_)))
}

/// The scheduler.
pub struct Poller {
    clock: Clock,
    deliver: Deliver,
    orders: UnboundedReceiver<Order>,
    /// What costs little, and what costs much.
    lanes: [Lane; 2],
    start: Instant,
    slots: HashMap<Key, Slot>,
    keys: HashMap<SourceId, Key>,
    /// In the order of the config, so that the first round follows it.
    order: Vec<Key>,
    last_key: Key,
    /// When, whom, and whether it is the schedule or beside it.
    timers: BinaryHeap<Reverse<(Instant, Key, bool)>>,
    flights: FuturesUnordered<BoxFuture<'static, Done>>,
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("sources", &self.slots.len()).finish_non_exhaustive()
    }
}

impl Poller {
    /// A poller without sources that has at most `most` polls under way, and
    /// the handle to give it some.
    pub fn new(clock: Clock, most: usize, deliver: Deliver) -> (Self, PollerHandle) {
        let (sender, orders) = tokio::sync::mpsc::unbounded_channel();
        let poller = Self {
            clock,
            deliver,
            orders,
            lanes: [Lane::new(most.max(1), YOUNG), Lane::new(most.clamp(1, LOOKS), YOUNG_LOOK)],
            start: clock::instant(),
            slots: HashMap::new(),
            keys: HashMap::new(),
            order: Vec::new(),
            last_key: 0,
            timers: BinaryHeap::new(),
            flights: FuturesUnordered::new(),
        };
        (poller, PollerHandle(sender))
    }

    /// Polls until every handle is gone.
    pub async fn run(mut self) {
        loop {
            let due = self.timers.peek().map(|Reverse((due, ..))| *due);
            let room = self.lanes.iter().filter_map(Lane::room_at);
            let due = due.into_iter().chain(room).min();
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = sleep_until(due) => {}
                Some(done) = self.flights.next(), if !self.flights.is_empty() => self.land(done),
            }
            self.begin_due();
        }
    }

    fn obey(&mut self, order: Order) {
        let now = clock::instant();
        match order {
            Order::Sources(sources) => self.replace(sources, now),
            Order::Now(source) => {
                if let Some(key) = self.keys.get(&source) {
                    self.begin(*key, now);
                }
            }
            Order::Again(source, after) => {
                if let Some(key) = self.keys.get(&source) {
                    self.timers.push(Reverse((now + after.min(CEILING), *key, false)));
                }
            }
            Order::All => {
                for key in self.order.clone() {
                    self.begin(key, now);
                }
            }
        }
    }

    fn replace(&mut self, sources: Vec<Arc<dyn Source>>, now: Instant) {
        let mut old = std::mem::take(&mut self.slots);
        let old_keys = std::mem::take(&mut self.keys);
        self.order.clear();
        let shortest = sources.iter().map(|source| source.info().every).min().unwrap_or_default();
        let many = u32::try_from(sources.len().max(1)).unwrap_or(u32::MAX);
        let pace = FIRST_ROUND.min(shortest / many);
        let mut first = now;
        for source in sources {
            let info = source.info();
            if self.keys.contains_key(&info.id) {
                // Two of one name could not be told apart: the first one stays.
                continue;
            }
            let kept = old_keys
                .get(&info.id)
                .and_then(|key| Some((*key, old.remove(key)?)))
                .filter(|(_, slot)| slot.source.info() == info);
            let (key, slot) = if let Some((key, slot)) = kept {
                (key, Slot { source: source.clone(), ..slot })
            } else {
                self.last_key += 1;
                let due = first;
                first += pace;
                self.timers.push(Reverse((due, self.last_key, true)));
                let slot = Slot {
                    phase: phase(&info.id, info.every),
                    due,
                    source: source.clone(),
                    in_flight: false,
                    queued: false,
                    failures: 0,
                };
                (self.last_key, slot)
            };
            self.keys.insert(source.info().id.clone(), key);
            self.order.push(key);
            self.slots.insert(key, slot);
        }
    }

    /// Begins all that is due.
    fn begin_due(&mut self) {
        let now = clock::instant();
        self.lanes.iter_mut().for_each(|lane| lane.age(now));
        self.begin_queued();
        while let Some(Reverse((due, key, scheduled))) = self.timers.peek().copied() {
            if due > now {
                break;
            }
            self.timers.pop();
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if scheduled {
                if slot.due != due {
                    continue;
                }
                // Moments that were missed (a laptop slept) are not made up for.
                let every = slot.source.info().every;
                slot.due = on_schedule(self.start, slot.phase, every, now.max(due + every / 2));
                self.timers.push(Reverse((slot.due, key, true)));
            }
            self.begin(key, due);
        }
    }

    /// Polls a source, or queues it where too many polls are under way. One
    /// that is being polled is not polled beside that.
    fn begin(&mut self, key: Key, due: Instant) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.in_flight || slot.queued {
            return;
        }
        let among = &mut self.lanes[lane_of(&slot.source.info().role)];
        if !among.has_room() || self.flights.len() >= FLIGHTS {
            slot.queued = true;
            among.queue.push_back((key, due));
            return;
        }
        slot.in_flight = true;
        let source = slot.source.clone();
        let began = clock::instant();
        among.young.push_back((key, began));
        let late = began - due;
        let taken = self.clock.now();
        self.flights.push(Box::pin(async move {
            // A source keeps to its limit itself and then tells why; this ends one that does not.
            let limit = source.info().timeout;
            let last = limit + OVERTIME;
            let polled = tokio::time::timeout(last, isolated(async { source.poll(taken).await }));
            let outcome = match polled.await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(words)) => {
                    Err(PollError::broken(format!("this check has a mistake: {words}")))
                }
                Err(_) => Err(PollError::new(
                    PollFailure::Timeout,
                    format!("no answer within {}", units::duration(limit)),
                )),
            };
            Done { key, began, taken, took: clock::instant() - began, late, outcome }
        }));
    }

    /// Hands over what ended together, and begins what waited for it.
    fn land(&mut self, first: Done) {
        let mut ends = Vec::new();
        let mut next = Some(first);
        while let Some(done) = next {
            ends.extend(self.end(done));
            next = self.flights.next().now_or_never().flatten();
        }
        self.begin_queued();
        if !ends.is_empty() {
            (self.deliver)(ends);
        }
    }

    /// Begins what waited, as far as there is room.
    fn begin_queued(&mut self) {
        for lane in 0..self.lanes.len() {
            while self.lanes[lane].has_room()
                && self.flights.len() < FLIGHTS
                && let Some((key, due)) = self.lanes[lane].queue.pop_front()
            {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.queued = false;
                    self.begin(key, due);
                }
            }
        }
    }

    /// What a poll of a source that is still there brought.
    fn end(&mut self, done: Done) -> Option<PollEnd> {
        let Done { key, began, taken, took, late, outcome } = done;
        self.lanes.iter_mut().for_each(|lane| lane.ended((key, began)));
        let slot = self.slots.get_mut(&key)?;
        slot.in_flight = false;
        let info = slot.source.info();
        let wait = match &outcome {
            Ok(_) => {
                slot.failures = 0;
                None
            }
            Err(error) => {
                slot.failures = slot.failures.saturating_add(1);
                let doubled = info.every * 2u32.saturating_pow((slot.failures - 1).min(16));
                let back_off =
                    matches!(info.role, Role::Server | Role::Alerts | Role::Targets | Role::Issues)
                        .then(|| doubled.min(CEILING));
                back_off.max(error.retry_after.map(|wish| wish.min(CEILING)))
            }
        };
        let now = clock::instant();
        if let Some(wait) = wait
            && now + wait > slot.due
        {
            slot.due = on_schedule(self.start, slot.phase, info.every, now + wait);
            self.timers.push(Reverse((slot.due, key, true)));
        }
        Some(PollEnd {
            source: info.id.clone(),
            role: info.role.clone(),
            taken,
            next: self.clock.now() + slot.due.saturating_duration_since(now),
            took,
            late,
            outcome,
        })
    }
}

/// The source's place in its interval: the same at each start, different from
/// source to source (FNV-1a of its name), on the grid.
fn phase(source: &SourceId, every: Duration) -> Duration {
    let hash = source.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of FNV-1a are weak for names that differ in their end only.
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let grid = GRID.min(every / 10).as_micros().max(1);
    let places = (every.as_micros() / grid).max(1);
    let micros = u128::from(mixed) % places * grid;
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The first moment of a schedule that is not before `earliest`.
fn on_schedule(start: Instant, phase: Duration, every: Duration, earliest: Instant) -> Instant {
    let every = every.max(Duration::from_millis(1)).as_nanos();
    let first = start + phase;
    let gone = earliest.saturating_duration_since(first).as_nanos();
    let rounds = gone.div_ceil(every);
    first + Duration::from_nanos(u64::try_from(rounds * every).unwrap_or(u64::MAX))
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
