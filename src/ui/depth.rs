//! How many colours a terminal has, and what becomes of a colour that it has not.

use ratatui::style::{Color, Style};

/// The colours that a terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: `NO_COLOR`, or a terminal that has none. Bold, dim and reversed stay.
    None,
    /// The 16 colours of the terminal's own palette.
    #[default]
    Ansi16,
    /// The 256 colours of xterm.
    Ansi256,
    /// 24 bits.
    True,
}

impl Depth {
    /// The nearest style that a terminal of this depth can show.
    pub fn map(self, style: Style) -> Style {
        Style {
            fg: style.fg.and_then(|color| self.color(color)),
            bg: style.bg.and_then(|color| self.color(color)),
            underline_color: style.underline_color.and_then(|color| self.color(color)),
            ..style
        }
    }

    fn color(self, color: Color) -> Option<Color> {
        match (self, color) {
            (Self::None, _) => None,
            (Self::True, _) | (_, Color::Reset) => Some(color),
            (Self::Ansi256, Color::Rgb(r, g, b)) => Some(Color::Indexed(to_256(r, g, b))),
            (Self::Ansi16, Color::Rgb(r, g, b)) => Some(to_16(r, g, b)),
            (Self::Ansi16, Color::Indexed(index)) if index >= 16 => {
                let (r, g, b) = of_256(index);
                Some(to_16(r, g, b))
            }
            (_, color) => Some(color),
        }
    }
}

/// The steps of xterm's 6x6x6 cube (XTerm-col.ad, 256colres.pl).
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn nearest_step(value: u8) -> u8 {
    let at = (0u8..6).min_by_key(|i| STEPS[usize::from(*i)].abs_diff(value));
    at.unwrap_or(0)
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let part = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    part(a.0, b.0) + part(a.1, b.1) + part(a.2, b.2)
}

fn to_256(r: u8, g: u8, b: u8) -> u8 {
    let cube = 16 + 36 * nearest_step(r) + 6 * nearest_step(g) + nearest_step(b);
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let shade = u8::try_from(mean.saturating_sub(3) / 10).unwrap_or(u8::MAX).min(23);
    let gray = 232 + shade;
    if distance(of_256(gray), (r, g, b)) < distance(of_256(cube), (r, g, b)) { gray } else { cube }
}

fn of_256(index: u8) -> (u8, u8, u8) {
    if index >= 232 {
        let level = 8 + 10 * (index - 232);
        (level, level, level)
    } else {
        let at = index.saturating_sub(16);
        let step = |i: u8| STEPS[usize::from(i % 6)];
        (step(at / 36), step(at / 6), step(at))
    }
}

fn to_16(r: u8, g: u8, b: u8) -> Color {
    const PALETTE: [(Color, (u8, u8, u8)); 15] = [
        (Color::Black, (0, 0, 0)),
        (Color::Red, (205, 0, 0)),
        (Color::Green, (0, 205, 0)),
        (Color::Yellow, (205, 205, 0)),
        (Color::Blue, (0, 0, 238)),
        (Color::Magenta, (205, 0, 205)),
        (Color::Cyan, (0, 205, 205)),
        (Color::Gray, (229, 229, 229)),
        (Color::DarkGray, (127, 127, 127)),
        (Color::LightRed, (255, 80, 80)),
        (Color::LightGreen, (80, 255, 80)),
        (Color::LightYellow, (255, 255, 80)),
        (Color::LightBlue, (92, 92, 255)),
        (Color::LightMagenta, (255, 80, 255)),
        (Color::LightCyan, (80, 255, 255)),
    ];
    PALETTE
        .into_iter()
        .min_by_key(|(_, rgb)| distance(*rgb, (r, g, b)))
        .map_or(Color::Reset, |(color, _)| color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    #[test]
    fn without_colours_only_modifiers_stay() {
        let style =
            Style::new().fg(Color::Red).bg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD);
        let mapped = Depth::None.map(style);
        assert_eq!(mapped, Style::new().add_modifier(Modifier::BOLD));
    }

    #[test]
    fn a_true_colour_becomes_the_nearest_that_there_is() {
        let red = Style::new().fg(Color::Rgb(250, 70, 70));
        assert_eq!(Depth::True.map(red), red);
        assert_eq!(Depth::Ansi256.map(red).fg, Some(Color::Indexed(203)));
        assert_eq!(Depth::Ansi16.map(red).fg, Some(Color::LightRed));
        assert_eq!(Depth::Ansi16.map(Style::new().fg(Color::Indexed(196))).fg, Some(Color::Red));
    }

    #[test]
    fn the_terminals_own_colours_stay_what_they_are() {
        for depth in [Depth::Ansi16, Depth::Ansi256, Depth::True] {
            assert_eq!(depth.map(Style::new().fg(Color::Reset)).fg, Some(Color::Reset));
            assert_eq!(depth.map(Style::new().fg(Color::Indexed(9))).fg, Some(Color::Indexed(9)));
        }
    }
}
