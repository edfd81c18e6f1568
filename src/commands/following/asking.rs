//! Questions to the person at the terminal, one at a time. What was typed before
//! a question has stood there for half a second answers nothing.

use super::ask::{self, Meant};
use super::given;
use super::prompt::{Came, Prompt};
use super::{Options, Session};
use crate::domain::runs::StepId;
use crate::runbook::{Answer, Ask, AskKind, Hidden, Order};
use crate::runtime::clock::monotonic;
use crate::runtime::keys::Typed;
use crate::store::KeyCode;
use std::time::Duration;

/// A question stands on the screen for so long before it takes an answer.
const BEFORE_ANSWERS: Duration = Duration::from_millis(500);

/// A question on the screen.
#[derive(Debug)]
pub(super) struct Asking {
    what: What,
    prompt: Prompt,
    /// It takes no answer before; none while it is not on the screen yet.
    opens: Duration,
    /// It was said that something was typed too early.
    told: bool,
    /// It stands on the screen.
    drawn: bool,
}

/// What is asked.
#[derive(Debug)]
pub(super) enum What {
    /// The next parameter.
    Parameter,
    /// Whether the plan of this hash is started.
    Start(String),
    /// A question of the run.
    Run(Ask),
    /// A line of a script that is edited; those before it are done.
    Line { ask: u64, script: Vec<String>, done: Vec<String> },
    /// Whether the running step is ended.
    Cancel(StepId),
}

impl Asking {
    /// Somebody else wrote on the screen meanwhile: it is drawn again.
    pub(super) fn was_covered(&mut self) {
        self.drawn = false;
    }

    pub(super) fn resize(&mut self, columns: u16) {
        self.prompt.resize(columns);
    }

    pub(super) fn is_parameter(&self) -> bool {
        matches!(self.what, What::Parameter)
    }
}

impl Session<'_> {
    /// Puts a question on the screen.
    pub(super) async fn present(&mut self, what: What, lines: Vec<String>) {
        self.withdraw().await;
        self.asking = None;
        self.say(&lines.join("\n")).await;
        self.prompt(what).await;
    }

    /// Puts the line on the screen in which a question is answered.
    async fn prompt(&mut self, what: What) {
        let Some(terminal) = &self.terminal else { return };
        let (columns, able) = (terminal.size().0, terminal.is_able());
        let new = |prefilled: &str| Prompt::new(prefilled, columns, able);
        let prompt = match &what {
            What::Parameter => match self.given.next() {
                Some(ask) if ask.param.secret => new("").hidden().taking_pastes(),
                Some(ask) => new(&given::question(ask).1).taking_pastes(),
                None => return,
            },
            What::Run(Ask { kind: AskKind::Secret { .. }, .. }) => new("").hidden().taking_pastes(),
            What::Line { script, done, .. } => {
                new(script.get(done.len()).map_or("", String::as_str)).taking_pastes()
            }
            _ => new(""),
        };
        let drawn = prompt.drawn();
        self.asking = Some(Asking { what, prompt, opens: Duration::MAX, told: false, drawn: true });
        self.out.message(drawn).await;
        self.out.written().await;
        if let Some(asking) = &mut self.asking {
            asking.opens = monotonic() + BEFORE_ANSWERS;
        }
    }

    /// Takes the line off the screen, so that something else can stand there.
    pub(super) async fn withdraw(&mut self) {
        if let Some(asking) = &mut self.asking
            && std::mem::take(&mut asking.drawn)
        {
            let erased = asking.prompt.erased();
            self.out.message(erased).await;
        }
    }

    /// Puts the line back after something else was printed.
    pub(super) async fn draw(&mut self) {
        if let Some(asking) = &mut self.asking
            && !std::mem::replace(&mut asking.drawn, true)
        {
            let drawn = asking.prompt.drawn();
            // What was typed ahead of this must not answer either.
            asking.opens = Duration::MAX;
            self.out.message(drawn).await;
            self.out.written().await;
            if let Some(asking) = &mut self.asking {
                asking.opens = monotonic() + BEFORE_ANSWERS;
            }
        }
    }

    /// Whether a person is asked for parameters.
    pub(super) fn can_ask(&self) -> bool {
        let Options { no_wait, yes, dry_run, .. } = self.options;
        self.terminal.is_some() && !no_wait && !yes && !dry_run
    }

    /// Asks for the next parameter; when there is none, the run's process is told
    /// what was said, or its plan is shown.
    pub(super) async fn ask_parameters(&mut self) -> Option<u8> {
        if self.can_ask()
            && let Some(next) = self.given.next()
        {
            let lines = given::question(next).0;
            self.present(What::Parameter, lines).await;
            return None;
        }
        self.asking = None;
        if self.given.take_unsent() {
            self.plan = None;
            let order = self.given.order();
            self.order(order).await;
            return None;
        }
        let missing = self.given.missing(self.options.dry_run);
        if self.options.dry_run && self.given.open().next().is_some() {
            // What is known without them comes next.
            return None;
        }
        if missing.is_empty() {
            return match self.plan.take() {
                Some(plan) => self.planned(plan).await,
                None => None,
            };
        }
        for line in missing {
            self.say(&format!("opsroom: {line}")).await;
        }
        Some(crate::cli::USAGE)
    }

    /// What the run asks is put on the screen, answered by `--yes`, or waits.
    pub(super) async fn look_at_question(&mut self) -> Option<u8> {
        let Some(run) = &self.run else {
            self.draw().await;
            return None;
        };
        let Some(ask) = self.doing.ask.clone() else {
            if let Some(Asking { what: What::Run(_) | What::Line { .. }, .. }) = &self.asking {
                self.withdraw().await;
                self.asking = None;
                if self.answered != self.asked {
                    self.say("   answered elsewhere").await;
                }
            }
            self.draw().await;
            return None;
        };
        if self.asked == Some(ask.number) || self.answered == Some(ask.number) {
            self.draw().await;
            return None;
        }
        let mut lines = ask::question(&ask, run);
        if let Some(since) = self.since() {
            lines.insert(0, format!("   asked {since} ago"));
        }
        let confirms = matches!(ask.kind, AskKind::Confirm { .. });
        if self.options.yes && confirms && self.unflagged != Some(ask.number) {
            self.answer(ask.number, Answer::Flag).await;
            return None;
        }
        self.asked = Some(ask.number);
        if self.terminal.is_none() || self.options.no_wait {
            // The last line says what could be typed.
            lines.pop();
            self.withdraw().await;
            self.say(&lines.join("\n")).await;
            return if self.options.watch { None } else { Some(self.waits().await) };
        }
        let what = match &ask.kind {
            AskKind::Edit { script, .. } => What::Line {
                ask: ask.number,
                script: script.lines().map(str::to_owned).collect(),
                done: Vec::new(),
            },
            _ => What::Run(ask),
        };
        self.present(what, lines).await;
        None
    }

    async fn answer(&mut self, ask: u64, answer: Answer) {
        self.answered = Some(ask);
        self.asking = None;
        self.order(Order::Answer { ask, answer }).await;
    }

    pub(super) async fn typed(&mut self, typed: Typed) -> Option<u8> {
        let Some(asking) = &mut self.asking else {
            if let Typed::Key(key) = typed
                && key.code == KeyCode::Char('K')
            {
                self.ask_cancel().await;
            }
            return None;
        };
        if monotonic() < asking.opens {
            if !std::mem::replace(&mut asking.told, true) {
                self.note("what was typed before the question stood there is dropped").await;
            }
            return None;
        }
        match asking.prompt.take(typed) {
            Came::Echo(echo) => {
                if !echo.is_empty() {
                    self.out.message(echo).await;
                }
            }
            Came::Pasted(why) => self.note(why).await,
            Came::Left => return self.escaped().await,
            Came::Done(line) => {
                if let Some(asking) = &mut self.asking {
                    asking.drawn = false;
                }
                self.out.message("\n").await;
                return self.line(line).await;
            }
        }
        None
    }

    /// A remark between question and answer.
    async fn note(&mut self, text: &str) {
        self.withdraw().await;
        self.out.message(format!("   {text}\n")).await;
        // The question itself stood there all the time.
        if let Some(asking) = &mut self.asking {
            asking.drawn = true;
            let drawn = asking.prompt.drawn();
            self.out.message(drawn).await;
        }
    }

    async fn escaped(&mut self) -> Option<u8> {
        self.withdraw().await;
        match self.asking.take()?.what {
            What::Cancel(_) => {
                self.say("   it goes on").await;
                return self.look().await;
            }
            What::Line { ask, script, .. } => {
                self.prompt(What::Line { ask, script, done: Vec::new() }).await;
            }
            what => self.prompt(what).await,
        }
        None
    }

    /// A line was typed.
    async fn line(&mut self, line: String) -> Option<u8> {
        match self.asking.take()?.what {
            What::Parameter => {
                if let Err(why) = self.given.take(&line) {
                    self.say(&format!("   {why}")).await;
                    self.prompt(What::Parameter).await;
                    return None;
                }
                return self.ask_parameters().await;
            }
            What::Start(hash) if line == "start" => self.start(hash).await,
            What::Start(hash) => {
                self.say("   nothing was started: it takes start, typed in full").await;
                self.prompt(What::Start(hash)).await;
            }
            What::Run(ask) => self.line_for(ask, line).await,
            What::Line { ask, script, mut done } => {
                done.push(line);
                if done.len() < script.len() {
                    self.prompt(What::Line { ask, script, done }).await;
                } else {
                    self.answer(ask, Answer::Edited(done.join("\n") + "\n")).await;
                }
            }
            What::Cancel(step) if line == "cancel" => {
                self.order(Order::Cancel { step }).await;
                self.say(&format!("   step {step} is being ended")).await;
            }
            What::Cancel(_) => {
                self.say("   it goes on").await;
                return self.look().await;
            }
        }
        None
    }

    async fn line_for(&mut self, ask: Ask, line: String) {
        if let AskKind::Secret { .. } = &ask.kind {
            if line.is_empty() {
                self.say("   it cannot be empty").await;
                self.prompt(What::Run(ask)).await;
            } else {
                self.answer(ask.number, Answer::Secret(Hidden(line))).await;
            }
            return;
        }
        match ask::meant(&ask.kind, &line) {
            Ok(Meant::Answer(answer)) => self.answer(ask.number, answer).await,
            Ok(Meant::Cancel) => {
                self.asked = None;
                self.order(Order::Cancel { step: ask.step }).await;
            }
            Ok(Meant::Arm { time, reason }) => match self.opened.arm(time, &reason).await {
                Ok(said) => {
                    self.say(&format!("   {said}")).await;
                    self.answer(ask.number, Answer::Again).await;
                }
                Err(why) => {
                    self.say(&format!("   not armed: {why}")).await;
                    self.prompt(What::Run(ask)).await;
                }
            },
            Err(why) => {
                self.say(&format!("   {why}")).await;
                self.prompt(What::Run(ask)).await;
            }
        }
    }

    async fn ask_cancel(&mut self) {
        let Some(step) = self.run.as_ref().and_then(super::running) else { return };
        let changes = self.run.as_ref().is_some_and(|run| run.changes(step));
        let mut lines = vec![format!("?? end step {step}?")];
        if changes {
            lines.push("   it changes something: its outcome will be unknown then".to_owned());
        }
        lines.push("   type cancel to end it; enter alone lets it go on".to_owned());
        self.present(What::Cancel(step), lines).await;
    }
}
