//! The key table: help page and hint line are made from it, the config changes it.

use crate::store::{Action, Key, NotAKey};
use std::collections::BTreeMap;

/// Where a key counts. A panel's own scope is asked before `Global`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everywhere but where text is typed.
    Global,
    /// In panels that have rows.
    Rows,
    /// In panels that draw charts.
    Charts,
    /// On the metrics page.
    Metrics,
    /// In long texts: logs, help.
    Text,
    /// On the page of a run.
    Run,
    /// On the page of a runbook.
    Book,
}

impl Scope {
    /// The scopes in the order of the help page, with their titles there.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Global, "Everywhere"),
        (Self::Rows, "In lists"),
        (Self::Charts, "In charts"),
        (Self::Metrics, "On the metrics page"),
        (Self::Book, "On a runbook"),
        (Self::Run, "On the page of a run"),
        (Self::Text, "In logs and texts"),
    ];
}

/// What some keys do in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where.
    pub scope: Scope,
    /// What.
    pub action: Action,
    /// Its name in the config: `quit`, `page-1`.
    pub name: &'static str,
    /// The keys; the first one is shown on the hint line.
    pub keys: Vec<Key>,
    /// What it does, for the help page.
    pub doc: &'static str,
    /// One word for the hint line, where it belongs there.
    pub hint: Option<&'static str>,
    /// It changes a system: refused while the screen is frozen.
    pub dangerous: bool,
}

/// A key table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    bindings: Vec<Binding>,
}

/// The config's keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMistake {
    /// No such action.
    #[error("there is no action {0:?}; there are: {known}", known = action_names().join(", "))]
    UnknownAction(String),
    /// Not the name of a key.
    #[error("{action}: {mistake}")]
    NotAKey {
        /// The action it was given for.
        action: String,
        /// The mistake.
        mistake: NotAKey,
    },
    /// An action without a key cannot be reached.
    #[error("{0} has no key")]
    NoKey(String),
    /// One key for two things.
    #[error("{key} means both {first} and {second}")]
    Conflict {
        /// The key.
        key: Key,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

impl KeyMistake {
    /// Whether it is about the action of this name.
    pub fn is_about(&self, name: &str) -> bool {
        match self {
            Self::UnknownAction(action) | Self::NoKey(action) | Self::NotAKey { action, .. } => {
                action == name
            }
            Self::Conflict { first, second, .. } => *first == name || *second == name,
        }
    }
}

type Line = (Scope, Action, &'static str, &'static str, Option<&'static str>, &'static str);

#[rustfmt::skip]
const TABLE: &[Line] = &[
    (Scope::Global, Action::Page(1), "page-1", "1", None, "overview"),
    (Scope::Global, Action::Page(2), "page-2", "2", None, "services"),
    (Scope::Global, Action::Page(3), "page-3", "3", None, "alerts"),
    (Scope::Global, Action::Page(4), "page-4", "4", None, "issues"),
    (Scope::Global, Action::Page(5), "page-5", "5", None, "metrics: any PromQL expression"),
    (Scope::Global, Action::Page(6), "page-6", "6", None, "backups"),
    (Scope::Global, Action::Page(7), "page-7", "7", None, "incidents"),
    (Scope::Global, Action::Page(8), "page-8", "8", None, "runs of runbooks"),
    (Scope::Global, Action::Page(9), "page-9", "9", None, "sources: what is polled, and how that goes"),
    (Scope::Rows, Action::Open, "open", "enter", Some("open"), "open what is selected"),
    (Scope::Metrics, Action::Edit, "edit", "e", Some("edit"), "type an expression; tab completes, up shows earlier ones"),
    (Scope::Metrics, Action::Open, "open", "enter", Some("only it"), "only the selected series, and all of them again"),
    (Scope::Metrics, Action::Toggle, "toggle", "space", Some("hide"), "hide the selected series in the chart, or show it"),
    (Scope::Metrics, Action::Table, "table", "t", Some("table"), "a table of all series, and back to the chart"),
    (Scope::Metrics, Action::Scale, "scale", "y", Some("scale"), "the other scale: from 0, or fit to the values"),
    (Scope::Metrics, Action::NextSeries, "next-series", "> .", None, "draw the next twelve series"),
    (Scope::Metrics, Action::PreviousSeries, "previous-series", "< ,", None, "draw the twelve series before"),
    (Scope::Metrics, Action::Sort, "sort", "o", None, "order the series by the next column"),
    (Scope::Metrics, Action::Left, "left", "left h", Some("cursor"), "a cursor on the chart, one step earlier; esc takes it away"),
    (Scope::Metrics, Action::Right, "right", "right", None, "the cursor one step later"),
    (Scope::Metrics, Action::Earlier, "earlier", "[", Some("earlier"), "half a chart earlier"),
    (Scope::Metrics, Action::Later, "later", "]", None, "half a chart later; 0 is now"),
    (Scope::Metrics, Action::Export, "export", "w", Some("write CSV"), "write what is seen into a CSV file"),
    (Scope::Charts, Action::Open, "open", "enter", Some("explore"), "open the expression of the chart"),
    (Scope::Book, Action::Open, "open", "enter", Some("open"), "prepare a run of it"),
    (Scope::Run, Action::Open, "open", "enter", None, "answer what is asked"),
    (Scope::Global, Action::Back, "back", "esc", Some("back"), "back to where you came from"),
    (Scope::Run, Action::Yes, "yes", "y", Some("yes"), "yes, run the step; or: the manual step is done"),
    (Scope::Run, Action::Retry, "retry", "R", Some("retry"), "try the failed step again"),
    (Scope::Run, Action::WasDone, "was-done", "D", Some("was done"), "outcome unknown: it was done, as you have seen"),
    (Scope::Run, Action::WasNotDone, "was-not-done", "N", Some("was not done"), "outcome unknown: it was not done, as you have seen"),
    (Scope::Run, Action::LookAgain, "look-again", "L", Some("look again"), "have the run look again: pins, arming, the command"),
    (Scope::Run, Action::Terminal, "terminal", "i", Some("type into it"), "type into the terminal of the step; ctrl-] comes back"),
    (Scope::Run, Action::Cancel, "cancel", "K", Some("cancel step"), "end the step that runs"),
    (Scope::Run, Action::Undo, "undo", "u", Some("undo"), "undo what was done, the last first"),
    (Scope::Run, Action::FullText, "full-text", "t", Some("full text"), "the plan with the whole text of each step, and back"),
    (Scope::Run, Action::Output, "output", "o", Some("output"), "the output of the run, and back"),
    (Scope::Run, Action::SaveProof, "save-proof", "w", Some("write as Markdown"), "write what was done and proved as Markdown"),
    (Scope::Run, Action::Skip, "skip", "S", Some("skip"), "leave the step out, with a reason"),
    (Scope::Run, Action::Abandon, "abandon", "X", Some("abandon"), "go no further with the run"),
    (Scope::Global, Action::Runbook, "runbook", "r", Some("runbook"), "runbooks for what is selected; on one: prepare its run"),
    (Scope::Global, Action::Logs, "logs", "l", Some("logs"), "logs of the selected service"),
    (Scope::Global, Action::Split, "split", "b", Some("split"), "split a chart by a label"),
    (Scope::Global, Action::Explore, "explore", "x", None, "open the expression behind what is selected"),
    (Scope::Global, Action::Verify, "verify", "v", Some("full check"), "backups: check the newest one in full, after a question"),
    (Scope::Global, Action::Filter, "filter", "/", Some("filter"), "show only rows that hold a text"),
    (Scope::Global, Action::Palette, "palette", ": ctrl-p", Some("command"), "find a command by its name"),
    (Scope::Global, Action::Arm, "arm", "A", None, "arm production for a while, with a reason; or disarm it"),
    (Scope::Global, Action::Whole, "whole", "z", None, "this panel on the whole screen, and back"),
    (Scope::Global, Action::Freeze, "freeze", "f", None, "hold the screen still, and go on"),
    (Scope::Global, Action::Copy, "copy", "c", None, "copy what is selected to your clipboard"),
    (Scope::Global, Action::PollNow, "poll-now", "p", None, "poll what is selected at once"),
    (Scope::Global, Action::PollAll, "poll-all", "P", None, "poll everything at once"),
    (Scope::Global, Action::ZoomIn, "zoom-in", "+ =", None, "charts: a shorter range"),
    (Scope::Global, Action::ZoomOut, "zoom-out", "-", None, "charts: a longer range"),
    (Scope::Global, Action::Live, "live", "0", None, "charts: the usual range, live"),
    (Scope::Global, Action::Reload, "reload", "ctrl-r", None, "read the config anew"),
    (Scope::Global, Action::Redraw, "redraw", "ctrl-l", None, "draw the whole screen anew"),
    (Scope::Global, Action::Suspend, "suspend", "ctrl-z", None, "back to the shell; fg returns"),
    (Scope::Global, Action::Help, "help", "?", Some("help"), "this page"),
    (Scope::Global, Action::Quit, "quit", "q ctrl-c", Some("quit"), "quit"),
    (Scope::Global, Action::NextPanel, "next-panel", "tab", Some("panel"), "next panel"),
    (Scope::Global, Action::PreviousPanel, "previous-panel", "backtab", None, "previous panel"),
    (Scope::Rows, Action::Up, "up", "up k", None, "one row up"),
    (Scope::Rows, Action::Down, "down", "down j", None, "one row down"),
    (Scope::Rows, Action::HalfUp, "half-up", "ctrl-u pgup", None, "half a page up"),
    (Scope::Rows, Action::HalfDown, "half-down", "ctrl-d pgdn", None, "half a page down"),
    (Scope::Rows, Action::First, "first", "g home", None, "to the first row"),
    (Scope::Rows, Action::Last, "last", "G end", None, "to the last row"),
    (Scope::Charts, Action::Left, "left", "left h", None, "previous chart"),
    (Scope::Charts, Action::Right, "right", "right", None, "next chart"),
    (Scope::Metrics, Action::Up, "up", "up k", None, "one value up"),
    (Scope::Metrics, Action::Down, "down", "down j", None, "one value down"),
    (Scope::Metrics, Action::HalfUp, "half-up", "ctrl-u pgup", None, "half a page up"),
    (Scope::Metrics, Action::HalfDown, "half-down", "ctrl-d pgdn", None, "half a page down"),
    (Scope::Metrics, Action::First, "first", "g home", None, "to the first value"),
    (Scope::Metrics, Action::Last, "last", "G end", None, "to the last value"),
    (Scope::Run, Action::Up, "up", "up k", None, "one line up"),
    (Scope::Run, Action::Down, "down", "down j", None, "one line down"),
    (Scope::Run, Action::HalfUp, "half-up", "ctrl-u pgup", None, "half a page up"),
    (Scope::Run, Action::HalfDown, "half-down", "ctrl-d pgdn", None, "half a page down"),
    (Scope::Run, Action::First, "first", "g home", None, "to the beginning"),
    (Scope::Run, Action::Last, "last", "G end", None, "to the end, and on with it"),
    (Scope::Book, Action::NextMatch, "next-match", "ctrl-n", Some("next match"), "the next place that holds the text searched for"),
    (Scope::Book, Action::Up, "up", "up k", None, "one line up"),
    (Scope::Book, Action::Down, "down", "down j", None, "one line down"),
    (Scope::Book, Action::HalfUp, "half-up", "ctrl-u pgup", None, "half a page up"),
    (Scope::Book, Action::HalfDown, "half-down", "ctrl-d pgdn space", None, "half a page down"),
    (Scope::Book, Action::First, "first", "g home", None, "to the beginning"),
    (Scope::Book, Action::Last, "last", "G end", None, "to the end"),
    (Scope::Text, Action::Up, "up", "up k", None, "one line up"),
    (Scope::Text, Action::Down, "down", "down j", None, "one line down"),
    (Scope::Text, Action::HalfUp, "half-up", "ctrl-u pgup", None, "half a page up"),
    (Scope::Text, Action::HalfDown, "half-down", "ctrl-d pgdn", None, "half a page down"),
    (Scope::Text, Action::First, "first", "g home", None, "to the beginning"),
    (Scope::Text, Action::Last, "last", "G end", None, "to the end"),
    (Scope::Text, Action::Left, "left", "left h", None, "to the left"),
    (Scope::Text, Action::Right, "right", "right", None, "to the right"),
];

/// What changes a system: refused on a frozen or stale screen.
const CHANGES: [Action; 10] = [
    Action::Yes,
    Action::Retry,
    Action::Skip,
    Action::Undo,
    Action::Abandon,
    Action::Cancel,
    Action::WasDone,
    Action::WasNotDone,
    Action::Terminal,
    Action::Arm,
];

fn action_names() -> Vec<&'static str> {
    let mut names: Vec<_> = TABLE.iter().map(|line| line.2).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Default for Keys {
    fn default() -> Self {
        let bindings = TABLE
            .iter()
            .map(|(scope, action, name, keys, hint, doc)| Binding {
                scope: *scope,
                action: *action,
                name,
                keys: keys.split(' ').filter_map(|key| key.parse().ok()).collect(),
                doc,
                hint: *hint,
                dangerous: CHANGES.contains(action),
            })
            .collect();
        Self { bindings }
    }
}

impl Keys {
    /// All bindings, in the order of the help page.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What a key means in a scope.
    pub fn find(&self, scope: Scope, key: Key) -> Option<&Binding> {
        let within =
            |scope| self.bindings.iter().find(|b| b.scope == scope && b.keys.contains(&key));
        within(scope).or_else(|| within(Scope::Global))
    }

    /// The default table with the config's changes: action and its keys,
    /// `quit = "Q ctrl-c"`. All mistakes at once.
    pub fn remapped<'a>(
        changes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<KeyMistake>> {
        let mut table = Self::default();
        let mut mistakes = Vec::new();
        for (action, keys) in changes {
            match parse_keys(action, keys) {
                Err(mistake) => mistakes.push(mistake),
                Ok(keys) => {
                    let mut known = false;
                    for binding in table.bindings.iter_mut().filter(|b| b.name == action) {
                        binding.keys.clone_from(&keys);
                        known = true;
                    }
                    if !known {
                        mistakes.push(KeyMistake::UnknownAction(action.to_owned()));
                    }
                }
            }
        }
        mistakes.extend(table.conflicts());
        if mistakes.is_empty() { Ok(table) } else { Err(mistakes) }
    }

    /// Keys that mean two things where both could be meant.
    fn conflicts(&self) -> Vec<KeyMistake> {
        let mut conflicts = Vec::new();
        for (scope, _) in Scope::ALL {
            let mut seen: BTreeMap<Key, &Binding> = BTreeMap::new();
            // A scope's own keys may take over no global key: it would be lost there unseen.
            let reach = [Scope::Global, scope];
            let count = if scope == Scope::Global { 1 } else { 2 };
            for binding in self.bindings.iter().filter(|b| reach[..count].contains(&b.scope)) {
                for key in &binding.keys {
                    match seen.insert(*key, binding) {
                        Some(first) if first.action != binding.action => {
                            conflicts.push(KeyMistake::Conflict {
                                key: *key,
                                first: first.name,
                                second: binding.name,
                            });
                        }
                        _ => {}
                    }
                }
            }
        }
        conflicts.dedup();
        conflicts
    }
}

fn parse_keys(action: &str, keys: &str) -> Result<Vec<Key>, KeyMistake> {
    let parsed: Result<Vec<Key>, NotAKey> = keys.split_whitespace().map(str::parse).collect();
    match parsed {
        Err(mistake) => Err(KeyMistake::NotAKey { action: action.to_owned(), mistake }),
        Ok(keys) if keys.is_empty() => Err(KeyMistake::NoKey(action.to_owned())),
        Ok(keys) => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_key_and_a_description() {
        let keys = Keys::default();
        for action in Action::all() {
            let binding = keys.bindings().iter().find(|b| b.action == action);
            let binding = binding.unwrap_or_else(|| panic!("{action:?} is not bound"));
            assert!(!binding.keys.is_empty() && !binding.doc.is_empty(), "{action:?}");
            assert_eq!(binding.name, action.name());
        }
    }

    #[test]
    fn every_key_of_the_table_is_one() {
        for (.., name, keys, _, _) in TABLE {
            assert!(parse_keys(name, keys).is_ok(), "{name}: {keys}");
        }
    }

    #[test]
    fn no_key_of_the_table_means_two_things() {
        assert_eq!(Keys::default().conflicts(), []);
    }

    #[test]
    fn keys_can_be_changed_and_all_mistakes_are_told() {
        let keys = Keys::remapped([("quit", "Q"), ("down", "n")]).unwrap();
        let find = |key: &str| keys.find(Scope::Rows, key.parse().unwrap()).map(|b| b.action);
        assert_eq!(find("Q"), Some(Action::Quit));
        assert_eq!(find("q"), None);
        assert_eq!(find("n"), Some(Action::Down));
        let mistakes =
            Keys::remapped([("quit", "f"), ("fly", "x"), ("help", "hyper"), ("live", "")])
                .unwrap_err();
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("there is no action \"fly\""), "{told:?}");
        assert!(told[1].starts_with("help: \"hyper\" is not a key"), "{told:?}");
        assert_eq!(told[2], "live has no key");
        assert!(told[3].contains("f means both"), "{told:?}");
    }

    #[test]
    fn nothing_destructive_is_a_slip_away_from_scrolling() {
        for key in ["ctrl-d", "ctrl-k", "ctrl-u", "enter", "space"] {
            let keys = Keys::default();
            for (scope, _) in Scope::ALL {
                let found = keys.find(scope, key.parse().unwrap());
                assert!(found.is_none_or(|binding| !binding.dangerous), "{key}");
            }
        }
    }
}
