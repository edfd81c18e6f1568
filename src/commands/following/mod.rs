//! A run on a plain terminal: what it tells is printed, what it asks is
//! answered by typing. Works without a terminal, too: then nothing is answered.

mod ask;
mod asking;
mod given;
mod hear;
mod opened;
mod plan;
mod pour;
mod prompt;
mod say;
pub(super) mod second;
mod set;

pub(super) use opened::{Opened, run_to_end};

use crate::domain::runs::{Holds, Plan, RunId, StepId, StepKind};
use crate::domain::{harmless, units};
use crate::runbook::{Doing, Order, Run, StepState};
use crate::runtime::clock::{Clock, monotonic};
use crate::runtime::keys::Typed;
use crate::runtime::plain::{Out, Plain, Signalled, Signals};
use crate::runtime::runs::follow::{Heard, Wanted, follow};
use asking::Asking;
use color_eyre::Result;
use given::Given;
use pour::Pour;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// It was not allowed, or could not be begun.
pub(super) const REFUSED: u8 = 12;
/// Nobody knows how a step ended.
const UNKNOWN: u8 = 13;
/// It waits for a person.
pub(super) const WAITS: u8 = 14;

/// Orders that wait for the follower, and what it heard that waits here.
const WAITING: usize = 64;
/// An unfinished line of output is looked at this often.
const LOOK: Duration = Duration::from_millis(250);
/// What a check finds is said at most this often while nothing turns.
const FINDINGS: Duration = Duration::from_secs(10);
/// Who leaves, or takes the terminal from a step, waits at most so long until all stands on it.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// ctrl-] leaves the terminal of a step, as it leaves telnet.
const LEAVE: u8 = 0x1d;

/// How a run is followed.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of a command")]
pub(super) struct Options {
    /// Go on without asking, as far as that is allowed.
    pub(super) yes: bool,
    /// End at the first question to a person.
    pub(super) no_wait: bool,
    /// Records as JSON.
    pub(super) json: bool,
    /// Only the plan is wanted.
    pub(super) dry_run: bool,
    /// Only listen.
    pub(super) watch: bool,
    /// Parameters that were given with the command.
    pub(super) given: BTreeSet<String>,
    /// What it did already is told first.
    pub(super) past_first: bool,
}

/// Follows a run to its end, or until the person leaves or is needed. Gives the exit code.
pub(super) async fn attend(opened: &Opened, run: RunId, options: Options) -> Result<u8> {
    let (orders, ordered) = mpsc::channel(WAITING);
    let (tells, heard) = mpsc::channel(WAITING);
    let wanted = Wanted {
        run: run.clone(),
        journal: opened.reader.clone(),
        listens: options.watch,
        past_first: options.past_first,
    };
    tokio::spawn(follow(wanted, ordered, tells));
    let terminal = if options.watch { None } else { Plain::take()? };
    let now = monotonic();
    let is_shown = std::io::stdout().is_terminal();
    let mut session = Session {
        given: Given::new(options.given.clone()),
        options,
        id: run,
        out: Out::start()?,
        terminal,
        is_shown,
        raw: false,
        orders,
        run: None,
        plan: None,
        doing: Doing::default(),
        started: false,
        pour: Pour::new(is_shown, now),
        asking: None,
        answered: None,
        unflagged: None,
        asked: None,
        findings: (now, Vec::new()),
        trouble: None,
        opened,
    };
    let code = session.attend(heard).await?;
    let _ = tokio::time::timeout(LAST_WORDS, session.out.written()).await;
    if let Some(terminal) = &mut session.terminal {
        terminal.give_back();
    }
    Ok(code)
}

/// A follower with a person, or nobody, in front of it.
struct Session<'a> {
    opened: &'a Opened,
    options: Options,
    id: RunId,
    out: Out,
    terminal: Option<Plain>,
    /// What is printed goes to a terminal.
    is_shown: bool,
    /// A step has the terminal.
    raw: bool,
    orders: Sender<Order>,
    run: Option<Run>,
    plan: Option<Box<Plan>>,
    given: Given,
    doing: Doing,
    /// Its start was ordered.
    started: bool,
    pour: Pour,
    asking: Option<Asking>,
    /// The question that an answer was sent to.
    answered: Option<u64>,
    /// The question that `--yes` does not pass.
    unflagged: Option<u64>,
    /// The question that was printed last.
    asked: Option<u64>,
    /// What a check's lines said last, and when that was printed.
    findings: (Duration, Vec<(String, Holds, String)>),
    trouble: Option<String>,
}

impl Session<'_> {
    async fn attend(&mut self, mut heard: Receiver<Heard>) -> Result<u8> {
        let mut signals = Signals::listen()?;
        let mut ends = Signals::listen()?;
        let end = async { while ends.next().await != Signalled::End {} };
        tokio::pin!(end);
        let code = tokio::select! {
            code = self.go(&mut heard, &mut signals) => code,
            // Even where the terminal takes nothing any more.
            () = &mut end => WAITS,
        };
        Ok(code)
    }

    async fn go(&mut self, heard: &mut Receiver<Heard>, signals: &mut Signals) -> u8 {
        loop {
            let over = tokio::select! {
                it = heard.recv() => match it {
                    Some(it) => self.hear(it).await,
                    None => Some(WAITS),
                },
                came = input(&mut self.terminal, self.raw) => match came {
                    Input::Typed(typed) => self.typed(typed).await,
                    Input::Bytes(bytes) if bytes.contains(&LEAVE) => self.leave().await,
                    Input::Bytes(bytes) => {
                        self.order(Order::Input(bytes)).await;
                        None
                    }
                    // The terminal is gone; the run is not.
                    Input::Gone => Some(WAITS),
                },
                signal = signals.next() => match signal {
                    Signalled::Interrupt => self.leave().await,
                    Signalled::End => Some(WAITS),
                    Signalled::Resized => self.resized().await,
                    Signalled::Continued => self.continued().await,
                },
                () = tokio::time::sleep(LOOK), if self.pour.is_open() => {
                    let text = self.pour.idle(monotonic());
                    self.data(&text).await;
                    None
                }
            };
            if let Some(code) = over {
                return code;
            }
        }
    }

    async fn start(&mut self, hash: String) {
        self.started = true;
        self.order(Order::Start(hash)).await;
    }

    async fn order(&mut self, order: Order) {
        // Where the follower is gone, what it heard last says why.
        let _ = self.orders.send(order).await;
    }

    /// ctrl-c: the person leaves, the run goes on.
    async fn leave(&mut self) -> Option<u8> {
        self.give_terminal_back().await;
        self.withdraw().await;
        let Some(run) = &self.run else {
            self.say("opsroom: left; nothing was started").await;
            return Some(WAITS);
        };
        let goes_on = if self.doing.ask.is_some() {
            "waits"
        } else if running(run).is_some() {
            "goes on to its next question and waits there"
        } else {
            "goes on"
        };
        let text = format!("opsroom: left; run {} {goes_on}{}", self.id, self.ways_out());
        self.say(&text).await;
        Some(WAITS)
    }

    /// A person is needed, and none is there.
    async fn waits(&mut self) -> u8 {
        let text = format!("opsroom: run {} waits for a person{}", self.id, self.ways_out());
        self.say(&text).await;
        WAITS
    }

    /// How somebody goes on with it, and what it keeps others from until it has ended.
    fn ways_out(&self) -> String {
        let id = &self.id;
        let holds = self.run.as_ref().filter(|run| {
            run.ended.is_none() && run.plan.steps.iter().any(|step| run.changes(step.id))
        });
        match holds {
            Some(run) => format!(
                ": opsroom attach {id}\nopsroom: it holds {} until it has ended: go on with it there, or type abandon and why",
                harmless(&run.plan.target)
            ),
            None => format!(": opsroom attach {id}"),
        }
    }

    async fn resized(&mut self) -> Option<u8> {
        let Some(terminal) = &self.terminal else { return None };
        let (columns, rows) = terminal.size();
        if self.raw {
            self.order(Order::Resize(columns, rows)).await;
        } else if let Some(asking) = &mut self.asking {
            asking.resize(columns);
        }
        None
    }

    async fn continued(&mut self) -> Option<u8> {
        if let Some(terminal) = &mut self.terminal {
            terminal.retake();
        }
        // The shell wrote below it.
        if let Some(asking) = &mut self.asking {
            asking.was_covered();
        }
        self.draw().await;
        None
    }

    /// The step that runs in a terminal gets this one, and a question its line.
    async fn look(&mut self) -> Option<u8> {
        if let Some(run) = &self.run
            && let Some(step) = running(run)
            && is_tty(run, step)
            && !self.raw
            && !self.options.json
            && let Some(terminal) = &mut self.terminal
        {
            let (columns, rows) = terminal.size();
            let hint = "   the step has this terminal now; ctrl-] leaves it, and the step goes on";
            self.say(hint).await;
            self.out.written().await;
            if let Some(terminal) = &mut self.terminal {
                self.raw = terminal.raw().is_ok();
            }
            self.order(Order::Resize(columns, rows)).await;
            return None;
        }
        self.look_at_question().await
    }

    async fn give_terminal_back(&mut self) {
        if !std::mem::take(&mut self.raw) {
            return;
        }
        // What the step wrote last may undo how pastes are marked.
        let _ = tokio::time::timeout(LAST_WORDS, self.out.written()).await;
        if let Some(terminal) = &mut self.terminal {
            // A failure shows at the next reading.
            let _ = terminal.keys();
        }
    }

    /// How long the question waits already, where that is worth saying.
    fn since(&self) -> Option<String> {
        let since = Clock::Wall.now().since(self.doing.ask.as_ref()?.since);
        (since > Duration::from_mins(1)).then(|| units::age(since))
    }
}

/// The step that runs.
fn running(run: &Run) -> Option<StepId> {
    run.steps.iter().find(|step| step.state == StepState::Running).map(|step| step.step)
}

fn is_tty(run: &Run, step: StepId) -> bool {
    matches!(
        run.plan.step(step).map(|step| &step.kind),
        Some(StepKind::Command(command)) if command.tty
    )
}

/// What came from the terminal.
enum Input {
    Typed(Typed),
    Bytes(Vec<u8>),
    Gone,
}

async fn input(terminal: &mut Option<Plain>, raw: bool) -> Input {
    match terminal {
        Some(terminal) if raw => terminal.bytes().await.map_or(Input::Gone, Input::Bytes),
        Some(terminal) => terminal.typed().await.map_or(Input::Gone, Input::Typed),
        None => std::future::pending().await,
    }
}
