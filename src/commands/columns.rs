//! Columns of text under each other.

use unicode_width::UnicodeWidthStr;

/// The rows with their cells under each other, two blanks apart.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].width()).max().unwrap_or(0));
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_each_other_whatever_their_signs() {
        let rows = [["a", "b", ""], ["日本", "b", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "a     b\n日本  b  c\n");
        assert_eq!(aligned::<2>(&[]), "");
    }
}
