//! Hides secrets in texts that come in pieces: one that is cut by the border of
//! two pieces is hidden, too.

use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Stands where a secret was.
const MASK: &str = "(hidden)";
/// Shorter ones cannot be told from ordinary words.
const SHORTEST: usize = 4;
/// A line of a secret of many lines is one by itself from this length on.
const SHORTEST_LINE: usize = 8;
/// Room for the automaton that finds them all.
const MOST_ROOM: usize = 64 << 20;

/// Knows which texts are never shown.
#[derive(Clone, Default)]
pub struct Masker {
    /// Finds the longest that stands at a place.
    finder: Option<Regex>,
    /// By their first byte.
    secrets: Vec<Vec<u8>>,
    longest: usize,
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masker({})", self.secrets.len())
    }
}

impl Masker {
    /// Hides these, and the lines of those that have several. Texts under four
    /// bytes are left as they are. Fails where there are too many of them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut all = BTreeSet::new();
        for secret in secrets {
            let whole = secret.trim_matches(['\r', '\n']);
            if whole.len() >= SHORTEST {
                all.insert(whole);
            }
            if whole.contains('\n') {
                let lines = whole.lines().map(str::trim);
                all.extend(lines.filter(|line| line.len() >= SHORTEST_LINE));
            }
        }
        // The first that fits is taken: longer ones come before those that they begin with.
        let mut ordered: Vec<&str> = all.into_iter().collect();
        ordered.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let Some(longest) = ordered.first().map(|secret| secret.len()) else {
            return Ok(Self::default());
        };
        let escaped: Vec<String> = ordered.iter().map(|secret| regex::escape(secret)).collect();
        let finder = RegexBuilder::new(&escaped.join("|"))
            .unicode(false)
            .size_limit(MOST_ROOM)
            .build()
            .map_err(|_| "there are too many secrets to be hidden".to_owned())?;
        let secrets = ordered.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        Ok(Self { finder: Some(finder), secrets, longest })
    }

    /// A whole text without them.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(text) };
        match finder.replace_all(text.as_bytes(), MASK.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Hides what stands in `held` with the next piece behind it. What may be
    /// the beginning of a secret stays in `held`.
    pub(super) fn take(&self, held: &mut Vec<u8>, piece: &[u8]) -> Vec<u8> {
        held.extend_from_slice(piece);
        let Some(finder) = &self.finder else { return std::mem::take(held) };
        let mut out = Vec::with_capacity(held.len());
        let mut at = 0;
        let mut unsure = self.unsure(held, at);
        for found in finder.find_iter(held) {
            // What begins here may become a longer one.
            if found.start() >= unsure {
                break;
            }
            out.extend_from_slice(&held[at..found.start()]);
            out.extend_from_slice(MASK.as_bytes());
            at = found.end();
            if at > unsure {
                unsure = self.unsure(held, at);
            }
        }
        out.extend_from_slice(&held[at..unsure]);
        held.drain(..unsure);
        out
    }

    /// All of what was held back: nothing comes behind it.
    pub(super) fn flush(&self, held: &mut Vec<u8>) -> Vec<u8> {
        let rest = std::mem::take(held);
        match &self.finder {
            Some(finder) => finder.replace_all(&rest, MASK.as_bytes()).into_owned(),
            None => rest,
        }
    }

    /// The first place from `from` on at which the text may be the beginning
    /// of a secret, cut off; its end where there is none.
    fn unsure(&self, text: &[u8], from: usize) -> usize {
        let first = from.max(text.len().saturating_sub(self.longest.saturating_sub(1)));
        let begins = |rest: &[u8]| {
            self.secrets.iter().any(|it| it.len() > rest.len() && it.starts_with(rest))
        };
        (first..text.len()).find(|at| begins(&text[*at..])).unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masker(secrets: &[&str]) -> Masker {
        Masker::new(secrets.iter().copied()).unwrap()
    }

    fn streamed(masker: &Masker, pieces: &[&[u8]]) -> String {
        let mut held = Vec::new();
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(masker.take(&mut held, piece));
        }
        out.extend(masker.flush(&mut held));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_secret_across_the_border_of_two_pieces_is_hidden() {
        let masker = masker(&["swordfish", "sword"]);
        assert_eq!(streamed(&masker, &[b"say swo", b"rdfi", b"sh now"]), "say (hidden) now");
        assert_eq!(streamed(&masker, &[b"a sword", b" b"]), "a (hidden) b");
        assert_eq!(streamed(&masker, &[b"a sword", b"fis"]), "a (hidden)fis");
    }

    #[test]
    fn what_is_no_beginning_of_a_secret_is_not_held_back() {
        let masker = masker(&["swordfish"]);
        let mut held = Vec::new();
        assert_eq!(masker.take(&mut held, b"password: "), b"password: ");
        assert_eq!(masker.take(&mut held, b"words"), b"word");
        assert_eq!(held, b"s");
    }

    #[test]
    fn of_a_secret_of_many_lines_each_line_is_one() {
        let masker = masker(&["-----BEGIN KEY-----\nAAAABBBBCCCC\nxy\n"]);
        assert_eq!(masker.mask("  AAAABBBBCCCC | xy"), "  (hidden) | xy");
    }

    #[test]
    fn short_words_and_no_secrets_leave_a_text_as_it_is() {
        assert_eq!(masker(&["abc", ""]).mask("abc"), "abc");
        assert_eq!(format!("{:?}", masker(&["swordfish"])), "Masker(1)");
    }

    proptest! {
        #[test]
        fn however_a_text_is_cut_the_same_is_hidden(
            text in "[abc]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..6),
            secrets in prop::collection::vec("[abc]{4,7}", 0..4),
        ) {
            let masker = Masker::new(secrets.iter().map(String::as_str)).unwrap();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.push(text.len());
            let mut from = 0;
            let mut pieces = Vec::new();
            for cut in cuts {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let cut = streamed(&masker, &pieces);
            prop_assert_eq!(&cut, &*masker.mask(&text));
            for secret in &secrets {
                prop_assert!(!cut.contains(secret.as_str()));
            }
        }
    }
}
