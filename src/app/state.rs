//! The console's state: what is known, and what the operator looks at.

use super::pages::Page;
use super::strip::Survey;
use super::typing::Typing;
use crate::domain::{EngineKind, Inventory, Role, ServiceName, SourceId, Timestamp};
use crate::panels::{About, ActCx, Chosen, Index, Kind, Panel, Range, Words, kind};
use crate::store::{Action, Ask, AskId, Known};
use crate::ui::{Keys, Scope, layout};
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the console runs, told once at its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The name of this host.
    pub host: String,
    /// Who looks at it.
    pub user: String,
    /// Minutes east of UTC.
    pub offset_min: i32,
    /// Faults of the practice environment that can be called; none outside it.
    pub practice: Vec<String>,
    /// Where the program logs to, for the help page.
    pub log: Option<String>,
}

/// Something that was said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) at: Timestamp,
    pub(crate) text: String,
    pub(crate) bad: bool,
}

/// The screen held still.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) at: Timestamp,
    pub(crate) known: Known,
}

/// A page that was opened: its panels, which one has the keys, its filter.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) panels: Vec<(&'static Kind, Box<dyn Panel>)>,
    pub(crate) focus: usize,
    /// In lower case.
    pub(crate) filter: String,
    /// The operator has done something on it: what is selected stays selected.
    pub(crate) touched: bool,
}

impl Sheet {
    fn of(page: &Page) -> Self {
        let kinds = page.panels().iter().filter_map(|name| kind(name));
        let panels = kinds.map(|kind| (kind, (kind.build)())).collect();
        Self { panels, focus: 0, filter: String::new(), touched: false }
    }
}

/// What lies over the page.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// The help page, from this line on.
    Help { from: usize },
    /// A line of text is typed.
    Typing(Typing),
    /// Whether all of a backup shall be read.
    Confirm(Confirm),
}

/// A question that only `y` says yes to: one slip of a finger begins nothing.
#[derive(Debug)]
pub(crate) struct Confirm {
    /// Of which backup.
    pub(crate) source: SourceId,
    /// Its name.
    pub(crate) name: String,
    /// Since when it is asked.
    pub(crate) at: Timestamp,
}

/// All that the console knows and shows. Only [`super::update`] changes it.
#[derive(Debug)]
pub struct State {
    pub(crate) known: Known,
    pub(crate) setting: Setting,
    pub(crate) keys: Keys,
    pub(crate) size: (u16, u16),
    pub(crate) page: Page,
    pub(crate) trail: Vec<Page>,
    pub(crate) sheets: BTreeMap<Page, Sheet>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) frozen: Option<Frozen>,
    pub(crate) whole: bool,
    pub(crate) notices: Vec<Notice>,
    /// The range of the charts, where the operator has chosen one.
    pub(crate) range: Option<Range>,
    pub(crate) words: Words,
    pub(crate) index: Index,
    pub(crate) survey: Survey,
    pub(crate) asked: BTreeMap<AskId, Ask>,
    /// How many questions for names were asked.
    pub(crate) completions: u64,
    /// The issue whose details are shown, and since when.
    pub(crate) resting: Option<(SourceId, String, Timestamp)>,
    /// The last moment at which ages were drawn anew.
    pub(crate) aged: Timestamp,
    generation: u64,
}

impl State {
    /// The state at the start: nothing has answered yet. Gives what the
    /// inventory alone tells.
    pub fn new(
        inventory: Arc<Inventory>,
        setting: Setting,
        keys: Keys,
        size: (u16, u16),
        now: Timestamp,
    ) -> Self {
        let index = Index::of(&inventory);
        let mut state = Self {
            known: Known::new(inventory, now),
            setting,
            keys,
            size,
            page: Page::Overview,
            trail: Vec::new(),
            sheets: BTreeMap::new(),
            overlay: None,
            frozen: None,
            whole: false,
            notices: Vec::new(),
            range: None,
            words: Words::default(),
            index,
            survey: Survey::default(),
            asked: BTreeMap::new(),
            completions: 0,
            resting: None,
            aged: now,
            generation: 1,
        };
        state.settle(true);
        state
    }

    /// What is known now, however the screen is held: for `glance` and for what
    /// is written for other processes.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Grows whenever what is visible may have changed: nothing needs to be
    /// drawn while it stays the same.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The page that is shown.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// What is selected on the page, if anything is.
    pub fn chosen(&self) -> Option<Chosen> {
        let sheet = self.sheets.get(&self.page)?;
        self.subject(sheet)
    }

    /// Whether there is something that `esc` would leave.
    pub(crate) fn can_go_back(&self) -> bool {
        let filtered = self.sheets.get(&self.page).is_some_and(|sheet| !sheet.filter.is_empty());
        let split = self.words.split.is_some();
        split || self.whole || filtered || !self.trail.is_empty() || self.page != Page::Overview
    }

    /// What the panel that has the keys has selected, which on a page about one
    /// service is not what the page is about.
    pub(crate) fn chosen_in_panel(&self) -> Option<Chosen> {
        let sheet = self.sheets.get(&self.page)?;
        let subject = self.subject(sheet);
        let cx = self.act_cx(sheet, subject.as_ref(), Rect::default(), false);
        sheet.panels.get(sheet.focus)?.1.chosen(&cx)
    }

    pub(crate) fn touch(&mut self) {
        self.generation += 1;
    }

    /// What is shown: what was known when the screen was frozen, else what is known now.
    pub(crate) fn shown(&self) -> &Known {
        self.frozen.as_ref().map_or(&self.known, |frozen| &frozen.known)
    }

    /// The moment that is shown.
    pub(crate) fn shown_at(&self) -> Timestamp {
        self.frozen.as_ref().map_or(self.known.now, |frozen| frozen.at)
    }

    /// The range of the charts: chosen, or no longer than what can have been
    /// seen by an engine without a history of its own.
    pub(crate) fn range(&self) -> Range {
        self.range.unwrap_or_else(|| {
            let known = self.shown();
            let usual = Range::default();
            if known.inventory.engine == Some(EngineKind::Embedded) {
                Range::holding(self.shown_at().since(known.started)).min(usual)
            } else {
                usual
            }
        })
    }

    pub(crate) fn say(&mut self, text: impl Into<String>, bad: bool) {
        const KEPT: usize = 50;
        self.notices.push(Notice { at: self.known.now, text: text.into(), bad });
        if self.notices.len() > KEPT {
            self.notices.remove(0);
        }
    }

    /// What the page is about, or what is selected on it.
    pub(crate) fn subject(&self, sheet: &Sheet) -> Option<Chosen> {
        match &self.page {
            Page::Service(name) | Page::Logs(name) => {
                return Some(Chosen::Service(name.clone()));
            }
            Page::Run(id) => return Some(Chosen::Run(id.clone())),
            Page::Book(id, _) => return Some(Chosen::Book(id.clone())),
            _ => {}
        }
        let cx = self.act_cx(sheet, None, Rect::default(), false);
        let chosen = |at: usize| sheet.panels.get(at).and_then(|(_, panel)| panel.chosen(&cx));
        chosen(sheet.focus).or_else(|| (0..sheet.panels.len()).find_map(chosen))
    }

    /// The service that the page or the selection is about.
    pub(crate) fn subject_service(&self) -> Option<ServiceName> {
        match self.chosen()? {
            Chosen::Service(name) => Some(name),
            Chosen::Alert(identity) => {
                let alerts = &self.shown().alerts;
                alerts.iter().find(|alert| alert.identity() == identity)?.service.clone()
            }
            Chosen::Source(id) | Chosen::Backup(id) => match &self.index.source(&id)?.role {
                Role::Check(role) => Some(role.service.clone()),
                Role::Backup(role) => role.service.clone(),
                _ => None,
            },
            Chosen::Issue { source, id } => self.shown().issue(&source, &id)?.service.clone(),
            Chosen::Signal(id) => {
                let signals = &self.shown().inventory.signals;
                signals.iter().find(|signal| signal.id == id)?.service.clone()
            }
            Chosen::Host { .. } => None,
            Chosen::Book(_) => self.words.desk.about.service.clone(),
            Chosen::Run(id) => self.shown().runs.run(&id)?.plan.service.clone(),
        }
    }

    pub(crate) fn act_cx<'a>(
        &'a self,
        sheet: &'a Sheet,
        subject: Option<&'a Chosen>,
        area: Rect,
        changed: bool,
    ) -> ActCx<'a> {
        ActCx {
            known: self.shown(),
            index: &self.index,
            now: self.shown_at(),
            filter: &sheet.filter,
            words: &self.words,
            subject,
            range: self.range(),
            changed,
            area,
            user: &self.setting.user,
        }
    }

    /// Whether nothing can be shown: the terminal is too small.
    pub(crate) fn is_blind(&self) -> bool {
        layout::is_too_small(self.size)
    }

    /// The body of the screen; nothing where it is too small.
    pub(crate) fn body(&self) -> Option<Rect> {
        let outer = layout::outer(Rect::new(0, 0, self.size.0, self.size.1))?;
        Some(self.body_in(&outer))
    }

    /// The body of a screen with these parts.
    pub(crate) fn body_in(&self, outer: &layout::Outer) -> Rect {
        if self.page.is_tall() {
            Rect { y: outer.strip.y, height: outer.body.height + 1, ..outer.body }
        } else {
            outer.body
        }
    }

    /// Where the panels of a sheet stand.
    pub(crate) fn places(&self, sheet: &Sheet, subject: Option<&Chosen>, body: Rect) -> Vec<Rect> {
        if self.whole {
            let shown = |i| if i == sheet.focus { body } else { Rect { height: 0, ..body } };
            return (0..sheet.panels.len()).map(shown).collect();
        }
        let cx = self.act_cx(sheet, subject, body, false);
        let needs: Vec<_> = sheet.panels.iter().map(|(_, panel)| panel.need(&cx)).collect();
        self.page.places(body, &needs)
    }

    /// The scope of the panel that has the keys.
    pub(crate) fn scope(&self) -> Scope {
        let sheet = self.sheets.get(&self.page);
        let focused = sheet.and_then(|sheet| sheet.panels.get(sheet.focus));
        focused.map_or(Scope::Global, |(_, panel)| panel.scope())
    }

    /// Selects the first row of the panel that has the keys.
    fn to_the_worst(&self, sheet: &mut Sheet, body: Rect) {
        let mut panels = std::mem::take(&mut sheet.panels);
        if let Some((_, panel)) = panels.get_mut(sheet.focus) {
            panel.act(Action::First, &self.act_cx(sheet, None, body, false));
        }
        sheet.panels = panels;
    }

    /// Brings panels and index in line with what is shown.
    pub(crate) fn settle(&mut self, changed: bool) {
        let mut changed = changed;
        self.words.desk.about = match &self.page {
            Page::Offers(about) | Page::Book(_, about) => about.clone(),
            _ => About::default(),
        };
        if !self.index.is_of(&self.shown().inventory) {
            self.index = Index::of(&self.shown().inventory);
            changed = true;
        }
        let kept = self.sheets.remove(&self.page);
        let fresh = kept.is_none();
        changed |= fresh;
        let mut sheet = kept.unwrap_or_else(|| Sheet::of(&self.page));
        if changed {
            self.survey = Survey::of(self.shown(), self.shown_at());
        }
        let body = self.body().unwrap_or_default();
        // Twice: what a panel shows may depend on what is selected in another.
        for _ in 0..2 {
            let subject = self.subject(&sheet);
            let places = self.places(&sheet, subject.as_ref(), body);
            let mut panels = std::mem::take(&mut sheet.panels);
            for ((_, panel), place) in panels.iter_mut().zip(&places) {
                panel.refresh(&self.act_cx(&sheet, subject.as_ref(), *place, changed));
            }
            sheet.panels = panels;
        }
        let follows = self.page == Page::Overview && !sheet.touched;
        if fresh || follows {
            // Keys begin where there is something to choose.
            let cx = self.act_cx(&sheet, None, Rect::default(), false);
            let first = sheet.panels.iter().position(|(_, panel)| panel.chosen(&cx).is_some());
            let any = || sheet.panels.iter().position(|(_, panel)| panel.takes_keys());
            sheet.focus = first.or_else(any).unwrap_or(0);
        }
        if follows {
            // Until a key is pressed the overview shows what is worst now.
            self.to_the_worst(&mut sheet, body);
        }
        let subject = self.subject(&sheet);
        let places = self.places(&sheet, subject.as_ref(), body);
        if self.body().is_some() && places.get(sheet.focus).is_some_and(|place| place.height == 0) {
            let mut shown = sheet.panels.iter().zip(&places);
            let first = shown.position(|((_, of), at)| at.height > 0 && of.takes_keys());
            sheet.focus = first.unwrap_or(0);
        }
        self.sheets.insert(self.page.clone(), sheet);
    }
}
