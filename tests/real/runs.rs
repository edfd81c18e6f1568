//! Runs of runbooks, carried out by the real program: to their end, killed at
//! any moment and taken up, on a full disk, after a power cut.

mod clock;
pub(crate) mod house;
mod kills;
mod places;
mod reasons;
mod syslog;

use house::{House, Said};
use opsroom::domain::runs::{Decision, Record, RunOutcome, RunRecord, StepOutcome};
use opsroom::runbook::run::StepState;
use opsroom::runbook::{Answer, AskKind, Order, RunRequest};
use std::time::Duration;

#[tokio::test]
async fn a_run_goes_from_plan_to_end_and_all_who_follow_hear_it() {
    let house = House::new("environment = 'staging'\n");
    house.ten_steps();
    let run = house.conduct(&House::ten()).await.unwrap();
    let mut first = house.follow(&run).await;
    let mut second = house.listen(&run).await;
    let plan = first.planned().await;
    // Nothing happened yet, and another plan than the one that was seen is not started.
    assert!(house.log().is_empty());
    first.order(Order::Start("0".repeat(64))).await;
    assert!(first.until_refused().await.contains("another one than you have seen"));
    second.order(Order::Start(plan.hash())).await;
    assert_eq!(second.until_refused().await, "you only listen");
    first.order(Order::Start(plan.hash())).await;
    while let Said::Asked(ask) = first.until_asked().await {
        let answer = match &ask.kind {
            AskKind::Confirm { typed, .. } => {
                // What is wrong, or of an older question, confirms nothing.
                first.answer(ask.number, Answer::Go { typed: Some("x".into()) }).await;
                assert!(!first.until_refused().await.is_empty());
                first.answer(ask.number - 1, Answer::Go { typed: typed.clone() }).await;
                assert_eq!(first.until_refused().await, "that is asked no more");
                Answer::Go { typed: typed.clone() }
            }
            AskKind::Manual => Answer::Tick { note: "seen".into() },
            other => panic!("{other:?}"),
        };
        first.answer(ask.number, answer).await;
    }
    let told = first.run.clone().unwrap();
    assert_eq!(told.ended.as_ref().unwrap().1, RunOutcome::Unproved, "there is no proof in it");
    assert_eq!(house.steps_begun(), (1..=10).collect::<Vec<_>>());
    second.until_over().await;
    assert_eq!(second.run.as_ref(), Some(&told));
    assert_eq!(second.output, first.output);
    assert!(first.output.contains("step 10 says hello"), "{}", first.output);
    // Whoever comes later reads the same in the journal, and it holds together.
    assert_eq!(house.entries(&run.run).await, first.entries);
    assert_eq!(house.verify().await, Vec::<String>::new());
    run.ends().await;
}

#[tokio::test]
async fn a_run_that_nobody_starts_leaves_nothing_behind() {
    let house = House::new("environment = 'staging'\n");
    house.ten_steps();
    let run = house.conduct(&House::ten()).await.unwrap();
    let mut follower = house.follow(&run).await;
    follower.planned().await;
    // A line that breaks is no wish to leave: who comes back finds the plan.
    drop(follower);
    let mut follower = house.follow(&run).await;
    follower.planned().await;
    drop(follower);
    let id = run.run.clone();
    run.ends().await;
    assert!(house.entries(&id).await.is_empty());
    assert!(!house.place().run(&id).exists());
    let missing = RunRequest { book: "nothing".into(), ..RunRequest::default() };
    let run = house.conduct(&missing).await.unwrap();
    let why = house.follow(&run).await.until_impossible().await;
    assert!(why[0].contains("there is no runbook nothing"), "{why:?}");
    run.ends().await;
}

#[tokio::test]
async fn a_step_with_a_terminal_says_so_before_anybody_tells_a_size() {
    let house = House::new("environment = 'staging'\n");
    house.book("tty", "# Tty\n```sh {reads tty}\nread -r name; echo \"$name\" >> \"$FILE\"\n```\n");
    let run = house.conduct(&House::request("tty")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    assert_eq!(follower.until_terminal().await, (80, 24));
    follower.order(Order::Input(b"li\r".to_vec())).await;
    follower.until_over().await;
    assert_eq!(house.log(), "li\n");
}

#[tokio::test]
async fn one_changing_run_at_a_time_holds_a_target() {
    let house = House::new("environment = 'staging'\n");
    house.ten_steps();
    let first = house.conduct(&House::ten()).await.unwrap();
    let mut one = house.follow(&first).await;
    let plan = one.planned().await;
    one.order(Order::Start(plan.hash())).await;
    one.until_asked().await;
    let second = house.conduct(&House::ten()).await.unwrap();
    let mut two = house.follow(&second).await;
    let plan = two.planned().await;
    two.order(Order::Start(plan.hash())).await;
    let why = two.until_refused().await;
    assert!(why.contains(&format!("is held by run {}", first.run)), "{why}");
    one.give_up().await;
    two.order(Order::Start(plan.hash())).await;
    assert!(matches!(two.until_asked().await, Said::Asked(_)));
    two.give_up().await;
}

#[tokio::test]
async fn a_production_is_changed_only_while_it_is_armed_and_undone_without() {
    let house = House::new("environment = 'production'\n");
    house.book(
        "arms",
        "# Arms\n```sh {name=on undo=off}\necho on >> \"$FILE\"; false\n```\n\
         ```sh {name=off}\necho off >> \"$FILE\"\n```\n",
    );
    let run = house.conduct(&House::request("arms")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(ask.kind, AskKind::Arm);
    house.arm().await;
    follower.answer(ask.number, Answer::Again).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    // It was armed when it was asked, and is no more when it is answered.
    house.disarm().await;
    follower.answer(ask.number, Answer::Go { typed: None }).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(ask.kind, AskKind::Arm);
    assert!(house.log().is_empty());
    house.arm().await;
    follower.answer(ask.number, Answer::Again).await;
    follower.confirm().await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    let AskKind::Failed { choices, .. } = &ask.kind else { panic!("{ask:?}") };
    assert!(choices.contains(&Decision::Undo));
    house.disarm().await;
    follower.decide(ask.number, Decision::Undo).await;
    follower.confirm().await;
    follower.until_over().await;
    assert_eq!(house.log(), "on\noff\n");
    let told = follower.run.unwrap();
    assert_eq!(told.ended.unwrap().2, "it was undone");
}

#[tokio::test]
async fn what_is_pinned_is_asked_right_before_each_change() {
    let house = House::new("environment = 'staging'\n");
    house.book(
        "pins",
        "# Pins\n```pin\nrelease = cat release\n```\n```sh {name=change cwd=SCRATCH}\n\
         echo changed >> \"$FILE\"\n```\n"
            .replace("SCRATCH", &house.scratch().display().to_string())
            .replace("cat release", &format!("cat {}/release", house.scratch().display()))
            .as_str(),
    );
    house.write("release", "v1\n");
    let run = house.conduct(&House::request("pins")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert!(matches!(ask.kind, AskKind::Confirm { .. }), "{ask:?}");
    // Somebody else changes it while the question stands.
    house.write("release", "v2\n");
    follower.answer(ask.number, Answer::Go { typed: None }).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    let AskKind::Changed { difference, may_go_on: false } = &ask.kind else { panic!("{ask:?}") };
    assert_eq!(difference, &["release was v1 and is v2"]);
    follower.decide(ask.number, Decision::Retry).await;
    assert!(follower.until_refused().await.contains("what is pinned has changed"));
    assert!(house.log().is_empty());
    house.write("release", "v1\n");
    follower.answer(ask.number, Answer::Again).await;
    follower.confirm().await;
    follower.until_over().await;
    assert_eq!(house.log(), "changed\n");
    // Each time it was asked stands in the journal.
    let asked = follower.entries.iter().filter(|entry| {
        matches!(&entry.record, Record::Run { what: RunRecord::PinsAsked { .. }, .. })
    });
    assert!(asked.count() >= 3);
}

#[tokio::test]
async fn nothing_begins_as_long_as_a_pin_does_not_answer() {
    let house = House::new("environment = 'staging'\n");
    let release = house.scratch().join("release").display().to_string();
    let text = "# Pins\n```pin\nrelease = cat RELEASE\n```\n```sh {reads}\n\
                echo read >> \"$FILE\"\n```\n```sh {name=change}\necho changed >> \"$FILE\"\n```\n";
    house.book("silent", &text.replace("RELEASE", &release));
    let run = house.conduct(&House::request("silent")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    let AskKind::Changed { difference, .. } = &ask.kind else { panic!("{ask:?}") };
    assert!(difference[0].starts_with("release cannot be told: "), "{difference:?}");
    assert!(house.log().is_empty());
    house.write("release", "v1\n");
    follower.answer(ask.number, Answer::Again).await;
    follower.confirm().await;
    follower.until_over().await;
    assert_eq!(house.log(), "read\nchanged\n");
}

#[tokio::test]
async fn a_cancelled_change_is_unknown_until_a_person_has_looked() {
    let house = House::new("environment = 'staging'\n");
    house.book("slow", "# Slow\n```sh {name=slow}\necho begun >> \"$FILE\"; sleep 600\n```\n");
    let run = house.conduct(&House::request("slow")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    follower.confirm().await;
    house.until_logged("begun").await;
    follower.order(Order::Cancel { step: plan.steps[0].id }).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(ask.kind, AskKind::Unknown { alive: false });
    follower.decide(ask.number, Decision::Retry).await;
    assert!(follower.until_refused().await.contains("was it done or not"));
    follower.decide(ask.number, Decision::WasNotDone).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    follower.decide(ask.number, Decision::Abandon).await;
    follower.until_over().await;
    assert_eq!(follower.run.unwrap().ended.unwrap().1, RunOutcome::Failed);
}

#[tokio::test]
async fn a_command_whose_run_was_killed_goes_on_and_is_not_started_twice() {
    let house = House::new("environment = 'staging'\n");
    house.book(
        "slow",
        "# Slow\n```sh {name=slow}\necho begun >> \"$FILE\"; echo said before\n\
         while ! test -e \"$FILE.go\"; do sleep 0.05; done\necho said after; echo done >> \"$FILE\"\n```\n",
    );
    let mut run = house.conduct(&House::request("slow")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    follower.confirm().await;
    house.until_logged("begun").await;
    let id = run.run.clone();
    run.kill().await;
    assert!(house.take_up("nothing").await.unwrap_err().contains("there is no run"));
    let again = house.take_up(id.as_str()).await.unwrap();
    // Nobody takes it up a second time.
    assert!(house.take_up(id.as_str()).await.unwrap_err().contains("is carried out by process"));
    let mut follower = house.follow(&again).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(ask.kind, AskKind::Unknown { alive: true });
    follower.decide(ask.number, Decision::WasNotDone).await;
    assert!(follower.until_refused().await.contains("still runs"));
    house.write("log.go", "");
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(ask.kind, AskKind::Unknown { alive: false });
    follower.decide(ask.number, Decision::WasDone).await;
    follower.until_over().await;
    assert_eq!(house.log(), "begun\ndone\n");
    assert_eq!(follower.output, "said before\nsaid after\n");
    let told = follower.run.unwrap();
    assert_eq!(told.steps[0].state, StepState::Ticked);
    assert_eq!(told.steps[0].end.as_ref().unwrap().1.outcome, StepOutcome::Unknown);
}

#[tokio::test]
async fn a_process_that_is_asked_to_end_does_so_behind_its_step() {
    let house = House::new("environment = 'staging'\n");
    house.ten_steps();
    house.book(
        "two",
        "# Two\n```sh {reads}\necho begun >> \"$FILE\"; sleep 0.5; echo done >> \"$FILE\"\n```\n- [ ] look\n",
    );
    let run = house.conduct(&House::request("two")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    house.until_logged("begun").await;
    let id = run.run.clone();
    run.signal(rustix::process::Signal::HUP);
    run.signal(rustix::process::Signal::TERM);
    run.ends().await;
    assert_eq!(house.log(), "begun\ndone\n");
    let again = house.take_up(id.as_str()).await.unwrap();
    let mut follower = house.follow(&again).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(ask.kind, AskKind::Manual);
    follower.answer(ask.number, Answer::Tick { note: String::new() }).await;
    follower.until_over().await;
}

#[tokio::test]
async fn a_secret_lives_in_memory_alone() {
    let house = House::new("environment = 'staging'\n");
    house.book(
        "secret",
        "---\nparams:\n  TOKEN: { ask: Token, secret: true, match: '[a-z0-9-]+' }\n---\n# S\n\
         ```sh {name=one}\necho \"it is $TOKEN\"; echo \"$TOKEN\" | cksum >> \"$FILE\"\n```\n\
         ```sh {name=two}\necho \"$TOKEN\" | cksum >> \"$FILE\"\n```\n",
    );
    let mut run = house.conduct(&House::request("secret")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let secret = opsroom::runbook::Hidden("sword-fish-7".into());
    let secrets = [("TOKEN".to_owned(), secret.clone())].into();
    follower.order(Order::Values { values: std::collections::BTreeMap::default(), secrets }).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    follower.confirm().await;
    let Said::Asked(_) = follower.until_asked().await else { panic!("it ended") };
    let (id, said) = (run.run.clone(), follower.output.clone());
    assert!(said.contains("it is (hidden)"), "{said}");
    run.kill().await;
    let again = house.take_up(id.as_str()).await.unwrap();
    let mut follower = house.follow(&again).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert!(matches!(&ask.kind, AskKind::Secret { name, .. } if name == "TOKEN"), "{ask:?}");
    follower.answer(ask.number, Answer::Secret(secret)).await;
    follower.confirm().await;
    follower.until_over().await;
    let log = house.log();
    let sums: Vec<&str> = log.lines().collect();
    assert_eq!((sums.len(), sums[0]), (2, sums[1]));
    house.nowhere("sword-fish-7");
}

#[tokio::test]
async fn a_slow_follower_keeps_nobody_waiting() {
    let house = House::new("environment = 'staging'\n");
    // More than ten million bytes.
    house.book("much", "# Much\n```sh {reads}\nseq 1 1500000\n```\n- [ ] look\n");
    let run = house.conduct(&House::request("much")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    // It never reads.
    let slow = house.follow(&run).await;
    follower.order(Order::Start(plan.hash())).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert!(follower.output.ends_with("1499999\n1500000\n"), "{}", follower.output.len());
    // What nobody takes is kept in the file, not in memory.
    assert!(run.peak_kib() < 200 * 1024, "{} KiB", run.peak_kib());
    let late = house.listen(&run).await.until_ask().await;
    assert_eq!(late.output, follower.output);
    follower.answer(ask.number, Answer::Tick { note: String::new() }).await;
    follower.until_over().await;
    drop(slow);
    tokio::time::timeout(Duration::from_secs(20), run.ends()).await.unwrap();
}
