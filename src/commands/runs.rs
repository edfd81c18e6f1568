//! `opsroom runs`: the runs of this host.

use super::columns::aligned;
use super::following::{Opened, run_to_end};
use super::print;
use crate::domain::runs::StepId;
use crate::domain::{Timestamp, harmless_within, units};
use crate::runbook::{Run, StepState};
use crate::runtime::clock::Clock;
use crate::runtime::runs::{process, records};
use color_eyre::Result;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Longer titles and names are cut.
const LONGEST: usize = 40;

/// Lists runs.
pub(super) fn run(config: Option<&Path>, most: usize, json: bool) -> Result<ExitCode> {
    let opened = Opened::at(config)?;
    let runs = run_to_end(async { Ok(records::runs(&opened.reader, most).await?) })?;
    let now = Clock::Wall.now();
    let text = if json {
        let all: Vec<Value> = runs.iter().map(|run| as_json(run, &how(run))).collect();
        format!("{}\n", Value::Array(all))
    } else {
        table(&runs, now)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It ended so.
    Ended(&'static str),
    /// This step runs.
    Runs(StepId),
    /// It waits, or is between two steps.
    Waits,
    /// Its process has died; this step's end nobody has seen.
    Died(Option<StepId>),
}

fn how(run: &Run) -> How {
    standing(run, process::is_alive(&run.process))
}

fn standing(run: &Run, alive: bool) -> How {
    let running = run.steps.iter().find(|step| step.state == StepState::Running);
    let running = running.map(|step| step.step);
    match (&run.ended, running) {
        (Some((_, outcome, _)), _) => How::Ended(outcome.word()),
        (None, running) if !alive => How::Died(running),
        (None, Some(step)) => How::Runs(step),
        (None, None) => How::Waits,
    }
}

impl How {
    fn words(self, run: &Run) -> String {
        match self {
            Self::Ended(word) => word.to_owned(),
            Self::Runs(step) => format!("step {step} runs"),
            Self::Waits => format!("waits; opsroom attach {}", run.id),
            Self::Died(Some(step)) => {
                format!("died in step {step}; opsroom attach {} takes it up", run.id)
            }
            Self::Died(None) => format!("died; opsroom attach {} takes it up", run.id),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ended(word) => word,
            Self::Runs(_) => "runs",
            Self::Waits => "waits",
            Self::Died(_) => "died",
        }
    }
}

fn table(runs: &[Run], now: Timestamp) -> String {
    if runs.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let heads = ["RUN", "RUNBOOK", "TARGET", "BY", "AGO", "TOOK", "HOW"].map(str::to_owned);
    let mut rows = vec![heads];
    for run in runs {
        let end = run.ended.as_ref().map_or(now, |(at, ..)| *at);
        rows.push([
            run.id.to_string(),
            harmless_within(run.plan.book.id.as_str(), LONGEST),
            harmless_within(&run.plan.target, LONGEST),
            harmless_within(&run.who.user, LONGEST),
            units::age(now.since(run.started)),
            units::age(end.since(run.started)),
            how(run).words(run),
        ]);
    }
    aligned(&rows)
}

fn as_json(run: &Run, how: &How) -> Value {
    let ended = run.ended.as_ref();
    json!({
        "run": run.id,
        "runbook": run.plan.book.id,
        "title": run.plan.book.title,
        "environment": run.plan.environment,
        "target": run.plan.target,
        "host": run.plan.host,
        "who": run.who,
        "started": run.started.to_string(),
        "ended": ended.map(|(at, ..)| at.to_string()),
        "state": how.word(),
        "step": match how {
            How::Runs(step) | How::Died(Some(step)) => Some(step),
            _ => None,
        },
        "outcome": ended.map(|(_, outcome, _)| outcome.word()),
        "reason": ended.map(|(.., reason)| reason),
        "exit_code": ended.map(|(_, outcome, _)| outcome.exit_code()),
    })
}
