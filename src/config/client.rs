//! What every HTTP client of the config shares: who one is, whom one trusts.

use super::keys::{Key, Keys, Shape, key};
use super::mistakes::Mistakes;
use super::secret::Secret;
use super::table::Table;

/// Keys of anything that is asked over HTTP or TLS.
pub const CLIENT: &[Key] = &[
    key("auth", Shape::Table(AUTH), "Credentials: `basic` or `bearer`."),
    key(
        "headers",
        Shape::Map(&Shape::Header),
        "Headers sent with each request; values may be secret references.",
    )
    .like(r#"{ X-Scope-OrgID = "shop" }"#),
    key("skip_verify", Shape::Bool, "Trust any certificate. Stays visible on the screen.")
        .or("false"),
    key(
        "server_name",
        Shape::Name,
        "Name to ask for and to verify in TLS, instead of the URL's host.",
    )
    .like("api.shop.example"),
];

/// Keys of whoever speaks TLS: whom to trust, and who one is.
pub const TRUST: &[Key] = &[
    key("ca", Shape::Path, "PEM file of the authorities to trust, instead of the system's.")
        .like("/etc/ssl/internal-ca.pem"),
    key("cert", Shape::Path, "PEM file of the client certificate; needs `key`.")
        .like("/etc/opsroom/client.pem"),
    key("key", Shape::Path, "PEM file of the client certificate's private key; needs `cert`.")
        .like("/etc/opsroom/client.key"),
];

/// Keys of `auth`.
pub const AUTH: Keys = &[&[
    key("basic", Shape::Table(BASIC), "User and password.").instead_of("bearer"),
    key(
        "bearer",
        Shape::Secret,
        "A token, as a reference: `env:NAME`, `file:/path`, `cmd:command`.",
    )
    .like("env:PROM_TOKEN"),
]];

const BASIC: Keys = &[&[
    key("user", Shape::Text, "The user's name.").like("opsroom").needed(),
    key("password", Shape::Secret, "The password, as a reference.")
        .like("file:/etc/opsroom/password")
        .needed(),
]];

/// Credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// User and password.
    Basic { user: String, password: Secret },
    /// A token.
    Bearer(Secret),
}

/// How an HTTP client is made; built by `sources`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Credentials.
    pub auth: Option<Auth>,
    /// Headers sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// Authorities to trust instead of the system's; `~/` is still in it.
    pub ca: Option<String>,
    /// The client certificate.
    pub cert: Option<String>,
    /// Its private key.
    pub key: Option<String>,
    /// Any certificate is trusted.
    pub skip_verify: bool,
    /// Asked for and verified instead of the URL's host.
    pub server_name: Option<String>,
}

impl Client {
    /// From a table whose keys include `CLIENT`.
    pub fn read(table: &Table, mistakes: &mut Mistakes) -> Self {
        let auth = table.table("auth").and_then(|auth| {
            let basic = auth.table("basic").and_then(|basic| {
                let password = basic.secret("password")?;
                Some(Auth::Basic { user: basic.text("user"), password })
            });
            if auth.has("basic") && auth.has("bearer") {
                let help = "keep one of them";
                mistakes.wrong_but(auth.span_of("bearer"), "`basic` and `bearer` at once", help);
            } else if auth.is_empty() {
                mistakes.wrong_but(
                    auth.span(),
                    format!("`{}` is empty", auth.path()),
                    "give it `basic` or `bearer`",
                );
            }
            basic.or_else(|| auth.secret("bearer").map(Auth::Bearer))
        });
        for (one, other) in [("cert", "key"), ("key", "cert")] {
            if table.has(one) && !table.has(other) {
                let message = format!("`{one}` without `{other}`");
                let help = "a client certificate needs both";
                mistakes.wrong_but(table.span_of(one), message, help);
            }
        }
        for (name, _) in table.map("headers") {
            let token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.it.is_empty() || !name.it.bytes().all(token) {
                let help = "a header's name has letters, digits and `-`";
                mistakes.wrong_but(name.span, "this is no name of a header", help);
            }
        }
        Self {
            auth,
            headers: table.secret_map("headers"),
            ca: table.optional_text("ca"),
            cert: table.optional_text("cert"),
            key: table.optional_text("key"),
            skip_verify: table.flag("skip_verify"),
            server_name: table.optional_text("server_name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;

    const ROOT: Keys = &[CLIENT, TRUST];

    #[test]
    fn credentials_and_certificates_are_read() {
        let mut mistakes = Mistakes::default();
        let text = "auth = { basic = { user = 'a', password = 'env:B' } }\ncert='/c'\nkey='/k'";
        let client = Client::read(&document(text, ROOT, &[], &mut mistakes), &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let password = Secret::parse("env:B");
        assert_eq!(client.auth, Some(Auth::Basic { user: "a".into(), password }));
        assert_eq!((client.cert.as_deref(), client.skip_verify), (Some("/c"), false));
    }

    #[test]
    fn halves_and_doubles_are_mistakes() {
        let mut mistakes = Mistakes::default();
        let text = "auth = { bearer = 'env:T', basic = { user = 'a', password = 'env:B' } }\n\
                    cert='/c'\nheaders = { 'a b' = 'c' }";
        Client::read(&document(text, ROOT, &[], &mut mistakes), &mut mistakes);
        let messages: Vec<&str> =
            mistakes.in_order().iter().map(|mistake| mistake.message.as_str()).collect();
        assert_eq!(
            messages,
            ["`basic` and `bearer` at once", "`cert` without `key`", "this is no name of a header"]
        );
    }
}
