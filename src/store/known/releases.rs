//! Releases: what was changed last, whoever tells of it.

use super::{Known, Turn};
use crate::domain::{Reading, SourceInfo};

impl Known {
    /// A source that tells of releases has answered: these are kept, the newest first.
    pub(super) fn releases_told(
        &mut self,
        _turn: &mut Turn,
        _info: &SourceInfo,
        _reading: &Reading,
    ) {
    }
}
