//! What keeps the watching itself from being whole, beside sources that do not
//! answer, which have rows of their own.

use super::{ActCx, Chosen, Kind, Panel, ViewCx};
use crate::domain::harmless_within;
use crate::store::{Action, Effect, Watch, WatchKind};
use crate::ui::Scope;
use crate::ui::glyphs::short_word;
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "watch", filtered: false, build: || Box::new(Watching::default()) };

/// So many keep their lines on the smallest screen.
const LEAST: u16 = 3;

#[derive(Debug, Default)]
struct Watching {
    found: Vec<Watch>,
}

impl Panel for Watching {
    fn scope(&self) -> Scope {
        Scope::Global
    }

    fn takes_keys(&self) -> bool {
        false
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        match u16::try_from(self.found.len()).unwrap_or(u16::MAX) {
            0 => Need { least: 0, most: 0, order: 0 },
            many => Need { least: many.min(LEAST) + 1, most: many.saturating_add(1), order: 0 },
        }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.found = cx.known.watch();
        self.found.retain(|watch| watch.kind != WatchKind::Source);
    }

    fn act(&mut self, _: Action, _: &ActCx<'_>) -> Option<Vec<Effect>> {
        None
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, _: &ActCx<'_>) -> Option<String> {
        None
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = cx.theme;
        let rows = usize::from(area.height.saturating_sub(1));
        let hidden = self.found.len().saturating_sub(rows);
        if let Some(line) = text::line_of(area, 0) {
            let more = if hidden > 0 { format!(" +{hidden} more") } else { String::new() };
            let title = format!("THE WATCHING ITSELF {}{more}", self.found.len());
            rule(theme, line, buf, &title, cx.focused);
        }
        for (at, watch) in self.found.iter().take(rows).enumerate() {
            let Some(line) = text::line_of(area, at + 1) else { break };
            let style = theme.status(watch.status);
            let (glyph, word) = (theme.glyphs.status(watch.status), short_word(watch.status));
            let words = harmless_within(&watch.words, 300);
            let parts =
                [(format!(" {glyph} {word:<4} ").into(), style), (words.into(), theme.text())];
            text::write(buf, line, parts, theme.glyphs.cut);
        }
        None
    }
}
