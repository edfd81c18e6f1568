//! The expression, and what is to be said of it: its mistake with a caret under
//! it, warnings, hints, how long it has been asked for.

use super::Metrics;
use crate::domain::{EngineKind, harmless_within, units};
use crate::metrics::promql::parse;
use crate::panels::{ActCx, ViewCx, cells, plot};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

/// An answer that takes longer is one that a person waits for.
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// A long expression takes so many lines at most.
const LINES: usize = 3;
/// So many warnings and hints at most.
const NOTES: usize = 2;

/// What is wrong with the expression, and where in bytes.
pub(super) type Mistake = (String, Option<(usize, usize)>);

impl Metrics {
    pub(super) fn mistake(&self, cx: &ActCx<'_>) -> Option<Mistake> {
        if cx.words.expression.is_empty() {
            return None;
        }
        // A text has no chart, and is no mistake for that.
        let answers = [self.chart.answer().filter(|_| !self.is_text()), self.now.answer()];
        let failed = answers.into_iter().flatten().find_map(|answer| answer.outcome.as_ref().err());
        if let Some(error) = failed {
            return Some((harmless_within(&error.message, cells::LONGEST), error.span));
        }
        let answered = self.chart.answer().is_some() || self.now.answer().is_some();
        // Told before anyone is asked: what cannot be read cannot be answered.
        // Another engine may know more of the language than this one.
        if answered || cx.known.inventory.engine == Some(EngineKind::Server) {
            return None;
        }
        parse(&cx.words.expression).err().map(|error| {
            (harmless_within(&error.message, cells::LONGEST), Some((error.start, error.end)))
        })
    }

    /// How long an answer has been waited for, where that is long.
    pub(super) fn waited(&self, cx: &ActCx<'_>) -> Option<Duration> {
        let since = self.asked_ids().filter_map(|id| cx.words.waiting.get(&id).copied()).min()?;
        // What is waited for goes on while the screen is held still.
        Some(cx.words.clock.since(since)).filter(|waited| *waited >= SLOW && !self.is_stopped(cx))
    }

    /// What is said under the expression.
    fn notes(&self, cx: &ViewCx<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.is_stopped(&cx.act) {
            notes.push("stopped; e then enter asks again".to_owned());
        } else if let Some(waited) = self.waited(&cx.act) {
            notes.push(format!("no answer for {} yet; esc stops asking", units::age(waited)));
        }
        let said = [self.now.answer(), self.chart.answer()];
        for answer in said.into_iter().flatten() {
            let told = plot::notes(answer);
            let hints = answer.infos.iter().map(|info| harmless_within(info, cells::LONGEST));
            for note in std::iter::once(told).filter(|told| !told.is_empty()).chain(hints) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }

    /// How many lines stand above the chart.
    pub(super) fn head_height(&self, cx: &ViewCx<'_>, width: u16) -> u16 {
        let below = match self.mistake(&cx.act) {
            Some((_, Some(_))) => 3,
            Some((_, None)) => 1 + written(cx, width).len(),
            None => written(cx, width).len() + self.notes(cx).len().min(NOTES),
        };
        1 + u16::try_from(below).unwrap_or(0)
    }

    /// The expression, with a caret under its mistake, else what is to be noted.
    pub(super) fn draw_expression(&self, cx: &ViewCx<'_>, head: Rect, buf: &mut Buffer) {
        let expr = cx.act.words.expression.as_str();
        let wide = usize::from(head.width).saturating_sub(3);
        let found = self.mistake(&cx.act);
        let span = found.as_ref().and_then(|(_, span)| *span);
        let column = |byte: usize| {
            let byte = (0..=byte.min(expr.len())).rev().find(|at| expr.is_char_boundary(*at));
            text::width(&expr[..byte.unwrap_or(0)])
        };
        let bad = cx.theme.bad_notice();
        let mut at = 1;
        if let Some((start, end)) = span {
            // A long expression is shown around its mistake.
            let skipped = (column(start) + 10).saturating_sub(wide);
            if let Some(line) = text::line_of(head, at) {
                let shown = text::skip(expr, skipped);
                let parts = [("  ".into(), cx.theme.text()), (shown, cx.theme.strong())];
                text::write(buf, line, parts, cx.theme.glyphs.cut);
            }
            let from = column(start).saturating_sub(skipped);
            let room = wide.saturating_sub(from).max(1);
            let long = column(end).saturating_sub(column(start)).clamp(1, room);
            let caret = format!("{}{}", " ".repeat(from + 2), "^".repeat(long));
            if let Some(line) = text::line_of(head, at + 1) {
                text::write(buf, line, [(caret.into(), bad)], "");
            }
            at += 2;
        } else {
            for part in written(cx, head.width) {
                let Some(line) = text::line_of(head, at) else { return };
                let parts = [("  ".into(), cx.theme.text()), (part.into(), cx.theme.strong())];
                text::write(buf, line, parts, cx.theme.glyphs.cut);
                at += 1;
            }
        }
        if let Some((message, _)) = found {
            if let Some(line) = text::line_of(head, at) {
                let said = format!("  {message}");
                text::write(buf, line, [(said.into(), bad)], cx.theme.glyphs.cut);
            }
            return;
        }
        let notes = self.notes(cx);
        let hidden = notes.len().saturating_sub(NOTES);
        for (i, note) in notes.iter().take(NOTES).enumerate() {
            let Some(line) = text::line_of(head, at + i) else { return };
            let last = i + 1 == NOTES && hidden > 0;
            let more = if last { format!(" (+{hidden} more)") } else { String::new() };
            let room = usize::from(line.width).saturating_sub(2 + more.len());
            let said = text::cut(note, room, cx.theme.glyphs.cut);
            let said = format!("  {said}{more}");
            text::write(buf, line, [(said.into(), cx.theme.stale())], cx.theme.glyphs.cut);
        }
    }
}

/// The expression in lines; what has no room in them is marked as cut off.
fn written(cx: &ViewCx<'_>, width: u16) -> Vec<String> {
    let wide = usize::from(width).saturating_sub(3);
    let mut lines = text::fold(&cx.act.words.expression, wide);
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}{}", text::cut(last, wide - 1, ""), cx.theme.glyphs.cut);
        }
    }
    lines
}
