//! Keys of one's own: which keys do what.

use super::keys::nearest;
use super::mistakes::{Mistakes, Span};
use super::table::{Table, Value};
use crate::store::{Action, Key};

/// An action has these keys instead of its usual ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The action's name.
    pub action: String,
    /// Its keys with blanks between them, as the console's key table takes them.
    pub keys: String,
    /// Where the keys stand in the file.
    pub span: Span,
}

/// The table `[keys]`. That one key does not do two things, is for the
/// console's key table to see: it knows the usual keys.
pub(super) fn bindings(root: &Table, mistakes: &mut Mistakes) -> Vec<Binding> {
    let known: Vec<String> = Action::all().map(Action::name).collect();
    let mut found = Vec::new();
    for (action, value) in root.map("keys") {
        let Value::Text(keys) = value.it else { continue };
        if !known.contains(&action.it) {
            let names = || known.iter().map(String::as_str);
            let help = match nearest(&action.it, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known: {}", names().collect::<Vec<_>>().join(", ")),
            };
            mistakes.wrong_but(action.span, "there is no such action", help);
        }
        if keys.trim().is_empty() {
            let help = "an action without a key cannot be reached";
            mistakes.wrong_but(value.span.clone(), "there is no key", help);
        }
        if let Some(error) = keys.split_whitespace().find_map(|key| key.parse::<Key>().err()) {
            let help = "keys are written as `g`, `ctrl-u`, `alt-enter`, `f5` or `space`";
            mistakes.wrong_but(value.span.clone(), error.to_string(), help);
        }
        found.push(Binding { action: action.it, keys, span: value.span });
    }
    found
}
