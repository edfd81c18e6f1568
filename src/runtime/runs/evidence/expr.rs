//! What an expression says: it holds where its answer is not empty, and an
//! empty answer counts only where there was something to look at.

use super::finding::{Part, window_words};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{EngineKind, Labels, Num, Timestamp, units};
use crate::metrics::promql::{self, Subject};
use crate::metrics::{Coverage, Data, Point};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// An engine's answer about a moment, and how much of the window it has seen.
pub(super) type Told = Result<(Data, Coverage), String>;
/// Asks an engine about a moment.
pub(super) type AskEngine =
    Arc<dyn Fn(Arc<str>, EngineKind, Timestamp) -> BoxFuture<'static, Told> + Send + Sync>;

/// What an expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Its answer is not empty.
    Something,
    /// Its answer is empty, over data that is there.
    Nothing,
    /// Nobody can tell.
    Unknown,
}

/// An expression that is asked at a moment.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) ask: &'q AskEngine,
    pub(super) engine: EngineKind,
    pub(super) now: Timestamp,
    /// Data of before this moment proves nothing.
    pub(super) after: Timestamp,
    /// How far the clock of whoever answers is ahead, in milliseconds.
    pub(super) skew_ms: i64,
    /// Series that belong to the alert with these labels alone count.
    pub(super) identity: Option<&'q Labels>,
}

/// Why nobody can tell.
#[derive(Debug)]
pub(super) struct Blind {
    pub(super) words: String,
    /// Time alone will change that.
    pub(super) in_time: bool,
}

impl Blind {
    fn yet(words: impl Into<String>) -> Self {
        Self { words: words.into(), in_time: true }
    }
}

impl<T: Into<String>> From<T> for Blind {
    fn from(words: T) -> Self {
        Self { words: words.into(), in_time: false }
    }
}

impl Question<'_> {
    /// What the expression says, with words for it.
    pub(super) async fn says(&self, text: &str) -> (Says, Part) {
        match self.look(text).await {
            Ok(found) => found,
            Err(Blind { words, in_time }) => {
                (Says::Unknown, Part { in_time, ..Part::unknown(words, None) })
            }
        }
    }

    /// Whether all that the expression looks at at its moment is of after the change.
    pub(super) async fn is_fresh(&self, text: &str) -> Result<(), Blind> {
        let expr = promql::parse(text).map_err(|error| error.message)?;
        self.fresh(&expr).await
    }

    async fn look(&self, text: &str) -> Result<(Says, Part), Blind> {
        let expr =
            promql::parse(text).map_err(|wrong| format!("it cannot be read: {}", wrong.message))?;
        self.whole_window(&expr)?;
        let (data, coverage) = self.told(text).await?;
        if let Coverage::Partial { seen, wanted } = coverage {
            return Err(Blind::yet(if seen.is_zero() {
                "waiting: nothing has been scraped yet".to_owned()
            } else {
                format!("waiting: {} of {} seen", units::age(seen), units::age(wanted))
            }));
        }
        let points = self.own(points(data)?);
        self.fresh(&expr).await?;
        let subjects = promql::subjects(&expr);
        let seen = Some(self.now);
        let some = points.iter().find(|point| !point.value.0.is_nan());
        if let Some(point) = some {
            for subject in &subjects {
                self.traffic(subject).await?;
            }
            let value = point.value;
            let compared = subjects.first().and_then(|subject| subject.compared.as_deref());
            let words = words(value, compared, points.len());
            return Ok((
                Says::Something,
                Part { value: Some(value), ..Part::unknown(words, seen) },
            ));
        }
        if !points.is_empty() {
            return Err(Blind::yet("no value (NaN)"));
        }
        if subjects.is_empty() {
            let words = "no series matches".to_owned();
            let says = if promql::asks_absence(&expr) { Says::Nothing } else { Says::Unknown };
            return Ok((says, Part::unknown(words, seen)));
        }
        let mut first = None;
        for subject in &subjects {
            let value = self.value(subject).await?;
            self.traffic(subject).await?;
            first = first.or(Some((value, subject.compared.clone())));
        }
        let (value, compared) = first.unwrap_or((None, None));
        let words = match (value, compared) {
            (Some(value), Some(compared)) => format!("{}, not {compared}", number(value)),
            (Some(value), None) => number(value),
            (None, _) => "none of them".to_owned(),
        };
        Ok((Says::Nothing, Part { value, ..Part::unknown(words, seen) }))
    }

    /// One whole window has to lie behind the change.
    fn whole_window(&self, expr: &promql::Expr) -> Result<(), Blind> {
        let fixed = promql::reaches(expr).iter().filter_map(|reach| reach.fixed_ms).min();
        if fixed.is_some_and(|oldest| oldest < self.after.millis()) {
            return Err("it looks at a moment before the change".into());
        }
        let window = promql::window(expr);
        let so_far = self.now.since(self.after);
        if so_far < window { Err(Blind::yet(window_words(so_far, window))) } else { Ok(()) }
    }

    /// The latest samples that it looks at are of after the change. Of a series
    /// that has ended meanwhile an engine may still give the last one for a while.
    async fn fresh(&self, expr: &promql::Expr) -> Result<(), Blind> {
        if self.after <= Timestamp::default() {
            return Ok(());
        }
        for selector in promql::instants(expr) {
            let oldest = self.points(&format!("min(timestamp({selector}))")).await?;
            let Some(seconds) = oldest.first().map(|point| point.value.0) else { continue };
            if seconds.is_nan() {
                continue;
            }
            #[expect(clippy::cast_possible_truncation, reason = "a moment in milliseconds")]
            let at = Timestamp::from_millis((seconds * 1000.0) as i64 - self.skew_ms);
            if at < self.after {
                let age = units::age(self.after.since(at).max(Duration::from_secs(1)));
                return Err(Blind::yet(format!(
                    "waiting: the data is still of {age} before the change"
                )));
            }
        }
        Ok(())
    }

    /// What is compared, where it has a value: of a quotient without anything
    /// above the line none, which is as good as zero.
    async fn value(&self, subject: &Subject) -> Result<Option<Num>, Blind> {
        let points = self.own(self.points(&subject.text).await?);
        if let Some(point) = points.iter().find(|point| !point.value.0.is_nan()) {
            return Ok(Some(point.value));
        }
        if !points.is_empty() {
            return Err(Blind::yet("no traffic (NaN)"));
        }
        for below in [&subject.divisor, &subject.all].into_iter().flatten() {
            if self.own(self.points(below).await?).iter().any(is_positive) {
                return Ok(None);
            }
        }
        Err("no data: nothing matches any more".into())
    }

    /// Fails where what is counted had no requests at all to count among.
    async fn traffic(&self, subject: &Subject) -> Result<(), Blind> {
        let Some(all) = &subject.all else { return Ok(()) };
        if self.own(self.points(all).await?).iter().any(is_positive) {
            return Ok(());
        }
        Err(Blind::yet("no traffic"))
    }

    async fn told(&self, text: &str) -> Told {
        let ahead = Duration::from_millis(self.skew_ms.unsigned_abs());
        let at = if self.skew_ms < 0 { self.now - ahead } else { self.now + ahead };
        (self.ask)(text.into(), self.engine, at).await
    }

    async fn points(&self, text: &str) -> Result<Vec<Point>, Blind> {
        points(self.told(text).await?.0)
    }

    fn own(&self, points: Vec<Point>) -> Vec<Point> {
        let Some(identity) = self.identity else { return points };
        let mine = |point: &Point| {
            let mut labels = point.labels.iter().filter(|(name, _)| &***name != METRIC_NAME);
            labels.all(|(name, value)| identity.get(name) == Some(value))
        };
        points.into_iter().filter(mine).collect()
    }
}

fn is_positive(point: &Point) -> bool {
    point.value.0 > 0.0
}

fn points(data: Data) -> Result<Vec<Point>, Blind> {
    match data {
        Data::Vector(points) => Ok(points),
        Data::Scalar(_) | Data::Text(_) => Err("its answer is no series, but one value".into()),
        Data::Matrix(_) => Err("its answer is a range".into()),
    }
}

fn number(value: Num) -> String {
    units::number(value.0)
}

/// `0.12 > 0.05`, and how many more say so.
fn words(value: Num, compared: Option<&str>, many: usize) -> String {
    let mut words = number(value);
    if let Some(compared) = compared {
        words = format!("{words} {compared}");
    }
    if many > 1 { format!("{words}, {} more", many - 1) } else { words }
}
