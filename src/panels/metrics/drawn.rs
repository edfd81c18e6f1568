//! Which series of an answer are drawn, and on which scale.

use super::{DRAWN, Metrics};
use crate::domain::Labels;
use crate::metrics::promql::{counts, parse};
use crate::panels::ActCx;
use crate::ui::chart::{Base, Scale};

impl Metrics {
    /// Whether a series may be drawn.
    pub(super) fn shows(&self, labels: &Labels) -> bool {
        match &self.only {
            Some(only) => labels == only,
            None => !self.hidden.contains(labels),
        }
    }

    /// Of how many series twelve are drawn.
    pub(super) fn shown(&self) -> usize {
        match &self.only {
            Some(_) => 1,
            None => self.rows.iter().filter(|labels| self.shows(labels)).count(),
        }
    }

    /// Picks which series are drawn: twelve of those that are shown. Who was
    /// drawn before keeps its colour.
    pub(super) fn pick(&mut self) {
        self.group = self.group.min(self.shown().saturating_sub(1) / DRAWN);
        let shown = self.rows.iter().filter(|labels| self.shows(labels));
        let group = if self.only.is_some() { 0 } else { self.group };
        let mut wanted: Vec<Labels> = shown.skip(group * DRAWN).take(DRAWN).cloned().collect();
        self.slots.resize(DRAWN, None);
        for slot in &mut self.slots {
            let kept = slot.as_ref().and_then(|of| wanted.iter().position(|labels| labels == of));
            match kept {
                Some(at) => drop(wanted.remove(at)),
                None => *slot = None,
            }
        }
        let mut wanted = wanted.into_iter();
        for slot in self.slots.iter_mut().filter(|slot| slot.is_none()) {
            *slot = wanted.next();
        }
    }

    /// Draws the next twelve series, or those before; after the last the first.
    /// The list goes along.
    pub(super) fn turn(&mut self, next: bool) {
        self.only = None;
        let groups = self.shown().div_ceil(DRAWN).max(1);
        let step = if next { 1 } else { groups - 1 };
        self.group = (self.group + step) % groups;
        self.pick();
        if groups > 1 {
            let mut shown = self.rows.iter().filter(|labels| self.shows(labels));
            let first = shown.nth(self.group * DRAWN).cloned();
            drop(shown);
            if let Some(first) = first {
                self.rows.lead_with(&first);
            }
        }
    }

    /// Only the selected series, or all of them again.
    pub(super) fn isolate(&mut self) {
        let selected = self.rows.selected().cloned();
        self.only = if self.only.is_some() && self.only == selected { None } else { selected };
        self.pick();
    }

    pub(super) fn toggle(&mut self) {
        self.only = None;
        if let Some(labels) = self.rows.selected().cloned()
            && !self.hidden.remove(&labels)
        {
            self.hidden.insert(labels);
        }
        self.pick();
    }

    /// What is counted begins at zero; anything else where its values are.
    pub(super) fn usual_base(expression: &str) -> Base {
        if parse(expression).is_ok_and(|expr| counts(&expr)) { Base::Zero } else { Base::Auto }
    }

    /// From zero, or fit to the values: the one that is not drawn now.
    pub(super) fn change_scale(&mut self, cx: &ActCx<'_>) {
        let series = self.series();
        let scale = self.chart_of(cx, &series).scale(cx.area.width);
        let from_zero = scale.is_none_or(Scale::has_zero);
        self.base = if from_zero { Base::Fit } else { Base::Zero };
    }
}
