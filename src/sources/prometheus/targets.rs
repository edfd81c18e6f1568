//! The targets of a metrics server: which of them it cannot scrape.

use super::super::client::Shared;
use super::super::loose::{list, moment, shown};
use super::super::{Brought, Source};
use super::{Api, LARGEST, answer};
use crate::config::Client;
use crate::domain::{PollError, Reading, SourceInfo, TargetDown, TargetsReading, Timestamp};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// So many targets that are down are described.
const MOST_DOWN: usize = 500;
/// What is shown of a name or an error.
const LONGEST: usize = 300;

/// Reads `/api/v1/targets`.
pub fn parse(body: &[u8]) -> Result<TargetsReading, PollError> {
    let (data, warnings) = answer::data(body).map_err(|error| PollError::broken(error.message))?;
    let active = data.get("activeTargets").unwrap_or(&Value::Null);
    if !active.is_array() && !active.is_null() {
        return Err(PollError::broken("the answer holds no targets"));
    }
    let mut reading = TargetsReading { notes: warnings, ..TargetsReading::default() };
    for target in list(active) {
        match target["health"].as_str() {
            Some("up") => reading.up += 1,
            Some("down") => {
                reading.down_count += 1;
                if reading.down.len() < MOST_DOWN {
                    reading.down.push(down(target));
                }
            }
            _ => reading.unknown += 1,
        }
    }
    reading.down.sort_by(|a, b| (&a.job, &a.instance).cmp(&(&b.job, &b.instance)));
    Ok(reading)
}

fn down(target: &Value) -> TargetDown {
    let first = |texts: [&Value; 3]| {
        let texts = texts.map(|text| shown(text, LONGEST));
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    };
    let (labels, found) = (&target["labels"], &target["discoveredLabels"]);
    let error = shown(&target["lastError"], LONGEST);
    TargetDown {
        job: first([&labels["job"], &target["scrapePool"], &found["job"]]),
        instance: first([&labels["instance"], &found["__address__"], &target["scrapeUrl"]]),
        error: if error.is_empty() { "the server gives no reason".into() } else { error },
        scraped: moment(&target["lastScrape"]),
    }
}

/// The targets of a metrics server.
pub struct Targets {
    info: SourceInfo,
    api: Api,
}

impl Targets {
    /// Asks the server at `url`, which may have a path; fails where it is no URL.
    pub fn new(
        mut info: SourceInfo,
        url: &str,
        client: &Client,
        connect_timeout: Duration,
        shared: Arc<Shared>,
    ) -> Result<Self, String> {
        let api = Api::new(&mut info, url, client, connect_timeout, shared, LARGEST)?;
        info.kind = "targets".into();
        info.asks = format!("{}/api/v1/targets", info.asks.trim_end_matches('/'));
        info.cost = "1 GET; no query is evaluated".into();
        Ok(Self { info, api })
    }

    async fn ask(&self) -> Result<TargetsReading, PollError> {
        let fetched = self.api.get("api/v1/targets", &[("state", "active")]).await?;
        let reading = match fetched.status {
            200..=299 => parse(&fetched.body)?,
            404 | 405 | 501 => {
                let note = format!("HTTP {}: it tells of no targets", fetched.status);
                TargetsReading { notes: vec![note], ..TargetsReading::default() }
            }
            _ => return Err(super::unusable(&fetched)),
        };
        Ok(TargetsReading { took: fetched.took, ..reading })
    }
}

impl Source for Targets {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, _: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            let reading = self.ask().await?;
            Ok(Brought::Reading(Reading::Targets(Arc::new(reading))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/prometheus/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    #[test]
    fn targets_that_are_down_say_why() {
        let reading = parse(&recorded("targets_active.json")).unwrap();
        let dead = reading.down.iter().find(|down| down.job == "dead").unwrap();
        assert_eq!(dead.instance, "127.0.0.1:18998");
        assert!(dead.error.ends_with("connect: connection refused"), "{}", dead.error);
        assert!(dead.scraped.is_some());
        assert_eq!(reading.down_count, reading.down.len() as u64);
        assert!(reading.up > 5, "{reading:?}");
        let bad = parse(&recorded("targets_badcontent.json")).unwrap();
        assert_eq!((bad.up, bad.down_count), (2, 1));
        assert!(bad.down[0].error.contains("invalid syntax"));
    }

    #[test]
    fn odd_targets_count_as_not_scraped_and_names_are_found_elsewhere() {
        let body = br#"{"status":"success","data":{"activeTargets":[
            {"health":"unknown"}, {}, null,
            {"health":"down","labels":null,"scrapePool":"p","discoveredLabels":{"__address__":"h:1"}}
        ]}}"#;
        let reading = parse(body).unwrap();
        assert_eq!((reading.up, reading.unknown, reading.down_count), (0, 3, 1));
        let down = &reading.down[0];
        assert_eq!((down.job.as_str(), down.instance.as_str()), ("p", "h:1"));
        assert_eq!(down.error, "the server gives no reason");
        let none = br#"{"status":"success","data":{"activeTargets":[],"droppedTargets":[]}}"#;
        assert_eq!(parse(none).unwrap(), TargetsReading::default());
        assert!(parse(b"404 page not found").is_err());
    }
}
