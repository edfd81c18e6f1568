//! Words beside one another: lists of them, and the one that was meant.

/// "`a`, `b` or `c`".
pub(crate) fn listed(words: &[&str]) -> String {
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            text.push_str(if i + 1 == words.len() { " or " } else { ", " });
        }
        text.push('`');
        text.push_str(word);
        text.push('`');
    }
    text
}

/// The word of `known` that was most likely meant by `word`.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word: Vec<char> = word.chars().take(64).flat_map(char::to_lowercase).collect();
    known
        .into_iter()
        .map(|candidate| {
            let chars: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
            (distance(&word, &chars), chars.len(), candidate)
        })
        .filter(|(distance, length, _)| *distance <= (*length.max(&word.len()) / 3).max(1))
        .filter(|(distance, length, _)| distance < length)
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the
/// other: optimal string alignment distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_a_stranger_finds_none() {
        let known = ["every", "timeout", "url", "skip_verify"];
        assert_eq!(nearest("evrey", known), Some("every"));
        assert_eq!(nearest("time_out", known), Some("timeout"));
        assert_eq!(nearest("skip-verify", known), Some("skip_verify"));
        assert_eq!(nearest("URL", known), Some("url"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
    }
}
