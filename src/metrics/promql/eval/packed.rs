//! What needs no sample by itself: the last value of a series, rates from the
//! ends of a window, and aggregations of these without a table of all series.

use super::aggregate::pick_of;
use super::math::{Mean, Sum, Variance};
use super::over::{self, Stretch, Window};
use super::select::{Moments, millis, names_of, without_stale};
use super::table::{ABSENT, Names, Table};
use super::{Engine, Outcome, Steps};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Labels, Timestamp};
use crate::metrics::promql::ast::{Aggregate, Aggregation, Expr, Extent, Kind, Selector, Span};
use crate::metrics::promql::functions::{How, Over};
use crate::metrics::{Ends, Packed, Sample, is_stale};

/// What an aggregation takes of each series at each step.
enum Taken<'e> {
    /// Its last value.
    Latest(&'e Selector),
    /// What a function makes of its window.
    Over { over: Over, selector: &'e Selector, range_ms: i64, window: Span },
}

impl<'e> Taken<'e> {
    /// What `expr` takes; none where it is something else or has to look at the
    /// names of the series.
    fn of(expr: &'e Expr) -> Option<Self> {
        match &expr.bare().kind {
            Kind::Selector(selector) if selector.extent == Extent::Plain => {
                Some(Self::Latest(selector))
            }
            Kind::Call(function, args) => {
                let (How::Window(over), [arg]) = (function.how, &**args) else { return None };
                let Kind::Range(selector, range) = &arg.bare().kind else { return None };
                let one = names_of(selector) == Names::One && selector.extent == Extent::Plain;
                let (range_ms, window) = (millis(*range), arg.bare().span);
                one.then_some(Self::Over { over, selector, range_ms, window })
            }
            _ => None,
        }
    }

    /// Whether names no longer count.
    fn drops_names(&self) -> bool {
        matches!(self, Self::Over { over, .. } if !matches!(over, Over::First | Over::Last))
    }
}

/// Takes the group of a series, a step, and the value there.
type Add<'a> = dyn FnMut(usize, usize, f64) + 'a;

impl Engine<'_> {
    /// The aggregation where it can be had without a table of its series.
    pub(super) fn aggregate_packed(
        &self,
        aggregate: &Aggregate,
        steps: Steps,
    ) -> Option<Outcome<Table>> {
        let taken = Taken::of(&aggregate.expr)?;
        let span = aggregate.expr.span;
        Some(match aggregate.op {
            Aggregation::Sum => self.fold_packed(
                &taken,
                aggregate,
                steps,
                span,
                Sum::default(),
                Sum::add,
                Sum::total,
            ),
            Aggregation::Avg => self.fold_packed(
                &taken,
                aggregate,
                steps,
                span,
                Mean::default(),
                Mean::add,
                Mean::value,
            ),
            Aggregation::Stdvar | Aggregation::Stddev => {
                let root = aggregate.op == Aggregation::Stddev;
                let end = |sum: Variance| if root { sum.value().sqrt() } else { sum.value() };
                self.fold_packed(
                    &taken,
                    aggregate,
                    steps,
                    span,
                    Variance::default(),
                    Variance::add,
                    end,
                )
            }
            Aggregation::Min | Aggregation::Max => {
                let largest = aggregate.op == Aggregation::Max;
                let add = |best: &mut f64, value: f64| {
                    let better = if largest { value > *best } else { value < *best };
                    if better || best.is_nan() {
                        *best = value;
                    }
                };
                self.fold_packed(&taken, aggregate, steps, span, f64::NAN, add, |best| best)
            }
            Aggregation::Count => {
                let add = |count: &mut f64, _| *count += 1.0;
                self.fold_packed(&taken, aggregate, steps, span, 0.0, add, |count| count)
            }
            Aggregation::Group => {
                self.fold_packed(&taken, aggregate, steps, span, (), |(), _| {}, |()| 1.0)
            }
            _ => return None,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "an aggregation in three functions")]
    fn fold_packed<S: Clone>(
        &self,
        taken: &Taken<'_>,
        aggregate: &Aggregate,
        steps: Steps,
        span: Span,
        empty: S,
        add: impl Fn(&mut S, f64),
        end: impl Fn(S) -> f64,
    ) -> Outcome<Table> {
        let mut states: Vec<Option<S>> = Vec::new();
        let labels = self.gather(taken, aggregate, steps, span, &mut |group, step, value| {
            let at = group * steps.count + step;
            if at >= states.len() {
                states.resize((group + 1) * steps.count, None);
            }
            if let Some(state) = states.get_mut(at) {
                add(state.get_or_insert_with(|| empty.clone()), value);
            }
        })?;
        let mut table = Table::new(steps.count);
        let mut states = states.into_iter();
        for labels in labels {
            let before = table.values.len();
            let row = states.by_ref().take(steps.count);
            table.values.extend(row.map(|state| state.map_or(ABSENT, &end)));
            // A group of which no series has a value is none.
            if table.values[before..].iter().all(|value| is_stale(*value)) {
                table.values.truncate(before);
            } else {
                table.labels.push(labels);
            }
        }
        Ok(table)
    }

    /// Hands over the value of each series at each step; the labels of the groups.
    fn gather(
        &self,
        taken: &Taken<'_>,
        aggregate: &Aggregate,
        steps: Steps,
        span: Span,
        add: &mut Add<'_>,
    ) -> Outcome<Vec<Labels>> {
        let (selector, back_ms) = match taken {
            Taken::Latest(selector) => (*selector, millis(self.limits.lookback)),
            Taken::Over { selector, range_ms, .. } => (*selector, *range_ms),
        };
        let moments = self.moments(selector.shift, steps);
        let mut reader = Reader { moments, back_ms, steps, ..Reader::default() };
        let mut outcome = Ok(());
        let mut groups = 0;
        let mut found = false;
        let labels = self.storage.select_grouped(
            &selector.matchers,
            Timestamp::from_millis(moments.first().saturating_sub(back_ms)),
            Timestamp::from_millis(moments.last()),
            &pick_of(aggregate, taken.drops_names()),
            &mut |group, packed| {
                if outcome.is_err() {
                    return;
                }
                if group >= groups {
                    groups = group + 1;
                    outcome = self.keep(steps.count, span);
                }
                let mut add = |step, value| {
                    found = true;
                    add(group, step, value);
                };
                let looked_at = match taken {
                    Taken::Latest(_) => reader.latest(packed, &mut add),
                    Taken::Over { over, .. } => match stretch_of(*over) {
                        Some(stretch) => reader.rates(packed, stretch, &mut add),
                        None => reader.windows(packed, *over, &mut add),
                    },
                };
                if outcome.is_ok() {
                    outcome = self.spend(looked_at, span);
                }
            },
        );
        outcome?;
        if let Taken::Over { over: Over::Rate | Over::Increase, window, .. } = taken
            && found
            && let Some(name) = selector.equal(METRIC_NAME)
        {
            let one = Table::of(Labels::new([(METRIC_NAME, name)]), Vec::new());
            self.check_counters(&one, *window);
        }
        Ok(labels)
    }

    /// The last values at one instant: as [`Engine::latest`].
    pub(super) fn latest_packed(
        &self,
        selector: &Selector,
        moments: Moments,
        steps: Steps,
        span: Span,
        taken: bool,
    ) -> Outcome<Table> {
        let mut table = Table::new(steps.count);
        table.names = names_of(selector);
        let after = moments.first().saturating_sub(millis(self.limits.lookback));
        self.select_packed(selector, after, moments.last(), span, &mut |labels, packed| {
            if let Some(sample) = packed.last().filter(|sample| !is_stale(sample.value)) {
                let row = self.add_row(&mut table, labels, span)?;
                let value = if taken { sample.at.seconds() } else { sample.value };
                table.values[row * steps.count..].fill(value);
            }
            Ok(1)
        })?;
        Ok(table)
    }

    /// Rates and the like at one instant: as [`Engine::windows`]; none where
    /// `over` or `expr` needs more.
    pub(super) fn rates_packed(
        &self,
        over: Over,
        expr: &Expr,
        steps: Steps,
    ) -> Option<Outcome<Table>> {
        let stretch = stretch_of(over)?;
        let Kind::Range(selector, range) = &expr.bare().kind else { return None };
        let moments = self.moments(selector.shift, steps);
        if moments.steps.count != 1 || selector.extent != Extent::Plain {
            return None;
        }
        let back_ms = millis(*range);
        let mut reader = Reader { moments, back_ms, steps, ..Reader::default() };
        let mut table = Table::new(steps.count);
        table.names = names_of(selector);
        let after = moments.first().saturating_sub(back_ms);
        let found = self.select_packed(
            selector,
            after,
            moments.last(),
            expr.span,
            &mut |labels, packed| {
                let mut found = None;
                let looked_at = reader.rates(packed, stretch, &mut |_, value| found = Some(value));
                if let Some(value) = found {
                    let row = self.add_row(&mut table, labels, expr.span)?;
                    table.values[row * steps.count..].fill(value);
                }
                Ok(looked_at)
            },
        );
        Some(found.map(|()| table))
    }

    /// Asks the storage, and counts what `found` says to have looked at.
    fn select_packed(
        &self,
        selector: &Selector,
        after: i64,
        until: i64,
        span: Span,
        found: &mut dyn FnMut(&Labels, &dyn Packed) -> Outcome<usize>,
    ) -> Outcome<()> {
        let mut outcome = Ok(());
        self.storage.select_packed(
            &selector.matchers,
            Timestamp::from_millis(after),
            Timestamp::from_millis(until),
            &mut |labels, packed| {
                if outcome.is_ok() {
                    outcome = found(labels, packed).and_then(|looked| self.spend(looked, span));
                }
            },
        );
        outcome
    }
}

/// How a function is a rate; none where it is none.
fn stretch_of(over: Over) -> Option<Stretch> {
    match over {
        Over::Rate => Some(Stretch { counter: true, by_second: true }),
        Over::Increase => Some(Stretch { counter: true, by_second: false }),
        Over::Delta => Some(Stretch { counter: false, by_second: false }),
        _ => None,
    }
}

/// Reads series after series; keeps its room from one to the next.
struct Reader {
    moments: Moments,
    /// How far each moment looks back.
    back_ms: i64,
    steps: Steps,
    samples: Vec<Sample>,
    fresh: Vec<Sample>,
    /// Values after which a smaller one followed.
    fell: Vec<f64>,
    /// Where they stand.
    falls: Vec<usize>,
}

impl Default for Reader {
    fn default() -> Self {
        let steps = Steps { start: 0, step: 1, count: 1 };
        let moments = Moments { steps, fixed: false };
        let (samples, fresh, fell, falls) = Default::default();
        Self { moments, back_ms: 0, steps, samples, fresh, fell, falls }
    }
}

impl Reader {
    /// The value is the same for all steps.
    fn add_all(&self, value: f64, add: &mut impl FnMut(usize, f64)) {
        (0..self.steps.count).for_each(|step| add(step, value));
    }

    /// The last value at each step; how many samples it looked at.
    fn latest(&mut self, packed: &dyn Packed, add: &mut impl FnMut(usize, f64)) -> usize {
        if self.moments.steps.count == 1 {
            if let Some(sample) = packed.last().filter(|sample| !is_stale(sample.value)) {
                self.add_all(sample.value, add);
            }
            return 1;
        }
        self.samples.clear();
        packed.unpack(&mut self.samples);
        let mut next = 0;
        for step in 0..self.moments.steps.count {
            let moment = self.moments.steps.at(step);
            while self.samples.get(next).is_some_and(|sample| sample.at.millis() <= moment) {
                next += 1;
            }
            let last = next.checked_sub(1).and_then(|last| self.samples.get(last));
            if let Some(sample) = last
                && sample.at.millis() > moment.saturating_sub(self.back_ms)
                && !is_stale(sample.value)
            {
                add(step, sample.value);
            }
        }
        self.samples.len()
    }

    /// The rate at each step; how many samples it looked at.
    fn rates(
        &mut self,
        packed: &dyn Packed,
        stretch: Stretch,
        add: &mut impl FnMut(usize, f64),
    ) -> usize {
        if self.moments.steps.count == 1 {
            self.fell.clear();
            let Some(ends) = packed.ends(&mut self.fell) else { return 0 };
            let end_ms = self.moments.first();
            let start_ms = end_ms.saturating_sub(self.back_ms);
            if let Some(value) = over::stretched(&ends, &self.fell, (start_ms, end_ms), stretch) {
                self.add_all(value, add);
            }
            return 2 * ends.count;
        }
        self.samples.clear();
        packed.unpack(&mut self.samples);
        let samples = without_stale(&self.samples, &mut self.fresh);
        let pairs = samples.windows(2).zip(1..);
        self.falls.clear();
        self.falls.extend(pairs.filter(|(two, _)| two[1].value < two[0].value).map(|(_, at)| at));
        let mut slide = Slide::new(self.moments, self.back_ms);
        for step in 0..self.moments.steps.count {
            let Some((low, high, bounds)) = slide.window(samples, step) else { continue };
            let falls = self.falls.get(self.falls.partition_point(|at| *at <= low)..);
            let falls = falls.unwrap_or_default().iter().take_while(|at| **at < high);
            self.fell.clear();
            self.fell.extend(falls.map(|at| samples[at - 1].value));
            let ends = Ends { first: samples[low], last: samples[high - 1], count: high - low };
            if let Some(value) = over::stretched(&ends, &self.fell, bounds, stretch) {
                add(step, value);
            }
        }
        samples.len() + self.moments.steps.count
    }

    /// What `over` makes of the window at each step; how many samples it looked at.
    fn windows(
        &mut self,
        packed: &dyn Packed,
        over: Over,
        add: &mut impl FnMut(usize, f64),
    ) -> usize {
        self.samples.clear();
        packed.unpack(&mut self.samples);
        let samples = without_stale(&self.samples, &mut self.fresh);
        let mut looked_at = samples.len();
        let mut slide = Slide::new(self.moments, self.back_ms);
        for step in 0..self.moments.steps.count {
            let Some((low, high, (start_ms, end_ms))) = slide.window(samples, step) else {
                continue;
            };
            looked_at += high - low;
            let window = Window { samples: &samples[low..high], start_ms, end_ms };
            let fixed = self.moments.fixed;
            let reached = if fixed { self.steps.count } else { step + 1 };
            for step in step..reached {
                if let Some(value) = over::value(over, &window, [0.0; 2], self.steps.at(step)) {
                    add(step, value);
                }
            }
        }
        looked_at
    }
}

/// A window that moves on from step to step.
struct Slide {
    moments: Moments,
    back_ms: i64,
    low: usize,
    high: usize,
}

impl Slide {
    fn new(moments: Moments, back_ms: i64) -> Self {
        Self { moments, back_ms, low: 0, high: 0 }
    }

    /// The first sample of the window, the one after its last, and its bounds;
    /// none where it is empty.
    fn window(&mut self, samples: &[Sample], step: usize) -> Option<(usize, usize, (i64, i64))> {
        let end_ms = self.moments.steps.at(step);
        let start_ms = end_ms.saturating_sub(self.back_ms);
        while samples.get(self.low).is_some_and(|sample| sample.at.millis() <= start_ms) {
            self.low += 1;
        }
        self.high = self.high.max(self.low);
        while samples.get(self.high).is_some_and(|sample| sample.at.millis() <= end_ms) {
            self.high += 1;
        }
        (self.low < self.high).then_some((self.low, self.high, (start_ms, end_ms)))
    }
}
