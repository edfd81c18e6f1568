//! What holds for any messages in any order.

use super::*;
use crate::domain::runs::{RunId, StepId};
use crate::domain::{
    AlertState, AlertsReading, BackupReading, BackupRole, Issue, IssueRules, IssuesReading,
    Release, ReleasesReading, Reported, Severity, Snapshot, Trend,
};
use crate::runbook::{self, AskKind, Doing, Told};
use crate::store::RunsMsg;
use crate::store::glance::Glance;
use proptest::prelude::*;

fn world() -> World {
    let mut errors = signal("api/errors", SignalKind::Errors, "5xx", Unit::Ratio);
    errors.min_requests = Some(("requests".into(), 10.0));
    let mut cpu = signal("host/node/cpu", SignalKind::Cpu, "cpu", Unit::Ratio);
    (cpu.service, cpu.hosts) = (None, Some("node".into()));
    let backup =
        BackupRole { service: Some("api".into()), rpo: Duration::from_mins(1), ..backups::role() };
    let mut alerts = source("alertmanager", Role::Alerts);
    alerts.kind = "alertmanager".into();
    World::new(Inventory {
        sources: vec![
            check("api", "health"),
            check("web", "health"),
            scrape("node", "node", "a"),
            scrape("api", "api", "b"),
            source("prometheus", Role::Server),
            source("self/canary", Role::Canary),
            alerts,
            source("prometheus/alerts", Role::Alerts),
            source("sentry", Role::Issues),
            source("backup/orders", Role::Backup(backup)),
            source("release/deploys", Role::Releases),
        ],
        services: vec![Service { projects: vec!["api".into()], ..service("api") }, service("web")],
        issues: IssueRules { warning: vec![Trend::New], ..IssueRules::default() },
        signals: vec![errors, cpu],
        hosts: vec![HostGroup { name: "node".into(), job: "node".into() }],
        ..Inventory::default()
    })
}

/// What the source answers that tells of many things, or else a check.
fn outcome(id: &str, how: u8, now: Timestamp) -> Result<Reading, PollError> {
    let alert = |name: &str, service: &str, severity: Severity| Reported {
        labels: Labels::new([("alertname", name), ("service", service)]),
        annotations: BTreeMap::new(),
        state: AlertState::Firing,
        severity,
        since: if how == 3 { Timestamp::default() } else { now - EVERY },
        since_at_least: false,
        quiet: Vec::new(),
        receivers: Vec::new(),
        expression: String::new(),
        value: None,
        link: None,
    };
    let good = match (id, how) {
        (_, 5) => return refused(),
        (_, 6) => return page(),
        ("alertmanager" | "prometheus/alerts", _) => {
            let all = [
                alert("Lone", "", Severity::Warning),
                alert("Lone", "nobody", Severity::Critical),
                alert("Web", "web", Severity::Warning),
                alert("Api", "api", Severity::Critical),
            ];
            let alerts = all.into_iter().take(how.into()).collect();
            Reading::Alerts(Arc::new(AlertsReading { alerts, ..AlertsReading::default() }))
        }
        ("sentry", _) => {
            let issue = |n: u8| Issue {
                id: n.to_string(),
                service: Some("api".into()),
                trend: if n == 0 { Trend::Ongoing } else { Trend::New },
                ..Issue::default()
            };
            let issues = (0..how).map(issue).collect();
            Reading::Issues(Arc::new(IssuesReading { issues, ..IssuesReading::default() }))
        }
        ("backup/orders", 3) => return Err(PollError::new(PollFailure::Absent, "no repository")),
        ("backup/orders", _) => {
            let taken = now - Duration::from_secs(20) * u32::from(how);
            let snapshots = vec![Snapshot { taken, ..Snapshot::default() }];
            let count = 1;
            let reading = BackupReading { snapshots, count, ..BackupReading::default() };
            Reading::Backup(Arc::new(reading))
        }
        ("release/deploys", _) => {
            let version = format!("v{how}");
            let releases = vec![Release { version, at: now - EVERY, ..Release::default() }];
            Reading::Releases(Arc::new(ReleasesReading { releases, ..ReleasesReading::default() }))
        }
        (_, 2) => return bad(),
        (_, 3) => return cut_off(),
        (_, 4) => return reading(Status::Warning, "slow", None),
        _ => return fine(),
    };
    Ok(good)
}

/// Something that happens to runbooks and runs.
fn of_runs(how: u8, now: Timestamp, age: i64) -> RunsMsg {
    let run = RunId::from("4f2k");
    let ask = runbook::Ask { number: 1, step: StepId(1), since: now, kind: AskKind::Manual };
    match how {
        0 => RunsMsg::LibraryRead(Arc::default()),
        1 => RunsMsg::RunsRead(Ok(Arc::default())),
        2 => RunsMsg::RunsRead(Err("the disk is gone".into())),
        3 => RunsMsg::Prepared { request: Box::default(), run: Ok(run) },
        4 => {
            let text = "failed\n".repeat(usize::from(how));
            let output = Told::Output { step: StepId(1), from: age.unsigned_abs(), text };
            let doing = Told::Doing(Doing { ask: Some(ask), ..Doing::default() });
            RunsMsg::Told { run, told: vec![output, doing, Told::Refused("no".into())] }
        }
        5 => RunsMsg::Lost { run, why: "its process has died".into() },
        _ => RunsMsg::Left { run },
    }
}

/// One step: milliseconds that go by (also back), what happens, and how.
type Step = (i64, u8, u8, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![8 => 0_i64..12_000, 1 => 0_i64..90_000, 1 => -100_000_i64..0];
    let age = prop_oneof![6 => Just(0_i64), 1 => -60_000_i64..60_000];
    prop::collection::vec((gap, 0_u8..16, 0_u8..7, age), 0..120)
}

/// Carries the steps out; questions that were asked are answered by later steps.
fn run(steps: &[Step], mut each: impl FnMut(&World)) -> World {
    let mut world = world();
    let mut open: Vec<Ask> = Vec::new();
    for (gap, what, how, age) in steps {
        world.now = Timestamp::from_millis(world.now.millis() + gap);
        let ids = [
            "check/api/health",
            "check/web/health",
            "scrape/node/a",
            "scrape/api/b",
            "prometheus",
            "self/canary",
            "alertmanager",
            "prometheus/alerts",
            "sentry",
            "backup/orders",
            "release/deploys",
        ];
        let msg = match (ids.get(usize::from(*what)), open.pop()) {
            (_, asked) if *what == 15 => {
                open.extend(asked);
                Msg::Runs(of_runs(*how, world.now, *age))
            }
            _ if *what == 14 && *how == 0 => Msg::Reloaded(Ok(Arc::clone(&world.known.inventory))),
            _ if *what == 14 && *how == 1 => Msg::Remembered(Box::new(world.known.to_be_kept())),
            (Some(id), asked) => {
                open.extend(asked);
                Msg::Polled(vec![Polled {
                    source: (*id).into(),
                    taken: Timestamp::from_millis(world.now.millis() - age),
                    next: world.now + EVERY,
                    took: Duration::ZERO,
                    late: Duration::ZERO,
                    outcome: outcome(id, *how, world.now),
                }])
            }
            (None, Some(ask)) => {
                let outcome = match how {
                    0 | 1 => one(0.0),
                    2 => one(0.5),
                    3 => one(f64::NAN),
                    4 => vector(&[("a", 0.02), ("c", 100.0)]),
                    5 => engine_error("timed out"),
                    _ => Ok(Data::Vector(Vec::new())),
                };
                let answer = Answer {
                    ask: ask.clone(),
                    outcome,
                    coverage: Coverage::Whole,
                    warnings: Vec::new(),
                    infos: Vec::new(),
                    took: Duration::ZERO,
                };
                Msg::Answered(vec![Answered { id: ask.id, answer: Arc::new(answer) }])
            }
            (None, None) => Msg::Ticked,
        };
        let quiet = matches!(msg, Msg::Runs(_)).then(|| {
            open.extend(asks(&world.known.take(world.now, &Msg::Ticked)));
            (Glance::of(&world.known), world.known.counts())
        });
        open.extend(asks(&world.known.take(world.now, &msg)));
        if let Some(quiet) = quiet {
            assert_eq!((Glance::of(&world.known), world.known.counts()), quiet);
        }
        open.extend(asks(&world.known.take(world.now, &Msg::Ticked)));
        each(&world);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_messages_give_the_same_knowledge_and_it_survives_json(steps in steps()) {
        let first = run(&steps, |_| {}).known;
        prop_assert_eq!(&first, &run(&steps, |_| {}).known);
        let json = serde_json::to_string(&first).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Known>(&json).unwrap(), &first);
    }

    #[test]
    fn alerts_are_sorted_unique_and_of_what_is_bad(steps in steps()) {
        run(&steps, |world| {
            let alerts = &world.known.alerts;
            let order = |a: &Alert, b: &Alert| {
                let worse = b.status().cmp(&a.status()).then(a.is_quiet().cmp(&b.is_quiet()));
                worse.then(b.severity.cmp(&a.severity)).then(a.since.cmp(&b.since))
            };
            assert!(alerts.is_sorted_by(|a, b| order(a, b).is_le()));
            let identities: BTreeSet<u64> = alerts.iter().map(Alert::identity).collect();
            assert_eq!(identities.len(), alerts.len(), "{alerts:#?}");
            for name in ["api", "web"] {
                let id = SourceId::from(format!("check/{name}/health"));
                let check = &world.known.checks[&id].standing;
                let fires = alerts.iter().any(|alert| {
                    alert.name() == "CheckFailing" && alert.labels.get("service") == Some(name)
                });
                match check.status {
                    Status::Ok => assert!(!fires),
                    Status::Warning | Status::Critical => assert!(fires),
                    Status::Unknown => {}
                }
            }
        });
    }

    #[test]
    fn the_counts_are_of_the_problems_that_a_glance_names(steps in steps()) {
        run(&steps, |world| {
            let glance = Glance::of(&world.known);
            assert_eq!(glance.verdict, world.known.verdict());
            let mut counted = Counts { ok: glance.counts.ok, ..Counts::default() };
            glance.problems.iter().for_each(|problem| counted.add(problem.standing.status));
            assert_eq!(counted, glance.counts, "{:#?}", glance.problems);
            for alert in &world.known.alerts {
                assert!(alert.since != Timestamp::default(), "{alert:?}");
            }
        });
    }

    #[test]
    fn nothing_is_ok_once_nothing_is_heard(steps in steps()) {
        let mut world = run(&steps, |_| {});
        world.seconds(31).tick();
        let counts = world.known.counts();
        prop_assert_eq!(counts.ok, 0, "{:?}", counts);
        prop_assert_ne!(world.known.verdict(), Status::Ok);
    }

    #[test]
    fn a_service_is_ok_only_while_its_check_is(steps in steps()) {
        run(&steps, |world| {
            for (name, service) in &world.known.services {
                let id = SourceId::from(format!("check/{name}/health"));
                if service.standing.status == Status::Ok {
                    assert_eq!(world.known.checks[&id].standing.status, Status::Ok);
                }
                assert!(service.history.iter().map(|(at, _)| at).is_sorted());
            }
        });
    }
}
