//! Check steps: whether the conditions of a block hold, asked until they do or
//! the time is over.

use super::ending::cancelled;
use super::{Kind, Prepared, Step, StepCx};
use crate::domain::runs::{
    CheckStep, Condition, Finding, Holds, ProcessId, Step as Planned, StepEnd, StepKind,
    StepOutcome,
};
use futures_util::future::{BoxFuture, join_all};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// A `check` block.
pub(super) const KIND: Kind = Kind { name: "check", build };

/// Without `within` it is asked once; but nothing may have been polled yet.
const PATIENCE: Duration = Duration::from_secs(30);
/// From one question to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// What does not hold yet is polled out of turn this often.
const HURRY: Duration = Duration::from_secs(10);

fn build(planned: &Planned) -> Option<Box<dyn Step>> {
    match &planned.kind {
        StepKind::Check(step) => Some(Box::new(Check(step.clone()))),
        StepKind::Command(_) | StepKind::Manual { .. } => None,
    }
}

#[derive(Debug)]
struct Check(CheckStep);

impl Step for Check {
    fn preview(&self) -> String {
        let lines: Vec<&str> = self.0.lines.iter().map(|(line, _)| line.as_str()).collect();
        lines.join("\n")
    }

    fn prepare(&self, cx: StepCx) -> BoxFuture<'_, Result<Box<dyn Prepared>, String>> {
        let asking = Asking { step: self.0.clone(), cx };
        Box::pin(async move { Ok(Box::new(asking) as Box<dyn Prepared>) })
    }
}

struct Asking {
    step: CheckStep,
    cx: StepCx,
}

impl Prepared for Asking {
    fn process(&self) -> Option<ProcessId> {
        None
    }

    fn go(self: Box<Self>) -> BoxFuture<'static, StepEnd> {
        Box::pin(self.run())
    }
}

/// Why no more is asked.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Answered,
    Time,
    Cancelled,
}

impl Asking {
    async fn run(self) -> StepEnd {
        let begun = (self.cx.monotonic)();
        let limit = self.step.within.unwrap_or(PATIENCE);
        let mut cancel = self.cx.cancel.clone();
        let mut findings: Vec<Finding> = Vec::new();
        let over = {
            let asking = self.ask_until_clear(limit, &mut findings);
            tokio::pin!(asking);
            tokio::select! {
                over = &mut asking => over,
                () = cancelled(&mut cancel) => Over::Cancelled,
            }
        };
        let took = (self.cx.monotonic)().saturating_sub(begun);
        let (outcome, words) = self.judge(&findings, over, limit);
        StepEnd { outcome, words, took, captured: None, output: None, findings }
    }

    /// Asks all lines together, again and again. What was found last stands in
    /// `found`, whenever this is dropped.
    async fn ask_until_clear(&self, limit: Duration, found: &mut Vec<Finding>) -> Over {
        let end = moment_in(limit);
        let mut last = false;
        let mut hurried: Option<Instant> = None;
        loop {
            let open: Vec<&Condition> = self.open(found).collect();
            if hurried.is_none_or(|before| before.elapsed() >= HURRY) {
                hurried = Some(moment_in(Duration::ZERO));
                self.cx.evidence.hurry(&open);
            }
            let asked = self.step.lines.iter();
            let asked = asked.map(|(_, it)| self.cx.evidence.ask(it, self.cx.after));
            *found = join_all(asked).await;
            let told = self.step.lines.iter().map(|(line, _)| line.clone());
            // Nobody may follow any more.
            let _ = self.cx.findings.send(told.zip(found.iter().cloned()).collect());
            if self.is_clear(found) {
                return Over::Answered;
            }
            if last {
                return Over::Time;
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = sleep_until(end) => last = true,
            }
        }
    }

    /// What was not found to hold.
    fn open<'s>(&'s self, found: &'s [Finding]) -> impl Iterator<Item = &'s Condition> {
        let lines = self.step.lines.iter().enumerate();
        let is_open =
            |place: usize| found.get(place).is_none_or(|finding| finding.holds != Holds::Yes);
        lines.filter(move |(place, _)| is_open(*place)).map(|(_, (_, condition))| condition)
    }

    /// With `within` when all hold; else when all have said something.
    fn is_clear(&self, found: &[Finding]) -> bool {
        let mut holds = found.iter().map(|finding| finding.holds);
        match self.step.within {
            Some(_) => holds.all(|it| it == Holds::Yes),
            None => holds.all(|it| it != Holds::Unknown),
        }
    }

    fn judge(&self, found: &[Finding], over: Over, limit: Duration) -> (StepOutcome, String) {
        let lines: Vec<(&str, &Finding)> =
            self.step.lines.iter().map(|(line, _)| line.as_str()).zip(found).collect();
        let of = |holds: Holds| lines.iter().filter(move |(_, it)| it.holds == holds);
        let first = |holds: Holds| {
            let (line, finding) = of(holds).next()?;
            let more = match of(holds).count() {
                1 => String::new(),
                many => format!(", and {} more", many - 1),
            };
            Some(format!("{line}: {}{more}", finding.words))
        };
        let (outcome, words) = if let Some(words) = first(Holds::No) {
            (StepOutcome::Failed, words)
        } else if let Some(words) = first(Holds::Unknown) {
            (StepOutcome::Unproved, words)
        } else if let Some(words) = first(Holds::Yes) {
            (StepOutcome::Ok, words)
        } else {
            (StepOutcome::Unproved, "nothing was asked".to_owned())
        };
        match over {
            Over::Answered => (outcome, words),
            Over::Time => {
                let limit = crate::domain::units::duration(limit);
                (outcome, format!("{words} (after {limit})"))
            }
            // Who ends a question has no answer.
            Over::Cancelled => (StepOutcome::Unproved, format!("ended by hand; {words}")),
        }
    }
}

/// So far from now, on the timer's clock.
fn moment_in(wait: Duration) -> Instant {
    sleep(wait).deadline()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::runbook::Evidence;
    use crate::steps::testing::{Ends, context, planned};
    use std::sync::{Arc, Mutex};

    /// Says what it was given, question by question; the last again and again.
    struct Told {
        says: Mutex<Vec<Vec<Holds>>>,
        asked: Mutex<Vec<Timestamp>>,
    }

    impl Evidence for Told {
        fn ask<'a>(&'a self, condition: &'a Condition, after: Timestamp) -> BoxFuture<'a, Finding> {
            let Condition::Promql { expr } = condition else { panic!("{condition:?}") };
            self.asked.lock().unwrap().push(after);
            let mut says = self.says.lock().unwrap();
            let line: usize = expr.parse().unwrap();
            let row = &mut says[line];
            let holds = if row.len() > 1 { row.remove(0) } else { row[0] };
            let words = format!("it says {holds:?}");
            Box::pin(
                async move { Finding { holds, words, seen: None, value: None, in_time: false } },
            )
        }

        fn hurry(&self, _: &[&Condition]) {}
    }

    fn asking(rows: Vec<Vec<Holds>>, within: Option<u64>) -> (Box<dyn Step>, StepCx, Ends) {
        let line = |n: usize| (format!("line {n}"), Condition::Promql { expr: n.to_string() });
        let check = CheckStep {
            lines: (0..rows.len()).map(line).collect(),
            within: within.map(Duration::from_secs),
            proof: true,
        };
        let (mut cx, ends) = context();
        cx.evidence = Arc::new(Told { says: Mutex::new(rows), asked: Mutex::default() });
        (crate::steps::step(&planned(StepKind::Check(check))).unwrap(), cx, ends)
    }

    async fn outcome(rows: Vec<Vec<Holds>>, within: Option<u64>) -> (StepOutcome, String) {
        let (step, cx, _ends) = asking(rows, within);
        let end = step.prepare(cx).await.unwrap().go().await;
        (end.outcome, end.words)
    }

    use Holds::{No, Unknown, Yes};

    #[tokio::test(start_paused = true)]
    async fn without_a_time_it_is_asked_once_and_again_only_where_nobody_knows_yet() {
        let told = outcome(vec![vec![Yes], vec![Yes]], None).await;
        assert_eq!(told, (StepOutcome::Ok, "line 0: it says Yes, and 1 more".into()));
        let told = outcome(vec![vec![No, Yes]], None).await;
        assert_eq!(told, (StepOutcome::Failed, "line 0: it says No".into()));
        let told = outcome(vec![vec![Unknown, Unknown, Yes]], None).await;
        assert_eq!(told.0, StepOutcome::Ok);
        let told = outcome(vec![vec![Unknown]], None).await;
        assert_eq!(told, (StepOutcome::Unproved, "line 0: it says Unknown (after 30s)".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_time_it_is_asked_until_all_hold_at_once() {
        let rows = vec![vec![Yes, No, Yes], vec![No, Yes, Yes]];
        assert_eq!(outcome(rows, Some(300)).await.0, StepOutcome::Ok);
        let rows = vec![vec![Yes], vec![No]];
        let told = outcome(rows, Some(300)).await;
        assert_eq!(told, (StepOutcome::Failed, "line 1: it says No (after 5m)".into()));
        let rows = vec![vec![Yes], vec![No, Unknown]];
        assert_eq!(outcome(rows, Some(300)).await.0, StepOutcome::Unproved);
        let rows = vec![vec![Unknown], vec![No]];
        assert_eq!(outcome(rows, Some(300)).await.0, StepOutcome::Failed);
        assert_eq!(outcome(Vec::new(), Some(300)).await.0, StepOutcome::Unproved);
    }

    #[tokio::test(start_paused = true)]
    async fn ended_by_hand_it_proves_nothing_and_what_was_found_is_told() {
        let (step, cx, ends) = asking(vec![vec![No]], Some(3_000));
        let going = tokio::spawn(step.prepare(cx).await.unwrap().go());
        let mut findings = ends.findings.clone();
        findings.changed().await.unwrap();
        assert_eq!(findings.borrow()[0].0, "line 0");
        ends.cancel.send(true).unwrap();
        let end = going.await.unwrap();
        assert_eq!(end.outcome, StepOutcome::Unproved);
        assert_eq!(end.words, "ended by hand; line 0: it says No");
        assert_eq!(end.findings.len(), 1);
    }
}
