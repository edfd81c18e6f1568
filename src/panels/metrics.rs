//! Any expression, drawn and with its values; mistakes point into it.

use super::plot::{self, Plot};
use super::{ActCx, Chosen, Kind, Panel, Question, Rows, ViewCx, cells};
use crate::domain::{EngineKind, Labels, Num, harmless_within, units};
use crate::metrics::Data;
use crate::metrics::promql::parse;
use crate::store::{Action, Answer, AskId, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table, rule};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::borrow::Cow;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "metrics", filtered: true, build: || Box::new(Metrics::default()) };

#[derive(Debug, Default)]
struct Metrics {
    rows: Rows<Labels>,
}

const NOW_ID: &str = "page/now";
const CHART_ID: &str = "page/chart";
const COLUMNS: [Column; 2] = [Column::new("", 20).flexible(), Column::new("value", 14).right()];
/// Lines above the chart.
const HEAD: u16 = 4;

fn answer<'a>(cx: &ActCx<'a>) -> Option<&'a Answer> {
    let answer = cx.known.answers.get(&AskId(NOW_ID.into()))?;
    (*answer.ask.expr == *cx.words.expression).then(|| answer.as_ref())
}

fn values<'a>(cx: &ActCx<'a>) -> Vec<(Cow<'a, Labels>, Num)> {
    match answer(cx).map(|answer| &answer.outcome) {
        Some(Ok(Data::Vector(points))) => {
            points.iter().map(|point| (Cow::Borrowed(&point.labels), point.value)).collect()
        }
        Some(Ok(Data::Scalar(value))) => vec![(Cow::Owned(Labels::default()), *value)],
        Some(Ok(Data::Matrix(lines))) => {
            let last = |line: &crate::metrics::Line| line.points.last().map(|point| point.1);
            let lines = lines.iter();
            lines.filter_map(|line| Some((Cow::Borrowed(&line.labels), last(line)?))).collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong with the expression, and where in bytes.
fn mistake(cx: &ActCx<'_>) -> Option<(String, Option<(usize, usize)>)> {
    if cx.words.expression.is_empty() {
        return None;
    }
    match answer(cx).map(|answer| &answer.outcome) {
        Some(Err(error)) => Some((harmless_within(&error.message, cells::LONGEST), error.span)),
        Some(Ok(_)) => None,
        // Told before anyone is asked: what cannot be read cannot be answered.
        // Another engine may know more of the language than this one.
        None if cx.known.inventory.engine == Some(EngineKind::Server) => None,
        None => parse(&cx.words.expression).err().map(|error| {
            (harmless_within(&error.message, cells::LONGEST), Some((error.start, error.end)))
        }),
    }
}

fn places(area: Rect) -> (Rect, Rect, Rect) {
    let head = Rect { height: HEAD.min(area.height), ..area };
    let rest = area.height - head.height;
    let chart = if rest >= 14 { rest * 3 / 5 } else { rest / 2 };
    let chart_area = Rect { y: head.bottom(), height: chart, ..area };
    let table = Rect { y: chart_area.bottom(), height: rest - chart, ..area };
    (head, chart_area, table)
}

impl Panel for Metrics {
    fn scope(&self) -> Scope {
        Scope::Metrics
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 10, most: u16::MAX, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let mut values = values(cx);
        values.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then_with(|| a.0.cmp(&b.0)));
        let passing = |labels: &Labels| {
            cx.filter.is_empty() || cells::passes(cx.filter, [labels.to_string().as_str()])
        };
        let list = values.iter().filter(|value| passing(&value.0));
        let list = list.map(|value| value.0.clone().into_owned()).collect();
        self.rows.set(list, |labels| values.iter().any(|value| *value.0 == *labels));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let (_, _, table) = places(cx.area);
        self.rows.act(action, table.height.saturating_sub(1).into()).then(Vec::new)
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        None
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        (!cx.words.expression.is_empty()).then(|| cx.words.expression.clone())
    }

    fn questions(&self, cx: &ActCx<'_>) -> Vec<Question> {
        let Some(engine) = cx.known.inventory.engine else { return Vec::new() };
        let expr = cx.words.expression.as_str();
        if expr.is_empty() || (engine == EngineKind::Embedded && parse(expr).is_err()) {
            return Vec::new();
        }
        let now = Question {
            id: AskId(NOW_ID.into()),
            expr: expr.into(),
            split: None,
            range: None,
            engine,
        };
        let plot = Plot::of_expression(CHART_ID, expr, engine);
        std::iter::once(now).chain(plot.questions(cx)).collect()
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let (head, chart, table) = places(area);
        let engine = cx.act.known.inventory.engine;
        let by = match engine {
            Some(EngineKind::Server) => "METRICS, answered by the metrics server",
            Some(EngineKind::Embedded) => "METRICS, answered from what is scraped",
            None => "METRICS",
        };
        if let Some(line) = text::line_of(head, 0) {
            rule(cx.theme, line, buf, by, cx.focused);
        }
        let mut say = |line: usize, words: String| {
            if let Some(place) = text::line_of(head, line) {
                text::write(buf, place, [(words.into(), cx.theme.faint())], cx.theme.glyphs.cut);
            }
        };
        let Some(engine) = engine else {
            say(
                1,
                "  no metrics: the config names neither a metrics server nor scrape targets".into(),
            );
            return None;
        };
        if cx.act.words.expression.is_empty() {
            say(1, "  e types a PromQL expression, for example:".into());
            say(2, "  sum by (job) (rate(http_requests_total[5m]))".into());
            return None;
        }
        expression(cx, head, buf);
        let mistaken = mistake(&cx.act);
        if mistaken.is_none() {
            let plot = Plot::of_expression(CHART_ID, &cx.act.words.expression, engine);
            plot.draw(cx, chart, buf, false);
            self.table(cx, table, buf);
        }
        None
    }
}

/// The expression, with a caret under its mistake.
fn expression(cx: &ViewCx<'_>, head: Rect, buf: &mut Buffer) {
    let expr = cx.act.words.expression.as_str();
    let wide = usize::from(head.width).saturating_sub(3);
    let found = mistake(&cx.act);
    let span = found.as_ref().and_then(|(_, span)| *span);
    let column = |byte: usize| {
        let byte = (0..=byte.min(expr.len())).rev().find(|at| expr.is_char_boundary(*at));
        text::width(&expr[..byte.unwrap_or(0)])
    };
    // A long expression is shown around its mistake.
    let skipped = span.map_or(0, |(start, _)| (column(start) + 10).saturating_sub(wide));
    if let Some(line) = text::line_of(head, 1) {
        let shown = text::skip(expr, skipped);
        let parts = [("  ".into(), cx.theme.text()), (shown, cx.theme.strong())];
        text::write(buf, line, parts, cx.theme.glyphs.cut);
    }
    let bad = cx.theme.bad_notice();
    if let (Some((start, end)), Some(line)) = (span, text::line_of(head, 2)) {
        let at = column(start).saturating_sub(skipped);
        let long =
            column(end).saturating_sub(column(start)).clamp(1, wide.saturating_sub(at).max(1));
        let caret = format!("{}{}", " ".repeat(at + 2), "^".repeat(long));
        text::write(buf, line, [(caret.into(), bad)], "");
    }
    let Some((message, _)) = found else {
        if let (Some(answer), Some(line)) = (answer(&cx.act), text::line_of(head, 2)) {
            let noted = plot::notes(answer);
            text::write(
                buf,
                line,
                [(format!("  {noted}").into(), cx.theme.stale())],
                cx.theme.glyphs.cut,
            );
        }
        return;
    };
    if let Some(line) = text::line_of(head, if span.is_some() { 3 } else { 2 }) {
        text::write(buf, line, [(format!("  {message}").into(), bad)], cx.theme.glyphs.cut);
    }
}

impl Metrics {
    fn table(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) {
        let values = values(&cx.act);
        let text_value = match answer(&cx.act).map(|answer| &answer.outcome) {
            Some(Ok(Data::Text(text))) => Some(format!("a text: {}", harmless_within(text, 200))),
            _ => None,
        };
        let title = format!("VALUES {}", self.rows.len());
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.rows.len(),
            from: self.rows.from(area.height.saturating_sub(1).into()),
            selected: self.rows.at(),
            focused: cx.focused,
            empty: match (&text_value, answer(&cx.act)) {
                (Some(text), _) => text,
                (None, None) => "asked, no answer yet",
                (None, Some(_)) if !cx.act.filter.is_empty() => "no series holds the filter's text",
                (None, Some(_)) => "no series: nothing has these labels now",
            },
        };
        table.draw(cx.theme, area, buf, |i| {
            let Some(labels) = self.rows.get(i) else { return Vec::new() };
            let value = values.iter().find(|value| *value.0 == *labels);
            let shown = value.map_or_else(|| "-".into(), |value| units::number(value.1.0));
            vec![
                Cell::new(harmless_within(&labels.to_string(), cells::LONGEST), cx.theme.text()),
                Cell::new(shown, cx.theme.strong()),
            ]
        });
    }
}
