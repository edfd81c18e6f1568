//! Names that a metrics server knows: for who types an expression.

use super::{Prometheus, answer, refused};
use crate::domain::{PollError, harmless_within};
use crate::store::message::AskError;
use serde::Deserialize;
use std::collections::HashMap;

/// More names than this are not taken.
const MOST: usize = 100_000;
/// Longer descriptions are cut off.
const LONGEST_HELP: usize = 300;

/// Name, type and description of a metric.
pub(crate) type Described = (String, String, String);

impl Prometheus {
    /// The names of labels; those of the series that a selector takes, where one is given.
    pub async fn label_names(&self, of: Option<&str>) -> Result<Vec<String>, AskError> {
        self.list(&["api", "v1", "labels"], of).await
    }

    /// The values of a label; in the series that a selector takes, where one is given.
    pub async fn label_values_of(
        &self,
        label: &str,
        of: Option<&str>,
    ) -> Result<Vec<String>, AskError> {
        self.list(&["api", "v1", "label", label, "values"], of).await
    }

    /// What pages say of metrics.
    pub async fn metadata(&self) -> Result<Vec<Described>, AskError> {
        let body = self.body(&["api", "v1", "metadata"], &[("limit_per_metric", "1")]).await?;
        metadata(&body)
    }

    async fn list(&self, path: &[&str], of: Option<&str>) -> Result<Vec<String>, AskError> {
        let limit = MOST.to_string();
        let mut pairs = vec![("limit", limit.as_str())];
        pairs.extend(of.map(|selector| ("match[]", selector)));
        let mut names = answer::names(&self.body(path, &pairs).await?)?;
        names.truncate(MOST);
        Ok(names)
    }

    async fn body(&self, path: &[&str], pairs: &[(&str, &str)]) -> Result<bytes::Bytes, AskError> {
        let mut url = self.api.base.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url.query_pairs_mut().extend_pairs(pairs);
        let failed = |error: PollError| AskError { message: error.message, span: None };
        let fetched = self.api.get_url(&url).await.map_err(failed)?;
        if !(200..300).contains(&fetched.status) {
            return Err(refused(&fetched, ""));
        }
        Ok(fetched.body)
    }
}

/// Reads `/api/v1/metadata`: of several descriptions of a metric the first counts.
fn metadata(body: &[u8]) -> Result<Vec<Described>, AskError> {
    #[derive(Deserialize)]
    struct One {
        #[serde(default, rename = "type")]
        kind: Option<String>,
        #[serde(default)]
        help: Option<String>,
    }
    let (data, _) = answer::data(body)?;
    let read: Option<HashMap<String, Vec<One>>> =
        serde_json::from_value(data).map_err(|_| AskError {
            message: "the server's descriptions of metrics cannot be read".into(),
            span: None,
        })?;
    let described = |(name, all): (String, Vec<One>)| {
        let one = all.into_iter().next()?;
        let kind = harmless_within(&one.kind.unwrap_or_default(), 20);
        Some((name, kind, harmless_within(&one.help.unwrap_or_default(), LONGEST_HELP)))
    };
    Ok(read.unwrap_or_default().into_iter().filter_map(described).take(MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read_however_much_of_them_is_there() {
        let body = br#"{"status":"success","data":{"up":[{"type":"gauge","help":"Is it up.","unit":""},{"type":"counter"}],"x":[],"y":[{}]}}"#;
        let mut read = metadata(body).unwrap();
        read.sort();
        assert_eq!(read[0], ("up".into(), "gauge".into(), "Is it up.".into()));
        assert_eq!(read[1], ("y".into(), String::new(), String::new()));
        assert_eq!(metadata(br#"{"status":"success","data":null}"#).unwrap(), []);
        assert!(metadata(b"<html>").is_err());
        assert!(metadata(br#"{"status":"success","data":[1]}"#).is_err());
    }
}
