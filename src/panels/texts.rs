//! Lines of text in a panel: facts with their names, wrapped where they are long.

use super::ViewCx;
use crate::domain::harmless_within;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;

/// A line of parts.
pub(super) type Parts = Vec<(Cow<'static, str>, Style)>;

/// Longer facts are cut off.
const LONGEST: usize = 2_000;
const NAME: usize = 12;

/// A fact with its name: as many lines as it takes in `width` columns.
pub(super) fn fact(cx: &ViewCx<'_>, width: u16, name: &str, value: &str) -> Vec<Parts> {
    let room = usize::from(width).saturating_sub(NAME + 3);
    let value = harmless_within(value, LONGEST);
    let mut lines = Vec::new();
    for (i, line) in text::wrap(&value, room).into_iter().enumerate() {
        let name = if i == 0 { text::pad(name, NAME, false, "") } else { " ".repeat(NAME) };
        lines.push(vec![
            (format!("  {name} ").into(), cx.theme.faint()),
            (line.into(), cx.theme.text()),
        ]);
    }
    lines
}

/// A plain sentence.
pub(super) fn plain(cx: &ViewCx<'_>, sentence: &str) -> Parts {
    vec![(format!("  {sentence}").into(), cx.theme.faint())]
}

/// Draws lines from the top of the area; those that have no room are told.
pub(super) fn draw(cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer, lines: Vec<Parts>) {
    let count = lines.len();
    let height = usize::from(area.height);
    for (i, line) in lines.into_iter().take(height).enumerate() {
        let Some(place) = text::line_of(area, i) else { break };
        if i + 1 == height && count > height {
            let more = format!("  {} more lines: z shows the whole panel", count - i);
            text::write(buf, place, [(more.into(), cx.theme.faint())], cx.theme.glyphs.cut);
        } else {
            text::write(buf, place, line, cx.theme.glyphs.cut);
        }
    }
}
