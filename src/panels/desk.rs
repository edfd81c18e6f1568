//! What the operator does about runbooks and runs: the question on the screen
//! and since when it can be read, what was typed so far, and how a run is looked at.

use crate::domain::runs::{Decision, Plan, RunId, StepId};
use crate::domain::{ServiceName, Timestamp};
use crate::runbook::{Answer, Ask, AskKind, Hidden, ParamAsk, RunRequest};
use crate::store::{Followed, Known};
use crate::ui::LineInput;
use std::borrow::Cow;
use std::time::Duration;

/// Nobody reads a question in less: a key that comes sooner was pasted, typed
/// ahead or is held down.
pub const READ_IN: Duration = Duration::from_millis(500);
/// A key held down repeats about thirty times a second; nobody types one twice in this time.
pub const REPEAT: Duration = Duration::from_millis(60);
/// Nobody types a character in less: what is faster was pasted or held back by the line.
pub const TYPED_IN: Duration = Duration::from_millis(30);
/// A run that has told nothing for this long may have gone on unseen.
pub const STALE: Duration = Duration::from_secs(5);
/// An order that nothing was heard of for this long may be given again.
const SENT: Duration = Duration::from_secs(3);
/// Longer lines are not taken.
pub(crate) const LONGEST: usize = 4_096;
/// What is typed to begin a run.
pub const START: &str = "start";
/// What is typed to approve a step.
pub const APPROVE: &str = "approve";

/// What runbooks are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// An alert, by its identity.
    pub alert: Option<u64>,
    /// A service.
    pub service: Option<ServiceName>,
}

/// What is done about runbooks and runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desk {
    /// What the page is about.
    pub about: About,
    /// The run whose process was asked for and is not there yet.
    pub preparing: Option<Box<RunRequest>>,
    /// What of a run is looked at.
    pub look: Aspect,
    /// The question that is on the screen.
    pub shown: Option<Shown>,
    /// What was typed as its answer.
    pub line: Line,
    /// Letters are keys, though something can be typed.
    pub keys: bool,
    /// A decision whose reason is typed.
    pub intent: Option<Intent>,
    /// The lines of a step that are edited, and which one.
    pub editor: Option<Editor>,
    /// The parameters as they are filled in.
    pub form: Option<Form>,
    /// The question that was answered, and when.
    pub sent: Option<(Question, Timestamp)>,
    /// Keys go to the terminal of this step of this run.
    pub terminal: Option<(RunId, StepId)>,
    /// A changing step that would be ended, and since when that is said.
    pub ending: Option<(StepId, Timestamp)>,
    /// Armed because this question of this run wants it.
    pub armed_for: Option<(RunId, u64)>,
}

/// What of a run is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aspect {
    /// Its steps, the question, the signals.
    #[default]
    Work,
    /// Its output.
    Output,
    /// The whole plan.
    Plan,
}

/// A question and since when it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub question: Question,
    /// Since when nothing was pressed that came too early for it.
    pub since: Timestamp,
}

/// A question of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Its parameters.
    Form(RunId),
    /// Whether this plan shall be started.
    Start(RunId, String),
    /// What the run asks, by its number.
    Ask(RunId, u64),
}

/// A decision whose reason is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A manual step is done; a note may be left.
    Tick,
    /// The step is left out.
    Skip,
    /// This is decided.
    Decide(Decision),
    /// A second person approves.
    Approve,
}

impl Intent {
    /// Whether it wants a reason.
    pub fn needs_reason(&self) -> bool {
        match self {
            Self::Tick | Self::Decide(Decision::Retry | Decision::Undo) | Self::Approve => false,
            Self::Skip | Self::Decide(_) => true,
        }
    }

    /// What will be done, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Tick => "done",
            Self::Skip => "leave it out",
            Self::Approve => "approve",
            Self::Decide(Decision::Retry) => "try it again",
            Self::Decide(Decision::Undo) => "undo what was done",
            Self::Decide(Decision::Abandon) => "go no further",
            Self::Decide(Decision::WasDone) => "it was done",
            Self::Decide(Decision::WasNotDone) => "it was not done",
        }
    }

    /// The answer with this reason.
    pub fn answer(&self, reason: &str) -> Answer {
        let reason = reason.trim().to_owned();
        match self {
            Self::Tick => Answer::Tick { note: reason },
            Self::Skip => Answer::Skip { reason },
            Self::Approve => Answer::Approve(true),
            Self::Decide(decision) => Answer::Decide { decision: *decision, reason },
        }
    }
}

/// A line that is typed from its beginning to its end; its text is never in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    text: Hidden,
    first: Option<Timestamp>,
    last: Option<(char, Timestamp)>,
}

impl Default for Line {
    fn default() -> Self {
        Self { text: Hidden(String::new()), first: None, last: None }
    }
}

impl Line {
    /// With this text.
    pub fn with(text: &str) -> Self {
        Self { text: Hidden(text.to_owned()), ..Self::default() }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text.0
    }

    /// Takes a character, whether or not it is the same as the one before.
    pub fn push(&mut self, c: char, at: Timestamp) {
        if self.text.0.len() < LONGEST && !c.is_control() {
            self.text.0.push(c);
            self.first.get_or_insert(at);
        }
        self.last = Some((c, at));
    }

    /// Takes a character unless a key that is held down brought it.
    pub fn push_typed(&mut self, c: char, at: Timestamp) {
        match self.last {
            Some((last, before)) if last == c && at.since(before) < REPEAT => {
                self.last = Some((c, at));
            }
            _ => self.push(c, at),
        }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str, at: Timestamp) {
        for c in crate::domain::harmless(text.trim_end_matches(['\r', '\n'])).chars() {
            self.push(c, at);
        }
    }

    /// Takes the last character back.
    pub fn back(&mut self) {
        self.text.0.pop();
        if self.text.0.is_empty() {
            *self = Self::default();
        }
    }

    /// Takes the last word back.
    pub fn back_word(&mut self) {
        let kept = self.text.0.trim_end().rfind(' ').map_or(0, |at| at + 1);
        self.text.0.truncate(kept);
    }

    /// Whether it was typed as slowly as a person types.
    pub fn by_hand(&self, now: Timestamp) -> bool {
        let count = u32::try_from(self.text.0.chars().count()).unwrap_or(u32::MAX).min(16);
        self.first.is_some_and(|first| now.since(first) >= TYPED_IN.saturating_mul(count))
    }
}

/// The lines of a step that are edited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Editor {
    /// All of them.
    pub lines: Vec<LineInput>,
    /// The one with the cursor.
    pub at: usize,
}

impl Editor {
    /// Of this text.
    pub fn of(text: &str) -> Self {
        Self { lines: text.lines().map(LineInput::with).collect(), at: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(LineInput::text).collect();
        lines.join("\n")
    }
}

/// The parameters as they are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Of which run.
    pub run: RunId,
    /// What it was last asked for.
    pub asked: Vec<ParamAsk>,
    /// What is filled in.
    pub fields: Vec<Line>,
    /// The field with the cursor.
    pub at: usize,
    /// The choice that the arrows are on, among those that what is typed leaves.
    pub row: Option<usize>,
}

impl Form {
    /// Of what a run wants; what was filled in before stays.
    pub fn of(run: RunId, asked: &[ParamAsk], before: Option<&Self>) -> Self {
        let before = before.filter(|form| form.run == run);
        let field = |ask: &ParamAsk| {
            let kept = before.and_then(|form| {
                let at = form.asked.iter().position(|old| old.param.name == ask.param.name)?;
                form.fields.get(at).cloned()
            });
            kept.unwrap_or_else(|| Line::with(ask.value.as_deref().unwrap_or_default()))
        };
        let empty = |ask: &&ParamAsk| ask.mistake.is_some() || ask.value.is_none();
        let at = asked.iter().position(|ask| ask.mistake.is_some());
        let at = at.or_else(|| asked.iter().position(|ask| empty(&ask))).unwrap_or(0);
        let fields = asked.iter().map(field).collect();
        Self { run, asked: asked.to_vec(), fields, at, row: None }
    }

    /// The choices that what is typed in the field with the cursor leaves: all
    /// of them where it is a choice already.
    pub fn choices(&self) -> Vec<&str> {
        let (Some(ask), Some(field)) = (self.asked.get(self.at), self.fields.get(self.at)) else {
            return Vec::new();
        };
        let typed = field.text().to_lowercase();
        let all = ask.choices.iter().map(String::as_str);
        if ask.choices.iter().any(|choice| choice == field.text()) {
            return all.collect();
        }
        all.filter(|choice| choice.to_lowercase().contains(&typed)).collect()
    }

    /// What is wrong with a field by its pattern, or what the run said of it.
    pub fn mistake(&self, at: usize) -> Option<String> {
        let (ask, field) = (self.asked.get(at)?, self.fields.get(at)?);
        let told = ask.value.as_deref().unwrap_or_default();
        if field.text().is_empty() {
            return ask.mistake.clone();
        }
        if let Some(pattern) = &ask.param.pattern
            && let Ok(pattern) = regex::Regex::new(&format!("^(?:{pattern})$"))
            && !pattern.is_match(field.text())
        {
            return Some(format!("must match {}", ask.param.pattern.as_deref().unwrap_or("")));
        }
        // Of a secret nobody tells what it was.
        ask.mistake.clone().filter(|_| ask.param.secret || told == field.text())
    }
}

/// The question of a run that is followed, if it has one.
pub fn question(id: &RunId, followed: &Followed) -> Option<Question> {
    if !followed.impossible.is_empty() {
        return None;
    }
    if let Some(run) = &followed.run {
        let ask = followed.doing.ask.as_ref().filter(|_| run.ended.is_none())?;
        return Some(Question::Ask(id.clone(), ask.number));
    }
    if let Some(plan) = &followed.plan {
        return Some(Question::Start(id.clone(), plan.hash()));
    }
    (!followed.parameters.is_empty()).then(|| Question::Form(id.clone()))
}

/// What a question wants to be typed, where letters are not keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants<'a> {
    /// Exactly this.
    Word(&'a str),
    /// Any text: a reason, a note, how long to arm.
    Text,
    /// A text that is not shown.
    Secret,
    /// The lines of a step.
    Lines,
    /// Values of parameters.
    Values,
}

/// What can be typed now.
pub fn wants<'a>(desk: &'a Desk, followed: &'a Followed) -> Option<Wants<'a>> {
    let shown = desk.shown.as_ref()?;
    if desk.intent.is_some() {
        return Some(Wants::Text);
    }
    match &shown.question {
        Question::Form(_) => Some(Wants::Values),
        Question::Start(..) => Some(Wants::Word(START)),
        Question::Ask(..) => match &followed.doing.ask.as_ref()?.kind {
            AskKind::Confirm { typed: Some(word), .. } => Some(Wants::Word(word)),
            AskKind::Edit { .. } => Some(Wants::Lines),
            AskKind::Secret { .. } => Some(Wants::Secret),
            AskKind::Arm => Some(Wants::Text),
            _ => None,
        },
    }
}

/// A run as it is followed; one that is not, or whose process is gone, as it was read.
pub fn followed<'a>(known: &'a Known, id: &RunId) -> Option<Cow<'a, Followed>> {
    let followed = known.runs.followed.get(id);
    let listed = || known.runs.list.iter().find(|run| run.id == *id).cloned();
    match followed {
        Some(followed) if followed.run.is_some() || followed.lost.is_none() => {
            Some(Cow::Borrowed(followed))
        }
        Some(lost) => Some(Cow::Owned(Followed { run: listed(), ..lost.clone() })),
        None => {
            let run = Some(listed()?);
            Some(Cow::Owned(Followed { run, heard: known.now, ..Followed::default() }))
        }
    }
}

/// Why nothing may be ordered now: the line is cut, or nothing was heard for too long.
pub fn stale(followed: &Followed, now: Timestamp) -> Option<String> {
    if let Some(why) = followed.lost.as_ref().filter(|_| !followed.has_ended()) {
        return Some(format!("the line to the run is cut: {}", crate::domain::harmless(why)));
    }
    // Before there is a plan it reads what can be chosen, and tells nothing meanwhile.
    let ended = followed.has_ended() || (followed.run.is_none() && followed.plan.is_none());
    let silent = now.since(followed.heard);
    (!ended && silent > STALE)
        .then(|| format!("nothing was heard of the run for {}", crate::domain::units::age(silent)))
}

impl Desk {
    /// Whether this question was answered and nothing was heard of it yet.
    pub fn is_sent(&self, question: &Question, now: Timestamp) -> bool {
        self.sent.as_ref().is_some_and(|(of, at)| of == question && now.since(*at) < SENT)
    }

    /// Begins with nothing typed, as for a new question.
    pub fn clear(&mut self) {
        (self.line, self.intent, self.editor, self.keys) = (Line::default(), None, None, false);
    }
}

/// What a run asks, where it does.
pub fn ask(followed: &Followed) -> Option<&Ask> {
    let run = followed.run.as_ref()?;
    followed.doing.ask.as_ref().filter(|_| run.ended.is_none())
}

/// The plan that is shown: of the run, or the one that would be started.
pub fn plan(followed: &Followed) -> Option<&Plan> {
    followed.run.as_ref().map(|run| &run.plan).or(followed.plan.as_deref())
}
