//! What is on the pages: one file a panel, one line each in `KINDS`.

pub mod alert;
pub mod alerts;
pub mod backup;
pub mod backup_lines;
pub mod backups;
pub mod book;
mod brought;
pub mod cells;
pub mod changed;
pub mod charts;
pub mod checks;
pub mod desk;
pub mod history;
pub mod hosts;
pub mod index;
pub mod issue;
pub mod issue_lines;
pub mod issues;
pub mod logs;
pub mod metrics;
pub mod offers;
mod plot;
pub mod range;
pub mod rows;
pub mod run;
pub mod run_lines;
pub mod runs;
pub mod services;
pub mod signals;
pub mod source;
pub mod sources;
mod texts;
pub mod watch;

use crate::domain::runs::{BookId, RunId};
use crate::domain::{EngineKind, ServiceName, SignalId, SourceId, Timestamp};
use crate::store::{Action, AskId, AskRange, Effect, Known, Look, Looked};
use crate::ui::layout::Need;
use crate::ui::{Scope, Theme};
pub use desk::{About, Desk};
pub use index::Index;
pub use range::Range;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
pub use rows::Rows;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// A thing on the screen that something can be done with, by its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// A service.
    Service(ServiceName),
    /// An alert, by the fingerprint of its labels.
    Alert(u64),
    /// A source.
    Source(SourceId),
    /// A host of a group.
    Host { group: String, instance: String },
    /// A signal.
    Signal(SignalId),
    /// An issue of an error tracker, by the server's id of it.
    Issue { source: SourceId, id: String },
    /// The backups of a data set.
    Backup(SourceId),
    /// A runbook.
    Book(BookId),
    /// A run of a runbook.
    Run(RunId),
}

/// What the operator typed or asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The expression on the metrics page.
    pub expression: String,
    /// Expressions that were asked before, the newest last, each once; bounded.
    pub history: Vec<String>,
    /// How often an expression was asked.
    pub asked: u64,
    /// Questions that have no answer yet, and since when.
    pub waiting: BTreeMap<AskId, Timestamp>,
    /// The present moment, also where the screen is held still.
    pub clock: Timestamp,
    /// Charts are split by this label.
    pub split: Option<String>,
    /// The logs that were read last.
    pub logs: Option<Logs>,
    /// Closer looks that are under way, and since when.
    pub looking: BTreeMap<(SourceId, Look), Timestamp>,
    /// What is done about runbooks and runs.
    pub desk: Desk,
}

impl Words {
    /// More expressions are not remembered.
    const REMEMBERED: usize = 100;

    /// Takes another expression up.
    pub fn ask(&mut self, expression: &str) {
        expression.clone_into(&mut self.expression);
        self.asked += 1;
        if !expression.is_empty() {
            self.history.retain(|before| before != expression);
            self.history.push(expression.to_owned());
            if self.history.len() > Self::REMEMBERED {
                self.history.remove(0);
            }
        }
    }
}

/// The end of a service's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Whose.
    pub service: ServiceName,
    /// When they came; none while they are being read.
    pub read: Option<Timestamp>,
    /// Lines, or why there are none.
    pub lines: Result<Arc<[String]>, String>,
}

/// What a panel may look at when it acts.
#[derive(Clone, Copy, Debug)]
pub struct ActCx<'a> {
    /// What is known at the moment that is shown.
    pub known: &'a Known,
    /// What belongs to what in it.
    pub index: &'a Index,
    /// The moment that is shown.
    pub now: Timestamp,
    /// Only rows that hold this are shown; in lower case, empty for all.
    pub filter: &'a str,
    /// What the operator typed or asked for.
    pub words: &'a Words,
    /// What the page is about, where it is about one thing.
    pub subject: Option<&'a Chosen>,
    /// The range of the charts.
    pub range: Range,
    /// Statuses, rows or the filter may have changed since the last time.
    pub changed: bool,
    /// Where the panel is drawn.
    pub area: Rect,
    /// Who looks at it.
    pub user: &'a str,
}

impl<'a> ActCx<'a> {
    /// The last closer look at a thing, if it was looked at.
    pub(crate) fn looked(&self, source: &SourceId, look: &Look) -> Option<&'a Looked> {
        self.known.looked.iter().find(|known| known.source == *source && known.look == *look)
    }

    /// Since when a thing is being looked at, if it is.
    pub(crate) fn looking(&self, source: &SourceId, look: &Look) -> Option<Timestamp> {
        self.words.looking.get(&(source.clone(), look.clone())).copied()
    }
}

/// What a panel may look at when it draws.
#[derive(Clone, Copy, Debug)]
pub struct ViewCx<'a> {
    /// As when it acts.
    pub act: ActCx<'a>,
    /// How it looks.
    pub theme: &'a Theme,
    /// Whether keys go to it.
    pub focused: bool,
    /// Minutes east of UTC.
    pub offset_min: i32,
}

/// A question that a panel needs the answer of, to be asked as long as it is visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its place.
    pub id: AskId,
    /// PromQL.
    pub expr: Arc<str>,
    /// The label that the answer is split by.
    pub split: Option<Arc<str>>,
    /// Over this range, or at one instant.
    pub range: Option<AskRange>,
    /// About this moment; about the one that is shown where none.
    pub at: Option<Timestamp>,
    /// Who shall answer.
    pub engine: EngineKind,
}

/// A part of a page.
pub trait Panel: Debug + Send {
    /// Which keys count in it.
    fn scope(&self) -> Scope;

    /// Whether there is anything in it that keys can do.
    fn takes_keys(&self) -> bool {
        true
    }

    /// How many lines it needs and can use.
    fn need(&self, cx: &ActCx<'_>) -> Need;

    /// Takes in what may have changed; what is selected stays selected.
    fn refresh(&mut self, cx: &ActCx<'_>);

    /// Carries an action out; `None` where it is not the panel's.
    fn act(&mut self, action: Action, cx: &ActCx<'_>) -> Option<Vec<Effect>>;

    /// What is selected in it.
    fn chosen(&self, cx: &ActCx<'_>) -> Option<Chosen>;

    /// Selects a thing, if it has it.
    fn choose(&mut self, _wanted: &Chosen) {}

    /// What is copied when it has the keys.
    fn copied(&self, cx: &ActCx<'_>) -> Option<String>;

    /// The questions whose answers it shows in this area.
    fn questions(&self, _cx: &ActCx<'_>) -> Vec<Question> {
        Vec::new()
    }

    /// The expression behind what is shown first or selected in it.
    fn explores(&self, _cx: &ActCx<'_>) -> Option<String> {
        None
    }

    /// Draws it; gives where the cursor stands if text is typed in it.
    fn view(&self, cx: &ViewCx<'_>, area: Rect, buf: &mut Buffer) -> Option<Position>;
}

/// A kind of panel.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name, unique.
    pub name: &'static str,
    /// Whether it has rows that a filter narrows down.
    pub filtered: bool,
    /// Makes one.
    pub build: fn() -> Box<dyn Panel>,
}

/// All kinds of panels.
pub const KINDS: &[Kind] = &[
    alerts::KIND,
    alert::KIND,
    services::KIND,
    hosts::KIND,
    charts::KIND,
    checks::KIND,
    history::KIND,
    signals::KIND,
    metrics::KIND,
    issues::KIND,
    issue::KIND,
    issue_lines::KIND,
    issue_lines::OF_SERVICE,
    backups::KIND,
    backup::KIND,
    backup_lines::KIND,
    backup_lines::OF_SERVICE,
    sources::KIND,
    source::KIND,
    watch::KIND,
    logs::KIND,
    changed::KIND,
    changed::HERE,
    offers::KIND,
    book::KIND,
    run::KIND,
    run_lines::KIND,
    runs::KIND,
];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_unique() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
