//! Where a run goes: the next step, what a person may decide, and how it ends.

use super::{Course, Next, Run, StepState};
use crate::domain::runs::{Decision, Expect, RunOutcome, Step, StepId, StepKind};

impl Run {
    /// What comes next.
    pub fn next(&self) -> Next {
        if let Some((_, outcome, reason)) = &self.ended {
            return Next::End(*outcome, reason.clone());
        }
        if let Course::GivenUp(step, reason) = &self.course {
            return self.given_up(*step, reason);
        }
        // Before anything else: what nobody saw the end of.
        let lost = |state| matches!(state, StepState::Unknown | StepState::Running);
        if let Some(standing) = self.steps.iter().find(|it| lost(it.state)) {
            return Next::Settle(standing.step);
        }
        match &self.course {
            Course::Back(left) => self.back(left),
            _ => self.forward(),
        }
    }

    /// What a person may decide about a step that failed or was not proved, and
    /// whether it can be left out.
    pub fn choices(&self, step: StepId) -> (Vec<Decision>, bool) {
        let mut choices = vec![Decision::Retry];
        if self.can_undo(step) {
            choices.push(Decision::Undo);
        }
        choices.push(Decision::Abandon);
        (choices, true)
    }

    /// Whether there is something that could be undone at `step`.
    pub fn can_undo(&self, step: StepId) -> bool {
        self.course == Course::Forward && !self.to_undo(step).is_empty()
    }

    /// The steps that would be undone if that were decided at `step`, the first one
    /// first: `step` itself where it was tried and not seen to have done nothing,
    /// then those that were done, the last one first.
    pub fn to_undo(&self, step: StepId) -> Vec<StepId> {
        let touched = |id: &StepId| {
            self.standing(*id).is_some_and(|it| {
                let tried = matches!(
                    it.state,
                    StepState::Ok | StepState::Ticked | StepState::Failed | StepState::Skipped
                );
                tried && it.attempts > 0 && it.settled != Some(false)
            })
        };
        let own = Some(step);
        let others = self.steps.iter().rev().map(|it| it.step).filter(|id| *id != step);
        own.into_iter()
            .chain(others)
            .filter(touched)
            .filter(|id| self.undo_of(*id).is_some())
            .collect()
    }

    /// The commands that come next where all goes well, and what each of them
    /// undoes; at most so many.
    pub fn ahead(&self, most: usize) -> Vec<(StepId, Option<StepId>)> {
        let mut ahead = Vec::new();
        match &self.course {
            Course::Forward => {
                let is_command = |id| {
                    matches!(self.plan.step(id), Some(Step { kind: StepKind::Command(_), .. }))
                };
                let waiting = self.steps.iter().filter(|it| it.state == StepState::Waiting);
                let commands = waiting.map(|it| it.step).filter(|id| is_command(*id));
                ahead.extend(commands.map(|step| (step, None)));
            }
            Course::Back(left) => {
                let undone = left.iter().map(|id| (self.undo_of(*id), Some(*id)));
                ahead.extend(undone.filter_map(|(step, undone)| Some((step?, undone))));
            }
            Course::GivenUp(..) => {}
        }
        ahead.truncate(most);
        ahead
    }

    pub(super) fn has_unknown(&self) -> bool {
        self.steps.iter().any(|it| it.state == StepState::Unknown)
    }

    /// A step that undoes did so: what it undid is undone.
    pub(super) fn undone_by(&mut self, step: StepId) {
        if let Some(undone) = self.next_back(step) {
            if let Some(standing) = self.standing_mut(undone) {
                standing.state = StepState::Undone;
            }
            self.go_on_back();
        }
    }

    /// A step that undoes was left out: what it would have undone stays.
    pub(super) fn undo_left_out(&mut self, step: StepId) {
        if self.next_back(step).is_some() {
            self.go_on_back();
        }
    }

    /// The step that is to be undone now, where `by` is what undoes it.
    fn next_back(&self, by: StepId) -> Option<StepId> {
        let Course::Back(left) = &self.course else { return None };
        let first = *left.first()?;
        (self.undo_of(first) == Some(by)).then_some(first)
    }

    fn go_on_back(&mut self) {
        if let Course::Back(left) = &mut self.course {
            left.remove(0);
        }
    }

    fn forward(&self) -> Next {
        for standing in &self.steps {
            match standing.state {
                StepState::Waiting => return Next::Step { step: standing.step, undoing: None },
                StepState::Failed | StepState::Unproved => return Next::Decide(standing.step),
                StepState::Unknown | StepState::Running => return Next::Settle(standing.step),
                StepState::Ok
                | StepState::Ticked
                | StepState::Skipped
                | StepState::Undone
                | StepState::Reserve => {}
            }
        }
        self.all_done()
    }

    fn back(&self, left: &[StepId]) -> Next {
        let Some(undoing) = left.first().copied() else {
            let kept = self
                .steps
                .iter()
                .filter(|it| it.state != StepState::Undone && self.undo_of(it.step).is_some())
                .filter(|it| it.attempts > 0 && it.settled != Some(false))
                .count();
            let words = if kept == 0 { "it was undone" } else { "not all of it was undone" };
            return Next::End(RunOutcome::Failed, words.to_owned());
        };
        let Some(step) = self.undo_of(undoing) else {
            return Next::End(RunOutcome::Failed, format!("nothing undoes step {undoing}"));
        };
        match self.standing(step).map(|it| it.state) {
            Some(StepState::Failed | StepState::Unproved) => Next::Decide(step),
            Some(_) => Next::Step { step, undoing: Some(undoing) },
            // The reader refuses such a book; a journal of another hand might hold it.
            None => Next::End(RunOutcome::Failed, format!("nothing undoes step {undoing}")),
        }
    }

    fn given_up(&self, step: StepId, reason: &str) -> Next {
        let standing = self.standing(step);
        let is_proof = self.proofs().any(|proof| proof == step);
        let (outcome, words) = if let Some(it) =
            self.steps.iter().find(|it| matches!(it.state, StepState::Unknown | StepState::Running))
        {
            let words = format!("nobody knows what step {} has done", it.step);
            (RunOutcome::Unknown, words)
        } else if standing.is_some_and(|it| it.refused) {
            (RunOutcome::Refused, format!("step {step} was not approved"))
        } else if is_proof && standing.is_some_and(|it| it.state == StepState::Unproved) {
            (RunOutcome::Unproved, "nothing proves it".to_owned())
        } else {
            (RunOutcome::Failed, format!("given up at step {step}"))
        };
        let words = if reason.is_empty() { words } else { format!("{words}: {reason}") };
        Next::End(outcome, words)
    }

    /// What proves it: the checks behind the last changing step, and the reads
    /// there that say what has to be found (`expect=/…/`): rows that were counted,
    /// another pid. An exit code alone proves nothing.
    fn proofs(&self) -> impl Iterator<Item = StepId> {
        let changes =
            |step: &Step| matches!(&step.kind, StepKind::Command(it) if it.changes && !it.undoes);
        let last = self.plan.steps.iter().rposition(changes);
        let is_proof = move |(place, step): &(usize, &Step)| match &step.kind {
            StepKind::Check(check) => check.proof,
            StepKind::Command(it) => {
                let finds = matches!(it.expect, Expect::Output(_));
                finds && !it.changes && !it.undoes && last.is_some_and(|last| *place > last)
            }
            StepKind::Manual { .. } => false,
        };
        self.plan.steps.iter().enumerate().filter(is_proof).map(|(_, step)| step.id)
    }

    fn all_done(&self) -> Next {
        let proofs: Vec<StepId> = self.proofs().collect();
        let skipped = self.steps.iter().filter(|it| it.state == StepState::Skipped);
        let skipped = skipped.filter(|it| !proofs.contains(&it.step));
        let skipped: Vec<String> = skipped.map(|it| it.step.to_string()).collect();
        let done = match skipped.as_slice() {
            [] => "all was done".to_owned(),
            [one] => format!("all but step {one} was done"),
            many => format!("all but steps {} was done", many.join(", ")),
        };
        let (mut held, mut open) = (0, None);
        for proof in proofs {
            match self.standing(proof).map(|it| it.state) {
                Some(StepState::Ok) => held += 1,
                _ => open = Some(proof),
            }
        }
        match (held, open) {
            (_, Some(step)) => Next::End(
                RunOutcome::Unproved,
                format!("{done}, and the proof of step {step} was left out"),
            ),
            (0, None) => Next::End(
                RunOutcome::Unproved,
                format!("{done}, and the runbook has no check that proves it"),
            ),
            (_, None) => Next::End(RunOutcome::Proved, format!("{done}, and the proof holds")),
        }
    }
}
