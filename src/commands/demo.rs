//! `opsroom demo`: the console on a practice environment that needs nothing else.

use crate::config::discover;
use crate::demo::Practice;
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::console::Setup;
use crate::runtime::paths::StateFolder;
use crate::runtime::terminal::Tty;
use crate::runtime::world::CallFault;
use color_eyre::Result;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn run(seed: u64) -> Result<ExitCode> {
    // Nothing is started where nothing could be shown.
    if let Err(unfit) = Tty::check_fit() {
        return Ok(super::console::refused(&unfit));
    }
    let practice = Arc::new(Practice::start(&std::env::temp_dir(), seed, Clock::Wall.now())?);
    let shown = watch(&practice);
    // The console's tasks may hold it a little longer than the console is there.
    practice.end();
    shown
}

fn watch(practice: &Arc<Practice>) -> Result<ExitCode> {
    let found = discover::discover(Some(&practice.config_path()))?;
    let assembled = Assembled::of(&found, false)?;
    let called = practice.clone();
    let call: CallFault = Arc::new(move |name| called.fault(name).map_err(|why| why.to_string()));
    let faults = Practice::names().iter().map(|name| (*name).to_owned()).collect();
    let state = Some(StateFolder::at(&practice.folder().join("state")));
    super::console::open(Setup { assembled, state, practice: Some((faults, call)) })
}
