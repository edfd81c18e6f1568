//! What an answer holds, put in order once for each answer and not for each frame.

use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Num, Timestamp};
use crate::metrics::{Data, Line};
use crate::store::Answer;
use crate::ui::text;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More labels than this make no columns.
const COLUMNS: usize = 6;
/// No column of a label is wider.
const WIDEST: usize = 40;

/// What series are put in order by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    #[default]
    Last,
    Lowest,
    Max,
    Mean,
    Min,
    Name,
    /// A label that is a column of the table.
    Label(usize),
}

impl By {
    /// The next one in the list below a chart.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Last => Self::Lowest,
            Self::Lowest => Self::Max,
            Self::Max => Self::Mean,
            Self::Mean => Self::Min,
            Self::Min => Self::Name,
            Self::Name | Self::Label(_) => Self::Last,
        }
    }

    /// The next one in a table that has so many columns of labels.
    pub(super) fn next_in_table(self, labels: usize) -> Self {
        match self.in_table(labels) {
            Self::Last => Self::Lowest,
            Self::Lowest if labels == 0 => Self::Name,
            Self::Lowest => Self::Label(0),
            Self::Label(at) if at + 1 < labels => Self::Label(at + 1),
            _ => Self::Last,
        }
    }

    /// The same where there is nothing but the last value.
    pub(super) fn in_table(self, labels: usize) -> Self {
        match self {
            Self::Max | Self::Mean | Self::Min => Self::Last,
            Self::Label(at) if at >= labels => Self::Last,
            other => other,
        }
    }

    /// The same where no label is a column.
    pub(super) fn in_list(self) -> Self {
        if matches!(self, Self::Label(_)) { Self::Last } else { self }
    }

    /// In words: `the 12 highest by last value`.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Last => "highest by last value",
            Self::Lowest => "lowest by last value",
            Self::Max => "highest by max",
            Self::Mean => "highest by avg",
            Self::Min => "highest by min",
            Self::Name | Self::Label(_) => "first by name",
        }
    }

    /// The figure that counts; nothing where it is the name.
    fn figure(self, of: &Figures) -> Option<f64> {
        match self {
            Self::Last | Self::Lowest => of.last,
            Self::Max => of.max,
            Self::Mean => of.mean,
            Self::Min => of.min,
            Self::Name | Self::Label(_) => None,
        }
    }
}

/// The figures of a series over the range of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Its value at the end; none where it ended before.
    pub(super) last: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) mean: Option<f64>,
}

impl Figures {
    /// Of a line that goes on until `until`, unless it ended a gap before.
    fn of(line: &Line, until: Timestamp, gap: std::time::Duration) -> Self {
        let mut figures = Self::default();
        let mut count = 0.0;
        let mut mean = 0.0;
        for (_, Num(value)) in &line.points {
            if value.is_nan() {
                continue;
            }
            count += 1.0;
            // In parts: the sum of large values may be none.
            mean += value / count - mean / count;
            figures.min = Some(figures.min.map_or(*value, |min| min.min(*value)));
            figures.max = Some(figures.max.map_or(*value, |max| max.max(*value)));
        }
        figures.mean = (count > 0.0).then_some(mean);
        let last = line.points.last().filter(|(at, _)| until.since(*at) <= gap);
        figures.last = last.map(|(_, value)| value.0);
        figures
    }
}

/// An answer with what follows from it.
#[derive(Debug, Default)]
pub(super) struct Digest {
    answer: Option<Arc<Answer>>,
    figures: Vec<Figures>,
    /// What all of its series have alike.
    common: Vec<(Arc<str>, Arc<str>)>,
    /// The labels that make columns, and how wide those are; none where there
    /// would be too many.
    columns: Vec<(Arc<str>, usize)>,
    /// How many bytes at their beginning the values of a label have alike.
    alike: BTreeMap<Arc<str>, usize>,
    earliest: Option<Timestamp>,
}

impl Digest {
    /// Takes an answer in; whether it is another one.
    pub(super) fn take(&mut self, answer: Option<&Arc<Answer>>) -> bool {
        let same = match (&self.answer, answer) {
            (Some(kept), Some(answer)) => Arc::ptr_eq(kept, answer),
            (None, None) => true,
            _ => false,
        };
        if same {
            return false;
        }
        self.answer = answer.cloned();
        self.figures.clear();
        self.earliest = None;
        match answer.map(|answer| (&answer.outcome, &answer.ask)) {
            Some((Ok(Data::Matrix(lines)), ask)) => {
                let gap = ask.range.map_or_else(Default::default, |range| range.step * 3 / 2);
                let figures = lines.iter().map(|line| Figures::of(line, ask.at, gap));
                self.figures = figures.collect();
                let firsts = lines.iter().filter_map(|line| line.points.first());
                self.earliest = firsts.map(|(at, _)| *at).min();
            }
            Some((Ok(Data::Vector(points)), _)) => {
                let last = |value: f64| Figures { last: Some(value), ..Figures::default() };
                self.figures = points.iter().map(|point| last(point.value.0)).collect();
            }
            Some((Ok(Data::Scalar(value)), _)) => {
                self.figures = vec![Figures { last: Some(value.0), ..Figures::default() }];
            }
            _ => {}
        }
        self.common = self.alike();
        self.columns = self.labels_as_columns();
        self.alike = self.beginnings();
        true
    }

    pub(super) fn answer(&self) -> Option<&Arc<Answer>> {
        self.answer.as_ref()
    }

    /// How many series it has.
    pub(super) fn len(&self) -> usize {
        self.figures.len()
    }

    /// The first moment of which it has a value.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.earliest
    }

    pub(super) fn labels(&self, at: usize) -> Labels {
        match self.answer.as_ref().map(|answer| &answer.outcome) {
            Some(Ok(Data::Matrix(lines))) => lines.get(at).map(|line| line.labels.clone()),
            Some(Ok(Data::Vector(points))) => points.get(at).map(|point| point.labels.clone()),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// Its moments and values.
    pub(super) fn points(&self, at: usize) -> &[(Timestamp, Num)] {
        match self.answer.as_ref().map(|answer| &answer.outcome) {
            Some(Ok(Data::Matrix(lines))) => lines.get(at).map_or(&[], |line| &line.points),
            _ => &[],
        }
    }

    pub(super) fn figures(&self, at: usize) -> Figures {
        self.figures.get(at).copied().unwrap_or_default()
    }

    /// The value at a moment of its steps.
    pub(super) fn value_at(&self, at: usize, moment: Timestamp) -> Option<f64> {
        let points = self.points(at);
        let found = points.binary_search_by_key(&moment, |(at, _)| *at).ok()?;
        points.get(found).map(|(_, value)| value.0)
    }

    /// The series that pass, in order.
    pub(super) fn ordered(&self, by: By, passes: impl Fn(&Labels) -> bool) -> Vec<usize> {
        let mut list: Vec<(Labels, usize)> =
            (0..self.len()).map(|at| (self.labels(at), at)).collect();
        list.retain(|(labels, _)| passes(labels));
        list.sort_by(|(a, i), (b, j)| {
            let (left, right) = (by.figure(&self.figures[*i]), by.figure(&self.figures[*j]));
            let compared = match (left.filter(|v| !v.is_nan()), right.filter(|v| !v.is_nan())) {
                (Some(left), Some(right)) if by == By::Lowest => left.total_cmp(&right),
                (Some(left), Some(right)) => right.total_cmp(&left),
                // What has no number comes last, however it is ordered.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            let label = match by {
                By::Label(at) => self.columns.get(at).map(|(name, _)| &**name),
                _ => None,
            };
            let labelled = label.map_or(Ordering::Equal, |name| a.get(name).cmp(&b.get(name)));
            compared.then(labelled).then_with(|| a.cmp(b))
        });
        list.into_iter().map(|(_, at)| at).collect()
    }

    /// The labels that all series have with the same value, where there are several.
    fn alike(&self) -> Vec<(Arc<str>, Arc<str>)> {
        if self.len() < 2 {
            return Vec::new();
        }
        let first = self.labels(0);
        let mut common: Vec<(Arc<str>, Arc<str>)> =
            first.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        for at in 1..self.len() {
            if common.is_empty() {
                break;
            }
            let labels = self.labels(at);
            common.retain(|(name, value)| labels.get(name) == Some(value));
        }
        common
    }

    fn labels_as_columns(&self) -> Vec<(Arc<str>, usize)> {
        let mut found: Vec<(Arc<str>, usize)> = Vec::new();
        for at in 0..self.len() {
            for (name, value) in self.labels(at).iter() {
                if self.common.iter().any(|(common, _)| common == name) {
                    continue;
                }
                let wide = text::width(value).clamp(1, WIDEST);
                if let Some((_, known)) = found.iter_mut().find(|(known, _)| known == name) {
                    *known = wide.max(*known);
                } else if found.len() == COLUMNS {
                    return Vec::new();
                } else {
                    found.push((name.clone(), wide.max(text::width(name).min(WIDEST))));
                }
            }
        }
        found.sort();
        found
    }

    /// The labels that make columns of a table, with their widths.
    pub(super) fn columns(&self) -> &[(Arc<str>, usize)] {
        &self.columns
    }

    /// What all series have alike, as PromQL writes it; empty where that is nothing.
    pub(super) fn common(&self) -> String {
        if self.common.is_empty() {
            return String::new();
        }
        Labels::new(self.common.iter().cloned()).to_string()
    }

    /// Where the values of a label begin alike: up to a place where a word ends.
    fn beginnings(&self) -> BTreeMap<Arc<str>, usize> {
        let mut found: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        for at in 0..self.len() {
            for (name, value) in self.labels(at).iter() {
                let Some(known) = found.get_mut(name) else {
                    found.insert(name.clone(), value.clone());
                    continue;
                };
                let pairs = known.char_indices().zip(value.chars());
                let same = pairs.take_while(|((_, a), b)| a == b).last();
                let end = same.map_or(0, |((at, c), _)| at + c.len_utf8());
                if end < known.len() {
                    *known = known[..end].into();
                }
            }
        }
        let word =
            |text: &str| text.rfind(|c: char| c.is_ascii_punctuation()).map_or(0, |at| at + 1);
        found.into_iter().map(|(name, begin)| (name, word(&begin))).collect()
    }

    /// The same where it has so many columns: what values begin with alike is
    /// left out if they have no room.
    pub(super) fn name_within(&self, at: usize, room: usize, mark: &str) -> String {
        /// Fewer bytes are not worth a mark.
        const LEAST: usize = 6;
        let name = self.name(at);
        if text::width(&name) <= room {
            return name;
        }
        let is_common = |name: &str| self.common.iter().any(|(common, _)| **common == *name);
        let own = self.labels(at);
        let own = own.iter().filter(|(name, _)| !is_common(name)).map(|(name, value)| {
            let alike = self.alike.get(name).copied().filter(|alike| *alike >= LEAST);
            match alike.and_then(|alike| value.get(alike..)) {
                Some(rest) if self.len() > 1 => (name.clone(), format!("{mark}{rest}").into()),
                _ => (name.clone(), value.clone()),
            }
        });
        let own: Vec<(Arc<str>, Arc<str>)> = own.collect();
        if own.is_empty() { name } else { Labels::new(own).to_string() }
    }

    /// What tells a series from the others.
    pub(super) fn name(&self, at: usize) -> String {
        let labels = self.labels(at);
        let is_common = |name: &str| self.common.iter().any(|(common, _)| **common == *name);
        let own = labels.filtered(|name| !is_common(name));
        match (own.is_empty(), labels.is_empty()) {
            (true, true) => "value".to_owned(),
            (true, false) => labels.to_string(),
            (false, _) if own.len() == 1 && own.get(METRIC_NAME).is_none() => {
                let text = own.to_string();
                text.trim_start_matches('{').trim_end_matches('}').to_owned()
            }
            (false, _) => own.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EngineKind;
    use crate::metrics::{Coverage, Point};
    use crate::store::{Ask, AskId, AskRange};
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn answer(data: Data) -> Arc<Answer> {
        let ask = Ask {
            id: AskId("page/chart".into()),
            expr: "x".into(),
            split: None,
            range: Some(AskRange { length: Duration::from_mins(5), step: Duration::from_secs(10) }),
            at: at(300),
            engine: EngineKind::Embedded,
        };
        Arc::new(Answer {
            ask,
            outcome: Ok(data),
            coverage: Coverage::Whole,
            warnings: Vec::new(),
            infos: Vec::new(),
            took: Duration::ZERO,
        })
    }

    fn line(code: &str, values: &[(i64, f64)]) -> Line {
        let labels = Labels::new([("__name__", "x"), ("job", "api"), ("code", code)]);
        Line { labels, points: values.iter().map(|(s, v)| (at(*s), Num(*v))).collect() }
    }

    fn digest(lines: Vec<Line>) -> Digest {
        let mut digest = Digest::default();
        assert!(digest.take(Some(&answer(Data::Matrix(lines)))));
        digest
    }

    #[test]
    fn figures_leave_out_what_is_no_number_and_bear_the_largest_ones() {
        let lines = vec![
            line("1", &[(280, 1e308), (290, f64::NAN), (300, 1.5e308)]),
            line("2", &[(0, -3.0), (10, f64::INFINITY)]),
            line("3", &[]),
        ];
        let digest = digest(lines);
        let first = digest.figures(0);
        assert_eq!((first.min, first.max, first.last), (Some(1e308), Some(1.5e308), Some(1.5e308)));
        assert!(first.mean.is_some_and(|mean| (mean - 1.25e308).abs() < 1e295));
        let ended = digest.figures(1);
        assert_eq!((ended.last, ended.min), (None, Some(-3.0)), "it ended long before");
        assert_eq!(digest.figures(2), Figures::default());
        assert_eq!(digest.earliest(), Some(at(0)));
    }

    #[test]
    fn what_has_no_number_comes_last_in_any_order() {
        let digest = digest(vec![
            line("1", &[(300, f64::NAN)]),
            line("2", &[(300, 1.0)]),
            line("3", &[(300, f64::INFINITY)]),
            line("4", &[(10, 7.0)]),
        ]);
        assert_eq!(digest.ordered(By::Last, |_| true), [2, 1, 0, 3]);
        assert_eq!(digest.ordered(By::Lowest, |_| true), [1, 2, 0, 3]);
        assert_eq!(digest.ordered(By::Name, |_| true), [0, 1, 2, 3]);
        assert_eq!(digest.ordered(By::Max, |labels| labels.get("code") != Some("3")), [3, 1, 0]);
    }

    #[test]
    fn series_are_named_by_what_tells_them_apart() {
        let several = digest(vec![line("1", &[]), line("2", &[])]);
        assert_eq!(
            (several.common().as_str(), several.name(0).as_str()),
            ("x{job=\"api\"}", "code=\"1\"")
        );
        let one = digest(vec![line("1", &[])]);
        assert_eq!(
            (one.common().as_str(), one.name(0).as_str()),
            ("", "x{code=\"1\", job=\"api\"}")
        );
        let mut digest = Digest::default();
        digest.take(Some(&answer(Data::Scalar(Num(1.0)))));
        assert_eq!((digest.len(), digest.name(0).as_str()), (1, "value"));
        let points = vec![Point { labels: Labels::default(), value: Num(1.0) }];
        digest.take(Some(&answer(Data::Vector(points))));
        assert_eq!(digest.name(0), "value");
    }

    #[test]
    fn what_names_begin_with_alike_goes_where_there_is_no_room() {
        let digest = digest(vec![line("shop-7d9f-x036", &[]), line("shop-7d9f-x031", &[])]);
        assert_eq!(digest.name_within(0, 40, "~"), "code=\"shop-7d9f-x036\"");
        assert_eq!(digest.name_within(0, 12, "~"), "{code=\"~x036\"}");
        let one = super::tests::digest(vec![line("shop-7d9f-x036", &[])]);
        assert!(one.name_within(0, 5, "~").contains("shop-7d9f-x036"));
    }

    #[test]
    fn labels_that_differ_make_columns_to_sort_by() {
        let digest = digest(vec![line("500", &[(300, 2.0)]), line("404", &[(300, 1.0)])]);
        assert_eq!(digest.columns(), [("code".into(), 4)]);
        assert_eq!(digest.ordered(By::Label(0), |_| true), [1, 0]);
        let mut by = By::Mean;
        let mut seen = Vec::new();
        for _ in 0..3 {
            by = by.next_in_table(1);
            seen.push(by);
        }
        assert_eq!(seen, [By::Lowest, By::Label(0), By::Last]);
        assert_eq!(By::Lowest.next_in_table(0), By::Name);
    }

    #[test]
    fn the_same_answer_is_taken_in_once() {
        let answer = answer(Data::Matrix(vec![line("1", &[(300, 1.0)])]));
        let mut digest = Digest::default();
        assert!(digest.take(Some(&answer)));
        assert!(!digest.take(Some(&answer)));
        assert!(digest.take(None) && !digest.take(None));
    }
}
