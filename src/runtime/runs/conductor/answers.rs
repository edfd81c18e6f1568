//! Which answers a question takes, and of whom.

use super::Conductor;
use super::floor::Over;
use crate::domain::ServiceName;
use crate::domain::runs::{Decision, Record, StepId, StepKind, Who};
use crate::runbook::plan::value_fits;
use crate::runbook::{Answer, Ask, AskKind, Run};
use crate::runtime::runs::people::{May, allowed, groups_of};
use std::pin::Pin;

/// An answer, and of whom; none where the time to give one is over.
pub(super) type Answered = Option<(Who, Answer)>;

impl Conductor {
    /// Asks until somebody answers who may.
    pub(super) async fn question(
        &mut self,
        step: StepId,
        kind: AskKind,
    ) -> Result<(Who, Answer), Over> {
        let ask = self.floor.new_question(step, kind);
        loop {
            let never = std::pin::pin!(std::future::pending());
            if let Some(answered) = self.question_until(&ask, never).await? {
                return Ok(answered);
            }
        }
    }

    /// Asks until somebody answers who may, or `wake` is over: the question still
    /// stands then.
    pub(super) async fn question_until(
        &mut self,
        ask: &Ask,
        mut wake: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<Answered, Over> {
        loop {
            let yes = &self.house.yes;
            let is_named = yes.iter().any(|book| **book == *self.run.plan.book.id.0);
            let (run, may_go_on) = (&self.run, self.may_go_on);
            let fits = |answer: &Answer| fits(run, ask, answer, is_named, may_go_on);
            let heard = self.floor.ask(ask, fits, wake.as_mut()).await?;
            let Some((from, who, answer)) = heard else { return Ok(None) };
            match self.may(&who, &answer) {
                Ok(()) => return Ok(Some((who, answer))),
                Err(why) => {
                    self.floor.refuse(from, why.clone());
                    self.refused(who, ask, why).await;
                }
            }
        }
    }

    /// A refusal stands in the journal; where it cannot, it is a refusal all the same.
    async fn refused(&mut self, who: Who, ask: &Ask, why: String) {
        let kind = match ask.kind {
            AskKind::Approve { .. } => "to approve",
            _ => "to answer for",
        };
        let what = format!("{kind} step {} of run {}", ask.step, self.run.id);
        let refused = Record::Refused { who, what, why };
        if let Err(error) = self.journal.append(self.floor.clock.now(), refused).await {
            tracing::error!(run = %self.run.id, %error, "a refusal could not be written");
        }
    }

    /// Whether this person may give this answer.
    fn may(&self, who: &Who, answer: &Answer) -> Result<(), String> {
        if let Answer::Approve(_) = answer {
            is_second(&self.run.who, self.house.who.uid, who)?;
            return self.role(who, May::Approve);
        }
        self.may_order(who, !matches!(answer, Answer::Edited(_) | Answer::Secret(_)))
    }

    /// Whether this person may order something in this run. What is typed runs as
    /// the run's user: that is for that user alone.
    pub(super) fn may_order(&self, who: &Who, is_choice: bool) -> Result<(), String> {
        if who.uid == self.house.who.uid || who.uid == 0 {
            return Ok(());
        }
        if !is_choice || self.house.roles.is_empty() {
            return Err(format!("the run is {}'s", self.run.who.user));
        }
        self.role(who, May::Run)
    }

    fn role(&self, who: &Who, what: May) -> Result<(), String> {
        let plan = &self.run.plan;
        let service = plan.service.as_ref().map(ServiceName::as_str);
        let book = Some(plan.book.id.as_str());
        allowed(&self.house.roles, &who.user, &groups_of(who.uid), what, book, service)
    }
}

/// Whether this is another person than the one whose run it is: another user, and
/// another login, where the kernel knows of both.
fn is_second(starter: &Who, own: u32, who: &Who) -> Result<(), String> {
    if who.uid == own || who.uid == starter.uid {
        return Err("a second person approves, from a login of their own".to_owned());
    }
    match (starter.login, who.login) {
        (Some(starter), Some(login)) if starter == login => {
            Err("the same login started the run: a second person approves".to_owned())
        }
        // This kernel tells of logins. Whoever has none is a service, or hides it: a
        // process that connects and is gone before it is looked at.
        (Some(_), None) => Err("it cannot be told whose login this is (it has none, or /proc \
                                hides it): approve from a login of your own"
            .to_owned()),
        _ => Ok(()),
    }
}

/// Whether an answer is one to this question.
pub(super) fn fits(
    run: &Run,
    ask: &Ask,
    answer: &Answer,
    is_named: bool,
    may_go_on: bool,
) -> Result<(), String> {
    let step = ask.step;
    match (&ask.kind, answer) {
        (AskKind::Confirm { typed: Some(typed), .. }, Answer::Go { typed: said }) => {
            only_if(said.as_ref() == Some(typed), || format!("it takes `{typed}`, typed in full"))
        }
        (AskKind::Confirm { typed: None, .. }, Answer::Go { typed }) => {
            only_if(typed.as_deref().is_none_or(|it| it == "y"), || "it takes y".to_owned())
        }
        (AskKind::Confirm { typed, .. }, Answer::Flag) => {
            let asks_for_more = typed.is_some() || is_approved_by_others(run, step);
            only_if(is_named || !asks_for_more, || {
                let book = &run.plan.book.id;
                format!("--yes does not pass this step: [runbooks] yes does not name {book}")
            })
        }
        (AskKind::Failed { choices, .. }, Answer::Decide { decision, .. }) => {
            only_if(choices.contains(decision), || "that cannot be chosen here".to_owned())
        }
        (AskKind::Unknown { alive }, Answer::Decide { decision, .. }) => settles(*alive, *decision),
        (AskKind::Unknown { .. }, Answer::Skip { .. }) => {
            Err("first: was it done or not?".to_owned())
        }
        (_, Answer::Skip { reason }) => {
            only_if(!reason.trim().is_empty(), || "leaving a step out takes a reason".to_owned())
        }
        (AskKind::Edit { script, .. }, Answer::Edited(text)) => match text.trim() {
            "" => Err("nothing is left to run: skip the step instead".to_owned()),
            same if same == script.trim() => {
                Err("it stands as it was: change what cannot be filled in, or skip it".to_owned())
            }
            _ => Ok(()),
        },
        (AskKind::Secret { name, .. }, Answer::Secret(value)) => {
            value_fits(&run.plan, name, &value.0)
        }
        (AskKind::Changed { .. }, Answer::Decide { decision: Decision::Retry, .. }) => {
            only_if(may_go_on, || "what is pinned has changed: look again, or give up".to_owned())
        }
        (_, Answer::Decide { decision: Decision::Abandon, .. })
        | (AskKind::Manual, Answer::Tick { .. })
        | (AskKind::Approve { .. }, Answer::Approve(_))
        | (AskKind::Arm | AskKind::Changed { .. } | AskKind::Unknown { .. }, Answer::Again) => {
            Ok(())
        }
        (_, Answer::Decide { decision: Decision::Undo, .. }) => {
            only_if(run.can_undo(step), || "there is nothing to undo".to_owned())
        }
        _ => Err("that is no answer to what is asked".to_owned()),
    }
}

fn only_if(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn is_approved_by_others(run: &Run, step: StepId) -> bool {
    matches!(run.plan.step(step).map(|it| &it.kind),
        Some(StepKind::Command(command)) if command.approve)
}

fn settles(alive: bool, decision: Decision) -> Result<(), String> {
    match decision {
        _ if alive => Err("its command still runs: wait for it, or cancel it".to_owned()),
        Decision::WasDone | Decision::WasNotDone | Decision::Abandon => Ok(()),
        Decision::Retry | Decision::Undo => Err("first: was it done or not?".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::runs::{Entry, RunRecord, fixtures};

    fn who(uid: u32, login: Option<u32>) -> Who {
        Who { uid, login, ..Who::default() }
    }

    #[test]
    fn a_second_person_is_another_user_with_another_login() {
        let starter = who(1000, Some(1000));
        let approves = |second: &Who| is_second(&starter, 1000, second).is_ok();
        assert!(approves(&who(1001, Some(1001))));
        assert!(!approves(&who(1000, Some(1001))), "the same user");
        // `sudo -u other` is the same person.
        assert!(!approves(&who(1001, Some(1000))));
        assert!(!approves(&who(0, Some(1000))));
        // A login that cannot be told may be the starter's own.
        assert!(!approves(&who(1001, None)));
        // Where the kernel tells of no logins, the user is all that is known.
        assert!(is_second(&who(1000, None), 1000, &who(1001, None)).is_ok());
        assert!(is_second(&who(1000, None), 1000, &who(1001, Some(1000))).is_ok());
    }

    #[test]
    fn what_still_runs_is_neither_settled_nor_given_up() {
        for decision in [
            Decision::WasDone,
            Decision::WasNotDone,
            Decision::Retry,
            Decision::Undo,
            Decision::Abandon,
        ] {
            assert!(settles(true, decision).is_err(), "{decision:?}");
        }
        assert!(settles(false, Decision::WasDone).is_ok());
        assert!(settles(false, Decision::Retry).is_err());
        assert!(settles(false, Decision::Undo).is_err());
    }

    #[test]
    fn an_edit_changes_something() {
        let who = who(1000, None);
        let plan = Box::new(fixtures::plan(Vec::new()));
        let started =
            RunRecord::Started { who, plan, process: fixtures::process(1), before: Vec::new() };
        let entry = Entry {
            place: 1,
            writer: "w".into(),
            seq: 1,
            at: Timestamp::default(),
            record: Record::Run { run: "aaaa".into(), what: started },
            hash: String::new(),
        };
        let run = Run::begun_by(&entry).unwrap();
        let kind = AskKind::Edit { script: "rm /var/<x>\n".into(), why: String::new() };
        let ask = Ask { number: 1, step: StepId(1), since: Timestamp::default(), kind };
        let edited = |text: &str| fits(&run, &ask, &Answer::Edited(text.into()), false, false);
        assert!(edited("rm /var/<x>").unwrap_err().contains("stands as it was"));
        assert!(edited(" \n").is_err());
        assert_eq!(edited("rm /var/cache"), Ok(()));
    }
}
