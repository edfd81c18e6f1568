//! All rule files of a config.

use super::file::Group;
use crate::domain::Labels;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rules that are evaluated here, and what is wrong with their files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    /// In the order of their paths.
    pub files: Vec<BookFile>,
    /// The jobs that are scraped here.
    pub jobs: BTreeSet<String>,
    /// How long samples are kept.
    pub keep: Duration,
    /// What templates know of this place.
    pub external: External,
    /// What is wrong beside files: a pattern that matches none.
    pub notes: Vec<String>,
}

/// What tells this place from others, for templates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct External {
    /// As Prometheus has `external_labels`.
    pub labels: Labels,
    /// Where it is reached; may be empty.
    pub url: String,
}

/// A rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct BookFile {
    /// Where it lies.
    pub path: String,
    /// Its groups; those that it had before where it is broken now.
    pub groups: Vec<Group>,
    /// The first of its mistakes, with line and reason, and how many there are.
    pub wrong: Option<String>,
}

impl Book {
    /// Each group with the name that tells it from those of other files.
    pub fn groups(&self) -> impl Iterator<Item = (String, &Group)> {
        self.files.iter().flat_map(|file| {
            file.groups.iter().map(move |group| (format!("{};{}", file.path, group.name), group))
        })
    }

    /// Which series are recorded, and by which rules: places of group and rule.
    pub fn recorded(&self) -> BTreeMap<&str, Vec<(usize, usize)>> {
        let mut recorded: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
        for (place, (_, group)) in self.groups().enumerate() {
            for (at, rule) in group.rules.iter().enumerate().filter(|(_, rule)| !rule.is_alert()) {
                recorded.entry(&rule.name).or_default().push((place, at));
            }
        }
        recorded
    }
}
