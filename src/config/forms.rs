//! What texts must look like: names, URLs, addresses, HTTP codes.

use super::mistakes::Span;

/// A name that a person gives to a table: 1 to 64 letters, digits, `-`, `_`, `.`, `:`.
pub(super) fn good_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "-_.:".contains(c);
    (1..=64).contains(&name.chars().count()) && name.chars().all(fits)
}

/// An address of the web; why not, if it is none.
pub(super) fn web_address(text: &str) -> Result<(), &'static str> {
    let url = reqwest::Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if url.host_str().is_none_or(str::is_empty) { Err("names no host") } else { Ok(()) }
}

/// Where in the file a URL's `user:password@` stands.
pub(super) fn password_in(url: &str, value: &Span) -> Option<Span> {
    let start = url.find("://")? + 3;
    let authority = url[start..].split(['/', '?', '#']).next()?;
    authority.contains('@').then(|| value.clone())
}

/// `host:port`, with `[]` around an IPv6 address.
pub(super) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_fits = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    let host_fits = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.split('%').next().is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
        }
    };
    port_fits && host_fits
}

/// `200`, `2xx` or `200-204`.
pub(super) fn is_code(text: &str) -> bool {
    let code = |text: &str| {
        let text = text.trim();
        text.len() == 3 && text.parse().is_ok_and(|code: u16| (100..600).contains(&code))
    };
    match (text.strip_suffix("xx"), text.split_once('-')) {
        (Some(class), _) => matches!(class, "1" | "2" | "3" | "4" | "5"),
        (None, Some((from, to))) => code(from) && code(to) && from.trim() <= to.trim(),
        (None, None) => code(text),
    }
}
