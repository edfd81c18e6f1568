//! What INFO says: lines of `key:value` in sections.

use std::collections::BTreeMap;

/// More lines are not read.
const LINES: usize = 2_000;

/// The fields of INFO, whatever section they stand in.
#[derive(Clone, Debug, Default)]
pub(super) struct Info(BTreeMap<String, String>);

impl Info {
    pub(super) fn parse(text: &str) -> Self {
        let fields = text.lines().take(LINES).filter(|line| !line.starts_with('#'));
        let pairs = fields.filter_map(|line| line.trim_end().split_once(':'));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A number, or 0 where it is left out.
    pub(super) fn zero(&self, name: &str) -> f64 {
        self.number(name).unwrap_or(0.0)
    }

    /// The numbered fields of a name, such as `slave0`: `ip=127.0.0.1,port=1,lag=0`.
    pub(super) fn numbered(&self, name: &str) -> Vec<BTreeMap<&str, &str>> {
        let is_one = |key: &str| {
            key.strip_prefix(name)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        };
        self.0
            .iter()
            .filter(|(key, _)| is_one(key))
            .map(|(_, value)| value.split(',').filter_map(|pair| pair.split_once('=')).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_section() {
        let info = Info::parse(
            "# Server\r\nredis_version:7.0.15\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=14,lag=1\r\n\
             slave_priority:100\r\nno colon\r\nused_memory:12\r\nexecutable:/a:b\r\n",
        );
        assert_eq!(info.text("redis_version"), Some("7.0.15"));
        assert_eq!(info.number("used_memory"), Some(12.0));
        assert_eq!(info.text("executable"), Some("/a:b"));
        assert_eq!(info.number("none"), None);
        let slaves = info.numbered("slave");
        assert_eq!((slaves.len(), slaves[0]["state"]), (1, "online"));
    }
}
