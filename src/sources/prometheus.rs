//! A metrics server: whether it answers, and what it answers to PromQL.

pub mod answer;
mod names;
pub mod rules;
pub mod targets;

use super::client::{Fetched, Shared, Target, said_status, shown};
use super::guard::hidden_text;
use super::http::NOT_VERIFIED;
use super::{Brought, Source};
use crate::config::Client;
use crate::domain::reading::{PollFailure, ServerReading};
use crate::domain::{PollError, Reading, SourceInfo, Timestamp};
use crate::store::message::AskError;
use answer::Told;
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Prometheus refuses to give more points a series (web/api/v1/api.go).
const MOST_POINTS: u128 = 11_000;
/// The largest answer to a query.
const LARGEST: u64 = 64 << 20;

/// The API of a metrics server: GETs below its base URL.
struct Api {
    shared: Arc<Shared>,
    /// With the base URL, and without any body.
    base: Target,
}

impl Api {
    /// For the server at `url`, which may have a path; fails where it is no
    /// URL. Says in `info` what is asked.
    fn new(
        info: &mut SourceInfo,
        url: &str,
        client: &Client,
        connect_timeout: Duration,
        shared: Arc<Shared>,
        max_body: u64,
    ) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("this is no URL: {error}"))?;
        info.network = true;
        info.asks = shown(&url);
        if client.skip_verify && url.scheme() == "https" {
            info.note = Some(NOT_VERIFIED.into());
        }
        let mut base = Target::get(url, client.clone(), info.timeout);
        base.connect_timeout = connect_timeout.min(info.timeout);
        base.max_body = max_body;
        Ok(Self { shared, base })
    }

    /// The base URL with the path of an endpoint after its own.
    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.base.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }

    /// Asks for a URL below the base.
    async fn get_url(&self, url: &Url) -> Result<Fetched, PollError> {
        Ok(self.base.fetch_with(&self.shared, url, None).await?)
    }

    /// Asks an endpoint, with these parameters after those of the base URL.
    async fn get(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Fetched, PollError> {
        let mut url = self.endpoint(path);
        url.query_pairs_mut().extend_pairs(pairs);
        self.get_url(&url).await
    }
}

/// A metrics server that can be asked.
pub struct Prometheus {
    info: SourceInfo,
    api: Api,
    /// For queries by POST.
    post: Target,
    /// Something between here and there takes no POST.
    only_get: AtomicBool,
}

/// The answer to a query, with the time it took.
#[derive(Debug)]
pub struct ServerAnswer {
    /// Data and warnings, or why there are none.
    pub outcome: Result<Told, AskError>,
    /// What kind of failure it was, where the server could not be asked.
    pub cause: Option<PollFailure>,
    /// How long it took.
    pub took: Duration,
    /// The step between points, where it had to be made coarser than asked.
    pub coarser: Option<Duration>,
}

impl Prometheus {
    /// Asks the server at `url`, which may have a path; fails where it is no URL.
    pub fn new(
        mut info: SourceInfo,
        url: &str,
        client: &Client,
        connect_timeout: Duration,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        info.kind = "prometheus".into();
        info.cost = "1 GET; queries come from signals and charts".into();
        let api = Api::new(&mut info, url, client, connect_timeout, shared, LARGEST)?;
        let mut post = Target::get(api.base.url.clone(), client.clone(), info.timeout);
        post.method = Method::POST;
        post.connect_timeout = api.base.connect_timeout;
        post.max_body = LARGEST;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        post.headers.insert(CONTENT_TYPE, form);
        Ok(Self { info, api, post, only_get: AtomicBool::new(false) })
    }

    /// Evaluates `expr` at one instant.
    pub async fn instant(&self, expr: &str, at: Timestamp) -> ServerAnswer {
        self.query("api/v1/query", expr, &[("time", seconds(at))], None).await
    }

    /// Evaluates `expr` from `start` to `end`, every `step`; where that would be
    /// more points than a server gives, the step is made coarser.
    pub async fn range(
        &self,
        expr: &str,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    ) -> ServerAnswer {
        let fitting = fitting_step(end.since(start), step);
        let more = [
            ("start", seconds(start)),
            ("end", seconds(end)),
            ("step", format!("{}", fitting.as_secs_f64())),
        ];
        let coarser = (fitting > step).then_some(fitting);
        self.query("api/v1/query_range", expr, &more, coarser).await
    }

    async fn query(
        &self,
        path: &str,
        expr: &str,
        more: &[(&str, String)],
        coarser: Option<Duration>,
    ) -> ServerAnswer {
        let begun = self.api.shared.monotonic();
        let mut form = vec![("query", expr.to_owned())];
        form.extend(more.iter().cloned());
        form.push(("timeout", format!("{}", self.info.timeout.as_secs_f64())));
        let (outcome, cause) = match self.send(self.api.endpoint(path), &form).await {
            Ok(fetched) => {
                let denied = matches!(fetched.status, 401 | 403).then_some(PollFailure::Denied);
                (told(&fetched, expr), denied)
            }
            Err(error) => (Err(AskError { message: error.message, span: None }), Some(error.cause)),
        };
        // A server may repeat what it was sent.
        let outcome = outcome.map_err(|error: AskError| AskError {
            message: hidden_text(error.message, &self.api.shared),
            ..error
        });
        let took = self.api.shared.monotonic().saturating_sub(begun);
        ServerAnswer { outcome, cause, took, coarser }
    }

    async fn send(&self, url: Url, form: &[(&str, String)]) -> Result<Fetched, PollError> {
        let pairs = form.iter().map(|(name, value)| (*name, value.as_str()));
        let mut with_query = url.clone();
        let encoded = with_query.query_pairs_mut().extend_pairs(pairs).finish().query();
        let encoded = encoded.unwrap_or_default().to_owned();
        if !self.only_get.load(Ordering::Relaxed) {
            let fetched =
                self.post.fetch_with(&self.api.shared, &url, Some(encoded.into())).await?;
            if fetched.status != 405 {
                return Ok(fetched);
            }
            self.only_get.store(true, Ordering::Relaxed);
        }
        self.api.get_url(&with_query).await
    }

    /// All names of metrics, for completion.
    pub async fn metric_names(&self) -> Result<Vec<String>, AskError> {
        self.label_values(crate::domain::labels::METRIC_NAME).await
    }

    /// All values of a label, for completion.
    pub async fn label_values(&self, label: &str) -> Result<Vec<String>, AskError> {
        self.label_values_of(label, None).await
    }

    async fn ask(&self, now: Timestamp) -> Result<ServerReading, PollError> {
        let begun = self.api.shared.monotonic();
        let url = self.api.endpoint("api/v1/status/buildinfo");
        let fetched = self.api.get_url(&url).await?;
        let mut skew_ms = fetched.skew_ms(now);
        let version = match fetched.status {
            200..=299 => {
                answer::version(&fetched.body).map_err(|error| PollError::broken(error.message))?
            }
            // Older Thanos and some gateways have queries alone.
            404 | 405 | 501 => {
                let form = [("query", "1".to_owned()), ("time", seconds(now))];
                let fetched = self.send(self.api.endpoint("api/v1/query"), &form).await?;
                skew_ms = fetched.skew_ms(now);
                if !(200..300).contains(&fetched.status) {
                    return Err(unusable(&fetched));
                }
                answer::query(&fetched.body, "1").map_err(|e| PollError::broken(e.message))?;
                None
            }
            _ => return Err(unusable(&fetched)),
        };
        Ok(ServerReading {
            version,
            took: self.api.shared.monotonic().saturating_sub(begun),
            skew_ms,
        })
    }
}

fn unusable(fetched: &Fetched) -> PollError {
    let mut error = said_status(fetched.status, fetched.header("retry-after"), &fetched.body);
    if fetched.status == 503 {
        error.message = "HTTP 503: not ready, it may still read its log back in".into();
    } else if let Some(says) = answer::error(&fetched.body, "") {
        error.message = format!("HTTP {}: {}", fetched.status, says.message);
    }
    error
}

fn told(fetched: &Fetched, expr: &str) -> Result<Told, AskError> {
    if (200..300).contains(&fetched.status) {
        return answer::query(&fetched.body, expr);
    }
    Err(refused(fetched, expr))
}

fn refused(fetched: &Fetched, expr: &str) -> AskError {
    answer::error(&fetched.body, expr).unwrap_or_else(|| {
        let error = said_status(fetched.status, "", &fetched.body);
        let busy = error.cause == PollFailure::Busy;
        let message = if busy { unusable(fetched).message } else { error.message };
        AskError { message, span: None }
    })
}

/// A moment as the API takes it.
fn seconds(at: Timestamp) -> String {
    let millis = at.millis();
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", millis.unsigned_abs() / 1_000, millis.unsigned_abs() % 1_000)
}

/// The step that keeps a range under the limit of points; at least a millisecond.
fn fitting_step(length: Duration, step: Duration) -> Duration {
    let step = step.max(Duration::from_millis(1));
    if length.as_millis() / step.as_millis() < MOST_POINTS {
        return step;
    }
    let least = length.as_millis() / (MOST_POINTS - 1) + 1;
    // Whole seconds, so that points keep their places from one answer to the next.
    let whole = least.div_ceil(1_000).max(1);
    Duration::from_secs(u64::try_from(whole).unwrap_or(u64::MAX))
}

impl Source for Prometheus {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move { Ok(Brought::Reading(Reading::Server(self.ask(now).await?))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_grows_until_the_points_fit() {
        let day = Duration::from_hours(24);
        assert_eq!(fitting_step(day, Duration::from_secs(15)), Duration::from_secs(15));
        let step = fitting_step(day, Duration::from_secs(1));
        assert!(day.as_millis() / step.as_millis() < MOST_POINTS, "{step:?}");
        assert_eq!(step, Duration::from_secs(8));
        assert_eq!(fitting_step(Duration::ZERO, Duration::ZERO), Duration::from_millis(1));
    }

    #[test]
    fn moments_are_seconds_with_milliseconds() {
        assert_eq!(seconds(Timestamp::from_millis(1_795_250_777_061)), "1795250777.061");
        assert_eq!(seconds(Timestamp::from_millis(-1_500)), "-1.500");
    }
}
