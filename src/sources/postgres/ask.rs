//! The queries: each a read-only transaction that brings one line of JSON.

use super::facts::{Answers, Blocked, Core, Own, Replication, Slow, parse};
use super::{Memory, Postgres};
use crate::domain::{PollError, PollFailure};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _};
use std::sync::PoisonError;
use std::time::Duration;

/// Slow queries are asked for no more often: reading `pg_stat_statements` takes
/// the server some milliseconds.
const SLOW_EVERY: Duration = Duration::from_mins(1);
/// Our own queries wait for no lock longer.
const LOCK_MS: u128 = 1_000;
/// No answer of our own queries is longer.
const MOST: usize = 256 << 10;

/// Sessions, archive and wraparound. Without `pg_monitor` most of
/// `pg_stat_activity` is null; the number of sessions is then taken from
/// `pg_stat_database`, which everybody may read.
const CORE: &str = "
with a as (select * from pg_stat_activity where backend_type = 'client backend')
select json_build_object(
 'version', current_setting('server_version'),
 'number', current_setting('server_version_num')::int,
 'standby', pg_is_in_recovery(),
 'now', extract(epoch from clock_timestamp()),
 'started', extract(epoch from pg_postmaster_start_time()),
 'max', current_setting('max_connections')::int,
 'reserved', current_setting('superuser_reserved_connections')::int
   + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int,
 'monitor', pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
 'clients', (select count(*) from a),
 'backends', (select sum(numbackends) from pg_stat_database),
 'waiting', (select count(*) from a where wait_event_type = 'Lock'),
 'longest', (select row_to_json(t) from (
   select pid, extract(epoch from clock_timestamp() - xact_start) as seconds, state, application_name as app
   from a where xact_start is not null and pid <> pg_backend_pid() order by xact_start limit 1) t),
 'idle', (select row_to_json(t) from (
   select pid, extract(epoch from clock_timestamp() - state_change) as seconds, state, application_name as app
   from a where state like 'idle in transaction%' order by state_change limit 1) t),
 'idle_count', (select count(*) from a where state like 'idle in transaction%'),
 'deadlocks', (select sum(deadlocks) from pg_stat_database),
 'temp_bytes', (select sum(temp_bytes) from pg_stat_database),
 'commits', (select sum(xact_commit) from pg_stat_database),
 'xid_age', (select max(age(datfrozenxid)) from pg_database),
 'archive_mode', current_setting('archive_mode'),
 'archiver', (select row_to_json(t) from (
   select archived_count, failed_count, last_failed_wal,
    extract(epoch from last_failed_time) as last_failed,
    extract(epoch from coalesce(last_archived_time, stats_reset)) as last_archived
   from pg_stat_archiver) t),
 'statements', (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
   where e.extname = 'pg_stat_statements')
)::text";

/// Standbys of this server, its slots, and how far it is behind its primary.
const REPLICATION: &str = "
with here as (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn)
select json_build_object(
 'standby', pg_is_in_recovery(),
 'replicas', (select json_agg(t) from (
   select coalesce(nullif(application_name, ''), host(client_addr), 'unnamed') as name, state, sync_state,
    pg_wal_lsn_diff((select lsn from here), replay_lsn) as bytes, extract(epoch from replay_lag) as seconds
   from pg_stat_replication order by 1 limit 50) t),
 'slots', (select json_agg(t) from (
   select slot_name as name, active, pg_wal_lsn_diff((select lsn from here), restart_lsn) as bytes,
    to_json(s)->>'wal_status' as wal_status
   from pg_replication_slots s where not temporary order by 1 limit 50) t),
 'receiver', (select row_to_json(t) from (
   select status, extract(epoch from clock_timestamp() - last_msg_receipt_time) as silent
   from pg_stat_wal_receiver) t),
 'bytes', case when pg_is_in_recovery() then pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) end,
 'seconds', case when pg_is_in_recovery() then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end,
 'paused', case when pg_is_in_recovery() then pg_is_wal_replay_paused() end
)::text";

/// Who waits for whom; asked only when somebody waits, since
/// `pg_blocking_pids()` holds up the lock manager for a moment. `WAIT` is when
/// the waiting began: known since PostgreSQL 14, before that the query's start.
const BLOCKED: &str = "
with w as (
 select a.pid, pg_blocking_pids(a.pid) as by, extract(epoch from clock_timestamp() - WAIT) as seconds
 from pg_stat_activity a where a.wait_event_type = 'Lock' and a.backend_type = 'client backend' limit 100),
b as (
 select b.pid, count(*) as many from w, unnest(w.by) b(pid)
 where b.pid not in (select pid from w) group by 1 order by 2 desc, 1 limit 1)
select json_build_object(
 'count', (select count(*) from w where cardinality(by) > 0),
 'seconds', (select max(seconds) from w where cardinality(by) > 0),
 'by', (select b.pid from b),
 'state', (select a.state from pg_stat_activity a join b using (pid)),
 'since', (select extract(epoch from clock_timestamp() - a.xact_start) from pg_stat_activity a join b using (pid))
)::text";

const SINCE_14: &str = "coalesce((select min(l.waitstart) from pg_locks l where l.pid = a.pid and not l.granted), a.query_start)";
const BEFORE_14: &str = "a.query_start";

impl Postgres {
    /// Asks all there is to ask. Only the first answer is needed.
    pub(super) async fn ask_all(&self, on: &mut PgConnection) -> Result<Answers, PollError> {
        let core: Core = parse(&self.json(on, CORE).await?)?;
        let replication = self.part::<Replication>(on, REPLICATION).await?;
        let blocked = if core.waiting() {
            let wait = if core.number >= 140_000 { SINCE_14 } else { BEFORE_14 };
            Some(self.part::<Blocked>(on, &BLOCKED.replace("WAIT", wait)).await?)
        } else {
            None
        };
        let waiting_segments = if core.archiving_fails() && core.number >= 120_000 {
            let ready =
                "select count(*)::text from pg_ls_archive_statusdir() where name like '%.ready'";
            self.part::<f64>(on, ready).await?.ok()
        } else {
            None
        };
        let slow = self.slow(on, &core).await?;
        let own = match &self.query {
            Some(query) => Some(self.own(on, query).await?),
            None => None,
        };
        Ok(Answers { core, replication, blocked, waiting_segments, slow, own })
    }

    /// A part that may be denied or too slow without the rest being so. An error
    /// is one of the whole: nobody is there any more.
    async fn part<T: serde::de::DeserializeOwned>(
        &self,
        on: &mut PgConnection,
        query: &str,
    ) -> Result<Result<T, String>, PollError> {
        match self.json(on, query).await {
            Ok(text) => Ok(parse(&text).map_err(|error| error.message)),
            Err(error) if is_gone(&error) => Err(error),
            Err(error) => Ok(Err(error.message)),
        }
    }

    /// One line that a query brings, in a transaction that only reads.
    async fn json(&self, on: &mut PgConnection, query: &str) -> Result<String, PollError> {
        let begin = self.begin();
        let all = format!("{begin}{query}; rollback");
        let rows = sqlx::raw_sql(AssertSqlSafe(all)).fetch_all(&mut *on).await;
        match rows {
            Ok(rows) => {
                let text = rows.first().and_then(|row| row.try_get_unchecked::<String, _>(0).ok());
                text.filter(|text| text.len() <= MOST)
                    .ok_or_else(|| PollError::broken("the answer cannot be read"))
            }
            Err(error) => Err(self.after(on, &error).await),
        }
    }

    /// Tells an error, and leaves the transaction that it broke.
    async fn after(&self, on: &mut PgConnection, error: &sqlx::Error) -> PollError {
        let told = self.words(error);
        if !is_gone(&told) {
            let _ = sqlx::raw_sql("rollback").execute(on).await;
        }
        told
    }

    fn begin(&self) -> String {
        let limit = self.entrance.info.timeout.as_millis();
        let statement = (limit * 4 / 5).max(1);
        let lock = LOCK_MS.min(limit / 2).max(1);
        format!(
            "begin read only; set local statement_timeout = {statement}; \
             set local lock_timeout = {lock}; set local timezone = 'UTC'; "
        )
    }

    /// The operator's own query: as a prepared statement, so that it is one
    /// alone and cannot leave its transaction unseen.
    async fn own(&self, on: &mut PgConnection, query: &str) -> Result<Own, PollError> {
        let begun = self.entrance.shared.monotonic();
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(self.begin())).execute(&mut *on).await {
            return Err(self.words(&error));
        }
        let asked = sqlx::query(AssertSqlSafe(query.trim().trim_end_matches(';').to_owned()))
            .persistent(false)
            .fetch_optional(&mut *on)
            .await;
        let outcome = match asked {
            Ok(row) => {
                let _ = sqlx::raw_sql("rollback").execute(on).await;
                Ok(row.as_ref().map(is_true))
            }
            Err(error) => {
                let told = self.after(on, &error).await;
                if is_gone(&told) {
                    return Err(told);
                }
                Err(told.message)
            }
        };
        Ok(Own { outcome, took: self.entrance.shared.monotonic().saturating_sub(begun) })
    }

    /// The statements that take most time, asked for once a minute.
    async fn slow(&self, on: &mut PgConnection, core: &Core) -> Result<Option<Slow>, PollError> {
        let Some(schema) = core.statements.as_ref().filter(|_| self.slow_queries) else {
            return Ok(None);
        };
        let now = self.entrance.shared.monotonic();
        if let Some((at, known)) = &self.memory().slow
            && now.saturating_sub(*at) < SLOW_EVERY
        {
            return Ok(Some(known.clone()));
        }
        let time = if core.number >= 130_000 { "total_exec_time" } else { "total_time" };
        let schema = schema.replace('"', "\"\"");
        let query = format!(
            "select coalesce(json_agg(t), '[]')::text from (select left(query, 1000) as query, calls, \
             {time} / 1000 as total, {time} / 1000 / greatest(calls, 1) as mean \
             from \"{schema}\".pg_stat_statements where userid is not null and calls > 0 \
             order by {time} desc limit 3) t"
        );
        let slow = match self.part(on, &query).await? {
            Ok(top) => Slow::Top(top),
            Err(why) => Slow::Not(why),
        };
        self.memory().slow = Some((now, slow.clone()));
        Ok(Some(slow))
    }

    pub(super) fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the connection went with this error.
fn is_gone(error: &PollError) -> bool {
    matches!(error.cause, PollFailure::Network | PollFailure::Refused | PollFailure::Tls)
}

/// Whether a row's first value is neither false, 0 nor NULL.
fn is_true(row: &PgRow) -> bool {
    let Some(column) = row.columns().first() else { return true };
    match column.type_info().name() {
        "BOOL" => row.try_get::<Option<bool>, _>(0).ok().flatten() == Some(true),
        "INT2" => row.try_get::<Option<i16>, _>(0).ok().flatten().is_some_and(|n| n != 0),
        "INT4" => row.try_get::<Option<i32>, _>(0).ok().flatten().is_some_and(|n| n != 0),
        "INT8" => row.try_get::<Option<i64>, _>(0).ok().flatten().is_some_and(|n| n != 0),
        _ => row.try_get_raw(0).is_ok_and(|value| !sqlx::ValueRef::is_null(&value)),
    }
}
