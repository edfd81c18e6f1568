//! What a service manager is told of a service (`sd_notify`(3)): that it is ready,
//! how it stands, that it is alive. Without one nothing is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::time::Instant;

/// A service manager that listens, or none.
#[derive(Debug, Default)]
pub(super) struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// It ends a service that was not heard of for twice as long.
    every: Option<Duration>,
    last: Option<Instant>,
    told: String,
}

impl Notify {
    /// Whom the environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC`.
    pub(super) fn of_service_manager() -> Self {
        let to = std::env::var_os("NOTIFY_SOCKET").and_then(|path| {
            let address = match path.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
                _ => SocketAddr::from_pathname(&path),
            };
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address.ok()?))
        });
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let every = micros.map(|micros: u64| Duration::from_micros(micros / 2));
        Self { to, every, ..Self::default() }
    }

    /// Says it, if anybody listens.
    pub(super) fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.to {
            // A manager that does not listen is no reason to stop watching.
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }

    /// Tells how it stands where that has changed, and that it is alive where
    /// it is time.
    pub(super) fn alive(&mut self, status: &str, now: Instant) {
        if self.told != status {
            status.clone_into(&mut self.told);
            self.say(&format!("STATUS={status}"));
        }
        let due = |every| self.last.is_none_or(|last| now.duration_since(last) >= every);
        if self.every.is_some_and(due) {
            self.last = Some(now);
            self.say("WATCHDOG=1");
        }
    }
}
