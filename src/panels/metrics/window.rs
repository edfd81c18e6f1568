//! The stretch of time that is shown, and the cursor in it.

use crate::domain::Timestamp;
use crate::panels::ActCx;
use crate::panels::range::{Range, aligned};
use crate::store::Action;

/// Nobody looks further back than this.
const OLDEST: std::time::Duration = std::time::Duration::from_hours(24 * 400);

/// A stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Its end; none where it goes on with the time.
    pub(super) end: Option<Timestamp>,
    /// The moment that is looked at.
    pub(super) cursor: Option<Timestamp>,
}

impl Window {
    /// Its last moment, a multiple of the step.
    pub(super) fn until(self, cx: &ActCx<'_>) -> Timestamp {
        aligned(self.end.unwrap_or(cx.now), cx.range.step())
    }

    /// The moment under the cursor, held within what is shown.
    pub(super) fn at(self, cx: &ActCx<'_>) -> Option<Timestamp> {
        let until = self.until(cx);
        let cursor = aligned(self.cursor?, cx.range.step());
        Some(cursor.clamp(until - cx.range.length(), until))
    }

    /// Carries an action out; whether it was one that moves in time. Nothing is
    /// to be seen before `first`, where that is known.
    pub(super) fn act(&mut self, action: Action, cx: &ActCx<'_>, first: Option<Timestamp>) -> bool {
        let (step, length) = (cx.range.step(), cx.range.length());
        let until = self.until(cx);
        match action {
            Action::Left | Action::Right => {
                let back = |at: Timestamp| at - step;
                self.cursor = match (self.at(cx), action) {
                    (None, Action::Left) => Some(until),
                    (None, _) => return true,
                    (Some(at), Action::Left) => Some(back(at).max(until - length)),
                    (Some(at), _) => Some((at + step).min(until)),
                };
            }
            Action::Earlier => {
                let oldest = first.map_or(cx.now - OLDEST, |first| first + length / 4);
                let wanted = (until - length / 2).max(oldest.min(until));
                self.turn_to(wanted, cx);
            }
            Action::Later => self.turn_to(until + length / 2, cx),
            _ => return false,
        }
        true
    }

    /// The range becomes another one: what the cursor is at stays in the middle.
    pub(super) fn zoom(&mut self, cx: &ActCx<'_>, range: Range) {
        if let Some(at) = self.at(cx) {
            self.turn_to(at + range.length() / 2, cx);
        }
    }

    fn turn_to(&mut self, end: Timestamp, cx: &ActCx<'_>) {
        self.end = (end < cx.now).then_some(end);
    }
}
