//! Check lines with values in them, and whether what they name is there.

use super::plan::Names;
use super::values::{USUAL, whole};
use crate::domain::runs::{Condition, Held, Value};
use crate::domain::{harmless_within, nearest};

/// The line and its condition with `$NAME` and `${NAME}` in names and in quoted
/// texts of PromQL turned into values. What a step captures is not known when
/// the plan is made, and a secret is asked by no check.
pub(super) fn with_values(
    line: &str,
    condition: &Condition,
    values: &[Value],
) -> Result<(String, Condition), String> {
    if !line.contains('$') {
        return Ok((line.to_owned(), condition.clone()));
    }
    let name = |text: &str| filled(text, values);
    let condition = match condition {
        Condition::Service { name: service, status } => {
            Condition::Service { name: name(service.as_str())?.into(), status: *status }
        }
        Condition::Check { name: check, status } => {
            Condition::Check { name: name(check)?, status: *status }
        }
        Condition::Alert { name: alert, firing } => {
            Condition::Alert { name: name(alert)?, firing: *firing }
        }
        Condition::Backup { name: backup } => Condition::Backup { name: name(backup)? },
        Condition::Promql { expr } => Condition::Promql { expr: name(expr)? },
    };
    Ok((filled(line, values)?, condition))
}

/// A text with values in the places of their names. Values are plain words:
/// they end no quote and mean nothing to a regular expression but a dot.
fn filled(text: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let braced = behind.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, after) = if let Some(parts) = braced {
            parts
        } else {
            let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            behind.split_at(end.unwrap_or(behind.len()))
        };
        if !super::given::is_identifier(name) {
            // The end of a regular expression: `=~"api$"`.
            out.push('$');
            rest = behind;
            continue;
        }
        let shown = harmless_within(name, 40);
        let value = values.iter().find(|value| value.name == name);
        let text = match value.map(|value| &value.held) {
            Some(Held::Text(text)) => text,
            Some(Held::Captured(_)) => {
                return Err(format!(
                    "${shown} is captured, and a check knows only what is known before the start"
                ));
            }
            Some(Held::Secret) => {
                return Err(format!("${shown} is a secret, and checks are shown"));
            }
            None => return Err(format!("${shown} has no value")),
        };
        if !whole(USUAL).is_ok_and(|usual| usual.is_match(text)) {
            let value = harmless_within(text, 60);
            return Err(format!("`{value}` in ${shown} is no plain word"));
        }
        out.push_str(text);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether the line has `$NAME` or `${NAME}` in it.
pub(super) fn speaks_of(line: &str, name: &str) -> bool {
    line.split('$').skip(1).any(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let behind = rest.strip_prefix(name);
        behind.is_some_and(|it| !it.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

/// Whether what it names is there; what was meant where it is not.
pub(super) fn known(condition: &Condition, names: &Names) -> Result<(), String> {
    let missing = |what: &str, name: &str, near: Option<&str>| {
        let shown = harmless_within(name, 60);
        let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Err(format!("there is no {what} {shown}{meant}"))
    };
    match condition {
        Condition::Service { name, .. } => {
            let known = || names.services.keys().map(String::as_str);
            if known().any(|it| it == name.as_str()) {
                Ok(())
            } else {
                missing("service", name.as_str(), nearest(name.as_str(), known()))
            }
        }
        Condition::Check { name, .. } => {
            let last = |full: &str| full.rsplit('/').next().unwrap_or_default().to_owned();
            let named: Vec<&String> = if name.contains('/') {
                names.checks.get(name).into_iter().collect()
            } else {
                names.checks.iter().filter(|full| last(full) == *name).collect()
            };
            match named.as_slice() {
                [_] => Ok(()),
                [] => {
                    let lasts: Vec<String> = names.checks.iter().map(|full| last(full)).collect();
                    let whole = names.checks.iter().map(String::as_str);
                    let near = if name.contains('/') {
                        nearest(name, whole)
                    } else {
                        nearest(name, lasts.iter().map(String::as_str))
                    };
                    missing("check", name, near)
                }
                many => {
                    let many: Vec<&str> = many.iter().map(|it| it.as_str()).collect();
                    Err(format!("several checks are called so: {}", many.join(", ")))
                }
            }
        }
        Condition::Backup { name } => {
            if names.backups.contains(name) {
                Ok(())
            } else {
                missing("backup", name, nearest(name, names.backups.iter().map(String::as_str)))
            }
        }
        Condition::Alert { name, .. } if names.more_alerts || names.alerts.contains(name) => Ok(()),
        Condition::Alert { name, .. } => {
            missing("alert", name, nearest(name, names.alerts.iter().map(String::as_str)))
        }
        Condition::Promql { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;
    use crate::domain::runs::{Origin, StepId};

    fn value(name: &str, held: Held) -> Value {
        Value { name: name.into(), held, origin: Origin::Chosen, pattern: None }
    }

    fn expr(text: &str, values: &[Value]) -> Result<String, String> {
        let condition = Condition::Promql { expr: text.into() };
        match with_values(text, &condition, values)?.1 {
            Condition::Promql { expr } => Ok(expr),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_check_line_can_speak_of_the_service_it_is_about() {
        let values = [value("SERVICE", Held::Text("api".into()))];
        let condition = Condition::Service { name: "$SERVICE".into(), status: Status::Ok };
        let (line, condition) = with_values("service $SERVICE is ok", &condition, &values).unwrap();
        assert_eq!(line, "service api is ok");
        assert_eq!(condition, Condition::Service { name: "api".into(), status: Status::Ok });
        let promql = "up{job=\"${SERVICE}\",x=~\"a$\"} == 1";
        assert_eq!(expr(promql, &values).unwrap(), "up{job=\"api\",x=~\"a$\"} == 1");
    }

    #[test]
    fn no_value_steps_out_of_its_quotes() {
        for hostile in ["a\"} or vector(1) or up{x=\"", "a\\", ".*|x", "a b", ""] {
            let values = [value("X", Held::Text(hostile.into()))];
            assert!(expr("up{job=\"$X\"}", &values).is_err(), "{hostile}");
        }
        assert!(expr("up{a=\"$X\"}", &[value("X", Held::Captured(StepId(1)))]).is_err());
        assert!(expr("up{a=\"$X\"}", &[value("X", Held::Secret)]).is_err());
        assert!(expr("up{a=\"$X\"}", &[]).is_err());
    }

    #[test]
    fn what_is_not_there_is_said_with_what_was_meant() {
        let names = Names {
            services: [("payments".to_owned(), std::collections::BTreeMap::default())].into(),
            checks: ["api/health", "web/health", "db/select"].map(String::from).into(),
            backups: ["orders".to_owned()].into(),
            alerts: ["HighErrorRate".to_owned()].into(),
            ..Names::default()
        };
        let is = |condition| known(&condition, &names);
        let service = |name: &str| Condition::Service { name: name.into(), status: Status::Ok };
        let check = |name: &str| Condition::Check { name: name.into(), status: Status::Ok };
        assert_eq!(is(service("payments")), Ok(()));
        assert_eq!(
            is(service("payment")).unwrap_err(),
            "there is no service payment; did you mean payments?"
        );
        assert_eq!(is(check("select")), Ok(()));
        assert!(is(check("health")).unwrap_err().starts_with("several checks are called so: "));
        assert!(is(check("api/helth")).unwrap_err().ends_with("did you mean api/health?"));
        assert!(is(Condition::Backup { name: "order".into() }).is_err());
        assert!(is(Condition::Alert { name: "HighErorRate".into(), firing: false }).is_err());
        let more = Names { more_alerts: true, ..names.clone() };
        assert_eq!(known(&Condition::Alert { name: "X".into(), firing: false }, &more), Ok(()));
    }
}
