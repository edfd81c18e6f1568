//! Draws changed cells as bytes into memory, in as few of them as it takes.

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::convert::Infallible;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// A ratatui backend whose frames are bytes to be handed on.
#[derive(Debug)]
pub struct Pen {
    out: String,
    size: Size,
    cursor_shown: Option<bool>,
    cursor: Option<Position>,
}

impl Pen {
    /// For a terminal of this size.
    pub fn new(size: Size) -> Self {
        Self { out: String::new(), size, cursor_shown: None, cursor: None }
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
    }

    /// Nothing is known any more of the terminal's cursor.
    pub fn forget(&mut self) {
        self.cursor_shown = None;
        self.cursor = None;
    }

    /// Hands over what was drawn since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    fn put(&mut self, args: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.out.write_fmt(args);
    }

    fn go(&mut self, to: Position) {
        match self.cursor {
            Some(at) if at == to => {}
            Some(at) if at.y == to.y && to.x > at.x => match to.x - at.x {
                1 => self.out.push_str("\x1b[C"),
                by => self.put(format_args!("\x1b[{by}C")),
            },
            Some(at) if to.x == 0 && to.y == at.y + 1 => self.out.push_str("\r\n"),
            _ if to.x == 0 => self.put(format_args!("\x1b[{}H", to.y + 1)),
            _ => self.put(format_args!("\x1b[{};{}H", to.y + 1, to.x + 1)),
        }
        self.cursor = Some(to);
    }

    fn restyle(&mut self, was: &mut Pencil, to: Pencil) {
        if *was == to {
            return;
        }
        let mut codes = String::new();
        if !(was.modifier - to.modifier).is_empty() || to == Pencil::default() {
            codes.push_str(";0");
            *was = Pencil::default();
        }
        for (flag, code) in MODIFIERS {
            if (to.modifier - was.modifier).contains(*flag) {
                codes.push_str(code);
            }
        }
        if was.fg != to.fg {
            colour(&mut codes, to.fg, 30);
        }
        if was.bg != to.bg {
            colour(&mut codes, to.bg, 40);
        }
        if was.underline != to.underline {
            colour(&mut codes, to.underline, 50);
        }
        let codes = codes.trim_start_matches(';');
        self.put(format_args!("\x1b[{}m", if codes == "0" { "" } else { codes }));
        *was = to;
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pencil {
    fg: Color,
    bg: Color,
    underline: Color,
    modifier: Modifier,
}

const MODIFIERS: &[(Modifier, &str)] = &[
    (Modifier::BOLD, ";1"),
    (Modifier::DIM, ";2"),
    (Modifier::ITALIC, ";3"),
    (Modifier::UNDERLINED, ";4"),
    (Modifier::SLOW_BLINK, ";5"),
    (Modifier::RAPID_BLINK, ";6"),
    (Modifier::REVERSED, ";7"),
    (Modifier::HIDDEN, ";8"),
    (Modifier::CROSSED_OUT, ";9"),
];

/// Select Graphic Rendition (ECMA-48, 8.3.117); `base` is 30 for the text, 40
/// for what lies behind it, 50 for underlines (58 and 59 in ISO 8613-6 manner).
fn colour(codes: &mut String, colour: Color, base: u8) {
    let plain: u8 = match colour {
        Color::Reset => 9,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
        Color::Indexed(index) => {
            let _ = write!(codes, ";{};5;{index}", base + 8);
            return;
        }
        Color::Rgb(red, green, blue) => {
            let _ = write!(codes, ";{};2;{red};{green};{blue}", base + 8);
            return;
        }
    };
    if base == 50 && plain != 9 {
        let index = if plain >= 60 { plain - 60 + 8 } else { plain };
        let _ = write!(codes, ";58;5;{index}");
    } else {
        let _ = write!(codes, ";{}", base + plain);
    }
}

impl Backend for Pen {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut pencil = Pencil::default();
        // Where a run of narrow glyphs that are not ASCII goes on: lines and
        // charts are drawn in one go, and what comes after them is placed anew.
        let mut run = None;
        for (x, y, cell) in content {
            let symbol = cell.symbol();
            let glyph = symbol.len() > 1 && symbol.width() == 1;
            if !(glyph && run == Some(Position { x, y })) {
                self.go(Position { x, y });
            }
            let to = Pencil {
                fg: cell.fg,
                bg: cell.bg,
                underline: cell.underline_color,
                modifier: cell.modifier,
            };
            self.restyle(&mut pencil, to);
            self.out.push_str(symbol);
            // Terminals differ on the width of anything that is not ASCII, and
            // on where the cursor stands after the last column.
            let plain = symbol.len() == 1 && x + 1 < self.size.width;
            self.cursor = plain.then_some(Position { x: x + 1, y });
            run = (glyph && x + 1 < self.size.width).then_some(Position { x: x + 1, y });
        }
        self.restyle(&mut pencil, Pencil::default());
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        if self.cursor_shown != Some(false) {
            self.out.push_str("\x1b[?25l");
            self.cursor_shown = Some(false);
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        if self.cursor_shown != Some(true) {
            self.out.push_str("\x1b[?25h");
            self.cursor_shown = Some(true);
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        // Never asked of the terminal: the answer could take a round trip.
        Ok(self.cursor.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.go(position.into());
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Infallible> {
        self.out.push_str(match clear_type {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::style::{Style, Stylize};
    use ratatui::text::Line;

    fn terminal() -> Terminal<Pen> {
        Terminal::new(Pen::new(Size::new(20, 3))).unwrap()
    }

    fn shown(terminal: &mut Terminal<Pen>, line: &Line<'_>) -> String {
        terminal.draw(|frame| frame.render_widget(line, frame.area())).unwrap();
        terminal.backend_mut().take()
    }

    #[test]
    fn only_what_changed_is_written_and_nothing_where_nothing_did() {
        let mut terminal = terminal();
        assert_eq!(shown(&mut terminal, &Line::from("age 4s")), "\x1b[1Hage\x1b[C4s\x1b[?25l");
        assert_eq!(shown(&mut terminal, &Line::from("age 5s")), "\x1b[1;5H5");
        assert_eq!(shown(&mut terminal, &Line::from("age 5s")), "");
    }

    #[test]
    fn a_line_of_glyphs_is_drawn_in_one_go_and_what_follows_is_placed_anew() {
        let mut terminal = terminal();
        let drawn = shown(&mut terminal, &Line::from("a ──── b"));
        assert_eq!(drawn, "\x1b[1Ha\x1b[C────\x1b[1;8Hb\x1b[?25l");
        // To the last column, and on the next line.
        let rows = vec![Line::from("─".repeat(20)), Line::from("──")];
        let text = ratatui::text::Text::from(rows);
        terminal.draw(|frame| frame.render_widget(&text, frame.area())).unwrap();
        let drawn = terminal.backend_mut().take();
        assert_eq!(drawn.matches("\x1b[").count(), 3, "{drawn:?}");
    }

    #[test]
    fn a_real_terminal_understands_what_is_drawn() {
        let mut terminal = terminal();
        let mut screen = vt100::Parser::new(3, 20, 0);
        let line = Line::from(vec![
            "ok ".green(),
            "中文".bold().red(),
            " x".on_blue(),
            ratatui::text::Span::styled("y", Style::new().fg(Color::Rgb(1, 2, 3))),
            " end".into(),
        ]);
        screen.process(shown(&mut terminal, &line).as_bytes());
        assert_eq!(screen.screen().rows(0, 20).next().unwrap(), "ok 中文 xy end");
        let cell = screen.screen().cell(0, 3).unwrap();
        assert!(cell.bold());
        assert_eq!(cell.fgcolor(), vt100::Color::Idx(1));
        assert_eq!(screen.screen().cell(0, 8).unwrap().bgcolor(), vt100::Color::Idx(4));
        assert!(!screen.screen().cell(0, 8).unwrap().bold());
        assert_eq!(screen.screen().cell(0, 9).unwrap().fgcolor(), vt100::Color::Rgb(1, 2, 3));
        assert_eq!(screen.screen().cell(0, 12).unwrap().fgcolor(), vt100::Color::Default);
    }
}
