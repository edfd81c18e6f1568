//! The config: its keys, their reading, mistakes and defaults.

pub mod bindings;
pub mod client;
pub mod discover;
mod file;
mod inventory;
pub mod keys;
pub mod mistakes;
pub mod presets;
mod read;
pub mod render;
pub mod root;
pub mod secret;
pub mod service;
pub mod shape;
pub mod table;
pub mod units;

pub use bindings::Binding;
pub use client::{AUTH, Auth, CLIENT, Client};
pub use discover::{DiscoverError, Found, discover};
pub use file::home_path;
pub use keys::{Key, Keys, KindKeys, Shape, key};
pub use mistakes::{Mistake, Mistakes, Span};
pub use read::document;
pub use render::{in_one_line, render};
pub use secret::{Secret, SecretError, SecretValue};
pub use service::{Check, Limits, OwnSignal, Requests, Service};
pub use shape::{Colors, Config, Glyphs, Hosts, Memory, Poll, Scrape, Screen, Server, Target};
pub use table::{Placed, Table, Value};
