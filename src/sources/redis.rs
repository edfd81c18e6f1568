//! The `redis` check: PING, and what INFO says of memory, clients, replication
//! and persistence. Valkey and KeyDB speak the same.

mod info;
mod judge;
mod wire;

use super::client::{Shared, io_failed, tls_failed};
use super::database::{Entrance, Host, Outcome, above, limits, wishes};
use super::trust::Trust;
use super::{Brought, Kind, Made, Source, http, tcp};
use crate::config::{Family, Key, Keys, Mistakes, Shape, TRUST, Table, key, thresholds};
use crate::domain::reading::PollFailure;
use crate::domain::{PollError, SourceInfo, Thresholds, Timestamp, units};
use futures_util::future::BoxFuture;
use info::Info;
use rustls::pki_types::ServerName;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wire::{Reply, Wire};

/// The kind in the registry.
pub(super) const KIND: Kind =
    Kind { family: Family::Check, name: "redis", keys: &[KEYS, TRUST], network: true, make };

const KEYS: &[Key] = &[
    key("redis", Shape::Name, "Where Redis or Valkey is: a URL without password (`rediss` is TLS), `host:port`, or its unix socket.")
        .like("redis://cache-1:6379/0")
        .needed(),
    key("user", Shape::Name, "User of its access lists, where the URL names none; left out, the default user.")
        .like("opsroom"),
    key("database", Shape::Name, "Number of the database, where the URL has none.").like("0"),
    key("password", Shape::Secret, "The password, as a reference.")
        .like("file:/etc/opsroom/redis.password"),
    key("skip_verify", Shape::Bool, "With TLS, trust any certificate.").or("false"),
    key("memory", Shape::Table(MEMORY), "Share of `maxmemory` in use, where nothing may be evicted to make room."),
    key("clients", Shape::Table(CLIENTS), "Share of `maxclients` in use."),
    key("hit_rate", Shape::Table(HIT_RATE), "Share of look-ups between two polls that found their key; judged from 100 look-ups on."),
    key("evictions", Shape::Table(EVICTIONS), "Keys evicted in a second, between two polls."),
    key("replication_bytes", Shape::Table(LAG_BYTES), "What a replica has not yet taken."),
    key("replicas", Shape::Integer { min: 0, max: 1_000 }, "So many replicas must be connected.").like("1"),
    key("last_save", Shape::Table(LAST_SAVE), "Time since the last good save to disk."),
];

const MEMORY: Keys = &[&limits(Shape::Ratio, "90%", "98%")];
const CLIENTS: Keys = &[&limits(Shape::Ratio, "80%", "95%")];
const HIT_RATE: Keys = &[&wishes(Shape::Ratio, "80%", "50%")];
const EVICTIONS: Keys = &[&wishes(Shape::Number, "100", "1000")];
const LAG_BYTES: Keys = &[&limits(Shape::Size, "16 MiB", "256 MiB")];
const LAST_SAVE: Keys = &[&wishes(Shape::SPAN, "2h", "1d")];

const COST: &str = "a connection of its own at each poll, closed after it; PING and INFO, \
                    about 6 kB; CLUSTER INFO in a cluster; no key is read";

/// A Redis server that is asked.
struct Redis {
    entrance: Entrance,
    trust: Option<Trust>,
    limits: Limits,
    before: Mutex<Option<Before>>,
}

/// When what is bad.
#[derive(Clone, Debug)]
struct Limits {
    memory: Thresholds,
    clients: Thresholds,
    hit_rate: Thresholds,
    evictions: Thresholds,
    lag_bytes: Thresholds,
    replicas: Option<u32>,
    last_save: Thresholds,
}

/// Counters at the poll before, of the same run of the server.
#[derive(Clone, Debug, PartialEq)]
struct Before {
    at: Duration,
    run: String,
    hits: f64,
    misses: f64,
    evicted: f64,
    rejected: f64,
}

/// What was answered.
#[derive(Debug)]
struct Answers {
    /// What PING said, where it was an error that leaves INFO to be read.
    ping: Option<String>,
    /// Or why INFO could not be had.
    info: Result<Info, String>,
    cluster: Option<Info>,
    /// A password is set here, and the server has none.
    needless_password: bool,
}

fn make(table: &Table, made: Made, mistakes: &mut Mistakes) -> Option<Arc<dyn Source>> {
    let schemes = ["redis", "rediss", "valkey", "valkeys"];
    let entrance = Entrance::new(table, made, ("redis", &schemes, 6379), COST, mistakes)?;
    if entrance.place.database.as_deref().is_some_and(|number| number.parse::<u32>().is_err()) {
        let help = "databases of Redis have numbers, such as redis://host:6379/0";
        mistakes.wrong_but(table.span_of("redis"), "this is no number of a database", help);
        return None;
    }
    let ending = entrance.place.scheme.ends_with("ss") || entrance.place.scheme == "valkeys";
    let trust = ending.then(|| Trust {
        ca: table.optional_text("ca"),
        cert: table.optional_text("cert"),
        key: table.optional_text("key"),
        skip_verify: table.flag("skip_verify"),
    });
    let limits = Limits {
        memory: above(table, "memory", mistakes),
        clients: above(table, "clients", mistakes),
        hit_rate: thresholds(table, "hit_rate", true, mistakes),
        evictions: above(table, "evictions", mistakes),
        lag_bytes: above(table, "replication_bytes", mistakes),
        replicas: table.optional_whole("replicas"),
        last_save: above(table, "last_save", mistakes),
    };
    let mut redis = Redis { entrance, trust, limits, before: Mutex::default() };
    if redis.trust.as_ref().is_some_and(|trust| trust.skip_verify) {
        redis.entrance.info.note = Some(http::NOT_VERIFIED.into());
    }
    Some(Arc::new(redis))
}

/// Either kind of stream.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Redis {
    async fn talk(&self, now: Timestamp) -> Outcome {
        let password = match self.entrance.password().await {
            Ok(password) => password,
            Err(why) => return Outcome::NotAsked(why),
        };
        let stream = match self.connect().await {
            Ok(stream) => stream,
            Err(Missing::Check(why)) => return Outcome::NotAsked(why),
            Err(Missing::Server(error)) => return Outcome::Failed(error),
        };
        match self.converse(stream, password.as_deref()).await {
            Ok(answers) => {
                let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
                let at = self.entrance.shared.monotonic();
                Outcome::Read(judge::judge(&answers, &self.limits, (at, now), &mut before))
            }
            Err(error) => Outcome::Failed(error),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Missing> {
        let limit = self.entrance.connect_timeout;
        let network = |message: String| PollError::new(PollFailure::Network, message);
        let (host, stream) = match &self.entrance.place.host {
            Host::Socket(path) => {
                let stream = timeout(limit, UnixStream::connect(path)).await;
                let failed = |error: &std::io::Error| match error.kind() {
                    std::io::ErrorKind::NotFound => {
                        PollError::new(PollFailure::Refused, "no such socket")
                    }
                    _ => io_failed(error).unwrap_or_else(|| network("the socket fails".into())),
                };
                return match stream {
                    Ok(Ok(stream)) => Ok(Box::new(stream)),
                    Ok(Err(error)) => Err(failed(&error).into()),
                    Err(_) => Err(self.entrance.silent(limit).await.into()),
                };
            }
            Host::Tcp { host, port } => {
                let address = super::database::Place::address(host, *port);
                (host, tcp::connect(&address, limit).await?)
            }
        };
        let Some(trust) = &self.trust else { return Ok(Box::new(stream)) };
        Ok(Box::new(self.encrypt(stream, host, trust).await?))
    }

    async fn encrypt(
        &self,
        stream: TcpStream,
        host: &str,
        trust: &Trust,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Missing> {
        let shared: &Shared = &self.entrance.shared;
        let trusted = shared.trusted(trust).await.map_err(Missing::Check)?;
        let mut config = trusted.for_requests(trust).map_err(Missing::Check)?;
        config.alpn_protocols.clear();
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| PollError::new(PollFailure::Tls, "no name that TLS can ask for"))?;
        let connector = TlsConnector::from(Arc::new(config));
        let limit = self.entrance.connect_timeout;
        match timeout(limit, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let told = tls.map(tls_failed).or_else(|| io_failed(&error));
                let broken = || PollError::new(PollFailure::Tls, "TLS: the handshake failed");
                Err(told.unwrap_or_else(broken).into())
            }
            Err(_) => {
                let message = format!("connected, and no TLS answer in {}", units::duration(limit));
                Err(PollError::new(PollFailure::Timeout, message).into())
            }
        }
    }

    async fn converse(
        &self,
        stream: Box<dyn Stream>,
        password: Option<&str>,
    ) -> Result<Answers, PollError> {
        let mut wire = Wire::new(stream);
        let user = Some(self.entrance.user.as_str()).filter(|user| !user.is_empty());
        let mut needless_password = false;
        if let Some(password) = password {
            let mut words = vec!["AUTH"];
            words.extend(user);
            words.push(password);
            if let Reply::Error(error) = wire.ask(&words).await? {
                // Before 6 and after, in these words.
                needless_password = error.contains("without any password configured")
                    || error.contains("no password is set");
                if !needless_password {
                    return Err(wire::refused(&error, true));
                }
            }
        }
        let number = self.entrance.place.database.as_deref().filter(|number| *number != "0");
        if let Some(number) = number
            && let Reply::Error(error) = wire.ask(&["SELECT", number]).await?
            && !error.starts_with("LOADING")
        {
            return Err(wire::refused(&error, password.is_some()));
        }
        let mut ping = None;
        match wire.ask(&["PING"]).await? {
            Reply::Error(error) if wire::leaves_info(&error) => ping = Some(error),
            Reply::Error(error) => return Err(wire::refused(&error, password.is_some())),
            Reply::Text(text) if text == "PONG" => {}
            _ => return Err(PollError::broken("what answers there does not speak as Redis does")),
        }
        let info = match wire.ask(&["INFO"]).await? {
            Reply::Text(text) => Ok(Info::parse(&text)),
            Reply::Error(error) if error.starts_with("NOPERM") => {
                Err("not permitted; this user may not ask INFO".to_owned())
            }
            Reply::Error(error) => return Err(wire::refused(&error, password.is_some())),
            Reply::Other => return Err(PollError::broken("the answer to INFO cannot be read")),
        };
        let in_cluster =
            info.as_ref().is_ok_and(|info| info.number("cluster_enabled") == Some(1.0));
        let mut cluster = None;
        if in_cluster && let Reply::Text(text) = wire.ask(&["CLUSTER", "INFO"]).await? {
            cluster = Some(Info::parse(&text));
        }
        // A goodbye spares the server's log; nothing depends on it.
        let _ = wire.say(&["QUIT"]).await;
        Ok(Answers { ping, info, cluster, needless_password })
    }
}

/// Why there is no connection.
enum Missing {
    /// It could not be asked.
    Check(String),
    /// It does not answer.
    Server(PollError),
}

impl From<PollError> for Missing {
    fn from(error: PollError) -> Self {
        Self::Server(error)
    }
}

impl Source for Redis {
    fn info(&self) -> &SourceInfo {
        &self.entrance.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        self.entrance.asked(self.talk(now))
    }
}
