//! Lines of text in a panel: facts with their names, wrapped where they are long.

use super::ViewCx;
use crate::domain::{Status, harmless_within};
use crate::store::Action;
use crate::ui::{Theme, text};
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

/// What can be told as a fact.
pub(super) trait Told {
    /// Its name; may be empty.
    fn name(&self) -> &str;
    /// What it is.
    fn value(&self) -> &str;
    /// How it looks.
    fn style(&self, theme: &Theme) -> Style {
        theme.text()
    }
    /// It takes one line and is cut off there, its spaces as they are.
    fn is_one_line(&self) -> bool {
        false
    }
}

impl Told for Fact {
    fn name(&self) -> &str {
        &self.0
    }

    fn value(&self) -> &str {
        &self.1
    }
}

/// A fact that looks like what it says.
#[derive(Clone, Debug)]
pub(super) struct Toned {
    fact: Fact,
    tone: Tone,
    one_line: bool,
}

#[derive(Clone, Copy, Debug)]
enum Tone {
    Plain,
    Strong,
    Faint,
    Of(Status),
}

impl Toned {
    /// In plain text.
    pub(super) fn new(name: &str, value: impl Into<String>) -> Self {
        let fact = (name.to_owned(), value.into());
        Self { fact, tone: Tone::Plain, one_line: false }
    }

    /// In the colour of a status; ok is plain.
    pub(super) fn of(self, status: Status) -> Self {
        let tone = if status == Status::Ok { self.tone } else { Tone::Of(status) };
        Self { tone, ..self }
    }

    /// Matters more.
    pub(super) fn strong(self) -> Self {
        Self { tone: Tone::Strong, ..self }
    }

    /// Matters less.
    pub(super) fn faint(self) -> Self {
        Self { tone: Tone::Faint, ..self }
    }

    /// Not wrapped.
    pub(super) fn one_line(self) -> Self {
        Self { one_line: true, ..self }
    }
}

impl Told for Toned {
    fn name(&self) -> &str {
        &self.fact.0
    }

    fn value(&self) -> &str {
        &self.fact.1
    }

    fn style(&self, theme: &Theme) -> Style {
        match self.tone {
            Tone::Plain => theme.text(),
            Tone::Strong => theme.strong(),
            Tone::Faint => theme.faint(),
            Tone::Of(status) => theme.status(status),
        }
    }

    fn is_one_line(&self) -> bool {
        self.one_line
    }
}

/// How many lines these facts take in `width` columns.
fn height_of<F: Told>(facts: &[F], width: u16) -> usize {
    facts.iter().map(|fact| lines_of(fact, width).len()).sum()
}

fn lines_of(fact: &impl Told, width: u16) -> Vec<String> {
    let value = harmless_within(fact.value(), LONGEST);
    if fact.is_one_line() {
        return vec![value];
    }
    text::wrap(&value, usize::from(width).saturating_sub(NAME + 3))
}

/// A fact with its name: as many lines as it takes in `width` columns.
pub(super) fn fact(cx: &ViewCx<'_>, width: u16, name: &str, value: &str) -> Vec<Parts> {
    told(cx, width, &(name.to_owned(), value.to_owned()))
}

fn told(cx: &ViewCx<'_>, width: u16, fact: &impl Told) -> Vec<Parts> {
    let mut lines = Vec::new();
    for (i, line) in lines_of(fact, width).into_iter().enumerate() {
        let name = if i == 0 { fact.name() } else { "" };
        let name = text::pad(name, NAME, false, "");
        lines.push(vec![
            (format!("  {name} ").into(), cx.theme.faint()),
            (line.into(), fact.style(cx.theme)),
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
    pub(super) fn act<F: Told>(&mut self, action: Action, area: Rect, facts: &[F]) -> bool {
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
    pub(super) fn draw<F: Told>(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer, facts: &[F]) {
        let lines = facts.iter().flat_map(|fact| told(cx, area.width, fact));
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
