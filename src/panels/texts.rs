//! Lines of text in a panel: facts with their names, wrapped where they are long.

use super::ViewCx;
use crate::domain::harmless_within;
use crate::store::Action;
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

/// A fact: its name and what it is.
pub(super) type Fact = (String, String);

/// How many lines these facts take in `width` columns.
fn height_of(facts: &[Fact], width: u16) -> usize {
    let room = usize::from(width).saturating_sub(NAME + 3);
    facts.iter().map(|(_, value)| text::wrap(&harmless_within(value, LONGEST), room).len()).sum()
}

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

/// Draws lines from the top of the area, as many as there is room for.
pub(super) fn draw(cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer, lines: Vec<Parts>) {
    for (i, line) in lines.into_iter().enumerate() {
        let Some(place) = text::line_of(area, i) else { break };
        text::write(buf, place, line, cx.theme.glyphs.cut);
    }
}

/// Where facts that do not all fit are read: of which thing, and from which line on.
#[derive(Debug)]
pub(super) struct Scroll<T> {
    of: Option<T>,
    from: usize,
}

impl<T> Default for Scroll<T> {
    fn default() -> Self {
        Self { of: None, from: 0 }
    }
}

impl<T: PartialEq> Scroll<T> {
    /// Another thing is read from its beginning.
    pub(super) fn turn_to(&mut self, of: Option<T>) {
        if self.of != of {
            *self = Self { of, from: 0 };
        }
    }

    /// Scrolls, in an area with a title line; whether the action was one that does.
    pub(super) fn act(&mut self, action: Action, area: Rect, facts: &[Fact]) -> bool {
        let height = usize::from(area.height.saturating_sub(1));
        let last = height_of(facts, area.width).saturating_sub(height);
        let from = self.from.min(last);
        let to = match action {
            Action::Up => from.saturating_sub(1),
            Action::Down => from + 1,
            Action::HalfUp => from.saturating_sub(height / 2),
            Action::HalfDown => from + height / 2,
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        self.from = to.min(last);
        true
    }

    /// Draws facts from where they are read; how many lines there are more is told.
    pub(super) fn draw(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer, facts: &[Fact]) {
        let lines = facts.iter().flat_map(|(name, value)| fact(cx, area.width, name, value));
        let lines: Vec<Parts> = lines.collect();
        let height = usize::from(area.height);
        let from = self.from.min(lines.len().saturating_sub(height));
        let below = lines.len() - from;
        let mut shown: Vec<Parts> = lines.into_iter().skip(from).take(height).collect();
        if below > height
            && let Some(last) = shown.last_mut()
        {
            let how = if cx.focused { "down scrolls" } else { "tab, then down" };
            let more = format!("  {} more lines: {how}", below - height + 1);
            *last = vec![(more.into(), cx.theme.key())];
        }
        draw(cx, area, buf, shown);
    }
}
