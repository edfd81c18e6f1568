//! Bodies of many kinds, in the shapes that their makers document.

use super::*;

fn body(text: &str) -> (Option<Status>, Vec<(String, Status)>) {
    let body = read(&serde_json::from_str(text).unwrap());
    let parts = body.components.into_iter().map(|part| (part.name, part.status)).collect();
    (body.status, parts)
}

fn part(name: &str, status: Status) -> (String, Status) {
    (name.to_owned(), status)
}

const OK: Status = Status::Ok;
const BAD: Status = Status::Critical;

#[test]
fn spring_boot_in_three_generations() {
    let first = body(
        r#"{"status":"UP","diskSpace":{"status":"UP","free":1},"db":{"status":"DOWN","database":"MySQL"}}"#,
    );
    assert_eq!(first.1, [part("diskSpace", OK), part("db", BAD)]);
    let second = body(
        r#"{"status":"UP","details":{"db":{"status":"UP","details":{"database":"H2","hello":1}}}}"#,
    );
    assert_eq!(second, (Some(OK), vec![part("db", OK)]));
    let nested = body(
        r#"{"status":"DOWN","components":{"db":{"status":"DOWN","components":{"a":{"status":"UP"},"b":{"status":"DOWN"}}}}}"#,
    );
    assert_eq!(nested.0, Some(BAD));
    assert_eq!(nested.1, [part("db", BAD), part("db/a", OK), part("db/b", BAD)]);
}

#[test]
fn lists_of_results_by_name() {
    let laravel = r#"{"finishedAt":1,"checkResults":[{"name":"Database","label":"Database","status":"ok"},
        {"name":"Disk","status":"warning","shortSummary":"92%"},{"name":"Queue","status":"crashed"}]}"#;
    let expected = [part("Database", OK), part("Disk", Status::Warning), part("Queue", BAD)];
    assert_eq!(body(laravel), (Some(BAD), expected.to_vec()));
    let python = r#"{"status":"failure","results":[{"checker":"redis_up","output":"redis ok","passed":true},
        {"checker":"db_up","output":"refused","passed":false}]}"#;
    assert_eq!(body(python), (Some(BAD), vec![part("redis_up", OK), part("db_up", BAD)]));
    let watchman = r#"{"databases":[{"default":{"ok":true}}],"caches":[{"default":{"ok":false,"error":"x"}}],"storage":{"ok":true}}"#;
    let expected =
        [part("databases/default", OK), part("caches/default", BAD), part("storage", OK)];
    assert_eq!(body(watchman), (Some(BAD), expected.to_vec()));
}

#[test]
fn servers_that_speak_of_themselves() {
    assert_eq!(body(r#"{"initialized":true,"sealed":true,"standby":true}"#).0, Some(BAD));
    assert_eq!(
        body(r#"{"installed":true,"maintenance":true,"needsDbUpgrade":false}"#).0,
        Some(Status::Warning)
    );
    assert_eq!(body(r#"{"health":"false","reason":"NO LEADER"}"#).0, Some(BAD));
    assert_eq!(
        body(r#"{"cluster_name":"x","status":"yellow","timed_out":false}"#).0,
        Some(Status::Warning)
    );
    assert_eq!(body(r#"{"status":"SERVING"}"#).0, Some(OK));
    let report = r#"{"status":"red","cluster_name":"c","indicators":{"disk":{"status":"green","symptom":"fine"},
        "shards":{"status":"red","symptom":"2 primaries lost"}}}"#;
    assert_eq!(body(report), (Some(BAD), vec![part("disk", OK), part("shards", BAD)]));
    let connect =
        r#"{"name":"sink","connector":{"state":"RUNNING"},"tasks":[{"id":0,"state":"FAILED"}]}"#;
    assert_eq!(body(connect), (Some(BAD), vec![part("connector", OK), part("tasks/0", BAD)]));
    let ceph = r#"{"health":{"status":"HEALTH_WARN","checks":{"OSD_DOWN":{"severity":"HEALTH_WARN","summary":{"message":"1 osds down"}}}}}"#;
    assert_eq!(body(ceph), (Some(Status::Warning), vec![part("OSD_DOWN", Status::Warning)]));
    let airflow = r#"{"metadatabase":{"status":"healthy"},"triggerer":{"status":null}}"#;
    assert_eq!(body(airflow), (Some(OK), vec![part("metadatabase", OK)]));
}

#[test]
fn a_whole_that_says_ok_over_a_part_that_failed_is_a_warning() {
    assert_eq!(body(r#"{"status":"ok","redis":"disconnected"}"#).0, Some(Status::Warning));
    assert_eq!(body(r#"{"status":"ok","checks":{"db":{"status":"warn"}}}"#).0, Some(OK));
    assert_eq!(body(r#"{"status":"ok","ready":false}"#).0, Some(BAD));
}

#[test]
fn a_part_that_is_not_critical_warns_at_most() {
    let optional =
        r#"[{"name":"db","healthy":true},{"name":"mail","healthy":false,"critical":false}]"#;
    assert_eq!(body(optional).0, Some(Status::Warning));
    assert_eq!(body(r#"[{"name":"db","healthy":false,"critical":true}]"#).0, Some(BAD));
}

#[test]
fn kubernetes_conditions_know_which_value_is_good() {
    let node = r#"{"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"Unknown"}]}"#;
    let expected = vec![part("MemoryPressure", OK), part("Ready", Status::Unknown)];
    assert_eq!(body(node), (Some(Status::Unknown), expected));
}

#[test]
fn what_describes_is_no_part() {
    let told = body(
        r#"{"status":"ok","version":"1","environment":"stable","debug":false,"orchestrator_state":"FAILED",
        "features":{"dark":false},"uptime":0,"service":"shop","data":{"rows":3},"message":"ok"}"#,
    );
    assert_eq!(told, (Some(OK), vec![]));
    assert_eq!(body(r#"{"name":"api","items":[1,2],"total":2}"#), (None, vec![]));
    assert_eq!(body(r#"{"database":"ok","version":"7.4.0","enterpriseCommit":"59a"}"#).0, Some(OK));
}

#[test]
fn what_is_unclear_is_unknown() {
    assert_eq!(body(r#"{"status":0}"#).0, Some(Status::Unknown));
    assert_eq!(body(r#"{"cache":"working","db":"hm"}"#).0, Some(Status::Unknown));
    assert_eq!(body(r#"{"checks":{"db":null}}"#).0, Some(Status::Unknown));
}

#[test]
fn errors_of_apis_count_where_there_is_no_verdict() {
    assert_eq!(
        body(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}"#).0,
        Some(BAD)
    );
    assert_eq!(
        body(r#"{"data":{"a":1},"errors":[{"message":"b failed"}]}"#).0,
        Some(Status::Warning)
    );
    assert_eq!(body(r#"{"code":500,"msg":"boom"}"#).0, Some(BAD));
    assert_eq!(body(r#"{"code":0,"data":{"status":"DOWN"}}"#).0, Some(BAD));
    assert_eq!(body(r#"{"error":{},"data":1}"#).0, None);
}

#[test]
fn a_body_without_end_is_read_within_bounds() {
    let many: String =
        (0..5_000).flat_map(|i| ["\"c".into(), i.to_string(), "\":\"ok\",".into()]).collect();
    let wide = body(&format!("{{\"checks\":{{{many}\"z\":\"ok\"}}}}"));
    assert_eq!(wide.1.len(), MOST_COMPONENTS);
    let deep = format!("{}1{}", "{\"checks\":{\"a\":".repeat(50), "}}".repeat(50));
    assert_eq!(body(&deep).0, None);
}

#[test]
fn envelopes_and_older_shapes_are_looked_into() {
    assert_eq!(body(r#"{"status":{"code":"UP","description":""}}"#).0, Some(OK));
    assert_eq!(body(r#"{"status":"success","data":{"db":"down"}}"#).0, Some(BAD));
    assert_eq!(body(r#"{"status":"success","data":{"order":{"status":"failed"}}}"#).0, Some(OK));
    assert_eq!(body(r#"{"page":{"name":"x","status":"HASISSUES"}}"#).0, Some(Status::Warning));
    let sentry =
        r#"{"problems":[],"healthy":{"WarningStatusCheck":true,"CeleryAliveCheck":false}}"#;
    let expected = vec![part("WarningStatusCheck", OK), part("CeleryAliveCheck", BAD)];
    assert_eq!(body(sentry), (Some(BAD), expected));
    let heroku =
        r#"{"status":[{"system":"Apps","status":"green"},{"system":"Data","status":"yellow"}]}"#;
    let expected = vec![part("Apps", OK), part("Data", Status::Warning)];
    assert_eq!(body(heroku), (Some(Status::Warning), expected));
    let solr = r#"{"responseHeader":{"status":0,"QTime":1},"status":"OK"}"#;
    assert_eq!(body(solr), (Some(OK), vec![]));
    assert_eq!(body(r#"{"healthy_count":2,"unhealthy_count":1}"#).0, Some(Status::Warning));
    let symfony = r#"{"checks":[{"checkName":"Disk","status":1,"status_name":"check_result_critical"}],"globalStatus":"KO"}"#;
    assert_eq!(body(symfony), (Some(BAD), vec![part("Disk", BAD)]));
    let nomad = r#"{"server":{"ok":true,"message":"ok"},"client":{"ok":false,"message":"lost"}}"#;
    assert_eq!(body(nomad), (Some(BAD), vec![part("server", OK), part("client", BAD)]));
    let docker = r#"{"State":{"Status":"running","Health":{"Status":"unhealthy"}}}"#;
    assert_eq!(body(docker).0, Some(BAD));
    let ksql = r#"{"isHealthy":true,"details":{"kafka":{"isHealthy":true}},"serverState":"READY"}"#;
    assert_eq!(body(ksql), (Some(OK), vec![part("kafka", OK)]));
    let consul = r#"[{"Node":{"Node":"a"},"Service":{"ID":"web"},"Checks":[{"CheckID":"serfHealth","Status":"passing"},{"CheckID":"web","Status":"warning"}]}]"#;
    let expected = vec![part("serfHealth", OK), part("web", Status::Warning)];
    assert_eq!(body(consul), (Some(Status::Warning), expected));
}
