//! `opsroom run --alert`: whether it fires is looked at afresh, for as long as
//! it takes to know.

use super::super::bench::{Bench, Web, text};
use super::super::harness::Home;

const BOOK: &str = "---\ntitle: Look\n---\n```sh {reads}\necho \"about $LABEL_service\"\n```\n";

#[test]
fn a_rate_that_was_not_seen_yet_is_waited_for_and_what_nobody_knows_is_not_called_quiet() {
    let home = Home::new();
    let web = Web::ill_while(&home.path().join("ill"));
    let config = format!(
        "[scrape.web]\nevery = \"1s\"\ntargets = [\"{}\"]\n\
         [service.web.signal.errors-now]\nexpr = 'rate(errors_total{{job=\"web\"}}[6s])'\nevery = \"1s\"\nwarning = 0.01\n\
         [service.web.signal.faults-now]\nexpr = 'rate(faults_total{{job=\"web\"}}[6s])'\nevery = \"1s\"\nwarning = 0.01\n\
         [service.web.signal.errors-daily]\nexpr = 'rate(errors_total{{job=\"web\"}}[1d])'\nevery = \"1s\"\nwarning = 0.01\n",
        web.address
    );
    let bench = Bench::at(home, "test", &config, &[("look", BOOK)]);
    let run = |alert: &str| {
        let ran = bench.without(&["run", "look", "--yes", "--alert", alert]);
        (ran.status.code(), text(&ran))
    };
    let (code, said) = run("ErrorsNow{service=\"web\"}");
    assert_eq!(code, Some(11), "{said}");
    assert!(said.contains("looking on, 8s at most"), "{said}");
    assert!(said.contains("about web"), "{said}");
    let (code, said) = run("FaultsNow");
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("FaultsNow does not fire at the moment"), "{said}");
    // That would take a day: it is said at once.
    let (code, said) = run("ErrorsDaily");
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("nobody knows whether ErrorsDaily fires"), "{said}");
    assert!(!said.contains("looking on"), "{said}");
    let (code, said) = run("NoSuchThing");
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("raises an alert NoSuchThing"), "{said}");
}

#[test]
fn one_who_tells_of_alerts_and_is_away_leaves_it_open() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!("[alertmanager]\nurl = \"http://{gone}\"\n");
    let bench = Bench::at(Home::new(), "test", &config, &[("look", BOOK)]);
    let ran = bench.without(&["run", "look", "--yes", "--alert", "Whatever"]);
    assert_eq!(ran.status.code(), Some(12), "{}", text(&ran));
    assert!(text(&ran).contains("nobody knows whether Whatever fires: "), "{}", text(&ran));
}
