//! Recorded answers of Alertmanager 0.25, and odd ones.

use super::answer::{ApiStatus, alerts, error, groups, receivers, silences, status};
use super::{Rest, told};
use crate::domain::alert::ALERT_NAME;
use crate::domain::reading::PollFailure;
use crate::domain::{
    AlertState, AlertsReading, PollError, Quiet, Reported, Severity, SilenceState, Timestamp,
    Watchdog,
};
use std::time::Duration;

fn recorded(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/alertmanager/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn now() -> Timestamp {
    let at = chrono::DateTime::parse_from_rfc3339("2026-11-21T08:48:00Z").unwrap();
    Timestamp::from_millis(at.timestamp_millis())
}

fn rest() -> Rest {
    Rest {
        silences: Ok(Vec::new()),
        receivers: Ok(vec!["default".into()]),
        status: Ok(ApiStatus::default()),
        counters: Ok(super::Counters::default()),
        unread: 0,
    }
}

fn reading(list: &[u8], rest: Rest) -> AlertsReading {
    let list = alerts(list).unwrap();
    told::reading(list.items, rest, now(), |_| Vec::new())
}

fn named<'r>(reading: &'r AlertsReading, name: &str) -> &'r Reported {
    let is = |alert: &&Reported| alert.labels.get(ALERT_NAME) == Some(name);
    reading.alerts.iter().find(is).unwrap()
}

#[test]
fn alerts_have_their_labels_severity_beginning_and_expression() {
    let reading = reading(&recorded("alerts.json"), rest());
    let down = named(&reading, "TargetDown");
    assert_eq!((down.severity, down.state), (Severity::Critical, AlertState::Firing));
    assert_eq!(down.since.to_string(), "2026-11-21T08:45:47.989Z");
    assert_eq!(down.expression, "up == 0");
    assert_eq!(down.link.as_deref(), Some("http://vm:19090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"));
    assert_eq!(down.receivers, ["critical"]);
    assert!(down.quiet.is_empty());
    assert_eq!(named(&reading, "AlwaysFiring").severity, Severity::Info);
    assert!(reading.notes.is_empty(), "{:?}", reading.notes);
}

#[test]
fn the_fingerprint_of_labels_is_the_servers_own() {
    for file in ["alerts.json", "alerts_inhibited.json", "alerts_silenced.json"] {
        for alert in alerts(&recorded(file)).unwrap().items {
            let own = format!("{:016x}", alert.labels.fingerprint());
            assert_eq!(own, alert.fingerprint, "{}", alert.labels);
        }
    }
}

#[test]
fn a_silenced_alert_says_by_whom_and_until_when() {
    let silences = silences(&recorded("silences.json")).unwrap();
    assert_eq!(silences.items[0].silence.matchers, ["alertname=\"TargetDown\"", "job=~\"de.*\""]);
    let rest = Rest { silences: Ok(silences.items), ..rest() };
    let told = reading(&recorded("alerts_silenced.json"), rest);
    let Quiet::Silenced { by, until, comment, .. } = &named(&told, "TargetDown").quiet[0] else {
        panic!("not silenced")
    };
    assert_eq!((by.as_str(), comment.as_str()), ("ops", "lab"));
    assert_eq!(until.unwrap().to_string(), "2026-11-21T10:47:33.000Z");
    assert_eq!(told.silences.len(), 1);
    assert_eq!(told.silences[0].state, SilenceState::Active);
}

#[test]
fn a_silence_that_could_not_be_read_still_silences_and_that_is_said() {
    let rest = Rest { silences: Err(PollError::broken("HTTP 500")), ..rest() };
    let reading = reading(&recorded("alerts_silenced.json"), rest);
    let quiet = &named(&reading, "TargetDown").quiet;
    let unknown = |quiet: &Quiet| matches!(quiet, Quiet::Silenced { until: None, .. });
    assert!(quiet.iter().all(unknown) && quiet.len() == 1, "{quiet:?}");
    assert_eq!(reading.notes, ["silences: HTTP 500"]);
}

#[test]
fn an_inhibited_alert_names_the_one_that_inhibits_it() {
    let reading = reading(&recorded("alerts_inhibited.json"), rest());
    let by = "HostDown instance=h1, severity=critical".to_owned();
    assert_eq!(named(&reading, "DiskSlow").quiet, [Quiet::Inhibited { by }]);
    assert!(named(&reading, "HostDown").quiet.is_empty());
    assert_eq!(reading.words(), "1 alert fires, 1 inhibited");
}

#[test]
fn newer_and_odder_alerts_are_read() {
    let body = r#"[
        {"labels":{"alertname":"A"},"status":{"state":"active","mutedBy":["nights"],"silencedBy":null}},
        {"labels":{"alertname":"B","n":7},"status":{"state":"unprocessed"},"receivers":["r"],"startsAt":null,
         "generatorURL":"javascript:alert(1)","annotations":{"a":"x\u001b[2Jy"}},
        {"labels":{"alertname":"C"},"status":{"state":"suppressed"},"generatorURL":"https://me:pass@p/g?g0.expr=up"},
        {"labels":{"alertname":"D"},"status":{"inhibitedBy":["ffff"]},"severity":"x"},
        {"labels":{}}, 7, null
    ]"#;
    let listed = alerts(body.as_bytes()).unwrap();
    assert_eq!(listed.unread, 3);
    let states: Vec<&str> = listed.items.iter().map(|alert| alert.state.as_str()).collect();
    assert_eq!(states, ["active", "unprocessed", "suppressed", "suppressed"]);
    let reading = told::reading(listed.items, Rest { unread: 3, ..rest() }, now(), |_| Vec::new());
    assert_eq!(reading.notes, ["3 lines of its lists could not be read"]);
    assert_eq!(named(&reading, "A").quiet, [Quiet::Muted { by: "nights".into() }]);
    let b = named(&reading, "B");
    assert!(b.quiet.is_empty() && b.link.is_none());
    assert_eq!(b.annotations["a"], "x\u{fffd}y");
    assert_eq!(b.labels.get("n"), Some("7"));
    let c = named(&reading, "C");
    assert!(matches!(c.quiet[0], Quiet::Muted { .. }));
    assert_eq!(c.link.as_deref(), Some("https://p/g?g0.expr=up"));
    assert!(
        matches!(&named(&reading, "D").quiet[0], Quiet::Inhibited { by } if by.contains("not listed"))
    );
    assert_eq!(reading.words(), "1 alert fires, 1 inhibited, 2 muted");
}

#[test]
fn groups_receivers_and_status_are_read() {
    let groups = groups(&recorded("groups.json")).unwrap();
    assert_eq!(groups.unread, 0);
    assert_eq!(groups.items[1].receiver, "critical");
    assert_eq!(groups.items[1].alerts.len(), 1);
    let listed = receivers(&recorded("receivers.json")).unwrap();
    assert_eq!(listed.items, ["default", "critical", "blackhole"]);
    assert_eq!(receivers(br#"["a", {"name": "b", "labels": {}}]"#).unwrap().items, ["a", "b"]);
    let told = status(&recorded("status.json")).unwrap();
    assert_eq!(told.version.as_deref(), Some("Alertmanager 0.25.0"));
    assert_eq!(told.cluster.unwrap().status, "disabled");
    assert_eq!(status(b"{}").unwrap(), ApiStatus::default());
}

#[test]
fn old_silences_are_left_out_and_those_in_force_come_first() {
    let one = |id: &str, state: &str, ends: &str| {
        format!(
            r#"{{"id":"{id}","status":{{"state":"{state}"}},"endsAt":"{ends}","matchers":[
               {{"name":"a","value":"b","isRegex":false,"isEqual":false}}]}}"#
        )
    };
    let body = format!(
        "[{},{},{},{},{{}}]",
        one("old", "expired", "2026-11-20T08:00:00Z"),
        one("ended", "expired", "2026-11-21T08:00:00Z"),
        one("later", "pending", "2026-11-22T08:00:00Z"),
        one("now", "active", "2026-11-21T09:00:00Z"),
    );
    let listed = silences(body.as_bytes()).unwrap();
    assert_eq!((listed.items.len(), listed.unread), (4, 1));
    let rest = Rest { silences: Ok(listed.items), ..rest() };
    let reading = reading(b"[]", rest);
    let ids: Vec<&str> = reading.silences.iter().map(|silence| silence.id.as_str()).collect();
    assert_eq!(ids, ["now", "later", "ended"]);
    assert_eq!(reading.silences[0].matchers, ["a!=\"b\""]);
}

#[test]
fn errors_come_in_several_shapes() {
    let bare = error(400, "", &recorded("err_filter.json"));
    assert_eq!(bare.message, "HTTP 400: bad matcher format: foo~bar");
    let object = error(422, "", &recorded("err_silence_nocomment.json"));
    assert_eq!(object.message, "HTTP 422: comment in body is required");
    assert_eq!(error(500, "", b"").message, "HTTP 500");
    let denied = error(401, "", b"\"secret detail\"");
    assert_eq!(denied.cause, PollFailure::Denied);
    assert!(!denied.message.contains("secret"));
    let limited = error(429, "7", b"{}");
    assert_eq!(limited.cause, PollFailure::Limited);
    assert_eq!(limited.retry_after, Some(Duration::from_secs(7)));
    for body in ["", "<html>", "{}", "7", "\"no\""] {
        assert!(alerts(body.as_bytes()).is_err(), "{body}");
    }
    assert!(alerts(b"null").unwrap().items.is_empty());
    let envelope = alerts(br#"{"status":"success","data":[{"labels":{"a":"b"}}]}"#).unwrap();
    assert_eq!(envelope.items.len(), 1);
}

#[test]
fn a_watchdog_is_expected_once_it_was_seen_or_where_the_config_names_it() {
    let with = || reading(br#"[{"labels":{"alertname":"Watchdog"}}]"#, rest());
    let without = || reading(b"[]", rest());
    let (mut first, mut second, mut third) = (without(), with(), without());
    let seen = told::watchdog(&mut first, None, None);
    assert_eq!((seen.as_ref(), &first.watchdog), (None, &None));
    let seen = told::watchdog(&mut second, None, seen.as_deref());
    assert_eq!(second.watchdog, Some(Watchdog { name: "Watchdog".into(), fires: true }));
    assert_eq!(second.words(), "no alert fires");
    let seen = told::watchdog(&mut third, None, seen.as_deref());
    assert_eq!(seen.as_deref(), Some("Watchdog"));
    assert_eq!(third.complaint().as_deref(), Some("Watchdog does not fire: alerts may not arrive"));
    let mut named = with();
    told::watchdog(&mut named, Some("AlwaysFiring"), None);
    assert_eq!(named.watchdog, Some(Watchdog { name: "AlwaysFiring".into(), fires: false }));
}
