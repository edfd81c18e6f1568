//! The console: terminal, loop, program and world put together.

use super::assemble::Assembled;
use super::chronicle::Chronicle;
use super::clock::Clock;
use super::event_loop::{Ended, EventLoop, Program};
use super::input::TtyInputs;
use super::keeping::Keeping;
use super::kept::{Keeper, KeptFiles};
use super::logging;
use super::paths::StateFolder;
use super::runs::desk::Desk;
use super::runs::process;
use super::state_file;
use super::terminal::{Display, TerminalError, Tty, rescue_at_panic};
use super::world::{CallFault, MESSAGES, World};
use crate::app::{self, Setting, State};
use crate::config::{Colors, Config, Glyphs};
use crate::domain::{Inventory, Timestamp, harmless, harmless_within};
use crate::panels::runs::waits;
use crate::rules::Earlier;
use crate::runbook::Run;
use crate::store::{Effect, Known, Msg, Stamped};
use crate::ui::{ASCII, Depth, Keys, Theme, UNICODE};
use ratatui::Frame;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;

/// At the end the window is kept a last time; nobody waits longer for it.
const LAST_KEEP: Duration = Duration::from_millis(500);
/// The same where the terminal is gone and the process shall be, too.
const LAST_KEEP_GONE: Duration = Duration::from_millis(20);

/// What a console is started with.
pub struct Setup {
    /// The config, read.
    pub assembled: Assembled,
    /// Where log, summary and window lie; none where the user has no home.
    pub state: Option<StateFolder>,
    /// The faults of a practice environment, and what starts them.
    pub practice: Option<(Vec<String>, CallFault)>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("assembled", &self.assembled).finish_non_exhaustive()
    }
}

/// Why there is no console.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The terminal is not fit for one, or cannot be used.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The system refused something.
    #[error("the console cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The theme or the keys of the config cannot be used.
    #[error("{0}")]
    Look(String),
}

/// Shows the console until the operator quits, the process is told to end, or
/// the terminal is gone.
pub fn run(setup: Setup) -> Result<Ended, ConsoleError> {
    Tty::check_fit()?;
    let theme = theme(&setup.assembled.config)?;
    let keys = keys(&setup.assembled.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .thread_keep_alive(Duration::from_secs(1))
        .build()?;
    let ended = runtime.block_on(shown(setup, theme, keys));
    // What still hangs in a name server or on a disk is not waited for.
    runtime.shutdown_background();
    ended
}

async fn shown(setup: Setup, theme: Theme, keys: Keys) -> Result<Ended, ConsoleError> {
    let Setup { assembled, state, practice } = setup;
    let clock = Clock::Wall;
    let (faults, call) = practice.map_or((Vec::new(), None), |(faults, call)| (faults, Some(call)));
    let is_practice = call.is_some();
    let setting = setting(state.as_ref(), faults);
    let inventory = assembled.inventory.clone();

    // The first frame is there before anything is asked, opened or started.
    let mut display = Tty::take()?;
    rescue_at_panic();
    let inputs = TtyInputs::listen(display.input())?;
    let mut program = Console::new(inventory, setting, keys, theme, &display, clock.now());
    // A terminal that is gone already shows at the loop's first turn.
    let _ = display.draw(&mut |frame| program.draw(frame));

    let log = state.as_ref().map(logging::start);
    let (out, messages) = mpsc::channel(MESSAGES);
    if let Some(Err(error)) = &log {
        let text = format!("nothing is logged: {error}");
        let _ = out.try_send(Msg::Said { text, bad: true });
    }
    let (limits, path) = (assembled.limits(), assembled.path.clone());
    tracing::info!(config = %path.display(), sources = assembled.sources.len(), "console starts");
    let keeping = Keeping::new(out.clone());
    let config = assembled.config.clone();
    let kept = KeptFiles::of(&config, &path, state.as_ref());
    let keeper = kept.map(|files| Keeper::new(files, "console"));
    let earlier = keeper.as_ref().map(|keeper| remember(keeper, &out)).unwrap_or_default();
    let desk = Desk::new(clock, out.clone(), path.clone(), config, state.as_ref());
    let (world, _engine) = World::start(assembled, clock, out, call)?;
    world.serve_runs(desk);
    if let Some(folder) = exports(state.as_ref(), is_practice) {
        world.write_exports_to(folder);
    }
    if let Some(keeper) = &keeper {
        world.go_on_from(keeper.clone(), limits, earlier);
        tokio::spawn(world.clone().keep_window(keeper.clone(), keeping.clone()));
        program.chronicle = Some(Chronicle::start(keeper.clone(), keeping));
    }
    tokio::spawn(world.clone().follow_config());

    let mut event_loop = EventLoop {
        program,
        display,
        inputs,
        executor: world.clone(),
        messages,
        clock,
        redraw: false,
    };
    let ended = event_loop.run().await;
    event_loop.display.give_back();
    if ended != Ended::Gone {
        let mut to = std::io::stderr().lock();
        for line in left_behind(event_loop.program.state.known(), is_practice) {
            // Nobody may read it any more.
            let _ = writeln!(to, "{line}");
        }
    }
    tracing::info!(?ended, "console ends");
    if let Some(keeper) = keeper {
        let patience = if ended == Ended::Gone { LAST_KEEP_GONE } else { LAST_KEEP };
        world.keep_window_now(keeper, patience);
    }
    Ok(ended)
}

/// Where files are written that the operator asks for: beside what else this
/// user alone can read. What the practice leaves behind goes with it, so its
/// files are written where it was started.
fn exports(state: Option<&StateFolder>, is_practice: bool) -> Option<PathBuf> {
    let kept = state.filter(|_| !is_practice).map(StateFolder::exports);
    kept.or_else(|| std::env::current_dir().ok())
}

/// What goes on without the console, a line for each run.
fn left_behind(known: &Known, is_practice: bool) -> Vec<String> {
    let line = |run: &Run| {
        let what = if waits(known, run) { "waits for a person" } else { "goes on" };
        let then = if is_practice {
            "it ends with the practice".to_owned()
        } else {
            format!("opsroom attach {}", run.id)
        };
        let title = harmless_within(&run.plan.book.title, 60);
        format!("opsroom: run {} ({title}) {what}: {then}", run.id)
    };
    known.runs.going().map(line).collect()
}

/// Goes on from what another process of this config last knew; gives what its
/// rules knew of alerts.
pub(super) fn remember(keeper: &Keeper, out: &mpsc::Sender<Msg>) -> Earlier {
    match state_file::read_known(&keeper.files().known()) {
        Ok(Some(known)) => {
            let earlier = known.own_alerts();
            // A channel that nobody has filled yet has room.
            let _ = out.try_send(Msg::Remembered(Box::new(known)));
            earlier
        }
        Ok(None) => Earlier::new(),
        Err(error) => {
            tracing::warn!(%error, "what was known is not taken up");
            Earlier::new()
        }
    }
}

/// The program with what it needs beside its state.
struct Console {
    state: State,
    theme: Theme,
    drawn: Option<u64>,
    chronicle: Option<Chronicle>,
}

impl Console {
    fn new(
        inventory: Arc<Inventory>,
        setting: Setting,
        keys: Keys,
        theme: Theme,
        display: &Tty,
        now: Timestamp,
    ) -> Self {
        let size = display.size();
        let state = State::new(inventory, setting, keys, (size.width, size.height), now);
        Self { state, theme, drawn: None, chronicle: None }
    }
}

impl Program for Console {
    fn update(&mut self, stamped: Stamped) -> Vec<Effect> {
        let (at, ticked) = (stamped.at, stamped.msg == Msg::Ticked);
        let effects = app::update(&mut self.state, stamped);
        if let Some(chronicle) = self.chronicle.as_mut().filter(|_| ticked) {
            chronicle.look(self.state.known(), at);
        }
        effects
    }

    fn is_dirty(&self) -> bool {
        self.drawn != Some(self.state.generation())
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        self.drawn = Some(self.state.generation());
        app::view(&self.state, &self.theme, frame);
    }
}

fn setting(state: Option<&StateFolder>, practice: Vec<String>) -> Setting {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let uid = rustix::process::getuid().as_raw();
    let user = process::user_name(uid)
        .or_else(|| std::env::var("USER").ok())
        .unwrap_or_else(|| format!("uid {uid}"));
    Setting {
        host: harmless(&host).into_owned(),
        user: harmless(&user).into_owned(),
        offset_min: offset_min(Clock::Wall.now()),
        practice,
        log: state.map(|state| harmless(&state.log().to_string_lossy()).into_owned()),
    }
}

/// Minutes east of UTC at a moment, as the system's time zone has them.
fn offset_min(at: Timestamp) -> i32 {
    use chrono::{Local, Offset, TimeZone};
    let offset = Local.timestamp_millis_opt(at.millis()).single();
    offset.map_or(0, |moment| moment.offset().fix().local_minus_utc() / 60)
}

fn keys(config: &Config) -> Result<Keys, ConsoleError> {
    let own = config.bindings.iter();
    Keys::remapped(own.map(|binding| (binding.action.as_str(), binding.keys.as_str()))).map_err(
        |mistakes| {
            let words: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            ConsoleError::Look(harmless(&format!("keys: {}", words.join("; "))).into_owned())
        },
    )
}

fn theme(config: &Config) -> Result<Theme, ConsoleError> {
    let name = &config.screen.theme;
    let wrong = |why: String| ConsoleError::Look(format!("theme {}: {why}", harmless(name)));
    let theme = if name.contains('/') || Path::new(name).extension().is_some() {
        let path = crate::config::home_path(name);
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Theme::from_toml(&text).map_err(|mistake| wrong(mistake.to_string()))?
    } else {
        Theme::named(name).map_err(|mistake| wrong(mistake.to_string()))?
    };
    let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let glyphs = if draws_unicode(config.screen.glyphs, &of) { &UNICODE } else { &ASCII };
    Ok(theme.at_depth(depth(config.screen.colors, &of)).with_glyphs(glyphs))
}

/// How many colours there are, as the config or the environment says.
fn depth(colors: Colors, env: &dyn Fn(&str) -> Option<String>) -> Depth {
    match colors {
        Colors::None => Depth::None,
        Colors::Ansi => Depth::Ansi16,
        Colors::Indexed => Depth::Ansi256,
        Colors::True => Depth::True,
        Colors::Auto => {
            let term = env("TERM").unwrap_or_default();
            if env("NO_COLOR").is_some() || term.starts_with("vt") {
                Depth::None
            } else if env("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit")
                || term.ends_with("-direct")
            {
                Depth::True
            } else if term.contains("256color") {
                Depth::Ansi256
            } else {
                Depth::Ansi16
            }
        }
    }
}

/// Whether the locale and the terminal have more than ASCII. In CJK locales the
/// glyphs that others see in one cell may take two.
fn draws_unicode(glyphs: Glyphs, env: &dyn Fn(&str) -> Option<String>) -> bool {
    match glyphs {
        Glyphs::Unicode => true,
        Glyphs::Ascii => false,
        Glyphs::Auto => {
            let locale = env("LC_ALL").or_else(|| env("LC_CTYPE")).or_else(|| env("LANG"));
            let locale = locale.unwrap_or_default().to_lowercase();
            let utf8 = locale.contains("utf-8") || locale.contains("utf8");
            let cjk = ["zh", "ja", "ko"].iter().any(|language| locale.starts_with(language));
            utf8 && !cjk && env("TERM").as_deref() != Some("linux")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    }

    #[test]
    fn colours_follow_the_environment_unless_the_config_says() {
        let auto = |set: &[(&str, &str)]| depth(Colors::Auto, &env(set));
        assert_eq!(auto(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(auto(&[("TERM", "xterm-256color")]), Depth::Ansi256);
        assert_eq!(auto(&[("TERM", "xterm"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(auto(&[("TERM", "linux")]), Depth::Ansi16);
        assert_eq!(auto(&[("TERM", "vt220")]), Depth::None);
        assert_eq!(depth(Colors::Indexed, &env(&[("NO_COLOR", "1")])), Depth::Ansi256);
    }

    #[test]
    fn ascii_is_drawn_where_other_glyphs_may_be_missing_or_wide() {
        let auto = |set: &[(&str, &str)]| draws_unicode(Glyphs::Auto, &env(set));
        assert!(auto(&[("LANG", "en_GB.UTF-8"), ("TERM", "xterm")]));
        assert!(!auto(&[("LANG", "C"), ("TERM", "xterm")]));
        assert!(!auto(&[("LANG", "zh_CN.UTF-8"), ("TERM", "xterm")]));
        assert!(!auto(&[("LANG", "en_GB.UTF-8"), ("TERM", "linux")]));
        assert!(!auto(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]));
    }
}
