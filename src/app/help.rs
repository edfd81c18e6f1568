//! The help page and the hint line, both made from the key table.

use super::pages::Page;
use super::state::State;
use crate::panels::Chosen;
use crate::store::Action;
use crate::ui::{Binding, Scope, Theme, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;

/// A line of the help page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HelpLine {
    Title(String),
    Key { keys: String, doc: String },
    Plain(String),
}

fn keys_of(binding: &Binding) -> String {
    binding.keys.iter().map(ToString::to_string).collect::<Vec<_>>().join("  ")
}

/// All lines, in order.
pub(crate) fn lines(state: &State) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    for (scope, title) in Scope::ALL {
        lines.push(HelpLine::Title(title.to_owned()));
        for binding in state.keys.bindings().iter().filter(|b| b.scope == scope) {
            let mark = if binding.dangerous { " (changes a system)" } else { "" };
            let doc = format!("{}{mark}", binding.doc);
            lines.push(HelpLine::Key { keys: keys_of(binding), doc });
        }
    }
    lines.push(HelpLine::Title("Statuses".into()));
    for line in [
        "CRIT  worth a person's night      WARN  worth a look in working hours",
        "UNKN  nobody knows: no answer, an old answer, or not judged",
        "wait  nothing has answered yet since the start; counts as unknown",
        "ok    it answered, and well",
    ] {
        lines.push(HelpLine::Plain(line.into()));
    }
    if let Some(log) = &state.setting.log {
        lines.push(HelpLine::Plain(format!("log: {log}")));
    }
    lines
}

/// Draws the help page from the line `from` on.
pub(crate) fn draw(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer, from: usize) {
    const KEYS: usize = 18;
    let lines = lines(state);
    let height = usize::from(area.height.saturating_sub(1));
    let from = from.min(lines.len().saturating_sub(height));
    let until = (from + height).min(lines.len());
    let title = if height < lines.len() {
        let more = if until < lines.len() { "down for more" } else { "up for more" };
        format!("KEYS, lines {} to {until} of {} ({more}, esc back)", from + 1, lines.len())
    } else {
        "KEYS (esc back)".to_owned()
    };
    if let Some(line) = text::line_of(area, 0) {
        crate::ui::table::rule(theme, line, buf, &title, true);
    }
    for (i, line) in lines[from..until].iter().enumerate() {
        let Some(place) = text::line_of(area, i + 1) else { break };
        let cut = theme.glyphs.cut;
        match line {
            HelpLine::Title(title) => {
                text::write(buf, place, [(title.as_str().into(), theme.title())], cut);
            }
            HelpLine::Key { keys, doc } => {
                let keys = text::pad(keys, KEYS, false, cut);
                let parts: [(Cow<'_, str>, Style); 3] = [
                    ("  ".into(), theme.text()),
                    (keys.into(), theme.key()),
                    (doc.as_str().into(), theme.text()),
                ];
                text::write(buf, place, parts, cut);
            }
            HelpLine::Plain(plain) => {
                text::write(buf, place, [(format!("  {plain}").into(), theme.text())], cut);
            }
        }
    }
}

/// Whether the action would do something here and now.
fn works(state: &State, action: Action) -> bool {
    let Some(sheet) = state.sheets.get(&state.page) else { return true };
    let empty = state.page.empty(&state.index).is_some();
    let has = |name: &str| sheet.panels.iter().any(|(kind, _)| kind.name == name);
    match action {
        Action::Open | Action::Filter | Action::Split | Action::NextPanel if empty => false,
        Action::Open if matches!(state.page, Page::Run(_) | Page::Preparing(_)) => false,
        Action::Open if state.scope() == Scope::Charts => true,
        Action::Open if state.page == Page::Metrics => !state.words.expression.is_empty(),
        Action::Open => match (state.chosen_in_panel(), &state.page) {
            (None | Some(Chosen::Host { .. }), _) => false,
            (Some(Chosen::Source(_)), Page::Sources) | (Some(Chosen::Alert(_)), Page::Alerts) => {
                state.subject_service().is_some()
            }
            _ => true,
        },
        Action::Toggle
        | Action::Table
        | Action::Scale
        | Action::Left
        | Action::Earlier
        | Action::Export
            if state.page == Page::Metrics =>
        {
            !state.words.expression.is_empty()
        }
        Action::Filter => sheet.panels.iter().any(|(kind, _)| kind.filtered),
        Action::Split => {
            let signals = &state.shown().inventory.signals;
            (has("charts") || has("signals")) && signals.iter().any(|of| of.service.is_some())
        }
        Action::Palette if matches!(state.page, Page::Run(_)) => false,
        Action::Logs if matches!(state.page, Page::Run(_) | Page::Preparing(_)) => false,
        Action::Logs => {
            let service = state.subject_service();
            service.and_then(|name| state.index.service(&name)).is_some_and(|of| of.has_logs)
        }
        Action::Runbook => match &state.page {
            Page::Run(_) | Page::Preparing(_) | Page::Offers(_) | Page::Book(..) => false,
            _ => {
                !state.shown().runs.library.books.is_empty()
                    && super::runs::about(state) != crate::panels::About::default()
            }
        },
        Action::Yes
        | Action::Retry
        | Action::Skip
        | Action::Undo
        | Action::Abandon
        | Action::Cancel
        | Action::WasDone
        | Action::WasNotDone
        | Action::LookAgain
        | Action::Terminal
        | Action::SaveProof
        | Action::Output
        | Action::FullText => super::run_hints::works(state, action),
        Action::NextMatch => has("book") && !sheet.filter.is_empty(),
        Action::Verify => matches!(state.chosen(), Some(Chosen::Backup(_))),
        Action::NextPanel => {
            let places =
                state.places(sheet, state.chosen().as_ref(), state.body().unwrap_or_default());
            let shown = places.iter().zip(&sheet.panels);
            shown.filter(|(at, (_, of))| at.height > 0 && of.takes_keys()).count() > 1
        }
        Action::Back => state.can_go_back(),
        _ => true,
    }
}

/// A better word for what a key does here.
fn word_here(state: &State, action: Action) -> Option<&'static str> {
    let goes_on = || match &state.page {
        Page::Run(id) => {
            let run = state.known.runs.run(id);
            run.is_some_and(|run| run.ended.is_none())
        }
        _ => false,
    };
    Some(match (action, &state.page) {
        (Action::Open, Page::Book(..)) => "prepare a run",
        (Action::Open, Page::Offers(_)) => "read",
        (Action::Open, _) if super::runs::book_of_chosen(state).is_some() => "runbook",
        (Action::Runbook, _) if super::runs::book_of_chosen(state).is_some() => "all that fit",
        (Action::Filter, Page::Book(..)) => "search",
        (Action::Quit, _) if goes_on() => "leave (run waits)",
        _ => return None,
    })
}

/// Draws the hint line: the keys that matter here, as many as there is room
/// for; how to get help and how to leave are always among them.
pub(crate) fn hint(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    if let Some(hints) = super::run_hints::typing_hints(state) {
        return draw_hints(theme, area, buf, &hints);
    }
    let in_help = matches!(state.overlay, Some(super::state::Overlay::Help { .. }));
    let scope = if in_help { Scope::Text } else { state.scope() };
    let hints: Vec<(bool, String, &str)> = state
        .keys
        .bindings()
        .iter()
        .filter_map(|binding| {
            let (scoped, key) = (binding.scope == scope, binding.keys.first()?);
            if in_help {
                let word = match (binding.action, scoped) {
                    (Action::Down, true) => "scroll",
                    (Action::HalfDown, true) => "half a page",
                    (Action::Last, true) => "end",
                    (Action::Back, false) => "back",
                    _ => return None,
                };
                return Some((true, key.to_string(), word));
            }
            let here = binding.scope == Scope::Global || scoped;
            let word = binding.hint.filter(|_| here && works(state, binding.action))?;
            let word = word_here(state, binding.action).unwrap_or(word);
            let always = matches!(binding.action, Action::Help | Action::Quit);
            let key = match (binding.action, &state.page) {
                // The same one as where letters are typed.
                (Action::Quit, Page::Run(_)) => binding.keys.last().unwrap_or(key),
                _ => key,
            };
            Some((always, key.to_string(), word))
        })
        .collect();
    draw_hints(theme, area, buf, &hints);
}

/// Those that are always shown, and of the others as many as there is room for.
fn draw_hints(theme: &Theme, area: Rect, buf: &mut Buffer, hints: &[(bool, String, &str)]) {
    let wide = |(_, key, word): &(bool, String, &str)| text::width(key) + 3 + text::width(word);
    let always: usize = hints.iter().filter(|hint| hint.0).map(wide).sum();
    // The last one needs no gap after it.
    let mut room = (usize::from(area.width) + 2).saturating_sub(always);
    let mut parts: Vec<(Cow<'_, str>, Style)> = Vec::new();
    for hint in hints {
        if !hint.0 {
            let Some(left) = room.checked_sub(wide(hint)) else { continue };
            room = left;
        }
        parts.push((hint.1.as_str().into(), theme.key()));
        parts.push((format!(" {}  ", hint.2).into(), theme.faint()));
    }
    text::write(buf, area, parts, "");
}
