//! Placeholders of runbooks that were written for people: `<pod>`, `YOUR_POD`,
//! `{{pod}}`, `$POD` that nothing sets. Each becomes a parameter and an
//! expansion that fits where it stands; where none does, a person edits the line.

mod find;
#[cfg(test)]
mod tests;

use super::given;
use super::shell::{self, Code, Place, Script};
use find::Found;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A script with expansions in the places of its placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) script: String,
    /// Parameters that it needs, each once, and what they were called in the text.
    pub(super) asks: Vec<(String, String)>,
    /// What could not be placed, in words.
    pub(super) edit: Option<String>,
}

/// Stands for a placeholder while the shell's view of the script is taken: a
/// plain word that no script has.
const MARK: &str = "xOPSROOMx";

/// More placeholders in one block are left to a person.
const MOST: usize = 100;

/// Puts expansions in the places of placeholders.
pub(super) fn fill(text: &str) -> Filled {
    let found = find::candidates(text);
    if found.is_empty() {
        return left_out(text)
            .unwrap_or_else(|| Filled { script: text.into(), ..Filled::default() });
    }
    if found.len() > MOST {
        let edit = Some(format!("it has more than {MOST} placeholders"));
        return Filled { script: text.into(), asks: Vec::new(), edit };
    }
    let (marked, places) = mark(text, &found);
    let script = shell::read(&marked);
    let codes = shell::ranges(&script);
    let names = name_all(&found, &script);
    let mut filled = Filled::default();
    let mut copied = 0;
    for (one, place) in found.iter().zip(&places) {
        let end = place + MARK.len();
        filled.script.push_str(&marked[copied..*place]);
        copied = end;
        let placed = placed(&marked, &script, &codes, *place, one);
        match placed {
            Placed::Left => filled.script.push_str(one.text(text)),
            Placed::Edit(why) => {
                filled.script.push_str(one.text(text));
                let shown = crate::domain::harmless_within(one.text(text), 60);
                filled.edit.get_or_insert(format!("`{shown}` stands {why}"));
            }
            Placed::As(quotes) => {
                let Some(name) = names.get(&one.words) else { continue };
                let expansion = match quotes {
                    Quotes::None => format!("\"${name}\""),
                    Quotes::Double => format!("${{{name}}}"),
                    Quotes::Single => format!("'\"${name}\"'"),
                };
                filled.script.push_str(&expansion);
                if !filled.asks.iter().any(|(known, _)| known == name) {
                    filled.asks.push((name.clone(), one.words.clone()));
                }
            }
        }
    }
    filled.script.push_str(&marked[copied..]);
    if filled.edit.is_none() {
        filled.edit = left_out(&filled.script).and_then(|left| left.edit);
    }
    filled
}

/// The first `<placeholder>` of a script that would be read as a redirection.
pub(super) fn angle(text: &str) -> Option<String> {
    let found = find::candidates(text);
    let first = found.iter().find(|one| one.text(text).starts_with('<'))?;
    let script = shell::read(text);
    let bare = script.piece_at(first.range.start + 1)?.place == Place::Bare;
    bare.then(|| first.text(text).to_owned())
}

/// `...` in a command stands for what everybody knows, and nobody can run.
fn left_out(text: &str) -> Option<Filled> {
    let script = shell::read(text);
    let dots =
        script.commands.iter().flat_map(|command| &command.words).any(|word| {
            matches!(text.get(word.range.clone()), Some("..." | "…" | "[...]" | "[…]"))
        });
    dots.then(|| Filled {
        script: text.into(),
        asks: Vec::new(),
        edit: Some("`...` stands for something that was left out".into()),
    })
}

/// The text with marks in the places of placeholders, and where these are.
fn mark(text: &str, found: &[Found]) -> (String, Vec<usize>) {
    let mut marked = String::with_capacity(text.len() + found.len() * MARK.len());
    let mut places = Vec::with_capacity(found.len());
    let mut copied = 0;
    for one in found {
        marked.push_str(&text[copied..one.range.start]);
        places.push(marked.len());
        marked.push_str(MARK);
        copied = one.range.end;
    }
    marked.push_str(&text[copied..]);
    (marked, places)
}

/// In which quotes an expansion stands.
enum Quotes {
    None,
    Double,
    Single,
}

/// What is done about a placeholder.
enum Placed {
    As(Quotes),
    /// It is none: it stands in a remark, or means something there.
    Left,
    Edit(String),
}

fn placed(
    marked: &str,
    script: &Script,
    codes: &[(Range<usize>, Code)],
    at: usize,
    one: &Found,
) -> Placed {
    if script.unsure {
        return Placed::Edit("in a command that cannot be read for sure".into());
    }
    // A mark within `${…}` is read as part of a name.
    let Some(piece) = script.piece_at(at) else {
        return Placed::Edit("where a value cannot be put in safely".into());
    };
    if piece.place == Place::Comment {
        return Placed::Left;
    }
    let index = codes.partition_point(|(range, _)| range.end <= at);
    if let Some((_, code)) = codes.get(index).filter(|(range, _)| range.contains(&at)) {
        // What is run cannot be a value.
        let edits = one.sure || *code == Code::Command;
        return if edits { Placed::Edit(code.words().into()) } else { Placed::Left };
    }
    if piece.around.backticks {
        return Placed::Edit("inside backticks".into());
    }
    let quotes = match piece.place {
        Place::Bare => Quotes::None,
        Place::Double => Quotes::Double,
        Place::Single => Quotes::Single,
        Place::Comment => return Placed::Left,
        Place::Ansi => return Placed::Edit("inside `$'…'`".into()),
        Place::Heredoc | Place::QuotedHeredoc => {
            return Placed::Edit("in the text of a heredoc".into());
        }
        Place::Arithmetic => return Placed::Edit("inside arithmetic".into()),
        Place::Parameter => return Placed::Edit("inside `${…}`".into()),
    };
    if piece.around.heredoc {
        return Placed::Edit("in the text of a heredoc".into());
    }
    if piece.around.arithmetic || piece.around.parameter {
        return Placed::Edit("where a value cannot be put in safely".into());
    }
    if !one.sure && matches!(quotes, Quotes::Single) && !Found::whole_quotes(marked, at) {
        return Placed::Left;
    }
    if one.redirects(marked, at) {
        return Placed::Edit("where it could also mean a file to read from".into());
    }
    Placed::As(quotes)
}

/// A name for each placeholder's words: the same for the same words, and none
/// that the script sets or that is refused.
fn name_all(found: &[Found], script: &Script) -> BTreeMap<String, String> {
    let set: BTreeSet<&str> = script.sets.iter().map(|set| set.name.as_str()).collect();
    let mut names = BTreeMap::new();
    for one in found {
        names.entry(one.words.clone()).or_insert_with(|| {
            let name = name_of(&one.words);
            // `POD=<pod>` sets what it is given; anything else that the script
            // sets under this name is another thing.
            let own = script.sets.iter().filter(|set| set.name == name).all(|set| {
                set.value.as_ref().is_some_and(|value| value.end - value.start == MARK.len())
            });
            if set.contains(name.as_str()) && !own { format!("GIVEN_{name}") } else { name }
        });
    }
    names
}

/// The name of a variable that words stand for: `pod name` is `POD_NAME`.
pub(super) fn name_of(words: &str) -> String {
    let mut name = String::new();
    for c in words.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_uppercase());
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
        if name.len() >= 48 {
            break;
        }
    }
    let name = name.trim_end_matches('_').to_owned();
    if name.is_empty() {
        return "VALUE".into();
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) || given::refused(&name).is_some() {
        return format!("THE_{name}");
    }
    name
}

/// Whether a name tells that what it holds is not to be shown.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts: Vec<&str> = name.split('_').collect();
    let secret = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "CREDENTIAL",
        "CREDENTIALS",
        "PRIVATEKEY",
        "APIKEY",
        "PIN",
    ];
    parts.iter().any(|part| secret.contains(part))
        || parts.windows(2).any(|pair| matches!(pair, ["API" | "PRIVATE" | "ACCESS", "KEY"]))
}
