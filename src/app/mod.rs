//! The program as a function: state, update, view.

mod act;
mod ages;
mod armed;
mod completion;
mod explore;
mod help;
mod pages;
mod palette;
mod run_hints;
mod run_keys;
mod runs;
mod state;
mod strip;
mod typing;
mod update;
mod view;
mod wants;

pub use pages::Page;
pub use state::{Setting, State};
pub use update::update;
pub use view::view;

#[cfg(test)]
mod tests;
