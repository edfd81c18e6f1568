//! The `mysql` check, for MySQL and MariaDB: a query, and what the server says
//! of its connections, transactions, locks and replication.

mod ask;
mod judge;
mod words;

use super::database::{Entrance, Host, Outcome, above, driver_failed, limits, wishes};
use super::{Brought, Kind, Made, Source};
use crate::config::{Family, Key, Keys, Mistakes, Shape, TRUST, Table, home_path, key};
use crate::domain::{PollError, SourceInfo, Thresholds, Timestamp};
use futures_util::future::BoxFuture;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "mysql", keys: &[KEYS, TRUST], network: true, make };

const KEYS: &[Key] = &[
    key("mysql", Shape::Name, "Where MySQL or MariaDB is: a URL without password, `host:port`, or its unix socket. The user needs PROCESS and REPLICATION CLIENT (MariaDB: SLAVE MONITOR) to see all.")
        .like("mysql://opsroom@db-1:3306/shop")
        .needed(),
    key("user", Shape::Name, "User, where the URL names none.").or("opsroom"),
    key("database", Shape::Name, "Database, where the URL names none.").like("shop"),
    key("password", Shape::Secret, "The user's password, as a reference.")
        .like("file:/etc/opsroom/mysql.password"),
    key("query", Shape::Name, "A statement that only reads, of your own. It must bring a row, and the first value must be neither 0 nor NULL.")
        .like("select count(*) < 1000 from jobs where done is null"),
    key("sslmode", Shape::OneOf(&["disabled", "preferred", "required", "verify_ca", "verify_identity"]), "As in MySQL: whether TLS is used and what is verified. With `ca` it is `verify_identity` unless this says otherwise.")
        .or("preferred"),
    key("connections", Shape::Table(CONNECTIONS), "Share of `max_connections` in use."),
    key("longest_transaction", Shape::Table(LONGEST), "Age of the oldest transaction."),
    key("blocked", Shape::Table(BLOCKED), "Time for which a session has waited for a lock."),
    key("slow_queries", Shape::Table(SLOW), "Queries in a second, between two polls, that took longer than the server's `long_query_time`."),
    key("replication_lag", Shape::Table(LAG), "How far a replica is behind."),
];

const CONNECTIONS: Keys = &[&limits(Shape::Ratio, "80%", "95%")];
const LONGEST: Keys = &[&limits(Shape::SPAN, "5m", "1h")];
const BLOCKED: Keys = &[&limits(Shape::SPAN, "10s", "2m")];
const SLOW: Keys = &[&wishes(Shape::Number, "1", "10")];
const LAG: Keys = &[&limits(Shape::SPAN, "1m", "10m")];

const COST: &str = "a connection of its own at each poll, closed after it; five short queries on \
                    the server's own tables, none of which reads data, and `query`";
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// A MySQL or MariaDB server that is asked.
struct MySql {
    entrance: Entrance,
    query: Option<String>,
    mode: MySqlSslMode,
    ca: Option<String>,
    cert: Option<(String, String)>,
    limits: Limits,
    before: Mutex<Option<Before>>,
}

/// When what is bad.
#[derive(Clone, Debug)]
struct Limits {
    connections: Thresholds,
    longest: Thresholds,
    blocked: Thresholds,
    slow: Thresholds,
    lag: Thresholds,
}

/// Counters at the poll before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Before {
    at: Duration,
    uptime: f64,
    slow: f64,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let schemes = ["mysql", "mariadb"];
    let entrance = Entrance::new(table, made, ("mysql", &schemes, 3306), COST, mistakes)?;
    let ca = table.optional_text("ca");
    let ssl_mode = match (&ca, table.has("sslmode")) {
        (Some(_), false) => "verify_identity".into(),
        _ => table.text("sslmode"),
    };
    let limits = Limits {
        connections: above(table, "connections", mistakes),
        longest: above(table, "longest_transaction", mistakes),
        blocked: above(table, "blocked", mistakes),
        slow: above(table, "slow_queries", mistakes),
        lag: above(table, "replication_lag", mistakes),
    };
    Some(Arc::new(MySql {
        entrance,
        query: table.optional_text("query"),
        mode: MySqlSslMode::from_str(&ssl_mode).unwrap_or(MySqlSslMode::Preferred),
        ca,
        cert: table.optional_text("cert").zip(table.optional_text("key")),
        limits,
        before: Mutex::default(),
    }))
}

impl MySql {
    async fn talk(&self) -> Outcome {
        let options = match self.options().await {
            Ok(options) => options,
            Err(why) => return Outcome::NotAsked(why),
        };
        let limit = self.entrance.connect_timeout;
        let mut connection = match timeout(limit, MySqlConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Outcome::Failed(self.words(&error)),
            Err(_) => return Outcome::Failed(self.entrance.silent(limit).await),
        };
        let asked = self.ask_all(&mut connection).await;
        let _ = timeout(GOODBYE, connection.close()).await;
        match asked {
            Ok(answers) => {
                let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
                let at = self.entrance.shared.monotonic();
                Outcome::Read(judge::judge(&answers, &self.limits, at, &mut before))
            }
            Err(error) => Outcome::Failed(error),
        }
    }

    fn words(&self, error: &sqlx::Error) -> PollError {
        let with = self.entrance.has_password();
        driver_failed(error, "MySQL", |said| words::answered(said, with))
    }

    async fn options(&self) -> Result<MySqlConnectOptions, String> {
        let entrance = &self.entrance;
        // Times of transactions are in the time zone of the server's host.
        let mut options = MySqlConnectOptions::new()
            .username(&entrance.user)
            .statement_cache_capacity(0)
            .timezone(Some("SYSTEM".to_owned()))
            .ssl_mode(self.mode);
        options = match &entrance.place.host {
            Host::Tcp { host, port } => options.host(host).port(*port),
            Host::Socket(path) => options.socket(path).ssl_mode(MySqlSslMode::Disabled),
        };
        if let Some(database) = &entrance.place.database {
            options = options.database(database);
        }
        if let Some(password) = entrance.password().await? {
            options = options.password(&password);
        }
        if let Some(ca) = &self.ca {
            options = options.ssl_ca(home_path(ca));
        }
        if let Some((cert, key)) = &self.cert {
            options = options.ssl_client_cert(home_path(cert)).ssl_client_key(home_path(key));
        }
        Ok(options.disable_statement_logging())
    }
}

impl Source for MySql {
    fn info(&self) -> &SourceInfo {
        &self.entrance.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        self.entrance.asked(self.talk())
    }
}
