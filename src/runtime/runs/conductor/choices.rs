//! The values that a parameter may be chosen from: what a command prints, or
//! the labels of an expression's answer.

use crate::config::Found;
use crate::domain::harmless_within;
use crate::metrics::Data;
use crate::runbook::plan::asking_environment;
use crate::runbook::{Book, Param, RunRequest, Setting};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::headless;
use crate::runtime::runs::process;
use crate::steps;
use crate::store::{Ask, AskId};
use std::collections::BTreeSet;
use std::time::Duration;

/// Choices come within this time, or there are none.
const LATE: Duration = Duration::from_secs(20);
/// Nobody chooses from more.
const MOST: usize = 1_000;

/// The choices of `from` or `values`, in the order in which they came, each once.
pub(super) async fn find(
    param: &Param,
    book: &Book,
    request: &RunRequest,
    setting: &Setting,
    found: &Found,
) -> Result<Vec<String>, String> {
    let lines = match (&param.from, &param.values) {
        (Some(command), _) => {
            let env = asking_environment(book, request, setting, command)?;
            let folder = book.front.folder.as_deref().unwrap_or(&setting.folder);
            let asked = steps::ask(command, &env, folder, LATE, process::process_id).await;
            asked?.lines().map(str::to_owned).collect()
        }
        (None, Some((expr, label))) => label_values(found, expr, label).await?,
        (None, None) => Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let each = lines.iter().map(|line| harmless_within(line.trim(), 256));
    Ok(each.filter(|it| !it.is_empty() && seen.insert(it.clone())).take(MOST).collect())
}

/// The values of a label in an expression's answer.
async fn label_values(found: &Found, expr: &str, label: &str) -> Result<Vec<String>, String> {
    let assembled = Assembled::of(found, false).map_err(|error| error.to_string())?;
    if assembled.config.main_engine().is_none() {
        return Err("the config has neither a metrics server nor targets to scrape".to_owned());
    }
    let ask = Ask {
        id: AskId("choices".into()),
        expr: expr.into(),
        split: None,
        range: None,
        at: Clock::Wall.now(),
        engine: assembled.config.engine_of(expr),
    };
    // It has a runtime of its own.
    let asked =
        tokio::task::spawn_blocking(move || headless::ask_once(assembled, None, ask, LATE)).await;
    let answer = asked
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?
        .ok_or("no answer in time")?;
    let labels = match &answer.outcome {
        Ok(Data::Vector(points)) => points.iter().map(|point| &point.labels).collect::<Vec<_>>(),
        Ok(Data::Matrix(lines)) => lines.iter().map(|line| &line.labels).collect(),
        Ok(Data::Scalar(_) | Data::Text(_)) => Vec::new(),
        Err(error) => return Err(error.message.clone()),
    };
    let mut values: Vec<String> =
        labels.iter().filter_map(|labels| labels.get(label).map(str::to_owned)).collect();
    values.sort();
    Ok(values)
}
