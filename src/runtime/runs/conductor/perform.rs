//! Carries a step out: prepared, journalled, let go, seen to its end, journalled.

use super::Conductor;
use super::floor::{Heard, Over, not_now};
use crate::domain::runs::{
    Holds, ProofLine, RunRecord, Step, StepEnd, StepId, StepKind, StepOutcome,
};
use crate::runbook::plan::{environment, value_fits};
use crate::runbook::shell::variables;
use crate::runbook::{Evidence, Order, Run};
use crate::runtime::clock;
use crate::runtime::runs::process;
use crate::steps::{self, StepCx, TerminalInput};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};

/// Pieces of output, and of what is typed, that wait.
const WAITING: usize = 64;

/// What a step says while it runs.
struct Line {
    output: mpsc::Receiver<Vec<u8>>,
    input: mpsc::Sender<TerminalInput>,
    cancel: watch::Sender<bool>,
    findings: watch::Receiver<Vec<(String, crate::domain::runs::Finding)>>,
}

impl Conductor {
    /// Exactly what will run.
    pub(super) fn preview(&self, step: &Step) -> String {
        let step = as_edited(&self.run, step);
        steps::step(&step).map(|it| it.preview()).unwrap_or_default()
    }

    /// Runs the step. Nothing of it happens before its record stands.
    pub(super) async fn perform(
        &mut self,
        step: &Step,
        undoing: Option<StepId>,
    ) -> Result<(), Over> {
        let planned = as_edited(&self.run, step);
        let id = step.id;
        if self.run.changes(id) && !self.run.has_changed() && !self.see_before().await? {
            return Ok(());
        }
        let attempt = self.run.standing(id).map_or(1, |it| it.attempts + 1);
        let (cx, line) = self.surroundings(&planned);
        let prepared = match steps::step(&planned) {
            Some(it) => self.floor.meanwhile(it.prepare(cx)).await,
            None => Err("nothing here can carry it out".to_owned()),
        };
        let started = |process| RunRecord::StepStarted {
            step: id,
            attempt,
            undoing,
            preview: steps::step(&planned).map(|it| it.preview()).unwrap_or_default(),
            process,
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(why) => {
                if !self.note(started(None)).await? {
                    return Ok(());
                }
                let end = failed(format!("nothing was run: {why}"));
                return self.surely(RunRecord::StepEnded { step: id, attempt, end }).await;
            }
        };
        // Not recorded: not run. What waits at its gate goes with `prepared`.
        if self.floor.leaving || !self.note(started(prepared.process())).await? {
            return Ok(());
        }
        if is_tty(&planned) {
            // Until somebody who follows tells another.
            self.floor.doing.terminal = Some(steps::TERMINAL_SIZE);
            self.floor.tell();
        }
        self.output.begin();
        let mut end = self.see_through(id, prepared, line).await;
        let (range, pieces) = self.output.end();
        self.tell_output(id, pieces);
        end.output = range;
        if let Some(loss) = self.output.loss() {
            end.words = format!("{}; of its output something was lost: {loss}", end.words);
        }
        self.check_captured(&planned, &mut end);
        self.floor.doing.findings.clear();
        self.floor.doing.terminal = None;
        self.floor.tell();
        self.surely(RunRecord::StepEnded { step: id, attempt, end }).await
    }

    /// What the conditions say before anything is changed, where it was too early
    /// to tell when the run began. Gives whether that is recorded.
    async fn see_before(&mut self) -> Result<bool, Over> {
        let tells =
            |it: &&ProofLine| it.finding.holds != Holds::Unknown || it.finding.value.is_some();
        let open = |it: &&ProofLine| {
            self.run.before.iter().any(|known| known.line == it.line && !tells(&known))
        };
        let signals = self.floor.doing.signals.iter();
        let before: Vec<ProofLine> = signals.filter(tells).filter(open).cloned().collect();
        if before.is_empty() { Ok(true) } else { self.note(RunRecord::Seen { before }).await }
    }

    fn surroundings(&self, step: &Step) -> (StepCx, Line) {
        let plan = &self.run.plan;
        let mut env = match &step.kind {
            StepKind::Command(command) => {
                let (captured, secrets) = (&self.run.captured, &self.secrets);
                environment(plan, &command.uses, command.tty, captured, secrets)
            }
            _ => std::collections::BTreeMap::new(),
        };
        env.insert("OPSROOM_RUN".into(), self.run.id.to_string());
        env.insert("OPSROOM_STEP".into(), step.id.to_string());
        let (output, heard) = mpsc::channel(WAITING);
        let (input, typed) = mpsc::channel(WAITING);
        let (cancel, cancelled) = watch::channel(false);
        let (said, findings) = watch::channel(Vec::new());
        let cx = StepCx {
            env,
            folder: plan.folder.clone(),
            timeout: plan.timeout,
            output,
            cancel: cancelled,
            input: Arc::new(Mutex::new(typed)),
            evidence: Arc::clone(&self.eyes) as Arc<dyn Evidence>,
            after: self.run.changed.unwrap_or(self.open_since),
            identify: process::process_id,
            monotonic: clock::monotonic,
            findings: said,
        };
        (cx, Line { output: heard, input, cancel, findings })
    }

    /// Lets it go and sees it to its end, whatever is heard meanwhile: a process
    /// that is asked to end does so behind it.
    async fn see_through(
        &mut self,
        step: StepId,
        prepared: Box<dyn steps::Prepared>,
        mut line: Line,
    ) -> StepEnd {
        let mut going = prepared.go();
        let mut has_findings = true;
        let end = loop {
            tokio::select! {
                Some(bytes) = line.output.recv() => self.keep(step, &bytes),
                end = &mut going => break end,
                changed = line.findings.changed(), if has_findings => match changed {
                    Ok(()) => {
                        let mut findings = line.findings.borrow_and_update().clone();
                        for (_, found) in &mut findings {
                            self.mask.finding(found);
                        }
                        self.floor.doing.findings = findings;
                        self.floor.tell();
                    }
                    Err(_) => has_findings = false,
                },
                heard = self.floor.hear() => {
                    if let Heard::Order { from, order } = heard {
                        self.order(step, from, order, &line);
                    }
                }
            }
        };
        drop(going);
        while let Ok(bytes) = line.output.try_recv() {
            self.keep(step, &bytes);
        }
        end
    }

    fn order(&mut self, step: StepId, from: u64, order: Order, line: &Line) {
        let Some(who) = self.floor.who(from).cloned() else { return };
        let is_cancel = matches!(order, Order::Cancel { .. });
        if let Err(why) = self.may_order(&who, is_cancel) {
            self.floor.refuse(from, why);
            return;
        }
        let is_tty = self.run.plan.step(step).is_some_and(is_tty);
        match order {
            Order::Cancel { step: meant } if meant == step => {
                tracing::info!(run = %self.run.id, step = step.0, user = %who.user, "step cancelled");
                line.cancel.send_replace(true);
            }
            Order::Input(bytes) if is_tty => {
                if line.input.try_send(TerminalInput::Bytes(bytes)).is_err() {
                    self.floor.refuse(from, "the terminal takes nothing more at the moment");
                }
            }
            Order::Resize(columns, rows) if is_tty => {
                // A size that is lost is followed by another.
                let _ = line.input.try_send(TerminalInput::Size(columns, rows));
                self.floor.doing.terminal = Some((columns, rows));
                self.floor.tell();
            }
            other => self.floor.refuse(from, not_now(&other)),
        }
    }

    pub(super) fn keep(&mut self, step: StepId, bytes: &[u8]) {
        let pieces = self.output.take(bytes, clock::monotonic());
        self.tell_output(step, pieces);
    }

    pub(super) fn tell_output(
        &self,
        step: StepId,
        pieces: Vec<crate::runtime::runs::output::Piece>,
    ) {
        for piece in pieces {
            let to = piece.from + piece.text.len() as u64;
            self.floor.board.output(step, piece.from, to);
        }
    }

    /// What a later step gets by name has to fit where that puts it, and no
    /// secret goes into the journal by that way.
    fn check_captured(&self, step: &Step, end: &mut StepEnd) {
        let StepKind::Command(command) = &step.kind else { return };
        let Some((name, value)) = command.capture.as_ref().zip(end.captured.as_ref()) else {
            return;
        };
        if end.outcome != StepOutcome::Ok {
            return;
        }
        let why = if self.mask.hides(value) {
            Err("it holds a secret".to_owned())
        } else {
            value_fits(&self.run.plan, name, value)
        };
        if let Err(why) = why {
            end.outcome = StepOutcome::Failed;
            end.words = format!("what it printed cannot be {name}: {why}");
            end.captured = None;
        }
    }
}

/// Whether a step runs in a terminal.
fn is_tty(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Command(command) if command.tty)
}

/// The step with its text as a person has edited it.
fn as_edited(run: &Run, step: &Step) -> Step {
    let mut step = step.clone();
    let edited = run.standing(step.id).and_then(|it| it.edited.clone());
    if let (StepKind::Command(command), Some(script)) = (&mut step.kind, edited) {
        command.uses = variables(&script);
        command.script = script;
    }
    step
}

pub(super) fn failed(words: String) -> StepEnd {
    StepEnd {
        outcome: StepOutcome::Failed,
        words,
        took: Duration::ZERO,
        captured: None,
        output: None,
        findings: Vec::new(),
    }
}
