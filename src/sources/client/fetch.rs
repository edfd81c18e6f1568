//! One request with its answer: redirects, credentials, time and size limits.

use super::{ClientKey, Shared, words};
use crate::config::{Auth, Client, Secret, SecretValue};
use crate::domain::reading::PollFailure;
use crate::domain::{PollError, Timestamp, units};
use crate::sources::trust::Trust;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is asked, and within which limits.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) method: Method,
    /// Sent with every request; never secret.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) client: Client,
    pub(crate) redirects: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    /// Of the unpacked body, in bytes.
    pub(crate) max_body: u64,
    secrets: Mutex<Option<HeaderMap>>,
    /// What the URL itself holds of secrets is known for masking.
    known: AtomicBool,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
    /// DER of the certificate that the server showed.
    pub(crate) leaf: Option<Vec<u8>>,
}

impl Fetched {
    /// A header as text; empty where it is missing or no text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// How far the server's clock is ahead of this host's, in milliseconds, by
    /// its `Date` (RFC 9110, section 6.6.1: whole seconds, so half of one is
    /// added); `asked` is when the request was sent. None where it tells none.
    pub(crate) fn skew_ms(&self, asked: Timestamp) -> Option<i64> {
        let date = chrono::DateTime::parse_from_rfc2822(self.header("date")).ok()?;
        let here = asked + self.took / 2;
        Some(date.timestamp_millis() + 500 - here.millis())
    }
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// The request could not be made: a file or a secret is missing.
    Setup(String),
    /// It was made, and failed.
    Failed(PollError),
}

impl From<FetchError> for PollError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Setup(message) => Self::new(PollFailure::Denied, message),
            FetchError::Failed(error) => error,
        }
    }
}

impl Target {
    /// A GET with the usual limits.
    pub(crate) fn get(url: Url, client: Client, timeout: Duration) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: None,
            client,
            redirects: 5,
            connect_timeout: Duration::from_secs(3),
            timeout,
            max_body: 4 << 20,
            secrets: Mutex::new(None),
            known: AtomicBool::new(false),
        }
    }

    /// Asks once, within the limits.
    pub(crate) async fn fetch(&self, shared: &Shared) -> Result<Fetched, FetchError> {
        self.fetch_with(shared, &self.url, self.body.clone()).await
    }

    /// Asks once for another URL or with another body.
    pub(crate) async fn fetch_with(
        &self,
        shared: &Shared,
        url: &Url,
        body: Option<Bytes>,
    ) -> Result<Fetched, FetchError> {
        if !self.known.swap(true, Ordering::Relaxed) {
            for secret in secrets_in(&self.url) {
                shared.remember_in_url(secret);
            }
        }
        let begun = shared.monotonic();
        let mut answered = false;
        let all = self.follow(shared, url.clone(), body, begun, &mut answered);
        let outcome = tokio::time::timeout(self.timeout, all).await;
        outcome.unwrap_or_else(|_| {
            let limit = units::duration(self.timeout);
            let message = if answered {
                format!("the answer began and was not complete in {limit}")
            } else {
                format!("no answer in {limit}")
            };
            Err(FetchError::Failed(PollError::new(PollFailure::Timeout, message)))
        })
    }

    async fn follow(
        &self,
        shared: &Shared,
        mut url: Url,
        mut body: Option<Bytes>,
        begun: Duration,
        answered: &mut bool,
    ) -> Result<Fetched, FetchError> {
        let mut method = self.method.clone();
        let mut been = Vec::new();
        loop {
            let response = self.send(shared, &method, &url, body.clone()).await?;
            let status = response.status();
            *answered = true;
            if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                // The next poll reads them anew: they may have been changed.
                *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            let next = if self.redirects > 0 { location(&response, &url)? } else { None };
            let Some(next) = next else {
                return self.take(response, shared, begun).await;
            };
            been.push(url);
            if method != Method::HEAD
                && (status == StatusCode::SEE_OTHER
                    || (method == Method::POST && matches!(status.as_u16(), 301 | 302)))
            {
                method = Method::GET;
                body = None;
            }
            if been.contains(&next) {
                return Err(broken(format!("redirect loop at {}", words::shown(&next))));
            }
            if been.len() > self.redirects as usize {
                let at = words::shown(&next);
                return Err(broken(format!("more than {} redirects, now to {at}", self.redirects)));
            }
            url = next;
        }
    }

    async fn send(
        &self,
        shared: &Shared,
        method: &Method,
        url: &Url,
        body: Option<Bytes>,
    ) -> Result<reqwest::Response, FetchError> {
        let own = url.origin() == self.url.origin();
        let mut url = url.clone();
        let mut headers = self.headers.clone();
        if own {
            headers.extend(self.secret_headers(shared).await?);
        }
        let key = self.client_key(&mut url, &mut headers, own);
        let client = shared.client(&key).await.map_err(FetchError::Setup)?;
        let mut request = client.request(method.clone(), url).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        // A kept connection may have been closed just before it was used again.
        // What only reads is then asked once more, on a new one, as Go and browsers do.
        let again = if shared.keeps() && matches!(*method, Method::GET | Method::HEAD) {
            request.try_clone()
        } else {
            None
        };
        let mut sent = request.send().await;
        if let (Err(error), Some(again)) = (&sent, again)
            && words::was_closed(error)
        {
            sent = again.send().await;
        }
        sent.map_err(|error| FetchError::Failed(words::failed(&error, self.connect_timeout)))
    }

    /// The client for a URL. Where TLS shall ask for another name, that name
    /// takes the host's place in the URL and the host itself is connected to.
    fn client_key(&self, url: &mut Url, headers: &mut HeaderMap, own: bool) -> ClientKey {
        let secure = url.scheme() == "https";
        let mut key = ClientKey {
            trust: secure.then(|| Trust::from(&self.client)),
            host: None,
            direct: is_this_host(url),
            connect: self.connect_timeout,
        };
        if let (true, true, Some(name)) = (secure, own, &self.client.server_name) {
            let authority = match url.port() {
                Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
                None => url.host_str().unwrap_or_default().to_owned(),
            };
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            if url.set_host(Some(name)).is_ok() {
                if let Ok(value) = HeaderValue::from_str(&authority) {
                    headers.entry(reqwest::header::HOST).or_insert(value);
                }
                key.host = Some(host);
            }
        }
        key
    }

    /// Credentials and headers of the config. They are kept until they are refused.
    async fn secret_headers(&self, shared: &Shared) -> Result<HeaderMap, FetchError> {
        if self.client.auth.is_none() && self.client.headers.is_empty() {
            return Ok(HeaderMap::new());
        }
        let kept = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let mut headers = HeaderMap::new();
        for (name, secret) in &self.client.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| FetchError::Setup(format!("{name} is no name of a header")))?;
            headers.append(name, value_of(shared, secret, "").await?);
        }
        match &self.client.auth {
            Some(Auth::Bearer(token)) => {
                let value = value_of(shared, token, "Bearer ").await?;
                headers.insert(reqwest::header::AUTHORIZATION, value);
            }
            Some(Auth::Basic { user, password }) => {
                let password = resolved(shared, password).await?;
                let both = BASE64.encode(format!("{user}:{}", password.reveal()));
                shared.remember(SecretValue::from_text(both.clone()));
                let value = sensitive(&format!("Basic {both}"), "auth")?;
                headers.insert(reqwest::header::AUTHORIZATION, value);
            }
            None => {}
        }
        *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = Some(headers.clone());
        Ok(headers)
    }

    /// Reads the body, unpacked, up to the limit.
    async fn take(
        &self,
        mut response: reqwest::Response,
        shared: &Shared,
        begun: Duration,
    ) -> Result<Fetched, FetchError> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let leaf = response
            .extensions()
            .get::<reqwest::tls::TlsInfo>()
            .and_then(|info| info.peer_certificate())
            .map(<[u8]>::to_vec);
        let too_big = || {
            let limit = units::bytes(self.max_body as f64);
            let message = format!("the answer is larger than {limit}");
            FetchError::Failed(PollError::new(PollFailure::TooBig, message))
        };
        if response.content_length().is_some_and(|length| length > self.max_body) {
            return Err(too_big());
        }
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > self.max_body => {
                    return Err(too_big());
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    let failed = words::failed(&error, self.connect_timeout);
                    return Err(FetchError::Failed(failed));
                }
            }
        }
        let took = shared.monotonic().saturating_sub(begun);
        Ok(Fetched { status, headers, body: body.freeze(), took, leaf })
    }
}

/// What a URL may hold of secrets: its password, each pair of its query as a
/// server repeats it, and values that are long or called a secret.
fn secrets_in(url: &Url) -> Vec<SecretValue> {
    const CALLED: [&str; 6] = ["token", "key", "secret", "pass", "auth", "sig"];
    let mut found: Vec<String> = url.password().map(Into::into).into_iter().collect();
    for pair in url.query().unwrap_or_default().split('&') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        found.push(pair.to_owned());
        let name = name.to_ascii_lowercase();
        if value.len() >= 16 || CALLED.iter().any(|word| name.contains(word)) {
            found.push(value.to_owned());
        }
    }
    found.into_iter().map(SecretValue::from_text).collect()
}

fn broken(message: String) -> FetchError {
    FetchError::Failed(PollError::broken(message))
}

/// Where a redirect leads to.
fn location(response: &reqwest::Response, from: &Url) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(value) = response.headers().get(reqwest::header::LOCATION) else { return Ok(None) };
    let next = value.to_str().ok().and_then(|text| from.join(text).ok());
    match next {
        Some(next) if matches!(next.scheme(), "http" | "https") => Ok(Some(next)),
        _ => Err(broken("a redirect leads to no http address".into())),
    }
}

/// As curl and Go do it: what runs on this host is asked past any proxy.
fn is_this_host(url: &Url) -> bool {
    match url.host_str() {
        Some(host) => {
            let bare = host.trim_matches(['[', ']']);
            bare.eq_ignore_ascii_case("localhost")
                || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

async fn resolved(shared: &Shared, secret: &Secret) -> Result<SecretValue, FetchError> {
    shared.secret(secret).await.map_err(FetchError::Setup)
}

async fn value_of(
    shared: &Shared,
    secret: &Secret,
    before: &str,
) -> Result<HeaderValue, FetchError> {
    let value = resolved(shared, secret).await?;
    sensitive(&format!("{before}{}", value.reveal()), &secret.to_string())
}

fn sensitive(text: &str, name: &str) -> Result<HeaderValue, FetchError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| FetchError::Setup(format!("{name}: not fit for a header")))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_holds_of_secrets_is_known_and_plain_words_are_not() {
        let url =
            Url::parse("https://me:pa55word@h/x?verbose=yes&api_key=k-1&page=2&flag").unwrap();
        let found = secrets_in(&url);
        let told: Vec<&str> = found.iter().map(SecretValue::reveal).collect();
        assert_eq!(told, ["pa55word", "verbose=yes", "api_key=k-1", "k-1", "page=2"]);
    }

    #[test]
    fn this_host_is_known_by_its_names() {
        for (url, this) in [
            ("http://localhost:80", true),
            ("http://127.1.2.3/", true),
            ("http://[::1]:9090/", true),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_this_host(&Url::parse(url).unwrap()), this, "{url}");
        }
    }
}
