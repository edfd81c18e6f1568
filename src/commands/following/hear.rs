//! What a run tells, printed as it comes.

use super::asking::What;
use super::{FINDINGS, REFUSED, Session, UNKNOWN, WAITS, plan, running, say, set};
use crate::domain::harmless;
use crate::domain::runs::{Entry, Holds, Plan};
use crate::runbook::{Run, StepState, Told};
use crate::runtime::clock::monotonic;
use crate::runtime::runs::follow::Heard;
use std::io::IsTerminal;

impl Session<'_> {
    /// Takes in what was heard; the exit code where that is the end.
    pub(super) async fn hear(&mut self, heard: Heard) -> Option<u8> {
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

    pub(super) async fn output(&mut self, text: &str) {
        if self.raw {
            self.out.data(text).await;
            return;
        }
        let text = self.pour.take(text, monotonic());
        self.data(&text).await;
    }

    /// Output of steps is data, unless the data is JSON.
    pub(super) async fn data(&mut self, text: &str) {
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
    pub(super) async fn say(&mut self, text: &str) {
        let open = self.pour.end_line();
        self.data(&open).await;
        self.out.message(self.set(&format!("{text}\n"))).await;
    }

    /// The text as it fits the terminal; as it is where it goes somewhere else.
    pub(super) fn set(&self, text: &str) -> String {
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
}
