//! Keys of the config: name, shape, default and doc, the single truth that
//! the reader, the example file, the JSON Schema and every hint are made from.

pub(crate) use crate::domain::words::{listed, nearest};

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// The value that counts where the key is left out, written as in the
    /// file but without the quotes of a text: `10s`, `3`, `true`.
    pub default: Option<&'static str>,
    /// A value for the example file, where the default does not show one,
    /// written like `default`.
    pub example: Option<&'static str>,
    /// The table makes no sense without it.
    pub needed: bool,
    /// Stands instead of the key of this name, never beside it.
    pub instead_of: Option<&'static str>,
    /// One or two plain sentences for the person who writes the file.
    pub doc: &'static str,
}

/// Groups of keys that together make a table: what several tables share is
/// written once.
pub type Keys = &'static [&'static [Key]];

/// A key without default: `key("owner", Shape::Text, "Who owns it.")`.
pub const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, default: None, example: None, needed: false, instead_of: None, doc }
}

impl Key {
    /// With the value that counts where the key is left out.
    #[must_use]
    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// With a value for the example file.
    #[must_use]
    pub const fn like(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    /// Stands instead of another key: the example file mentions it only.
    #[must_use]
    pub const fn instead_of(mut self, other: &'static str) -> Self {
        self.instead_of = Some(other);
        self
    }

    /// The table makes no sense without it.
    #[must_use]
    pub const fn needed(mut self) -> Self {
        self.needed = true;
        self
    }
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text.
    Text,
    /// A text with something in it besides blanks.
    Name,
    /// An `http://` or `https://` address.
    Url,
    /// `host:port`, `1.2.3.4:80`, `[::1]:80`.
    Address,
    /// A file's path, absolute or from the home folder.
    Path,
    /// A time with its unit, in milliseconds from `least` to `most`.
    Duration { least: u64, most: u64 },
    /// A number of bytes with its unit.
    Size,
    /// A share: `"5%"`, or a number from 0 to 1.
    Ratio,
    /// A number, or a text with a unit: `"5%"`, `"500ms"`, `"10 GiB"`.
    Quantity,
    /// A whole number within bounds.
    Integer { min: i64, max: i64 },
    /// An HTTP code, a class or a range of codes: `200`, `"2xx"`, `"200-204"`.
    Code,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A regular expression.
    Regex,
    /// A reference to a secret (`env:`, `file:`, `cmd:`), or the secret itself.
    Secret,
    /// A text that may hold a secret, so it can be a reference and is never repeated.
    Header,
    /// A PromQL expression.
    PromQl,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of one shape.
    List(&'static Shape),
    /// A list of one shape, or one value where there is only one.
    OneOrMore(&'static Shape),
    /// A table with free keys.
    Map(&'static Shape),
    /// A table with these keys.
    Table(Keys),
    /// A table with these keys, or a text that stands for the first-named key alone.
    TableOr(&'static str, Keys),
    /// Tables that are named by the person who writes them.
    Named(Keys),
    /// Named tables of the kinds of a family in the registry, beside keys that
    /// all share. Which kind one is, says the kind's own key in it.
    Kinds(Family, Keys),
}

impl Shape {
    /// From one poll to the next: a tenth of a second to a week.
    pub const EVERY: Self = Self::Duration { least: 100, most: 7 * DAY };
    /// A time limit: 10 ms to an hour.
    pub const TIMEOUT: Self = Self::Duration { least: 10, most: DAY / 24 };
    /// A time that may be zero, up to a day.
    pub const PAUSE: Self = Self::Duration { least: 0, most: DAY };
    /// A span of time that is looked back on: a second to a year.
    pub const SPAN: Self = Self::Duration { least: 1_000, most: 366 * DAY };

    /// What is allowed, in words that follow "expected".
    pub fn expected(&self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Name => "a text that is not empty".into(),
            Self::Url => "a URL such as \"https://host/path\"".into(),
            Self::Address => "host and port, such as \"db-1:5432\"".into(),
            Self::Path => "a path that begins with \"/\" or \"~/\"".into(),
            Self::Duration { .. } => "a time with its unit, such as \"10s\" or \"1h30m\"".into(),
            Self::Size => "a size with its unit, such as \"64 MiB\"".into(),
            Self::Ratio => "a share, such as \"5%\" or 0.05".into(),
            Self::Quantity => {
                "a number, or one with its unit, such as \"5%\", \"500ms\" or \"10 GiB\"".into()
            }
            Self::Integer { min, max } if *max == i64::MAX => {
                format!("a whole number of at least {min}")
            }
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Code => "an HTTP code such as 200, \"2xx\" or \"200-204\"".into(),
            Self::Number => "a number".into(),
            Self::Bool => "true or false".into(),
            Self::Regex => "a regular expression".into(),
            Self::Secret => {
                "a reference to a secret, such as \"env:NAME\", \"file:/path\" or \"cmd:command\""
                    .into()
            }
            Self::Header => "a text, or a reference to a secret such as \"env:NAME\"".into(),
            Self::PromQl => "a PromQL expression".into(),
            Self::OneOf(words) => format!("one of {}", listed(words)),
            Self::List(inner) => format!("a list, each {}", inner.expected()),
            Self::OneOrMore(inner) => format!("{}, or a list of such", inner.expected()),
            Self::Map(inner) => format!("a table, each value {}", inner.expected()),
            Self::Table(_) | Self::Named(_) | Self::Kinds(..) => "a table".into(),
            Self::TableOr(short, keys) => match find(keys, short) {
                Some(key) => format!("{}, or a table", key.shape.expected()),
                None => "a text, or a table".into(),
            },
        }
    }

    /// A value of this shape should not be repeated.
    pub(crate) fn may_hold_a_secret(&self) -> bool {
        match self {
            Self::List(inner) | Self::OneOrMore(inner) => inner.may_hold_a_secret(),
            Self::Secret
            | Self::Header
            | Self::Map(_)
            | Self::Table(_)
            | Self::TableOr(..)
            | Self::Named(_)
            | Self::Kinds(..) => true,
            _ => false,
        }
    }

    /// Written in quotes in the file.
    pub(crate) fn quoted(&self) -> bool {
        match self {
            Self::Integer { .. }
            | Self::Number
            | Self::Bool
            | Self::OneOrMore(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::Table(_)
            | Self::Named(_)
            | Self::Kinds(..) => false,
            Self::TableOr(short, keys) => find(keys, short).is_some_and(|key| key.shape.quoted()),
            _ => true,
        }
    }
}

const DAY: u64 = 24 * 3_600 * 1_000;

/// The key called `name`.
pub(crate) fn find(keys: Keys, name: &str) -> Option<&'static Key> {
    all(keys).find(|key| key.name == name)
}

/// All keys of a table in their order.
pub(crate) fn all(keys: Keys) -> impl Iterator<Item = &'static Key> {
    keys.iter().flat_map(|group| group.iter())
}

/// What kinds are kinds of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Checks of a service.
    Check,
    /// Backup tools, and other ways to know of backups.
    Backup,
    /// Ways to know of releases.
    Release,
}

impl Family {
    /// Several of them, in a word.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Check => "checks",
            Self::Backup => "backups",
            Self::Release => "releases",
        }
    }
}

/// A kind of check, backup or release: the name of the key that makes a table
/// one, and all keys that it then may have (its own among them). The registry
/// of `sources` comes in as a slice of these, since this room stands above that
/// one.
#[derive(Clone, Copy, Debug)]
pub struct KindKeys {
    /// What it is a kind of.
    pub family: Family,
    /// `http`, `tcp`, `tls`, `command`.
    pub name: &'static str,
    /// Its keys.
    pub keys: Keys,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_are_allowed_are_listed() {
        assert_eq!(Shape::OneOf(&["a", "b", "c"]).expected(), "one of `a`, `b` or `c`");
    }
}
