//! From a TOML document to typed tables: every mistake is collected, none ends
//! the reading.

use super::forms::{good_name, is_address, is_code, password_in, web_address};
use super::keys::{Family, Key, Keys, KindKeys, Shape, all, find, listed, nearest};
use super::mistakes::{Mistakes, Span};
use super::secret::Secret;
use super::table::{Entry, Placed, Table, Value};
use super::units;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How many syntax errors are reported at most: one often brings others.
const SYNTAX_ERRORS: usize = 5;

/// Reads a whole file with the root's keys. A file that is not TOML gives its
/// syntax errors alone.
pub fn document(text: &str, keys: Keys, kinds: &[KindKeys], mistakes: &mut Mistakes) -> Table {
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut reader = Reader { kinds, mistakes };
        return reader.table(Place::root(), root.get_ref(), [keys, &[]]);
    }
    for error in errors.iter().take(SYNTAX_ERRORS) {
        let span = error.span().unwrap_or(text.len()..text.len());
        mistakes.wrong(span, format!("not TOML: {}", error.message()));
    }
    Table::empty("", keys)
}

/// Reads a value that is written as in `Key::default`.
pub(super) fn written(shape: &Shape, text: &str, mistakes: &mut Mistakes) -> Option<Value> {
    let mut reader = Reader { kinds: &[], mistakes };
    if shape.quoted() {
        let value = DeValue::String(text.into());
        return reader.value(&Place::root(), shape, &Spanned::new(0..0, value));
    }
    let value = DeValue::parse(text).ok()?;
    reader.value(&Place::root(), shape, &value)
}

struct Reader<'r> {
    kinds: &'r [KindKeys],
    mistakes: &'r mut Mistakes,
}

/// Where the reader is: the key that leads there.
struct Place {
    name: String,
    path: String,
    span: Span,
}

impl Place {
    fn root() -> Self {
        Self { name: String::new(), path: String::new(), span: 0..0 }
    }

    fn within(&self, name: &str, span: Span) -> Self {
        let path = if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) };
        Self { name: name.into(), path, span }
    }

    /// "in `[service.api]`", or nothing at the root.
    fn words(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) }
    }
}

impl Reader<'_> {
    fn table(&mut self, place: Place, raw: &DeTable<'_>, groups: [Keys; 2]) -> Table {
        let entries = self.entries(&place, raw, &groups);
        let has = |key: &Key| raw.keys().any(|name| name.get_ref() == key.name);
        for key in groups.iter().flat_map(|keys| all(keys)).filter(|key| key.needed) {
            if !has(key) {
                let message = format!("`{}` is missing{}", key.name, place.words());
                self.mistakes.wrong_but(place.span.clone(), message, key.doc);
            }
        }
        let Place { name, path, span } = place;
        Table { name, path, span, kind: None, groups, entries }
    }

    fn entries(&mut self, place: &Place, raw: &DeTable<'_>, groups: &[Keys]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (name, value) in raw {
            let Some(key) = groups.iter().find_map(|keys| find(keys, name.get_ref())) else {
                self.unknown_key(place, name, value, groups);
                continue;
            };
            let here = place.within(key.name, name.span());
            if let Some(it) = self.value(&here, &key.shape, value) {
                entries.push(Entry { key, value: Placed { span: value_span(name, value), it } });
            }
        }
        entries
    }

    fn unknown_key(
        &mut self,
        place: &Place,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        groups: &[Keys],
    ) {
        let known: Vec<&str> =
            groups.iter().flat_map(|keys| all(keys)).map(|key| key.name).collect();
        let message = format!("unknown key `{}`{}", short(name.get_ref()), place.words());
        let meant = nearest(name.get_ref(), known.iter().copied());
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", listed(&known)),
        };
        let meant = meant.and_then(|meant| groups.iter().find_map(|keys| find(keys, meant)));
        if meant.is_none_or(|key| key.shape.may_hold_a_secret()) {
            self.hide(value);
        }
        self.mistakes.wrong_but(name.span(), message, help);
    }

    /// Keeps every text in a value from being shown.
    fn hide(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => table.values().for_each(|inner| self.hide(inner)),
            DeValue::Array(items) => items.iter().for_each(|inner| self.hide(inner)),
            _ => self.mistakes.hide(value.span()),
        }
    }

    fn not(&mut self, place: &Place, shape: &Shape, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        if matches!(shape, Shape::Secret | Shape::Header) {
            self.hide(value);
        }
        let span = if value.get_ref().is_table() { place.span.clone() } else { value.span() };
        let message = format!("`{}` is {found}", short(&place.path));
        self.mistakes.wrong_but(span, message, format!("expected {}", shape.expected()));
        None
    }

    fn refuse(
        &mut self,
        place: &Place,
        value: &Spanned<DeValue<'_>>,
        why: &str,
        help: impl Into<String>,
    ) -> Option<Value> {
        let message = format!("`{}` {why}", short(&place.path));
        self.mistakes.wrong_but(value.span(), message, help);
        None
    }

    fn value(
        &mut self,
        place: &Place,
        shape: &Shape,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        match (shape, value.get_ref()) {
            (Shape::Integer { min, max }, DeValue::Integer(raw)) => {
                let number = i64::from_str_radix(raw.as_str(), raw.radix()).ok();
                if let Some(number) = number.filter(|number| number >= min && number <= max) {
                    return Some(Value::Integer(number));
                }
                let help = format!("expected {}", shape.expected());
                self.refuse(place, value, "is out of bounds", help)
            }
            (Shape::Code, DeValue::Integer(raw)) if is_code(raw.as_str()) => {
                Some(Value::Text(raw.as_str().into()))
            }
            (Shape::Ratio | Shape::Quantity | Shape::Number, raw) => {
                self.number(place, shape, value, raw)
            }
            (Shape::Bool, DeValue::Boolean(flag)) => Some(Value::Bool(*flag)),
            (Shape::List(inner) | Shape::OneOrMore(inner), DeValue::Array(items)) => {
                let read = |item: &Spanned<DeValue<'_>>| {
                    let it = self.value(place, inner, item)?;
                    Some(Placed { span: item.span(), it })
                };
                Some(Value::List(items.iter().filter_map(read).collect()))
            }
            (Shape::OneOrMore(inner), raw) if !raw.is_table() => {
                let it = self.value(place, inner, value)?;
                Some(Value::List(vec![Placed { span: value.span(), it }]))
            }
            (Shape::Map(inner), DeValue::Table(table)) => {
                let mut pairs = Vec::new();
                for (name, item) in table {
                    let here = place.within(name.get_ref(), name.span());
                    if let Some(it) = self.value(&here, inner, item) {
                        let key = Placed { span: name.span(), it: name.get_ref().to_string() };
                        pairs.push((key, Placed { span: value_span(name, item), it }));
                    }
                }
                Some(Value::Map(pairs))
            }
            (Shape::Table(keys) | Shape::TableOr(_, keys), DeValue::Table(table)) => {
                let here = Place {
                    name: place.name.clone(),
                    path: place.path.clone(),
                    span: place.span.clone(),
                };
                Some(Value::Table(self.table(here, table, [keys, &[]])))
            }
            (Shape::TableOr(short, keys), DeValue::String(_) | DeValue::Array(_)) => {
                let key = find(keys, short)?;
                let it = self.value(place, &key.shape, value)?;
                let mut table = Table::empty(&place.name, keys);
                table.path.clone_from(&place.path);
                table.span = value.span();
                table.entries.push(Entry { key, value: Placed { span: value.span(), it } });
                Some(Value::Table(table))
            }
            (Shape::Named(keys), DeValue::Table(tables)) => {
                Some(Value::Named(self.named(place, tables, keys, None)))
            }
            (Shape::Kinds(family, keys), DeValue::Table(tables)) => {
                Some(Value::Named(self.named(place, tables, keys, Some(*family))))
            }
            (_, DeValue::String(text)) if shape.quoted() => self.text(place, shape, value, text),
            _ => self.not(place, shape, value),
        }
    }

    fn named(
        &mut self,
        place: &Place,
        tables: &DeTable<'_>,
        keys: Keys,
        family: Option<Family>,
    ) -> Vec<Table> {
        let mut read = Vec::new();
        for (name, value) in tables {
            let here = place.within(name.get_ref(), name.span());
            let DeValue::Table(raw) = value.get_ref() else {
                self.hide(value);
                let message = format!("`{}` is not a table", short(&here.path));
                let help = format!("`{}` holds tables that are named by you", place.path);
                self.mistakes.wrong_but(name.span(), message, help);
                continue;
            };
            if !good_name(name.get_ref()) {
                let message = format!("`{}` is no good name", short(name.get_ref()));
                let help = "a name has 1 to 64 letters, digits, `-`, `_`, `.` or `:`";
                self.mistakes.wrong_but(name.span(), message, help);
            }
            if let Some(family) = family {
                read.extend(self.of_a_kind(here, raw, family, keys));
            } else {
                read.push(self.table(here, raw, [keys, &[]]));
            }
        }
        read
    }

    fn of_a_kind(
        &mut self,
        place: Place,
        raw: &DeTable<'_>,
        family: Family,
        shared: Keys,
    ) -> Option<Table> {
        let kinds = || self.kinds.iter().filter(|kind| kind.family == family);
        let names: Vec<&str> = kinds().map(|kind| kind.name).collect();
        let found: Vec<(KindKeys, Span)> = raw
            .keys()
            .filter_map(|name| {
                let kind = kinds().find(|kind| kind.name == name.get_ref())?;
                Some((*kind, name.span()))
            })
            .collect();
        let Some((kind, _)) = found.first() else {
            let message = format!("`{}` does not say what is asked", short(&place.path));
            let meant = raw
                .keys()
                .filter(|name| find(shared, name.get_ref()).is_none())
                .find_map(|name| nearest(name.get_ref(), names.iter().copied()));
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("say it with {}", listed(&names)),
            };
            raw.values().for_each(|value| self.hide(value));
            self.mistakes.wrong_but(place.span, message, help);
            return None;
        };
        if let Some((other, span)) = found.get(1) {
            let message = format!("`{}` asks twice", short(&place.path));
            let two = family.plural();
            let help = format!("`{}` and `{}` are two {two}", kind.name, other.name);
            self.mistakes.wrong_but(span.clone(), message, help);
            // Whichever stays: what else is wrong is told at once.
            let keys = found.iter().map(|(kind, _)| kind.keys).chain([shared]);
            let entries = self.entries(&place, raw, &keys.collect::<Vec<_>>());
            let Place { name, path, span } = place;
            let groups = [kind.keys, shared];
            return Some(Table { name, path, span, kind: Some(kind.name), groups, entries });
        }
        let mut table = self.table(place, raw, [kind.keys, shared]);
        table.kind = Some(kind.name);
        Some(table)
    }

    fn number(
        &mut self,
        place: &Place,
        shape: &Shape,
        value: &Spanned<DeValue<'_>>,
        raw: &DeValue<'_>,
    ) -> Option<Value> {
        let number = match raw {
            DeValue::Float(raw) => raw.as_str().parse().ok(),
            DeValue::Integer(raw) => {
                i64::from_str_radix(raw.as_str(), raw.radix()).ok().map(|number| number as f64)
            }
            DeValue::String(text) if matches!(shape, Shape::Ratio) => units::percent(text),
            DeValue::String(text) if matches!(shape, Shape::Quantity) => units::quantity(text),
            _ => return self.not(place, shape, value),
        };
        let ratio = matches!(shape, Shape::Ratio);
        match number
            .filter(|number: &f64| number.is_finite() && (!ratio || (0.0..=1.0).contains(number)))
        {
            Some(number) => Some(Value::Number(number)),
            None if ratio && number.is_some() => {
                let help = "a share is from 0 to 1, or \"0%\" to \"100%\"";
                self.refuse(place, value, "is out of bounds", help)
            }
            None => {
                let help = format!("expected {}", shape.expected());
                self.refuse(place, value, "is not understood", help)
            }
        }
    }

    fn text(
        &mut self,
        place: &Place,
        shape: &Shape,
        value: &Spanned<DeValue<'_>>,
        text: &str,
    ) -> Option<Value> {
        let help = || format!("expected {}", shape.expected());
        match shape {
            Shape::Duration { least, most } => {
                let Some(time) = units::duration(text) else {
                    return self.refuse(place, value, "is not understood", help());
                };
                let bounds = Duration::from_millis(*least)..=Duration::from_millis(*most);
                if bounds.contains(&time) {
                    return Some(Value::Duration(time));
                }
                let help = format!(
                    "expected a time from {} to {}",
                    units::write_duration(*bounds.start()),
                    units::write_duration(*bounds.end())
                );
                self.refuse(place, value, "is out of bounds", help)
            }
            Shape::Size => match units::size(text) {
                Some(bytes) => Some(Value::Size(bytes)),
                None => self.refuse(place, value, "is not understood", help()),
            },
            Shape::Regex => match regex::Regex::new(text) {
                Ok(regex) => Some(Value::Regex(regex)),
                Err(error) => {
                    let last = error.to_string();
                    let reason = last.lines().last().unwrap_or_default();
                    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                    self.refuse(place, value, "is not a regular expression", short(reason))
                }
            },
            Shape::Secret | Shape::Header => self.secret(place, shape, value, text),
            Shape::OneOf(words) if !words.contains(&text) => {
                let help = match nearest(text, words.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => help(),
                };
                self.refuse(place, value, &format!("cannot be `{}`", short(text)), help)
            }
            Shape::Url => {
                if let Some(span) = password_in(text, &value.span()) {
                    self.mistakes.hide(span.clone());
                    let message =
                        format!("`{}` holds a password in plain text", short(&place.path));
                    let help = "write `auth = { basic = { user = ..., password = \"env:NAME\" } }`";
                    self.mistakes.unwise(span, message, help);
                }
                match web_address(text) {
                    Ok(()) => Some(Value::Text(text.into())),
                    Err(why) => self.refuse(place, value, why, help()),
                }
            }
            Shape::Address if !is_address(text) => {
                self.refuse(place, value, "is not host and port", help())
            }
            Shape::Path if !text.starts_with('/') && !text.starts_with("~/") => {
                self.refuse(place, value, "is no whole path", help())
            }
            Shape::Code if !is_code(text) => self.refuse(place, value, "is no HTTP code", help()),
            Shape::Name | Shape::PromQl if text.trim().is_empty() => {
                self.refuse(place, value, "is empty", help())
            }
            _ => Some(Value::Text(text.into())),
        }
    }

    fn secret(
        &mut self,
        place: &Place,
        shape: &Shape,
        value: &Spanned<DeValue<'_>>,
        text: &str,
    ) -> Option<Value> {
        let secret = Secret::parse(text);
        if secret.is_plain() {
            self.mistakes.hide(value.span());
            if matches!(shape, Shape::Secret) {
                let message = format!("`{}` holds a secret in plain text", short(&place.path));
                let help = "write \"env:NAME\", \"file:/path\" or \"cmd:command\" instead";
                self.mistakes.unwise(value.span(), message, help);
            }
        }
        if secret.is_empty() {
            let help = format!("expected {}", shape.expected());
            return self.refuse(place, value, "is empty", help);
        }
        Some(Value::Secret(secret))
    }
}

/// Tables that stand in headers of their own are pointed at by their name.
fn value_span(name: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Span {
    if value.get_ref().is_table() { name.span() } else { value.span() }
}

/// A text from the file, cut for a message.
fn short(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.into();
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
