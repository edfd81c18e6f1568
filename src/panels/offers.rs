//! The runbooks that fit an alert or a service, best first. What is only a
//! guess is never chosen beforehand.

use super::desk::About;
use super::texts::{Scroll, Toned};
use super::{ActCx, Chosen, Kind, Panel, ViewCx, cells};
use crate::domain::runs::{BookId, RunOutcome, StepKind};
use crate::domain::{Alert, AlertState, ServiceName, Status, Timestamp, harmless_within};
use crate::runbook::library::Firing;
use crate::runbook::{Book, BookLine, Fit, Level, Past};
use crate::store::{Action, Effect, Known};
use crate::ui::Scope;
use crate::ui::layout::Need;
use crate::ui::table::{Cell, Column, Table, rule};
use crate::ui::text;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// As the registry knows it.
pub const KIND: Kind =
    Kind { name: "offers", filtered: true, build: || Box::new(Offers::default()) };

/// What names it.
const BOOK: Column = Column::new("", 18);
const COLUMNS: [Column; 5] = [
    BOOK.sharing(1),
    Column::new("title", 20).sharing(2).goes(2),
    Column::new("why it fits", 23),
    Column::new("last run", 16),
    Column::new("rehearsed", 10).goes(1),
];
/// Lines of the table before its details get some.
const LISTED: u16 = 6;

#[derive(Debug, Default)]
struct Offers {
    list: Vec<BookLine>,
    /// What is chosen; none until the operator has, where all are guesses.
    chosen: Option<BookId>,
    about: Option<About>,
    scroll: Scroll<BookId>,
}

/// The alert that a page is about, as it stands now.
pub(crate) fn alert_of<'a>(known: &'a Known, about: &About) -> Option<&'a Alert> {
    let identity = about.alert?;
    known.alerts.iter().find(|alert| alert.identity() == identity)
}

/// What there is to do about a service: about its worst alert, where one fires.
pub(crate) fn of_service(known: &Known, service: Option<ServiceName>) -> About {
    let fires = |alert: &&Alert| {
        service.is_some()
            && alert.service == service
            && alert.state == AlertState::Firing
            && !alert.is_quiet()
    };
    let alert = known.alerts.iter().find(fires).map(Alert::identity);
    About { alert, service }
}

/// The runbooks that fit, best first.
pub(crate) fn fitting(known: &Known, about: &About) -> Vec<BookLine> {
    let alert = alert_of(known, about);
    let service = about.service.as_ref().or_else(|| alert.and_then(|of| of.service.as_ref()));
    let firing = alert.map(Firing::of);
    known.runs.library.fits(firing.as_ref(), service.map(ServiceName::as_str))
}

/// The runbook that fits for certain, where it is one alone; it need not be the only one offered.
pub(crate) fn certain(known: &Known, about: &About) -> Option<BookId> {
    let fitting = fitting(known, about);
    let first = fitting.first().filter(|line| !line.is_guess())?;
    let is_worse = |second: &BookLine| second.fit > first.fit || !second.lacks.is_empty();
    let alone = fitting.get(1).is_none_or(is_worse);
    alone.then(|| first.book.clone())
}

/// Why a runbook is offered.
pub(crate) fn why(of: Fit) -> &'static str {
    match of {
        Fit::Url => "the alert links to it",
        Fit::Alert => "matches this alert",
        Fit::Name => "is called like the alert",
        Fit::Service => "a guess: its service",
        Fit::Search => "a guess: speaks of it",
    }
}

/// When it was last run, and how that ended.
pub(crate) fn last_run(past: Option<&Past>, now: Timestamp) -> (String, Status) {
    let Some((at, outcome)) = past.and_then(|past| past.run) else {
        return ("never".into(), Status::Ok);
    };
    let ago = text::age_in_steps(now.since(at));
    match outcome {
        None => (format!("{ago} ago, goes on"), Status::Warning),
        Some(outcome) => (format!("{ago} ago {}", outcome.word()), outcome_status(outcome)),
    }
}

/// When it was last rehearsed, and how many of its steps were broken.
pub(crate) fn rehearsed(past: Option<&Past>, now: Timestamp) -> (String, Status) {
    match past.and_then(|past| past.rehearsed.as_ref()) {
        None => ("never".into(), Status::Ok),
        Some((at, broken)) => {
            let ago = text::age_in_steps(now.since(*at));
            match broken.len() {
                0 => (ago, Status::Ok),
                many => (format!("{ago}, {many} broken"), Status::Warning),
            }
        }
    }
}

/// The status that an outcome looks like: only what is proved is ok.
pub(crate) fn outcome_status(outcome: RunOutcome) -> Status {
    match outcome {
        RunOutcome::Proved => Status::Ok,
        RunOutcome::Failed => Status::Critical,
        RunOutcome::Unproved | RunOutcome::Refused => Status::Warning,
        RunOutcome::Unknown => Status::Unknown,
    }
}

impl Offers {
    fn at(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.list.iter().position(|line| line.book == *chosen)
    }

    fn turn_to(&mut self, at: usize) {
        self.chosen = self.list.get(at).map(|line| line.book.clone());
        self.scroll.turn_to(self.chosen.clone());
    }

    fn facts(&self, cx: &ActCx<'_>) -> Vec<Toned> {
        let library = &cx.known.runs.library;
        let Some(chosen) = &self.chosen else {
            let words = if self.list.is_empty() {
                "runbooks are Markdown files; `opsroom runbooks new NAME` begins one"
            } else {
                "these are guesses: none is chosen beforehand; choose one with the arrow keys"
            };
            let mut facts = vec![Toned::new("", words)];
            facts.extend(
                library
                    .failures
                    .iter()
                    .map(|why| Toned::new("not read", why.as_str()).of(Status::Warning)),
            );
            return facts;
        };
        let (Some(book), past) = (library.books.get(chosen), library.past.get(chosen)) else {
            return vec![Toned::new("", "it is not there any more")];
        };
        let mut facts = facts_of(book, past, cx.now);
        if let Some(words) = self.lacking() {
            facts.insert(1, Toned::new("needs", words).of(Status::Warning));
        }
        facts
    }

    /// What the service lacks for the chosen one, in words.
    fn lacking(&self) -> Option<String> {
        let line = self.list.get(self.at()?)?;
        let named: Vec<String> = line.lacks.iter().map(|name| format!("`{name}`")).collect();
        let service = self.about.as_ref()?.service.as_ref()?;
        (!named.is_empty()).then(|| {
            format!(
                "the config has no {} for {service}: [service.{service}] vars gives it",
                named.join(", ")
            )
        })
    }

    /// The parts of its area: the list and the details of what is chosen.
    fn parts(&self, area: Rect) -> (Rect, Rect) {
        let rows = u16::try_from(self.list.len().max(1)).unwrap_or(u16::MAX).saturating_add(1);
        let listed = rows.min(area.height.saturating_sub(8)).max(LISTED.min(rows));
        let below = area.height.saturating_sub(listed);
        let list = Rect { height: listed, ..area };
        (list, Rect { y: area.y + listed, height: below, ..area })
    }
}

/// What there is to know of a runbook before it is read.
fn facts_of(book: &Book, past: Option<&Past>, now: Timestamp) -> Vec<Toned> {
    let (run, run_status) = last_run(past, now);
    let (tried, tried_status) = rehearsed(past, now);
    let mut facts = vec![Toned::new("title", book.title.as_str()).strong()];
    let wrong = book.remarks.iter().filter(|remark| remark.level == Level::Error);
    for remark in wrong {
        let words = format!("cannot be run: line {}: {}", remark.line, remark.words);
        facts.push(Toned::new("mistake", words).of(Status::Critical));
    }
    facts.push(Toned::new("last run", run).of(run_status));
    facts.push(Toned::new("rehearsed", tried).of(tried_status));
    if let Some((_, broken)) = past.and_then(|past| past.rehearsed.as_ref()) {
        for words in broken {
            facts.push(Toned::new("broken", words.as_str()).of(Status::Warning));
        }
    }
    facts.push(Toned::new("steps", steps_in_words(book)));
    let params = book.front.params.iter().map(|param| match param.ask.as_str() {
        "" => param.name.clone(),
        ask => format!("{} ({ask})", param.name),
    });
    let params: Vec<String> = params.collect();
    if !params.is_empty() {
        facts.push(Toned::new("asks for", params.join(", ")));
    }
    if book.foreign {
        let words = "written for people: each command block is confirmed by itself";
        facts.push(Toned::new("foreign", words));
    }
    if !book.front.hosts.is_empty() {
        facts.push(Toned::new("runs on", book.front.hosts.join(", ")));
    }
    facts.push(Toned::new("file", book.path.as_str()).faint());
    for (at, step) in book.steps.iter().enumerate() {
        let label = if at == 0 { "in order" } else { "" };
        let words = format!("{} {}: {}", step.id, kind_of(&step.kind), step.title);
        let changes = matches!(&step.kind, StepKind::Command(command) if command.changes);
        let line = Toned::new(label, words);
        facts.push(if changes { line.of(Status::Warning) } else { line });
    }
    for remark in book.remarks.iter().filter(|remark| remark.level == Level::Warning) {
        let words = format!("line {}: {}", remark.line, remark.words);
        facts.push(Toned::new("remark", words).faint());
    }
    facts
}

/// What a step is, in a word.
fn kind_of(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Command(command) if command.undoes => "undoes",
        StepKind::Command(command) if command.changes => "changes",
        StepKind::Command(_) => "reads",
        StepKind::Check(check) if check.proof => "proof",
        StepKind::Check(_) => "check",
        StepKind::Manual { .. } => "by hand",
    }
}

/// `6 steps: 2 read, 1 changes something, 2 checks, 1 by hand`
pub(crate) fn steps_in_words(book: &Book) -> String {
    let (mut reads, mut changes, mut undoes, mut checks, mut manual) = (0, 0, 0, 0, 0);
    for step in &book.steps {
        match &step.kind {
            StepKind::Command(command) if command.undoes => undoes += 1,
            StepKind::Command(command) if command.changes => changes += 1,
            StepKind::Command(_) => reads += 1,
            StepKind::Check(_) => checks += 1,
            StepKind::Manual { .. } => manual += 1,
        }
    }
    let parts = [
        (reads, "only read"),
        (changes, "change something"),
        (checks, "are checks"),
        (manual, "are done by hand"),
        (undoes, "undo another"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() {
        "none: it is there to be read".into()
    } else {
        format!("{}: {}", book.steps.len(), parts.join(", "))
    }
}

impl Panel for Offers {
    fn scope(&self) -> Scope {
        Scope::Rows
    }

    fn need(&self, _: &ActCx<'_>) -> Need {
        Need { least: 3, most: u16::MAX, order: 0 }
    }

    fn refresh(&mut self, cx: &ActCx<'_>) {
        let about = &cx.words.desk.about;
        let library = &cx.known.runs.library;
        let mut list = fitting(cx.known, about);
        list.retain(|line| {
            let title = library.books.get(&line.book).map_or("", |book| book.title.as_str());
            cells::passes(cx.filter, [line.book.as_str(), title])
        });
        let fresh = self.about.as_ref() != Some(about) || self.list.is_empty();
        self.about = Some(about.clone());
        self.list = list;
        if self.at().is_none() {
            self.chosen = None;
        }
        if fresh && self.chosen.is_none() {
            let first = self.list.first().filter(|line| !line.is_guess());
            self.chosen = first.map(|line| line.book.clone());
        }
        self.scroll.turn_to(self.chosen.clone());
    }

    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>> {
        let last = self.list.len().saturating_sub(1);
        let to = match (action, self.at()) {
            (Action::Down | Action::Up | Action::First, None) | (Action::First, _) => 0,
            (Action::Down, Some(at)) => (at + 1).min(last),
            (Action::Up, Some(at)) => at.saturating_sub(1),
            (Action::Last, _) => last,
            (Action::HalfUp | Action::HalfDown, _) => {
                let (_, below) = self.parts(cx.area);
                let facts = self.facts(cx);
                return self.scroll.act(action, below, &facts).then(Vec::new);
            }
            _ => return None,
        };
        self.turn_to(to);
        Some(Vec::new())
    }

    fn chosen(&self, _: &ActCx<'_>) -> Option<Chosen> {
        self.chosen.clone().map(Chosen::Book)
    }

    fn copied(&self, cx: &ActCx<'_>) -> Option<String> {
        let book = cx.known.runs.library.books.get(self.chosen.as_ref()?)?;
        Some(format!("opsroom run {}", book.id))
    }

    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let (listed, below) = self.parts(area);
        let about = &cx.act.words.desk.about;
        let library = &cx.act.known.runs.library;
        let of = match (alert_of(cx.act.known, about), &about.service) {
            (Some(alert), _) => {
                let service = alert.service.as_ref().map(|name| format!(" of {name}"));
                format!(" for {}{}", alert.name(), service.unwrap_or_default())
            }
            (None, Some(service)) => format!(" for {service}"),
            (None, None) if about.alert.is_some() => " for an alert that is gone".to_owned(),
            (None, None) => String::new(),
        };
        let title = harmless_within(&format!("RUNBOOKS {}{of}", self.list.len()), 50);
        let empty = if library.books.is_empty() {
            "there are no runbooks: [runbooks] folders in the config says where they are"
        } else {
            "no runbook names it, is called like it or speaks of it"
        };
        let height = usize::from(listed.height.saturating_sub(1));
        let at = self.at();
        let table = Table {
            title: &title,
            columns: &COLUMNS,
            rows: self.list.len(),
            from: at.map_or(0, |at| (at + 1).saturating_sub(height)),
            selected: at,
            focused: cx.focused,
            empty,
        };
        table.draw(cx.theme, listed, buf, |row| {
            let Some(line) = self.list.get(row) else { return Vec::new() };
            offer(cx, line)
        });
        if let Some(line) = text::line_of(below, 0) {
            let title = self
                .chosen
                .as_ref()
                .map_or(String::new(), |id| format!("BOOK {}", harmless_within(id.as_str(), 50)));
            rule(cx.theme, line, buf, &title, false);
            let body = Rect { y: below.y + 1, height: below.height.saturating_sub(1), ..below };
            self.scroll.draw(cx, body, buf, &self.facts(&cx.act));
        }
        None
    }
}

fn offer(cx: &ViewCx<'_>, line: &BookLine) -> Vec<Cell<'static>> {
    let library = &cx.act.known.runs.library;
    let (book, past) = (library.books.get(&line.book), library.past.get(&line.book));
    let plain = cx.theme.text();
    let look = |status: Status| if status == Status::Ok { plain } else { cx.theme.status(status) };
    let (run, run_status) = last_run(past, cx.act.now);
    let (tried, tried_status) = rehearsed(past, cx.act.now);
    let sound = book.is_none_or(|book| book.is_sound());
    let (why, why_style) = if !sound {
        ("cannot be run: mistakes".to_owned(), cx.theme.status(Status::Critical))
    } else if let Some(first) = line.lacks.first() {
        let more = if line.lacks.len() > 1 { " …" } else { "" };
        (harmless_within(&format!("needs vars.{first}{more}"), 60), cx.theme.faint())
    } else {
        (why(line.fit).to_owned(), if line.fit.is_guess() { cx.theme.faint() } else { plain })
    };
    let title = book.map_or(String::new(), |book| harmless_within(&book.title, cells::LONGEST));
    let name = harmless_within(line.book.as_str(), cells::LONGEST);
    vec![
        Cell::new(name, cx.theme.strong()),
        Cell::new(title, plain),
        Cell::new(why, why_style),
        Cell::new(run, look(run_status)),
        Cell::new(tried, look(tried_status)),
    ]
}
