//! Dots of a chart, and how they are put into cells.

use std::borrow::Cow;

/// A grid of dots, `wide` and `high` in dots, each with the series it belongs to.
pub(super) struct Dots {
    pub(super) wide: usize,
    pub(super) high: usize,
    of: Vec<Option<usize>>,
}

impl Dots {
    pub(super) fn new(wide: usize, high: usize) -> Self {
        Self { wide, high, of: vec![None; wide * high] }
    }

    pub(super) fn set(&mut self, x: usize, y: usize, series: usize) {
        if x < self.wide && y < self.high {
            self.of[y * self.wide + x] = Some(series);
        }
    }

    pub(super) fn get(&self, x: usize, y: usize) -> Option<usize> {
        if x < self.wide && y < self.high { self.of[y * self.wide + x] } else { None }
    }

    pub(super) fn line(&mut self, from: (usize, usize), to: (usize, usize), series: usize) {
        let across = to.0.abs_diff(from.0);
        let down = to.1.abs_diff(from.1);
        let steps = across.max(down);
        let part = |a: usize, b: usize, i: usize| {
            let moved = (a.abs_diff(b) * i + steps / 2) / steps.max(1);
            if b >= a { a + moved } else { a - moved }
        };
        for i in 0..=steps {
            self.set(part(from.0, to.0, i), part(from.1, to.1, i), series);
        }
    }
}

/// The braille character of a cell (Unicode 15, "Braille Patterns": dots 1 to 8
/// are bits 0 to 7), and the most important series in it.
pub(super) fn braille(
    dots: &Dots,
    column: usize,
    row: usize,
) -> (Option<Cow<'static, str>>, Option<usize>) {
    const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let mut pattern = 0;
    let mut first: Option<usize> = None;
    for (y, bits) in BITS.iter().enumerate() {
        for (x, bit) in bits.iter().enumerate() {
            if let Some(series) = dots.get(column * 2 + x, row * 4 + y) {
                pattern |= bit;
                first = Some(first.map_or(series, |known| known.min(series)));
            }
        }
    }
    let symbol = char::from_u32(0x2800 + pattern).filter(|_| pattern > 0);
    (symbol.map(|symbol| symbol.to_string().into()), first)
}
