//! The clock is set by an hour while a run goes on: in the run's process, by
//! libfaketime, and as the monotonic clocks do not see it.

use super::house::{Follower, House, Said};
use crate::bench::Web;
use opsroom::domain::runs::{Decision, Holds, RunOutcome};
use opsroom::runbook::{Answer, AskKind, Order};
use opsroom::runtime::clock::moment;
use std::path::PathBuf;
use std::time::Duration;

const HOUR: i64 = 3_600_000;

/// The library, or words.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found = folders.map(|it| it.path().join("faketime/libfaketime.so.1"));
    let found = found.find(|path| path.is_file());
    if found.is_none() {
        let all = std::env::var_os("OPSROOM_REAL").is_some_and(|value| value == "all");
        assert!(!all, "libfaketime is not installed");
        println!("skipped: libfaketime is not installed");
    }
    found
}

/// A house whose runs have a clock of their own, which the file `clock` sets:
/// `+1h`. In a runbook, `CLOCK` is that file.
fn house(config: &str, book: &str) -> Option<House> {
    let house = set_by_file(House::new(config))?;
    let clock = house.scratch().join("clock");
    house.book("book", &book.replace("CLOCK", &clock.display().to_string()));
    Some(house)
}

/// The house with such a clock.
pub(crate) fn set_by_file(house: House) -> Option<House> {
    let library = library()?;
    let clock = house.scratch().join("clock");
    house.write("clock", "+0\n");
    let yes = || PathBuf::from("1");
    Some(house.with_env(vec![
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clock),
        ("FAKETIME_NO_CACHE", yes()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", yes()),
        ("DONT_FAKE_MONOTONIC", yes()),
    ]))
}

/// The fix, which sets the clock as well.
fn fixed(clock: &str, fix: &str) -> String {
    format!(
        "# Fix\n```bash {{name=fix}}\n{fix}\necho '{clock}' > CLOCK\n```\n\
         ```check {{within=12s}}\nservice api is ok\n```\n"
    )
}

fn config(web: &Web) -> String {
    format!(
        "environment = 'staging'\n[poll]\nconfirm = 1\nconfirm_after = '500ms'\n\
         [service.api]\nhealth = '{}'\nevery = '4s'\n",
        web.url
    )
}

async fn started(house: &House) -> (super::house::Conducted, Follower) {
    let run = house.conduct(&House::request("book")).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    // It is polled as often as it takes to count.
    while !follower.doing.signals.iter().any(|it| it.finding.holds != Holds::Unknown) {
        assert!(follower.hear().await);
    }
    follower.order(Order::Start(plan.hash())).await;
    (run, follower)
}

/// How the run ends; a question about what was not proved is answered by giving up.
async fn outcome(follower: &mut Follower) -> RunOutcome {
    follower.confirm().await;
    while let Said::Asked(ask) = follower.until_asked().await {
        assert!(matches!(ask.kind, AskKind::Failed { .. }), "{ask:?}");
        follower.decide(ask.number, Decision::Abandon).await;
    }
    follower.run.as_ref().unwrap().ended.as_ref().unwrap().1
}

#[tokio::test]
async fn what_was_seen_before_the_clock_went_back_proves_nothing() {
    for (clock, name) in [("-1h", "back"), ("+1h", "forward")] {
        let folder = tempfile::tempdir().unwrap();
        let ill = folder.path().join("ill");
        let web = Web::ill_while(&ill);
        let book = fixed(clock, &format!("touch {}", ill.display()));
        let Some(house) = house(&config(&web), &book) else { return };
        let (_run, mut follower) = started(&house).await;
        let ended = outcome(&mut follower).await;
        assert_ne!(ended, RunOutcome::Proved, "{name}: it is ill: {:#?}", follower.run);
        assert_eq!(house.verify().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_is_fixed_is_proved_though_the_clock_was_set_and_the_journal_is_whole() {
    for (clock, moved) in [("-1h", -HOUR), ("+1h", HOUR)] {
        let folder = tempfile::tempdir().unwrap();
        let ill = folder.path().join("ill");
        std::fs::write(&ill, "").unwrap();
        let web = Web::ill_while(&ill);
        let book = fixed(clock, &format!("rm {}", ill.display()));
        let Some(house) = house(&config(&web), &book) else { return };
        let (run, mut follower) = started(&house).await;
        assert_eq!(outcome(&mut follower).await, RunOutcome::Proved, "{:#?}", follower.run);
        let entries = house.entries(&run.run).await;
        // In the order in which they were written, whatever the clock said.
        assert!(entries.windows(2).all(|two| two[0].place < two[1].place));
        let (first, last) = (entries.first().unwrap().at, entries.last().unwrap().at);
        let went = last.millis() - first.millis();
        assert!((went - moved).abs() < 120_000, "it was not set: {went} ms");
        assert_eq!(house.verify().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_armed_hour_is_not_prolonged_by_setting_the_clock() {
    let book = "# Two\n```sh {name=one}\necho one >> \"$FILE\"\n```\n\
                ```sh {name=two}\necho two >> \"$FILE\"\n```\n";
    for clock in ["+1h", "-1h"] {
        let Some(house) = house("environment = 'production'\n", book) else { return };
        let end = house.arm_for(Duration::from_secs(15)).await;
        let run = house.conduct(&House::request("book")).await.unwrap();
        let mut follower = house.follow(&run).await;
        let plan = follower.planned().await;
        follower.order(Order::Start(plan.hash())).await;
        follower.confirm().await;
        let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
        assert!(matches!(ask.kind, AskKind::Confirm { .. }), "{ask:?}");
        house.write("clock", &format!("{clock}\n"));
        if clock == "-1h" {
            // By the clock it would be armed for an hour more.
            let is_over = || async { moment().unwrap().since_boot >= end };
            crate::support::until("the arming ends", is_over).await;
        }
        follower.answer(ask.number, Answer::Go { typed: None }).await;
        let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
        assert_eq!(ask.kind, AskKind::Arm, "{clock}");
        follower.give_up().await;
        assert_eq!(house.log(), "one\n");
    }
}
