//! Fetches a `/metrics` page; what stands on it is read by the engine.

use super::client::{Shared, Target, said_status, shown};
use super::http::NOT_VERIFIED;
use super::{Brought, Page, Source};
use crate::config::Client;
use crate::domain::{PollError, SourceInfo, Timestamp};
use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// The formats that are read, the better one first.
const FORMATS: &str =
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// The largest page that is taken, unpacked: some 500,000 series.
const LARGEST: u64 = 64 << 20;

/// A page of samples.
pub struct Scrape {
    info: SourceInfo,
    shared: Arc<Shared>,
    target: Target,
}

impl Scrape {
    /// Asks `url`; fails where it is no URL.
    pub fn new(
        mut info: SourceInfo,
        url: &str,
        client: Client,
        connect_timeout: Duration,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("this is no URL: {error}"))?;
        info.kind = "scrape".into();
        info.network = true;
        info.asks = shown(&url);
        if client.skip_verify && url.scheme() == "https" {
            info.note = Some(NOT_VERIFIED.into());
        }
        let mut target = Target::get(url, client, info.timeout);
        target.headers.insert(ACCEPT, HeaderValue::from_static(FORMATS));
        target.connect_timeout = connect_timeout.min(info.timeout);
        target.max_body = LARGEST;
        Ok(Self { info, shared, target })
    }

    async fn ask(&self) -> Result<Brought, PollError> {
        let fetched = self.target.fetch(&self.shared).await?;
        if !(200..300).contains(&fetched.status) {
            let wait = fetched.header("retry-after");
            return Err(said_status(fetched.status, wait, &fetched.body));
        }
        let content_type = fetched.header("content-type").to_owned();
        Ok(Brought::Page(Page { content_type, body: fetched.body, took: fetched.took }))
    }
}

impl Source for Scrape {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(self.ask())
    }
}
