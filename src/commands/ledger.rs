//! The journal, as commands find it through the config.

use crate::config::{Config, Mistakes, render};
use crate::domain::Timestamp;
use crate::domain::runs::{Who, WriterKind};
use crate::journal::{Journal, Place, Reader};
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::{place, process};
use crate::sources::kind_keys;
use color_eyre::Result;
use color_eyre::eyre::bail;
use std::future::Future;
use std::path::Path;

/// The config, and where its journal lies.
pub(super) struct Ledger {
    pub(super) config: Config,
    pub(super) place: Place,
}

impl Ledger {
    /// Reads the config alone: nothing that it names is asked or needed.
    pub(super) fn of(given: Option<&Path>) -> Result<Self> {
        let found = super::discover(given)?;
        let mut mistakes = Mistakes::default();
        let config = Config::read(&found.text, &kind_keys(), &mut mistakes);
        if !mistakes.is_empty() {
            bail!("{}", render(&found.path, &found.text, &mistakes, super::colored()));
        }
        let state = StateFolder::of_this_user();
        let place = place::place(&config, &found.path, state.as_ref())?;
        Ok(Self { config, place })
    }

    /// To look at it.
    pub(super) fn reader(&self) -> Reader {
        Reader::new(self.place.clone())
    }

    /// To write to it, as a command of this person.
    pub(super) async fn open(&self, who: &Who, at: Timestamp) -> Result<Journal> {
        let (place, own) = (self.place.clone(), process::own()?);
        Ok(Journal::open(place, WriterKind::Command, who.clone(), own, at).await?)
    }

    /// Carries out what waits for the disk.
    #[expect(clippy::unused_self, reason = "who asks it has a journal to ask")]
    pub(super) fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
    }
}
