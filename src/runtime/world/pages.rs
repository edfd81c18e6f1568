//! What polls bring: readings for the loop, scraped pages for the engine.

use super::super::clock::Clock;
use super::super::poller::{PollEnd, Poller, PollerHandle};
use super::World;
use crate::domain::{PollError, PollFailure, Reading, Role, SourceId};
use crate::sources::Brought;
use crate::store::{Msg, Polled};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{self, Sender, UnboundedSender};

/// Whose page the engine has not read yet.
type Unread = Arc<Mutex<HashSet<SourceId>>>;
/// What was scraped, in the order in which it came.
pub(super) type Pages = (mpsc::UnboundedReceiver<PollEnd>, Unread);

/// The poller, its handle, and where the pages come that it brings.
pub(super) fn poller(
    clock: Clock,
    in_flight: usize,
    out: Sender<Msg>,
) -> (Pages, Poller, PollerHandle) {
    let (sender, pages) = mpsc::unbounded_channel();
    let unread = Unread::default();
    let queue = unread.clone();
    let deliver = move |ends: Vec<PollEnd>| deliver(ends, &sender, &queue, &out);
    let (poller, handle) = Poller::new(clock, in_flight, Box::new(deliver));
    ((pages, unread), poller, handle)
}

/// Readings go to the loop, all that was scraped to the engine: of each target
/// one page at a time, or a slow engine would fill the memory with them.
fn deliver(
    ends: Vec<PollEnd>,
    pages: &UnboundedSender<PollEnd>,
    unread: &Unread,
    out: &Sender<Msg>,
) {
    let mut readings = Vec::new();
    for end in ends {
        if let Some(polled) = reading(&end) {
            readings.push(polled);
        } else if !unread.lock().unwrap_or_else(PoisonError::into_inner).insert(end.source.clone())
        {
            let why = "the last page of this target is still being read; this one was dropped";
            readings.push(polled(&end, Err(PollError::new(PollFailure::Busy, why))));
        } else {
            // Only at the end of the program nobody takes them.
            let _ = pages.send(end);
        }
    }
    if readings.is_empty() {
        return;
    }
    if let Err(mpsc::error::TrySendError::Full(msg)) = out.try_send(Msg::Polled(readings)) {
        let out = out.clone();
        tokio::spawn(async move { out.send(msg).await });
    }
}

/// What the loop can judge without the engine.
fn reading(end: &PollEnd) -> Option<Polled> {
    let outcome = match &end.outcome {
        Ok(Brought::Reading(reading)) => Ok(reading.clone()),
        Err(error) if !matches!(end.role, Role::Scrape { .. }) => Err(error.clone()),
        _ => return None,
    };
    Some(polled(end, outcome))
}

fn polled(end: &PollEnd, outcome: Result<Reading, PollError>) -> Polled {
    Polled {
        source: end.source.clone(),
        taken: end.taken,
        next: end.next,
        took: end.took,
        late: end.late,
        outcome,
    }
}

/// Gives pages to the engine in the order in which they came, and tells the
/// loop what they held.
pub(super) async fn read(world: World, (mut pages, unread): Pages) {
    const TOGETHER: usize = 64;
    let mut ends = Vec::new();
    while pages.recv_many(&mut ends, TOGETHER).await > 0 {
        let mut reads = Vec::new();
        let sources: Vec<SourceId> = ends.iter().map(|end| end.source.clone()).collect();
        for mut end in ends.drain(..) {
            let Some(target) = world.made().targets.get(&end.source).cloned() else { continue };
            let engine = world.0.engine.clone();
            reads.push(async move {
                let outcome =
                    std::mem::replace(&mut end.outcome, Err(PollError::broken("not read")));
                let outcome = match outcome {
                    Ok(Brought::Page(page)) => {
                        let read = engine.take_page(target, page, end.taken).await;
                        read.map(Reading::Scrape)
                    }
                    Ok(Brought::Reading(reading)) => Ok(reading),
                    Err(error) => {
                        engine.target_failed(target, end.took, end.taken);
                        Err(error)
                    }
                };
                polled(&end, outcome)
            });
        }
        let polled = futures_util::future::join_all(reads).await;
        {
            let mut unread = unread.lock().unwrap_or_else(PoisonError::into_inner);
            for source in sources {
                unread.remove(&source);
                world.0.first.ended(&source);
            }
        }
        if !polled.is_empty() {
            world.tell(Msg::Polled(polled)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::sources::Page;
    use std::time::Duration;

    #[test]
    fn what_the_engine_must_read_goes_there_and_all_else_to_the_loop() {
        let refused = PollError::broken("no");
        let end = |role| PollEnd {
            source: "s".into(),
            role,
            taken: Timestamp::default(),
            next: Timestamp::default(),
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome: Err(refused.clone()),
        };
        assert!(reading(&end(Role::Canary)).is_some());
        assert!(reading(&end(Role::Scrape { job: "a".into() })).is_none());
    }

    #[test]
    fn of_each_target_one_page_waits_for_the_engine() {
        let (sender, mut pages) = mpsc::unbounded_channel();
        let (out, mut messages) = mpsc::channel(8);
        let unread = Unread::default();
        let page = || PollEnd {
            source: "scrape/a/1".into(),
            role: Role::Scrape { job: "a".into() },
            taken: Timestamp::default(),
            next: Timestamp::default(),
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome: Ok(Brought::Page(Page {
                content_type: String::new(),
                body: "x 1\n".into(),
                took: Duration::ZERO,
            })),
        };
        deliver(vec![page()], &sender, &unread, &out);
        deliver(vec![page()], &sender, &unread, &out);
        assert!(pages.try_recv().is_ok());
        assert!(pages.try_recv().is_err());
        let Ok(Msg::Polled(polls)) = messages.try_recv() else { panic!("nothing was said") };
        assert_eq!(polls[0].outcome.as_ref().unwrap_err().cause, PollFailure::Busy);
    }
}
