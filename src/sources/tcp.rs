//! The `tcp` check: connects, and where the config says so sends and waits for a text.

use super::client::{Shared, io_failed};
use super::{Brought, Kind, Made, Source, http};
use crate::config::{Family, Key, Mistakes, Shape, Table, key};
use crate::domain::reading::PollFailure;
use crate::domain::{
    CheckReading, PollError, Reading, SourceInfo, Status, Timestamp, harmless_within, units,
};
use futures_util::future::BoxFuture;
use regex::bytes::Regex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "tcp", keys: &[KEYS], network: true, make };

const KEYS: &[Key] = &[
    key("tcp", Shape::Address, "Host and port that are connected to.").like("db-1:5432").needed(),
    key("send", Shape::Text, "Sent once connected; `\\r`, `\\n` and `\\t` may be in it.")
        .like("PING\\r\\n"),
    key("answer", Shape::Regex, "A regular expression that must match in what comes back.")
        .like("PONG"),
];

/// No answer that is waited for is longer.
const LONGEST: usize = 64 << 10;

/// A port that is connected to.
struct Tcp {
    info: SourceInfo,
    shared: Arc<Shared>,
    address: String,
    connect_timeout: Duration,
    send: Option<Vec<u8>>,
    answer: Option<Regex>,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, connect_timeout, shared, .. } = made;
    let address = table.text("tcp");
    info.asks.clone_from(&address);
    let send = table.optional_text("send").map(|text| unescaped(&text).into_bytes());
    let answer = match table.regex("answer").map(|regex| Regex::new(regex.as_str())) {
        Some(Err(error)) => {
            let help = error.to_string().lines().last().unwrap_or_default().to_owned();
            mistakes.wrong_but(table.span_of("answer"), "this is no regular expression", help);
            return None;
        }
        other => other.and_then(Result::ok),
    };
    Some(Arc::new(Tcp { info, shared, address, connect_timeout, send, answer }))
}

/// `\r\n` as it is written in a TOML text with single quotes.
fn unescaped(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
}

/// Connects within a limit.
pub(super) async fn connect(address: &str, limit: Duration) -> Result<TcpStream, PollError> {
    let tried = tokio::time::timeout(limit, TcpStream::connect(address)).await;
    match tried {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(io_failed(&error).unwrap_or_else(|| unnamed(&error))),
        Err(_) => Err(PollError::new(
            PollFailure::Timeout,
            format!("no connection in {}", units::duration(limit)),
        )),
    }
}

/// Name look-ups fail with errors of no kind that std names.
pub(super) fn unnamed(error: &std::io::Error) -> PollError {
    let text = error.to_string();
    if text.contains("lookup address") || text.contains("Name or service not known") {
        PollError::new(PollFailure::Name, "name does not resolve")
    } else {
        PollError::new(PollFailure::Network, harmless_within(&text, 120))
    }
}

impl Tcp {
    async fn ask(&self) -> CheckReading {
        let begun = self.shared.monotonic();
        let outcome = tokio::time::timeout(self.info.timeout, self.talk()).await;
        let mut reading = match outcome {
            Ok(Ok(summary)) => {
                CheckReading { status: Status::Ok, summary, ..CheckReading::default() }
            }
            Ok(Err(error)) => http::failed(&error),
            Err(_) => {
                let limit = units::duration(self.info.timeout);
                let message = format!("connected, and no answer in {limit}");
                http::failed(&PollError::new(PollFailure::Timeout, message))
            }
        };
        reading.took = self.shared.monotonic().saturating_sub(begun);
        reading
    }

    async fn talk(&self) -> Result<String, PollError> {
        let mut stream = connect(&self.address, self.connect_timeout).await?;
        let broke = |error: std::io::Error| io_failed(&error).unwrap_or_else(|| unnamed(&error));
        if let Some(send) = &self.send {
            stream.write_all(send).await.map_err(broke)?;
        }
        let Some(answer) = &self.answer else { return Ok("connected".into()) };
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.map_err(broke)?;
            got.extend_from_slice(&buffer[..read]);
            if answer.is_match(&got) {
                return Ok("connected, and it answers as expected".into());
            }
            if read == 0 || got.len() > LONGEST {
                let text = String::from_utf8_lossy(&got[..got.len().min(400)]).into_owned();
                let said = if text.trim().is_empty() {
                    "closed without an answer".into()
                } else {
                    format!("unexpected answer: {}", harmless_within(text.trim(), 80))
                };
                return Err(PollError::broken(said));
            }
        }
    }
}

impl Source for Tcp {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move { Ok(Brought::Reading(Reading::Check(self.ask().await))) })
    }
}
