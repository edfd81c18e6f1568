//! A page of text that is fetched within bounds: a runbook that stands elsewhere.

use super::Shared;
use super::client::Target;
use crate::config::Client;
use reqwest::Url;
use std::time::Duration;

/// No page is longer, in bytes.
const LONGEST: u64 = 1024 * 1024;
/// A page is there within this time, redirects among them.
const LATE: Duration = Duration::from_secs(10);
/// So many times it may be sent elsewhere.
const REDIRECTS: usize = 5;

/// A page that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it was found in the end.
    pub url: String,
    /// The text.
    pub text: String,
}

/// Whether an address lies below another: the same scheme, host and port, a path
/// that goes on behind the other's, and nobody's name or password in it.
pub fn is_below(url: &str, beginning: &str) -> bool {
    match (Url::parse(url), Url::parse(beginning)) {
        (Ok(url), Ok(beginning)) => below(&url, &beginning),
        _ => false,
    }
}

fn below(url: &Url, beginning: &Url) -> bool {
    let rest = url.path().strip_prefix(beginning.path().trim_end_matches('/'));
    matches!(url.scheme(), "http" | "https")
        && url.origin() == beginning.origin()
        && url.username().is_empty()
        && url.password().is_none()
        && rest.is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
        // A server may take these for what the path has been rid of.
        && !["%2f", "%5c", "%2e"].iter().any(|odd| url.path().to_lowercase().contains(odd))
}

/// Fetches a page of Markdown that lies below `beginning`, as does every address
/// that it is redirected to. Why not, in words.
pub async fn markdown(shared: &Shared, url: &str, beginning: &str) -> Result<Text, String> {
    let beginning = Url::parse(beginning).map_err(|error| error.to_string())?;
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    tokio::time::timeout(LATE, followed(shared, url, &beginning))
        .await
        .map_err(|_| format!("no whole answer within {} s", LATE.as_secs()))?
}

async fn followed(shared: &Shared, mut url: Url, beginning: &Url) -> Result<Text, String> {
    for _ in 0..=REDIRECTS {
        if !below(&url, beginning) {
            let at = crate::domain::harmless_within(url.as_str(), 200);
            return Err(format!("{at} is not below {beginning}"));
        }
        let mut target = Target::get(url.clone(), Client::default(), LATE);
        target.redirects = 0;
        target.max_body = LONGEST;
        let fetched = target.fetch(shared).await.map_err(|error| {
            let error: crate::domain::PollError = error.into();
            error.message
        })?;
        if (300..400).contains(&fetched.status) && !fetched.header("location").is_empty() {
            url = url.join(fetched.header("location")).map_err(|error| error.to_string())?;
            continue;
        }
        if fetched.status != 200 {
            return Err(format!("HTTP {}", fetched.status));
        }
        let text = text_of(fetched.header("content-type"), &fetched.body)?;
        return Ok(Text { url: url.into(), text });
    }
    Err(format!("more than {REDIRECTS} redirects"))
}

/// The body as Markdown; what it is instead.
fn text_of(content_type: &str, body: &[u8]) -> Result<String, String> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Ok(text) = std::str::from_utf8(body) else {
        return Err("this is no UTF-8 text".into());
    };
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let head = start.get(..start.len().min(512)).unwrap_or(start).to_ascii_lowercase();
    let page =
        ["<!doctype html", "<html", "<head", "<?xml"].iter().any(|mark| head.starts_with(mark));
    if page || kind == "text/html" || kind == "application/xhtml+xml" {
        return Err("this is an HTML page, not Markdown: many sites give the Markdown at another address (raw, plain)".into());
    }
    let known = kind.is_empty()
        || kind.starts_with("text/")
        || kind == "application/octet-stream"
        || kind == "application/markdown";
    if !known {
        let kind = crate::domain::harmless_within(&kind, 60);
        return Err(format!("this is {kind}, not Markdown"));
    }
    if start.is_empty() {
        return Err("this page is empty".into());
    }
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_is_fetched() {
        let beginning = "https://books.example/ops";
        for yes in [
            "https://books.example/ops/a.md",
            "https://books.example/ops/b/c?x=1",
            "https://books.example:443/ops/a",
        ] {
            assert!(is_below(yes, beginning), "{yes}");
            assert!(is_below(yes, "https://books.example/ops/"), "{yes}");
        }
        for no in [
            "https://books.example.evil/ops/a.md",
            "https://books.example@evil/ops/a.md",
            "http://books.example/ops/a.md",
            "https://books.example/opsx/a.md",
            "https://books.example/ops/../a.md",
            "https://books.example/ops/%2e%2e/a.md",
            "https://books.example/ops/..%2fa.md",
            "https://u:p@books.example/ops/a.md",
            "https://books.example:8443/ops/a.md",
            "https://books.example/ops/",
            "file:///ops/a.md",
            "/ops/a.md",
            "",
        ] {
            assert!(!is_below(no, beginning), "{no}");
        }
    }

    #[test]
    fn a_page_that_is_no_markdown_is_refused_with_words() {
        assert_eq!(text_of("text/markdown; charset=utf-8", b"# A"), Ok("# A".into()));
        assert_eq!(text_of("", "\u{feff}# A".as_bytes()), Ok("# A".into()));
        assert_eq!(text_of("text/plain", b"<p>inline</p> text"), Ok("<p>inline</p> text".into()));
        for (kind, body) in [
            ("text/html", "# A"),
            ("text/plain", "\n<!DOCTYPE html><html>"),
            ("", "<html>"),
            ("application/pdf", "%PDF"),
            ("application/json", "{}"),
            ("text/markdown", " \n"),
        ] {
            assert!(text_of(kind, body.as_bytes()).is_err(), "{kind} {body}");
        }
        assert!(text_of("text/plain", b"\xff").is_err());
    }
}
