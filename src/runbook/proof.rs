//! What a run did and what proves it, as Markdown.

use crate::domain::runs::Entry;

/// The Markdown of a run, from its records; none where it never began.
pub fn markdown(_entries: &[Entry]) -> Option<String> {
    None
}
