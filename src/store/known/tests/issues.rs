//! Issues: their order, those of a service, and what they count for.

use super::*;
use crate::domain::{
    CrashFree, Issue, IssueEvent, IssueRules, IssuesReading, Level, Num, Release, Trend,
};
use crate::store::{Look, Looked, Seen};

const MINUTE: Duration = Duration::from_mins(1);

fn issue(id: &str, trend: Trend, level: Level, events: u64) -> Issue {
    Issue {
        id: id.into(),
        short: id.to_uppercase(),
        project: "api".into(),
        service: Some("api".into()),
        title: format!("Error {id}"),
        trend,
        level,
        events,
        first: START - Duration::from_hours(48),
        last: START,
        ..Issue::default()
    }
}

fn world(rules: IssueRules) -> World {
    let api = Service { projects: vec!["api".into()], ..service("api") };
    let mut world = World::new(Inventory {
        sources: vec![check("api", "http"), check("db", "http"), source("sentry", Role::Issues)],
        services: vec![api, service("db")],
        issues: rules,
        ..Inventory::default()
    });
    world.poll("check/api/http", fine());
    world.poll("check/db/http", fine());
    world
}

fn told(issues: Vec<Issue>) -> Result<Reading, PollError> {
    Ok(Reading::Issues(Arc::new(IssuesReading { issues, ..IssuesReading::default() })))
}

fn counting(trends: &[Trend]) -> IssueRules {
    IssueRules { warning: trends.to_vec(), ..IssueRules::default() }
}

#[test]
fn what_changed_comes_first_then_what_is_worse_and_more_frequent() {
    let mut world = world(IssueRules::default());
    world.poll(
        "sentry",
        told(vec![
            issue("warned", Trend::Ongoing, Level::Warning, 9_000),
            issue("rare", Trend::Ongoing, Level::Error, 3),
            issue("often", Trend::Ongoing, Level::Error, 300),
            issue("fatal", Trend::Ongoing, Level::Fatal, 1),
            issue("new", Trend::New, Level::Warning, 1),
            issue("back", Trend::Regressed, Level::Error, 1),
            issue("grows", Trend::Escalating, Level::Info, 1),
        ]),
    );
    let ids: Vec<&str> = world.known.issues().iter().map(|(_, one)| one.id.as_str()).collect();
    assert_eq!(ids, ["grows", "back", "new", "fatal", "often", "rare", "warned"]);
    let source = SourceId::from("sentry");
    assert_eq!(world.known.issue(&source, "often").unwrap().events, 300);
    assert!(world.known.issue(&source, "none").is_none());
    assert!(world.known.issue(&"other".into(), "often").is_none());
}

#[test]
fn issues_count_for_nothing_unless_the_config_says_so() {
    let mut plain = world(IssueRules::default());
    plain.poll("sentry", told(vec![issue("a", Trend::Escalating, Level::Fatal, 900)]));
    assert_eq!(plain.service("api").status, Status::Ok);
    assert_eq!(plain.alert_names(), Vec::<&str>::new());

    let mut strict = world(counting(&[Trend::Regressed, Trend::Escalating]));
    assert_eq!(strict.service("api").status, Status::Unknown, "nobody knows yet");
    assert_eq!(strict.service("db").status, Status::Ok, "it has no project");
    strict.poll("sentry", told(vec![issue("a", Trend::New, Level::Fatal, 900)]));
    assert_eq!(strict.service("api").status, Status::Ok);
    let both = [
        issue("a", Trend::Regressed, Level::Error, 9),
        issue("b", Trend::Escalating, Level::Error, 1),
    ];
    strict.seconds(10).poll("sentry", told(both.to_vec()));
    let standing = strict.service("api");
    assert_eq!(standing.status, Status::Warning);
    assert_eq!(standing.reason, "escalating issue B: Error b, 1 more");
    let since = standing.since;
    strict.seconds(10).poll("sentry", told(both.to_vec()));
    assert_eq!(strict.service("api").since, since, "it goes on");
    let glance = crate::store::Glance::of(&strict.known);
    assert_eq!(glance.problems[0].name, "api");
    strict.seconds(10).poll("sentry", told(Vec::new()));
    assert_eq!(strict.service("api").status, Status::Ok);
}

#[test]
fn a_tracker_that_fails_is_a_source_down_and_what_counts_turns_unknown_when_it_is_old() {
    let mut world = world(counting(&[Trend::Regressed]));
    world.poll("sentry", told(vec![issue("a", Trend::Regressed, Level::Error, 9)]));
    assert_eq!(world.service("api").status, Status::Warning);
    let denied = Err(PollError::new(PollFailure::Denied, "HTTP 401: the token is not accepted"));
    world.poll_thrice("sentry", &denied);
    assert_eq!(world.alert_names(), ["SourceDown"]);
    assert!(world.known.alerts[0].reason.ends_with("HTTP 401: the token is not accepted"));
    assert_eq!(world.service("api").status, Status::Warning, "still as last seen");
    world.later(4 * EVERY).poll("check/api/http", fine());
    world.poll("sentry", denied);
    let standing = world.service("api");
    assert_eq!((standing.status, standing.mark), (Status::Unknown, Some(Mark::Stale)));
    assert_eq!(standing.reason, "no answer from sentry");
    world.seconds(1).poll("sentry", told(Vec::new()));
    assert_eq!(world.service("api").status, Status::Ok);
}

#[test]
fn a_share_of_crashes_that_is_too_high_counts_where_the_config_has_a_limit() {
    let limits = Thresholds { below: true, warning: Some(0.99), critical: Some(0.95) };
    let mut world = world(IssueRules { crash_free: limits, ..IssueRules::default() });
    for (share, status, words) in [
        (Some(0.999), Status::Ok, ""),
        (Some(0.98), Status::Warning, "crash-free sessions 98% < 99% in api"),
        (Some(0.5), Status::Critical, "crash-free sessions 50% < 95% in api"),
        (None, Status::Ok, ""),
    ] {
        let sessions = share.map(Num);
        let crash_free = vec![
            CrashFree { project: "api".into(), sessions, users: None },
            CrashFree { project: "web".into(), sessions: Some(Num(0.1)), users: None },
        ];
        let reading = IssuesReading { crash_free, ..IssuesReading::default() };
        world.seconds(10).poll("sentry", Ok(Reading::Issues(Arc::new(reading))));
        let standing = world.service("api");
        assert_eq!(standing.status, status, "{standing:?}");
        if status != Status::Ok {
            assert_eq!(standing.reason, words);
        }
        assert_eq!(world.known.issues_of(&"api".into()).unwrap().crash_free, share);
    }
}

#[test]
fn a_service_has_its_issues_counted_since_its_newest_release() {
    let mut world = world(IssueRules::default());
    assert_eq!(world.known.issues_of(&"api".into()), None, "nothing was told yet");
    let release = |version: &str, ago: u32, service: &str| Release {
        version: version.into(),
        service: Some(service.into()),
        at: START - ago * MINUTE,
        ..Release::default()
    };
    let mut fresh = issue("fresh", Trend::New, Level::Error, 318);
    fresh.first = START - MINUTE;
    let mut named = issue("named", Trend::Ongoing, Level::Error, 5);
    named.first_release = Some("v142".into());
    let mut other = issue("other", Trend::New, Level::Fatal, 5);
    other.service = Some("web".into());
    let issues = vec![fresh, named, issue("old", Trend::Ongoing, Level::Error, 5), other];
    let reading = IssuesReading {
        issues: issues.clone(),
        releases: vec![
            release("v142", 9, "api"),
            release("v141", 900, "api"),
            release("w7", 1, "web"),
        ],
        ..IssuesReading::default()
    };
    world.poll("sentry", told(issues));
    let words = world.known.issues_of(&"api".into()).unwrap().words();
    assert_eq!(words, "1 new, 3 unresolved", "without a release the server's word counts");
    world.seconds(1).poll("sentry", Ok(Reading::Issues(Arc::new(reading))));
    let issues = world.known.issues_of(&"api".into()).unwrap();
    assert_eq!((issues.unresolved, issues.new, issues.release), (3, 2, Some("v142")));
    assert_eq!(issues.words(), "2 new since v142, 3 unresolved");
    assert_eq!(issues.first.unwrap().1.id, "fresh");
    assert_eq!(world.known.issues_of(&"db".into()), None, "it has no project");
    world.seconds(1).poll("sentry", told(Vec::new()));
    assert_eq!(world.known.issues_of(&"api".into()).unwrap().words(), "no issues");
}

#[test]
fn the_event_of_an_issue_is_found_once_it_was_looked_at() {
    let mut world = world(IssueRules::default());
    let source = SourceId::from("sentry");
    assert!(world.known.issue_event(&source, "a").is_none());
    let event = IssueEvent { id: "e".into(), ..IssueEvent::default() };
    for (id, outcome) in
        [("a", Ok(Seen::Event(event))), ("b", Err(PollError::broken("the answer is cut off")))]
    {
        let look = Look::Issue(id.into());
        let looked = Looked { source: source.clone(), look, at: world.now, outcome };
        world.known.take(world.now, &Msg::Looked(looked));
    }
    assert_eq!(world.known.issue_event(&source, "a").unwrap().1.unwrap().id, "e");
    let error = world.known.issue_event(&source, "b").unwrap().1.unwrap_err();
    assert_eq!(error.message, "the answer is cut off");
}

#[test]
fn after_a_reload_nothing_is_told_of_what_another_source_of_the_same_name_told() {
    let mut world = world(IssueRules::default());
    let release = Release { version: "v1".into(), at: START, ..Release::default() };
    let reading = IssuesReading { releases: vec![release], ..IssuesReading::default() };
    world.seconds(1).poll("sentry", Ok(Reading::Issues(Arc::new(reading))));
    let outcome = Ok(Seen::Event(IssueEvent::default()));
    let looked =
        Looked { source: "sentry".into(), look: Look::Issue("1".into()), at: world.now, outcome };
    world.known.take(world.now, &Msg::Looked(looked));
    let same = Arc::clone(&world.known.inventory);
    world.known.take(world.now, &Msg::Reloaded(Ok(same)));
    assert_eq!((world.known.releases.len(), world.known.looked.len()), (1, 1));
    let mut next = Inventory::clone(&world.known.inventory);
    for info in &mut next.sources {
        info.asks = "http://elsewhere".into();
    }
    world.known.take(world.now, &Msg::Reloaded(Ok(Arc::new(next))));
    assert!(world.known.releases.is_empty() && world.known.looked.is_empty());
}
