//! The reason for a run goes away before its first change: the service is ok by
//! then, or the alert has resolved. The run stands still and says so.

use super::house::{Conducted, Follower, House, Said};
use crate::bench::Web;
use crate::proof::{Servers, Shop, alert};
use opsroom::domain::runs::{Decision, Holds, RunOutcome};
use opsroom::runbook::{Answer, AskKind, Order, RunRequest};
use std::sync::atomic::Ordering;

const BOOK: &str = "# Fix\n```bash {name=fix}\necho changed >> \"$FILE\"\n```\n\
                    ```bash {name=more}\necho more >> \"$FILE\"\n```\n";

/// Until the run tells that this line holds, or does not.
async fn until_told(follower: &mut Follower, line: &str, holds: Holds) {
    let told = |follower: &Follower| {
        let mut signals = follower.doing.signals.iter();
        signals.any(|it| it.line == line && it.finding.holds == holds)
    };
    while !told(follower) {
        assert!(follower.hear().await, "{:?}", follower.doing);
    }
}

/// Starts a run whose reason is there, and lets that go away while a person is
/// asked. Gives what is asked then.
async fn stands_still(
    house: &House,
    request: &RunRequest,
    line: &str,
    heals: impl FnOnce(),
) -> (Conducted, Follower, u64) {
    house.book("fix", BOOK);
    let run = house.conduct(request).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    until_told(&mut follower, line, Holds::No).await;
    follower.order(Order::Start(plan.hash())).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    assert!(matches!(ask.kind, AskKind::Confirm { .. }), "{ask:?}");
    heals();
    until_told(&mut follower, line, Holds::Yes).await;
    follower.answer(ask.number, Answer::Go { typed: None }).await;
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    let AskKind::Changed { difference, .. } = &ask.kind else { panic!("{ask:?}") };
    assert_eq!(difference.len(), 1, "{difference:?}");
    let subject = if request.alert.is_some() { "the alert" } else { "the service" };
    assert!(difference[0].starts_with(subject), "{difference:?}");
    assert_eq!(house.log(), "", "it was changed all the same");
    (run, follower, ask.number)
}

#[tokio::test]
async fn a_service_that_became_ok_meanwhile_stops_the_run_and_a_person_may_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let ill = folder.path().join("ill");
    std::fs::write(&ill, "").unwrap();
    let web = Web::ill_while(&ill);
    let house = House::new(&format!(
        "environment = 'staging'\n[poll]\nconfirm = 1\nconfirm_after = '200ms'\n\
         [service.api]\nhealth = '{}'\nevery = '1s'\n",
        web.url
    ));
    let request = RunRequest { service: Some("api".into()), ..House::request("fix") };
    let heals = || std::fs::remove_file(&ill).unwrap();
    let (_run, mut follower, ask) =
        stands_still(&house, &request, "service api is ok", heals).await;
    // A person says that it goes on nevertheless, and is not asked that again.
    follower.decide(ask, Decision::Retry).await;
    follower.confirm().await;
    follower.confirm().await;
    follower.until_over().await;
    assert_eq!(house.log(), "changed\nmore\n");
    assert_eq!(follower.run.unwrap().ended.unwrap().1, RunOutcome::Unproved);
}

#[tokio::test]
async fn an_alert_that_resolved_meanwhile_stops_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, port) = Shop::open();
    let Some(servers) = Servers::start(folder.path(), port).await else { return };
    shop.fails.store(true, Ordering::SeqCst);
    let house = House::new(&servers.config);
    let request = RunRequest { alert: Some(alert()), ..House::request("fix") };
    let heals = || shop.fails.store(false, Ordering::SeqCst);
    let (_run, mut follower, ask) =
        stands_still(&house, &request, "alert ShopErrors is not firing", heals).await;
    follower.decide(ask, Decision::Abandon).await;
    follower.until_over().await;
    assert_eq!(house.log(), "");
    assert_eq!(follower.run.unwrap().ended.unwrap().1, RunOutcome::Failed);
}
