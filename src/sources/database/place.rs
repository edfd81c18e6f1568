//! Where a database is: a URL without password, `host:port`, or a unix socket.

use crate::config::{Mistakes, Table};
use crate::domain::harmless_within;
use std::path::PathBuf;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Host {
    /// Over the network; an IPv6 address stands without brackets.
    Tcp { host: String, port: u16 },
    /// A socket, or the folder of one.
    Socket(PathBuf),
}

/// Where a database is, and as whom it is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sources) struct Place {
    pub(in crate::sources) host: Host,
    pub(in crate::sources) user: Option<String>,
    pub(in crate::sources) database: Option<String>,
    /// The scheme of its URL; empty where it is none.
    pub(in crate::sources) scheme: String,
}

/// Why a text is no place.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    message: &'static str,
    help: &'static str,
    /// It may hold a secret.
    hide: bool,
}

impl Place {
    /// The place that the key `name` of a table says; `schemes` are those that
    /// its URL may have.
    pub(super) fn read(
        table: &Table,
        name: &str,
        schemes: &[&str],
        port: u16,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let read = Self::parse(&table.text(name), schemes, port);
        read.map_err(|wrong| {
            let span = table.span_of(name);
            if wrong.hide {
                mistakes.hide(span.clone());
            }
            mistakes.wrong_but(span, wrong.message, wrong.help);
        })
        .ok()
    }

    fn parse(text: &str, schemes: &[&str], port: u16) -> Result<Self, Wrong> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            None => ("", text),
        };
        let wrong = |message, help| Err(Wrong { message, help, hide: rest.contains('@') });
        if !scheme.is_empty() && scheme != "unix" && !schemes.contains(&scheme) {
            return wrong("this is no URL of such a server", "write it as \"host:port\"");
        }
        if rest.contains(['?', '#']) {
            let help = "what stood behind `?` has keys of its own in this table";
            return Err(Wrong { message: "this URL has parameters", help, hide: true });
        }
        if rest.starts_with('/') && (scheme.is_empty() || scheme == "unix") {
            let host = Host::Socket(PathBuf::from(rest));
            return Ok(Self { host, user: None, database: None, scheme: scheme.into() });
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(Wrong {
                message: "a password in this URL could be seen",
                help: "put it into `password`, as a reference: \"env:NAME\", \"file:/path\"",
                hide: true,
            });
        }
        let Some((host, port)) = host_and_port(address, port) else {
            return wrong("this is no host and port", "write it as \"host:port\"");
        };
        let plain = |text: &str| Some(decoded(text)).filter(|text| !text.is_empty());
        Ok(Self {
            host: Host::Tcp { host, port },
            user: user.and_then(plain),
            database: plain(path.trim_end_matches('/')),
            scheme: scheme.into(),
        })
    }

    /// What is connected to, as `host:port`.
    pub(in crate::sources) fn address(host: &str, port: u16) -> String {
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The place for the screen.
    pub(super) fn shown(&self) -> String {
        let database = self.database.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        let place = match &self.host {
            Host::Tcp { host, port } => format!("{}{database}", Self::address(host, *port)),
            Host::Socket(path) if database.is_empty() => path.display().to_string(),
            Host::Socket(path) => format!("{} {}", path.display(), &database[1..]),
        };
        harmless_within(&place, 160)
    }
}

fn host_and_port(text: &str, otherwise: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.split('%').next()?.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let fits = |c: char| c.is_alphanumeric() || "-_.:%".contains(c);
    if host.is_empty() || host.len() > 253 || !host.chars().all(fits) {
        return None;
    }
    let port = if port.is_empty() { otherwise } else { port.parse().ok().filter(|p| *p > 0)? };
    Some((host.into(), port))
}

/// Without the `%20` of URLs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Place, Wrong> {
        Place::parse(text, &["postgres", "postgresql"], 5432)
    }

    #[test]
    fn urls_addresses_and_sockets_are_places() {
        let shown = |text: &str| {
            let place = parse(text).unwrap();
            format!("{} {}", place.user.clone().unwrap_or_default(), place.shown())
        };
        assert_eq!(shown("postgres://ops@db-1/orders"), "ops db-1:5432/orders");
        assert_eq!(shown("postgresql://a%40b@db-1:6432"), "a@b db-1:6432");
        assert_eq!(shown("db-1:5433"), " db-1:5433");
        assert_eq!(shown("db-1"), " db-1:5432");
        assert_eq!(shown("[::1]:5433/x"), " [::1]:5433/x");
        assert_eq!(shown("/var/run/postgresql"), " /var/run/postgresql");
        assert_eq!(shown("unix:///run/redis.sock"), " /run/redis.sock");
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_hidden() {
        for text in [
            "postgres://ops:hunter2@db-1/orders",
            "postgres://ops@db-1/orders?password=hunter2",
            "http://ops:hunter2@db-1",
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.hide, "{text}");
            assert!(!format!("{wrong:?}").contains("hunter2"), "{text}");
        }
        for text in ["", "http://db-1", "db-1:0", "db-1:99999", "a b:1", "[::1:5432", "postgres://"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
