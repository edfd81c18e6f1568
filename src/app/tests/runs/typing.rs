//! Nothing but a person who could read the question begins anything.

use super::super::house::{NOW, press, send, text_of};
use super::house::*;
use crate::app::pages::Page;
use crate::app::{State, update};
use crate::domain::runs::{Decision, StepOutcome};
use crate::runbook::{Answer, AskKind, Order, RunRequest};
use crate::store::{Effect, Followed, Msg, RunsEffect, RunsMsg, Stamped};
use std::time::Duration;

fn ordered(effects: &[Effect]) -> Vec<Order> {
    let order = |effect: &Effect| match effect {
        Effect::Runs(RunsEffect::Order { run, order }) if *run == id() => Some((**order).clone()),
        _ => None,
    };
    effects.iter().filter_map(order).collect()
}

fn go() -> Order {
    Order::Answer { ask: 1, answer: Answer::Go { typed: Some("api".into()) } }
}

fn asked() -> State {
    on_page(asking(confirm(), two_done(), 3), 80, 24)
}

fn says(state: &State, words: &str) -> bool {
    text_of(state, 80, 24).contains(words)
}

#[test]
fn what_cannot_be_seen_is_not_agreed_to() {
    let mut state = asked();
    wait(&mut state, 600);
    send(&mut state, Msg::Resized { width: 70, height: 20 });
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
    send(&mut state, Msg::Resized { width: 80, height: 24 });
    // It has just come to light: it has to be read first.
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), [go()]);
}

#[test]
fn a_name_typed_by_hand_runs_the_step_once() {
    let mut state = asked();
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), [go()]);
    assert!(says(&state, "answered: the run takes it up"));
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
}

#[test]
fn keys_of_the_first_half_second_are_dropped_and_begin_it_anew() {
    let mut state = asked();
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
    assert!(says(&state, "before the question could be read"));
    // Held down: each repeat begins the half second anew.
    let mut state = asked();
    for _ in 0..100 {
        tick(&mut state, 33);
        assert_eq!(ordered(&press(&mut state, "a")), []);
    }
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), [go()]);
}

#[test]
fn enter_alone_and_another_word_run_nothing() {
    let mut state = asked();
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "enter enter enter")), []);
    assert_eq!(ordered(&type_keys(&mut state, "w e b enter")), []);
    assert!(says(&state, "something else: nothing was run"));
    assert_eq!(ordered(&type_keys(&mut state, "a p i x backspace enter")), [go()]);
}

#[test]
fn a_paste_answers_nothing_and_takes_what_was_typed_with_it() {
    let mut state = asked();
    wait(&mut state, 600);
    for text in ["api", "api\n", "api\r"] {
        assert_eq!(ordered(&send(&mut state, Msg::Pasted(text.into()))), []);
        assert_eq!(ordered(&type_keys(&mut state, "enter")), []);
        wait(&mut state, 600);
    }
    type_keys(&mut state, "a p");
    send(&mut state, Msg::Pasted("i".into()));
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "enter")), []);
}

#[test]
fn a_name_that_comes_in_one_go_is_taken_for_a_paste() {
    let mut state = asked();
    wait(&mut state, 600);
    assert_eq!(ordered(&press(&mut state, "a p i enter")), []);
    assert!(says(&state, "came in one go"));
}

#[test]
fn a_key_held_down_completes_no_name() {
    let kind = AskKind::Confirm { typed: Some("aaa".into()), preview: "x".into() };
    let mut state = on_page(asking(kind, two_done(), 3), 80, 24);
    wait(&mut state, 600);
    for _ in 0..3 {
        wait(&mut state, 33);
        press(&mut state, "a");
    }
    assert_eq!(ordered(&type_keys(&mut state, "enter")), []);
    let kind = AskKind::Confirm { typed: None, preview: "x".into() };
    let mut state = on_page(asking(kind, two_done(), 3), 80, 24);
    for _ in 0..60 {
        wait(&mut state, 33);
        assert_eq!(ordered(&press(&mut state, "y")), [], "held since before it was asked");
    }
    wait(&mut state, 600);
    let yes = Order::Answer { ask: 1, answer: Answer::Go { typed: None } };
    assert_eq!(ordered(&press(&mut state, "y")), [yes]);
}

#[test]
fn a_newer_question_begins_with_nothing_typed_and_has_its_own_number() {
    let mut state = asked();
    wait(&mut state, 600);
    type_keys(&mut state, "a p i");
    let followed = state.known.runs.followed.get_mut(&id()).unwrap();
    followed.doing.ask.as_mut().unwrap().number = 2;
    wait(&mut state, 20);
    assert_eq!(ordered(&type_keys(&mut state, "enter")), [], "that was for the older one");
    wait(&mut state, 600);
    let answer = Answer::Go { typed: Some("api".into()) };
    let order = Order::Answer { ask: 2, answer };
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), [order]);
}

#[test]
fn a_question_that_was_covered_is_read_anew() {
    let mut state = asked();
    wait(&mut state, 600);
    type_keys(&mut state, "? esc");
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
}

#[test]
fn nothing_is_ordered_on_a_stale_a_cut_or_a_frozen_screen() {
    let mut state = asked();
    wait(&mut state, 600);
    tick(&mut state, 5_000);
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
    assert!(says(&state, "STALE"));
    let mut state = asked();
    wait(&mut state, 600);
    press(&mut state, "esc f");
    assert!(state.frozen.is_some());
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "tab a p i enter")), []);
    let mut state = asked();
    wait(&mut state, 600);
    tell(&mut state, RunsMsg::Lost { run: id(), why: "broken pipe".into() });
    assert_eq!(ordered(&type_keys(&mut state, "a p i enter")), []);
    assert!(says(&state, "the line to the run is cut: broken pipe"));
}

#[test]
fn a_run_begins_by_the_word_start_and_names_the_plan_that_was_seen() {
    let followed = Followed { plan: Some(Box::new(plan())), ..Followed::default() };
    let mut state = on_page(followed, 80, 24);
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "enter y enter")), []);
    let effects = type_keys(&mut state, "s t a r t enter");
    assert_eq!(ordered(&effects), [Order::Start(plan().hash())]);
}

#[test]
fn a_run_that_was_not_begun_is_left_with_esc_and_one_that_was_goes_on() {
    let followed = Followed { plan: Some(Box::new(plan())), ..Followed::default() };
    let mut state = on_page(followed, 80, 24);
    assert_eq!(press(&mut state, "esc"), [Effect::Runs(RunsEffect::Leave(id()))]);
    assert_eq!(state.page(), &Page::Overview);
    let mut state = asked();
    assert_eq!(press(&mut state, "esc esc"), []);
    assert_eq!(state.page(), &Page::Overview);
}

#[test]
fn what_is_decided_has_a_reason() {
    let failed = did(3, 50, ended(StepOutcome::Failed, "exit code 3", 8));
    let choices = vec![Decision::Retry, Decision::Undo, Decision::Abandon];
    let kind = AskKind::Failed { choices, skip: true };
    let records = [two_done(), failed].concat();
    let mut state = on_page(asking(kind.clone(), records.clone(), 3), 80, 24);
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "X enter")), []);
    assert!(says(&state, "a reason is needed"));
    let effects = type_keys(&mut state, "n o enter");
    let answer = Answer::Decide { decision: Decision::Abandon, reason: "no".into() };
    assert_eq!(ordered(&effects), [Order::Answer { ask: 1, answer }]);
    let mut state = on_page(asking(kind, records, 3), 80, 24);
    wait(&mut state, 600);
    let effects = type_keys(&mut state, "R enter");
    let answer = Answer::Decide { decision: Decision::Retry, reason: String::new() };
    assert_eq!(ordered(&effects), [Order::Answer { ask: 1, answer }]);
}

#[test]
fn what_is_unknown_is_settled_by_a_person_who_says_why() {
    let unknown = did(3, 50, ended(StepOutcome::Unknown, "cut off", 8));
    let kind = AskKind::Unknown { alive: false };
    let mut state = on_page(asking(kind, [two_done(), unknown].concat(), 3), 80, 24);
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "y R S u enter")), []);
    let effects = type_keys(&mut state, "D s e e n enter");
    let answer = Answer::Decide { decision: Decision::WasDone, reason: "seen".into() };
    assert_eq!(ordered(&effects), [Order::Answer { ask: 1, answer }]);
}

#[test]
fn parameters_are_chosen_narrowed_and_sent_and_secrets_are_not_shown() {
    let mut state = on_page(Followed { parameters: params(), ..Followed::default() }, 80, 24);
    type_keys(&mut state, "v 1 4 0 x enter");
    assert!(says(&state, "must match v[0-9]+"));
    type_keys(&mut state, "ctrl-u 4 0 enter");
    assert!(says(&state, "= v140"), "the only one left is chosen: {}", text_of(&state, 80, 24));
    type_keys(&mut state, "h u s h");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("****") && !text.contains("hush"), "{text}");
    assert!(!format!("{state:?}").contains("hush"));
    let orders = ordered(&type_keys(&mut state, "enter"));
    let [Order::Values { values, secrets }] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(values.get("RELEASE").map(String::as_str), Some("v140"));
    assert_eq!(secrets.get("TOKEN").map(|secret| secret.0.as_str()), Some("hush"));
}

#[test]
fn from_the_alert_to_the_run_with_the_alerts_labels() {
    let mut state = at_night(80, 24);
    press(&mut state, "enter");
    assert!(matches!(&state.page, Page::Book(book, _) if book.as_str() == "rollback-api"));
    let effects = press(&mut state, "enter");
    let [Effect::Runs(RunsEffect::Prepare(request))] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(request.book, "rollback-api");
    assert_eq!(request.service, Some("api".into()));
    assert_eq!(request.alert.as_ref().unwrap().labels.get("alertname"), Some("HighErrorRate"));
    tell(&mut state, RunsMsg::Prepared { request: request.clone(), run: Ok(id()) });
    assert_eq!(state.page(), &Page::Run(id()));
    assert_eq!(press(&mut state, "esc"), [Effect::Runs(RunsEffect::Leave(id()))]);
    assert!(matches!(state.page, Page::Book(..)));
}

#[test]
fn a_run_whose_process_comes_when_nobody_waits_any_more_is_left() {
    let mut state = at_night(80, 24);
    press(&mut state, "enter enter");
    press(&mut state, "esc");
    let request = Box::new(RunRequest { book: "rollback-api".into(), ..RunRequest::default() });
    let effects = tell(&mut state, RunsMsg::Prepared { request, run: Ok(id()) });
    assert_eq!(effects, [Effect::Runs(RunsEffect::Leave(id()))]);
}

#[test]
fn a_runbook_with_mistakes_is_not_prepared() {
    let mut state = at_night(80, 24);
    press(&mut state, "down");
    assert!(press(&mut state, "enter enter").is_empty());
    assert!(says(&state, "it cannot be run: line 12"));
}

#[test]
fn guesses_open_nothing_until_one_is_chosen() {
    let mut state = at_night(80, 24);
    state.known.alerts.clear();
    state.settle(true);
    press(&mut state, "2 r enter");
    assert!(matches!(state.page, Page::Offers(_)));
    assert!(says(&state, "choose one with the arrow keys"));
    press(&mut state, "down enter");
    assert!(matches!(state.page, Page::Book(..)));
}

#[test]
fn arming_wants_a_time_and_a_reason() {
    let mut state = at_night(80, 24);
    for (typed, words) in
        [("1 5 enter", "how long"), ("1 5 m enter", "reason"), ("9 h space x enter", "at most")]
    {
        assert_eq!(press(&mut state, &format!("A {typed}")), []);
        assert!(says(&state, words), "{typed}");
    }
    let effects = press(&mut state, ": a r m space 1 5 m space a p i enter");
    let arm = RunsEffect::Arm { time: Duration::from_mins(15), reason: "api".into() };
    assert_eq!(effects, [Effect::Runs(arm)]);
    assert_eq!(press(&mut state, ": d i s a r m enter"), [Effect::Runs(RunsEffect::Disarm)]);
    press(&mut state, "f");
    assert_eq!(press(&mut state, "A"), []);
    assert!(says(&state, "refused"));
}

#[test]
fn an_arming_that_the_run_waits_for_makes_it_look_again() {
    let mut state = on_page(asking(AskKind::Arm, two_done(), 3), 80, 24);
    wait(&mut state, 600);
    let effects = type_keys(&mut state, "5 m space x enter");
    assert!(matches!(effects.as_slice(), [Effect::Runs(RunsEffect::Arm { .. })]), "{effects:?}");
    let armed = crate::domain::runs::Arming {
        who: li(),
        environment: "production".into(),
        reason: "x".into(),
        at: state.known.now,
        until: state.known.now + Duration::from_mins(5),
        boot: ("b".into(), 0),
    };
    let effects = tell(&mut state, RunsMsg::ArmedRead(Some(armed)));
    assert_eq!(ordered(&effects), [Order::Answer { ask: 1, answer: Answer::Again }]);
}

#[test]
fn the_hint_line_names_keys_that_answer_and_no_letter_of_the_name() {
    let mut state = on_page(asking(confirm(), three_done(), 5), 80, 24);
    wait(&mut state, 600);
    let hint = |state: &State| text_of(state, 80, 24).lines().last().unwrap().to_owned();
    assert!(hint(&state).contains("o output") && hint(&state).contains("leave (run waits)"));
    let kind = AskKind::Confirm { typed: Some("orders".into()), preview: "x".into() };
    let mut state = on_page(asking(kind, two_done(), 3), 80, 24);
    wait(&mut state, 600);
    assert!(!hint(&state).contains("o output"), "{}", hint(&state));
    let effects = type_keys(&mut state, "o r d e r s enter");
    let answer = Answer::Go { typed: Some("orders".into()) };
    assert_eq!(ordered(&effects), [Order::Answer { ask: 1, answer }]);
}

#[test]
fn a_step_that_changes_something_is_ended_by_a_second_key_that_is_not_the_same_press() {
    let records = [two_done(), vec![running(3, 12)]].concat();
    let doing = doing(None, 0);
    let followed = Followed { run: Some(run(records)), doing, ..Followed::default() };
    let mut state = on_page(followed, 80, 24);
    // Held down, it only says what it would do.
    assert_eq!(ordered(&type_keys(&mut state, "K K K K K K K K K K K K")), []);
    assert!(text_of(&state, 80, 24).contains("K again ends step 3"));
    wait(&mut state, 11_000);
    assert_eq!(ordered(&type_keys(&mut state, "K")), [], "that was too long ago");
    wait(&mut state, 600);
    assert_eq!(
        ordered(&type_keys(&mut state, "K")),
        [Order::Cancel { step: crate::domain::runs::StepId(3) }]
    );
    wait(&mut state, 600);
    assert_eq!(ordered(&type_keys(&mut state, "K")), []);
}

#[test]
fn a_terminal_takes_all_keys_and_gives_them_back() {
    let records = [two_done(), vec![running(3, 12)]].concat();
    let mut doing = doing(None, 0);
    doing.terminal = Some((80, 24));
    let followed = Followed { run: Some(run(records)), doing, ..Followed::default() };
    let mut state = on_page(followed, 80, 24);
    press(&mut state, "i");
    let orders = ordered(&type_keys(&mut state, "q ctrl-c up"));
    let inputs = [b"q".to_vec(), vec![3], b"\x1b[A".to_vec()].map(Order::Input);
    assert_eq!(orders, inputs);
    assert_eq!(press(&mut state, "ctrl-] q"), [Effect::Quit]);
}

#[test]
fn hostile_output_text_and_reasons_never_reach_the_screen() {
    const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\u{202e}evil\u{7}\u{200b}\r\n";
    let mut plan = plan();
    plan.book.title = HOSTILE.into();
    plan.target = HOSTILE.into();
    plan.warnings = vec![HOSTILE.into()];
    for step in &mut plan.steps {
        step.title = HOSTILE.into();
        if let crate::domain::runs::StepKind::Command(command) = &mut step.kind {
            command.script = HOSTILE.into();
        }
    }
    let kind = AskKind::Confirm { typed: Some("api".into()), preview: HOSTILE.into() };
    let mut followed = Followed {
        run: Some(run_of(plan.clone(), two_done())),
        doing: doing(Some(kind), 3),
        refused: Some(HOSTILE.into()),
        ..Followed::default()
    };
    followed.output.take(0, HOSTILE);
    for page in [followed, Followed { plan: Some(Box::new(plan)), ..Followed::default() }] {
        let mut state = on_page(page, 120, 40);
        for key in ["esc", "t", "o", "8"] {
            press(&mut state, key);
            let text = text_of(&state, 120, 40);
            let bad =
                |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
            assert_eq!(text.chars().find(bad), None, "{key}");
        }
    }
}

#[test]
fn output_is_followed_until_it_is_scrolled() {
    let mut followed = asking(confirm(), two_done(), 3);
    let lines: Vec<String> = (0..200).map(|i| format!("line {i}\n")).collect();
    let text = lines.concat();
    followed.output.take(0, &text);
    let mut state = on_page(followed, 80, 24);
    press(&mut state, "o");
    assert!(says(&state, "line 199"));
    let output = &mut state.known.runs.followed.get_mut(&id()).unwrap().output;
    output.take(text.len() as u64, "line 200\n");
    wait(&mut state, 1_000);
    assert!(says(&state, "line 200"), "{}", text_of(&state, 80, 24));
    press(&mut state, "pgup g");
    assert!(says(&state, "line 0"));
    press(&mut state, "G");
    assert!(says(&state, "line 200"));
    let at = state.known.now;
    update(&mut state, Stamped { at, msg: Msg::Ticked });
}

#[test]
fn a_service_with_an_alert_is_offered_what_fits_that_alert() {
    let mut state = at_night(80, 24);
    press(&mut state, "2 r");
    assert!(says(&state, "RUNBOOKS 3 for HighErrorRate of api"), "{}", text_of(&state, 80, 24));
}

#[test]
fn a_run_that_is_over_is_read_from_the_journal_and_follows_nobody() {
    let mut state = at_night(80, 24);
    let end = over(crate::domain::runs::RunOutcome::Failed, "given up", Vec::new());
    state.known.runs.list = vec![run([two_done(), vec![end]].concat())].into();
    assert_eq!(press(&mut state, "8 enter"), []);
    assert!(says(&state, "FAILED") && says(&state, "given up"));
    assert_eq!(press(&mut state, "w"), [Effect::Runs(RunsEffect::SaveProof(id()))]);
}

#[test]
fn a_run_whose_process_has_died_can_be_taken_up() {
    let mut state = at_night(80, 24);
    state.known.runs.list = vec![run(two_done())].into();
    assert_eq!(press(&mut state, "8 enter"), [Effect::Runs(RunsEffect::Follow(id()))]);
    tell(&mut state, RunsMsg::Lost { run: id(), why: "no such socket".into() });
    assert!(says(&state, "STALE") && says(&state, "takes it up"));
    let effects = press(&mut state, "y");
    let request = RunRequest { take_up: Some(id()), ..RunRequest::default() };
    let prepare = Effect::Runs(RunsEffect::Prepare(Box::new(request)));
    assert!(effects.contains(&prepare), "{effects:?}");
}

#[test]
fn a_second_person_approves_by_a_word_and_the_first_one_cannot() {
    let until = NOW + Duration::from_mins(10);
    let make = |user: &str| {
        let mut state = on_page(asking(AskKind::Approve { until }, two_done(), 3), 80, 24);
        state.setting.user = user.into();
        wait(&mut state, 600);
        state
    };
    let mut state = make("li");
    assert!(!says(&state, "approve another's run") && says(&state, "abandon"));
    assert_eq!(ordered(&type_keys(&mut state, "y a p p r o v e enter")), []);
    let mut state = make("wang");
    assert!(says(&state, "approve another's run"));
    assert_eq!(ordered(&type_keys(&mut state, "y enter")), []);
    assert!(says(&state, "it takes the word approve"));
    let effects = type_keys(&mut state, "a p p r o v e enter");
    assert_eq!(ordered(&effects), [Order::Answer { ask: 1, answer: Answer::Approve(true) }]);
}

#[test]
fn a_run_whose_process_has_died_is_not_said_to_go_on() {
    let mut state = at_night(80, 24);
    let of = run(two_done());
    state.known.runs.list = vec![of.clone()].into();
    press(&mut state, "8");
    assert!(says(&state, "waits at step 3") && !says(&state, "died"));
    send(&mut state, Msg::Runs(RunsMsg::DeadRead([of.id.clone()].into())));
    assert!(says(&state, "died at step 3"));
    // Somebody has taken it up.
    send(&mut state, Msg::Runs(RunsMsg::DeadRead([].into())));
    assert!(!says(&state, "died"));
}
