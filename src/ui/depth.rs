//! How many colours a terminal has, and what becomes of a colour that it has not.

use ratatui::style::{Color, Modifier, Style};

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
        let shade = matches!(style.bg, Some(Color::Rgb(r, g, b)) if hue(r, g, b).is_none());
        if self == Self::Ansi16 && shade {
            // A shade behind the text is lost among 16 colours, or hides it.
            let kept = Style { fg: None, bg: None, ..style };
            return kept.add_modifier(Modifier::REVERSED);
        }
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

/// The colour without its gray and at full strength, where it is a colour and
/// no shade of gray.
fn hue(r: u8, g: u8, b: u8) -> Option<(u8, u8, u8)> {
    let (least, most) = (r.min(g).min(b), r.max(g).max(b));
    let span = u16::from(most - least);
    if most < 100 || span * 4 < u16::from(most) {
        return None;
    }
    let full = |part: u8| u8::try_from(u16::from(part - least) * 255 / span).unwrap_or(u8::MAX);
    Some((full(r), full(g), full(b)))
}

/// By hue where there is one: a pale green is green and not gray.
fn to_16(r: u8, g: u8, b: u8) -> Color {
    const HUES: [(Color, Color, (u8, u8, u8)); 6] = [
        (Color::Red, Color::LightRed, (255, 0, 0)),
        (Color::Green, Color::LightGreen, (0, 255, 0)),
        (Color::Yellow, Color::LightYellow, (255, 255, 0)),
        (Color::Blue, Color::LightBlue, (0, 0, 255)),
        (Color::Magenta, Color::LightMagenta, (255, 0, 255)),
        (Color::Cyan, Color::LightCyan, (0, 255, 255)),
    ];
    let most = r.max(g).max(b);
    if let Some(hue) = hue(r, g, b) {
        let nearest = HUES.into_iter().min_by_key(|(_, _, rgb)| distance(*rgb, hue));
        let bright = most >= 200;
        return nearest.map_or(Color::Reset, |(dark, light, _)| if bright { light } else { dark });
    }
    match most {
        0..60 => Color::Black,
        60..180 => Color::DarkGray,
        180..245 => Color::Gray,
        245.. => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(
            Depth::Ansi16.map(Style::new().fg(Color::Indexed(196))).fg,
            Some(Color::LightRed)
        );
    }

    #[test]
    fn among_16_colours_a_colour_keeps_its_hue_and_a_shade_behind_text_is_reversed() {
        let fg = |r, g, b| Depth::Ansi16.map(Style::new().fg(Color::Rgb(r, g, b))).fg;
        assert_eq!(fg(108, 192, 112), Some(Color::Green));
        assert_eq!(fg(229, 184, 75), Some(Color::LightYellow));
        assert_eq!(fg(207, 150, 240), Some(Color::LightMagenta));
        assert_eq!(fg(138, 143, 152), Some(Color::DarkGray));
        assert_eq!(fg(255, 255, 255), Some(Color::White));
        let row = Style::new().fg(Color::White).bg(Color::Rgb(45, 59, 78));
        assert_eq!(Depth::Ansi16.map(row), Style::new().add_modifier(Modifier::REVERSED));
        let production = Style::new().bg(Color::Rgb(155, 34, 38));
        assert_eq!(Depth::Ansi16.map(production).bg, Some(Color::Red));
    }

    #[test]
    fn every_theme_tells_the_statuses_apart_in_16_colours() {
        use crate::domain::Status;
        use crate::ui::Theme;
        for name in ["dark", "light", "high-contrast", "colour-blind"] {
            let theme = Theme::named(name).unwrap().at_depth(Depth::Ansi16);
            let bad = [Status::Critical, Status::Warning, Status::Unknown];
            let colours = bad.map(|status| theme.status(status).fg);
            assert!(colours[0] != colours[1] && colours[1] != colours[2], "{name}: {colours:?}");
            assert!(colours[0] != colours[2], "{name}: {colours:?}");
        }
    }

    #[test]
    fn the_terminals_own_colours_stay_what_they_are() {
        for depth in [Depth::Ansi16, Depth::Ansi256, Depth::True] {
            assert_eq!(depth.map(Style::new().fg(Color::Reset)).fg, Some(Color::Reset));
            assert_eq!(depth.map(Style::new().fg(Color::Indexed(9))).fg, Some(Color::Indexed(9)));
        }
    }
}
