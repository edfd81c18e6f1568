//! Glyphs: a Unicode set, and an ASCII set for terminals and locales where the
//! former are missing or two cells wide.

use crate::domain::Status;

/// The glyphs of one set. A status is always colour, glyph and word.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Marks a critical thing.
    pub critical: &'static str,
    /// Marks a warning.
    pub warning: &'static str,
    /// Marks what is unknown.
    pub unknown: &'static str,
    /// Marks what is ok.
    pub ok: &'static str,
    /// Points at the selected row.
    pub pointer: &'static str,
    /// Draws the rule of a title.
    pub rule: &'static str,
    /// Stands between parts of a line.
    pub bar: &'static str,
    /// Ends a text that was cut.
    pub cut: &'static str,
    /// Eight heights, lowest first.
    pub heights: [&'static str; 8],
    /// A moment without data in a row of heights.
    pub gap: &'static str,
    /// The vertical axis of a chart.
    pub axis_vertical: &'static str,
    /// The horizontal axis of a chart.
    pub axis_horizontal: &'static str,
    /// Where the axes meet.
    pub axis_corner: &'static str,
    /// A threshold's line.
    pub threshold: &'static str,
    /// A moment on a chart, from top to bottom.
    pub moment: &'static str,
    /// Where that meets the horizontal axis.
    pub moment_foot: &'static str,
    /// Charts are drawn in braille dots, 2 x 4 a cell; else in these marks, one a series.
    pub braille: bool,
    /// Marks of the series of a chart, where they are told apart by shape.
    pub marks: [&'static str; 6],
    /// Points from an old value to a new one.
    pub arrow: &'static str,
}

/// For terminals that show UTF-8. Some of these are of ambiguous width.
pub static UNICODE: Glyphs = Glyphs {
    critical: "✖",
    warning: "▲",
    unknown: "?",
    ok: "●",
    pointer: "❯",
    rule: "─",
    bar: "│",
    cut: "…",
    heights: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: " ",
    axis_vertical: "│",
    axis_horizontal: "─",
    axis_corner: "└",
    threshold: "┄",
    moment: "┊",
    moment_foot: "┴",
    braille: true,
    marks: ["•", "+", "x", "o", "*", "#"],
    arrow: "→",
};

/// For all others.
pub static ASCII: Glyphs = Glyphs {
    critical: "X",
    warning: "!",
    unknown: "?",
    ok: " ",
    pointer: ">",
    rule: "-",
    bar: "|",
    cut: "~",
    heights: ["_", "_", ".", ".", ":", ":", "|", "|"],
    gap: " ",
    axis_vertical: "|",
    axis_horizontal: "-",
    axis_corner: "+",
    threshold: "-",
    moment: ":",
    moment_foot: "+",
    braille: false,
    marks: ["*", "+", "x", "o", "#", "%"],
    arrow: ">",
};

impl Glyphs {
    /// The glyph of a status.
    pub fn status(&self, status: Status) -> &'static str {
        match status {
            Status::Ok => self.ok,
            Status::Unknown => self.unknown,
            Status::Warning => self.warning,
            Status::Critical => self.critical,
        }
    }
}

/// The word of a status where there is little room: four columns at most.
pub fn short_word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Unknown => "UNKN",
        Status::Warning => "WARN",
        Status::Critical => "CRIT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn all(set: &Glyphs) -> Vec<&'static str> {
        let mut all = vec![
            set.critical,
            set.warning,
            set.unknown,
            set.ok,
            set.pointer,
            set.rule,
            set.bar,
            set.cut,
            set.gap,
            set.axis_vertical,
            set.axis_horizontal,
            set.axis_corner,
            set.threshold,
            set.moment,
            set.moment_foot,
            set.arrow,
        ];
        all.extend(set.heights);
        all.extend(set.marks);
        all
    }

    #[test]
    fn every_glyph_takes_one_cell_and_the_ascii_set_is_ascii() {
        for glyph in all(&UNICODE).into_iter().chain(all(&ASCII)) {
            assert_eq!(glyph.width(), 1, "{glyph:?}");
        }
        assert!(all(&ASCII).iter().all(|glyph| glyph.is_ascii()));
    }

    #[test]
    fn statuses_differ_in_glyph_and_word() {
        let statuses = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown];
        for (i, a) in statuses.iter().enumerate() {
            for b in &statuses[i + 1..] {
                for set in [&UNICODE, &ASCII] {
                    assert_ne!(set.status(*a), set.status(*b));
                }
                assert_ne!(short_word(*a), short_word(*b));
            }
        }
    }
}
