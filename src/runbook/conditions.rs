//! Lines of `check` blocks to conditions, lines of `pin` blocks to pins.

use super::book::{Level, Remark};
use super::given;
use crate::domain::Status;
use crate::domain::runs::{Condition, Pin, StepId};
use crate::domain::words::nearest;
use crate::metrics::promql;

/// What a check line can begin with, and how it goes on.
const FORMS: &[(&str, &str)] = &[
    ("service", "service NAME is ok"),
    ("check", "check NAME is ok"),
    ("alert", "alert NAME is not firing"),
    ("backup", "backup NAME is fresh"),
    ("promql", "promql EXPR"),
];
const STATUSES: &[Status] = &[Status::Ok, Status::Warning, Status::Critical, Status::Unknown];

/// Reads one line of a `check` block. `$NAME` in it stands for a variable of
/// the run and is kept as it is: the plan puts values in.
///
/// # Errors
/// What is wrong, and what was probably meant.
pub fn condition(line: &str) -> Result<Condition, String> {
    let line = line.trim();
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match first {
        "promql" => {
            if rest.is_empty() {
                return Err("`promql` needs an expression: `promql up == 1`".into());
            }
            // A variable only ever stands in a text, and any text will do here.
            let filled = replace(rest, &mut |_| "x".into());
            promql::parse(&filled).map_err(|error| {
                format!("no PromQL: {error} (at {})", place(&filled, error.start))
            })?;
            Ok(Condition::Promql { expr: rest.into() })
        }
        "service" => {
            let (name, said) = subject("service", rest)?;
            Ok(Condition::Service { name: name.into(), status: status("service", &said)? })
        }
        "check" => {
            let (name, said) = subject("check", rest)?;
            Ok(Condition::Check { name, status: status("check", &said)? })
        }
        "alert" => {
            let (name, said) = subject("alert", rest)?;
            let firing = match said.as_str() {
                "firing" => true,
                "not firing" => false,
                other => {
                    return Err(format!(
                        "an alert is `firing` or `not firing`, not `{other}`: `alert {name} is not firing`"
                    ));
                }
            };
            Ok(Condition::Alert { name, firing })
        }
        "backup" => {
            let (name, said) = subject("backup", rest)?;
            if said != "fresh" {
                return Err(format!("a backup is `fresh`, not `{said}`: `backup {name} is fresh`"));
            }
            Ok(Condition::Backup { name })
        }
        other => {
            let word = other.to_lowercase();
            let meant = nearest(&word, FORMS.iter().map(|(word, _)| *word));
            Err(match FORMS.iter().find(|(word, _)| Some(*word) == meant) {
                Some((_, form)) => {
                    format!("no check begins with `{other}`; did you mean `{form}`?")
                }
                None => format!(
                    "no check begins with `{other}`; known are `service NAME is STATUS`, `check NAME is \
                     STATUS`, `alert NAME is [not] firing`, `backup NAME is fresh` and `promql EXPR`"
                ),
            })
        }
    }
}

/// The column of a byte, from 1.
fn place(text: &str, byte: usize) -> String {
    let column = text.get(..byte).map_or(0, |before| before.chars().count()) + 1;
    format!("character {column}")
}

/// `NAME is …`: the name, and what is said of it with single blanks. A name
/// with blanks stands in quotes.
fn subject(kind: &str, rest: &str) -> Result<(String, String), String> {
    let form = FORMS.iter().find(|(word, _)| *word == kind).map_or("", |(_, form)| form);
    let (name, after) = match rest.chars().next() {
        None => return Err(format!("whose? `{form}`")),
        Some(quote @ ('"' | '\'')) => rest[1..]
            .split_once(quote)
            .ok_or_else(|| format!("the quote {quote} is not closed: `{form}`"))?,
        Some(_) => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
    };
    if name.is_empty() {
        return Err(format!("whose? `{form}`"));
    }
    let words: Vec<&str> = after.split_whitespace().collect();
    match words.split_first() {
        Some((&"is", said)) if !said.is_empty() => Ok((name.into(), said.join(" "))),
        _ => Err(format!("after the name stands `is`: `{}`", form.replace("NAME", name))),
    }
}

fn status(kind: &str, said: &str) -> Result<Status, String> {
    STATUSES.iter().copied().find(|status| status.word() == said).ok_or_else(|| {
        let help = match nearest(said, STATUSES.iter().map(|status| status.word())) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "it is `ok`, `warning`, `critical` or `unknown`".into(),
        };
        format!("`{said}` is no status of a {kind}; {help}")
    })
}

/// The conditions of a `check` block whose first line of content is `line`;
/// comments (`# …`) and empty lines stand for nothing.
pub(super) fn check(content: &str, line: u32) -> (Vec<(String, Condition)>, Vec<Remark>) {
    let mut conditions = Vec::new();
    let mut remarks = Vec::new();
    for (text, line) in content.lines().zip(line..) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match condition(text) {
            Ok(found) => conditions.push((text.to_owned(), found)),
            Err(words) => remarks.push(Remark { level: Level::Error, line, words }),
        }
    }
    (conditions, remarks)
}

/// The pins of a `pin` block: `release = deployctl current "$SERVICE"`. A line
/// that ends in `\` goes on in the next.
pub(super) fn pins(content: &str, line: u32, before: StepId) -> (Vec<Pin>, Vec<Remark>) {
    let mut pins: Vec<Pin> = Vec::new();
    let mut remarks = Vec::new();
    let mut lines = content.lines().zip(line..).peekable();
    while let Some((text, line)) = lines.next() {
        let mut text = text.trim().to_owned();
        while text.ends_with('\\') {
            text.pop();
            match lines.next() {
                Some((next, _)) => text.push_str(next.trim()),
                None => break,
            }
        }
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let mut wrong = |words: String| remarks.push(Remark { level: Level::Error, line, words });
        let Some((name, command)) = text.split_once('=') else {
            wrong(format!("a pin is `NAME = COMMAND`, not `{text}`"));
            continue;
        };
        let (name, command) = (name.trim().to_owned(), command.trim().to_owned());
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.' | '/');
        if name.is_empty() || !name.chars().all(plain) {
            wrong(format!("`{name}` is no name of a pin: letters, digits, `-`, `_` and `.`"));
        } else if command.is_empty() {
            wrong(format!("the pin `{name}` has no command"));
        } else if matches!(name.as_str(), "host" | "environment") {
            wrong(format!("`{name}` is always pinned; call this pin otherwise"));
        } else if pins.iter().any(|pin| pin.name == name) {
            wrong(format!("the pin `{name}` stands here twice"));
        } else {
            pins.push(Pin { name, command, line, before });
        }
    }
    (pins, remarks)
}

/// The text with `$NAME` and `${NAME}` replaced. `$` before anything else stays,
/// and so do `$1` and the `$` at the end of a regular expression.
fn replace(text: &str, value: &mut dyn FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let (name, behind) = if let Some(inner) = after.strip_prefix('{') {
            match inner.split_once('}') {
                Some((name, behind)) => (name, behind),
                None => ("", after),
            }
        } else {
            let end = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(after.len());
            after.split_at(end)
        };
        if given::is_identifier(name) {
            out.push_str(&value(name));
            rest = behind;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        assert_eq!(
            condition("service api is ok"),
            Ok(Condition::Service { name: "api".into(), status: Status::Ok })
        );
        assert_eq!(
            condition("  check api/health  is   warning "),
            Ok(Condition::Check { name: "api/health".into(), status: Status::Warning })
        );
        assert_eq!(
            condition("alert HighErrorRate is not firing"),
            Ok(Condition::Alert { name: "HighErrorRate".into(), firing: false })
        );
        assert_eq!(
            condition("alert \"my alert\" is firing"),
            Ok(Condition::Alert { name: "my alert".into(), firing: true })
        );
        assert_eq!(
            condition("backup orders is fresh"),
            Ok(Condition::Backup { name: "orders".into() })
        );
        let expr = r#"sum(rate(http_requests_total{job="api",code=~"5.."}[1m])) > 0"#;
        assert_eq!(
            condition(&format!("promql {expr}")),
            Ok(Condition::Promql { expr: expr.into() })
        );
    }

    #[test]
    fn mistakes_say_what_was_meant() {
        let wrong = |line| condition(line).unwrap_err();
        assert_eq!(
            wrong("servcie api is ok"),
            "no check begins with `servcie`; did you mean `service NAME is ok`?"
        );
        assert_eq!(
            wrong("service api is critcal"),
            "`critcal` is no status of a service; did you mean `critical`?"
        );
        assert_eq!(wrong("service api"), "after the name stands `is`: `service api is ok`");
        assert_eq!(wrong("service"), "whose? `service NAME is ok`");
        assert!(wrong("alert X is gone").contains("`firing` or `not firing`"));
        assert!(wrong("backup x is old").contains("`fresh`"));
        assert!(wrong("promql sum(").contains("no PromQL"));
        assert!(wrong("promql").contains("needs an expression"));
        assert!(wrong("curl http://x").contains("known are"));
    }

    #[test]
    fn comments_and_empty_lines_of_a_check_stand_for_nothing() {
        let (conditions, remarks) = check("# first\n\nservice api is ok\nnonsense\n", 10);
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].0, "service api is ok");
        assert_eq!(remarks.len(), 1);
        assert_eq!(remarks[0].line, 13);
    }

    #[test]
    fn pins_have_a_name_and_a_command() {
        let (found, remarks) =
            pins("# c\nrelease = deployctl current \"$SERVICE\"\na=b \\\n  c\n", 5, StepId(2));
        assert_eq!(remarks, []);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name, "release");
        assert_eq!(found[0].command, "deployctl current \"$SERVICE\"");
        assert_eq!((found[0].line, found[0].before), (6, StepId(2)));
        assert_eq!(found[1].command, "b c");
        let wrong = |text| pins(text, 1, StepId(1)).1.remove(0).words;
        assert!(wrong("release").contains("NAME = COMMAND"));
        assert!(wrong("release =").contains("no command"));
        assert!(wrong("host = hostname").contains("always pinned"));
        assert!(wrong("a = b\na = c").contains("twice"));
    }

    #[test]
    fn variables_may_stand_in_names_and_in_texts_of_promql() {
        let expr = r#"up{job="$SERVICE",x=~"a${B}$"} == 1"#;
        assert_eq!(
            condition(&format!("promql {expr}")),
            Ok(Condition::Promql { expr: expr.into() })
        );
        assert_eq!(
            condition("service $SERVICE is ok"),
            Ok(Condition::Service { name: "$SERVICE".into(), status: Status::Ok })
        );
        assert!(condition("promql rate(x[$W])").is_err());
    }
}
