//! Which format a page is in, told by its Content-Type and its first bytes.

use crate::domain::Malformed;

/// A text format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4 (and 1.0.0, which allows quoted names).
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Why a page as a whole cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A web page, as a proxy or a login gives.
    #[error("an HTML page came instead of metrics")]
    Html,
    /// A JSON document.
    #[error("a JSON document came instead of metrics")]
    Json,
    /// Prometheus' binary format.
    #[error("the page is protobuf; only text and OpenMetrics are read")]
    Protobuf,
    /// gzip that nobody unpacked.
    #[error("the page is still compressed")]
    Compressed,
    /// UTF-16 or another encoding with zero bytes.
    #[error("the page is not UTF-8")]
    Encoding,
    /// Not one sample among lines that cannot be read.
    #[error("not one line could be read; line {}: {}", .0.line, .0.message)]
    Unreadable(Malformed),
}

impl Format {
    /// Decides by the Content-Type that came. A type that is missing or unknown
    /// is tried as text 0.0.4, unless the body is plainly something else.
    pub fn from_content_type(content_type: &str, body: &[u8]) -> Result<Self, PageError> {
        let mut parts = content_type.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        if kind == "application/vnd.google.protobuf" {
            return Err(PageError::Protobuf);
        }
        match body {
            [0x1f, 0x8b, ..] => return Err(PageError::Compressed),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(PageError::Encoding),
            _ => {}
        }
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
        if body.first() == Some(&b'<') {
            return Err(PageError::Html);
        }
        if looks_like_json(body) {
            return Err(PageError::Json);
        }
        Ok(if kind == "application/openmetrics-text" { Self::OpenMetrics } else { Self::Text })
    }
}

/// Whether a body is an array or an object: `{"a.b"} 1` and `{"a"="b"} 1` are
/// not, `{"a": 1}` is.
fn looks_like_json(body: &[u8]) -> bool {
    match body.first() {
        Some(b'[') => true,
        Some(b'{') => {
            let inside = body[1..].trim_ascii_start();
            let Some(text) = inside.strip_prefix(b"\"") else {
                return inside.strip_prefix(b"}").is_some_and(|rest| rest.trim_ascii().is_empty());
            };
            let mut escaped = false;
            let end = text.iter().take(1024).position(|&byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            end.is_some_and(|end| text[end + 1..].trim_ascii_start().first() == Some(&b':'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_that_came_decides() {
        let of = |kind: &str| Format::from_content_type(kind, b"a 1\n");
        assert_eq!(of("text/plain; version=0.0.4; charset=utf-8"), Ok(Format::Text));
        assert_eq!(
            of("application/openmetrics-text; version=1.0.0; escaping=underscores"),
            Ok(Format::OpenMetrics)
        );
        assert_eq!(of("Application/OpenMetrics-Text;version=0.0.1"), Ok(Format::OpenMetrics));
        assert_eq!(of(""), Ok(Format::Text));
        assert_eq!(of("text/html"), Ok(Format::Text), "a mislabelled page of metrics");
        assert_eq!(
            of("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily"),
            Err(PageError::Protobuf)
        );
    }

    #[test]
    fn a_body_that_is_plainly_no_metrics_is_an_error() {
        let of = |body: &[u8]| Format::from_content_type("text/plain", body);
        assert_eq!(of(b"\n<!DOCTYPE html><html>"), Err(PageError::Html));
        assert_eq!(of(b"{\"status\": \"error\"}"), Err(PageError::Json));
        assert_eq!(of(b"{ \"a\\\"b\" : 1}"), Err(PageError::Json));
        assert_eq!(of(b"{}"), Err(PageError::Json));
        assert_eq!(of(b"[1]"), Err(PageError::Json));
        assert_eq!(of(b"\x1f\x8b\x08"), Err(PageError::Compressed));
        assert_eq!(of(b"\xff\xfea\0"), Err(PageError::Encoding));
        assert_eq!(of(b"{\"my.metric\"} 1"), Ok(Format::Text));
        assert_eq!(of(b"{\"a.b\"=\"c\", \"my.metric\"} 1"), Ok(Format::Text));
    }
}
