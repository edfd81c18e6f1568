//! Floating-point numbers as Go writes them.

/// The digits of a number above zero, none of them a trailing zero, and where
/// its point stands: `0.DIGITS × 10^point`.
struct Digits {
    digits: String,
    point: i32,
}

impl Digits {
    /// From Rust's `1.25e3`, whose digits are exact.
    fn of(scientific: &str) -> Self {
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let point = exponent.parse::<i32>().unwrap_or(0) + 1;
        let digits = digits.trim_end_matches('0').to_owned();
        if digits.is_empty() { Self { digits, point: 0 } } else { Self { digits, point } }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.digits.len()).unwrap_or(i32::MAX)
    }
}

/// `Inf`, `NaN` with their sign, where it is one of them.
fn special(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

fn sign(value: f64) -> &'static str {
    if value.is_sign_negative() { "-" } else { "" }
}

/// `%g`; without a precision the shortest form that means this number, as `%v`.
pub(super) fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(special) = special(value) {
        return special.into();
    }
    let size = value.abs();
    let (digits, mut threshold) = match precision {
        None => (Digits::of(&format!("{size:e}")), 21),
        Some(precision) => {
            let precision = precision.clamp(1, 400);
            let digits = Digits::of(&format!("{size:.*e}", precision - 1));
            (digits, i32::try_from(precision).unwrap_or(400))
        }
    };
    if threshold > digits.count() && digits.count() >= digits.point {
        threshold = digits.count();
    }
    if precision.is_none() {
        // strconv decides as if six digits were asked for; fmt's `%v` knows no other.
        threshold = 6;
    }
    let exponent = if digits.digits.is_empty() { 0 } else { digits.point - 1 };
    let sign = sign(value);
    if exponent < -4 || exponent >= threshold.max(1) && !(digits.digits.is_empty()) {
        let after = usize::try_from(digits.count() - 1).unwrap_or(0);
        return format!("{sign}{}", scientific_of(&digits, after));
    }
    let after = usize::try_from(digits.count() - digits.point).unwrap_or(0);
    format!("{sign}{}", plain_of(&digits, after))
}

fn scientific_of(digits: &Digits, after: usize) -> String {
    let mut text = String::new();
    let mut all = digits.digits.chars().chain(std::iter::repeat('0'));
    text.extend(all.next());
    if after > 0 {
        text.push('.');
        text.extend(all.take(after));
    }
    let exponent = if digits.digits.is_empty() { 0 } else { digits.point - 1 };
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{text}e{mark}{:02}", exponent.abs())
}

fn plain_of(digits: &Digits, after: usize) -> String {
    let mut text = String::new();
    let point = usize::try_from(digits.point).unwrap_or(0);
    if point == 0 {
        text.push('0');
    }
    let zeros = usize::try_from(-digits.point).unwrap_or(0);
    text.extend(digits.digits.chars().chain(std::iter::repeat('0')).take(point));
    if after > 0 {
        text.push('.');
        let rest = digits.digits.chars().skip(point).chain(std::iter::repeat('0'));
        text.extend(std::iter::repeat_n('0', zeros).chain(rest).take(after));
    }
    text
}

/// `%e`.
pub(super) fn scientific(value: f64, precision: usize) -> String {
    special(value).map_or_else(
        || {
            let digits = Digits::of(&format!("{:.precision$e}", value.abs()));
            format!("{}{}", sign(value), scientific_of(&digits, precision))
        },
        str::to_owned,
    )
}

/// `%f`.
pub(super) fn fixed(value: f64, precision: usize) -> String {
    special(value).map_or_else(|| format!("{value:.precision$}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_as_go_has_it() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (5.0, "5"),
            (0.1, "0.1"),
            (123_456.0, "123456"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e21, "1e+21"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (-2.5, "-2.5"),
            (1e100, "1e+100"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(general(value, None), text);
        }
    }

    #[test]
    fn a_number_of_digits_as_go_has_it() {
        for (value, digits, text) in [
            (0.0, 4, "0"),
            (1.0, 4, "1"),
            (100.0, 4, "100"),
            (1000.0, 4, "1000"),
            (9999.9, 4, "1e+04"),
            (12_345.0, 4, "1.234e+04"),
            (12_355.0, 4, "1.236e+04"),
            (0.000_123_456, 4, "0.0001235"),
            (0.000_012_345_6, 4, "1.235e-05"),
            (1234.5, 3, "1.23e+03"),
            (99.95, 4, "99.95"),
            (2.5, 1, "2"),
        ] {
            assert_eq!(general(value, Some(digits)), text, "{value} {digits}");
        }
    }

    #[test]
    fn with_an_exponent_and_without() {
        assert_eq!(scientific(1234.5, 6), "1.234500e+03");
        assert_eq!(scientific(0.0, 2), "0.00e+00");
        assert_eq!(scientific(-1e-10, 0), "-1e-10");
        assert_eq!(fixed(2.675, 2), "2.67");
        assert_eq!(fixed(0.5, 0), "0");
        assert_eq!(fixed(-1.5, 0), "-2");
        assert_eq!(fixed(f64::NAN, 2), "NaN");
    }
}
