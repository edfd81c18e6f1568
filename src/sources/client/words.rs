//! What failed connections and answers are called, in words for the operator.

use crate::domain::harmless::harmless_within;
use crate::domain::reading::PollFailure;
use crate::domain::{Cause, PollError, units};
use crate::sources::trust;
use reqwest::Url;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

/// Why a request failed. Only known words and never the error's own text where
/// that could hold a URL.
pub(super) fn failed(error: &reqwest::Error, connect_timeout: Duration) -> PollError {
    if let Some(known) = known_in(error) {
        return known;
    }
    if error.is_timeout() && error.is_connect() {
        let limit = units::duration(connect_timeout);
        return PollError::new(PollFailure::Timeout, format!("no connection in {limit}"));
    }
    if error.is_timeout() {
        return PollError::new(PollFailure::Timeout, "no answer in time");
    }
    if error.is_decode() {
        return PollError::broken("the packed answer is damaged");
    }
    if error.is_connect() {
        return PollError::new(PollFailure::Network, "the connection failed");
    }
    if error.is_builder() {
        return PollError::broken("the request cannot be made of this URL");
    }
    PollError::new(PollFailure::Network, "the connection broke in the middle of the answer")
}

/// Whether the connection was closed before anything of the answer came.
pub(super) fn was_closed(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_timeout() {
        return false;
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(http) = error.downcast_ref::<hyper::Error>()
            && (http.is_incomplete_message() || http.is_canceled() || http.is_closed())
        {
            return true;
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(io.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Looks through an error and what caused it for something that has a name.
fn known_in(error: &(dyn Error + 'static)) -> Option<PollError> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_failed(tls));
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        if let Some(known) = io.get_ref().and_then(|inner| known_in(inner)) {
            return Some(known);
        }
        if let Some(known) = io_failed(io) {
            return Some(known);
        }
    }
    if let Some(http) = error.downcast_ref::<hyper::Error>() {
        if http.is_parse_too_large() {
            return Some(PollError::new(PollFailure::TooBig, "the answer's headers are too large"));
        }
        if http.is_parse() {
            return Some(PollError::broken("the answer is not HTTP"));
        }
        if http.is_incomplete_message() {
            let message = "the connection was closed before the answer was complete";
            return Some(PollError::new(PollFailure::Network, message));
        }
    }
    let text = error.to_string();
    if text == "dns error" || text.starts_with("failed to lookup address") {
        return Some(PollError::new(PollFailure::Name, "name does not resolve"));
    }
    error.source().and_then(known_in)
}

/// Why a handshake failed.
pub(crate) fn tls_failed(error: &rustls::Error) -> PollError {
    let why = match error {
        rustls::Error::AlertReceived(alert) => format!("the server refused it ({alert:?})"),
        rustls::Error::InvalidMessage(_) => "the port does not speak TLS".into(),
        rustls::Error::PeerIncompatible(_) => "no version or cipher in common".into(),
        other => trust::problem(other, None, crate::domain::Timestamp::default()),
    };
    PollError::new(PollFailure::Tls, format!("TLS: {why}"))
}

/// Why the network failed, where that has a name.
pub(crate) fn io_failed(error: &std::io::Error) -> Option<PollError> {
    let (failure, message) = match error.kind() {
        ErrorKind::ConnectionRefused => (PollFailure::Refused, "connection refused"),
        ErrorKind::ConnectionReset => (PollFailure::Network, "connection reset"),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof => {
            (PollFailure::Network, "connection closed in the middle")
        }
        ErrorKind::HostUnreachable => (PollFailure::Network, "no route to the host"),
        ErrorKind::NetworkUnreachable => (PollFailure::Network, "no route to the network"),
        ErrorKind::AddrNotAvailable => (PollFailure::Network, "no free port on this host"),
        ErrorKind::TimedOut => (PollFailure::Timeout, "no connection: the host does not answer"),
        _ => return None,
    };
    Some(PollError::new(failure, message))
}

/// The same failure as a check tells it.
pub(crate) fn cause(failure: PollFailure) -> Cause {
    match failure {
        PollFailure::Name => Cause::Name,
        PollFailure::Refused => Cause::Refused,
        PollFailure::Timeout => Cause::Timeout,
        PollFailure::Network => Cause::Network,
        PollFailure::Tls => Cause::Tls,
        PollFailure::Denied
        | PollFailure::Absent
        | PollFailure::Busy
        | PollFailure::Broken
        | PollFailure::TooBig
        | PollFailure::Limited => Cause::Answer,
    }
}

/// What an HTTP code other than 2xx means for a source that reads an API.
pub(crate) fn said_status(status: u16, retry_after: &str, body: &[u8]) -> PollError {
    let failure = match status {
        401 | 403 => PollFailure::Denied,
        404 | 405 | 410 => PollFailure::Absent,
        429 => PollFailure::Limited,
        503 => PollFailure::Busy,
        _ => PollFailure::Broken,
    };
    let text = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
    let first = text.trim().lines().next().unwrap_or_default();
    let says = if first.starts_with(['<', '{', '[']) { "" } else { first };
    let message = match (status, says) {
        (401 | 403, _) => format!("HTTP {status}: the credentials are missing or not accepted"),
        (404, _) => "HTTP 404: nothing is there".into(),
        (_, "") => format!("HTTP {status}"),
        (_, says) => format!("HTTP {status}: {}", harmless_within(says, 120)),
    };
    let wait = retry_after.trim().parse().ok().map(Duration::from_secs);
    PollError { cause: failure, message, retry_after: wait }
}

/// A URL without what may be secret: user, password, query.
pub(crate) fn shown(url: &Url) -> String {
    let mut plain = url.clone();
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    let query = plain.query().is_some();
    plain.set_query(None);
    plain.set_fragment(None);
    let mut text = harmless_within(plain.as_str(), 160);
    if query {
        text.push_str("?…");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://me:pass@shop.example:8443/health?token=abc#x").unwrap();
        assert_eq!(shown(&url), "https://shop.example:8443/health?…");
    }

    #[test]
    fn codes_of_apis_are_told_apart() {
        assert_eq!(said_status(401, "", b"").cause, PollFailure::Denied);
        let busy = said_status(503, "7", b"Service Unavailable");
        assert_eq!(
            (busy.cause, busy.retry_after),
            (PollFailure::Busy, Some(Duration::from_secs(7)))
        );
        assert_eq!(said_status(500, "", b"<html>").message, "HTTP 500");
        assert_eq!(said_status(405, "", b"Method Not Allowed\n").cause, PollFailure::Absent);
    }
}
