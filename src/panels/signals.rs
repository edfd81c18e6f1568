//! All signals of one service as charts.

use super::charts::LEAST;
use super::plot::Plot;
use super::{ActCx, Chosen, Kind, Panel, Question, ViewCx, cells};
use crate::domain::Signal;
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::{Need, grid};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "signals", filtered: false, build: || Box::new(Signals::default()) };

#[derive(Debug, Default)]
struct Signals {
    /// The chart that is shown first.
    first: usize,
}

fn signals<'a>(cx: &ActCx<'a>) -> Vec<&'a Signal> {
    match cx.subject {
        Some(Chosen::Service(name)) => cx.index.signals_of(name).collect(),
        _ => Vec::new(),
    }
}

impl Signals {
    /// The signals that are drawn, each with its place, in the order of the
    /// config from the first one on.
    fn drawn<'a>(&self, cx: &ActCx<'a>, area: Rect) -> Vec<(&'a Signal, Rect)> {
        let all = signals(cx);
        let places = grid(area, all.len(), LEAST);
        let first = self.first.min(all.len().saturating_sub(places.len()));
        all.into_iter().skip(first).zip(places).collect()
    }
}

impl Panel for Signals {
    fn scope(&self) -> Scope {
        Scope::Charts
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        if signals(cx).is_empty() {
            return Need { least: 2, most: 2, order: 2 };
        }
        Need { least: LEAST.1, most: u16::MAX, order: 2 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        self.first = self.first.min(signals(cx).len().saturating_sub(1));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let all = signals(cx).len();
        let last = all.saturating_sub(grid(cx.area, all, LEAST).len());
        match action {
            Action::Left => self.first = self.first.min(last).saturating_sub(1),
            Action::Right => self.first = (self.first + 1).min(last),
            _ => return None,
        }
        Some(Vec::new())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        signals(cx).get(self.first).map(|signal| signal.expr.to_string())
    }

    fn explores(&self, cx: &ActCx<'_>) -> Option<String> {
        let drawn = self.drawn(cx, cx.area);
        drawn.first().map(|(signal, _)| signal.expr.to_string())
    }

    fn questions(&self, cx: &ActCx<'_>) -> Vec<Question> {
        let drawn = self.drawn(cx, cx.area);
        let plots = drawn.into_iter().map(|(signal, _)| Plot::of(cx, "service", signal));
        plots.flat_map(|plot| plot.questions(cx).collect::<Vec<_>>()).collect()
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let all = signals(&cx.act).len();
        if all == 0 {
            if let Some(line) = text::line_of(area, 0) {
                crate::ui::table::rule(cx.theme, line, buf, "SIGNALS", cx.focused);
            }
            if let Some(line) = text::line_of(area, 1) {
                let why = "  no signals: the config names no job and no signal for this service";
                text::write(buf, line, [(why.into(), cx.theme.faint())], cx.theme.glyphs.cut);
            }
            return None;
        }
        let drawn = self.drawn(&cx.act, area);
        let hidden = all - drawn.len();
        let how = match (cx.focused, self.first + drawn.len() < all) {
            (false, _) => "tab",
            (true, true) => "right",
            (true, false) => "left",
        };
        let more = if hidden > 0 { format!("+{hidden} more: {how}") } else { String::new() };
        let last = drawn.len().saturating_sub(1);
        for (i, (signal, place)) in drawn.into_iter().enumerate() {
            let aside = if i == last { more.as_str() } else { "" };
            let plot = Plot::of(&cx.act, "service", signal);
            plot.draw_with(cx, place, buf, cx.focused && i == 0, aside);
            let state = cx.act.known.signals.get(&signal.id);
            let noted = state.map(|state| &state.notes).filter(|notes| !notes.is_empty());
            if let (Some(notes), Some(line)) = (noted, text::line_of(place, 1)) {
                let shown = crate::domain::harmless_within(&notes.join(", "), cells::LONGEST);
                let wide = usize::from(place.width);
                let shown = text::cut(&shown, wide.saturating_sub(12), cx.theme.glyphs.cut);
                let x =
                    place.right().saturating_sub(u16::try_from(text::width(&shown)).unwrap_or(0));
                buf.set_stringn(x, line.y, &shown, wide, cx.theme.stale());
            }
        }
        None
    }
}
