//! The Markdown of runs that were put together by hand.

use super::*;
use crate::domain::Labels;
use crate::domain::runs::{AlertSeen, CheckStep, CommandStep, Condition, Shell, fixtures};
use crate::domain::runs::{BookRef, PinAsked, ProcessId, Proof, RunOutcome, Step, Value};
use std::time::Duration;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
}

fn li() -> Who {
    Who { user: "li".into(), uid: 1_000, from: Some("10.0.0.7".into()), ..Who::default() }
}

fn command(id: u32, title: &str, script: &str) -> Step {
    let confirm = Some("api".into());
    let command = CommandStep { shell: Shell::Sh, confirm, ..fixtures::command(script) };
    fixtures::step(id, title, StepKind::Command(command))
}

fn check(id: u32) -> Step {
    let condition = Condition::Alert { name: "HighErrorRate".into(), firing: false };
    let lines = vec![("alert HighErrorRate is not firing".to_owned(), condition)];
    let kind = StepKind::Check(CheckStep { lines, within: None, proof: true });
    Step { id: StepId(id), name: None, title: "Proof".into(), line: 9, kind }
}

fn plan(script: &str) -> Plan {
    Plan {
        book: BookRef {
            id: "rollback-api".into(),
            title: "Roll back the API".into(),
            path: "/etc/opsroom/runbooks/rollback-api.md".into(),
            hash: "0123456789abcdef".into(),
            foreign: false,
        },
        armed_only: true,
        config: "/etc/opsroom/config.toml".into(),
        host: "bastion-2".into(),
        user: "deploy".into(),
        folder: "/srv".into(),
        service: Some("api".into()),
        alert: Some(AlertSeen {
            identity: 7,
            labels: Labels::new([("alertname", "HighErrorRate"), ("service", "api")]),
            expression: "sum(rate(x[1m])) > 0".into(),
            reason: "5xx 12.4% > 5%".into(),
            since: at(-300),
            pending: false,
        }),
        values: vec![
            Value {
                name: "RELEASE".into(),
                held: Held::Text("v141".into()),
                origin: Origin::Chosen,
                pattern: None,
            },
            Value {
                name: "TOKEN".into(),
                held: Held::Secret,
                origin: Origin::Chosen,
                pattern: None,
            },
        ],
        timeout: Duration::from_mins(1),
        ..fixtures::plan(vec![command(1, "Roll back", script), check(2)])
    }
}

fn found(holds: Holds, words: &str) -> Finding {
    Finding { holds, words: words.into(), seen: Some(at(60)), value: None, in_time: false }
}

fn end(outcome: StepOutcome, words: &str, findings: Vec<Finding>) -> StepEnd {
    let took = Duration::from_millis(2_100);
    StepEnd { outcome, words: words.into(), took, captured: None, output: None, findings }
}

fn records(script: &str) -> Vec<Entry> {
    let line = "alert HighErrorRate is not firing".to_owned();
    let before =
        vec![ProofLine { line: line.clone(), finding: found(Holds::No, "firing since 03:01") }];
    let after = vec![ProofLine { line, finding: found(Holds::Yes, "does not fire") }];
    let process = ProcessId { pid: 1, start: 1, boot: "b".into() };
    let (step, proof_step) = (StepId(1), StepId(2));
    let is = Ok("v142".to_owned());
    let pin = PinAsked { name: "release".into(), was: "v142".into(), is };
    let all = [
        RunRecord::Started { who: li(), plan: Box::new(plan(script)), process, before },
        RunRecord::PinsAsked { step, pins: vec![pin] },
        RunRecord::Confirmed { step, who: li(), how: How::Typed("api".into()) },
        RunRecord::StepStarted {
            step,
            attempt: 1,
            undoing: None,
            preview: script.into(),
            process: None,
        },
        RunRecord::StepEnded {
            step,
            attempt: 1,
            end: end(StepOutcome::Ok, "exit code 0", Vec::new()),
        },
        RunRecord::StepStarted {
            step: proof_step,
            attempt: 1,
            undoing: None,
            preview: "alert HighErrorRate is not firing".into(),
            process: None,
        },
        RunRecord::StepEnded {
            step: proof_step,
            attempt: 1,
            end: end(StepOutcome::Ok, "", vec![found(Holds::Yes, "does not fire")]),
        },
        RunRecord::Ended {
            outcome: RunOutcome::Proved,
            reason: "all of it holds".into(),
            proof: Some(Proof { after }),
        },
    ];
    all.into_iter()
        .zip(1..)
        .map(|(what, place)| Entry {
            place,
            writer: "w".into(),
            seq: place.unsigned_abs(),
            at: at(place),
            record: Record::Run { run: "4f2k".into(), what },
            hash: String::new(),
        })
        .collect()
}

#[test]
fn a_run_reads_from_the_alert_to_the_proof() {
    let text = markdown(&records("deployctl rollback \"$SERVICE\" \"$RELEASE\"")).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn what_never_began_proves_nothing() {
    assert_eq!(markdown(&[]), None);
    assert_eq!(markdown(&records("x")[1..]), None);
}

#[test]
fn a_run_that_has_not_ended_says_so() {
    let text = markdown(&records("x")[..4]).unwrap();
    assert!(text.starts_with("# Roll back the API: not ended\n"), "{text}");
}

#[test]
fn nothing_from_outside_becomes_markup_or_steers() {
    let mut entries = records("echo '```'\necho \u{1b}[2J");
    if let Record::Run { what: RunRecord::Started { plan, .. }, .. } = &mut entries[0].record {
        plan.book.title = "a | b\n# c <script>".into();
        plan.target = "service/`x` | y".into();
    }
    let text = markdown(&entries).unwrap();
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("\n````sh\necho '```'\n"), "{text}");
    assert!(text.starts_with("# a \\| b \\# c \\<script\\>: proved\n"), "{text}");
    assert!(!text.contains("| service/`x` | y |"));
}
