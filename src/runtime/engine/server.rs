//! Questions to a metrics server: a few at once, the newest of each id.

use super::super::clock;
use super::{AskServer, BATCH, Notes, answered, told, written};
use crate::metrics::Coverage;
use crate::store::{Answered, Ask, AskId, Msg};
use futures_util::future::{AbortHandle, Abortable};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, mpsc};

/// Questions to the server that are under way at once.
pub(super) const ASKED_AT_ONCE: usize = 4;

/// A metrics server that is asked.
#[derive(Clone)]
pub(super) struct Server {
    ask: AskServer,
    places: Arc<Semaphore>,
    under_way: Arc<Mutex<HashMap<AskId, AbortHandle>>>,
    answers: mpsc::UnboundedSender<Answered>,
}

impl Server {
    /// Answers go to `out`. Must be called in a tokio runtime.
    pub(super) fn start(ask: AskServer, out: mpsc::Sender<Msg>) -> Self {
        let (answers, mut ended) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while ended.recv_many(&mut batch, BATCH).await > 0 {
                if out.send(Msg::Answered(std::mem::take(&mut batch))).await.is_err() {
                    return;
                }
            }
        });
        let places = Arc::new(Semaphore::new(ASKED_AT_ONCE));
        Self { ask, places, under_way: Arc::default(), answers }
    }

    pub(super) fn ask(&self, ask: Ask) {
        let (abort, registration) = AbortHandle::new_pair();
        let id = ask.id.clone();
        let older = self.under_way().insert(id, abort.clone());
        if let Some(older) = older {
            older.abort();
        }
        let server = self.clone();
        let asking = async move {
            let Ok(_place) = server.places.acquire().await else { return };
            let began = clock::instant();
            let (outcome, notes) = match written(&ask) {
                Ok(expr) => (server.ask)(Ask { expr, split: None, ..ask.clone() }).await,
                Err(wrong) => (Err(told(&wrong)), Notes::default()),
            };
            let took = began.elapsed();
            // Not if a newer question has come in the very moment.
            if !abort.is_aborted() {
                server.under_way().remove(&ask.id);
                let _ = server.answers.send(answered(ask, outcome, Coverage::Whole, notes, took));
            }
        };
        tokio::spawn(Abortable::new(asking, registration));
    }

    pub(super) fn stop(&self, id: &AskId) {
        if let Some(asking) = self.under_way().remove(id) {
            asking.abort();
        }
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<AskId, AbortHandle>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
