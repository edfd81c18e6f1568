//! Alerts that others raise, and what they say of themselves.

use super::{Known, Turn};
use crate::domain::SourceInfo;

impl Known {
    /// A source of alerts or targets has answered or failed.
    pub(super) fn reported(&mut self, _turn: &mut Turn, _info: &SourceInfo) {}
}
