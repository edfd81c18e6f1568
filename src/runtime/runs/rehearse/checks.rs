//! The checks of a rehearsal: whether they hold does not matter, whether
//! somebody can tell does.

use super::Rehearsal;
use crate::domain::runs::{Condition, Finding, Holds, Plan, StepKind};
use crate::domain::{Timestamp, harmless_within};
use crate::runbook::Evidence;
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::kept::KeptFiles;
use crate::runtime::runs::evidence::Eyes;
use std::time::Duration;

/// So often each is asked, once a second, until somebody can tell.
const ROUNDS: u32 = 20;
/// So often where only time is missing.
const SHORT_ROUNDS: u32 = 12;

/// Asks each condition until somebody can tell.
pub(super) async fn checks(
    assembled: &Assembled,
    plan: &Plan,
    kept: Option<KeptFiles>,
    done: &mut Rehearsal,
) {
    let checks = plan.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Check(check) => Some(&check.lines),
        StepKind::Command(_) | StepKind::Manual { .. } => None,
    });
    let lines: Vec<&(String, Condition)> = checks.flatten().collect();
    if lines.is_empty() {
        return;
    }
    let conditions: Vec<&Condition> = lines.iter().map(|(_, condition)| condition).collect();
    let eyes = match Eyes::open(assembled, plan, &conditions, Clock::Wall, kept) {
        Ok(eyes) => eyes,
        Err(error) => return done.broken.push(format!("its checks cannot be asked: {error}")),
    };
    let mut open: Vec<(&str, &Condition, Option<Finding>)> =
        lines.iter().map(|(line, condition)| (line.as_str(), condition, None)).collect();
    let in_time = |finding: &Option<Finding>| finding.as_ref().is_some_and(|it| it.in_time);
    for round in 1..=ROUNDS {
        let unknown: Vec<&Condition> = open.iter().map(|(_, condition, _)| *condition).collect();
        eyes.hurry(&unknown);
        let mut still = Vec::new();
        for (line, condition, _) in open {
            // Nothing is changed: a reading of any moment tells.
            let finding = eyes.ask(condition, Timestamp::default()).await;
            if finding.holds == Holds::Unknown {
                still.push((line, condition, Some(finding)));
            }
        }
        open = still;
        let only_time = round >= SHORT_ROUNDS && open.iter().all(|(.., finding)| in_time(finding));
        if open.is_empty() || only_time {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for (line, _, finding) in open {
        let list = if in_time(&finding) { &mut done.open } else { &mut done.broken };
        let words = finding.map(|finding| finding.words).unwrap_or_default();
        // A secret that is cut in two is no longer known for one: cut later.
        let line = harmless_within(line, 200);
        list.push(format!("`{line}`: nobody can tell: {words}"));
    }
}
