//! `opsroom attach`: follows a run, answers its questions, takes it up after a crash.

use super::complain;
use super::following::{Opened, Options, REFUSED, attend, run_to_end};
use crate::cli::USAGE;
use crate::domain::harmless;
use crate::domain::runs::RunId;
use crate::runbook::{Run, RunRequest};
use crate::runtime::runs::{process, records, start};
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;

/// So many runs are looked at for the one that goes on.
const NEWEST: usize = 200;

/// Follows a run.
pub(super) fn run(config: Option<&Path>, run: Option<&str>, watch: bool) -> Result<ExitCode> {
    let opened = Opened::at(config)?;
    run_to_end(async {
        let found = match find(&opened, run).await? {
            Ok(found) => found,
            Err((code, why)) => {
                complain(&format!("opsroom: {why}"));
                return Ok(ExitCode::from(code));
            }
        };
        let has_died = found.ended.is_none() && !process::is_alive(&found.process);
        let taken = if has_died && !watch { take_up(&opened, &found).await } else { Ok(found.id) };
        let id = match taken {
            Ok(id) => id,
            Err(why) => {
                complain(&format!("opsroom: {why}"));
                return Ok(ExitCode::from(REFUSED));
            }
        };
        let options = Options { watch, past_first: true, ..Options::default() };
        attend(&opened, id, options).await.map(ExitCode::from)
    })
}

/// The run of this name, or the only one that goes on.
async fn find(opened: &Opened, run: Option<&str>) -> Result<Result<Run, (u8, String)>> {
    if let Some(name) = run {
        let entries = opened.reader.of_run(&RunId::from(name), 0).await?;
        let none = || (USAGE, format!("there is no run {}", harmless(name)));
        return Ok(Run::of(&entries).ok_or_else(none));
    }
    let mut going = records::runs(&opened.reader, NEWEST).await?;
    going.retain(|run| run.ended.is_none());
    if going.len() > 1 {
        let names: Vec<String> = going
            .iter()
            .map(|run| format!("\n  {}  {}", run.id, harmless(&run.plan.book.title)))
            .collect();
        let why = format!("{} runs go on; name one:{}", going.len(), names.concat());
        return Ok(Err((USAGE, why)));
    }
    Ok(going.pop().ok_or_else(|| (USAGE, "no run goes on; opsroom runs lists them".to_owned())))
}

/// Has another process carry it on: steps whose end nobody saw are asked for first.
async fn take_up(opened: &Opened, run: &Run) -> Result<RunId, String> {
    complain(&format!("opsroom: the process of run {} has died; another one takes it up", run.id));
    let request = RunRequest { take_up: Some(run.id.clone()), ..RunRequest::default() };
    let config = &opened.assembled.path;
    let ready = start::start(&request, config, opened.log.as_deref()).await;
    ready.map(|ready| ready.run).map_err(|why| why.to_string())
}
