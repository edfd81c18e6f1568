//! A run on a plain terminal: what it tells is printed, what it asks is
//! answered by typing. Works without a terminal, too: then nothing is answered.

mod ask;
mod asking;
mod given;
mod opened;
mod plan;
mod pour;
mod prompt;
mod say;
pub(super) mod second;
mod set;

pub(super) use opened::{Opened, run_to_end};

use crate::domain::runs::{Entry, Holds, Plan, RunId, StepId, StepKind};
use crate::domain::{harmless, units};
use crate::runbook::{Doing, Order, Run, StepState, Told};
use crate::runtime::clock::{Clock, monotonic};
use crate::runtime::keys::Typed;
use crate::runtime::plain::{Out, Plain, Signalled, Signals};
use crate::runtime::runs::follow::{Heard, Wanted, follow};
use asking::{Asking, What};
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

    async fn hear(&mut self, heard: Heard) -> Option<u8> {
        match heard {
            Heard::Told(told) => {
                for told in told {
                    if let Some(code) = self.told(told).await {
                        return Some(code);
                    }
                }
                self.look().await
            }
            Heard::Lost(why) => {
                self.doing.ask = None;
                self.withdraw().await;
                self.say(&format!("!! not heard at the moment: {}; trying again", harmless(&why)))
                    .await;
                None
            }
            Heard::Ended => Some(match self.run.as_ref().and_then(|run| run.ended.as_ref()) {
                Some((_, outcome, _)) => outcome.exit_code(),
                None => REFUSED,
            }),
            Heard::Died(why) => {
                self.withdraw().await;
                self.say(&format!("!! {}", harmless(&why))).await;
                let ran = |state| matches!(state, StepState::Running | StepState::Unknown);
                Some(match &self.run {
                    Some(run) if run.steps.iter().any(|step| ran(step.state)) => UNKNOWN,
                    Some(_) => WAITS,
                    None => REFUSED,
                })
            }
        }
    }

    async fn told(&mut self, told: Told) -> Option<u8> {
        match told {
            Told::Entry(entry) => return self.entry(&entry).await,
            Told::Output { text, .. } => self.output(&text).await,
            Told::Doing(doing) => {
                self.doing = doing;
                self.say_findings().await;
                self.say_trouble().await;
            }
            Told::Refused(why) => {
                self.withdraw().await;
                self.say(&format!("!! not done: {}", harmless(&why))).await;
                self.unflagged = self.answered.take();
                self.asked = None;
                if self.started && self.run.is_none() {
                    return Some(REFUSED);
                }
            }
            Told::Parameters(asks) => {
                self.plan = None;
                let was_asking = matches!(&self.asking, Some(it) if it.is_parameter());
                self.given.wanted(asks);
                // The answer to one is not cut off because all were told again.
                if !was_asking {
                    return self.ask_parameters().await;
                }
            }
            Told::Planned(plan) if self.can_ask() && self.given.next().is_some() => {
                // Its values are asked first.
                self.plan = Some(plan);
            }
            Told::Planned(plan) => return self.planned(plan).await,
            Told::Outlined(plan) if self.options.dry_run => return self.outlined(&plan).await,
            Told::Outlined(_) => {}
            Told::Impossible(why) => {
                for line in why {
                    self.say(&format!("!! {}", harmless(&line))).await;
                }
                return Some(REFUSED);
            }
        }
        None
    }

    async fn entry(&mut self, entry: &Entry) -> Option<u8> {
        match &mut self.run {
            Some(run) if entry.place <= run.place => return None,
            Some(run) => run.take(entry),
            None => self.run = Run::begun_by(entry),
        }
        let Some(run) = &self.run else { return None };
        let lines = say::record(entry, run);
        let ended = run.ended.as_ref().map(|(_, outcome, _)| outcome.exit_code());
        let running = running(run);
        if running.is_none() {
            self.give_terminal_back().await;
            let place = self.opened.reader.place().run(&self.id).join("output");
            let whole = harmless(&place.to_string_lossy()).into_owned();
            let rest = self.pour.end(&whole);
            self.data(&rest).await;
        }
        self.findings.1.clear();
        if self.options.json {
            let json = serde_json::to_string(entry).unwrap_or_default();
            let json =
                if std::io::stdout().is_terminal() { harmless(&json).into_owned() } else { json };
            self.withdraw().await;
            self.out.data(format!("{json}\n")).await;
        } else if !lines.is_empty() {
            let text = lines.join("\n") + "\n";
            self.withdraw().await;
            self.out.data(self.set(&text)).await;
        }
        ended
    }

    async fn output(&mut self, text: &str) {
        if self.raw {
            self.out.data(text).await;
            return;
        }
        let text = self.pour.take(text, monotonic());
        self.data(&text).await;
    }

    /// Output of steps is data, unless the data is JSON.
    async fn data(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.withdraw().await;
        if self.options.json {
            self.out.message(text).await;
        } else {
            self.out.data(text).await;
        }
    }

    /// A message to the person, on lines of its own.
    async fn say(&mut self, text: &str) {
        let open = self.pour.end_line();
        self.data(&open).await;
        self.out.message(self.set(&format!("{text}\n"))).await;
    }

    /// The text as it fits the terminal; as it is where it goes somewhere else.
    fn set(&self, text: &str) -> String {
        match &self.terminal {
            Some(terminal) if self.is_shown => set::set(text, terminal.size().0.into()),
            _ => text.to_owned(),
        }
    }

    async fn say_findings(&mut self) {
        let now = monotonic();
        let found: Vec<_> = self
            .doing
            .findings
            .iter()
            .map(|(line, found)| (line.clone(), found.holds, say::finding(line, found)))
            .collect();
        let holds = |found: &[(String, Holds, String)]| -> Vec<Holds> {
            found.iter().map(|(_, holds, _)| *holds).collect()
        };
        let turned = holds(&found) != holds(&self.findings.1);
        let later = now.saturating_sub(self.findings.0) >= FINDINGS && found != self.findings.1;
        if found.is_empty() || self.options.json || !(turned || later) {
            return;
        }
        let lines: Vec<String> = found.iter().map(|(.., line)| line.clone()).collect();
        self.findings = (now, found);
        self.say(&lines.join("\n")).await;
    }

    async fn say_trouble(&mut self) {
        let trouble = self.doing.trouble.clone();
        if trouble == self.trouble {
            return;
        }
        if let Some(why) = &trouble {
            self.say(&format!("!! it cannot go on: {}", harmless(why))).await;
        }
        self.trouble = trouble;
    }

    /// What is known of the plan while values are missing, and which those are.
    async fn outlined(&mut self, plan: &Plan) -> Option<u8> {
        let text = if self.options.json {
            let mut json = serde_json::to_value(plan).unwrap_or_default();
            json["missing"] = self.given.open().map(|ask| ask.param.name.as_str()).collect();
            format!("{json:#}\n")
        } else {
            self.set(&plan::text(plan, self.given.open()))
        };
        self.out.data(text).await;
        let missing = self.given.missing(true);
        for line in &missing {
            self.say(&format!("opsroom: {line}")).await;
        }
        Some(if missing.is_empty() { 0 } else { crate::cli::USAGE })
    }

    pub(super) async fn planned(&mut self, plan: Box<Plan>) -> Option<u8> {
        let text = if self.options.json && self.options.dry_run {
            let json = serde_json::to_string_pretty(&plan).unwrap_or_default();
            format!("{json}\n")
        } else {
            self.set(&plan::text(&plan, []))
        };
        self.withdraw().await;
        if self.options.json && !self.options.dry_run {
            self.out.message(text).await;
        } else {
            self.out.data(text).await;
        }
        if self.options.dry_run {
            return Some(0);
        }
        let hash = plan.hash();
        self.plan = Some(plan);
        if self.options.yes {
            self.start(hash).await;
            return None;
        }
        if self.terminal.is_none() || self.options.no_wait {
            self.say("opsroom: nothing was started: start it at a terminal, or with --yes").await;
            return Some(WAITS);
        }
        let lines =
            vec!["   type start to start it; ctrl-c leaves, and nothing has happened".into()];
        self.present(What::Start(hash), lines).await;
        None
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
