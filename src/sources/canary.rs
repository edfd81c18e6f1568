//! Tells whether this host has a network: any of a few addresses takes a connection.

use super::{Brought, Shared, Source, tcp};
use crate::domain::reading::PollFailure;
use crate::domain::{CheckReading, PollError, Reading, SourceInfo, Status, Timestamp};
use futures_util::future::{BoxFuture, select_ok};
use std::sync::Arc;

/// Addresses of which one at least answers whenever there is a network.
pub struct Canary {
    info: SourceInfo,
    shared: Arc<Shared>,
    addresses: Vec<String>,
}

impl Canary {
    /// Asks `addresses`, each `host:port`.
    pub fn new(mut info: SourceInfo, addresses: Vec<String>, shared: Arc<Shared>) -> Self {
        info.kind = "canary".into();
        info.network = true;
        info.asks = addresses.join(", ");
        Self { info, shared, addresses }
    }

    async fn ask(&self) -> CheckReading {
        let begun = self.shared.monotonic();
        let tries = self.addresses.iter().map(|address| {
            let limit = self.info.timeout;
            Box::pin(async move {
                let tried = tcp::connect(address, limit).await;
                match tried {
                    // Whoever refuses has been reached.
                    Err(error) if error.cause != PollFailure::Refused => Err(error),
                    _ => Ok(address),
                }
            })
        });
        let (status, summary) = if self.addresses.is_empty() {
            (Status::Unknown, "no address to ask".to_owned())
        } else {
            match select_ok(tries).await {
                Ok((address, _)) => (Status::Ok, format!("{address} answers")),
                Err(error) => (Status::Critical, format!("nobody answers: {error}")),
            }
        };
        let took = self.shared.monotonic().saturating_sub(begun);
        CheckReading { status, summary, took, ..CheckReading::default() }
    }
}

impl Source for Canary {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move { Ok(Brought::Reading(Reading::Check(self.ask().await))) })
    }
}
