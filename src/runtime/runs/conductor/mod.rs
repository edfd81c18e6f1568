//! Carries a run out: what comes next is journalled, then done, then journalled
//! as done, and told to all who follow.

mod answers;
mod before;
mod board;
mod choices;
mod clear;
mod floor;
mod house;
mod listen;
mod mask;
mod perform;
mod pins;
mod settle;

pub use before::{Announce, conduct};

use crate::domain::Timestamp;
use crate::domain::runs::{
    Condition, Decision, Finding, Holds, Proof, ProofLine, Record, RunOutcome, RunRecord, StepId,
    StepKind, Who,
};
use crate::journal::{Journal, JournalError};
use crate::runbook::run::StepState;
use crate::runbook::{Answer, AskKind, Course, Evidence, Hidden, Next, Run};
use crate::runtime::clock::monotonic;
use crate::runtime::runs::evidence::Eyes;
use crate::runtime::runs::output::Output;
use floor::{Floor, Over};
use house::House;
pub(super) use house::setting;
use mask::Mask;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// So long a look is waited for at how things stand after what was undone.
const LOOK_AGAIN: Duration = Duration::from_secs(12);
/// A record that could not be written is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// A run that is carried out.
struct Conductor {
    floor: Floor,
    run: Run,
    journal: Journal,
    house: Arc<House>,
    /// The run's own eyes, and since when they are open.
    eyes: Arc<Eyes>,
    open_since: Timestamp,
    /// What is told live, and proves it: lines and what they ask.
    lines: Arc<[(String, Condition)]>,
    secrets: BTreeMap<String, Hidden>,
    mask: Mask,
    output: Output,
    /// A person goes on although the alert resolved or the service became ok.
    goes_on: bool,
    /// That is all that keeps the step that is asked about.
    may_go_on: bool,
    /// So many records of this run were lost before it was taken up.
    lost: u64,
}

impl Conductor {
    /// Carries the run to its end, or as far as this process may.
    async fn carry(&mut self) -> Result<(), Over> {
        self.mark_lost().await?;
        self.pin_down().await?;
        loop {
            if self.floor.leaving {
                return Err(Over::Asked);
            }
            match self.run.next() {
                Next::Step { step, undoing } => self.step(step, undoing).await?,
                Next::Decide(step) => self.decide(step).await?,
                Next::Settle(step) => self.settle(step).await?,
                Next::End(outcome, reason) => return self.end(outcome, reason).await,
            }
        }
    }

    /// Records were lost, by a power cut or a hand: the steps that they may have
    /// told of are not started as if nothing had been. A person says what was done.
    async fn mark_lost(&mut self) -> Result<(), Over> {
        let (lost, preview) = (self.lost, lost_words(self.lost));
        // Each step has a record of its start and one of its end.
        let steps = usize::try_from(lost.div_ceil(2)).unwrap_or(usize::MAX);
        for (step, undoing) in self.run.ahead(steps) {
            let attempt = self.run.standing(step).map_or(1, |it| it.attempts + 1);
            let preview = preview.clone();
            let process = None;
            let record = RunRecord::StepStarted { step, attempt, undoing, preview, process };
            self.surely(record).await?;
        }
        Ok(())
    }

    async fn step(&mut self, id: StepId, undoing: Option<StepId>) -> Result<(), Over> {
        // The state machine names steps of its plan alone.
        let Some(step) = self.run.plan.step(id).cloned() else { return Err(Over::Asked) };
        match &step.kind {
            StepKind::Manual { .. } => self.manual(id).await,
            StepKind::Check(_) => self.perform(&step, undoing).await,
            StepKind::Command(command) => {
                if self.clear(&step, command, undoing).await? {
                    self.perform(&step, undoing).await?;
                }
                Ok(())
            }
        }
    }

    async fn manual(&mut self, step: StepId) -> Result<(), Over> {
        let (who, answer) = self.question(step, AskKind::Manual).await?;
        match answer {
            Answer::Tick { note } => {
                self.note(RunRecord::Ticked { step, who, note }).await?;
                Ok(())
            }
            other => self.way_out(step, who, other).await,
        }
    }

    /// A step failed or was not proved: a person decides.
    async fn decide(&mut self, step: StepId) -> Result<(), Over> {
        let (choices, skip) = self.run.choices(step);
        let (who, answer) = self.question(step, AskKind::Failed { choices, skip }).await?;
        self.way_out(step, who, answer).await
    }

    /// Records what was decided instead of the answer that a question hoped for.
    async fn way_out(&mut self, step: StepId, who: Who, answer: Answer) -> Result<(), Over> {
        let record = match answer {
            Answer::Skip { reason } => RunRecord::Skipped { step, who, reason },
            Answer::Decide { decision, reason } => {
                if decision == Decision::Retry {
                    self.goes_on |= self.may_go_on;
                }
                RunRecord::Decided { step, who, decision, reason }
            }
            // Look again: whatever is wrong is found again.
            _ => return Ok(()),
        };
        self.note(record).await?;
        Ok(())
    }

    async fn end(&mut self, outcome: RunOutcome, reason: String) -> Result<(), Over> {
        if matches!(self.run.course, Course::Back(_)) {
            self.look_again().await;
        }
        let mut after = self.after().await;
        if outcome != RunOutcome::Proved {
            self.as_seen_last(&mut after);
        }
        let proof = Proof { after };
        tracing::info!(run = %self.run.id, outcome = outcome.word(), "run ended");
        self.surely(RunRecord::Ended { outcome, reason, proof: Some(proof) }).await
    }

    /// What was undone has no proof: how things stand is looked at once more, since
    /// what was read before says nothing of it.
    async fn look_again(&mut self) {
        let Some(changed) = self.run.changed else { return };
        let lines = Arc::clone(&self.lines);
        let conditions: Vec<&Condition> = lines.iter().map(|(_, condition)| condition).collect();
        self.eyes.hurry(&conditions);
        let until = monotonic() + LOOK_AGAIN;
        while !self.floor.leaving && monotonic() < until {
            let lines = self.ask_lines(changed).await;
            let is_read =
                |line: &ProofLine| line.finding.seen.is_some() && !house::is_old(line, changed);
            if lines.iter().all(is_read) {
                return;
            }
            self.floor.meanwhile(tokio::time::sleep(Duration::from_millis(500))).await;
        }
    }

    /// What each line says at the end: what proved it where it was a proof.
    async fn after(&mut self) -> Vec<ProofLine> {
        let after = self.run.changed.unwrap_or(self.open_since);
        let mut lines = self.ask_lines(after).await;
        for step in &self.run.plan.steps {
            let StepKind::Check(check) = &step.kind else { continue };
            let standing = self.run.standing(step.id).filter(|it| it.state == StepState::Ok);
            let Some((_, end)) = standing.filter(|_| check.proof).and_then(|it| it.end.as_ref())
            else {
                continue;
            };
            for ((line, _), finding) in check.lines.iter().zip(&end.findings) {
                if let Some(known) = lines.iter_mut().find(|known| known.line == *line) {
                    known.finding = finding.clone();
                }
            }
        }
        lines
    }

    /// Nobody waits for a whole window any more: what was seen last says more than
    /// how long it would have taken. It proves nothing.
    fn as_seen_last(&self, after: &mut [ProofLine]) {
        for line in after.iter_mut().filter(|line| line.finding.holds == Holds::Unknown) {
            let mut seen = self.floor.doing.signals.iter().filter(|seen| seen.line == line.line);
            if let Some(seen) = seen.find(|seen| seen.finding.holds != Holds::Unknown) {
                line.finding = Finding { holds: Holds::Unknown, ..seen.finding.clone() };
            }
        }
    }

    /// What all lines say at the moment.
    async fn ask_lines(&mut self, after: Timestamp) -> Vec<ProofLine> {
        let (eyes, asked) = (Arc::clone(&self.eyes), Arc::clone(&self.lines));
        let mut lines = self.floor.meanwhile(house::ask_lines(&eyes, &asked, after)).await;
        self.learn();
        self.mask.lines(&mut lines);
        lines
    }

    /// What was read as a secret meanwhile is hidden from now on.
    fn learn(&mut self) {
        let secrets = self.house.secrets();
        let own = self.secrets.values().map(|it| it.0.as_str());
        match self.mask.learn(secrets.iter().map(String::as_str).chain(own)) {
            Ok(true) => self.output.hide(self.mask.masker()),
            Ok(false) => {}
            Err(why) => tracing::error!(run = %self.run.id, why, "secrets cannot be hidden"),
        }
    }

    /// Writes a record and tells it. When this gives, it is on the disk.
    async fn record(&mut self, mut what: RunRecord) -> Result<(), JournalError> {
        self.learn();
        self.mask.record(&mut what);
        let record = Record::Run { run: self.run.id.clone(), what };
        let entry = self.journal.append(self.floor.clock.now(), record).await?;
        self.run.take(&entry);
        self.floor.board.entry(&entry);
        self.floor.trouble(None);
        Ok(())
    }

    /// Writes a record. Where it cannot be, what it announces does not happen:
    /// gives whether it stands.
    async fn note(&mut self, what: RunRecord) -> Result<bool, Over> {
        match self.record(what).await {
            Ok(()) => Ok(true),
            Err(error) => self.wait_out(&error).await.map(|()| false),
        }
    }

    /// Writes a record of what has happened already, as soon as that can be.
    async fn surely(&mut self, what: RunRecord) -> Result<(), Over> {
        while let Err(error) = self.record(what.clone()).await {
            self.wait_out(&error).await?;
        }
        Ok(())
    }

    async fn wait_out(&mut self, error: &JournalError) -> Result<(), Over> {
        tracing::error!(run = %self.run.id, %error, "a record could not be written");
        self.floor.trouble(Some(format!("nothing is done now: {error}")));
        if !self.floor.leaving {
            self.floor.meanwhile(tokio::time::sleep(TRY_AGAIN)).await;
        }
        if self.floor.leaving { Err(Over::Asked) } else { Ok(()) }
    }
}

fn lost_words(lost: u64) -> String {
    let records = if lost == 1 { "record is" } else { "records are" };
    format!("not known: {lost} {records} missing from the journal that may tell of it")
}
