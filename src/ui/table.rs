//! A table of which only the visible rows are built.

use super::text;
use super::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use std::borrow::Cow;

/// A column. The one that is flexible takes what the others leave.
#[derive(Clone, Copy, Debug)]
pub struct ColumnOf<'n> {
    /// Its name in the title line; empty for none.
    pub name: &'n str,
    /// Its columns on the screen, or the least of them where it shares in what is left.
    pub width: u16,
    /// Its share of the room that is left; 0 takes none.
    pub share: u16,
    /// Whether its text ends at its right side.
    pub right: bool,
    /// What goes first where there is too little room; 0 never goes.
    pub goes: u8,
}

/// A column whose name is always the same.
pub type Column = ColumnOf<'static>;

impl<'n> ColumnOf<'n> {
    /// A column that always stays.
    pub const fn new(name: &'n str, width: u16) -> Self {
        Self { name, width, share: 0, right: false, goes: 0 }
    }

    /// Ends at its right side.
    #[must_use]
    pub const fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// Takes the room that is left.
    #[must_use]
    pub const fn flexible(self) -> Self {
        self.sharing(1)
    }

    /// Takes this share of the room that is left, beside others that do.
    #[must_use]
    pub const fn sharing(self, share: u16) -> Self {
        Self { share, ..self }
    }

    /// Goes when there is too little room; higher numbers go first.
    #[must_use]
    pub const fn goes(self, order: u8) -> Self {
        Self { goes: order, ..self }
    }
}

/// One cell of a row.
#[derive(Clone, Debug, Default)]
pub struct Cell<'a> {
    /// Its text, harmless.
    pub text: Cow<'a, str>,
    /// Its style.
    pub style: Style,
    /// How many columns after its own it covers.
    pub over: usize,
}

impl<'a> Cell<'a> {
    /// With text and style.
    pub fn new(text: impl Into<Cow<'a, str>>, style: Style) -> Self {
        Self { text: text.into(), style, over: 0 }
    }

    /// Goes on over the next `columns`, to the left.
    #[must_use]
    pub fn over(self, columns: usize) -> Self {
        Self { over: columns, ..self }
    }
}

const MARGIN: u16 = 1;
const GAP: u16 = 1;

/// Where each column stands in `width` columns: start and width, or nothing
/// where it had to go. The first column of the area is the pointer's.
pub fn fit(columns: &[ColumnOf<'_>], width: u16) -> Vec<Option<(u16, u16)>> {
    let mut stays: Vec<bool> = columns.iter().map(|_| true).collect();
    let needed = |stays: &[bool]| -> u16 {
        let kept = columns.iter().zip(stays).filter(|(_, stays)| **stays);
        kept.map(|(column, _)| column.width + GAP).sum::<u16>() + MARGIN
    };
    while needed(&stays) > width + GAP {
        let first = (0..columns.len())
            .filter(|i| stays[*i] && columns[*i].goes > 0)
            .max_by_key(|i| columns[*i].goes);
        let Some(first) = first else { break };
        stays[first] = false;
    }
    let spare = (width + GAP).saturating_sub(needed(&stays));
    let kept = columns.iter().zip(&stays).filter(|(_, stays)| **stays);
    let mut shares: u16 = kept.map(|(column, _)| column.share).sum();
    let mut left = spare;
    let mut x = MARGIN;
    let mut places = Vec::with_capacity(columns.len());
    for (column, stays) in columns.iter().zip(&stays) {
        if !stays {
            places.push(None);
            continue;
        }
        let more = if column.share == 0 { 0 } else { left * column.share / shares };
        left -= more;
        shares -= column.share;
        let wide = column.width + more;
        let wide = wide.min(width.saturating_sub(x));
        places.push((wide > 0).then_some((x, wide)));
        x = x.saturating_add(wide + GAP);
    }
    places
}

/// A table as it is drawn once.
pub struct Table<'a> {
    /// Its title, with a count where that says something: `ALERTS 4`.
    pub title: &'a str,
    /// Its columns.
    pub columns: &'a [ColumnOf<'a>],
    /// How many rows it has.
    pub rows: usize,
    /// The first row that is shown.
    pub from: usize,
    /// The row that is selected.
    pub selected: Option<usize>,
    /// Whether keys go to it.
    pub focused: bool,
    /// What stands there when it has no rows.
    pub empty: &'a str,
}

impl Table<'_> {
    /// Draws the title and as many rows as there is room for; `row` builds one.
    pub fn draw<'r>(
        &self,
        theme: &Theme,
        area: Rect,
        buf: &mut Buffer,
        mut row: impl FnMut(usize) -> Vec<Cell<'r>>,
    ) {
        let places = fit(self.columns, area.width);
        self.draw_title(theme, area, buf, &places);
        let height = usize::from(area.height.saturating_sub(1));
        if self.rows == 0 {
            if let Some(line) = text::line_of(area, 1) {
                let parts =
                    [(Cow::Borrowed("  "), theme.faint()), (self.empty.into(), theme.faint())];
                text::write(buf, line, parts, theme.glyphs.cut);
            }
            return;
        }
        for (at, index) in (self.from..self.rows).take(height).enumerate() {
            let Some(line) = text::line_of(area, at + 1) else { break };
            for (at, cell) in row(index).into_iter().enumerate().take(places.len()) {
                if cell.text.is_empty() {
                    continue;
                }
                let covered = &places[at..places.len().min(at + 1 + cell.over)];
                let mut covered = covered.iter().flatten().copied();
                let Some((x, first)) = covered.next() else { continue };
                let wide = covered.last().map_or(first, |(last, wide)| last + wide - x);
                let right = self.columns[at].right && cell.over == 0;
                let shown = text::pad(&cell.text, wide.into(), right, theme.glyphs.cut);
                buf.set_stringn(
                    area.x + x,
                    line.y,
                    shown,
                    wide.into(),
                    theme.text().patch(cell.style),
                );
            }
            if self.focused && self.selected == Some(index) {
                buf.set_stringn(line.x, line.y, theme.glyphs.pointer, 1, theme.strong());
                select(theme, line, buf);
            }
        }
    }

    fn draw_title(
        &self,
        theme: &Theme,
        area: Rect,
        buf: &mut Buffer,
        places: &[Option<(u16, u16)>],
    ) {
        let Some(line) = text::line_of(area, 0) else { return };
        rule(theme, line, buf, self.title, self.focused);
        let mut used = text::width(self.title);
        let below = self.rows.saturating_sub(self.from + usize::from(area.height - 1));
        let hidden = match (self.from, below) {
            (0, 0) => String::new(),
            (0, below) => format!("+{below} more"),
            (above, 0) => format!("+{above} above"),
            (above, below) => format!("+{above} above, {below} below"),
        };
        if !hidden.is_empty() {
            let x = u16::try_from(used + 1).unwrap_or(u16::MAX).min(line.width);
            let place = Rect { x: line.x + x, width: line.width - x, ..line };
            let parts = [(hidden.as_str().into(), theme.key()), (" ".into(), theme.faint())];
            text::write(buf, place, parts, "");
            used += 1 + text::width(&hidden);
        }
        let free_from = area.x + u16::try_from(used).unwrap_or(u16::MAX).saturating_add(1);
        for (column, place) in self.columns.iter().zip(places) {
            let Some((x, wide)) = *place else { continue };
            let name_width = u16::try_from(column.name.len()).unwrap_or(u16::MAX);
            if column.name.is_empty() || name_width > wide {
                continue;
            }
            let x = area.x + x + if column.right { wide - name_width } else { 0 };
            if x > free_from {
                buf.set_stringn(x - 1, line.y, " ", 1, theme.faint());
                let (after, _) =
                    buf.set_stringn(x, line.y, column.name, wide.into(), theme.faint());
                if after < area.right() {
                    buf.set_stringn(after, line.y, " ", 1, theme.faint());
                }
            }
        }
    }
}

/// Marks a line as selected. Text in the terminal's own colour takes the one
/// that goes with the background; what is coloured keeps its colour.
pub fn select(theme: &Theme, line: Rect, buf: &mut Buffer) {
    let style = theme.selected();
    buf.set_style(line, Style { fg: None, ..style });
    let Some(fg) = style.fg else { return };
    for x in line.left()..line.right() {
        let cell = &mut buf[(x, line.y)];
        if cell.fg == Color::Reset {
            cell.set_fg(fg);
        }
    }
}

/// A title on a rule as wide as the line.
pub fn rule(theme: &Theme, line: Rect, buf: &mut Buffer, title: &str, focused: bool) {
    let style = if focused { theme.title_focused() } else { theme.title() };
    let parts = [
        (Cow::Borrowed(title), style),
        (Cow::Borrowed(if title.is_empty() { "" } else { " " }), theme.faint()),
        (theme.glyphs.rule.repeat(line.width.into()).into(), theme.faint()),
    ];
    text::write(buf, line, parts, theme.glyphs.rule);
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::new("a", 4),
        Column::new("b", 6).flexible(),
        Column::new("c", 5).goes(1),
        Column::new("d", 5).goes(2),
    ];

    #[test]
    fn the_flexible_column_takes_what_is_left() {
        assert_eq!(fit(&COLUMNS, 30), [Some((1, 4)), Some((6, 12)), Some((19, 5)), Some((25, 5))]);
    }

    #[test]
    fn columns_share_what_is_left_and_none_of_it_is_lost() {
        let columns = [Column::new("a", 4).sharing(1), Column::new("b", 6).sharing(3)];
        assert_eq!(fit(&columns, 21), [Some((1, 6)), Some((8, 13))]);
        assert_eq!(fit(&columns, 22), [Some((1, 6)), Some((8, 14))]);
    }

    #[test]
    fn a_table_tells_how_many_rows_it_does_not_show() {
        let theme = Theme::named("dark").unwrap();
        let area = Rect::new(0, 0, 40, 5);
        for (from, told) in
            [(0, "T 9 +5 more "), (2, "T 9 +2 above, 3 below "), (5, "T 9 +5 above ")]
        {
            let mut buf = Buffer::empty(area);
            let table = Table {
                title: "T 9",
                columns: &COLUMNS[..1],
                rows: 9,
                from,
                selected: None,
                focused: true,
                empty: "",
            };
            table.draw(&theme, area, &mut buf, |_| Vec::new());
            let title: String = (0..40).map(|x| buf[(x, 0)].symbol()).collect();
            assert!(title.starts_with(told), "{title}");
        }
    }

    #[test]
    fn a_selected_row_is_readable_on_any_background_and_keeps_its_colours() {
        let theme = Theme::named("dark").unwrap();
        let line = Rect::new(0, 0, 4, 1);
        let mut buf = Buffer::empty(line);
        buf[(1, 0)].set_fg(Color::Red);
        select(&theme, line, &mut buf);
        assert_eq!(Some(buf[(0, 0)].fg), theme.selected().fg);
        assert_ne!(buf[(0, 0)].fg, Color::Reset, "a background alone could hide the text");
        assert_eq!((buf[(1, 0)].fg, Some(buf[(1, 0)].bg)), (Color::Red, theme.selected().bg));
    }

    #[test]
    fn what_matters_least_goes_first() {
        assert_eq!(fit(&COLUMNS, 20), [Some((1, 4)), Some((6, 8)), Some((15, 5)), None]);
        assert_eq!(fit(&COLUMNS, 12), [Some((1, 4)), Some((6, 6)), None, None]);
        assert_eq!(fit(&COLUMNS, 4), [Some((1, 3)), None, None, None]);
    }

    #[test]
    fn only_visible_rows_are_built() {
        let theme = Theme::named("dark").unwrap();
        let area = Rect::new(0, 0, 30, 6);
        let mut buf = Buffer::empty(area);
        let mut built = Vec::new();
        let table = Table {
            title: "T",
            columns: &COLUMNS,
            rows: 10_000,
            from: 100,
            selected: Some(101),
            focused: true,
            empty: "",
        };
        table.draw(&theme, area, &mut buf, |i| {
            built.push(i);
            vec![Cell::new(i.to_string(), Style::new())]
        });
        assert_eq!(built, [100, 101, 102, 103, 104]);
    }
}
