//! YAML as a tree whose parts know their lines and keep their text.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;

/// A value and its line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) line: u32,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    /// A text; a number or a truth value as it stands in the file.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and its line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) line: u32,
}

impl Kind {
    /// What it is, in words.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "keys and values",
        }
    }
}

/// Reads YAML.
///
/// # Errors
/// The line, from 1, and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Node, (u32, String)> {
    if text.trim().is_empty() {
        return Ok(Node { kind: Kind::Null, line: 1 });
    }
    match serde_saphyr::from_str::<Spanned<Raw>>(text) {
        Ok(raw) => Ok(node(raw, text)),
        Err(error) => {
            let line = error.location().map_or(1, |at| line(at.line()));
            let words = error.without_snippet().to_string();
            let words = words.lines().next().unwrap_or_default().trim().to_owned();
            Err((line, words))
        }
    }
}

fn line(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

/// As the YAML reader brings it: scalars by their types.
#[derive(Debug)]
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value, and how it is written where its place is not known.
    Typed(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let place = raw.defined;
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Text(held) => Kind::Scalar(held),
        Raw::Typed(written) => {
            let span = place.span();
            let as_it_stands =
                span.byte_offset().zip(span.byte_len()).and_then(|(from, length)| {
                    let from = usize::try_from(from).ok()?;
                    text.get(from..from.checked_add(usize::try_from(length).ok()?)?)
                });
            let held = as_it_stands.map(str::trim).filter(|held| !held.is_empty());
            Kind::Scalar(held.map_or(written, str::to_owned))
        }
        Raw::List(items) => Kind::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, held)| {
                    let key = node(key, text);
                    let text_of = match key.kind {
                        Kind::Scalar(text) => text,
                        Kind::Null => "null".into(),
                        other => other.word().into(),
                    };
                    (Key { text: text_of, line: key.line }, node(held, text))
                })
                .collect(),
        ),
    };
    Node { kind, line: line(raw.referenced.line()) }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, held: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(held.to_string()))
    }

    fn visit_i64<E: Error>(self, held: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(held.to_string()))
    }

    fn visit_u64<E: Error>(self, held: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(held.to_string()))
    }

    fn visit_i128<E: Error>(self, held: i128) -> Result<Raw, E> {
        Ok(Raw::Typed(held.to_string()))
    }

    fn visit_u128<E: Error>(self, held: u128) -> Result<Raw, E> {
        Ok(Raw::Typed(held.to_string()))
    }

    fn visit_f64<E: Error>(self, held: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(held.to_string()))
    }

    fn visit_str<E: Error>(self, held: &str) -> Result<Raw, E> {
        Ok(Raw::Text(held.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, held: D) -> Result<Raw, D::Error> {
        Raw::deserialize(held)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, held: D) -> Result<Raw, D::Error> {
        Raw::deserialize(held)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
