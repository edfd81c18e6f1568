//! From a config file to what runs: its sources, what they mean, who answers.

use super::clock;
use super::kept::KeptFiles;
use super::paths::StateFolder;
use crate::config::{Config, Found, Mistakes, home_path, in_one_line, render};
use crate::domain::{Inventory, Role, ServiceName, SourceId, SourceInfo};
use crate::metrics::{Limits, Target};

use crate::sources::prometheus::Prometheus;
use crate::sources::{Shared, Source, Sources, kind_keys};
use crate::ui::Keys;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// A config that was read and whose parts were made. Nothing was asked yet.
pub struct Assembled {
    /// The file.
    pub path: PathBuf,
    /// All of it.
    pub config: Config,
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// All that is polled.
    pub sources: Vec<Arc<dyn Source>>,
    /// The labels of what is scraped.
    pub targets: HashMap<SourceId, Target>,
    /// The commands that print a service's logs.
    pub logs: HashMap<ServiceName, String>,
    /// The metrics server.
    pub server: Option<Arc<Prometheus>>,
    /// What its sources share: the values of secrets, to be masked.
    pub shared: Arc<Shared>,
    /// What is unwise in the file, as text; may be empty.
    pub advice: String,
}

impl std::fmt::Debug for Assembled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assembled")
            .field("path", &self.path)
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}

/// The mistakes of a config file.
#[derive(Clone, Debug, Error)]
#[error("{in_one_line}")]
pub struct ConfigMistakes {
    /// All of them, each with its place.
    pub text: String,
    /// The first one.
    pub in_one_line: String,
    /// How many there are.
    pub count: usize,
}

impl Assembled {
    /// Reads the file's text and makes all that it names. `color` is for the
    /// text of mistakes and advice.
    pub fn of(found: &Found, color: bool) -> Result<Self, ConfigMistakes> {
        let Found { path, text } = found;
        let mut mistakes = Mistakes::default();
        let mut config = Config::read(text, &kind_keys(), &mut mistakes);
        let path_of_all = named(path, &config);
        let folder = path_of_all.parent().unwrap_or(Path::new("/"));
        for pattern in &mut config.rules.files {
            *pattern = folder.join(home_path(pattern)).to_string_lossy().into_owned();
        }
        let targets = config.services.iter().map(|service| service.checks.len()).sum::<usize>()
            + config.scrapes.iter().map(|scrape| scrape.targets.len()).sum::<usize>();
        let shared = Shared::new(clock::monotonic, targets);
        let made = Sources::of(&config, &shared, &mut mistakes);
        find_conflicts(&config, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(ConfigMistakes {
                text: render(path, text, &mistakes, color),
                in_one_line: in_one_line(path, text, &mistakes),
                count: mistakes.len(),
            });
        }
        let advice = match mistakes.advisories() {
            0 => String::new(),
            _ => render(path, text, &mistakes, color),
        };
        let mut inventory = config.inventory();
        inventory.sources = made.all.iter().map(|source| source.info().clone()).collect();
        Ok(Self {
            path: path_of_all,
            targets: targets_of(&config, &made.all),
            logs: logs_of(&config),
            inventory: Arc::new(inventory),
            sources: made.all,
            server: made.server,
            shared,
            config,
            advice,
        })
    }

    /// With these of its sources alone to be asked; all are still known of.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&SourceInfo) -> bool) -> Self {
        self.sources.retain(|source| wanted(source.info()));
        self
    }

    /// A part of it to be watched by itself, as if the config named no more.
    #[must_use]
    pub fn part(&self, inventory: Inventory) -> Self {
        let known: HashSet<&SourceId> = inventory.sources.iter().map(|info| &info.id).collect();
        let sources = self.sources.iter().filter(|source| known.contains(&source.info().id));
        let targets = self.targets.iter().filter(|(id, _)| known.contains(id));
        Self {
            path: self.path.clone(),
            config: self.config.clone(),
            sources: sources.cloned().collect(),
            targets: targets.map(|(id, target)| (id.clone(), target.clone())).collect(),
            logs: HashMap::new(),
            server: self.server.clone(),
            shared: Arc::clone(&self.shared),
            advice: String::new(),
            inventory: Arc::new(inventory),
        }
    }

    /// Where its history is kept; `state` is the user's folder.
    pub fn kept(&self, state: Option<&StateFolder>) -> Option<KeptFiles> {
        KeptFiles::of(&self.config, &self.path, state)
    }

    /// How much the sample memory holds.
    pub fn limits(&self) -> Limits {
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Limits {
            age: self.config.memory.keep,
            bytes: whole(self.config.memory.bytes),
            series_per_target: whole(self.config.memory.series_per_target),
        }
    }
}

/// One key for two actions is a mistake of the file, found when it is read.
fn find_conflicts(config: &Config, mistakes: &mut Mistakes) {
    // Names and spellings were held against their tables already.
    if !mistakes.is_empty() {
        return;
    }
    let own = config.bindings.iter();
    let changes = own.map(|binding| (binding.action.as_str(), binding.keys.as_str()));
    for conflict in Keys::remapped(changes).err().unwrap_or_default() {
        let binding = config.bindings.iter().find(|own| conflict.is_about(&own.action));
        let span = binding.map(|binding| binding.span.clone()).unwrap_or_default();
        mistakes.wrong(span, conflict.to_string());
    }
}

/// The path as it is called from anywhere. Where it is a link, or leads through
/// one, it stays that: what the link leads to may be changed as a whole, as
/// Kubernetes does it. A config whose roles count for several people is the file
/// that was found to be root's.
fn named(path: &Path, config: &Config) -> PathBuf {
    let found =
        if config.journal.shared { std::fs::canonicalize(path) } else { std::path::absolute(path) };
    found.unwrap_or_else(|_| path.to_path_buf())
}

fn logs_of(config: &Config) -> HashMap<ServiceName, String> {
    let services = config.services.iter();
    services.filter_map(|service| Some((service.name.clone(), service.logs.clone()?))).collect()
}

/// The labels of each scraped source: found by the page that it asks, since
/// sources and targets come from the same list in the same order.
fn targets_of(config: &Config, sources: &[Arc<dyn Source>]) -> HashMap<SourceId, Target> {
    let scraped = sources
        .iter()
        .map(|source| source.info())
        .filter(|info| matches!(info.role, Role::Scrape { .. }));
    let targets = config.scrapes.iter().flat_map(|scrape| {
        scrape.targets.iter().map(|target| {
            let own = scrape.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            Target::new(&scrape.job, &target.instance, own)
        })
    });
    scraped.zip(targets).map(|(info, target)| (info.id.clone(), target)).collect()
}
