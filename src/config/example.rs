//! `config.example.toml`: every key with its default, unit and meaning, made
//! from the tables of keys.
//!
//! Lines that begin with `# ` are prose; lines that begin with `#` alone are
//! config, and all of them together are a config without a mistake.

use super::keys::{Key, Keys, KindKeys, Shape, all, find, listed};
use super::root::ROOT;
use super::units::write_duration;
use std::fmt::Write;
use std::time::Duration;

const HEAD: &str = "\
# The config of opsroom: every key there is. `opsroom validate` checks a config.
#
# It is looked for at --config, $OPSROOM_CONFIG, ~/.config/opsroom/config.toml
# and /etc/opsroom/config.toml, never in the current folder, and only believed
# where nobody else can write it: it holds commands.
#
# A line shows the default, or an example where its comment ends with
# \"No default.\" Times have units: 500ms, 10s, 1h30m, 26h, 30d. Sizes too:
# 64 MiB, 1 GB. Shares are 5% or 0.05. Secrets are references: env:NAME,
# file:/path, cmd:command.
#
# Ten lines are enough to begin with:
#
#   prometheus = \"http://prometheus:9090\"
#
#   [service.api]
#   health = \"https://api.shop.example/healthz\"
#   job    = \"api\"
#
#   [hosts.node]
";

/// What the examples above refer to.
const TAIL: &str = "
# The service that `api` needs, in the examples above.
#[service.db]
#tcp = \"db-1:5432\"
";

/// The text of `config.example.toml`.
pub fn example(kinds: &[KindKeys]) -> String {
    let mut out = String::from(HEAD);
    Writer { kinds, out: &mut out }.table("", &[ROOT], None);
    out.push_str(TAIL);
    out
}

/// An example with all its config lines in force.
pub fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(config) if !config.is_empty() && !config.starts_with(' ') => config.to_owned(),
        _ => line.to_owned(),
    };
    example.lines().map(line).collect::<Vec<_>>().join("\n")
}

struct Writer<'w> {
    kinds: &'w [KindKeys],
    out: &'w mut String,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn table(&mut self, path: &str, groups: &[Keys], doc: Option<&str>) {
        if !path.is_empty() {
            self.line("");
            if let Some(doc) = doc {
                self.prose(doc);
            }
            self.line(&format!("#[{path}]"));
        }
        let keys = || groups.iter().flat_map(|keys| all(keys));
        let (tables, values): (Vec<&Key>, Vec<&Key>) =
            keys().partition(|key| is_table(&key.shape) && key.instead_of.is_none());
        for key in values {
            self.value(key);
        }
        for key in tables {
            let path =
                if path.is_empty() { key.name.into() } else { format!("{path}.{}", key.name) };
            self.sub_table(key, &path);
        }
    }

    fn sub_table(&mut self, key: &Key, path: &str) {
        match key.shape {
            Shape::Table(keys) => self.table(path, &[keys], Some(key.doc)),
            Shape::TableOr(short, keys) => {
                let value = find(keys, short).map(shown_value).unwrap_or_default();
                let doc = format!("{} In short: `{} = {value}`.", key.doc, key.name);
                self.table(path, &[keys], Some(&doc));
            }
            Shape::Named(keys) => {
                let name = match key.name {
                    "service" => "api",
                    "signal" => "queue",
                    _ => "node",
                };
                self.table(&format!("{path}.{name}"), &[keys], Some(key.doc));
            }
            Shape::Kinds(family, shared) => {
                let kinds = self.kinds.iter().filter(|kind| kind.family == family);
                for (i, kind) in kinds.enumerate() {
                    let path = format!("{path}.my-{}", kind.name);
                    if i == 0 {
                        self.table(&path, &[kind.keys, shared], Some(key.doc));
                    } else {
                        let doc = format!(
                            "The same with `{}`; what all {} share stands above.",
                            kind.name,
                            family.plural()
                        );
                        self.table(&path, &[kind.keys], Some(&doc));
                    }
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, key: &Key) {
        self.line("");
        let mut doc = String::from(key.doc);
        if let Some(bounds) = bounds(&key.shape) {
            let _ = write!(doc, " {bounds}");
        }
        if let Some(other) = key.instead_of {
            let _ = write!(doc, " Instead of `{other}`: `{} = {}`.", key.name, shown_value(key));
            self.prose(&doc);
            return;
        }
        if key.needed {
            doc.push_str(" Needed.");
        } else if key.default.is_none() {
            doc.push_str(" No default.");
        }
        self.prose(&doc);
        self.line(&format!("#{} = {}", key.name, shown_value(key)));
    }

    /// A comment, broken at 78 columns.
    fn prose(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.len() + 1 + word.len() > 78 && line.len() > 1 {
                self.line(&line);
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }
}

/// Written with a header of its own.
fn is_table(shape: &Shape) -> bool {
    matches!(shape, Shape::Table(_) | Shape::TableOr(..) | Shape::Named(_) | Shape::Kinds(..))
}

/// The default of a key, or an example, as TOML.
fn shown_value(key: &Key) -> String {
    match (key.default.or(key.example), &key.shape) {
        (Some(text), shape) if shape.quoted() => toml_text(text),
        (Some(text), _) => text.into(),
        (None, Shape::Table(keys)) => {
            let inner: Vec<String> = all(keys)
                .filter(|key| key.needed || key.default.is_some())
                .map(|key| format!("{} = {}", key.name, shown_value(key)))
                .collect();
            format!("{{ {} }}", inner.join(", "))
        }
        (None, _) => String::new(),
    }
}

/// A TOML string; in single quotes where that spares escapes.
fn toml_text(text: &str) -> String {
    let plain = !text.contains(['\'', '\n']);
    if plain && text.contains(['"', '\\']) {
        format!("'{text}'")
    } else {
        toml::Value::String(text.into()).to_string()
    }
}

fn bounds(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Duration { least, most } => Some(format!(
            "From {} to {}.",
            write_duration(Duration::from_millis(*least)),
            write_duration(Duration::from_millis(*most))
        )),
        Shape::Integer { min, max: i64::MAX } => Some(format!("At least {min}.")),
        Shape::Integer { min, max } => Some(format!("From {min} to {max}.")),
        Shape::OneOf(words) => Some(format!("One of {}.", listed(words))),
        Shape::OneOrMore(inner) => match inner {
            Shape::OneOf(words) => Some(format!("One or more of {}.", listed(words))),
            _ => Some("One, or a list.".into()),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Mistakes, key};

    const KINDS: &[KindKeys] = &[
        KindKeys {
            family: crate::config::Family::Check,
            name: "http",
            keys: &[&[key("http", Shape::Url, "The URL.").like("http://x/").needed()]],
        },
        KindKeys {
            family: crate::config::Family::Check,
            name: "tcp",
            keys: &[&[key("tcp", Shape::Address, "The port.").like("x:1").needed()]],
        },
    ];

    fn read(text: &str) -> Config {
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, KINDS, &mut mistakes);
        let shown = crate::config::render("x".as_ref(), text, &mistakes, false);
        assert!(mistakes.is_empty(), "{shown}");
        config
    }

    #[test]
    fn the_example_is_a_config_as_it_stands_and_with_all_lines_in_force() {
        let text = example(KINDS);
        assert!(read(&text).is_empty());
        let all = read(&uncommented(&text));
        assert_eq!((all.services.len(), all.scrapes.len(), all.hosts.len()), (2, 1, 1));
        assert_eq!(all.services[0].checks.len(), 4);
    }

    #[test]
    fn what_the_example_shows_as_default_is_the_default() {
        let (shown, none) = (read(&uncommented(&example(KINDS))), read(""));
        assert_eq!(shown.poll, none.poll);
        assert_eq!(shown.memory, none.memory);
        assert_eq!(shown.screen, none.screen);
        assert_eq!(shown.environment, none.environment);
        let plain = read("prometheus = 'http://p'\n[service.api]\njob = 'api'\n[hosts.node]");
        let (shown_api, api) = (&shown.services[0], &plain.services[0]);
        let thresholds = |service: &crate::config::Service| {
            let requests = service.requests.as_ref().unwrap();
            (requests.errors.thresholds, requests.latency.thresholds, requests.window)
        };
        assert_eq!(thresholds(shown_api), thresholds(api));
        assert_eq!(shown.hosts[0].disk.thresholds, plain.hosts[0].disk.thresholds);
    }

    #[test]
    fn every_key_has_a_value_to_show_that_is_good_for_it() {
        fn walk(keys: Keys, path: &str) {
            for key in all(keys) {
                let path = format!("{path}.{}", key.name);
                assert!(key.doc.ends_with(['.', '?']), "{path}: {}", key.doc);
                match key.shape {
                    Shape::Table(keys)
                    | Shape::TableOr(_, keys)
                    | Shape::Named(keys)
                    | Shape::Kinds(_, keys) => walk(keys, &path),
                    shape => {
                        let text = key.default.or(key.example);
                        let text = text.unwrap_or_else(|| panic!("{path} shows nothing"));
                        let mut mistakes = Mistakes::default();
                        let value = super::super::read::written(&shape, text, &mut mistakes);
                        assert!(value.is_some() && mistakes.is_empty(), "{path}: {mistakes:?}");
                    }
                }
            }
        }
        walk(ROOT, "");
    }
}
