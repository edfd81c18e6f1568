//! The loop with a fake terminal, scripted input and a paused clock.

use super::*;
use crate::store::{Key, KeyCode, Mods};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::Instant;

/// Counts what it is told and draws the count.
#[derive(Default)]
struct Counter {
    told: Vec<Msg>,
    dirty: bool,
}

impl Program for Counter {
    fn update(&mut self, stamped: Stamped) -> Vec<Effect> {
        self.dirty |= !matches!(stamped.msg, Msg::Ticked);
        let effects = match &stamped.msg {
            Msg::KeyPressed(Key { code: KeyCode::Char('q'), .. }) => vec![Effect::Quit],
            Msg::KeyPressed(Key { code: KeyCode::Char('c'), .. }) => vec![Effect::Copy("x".into())],
            Msg::KeyPressed(Key { code: KeyCode::Char('p'), .. }) => vec![Effect::PollAll],
            Msg::KeyPressed(Key { code: KeyCode::Char('z'), .. }) => vec![Effect::Suspend],
            _ => vec![],
        };
        self.told.push(stamped.msg);
        effects
    }
    fn is_dirty(&self) -> bool {
        self.dirty
    }
    fn draw(&mut self, frame: &mut Frame<'_>) {
        self.dirty = false;
        frame.render_widget(format!("told {}", self.told.len()), frame.area());
    }
}

#[derive(Clone)]
struct Screen {
    draws: Rc<Cell<usize>>,
    /// Takes no bytes until then, after the first frame.
    stalled_until: Option<Instant>,
    gone: bool,
    copies: bool,
    terminal: Terminal<TestBackend>,
}

impl Screen {
    fn new() -> Self {
        Self {
            draws: Rc::default(),
            stalled_until: None,
            gone: false,
            copies: true,
            terminal: Terminal::new(TestBackend::new(20, 2)).unwrap(),
        }
    }
}

impl Display for Screen {
    fn is_ready(&self) -> bool {
        self.draws.get() == 0 || self.stalled_until.is_none_or(|until| clock::instant() >= until)
    }
    async fn until_ready(&mut self) -> Result<(), Gone> {
        if let Some(until) = self.stalled_until {
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }
    fn draw(&mut self, render: &mut dyn FnMut(&mut Frame<'_>)) -> Result<(), Gone> {
        self.terminal.draw(render).unwrap();
        self.draws.set(self.draws.get() + 1);
        if self.gone { Err(Gone) } else { Ok(()) }
    }
    fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().resize(width, height);
    }
    fn forget(&mut self) {}
    fn copy(&mut self, _text: &str) -> Result<(), String> {
        if self.copies { Ok(()) } else { Err("too much to copy".into()) }
    }
    fn ask_stop(&mut self) -> Result<(), String> {
        Err("no shell to go back to".into())
    }
    fn stop(&mut self) {}
    fn retake(&mut self) {}
}

/// Plays input at its moments, in milliseconds from the start.
struct Script(VecDeque<(u64, Input)>, Instant);

impl Inputs for Script {
    async fn next(&mut self) -> Input {
        let Some((at, _)) = self.0.front() else { return std::future::pending().await };
        tokio::time::sleep_until(self.1 + Duration::from_millis(*at)).await;
        self.0.pop_front().unwrap().1
    }
}

#[derive(Default)]
struct Effects(Vec<Effect>);

impl Execute for Effects {
    fn execute(&mut self, effect: Effect, _now: Timestamp) {
        self.0.push(effect);
    }
}

fn key(letter: char) -> Input {
    Input::Typed(Typed::Key(Key { code: KeyCode::Char(letter), mods: Mods::default() }))
}

fn set_up(
    screen: Screen,
    script: Vec<(u64, Input)>,
) -> (EventLoop<Counter, Screen, Script, Effects>, Sender<Msg>) {
    let (sender, messages) = channel(256);
    let event_loop = EventLoop {
        program: Counter::default(),
        display: screen,
        inputs: Script(script.into(), clock::instant()),
        executor: Effects::default(),
        messages,
        clock: Clock::following_tokio(Timestamp::from_millis(0)),
        redraw: true,
    };
    (event_loop, sender)
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_comes_before_anything_else_and_a_quiet_screen_is_not_drawn() {
    let (mut looped, _sender) = set_up(Screen::new(), vec![(60_500, key('q'))]);
    assert_eq!(looped.run().await, Ended::Quit);
    assert_eq!(looped.display.draws.get(), 1);
    assert_eq!(looped.program.told.iter().filter(|msg| **msg == Msg::Ticked).count(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_makes_thirty_frames_a_second_and_loses_no_key() {
    let (mut looped, sender) = set_up(Screen::new(), vec![(500, key('p')), (1_000, key('q'))]);
    tokio::spawn(async move {
        for _ in 0..10_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let _ = sender.send(Msg::Polled(vec![])).await;
        }
    });
    assert_eq!(looped.run().await, Ended::Quit);
    assert!((20..=31).contains(&looped.display.draws.get()), "{}", looped.display.draws.get());
    assert_eq!(looped.executor.0, [Effect::PollAll]);
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_takes_nothing_stops_neither_messages_nor_quitting() {
    let mut screen = Screen::new();
    screen.stalled_until = Some(clock::instant() + Duration::from_mins(1));
    let script = vec![(1_000, key('p')), (50_000, key('q'))];
    let (mut looped, sender) = set_up(screen, script);
    sender.try_send(Msg::Polled(vec![])).unwrap();
    assert_eq!(looped.run().await, Ended::Quit);
    assert_eq!(looped.display.draws.get(), 1);
    assert!(looped.program.told.contains(&Msg::Polled(vec![])));
    assert_eq!(looped.executor.0, [Effect::PollAll]);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_terminal_gets_the_newest_frame_when_it_takes_bytes_again() {
    let mut screen = Screen::new();
    screen.stalled_until = Some(clock::instant() + Duration::from_secs(5));
    let (mut looped, sender) = set_up(screen, vec![(9_500, key('q'))]);
    for _ in 0..100 {
        sender.try_send(Msg::Polled(vec![])).unwrap();
    }
    looped.run().await;
    assert_eq!(looped.display.draws.get(), 2);
    looped
        .display
        .terminal
        .backend()
        .assert_buffer_lines(["told 104            ", "                    "]);
}

#[tokio::test(start_paused = true)]
async fn the_loop_ends_when_the_terminal_is_gone_or_the_process_is_told_to() {
    let (mut hung_up, _sender) = set_up(Screen::new(), vec![(10, Input::Gone)]);
    assert_eq!(hung_up.run().await, Ended::Gone);
    let (mut told, _sender) = set_up(Screen::new(), vec![(10, Input::Terminate)]);
    assert_eq!(told.run().await, Ended::Terminated);
    assert_eq!(told.program.told, [Msg::Terminated]);
    let mut screen = Screen::new();
    screen.gone = true;
    let (mut unwritable, _sender) = set_up(screen, vec![]);
    assert_eq!(unwritable.run().await, Ended::Gone);
}

#[tokio::test(start_paused = true)]
async fn what_the_terminal_cannot_do_is_said() {
    let mut screen = Screen::new();
    screen.copies = false;
    let (mut looped, _sender) =
        set_up(screen, vec![(10, key('c')), (20, key('z')), (30, key('q'))]);
    looped.run().await;
    let said: Vec<_> = looped
        .program
        .told
        .iter()
        .filter_map(|msg| match msg {
            Msg::Said { text, bad: true } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["too much to copy", "no shell to go back to"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_right_after_news_is_drawn_at_once_and_a_held_key_is_no_flood() {
    let (mut looped, sender) = set_up(Screen::new(), vec![(105, key('j')), (110, key('q'))]);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = sender.send(Msg::Polled(vec![])).await;
        std::future::pending::<()>().await;
    });
    looped.run().await;
    assert_eq!(looped.display.draws.get(), 3);

    let mut held: Vec<_> = (0..200).map(|i| (i * 5, key('j'))).collect();
    held.push((1_000, key('q')));
    let (mut looped, _sender) = set_up(Screen::new(), held);
    looped.run().await;
    assert!((20..=30).contains(&looped.display.draws.get()), "{}", looped.display.draws.get());
}
