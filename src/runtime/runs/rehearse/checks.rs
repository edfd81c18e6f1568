//! The checks of a rehearsal: whether they hold does not matter, whether
//! somebody can tell does.

use super::Rehearsal;
use crate::domain::runs::{Condition, Holds, Plan, StepKind};
use crate::domain::{Timestamp, harmless_within};
use crate::runbook::Evidence;
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::runs::evidence::Eyes;
use std::path::PathBuf;
use std::time::Duration;

/// So often each is asked, once a second, until somebody can tell.
const ROUNDS: u32 = 20;
/// So often where only time is missing.
const SHORT_ROUNDS: u32 = 12;

/// Asks each condition until somebody can tell.
pub(super) async fn checks(
    assembled: &Assembled,
    plan: &Plan,
    window: Option<PathBuf>,
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
    let eyes = match Eyes::open(assembled, plan, &conditions, Clock::Wall, window) {
        Ok(eyes) => eyes,
        Err(error) => return done.broken.push(format!("its checks cannot be asked: {error}")),
    };
    let mut open: Vec<(&str, &Condition, String)> =
        lines.iter().map(|(line, condition)| (line.as_str(), condition, String::new())).collect();
    for round in 1..=ROUNDS {
        let unknown: Vec<&Condition> = open.iter().map(|(_, condition, _)| *condition).collect();
        eyes.hurry(&unknown);
        let mut still = Vec::new();
        for (line, condition, _) in open {
            // Nothing is changed: a reading of any moment tells.
            let finding = eyes.ask(condition, Timestamp::default()).await;
            if finding.holds == Holds::Unknown {
                still.push((line, condition, finding.words));
            }
        }
        open = still;
        let only_time = round >= SHORT_ROUNDS && open.iter().all(|(.., words)| passes(words));
        if open.is_empty() || only_time {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for (line, _, words) in open {
        let list = if passes(&words) { &mut done.open } else { &mut done.broken };
        // A secret that is cut in two is no longer known for one: cut later.
        let line = harmless_within(line, 200);
        list.push(format!("`{line}`: nobody can tell: {words}"));
    }
}

/// Whether these words tell of something that time brings: a window that is not
/// seen yet, a service without traffic, a reading that waits for a second one.
fn passes(words: &str) -> bool {
    let parts = ["waiting: ", "no traffic", "(NaN)", "not sure yet: ", "may not know all alerts"];
    words.ends_with(" seen") || parts.iter().any(|part| words.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_needs_time_is_not_broken() {
        for words in ["waiting: 10s of 5m seen", "no traffic", "not sure yet: 1 of 2 ok answers"] {
            assert!(passes(words), "{words}");
        }
        for words in ["connection refused", "waiting for a reading", "it is not watched"] {
            assert!(!passes(words), "{words}");
        }
    }
}
