//! What a message about runs changes in what is known of them, and when they
//! are read anew.

use super::{Followed, Runs, RunsEffect, RunsMsg};
use crate::domain::Timestamp;
use crate::domain::runs::{Arming, Entry, RunId};
use crate::runbook::{Run, Told};
use crate::store::Effect;
use std::sync::Arc;
use std::time::Duration;

/// How often the runs are read while one goes on, or while somebody looks at them.
const SOON: Duration = Duration::from_secs(10);
/// How often runs and runbooks are read anyway.
const AT_LEAST: Duration = Duration::from_mins(1);

impl Runs {
    /// Takes in what happened at `at`, and says what the world shall do about it.
    pub(crate) fn take(&mut self, at: Timestamp, msg: &RunsMsg) -> Vec<Effect> {
        match msg {
            RunsMsg::LibraryRead(library) => self.library = Arc::clone(library),
            RunsMsg::RunsRead(Ok(list)) => self.listed(at, list),
            RunsMsg::RunsRead(Err(why)) => self.failure = Some(why.clone()),
            RunsMsg::DeadRead(dead) => self.dead.clone_from(dead),
            RunsMsg::ArmedRead(armed) => self.armed.clone_from(armed),
            RunsMsg::Prepared { request, run: Ok(run) } => {
                self.unprepared = None;
                let request = Some(request.clone());
                // A run that is taken up keeps what was known of it.
                let followed = self.followed.entry(run.clone()).or_default();
                *followed = Followed {
                    request,
                    heard: at,
                    run: followed.run.take(),
                    output: std::mem::take(&mut followed.output),
                    ..Followed::default()
                };
            }
            RunsMsg::Prepared { request, run: Err(why) } => {
                self.unprepared = Some((request.clone(), why.clone()));
            }
            RunsMsg::Told { run, told } => return self.told(at, run, told),
            RunsMsg::Lost { run, why } => {
                let followed = self.followed.entry(run.clone()).or_default();
                // What it asked last may have been answered since.
                followed.doing.ask = None;
                followed.lost = Some(why.clone());
                return self.read_again(at);
            }
            RunsMsg::Left { run } => {
                self.followed.remove(run);
                return self.read_again(at);
            }
        }
        Vec::new()
    }

    /// What shall be read anew because time went by; asked every second by a
    /// console. `near` while somebody looks at the list.
    pub(crate) fn due(&mut self, at: Timestamp, near: bool) -> Vec<Effect> {
        let is_over =
            |asked: Option<Timestamp>, every| asked.is_none_or(|asked| at.since(asked) >= every);
        let every = if near || self.is_busy(at) { SOON } else { AT_LEAST };
        let mut effects = Vec::new();
        if is_over(self.asked_books, AT_LEAST) {
            self.asked_books = Some(at);
            effects.push(Effect::Runs(RunsEffect::ReadLibrary));
        }
        if is_over(self.asked, every) {
            self.asked = Some(at);
            effects.push(Effect::Runs(RunsEffect::ReadRuns));
        }
        effects
    }

    /// What was read may be another thing now: all of it is read at the next turn.
    pub(crate) fn forget_reads(&mut self) {
        (self.asked, self.asked_books) = (None, None);
    }

    /// The clock was put back.
    pub(crate) fn not_after(&mut self, now: Timestamp) {
        for moment in [&mut self.read, &mut self.asked, &mut self.asked_books] {
            *moment = moment.map(|moment| moment.min(now));
        }
        for followed in self.followed.values_mut() {
            followed.heard = followed.heard.min(now);
        }
    }

    /// The arming that holds at `at`.
    pub fn armed_at(&self, at: Timestamp) -> Option<&Arming> {
        self.armed.as_ref().filter(|armed| armed.at <= at && at < armed.until)
    }

    /// A run, as it is followed or else as it was read.
    pub fn run(&self, run: &RunId) -> Option<&Run> {
        let followed = self.followed.get(run).and_then(|followed| followed.run.as_ref());
        let listed = self.list.iter().find(|known| known.id == *run);
        match (followed, listed) {
            (Some(followed), Some(listed)) if listed.place > followed.place => Some(listed),
            (Some(followed), _) => Some(followed),
            (None, listed) => listed,
        }
    }

    /// The runs that go on, the newest first.
    pub fn going(&self) -> impl Iterator<Item = &Run> {
        self.list.iter().filter_map(|run| self.run(&run.id)).filter(|run| run.ended.is_none())
    }

    /// Whether something goes on that changes what is read.
    fn is_busy(&self, at: Timestamp) -> bool {
        let goes_on = |run: &Run| run.ended.is_none();
        self.list.iter().any(goes_on)
            || self.armed_at(at).is_some()
            || self.followed.values().any(|followed| followed.run.as_ref().is_some_and(goes_on))
    }

    fn listed(&mut self, at: Timestamp, list: &Arc<[Run]>) {
        self.list = Arc::clone(list);
        self.failure = None;
        self.read = Some(at);
        // A run whose line is cut is known from the journal alone.
        for run in list.iter() {
            if let Some(followed) = self.followed.get_mut(&run.id)
                && followed.run.as_ref().is_none_or(|known| known.place < run.place)
                && followed.lost.is_some()
            {
                followed.run = Some(run.clone());
            }
        }
    }

    fn told(&mut self, at: Timestamp, run: &RunId, told: &[Told]) -> Vec<Effect> {
        let followed = self.followed.entry(run.clone()).or_default();
        let had_ended = followed.has_ended();
        let had_begun = followed.run.is_some();
        followed.heard = at;
        followed.lost = None;
        for told in told {
            followed.take(told);
        }
        if followed.has_ended() == had_ended && followed.run.is_some() == had_begun {
            return Vec::new();
        }
        self.asked_books = Some(at);
        let mut effects = self.read_again(at);
        effects.push(Effect::Runs(RunsEffect::ReadLibrary));
        effects
    }

    fn read_again(&mut self, at: Timestamp) -> Vec<Effect> {
        self.asked = Some(at);
        vec![Effect::Runs(RunsEffect::ReadRuns)]
    }
}

impl Followed {
    /// Whether the run is over.
    pub fn has_ended(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.ended.is_some())
    }

    fn take(&mut self, told: &Told) {
        match told {
            Told::Entry(entry) => self.fold(entry),
            Told::Output { from, text, .. } => self.output.take(*from, text),
            Told::Doing(doing) => {
                let ask = |ask: &Option<crate::runbook::Ask>| ask.as_ref().map(|ask| ask.number);
                if ask(&doing.ask) != ask(&self.doing.ask) {
                    self.refused = None;
                }
                self.doing = doing.clone();
            }
            Told::Refused(why) => self.refused = Some(why.clone()),
            Told::Parameters(parameters) => {
                self.parameters.clone_from(parameters);
                self.plan = None;
            }
            Told::Planned(plan) => {
                self.plan = Some(plan.clone());
                self.refused = None;
            }
            // Those that are asked for the values show the text of the runbook.
            Told::Outlined(_) => {}
            Told::Impossible(why) => self.impossible.clone_from(why),
        }
    }

    fn fold(&mut self, entry: &Entry) {
        match &mut self.run {
            Some(run) => run.take(entry),
            None => self.run = Run::begun_by(entry),
        }
        if self.run.is_some() {
            self.parameters = Vec::new();
        }
        self.refused = None;
    }
}
