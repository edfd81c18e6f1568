//! Screens as a person sees them.

use super::super::house::{ago, press, text_of, unicode_of};
use super::house::*;
use crate::domain::runs::{
    Arming, Decision, Holds, OutputRange, RunOutcome, RunRecord, Step, StepId, StepOutcome,
};
use crate::runbook::{AskKind, RunRequest};
use crate::store::Followed;
use std::time::Duration;

fn both(make: impl Fn(u16, u16) -> crate::app::State) -> (String, String) {
    (text_of(&make(80, 24), 80, 24), unicode_of(&make(120, 40), 120, 40))
}

macro_rules! screens {
    ($name:ident, $make:expr) => {
        #[test]
        fn $name() {
            let (small, large) = both($make);
            insta::assert_snapshot!(concat!(stringify!($name), "_80x24"), small);
            insta::assert_snapshot!(concat!(stringify!($name), "_120x40"), large);
        }
    };
}

screens!(the_overview_names_the_runbook_and_the_runs, |w, h| {
    let mut state = at_night(w, h);
    state.known.runs.list = vec![run(two_done())].into();
    state.sheets.clear();
    state.settle(true);
    state
});

screens!(what_is_offered, |w, h| {
    let mut state = at_night(w, h);
    press(&mut state, "r");
    state
});

screens!(guesses_are_not_chosen_beforehand, |w, h| {
    let mut state = at_night(w, h);
    state.known.alerts.clear();
    state.settle(true);
    press(&mut state, "2 r");
    state
});

screens!(a_runbook_is_read, |w, h| {
    let mut state = at_night(w, h);
    press(&mut state, "r enter");
    state
});

screens!(parameters_are_asked, |w, h| {
    on_page(Followed { parameters: params(), ..Followed::default() }, w, h)
});

screens!(parameters_say_what_they_are_for, |w, h| {
    let alert = plan().alert;
    let request = RunRequest {
        book: "rollback-api".into(),
        service: Some("api".into()),
        alert,
        ..RunRequest::default()
    };
    let request = Some(Box::new(request));
    on_page(Followed { parameters: params(), request, ..Followed::default() }, w, h)
});

screens!(the_plan_before_the_start, |w, h| {
    let doing = doing(None, 0);
    on_page(Followed { plan: Some(Box::new(plan())), doing, ..Followed::default() }, w, h)
});

screens!(a_step_that_changes_something_is_asked, |w, h| {
    on_page(asking(confirm(), two_done(), 3), w, h)
});

screens!(a_step_runs, |w, h| {
    let records = [two_done(), vec![running(3, 12)]].concat();
    let mut followed =
        Followed { run: Some(run(records)), doing: doing(None, 0), ..Followed::default() };
    followed.output.take(0, "pulling v141\n\u{1b}[32mswitching\u{1b}[0m traffic\n");
    on_page(followed, w, h)
});

/// Steps 1 and 2 are done, the second has said this, and what came then.
fn two_said(text: &str, more: Vec<(u64, RunRecord)>, followed: Followed) -> Followed {
    let to = text.len() as u64;
    let mut records = two_done();
    for (_, record) in &mut records {
        if let RunRecord::StepEnded { step: StepId(2), end, .. } = record {
            end.output = Some(OutputRange { from: 0, to, dropped: 0 });
        }
    }
    records.extend(more);
    let mut followed = Followed { run: Some(run(records)), ..followed };
    followed.output.take(0, text);
    followed
}

const RELEASES: &str = "v142  by ci, 3s before the first error  runs now\nv141  by ci, ran for two \
                        days\nv140  by li\nv139  by li\nv138  by ci\nv137  by ci\nv142\n";

screens!(what_was_read_stands_beside_the_question, |w, h| {
    on_page(two_said(RELEASES, Vec::new(), asking(confirm(), two_done(), 3)), w, h)
});

screens!(a_step_that_runs_shows_the_end_of_its_own_output, |w, h| {
    let followed = Followed { doing: doing(None, 0), ..Followed::default() };
    let mut followed = two_said(RELEASES, vec![running(3, 12)], followed);
    for line in 1..=60 {
        let to = followed.output.to();
        followed.output.take(to, &format!("layer {line} of 60\n"));
    }
    on_page(followed, w, h)
});

screens!(an_undo_is_asked, |w, h| {
    let unproved = did(5, 30, ended(StepOutcome::Unproved, "5xx 12.4% > 5%", 15));
    let who = li();
    let (decision, reason) = (Decision::Undo, "no better".to_owned());
    let undo = (20, RunRecord::Decided { step: StepId(5), who, decision, reason });
    let kind = AskKind::Confirm {
        typed: None,
        preview: "deployctl promote \"$SERVICE\" \"$PREVIOUS\"".into(),
    };
    on_page(asking(kind, [three_done(), unproved, vec![undo]].concat(), 4), w, h)
});

screens!(steps_that_are_not_shown_are_counted, |w, h| {
    let mut plan = plan();
    let reads = |id: u32| {
        let of = plan.steps[1].clone();
        Step { id: StepId(id), title: format!("look at part {id}"), ..of }
    };
    let more: Vec<Step> = (7..=40).map(reads).collect();
    plan.steps.extend(more);
    let asked = asking(confirm(), two_done(), 3);
    on_page(Followed { run: Some(run_of(plan, two_done())), ..asked }, w, h)
});

screens!(a_proof_is_asked_for, |w, h| {
    let records = [three_done(), vec![running(5, 20)]].concat();
    let mut doing = doing(None, 0);
    doing.findings = vec![
        ("alert HighErrorRate is not firing".into(), found(Holds::No, "firing since 02:56", None)),
        ("service api is ok".into(), found(Holds::Unknown, "waiting for a reading", None)),
    ];
    on_page(Followed { run: Some(run(records)), doing, ..Followed::default() }, w, h)
});

screens!(a_step_failed, |w, h| {
    let failed = did(3, 50, ended(StepOutcome::Failed, "exit code 3", 8));
    let kind = AskKind::Failed {
        choices: vec![Decision::Retry, Decision::Undo, Decision::Abandon],
        skip: true,
    };
    let mut followed = asking(kind, [two_done(), failed].concat(), 3);
    followed.output.take(0, "pulling v141\nno such release: v141\n");
    on_page(followed, w, h)
});

screens!(nobody_knows_how_a_step_ended, |w, h| {
    let unknown = did(3, 50, ended(StepOutcome::Unknown, "no answer within 2m", 120));
    let kind = AskKind::Unknown { alive: false };
    on_page(asking(kind, [two_done(), unknown].concat(), 3), w, h)
});

screens!(something_changed_meanwhile, |w, h| {
    let difference = vec!["release was v142, is v143".to_owned(), "asked 2s ago".to_owned()];
    on_page(asking(AskKind::Changed { difference, may_go_on: false }, two_done(), 3), w, h)
});

screens!(production_has_to_be_armed, |w, h| { on_page(asking(AskKind::Arm, two_done(), 3), w, h) });

screens!(proved, |w, h| {
    let line = |line: &str, finding| crate::domain::runs::ProofLine { line: line.into(), finding };
    let after = vec![
        line("alert HighErrorRate is not firing", found(Holds::Yes, "not firing", None)),
        line("service api is ok", found(Holds::Yes, "ok: HTTP 200", None)),
        line("5xx", found(Holds::Unknown, "0.02%", Some(0.0002))),
        line("p95", found(Holds::Unknown, "80ms", Some(0.08))),
    ];
    let mut proof = ended(StepOutcome::Ok, "both hold", 30);
    proof.findings = vec![found(Holds::Yes, "not firing", None)];
    let ticked = RunRecord::Ticked { step: StepId(6), who: li(), note: "posted".into() };
    let end = over(RunOutcome::Proved, "all was done, and the proof holds", after);
    let records = [three_done(), did(5, 15, proof), vec![(12, ticked), end]].concat();
    on_page(Followed { run: Some(run(records)), ..Followed::default() }, w, h)
});

screens!(unproved, |w, h| {
    let line = |line: &str, finding| crate::domain::runs::ProofLine { line: line.into(), finding };
    let after = vec![
        line(
            "alert HighErrorRate is not firing",
            found(Holds::Unknown, "Alertmanager: connection refused", None),
        ),
        line("service api is ok", found(Holds::Yes, "ok: HTTP 200", None)),
    ];
    let proof = ended(StepOutcome::Unproved, "no fresh reading within 5m", 300);
    let end = over(RunOutcome::Unproved, "nothing proves it", after);
    let records = [three_done(), did(5, 15, proof), vec![end]].concat();
    on_page(Followed { run: Some(run(records)), ..Followed::default() }, w, h)
});

screens!(the_page_of_runs, |w, h| {
    let mut state = at_night(w, h);
    let mut other = run([three_done(), vec![over(RunOutcome::Unproved, "", Vec::new())]].concat());
    other.id = "9kx".into();
    other.who.user = "wang".into();
    other.started = ago(5_000);
    let mut waits = run(two_done());
    waits.started = ago(9_000);
    state.known.runs.list = vec![other, waits].into();
    press(&mut state, "8");
    state
});

screens!(the_frame_says_armed_for_how_long_and_why, |w, h| {
    let mut state = on_page(asking(confirm(), two_done(), 3), w, h);
    state.known.runs.armed = Some(Arming {
        who: li(),
        environment: "production".into(),
        reason: "api 5xx".into(),
        at: ago(139),
        until: ago(0) + Duration::from_secs(761),
        boot: ("b".into(), 0),
    });
    state
});

screens!(a_run_that_is_not_heard_is_stale, |w, h| {
    let mut state = on_page(asking(confirm(), two_done(), 3), w, h);
    tick(&mut state, 7_000);
    state
});
