//! The one loop: input, messages and ticks in; effects and frames out.

use super::clock::{self, Clock};
use super::input::{Input, Inputs};
use super::keys::Typed;
use super::terminal::{Display, Gone};
use crate::domain::Timestamp;
use crate::store::{Effect, Msg, Stamped};
use ratatui::Frame;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// From frame to frame where news comes in a flood. With the frames that keys
/// may draw ahead of their turn that makes at most 30 in any second.
pub const FRAME: Duration = Duration::from_millis(37);
/// So many frames a key may be ahead: it is seen at once, also right after news.
const SPARE: u32 = 2;

/// The program as a function: what the loop drives.
pub trait Program {
    /// Takes a message in and says what the world shall do.
    fn update(&mut self, stamped: Stamped) -> Vec<Effect>;
    /// Whether the screen would look different now.
    fn is_dirty(&self) -> bool;
    /// Draws it.
    fn draw(&mut self, frame: &mut Frame<'_>);
}

/// Carries effects out; never waits.
pub trait Execute {
    /// Begins to carry `effect` out; what comes of it comes as a message.
    fn execute(&mut self, effect: Effect, now: Timestamp);
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The operator quit.
    Quit,
    /// The process was told to end.
    Terminated,
    /// The terminal is gone.
    Gone,
}

/// What the loop is made of.
#[derive(Debug)]
pub struct EventLoop<P, D, I, E> {
    /// The program.
    pub program: P,
    /// Where frames go.
    pub display: D,
    /// Where input comes from.
    pub inputs: I,
    /// Who carries effects out.
    pub executor: E,
    /// All other messages.
    pub messages: Receiver<Msg>,
    /// The time of day.
    pub clock: Clock,
    /// The next frame is due, whatever the program says.
    pub redraw: bool,
}

enum Turn {
    Message(Msg),
    Input(Input),
    Look,
    Gone,
}

impl<P: Program, D: Display, I: Inputs, E: Execute> EventLoop<P, D, I, E> {
    /// Runs until the operator quits, the process is told to end, or the
    /// terminal is gone. Nothing in here waits for network, disk, children or
    /// a slow terminal.
    pub async fn run(&mut self) -> Ended {
        match self.turns().await {
            Ok(ended) => ended,
            Err(Gone) => Ended::Gone,
        }
    }

    async fn turns(&mut self) -> Result<Ended, Gone> {
        let mut next_frame = clock::instant();
        let mut next_tick = clock::instant() + self.clock.until_next_second();
        let mut open = true;
        // A key was pressed that no frame has shown yet.
        let mut urgent = false;
        loop {
            let wanted = self.redraw || self.program.is_dirty();
            let due = if urgent { next_frame - FRAME * SPARE } else { next_frame };
            let now = clock::instant();
            if wanted && self.display.is_ready() && now >= due {
                let program = &mut self.program;
                self.display.draw(&mut |frame| program.draw(frame))?;
                self.redraw = false;
                urgent = false;
                next_frame = next_frame.max(now) + FRAME;
                continue;
            }
            let turn = tokio::select! {
                biased;
                input = self.inputs.next() => Turn::Input(input),
                ready = self.display.until_ready(), if !self.display.is_ready() => match ready {
                    Ok(()) => Turn::Look,
                    Err(Gone) => Turn::Gone,
                },
                () = tokio::time::sleep_until(due),
                    if wanted && self.display.is_ready() => Turn::Look,
                message = self.messages.recv(), if open => {
                    open = message.is_some();
                    message.map_or(Turn::Look, Turn::Message)
                }
                () = tokio::time::sleep_until(next_tick) => {
                    next_tick = clock::instant() + self.clock.until_next_second();
                    Turn::Message(Msg::Ticked)
                }
            };
            let message = match turn {
                Turn::Look => continue,
                Turn::Gone => return Err(Gone),
                Turn::Message(message) => message,
                Turn::Input(input) => match input {
                    Input::Typed(Typed::Key(key)) => {
                        urgent = true;
                        Msg::KeyPressed(key)
                    }
                    Input::Typed(Typed::Paste(text)) => Msg::Pasted(text),
                    Input::Resized { width, height } => {
                        self.display.resize(width, height);
                        self.redraw = true;
                        Msg::Resized { width, height }
                    }
                    Input::Terminate => {
                        self.take(Msg::Terminated);
                        return Ok(Ended::Terminated);
                    }
                    Input::Gone => return Err(Gone),
                    Input::Stop => {
                        self.display.stop();
                        self.redraw = true;
                        Msg::Resumed
                    }
                    Input::Continued => {
                        self.display.retake();
                        self.redraw = true;
                        Msg::Resumed
                    }
                },
            };
            if self.take(message) {
                return Ok(Ended::Quit);
            }
        }
    }

    /// Takes a message in and sees to its effects; whether one was to end.
    fn take(&mut self, msg: Msg) -> bool {
        let at = self.clock.now();
        for effect in self.program.update(Stamped { at, msg }) {
            match effect {
                Effect::Quit => return true,
                Effect::Redraw => {
                    self.display.forget();
                    self.redraw = true;
                }
                Effect::Suspend => {
                    if let Err(text) = self.display.ask_stop() {
                        return self.take(Msg::Said { text, bad: true });
                    }
                }
                Effect::Copy(text) => {
                    if let Err(text) = self.display.copy(&text) {
                        return self.take(Msg::Said { text, bad: true });
                    }
                    self.executor.execute(Effect::Copy(text), at);
                }
                other => self.executor.execute(other, at),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
