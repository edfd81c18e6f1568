//! What holds for any messages in any order.

use super::*;
use proptest::prelude::*;

fn world() -> World {
    let mut errors = signal("api/errors", SignalKind::Errors, "5xx", Unit::Ratio);
    errors.min_requests = Some(("requests".into(), 10.0));
    let mut cpu = signal("host/node/cpu", SignalKind::Cpu, "cpu", Unit::Ratio);
    (cpu.service, cpu.hosts) = (None, Some("node".into()));
    World::new(Inventory {
        sources: vec![
            check("api", "health"),
            check("web", "health"),
            scrape("node", "node", "a"),
            scrape("api", "api", "b"),
            source("prometheus", Role::Server),
            source("self/canary", Role::Canary),
        ],
        services: vec![service("api"), service("web")],
        signals: vec![errors, cpu],
        hosts: vec![HostGroup { name: "node".into(), job: "node".into() }],
        ..Inventory::default()
    })
}

/// One step: milliseconds that go by (also back), what happens, and how.
type Step = (i64, u8, u8, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![8 => 0_i64..12_000, 1 => 0_i64..90_000, 1 => -100_000_i64..0];
    let age = prop_oneof![6 => Just(0_i64), 1 => -60_000_i64..60_000];
    prop::collection::vec((gap, 0_u8..9, 0_u8..7, age), 0..120)
}

/// Carries the steps out; questions that were asked are answered by later steps.
fn run(steps: &[Step], mut each: impl FnMut(&World)) -> World {
    let mut world = world();
    let mut open: Vec<Ask> = Vec::new();
    for (gap, what, how, age) in steps {
        world.now = Timestamp::from_millis(world.now.millis() + gap);
        let outcome = match how {
            0 | 1 => fine(),
            2 => bad(),
            3 => cut_off(),
            4 => reading(Status::Warning, "slow", None),
            5 => refused(),
            _ => page(),
        };
        let ids = [
            "check/api/health",
            "check/web/health",
            "scrape/node/a",
            "scrape/api/b",
            "prometheus",
            "self/canary",
        ];
        let msg = match (ids.get(usize::from(*what)), open.pop()) {
            (Some(id), asked) => {
                open.extend(asked);
                Msg::Polled(vec![Polled {
                    source: (*id).into(),
                    taken: Timestamp::from_millis(world.now.millis() - age),
                    next: world.now + EVERY,
                    took: Duration::ZERO,
                    late: Duration::ZERO,
                    outcome,
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
                    took: Duration::ZERO,
                };
                Msg::Answered(vec![Answered { id: ask.id, answer: Arc::new(answer) }])
            }
            (None, None) => Msg::Ticked,
        };
        open.extend(asks(&world.known.take(world.now, &msg)));
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
                b.severity.cmp(&a.severity).then(a.since.cmp(&b.since))
            };
            assert!(alerts.is_sorted_by(|a, b| order(a, b).is_le()));
            let identities: BTreeSet<u64> = alerts.iter().map(Alert::identity).collect();
            assert_eq!(identities.len(), alerts.len());
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
