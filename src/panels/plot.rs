//! Plots: a chart with the questions whose answers it draws.

use super::{ActCx, Question, ViewCx, cells};
use crate::domain::{
    EngineKind, Release, ServiceName, Signal, SignalKind, Thresholds, Timestamp, Unit,
    harmless_within, units,
};
use crate::metrics::{Data, Line};
use crate::store::{Answer, AskId, Coverage};
use crate::ui::chart::{Base, Chart, Moment, Series};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::borrow::Cow;
use std::sync::Arc;

/// More lines than this are not drawn in one chart.
const LINES: usize = 6;

/// A question of a plot, and the name of its line.
#[derive(Clone, Debug)]
struct Asked {
    name: &'static str,
    id: AskId,
    expr: Arc<str>,
}

/// A chart with its questions.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    title: String,
    unit: Unit,
    thresholds: Thresholds,
    engine: EngineKind,
    asked: Vec<Asked>,
    split: Option<Arc<str>>,
    /// Whose releases are marked; those of all where none.
    service: Option<ServiceName>,
}

impl Plot {
    /// Of a signal; `place` tells apart the panels that plot it.
    pub(super) fn of(cx: &ActCx<'_>, place: &str, signal: &Signal) -> Self {
        let mut exprs: Vec<(&'static str, Arc<str>)> = Vec::new();
        if signal.kind == SignalKind::Latency && cx.words.split.is_none() {
            for (name, share) in [("p50", "0.5"), ("p99", "0.99")] {
                if let Some(expr) = quantile(&signal.expr, share) {
                    exprs.push((name, expr.into()));
                }
            }
            let at = exprs.len().min(1);
            let name = if at == 0 { "" } else { "p95" };
            exprs.insert(0, (name, Arc::clone(&signal.expr)));
        } else {
            exprs.push(("", Arc::clone(&signal.expr)));
        }
        let mut title = title(signal);
        if let Some(label) = &cx.words.split {
            title = format!("{title} by {label}");
        }
        let asked = exprs.into_iter().enumerate().map(|(i, (name, expr))| {
            let id = AskId(format!("chart/{place}/{}/{i}", signal.label).into());
            Asked { name, id, expr }
        });
        Self {
            title,
            unit: signal.unit,
            thresholds: signal.thresholds,
            engine: signal.engine,
            asked: asked.collect(),
            split: cx.words.split.as_deref().map(Into::into),
            service: signal.service.clone(),
        }
    }

    /// What it needs to know.
    pub(super) fn questions(&self, cx: &ActCx<'_>) -> impl Iterator<Item = Question> {
        let range = Some(cx.range.asked());
        self.asked.iter().map(move |asked| Question {
            id: asked.id.clone(),
            expr: Arc::clone(&asked.expr),
            split: self.split.clone(),
            range,
            at: None,
            engine: self.engine,
        })
    }

    /// The releases in its range, the oldest first.
    fn releases<'k>(&self, cx: &ActCx<'k>, from: Timestamp, until: Timestamp) -> Vec<Moment<'k>> {
        let found = cx.known.releases_within(self.service.as_ref(), from, until);
        let label = |release: &'k Release| match (&self.service, &release.service) {
            (None, Some(of)) => format!("{of} {}", release.version),
            _ => release.version.clone(),
        };
        let moment = |release: &'k Release| Moment {
            at: release.at,
            label: harmless_within(&label(release), 40).into(),
        };
        let mut moments: Vec<Moment<'k>> = found.map(moment).collect();
        moments.sort_by_key(|moment| moment.at);
        moments
    }

    /// Draws what is known of it.
    pub(super) fn draw(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer, focused: bool) {
        self.draw_with(cx, area, buf, focused, "");
    }

    /// As [`Plot::draw`], with something at the right end of its title.
    pub(super) fn draw_with(
        &self,
        cx: &ViewCx<'_>,
        area: Rect,
        buf: &mut Buffer,
        focused: bool,
        aside: &str,
    ) {
        let step = cx.act.range.step();
        let until = super::range::aligned(cx.act.now, step);
        let mut lines: Vec<(Cow<'static, str>, &Line)> = Vec::new();
        let mut note = String::new();
        let mut empty = None;
        for asked in &self.asked {
            let answer = cx.act.known.answers.get(&asked.id).filter(|answer| {
                answer.ask.expr == asked.expr
                    && answer.ask.split == self.split
                    && answer.ask.range == Some(cx.act.range.asked())
            });
            match found(answer.map(AsRef::as_ref)) {
                Ok(of) => lines.extend(of.iter().map(|line| (named(asked.name, line), line))),
                Err(why) => empty = empty.or(Some(why)),
            }
            if let Some(answer) = answer
                && note.is_empty()
            {
                note = notes(answer);
            }
        }
        let many = lines.len();
        if self.asked.len() == 1 {
            let last = |line: &Line| line.points.last().map_or(f64::NEG_INFINITY, |p| p.1.0);
            lines.sort_by(|a, b| last(b.1).total_cmp(&last(a.1)));
        }
        lines.truncate(LINES);
        if many > LINES {
            note = format!("{LINES} of {many} lines {note}");
        }
        let series: Vec<Series<'_>> = lines
            .iter()
            .enumerate()
            .map(|(slot, (name, line))| Series {
                name: name.clone(),
                points: &line.points,
                slot,
                letter: "",
            })
            .collect();
        let from = until - cx.act.range.length();
        let moments = self.releases(&cx.act, from, until);
        Chart {
            title: &self.title,
            note: note.trim_end(),
            aside,
            unit: self.unit,
            from,
            until,
            gap: step * 3 / 2,
            thresholds: self.thresholds,
            base: Base::Auto,
            series: &series,
            moments: &moments,
            empty: empty.as_deref().unwrap_or("no data in this range"),
            offset_min: cx.offset_min,
            focused,
            legend: true,
            live: true,
            now: cx.act.now,
            unseen: None,
            cursor: None,
        }
        .draw(cx.theme, area, buf);
    }
}

fn title(signal: &Signal) -> String {
    let label = harmless_within(&signal.label, 30);
    match signal.kind {
        SignalKind::Errors => format!("ERRORS {label}"),
        SignalKind::Latency => "LATENCY".into(),
        SignalKind::Traffic => "TRAFFIC".into(),
        _ => label.to_uppercase(),
    }
}

/// The lines of an answer, or why there are none.
fn found(answer: Option<&Answer>) -> Result<&[Line], String> {
    let Some(answer) = answer else { return Err("asked, no answer yet".into()) };
    match &answer.outcome {
        Ok(Data::Matrix(lines)) if lines.is_empty() => Err(match answer.coverage {
            Coverage::Partial { seen, wanted } => {
                format!("{} of {} seen", units::age(seen), units::age(wanted))
            }
            Coverage::Whole => "no data in this range".into(),
        }),
        Ok(Data::Matrix(lines)) => Ok(lines),
        Ok(_) => Err("the answer has no lines to draw".into()),
        Err(error) => Err(harmless_within(&error.message, cells::LONGEST)),
    }
}

/// What must be known beside an answer.
pub(super) fn notes(answer: &Answer) -> String {
    let mut notes = Vec::new();
    // A chart shows by itself where it has seen nothing.
    if let (Coverage::Partial { seen, wanted }, None) = (answer.coverage, answer.ask.range) {
        notes.push(format!("{} of {} seen", units::age(seen), units::age(wanted)));
    }
    let said = answer.warnings.iter().chain(&answer.infos);
    notes.extend(said.map(|words| harmless_within(words, 120)));
    notes.join(", ")
}

fn named(name: &'static str, line: &Line) -> Cow<'static, str> {
    if !name.is_empty() {
        return name.into();
    }
    let mut labels =
        line.labels.iter().filter(|(name, _)| ***name != *crate::domain::labels::METRIC_NAME);
    match (labels.next(), labels.next()) {
        (None, _) => harmless_within(line.labels.metric().unwrap_or(""), 60).into(),
        (Some((_, value)), None) => harmless_within(value, 60).into(),
        _ => harmless_within(&line.labels.to_string(), 90).into(),
    }
}

/// The same latency at another share; nothing where the expression does not
/// say once which share it asks for.
fn quantile(expr: &str, share: &str) -> Option<String> {
    let (before, after) = expr.split_once("histogram_quantile(0.95,")?;
    let once = !after.contains("histogram_quantile(");
    once.then(|| format!("{before}histogram_quantile({share},{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_shares_are_asked_where_the_expression_says_which_it_asks() {
        let expr = "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))";
        let median = quantile(expr, "0.5").unwrap();
        assert_eq!(median, "histogram_quantile(0.5, sum by (le) (rate(x_bucket[5m])))");
        assert_eq!(quantile("max(latency_p95)", "0.5"), None);
    }
}
