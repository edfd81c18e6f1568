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
    fn little_noise_below_the_scale_stays_little() {
        let points = [(minute(1), Num(0.001))];
        let drawn = sparkline(&points, minute(1), Duration::from_mins(1), 1, 0.05, &UNICODE);
        assert_eq!(drawn, "▁");
    }
}
