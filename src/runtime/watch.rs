//! `opsroom watch`: poller, engine and rules without a screen. Keeps the history
//! that consoles, glances, queries and runs read, and says what happens.

use super::assemble::Assembled;
use super::chronicle::Chronicle;
use super::clock::{self, Clock};
use super::console::remember;
use super::event_loop::Execute;
use super::keeping::Keeping;
use super::kept::Keeper;
use super::logging;
use super::notify::Notify;
use super::paths::StateFolder;
use super::world::{MESSAGES, World};
use crate::domain::{Counts, Event, Timestamp, harmless, units};
use crate::store::{Effect, Known, Msg};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// At the end the window is kept a last time; a service manager waits longer.
const LAST_KEEP: Duration = Duration::from_secs(20);

/// Watches until the process is told to end. `out` takes a line for all that
/// happens; where it takes no more, the watching goes on without words.
///
/// # Errors
/// The system gives no thread, no signal handler, or no folder for the history.
pub fn watch(
    assembled: Assembled,
    state: Option<&StateFolder>,
    keeper: Option<Keeper>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .thread_keep_alive(Duration::from_secs(1))
        .build()?;
    let ended = runtime.block_on(watched(assembled, state, keeper, out));
    // What still hangs in a name server or on a disk is not waited for.
    runtime.shutdown_background();
    ended
}

async fn watched(
    assembled: Assembled,
    state: Option<&StateFolder>,
    keeper: Option<Keeper>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let clock = Clock::Wall;
    let mut signals = Signals::listen()?;
    let log = state.map(logging::start);
    let (sender, mut messages) = mpsc::channel(MESSAGES);
    let (limits, path) = (assembled.limits(), assembled.path.clone());
    let sources = assembled.sources.len();
    tracing::info!(config = %path.display(), sources, "watch starts");
    let known = Known::new(assembled.inventory.clone(), clock.now());
    let keeping = Keeping::new(sender.clone());
    let earlier = keeper.as_ref().map(|keeper| remember(keeper, &sender)).unwrap_or_default();
    let (world, _engine) = World::start(assembled, clock, sender, None)?;
    let chronicle = keeper.clone().map(|keeper| {
        world.go_on_from(keeper.clone(), limits, earlier);
        tokio::spawn(world.clone().keep_window(keeper.clone(), keeping.clone()));
        Chronicle::start(keeper, keeping)
    });
    tokio::spawn(world.clone().follow_config());
    let mut watch = Watch {
        known,
        world: world.clone(),
        chronicle,
        notify: Notify::of_service_manager(),
        told: None,
        out,
        silent: false,
    };
    let started = format!("watches {}: {}", path.display(), units::count(sources, "source"));
    watch.say(clock.now(), "", &started);
    if let Some(Err(error)) = &log {
        watch.say(clock.now(), "warning", &format!("nothing is logged: {error}"));
    }
    watch.notify.say("READY=1");
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let msg = tokio::select! {
            biased;
            again = signals.next() => if again { Msg::Ticked } else { break },
            msg = messages.recv() => match msg {
                Some(msg) => msg,
                None => break,
            },
            _ = tick.tick() => Msg::Ticked,
        };
        if signals.reload.take().is_some() {
            world.clone().execute(Effect::Reload, clock.now());
        }
        watch.take(&msg, clock.now());
    }
    watch.notify.say("STOPPING=1");
    watch.say(clock.now(), "", "ends");
    tracing::info!("watch ends");
    if let Some(keeper) = keeper {
        world.keep_window_now(keeper, LAST_KEEP);
    }
    Ok(())
}

/// Which signals end it, and which have the config read anew.
struct Signals {
    end: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// On a terminal its end is ours; elsewhere a hang-up is the custom for "read
    /// the config anew".
    on_terminal: bool,
    reload: Option<()>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            end: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            on_terminal: io::stdin().is_terminal(),
            reload: None,
        })
    }

    /// Whether to go on after the next one.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.end.recv() => false,
            _ = self.interrupt.recv() => false,
            _ = self.hang_up.recv() => {
                self.reload = (!self.on_terminal).then_some(());
                !self.on_terminal
            }
        }
    }
}

struct Watch<'o> {
    known: Known,
    world: World,
    chronicle: Option<Chronicle>,
    notify: Notify,
    /// The last event that was told.
    told: Option<Event>,
    out: &'o mut dyn Write,
    silent: bool,
}

impl Watch<'_> {
    fn take(&mut self, msg: &Msg, now: Timestamp) {
        for effect in self.known.take(now, msg) {
            self.world.execute(effect, now);
        }
        match msg {
            Msg::Remembered(_) => self.told = self.known.events.back().cloned(),
            Msg::Said { text, bad } => self.say(now, if *bad { "warning" } else { "" }, text),
            Msg::Reloaded(Ok(_)) => self.say(now, "", "the config was read anew"),
            Msg::Reloaded(Err(why)) => {
                self.say(now, "warning", &format!("the config was not taken: {why}"));
            }
            Msg::Ticked => {
                if let Some(chronicle) = &mut self.chronicle {
                    chronicle.look(&self.known, now);
                }
                self.notify.alive(&status(self.known.counts()), clock::instant());
            }
            _ => {}
        }
        self.tell(now);
    }

    /// A line for each event that has happened since.
    fn tell(&mut self, now: Timestamp) {
        let events = &self.known.events;
        if events.back() == self.told.as_ref() {
            return;
        }
        let new = events.iter().rev().take_while(|event| Some(*event) != self.told.as_ref());
        let mut new: Vec<Event> = new.cloned().collect();
        new.reverse();
        for event in &new {
            let (status, words) = event.kind.words();
            let word = status.map_or_else(String::new, |status| status.to_string());
            self.say(now, &word, &words);
        }
        self.told = new.pop();
    }

    fn say(&mut self, at: Timestamp, word: &str, text: &str) {
        if self.silent {
            return;
        }
        let space = if word.is_empty() { "" } else { " " };
        let line = format!("{at}{space}{word} {}\n", harmless(text));
        let said = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        // A reader that went away stops the words, never the watching.
        self.silent = said.is_err();
    }
}

/// How everything stands, for `systemctl status`.
fn status(counts: Counts) -> String {
    let Counts { critical, warning, unknown, ok } = counts;
    format!("{critical} critical, {warning} warning, {unknown} unknown, {ok} ok")
}
