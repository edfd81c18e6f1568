//! Charts of the service that is selected, or of the worst one.

use super::plot::Plot;
use super::{ActCx, Chosen, Kind, Panel, Question, ViewCx};
use crate::domain::{ServiceName, SignalKind, Status};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::{Need, grid};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cmp::Reverse;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "charts", filtered: false, build: || Box::new(Charts::default()) };

#[derive(Debug, Default)]
struct Charts {
    /// The chart that keys mean.
    at: usize,
}

const KINDS: [SignalKind; 3] = [SignalKind::Errors, SignalKind::Latency, SignalKind::Traffic];
/// A chart smaller than this says nothing.
pub(super) const LEAST: (u16, u16) = (38, 7);

/// Whose charts are shown.
fn whose(cx: &ActCx<'_>) -> Option<ServiceName> {
    match cx.subject {
        Some(Chosen::Service(name)) => return Some(name.clone()),
        Some(Chosen::Alert(identity)) => {
            let alert = cx.known.alerts.iter().find(|alert| alert.identity() == *identity);
            if let Some(name) = alert.and_then(|alert| alert.service.clone()) {
                return Some(name);
            }
        }
        _ => {}
    }
    let drawn =
        cx.known.services.iter().filter(|(name, _)| cx.index.signals_of(name).next().is_some());
    let worst = drawn.min_by_key(|(name, state)| {
        let status: Reverse<Status> = Reverse(state.standing.status);
        (status, cx.index.place(name))
    });
    worst.map(|(name, _)| name.clone())
}

fn plots(cx: &ActCx<'_>, area: Rect) -> (Option<ServiceName>, Vec<(Plot, Rect)>) {
    let Some(name) = whose(cx) else { return (None, Vec::new()) };
    let signals = KINDS.iter().filter_map(|kind| cx.index.signal(&name, *kind));
    let plots: Vec<Plot> = signals.map(|signal| Plot::of(cx, "now", signal)).collect();
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let places = grid(body, plots.len(), LEAST);
    (Some(name), plots.into_iter().zip(places).collect())
}

impl Panel for Charts {
    fn scope(&self) -> Scope {
        Scope::Charts
    }

    fn need(&self, cx: &ActCx<'_>) -> Need {
        let metrics = cx.known.inventory.signals.iter().any(|signal| signal.service.is_some());
        let lines = if metrics { u16::MAX } else { 0 };
        Need { least: (LEAST.1 + 1).min(lines), most: lines, order: 3 }
    }

    fn refresh(&mut self, _: &ActCx<'_>) {}

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let last = plots(cx, cx.area).1.len().saturating_sub(1);
        self.at = match action {
            Action::Left => self.at.min(last).saturating_sub(1),
            Action::Right => (self.at + 1).min(last),
            _ => return None,
        };
        Some(Vec::new())
    }

    fn explores(&self, cx: &ActCx<'_>) -> Option<String> {
        let name = whose(cx)?;
        let signals: Vec<_> =
            KINDS.iter().filter_map(|kind| cx.index.signal(&name, *kind)).collect();
        let chosen = signals.get(self.at.min(signals.len().saturating_sub(1)))?;
        Some(chosen.expr.to_string())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let signal = cx.index.signal(&whose(cx)?, SignalKind::Errors)?;
        Some(signal.expr.to_string())
    }

    fn questions(&self, cx: &ActCx<'_>) -> Vec<Question> {
        let (_, plots) = plots(cx, cx.area);
        plots.iter().flat_map(|(plot, _)| plot.questions(cx)).collect()
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let (name, plots) = plots(&cx.act, area);
        let title = match &name {
            Some(name) => format!("CHARTS {}", crate::domain::harmless_within(name.as_str(), 60)),
            None => "CHARTS".into(),
        };
        if let Some(line) = text::line_of(area, 0) {
            crate::ui::table::rule(cx.theme, line, buf, &title, cx.focused);
        }
        if plots.is_empty()
            && let Some(line) = text::line_of(area, 1)
        {
            let why = "  the config names no signals for it";
            text::write(buf, line, [(why.into(), cx.theme.faint())], cx.theme.glyphs.cut);
        }
        let at = self.at.min(plots.len().saturating_sub(1));
        for (i, (plot, place)) in plots.iter().enumerate() {
            plot.draw(cx, *place, buf, cx.focused && i == at);
        }
        None
    }
}
