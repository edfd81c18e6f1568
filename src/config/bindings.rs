//! Keys of one's own: how keys and actions are written in the config.

use super::keys::nearest;
use super::mistakes::Mistakes;
use super::table::{Table, Value};
use crate::store::{Action, Key, KeyCode, Mods};

/// In `scope`, `key` does `action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// `global`, or a panel's name; the console knows which there are.
    pub scope: String,
    /// The key.
    pub key: Key,
    /// What it does; nothing where it was set to `none`.
    pub action: Option<Action>,
    /// Where the scope stands in the file, for mistakes found later.
    pub span: super::mistakes::Span,
}

/// Every action by its name, pages aside.
const ACTIONS: &[Action] = &[
    Action::Up,
    Action::Down,
    Action::Left,
    Action::Right,
    Action::HalfUp,
    Action::HalfDown,
    Action::First,
    Action::Last,
    Action::NextPanel,
    Action::PreviousPanel,
    Action::Open,
    Action::Back,
    Action::Help,
    Action::Filter,
    Action::Palette,
    Action::Logs,
    Action::Split,
    Action::Copy,
    Action::Freeze,
    Action::Whole,
    Action::ZoomIn,
    Action::ZoomOut,
    Action::Live,
    Action::PollNow,
    Action::PollAll,
    Action::Edit,
    Action::Reload,
    Action::Redraw,
    Action::Suspend,
    Action::Quit,
];

/// The action called `name`: `half-down`, `page-3`.
pub fn action(name: &str) -> Option<Action> {
    if let Some(page) = name.strip_prefix("page-") {
        return page.parse().ok().filter(|page| (1..=9).contains(page)).map(Action::Page);
    }
    ACTIONS.iter().copied().find(|known| action_name(*known) == name)
}

/// An action's name in the config.
pub fn action_name(action: Action) -> String {
    match action {
        Action::Page(page) => format!("page-{page}"),
        plain => serde_json::to_value(plain)
            .ok()
            .and_then(|name| name.as_str().map(Into::into))
            .unwrap_or_default(),
    }
}

/// The key that is written so: `g`, `ctrl-u`, `alt-enter`, `f5`, `space`.
pub fn parse_key(text: &str) -> Option<Key> {
    let mut mods = Mods::default();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix("ctrl-").filter(|after| !after.is_empty()) {
            mods.ctrl = true;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("alt-").filter(|after| !after.is_empty()) {
            mods.alt = true;
            rest = after;
        } else {
            break;
        }
    }
    let mut chars = rest.chars();
    let code = match (chars.next(), chars.next()) {
        (Some(one), None) if !one.is_control() => KeyCode::Char(one),
        _ => match rest {
            "space" => KeyCode::Char(' '),
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "shift-tab" | "backtab" => KeyCode::BackTab,
            "backspace" => KeyCode::Backspace,
            "delete" => KeyCode::Delete,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pageup" => KeyCode::PageUp,
            "pagedown" => KeyCode::PageDown,
            _ => {
                let number = rest.strip_prefix('f')?.parse().ok()?;
                KeyCode::F(Some(number).filter(|number| (1..=24).contains(number))?)
            }
        },
    };
    Some(Key { code, mods })
}

/// The tables of `[keys]`.
pub(super) fn bindings(root: &Table, mistakes: &mut Mistakes) -> Vec<Binding> {
    let mut found = Vec::new();
    for (scope, keys) in root.map("keys") {
        let Value::Map(keys) = keys.it else { continue };
        for (text, value) in keys {
            let Value::Text(name) = value.it else { continue };
            let key = parse_key(&text.it);
            if key.is_none() {
                let help = "write it as `g`, `ctrl-u`, `alt-enter`, `f5` or `space`";
                mistakes.wrong_but(text.span, "there is no such key", help);
            }
            let does = (name != "none").then(|| action(&name));
            if does == Some(None) {
                let names: Vec<String> = ACTIONS.iter().copied().map(action_name).collect();
                let names = || names.iter().map(String::as_str);
                let help = match nearest(&name, names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "known: none, page-1 to page-9, {}",
                        names().collect::<Vec<_>>().join(", ")
                    ),
                };
                mistakes.wrong_but(value.span, "there is no such action", help);
            }
            if let (Some(key), None | Some(Some(_))) = (key, does) {
                let scope_span = scope.span.clone();
                found.push(Binding {
                    scope: scope.it.clone(),
                    key,
                    action: does.flatten(),
                    span: scope_span,
                });
            }
        }
    }
    found
}
