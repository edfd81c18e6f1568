//! HTTP for all sources: clients that are built once, requests with every limit.

mod fetch;
mod words;

pub(crate) use fetch::{FetchError, Fetched, Target};
pub(crate) use words::{cause, io_failed, said_status, shown, tls_failed};

use super::asking::Asking;
use super::trust::{Trust, Trusted, nobody};
use crate::config::{Secret, SecretValue};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Up to so many targets connections are kept open between polls: that costs
/// 22 MB per 1,000 targets and saves a third of the time. Beyond, they are closed.
const KEEP_UP_TO: usize = 1_000;

/// So many values of secrets are remembered.
const MOST_SECRETS: usize = 1_000;

/// What all sources share: the HTTP clients, the trusted authorities, a stopwatch.
pub struct Shared {
    /// Time since some fixed moment; only differences of it are used.
    monotonic: fn() -> Duration,
    keep: bool,
    clients: Once<ClientKey, reqwest::Client>,
    trusts: Once<Trust, Arc<Trusted>>,
    /// What was sent as a secret, to be masked wherever it comes back.
    secrets: Mutex<Vec<SecretValue>>,
    /// What URLs hold that may be secret. Apart, since thousands of targets hold
    /// thousands of harmless ones, and none of these may push a secret out.
    in_urls: Mutex<Vec<SecretValue>>,
    /// Who answers PromQL.
    pub(super) asking: Asking,
}

/// Things that are made once a key; there are never more than a few.
type Once<K, V> = Mutex<Vec<(K, Arc<OnceCell<V>>)>>;

/// What two clients differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ClientKey {
    /// `None` for plain HTTP, which needs no authorities.
    trust: Option<Trust>,
    /// The host that is really connected to, where another name is asked for in TLS.
    host: Option<String>,
    /// Past any proxy: the host is this one.
    direct: bool,
    connect: Duration,
}

impl Shared {
    /// For about `targets` sources. `monotonic` gives the time since some fixed moment.
    pub fn new(monotonic: fn() -> Duration, targets: usize) -> Arc<Self> {
        Arc::new(Self {
            monotonic,
            keep: targets <= KEEP_UP_TO,
            clients: Mutex::new(Vec::new()),
            trusts: Mutex::new(Vec::new()),
            secrets: Mutex::new(Vec::new()),
            in_urls: Mutex::new(Vec::new()),
            asking: Asking::default(),
        })
    }

    /// How connections are treated between polls, for the sources page.
    pub fn connections(&self) -> &'static str {
        if self.keep { "kept open" } else { "closed after each poll" }
    }

    /// The values of all secrets that were sent so far, for masking.
    pub fn secrets(&self) -> Vec<SecretValue> {
        let mut all = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.extend_from_slice(&self.in_urls.lock().unwrap_or_else(PoisonError::into_inner));
        all
    }

    /// Reads a secret, and remembers its value for masking.
    pub(crate) async fn secret(&self, secret: &Secret) -> Result<SecretValue, String> {
        let value = secret.resolve().await.map_err(|error| error.to_string())?;
        self.remember(value.clone());
        Ok(value)
    }

    /// Remembers a text for masking: a secret, or what holds one in another form.
    pub(crate) fn remember(&self, value: SecretValue) {
        remember_in(&self.secrets, value);
    }

    /// Remembers a part of a URL for masking.
    fn remember_in_url(&self, value: SecretValue) {
        remember_in(&self.in_urls, value);
    }

    /// Connections are kept open between polls.
    fn keeps(&self) -> bool {
        self.keep
    }

    /// The time since some fixed moment.
    pub(crate) fn monotonic(&self) -> Duration {
        (self.monotonic)()
    }

    /// Trust with its files read, once for all sources that share it. A failure
    /// is not kept: files may come.
    pub(crate) async fn trusted(&self, trust: &Trust) -> Result<Arc<Trusted>, String> {
        let cell = cell_of(&self.trusts, trust);
        let read = cell.get_or_try_init(|| async {
            let trust = trust.clone();
            // Some hundred files or a file of some hundred certificates.
            let read = tokio::task::spawn_blocking(move || trust.read()).await;
            read.map_err(|error| error.to_string())?.map(Arc::new)
        });
        read.await.cloned()
    }

    async fn client(&self, key: &ClientKey) -> Result<reqwest::Client, String> {
        let cell = cell_of(&self.clients, key);
        cell.get_or_try_init(|| self.build(key)).await.cloned()
    }

    async fn build(&self, key: &ClientKey) -> Result<reqwest::Client, String> {
        let config = match &key.trust {
            Some(trust) => self.trusted(trust).await?.for_requests(trust)?,
            None => nobody()?,
        };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .tls_info(true)
            .user_agent(concat!("opsroom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(key.connect)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(Duration::from_secs(75));
        if !self.keep {
            builder = builder.pool_max_idle_per_host(0);
        }
        if key.direct {
            builder = builder.no_proxy();
        }
        if let Some(host) = &key.host {
            builder = builder.dns_resolver(Arc::new(Elsewhere(host.clone())));
        }
        builder.build().map_err(|error| error.to_string())
    }
}

fn remember_in(list: &Mutex<Vec<SecretValue>>, value: SecretValue) {
    let mut known = list.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains(&value) {
        // Those that were replaced long ago are of no use to anyone.
        if known.len() >= MOST_SECRETS {
            known.remove(0);
        }
        known.push(value);
    }
}

/// The cell of a key in a short list; made where it is not there yet.
fn cell_of<K: Clone + PartialEq, V>(list: &Once<K, V>, key: &K) -> Arc<OnceCell<V>> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, cell)) = list.iter().find(|(known, _)| known == key) {
        return Arc::clone(cell);
    }
    let cell = Arc::new(OnceCell::new());
    list.push((key.clone(), Arc::clone(&cell)));
    cell
}

/// Resolves every name to one host: TLS asks for another name than it connects to.
struct Elsewhere(String);

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_that_was_read_is_known_for_masking() {
        let shared = Shared::new(|| Duration::ZERO, 1);
        for _ in 0..2 {
            shared.secret(&Secret::parse("swordfish")).await.unwrap();
        }
        assert!(shared.secret(&Secret::parse("env:OPSROOM_NO_SUCH")).await.is_err());
        let known = shared.secrets();
        assert_eq!(known.iter().map(SecretValue::reveal).collect::<Vec<_>>(), ["swordfish"]);
    }

    #[tokio::test]
    async fn what_thousands_of_urls_hold_pushes_no_secret_out() {
        let shared = Shared::new(|| Duration::ZERO, 1);
        shared.secret(&Secret::parse("swordfish")).await.unwrap();
        for page in 0..2 * MOST_SECRETS {
            shared.remember_in_url(SecretValue::from_text(format!("page={page}")));
        }
        let known = shared.secrets();
        assert_eq!(known.len(), 1 + MOST_SECRETS);
        assert_eq!(known[0].reveal(), "swordfish");
    }

    #[test]
    fn few_connections_are_kept_and_many_are_closed() {
        let told = |targets| Shared::new(|| Duration::ZERO, targets).connections();
        assert_eq!([told(1_000), told(10_000)], ["kept open", "closed after each poll"]);
    }
}
