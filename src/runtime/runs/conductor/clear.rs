//! What stands before a command step: its text, its secrets, pins, arming,
//! a person's word, a second person's word, and pins again.

use super::Conductor;
use super::floor::Over;
use crate::domain::runs::{CommandStep, Held, How, RunRecord, Step, StepId};
use crate::runbook::{Answer, AskKind};
use crate::runtime::clock;

impl Conductor {
    /// Whether the step may run now. Where not, something was recorded or has
    /// changed, and it is looked again what comes next.
    pub(super) async fn clear(
        &mut self,
        step: &Step,
        command: &CommandStep,
        undoing: Option<StepId>,
    ) -> Result<bool, Over> {
        if !self.is_edited(step.id, command).await? || !self.has_secrets(step.id, command).await? {
            return Ok(false);
        }
        if !command.changes && !self.run.plan.book.foreign {
            return Ok(true);
        }
        if !self.is_as_it_was(step.id, undoing, false).await?
            || !self.is_armed(step.id, command, undoing).await?
        {
            return Ok(false);
        }
        let typed = command.confirm.clone();
        let preview = self.preview(step);
        let (who, answer) = self.question(step.id, AskKind::Confirm { typed, preview }).await?;
        let how = match answer {
            Answer::Go { typed: Some(typed) } if command.confirm.is_some() => How::Typed(typed),
            Answer::Go { .. } => How::Key,
            Answer::Flag => How::Flag,
            other => return self.way_out(step.id, who, other).await.map(|()| false),
        };
        let by_flag = how == How::Flag;
        if !self.note(RunRecord::Confirmed { step: step.id, who, how }).await? {
            return Ok(false);
        }
        // What the config lets `--yes` carry past a `confirm` goes past an approval, too.
        if command.approve && !by_flag && !self.is_approved(step.id).await? {
            return Ok(false);
        }
        Ok(self.is_as_it_was(step.id, undoing, true).await?
            && self.is_armed(step.id, command, undoing).await?)
    }

    /// A line that could not be placed safely is edited by a person first.
    async fn is_edited(&mut self, step: StepId, command: &CommandStep) -> Result<bool, Over> {
        let edited = self.run.standing(step).is_some_and(|it| it.edited.is_some());
        let Some(why) = command.edit.clone().filter(|_| !edited) else { return Ok(true) };
        let script = command.script.clone();
        let (who, answer) = self.question(step, AskKind::Edit { script, why }).await?;
        match answer {
            Answer::Edited(script) => {
                self.note(RunRecord::Edited { step, who, script }).await?;
            }
            other => self.way_out(step, who, other).await?,
        }
        Ok(false)
    }

    /// Secrets lived in the memory of a process that has died: they are asked again.
    async fn has_secrets(&mut self, step: StepId, command: &CommandStep) -> Result<bool, Over> {
        let is_missing = |name: &&String| {
            let values = &self.run.plan.values;
            values.iter().any(|value| value.name == **name && value.held == Held::Secret)
                && !self.secrets.contains_key(*name)
        };
        let Some(name) = command.uses.iter().find(is_missing).cloned() else { return Ok(true) };
        let ask = format!("{name}, a secret that no file keeps");
        let (who, answer) =
            self.question(step, AskKind::Secret { name: name.clone(), ask }).await?;
        match answer {
            Answer::Secret(value) => {
                self.secrets.insert(name, value);
                self.learn();
            }
            other => self.way_out(step, who, other).await?,
        }
        Ok(false)
    }

    /// Pins, host and environment are as they were, and there still is a reason.
    async fn is_as_it_was(
        &mut self,
        step: StepId,
        undoing: Option<StepId>,
        is_last: bool,
    ) -> Result<bool, Over> {
        let Some((difference, may_go_on)) = self.changed(step, undoing, is_last).await? else {
            return Ok(false);
        };
        if difference.is_empty() {
            return Ok(true);
        }
        self.may_go_on = may_go_on;
        let answered = self.question(step, AskKind::Changed { difference, may_go_on }).await;
        let (who, answer) = match answered {
            Ok(answered) => answered,
            Err(over) => {
                self.may_go_on = false;
                return Err(over);
            }
        };
        let done = self.way_out(step, who, answer).await;
        self.may_go_on = false;
        done.map(|()| false)
    }

    /// The environment is armed for whoever started the run. Undoing needs none.
    async fn is_armed(
        &mut self,
        step: StepId,
        command: &CommandStep,
        undoing: Option<StepId>,
    ) -> Result<bool, Over> {
        let needs = self.run.plan.armed_only && command.changes && undoing.is_none();
        if !needs {
            return Ok(true);
        }
        // What cannot be told is not armed.
        let armed = match clock::moment() {
            Ok(now) => {
                let environment = &self.run.plan.environment;
                match self.journal.armed(&self.run.who, environment, &now).await {
                    Ok(armed) => armed.is_some(),
                    Err(error) => {
                        self.wait_out(&error).await?;
                        return Ok(false);
                    }
                }
            }
            Err(_) => false,
        };
        if armed {
            return Ok(true);
        }
        let (who, answer) = self.question(step, AskKind::Arm).await?;
        self.way_out(step, who, answer).await?;
        Ok(false)
    }

    /// A second person has said yes in time. Nobody in time is a no.
    async fn is_approved(&mut self, step: StepId) -> Result<bool, Over> {
        let within = self.house.approve_within;
        let until = self.floor.clock.now() + within;
        let wake = std::pin::pin!(tokio::time::sleep(within));
        let ask = self.floor.new_question(step, AskKind::Approve { until });
        let (who, yes) = match self.question_until(&ask, wake).await? {
            None => {
                self.floor.ask_no_more();
                (None, false)
            }
            Some((who, Answer::Approve(yes))) => (Some(who), yes),
            Some((who, other)) => return self.way_out(step, who, other).await.map(|()| false),
        };
        Ok(self.note(RunRecord::Approved { step, who, yes }).await? && yes)
    }
}
