//! The vertical scale of a chart: from zero, or fit to the values where they
//! are far from it; with labels that say its bounds exactly.

use crate::domain::{Thresholds, Unit, units};
use std::fmt::Write as _;

/// Where a scale begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// At zero, unless the values move too little beside their distance from it.
    #[default]
    Auto,
    /// At zero.
    Zero,
    /// At the values.
    Fit,
}

/// The scale of the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    bottom: f64,
    top: f64,
}

/// Values that move by less than this share of the largest one are a flat line
/// on a scale from zero.
const FLAT: f64 = 0.25;
/// Values that move by less than this are constant but for rounding.
const CONSTANT: f64 = 1e-10;

const DAY_S: f64 = 86_400.0;

impl Scale {
    /// For these values, which are finite; none where there is no value. On a
    /// scale from zero a threshold that is not far off is on it, too.
    pub fn of(
        values: impl Iterator<Item = f64>,
        base: Base,
        unit: Unit,
        thresholds: Thresholds,
    ) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            return None;
        }
        // What is judged is seen beside what it is judged by; a share and a
        // rate mean something beside zero only.
        let judged = thresholds.warning.or(thresholds.critical).is_some();
        let natural = matches!(unit, Unit::Ratio | Unit::PerSecond | Unit::BytesPerSecond);
        let fits = match base {
            Base::Zero => false,
            Base::Fit => true,
            Base::Auto => !judged && !natural && is_flat(least, most),
        };
        let fitted = if fits { fitted(least, most, unit) } else { None };
        Some(fitted.unwrap_or_else(|| from_zero(least, most, unit, thresholds)))
    }

    /// How far up a value stands, from 0 to 1.
    pub fn share(self, value: f64) -> f64 {
        let span = self.top - self.bottom;
        if span.is_finite() {
            return (value - self.bottom) / span;
        }
        // In halves: the largest number less the smallest one is none.
        (value / 2.0 - self.bottom / 2.0) / (self.top / 2.0 - self.bottom / 2.0)
    }

    /// Whether zero is on it.
    pub fn has_zero(self) -> bool {
        self.bottom <= 0.0 && self.top >= 0.0
    }

    /// Its top, its middle and its bottom, as exact as they are.
    pub fn labels(self, unit: Unit) -> [String; 3] {
        let values = [self.top, self.top / 2.0 + self.bottom / 2.0, self.bottom];
        let span = self.top - self.bottom;
        if !span.is_finite() {
            return values.map(|value| units::value(value, unit));
        }
        let size = self.size();
        let whole = values.iter().all(|value| value.fract() == 0.0);
        if unit == Unit::Seconds && (60.0..1e12).contains(&size) && whole {
            return values.map(time);
        }
        let forms = forms(unit, size);
        // The smaller unit where the larger one takes many digits.
        let few = |form: &&Form| form.decimals(&values, span) <= 4;
        let form = forms.iter().find(few).or(forms.last());
        values.map(|value| match form {
            Some(form) if value != 0.0 => form.write(value, form.decimals(&values, span)),
            _ => units::value(value, unit),
        })
    }

    /// A value as exact as it can be told apart on a scale that fits the values;
    /// short on one from zero.
    pub fn figure(self, value: f64, unit: Unit) -> String {
        let span = self.top - self.bottom;
        let far = !value.is_finite() || value.abs() > self.size() * 2.0;
        if self.has_zero() || far || !span.is_finite() {
            return units::value(value, unit);
        }
        let forms = forms(unit, self.size());
        let wanted = [value; 3];
        let few = |form: &&Form| form.decimals(&wanted, span * 10.0) <= 4;
        let form = forms.iter().find(few).or(forms.last());
        form.map_or_else(String::new, |form| form.write(value, form.decimals(&wanted, span * 10.0)))
    }

    fn size(self) -> f64 {
        self.top.abs().max(self.bottom.abs())
    }
}

fn is_flat(least: f64, most: f64) -> bool {
    let far = least.abs().max(most.abs());
    let apart = most - least;
    let same_side = least > 0.0 || most < 0.0;
    same_side && apart < far * FLAT && apart > far * CONSTANT
}

/// From zero, unless there are values below it.
fn from_zero(least: f64, mut most: f64, unit: Unit, thresholds: Thresholds) -> Scale {
    for (threshold, reach) in [(thresholds.warning, 8.0), (thresholds.critical, 3.0)] {
        if let Some(threshold) = threshold
            && threshold <= most * reach
        {
            most = most.max(threshold);
        }
    }
    if most <= 0.0 && least >= 0.0 {
        // Nothing but zeros: the scale is that of what would be too much.
        let wanted = thresholds.critical.or(thresholds.warning);
        most = wanted.filter(|wanted| *wanted > 0.0).map_or(most, |wanted| wanted * 2.0);
    }
    let bottom = if least < 0.0 { -round_up(-least, unit) } else { 0.0 };
    let top = if most > 0.0 { round_up(most, unit) } else { 0.0 };
    let ratio_cap = if unit == Unit::Ratio && most <= 1.0 { 1.0 } else { f64::INFINITY };
    let top = top.min(ratio_cap);
    Scale { bottom, top: if top > bottom { top } else { bottom + 1.0 } }
}

/// Round bounds close around the values; none where numbers are too coarse for it.
fn fitted(mut least: f64, mut most: f64, unit: Unit) -> Option<Scale> {
    let far = least.abs().max(most.abs());
    if most - least <= far * CONSTANT {
        (least, most) = (least - far / 10.0, most + far / 10.0);
    }
    let step = round_step((most - least) / 10.0, unit, far);
    let bottom = (least / step).floor() * step;
    let top = (most / step).ceil() * step;
    let sound = bottom.is_finite() && top.is_finite() && (top - bottom).is_finite();
    (sound && top > bottom && step > 0.0).then_some(Scale { bottom, top })
}

/// The next of some round numbers in the unit that it is shown in, not below `value`.
fn round_up(value: f64, unit: Unit) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let shown_in = match unit {
        Unit::Bytes | Unit::BytesPerSecond => in_bytes(value),
        Unit::Seconds if value > 2.0 * DAY_S => DAY_S,
        Unit::Seconds if value > 3_600.0 => 3_600.0,
        Unit::Seconds if value > 60.0 => 60.0,
        _ => 1.0,
    };
    let scaled = value / shown_in;
    let power = 10f64.powf(scaled.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = |step: &&f64| **step * power >= scaled * 0.999_999;
    let rounded = steps.iter().find(fits).map_or(value, |step| step * power * shown_in);
    if rounded.is_finite() { rounded } else { value }
}

/// The next round step not below `least`, in the unit that values of this size
/// are shown in.
fn round_step(least: f64, unit: Unit, size: f64) -> f64 {
    const TIMES: [f64; 18] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
        7_200.0, 10_800.0, 21_600.0, 43_200.0, DAY_S,
    ];
    let round = |least: f64| {
        let power = 10f64.powf(least.log10().floor());
        let fits = |step: &&f64| **step * power >= least * 0.999_999;
        [1.0, 2.0, 5.0, 10.0].iter().find(fits).map_or(least, |step| step * power)
    };
    match unit {
        Unit::Bytes | Unit::BytesPerSecond => {
            // As long as steps are not below a byte.
            let shown_in = in_bytes(size).min(in_bytes(least * 1024.0));
            round(least / shown_in) * shown_in
        }
        Unit::Seconds if size >= 60.0 && least > 0.5 => {
            let time = TIMES.iter().find(|time| **time >= least);
            time.copied().unwrap_or_else(|| round(least / DAY_S) * DAY_S)
        }
        _ => round(least),
    }
}

/// The power of 1,024 that so many bytes are shown in.
fn in_bytes(size: f64) -> f64 {
    let mut unit = 1.0;
    while size / unit >= 999.5 && unit < 1e15 {
        unit *= 1024.0;
    }
    unit
}

/// How numbers of an axis are written.
struct Form {
    unit: f64,
    ending: &'static str,
    /// With a power of ten: there are too many digits without.
    power: bool,
}

/// The forms for values up to this size, the shortest first.
fn forms(unit: Unit, size: f64) -> Vec<Form> {
    let form =
        |unit, ending| Form { unit, ending, power: !(1e-3..999.5e12).contains(&(size / unit)) };
    let plain = |ending| form(1.0, ending);
    let number = |endings: [&'static str; 5]| {
        let short = match size {
            s if s >= 999.5e12 => None,
            s if s >= 999.5e9 => Some(form(1e12, endings[4])),
            s if s >= 999.5e6 => Some(form(1e9, endings[3])),
            s if s >= 999.5e3 => Some(form(1e6, endings[2])),
            s if s >= 9_999.5 => Some(form(1e3, endings[1])),
            _ => None,
        };
        short.into_iter().chain([plain(endings[0])]).collect()
    };
    let bytes = |endings: [&'static str; 6]| {
        let mut found: Vec<Form> = Vec::new();
        let mut unit = 1.0;
        for ending in endings {
            found.insert(0, form(unit, ending));
            if size / unit < 999.5 {
                break;
            }
            unit *= 1024.0;
        }
        // More than all that can be stored is a number.
        if size >= 1e18 { vec![plain(endings[0])] } else { found }
    };
    match unit {
        Unit::Ratio => vec![form(0.01, "%")],
        Unit::Number => number(["", "k", "M", "G", "T"]),
        Unit::PerSecond => number(["/s", "k/s", "M/s", "G/s", "T/s"]),
        Unit::Bytes => bytes(["B", "kB", "MB", "GB", "TB", "PB"]),
        Unit::BytesPerSecond => bytes(["B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"]),
        Unit::Seconds if size < 0.000_999_5 => vec![form(1e-6, "us")],
        Unit::Seconds if size < 0.999_5 => vec![form(1e-3, "ms")],
        Unit::Seconds => vec![plain("s")],
    }
}

impl Form {
    /// So many digits behind the point tell all of these apart, and nothing wrong.
    fn decimals(&self, values: &[f64; 3], span: f64) -> usize {
        let exact = |decimals: &usize| {
            values.iter().all(|value| {
                let written = self.digits(*value, *decimals).parse::<f64>();
                written.is_ok_and(|written| {
                    (written - value / self.unit).abs() * self.unit <= span / 1e3
                })
            })
        };
        (0..=16).find(exact).unwrap_or(17)
    }

    fn digits(&self, value: f64, decimals: usize) -> String {
        let value = value / self.unit;
        if self.power { format!("{value:.decimals$e}") } else { format!("{value:.decimals$}") }
    }

    fn write(&self, value: f64, decimals: usize) -> String {
        let text = self.digits(value, decimals);
        let (digits, power) = text.split_once('e').map_or((&*text, None), |(a, b)| (a, Some(b)));
        let digits = if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.')
        } else {
            digits
        };
        let power = power.map_or_else(String::new, |power| format!("e{power}"));
        format!("{digits}{power}{}", self.ending)
    }
}

/// Whole seconds in full: `2d12h`, `1m30s`.
fn time(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let mut rest = seconds.abs();
    let mut text = String::new();
    let hours_up_to = 2.0 * DAY_S;
    for (unit, ending) in [(DAY_S, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s")] {
        if rest < unit || (ending == "d" && rest < hours_up_to) {
            continue;
        }
        let many = (rest / unit).floor();
        rest -= many * unit;
        // Writing to a String cannot fail.
        let _ = write!(text, "{many}{ending}");
    }
    if text.is_empty() { "0s".into() } else { format!("{sign}{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Thresholds = Thresholds { below: false, warning: None, critical: None };

    fn labels(values: &[f64], base: Base, unit: Unit) -> String {
        let scale = Scale::of(values.iter().copied(), base, unit, NONE).unwrap();
        for value in values {
            let share = scale.share(*value);
            assert!((-1e-9..=1.000_000_001).contains(&share), "{values:?} {scale:?}");
        }
        scale.labels(unit).join(" ")
    }

    fn auto(values: &[f64]) -> String {
        labels(values, Base::Auto, Unit::Number)
    }

    #[test]
    fn a_big_gauge_with_small_moves_is_no_flat_line_and_its_bounds_are_told_apart() {
        assert_eq!(auto(&[1003.0, 1017.0]), "1018 1010 1002");
        assert_eq!(auto(&[1_000_300.0, 1_001_700.0]), "1.0018M 1.001M 1.0002M");
        assert_eq!(auto(&[-1003.0, -1017.0]), "-1002 -1010 -1018");
        assert_eq!(auto(&[1e9, 1e9 + 1.0]), "1000000001 1000000000.5 1000000000");
        assert_eq!(auto(&[1.001e-9, 1.002e-9]), "1.002e-9 1.0015e-9 1.001e-9");
        assert_eq!(auto(&[1e18, 1.001e18]), "1.001e18 1.0005e18 1e18");
        assert_eq!(auto(&[0.1235, 0.1239]), "0.1239 0.1237 0.1235");
    }

    #[test]
    fn zero_stays_where_the_values_come_near_it_or_do_not_move() {
        assert_eq!(auto(&[60.0, 100.0]), "100 50 0");
        assert_eq!(auto(&[1000.0, 1000.0]), "1000 500 0");
        assert_eq!(auto(&[0.1 + 0.2, 0.3]), "0.3 0.15 0");
        assert_eq!(auto(&[-3.0, 8.0]), "8 2.5 -3");
        assert_eq!(auto(&[0.0]), "1 0.5 0");
        assert_eq!(labels(&[0.88, 0.89], Base::Auto, Unit::Ratio), "100% 50% 0%");
        assert_eq!(labels(&[990.0, 1000.0], Base::Auto, Unit::PerSecond), "1000/s 500/s 0/s");
        let judged = Thresholds { below: false, warning: Some(2000.0), critical: None };
        let scale = Scale::of([1003.0, 1017.0].into_iter(), Base::Auto, Unit::Number, judged);
        assert_eq!(scale.unwrap().labels(Unit::Number), ["2000", "1000", "0"]);
    }

    #[test]
    fn one_who_wants_the_other_scale_gets_it() {
        assert_eq!(labels(&[1003.0, 1017.0], Base::Zero, Unit::Number), "1500 750 0");
        assert_eq!(labels(&[60.0, 100.0], Base::Fit, Unit::Number), "100 80 60");
        assert_eq!(labels(&[5.0, 5.0], Base::Fit, Unit::Number), "5.5 5 4.5");
        assert_eq!(labels(&[0.0, 0.0], Base::Fit, Unit::Number), "1 0.5 0");
        assert_eq!(labels(&[0.88, 0.89], Base::Fit, Unit::Ratio), "89% 88.5% 88%");
    }

    #[test]
    fn bounds_are_round_in_the_unit_that_they_are_shown_in() {
        let zero = |value, unit| labels(&[value], Base::Zero, unit);
        let mb = 1024.0 * 1024.0;
        assert_eq!(zero(700.0 * mb, Unit::Bytes), "800MB 400MB 0B");
        assert_eq!(zero(2.2e9, Unit::Bytes), "2.5GB 1.25GB 0B");
        assert_eq!(zero(0.021, Unit::Ratio), "2.5% 1.25% 0%");
        assert_eq!(zero(0.48, Unit::Seconds), "500ms 250ms 0s");
        assert_eq!(zero(75.0, Unit::Seconds), "1m30s 45s 0s");
        assert_eq!(zero(7_000.0, Unit::Seconds), "2h 1h 0s");
        assert_eq!(zero(2.2 * DAY_S, Unit::Seconds), "2d12h 30h 0s");
        let fit = |low, high, unit| labels(&[low, high], Base::Auto, unit);
        assert_eq!(fit(500.0 * mb, 508.0 * mb, Unit::Bytes), "508MB 504MB 500MB");
        assert_eq!(fit(2_000.0 * mb, 2_001.0 * mb, Unit::Bytes), "2001MB 2000.5MB 2000MB");
        assert_eq!(fit(DAY_S, DAY_S + 290.0, Unit::Seconds), "24h5m 24h2m30s 24h");
        assert_eq!(fit(0.480, 0.482, Unit::Seconds), "482ms 481ms 480ms");
    }

    #[test]
    fn figures_beside_a_scale_are_as_exact_as_it_is() {
        let scale =
            |low, high| Scale::of([low, high].into_iter(), Base::Auto, Unit::Number, NONE).unwrap();
        let fit = scale(1_003_000_000.0, 1_008_000_000.0);
        assert_eq!(fit.figure(1_004_230_000.0, Unit::Number), "1.0042G");
        assert_eq!(scale(1003.0, 1017.0).figure(1004.567, Unit::Number), "1004.6");
        assert_eq!(scale(1.06e-9, 1.1e-9).figure(1.0812e-9, Unit::Number), "1.081e-9");
        assert_eq!(fit.figure(f64::NAN, Unit::Number), "NaN");
        assert_eq!(scale(10.0, 20.0).figure(12.3456, Unit::Number), "12.3");
    }

    #[test]
    fn no_number_is_too_odd_for_a_scale() {
        let odd = [f64::MAX, f64::MIN, 1e-300, 5e-324, -5e-324, 0.0, 1e18, 1e18 + 128.0, 1e-9];
        let wanted = Thresholds { below: true, warning: Some(f64::NAN), critical: Some(-1.0) };
        for first in odd {
            for second in odd {
                for base in [Base::Auto, Base::Zero, Base::Fit] {
                    for unit in [Unit::Number, Unit::Ratio, Unit::Seconds, Unit::Bytes] {
                        for thresholds in [NONE, wanted] {
                            let values = [first, second, f64::NAN, f64::INFINITY].into_iter();
                            let scale = Scale::of(values, base, unit, thresholds).unwrap();
                            let share = scale.share(first);
                            assert!(
                                (-0.001..=1.001).contains(&share),
                                "{first} {second} {scale:?}"
                            );
                            let labels = scale.labels(unit);
                            assert!(labels[0] != labels[2], "{first} {second} {labels:?}");
                            assert!(labels.iter().all(|label| label.len() < 30), "{labels:?}");
                        }
                    }
                }
            }
        }
        assert_eq!(Scale::of([f64::NAN].into_iter(), Base::Auto, Unit::Number, NONE), None);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        let ends = [0.0, 0.9, 1.0, 2.2, 7.0, 12.0];
        let ends = ends.map(|value| round_up(value, Unit::Number).to_string());
        assert_eq!(ends, ["1", "1", "1", "2.5", "8", "15"]);
    }
}
