//! The last lines of a service's logs.

use super::{ActCx, Chosen, Kind, Panel, ViewCx, cells};
use crate::domain::{harmless, harmless_within};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind = Kind { name: "logs", filtered: true, build: || Box::new(Tail::default()) };

#[derive(Debug, Default)]
struct Tail {
    /// The first line that is shown; the last ones are, where none is set.
    from: Option<usize>,
    /// Columns to the left of the screen.
    left: usize,
}

const SIDEWAYS: usize = 20;

/// The lines that the filter lets through, or why there are none.
fn lines<'a>(cx: &ActCx<'a>) -> Result<Vec<&'a String>, String> {
    let Some(logs) = &cx.words.logs else { return Err("no logs were read".into()) };
    if logs.read.is_none() {
        return Err("reading the logs".into());
    }
    match &logs.lines {
        Err(why) => {
            Err(format!("the logs could not be read: {}", harmless_within(why, cells::LONGEST)))
        }
        Ok(lines) if lines.is_empty() => Err("the logs command printed nothing".into()),
        Ok(lines) => {
            let passing: Vec<_> =
                lines.iter().filter(|line| cells::passes(cx.filter, [line.as_str()])).collect();
            if passing.is_empty() {
                Err("no line holds the filter's text".into())
            } else {
                Ok(passing)
            }
        }
    }
}

impl Panel for Tail {
    fn scope(&self) -> Scope {
        Scope::Text
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 3, most: u16::MAX, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let count = lines(cx).map_or(0, |lines| lines.len());
        self.from = self.from.filter(|from| *from < count);
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let height = usize::from(cx.area.height.saturating_sub(1));
        let last = lines(cx).map_or(0, |lines| lines.len()).saturating_sub(height);
        let from = self.from.unwrap_or(last).min(last);
        let to = match action {
            Action::Up => from.saturating_sub(1),
            Action::Down => from + 1,
            Action::HalfUp => from.saturating_sub(height / 2),
            Action::HalfDown => from + height / 2,
            Action::First => 0,
            Action::Last => last,
            Action::Left => {
                self.left = self.left.saturating_sub(SIDEWAYS);
                from
            }
            Action::Right => {
                self.left = (self.left + SIDEWAYS).min(cells::LONGEST * 4);
                from
            }
            _ => return None,
        };
        self.from = (to < last).then_some(to);
        Some(Vec::new())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let lines = lines(cx).ok()?;
        Some(lines.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let found = lines(&cx.act);
        let height = usize::from(area.height.saturating_sub(1));
        let count = found.as_ref().map_or(0, Vec::len);
        let last = count.saturating_sub(height);
        let from = self.from.unwrap_or(last).min(last);
        let logs = cx.act.words.logs.as_ref();
        let name = logs.map_or("", |logs| logs.service.as_str());
        let read = logs.and_then(|logs| logs.read).map_or_else(String::new, |read| {
            format!(", read {}", text::clock_s(read, cx.offset_min))
        });
        let shown = match count {
            0 => String::new(),
            _ => format!(", lines {} to {} of {count}{read}", from + 1, (from + height).min(count)),
        };
        let title = format!("LOGS {}{shown}", harmless_within(name, 60));
        if let Some(line) = text::line_of(area, 0) {
            rule(cx.theme, line, buf, &title, cx.focused);
        }
        match found {
            Err(why) => {
                if let Some(line) = text::line_of(area, 1) {
                    let parts = [(format!("  {why}").into(), cx.theme.faint())];
                    text::write(buf, line, parts, cx.theme.glyphs.cut);
                }
            }
            Ok(lines) => {
                for (i, line) in lines.into_iter().skip(from).take(height).enumerate() {
                    let Some(place) = text::line_of(area, i + 1) else { break };
                    let clean = harmless(line);
                    let shown = text::skip(&clean, self.left);
                    text::write(buf, place, [(shown, cx.theme.text())], cx.theme.glyphs.cut);
                }
            }
        }
        None
    }
}
