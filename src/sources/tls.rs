//! The `tls` check: a handshake and a look at the certificate, also at one that is not trusted.

use super::client::{Shared, io_failed, tls_failed};
use super::trust::Trust;
use super::{Brought, Kind, Made, Source, http, tcp};
use crate::config::{Family, Key, Mistakes, Shape, TRUST, Table, key};
use crate::domain::reading::PollFailure;
use crate::domain::{
    Cause, Certificate, CheckReading, PollError, Reading, SourceInfo, Status, Timestamp,
    harmless_within, units,
};
use futures_util::future::BoxFuture;
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "tls", keys: &[KEYS, TRUST], network: true, make };

const KEYS: &[Key] = &[
    key("tls", Shape::Address, "Host and port that are connected to with TLS.")
        .like("mail.shop.example:993")
        .needed(),
    key("server_name", Shape::Name, "Name to ask for and to verify, instead of the host.")
        .like("mail.shop.example"),
    key("skip_verify", Shape::Bool, "Watch the last day alone and trust any certificate.")
        .or("false"),
];

/// A port that speaks TLS.
struct Tls {
    info: SourceInfo,
    shared: Arc<Shared>,
    host: String,
    port: u16,
    name: String,
    trust: Trust,
    connect_timeout: Duration,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let Made { mut info, connect_timeout, shared, .. } = made;
    let address = table.text("tls");
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = port.parse().ok()?;
    let trust = Trust {
        ca: table.optional_text("ca"),
        cert: table.optional_text("cert"),
        key: table.optional_text("key"),
        skip_verify: table.flag("skip_verify"),
    };
    if trust.cert.is_some() != trust.key.is_some() {
        let help = "a client certificate needs both `cert` and `key`";
        mistakes.wrong_but(table.span(), "half a client certificate", help);
    }
    let name = table.optional_text("server_name").unwrap_or_else(|| host.clone());
    info.asks = address;
    if trust.skip_verify {
        info.note = Some(http::NOT_VERIFIED.into());
    }
    Some(Arc::new(Tls { info, shared, host, port, name, trust, connect_timeout }))
}

/// What a look at a server's certificate shows.
pub(super) struct Look {
    pub(super) certificate: Certificate,
    /// What of its chain ends before it does.
    pub(super) notes: Vec<String>,
}

/// Shakes hands with whoever is there, and then judges the certificate.
pub(super) async fn look(
    shared: &Shared,
    trust: &Trust,
    (host, port): (&str, u16),
    name: &str,
    limit: Duration,
    now: Timestamp,
) -> Result<Look, PollError> {
    let broken = |message| PollError::new(PollFailure::Tls, message);
    let trusted = shared.trusted(trust).await.map_err(|why| {
        // Told apart by its cause: nothing was asked.
        PollError::new(PollFailure::Denied, why)
    })?;
    let bare = name.trim_matches(['[', ']']).to_owned();
    let name =
        ServerName::try_from(bare).map_err(|_| broken("no name that TLS can ask for".into()))?;
    let host = host.trim_matches(['[', ']']);
    let address =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let stream = tcp::connect(&address, limit).await?;
    let connector = TlsConnector::from(Arc::clone(&trusted.looking));
    let shaken = tokio::time::timeout(limit, connector.connect(name.clone(), stream)).await;
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(handshake_failed(&error)),
        Err(_) => {
            let message = format!("connected, and no TLS answer in {}", units::duration(limit));
            return Err(PollError::new(PollFailure::Timeout, message));
        }
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = trusted.judge(chain, &name, now).map_err(broken)?;
    let notes = earlier_ends(chain, &certificate, now);
    Ok(Look { certificate, notes })
}

fn handshake_failed(error: &std::io::Error) -> PollError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) => tls_failed(error),
        None => io_failed(error).unwrap_or_else(|| {
            let why = harmless_within(&error.to_string(), 120);
            PollError::new(PollFailure::Tls, format!("TLS: {why}"))
        }),
    }
}

/// Intermediate certificates that end before the leaf does.
fn earlier_ends(chain: &[CertificateDer<'_>], leaf: &Certificate, now: Timestamp) -> Vec<String> {
    chain
        .iter()
        .skip(1)
        .filter_map(|der| super::trust::read_leaf(der).ok())
        .filter(|link| link.not_after < leaf.not_after)
        .map(|link| format!("{} in its chain: {}", link.subject, left(&link, now)))
        .collect()
}

/// `5 days left`, `expired`.
fn left(certificate: &Certificate, now: Timestamp) -> String {
    let left = certificate.not_after.since(now);
    if left.is_zero() { "expired".into() } else { format!("{} left", units::age(left)) }
}

impl Tls {
    async fn ask(&self, now: Timestamp) -> CheckReading {
        let begun = self.shared.monotonic();
        let address = (self.host.as_str(), self.port);
        let looked =
            look(&self.shared, &self.trust, address, &self.name, self.connect_timeout, now).await;
        let mut reading = match looked {
            Ok(look) => self.judge(look, now),
            Err(error) if error.cause == PollFailure::Denied => {
                http::not_carried_out(&error.message)
            }
            Err(error) => http::failed(&error),
        };
        reading.notes.extend(self.info.note.clone());
        reading.took = self.shared.monotonic().saturating_sub(begun);
        reading
    }

    fn judge(&self, look: Look, now: Timestamp) -> CheckReading {
        let Look { mut certificate, notes } = look;
        if self.trust.skip_verify && certificate.not_after > now {
            certificate.problem = None;
        }
        let base = CheckReading { notes, ..CheckReading::default() };
        match &certificate.problem {
            Some(problem) if problem.starts_with("no CA store") => CheckReading {
                certificate: Some(certificate.clone()),
                ..http::not_carried_out(problem)
            },
            Some(problem) => CheckReading {
                status: Status::Critical,
                summary: format!("TLS: {problem}"),
                cause: Some(Cause::Tls),
                certificate: Some(certificate.clone()),
                ..base
            },
            None => CheckReading {
                status: Status::Ok,
                summary: format!("certificate {}", left(&certificate, now)),
                certificate: Some(certificate),
                ..base
            },
        }
    }
}

impl Source for Tls {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move { Ok(Brought::Reading(Reading::Check(self.ask(now).await))) })
    }
}
