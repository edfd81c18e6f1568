//! A table of the config after it was read: typed values, each with its place.
//!
//! Getters never fail. What is missing gives the default of the key's table;
//! what was wrong in the file gives it too, and was reported when the file
//! was read, so that nobody builds on it.

use super::keys::{Key, Keys, KindKeys, find};
use super::mistakes::{Mistakes, Span};
use super::read;
use super::secret::Secret;
use regex::Regex;
use std::time::Duration;

/// A value of the file in the shape of its key.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text, Name, Url, Address, Path, `PromQl`, `OneOf`.
    Text(String),
    /// Duration.
    Duration(Duration),
    /// Size, in bytes.
    Size(u64),
    /// Ratio, Quantity, Number.
    Number(f64),
    /// Integer.
    Integer(i64),
    /// Bool.
    Bool(bool),
    /// Regex.
    Regex(Regex),
    /// Secret, Header.
    Secret(Secret),
    /// List, `OneOrMore`.
    List(Vec<Placed<Value>>),
    /// Map, in the order of the file.
    Map(Vec<(Placed<String>, Placed<Value>)>),
    /// Table, `TableOr`.
    Table(Table),
    /// Named, Kinds, in the order of the file.
    Named(Vec<Table>),
}

/// Something and its place in the file.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub it: T,
}

/// A table of the file.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) span: Span,
    pub(super) kind: Option<&'static str>,
    pub(super) groups: [Keys; 2],
    pub(super) entries: Vec<Entry>,
}

/// A key of the file with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: &'static Key,
    pub(super) value: Placed<Value>,
}

impl Table {
    /// A table without a line in the file: all its values are defaults.
    pub fn empty(name: &str, keys: Keys) -> Self {
        Self {
            name: name.into(),
            path: name.into(),
            span: 0..0,
            kind: None,
            groups: [keys, &[]],
            entries: Vec::new(),
        }
    }

    /// A check that was written as one value: its kind's own key is all it has.
    pub(super) fn with(
        name: &str,
        path: String,
        span: Span,
        kind: KindKeys,
        shared: Keys,
        value: Value,
    ) -> Self {
        let entry = find(kind.keys, kind.name)
            .map(|key| Entry { key, value: Placed { span: span.clone(), it: value } });
        Self {
            name: name.into(),
            path,
            span,
            kind: Some(kind.name),
            groups: [kind.keys, shared],
            entries: entry.into_iter().collect(),
        }
    }

    /// Its own name: `login` of `[service.api.check.login]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name in full: `service.api.check.login`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The registered kind that its keys say it is of.
    pub fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    /// Where it begins in the file.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Where the value of `name` stands; the table's own place where it is left out.
    pub fn span_of(&self, name: &str) -> Span {
        self.entry(name).map_or_else(|| self.span(), |value| value.span.clone())
    }

    /// Whether the file has the key.
    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Whether the file has nothing in this table.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, name: &str) -> Option<&Placed<Value>> {
        self.entries.iter().find(|entry| entry.key.name == name).map(|entry| &entry.value)
    }

    fn key(&self, name: &str) -> Option<&'static Key> {
        let key = self.groups.iter().find_map(|keys| find(keys, name));
        debug_assert!(key.is_some(), "{} has no key {name}", self.path);
        key
    }

    /// The value in the file, or the default of its key.
    pub fn value(&self, name: &str) -> Option<Value> {
        match self.entry(name) {
            Some(value) => Some(value.it.clone()),
            None => self.default_of(name),
        }
    }

    fn default_of(&self, name: &str) -> Option<Value> {
        let key = self.key(name)?;
        read::written(&key.shape, key.default?, &mut Mistakes::default())
    }

    /// A text; empty where there is neither value nor default.
    pub fn text(&self, name: &str) -> String {
        self.optional_text(name).unwrap_or_default()
    }

    /// A text.
    pub fn optional_text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A time; zero where there is neither value nor default.
    pub fn duration(&self, name: &str) -> Duration {
        self.optional_duration(name).unwrap_or_default()
    }

    /// A time.
    pub fn optional_duration(&self, name: &str) -> Option<Duration> {
        match self.value(name)? {
            Value::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    /// A size in bytes; 0 where there is neither value nor default.
    pub fn size(&self, name: &str) -> u64 {
        match self.value(name) {
            Some(Value::Size(bytes)) => bytes,
            _ => 0,
        }
    }

    /// A number, share or quantity; 0 where there is neither value nor default.
    pub fn number(&self, name: &str) -> f64 {
        self.optional_number(name).unwrap_or_default()
    }

    /// A number, share or quantity in its base unit.
    pub fn optional_number(&self, name: &str) -> Option<f64> {
        match self.value(name)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// A whole number, cut to what the type takes; 0 where there is neither
    /// value nor default.
    pub fn whole<T: TryFrom<i64> + Default>(&self, name: &str) -> T {
        self.optional_whole(name).unwrap_or_default()
    }

    /// A whole number, if there is one that the type takes.
    pub fn optional_whole<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        match self.value(name)? {
            Value::Integer(number) => T::try_from(number).ok(),
            _ => None,
        }
    }

    /// True or false; false where there is neither value nor default.
    pub fn flag(&self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or_default()
    }

    /// True or false.
    pub fn optional_flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// A regular expression.
    pub fn regex(&self, name: &str) -> Option<Regex> {
        match self.value(name)? {
            Value::Regex(regex) => Some(regex),
            _ => None,
        }
    }

    /// A secret, not yet resolved.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        match self.value(name)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// A list's values with their places; empty where there is none.
    pub fn list(&self, name: &str) -> Vec<Placed<Value>> {
        match self.value(name) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    /// The texts of a list with their places.
    pub fn placed_texts(&self, name: &str) -> Vec<Placed<String>> {
        self.list(name)
            .into_iter()
            .filter_map(|item| match item.it {
                Value::Text(text) => Some(Placed { span: item.span, it: text }),
                _ => None,
            })
            .collect()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.placed_texts(name).into_iter().map(|text| text.it).collect()
    }

    /// The whole numbers of a list.
    pub fn wholes<T: TryFrom<i64>>(&self, name: &str) -> Vec<T> {
        self.list(name)
            .into_iter()
            .filter_map(|item| match item.it {
                Value::Integer(number) => T::try_from(number).ok(),
                _ => None,
            })
            .collect()
    }

    /// A table with free keys; empty where there is none.
    pub fn map(&self, name: &str) -> Vec<(Placed<String>, Placed<Value>)> {
        match self.value(name) {
            Some(Value::Map(pairs)) => pairs,
            _ => Vec::new(),
        }
    }

    /// The texts of a table with free keys.
    pub fn text_map(&self, name: &str) -> Vec<(String, String)> {
        self.map(name)
            .into_iter()
            .filter_map(|(key, value)| match value.it {
                Value::Text(text) => Some((key.it, text)),
                _ => None,
            })
            .collect()
    }

    /// The secrets of a table with free keys: headers.
    pub fn secret_map(&self, name: &str) -> Vec<(String, Secret)> {
        self.map(name)
            .into_iter()
            .filter_map(|(key, value)| match value.it {
                Value::Secret(secret) => Some((key.it, secret)),
                _ => None,
            })
            .collect()
    }

    /// A table in this one, if the file has it.
    pub fn table(&self, name: &str) -> Option<&Table> {
        match &self.entry(name)?.it {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// A table in this one; all of it defaults where the file has none.
    #[must_use]
    pub fn table_or_defaults(&self, name: &str) -> Table {
        use super::keys::Shape::{Table as Plain, TableOr};
        match (self.table(name), self.key(name).map(|key| key.shape)) {
            (Some(table), _) => table.clone(),
            (None, Some(Plain(keys) | TableOr(_, keys))) => Self::empty(name, keys),
            (None, _) => Self::empty(name, &[]),
        }
    }

    /// Named tables in this one, in the order of the file.
    pub fn named(&self, name: &str) -> &[Table] {
        match self.entry(name).map(|value| &value.it) {
            Some(Value::Named(tables)) => tables,
            _ => &[],
        }
    }
}
