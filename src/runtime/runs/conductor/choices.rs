//! The values that a parameter may be chosen from: what a command prints, or
//! the labels of an expression's answer.

use crate::domain::harmless_within;
use crate::runbook::plan::asking_environment;
use crate::runbook::{Book, Param, RunRequest, Setting};
use crate::runtime::assemble::Assembled;
use crate::runtime::runs::process;
use crate::steps;
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
    assembled: &Assembled,
) -> Result<Vec<String>, String> {
    let lines = match (&param.from, &param.values) {
        (Some(command), _) => {
            let env = asking_environment(book, request, setting, command)?;
            let folder = book.front.folder.as_deref().unwrap_or(&setting.folder);
            let asked = steps::ask(command, &env, folder, LATE, process::process_id).await;
            asked?.lines().map(str::to_owned).collect()
        }
        (None, Some((expr, label))) => super::house::label_values(assembled, expr, label).await?,
        (None, None) => Vec::new(),
    };
    let mut seen = BTreeSet::new();
    let each = lines.iter().map(|line| harmless_within(line.trim(), 256));
    Ok(each.filter(|it| !it.is_empty() && seen.insert(it.clone())).take(MOST).collect())
}
