//! Completion while an expression is typed: what fits where the cursor is.
//!
//! The language's own words are here; names of metrics and labels come from an
//! engine, as the answer to a question that the next letter replaces.

mod draw;
mod lexed;
mod offers;
mod place;

pub(crate) use draw::draw;

use super::state::{Overlay, State};
use super::typing::{Typing, What};
use crate::domain::EngineKind;
use crate::store::{Complete, Completed, Effect, Key, KeyCode, Named, Names, Sought};
use crate::ui::LineInput;
use offers::Offer;
use place::Place;

/// What is offered while an expression is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    place: Option<Place>,
    /// The list is shown.
    open: bool,
    offers: Vec<Offer>,
    chosen: usize,
    /// The last question that has no answer yet.
    asked: Option<Complete>,
    /// The last question that was answered, and its names.
    told: Option<(Complete, Names)>,
    /// Why no names came.
    trouble: Option<String>,
    /// The metric that the cursor is at.
    about: Option<Named>,
    /// Which of the earlier expressions is shown, counted from the newest, and
    /// what was typed before.
    earlier: Option<(usize, String)>,
}

impl Completion {
    /// How many names fit that the engine knows; more than are in the list.
    fn more(&self) -> usize {
        self.told.as_ref().map_or(0, |(_, names)| names.of.saturating_sub(names.best.len()))
    }

    /// What is typed has changed, or the cursor has moved: looks what fits there
    /// now. Gives the question for names, where there is one.
    fn look(
        &mut self,
        line: &LineInput,
        engine: Option<EngineKind>,
        open: bool,
        id: &mut u64,
    ) -> Option<Complete> {
        let place = place::place(line.text(), line.cursor());
        let sought = if open { place.what.sought() } else { Sought::Nothing };
        // While a metric's name is typed the list describes what it offers.
        let about = place.metric.clone().filter(|_| sought != Sought::Metrics);
        let chosen = self.chosen_name();
        let same = self.place.as_ref().is_some_and(|before| before.what == place.what);
        if !same {
            self.trouble = None;
        }
        self.open = open;
        self.place = Some(place);
        self.refresh();
        self.choose(chosen.filter(|_| same));
        if about.is_none() {
            self.about = None;
        }
        let told = self.told.as_ref().is_some_and(|(ask, names)| {
            let whole = !names.best.is_empty() && names.of == names.best.len();
            let whole = whole && self.typed().starts_with(&ask.typed);
            let covers = ask.sought == sought && (whole || ask.typed == self.typed());
            (covers || sought == Sought::Nothing) && names_it(self.about.as_ref(), about.as_deref())
        });
        let nothing = sought == Sought::Nothing && about.is_none();
        if told || nothing {
            self.asked = None;
            return None;
        }
        *id += 1;
        let ask =
            Complete { id: *id, engine: engine?, sought, typed: self.typed().to_owned(), about };
        self.asked = Some(ask.clone());
        Some(ask)
    }

    fn typed(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.typed)
    }

    fn chosen_name(&self) -> Option<String> {
        // What stands first is chosen by nobody.
        self.offers.get(self.chosen).filter(|_| self.chosen > 0).map(|offer| offer.name.clone())
    }

    fn choose(&mut self, name: Option<String>) {
        let found = name.and_then(|name| self.offers.iter().position(|offer| offer.name == name));
        self.chosen = found.unwrap_or(0);
    }

    fn refresh(&mut self) {
        let Some(place) = self.place.as_ref().filter(|_| self.open) else {
            self.offers.clear();
            return;
        };
        let told = self.told.as_ref().filter(|(ask, _)| ask.sought == place.what.sought());
        let told = told.map_or(&[][..], |(_, names)| &names.best);
        self.offers = offers::offers(&place.what, &place.typed, told);
    }

    /// Whether a list stands there that keys choose from.
    pub(crate) fn is_open(&self) -> bool {
        self.open && !self.offers.is_empty()
    }

    fn step(&mut self, down: bool) {
        let count = self.offers.len().max(1);
        self.chosen = if down { self.chosen + 1 } else { self.chosen + count - 1 } % count;
    }
}

/// Whether what is known describes this metric.
fn names_it(known: Option<&Named>, wanted: Option<&str>) -> bool {
    wanted.is_none() || known.map(|named| named.name.as_str()) == wanted
}

/// A line on which an expression is typed, with nothing offered yet.
pub(crate) fn begin(state: &mut State, text: &str) -> Vec<Effect> {
    let mut typing = Typing::of(What::Expression(Box::default()), text);
    let asked = look(state, &mut typing, false);
    state.overlay = Some(Overlay::Typing(typing));
    asked
}

/// The line has changed: a list stands there where there is something to narrow down.
pub(crate) fn changed(state: &mut State, typing: &mut Typing) -> Vec<Effect> {
    let place = place::place(typing.line.text(), typing.line.cursor());
    if let What::Expression(completion) = &mut typing.what {
        completion.earlier = None;
    }
    look(state, typing, !place.typed.is_empty() || place.what.is_narrow())
}

/// Looks what fits where the cursor is; the list is shown if `open`.
pub(crate) fn look(state: &mut State, typing: &mut Typing, open: bool) -> Vec<Effect> {
    let What::Expression(completion) = &mut typing.what else { return Vec::new() };
    let engine = state.shown().inventory.engine;
    let ask = completion.look(&typing.line, engine, open, &mut state.completions);
    ask.map(Effect::Complete).into_iter().collect()
}

/// A key that means something to the list; `None` where it is the line's.
pub(crate) fn press(state: &mut State, typing: &mut Typing, key: Key) -> Option<Vec<Effect>> {
    let What::Expression(completion) = &mut typing.what else { return None };
    let plain = !key.mods.ctrl && !key.mods.alt;
    let up =
        matches!(key.code, KeyCode::Up) && plain || key.code == KeyCode::Char('p') && key.mods.ctrl;
    let down = matches!(key.code, KeyCode::Down) && plain
        || key.code == KeyCode::Char('n') && key.mods.ctrl;
    match key.code {
        KeyCode::Esc if completion.open && (completion.is_open() || completion.asked.is_some()) => {
            Some(look(state, typing, false))
        }
        KeyCode::Tab if completion.is_open() => Some(take(state, typing)),
        KeyCode::Tab => Some(look(state, typing, true)),
        KeyCode::BackTab => {
            completion.step(false);
            Some(Vec::new())
        }
        _ if (up || down) && completion.is_open() => {
            completion.step(down);
            Some(Vec::new())
        }
        _ if up || down => Some(earlier(state, typing, up)),
        _ => None,
    }
}

/// Puts what is chosen into the line; where it stands there already the next
/// one is chosen.
fn take(state: &mut State, typing: &mut Typing) -> Vec<Effect> {
    let What::Expression(completion) = &mut typing.what else { return Vec::new() };
    let (Some(place), Some(offer)) = (&completion.place, completion.offers.get(completion.chosen))
    else {
        return Vec::new();
    };
    let rest = typing.line.text().get(place.until..).unwrap_or("");
    let written = offers::written(&place.what, offer, rest);
    if typing.line.text().get(place.from..place.until) == Some(&written) {
        completion.step(true);
        return Vec::new();
    }
    let bytes = place.from..place.until;
    typing.line.replace(bytes, &written);
    // A name that is whole needs no list.
    let place = place::place(typing.line.text(), typing.line.cursor());
    look(state, typing, place.typed.is_empty() && place.what.is_narrow())
}

/// Earlier expressions, as a shell has them.
fn earlier(state: &mut State, typing: &mut Typing, up: bool) -> Vec<Effect> {
    let What::Expression(completion) = &mut typing.what else { return Vec::new() };
    let history = &state.words.history;
    let typed = |completion: &Completion| {
        completion.earlier.as_ref().map_or(typing.line.text(), |(_, typed)| typed).to_owned()
    };
    let at = completion.earlier.as_ref().map(|(at, _)| *at);
    let next = match (at, up) {
        (None, true) => Some(0),
        (None, false) => return Vec::new(),
        (Some(at), true) => Some(at + 1),
        (Some(at), false) => at.checked_sub(1),
    };
    let draft = typed(completion);
    // What stands in the line already is no step back.
    let shown = |at: usize| history.iter().rev().filter(|one| **one != draft).nth(at);
    let text = match next {
        None => draft.clone(),
        Some(at) => match shown(at) {
            Some(text) => text.clone(),
            None => return Vec::new(),
        },
    };
    typing.line = LineInput::with(&text);
    let asked = look(state, typing, false);
    if let What::Expression(completion) = &mut typing.what {
        completion.earlier = next.map(|at| (at, draft));
    }
    asked
}

/// Takes names in, if they answer what was asked last.
pub(crate) fn answered(state: &mut State, completed: Completed) -> bool {
    let Some(Overlay::Typing(Typing { what: What::Expression(completion), .. })) =
        &mut state.overlay
    else {
        return false;
    };
    let Some(asked) = completion.asked.take_if(|asked| asked.id == completed.id) else {
        return false;
    };
    match completed.outcome {
        Ok(names) => {
            let chosen = completion.chosen_name();
            completion.about.clone_from(&names.about);
            if asked.about.is_some() && completion.about.is_none() {
                // It was asked, and nothing is known of it.
                let name = asked.about.clone().unwrap_or_default();
                completion.about = Some(Named { name, ..Named::default() });
            }
            completion.trouble = None;
            if asked.sought != Sought::Nothing {
                completion.told = Some((asked, names));
            }
            completion.refresh();
            completion.choose(chosen);
        }
        Err(why) => completion.trouble = Some(why),
    }
    true
}
