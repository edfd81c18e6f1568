//! The series of a target's last page in the order of its lines. Two pages of
//! one target are almost always the same lines with other numbers, so line i
//! is compared with last time's line i before anything is parsed or hashed.

use super::series::{NONE, SeriesId};

/// So many lines are tried when the next one does not fit.
const LOOK_AHEAD: usize = 4;

/// A line of the last page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Where its text ends.
    end: u32,
    /// What it names.
    pub(super) series: SeriesId,
}

/// The last page's series.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    /// Names and labels as they stood on the page, one after the other.
    text: Vec<u8>,
    pub(super) rows: Vec<Row>,
}

impl Pages {
    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |r| r.end as usize)
    }

    fn text(&self, row: usize) -> Option<&[u8]> {
        self.text.get(self.start(row)..self.rows.get(row)?.end as usize)
    }

    /// The row at or soon after `row` with whose text the line begins, and the
    /// length of that text.
    pub(super) fn find(&self, row: usize, line: &str) -> Option<(usize, usize)> {
        (row..row + LOOK_AHEAD).find_map(|row| {
            let text = self.text(row)?;
            let fits = line.as_bytes().starts_with(text) && self.rows.get(row)?.series != NONE;
            fits.then_some((row, text.len()))
        })
    }

    /// The first `rows` rows.
    pub(super) fn beginning(&self, rows: usize) -> Self {
        let mut text = Vec::with_capacity(self.text.len());
        text.extend_from_slice(self.text.get(..self.start(rows)).unwrap_or_default());
        let mut kept = Vec::with_capacity(self.rows.len());
        kept.extend_from_slice(self.rows.get(..rows).unwrap_or_default());
        Self { text, rows: kept }
    }

    /// Adds a row; its place.
    pub(super) fn push(&mut self, text: &str, series: SeriesId) -> u32 {
        self.text.extend_from_slice(text.as_bytes());
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.rows.push(Row { end, series });
        u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
    }

    /// After series went away: `new` holds for each old id the new one.
    pub(super) fn renumber(&mut self, new: &[SeriesId]) {
        for row in &mut self.rows {
            row.series = new.get(row.series as usize).copied().unwrap_or(NONE);
        }
    }

    /// Makes room for a page of so many bytes and lines.
    pub(super) fn reserve(&mut self, bytes: usize, lines: usize) {
        self.text.reserve(bytes);
        self.rows.reserve(lines);
    }

    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.capacity() + self.rows.capacity() * size_of::<Row>()
    }
}
