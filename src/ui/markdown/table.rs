//! Tables: columns as wide as they need where there is room, else shared out.

use super::{Piece, Tone, wrap};

/// A table as it is read.
#[derive(Debug, Default)]
pub(super) struct Grid {
    rows: Vec<Vec<Vec<Piece>>>,
    row: Vec<Vec<Piece>>,
}

const GAP: usize = 2;
const LEAST: usize = 4;

fn wide(cell: &[Piece]) -> usize {
    cell.iter().map(Piece::width).sum()
}

impl Grid {
    pub(super) fn cell(&mut self, cell: Vec<Piece>) {
        self.row.push(cell);
    }

    pub(super) fn end_row(&mut self) {
        self.rows.push(std::mem::take(&mut self.row));
    }

    /// Its lines in this many columns; the first row is its head.
    pub(super) fn lines(mut self, columns: usize) -> Vec<Vec<Piece>> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if count == 0 {
            return Vec::new();
        }
        for piece in self.rows[0].iter_mut().flatten() {
            piece.tone = Tone::Strong;
        }
        let mut widths: Vec<usize> = (0..count)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| wide(cell)).max().unwrap_or(0).max(1)
            })
            .collect();
        // The widest gives way first.
        let room = columns.saturating_sub(GAP * (count - 1)).max(count);
        let mut spare = widths.iter().sum::<usize>().saturating_sub(room);
        while spare > 0 {
            let Some(widest) = widths.iter_mut().max() else { break };
            if *widest <= LEAST {
                break;
            }
            *widest -= 1;
            spare -= 1;
        }
        let mut lines = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            lines.extend(row_lines(row, &widths));
            if at == 0 {
                lines.push(vec![Piece::new("", Tone::Rule)]);
            }
        }
        lines
    }
}

fn row_lines(row: &[Vec<Piece>], widths: &[usize]) -> Vec<Vec<Piece>> {
    let cells: Vec<Vec<Vec<Piece>>> =
        row.iter().zip(widths).map(|(cell, width)| wrap::wrap(cell, *width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let mut lines = Vec::new();
    for at in 0..height {
        let mut line = Vec::new();
        let mut blank = 0;
        for (column, width) in widths.iter().enumerate() {
            let part = cells.get(column).and_then(|cell| cell.get(at));
            let used = part.map_or(0, |part| wide(part));
            if let Some(part) = part {
                if blank > 0 {
                    line.push(Piece::new(" ".repeat(blank), Tone::Text));
                }
                blank = 0;
                line.extend(part.iter().cloned());
            }
            blank += width.saturating_sub(used) + GAP;
        }
        lines.push(line);
    }
    lines
}
