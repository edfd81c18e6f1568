//! `opsroom rules list`: every rule that is evaluated for this config, and how it stands.

use super::super::columns::aligned;
use super::super::print;
use crate::domain::{
    AlertsReading, ListedRule, Reading, Role, RuleStands, SourceId, Timestamp, harmless, units,
};
use crate::runtime::assemble::Assembled;
use crate::runtime::clock::Clock;
use crate::runtime::headless;
use crate::runtime::kept::KeptFiles;
use crate::runtime::paths::StateFolder;
use crate::store::{Known, LOCAL_RULES};
use color_eyre::Result;
use color_eyre::eyre::bail;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Who evaluates rules, and what it told.
struct Evaluator<'k> {
    name: &'k str,
    reading: Option<&'k AlertsReading>,
    /// Why it told nothing.
    missing: String,
}

/// Looks once, over what a console or `opsroom watch` has kept. Names that are
/// given are those of the rules that are wanted.
pub(in super::super) fn run(
    config: Option<&Path>,
    names: &[String],
    json: bool,
    deadline: Duration,
) -> Result<ExitCode> {
    let found = super::super::discover(config)?;
    let assembled = Assembled::of(&found, false)?;
    let evaluates = |kind: &str| kind == LOCAL_RULES || kind == "rules";
    if !assembled.inventory.sources.iter().any(|info| evaluates(&info.kind)) {
        bail!(
            "{}: nobody evaluates rules: set `rules` or [prometheus]",
            harmless(&found.path.to_string_lossy())
        );
    }
    let state = StateFolder::of_this_user();
    let kept: Option<KeptFiles> = assembled.kept(state.as_ref());
    let asked =
        assembled.only(|info| matches!(info.role, Role::Scrape { .. }) || evaluates(&info.kind));
    let known = headless::look(asked, kept, deadline, &BTreeSet::new())?;
    let told: Vec<Evaluator<'_>> = known
        .inventory
        .sources
        .iter()
        .filter(|info| evaluates(&info.kind))
        .map(|info| evaluator(&known, &info.id, &info.label))
        .collect();
    let wanted = |rule: &&ListedRule| names.is_empty() || names.contains(&rule.name);
    let now = Clock::Wall.now();
    let out = if json { as_json(&told, wanted)? } else { table(&told, wanted, now) };
    print(&out)?;
    let mut whole = true;
    for of in &told {
        let name = harmless(of.name);
        let Some(reading) = of.reading else {
            super::complain(&format!("warning: {name}: {}", of.missing));
            whole = false;
            continue;
        };
        for note in &reading.notes {
            super::complain(&format!("warning: {name}: {note}"));
        }
        for (file, error) in broken_files(reading) {
            super::complain(&format!("error: {}: {error}", harmless(file)));
            whole = false;
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(super::FAILED) })
}

/// What is broken as a whole, and so stands in no line: a file, and why.
fn broken_files(reading: &AlertsReading) -> impl Iterator<Item = (&str, &str)> {
    let listed = |name: &str, group: &str| {
        reading.listed.iter().any(|rule| rule.name == name && rule.group == group)
    };
    let broken = reading.broken_rules.iter().filter(move |of| !listed(&of.name, &of.group));
    broken.map(|of| (&*of.group, &*of.error))
}

fn evaluator<'k>(known: &'k Known, id: &SourceId, name: &'k str) -> Evaluator<'k> {
    let state = known.sources.get(id);
    let missing = match state.and_then(|state| state.failing.as_ref()) {
        Some((_, error)) => error.to_string(),
        None if state.is_none_or(|state| state.answered.is_none()) => "no answer in time".into(),
        None => String::new(),
    };
    let reading = match state.and_then(|state| state.reading.as_ref()) {
        Some(Reading::Alerts(reading)) if missing.is_empty() => Some(&**reading),
        _ => None,
    };
    Evaluator { name, reading, missing }
}

/// How a rule stands, in words.
fn words(rule: &ListedRule) -> String {
    match &rule.stands {
        RuleStands::Well if rule.records => "records".into(),
        RuleStands::Active { firing, pending } => {
            let counts = [(*firing, "firing"), (*pending, "pending")];
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            counts.map(|(count, word)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
        }
        RuleStands::Broken(error) => format!("broken: {error}"),
        RuleStands::Unknown { seen, wanted } => {
            format!("unknown: {} of {} seen", units::age(*seen), units::age(*wanted))
        }
        other => other.word().into(),
    }
}

fn table(told: &[Evaluator<'_>], wanted: impl Fn(&&ListedRule) -> bool, now: Timestamp) -> String {
    let mut out = String::new();
    for (name, reading) in told.iter().filter_map(|of| Some((of.name, of.reading?))) {
        let rules: Vec<&ListedRule> = reading.listed.iter().filter(&wanted).collect();
        let count = units::count(rules.len(), "rule");
        out.extend([&*harmless(name), ": ", &count, "\n"]);
        let mut rows = Vec::with_capacity(rules.len() + 1);
        if !rules.is_empty() {
            rows.push(["GROUP", "RULE", "LAST", "TOOK", "STATE"].map(str::to_owned));
        }
        rows.extend(rules.iter().map(|rule| {
            [
                rule.group.clone(),
                rule.name.clone(),
                rule.evaluated
                    .map_or("-".into(), |at| format!("{} ago", units::age(now.since(at)))),
                rule.took.map_or("-".into(), units::duration),
                words(rule) + if rule.is_slow() { ", slow" } else { "" },
            ]
        }));
        out.push_str(&aligned(&rows));
    }
    out
}

fn as_json(
    told: &[Evaluator<'_>],
    wanted: impl Fn(&&ListedRule) -> bool,
) -> serde_json::Result<String> {
    let rules = |of: &Evaluator<'_>| -> Vec<Value> {
        let listed = of.reading.map(|reading| &*reading.listed).unwrap_or_default();
        listed.iter().filter(&wanted).map(|rule| one(of.name, rule)).collect()
    };
    let all: Vec<Value> = told.iter().flat_map(rules).collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&all)?))
}

fn one(by: &str, rule: &ListedRule) -> Value {
    let (firing, pending) = match rule.stands {
        RuleStands::Active { firing, pending } => (firing, pending),
        _ => (0, 0),
    };
    let (seen, needed) = match rule.stands {
        RuleStands::Unknown { seen, wanted } => (Some(seen), Some(wanted)),
        _ => (None, None),
    };
    json!({
        "by": by,
        "group": rule.group,
        "rule": rule.name,
        "type": if rule.records { "recording" } else { "alerting" },
        "state": rule.stands.word(),
        "firing": firing,
        "pending": pending,
        "error": match &rule.stands { RuleStands::Broken(error) => Some(error), _ => None },
        "seen_seconds": seen.map(|time| time.as_secs_f64()),
        "needed_seconds": needed.map(|time| time.as_secs_f64()),
        "evaluated": rule.evaluated.map(|at| at.to_string()),
        "took_seconds": rule.took.map(|time| time.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BrokenRule;

    fn rule(name: &str, stands: RuleStands) -> ListedRule {
        let evaluated = Some(Timestamp::from_millis(7_000));
        let took = Some(Duration::from_millis(3));
        ListedRule { name: name.into(), group: "g".into(), records: false, stands, evaluated, took }
    }

    #[test]
    fn each_rule_says_how_it_stands() {
        let seen = Duration::from_secs(40);
        let reading = AlertsReading {
            listed: vec![
                rule("Quiet", RuleStands::Well),
                ListedRule { records: true, ..rule("a:b", RuleStands::Well) },
                rule("Two", RuleStands::Active { firing: 2, pending: 1 }),
                rule("Bad", RuleStands::Broken("no such series".into())),
                rule("Young", RuleStands::Unknown { seen, wanted: Duration::from_mins(5) }),
                ListedRule { took: Some(Duration::from_secs(2)), ..rule("Slow", RuleStands::Well) },
                ListedRule { evaluated: None, took: None, ..rule("New", RuleStands::Waiting) },
            ],
            ..AlertsReading::default()
        };
        let told = [Evaluator { name: "rules", reading: Some(&reading), missing: String::new() }];
        let now = Timestamp::from_millis(10_000);
        assert_eq!(
            table(&told, |_| true, now),
            "rules: 7 rules\n\
             GROUP  RULE   LAST    TOOK  STATE\n\
             g      Quiet  3s ago  3ms   inactive\n\
             g      a:b    3s ago  3ms   records\n\
             g      Two    3s ago  3ms   firing 2, pending 1\n\
             g      Bad    3s ago  3ms   broken: no such series\n\
             g      Young  3s ago  3ms   unknown: 40s of 5m seen\n\
             g      Slow   3s ago  2s    inactive, slow\n\
             g      New    -       -     waiting\n"
        );
        assert_eq!(table(&told, |rule| rule.name == "None", now), "rules: 0 rules\n");
        let json: Value = serde_json::from_str(&as_json(&told, |_| true).unwrap()).unwrap();
        assert_eq!(json[2]["state"], "firing");
        assert_eq!((&json[2]["firing"], &json[2]["pending"]), (&json!(2), &json!(1)));
        assert_eq!(json[3]["error"], "no such series");
        assert_eq!(json[4]["needed_seconds"], 300.0);
        assert_eq!(json[1]["type"], "recording");
    }

    #[test]
    fn a_file_that_is_broken_is_named_beside_the_rules() {
        let broken = |name: &str, group: &str| BrokenRule {
            name: name.into(),
            group: group.into(),
            error: "no such thing".into(),
        };
        let reading = AlertsReading {
            listed: vec![rule("Bad", RuleStands::Broken("no such thing".into()))],
            broken_rules: vec![broken("a.yml", "/rules/a.yml"), broken("Bad", "g")],
            ..AlertsReading::default()
        };
        let files: Vec<_> = broken_files(&reading).collect();
        assert_eq!(files, [("/rules/a.yml", "no such thing")]);
    }
}
