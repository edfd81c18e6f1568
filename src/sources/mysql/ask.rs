//! The queries, and their rows as text.

use super::MySql;
use crate::domain::{PollError, PollFailure};
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _};
use std::collections::BTreeMap;
use std::time::Duration;

/// A row by the names of its columns in lower case.
pub(super) type Row = BTreeMap<String, Option<String>>;
/// Rows, or why there are none.
pub(super) type Rows = Result<Vec<Row>, String>;

/// No value is kept longer.
const MOST: usize = 4_096;

/// All answers of one poll.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Status and variables, by name in lower case.
    pub(super) values: BTreeMap<String, String>,
    pub(super) longest: Option<Rows>,
    pub(super) waiting: Option<Rows>,
    /// Sessions that wait for a table or its definition.
    pub(super) tables: Option<Rows>,
    pub(super) blockers: Option<Rows>,
    pub(super) replica: Option<Rows>,
    pub(super) own: Option<(Result<Option<bool>, String>, Duration)>,
}

const STATUS: &str = "show global status where variable_name in ('Threads_connected', 'Threads_running', 'Slow_queries', 'Uptime', 'Questions', 'Aborted_connects', 'Connection_errors_max_connections', 'Innodb_row_lock_waits', 'Innodb_deadlocks')";
const VARIABLES: &str = "show global variables where variable_name in ('max_connections', 'version', 'version_comment', 'read_only', 'super_read_only', 'long_query_time')";
const LONGEST: &str = "select trx_mysql_thread_id as id, timestampdiff(second, trx_started, now()) as seconds from information_schema.innodb_trx where trx_mysql_thread_id <> connection_id() and trx_mysql_thread_id <> 0 order by trx_started limit 1";
const WAITING: &str = "select count(*) as many, max(timestampdiff(second, trx_wait_started, now())) as seconds from information_schema.innodb_trx where trx_state = 'LOCK WAIT'";
const TABLES: &str = "select count(*) as many, max(time) as seconds from information_schema.processlist where state like 'Waiting for%lock'";
/// Who holds up most of those who wait, and waits for nobody himself. Asked
/// only where somebody waits.
const BLOCKERS_MARIADB: &str = "select b.trx_mysql_thread_id as id, count(*) as many from information_schema.innodb_lock_waits w join information_schema.innodb_trx b on b.trx_id = w.blocking_trx_id where b.trx_state <> 'LOCK WAIT' group by 1 order by 2 desc limit 1";
const BLOCKERS_MYSQL: &str = "select b.trx_mysql_thread_id as id, count(*) as many from performance_schema.data_lock_waits w join information_schema.innodb_trx b on b.trx_id = w.blocking_engine_transaction_id where b.trx_state <> 'LOCK WAIT' group by 1 order by 2 desc limit 1";

impl Answers {
    pub(super) fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }

    pub(super) fn is_mariadb(&self) -> bool {
        self.text("version").contains("MariaDB")
    }
}

/// A number in a row.
pub(super) fn number(row: &Row, name: &str) -> Option<f64> {
    row.get(name)?.as_ref()?.parse().ok()
}

impl MySql {
    /// Asks all there is to ask.
    pub(super) async fn ask_all(&self, on: &mut MySqlConnection) -> Result<Answers, PollError> {
        let mut answers = Answers::default();
        for query in [STATUS, VARIABLES] {
            for row in self.rows(on, query).await? {
                let field = |name: &str| row.get(name).cloned().flatten();
                if let (Some(name), Some(value)) = (field("variable_name"), field("value")) {
                    answers.values.insert(name.to_lowercase(), value);
                }
            }
        }
        let mariadb = answers.is_mariadb();
        self.bound(on, mariadb).await?;
        answers.longest = Some(self.part(on, LONGEST).await?);
        let waiting = self.part(on, WAITING).await?;
        let wait = waiting.as_ref().is_ok_and(|rows| {
            rows.first().and_then(|row| number(row, "many")).is_some_and(|many| many > 0.0)
        });
        answers.waiting = Some(waiting);
        if wait {
            let query = if mariadb { BLOCKERS_MARIADB } else { BLOCKERS_MYSQL };
            answers.blockers = Some(self.part(on, query).await?);
        }
        answers.tables = Some(self.part(on, TABLES).await?);
        answers.replica = Some(if mariadb {
            self.part(on, "show all slaves status").await?
        } else {
            match self.part(on, "show replica status").await? {
                // Before MySQL 8.0.22 it was called otherwise.
                Err(why) if why.contains("(1064)") => self.part(on, "show slave status").await?,
                asked => asked,
            }
        });
        if let Some(query) = &self.query {
            answers.own = Some(self.own(on, query).await?);
        }
        Ok(answers)
    }

    /// Limits for this session: nothing it asks may wait or run for long, or write.
    async fn bound(&self, on: &mut MySqlConnection, mariadb: bool) -> Result<(), PollError> {
        let limit = self.entrance.info.timeout;
        let ms = (limit.as_millis() * 4 / 5).max(1);
        let seconds = limit.as_secs_f64() * 0.8;
        let longest = if mariadb {
            format!("set session max_statement_time = {seconds:.3}")
        } else {
            format!("set session max_execution_time = {ms}")
        };
        let locks = "set session lock_wait_timeout = 1, innodb_lock_wait_timeout = 1";
        for set in [longest.as_str(), locks, "set session transaction read only"] {
            // An old server lacks one of them: our own limit holds all the same.
            self.part(on, set).await?.ok();
        }
        Ok(())
    }

    /// A part that may be denied without the rest being so.
    async fn part(&self, on: &mut MySqlConnection, query: &str) -> Result<Rows, PollError> {
        match self.rows(on, query).await {
            Ok(rows) => Ok(Ok(rows)),
            Err(error) if is_gone(&error) => Err(error),
            Err(error) => Ok(Err(error.message)),
        }
    }

    async fn rows(&self, on: &mut MySqlConnection, query: &str) -> Result<Vec<Row>, PollError> {
        let asked = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch_all(on).await;
        Ok(asked.map_err(|error| self.words(&error))?.iter().map(row).collect())
    }

    /// The operator's own query: a prepared statement, so that it is one alone.
    async fn own(
        &self,
        on: &mut MySqlConnection,
        query: &str,
    ) -> Result<(Result<Option<bool>, String>, Duration), PollError> {
        let begun = self.entrance.shared.monotonic();
        self.rows(on, "start transaction read only").await?;
        let query = query.trim().trim_end_matches(';').to_owned();
        let asked =
            sqlx::query(AssertSqlSafe(query)).persistent(false).fetch_optional(&mut *on).await;
        let outcome = match asked {
            Ok(row) => Ok(row.as_ref().map(is_true)),
            Err(error) => {
                let told = self.words(&error);
                if is_gone(&told) {
                    return Err(told);
                }
                Err(told.message)
            }
        };
        self.part(on, "rollback").await?.ok();
        Ok((outcome, self.entrance.shared.monotonic().saturating_sub(begun)))
    }
}

fn is_gone(error: &PollError) -> bool {
    matches!(error.cause, PollFailure::Network | PollFailure::Refused | PollFailure::Tls)
}

fn row(row: &MySqlRow) -> Row {
    let value = |at: usize| {
        let bytes = row.try_get_unchecked::<Option<Vec<u8>>, _>(at).ok().flatten()?;
        Some(String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]).into_owned())
    };
    row.columns()
        .iter()
        .enumerate()
        .map(|(at, one)| (one.name().to_lowercase(), value(at)))
        .collect()
}

/// Whether a row's first value is neither 0 nor NULL.
fn is_true(row: &MySqlRow) -> bool {
    if let Ok(number) = row.try_get::<Option<i64>, _>(0) {
        return number.is_some_and(|number| number != 0);
    }
    if let Ok(number) = row.try_get::<Option<u64>, _>(0) {
        return number.is_some_and(|number| number != 0);
    }
    row.try_get_raw(0).is_ok_and(|value| !sqlx::ValueRef::is_null(&value))
}
