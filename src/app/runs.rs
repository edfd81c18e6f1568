//! Runbooks and runs: offering them, preparing a run, what its process tells,
//! and arming.

use super::act::{self, REFUSED_FROZEN};
use super::pages::Page;
use super::state::{Overlay, State};
use super::typing::{Typing, What};
use crate::domain::runs::{BookId, RunId};
use crate::domain::{Alert, harmless_within};
use crate::panels::desk::{self, About, Aspect, Editor, Form, Question, Shown};
use crate::panels::{Chosen, offers};
use crate::runbook::{Answer, AskKind, Level, Order, RunRequest};
use crate::store::{Effect, RunsEffect, RunsMsg};
use std::time::Duration;

/// Longer than this nothing is armed.
const ARMED_AT_MOST: Duration = Duration::from_hours(4);

/// What the page or the selection is about, as something that runbooks are for.
pub(crate) fn about(state: &State) -> About {
    match state.chosen() {
        Some(Chosen::Alert(identity)) => {
            let alerts = &state.shown().alerts;
            let alert = alerts.iter().find(|alert| alert.identity() == identity);
            About { alert: Some(identity), service: alert.and_then(|of| of.service.clone()) }
        }
        Some(Chosen::Book(_)) => state.words.desk.about.clone(),
        // A host's alert is what there is to do about it.
        Some(Chosen::Host { instance, .. }) => {
            let of_host = |alert: &&Alert| alert.labels.get("instance") == Some(instance.as_str());
            let alert = state.shown().alerts.iter().find(of_host);
            About {
                alert: alert.map(Alert::identity),
                service: alert.and_then(|of| of.service.clone()),
            }
        }
        Some(Chosen::Backup(id)) => {
            let name = state.index.backup(&id).map(|role| role.name.as_str());
            let of_backup = |alert: &&Alert| name.is_some() && alert.labels.get("backup") == name;
            let alert = state.shown().alerts.iter().find(of_backup);
            About { alert: alert.map(Alert::identity), service: state.subject_service() }
        }
        _ => offers::of_service(state.shown(), state.subject_service()),
    }
}

/// `r`: offers runbooks; on a runbook it prepares a run.
pub(crate) fn runbook(state: &mut State) -> Vec<Effect> {
    match &state.page {
        Page::Book(id, _) => {
            let id = id.clone();
            prepare(state, &id)
        }
        Page::Run(_) | Page::Preparing(_) => {
            state.say("this page is about a run already; esc goes back", false);
            Vec::new()
        }
        _ => {
            let about = about(state);
            act::open(state, Page::Offers(about));
            Vec::new()
        }
    }
}

/// The runbook that `enter` on what is selected opens: of an alert, where one fits for certain.
pub(crate) fn book_of_chosen(state: &State) -> Option<BookId> {
    let Some(Chosen::Alert(identity)) = state.chosen_in_panel() else { return None };
    let about = About { alert: Some(identity), service: None };
    offers::certain(state.shown(), &about)
}

/// Opens a runbook to be read.
pub(crate) fn open_book(state: &mut State, id: BookId) {
    let about = match &state.page {
        Page::Offers(about) => about.clone(),
        _ => about(state),
    };
    act::open(state, Page::Book(id, about));
}

/// Opens the page of a run and follows it.
pub(crate) fn open_run(state: &mut State, id: &RunId) -> Vec<Effect> {
    act::open(state, Page::Run(id.clone()));
    // One that is over stands in the journal: nobody is there to be followed.
    if state.known.runs.run(id).is_some_and(|run| run.ended.is_some()) {
        return Vec::new();
    }
    vec![Effect::Runs(RunsEffect::Follow(id.clone()))]
}

/// Asks for the process of a run of this runbook.
pub(crate) fn prepare(state: &mut State, id: &BookId) -> Vec<Effect> {
    if state.frozen.is_some() {
        state.say(REFUSED_FROZEN, true);
        return Vec::new();
    }
    let Some(book) = state.known.runs.library.books.get(id).cloned() else {
        state.say("there is no runbook of this name", true);
        return Vec::new();
    };
    if let Some(remark) = book.remarks.iter().find(|remark| remark.level == Level::Error) {
        let words = format!("it cannot be run: line {}: {}", remark.line, remark.words);
        state.say(harmless_within(&words, 300), true);
        return Vec::new();
    }
    if book.steps.is_empty() {
        state.say("nothing in it is run: it is there to be read", false);
        return Vec::new();
    }
    let about = state.words.desk.about.clone();
    let alert = offers::alert_of(&state.known, &about);
    let service = about.service.clone().or_else(|| alert.and_then(|of| of.service.clone()));
    let request = RunRequest {
        book: id.to_string(),
        hash: Some(book.hash.clone()),
        service,
        alert: alert.map(Into::into),
        ..RunRequest::default()
    };
    ask_for(state, request)
}

fn ask_for(state: &mut State, request: RunRequest) -> Vec<Effect> {
    let request = Box::new(request);
    let page = Page::Preparing(request.book.as_str().into());
    state.words.desk.preparing = Some(request.clone());
    act::open(state, page);
    vec![Effect::Runs(RunsEffect::Prepare(request))]
}

/// Follows a run again whose line was cut, or has it taken up where its process has died.
pub(crate) fn take_up(state: &mut State, id: &RunId) -> Vec<Effect> {
    let request = RunRequest { take_up: Some(id.clone()), ..RunRequest::default() };
    state.words.desk.preparing = Some(Box::new(request.clone()));
    state.say("asked for: the run is taken up", false);
    vec![
        Effect::Runs(RunsEffect::Follow(id.clone())),
        Effect::Runs(RunsEffect::Prepare(Box::new(request))),
    ]
}

/// Takes in what was told about runs, after it was folded.
pub(crate) fn heard(state: &mut State, msg: &RunsMsg) -> Vec<Effect> {
    match msg {
        RunsMsg::Prepared { request, run } => {
            let wanted = state.words.desk.preparing.as_deref() == Some(request);
            if !wanted {
                // Nobody waits for it any more: it would stand there unseen.
                let unwanted = run.as_ref().ok().filter(|_| request.take_up.is_none());
                return unwanted
                    .map(|id| Effect::Runs(RunsEffect::Leave(id.clone())))
                    .into_iter()
                    .collect();
            }
            state.words.desk.preparing = None;
            match run {
                Ok(id) if matches!(state.page, Page::Preparing(_)) => {
                    act::replace(state, Page::Run(id.clone()));
                }
                Ok(_) => {}
                Err(why) => {
                    let what =
                        if request.take_up.is_some() { "not taken up" } else { "not prepared" };
                    state.say(harmless_within(&format!("{what}: {why}"), 300), true);
                }
            }
        }
        RunsMsg::ArmedRead(Some(_)) => {
            let Some((run, number)) = state.words.desk.armed_for.take() else { return Vec::new() };
            let order = Order::Answer { ask: number, answer: Answer::Again };
            return vec![Effect::Runs(RunsEffect::Order { run, order: Box::new(order) })];
        }
        _ => {}
    }
    Vec::new()
}

/// The output or the whole plan of a run, and back.
pub(crate) fn look(state: &mut State, wanted: Aspect) {
    if matches!(state.page, Page::Run(_)) {
        let look = &mut state.words.desk.look;
        *look = if *look == wanted { Aspect::Work } else { wanted };
    }
}

/// Keeps what is typed in line with what is asked: a new question begins with
/// nothing typed, and counts from now on.
pub(crate) fn settle(state: &mut State) {
    let now = state.known.now;
    let question = match (&state.page, &state.overlay) {
        (Page::Run(id), None) if state.words.desk.look == Aspect::Work => {
            state.known.runs.followed.get(id).and_then(|followed| desk::question(id, followed))
        }
        _ => None,
    };
    let known = &state.known.runs;
    let desk = &mut state.words.desk;
    if !matches!(state.page, Page::Run(_)) {
        desk.look = Aspect::Work;
    }
    if desk.shown.as_ref().map(|shown| &shown.question) != question.as_ref() {
        desk.clear();
        desk.shown = question.clone().map(|question| Shown { question, since: now });
    }
    if let Page::Run(id) = &state.page
        && let Some(followed) = known.followed.get(id)
    {
        let asked = &followed.parameters;
        let is_form = matches!(question, Some(Question::Form(_)));
        let known = desk.form.as_ref().is_some_and(|form| form.run == *id && form.asked == *asked);
        if is_form && !known {
            desk.form = Some(Form::of(id.clone(), asked, desk.form.as_ref()));
            desk.sent = None;
        }
        if followed.refused.is_some() {
            desk.sent = None;
        }
        let ask = desk::ask(followed);
        if let Some(AskKind::Edit { script, .. }) = ask.map(|ask| &ask.kind) {
            desk.editor.get_or_insert_with(|| Editor::of(script));
        }
        let at = desk.terminal.as_ref();
        if at.is_some_and(|(of, _)| of != id || followed.doing.terminal.is_none()) {
            desk.terminal = None;
        }
    } else {
        desk.terminal = None;
    }
}

/// Leaves a page behind: a run that was not begun is gone then.
pub(crate) fn left(state: &mut State, page: &Page) -> Option<Effect> {
    match page {
        Page::Run(id) => {
            let followed = state.known.runs.followed.get(id)?;
            if followed.run.is_some() && !followed.has_ended() {
                return None;
            }
            state.words.desk.form = None;
            Some(Effect::Runs(RunsEffect::Leave(id.clone())))
        }
        Page::Preparing(_) => {
            state.words.desk.preparing = None;
            None
        }
        _ => None,
    }
}

/// `A`: asks for how long and why; while armed it disarms.
pub(crate) fn arm(state: &mut State) -> Vec<Effect> {
    if state.known.runs.armed_at(state.known.now).is_some() {
        return disarm(state);
    }
    state.overlay = Some(Overlay::Typing(Typing::of(What::Arm, "")));
    Vec::new()
}

/// Disarms at once.
pub(crate) fn disarm(state: &mut State) -> Vec<Effect> {
    state.say("disarmed", false);
    vec![Effect::Runs(RunsEffect::Disarm)]
}

/// Arms for what was typed: `15m api 5xx`.
pub(crate) fn arm_for(state: &mut State, typed: &str) -> Option<Vec<Effect>> {
    match arming(typed) {
        Ok((time, reason)) => {
            let words = format!("armed for {}: {reason}", crate::domain::units::age(time));
            state.say(harmless_within(&words, 200), false);
            Some(vec![Effect::Runs(RunsEffect::Arm { time, reason })])
        }
        Err(why) => {
            state.say(why, true);
            None
        }
    }
}

/// How long, and why, out of `15m api 5xx`.
pub(crate) fn arming(typed: &str) -> Result<(Duration, String), String> {
    let (time, reason) = typed.trim().split_once(' ').unwrap_or((typed.trim(), ""));
    let reason = reason.trim();
    let (number, unit) =
        time.split_at(time.find(|c: char| !c.is_ascii_digit()).unwrap_or(time.len()));
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => 0,
    };
    let number: u64 = number.parse().unwrap_or(0);
    let time = Duration::from_secs(number.saturating_mul(seconds));
    if time.is_zero() {
        return Err("not armed: say for how long and why, as in 15m api 5xx".into());
    }
    if time > ARMED_AT_MOST {
        return Err("not armed: at most for 4h".into());
    }
    if reason.is_empty() {
        return Err("not armed: a reason is needed, as in 15m api 5xx".into());
    }
    Ok((time, reason.to_owned()))
}
