//! Where placeholders may stand in a script, before a shell's view of it is taken.

use std::ops::Range;

/// Something that may be a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// What it is called.
    pub(super) words: String,
    /// It can be nothing else wherever it stands; else only where nothing reads
    /// it as code or as text.
    pub(super) sure: bool,
    /// Its text has a sign of redirection at its beginning.
    angle: bool,
}

impl Found {
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range.clone()]
    }

    /// Whether quotes stand right around the mark at this place.
    pub(super) fn whole_quotes(marked: &str, at: usize) -> bool {
        let end = at + super::MARK.len();
        marked[..at].ends_with(['\'', '"']) && marked[end..].starts_with(['\'', '"'])
    }

    /// `cmd <in>out`: a blank before it and a letter behind it, bare.
    pub(super) fn redirects(&self, marked: &str, at: usize) -> bool {
        let end = at + super::MARK.len();
        self.angle
            && marked[..at].ends_with([' ', '\t'])
            && marked[end..].starts_with(|c: char| c.is_alphanumeric() || c == '/')
    }
}

/// Words in angle brackets that programs print, and that people search for.
const PRINTED: &[&str] =
    &["none", "nil", "null", "unknown", "unset", "empty", "no value", "invalid", "defunct"];
/// Words in braces that belong to templates of Go and Jinja.
const TEMPLATE_WORDS: &[&str] =
    &["end", "else", "range", "if", "with", "println", "printf", "json", "block", "define"];
/// Parts of names in upper case that stand for something to fill in.
const FILL_IN: &[&str] = &[
    "NAME",
    "ID",
    "NAMESPACE",
    "POD",
    "NODE",
    "HOST",
    "HOSTNAME",
    "IP",
    "ADDRESS",
    "PORT",
    "URL",
    "URI",
    "FQDN",
    "DOMAIN",
    "USER",
    "USERNAME",
    "PASSWORD",
    "TOKEN",
    "CLUSTER",
    "REGION",
    "ZONE",
    "BUCKET",
    "PATH",
    "FILE",
    "FILENAME",
    "DATABASE",
    "TABLE",
    "SERVER",
    "INSTANCE",
    "SERVICE",
    "DEPLOYMENT",
    "CONTAINER",
    "VERSION",
    "TAG",
    "RELEASE",
    "PROJECT",
    "ACCOUNT",
    "VOLUME",
    "PVC",
    "PV",
    "DEVICE",
    "DISK",
    "PID",
    "UUID",
    "HASH",
    "COMMIT",
    "BRANCH",
    "SHARD",
    "TOPIC",
    "QUEUE",
    "KEY",
    "VM",
    "SECRET",
    "CONFIGMAP",
    "JOB",
    "TENANT",
    "CUSTOMER",
    "EMAIL",
    "NUMBER",
    "DATE",
    "TIMESTAMP",
    "ENV",
    "ENVIRONMENT",
];
/// Whole words in upper case that stand for something to fill in.
const ALONE: &[&str] = &[
    "NAMESPACE",
    "PODNAME",
    "POD",
    "NODENAME",
    "NODE",
    "HOSTNAME",
    "USERNAME",
    "PASSWORD",
    "CHANGEME",
    "CHANGE_ME",
    "REPLACEME",
    "REPLACE_ME",
    "TODO",
    "FIXME",
    "CLUSTER",
    "INSTANCE",
    "DEPLOYMENT",
    "FILENAME",
    "BUCKET",
    "DATABASE",
    "TENANT",
    "PLACEHOLDER",
];
const BEGINNINGS: &[&str] = &["YOUR", "MY", "REPLACE", "CHANGE", "INSERT", "EXAMPLE", "SOME"];
/// The end of an element of HTML is looked for so far behind its beginning, in bytes.
const NEAR: usize = 2_000;
/// A placeholder is not longer.
const LONGEST: usize = 80;

/// All that may be placeholders, in order, none within another.
pub(super) fn candidates(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let one = match bytes[at] {
            b'<' => angle(text, at),
            b'{' => braces(text, at),
            b'$' => dollar(text, at),
            b'%' => percent(text, at),
            byte if byte.is_ascii_uppercase() || byte == b'x' => upper(text, at),
            _ => None,
        };
        if let Some(one) = one {
            at = one.range.end;
            found.push(one);
            if found.len() > super::MOST {
                break;
            }
        } else {
            // The rest of a word that is none is no beginning of another.
            let word = bytes[at].is_ascii_alphanumeric();
            at += 1;
            while word && at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
        }
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// `<pod>`, `<name of the pod>`, `<drain|ready>`
fn angle(text: &str, at: usize) -> Option<Found> {
    let before = text[..at].chars().next_back();
    let inner = &text[at + 1..];
    let inner = &inner[..floor(inner, LONGEST)];
    let end = inner.find(['>', '<', '\n', '"', '$', '`', ';', '(', ')', '{', '}', '\\', '&'])?;
    if inner.as_bytes()[end] != b'>' || before == Some('<') {
        return None;
    }
    let words = &inner[..end];
    let first = words.chars().next()?;
    let last = words.chars().next_back()?;
    if !(first.is_alphanumeric() || first == '_')
        || last.is_whitespace()
        || last == '/'
        || last == '-'
    {
        return None;
    }
    // Digits alone are the number of a file or a comparison: `2>`, `<5>`.
    if words.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let plain = |c: char| c.is_alphanumeric() || " _-./:,'|@#*+=".contains(c);
    let closing = format!("</{}>", words.split(' ').next().unwrap_or_default());
    let near = &text[at..];
    let markup = near[..floor(near, NEAR)].contains(&closing);
    let mail = words.contains('@') && words.contains('.') || words.contains("://");
    let printed = PRINTED.contains(&words.to_lowercase().as_str());
    // `a <b and c> d` compares.
    let compares = words.contains(" and ") && before.is_some_and(char::is_alphanumeric);
    if !words.chars().all(plain) || markup || mail || printed || compares {
        return None;
    }
    Some(Found { range: at..at + 1 + end + 1, words: words.to_owned(), sure: true, angle: true })
}

/// What stands before a place in its line, as far as it is looked at.
fn line_before(text: &str, at: usize) -> &str {
    let from =
        (at.saturating_sub(NEAR)..=at).find(|from| text.is_char_boundary(*from)).unwrap_or(at);
    text[from..at].rsplit('\n').next().unwrap_or_default()
}

fn floor(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

/// `{{pod}}`, `{{ .inputs.pod }}`, `{pod}`
fn braces(text: &str, at: usize) -> Option<Found> {
    let before = text[..at].chars().next_back();
    if let Some(inner) = text[at..].strip_prefix("{{") {
        let inner = &inner[..floor(inner, LONGEST)];
        let end = inner.find("}}")?;
        let words = inner[..end].trim().trim_matches('-').trim();
        let name = [".inputs.", ".outputs.", "inputs.", "params.", ".Values."]
            .iter()
            .find_map(|beginning| words.strip_prefix(beginning))
            .unwrap_or(words);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let template = name.is_empty()
            || name.starts_with('.')
            || !name.chars().all(plain)
            || TEMPLATE_WORDS.contains(&name);
        let range = at..at + 2 + end + 2;
        return (!template).then(|| Found {
            range,
            words: name.to_owned(),
            sure: true,
            angle: false,
        });
    }
    if before.is_some_and(|c| matches!(c, '$' | '%' | '@' | '{' | '\\' | '#')) {
        return None;
    }
    let inner = &text[at + 1..];
    let inner = &inner[..floor(inner, 40)];
    let end = inner.find('}')?;
    let words = &inner[..end];
    let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '-');
    let fits = words.len() >= 2
        && words.chars().all(plain)
        && words.starts_with(|c: char| c.is_ascii_lowercase())
        && words != "print"
        && words != "end";
    let range = at..at + 1 + end + 1;
    fits.then(|| Found { range, words: words.to_owned(), sure: false, angle: false })
}

/// `${top-user-from-last-command}`: a variable with a default that is none.
fn dollar(text: &str, at: usize) -> Option<Found> {
    let inner = text[at..].strip_prefix("${")?;
    let inner = &inner[..floor(inner, LONGEST)];
    let end = inner.find('}')?;
    let words = &inner[..end];
    let wordy = words.matches('-').count() >= 2
        && words.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'))
        && !words.contains("--");
    let range = at..at + 2 + end + 1;
    wordy.then(|| Found { range, words: words.to_owned(), sure: true, angle: false })
}

/// `%s` as a whole word, where no format is meant.
fn percent(text: &str, at: usize) -> Option<Found> {
    let rest = text[at..].strip_prefix("%s")?;
    let alone = text[..at].chars().next_back().is_none_or(char::is_whitespace)
        && rest.chars().next().is_none_or(char::is_whitespace);
    let line = line_before(text, at);
    let formats =
        ["printf", "date", "stat", "awk", "find", "curl", "git", "ps", "seq", "time", "strftime"];
    let formatted = line.split_whitespace().any(|word| formats.contains(&word));
    (alone && !formatted).then(|| Found {
        range: at..at + 2,
        words: "value".into(),
        sure: false,
        angle: false,
    })
}

/// `YOUR_POD`, `POD_NAME`, `NAMESPACE`, `xxxx`
fn upper(text: &str, at: usize) -> Option<Found> {
    let before = text[..at].chars().next_back();
    let rest = &text[at..];
    let end = rest.find(|c: char| !(c.is_ascii() && is_word(c as u8))).unwrap_or(rest.len());
    let word = rest[..end].trim_end_matches(['-', '_']);
    let after = rest[word.len()..].chars().next();
    // Where a value stands: a word of its own, or behind `=`, `/`, `:`, `@` or a quote.
    let starts = before.is_none_or(|c| c.is_whitespace() || "=/:@\"',(".contains(c));
    let ends = after.is_none_or(|c| c.is_whitespace() || "/:@\"',);|&.>".contains(c));
    if !starts || !ends || word.len() > LONGEST {
        return None;
    }
    let blank = word.len() >= 3 && word.bytes().all(|byte| matches!(byte, b'x' | b'X'));
    let capital = word
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if !blank && !capital {
        return None;
    }
    let parts: Vec<&str> = word.split(['_', '-']).collect();
    let begins = parts.len() > 1 && BEGINNINGS.contains(&parts[0]);
    let last = parts.last().copied().unwrap_or_default();
    let named = parts.len() > 1 && FILL_IN.contains(&last);
    let alone = ALONE.contains(&word);
    if !(blank || begins || named || alone) {
        return None;
    }
    // `export POD_NAME`, `read POD_NAME`, `-e POD_NAME` name a variable.
    let line = line_before(text, at);
    let previous = line.split_whitespace().next_back().unwrap_or_default();
    let first = line.split_whitespace().next().unwrap_or_default();
    let names = [
        "export", "unset", "read", "local", "declare", "readonly", "-e", "--env", "for", "-v",
        "env",
    ];
    if before.is_some_and(char::is_whitespace)
        && (names.contains(&previous) || ["export", "unset", "read"].contains(&first))
    {
        return None;
    }
    // `$(POD_NAME)` belongs to manifests of Kubernetes.
    if text[..at].ends_with("$(") {
        return None;
    }
    let words = if blank { "value" } else { word };
    Some(Found { range: at..at + word.len(), words: words.to_owned(), sure: begins, angle: false })
}
