//! Backups and releases: what they share, whatever tool tells of them.

use super::mistakes::{Mistakes, Span};
use super::service::at_most;
use super::shape::{Config, within};
use super::table::Table;
use crate::domain::{BackupRole, EngineKind, ServiceName, Status};
use crate::metrics::promql;
use std::time::Duration;

/// The backups of a data set: how they are known is in its table, for the
/// source of its kind.
#[derive(Clone, Debug)]
pub struct Backup {
    /// `restic`, `borg`, `dumps`.
    pub kind: &'static str,
    /// Its keys.
    pub table: Table,
    /// From the start of one look to the start of the next.
    pub every: Duration,
    /// For the whole of one look.
    pub timeout: Duration,
    /// File that the last verified restore leaves; `~/` is still in it.
    pub restored: Option<String>,
    /// What is wanted of them.
    pub role: BackupRole,
}

/// A source of releases: how they are known is in its table.
#[derive(Clone, Debug)]
pub struct Releases {
    /// `file`, `command`.
    pub kind: &'static str,
    /// Its keys.
    pub table: Table,
    /// From the start of one look to the start of the next.
    pub every: Duration,
    /// For the whole of one look.
    pub timeout: Duration,
    /// The service that is released, where the releases do not say it.
    pub service: Option<ServiceName>,
}

pub(super) fn backups(root: &Table) -> Vec<Backup> {
    let tables = root.named("backup").iter();
    let backups = tables.filter_map(|table| {
        let role = BackupRole {
            name: table.name().into(),
            service: table.optional_text("service").map(Into::into),
            rpo: table.duration("rpo"),
            rto: table.optional_duration("rto"),
            keep: table.optional_whole("keep"),
            keep_for: table.optional_duration("keep_for"),
            restore_test: table.optional_duration("restore_test"),
            min_free: table.has("min_free").then(|| table.size("min_free")),
            at_most: at_most(table).unwrap_or(Status::Critical),
        };
        Some(Backup {
            kind: table.kind()?,
            table: table.clone(),
            every: table.duration("every"),
            timeout: table.duration("timeout"),
            restored: table.optional_text("restored"),
            role,
        })
    });
    backups.collect()
}

pub(super) fn releases(root: &Table) -> Vec<Releases> {
    let tables = root.named("release").iter();
    let releases = tables.filter_map(|table| {
        Some(Releases {
            kind: table.kind()?,
            table: table.clone(),
            every: table.duration("every"),
            timeout: table.duration("timeout"),
            service: table.optional_text("service").map(Into::into),
        })
    });
    releases.collect()
}

/// Services that backups and releases name must be there.
pub(super) fn check_services(root: &Table, mistakes: &mut Mistakes) {
    let known = || root.named("service").iter().map(Table::name);
    let tables = root.named("backup").iter().chain(root.named("release"));
    for table in tables {
        let Some(service) = table.optional_text("service") else { continue };
        if known().any(|name| name == service) {
            continue;
        }
        let span: Span = table.span_of("service");
        let help = match super::keys::nearest(&service, known()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name a `[service.NAME]` of this file".into(),
        };
        mistakes.wrong_but(span, "there is no such service", help);
    }
}

/// Somebody must be there who answers the PromQL of backups; what opsroom
/// itself shall answer must be PromQL as it understands it.
pub(super) fn check_promql(config: &Config, text: &str, mistakes: &mut Mistakes) {
    for backup in config.backups.iter().filter(|backup| backup.table.has("promql")) {
        let table = &backup.table;
        let Some(engine) = config.engine_of_backup(backup) else {
            let help = "set `prometheus`, or scrape the job with a `[scrape.NAME]` table";
            let key = if table.has("engine") { "engine" } else { "promql" };
            mistakes.wrong_but(table.span_of(key), "nobody can answer this", help);
            continue;
        };
        for key in ["promql", "size"] {
            let Some(expr) = table.optional_text(key) else { continue };
            let Err(error) = promql::parse(&expr) else { continue };
            let span = within(text, &table.span_of(key), &expr, error.start..error.end);
            if engine == EngineKind::Embedded {
                mistakes.wrong(span, format!("not PromQL: {error}"));
            } else {
                let help = "the server may understand it";
                mistakes.unwise(span, format!("not PromQL as opsroom knows it: {error}"), help);
            }
        }
        for key in ["keep", "keep_for"].into_iter().filter(|key| table.has(key)) {
            let help = "leave it out: whether enough are kept is for a signal of your own";
            let message = "a metric tells of the last backup, and not how many there are";
            mistakes.wrong_but(table.span_of(key), message, help);
        }
    }
}
