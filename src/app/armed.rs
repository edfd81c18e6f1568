//! Whether anything may be changed, in the frame: `READ-ONLY`, or `ARMED` with the time left.

use super::state::State;
use crate::domain::{Status, harmless_within};
use crate::ui::Theme;
use ratatui::style::Style;

/// What the frame says of it.
pub(crate) struct Mode {
    /// `READ-ONLY`, `ARMED 12:41`.
    pub(crate) word: String,
    /// Why it was armed.
    pub(crate) why: String,
    pub(crate) style: Style,
}

/// Nothing where changes need no arming and nobody has armed.
pub(crate) fn mode(state: &State, theme: &Theme) -> Option<Mode> {
    // Of now, even where the screen is held still: what is armed goes on counting.
    let now = state.known.now;
    if let Some(armed) = state.known.runs.armed_at(now) {
        let left = armed.until.since(now).as_secs();
        let word = match left / 3_600 {
            0 => format!("ARMED {}:{:02}", left / 60, left % 60),
            hours => format!("ARMED {hours}h{:02}m", left % 3_600 / 60),
        };
        let why = harmless_within(&armed.reason, 60);
        return Some(Mode { word, why, style: theme.frame_production() });
    }
    state.shown().inventory.armed_only.then(|| Mode {
        word: "READ-ONLY".into(),
        why: String::new(),
        style: theme.status(Status::Ok),
    })
}
