//! Events on recorded bodies, and what must never be taken from one.

use super::*;
use serde_json::json;

const GLITCHTIP: &[u8] =
    include_bytes!("../../../tests/data/sentry-glitchtip/issue_event_latest.json");
const BUGSINK: &[u8] = include_bytes!("../../../tests/data/sentry-bugsink/event.json");

#[test]
fn recorded_events_have_exception_frames_and_release() {
    for (body, release, file) in
        [(GLITCHTIP, "shop@1.4.1", "send_events.py"), (BUGSINK, "shop@1.4.0", "send_events.py")]
    {
        let told = parse(body).unwrap();
        let event = &told.event;
        assert_eq!((event.kind.as_str(), event.value.as_str()), ("KeyError", "'total'"));
        assert_eq!(told.title, "KeyError: 'total'");
        assert_eq!(event.release.as_deref(), Some(release));
        assert_eq!(event.environment.as_deref(), Some("production"));
        let inner = &event.frames[0];
        assert_eq!((inner.file.as_str(), inner.function.as_str()), (file, "pay"));
        assert!(inner.own && inner.line.is_some(), "{inner:?}");
        assert_eq!(inner.code, r#"return order["total"] / 0"#);
        assert_eq!(event.frames.last().unwrap().function, "<module>");
        assert!(event.at.millis() > 1_790_000_000_000);
    }
}

#[test]
fn nothing_of_a_person_or_a_request_is_taken() {
    for body in [GLITCHTIP, BUGSINK] {
        let event = format!("{:?}", parse(body).unwrap().event);
        for secret in ["lab.test", "10.0.0.", "user.", "u2@", "sys.argv", "127.0.0.1", "loader"] {
            assert!(!event.contains(secret), "{secret}: {event}");
        }
    }
    let event = json!({
        "event_id": "e1", "timestamp": 1_795_250_777.5, "message": "boom",
        "user": { "email": "SECRET" }, "request": { "url": "http://h/?t=SECRET", "data": "SECRET",
            "headers": [["Cookie", "SECRET"]], "env": { "K": "SECRET" } },
        "extra": { "a": "SECRET" }, "contexts": { "app": { "x": "SECRET" },
            "runtime": { "name": "CPython", "version": "3.11" } },
        "breadcrumbs": [{ "message": "SECRET" }], "transaction": "GET /pay?card=SECRET",
        "tags": [["url", "http://h/?t=SECRET"], ["user", "id:SECRET"], ["browser", "Chrome 120"],
            ["customer", "SECRET"]],
        "exception": [{ "type": "A", "value": "b", "stacktrace": { "frames": [
            { "function": "f", "vars": { "password": "SECRET" }, "lineno": "7" } ] } }],
    });
    let told = super::event(&event).unwrap();
    assert!(!format!("{told:?}").replace("card=SECRET\"", "").contains("SECRET"), "{told:?}");
    let tags: Vec<String> = told.event.tags.iter().map(|(k, v)| format!("{k} {v}")).collect();
    assert_eq!(tags, ["browser Chrome 120", "transaction GET /pay", "runtime CPython 3.11"]);
    assert_eq!(told.event.frames[0].line, Some(7));
    assert_eq!(told.event.at.millis(), 1_795_250_777_500);
}

#[test]
fn of_a_chain_the_last_counts_and_of_frames_the_innermost_twenty() {
    let frames: Vec<Value> = (0..50)
        .map(|n| json!({ "function": format!("f{n}"), "inApp": n == 48, "lineNo": n }))
        .collect();
    let event = json!({
        "eventID": "e", "type": "error", "dateCreated": "2026-11-21T03:00:00Z",
        "entries": [{ "type": "breadcrumbs" }, { "type": "exception", "data": { "values": [
            { "type": "KeyError", "value": "x", "stacktrace": { "frames": frames } },
            { "type": "PaymentFailed", "value": null, "stacktrace": null } ] } }],
        "release": { "version": "shop@142" },
        "tags": [{ "key": "environment", "value": "staging" }, { "key": "level", "value": "fatal" }],
    });
    let told = super::event(&event).unwrap();
    assert_eq!((told.event.kind.as_str(), told.event.value.as_str()), ("PaymentFailed", ""));
    assert_eq!((told.title.as_str(), told.level), ("PaymentFailed", Level::Fatal));
    assert_eq!(told.event.frames.len(), 20);
    let own: Vec<&str> =
        told.event.frames.iter().filter(|f| f.own).map(|f| f.function.as_str()).collect();
    assert_eq!((told.event.frames[0].function.as_str(), own), ("f49", vec!["f48"]));
    assert_eq!(told.event.release.as_deref(), Some("shop@142"));
    assert_eq!(told.event.environment.as_deref(), Some("staging"));
}

#[test]
fn a_message_without_exception_is_its_own_value() {
    for event in [
        json!({ "event_id": "e", "logentry": { "message": "hello %s", "formatted": "hello you" } }),
        json!({ "id": "e", "entries": [{ "type": "message", "data": { "formatted": "hello you" } }] }),
        json!({ "id": "e", "message": "hello you", "exception": null, "tags": null }),
        json!({ "id": "e", "message": "", "title": "hello you", "metadata": {} }),
        json!({ "id": "r", "data": { "event_id": "e", "message": "hello you" } }),
    ] {
        let told = super::event(&event).unwrap();
        assert_eq!((told.event.kind.as_str(), told.event.value.as_str()), ("", "hello you"));
        assert_eq!((told.event.id.as_str(), told.title.as_str()), ("e", "hello you"));
    }
    assert!(parse(b"[]").is_err());
    assert!(parse(b"{}").is_err());
}
