//! What a console knows of runs, message by message.

use super::*;
use crate::domain::runs::{Entry, Record, RunRecord, StepId};
use crate::runbook::{Ask, AskKind};
use crate::store::Effect;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn told(told: Vec<Told>) -> RunsMsg {
    RunsMsg::Told { run: "4f2k".into(), told }
}

fn asking(number: u64) -> Told {
    let ask = Ask { number, step: StepId(1), since: at(0), kind: AskKind::Manual };
    Told::Doing(Doing { ask: Some(ask), ..Doing::default() })
}

fn output(from: u64, text: &str) -> Told {
    Told::Output { step: StepId(1), from, text: text.into() }
}

const READ_RUNS: Effect = Effect::Runs(RunsEffect::ReadRuns);
const READ_LIBRARY: Effect = Effect::Runs(RunsEffect::ReadLibrary);

#[test]
fn runs_and_runbooks_are_read_at_the_start_and_then_now_and_then() {
    let mut runs = Runs::default();
    assert_eq!(runs.due(at(0), false), [READ_LIBRARY, READ_RUNS]);
    assert_eq!(runs.due(at(1), false), []);
    assert_eq!(runs.due(at(10), true), [READ_RUNS]);
    assert_eq!(runs.due(at(30), false), []);
    assert_eq!(runs.due(at(60), false), [READ_LIBRARY]);
    assert_eq!(runs.due(at(70), false), [READ_RUNS]);
    runs.forget_reads();
    assert_eq!(runs.due(at(71), false), [READ_LIBRARY, READ_RUNS]);
}

#[test]
fn a_clock_that_is_put_back_stops_no_reading() {
    let mut runs = Runs::default();
    runs.due(at(10_000), false);
    runs.not_after(at(100));
    assert_eq!(runs.due(at(161), false), [READ_LIBRARY, READ_RUNS]);
}

#[test]
fn what_is_told_stands_in_what_is_followed() {
    let mut runs = Runs::default();
    let request = Box::new(RunRequest { book: "rollback".into(), ..RunRequest::default() });
    runs.take(at(1), &RunsMsg::Prepared { request: request.clone(), run: Ok("4f2k".into()) });
    let ask = ParamAsk {
        param: crate::runbook::book::Param::default(),
        choices: vec!["v1".into()],
        failure: None,
        value: None,
        mistake: None,
    };
    runs.take(at(2), &told(vec![Told::Parameters(vec![ask])]));
    runs.take(at(3), &told(vec![asking(1), output(0, "one\n"), output(4, "two\n")]));
    let followed = &runs.followed[&RunId::from("4f2k")];
    assert_eq!(followed.request, Some(request));
    assert_eq!(followed.parameters.len(), 1);
    assert_eq!(followed.output.text(), "one\ntwo\n");
    assert_eq!(followed.heard, at(3));
}

#[test]
fn a_run_that_is_not_heard_asks_nothing() {
    let mut runs = Runs::default();
    runs.take(at(1), &told(vec![asking(1)]));
    let lost = RunsMsg::Lost { run: "4f2k".into(), why: "its process has died".into() };
    assert_eq!(runs.take(at(2), &lost), [READ_RUNS]);
    let followed = &runs.followed[&RunId::from("4f2k")];
    assert_eq!(followed.doing.ask, None);
    assert_eq!(followed.lost.as_deref(), Some("its process has died"));
    // It is heard again.
    runs.take(at(3), &told(vec![asking(1)]));
    let followed = &runs.followed[&RunId::from("4f2k")];
    assert!(followed.lost.is_none() && followed.doing.ask.is_some());
}

#[test]
fn a_refusal_stands_until_the_next_question() {
    let mut runs = Runs::default();
    let refused = Told::Refused("type the service's name".into());
    runs.take(at(1), &told(vec![asking(1), refused, asking(1)]));
    assert!(runs.followed[&RunId::from("4f2k")].refused.is_some());
    runs.take(at(2), &told(vec![asking(2)]));
    assert!(runs.followed[&RunId::from("4f2k")].refused.is_none());
}

#[test]
fn a_run_that_cannot_be_prepared_is_told_with_its_reason() {
    let mut runs = Runs::default();
    let request = Box::new(RunRequest { book: "nobody".into(), ..RunRequest::default() });
    let failed = RunsMsg::Prepared { request: request.clone(), run: Err("no such runbook".into()) };
    runs.take(at(1), &failed);
    assert_eq!(runs.unprepared, Some((request, "no such runbook".into())));
    assert!(runs.followed.is_empty());
}

#[test]
fn a_run_that_is_left_is_gone() {
    let mut runs = Runs::default();
    runs.take(at(1), &told(vec![asking(1)]));
    runs.take(at(2), &RunsMsg::Left { run: "4f2k".into() });
    assert!(runs.followed.is_empty());
}

#[test]
fn an_arming_is_over_at_its_end_and_no_failure_hides_the_list() {
    let mut runs = Runs::default();
    let armed = Arming {
        who: crate::domain::runs::Who::default(),
        environment: "production".into(),
        reason: "api 5xx".into(),
        at: at(10),
        until: at(20),
        boot: ("b".into(), 0),
    };
    runs.take(at(10), &RunsMsg::ArmedRead(Some(armed)));
    assert!(runs.armed_at(at(19)).is_some());
    assert!(runs.armed_at(at(20)).is_none() && runs.armed_at(at(9)).is_none());
    runs.take(at(11), &RunsMsg::RunsRead(Ok(Arc::default())));
    runs.take(at(12), &RunsMsg::RunsRead(Err("the disk is gone".into())));
    assert_eq!(runs.read, Some(at(11)));
    assert_eq!(runs.failure.as_deref(), Some("the disk is gone"));
    runs.take(at(13), &RunsMsg::RunsRead(Ok(Arc::default())));
    assert_eq!(runs.failure, None);
}

#[test]
fn a_record_of_something_else_begins_no_run() {
    let mut runs = Runs::default();
    let what = RunRecord::Skipped {
        step: StepId(1),
        who: crate::domain::runs::Who::default(),
        reason: String::new(),
    };
    let entry = Entry {
        place: 7,
        writer: "w".into(),
        seq: 2,
        at: at(1),
        record: Record::Run { run: "4f2k".into(), what },
        hash: String::new(),
    };
    assert_eq!(runs.take(at(1), &told(vec![Told::Entry(entry)])), []);
    assert!(runs.followed[&RunId::from("4f2k")].run.is_none());
}
