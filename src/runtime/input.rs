//! What comes in from the terminal and from signals, as one stream.

use super::clock;
use super::keys::{Parser, Typed};
use super::tty::size_of;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// The rest of a sequence comes within this time, or it was the escape key.
const PIECES: Duration = Duration::from_millis(40);

/// Something came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key or a paste.
    Typed(Typed),
    /// The terminal has this many columns and rows.
    Resized { width: u16, height: u16 },
    /// The process shall end.
    Terminate,
    /// The terminal is gone: nothing may be written any more.
    Gone,
    /// The process shall stop, as ctrl-z does.
    Stop,
    /// The process goes on after a stop that it did not make itself.
    Continued,
}

/// Where input comes from.
pub trait Inputs {
    /// The next one. May be dropped and called again without loss.
    fn next(&mut self) -> impl Future<Output = Input>;
}

/// The terminal's keys and this process's signals.
#[derive(Debug)]
pub struct TtyInputs {
    fd: Arc<AsyncFd<OwnedFd>>,
    parser: Parser,
    ready: VecDeque<Typed>,
    give_up_at: Option<Instant>,
    winch: Signal,
    term: Signal,
    int: Signal,
    hup: Signal,
    tstp: Signal,
    cont: Signal,
}

impl TtyInputs {
    /// Listens from now on. Needs a tokio runtime.
    pub fn listen(fd: Arc<AsyncFd<OwnedFd>>) -> std::io::Result<Self> {
        Ok(Self {
            fd,
            parser: Parser::default(),
            ready: VecDeque::new(),
            give_up_at: None,
            winch: signal(SignalKind::window_change())?,
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            tstp: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            cont: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// Reads what is there; whether the terminal still is.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4_096];
        loop {
            match rustix::io::read(self.fd.get_ref(), &mut bytes) {
                // A terminal in raw mode has no end of file: it hung up.
                Ok(0) => return false,
                Ok(count) => {
                    let ready = &mut self.ready;
                    self.parser.feed(&bytes[..count], &mut |typed| ready.push_back(typed));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
        }
        self.give_up_at = self.parser.is_waiting().then(|| clock::instant() + PIECES);
        true
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Inputs for TtyInputs {
    async fn next(&mut self) -> Input {
        loop {
            if let Some(typed) = self.ready.pop_front() {
                return Input::Typed(typed);
            }
            let fd = self.fd.clone();
            tokio::select! {
                biased;
                _ = self.hup.recv() => return Input::Gone,
                _ = self.term.recv() => return Input::Terminate,
                _ = self.int.recv() => return Input::Terminate,
                _ = self.winch.recv() => {
                    let size = size_of(self.fd.get_ref());
                    return Input::Resized { width: size.width, height: size.height };
                }
                _ = self.tstp.recv() => return Input::Stop,
                _ = self.cont.recv() => return Input::Continued,
                guard = fd.readable() => {
                    let Ok(mut guard) = guard else { return Input::Gone };
                    // Cleared first: bytes that come while reading count again.
                    guard.clear_ready();
                    if !self.read() {
                        return Input::Gone;
                    }
                }
                () = at(self.give_up_at) => {
                    self.give_up_at = None;
                    let ready = &mut self.ready;
                    self.parser.give_up_waiting(&mut |typed| ready.push_back(typed));
                }
            }
        }
    }
}
