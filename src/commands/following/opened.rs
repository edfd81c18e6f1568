//! What every command about runs begins with: the config, and where its runs
//! are recorded.

use super::say::clock;
use crate::domain::runs::WriterKind;
use crate::domain::units;
use crate::journal::{Journal, Reader};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::moment;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::place::place;
use crate::runtime::runs::{arming, process};
use color_eyre::Result;
use color_eyre::eyre::eyre;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A config and the journal of its runs.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) assembled: Assembled,
    pub(crate) reader: Reader,
    /// Where the processes of runs complain.
    pub(crate) log: Option<PathBuf>,
}

impl Opened {
    pub(crate) fn at(config: Option<&Path>) -> Result<Self> {
        let assembled = Assembled::of(&crate::commands::discover(config)?, false)?;
        let state = StateFolder::of_this_user();
        if let Some(state) = &state {
            // A log that cannot be written is no reason not to run.
            let _ = state.create();
        }
        let place = place(&assembled.config, &assembled.path, state.as_ref())
            .map_err(|why| eyre!("{why}"))?;
        let log = state.as_ref().map(StateFolder::log);
        Ok(Self { assembled, reader: Reader::new(place), log })
    }

    /// Allows changes for a while.
    pub(super) async fn arm(&self, time: Duration, reason: &str) -> Result<String, String> {
        let (config, who) = (&self.assembled.config, process::who());
        let now = moment().map_err(|error| error.to_string())?;
        arming::arming(config, &who, time, reason, &now).map_err(|why| why.to_string())?;
        let own = process::own().map_err(|error| error.to_string())?;
        let place = self.reader.place().clone();
        let journal = Journal::open(place, WriterKind::Command, who.clone(), own, now.at).await;
        let journal = journal.map_err(|error| error.to_string())?;
        let armed = arming::arm(&journal, config, &who, time, reason, &now).await;
        armed
            .map(|armed| format!("armed for {}, until {}", units::age(time), clock(armed.until)))
            .map_err(|why| why.to_string())
    }
}

/// Runs what waits for processes, sockets and keys. What still hangs at its end
/// is not waited for.
pub(crate) fn run_to_end<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}
