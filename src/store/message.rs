//! Everything that can happen to the program, and everything it can ask of the
//! world: plain data that can be compared, logged, kept and replayed.

use super::complete::{Complete, Completed};
use super::export::Export;
use super::known::Known;
use super::runs::{RunsEffect, RunsMsg};
use crate::domain::{
    EngineKind, FullCheck, Inventory, IssueEvent, PollError, Reading, ServiceName, SourceId,
    Timestamp,
};
pub use crate::metrics::Coverage;
use crate::metrics::Data;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A message and the moment at which the event loop took it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// The moment.
    pub at: Timestamp,
    /// The message.
    pub msg: Msg,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Msg {
    /// A key was pressed.
    KeyPressed(Key),
    /// Text was pasted.
    Pasted(String),
    /// The terminal has this many columns and rows.
    Resized { width: u16, height: u16 },
    /// Polls ended; those that ended together come together.
    Polled(Vec<Polled>),
    /// Questions were answered.
    Answered(Vec<Answered>),
    /// A question for names was answered, while an expression is typed.
    Completed(Completed),
    /// A closer look at one thing ended.
    Looked(Looked),
    /// The `logs` command of a service ended.
    LogsRead { service: ServiceName, lines: Result<Arc<[String]>, String> },
    /// Something about runbooks and runs happened.
    Runs(RunsMsg),
    /// The config was read anew: what is watched from now on, or its mistakes.
    Reloaded(Result<Arc<Inventory>, String>),
    /// What another process of this config last knew.
    Remembered(Box<Known>),
    /// Something was done or failed that the operator asked for.
    Said { text: String, bad: bool },
    /// The terminal is ours again after a stop.
    Resumed,
    /// The process was told to end.
    Terminated,
    /// A second went by: ages on the screen may have changed.
    Ticked,
}

/// One poll of one source ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Polled {
    /// Which source.
    pub source: SourceId,
    /// When the poll began: the moment its data is of, unless the data says otherwise.
    pub taken: Timestamp,
    /// When the source will be asked next.
    pub next: Timestamp,
    /// How long the poll took.
    pub took: Duration,
    /// How late it began, against its schedule.
    pub late: Duration,
    /// What it brought.
    pub outcome: Result<Reading, PollError>,
}

/// A closer look at one thing that a source tells of, asked for by the operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Look {
    /// The latest event of an issue, by the server's id of it.
    Issue(String),
    /// A full check of the newest backup: reads all of it.
    Verify,
}

/// What a closer look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// The latest event of an issue.
    Event(IssueEvent),
    /// A full check.
    Verified(FullCheck),
}

/// A closer look ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// At a thing of this source.
    pub source: SourceId,
    /// At what.
    pub look: Look,
    /// When it ended.
    pub at: Timestamp,
    /// What it found.
    pub outcome: Result<Seen, PollError>,
}

/// Names a question's place: a newer question with the same id replaces the older one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskId(pub Arc<str>);

/// A question to a metrics engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Its place.
    pub id: AskId,
    /// PromQL.
    pub expr: Arc<str>,
    /// The answer is split by this label, too: each aggregation keeps it.
    pub split: Option<Arc<str>>,
    /// Asked over this range that ends at `at`; at that instant alone where none.
    pub range: Option<AskRange>,
    /// The moment it is about.
    pub at: Timestamp,
    /// Who shall answer.
    pub engine: EngineKind,
}

/// A range that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskRange {
    /// From its first to its last point.
    pub length: Duration,
    /// From point to point.
    pub step: Duration,
}

/// A question was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The question's place.
    pub id: AskId,
    /// The answer.
    pub answer: Arc<Answer>,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question.
    pub ask: Ask,
    /// What the engine found.
    pub outcome: Result<Data, AskError>,
    /// How much of the window it has seen.
    pub coverage: Coverage,
    /// What the engine warns of; shown with the data.
    pub warnings: Vec<String>,
    /// What the engine hints at: `metric might not be a counter …`.
    #[serde(default)]
    pub infos: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskError {
    /// In words, harmless to show: `unexpected ")"`, `connection refused`.
    pub message: String,
    /// Where in the expression, in bytes, if it is the expression's fault.
    pub span: Option<(usize, usize)>,
}

/// Something that the world is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Poll this source at once.
    PollNow(SourceId),
    /// Poll this source again after this time, beside its schedule.
    PollAgain { source: SourceId, after: Duration },
    /// Poll all sources at once.
    PollAll,
    /// Ask an engine.
    Ask(Ask),
    /// Nobody waits for the answer to this question any more.
    StopAsking(AskId),
    /// Look for names, while an expression is typed.
    Complete(Complete),
    /// Write what is seen into a file of its own.
    Export(Export),
    /// Look closer at one thing of this source.
    Look { source: SourceId, look: Look },
    /// Read the service's logs.
    ReadLogs(ServiceName),
    /// Do something about runs.
    Runs(RunsEffect),
    /// Put this text into the terminal's clipboard.
    Copy(String),
    /// Start this fault of the practice environment, or heal all.
    Practice(String),
    /// Read the config anew.
    Reload,
    /// Give the terminal back and stop, as ctrl-z does.
    Suspend,
    /// Draw the whole screen anew.
    Redraw,
    /// End.
    Quit,
}

/// What the operator wants; keys are bound to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// Next panel.
    NextPanel,
    /// Previous panel.
    PreviousPanel,
    /// Open what is selected.
    Open,
    /// Back to where one came from.
    Back,
    /// Page 1 to 9.
    Page(u8),
    /// Show the keys.
    Help,
    /// Narrow the rows down.
    Filter,
    /// Find a command by its name.
    Palette,
    /// Show the service's logs.
    Logs,
    /// Split a signal by a label.
    Split,
    /// Check what is selected in full: reads all of a backup.
    Verify,
    /// Copy what is selected.
    Copy,
    /// Hold the screen still.
    Freeze,
    /// This panel on the whole screen.
    Whole,
    /// A shorter range.
    ZoomIn,
    /// A longer range.
    ZoomOut,
    /// Back to now.
    Live,
    /// Poll what is selected at once.
    PollNow,
    /// Poll everything at once.
    PollAll,
    /// Type an expression.
    Edit,
    /// Open the expression behind what is selected.
    Explore,
    /// Show or hide what is selected.
    Toggle,
    /// The other view: chart or table.
    Table,
    /// Order by the next column.
    Sort,
    /// The next series that fit in a chart.
    NextSeries,
    /// Those before.
    PreviousSeries,
    /// The other scale of the chart.
    Scale,
    /// Earlier on the axis of time.
    Earlier,
    /// Later on the axis of time.
    Later,
    /// Write what is seen into a file.
    Export,
    /// Offer the runbooks that fit what is selected.
    Runbook,
    /// Arm the environment: changing steps may be confirmed for a while.
    Arm,
    /// Yes, run the step; or: it is done.
    Yes,
    /// Try the step again.
    Retry,
    /// Leave the step out.
    Skip,
    /// Undo what was done.
    Undo,
    /// Go no further with the run.
    Abandon,
    /// End the step that runs.
    Cancel,
    /// The step whose outcome is unknown was done.
    WasDone,
    /// The step whose outcome is unknown was not done.
    WasNotDone,
    /// Have the run look again.
    LookAgain,
    /// Type into the terminal of a step.
    Terminal,
    /// The output of a run, and back.
    Output,
    /// The whole text of the step, and back.
    FullText,
    /// Write what a run did and proved as Markdown.
    SaveProof,
    /// The next place that holds what is searched.
    NextMatch,
    /// Read the config anew.
    Reload,
    /// Draw the whole screen anew.
    Redraw,
    /// Stop, as a shell's job control does.
    Suspend,
    /// End.
    Quit,
}

impl Action {
    /// Every action but the pages, in the order of the enum.
    const PLAIN: [Self; 57] = [
        Self::Up,
        Self::Down,
        Self::Left,
        Self::Right,
        Self::HalfUp,
        Self::HalfDown,
        Self::First,
        Self::Last,
        Self::NextPanel,
        Self::PreviousPanel,
        Self::Open,
        Self::Back,
        Self::Help,
        Self::Filter,
        Self::Palette,
        Self::Logs,
        Self::Split,
        Self::Verify,
        Self::Copy,
        Self::Freeze,
        Self::Whole,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::Live,
        Self::PollNow,
        Self::PollAll,
        Self::Edit,
        Self::Explore,
        Self::Toggle,
        Self::Table,
        Self::Sort,
        Self::NextSeries,
        Self::PreviousSeries,
        Self::Scale,
        Self::Earlier,
        Self::Later,
        Self::Export,
        Self::Runbook,
        Self::Arm,
        Self::Yes,
        Self::Retry,
        Self::Skip,
        Self::Undo,
        Self::Abandon,
        Self::Cancel,
        Self::WasDone,
        Self::WasNotDone,
        Self::LookAgain,
        Self::Terminal,
        Self::Output,
        Self::FullText,
        Self::SaveProof,
        Self::NextMatch,
        Self::Reload,
        Self::Redraw,
        Self::Suspend,
        Self::Quit,
    ];

    /// Every action.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::PLAIN.into_iter().chain((1..=9).map(Self::Page))
    }

    /// Its name in the config: `half-down`, `page-3`.
    pub fn name(self) -> String {
        match self {
            Self::Page(page) => format!("page-{page}"),
            plain => serde_json::to_value(plain)
                .ok()
                .and_then(|name| name.as_str().map(Into::into))
                .unwrap_or_default(),
        }
    }
}

/// A key as it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// What is held with it.
    pub mods: Mods,
}

/// The keys that the program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyCode {
    /// A character; shift is in the character.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// A function key.
    F(u8),
}

/// What is held with a key.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mods {
    /// Control.
    pub ctrl: bool,
    /// Alt or meta.
    pub alt: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_actions_are_all_there_are() {
        // The compiler's own list: serde names every variant in its error.
        let unknown = serde_json::from_str::<Action>("\"no-such-action\"").unwrap_err().to_string();
        let variants = unknown.matches('`').count() / 2 - 1;
        assert_eq!(variants, Action::PLAIN.len() + 1, "{unknown}");
        let names: std::collections::BTreeSet<String> = Action::all().map(Action::name).collect();
        assert_eq!(names.len(), Action::PLAIN.len() + 9);
    }
}
