//! The config: its keys, their reading, mistakes and defaults.
//!
//! **A new key is one line** in a table of keys: those of the file's own
//! tables stand in [`root`], those of HTTP clients in [`client`], those of a
//! kind of check beside its source in `sources/`. From that line come the
//! reader with its mistakes and did-you-mean, the default, a line of
//! `config.example.toml` and a property of the JSON Schema:
//!
//! ```text
//! key("owner", Shape::Text, "Who owns it.").like("team payments"),   // no default, an example
//! key("every", Shape::EVERY, "How often it is asked.").or("10s"),    // a default
//! ```
//! The code that wants the value asks its [`Table`] for it:
//! `table.optional_text("owner")`, `table.duration("every")`. Then run the
//! tests once with `OPSROOM_WRITE_EXAMPLE=1`, which writes the example anew.
//!
//! The way of a file: [`discover()`] finds it and refuses it where others could
//! have written it; [`Config::read`] turns its text into typed values and
//! collects all [`Mistakes`]; [`render()`] shows them. Mistakes never end the
//! reading: a value that is wrong counts as left out, and whoever holds a
//! `Config` looks at [`Mistakes::is_empty`] before using it. What a check asks
//! stays in its [`Table`], for the source of its kind.

pub mod alerting;
pub mod backup;
pub mod bindings;
pub mod client;
pub mod discover;
pub mod example;
mod file;
mod forms;
mod inventory;
pub mod keys;
pub mod mistakes;
pub mod presets;
mod read;
pub mod render;
pub mod root;
pub mod rules;
pub mod runbooks;
pub mod schema;
pub mod secret;
pub mod service;
pub mod shape;
pub mod table;
pub mod tracker;
pub mod units;

pub use alerting::Alertmanager;
pub use backup::{Backup, Releases};
pub use bindings::Binding;
pub use client::{AUTH, Auth, CLIENT, Client, TRUST};
pub use discover::{DiscoverError, Found, discover};
pub use example::{example, uncommented};
pub use file::home_path;
pub use keys::{Family, Key, Keys, KindKeys, Shape, key};
pub use mistakes::{Mistake, Mistakes, Span};
pub use read::document;
pub use render::{in_one_line, render};
pub use rules::Rules;
pub use runbooks::{Journal, Role, Runbooks};
pub use schema::schema;
pub use secret::{Secret, SecretError, SecretValue};
pub(crate) use service::thresholds;
pub use service::{Check, Limits, OwnSignal, Requests, Service};
pub use shape::{Colors, Config, Glyphs, Hosts, Memory, Poll, Scrape, Screen, Server, Target};
pub use table::{Placed, Table, Value};
pub use tracker::{Tracker, TrackerKind};
