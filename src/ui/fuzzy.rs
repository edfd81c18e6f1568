//! Finding a command by some of its letters.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// The indices of those names that hold the letters of `typed`, best first;
/// all of them in their order when nothing is typed.
pub fn find<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let pattern = Pattern::parse(typed.trim(), CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut scratch = Vec::new();
    let mut found: Vec<(u32, usize)> = names
        .into_iter()
        .enumerate()
        .filter_map(|(i, name)| {
            let score = pattern.score(Utf32Str::new(name, &mut scratch), &mut matcher)?;
            Some((score, i))
        })
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["overview", "services", "service api", "freeze the screen"];

    #[test]
    fn letters_in_order_find_a_name() {
        assert_eq!(find("srvapi", NAMES), [2]);
        assert_eq!(find("frz", NAMES), [3]);
        assert_eq!(find("OVER", NAMES), [0]);
        assert!(find("xyz", NAMES).is_empty());
    }

    #[test]
    fn nothing_typed_finds_all_in_their_order() {
        assert_eq!(find("", NAMES), [0, 1, 2, 3]);
    }
}
