//! Finding a name by some of its letters.

use nucleo_matcher::pattern::{Atom, AtomKind, CaseMatching, Normalization, Pattern};
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

/// How well a name fits, the best being the least: it is what was typed, it
/// begins so, it holds it; then by how its letters stand, and the shorter one.
type Fit = (u8, std::cmp::Reverse<u16>, usize);

/// The `most` names that fit best what is typed of them, best first, and how
/// many fit. Every character that is typed stands for itself. Where nothing is
/// typed all fit, in the order in which they come.
pub fn best<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> (Vec<&'a str>, usize) {
    let mut names = names.into_iter();
    if typed.is_empty() {
        let first: Vec<&str> = names.by_ref().take(most).collect();
        let of = first.len() + names.count();
        return (first, of);
    }
    let atom = Atom::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy, false);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut scratch = Vec::new();
    let lower = typed.to_lowercase();
    let mut fit = |name: &str| -> Option<Fit> {
        let score = atom.score(Utf32Str::new(name, &mut scratch), &mut matcher)?;
        let rank = if name == typed {
            0
        } else if name.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed)) {
            1
        } else if name.to_lowercase().contains(&lower) {
            2
        } else {
            3
        };
        Some((rank, std::cmp::Reverse(score), name.len()))
    };
    let mut found: Vec<(Fit, &str)> = names.filter_map(|name| Some((fit(name)?, name))).collect();
    let of = found.len();
    if of > most && most > 0 {
        found.select_nth_unstable(most - 1);
        found.truncate(most);
    }
    found.sort_unstable();
    (found.into_iter().map(|(_, name)| name).collect(), of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_names_begin_with_what_is_typed_and_the_rest_is_counted() {
        let names = ["irate", "rate", "rate_of_orders", "scrape_date", "grated", "other"];
        let (found, of) = best("rate", names, 3);
        assert_eq!((found, of), (vec!["rate", "rate_of_orders", "irate"], 5));
        assert_eq!(best("", names, 2), (vec!["irate", "rate"], 6));
        assert_eq!(best("^r$", names, 2), (vec![], 0), "signs are letters like all others");
        assert_eq!(best("é", ["ééé", "x"], 9).0, ["ééé"]);
    }

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
