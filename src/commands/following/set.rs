//! Lines as they fit a terminal: broken at spaces, and set in.

use crate::ui::text;

/// What goes on in the next line is set in by this much more.
const MORE: usize = 3;
/// In fewer columns nothing is gained by it.
const FEWEST: usize = 20;

/// Breaks lines that are longer than so many columns; what is run, and was said by
/// what ran, stays character by character (`   | …`).
pub(super) fn set(words: &str, columns: usize) -> String {
    let mut out = String::with_capacity(words.len());
    for line in words.split_inclusive('\n') {
        let told = line.trim_end_matches('\n');
        let inner = told.trim_start_matches(' ');
        let indent = told.len() - inner.len();
        let room = columns.saturating_sub(indent + MORE);
        if text::width(told) <= columns || inner.starts_with("| ") || room < FEWEST {
            out.push_str(line);
            continue;
        }
        for (i, piece) in text::wrap(inner, room).iter().enumerate() {
            let more = if i == 0 { 0 } else { MORE };
            out.push_str(&" ".repeat(indent + more));
            out.push_str(piece);
            out.push('\n');
        }
        if !line.ends_with('\n') {
            out.pop();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_spaces_and_set_in() {
        let words = "?? step 2, roll back, changes something\n   type it\n";
        assert_eq!(set(words, 26), "?? step 2, roll back,\n   changes something\n   type it\n");
        assert_eq!(set("   a long line of words", 23), "   a long line of words");
        assert_eq!(
            set("   a long line of words and more", 27),
            "   a long line of words\n      and more"
        );
    }

    #[test]
    fn what_runs_stays_as_it_is() {
        let words = "   | echo 'a  b'   and more than fits here\n";
        assert_eq!(set(words, 30), words);
        assert_eq!(set("in ten columns that is no use\n", 10), "in ten columns that is no use\n");
    }
}
