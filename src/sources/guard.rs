//! Keeps secrets out of what sources bring: whatever was sent as one is hidden
//! wherever it comes back, in readings and in failures alike.
//!
//! Servers repeat what they were sent: in error bodies, in links, in the
//! command lines that tools report. No source has to think of that by itself.

use super::client::Shared;
use super::{Brought, Source};
use crate::config::SecretValue;
use crate::domain::{PollError, SourceInfo, Timestamp};
use crate::store::message::{Look, Seen};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Stands where a secret was.
pub(super) const MASK: &str = "(hidden)";
/// Shorter ones would hide half of the language.
const SHORTEST: usize = 4;

/// A source whose every word is looked through.
pub(super) struct Guard {
    source: Arc<dyn Source>,
    shared: Arc<Shared>,
}

impl Guard {
    /// Around this source.
    pub(super) fn around(source: Arc<dyn Source>, shared: &Arc<Shared>) -> Arc<dyn Source> {
        Arc::new(Self { source, shared: Arc::clone(shared) })
    }

    fn hide<T: Serialize + DeserializeOwned>(&self, told: T) -> Result<T, PollError> {
        hidden(told, &self.shared.secrets())
    }

    fn hide_in(&self, error: PollError) -> PollError {
        self.hide(error).unwrap_or_else(|dropped| dropped)
    }
}

impl Source for Guard {
    fn info(&self) -> &SourceInfo {
        self.source.info()
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(async move {
            match self.source.poll(now).await {
                Ok(Brought::Reading(reading)) => Ok(Brought::Reading(self.hide(reading)?)),
                // Samples go to the engine; their labels are what the page says.
                Ok(Brought::Page(page)) => Ok(Brought::Page(page)),
                Err(error) => Err(self.hide_in(error)),
            }
        })
    }

    fn look(&self, look: &Look, now: Timestamp) -> Option<BoxFuture<'_, Result<Seen, PollError>>> {
        let looks = self.source.look(look, now)?;
        Some(Box::pin(async move {
            match looks.await {
                Ok(seen) => self.hide(seen),
                Err(error) => Err(self.hide_in(error)),
            }
        }))
    }
}

/// A text without any of the secrets that were sent so far.
pub(super) fn hidden_text(text: String, shared: &Shared) -> String {
    hidden(text, &shared.secrets()).unwrap_or_else(|dropped| dropped.message)
}

/// What was told, without any of these secrets in any of its texts. What cannot
/// be told without one is not told.
fn hidden<T: Serialize + DeserializeOwned>(
    told: T,
    secrets: &[SecretValue],
) -> Result<T, PollError> {
    let secrets = long_enough(secrets);
    if secrets.is_empty() {
        return Ok(told);
    }
    let dropped = || PollError::broken("the answer repeats a secret, and was dropped");
    let text = serde_json::to_string(&told).map_err(|_| dropped())?;
    // In JSON a text stands with its escapes.
    let stands = |secret: &&str| {
        let escaped = serde_json::to_string(secret).unwrap_or_default();
        text.contains(escaped.trim_matches('"'))
    };
    if !secrets.iter().any(stands) {
        return Ok(told);
    }
    let mut value: Value = serde_json::from_str(&text).map_err(|_| dropped())?;
    hide_in(&mut value, &secrets);
    serde_json::from_value(value).map_err(|_| dropped())
}

/// Those that can be told from an ordinary word.
pub(super) fn long_enough(secrets: &[SecretValue]) -> Vec<&str> {
    secrets.iter().map(SecretValue::reveal).filter(|it| it.len() >= SHORTEST).collect()
}

/// Hides these secrets in a text.
pub(super) fn hide_in_text(text: &mut String, secrets: &[&str]) {
    for secret in secrets {
        if text.contains(secret) {
            *text = text.replace(secret, MASK);
        }
    }
}

fn hide_in(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => hide_in_text(text, secrets),
        Value::Array(all) => all.iter_mut().for_each(|one| hide_in(one, secrets)),
        Value::Object(all) => {
            let pairs = std::mem::take(all).into_iter().map(|(name, mut value)| {
                let mut name = Value::String(name);
                hide_in(&mut name, secrets);
                hide_in(&mut value, secrets);
                (name.as_str().unwrap_or_default().to_owned(), value)
            });
            *all = pairs.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::domain::{AlertState, Reported};
    use crate::domain::{AlertsReading, CheckReading, Labels, Reading, Severity};
    use std::time::Duration;

    async fn shared() -> Arc<Shared> {
        let shared = Shared::new(|| Duration::ZERO, 1);
        for secret in ["sword\"fish", "abc", "tok-12345"] {
            shared.secret(&Secret::parse(secret)).await.unwrap();
        }
        shared
    }

    #[tokio::test]
    async fn a_secret_that_comes_back_is_hidden_wherever_it_stands() {
        let secrets = shared().await.secrets();
        let alert = Reported {
            labels: Labels::new([("alertname", "X"), ("tok-12345", "a tok-12345 b")]),
            annotations: [("summary".to_owned(), "say sword\"fish now".to_owned())].into(),
            state: AlertState::Firing,
            severity: Severity::Critical,
            since: Timestamp::from_millis(5),
            since_at_least: false,
            quiet: Vec::new(),
            receivers: vec!["tok-12345".into()],
            expression: "abc".into(),
            value: Some(crate::domain::Num(f64::NAN)),
            link: None,
        };
        let reading = AlertsReading { alerts: vec![alert], ..AlertsReading::default() };
        let reading = Reading::Alerts(Arc::new(reading));
        let told = hidden(reading, &secrets).unwrap();
        let text = format!("{told:?}");
        assert!(!text.contains("tok-12345") && !text.contains("fish"), "{text}");
        let Reading::Alerts(told) = told else { panic!("{told:?}") };
        assert_eq!(told.alerts[0].annotations["summary"], "say (hidden) now");
        assert_eq!(told.alerts[0].expression, "abc", "too short to be told from a word");
    }

    #[tokio::test]
    async fn what_repeats_no_secret_is_left_as_it_is() {
        let secrets = shared().await.secrets();
        let reading = CheckReading { summary: "HTTP 200".into(), ..CheckReading::default() };
        assert_eq!(hidden(reading.clone(), &secrets), Ok(reading));
        let error = PollError::broken("HTTP 401: tok-12345 is no good token");
        let told = hidden(error, &secrets).unwrap();
        assert_eq!(told.message, "HTTP 401: (hidden) is no good token");
    }
}
