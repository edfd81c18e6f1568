//! How each record changes a run.

use super::{Course, Run, Standing, StepState};
use crate::domain::Timestamp;
use crate::domain::runs::{
    Decision, Entry, How, Record, RunRecord, StepEnd, StepId, StepKind, StepOutcome, Who,
};

impl Run {
    /// Takes the next record in. One that was folded in already, or is of
    /// another run, changes nothing. The order is the journal's; clocks have no say.
    pub fn take(&mut self, entry: &Entry) {
        let Record::Run { run, what } = &entry.record else { return };
        if run != &self.id || entry.place <= self.place {
            return;
        }
        self.place = entry.place;
        if self.ended.is_none() {
            self.fold(entry.at, what);
        }
    }

    fn fold(&mut self, at: Timestamp, what: &RunRecord) {
        match what {
            RunRecord::Started { .. } => {}
            RunRecord::Seen { before } => {
                for seen in before {
                    let known = self.before.iter_mut().find(|known| known.line == seen.line);
                    if let Some(known) = known {
                        known.finding = seen.finding.clone();
                    }
                }
            }
            RunRecord::TakenUp { process, .. } => {
                self.process = process.clone();
                self.cut_off();
            }
            RunRecord::PinsAsked { pins, .. } => {
                for pin in pins {
                    if let Ok(is) = &pin.is {
                        self.pinned.entry(pin.name.clone()).or_insert_with(|| is.clone());
                    }
                }
            }
            RunRecord::Confirmed { step, who, how } => {
                let words = match how {
                    How::Key => "confirmed".to_owned(),
                    How::Typed(text) => format!("confirmed by typing {text}"),
                    How::Flag => "confirmed by --yes".to_owned(),
                    How::Reads => return,
                };
                self.say(*step, who, words);
            }
            RunRecord::Approved { step, who, yes } => self.approved(*step, who.as_ref(), *yes),
            RunRecord::Edited { step, who, script } => {
                if let Some(standing) = self.standing_mut(*step) {
                    standing.edited = Some(script.clone());
                    standing.word = Some((who.clone(), "edited".to_owned()));
                }
            }
            RunRecord::StepStarted { step, attempt, process, .. } => {
                if let Some(standing) = self.standing_mut(*step) {
                    standing.state = StepState::Running;
                    standing.attempts = *attempt;
                    standing.started = Some(at);
                    standing.end = None;
                    standing.process.clone_from(process);
                    standing.settled = None;
                    standing.refused = false;
                }
            }
            RunRecord::StepEnded { step, attempt, end } => {
                self.step_ended(at, *step, *attempt, end);
            }
            RunRecord::Ticked { step, who, note } => {
                if let Some(standing) = self.standing_mut(*step) {
                    standing.state = StepState::Ticked;
                    standing.word = Some((who.clone(), note.clone()));
                }
                self.undone_by(*step);
            }
            RunRecord::Skipped { step, who, reason } => {
                if let Some(standing) = self.standing_mut(*step) {
                    standing.state = StepState::Skipped;
                    standing.word = Some((who.clone(), reason.clone()));
                }
                self.undo_left_out(*step);
            }
            RunRecord::Decided { step, who, decision, reason } => {
                self.decided(at, *step, who, *decision, reason);
            }
            RunRecord::Ended { outcome, reason, proof } => {
                // Nothing that ran was lost sight of, even where it ends meanwhile.
                self.cut_off();
                self.ended = Some((at, *outcome, reason.clone()));
                self.proof.clone_from(proof);
            }
        }
    }

    /// Whoever would have seen what runs end is gone.
    fn cut_off(&mut self) {
        let plan = &self.plan;
        for standing in &mut self.steps {
            if standing.state == StepState::Running {
                let asks_only = plan
                    .step(standing.step)
                    .is_some_and(|it| matches!(it.kind, StepKind::Check(_)));
                // A check does nothing: it is asked anew.
                standing.state = if asks_only { StepState::Waiting } else { StepState::Unknown };
            }
        }
    }

    fn say(&mut self, step: StepId, who: &Who, words: String) {
        if let Some(standing) = self.standing_mut(step) {
            standing.word = Some((who.clone(), words));
        }
    }

    fn approved(&mut self, step: StepId, who: Option<&Who>, yes: bool) {
        let asker = self.who.clone();
        let Some(standing) = self.standing_mut(step) else { return };
        let words = match (who, yes) {
            (_, true) => "approved",
            (Some(_), false) => "not approved",
            (None, false) => "nobody approved it in time",
        };
        standing.word = Some((who.cloned().unwrap_or(asker), words.to_owned()));
        if !yes && matches!(standing.state, StepState::Waiting | StepState::Reserve) {
            standing.state = StepState::Failed;
            standing.refused = true;
        }
    }

    fn step_ended(&mut self, at: Timestamp, step: StepId, attempt: u32, end: &StepEnd) {
        let changes = self.changes(step);
        let captures = match self.plan.step(step).map(|it| &it.kind) {
            Some(StepKind::Command(command)) => command.capture.clone(),
            _ => None,
        };
        let Some(standing) = self.standing_mut(step) else { return };
        // Whoever saw an end is the one who started it: nothing that was cut off
        // becomes more than unknown by a later record.
        let counts = match standing.state {
            StepState::Running => standing.attempts == attempt,
            StepState::Unknown => {
                standing.attempts == attempt && end.outcome == StepOutcome::Unknown
            }
            _ => false,
        };
        if !counts {
            return;
        }
        standing.end = Some((at, end.clone()));
        standing.state = match end.outcome {
            StepOutcome::Ok => StepState::Ok,
            StepOutcome::Failed => StepState::Failed,
            StepOutcome::Unknown => StepState::Unknown,
            StepOutcome::Unproved => StepState::Unproved,
        };
        if changes {
            self.changed = Some(at);
        }
        if end.outcome == StepOutcome::Ok {
            if let Some((name, value)) = captures.zip(end.captured.clone()) {
                self.captured.insert(name, value);
            }
            self.undone_by(step);
        }
    }

    fn decided(&mut self, at: Timestamp, step: StepId, who: &Who, what: Decision, reason: &str) {
        let words = match what {
            Decision::WasDone => "was done",
            Decision::WasNotDone => "was not done",
            Decision::Retry => "again",
            Decision::Undo => "undo",
            Decision::Abandon => "given up",
        };
        let words = if reason.is_empty() { words.to_owned() } else { format!("{words}: {reason}") };
        self.say(step, who, words);
        let state = self.standing(step).map(|it| it.state);
        match what {
            Decision::WasDone | Decision::WasNotDone if state == Some(StepState::Unknown) => {
                let done = what == Decision::WasDone;
                if let Some(standing) = self.standing_mut(step) {
                    standing.state = if done { StepState::Ticked } else { StepState::Failed };
                    standing.settled = Some(done);
                }
                if self.changes(step) {
                    self.changed = Some(at);
                }
                if done {
                    self.undone_by(step);
                }
            }
            Decision::WasDone | Decision::WasNotDone => {}
            Decision::Retry => {
                if matches!(state, Some(StepState::Failed | StepState::Unproved)) {
                    let fresh = self.plan.step(step).map(Standing::fresh);
                    if let Some((standing, fresh)) = self.standing_mut(step).zip(fresh) {
                        standing.state = fresh;
                        standing.refused = false;
                    }
                }
            }
            Decision::Undo => {
                if self.course == Course::Forward && !self.has_unknown() {
                    self.course = Course::Back(self.to_undo(step));
                }
            }
            Decision::Abandon => self.course = Course::GivenUp(step, reason.to_owned()),
        }
    }
}
