//! The `postgres` check: a query, and what the server says of its sessions,
//! replication and archive.

mod ask;
mod facts;
mod judge;
mod replication;
mod words;

use super::database::{Entrance, Host, Outcome, above, driver_failed, limits};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Keys, Mistakes, Shape, TRUST, Table, key};
use crate::domain::{CheckReading, PollError, SourceInfo, Thresholds, Timestamp};
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "postgres", keys: &[KEYS, TRUST], network: true, make };

const AGE: Shape = Shape::SPAN;

const KEYS: &[Key] = &[
    key("postgres", Shape::Name, "Where PostgreSQL is: a URL without password, `host:port`, or the folder of its unix socket. It is asked in read-only transactions; the role needs `pg_monitor` to see all.")
        .like("postgres://opsroom@db-1:5432/orders")
        .needed(),
    key("user", Shape::Name, "Role, where the URL names none.").or("opsroom"),
    key("database", Shape::Name, "Database, where the URL names none; the role's name where nothing does.")
        .like("orders"),
    key("password", Shape::Secret, "The role's password, as a reference.")
        .like("file:/etc/opsroom/postgres.password"),
    key("query", Shape::Name, "A statement that only reads, of your own. It must bring a row, and the first value must be neither false, 0 nor NULL.")
        .like("select count(*) < 1000 from jobs where done is null"),
    key("sslmode", Shape::OneOf(&["disable", "prefer", "require", "verify-ca", "verify-full"]), "As in PostgreSQL: whether TLS is used and what is verified. With `ca` it is `verify-full` unless this says otherwise.")
        .or("prefer"),
    key("connections", Shape::Table(CONNECTIONS), "Share in use of the connections that ordinary roles may have: `max_connections` without those reserved."),
    key("longest_transaction", Shape::Table(LONGEST), "Age of the oldest transaction; one of pg_dump warns at most."),
    key("idle_in_transaction", Shape::Table(IDLE), "Time for which a session has been idle inside a transaction."),
    key("blocked", Shape::Table(BLOCKED), "Time for which a session has waited for a lock."),
    key("replication_lag", Shape::Table(LAG), "How long ago a standby last caught up. A time counts only while there is something to replay."),
    key("replication_bytes", Shape::Table(LAG_BYTES), "WAL that a standby has not yet replayed."),
    key("replicas", Shape::Integer { min: 0, max: 1_000 }, "So many standbys must be streaming from this server.").like("1"),
    key("slot_bytes", Shape::Table(SLOT_BYTES), "WAL that is kept for a replication slot. One that nobody uses is a warning."),
    key("archive", Shape::Table(ARCHIVE), "Time since a segment was last archived, while archiving fails. Failing is a warning at once."),
    key("transaction_ids", Shape::Table(IDS), "Share of transaction ids in use before the server stops taking writes."),
    key("slow_queries", Shape::Bool, "Name the statements that take most of the server's time, once a minute, where pg_stat_statements is there.")
        .or("true"),
];

const CONNECTIONS: Keys = &[&limits(Shape::Ratio, "80%", "95%")];
const LONGEST: Keys = &[&limits(AGE, "5m", "1h")];
const IDLE: Keys = &[&limits(AGE, "1m", "15m")];
const BLOCKED: Keys = &[&limits(AGE, "10s", "2m")];
const LAG: Keys = &[&limits(AGE, "1m", "10m")];
const LAG_BYTES: Keys = &[&limits(Shape::Size, "256 MiB", "4 GiB")];
const SLOT_BYTES: Keys = &[&limits(Shape::Size, "1 GiB", "16 GiB")];
const ARCHIVE: Keys = &[&limits(Shape::PAUSE, "0s", "15m")];
const IDS: Keys = &[&limits(Shape::Ratio, "50%", "85%")];

const COST: &str = "a connection of its own at each poll, closed after it; two queries on the \
                    server's own views, none of which reads a table, and `query`";

/// A PostgreSQL server that is asked.
struct Postgres {
    entrance: Entrance,
    query: Option<String>,
    ssl: Ssl,
    limits: Limits,
    slow_queries: bool,
    memory: Mutex<Memory>,
}

/// How TLS is done.
struct Ssl {
    mode: PgSslMode,
    ca: Option<String>,
    cert: Option<(String, String)>,
}

/// When what is bad.
#[derive(Clone, Debug)]
struct Limits {
    connections: Thresholds,
    longest: Thresholds,
    idle: Thresholds,
    blocked: Thresholds,
    lag: Thresholds,
    lag_bytes: Thresholds,
    replicas: Option<u32>,
    slot_bytes: Thresholds,
    archive: Thresholds,
    ids: Thresholds,
}

/// What is kept from one poll to the next.
#[derive(Debug, Default)]
struct Memory {
    deadlocks: Option<f64>,
    /// When the slow queries were last asked for, and what came.
    slow: Option<(Duration, facts::Slow)>,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let schemes = ["postgres", "postgresql"];
    let entrance = Entrance::new(table, made, ("postgres", &schemes, 5432), COST, mistakes)?;
    let cert = table.optional_text("cert").zip(table.optional_text("key"));
    let ca = table.optional_text("ca");
    let ssl_mode = match (&ca, table.has("sslmode")) {
        (Some(_), false) => "verify-full".into(),
        _ => table.text("sslmode"),
    };
    let ssl_mode = PgSslMode::from_str(&ssl_mode).unwrap_or_default();
    let limits = Limits {
        connections: above(table, "connections", mistakes),
        longest: above(table, "longest_transaction", mistakes),
        idle: above(table, "idle_in_transaction", mistakes),
        blocked: above(table, "blocked", mistakes),
        lag: above(table, "replication_lag", mistakes),
        lag_bytes: above(table, "replication_bytes", mistakes),
        replicas: table.optional_whole("replicas"),
        slot_bytes: above(table, "slot_bytes", mistakes),
        archive: above(table, "archive", mistakes),
        ids: above(table, "transaction_ids", mistakes),
    };
    Some(Arc::new(Postgres {
        entrance,
        query: table.optional_text("query"),
        ssl: Ssl { mode: ssl_mode, ca, cert },
        limits,
        slow_queries: table.flag("slow_queries"),
        memory: Mutex::default(),
    }))
}

impl Postgres {
    async fn talk(&self) -> Outcome {
        let options = match self.options().await {
            Ok(options) => options,
            Err(why) => return Outcome::NotAsked(why),
        };
        let limit = self.entrance.connect_timeout;
        let mut connection = match timeout(limit, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Outcome::Failed(self.words(&error)),
            Err(_) => return Outcome::Failed(self.entrance.silent(limit).await),
        };
        let asked = self.ask_all(&mut connection).await;
        // Says goodbye, so that the server's log has no broken connection.
        let _ = timeout(GOODBYE, connection.close()).await;
        match asked {
            Ok(answers) => Outcome::Read(self.judge(&answers)),
            Err(error) => Outcome::Failed(error),
        }
    }

    fn words(&self, error: &sqlx::Error) -> PollError {
        let with = self.entrance.has_password();
        driver_failed(error, "PostgreSQL", |said| words::answered(said, with))
    }

    async fn options(&self) -> Result<PgConnectOptions, String> {
        let entrance = &self.entrance;
        let mut options = PgConnectOptions::new_without_pgpass()
            .username(&entrance.user)
            .application_name("opsroom")
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .ssl_mode(self.ssl.mode);
        options = match &entrance.place.host {
            Host::Tcp { host, port } => options.host(host).port(*port),
            Host::Socket(path) => {
                let (folder, port) = words::socket(path);
                options.socket(folder).port(port).ssl_mode(PgSslMode::Disable)
            }
        };
        options = options.database(entrance.place.database.as_deref().unwrap_or(&entrance.user));
        // Empty where none is set: the environment's PGPASSWORD is not ours to use.
        options = options.password(&entrance.password().await?.unwrap_or_default());
        if let Some(ca) = &self.ssl.ca {
            options = options.ssl_root_cert(crate::config::home_path(ca));
        }
        if let Some((cert, key)) = &self.ssl.cert {
            options = options
                .ssl_client_cert(crate::config::home_path(cert))
                .ssl_client_key(crate::config::home_path(key));
        }
        Ok(options.disable_statement_logging())
    }

    /// Judges what was answered, against what was seen before.
    fn judge(&self, answers: &facts::Answers) -> CheckReading {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        judge::judge(answers, &self.limits, &mut memory.deadlocks)
    }
}

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

impl Source for Postgres {
    fn info(&self) -> &SourceInfo {
        &self.entrance.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        self.entrance.asked(self.talk())
    }
}
