//! Checks of databases and process managers on the page of their service.

use super::super::{State, update};
use super::house::{answer_charts, calm, press, text_of, unicode_of};
use crate::domain::{CheckReading, Component, Num, Reading, Status};
use crate::store::{Msg, Polled, Stamped};
use std::time::Duration;

fn part(name: &str, status: Status, detail: &str) -> Component {
    Component { name: name.into(), status, detail: detail.into() }
}

/// The page of a service whose check answers this.
fn page(reading: &CheckReading, width: u16, height: u16) -> State {
    let mut state = calm(width, height);
    // Asked again until it counts.
    for seconds in [0, 2, 4, 6] {
        let at = state.known.now + Duration::from_secs(seconds);
        let polled = Polled {
            source: "check/db/health".into(),
            taken: at,
            next: at + Duration::from_secs(10),
            took: Duration::from_millis(12),
            late: Duration::ZERO,
            outcome: Ok(Reading::Check(reading.clone())),
        };
        update(&mut state, Stamped { at, msg: Msg::Polled(vec![polled]) });
    }
    press(&mut state, "2 / d b enter enter");
    answer_charts(&mut state);
    state
}

fn database() -> CheckReading {
    CheckReading {
        status: Status::Critical,
        summary: "replication standby-1 412MB behind, 38s (and 1 more)".into(),
        took: Duration::from_millis(12),
        components: vec![
            part("query", Status::Ok, "answers in 3ms"),
            part("connections", Status::Warning, "91 of 100 (91%)"),
            part("longest transaction", Status::Ok, "41s, by app@shop: UPDATE orders SET …"),
            part("blocked", Status::Ok, "0 sessions"),
            part("slow queries", Status::Unknown, "pg_stat_statements is not there"),
            part("replication standby-1", Status::Critical, "412MB behind, 38s"),
            part("archiver", Status::Ok, "last one 40s ago"),
        ],
        numbers: (0..9).map(|i| (format!("number_{i}"), Num(f64::from(i)))).collect(),
        notes: vec![
            "slow queries: pg_stat_statements is not there".into(),
            "TLS not verified".into(),
        ],
        ..CheckReading::default()
    }
}

fn processes() -> CheckReading {
    let mut components: Vec<Component> = (1..=12)
        .map(|i| part(&format!("worker-{i:02}.service"), Status::Ok, "running for 3d, pid 411"))
        .collect();
    components.insert(
        4,
        part(
            "支付-队列.service",
            Status::Critical,
            "failed 3m ago: exit code 203/EXEC, 5 restarts",
        ),
    );
    components.insert(
        7,
        part("nginx.service", Status::Warning, "came back by itself, running for 2m, 1 restart"),
    );
    CheckReading {
        status: Status::Critical,
        summary: "支付-队列.service: failed 3m ago: exit code 203/EXEC, 5 restarts, 1 more of 14"
            .into(),
        components,
        numbers: vec![("running".into(), Num(12.0)), ("restarts".into(), Num(6.0))],
        ..CheckReading::default()
    }
}

#[test]
fn a_database_shows_its_parts_the_worst_first() {
    insta::assert_snapshot!(text_of(&page(&database(), 80, 24), 80, 24));
}

#[test]
fn many_processes_that_run_are_one_row_that_unfolds() {
    let mut state = page(&processes(), 80, 24);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    press(&mut state, "G enter");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("worker-01.service") && !text.contains("enter unfolds"), "{text}");
    press(&mut state, "G");
    assert!(text_of(&state, 80, 24).contains("worker-12.service"));
    insta::assert_snapshot!(unicode_of(&page(&processes(), 120, 40), 120, 40));
}

#[test]
fn a_filter_looks_into_what_is_folded() {
    let mut state = page(&processes(), 80, 24);
    press(&mut state, "/ r - 0 7 enter");
    assert!(text_of(&state, 80, 24).contains("worker-07.service"));
}
