//! A runbook to be read: its text as a person reads it, and beside each block
//! what a run would make of it.

use super::{ActCx, Chosen, Kind, Panel, ViewCx, cells};
use crate::domain::runs::{BookId, Step, StepKind};
use crate::domain::{Status, harmless_within};
use crate::runbook::{Book, Level};
use crate::store::{Action, Effect};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::markdown::{self, Line};
use crate::ui::table::{rule, select};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::fmt::Write as _;
use std::sync::Arc;

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "book", filtered: true, build: || Box::new(Reading::default()) };

/// Lines of text are no longer than a person reads well.
const WIDEST: u16 = 100;

#[derive(Debug, Default)]
struct Reading {
    id: Option<BookId>,
    book: Option<Arc<Book>>,
    /// The text laid out, of what, and for how many columns.
    lines: Vec<Line>,
    laid_out: (String, u16),
    from: usize,
    filter: String,
}

/// What a run would make of a step, in words.
pub(crate) fn of_step(step: &Step, book: &Book) -> String {
    let id = step.id;
    match &step.kind {
        StepKind::Command(command) => {
            let what = match (command.undoes, command.changes) {
                (true, _) => "UNDOES",
                (false, true) => "CHANGES",
                (false, false) => "reads",
            };
            let mut words = format!("step {id} {what}");
            if let Some(word) = &command.confirm {
                let _ = write!(words, ", confirm by typing the {word}");
            }
            if command.approve {
                words.push_str(", a second person approves");
            }
            if let Some(name) = &command.capture {
                let _ = write!(words, ", keeps {name}");
            }
            let undo = command.undo.and_then(|undo| book.steps.iter().find(|step| step.id == undo));
            if let Some(undo) = undo {
                let name = undo.name.as_deref().unwrap_or(undo.title.as_str());
                let _ = write!(words, ", undone by {name}");
            }
            if let Some(why) = &command.edit {
                let _ = write!(words, ", to be edited first: {why}");
            }
            words
        }
        StepKind::Check(check) if check.proof => format!("step {id} PROOF"),
        StepKind::Check(_) => format!("step {id} check"),
        StepKind::Manual { .. } => format!("step {id}, by hand"),
    }
}

fn note(book: &Book, line: u32) -> Option<String> {
    if let Some(step) = book.steps.iter().find(|step| step.line == line) {
        return Some(of_step(step, book));
    }
    let pins = book.document.blocks.iter().find(|block| block.line == line)?;
    (pins.language == "pin").then(|| "pinned: asked anew before each change".to_owned())
}

impl Reading {
    fn height(&self, area: Rect) -> usize {
        usize::from(area.height.saturating_sub(1 + self.told()))
    }

    /// Lines above the text: what keeps it from being run.
    fn told(&self) -> u16 {
        let sound = self.book.as_ref().is_none_or(|book| book.is_sound());
        u16::from(!sound)
    }

    fn last(&self, area: Rect) -> usize {
        self.lines.len().saturating_sub(self.height(area))
    }

    fn search(&mut self, from: usize) -> bool {
        let order = (from..self.lines.len()).chain(0..from.min(self.lines.len()));
        let found = { order }.find(|at| self.lines[*at].holds(&self.filter));
        if let Some(at) = found {
            self.from = at.saturating_sub(1);
        }
        found.is_some()
    }
}

impl Panel for Reading {
    fn scope(&self) -> Scope {
        Scope::Book
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 3, most: u16::MAX, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let Some(Chosen::Book(id)) = cx.subject else { return };
        self.id = Some(id.clone());
        self.book = cx.known.runs.library.books.get(id).cloned();
        let Some(book) = self.book.clone() else {
            self.lines = Vec::new();
            self.laid_out = Default::default();
            return;
        };
        let width = cx.area.width.min(WIDEST + 2);
        if self.laid_out != (book.hash.clone(), width) {
            let columns = usize::from(width.saturating_sub(3));
            self.lines = markdown::lay_out(&book.text, columns, &|line| note(&book, line));
            self.laid_out = (book.hash.clone(), width);
        }
        if self.filter != cx.filter {
            cx.filter.clone_into(&mut self.filter);
            if !self.filter.is_empty() {
                self.search(self.from);
            }
        }
        self.from = self.from.min(self.last(cx.area));
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let (height, last) = (self.height(cx.area), self.last(cx.area));
        let to = match action {
            Action::Up => self.from.saturating_sub(1),
            Action::Down => self.from + 1,
            Action::HalfUp => self.from.saturating_sub(height / 2),
            Action::HalfDown => self.from + height / 2,
            Action::First => 0,
            Action::Last => last,
            Action::NextMatch => {
                if !self.filter.is_empty() {
                    self.search(self.from + 2);
                }
                self.from
            }
            _ => return None,
        };
        self.from = to.min(last);
        Some(Vec::new())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.id.clone().map(Chosen::Book)
    }

    fn copied(&self, _: &ActCx<'_>) -> Option<String> {
        self.book.as_ref().map(|book| book.text.to_string())
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let theme = cx.theme;
        let height = self.height(area);
        let count = self.lines.len();
        let name = self.id.as_ref().map_or("", |id| id.as_str());
        let shown = match count {
            _ if count <= height => String::new(),
            _ => format!(
                ", lines {} to {} of {count}",
                self.from + 1,
                (self.from + height).min(count)
            ),
        };
        if let Some(line) = text::line_of(area, 0) {
            let title = match &self.book {
                Some(book) => format!("{name}: {}", book.title),
                None => name.to_owned(),
            };
            let room = usize::from(area.width).saturating_sub(shown.len() + 12);
            let title = format!(
                "BOOK {}{shown}",
                text::cut(&harmless_within(&title, 200), room, theme.glyphs.cut)
            );
            rule(theme, line, buf, &title, cx.focused);
        }
        let Some(book) = &self.book else {
            if let Some(line) = text::line_of(area, 1) {
                let words = "  there is no runbook of this name (any more)";
                text::write(buf, line, [(words.into(), theme.faint())], theme.glyphs.cut);
            }
            return None;
        };
        if let (Some(line), Some(first)) = (
            text::line_of(area, 1),
            book.remarks.iter().find(|remark| remark.level == Level::Error),
        ) {
            let many = book.remarks.iter().filter(|of| of.level == Level::Error).count();
            let more = if many > 1 { format!(" (+{} more)", many - 1) } else { String::new() };
            let words = format!("  cannot be run: line {}: {}{more}", first.line, first.words);
            let style = theme.status(Status::Critical);
            let words = harmless_within(&words, cells::LONGEST);
            text::write(buf, line, [(words.into(), style)], theme.glyphs.cut);
        }
        for (at, line) in self.lines.iter().skip(self.from).take(height).enumerate() {
            let Some(place) = text::line_of(area, at + 1 + usize::from(self.told())) else { break };
            let inner = Rect { x: place.x + 2, width: place.width.min(WIDEST + 2) - 2, ..place };
            markdown::draw(theme, inner, buf, line);
            if !self.filter.is_empty() && line.holds(&self.filter) {
                select(theme, place, buf);
            }
        }
        None
    }
}
