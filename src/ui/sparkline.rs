//! A row of heights, one cell a stretch of time; a stretch without data is a gap.

use super::glyphs::Glyphs;
use crate::domain::{Num, Timestamp};
use std::time::Duration;

/// The last `length` up to `until` in `cells` cells. Each shows the highest
/// value of its stretch, against `top` or the highest value of all, whichever
/// is more.
pub fn sparkline(
    points: &[(Timestamp, Num)],
    until: Timestamp,
    length: Duration,
    cells: usize,
    top: f64,
    glyphs: &Glyphs,
) -> String {
    let mut heights: Vec<Option<f64>> = vec![None; cells];
    let start = until - length;
    let span = length.as_secs_f64();
    for (at, value) in points {
        if *at < start || *at > until || !value.0.is_finite() || span <= 0.0 {
            continue;
        }
        let share = at.since(start).as_secs_f64() / span;
        let cell = cell_of(share, cells);
        if let Some(height) = heights.get_mut(cell) {
            *height = Some(height.map_or(value.0, |known: f64| known.max(value.0)));
        }
    }
    let top = heights.iter().flatten().copied().fold(top, f64::max);
    heights
        .into_iter()
        .map(|height| height.map_or(glyphs.gap, |value| glyphs.heights[level(value, top)]))
        .collect()
}

/// One height for each of the last `cells` values, against the highest of
/// them; what has no value is a gap.
pub fn heights(values: &[Option<f64>], cells: usize, glyphs: &Glyphs) -> String {
    let shown = &values[values.len().saturating_sub(cells)..];
    let top = shown.iter().flatten().copied().fold(0.0, f64::max);
    let height = |value: f64| glyphs.heights[level(value, top)];
    shown.iter().map(|value| value.map_or(glyphs.gap, height)).collect()
}

/// A bar of at most `cells` cells for `value` against `top`; a value above
/// zero has one cell at least.
pub fn bar(value: f64, top: f64, cells: usize, glyphs: &Glyphs) -> String {
    if value <= 0.0 || top <= 0.0 || cells == 0 {
        return String::new();
    }
    glyphs.heights[7].repeat(cell_of(value / top, cells) + 1)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a number of cells on a screen"
)]
fn cell_of(share: f64, cells: usize) -> usize {
    ((share.clamp(0.0, 1.0) * cells as f64) as usize).min(cells.saturating_sub(1))
}

fn level(value: f64, top: f64) -> usize {
    if value <= 0.0 || top <= 0.0 { 0 } else { cell_of(value / top, 8) }
}

#[cfg(test)]
mod tests {
    use super::super::glyphs::UNICODE;
    use super::*;

    fn minute(at: i64) -> Timestamp {
        Timestamp::from_millis(at * 60_000)
    }

    #[test]
    fn a_gap_is_a_gap_and_zero_is_not() {
        let points = [(minute(1), Num(0.0)), (minute(2), Num(1.0)), (minute(4), Num(0.5))];
        let drawn = sparkline(&points, minute(5), Duration::from_mins(5), 5, 0.0, &UNICODE);
        assert_eq!(drawn, " ▁█ ▅");
    }

    #[test]
    fn what_is_not_a_number_is_a_gap_too() {
        let points = [(minute(1), Num(f64::NAN)), (minute(2), Num(f64::INFINITY))];
        let drawn = sparkline(&points, minute(3), Duration::from_mins(3), 3, 0.0, &UNICODE);
        assert_eq!(drawn, "   ");
    }

    #[test]
    fn heights_are_against_the_highest_and_the_last_ones_are_shown() {
        let values = [Some(9.0), Some(0.0), None, Some(2.0), Some(4.0)];
        assert_eq!(heights(&values, 4, &UNICODE), "▁ ▅█");
        assert_eq!(heights(&[], 4, &UNICODE), "");
    }

    #[test]
    fn the_highest_value_fills_its_bar_and_a_small_one_is_seen() {
        assert_eq!(bar(10.0, 10.0, 4, &UNICODE), "████");
        assert_eq!(bar(0.1, 10.0, 4, &UNICODE), "█");
        assert_eq!(bar(0.0, 10.0, 4, &UNICODE), "");
    }

    #[test]
    fn little_noise_below_the_scale_stays_little() {
        let points = [(minute(1), Num(0.001))];
        let drawn = sparkline(&points, minute(1), Duration::from_mins(1), 1, 0.05, &UNICODE);
        assert_eq!(drawn, "▁");
    }
}
