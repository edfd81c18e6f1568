//! The terminal: taken over without a question, written without waiting, given back whatever happens.

use super::isolate::is_isolated;
use super::pen::Pen;
use super::tty::{own_description, size_of, write_patiently};
use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::ClearType::{All, FromCursorDown};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use ratatui::layout::{Rect, Size};
use ratatui::{Frame, Terminal};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, QueueSelector, Termios};
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::io::unix::AsyncFd;

/// What most terminals take of a text to be copied, in base64 (xterm's limit).
const COPY_MAX: usize = 74_994;

/// Why there can be no console here.
#[derive(Debug, Error)]
pub enum TerminalError {
    /// Input or output is a file or a pipe, or the terminal can do nothing.
    #[error("{0}; `opsroom glance` answers in one line without one")]
    Unfit(String),
    /// The system refused.
    #[error("the terminal cannot be used: {0}")]
    System(#[from] std::io::Error),
}

/// The terminal is no longer there, or takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// Where frames go. A frame is drawn only when the last one was taken.
pub trait Display {
    /// Whether the last frame was taken whole.
    fn is_ready(&self) -> bool;
    /// Waits until it was.
    fn until_ready(&mut self) -> impl Future<Output = Result<(), Gone>>;
    /// Draws a frame and sends off what changed.
    fn draw(&mut self, render: &mut dyn FnMut(&mut Frame<'_>)) -> Result<(), Gone>;
    /// The terminal has this size now.
    fn resize(&mut self, width: u16, height: u16);
    /// The next frame is drawn whole.
    fn forget(&mut self);
    /// Puts a text into the terminal's clipboard; why not, if not.
    fn copy(&mut self, text: &str) -> Result<(), String>;
    /// Asks for a stop of all of this job, as the terminal would at ctrl-z;
    /// it comes back as a signal. Why not, if there is nobody to continue it.
    fn ask_stop(&mut self) -> Result<(), String>;
    /// Gives the terminal back, stops this process, and takes the terminal
    /// again when it is continued.
    fn stop(&mut self);
    /// Takes the terminal again, whatever was done to it meanwhile.
    fn retake(&mut self);
}

/// The terminal that this process was started in.
#[derive(Debug)]
pub struct Tty {
    fd: Arc<AsyncFd<OwnedFd>>,
    saved: Termios,
    taken: bool,
    terminal: Terminal<Pen>,
    /// Bytes that the terminal has not taken yet, and how many of them it has.
    out: Vec<u8>,
    written: usize,
}

impl Tty {
    /// Whether a console can be shown here, and why not. Asks the terminal nothing.
    pub fn check_fit() -> Result<(), TerminalError> {
        if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Err(TerminalError::Unfit("the console needs a terminal".to_owned()));
        }
        match std::env::var("TERM").ok().as_deref() {
            None | Some("") => Err(TerminalError::Unfit(
                "the console needs to know its terminal, and TERM is not set".to_owned(),
            )),
            Some("dumb") => Err(TerminalError::Unfit(
                "the console needs a terminal that can move its cursor, and TERM is dumb"
                    .to_owned(),
            )),
            Some(_) => Ok(()),
        }
    }

    /// Takes the terminal over. Needs a tokio runtime.
    pub fn take() -> Result<Self, TerminalError> {
        Self::check_fit()?;
        let fd = Arc::new(own_description(1)?);
        let saved = rustix::termios::tcgetattr(&fd).map_err(std::io::Error::from)?;
        let pen = Pen::new(size_of(&fd));
        let Ok(terminal) = Terminal::new(pen);
        let mut tty = Self { fd, saved, taken: false, terminal, out: Vec::new(), written: 0 };
        tty.enter()?;
        Ok(tty)
    }

    /// What the keys are read from.
    pub fn input(&self) -> Arc<AsyncFd<OwnedFd>> {
        self.fd.clone()
    }

    /// Its columns and rows.
    pub fn size(&self) -> Size {
        size_of(self.fd.get_ref())
    }

    fn enter(&mut self) -> std::io::Result<()> {
        let mut raw = self.saved.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&self.fd, OptionalActions::Now, &raw)?;
        self.taken = true;
        *rescue() = Some(Rescue {
            fd: self.fd.clone(),
            saved: self.saved.clone(),
            thread: std::thread::current().id(),
        });
        self.out.clear();
        self.written = 0;
        self.out.extend_from_slice(entering().as_bytes());
        self.forget();
        Ok(())
    }

    /// Gives the terminal back as it was found. Waits for nobody: what a
    /// stalled terminal has not taken is thrown away.
    pub fn give_back(&mut self) {
        if !std::mem::take(&mut self.taken) {
            return;
        }
        let stalled = self.written < self.out.len();
        self.out.clear();
        self.written = 0;
        if rescue().take().is_none() {
            // A panic has given it back already; the report stands there now.
            return;
        }
        leave(self.fd.get_ref(), &self.saved, stalled);
    }

    /// Writes as much as the terminal takes now.
    fn push(&mut self) -> Result<(), Gone> {
        while self.written < self.out.len() {
            match rustix::io::write(self.fd.get_ref(), &self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(_) => return Err(Gone),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }
}

impl Display for Tty {
    fn is_ready(&self) -> bool {
        self.out.is_empty()
    }

    async fn until_ready(&mut self) -> Result<(), Gone> {
        loop {
            self.push()?;
            if self.out.is_empty() {
                return Ok(());
            }
            let fd = self.fd.clone();
            let mut guard = fd.writable().await.map_err(|_| Gone)?;
            guard.clear_ready();
            // Room may have come between the last write and the clearing.
            self.push()?;
        }
    }

    fn draw(&mut self, render: &mut dyn FnMut(&mut Frame<'_>)) -> Result<(), Gone> {
        let Ok(_) = self.terminal.draw(render);
        let frame = self.terminal.backend_mut().take();
        if !frame.is_empty() {
            self.out.extend_from_slice(ansi(&BeginSynchronizedUpdate).as_bytes());
            self.out.extend_from_slice(frame.as_bytes());
            self.out.extend_from_slice(ansi(&EndSynchronizedUpdate).as_bytes());
        }
        self.push()
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(Size::new(width, height));
        let Ok(()) = self.terminal.resize(Rect::new(0, 0, width, height));
    }

    fn forget(&mut self) {
        let size = self.size();
        self.terminal.backend_mut().forget();
        self.resize(size.width, size.height);
    }

    fn copy(&mut self, text: &str) -> Result<(), String> {
        let sequence = copy_sequence(text, std::env::var_os("TMUX").is_some())?;
        self.out.extend_from_slice(sequence.as_bytes());
        // That the terminal is gone shows at the next frame.
        let _ = self.push();
        Ok(())
    }

    fn ask_stop(&mut self) -> Result<(), String> {
        if !can_be_continued() {
            return Err(
                "no shell to go back to: nobody could continue a stopped console".to_owned()
            );
        }
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)
            .map_err(|error| format!("cannot stop: {error}"))
    }

    fn stop(&mut self) {
        self.give_back();
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        self.retake();
    }

    fn retake(&mut self) {
        // A failure shows at the next frame.
        let _ = self.enter();
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Writes what gives the terminal back, and its modes.
fn leave(fd: &OwnedFd, saved: &Termios, stalled: bool) {
    if stalled {
        let _ = rustix::termios::tcflush(fd, QueueSelector::OFlush);
    }
    write_patiently(fd, leaving().as_bytes());
    let _ = rustix::termios::tcsetattr(fd, OptionalActions::Now, saved);
}

/// What it takes to give the terminal back from a panic hook.
struct Rescue {
    fd: Arc<AsyncFd<OwnedFd>>,
    saved: Termios,
    thread: std::thread::ThreadId,
}

static RESCUE: Mutex<Option<Rescue>> = Mutex::new(None);

fn rescue() -> MutexGuard<'static, Option<Rescue>> {
    RESCUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on a panic that ends the console gives the terminal back before it
/// is reported; one that ends a single source or evaluation is only logged.
pub fn rescue_at_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let mut rescue = rescue();
        let ends_console = !is_isolated()
            && rescue.as_ref().is_some_and(|rescue| rescue.thread == std::thread::current().id());
        if ends_console && let Some(Rescue { fd, saved, .. }) = rescue.take() {
            leave(fd.get_ref(), &saved, true);
            report(panic);
        } else if rescue.is_none() {
            report(panic);
        } else {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(at, "a part has panicked");
        }
    }));
}

/// Whether a shell waits behind this process that could continue it: a
/// stopped process without one would stay so for good.
pub fn can_be_continued() -> bool {
    let Some(parent) = rustix::process::getppid() else { return false };
    match (rustix::process::getsid(None), rustix::process::getsid(Some(parent))) {
        (Ok(own), Ok(parents)) => own == parents,
        _ => false,
    }
}

/// OSC 52; inside tmux wrapped, so that it reaches the terminal around it.
fn copy_sequence(text: &str, in_tmux: bool) -> Result<String, String> {
    if text.len().div_ceil(3) * 4 > COPY_MAX {
        return Err(format!(
            "too much to copy: {} bytes, and terminals take {}",
            text.len(),
            COPY_MAX / 4 * 3
        ));
    }
    let copy = ansi(&CopyToClipboard::to_clipboard_from(text));
    // tmux hands on what is wrapped so, with each escape doubled.
    let wrapped = || format!("\x1bPtmux;{}\x1b\\", copy.replace('\x1b', "\x1b\x1b"));
    Ok(if in_tmux { wrapped() } else { copy })
}

/// A command of the terminal as the bytes that it is.
fn ansi(command: &impl Command) -> String {
    let mut bytes = String::new();
    // Writing into a String cannot fail.
    let _ = command.write_ansi(&mut bytes);
    bytes
}

/// Alternate screen, bracketed paste, hidden cursor, cleared.
fn entering() -> String {
    ansi(&EnterAlternateScreen) + &ansi(&EnableBracketedPaste) + &ansi(&Hide) + &ansi(&Clear(All))
}

/// All of that undone. CAN first ends a sequence that was cut off in the middle;
/// the screen is cleared, since tmux after a resize leaves parts of it behind.
fn leaving() -> String {
    let mut bytes = String::from("\x18");
    bytes.push_str(&ansi(&EndSynchronizedUpdate));
    bytes.push_str(&ansi(&SetAttribute(Attribute::Reset)));
    bytes.push_str(&ansi(&MoveTo(0, 0)));
    bytes.push_str(&ansi(&Clear(FromCursorDown)));
    bytes.push_str(&ansi(&DisableBracketedPaste));
    bytes.push_str(&ansi(&LeaveAlternateScreen));
    bytes.push_str(&ansi(&Show));
    bytes
}

#[cfg(test)]
mod tests;
