//! One file per system that is polled, each with its own part of the config.

pub mod alertmanager;
mod all;
mod asking;
mod backup;
mod borg;
pub mod canary;
pub mod client;
pub mod command;
mod database;
mod docker;
mod dumps;
#[cfg(test)]
mod example;
mod guard;
pub mod health;
pub mod http;
mod kubernetes;
pub mod local;
pub mod logs;
mod loose;
mod mysql;
pub mod pages;
mod pgbackrest;
mod pm2;
mod postgres;
mod process;
mod processes;
pub mod prometheus;
mod redis;
mod releases;
mod repos;
mod restic;
pub mod scrape;
pub mod sentry;
mod supervisor;
mod systemd;
pub mod tcp;
pub mod tls;
mod trust;

pub use all::Sources;
pub use asking::{AskEmbedded, EvaluateRules, RulesEngine};
pub use client::Shared;

use crate::config::{Family, Keys, KindKeys, Mistakes, Table};
use crate::domain::{EngineKind, PollError, Reading, SourceInfo, Timestamp};
use crate::store::message::{Look, Seen};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// What a poll brought: a reading, or a page of samples that the engine still
/// has to read.
#[derive(Clone, Debug)]
pub enum Brought {
    /// Ready to be judged.
    Reading(Reading),
    /// For the sample memory.
    Page(Page),
}

/// A page of samples as it came, unpacked.
#[derive(Clone, Debug)]
pub struct Page {
    /// The Content-Type that came with it; empty where none did.
    pub content_type: String,
    /// The text.
    pub body: Bytes,
    /// How long it took to come.
    pub took: Duration,
}

/// Something that can be asked for a reading.
///
/// The poller owns schedule and back-off: a source neither sleeps nor asks
/// again by itself. It ends within the `timeout` of its info and says why (a
/// command that is being ended may take a second more); its future can be
/// dropped at any await, and nothing that it began stays behind.
pub trait Source: Send + Sync {
    /// What the config says of it.
    fn info(&self) -> &SourceInfo;
    /// Asks once, at `now`.
    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>>;

    /// Looks closer at one thing that it told of, because the operator wants
    /// it: this may take long and read much. `None` where there is nothing
    /// closer to look at.
    fn look(&self, _: &Look, _: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        None
    }
}

/// A kind of check, backup or release: its name is the key that makes a table one.
pub struct Kind {
    /// What it is a kind of.
    pub family: Family,
    /// `http`, `tcp`, `tls`, `command`.
    pub name: &'static str,
    /// Its keys.
    pub keys: Keys,
    /// It goes over the network.
    network: bool,
    make: fn(&Table, Made, &mut Mistakes) -> Option<Arc<dyn Source>>,
}

/// All kinds.
pub const KINDS: &[Kind] = &[
    http::KIND,
    tcp::KIND,
    tls::KIND,
    command::KIND,
    postgres::KIND,
    mysql::KIND,
    redis::KIND,
    systemd::KIND,
    pm2::KIND,
    docker::KIND,
    supervisor::KIND,
    kubernetes::KIND,
    releases::file::KIND,
    releases::command::KIND,
    dumps::KIND,
    dumps::LISTED,
    backup::status::KIND,
    backup::promql::KIND,
    restic::KIND,
    borg::KIND,
    pgbackrest::KIND,
];

/// The kinds as the config's reader takes them.
pub fn kind_keys() -> Vec<KindKeys> {
    let keys = |kind: &Kind| KindKeys { family: kind.family, name: kind.name, keys: kind.keys };
    KINDS.iter().map(keys).collect()
}

/// What every source of a kind is made with.
struct Made {
    info: SourceInfo,
    connect_timeout: Duration,
    shared: Arc<Shared>,
    /// Who answers its PromQL, where it has some and somebody can.
    engine: Option<EngineKind>,
}

/// Makes the source of a table of a kind. `info` says who it is and how often
/// it is asked; what it asks, its kind, note and cost are filled in here. `None` where
/// the table has mistakes, which were reported.
pub fn of_kind(
    (family, kind): (Family, &str),
    table: &Table,
    mut info: SourceInfo,
    (connect_timeout, engine): (Duration, Option<EngineKind>),
    shared: &Arc<Shared>,
    mistakes: &mut Mistakes,
) -> Option<Arc<dyn Source>> {
    let kind = KINDS.iter().find(|known| known.family == family && known.name == kind)?;
    info.kind = kind.name.into();
    info.network = kind.network;
    let connect_timeout = connect_timeout.min(info.timeout);
    (kind.make)(table, Made { info, connect_timeout, shared: Arc::clone(shared), engine }, mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_are_unique_and_each_has_the_key_that_it_is_named_for() {
        let names: BTreeSet<(&str, &str)> =
            KINDS.iter().map(|kind| (kind.family.plural(), kind.name)).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in KINDS {
            let keys: Vec<&str> = kind.keys.iter().flat_map(|k| k.iter()).map(|k| k.name).collect();
            assert!(keys.contains(&kind.name), "{}", kind.name);
            let unique: BTreeSet<&&str> = keys.iter().collect();
            assert_eq!(unique.len(), keys.len(), "{} has a key twice", kind.name);
        }
    }
}
