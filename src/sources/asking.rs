//! PromQL for sources: the way to whoever answers it.

use super::client::Shared;
use super::prometheus::Prometheus;
use crate::domain::{AlertsReading, EngineKind, PollError, PollFailure, Timestamp, units};
use crate::metrics::{Coverage, Data};
use crate::rules::Book;
use crate::store::message::{Answer, Ask, AskId};
use futures_util::future::BoxFuture;
use std::sync::{Arc, OnceLock, Weak};

/// Asks the embedded engine, once everything was scraped that is; `None` where
/// it has ended.
pub type AskEmbedded = Arc<dyn Fn(Ask) -> BoxFuture<'static, Option<Arc<Answer>>> + Send + Sync>;

/// Rules to be evaluated by the embedded engine.
#[derive(Clone, Debug)]
pub struct EvaluateRules {
    /// All of them; the very same as before where no file has changed.
    pub book: Arc<Book>,
    /// The moment.
    pub now: Timestamp,
}

/// Has the embedded engine evaluate what is due, once everything was scraped
/// that is; `None` where it has ended.
pub type RulesEngine =
    Arc<dyn Fn(EvaluateRules) -> BoxFuture<'static, Option<AlertsReading>> + Send + Sync>;

/// Who answers. Neither is kept alive by this.
#[derive(Default)]
pub(super) struct Asking {
    server: OnceLock<Weak<Prometheus>>,
    embedded: OnceLock<AskEmbedded>,
    rules: OnceLock<RulesEngine>,
}

impl Asking {
    pub(super) fn set_server(&self, server: &Arc<Prometheus>) {
        // There is one server a config.
        let _ = self.server.set(Arc::downgrade(server));
    }

    /// Asks for one instant. Whatever keeps it from being answered is no word
    /// on what was asked for, so it is never `Absent` or `Broken`.
    pub(super) async fn ask(
        &self,
        engine: EngineKind,
        expr: &Arc<str>,
        at: Timestamp,
    ) -> Result<Data, PollError> {
        match engine {
            EngineKind::Server => {
                let server = self.server.get().and_then(Weak::upgrade).ok_or_else(nobody)?;
                let answer = server.instant(expr, at).await;
                let cause = match answer.cause {
                    None | Some(PollFailure::Absent | PollFailure::Broken) => PollFailure::Network,
                    Some(cause) => cause,
                };
                let told = answer.outcome.map_err(|error| PollError::new(cause, error.message))?;
                Ok(told.data)
            }
            EngineKind::Embedded => {
                let embedded = self.embedded.get().ok_or_else(nobody)?;
                let id = AskId(Arc::clone(expr));
                let expr = Arc::clone(expr);
                let ask = Ask { id, expr, split: None, range: None, at, engine };
                let answer = embedded(ask).await.ok_or_else(nobody)?;
                if let Coverage::Partial { seen, wanted } = answer.coverage {
                    return Err(PollError::new(PollFailure::Busy, uncovered(seen, wanted)));
                }
                let failed = |error: &crate::store::message::AskError| {
                    PollError::new(PollFailure::Network, error.message.clone())
                };
                answer.outcome.as_ref().map_err(failed).cloned()
            }
        }
    }
}

fn nobody() -> PollError {
    PollError::new(PollFailure::Network, "nobody is there who answers PromQL")
}

fn uncovered(seen: std::time::Duration, wanted: std::time::Duration) -> String {
    if seen.is_zero() {
        "nothing has been scraped yet".into()
    } else {
        format!("{} of {} seen", units::age(seen), units::age(wanted))
    }
}

impl Shared {
    /// Lets the sources that share this ask the embedded engine.
    pub fn set_embedded(&self, embedded: AskEmbedded) {
        // It is set once, by whoever runs the sources.
        let _ = self.asking.embedded.set(embedded);
    }

    /// Lets the source of local rules have them evaluated.
    pub fn set_rules(&self, rules: RulesEngine) {
        // It is set once, by whoever runs the sources.
        let _ = self.asking.rules.set(rules);
    }

    /// What the rules say by now.
    pub(super) async fn evaluate_rules(
        &self,
        rules: EvaluateRules,
    ) -> Result<AlertsReading, PollError> {
        let engine = self.asking.rules.get().ok_or_else(nobody)?;
        engine(rules).await.ok_or_else(nobody)
    }
}
