//! Texts as Go and Prometheus write them: escaped, titled, for people.

use super::number::general;
use std::fmt::{Arguments, Write as _};

/// Writing to a text cannot fail.
fn push(to: &mut String, what: Arguments<'_>) {
    let _ = to.write_fmt(what);
}

pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => escaped.push('\u{fffd}'),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

pub(super) fn js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' => escaped.push_str("\\u003C"),
            '>' => escaped.push_str("\\u003E"),
            '&' => escaped.push_str("\\u0026"),
            '=' => escaped.push_str("\\u003D"),
            c if c.is_control() => push(&mut escaped, format_args!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Go's url.QueryEscape.
pub(super) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            byte => push(&mut escaped, format_args!("%{byte:02X}")),
        }
    }
    escaped
}

/// Each word begins with a capital letter; a word begins after what is no
/// letter, digit, underscore or apostrophe.
pub(super) fn title(text: &str) -> String {
    let mut inside = false;
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        if inside {
            titled.push(c);
        } else {
            titled.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || matches!(c, '_' | '\'');
    }
    titled
}

/// `host:port`, `[host]:port`; none where it has another form.
pub(super) fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    if let Some(inside) = host.strip_prefix('[') {
        let host = inside.strip_suffix(']')?;
        return (!host.contains(['[', ']'])).then_some((host, port));
    }
    (!host.contains(':') && !text.contains(['[', ']'])).then_some((host, port))
}

pub(super) fn strip_domain(text: &str) -> String {
    let (host, port) = split_port(text).map_or((text, None), |(host, port)| (host, Some(port)));
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or_default();
    match port {
        Some(port) if !port.is_empty() => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// Scaled down to below `base`, with the prefix for that.
fn scaled(mut value: f64, base: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in LARGE {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

fn raised(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

pub(super) fn humanize(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    let (value, prefix) = if value.abs() >= 1.0 { scaled(value, 1000.0) } else { raised(value) };
    general(value, Some(4)) + prefix
}

pub(super) fn humanize_1024(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return general(value, Some(4));
    }
    let (value, prefix) = scaled(value, 1024.0);
    let mark = if prefix.is_empty() { "" } else { "i" };
    format!("{}{prefix}{mark}", general(value, Some(4)))
}

pub(super) fn humanize_duration(value: f64) -> String {
    if !value.is_finite() {
        return general(value, Some(4));
    }
    if value == 0.0 {
        return general(value, Some(4)) + "s";
    }
    if value.abs() < 1.0 {
        let (value, prefix) = raised(value);
        return format!("{}{prefix}s", general(value, Some(4)));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds; Go truncates too")]
    let whole = size as i64;
    let (days, hours, minutes, seconds) =
        (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (1.., _, _) => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
        (_, 1.., _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        (_, _, 1..) => format!("{sign}{minutes}m {seconds}s"),
        _ => format!("{sign}{}s", general(size, Some(4))),
    }
}
