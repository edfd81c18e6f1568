//! Waiting for something with a deadline, and asking a service plainly.

use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// For what comes at once on an idle machine; a busy one gets more than enough.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The moment, for deadlines.
#[expect(clippy::disallowed_methods, reason = "a deadline is of the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until `holds`, asked again and again; `what` is told if it never does.
pub(crate) fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = now() + within;
    let (_keep, pause) = channel::<()>();
    while !holds() {
        assert!(now() < deadline, "not within {within:?}: {what}");
        let _ = pause.recv_timeout(Duration::from_millis(10));
    }
}

/// What a service answers to `GET path`, asked plainly: status and body.
pub(crate) fn get(address: std::net::SocketAddr, path: &str) -> Option<(u16, String)> {
    let limit = Duration::from_millis(800);
    let mut stream = std::net::TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
