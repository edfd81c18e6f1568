//! Any expression: drawn, as a table, with its values; mistakes point into it.

mod digest;
mod drawn;
mod head;
mod list;
mod window;

use super::{ActCx, Chosen, Kind, Panel, Question, Rows, ViewCx, cells};
use crate::domain::{EngineKind, Labels, Timestamp};
use crate::metrics::Data;
use crate::metrics::promql::parse;
use crate::store::{Action, Answer, AskId, Coverage, Effect, Export};
use crate::ui::Scope;
use crate::ui::chart::Base;
use crate::ui::layout::Need;
use crate::ui::table::rule;
use crate::ui::text;
use digest::{By, Digest};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::collections::BTreeSet;
use std::sync::Arc;
use window::Window;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "metrics", filtered: true, build: || Box::new(Metrics::default()) };

/// The places of its questions.
const NOW_ID: &str = "page/now";
const CHART_ID: &str = "page/chart";
/// More series than this cannot be told apart in one chart.
const DRAWN: usize = 12;

#[derive(Debug, Default)]
struct Metrics {
    /// The expression that the rest is about, and how often one was asked.
    expression: String,
    now: Digest,
    chart: Digest,
    rows: Rows<Labels>,
    /// The place in the answer of each row.
    places: Vec<usize>,
    by: By,
    table: bool,
    hidden: BTreeSet<Labels>,
    only: Option<Labels>,
    /// The series that are drawn, each with its colour and letter for as long
    /// as it is among them.
    slots: Vec<Option<Labels>>,
    /// Which twelve of the series are drawn: the first, the second.
    group: usize,
    base: Base,
    window: Window,
    filter: String,
    /// The question that is asked no more.
    stopped: Option<u64>,
}

impl Metrics {
    /// The answer that the list is about.
    fn listed(&self) -> &Digest {
        if self.table || self.is_text() { &self.now } else { &self.chart }
    }

    fn is_text(&self) -> bool {
        let answer = self.now.answer();
        answer.is_some_and(|answer| matches!(answer.outcome, Ok(Data::Text(_))))
    }

    fn is_stopped(&self, cx: &ActCx<'_>) -> bool {
        self.stopped == Some(cx.words.asked)
    }

    #[expect(clippy::unused_self, reason = "the places belong to the panel")]
    fn asked_ids(&self) -> impl Iterator<Item = AskId> + use<> {
        [NOW_ID, CHART_ID].into_iter().map(|id| AskId(id.into()))
    }

    /// The kept answer to what is asked now; that for a range may be about
    /// another stretch of time while the new one is waited for.
    fn answer<'a>(cx: &ActCx<'a>, id: &str) -> Option<&'a Arc<Answer>> {
        let answer = cx.known.answers.get(&AskId(id.into()))?;
        (*answer.ask.expr == *cx.words.expression).then_some(answer)
    }

    /// Before this moment nothing was seen.
    fn unseen_before(&self) -> Option<Timestamp> {
        let answer = self.chart.answer()?;
        let Coverage::Partial { seen, .. } = answer.coverage else { return None };
        let since = answer.ask.at - seen;
        // Samples of before a pause may be older.
        Some(self.chart.earliest().map_or(since, |earliest| earliest.min(since)))
    }

    /// Puts the rows in order anew.
    fn arrange(&mut self, cx: &ActCx<'_>) {
        cx.filter.clone_into(&mut self.filter);
        let passes = |labels: &Labels| {
            cx.filter.is_empty() || cells::passes(cx.filter, [labels.to_string().as_str()])
        };
        let listed = self.listed();
        let columns = listed.columns().len();
        let by = if self.table { self.by.in_table(columns) } else { self.by.in_list() };
        let places = listed.ordered(by, passes);
        let list = places.iter().map(|at| listed.labels(*at)).collect();
        let filtered = !cx.filter.is_empty();
        let exists: BTreeSet<Labels> = if filtered {
            (0..listed.len()).map(|at| listed.labels(at)).collect()
        } else {
            BTreeSet::new()
        };
        self.rows.set(list, |labels| exists.contains(labels));
        self.rows.rest_on_first();
        self.places = places;
        self.pick();
    }

    fn export(&self) -> Vec<Effect> {
        let Some(answer) = self.listed().answer() else { return Vec::new() };
        let shown = |labels: &&Labels| match &self.only {
            Some(only) if !self.table => *labels == only,
            _ => self.table || !self.hidden.contains(*labels),
        };
        let series = self.rows.iter().filter(shown).cloned().collect();
        vec![Effect::Export(Export { answer: Arc::clone(answer), series })]
    }

    /// What `esc` takes away before it goes back; `None` where there is nothing.
    fn take_back(&mut self, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        if self.waited(cx).is_some() {
            self.stopped = Some(cx.words.asked);
            return Some(self.asked_ids().map(Effect::StopAsking).collect());
        }
        if self.window.cursor.take().is_some() {
            return Some(Vec::new());
        }
        if self.only.take().is_some() {
            self.pick();
            return Some(Vec::new());
        }
        None
    }
}

/// Where head, chart and list stand.
fn places(area: Rect, head: u16, table: bool) -> (Rect, Rect, Rect) {
    let head = Rect { height: head.min(area.height), ..area };
    let rest = area.height - head.height;
    let chart = match rest {
        _ if table => 0,
        14.. => rest * 3 / 5,
        _ => rest / 2,
    };
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
        let other = self.expression != cx.words.expression;
        if other {
            cx.words.expression.clone_into(&mut self.expression);
            self.hidden.clear();
            self.group = 0;
            self.base = Self::usual_base(&self.expression);
            (self.only, self.window.cursor, self.stopped) = (None, None, None);
        }
        let now = self.now.take(Self::answer(cx, NOW_ID));
        let chart = self.chart.take(Self::answer(cx, CHART_ID));
        if other || now || chart || self.filter != cx.filter {
            self.arrange(cx);
        }
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        if cx.words.expression.is_empty() {
            return None;
        }
        if self.window.act(action, cx, self.unseen_before()) {
            return Some(Vec::new());
        }
        match action {
            Action::Back => return self.take_back(cx),
            Action::Open => self.isolate(),
            Action::Toggle => self.toggle(),
            Action::NextSeries => self.turn(true),
            Action::PreviousSeries => self.turn(false),
            Action::Scale => self.change_scale(cx),
            Action::Table => {
                self.table = !self.table;
                self.arrange(cx);
            }
            Action::Sort => {
                self.group = 0;
                let columns = self.listed().columns().len();
                self.by = if self.table { self.by.next_in_table(columns) } else { self.by.next() };
                self.arrange(cx);
            }
            Action::Export => return Some(self.export()),
            Action::ZoomIn | Action::ZoomOut => {
                let wanted =
                    if action == Action::ZoomIn { cx.range.shorter() } else { cx.range.longer() };
                self.window.zoom(cx, wanted);
                // The range is that of all charts.
                return None;
            }
            Action::Live => {
                self.window = Window::default();
                return None;
            }
            _ => {
                let (_, _, table) = places(cx.area, 2, self.table);
                return self.rows.act(action, table.height.saturating_sub(1).into()).then(Vec::new);
            }
        }
        Some(Vec::new())
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
        let unread = engine == EngineKind::Embedded && parse(expr).is_err();
        if expr.is_empty() || unread || self.is_stopped(cx) {
            return Vec::new();
        }
        let question = |id: &str, range| Question {
            id: AskId(id.into()),
            expr: expr.into(),
            split: None,
            range,
            at: self.window.end,
            engine,
        };
        vec![question(NOW_ID, None), question(CHART_ID, Some(cx.range.asked()))]
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let by = match cx.act.known.inventory.engine {
            Some(EngineKind::Server) => "METRICS, answered by the metrics server",
            Some(EngineKind::Embedded) => "METRICS, answered from what is scraped",
            None => "METRICS",
        };
        if let Some(line) = text::line_of(area, 0) {
            rule(cx.theme, line, buf, by, cx.focused);
        }
        let mut say = |line: usize, words: &'static str| {
            if let Some(place) = text::line_of(area, line) {
                text::write(buf, place, [(words.into(), cx.theme.faint())], cx.theme.glyphs.cut);
            }
        };
        if cx.act.known.inventory.engine.is_none() {
            say(1, "  no metrics: the config names neither a metrics server nor scrape targets");
            return None;
        }
        if cx.act.words.expression.is_empty() {
            say(1, "  e types a PromQL expression, for example:");
            say(2, "  sum by (job) (rate(http_requests_total[5m]))");
            say(3, "  tab completes names, labels and functions; x on a service, an alert, a");
            say(4, "  host or a chart opens what is behind it here");
            return None;
        }
        let (head, chart, list) =
            places(area, self.head_height(cx, area.width), self.table || self.is_text());
        self.draw_expression(cx, head, buf);
        if self.mistake(&cx.act).is_none() {
            self.draw_chart(cx, chart, buf);
            self.draw_list(cx, list, buf);
        }
        None
    }
}
