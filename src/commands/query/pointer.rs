//! An expression with a mark under the part that is wrong.

use crate::domain::harmless;
use unicode_width::UnicodeWidthStr;

/// So much of a line is shown around the place.
const AROUND: usize = 60;

/// The line with the place, and a mark under it; the number of the line where
/// there are several.
pub(super) fn pointer(expr: &str, start: usize, end: usize) -> String {
    let start = expr.floor_char_boundary(start);
    let line_start = expr[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = expr[line_start..].lines().next().unwrap_or_default();
    let line_end = line_start + line.len();
    let start = start.min(line_end);
    let end = expr.ceil_char_boundary(end).clamp(start, line_end);
    // A long line is cut on both sides.
    let from = expr.ceil_char_boundary(start.saturating_sub(AROUND).max(line_start));
    let to = expr.floor_char_boundary((end.min(start + AROUND) + AROUND).min(line_end));
    let shown_end = end.min(to);
    let dots = |cut: bool| if cut { "..." } else { "" };
    let (left, right) = (dots(from > line_start), dots(to < line_end));
    let head = if expr.trim_end().contains('\n') {
        format!("{}: ", 1 + expr[..line_start].matches('\n').count())
    } else {
        String::new()
    };
    let shown = |from: usize, to: usize| harmless(&expr[from..to]).replace('\t', " ");
    let before = head.len() + left.len() + shown(from, start).width();
    let marked = shown(start, shown_end).width().max(1);
    format!(
        "  {head}{left}{}{right}\n  {}{}",
        shown(from, to),
        " ".repeat(before),
        "^".repeat(marked)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_what_is_wrong() {
        assert_eq!(pointer("sum(", 4, 4), "  sum(\n      ^");
        assert_eq!(pointer("a\n+ bb", 4, 6), "  2: + bb\n       ^^");
        assert_eq!(pointer("ä{", 2, 3), "  ä{\n   ^");
        assert_eq!(pointer("指标{", 6, 7), "  指标{\n      ^");
        assert_eq!(pointer("\ta}", 2, 3), "   a}\n    ^");
        assert_eq!(pointer("", 9, 12), "  \n  ^");
        assert_eq!(pointer("a\n", 0, 9), "  a\n  ^");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let long = format!("{}}}{}", "a".repeat(1_000), "b".repeat(1_000));
        let text = pointer(&long, 1_000, 1_001);
        let (shown, mark) = text.split_once('\n').unwrap();
        assert!(shown.len() < 140 && shown.starts_with("  ...a") && shown.ends_with("b..."));
        assert_eq!(shown.find('}'), mark.find('^'));
        let all = pointer(&long, 0, 2_001);
        assert!(all.lines().all(|line| line.len() < 140), "{all}");
    }
}
