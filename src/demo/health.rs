//! The health bodies of the shop's services, each in the manner of another
//! framework.

use super::shop::Member;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How something that a service needs is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// It answers.
    Well,
    /// Some of what is asked fails.
    Poorly,
    /// Most of what is asked fails.
    Down,
}

/// An answer: HTTP status, Content-Type, body.
pub(super) type Answer = (u16, &'static str, String);

/// The health of `member` that runs `version` and needs others that are doing so.
pub(super) fn body(member: Member, version: &str, needs: &[(Member, Doing)]) -> Answer {
    let worst = needs.iter().map(|(_, doing)| *doing).max().unwrap_or(Doing::Well);
    let down = worst == Doing::Down;
    let status = if down { 503 } else { 200 };
    match member {
        Member::Web => (if down { 500 } else { 200 }, "text/plain; charset=utf-8", livez(needs)),
        Member::Api => {
            let word = |down: bool| if down { "DOWN" } else { "UP" };
            let mut components = serde_json::Map::new();
            for (other, doing) in needs {
                let details = json!({ "database": "orders", "validationQuery": "select 1" });
                let component =
                    json!({ "status": word(*doing == Doing::Down), "details": details });
                components.insert(other.name().into(), component);
            }
            components.insert("ping".into(), json!({ "status": "UP" }));
            let body = json!({ "status": word(down), "components": components });
            (status, "application/vnd.spring-boot.actuator.v3+json", body.to_string())
        }
        Member::Payments => {
            let word = |doing| match doing {
                Doing::Well => "pass",
                Doing::Poorly => "warn",
                Doing::Down => "fail",
            };
            let mut checks = serde_json::Map::new();
            for (other, doing) in needs {
                let check = json!([{ "componentType": "system", "status": word(*doing) }]);
                checks.insert(format!("{}:availability", other.name()), check);
            }
            let body = json!({
                "status": word(worst),
                "version": version.trim_start_matches('v'),
                "releaseId": version,
                "description": "charges cards",
                "checks": checks,
            });
            (status, "application/health+json", body.to_string())
        }
        Member::Worker => {
            let word = |doing| match doing {
                Doing::Well => "Healthy",
                Doing::Poorly => "Degraded",
                Doing::Down => "Unhealthy",
            };
            let mut entries = serde_json::Map::new();
            for (other, doing) in needs {
                let entry = json!({ "data": {}, "status": word(*doing), "tags": [] });
                entries.insert(other.name().into(), entry);
            }
            entries.insert("queue".into(), json!({ "data": {}, "status": "Healthy", "tags": [] }));
            let body = json!({ "status": word(worst), "totalDuration": "00:00:00.0021", "entries": entries });
            (status, "application/json", body.to_string())
        }
        Member::Db => {
            let up: Value =
                json!({ "disk": { "status": "up" }, "connections": { "status": "up" } });
            let body = json!({ "status": "ok", "info": up, "error": {}, "details": up });
            (200, "application/json", body.to_string())
        }
        Member::Host | Member::Tracker | Member::Visitors => (200, "text/plain", "ok".into()),
    }
}

fn livez(needs: &[(Member, Doing)]) -> String {
    let mut text = String::from("[+]ping ok\n");
    let mut failed = false;
    for (other, doing) in needs {
        let down = *doing == Doing::Down;
        failed |= down;
        let (sign, word) = if down { ("[-]", "failed: reason withheld") } else { ("[+]", "ok") };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{sign}{} {word}", other.name());
    }
    text.push_str(if failed { "livez check failed\n" } else { "livez check passed\n" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_and_down_is_told_in_each_service_s_own_words() {
        let (code, _, text) = body(
            Member::Web,
            "v87",
            &[(Member::Api, Doing::Down), (Member::Payments, Doing::Well)],
        );
        assert_eq!(code, 500);
        assert_eq!(
            text,
            "[+]ping ok\n[-]api failed: reason withheld\n[+]payments ok\nlivez check failed\n"
        );
        let (code, _, text) = body(Member::Api, "v141", &[(Member::Db, Doing::Down)]);
        assert_eq!(code, 503);
        assert!(
            text.starts_with(r#"{"status":"DOWN","components":{"db":{"status":"DOWN""#),
            "{text}"
        );
        let (code, _, text) = body(Member::Payments, "v23", &[(Member::Api, Doing::Poorly)]);
        assert_eq!(code, 200);
        assert!(text.starts_with(r#"{"status":"warn","version":"23","releaseId":"v23""#), "{text}");
        let (code, _, text) = body(Member::Worker, "v30", &[(Member::Db, Doing::Poorly)]);
        assert_eq!(code, 200);
        assert!(text.contains(r#""status":"Degraded""#), "{text}");
    }

    #[test]
    fn a_service_whose_needs_are_met_is_well() {
        for member in [Member::Web, Member::Api, Member::Payments, Member::Worker, Member::Db] {
            let needs: Vec<_> = member.needs().iter().map(|other| (*other, Doing::Well)).collect();
            assert_eq!(body(member, "v1", &needs).0, 200, "{member:?}");
        }
    }
}
