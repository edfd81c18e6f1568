//! The `http` check: asks a URL and judges code, headers, body, health and latency.

mod expect;
mod path;

pub(crate) use expect::Expect;

use super::client::{FetchError, Fetched, Shared, Target, cause, shown};
use super::trust::{Trust, read_leaf};
use super::{Brought, Kind, Made, Source, tls};
use crate::config::{CLIENT, Client, Family, Key, Mistakes, Shape, TRUST, Table, key};
use crate::domain::reading::PollFailure;
use crate::domain::{
    Cause, CheckReading, PollError, Reading, SourceInfo, Status, Timestamp, harmless_within,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use std::sync::Arc;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "http", keys: &[KEYS, CLIENT, TRUST], network: true, make };

const KEYS: &[Key] = &[
    key("http", Shape::Url, "The URL that is asked.")
        .like("https://api.shop.example/healthz")
        .needed(),
    key(
        "method",
        Shape::OneOf(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        "The request's method.",
    )
    .or("GET"),
    key("body", Shape::Text, "Sent with the request; as JSON if it begins with `{` or `[`.")
        .like(r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#),
    key(
        "redirects",
        Shape::Integer { min: 0, max: 20 },
        "How many redirects are followed; with 0 a redirect is the answer itself.",
    )
    .or("5"),
    key("max_body", Shape::Size, "A larger body, unpacked, is a failure.").or("4 MiB"),
    key(
        "health",
        Shape::Bool,
        "Read the usual health bodies and show their parts; `false` leaves it at code and `expect`.",
    )
    .or("true"),
    key("expect", Shape::Table(expect::KEYS), "What makes the answer a good one."),
];

/// A URL that is asked for its health.
pub struct Http {
    info: SourceInfo,
    shared: Arc<Shared>,
    target: Target,
    expect: Expect,
}

/// What the kind makes of a check's table.
fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let url = Url::parse(&table.text("http")).ok()?;
    let mut target = Target::get(url, Client::read(table, mistakes), made.info.timeout);
    target.method = table.text("method").parse().unwrap_or(Method::GET);
    target.body = table.optional_text("body").map(Bytes::from);
    target.redirects = table.whole("redirects");
    target.connect_timeout = made.connect_timeout;
    target.max_body = table.size("max_body");
    let looks_like_json =
        target.body.as_ref().is_some_and(|body| body.starts_with(b"{") || body.starts_with(b"["));
    let typed =
        target.client.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if looks_like_json && !typed {
        target.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let expect = Expect::read(table, mistakes);
    Some(Arc::new(Http::new(made.info, made.shared, target, expect)))
}

impl Http {
    fn new(mut info: SourceInfo, shared: Arc<Shared>, target: Target, expect: Expect) -> Self {
        info.asks = match target.method {
            Method::GET => shown(&target.url),
            ref method => format!("{method} {}", shown(&target.url)),
        };
        if target.client.skip_verify && target.url.scheme() == "https" {
            info.note = Some(NOT_VERIFIED.into());
        }
        Self { info, shared, target, expect }
    }

    /// A check of one URL with all defaults, for benchmarks and tests.
    pub fn plain(info: SourceInfo, shared: Arc<Shared>, url: Url) -> Self {
        let target = Target::get(url, Client::default(), info.timeout);
        Self::new(info, shared, target, Expect::default())
    }

    async fn ask(&self, now: Timestamp) -> CheckReading {
        let mut reading = match self.target.fetch(&self.shared).await {
            Ok(fetched) => self.judge(&fetched),
            Err(FetchError::Setup(message)) => not_carried_out(&message),
            Err(FetchError::Failed(error)) if error.cause == PollFailure::Tls => {
                self.after_tls(&error, now).await
            }
            Err(FetchError::Failed(error)) => failed(&error),
        };
        if let Some(note) = &self.info.note {
            reading.notes.push(note.clone());
        }
        reading
    }

    fn judge(&self, fetched: &Fetched) -> CheckReading {
        let mut reading = self.expect.judge(fetched);
        reading.certificate = fetched.leaf.as_deref().and_then(|der| read_leaf(der).ok());
        reading
    }

    /// Looks at the certificate that was refused, so that the reason and its
    /// last day can be told.
    async fn after_tls(&self, error: &PollError, now: Timestamp) -> CheckReading {
        let mut reading = failed(error);
        let url = &self.target.url;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return reading;
        };
        let name = self.target.client.server_name.as_deref().unwrap_or(host);
        let trust = Trust::from(&self.target.client);
        let limit = self.target.connect_timeout;
        let look = tls::look(&self.shared, &trust, (host, port), name, limit, now);
        if let Ok(look) = look.await {
            if let Some(problem) = &look.certificate.problem {
                reading.summary = format!("TLS: {problem}");
            }
            reading.certificate = Some(look.certificate);
        }
        reading
    }
}

/// Shown wherever the check is.
pub(super) const NOT_VERIFIED: &str = "TLS not verified";

/// A check that got no answer.
pub(super) fn failed(error: &PollError) -> CheckReading {
    CheckReading {
        status: Status::Critical,
        summary: harmless_within(&error.message, 200),
        cause: Some(cause(error.cause)),
        ..CheckReading::default()
    }
}

/// A check that could not even ask: nobody knows.
pub(super) fn not_carried_out(message: &str) -> CheckReading {
    CheckReading {
        status: Status::Unknown,
        summary: harmless_within(message, 200),
        cause: Some(Cause::Check),
        ..CheckReading::default()
    }
}

impl Source for Http {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move { Ok(Brought::Reading(Reading::Check(self.ask(now).await))) })
    }
}
