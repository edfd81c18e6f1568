//! By which names a service's answers may call those that it needs.

use crate::domain::{Inventory, Role, ServiceName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// So many steps are gone from a service to what it needs, what that needs, and so on.
const STEPS: usize = 16;
/// So many services are looked at on that way.
const SERVICES: usize = 200;

/// Whom a service needs, and what they may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Needs {
    direct: Vec<ServiceName>,
    /// In lower case: names of services, hosts that only one of them has, and
    /// general words that only one of those directly needed can mean.
    names: BTreeMap<String, ServiceName>,
}

impl Needs {
    /// Those that it needs itself.
    pub(super) fn direct(&self) -> impl Iterator<Item = &ServiceName> {
        self.direct.iter()
    }

    /// The one that a component or a label's value names: as a whole, or in one
    /// part of a path as in `readiness/db`, without what is measured of it as
    /// in `db:responseTime`.
    pub(super) fn named(&self, name: &str) -> Option<&ServiceName> {
        let name = name.trim().to_lowercase();
        if let Some(found) = self.names.get(&name) {
            return Some(found);
        }
        let parts = name.split('/').map(|part| part.split(':').next().unwrap_or(part).trim());
        let mut found = parts.filter_map(|part| self.names.get(part));
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}

/// What a service is, where that is plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Postgres,
    Mysql,
    Redis,
    /// A database of a kind that nobody told.
    Database,
}

/// General words, and what they can mean.
const WORDS: [(&str, &[Kind]); 11] = [
    ("db", &[Kind::Postgres, Kind::Mysql, Kind::Database]),
    ("database", &[Kind::Postgres, Kind::Mysql, Kind::Database]),
    ("datasource", &[Kind::Postgres, Kind::Mysql, Kind::Database]),
    ("sql", &[Kind::Postgres, Kind::Mysql, Kind::Database]),
    ("postgres", &[Kind::Postgres, Kind::Database]),
    ("postgresql", &[Kind::Postgres, Kind::Database]),
    ("mysql", &[Kind::Mysql, Kind::Database]),
    ("mariadb", &[Kind::Mysql, Kind::Database]),
    ("redis", &[Kind::Redis]),
    ("cache", &[Kind::Redis]),
    ("valkey", &[Kind::Redis]),
];

/// What a service is: by what its checks ask, or by its name.
fn kind_of(name: &ServiceName, checked_as: Option<&BTreeSet<&str>>) -> Option<Kind> {
    let checked = checked_as.into_iter().flatten().find_map(|kind| match *kind {
        "postgres" => Some(Kind::Postgres),
        "mysql" => Some(Kind::Mysql),
        "redis" => Some(Kind::Redis),
        _ => None,
    });
    checked.or_else(|| match name.as_str().to_lowercase().as_str() {
        "postgres" | "postgresql" => Some(Kind::Postgres),
        "mysql" | "mariadb" => Some(Kind::Mysql),
        "redis" | "valkey" | "cache" => Some(Kind::Redis),
        "db" | "database" => Some(Kind::Database),
        _ => None,
    })
}

/// The host in what a source is asked: `https://db.internal:5432/x`,
/// `db.internal:5432 as app`. None where it is this host, which names nobody.
fn host_of(asks: &str) -> Option<String> {
    let (scheme, rest) = asks.split_once("://").unwrap_or(("", asks));
    let rest = rest.split(['/', '?', ' ', ',']).next()?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = match rest.strip_prefix('[') {
        Some(address) => address.split(']').next()?,
        None => rest.split(':').next()?,
    };
    let host = host.to_lowercase();
    let local = match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        // A word alone may be anything: a program, a file.
        Err(_) => host == "localhost" || scheme.is_empty() && host == rest && !host.contains('.'),
    };
    (!local && !host.is_empty()).then_some(host)
}

/// Who needs whom by which names; only services that need any.
pub(super) fn needs_of(inventory: &Inventory) -> BTreeMap<ServiceName, Needs> {
    let known: BTreeMap<&ServiceName, &[ServiceName]> =
        inventory.services.iter().map(|of| (&of.name, of.depends_on.as_slice())).collect();
    let mut needs = BTreeMap::new();
    if known.values().all(|on| on.is_empty()) {
        return needs;
    }
    let mut checked_as: BTreeMap<&ServiceName, BTreeSet<&str>> = BTreeMap::new();
    let mut hosts: BTreeMap<String, BTreeSet<&ServiceName>> = BTreeMap::new();
    for info in &inventory.sources {
        let Role::Check(role) = &info.role else { continue };
        checked_as.entry(&role.service).or_default().insert(&info.kind);
        // What a command is called with names no host.
        if info.network
            && let Some(host) = host_of(&info.asks)
        {
            hosts.entry(host).or_default().insert(&role.service);
        }
    }
    let mut hosts_of: BTreeMap<&ServiceName, Vec<String>> = BTreeMap::new();
    for (host, of) in hosts {
        if let (1, Some(service)) = (of.len(), of.first()) {
            hosts_of.entry(service).or_default().push(host);
        }
    }
    for (name, on) in &known {
        let direct: Vec<ServiceName> =
            on.iter().filter(|on| on != name && known.contains_key(on)).cloned().collect();
        if direct.is_empty() {
            continue;
        }
        let mut found: BTreeSet<&ServiceName> = BTreeSet::new();
        let mut step: Vec<&ServiceName> = on.iter().collect();
        for _ in 0..STEPS {
            let mut next = Vec::new();
            for other in step {
                if other != *name && found.len() < SERVICES && found.insert(other) {
                    next.extend(known.get(other).into_iter().flat_map(|on| on.iter()));
                }
            }
            step = next;
        }
        let mut names = BTreeMap::new();
        for (word, kinds) in WORDS {
            let kind = |on: &&ServiceName| kind_of(on, checked_as.get(on));
            let mut meant =
                direct.iter().filter(|on| kind(on).is_some_and(|kind| kinds.contains(&kind)));
            if let (Some(one), None) = (meant.next(), meant.next()) {
                names.insert(word.to_owned(), one.clone());
            }
        }
        for other in &found {
            for host in hosts_of.get(*other).into_iter().flatten() {
                names.insert(host.clone(), (*other).clone());
            }
        }
        // A service's own name comes last: it is never another's word.
        let called = |other: &&ServiceName| (other.as_str().to_lowercase(), (*other).clone());
        let names_of = found.iter().map(called).collect::<Vec<_>>();
        names.extend(names_of);
        needs.insert((*name).clone(), Needs { direct, names });
    }
    needs
}
