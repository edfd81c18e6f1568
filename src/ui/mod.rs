//! How things look: styles by meaning, glyphs, geometry, widgets, keys. No state of its own.

pub mod chart;
pub mod depth;
pub mod fuzzy;
pub mod glyphs;
pub mod input;
pub mod keys;
pub mod layout;
pub mod markdown;
pub mod sparkline;
pub mod table;
pub mod text;
pub mod theme;

pub use depth::Depth;
pub use glyphs::{ASCII, Glyphs, UNICODE};
pub use input::{Heard, LineInput};
pub use keys::{Binding, KeyMistake, Keys, Scope};
pub use theme::{Theme, ThemeMistake};
