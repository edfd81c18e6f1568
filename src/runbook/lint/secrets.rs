//! Secrets that stand in a text.

use regex::Regex;
use std::sync::LazyLock;

/// What is looked for, and what it is. Only forms that nothing else has; the
/// prefixes are those that their issuers document.
const FORMS: &[(&str, &str)] = &[
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "a key of AWS"),
    (r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----", "a private key"),
    (r"\bgh[pousr]_[0-9A-Za-z]{36,}", "a token of GitHub"),
    (r"\bgithub_pat_[0-9A-Za-z_]{50,}", "a token of GitHub"),
    (r"\bglpat-[0-9A-Za-z_-]{20,}", "a token of GitLab"),
    (r"\bxox[abeprs]-[0-9A-Za-z-]{10,}", "a token of Slack"),
    (r"\b[sr]k_live_[0-9A-Za-z]{16,}", "a key of Stripe"),
    (r"\bAIza[0-9A-Za-z_-]{35}\b", "a key of Google"),
    (r"\bsntry[us]_[0-9A-Za-z_+/=-]{30,}", "a token of Sentry"),
    (r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}", "a JSON web token"),
    (
        r"[a-z][a-z0-9+.-]*://[^\s/:@<>$\{\}\[\]]+:[^\s/@<>$\{\}*\[\]]{3,}@[A-Za-z0-9]",
        "a password in an address",
    ),
];

/// `password=…` with a value that is one.
const NAMED: &str = r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)["']?\s*[=:]\s*["']?([^\s"'<>,;&|)}]+)"#;

/// Words that stand for a secret and are none.
const STAND_INS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "changeme",
    "change_me",
    "example",
    "redacted",
    "hidden",
    "none",
    "null",
    "true",
    "false",
    "string",
    "your",
    "prompt",
    "required",
    "optional",
    "yes",
    "no",
    "file",
    "env",
];

static ALL: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    FORMS.iter().filter_map(|(form, what)| Some((Regex::new(form).ok()?, *what))).collect()
});
static WITH_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(NAMED).ok());

/// The lines in which secrets stand, and what they are; never the secrets.
pub(super) fn secrets(text: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let form = ALL.iter().find(|(form, _)| form.is_match(line)).map(|(_, what)| *what);
        let what = form.or_else(|| {
            let mut all = WITH_NAME.as_ref()?.captures_iter(line);
            let is = all.any(|one| one.get(1).is_some_and(|value| is_secret(value.as_str())));
            is.then_some("a password or a token")
        });
        if let Some(what) = what {
            let words = format!(
                "{what} stands in the text: everybody who reads the runbook has it; make it a parameter with `secret: true`"
            );
            found.push((number, words));
        }
    }
    found
}

/// Whether a value behind `password=` is one, and neither a word for it nor a
/// variable: letters and digits, six or more.
fn is_secret(value: &str) -> bool {
    let lower = value.to_lowercase();
    let reference = value
        .starts_with(['$', '(', '`', '[', '*', '.', '/', '%', ':', '\\', '-', '{', '@', '#'])
        || ["env:", "file:", "cmd:", "!", "http", "var."]
            .iter()
            .any(|start| lower.starts_with(start));
    value.len() >= 6
        && !reference
        && value.chars().any(|c| c.is_ascii_digit())
        && value.chars().any(char::is_alphabetic)
        && !value.contains(['$', '(', '*'])
        && !lower.contains("xxx")
        && !lower.contains("...")
        && !STAND_INS.iter().any(|word| lower.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_and_never_repeated() {
        // Put together here, so that no scanner of code takes them for real.
        for secret in [
            format!("export KEY={}{}", "AKIA", "IOSFODNN7EXAMPLE"),
            format!("-----BEGIN OPENSSH {} KEY-----", "PRIVATE"),
            format!(
                "curl -H 'Authorization: token {}{}'",
                "ghp_", "0123456789abcdefghij0123456789abcdef"
            ),
            format!("git clone https://u:{}@git.example/x", "hunter2x"),
            format!("mysql --password={}", "hunter2x"),
            format!("API_KEY: \"{}\"", "a1b2c3d4e5"),
        ] {
            let found = secrets(&format!("# A\n{secret}\n"));
            assert_eq!(found.len(), 1, "{secret}");
            assert_eq!(found[0].0, 2);
            assert!(!found[0].1.contains("hunter") && !found[0].1.contains("0123"), "{found:?}");
        }
    }

    #[test]
    fn words_for_a_secret_are_none() {
        for plain in [
            "password=<password>",
            "password=$PASSWORD",
            "token: env:TOKEN1",
            "PGPASSWORD=\"$PGPASSWORD1\" psql",
            "the token is 12 characters long",
            "password: changeme1",
            "kubectl get secret=db-1-x",
            "api_key=xxxxxxxx1",
            "https://user@host/x and mail a:b@c",
            "https://{user}:{password}@host/",
            "secret: true",
            "--token-file=/etc/x/token1",
            "token=${TOKEN:-abc123}",
        ] {
            let odd = plain == "kubectl get secret=db-1-x";
            assert_eq!(secrets(plain).is_empty(), !odd, "{plain}");
        }
    }
}
