//! A terminal without a screen: lines are printed, questions are answered by
//! typing. What is typed is read key by key, so that a paste is known as one.

mod out;

pub use out::Out;

use super::clock;
use super::keys::{Parser, Typed};
use super::tty::{own_description, size_of, write_patiently};
use rustix::io::Errno;
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// The rest of a sequence comes within this time, or it was the escape key.
const PIECES: Duration = Duration::from_millis(40);
const PASTES_MARKED: &[u8] = b"\x1b[?2004h";
const PASTES_UNMARKED: &[u8] = b"\x1b[?2004l";

/// The terminal that a person sits at.
#[derive(Debug)]
pub struct Plain {
    fd: Arc<AsyncFd<OwnedFd>>,
    saved: Termios,
    parser: Parser,
    ready: VecDeque<Typed>,
    give_up_at: Option<Instant>,
    state: State,
    /// It takes escape sequences.
    able: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it was found.
    Given,
    /// Keys come one by one, without an echo; ctrl-c is a signal still.
    Keys,
    /// Every byte is for somebody else.
    Raw,
}

impl Plain {
    /// Takes the terminal, where there is one to ask at: questions are printed to
    /// standard error and answered on standard input. Needs a tokio runtime.
    pub fn take() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(None);
        }
        let fd = own_description(0)?;
        let saved = rustix::termios::tcgetattr(&fd)?;
        let term = std::env::var("TERM").unwrap_or_default();
        let mut plain = Self {
            fd: Arc::new(fd),
            saved,
            parser: Parser::default(),
            ready: VecDeque::new(),
            give_up_at: None,
            state: State::Given,
            able: !matches!(term.as_str(), "" | "dumb"),
        };
        plain.keys()?;
        Ok(Some(plain))
    }

    /// Whether it takes escape sequences.
    pub fn is_able(&self) -> bool {
        self.able
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let size = size_of(self.fd.get_ref());
        (size.width, size.height)
    }

    /// Keys come one by one from now on.
    pub fn keys(&mut self) -> io::Result<()> {
        let mut modes = self.saved.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN;
        // Enter is one byte whatever it was set to.
        modes.input_modes -= InputModes::INLCR | InputModes::IGNCR | InputModes::ICRNL;
        modes.local_modes |= LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        self.set(&modes, State::Keys)?;
        if self.able {
            self.mark(PASTES_MARKED);
        }
        Ok(())
    }

    /// Every byte comes as it is from now on.
    pub fn raw(&mut self) -> io::Result<()> {
        let mut modes = self.saved.clone();
        modes.make_raw();
        if self.able {
            // What runs in there marks pastes if it wants to.
            self.mark(PASTES_UNMARKED);
        }
        self.ready.clear();
        self.set(&modes, State::Raw)
    }

    /// Gives the terminal back as it was found.
    pub fn give_back(&mut self) {
        if self.state == State::Given {
            return;
        }
        if self.able {
            self.mark(PASTES_UNMARKED);
        }
        // A terminal that is gone wants nothing back.
        let saved = self.saved.clone();
        let _ = self.set(&saved, State::Given);
    }

    /// Takes it again after somebody else had it, as a shell at ctrl-z.
    pub fn retake(&mut self) {
        // A failure shows at the next reading.
        let _ = match self.state {
            State::Raw => self.raw(),
            _ => self.keys(),
        };
    }

    fn set(&mut self, modes: &Termios, state: State) -> io::Result<()> {
        rustix::termios::tcsetattr(&self.fd, OptionalActions::Now, modes)?;
        self.state = state;
        Ok(())
    }

    /// A shell that got its terminal back with pastes marked would show the marks.
    fn mark(&self, bytes: &[u8]) {
        write_patiently(self.fd.get_ref(), bytes);
    }

    /// The next key or paste; none when the terminal is gone. May be dropped
    /// without loss.
    pub async fn typed(&mut self) -> Option<Typed> {
        loop {
            if let Some(typed) = self.ready.pop_front() {
                return Some(typed);
            }
            let fd = self.fd.clone();
            tokio::select! {
                biased;
                guard = fd.readable() => {
                    // Cleared first: bytes that come while reading count again.
                    guard.ok()?.clear_ready();
                    while let Some(bytes) = self.read()? {
                        let ready = &mut self.ready;
                        self.parser.feed(&bytes, &mut |typed| ready.push_back(typed));
                    }
                    self.give_up_at = self.parser.is_waiting().then(|| clock::instant() + PIECES);
                }
                () = at(self.give_up_at) => {
                    self.give_up_at = None;
                    let ready = &mut self.ready;
                    self.parser.give_up_waiting(&mut |typed| ready.push_back(typed));
                }
            }
        }
    }

    /// The next bytes as they are; none when the terminal is gone.
    pub async fn bytes(&mut self) -> Option<Vec<u8>> {
        loop {
            let fd = self.fd.clone();
            fd.readable().await.ok()?.clear_ready();
            if let Some(bytes) = self.read()? {
                return Some(bytes);
            }
        }
    }

    /// What is there: none where the terminal is gone, nothing where there is nothing.
    #[expect(clippy::option_option, reason = "gone, nothing there, or bytes")]
    fn read(&self) -> Option<Option<Vec<u8>>> {
        let mut bytes = [0; 4_096];
        loop {
            return match rustix::io::read(self.fd.get_ref(), &mut bytes) {
                // Neither mode has an end of file: it hung up.
                Ok(0) => None,
                Ok(count) => Some(Some(bytes[..count].to_vec())),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Some(None),
                Err(_) => None,
            };
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What the system tells a command that follows a run.
#[derive(Debug)]
pub struct Signals {
    int: Signal,
    term: Signal,
    hup: Signal,
    winch: Signal,
    cont: Signal,
}

/// A signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signalled {
    /// ctrl-c.
    Interrupt,
    /// The process shall end, or its terminal is gone.
    End,
    /// The terminal has another size.
    Resized,
    /// The process goes on after a stop.
    Continued,
}

impl Signals {
    /// Listens from now on. Needs a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            winch: signal(SignalKind::window_change())?,
            cont: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// The next one. May be dropped without loss.
    pub async fn next(&mut self) -> Signalled {
        tokio::select! {
            _ = self.int.recv() => Signalled::Interrupt,
            _ = self.term.recv() => Signalled::End,
            _ = self.hup.recv() => Signalled::End,
            _ = self.winch.recv() => Signalled::Resized,
            _ = self.cont.recv() => Signalled::Continued,
        }
    }
}
