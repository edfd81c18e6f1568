//! Issues on recorded bodies and on shapes of Sentry's documentation.

use super::*;
use serde_json::json;
use std::time::Duration;

const GLITCHTIP: &[u8] = include_bytes!("../../../tests/data/sentry-glitchtip/issues.json");
const PAGE_1: &[u8] = include_bytes!("../../../tests/data/sentry-glitchtip/issues_page1.json");

#[test]
fn recorded_issues_of_glitchtip_are_read() {
    let (issues, odd) = page(GLITCHTIP).unwrap();
    assert_eq!((issues.len(), odd), (17, 0));
    let Told { issue, status, kind, trend_told } = &issues[0];
    assert_eq!((issue.short.as_str(), issue.id.as_str()), ("WORKER-7", "17"));
    assert_eq!((issue.project.as_str(), issue.level), ("worker", Level::Warning));
    assert_eq!((issue.events, issue.users, issue.hours.len()), (1, Some(0), 0));
    assert_eq!(issue.first.to_string(), "2026-11-21T08:49:38.664Z");
    assert_eq!((status.as_str(), kind.as_str(), *trend_told), ("unresolved", "default", false));
    assert_eq!(issue.link.as_deref(), Some("http://127.0.0.1:18000/worker/issues/17"));
    let most = issues.iter().map(|told| told.issue.events).max();
    assert_eq!(most, Some(22), "counts are texts there");
    assert_eq!(page(PAGE_1).unwrap().0.len(), 2);
}

#[test]
fn an_issue_of_sentry_has_its_trend_series_and_releases() {
    let value = json!({
        "id": "77", "shortId": "SHOP-12", "title": "TypeError: x is undefined",
        "culprit": "checkout.views in pay", "level": "fatal", "status": "unresolved",
        "substatus": "regressed", "count": "318", "userCount": 94, "isUnhandled": true,
        "firstSeen": "2026-11-20T10:00:00Z", "lastSeen": "2026-11-21T03:03:00.123456Z",
        "firstRelease": { "version": "shop@142" }, "lastRelease": "shop@143",
        "project": { "id": "2", "slug": "api", "name": "API" }, "type": "error",
        "lifetime": null, "filtered": null, "permalink": "https://shop.sentry.io/issues/77/",
        "stats": { "24h": (0..26).map(|n| json!([1_541_455_200 + n * 3_600, n])).collect::<Vec<_>>() },
    });
    let told = issue(&value).unwrap();
    assert!(told.is_open() && told.trend_told);
    let issue = told.issue;
    assert_eq!((issue.level, issue.trend), (Level::Fatal, Trend::Regressed));
    assert_eq!((issue.events, issue.users, issue.unhandled), (318, Some(94), Some(true)));
    assert_eq!((issue.hours.len(), issue.hours[0], issue.hours[23]), (24, 2, 25));
    assert_eq!(issue.first_release.as_deref(), Some("shop@142"));
    assert_eq!(issue.last_release.as_deref(), Some("shop@143"));
}

#[test]
fn what_is_missing_odd_or_hostile_does_no_harm() {
    let told = issue(&json!({ "id": 5 })).unwrap();
    assert_eq!((told.issue.id.as_str(), told.issue.title.as_str()), ("5", "without a title"));
    assert!(told.is_open() && !told.trend_told);
    let told = issue(&json!({
        "id": "6", "title": "a\u{1b}[2Jb\u{202e}c", "level": "sparkling", "substatus": "simmering",
        "count": null, "stats": { "24h": [[1, null], [2], "x", [3, "4"]] }, "project": "web",
        "permalink": "javascript:alert(1)", "metadata": null, "firstSeen": "2026-11-20T10:00:00",
        "lastSeen": null, "status": "ignored",
    }))
    .unwrap();
    assert_eq!(told.issue.title, "a\u{fffd}b\u{fffd}c");
    assert_eq!((told.issue.level, told.issue.trend), (Level::Error, Trend::Ongoing));
    assert_eq!((told.issue.events, &told.issue.hours[..]), (0, &[0, 0, 0, 4][..]));
    assert_eq!((told.issue.project.as_str(), told.issue.link), ("web", None));
    assert_eq!(told.issue.last, told.issue.first);
    assert!(!Told { status: "ignored".into(), ..issue(&json!({ "id": 1 })).unwrap() }.is_open());
    assert!(issue(&json!({ "title": "no id" })).is_none());
    let (issues, odd) = page(br#"[{"id":"1"},7,{"title":"x"},null]"#).unwrap();
    assert_eq!((issues.len(), odd), (1, 3));
    assert!(page(br#"["slow down"]"#).is_err());
    assert!(page(br#"{"detail":"x"}"#).is_err());
    assert_eq!(page(b"[]").unwrap(), (Vec::new(), 0));
}

#[test]
fn the_next_page_is_found_in_every_form_of_the_header() {
    let plain = r#"<https://h/api/0/x/?&cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", <https://h/api/0/x/?&cursor=0:100:0>; rel="next"; results="true"; cursor="0:100:0""#;
    let last = plain.replace("results=\"true\"", "results=\"false\"");
    let wrapped = r#"{'<http://h/api/0/i/?limit=2>; rel="previous"; results="false", <http://h/api/0/i/?cursor=cD0yM%3D%3D&limit=2>; rel="next"; results="true"; cursor="cD0yM=="'}"#;
    let wrapped_last = r#"{'<http://h/i/?q=1>; rel="previous"; results="false", <http://h/i/?q=1>; rel="next"; results="false"'}"#;
    for (link, cursor) in [
        (plain, Some("0:100:0")),
        (last.as_str(), None),
        (wrapped, Some("cD0yM==")),
        (wrapped_last, None),
        ("", None),
        (r"<https://h/?cursor=a%2Cb>; rel=next", Some("a,b")),
        (r#"<https://h/?page=2>; rel="next"; cursor="c""#, Some("c")),
        (r#"<https://h/?page=2>; rel="next""#, None),
        (r#"<https://h/?cursor=1; rel="next""#, None),
        ("<>;;;=<", None),
    ] {
        assert_eq!(next_cursor(link).as_deref(), cursor, "{link}");
    }
}

fn open(id: &str, first: Timestamp) -> Told {
    let mut told = issue(&json!({ "id": id })).unwrap();
    told.issue.first = first;
    told
}

#[test]
fn an_issue_that_was_gone_and_is_back_has_regressed_for_a_week() {
    let day = Duration::from_hours(24);
    let start = Timestamp::from_millis(1_700_000_000_000);
    let mut watched = Watched::default();
    let mut trend = |at: Timestamp, ids: &[&str], whole: bool| {
        let mut issues: Vec<Told> = ids.iter().map(|id| open(id, start - day / 2)).collect();
        watched.judge(&mut issues, whole, at);
        issues.iter().map(|told| told.issue.trend).collect::<Vec<_>>()
    };
    assert_eq!(trend(start, &["a", "b"], true), [Trend::New, Trend::New]);
    assert_eq!(trend(start + day, &["a", "b"], true), [Trend::Ongoing, Trend::Ongoing]);
    // An answer that was cut short says of nothing that it is gone.
    assert_eq!(trend(start + day, &["a"], false), [Trend::Ongoing]);
    assert_eq!(trend(start + day, &["a", "b"], true), [Trend::Ongoing, Trend::Ongoing]);
    assert_eq!(trend(start + day, &["a"], true), [Trend::Ongoing]);
    assert_eq!(trend(start + 2 * day, &["a", "b"], true), [Trend::Ongoing, Trend::Regressed]);
    assert_eq!(trend(start + 3 * day, &["a", "b"], true), [Trend::Ongoing, Trend::Regressed]);
    assert_eq!(trend(start + 10 * day, &["a", "b"], true), [Trend::Ongoing, Trend::Ongoing]);
}

#[test]
fn what_is_remembered_of_issues_is_bounded() {
    let mut watched = Watched::default();
    let start = Timestamp::from_millis(1_700_000_000_000);
    for round in 0..4_u32 {
        let ids: Vec<String> = (0..3_000).map(|n| format!("{round}-{n}")).collect();
        let mut issues: Vec<Told> = ids.iter().map(|id| open(id, start)).collect();
        watched.judge(&mut issues, true, start + Duration::from_secs(round.into()));
    }
    assert!(watched.open.len() <= MOST && watched.gone.len() <= MOST);
}
