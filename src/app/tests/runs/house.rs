//! Runbooks, and a run of one at its every stage.

use super::super::house::{NOW, ago, burning, setting};
use crate::app::pages::Page;
use crate::app::{State, update};
pub(super) use crate::domain::runs::fixtures::command;
use crate::domain::runs::{
    AlertSeen, BookRef, CheckStep, CommandStep, Condition, Entry, Finding, Held, Holds, How,
    Origin, Pin, PinAsked, Plan, ProcessId, Proof, ProofLine, Record, RunId, RunOutcome, RunRecord,
    Step, StepEnd, StepId, StepKind, StepOutcome, Value, Who,
};
use crate::domain::{Num, Timestamp};
use crate::runbook::{
    Ask, AskKind, Block, BlockKind, Book, Document, Doing, Front, Level, Library, Param, ParamAsk,
    Past, Remark, Run,
};
use crate::store::{Effect, Followed, Msg, RunsMsg, Stamped};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const TEXT: &str = "---
title: Roll back the API
alerts: [HighErrorRate]
---
# Roll back the API

Use this *only* when the newest release is at fault. See [the wiki](https://wiki.shop.example/rollback).

## Is it the release?
```check
promql sum(rate(http_requests_total{job=\"api\",code=~\"5..\"}[1m])) > 0
```

## Remember the current release
```sh {reads capture=PREVIOUS}
deployctl current \"$SERVICE\"
```

## Roll back
```pin
release = deployctl current \"$SERVICE\"
```
```sh {name=rollback timeout=2m confirm=service undo=forward}
deployctl rollback \"$SERVICE\" \"$RELEASE\"
```
```sh {name=forward}
deployctl promote \"$SERVICE\" \"$PREVIOUS\"
```

## Proof
```check {within=5m}
alert HighErrorRate is not firing
service api is ok
```
- [ ] Tell the incident channel
";

fn step(id: u32, title: &str, line: u32, kind: StepKind) -> Step {
    Step { id: StepId(id), name: None, title: title.into(), line, kind }
}

pub(super) fn steps() -> Vec<Step> {
    let check = |lines: Vec<(&str, Condition)>, within, proof| {
        let lines = lines.into_iter().map(|(line, of)| (line.to_owned(), of)).collect();
        StepKind::Check(CheckStep { lines, within, proof })
    };
    let expr = "sum(rate(http_requests_total{job=\"api\",code=~\"5..\"}[1m])) > 0";
    let promql = format!("promql {expr}");
    let uses = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let rollback = Step {
        name: Some("rollback".into()),
        ..step(
            3,
            "Roll back",
            23,
            StepKind::Command(CommandStep {
                timeout: Some(Duration::from_mins(2)),
                confirm: Some("service".into()),
                undo: Some(StepId(4)),
                uses: uses(&["SERVICE", "RELEASE"]),
                ..command("deployctl rollback \"$SERVICE\" \"$RELEASE\"")
            }),
        )
    };
    let forward = Step {
        name: Some("forward".into()),
        ..step(
            4,
            "Roll back",
            26,
            StepKind::Command(CommandStep {
                undoes: true,
                uses: uses(&["SERVICE", "PREVIOUS"]),
                ..command("deployctl promote \"$SERVICE\" \"$PREVIOUS\"")
            }),
        )
    };
    vec![
        step(
            1,
            "Is it the release?",
            10,
            check(vec![(&promql, Condition::Promql { expr: expr.into() })], None, false),
        ),
        step(
            2,
            "Remember the current release",
            15,
            StepKind::Command(CommandStep {
                changes: false,
                capture: Some("PREVIOUS".into()),
                uses: uses(&["SERVICE"]),
                ..command("deployctl current \"$SERVICE\"")
            }),
        ),
        rollback,
        forward,
        step(
            5,
            "Proof",
            31,
            check(
                vec![
                    (
                        "alert HighErrorRate is not firing",
                        Condition::Alert { name: "HighErrorRate".into(), firing: false },
                    ),
                    (
                        "service api is ok",
                        Condition::Service {
                            name: "api".into(),
                            status: crate::domain::Status::Ok,
                        },
                    ),
                ],
                Some(Duration::from_mins(5)),
                true,
            ),
        ),
        step(
            6,
            "Tell the incident channel",
            35,
            StepKind::Manual { text: "Tell the incident channel".into() },
        ),
    ]
}

fn param() -> Param {
    Param {
        name: "RELEASE".into(),
        ask: "Release to go back to".into(),
        from: Some("deployctl list --short".into()),
        pattern: Some("v[0-9]+".into()),
        ..Param::default()
    }
}

pub(super) fn book(id: &str, alerts: &[&str], services: &[&str]) -> Book {
    let block = |line, language: &str| Block {
        kind: BlockKind::Fence,
        line,
        end_line: line + 2,
        info: language.into(),
        language: language.into(),
        attributes: Vec::new(),
        in_list: false,
        in_quote: false,
        content: String::new(),
    };
    let texts = |of: &[&str]| of.iter().map(|one| (*one).to_owned()).collect();
    Book {
        id: id.into(),
        path: format!("/etc/opsroom/runbooks/{id}.md"),
        title: "Roll back the API".into(),
        front: Front {
            alerts: texts(alerts),
            services: texts(services),
            params: vec![param()],
            ..Front::default()
        },
        text: TEXT.into(),
        hash: "f00d".into(),
        document: Document { headings: Vec::new(), blocks: vec![block(20, "pin")] },
        steps: steps(),
        pins: Vec::new(),
        foreign: false,
        remarks: Vec::new(),
    }
}

pub(super) fn library() -> Library {
    let broken = Book {
        title: "Restart a worker".into(),
        remarks: vec![Remark {
            level: Level::Error,
            line: 12,
            words: "the undo names a step that is not there: back".into(),
        }],
        ..book("restart-worker", &["HighLatency"], &["api"])
    };
    let wide =
        Book {
            title: "API 变慢时".into(), steps: Vec::new(), ..book("api-slow", &[], &["api"])
        };
    let books = [book("rollback-api", &["HighErrorRate"], &["api"]), broken, wide];
    let past = Past {
        run: Some((ago(9 * 86_400), Some(RunOutcome::Proved))),
        rehearsed: Some((ago(2 * 86_400), Vec::new())),
    };
    Library {
        books: books.into_iter().map(|book| (book.id.clone(), Arc::new(book))).collect(),
        past: BTreeMap::from([("rollback-api".into(), past)]),
        ..Library::default()
    }
}

pub(super) fn plan() -> Plan {
    let value = |name: &str, text: &str, origin| Value {
        name: name.into(),
        held: Held::Text(text.into()),
        origin,
        pattern: None,
    };
    Plan {
        book: BookRef {
            id: "rollback-api".into(),
            title: "Roll back the API".into(),
            path: "/etc/opsroom/runbooks/rollback-api.md".into(),
            hash: "f00d".into(),
            foreign: false,
        },
        environment: "production".into(),
        armed_only: true,
        config: "/etc/opsroom/config.toml".into(),
        host: "bastion-2".into(),
        user: "deploy".into(),
        folder: "/srv".into(),
        target: "service/api".into(),
        service: Some("api".into()),
        alert: Some(AlertSeen {
            identity: 7,
            labels: crate::domain::Labels::new([
                ("alertname", "HighErrorRate"),
                ("service", "api"),
            ]),
            expression: "sum(rate(http_requests_total{code=~\"5..\"}[5m])) > 0.05".into(),
            reason: "5xx 12.4% > 5%, 41 req/s".into(),
            since: ago(660),
            pending: false,
        }),
        values: vec![
            value("RELEASE", "v141", Origin::Chosen),
            value("SERVICE", "api", Origin::Service),
            value("LABEL_severity", "page", Origin::Label),
            Value {
                name: "PREVIOUS".into(),
                held: Held::Captured(StepId(2)),
                origin: Origin::Step,
                pattern: None,
            },
        ],
        environ: BTreeMap::from([
            ("HOME".to_owned(), "/home/deploy".to_owned()),
            ("PATH".to_owned(), "/opt/deploy/bin:/usr/bin:/bin".to_owned()),
        ]),
        steps: steps(),
        pins: vec![Pin {
            name: "release".into(),
            command: "deployctl current \"$SERVICE\"".into(),
            line: 21,
            before: StepId(3),
        }],
        timeout: Duration::from_mins(10),
        warnings: vec!["nothing undoes step 2 of the database".into()],
    }
}

pub(super) fn id() -> RunId {
    "4f2".into()
}

pub(super) fn li() -> Who {
    Who { user: "li".into(), uid: 1000, login: Some(1000), host: "bastion-2".into(), from: None }
}

fn process() -> ProcessId {
    ProcessId { pid: 4242, start: 99, boot: "b".into() }
}

pub(super) fn found(holds: Holds, words: &str, value: Option<f64>) -> Finding {
    Finding {
        holds,
        words: words.into(),
        seen: Some(ago(4)),
        value: value.map(Num),
        in_time: false,
    }
}

pub(super) fn before() -> Vec<ProofLine> {
    let line = |line: &str, finding| ProofLine { line: line.into(), finding };
    vec![
        line("alert HighErrorRate is not firing", found(Holds::No, "firing since 02:56", None)),
        line("service api is ok", found(Holds::No, "critical: 5xx 12.4% > 5%", None)),
        line("5xx", found(Holds::Unknown, "12.4%", Some(0.124))),
        line("p95", found(Holds::Unknown, "2.3s", Some(2.3))),
    ]
}

pub(super) fn ended(outcome: StepOutcome, words: &str, took_s: u64) -> StepEnd {
    StepEnd {
        outcome,
        words: words.into(),
        took: Duration::from_secs(took_s),
        captured: None,
        output: None,
        findings: Vec::new(),
    }
}

/// The records of a run, each with its moment: so many seconds ago.
pub(super) fn run(records: Vec<(u64, RunRecord)>) -> Run {
    run_of(plan(), records)
}

pub(super) fn run_of(plan: Plan, records: Vec<(u64, RunRecord)>) -> Run {
    let started = RunRecord::Started {
        who: li(),
        plan: Box::new(plan),
        process: process(),
        before: before(),
    };
    let all = std::iter::once((120, started)).chain(records);
    let entries = all.enumerate().map(|(at, (seconds, what))| Entry {
        place: i64::try_from(at).unwrap() + 1,
        writer: "w".into(),
        seq: at as u64 + 1,
        at: ago(seconds),
        record: Record::Run { run: id(), what },
        hash: String::new(),
    });
    let entries: Vec<Entry> = entries.collect();
    Run::of(&entries).unwrap()
}

pub(super) fn did(step: u32, at: u64, end: StepEnd) -> Vec<(u64, RunRecord)> {
    let step = StepId(step);
    let process = Some(process());
    let started =
        RunRecord::StepStarted { step, attempt: 1, undoing: None, preview: String::new(), process };
    vec![(at + 1, started), (at, RunRecord::StepEnded { step, attempt: 1, end })]
}

/// Steps 1 and 2 are done.
pub(super) fn two_done() -> Vec<(u64, RunRecord)> {
    let mut first = ended(StepOutcome::Ok, "5xx 12.4% > 5%", 1);
    first.findings = vec![found(Holds::Yes, "5xx 12.4% > 5%", None)];
    let second =
        StepEnd { captured: Some("v142".into()), ..ended(StepOutcome::Ok, "exit code 0", 0) };
    [did(1, 100, first), did(2, 90, second)].concat()
}

/// Step 3 is done, too.
pub(super) fn three_done() -> Vec<(u64, RunRecord)> {
    let how = How::Typed("api".into());
    let confirmed = (60, RunRecord::Confirmed { step: StepId(3), who: li(), how });
    let third = did(3, 50, ended(StepOutcome::Ok, "exit code 0", 8));
    [two_done(), vec![confirmed], third].concat()
}

pub(super) fn running(step: u32, at: u64) -> (u64, RunRecord) {
    let step = StepId(step);
    let process = Some(process());
    (
        at,
        RunRecord::StepStarted { step, attempt: 1, undoing: None, preview: String::new(), process },
    )
}

pub(super) fn over(outcome: RunOutcome, reason: &str, after: Vec<ProofLine>) -> (u64, RunRecord) {
    let proof = (!after.is_empty()).then_some(Proof { after });
    (10, RunRecord::Ended { outcome, reason: reason.into(), proof })
}

pub(super) fn doing(ask: Option<AskKind>, step: u32) -> Doing {
    let pin =
        |name: &str, was: &str| PinAsked { name: name.into(), was: was.into(), is: Ok(was.into()) };
    Doing {
        ask: ask.map(|kind| Ask { number: 1, step: StepId(step), since: ago(2), kind }),
        pins: vec![pin("host", "bastion-2"), pin("release", "v142")],
        pins_at: Some(ago(2)),
        signals: before().split_off(2),
        followers: 1,
        ..Doing::default()
    }
}

pub(super) fn confirm() -> AskKind {
    AskKind::Confirm {
        typed: Some("api".into()),
        preview: "deployctl rollback \"$SERVICE\" \"$RELEASE\"".into(),
    }
}

/// A console on the page of this run.
pub(super) fn on_page(followed: Followed, width: u16, height: u16) -> State {
    let mut state = at_night(width, height);
    if let Some(run) = &followed.run {
        state.known.runs.list = vec![run.clone()].into();
    }
    let followed = Followed { heard: NOW, ..followed };
    state.known.runs.followed.insert(id(), followed);
    state.page = Page::Run(id());
    state.trail = vec![Page::Overview];
    tick(&mut state, 0);
    state
}

pub(super) fn asking(kind: AskKind, records: Vec<(u64, RunRecord)>, step: u32) -> Followed {
    Followed { run: Some(run(records)), doing: doing(Some(kind), step), ..Followed::default() }
}

pub(super) fn params() -> Vec<ParamAsk> {
    vec![
        ParamAsk {
            param: param(),
            choices: ["v141", "v140", "v139", "v95"].map(String::from).to_vec(),
            failure: None,
            value: None,
            mistake: None,
        },
        ParamAsk {
            param: Param {
                name: "TOKEN".into(),
                ask: "Deploy token".into(),
                secret: true,
                ..Param::default()
            },
            choices: Vec::new(),
            failure: None,
            value: None,
            mistake: None,
        },
    ]
}

/// The night that goes wrong, with runbooks.
pub(super) fn at_night(width: u16, height: u16) -> State {
    let mut state = burning(width, height);
    let mut inventory = (*state.known.inventory).clone();
    inventory.armed_only = true;
    state.known.inventory = Arc::new(inventory);
    state.setting = setting();
    state.known.runs.library = Arc::new(library());
    state.settle(true);
    state
}

/// Time goes by: so many milliseconds; the run is heard meanwhile.
pub(super) fn wait(state: &mut State, millis: u64) {
    let at = state.known.now + Duration::from_millis(millis);
    for followed in state.known.runs.followed.values_mut() {
        followed.heard = at;
    }
    tick_at(state, at);
}

/// Time goes by and nothing is heard.
pub(super) fn tick(state: &mut State, millis: u64) {
    let at = state.known.now + Duration::from_millis(millis);
    tick_at(state, at);
}

fn tick_at(state: &mut State, at: Timestamp) {
    update(state, Stamped { at, msg: Msg::Ticked });
}

/// Presses keys as a person does, a tenth of a second apart; what is asked of runs.
pub(super) fn type_keys(state: &mut State, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys.split(' ') {
        let at = state.known.now + Duration::from_millis(100);
        let msg = Msg::KeyPressed(key.parse().unwrap());
        effects.extend(update(state, Stamped { at, msg }));
    }
    effects.retain(|effect| !matches!(effect, Effect::Ask(_)));
    effects
}

pub(super) fn tell(state: &mut State, msg: RunsMsg) -> Vec<Effect> {
    let mut effects = update(state, Stamped { at: state.known.now, msg: Msg::Runs(msg) });
    effects.retain(|effect| !matches!(effect, Effect::Ask(_)));
    effects
}
