//! The help page and the hint line, both made from the key table.

use super::state::State;
use crate::ui::{Binding, Scope, Theme, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;

/// A line of the help page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HelpLine {
    Title(String),
    Key { keys: String, doc: String },
    Plain(String),
}

fn keys_of(binding: &Binding) -> String {
    binding.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join("  ")
}

/// All lines, in order.
pub(crate) fn lines(state: &State) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    for (scope, title) in Scope::ALL {
        lines.push(HelpLine::Title(title.to_owned()));
        for binding in state.keys.bindings().iter().filter(|b| b.scope == scope) {
            let mark = if binding.dangerous { " (changes a system)" } else { "" };
            let doc = format!("{}{mark}", binding.doc);
            lines.push(HelpLine::Key { keys: keys_of(binding), doc });
        }
    }
    lines.push(HelpLine::Title("Statuses".into()));
    for line in [
        "CRIT  worth a person's night      WARN  worth a look in working hours",
        "UNKN  nobody knows: no answer, an old answer, or not judged",
        "wait  nothing has answered yet since the start; counts as unknown",
        "ok    it answered, and well",
    ] {
        lines.push(HelpLine::Plain(line.into()));
    }
    if let Some(log) = &state.setting.log {
        lines.push(HelpLine::Plain(format!("log: {log}")));
    }
    lines
}

/// Draws the help page from the line `from` on.
pub(crate) fn draw(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer, from: usize) {
    const KEYS: usize = 18;
    let lines = lines(state);
    let height = usize::from(area.height.saturating_sub(1));
    let from = from.min(lines.len().saturating_sub(height));
    let until = (from + height).min(lines.len());
    let title = if height < lines.len() {
        format!("KEYS, lines {} to {until} of {} (down for more, esc back)", from + 1, lines.len())
    } else {
        "KEYS (esc back)".to_owned()
    };
    if let Some(line) = text::line_of(area, 0) {
        crate::ui::table::rule(theme, line, buf, &title, true);
    }
    for (i, line) in lines[from..until].iter().enumerate() {
        let Some(place) = text::line_of(area, i + 1) else { break };
        let cut = theme.glyphs.cut;
        match line {
            HelpLine::Title(title) => {
                text::write(buf, place, [(title.as_str().into(), theme.title())], cut);
            }
            HelpLine::Key { keys, doc } => {
                let keys = text::pad(keys, KEYS, false, cut);
                let parts: [(Cow<'_, str>, Style); 3] = [
                    ("  ".into(), theme.text()),
                    (keys.into(), theme.key()),
                    (doc.as_str().into(), theme.text()),
                ];
                text::write(buf, place, parts, cut);
            }
            HelpLine::Plain(plain) => {
                text::write(buf, place, [(format!("  {plain}").into(), theme.text())], cut);
            }
        }
    }
}

/// Draws the hint line: the keys that matter here, as many as there is room for.
pub(crate) fn hint(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let scope = state.scope();
    let mut x = area.x;
    for binding in state.keys.bindings() {
        let (Some(word), Some(key)) = (binding.hint, binding.keys.first()) else { continue };
        if binding.scope != Scope::Global && binding.scope != scope {
            continue;
        }
        let key = key.to_string();
        let wide = text::width(&key) + 1 + text::width(word);
        let wide = u16::try_from(wide).unwrap_or(u16::MAX);
        if x + wide > area.right() {
            continue;
        }
        let place = Rect { x, width: area.right() - x, ..area };
        let parts: [(Cow<'_, str>, Style); 3] =
            [(key.into(), theme.key()), (" ".into(), theme.faint()), (word.into(), theme.faint())];
        text::write(buf, place, parts, theme.glyphs.cut);
        x += wide + 2;
    }
}
