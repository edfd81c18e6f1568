//! `opsroom validate [--live]`: everything that is wrong with the config and the
//! runbooks.

use super::rules::Checked;
use super::{FAILED, colored, complain, print};
use crate::config::{Mistakes, Rules, Span, render};
use crate::domain::{
    AlertsReading, BackupReading, CheckReading, Reading, Role, SourceInfo, Status, Timestamp,
    harmless, units,
};
use crate::metrics::exposition::{Format, PageError, SampleLine, Sink, parse};
use crate::runbook::lint::lint;
use crate::runbook::{Level, built_in};
use crate::runtime::assemble::Assembled;
use crate::runtime::headless;
use crate::runtime::poller::PollEnd;
use crate::runtime::runs::{library, names::names};
use crate::sources::{Brought, Page, local};
use crate::store::certificate_at;
use color_eyre::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long the sources have to answer; longer where one may take longer,
const DEADLINE: Duration = Duration::from_secs(30);
/// and then says why it did not.
const TO_SAY: Duration = Duration::from_secs(2);

pub(super) fn run(config: Option<&Path>, live: bool) -> Result<ExitCode> {
    let found = super::discover(config)?;
    let assembled = match Assembled::of(&found, colored()) {
        Ok(assembled) => assembled,
        Err(mistakes) => {
            complain(mistakes.text.trim_end());
            return Ok(ExitCode::from(FAILED));
        }
    };
    if !assembled.advice.is_empty() {
        complain(assembled.advice.trim_end());
    }
    let inventory = &assembled.inventory;
    let mut out = format!(
        "{}: no mistakes; {}, {}, {}\n",
        harmless(&found.path.to_string_lossy()),
        units::count(inventory.services.len(), "service"),
        units::count(inventory.sources.len(), "source"),
        units::count(inventory.signals.len(), "signal"),
    );
    let mut all_answer = books(&assembled, &mut out)?;
    all_answer &= rules(&assembled, &mut out)?;
    if live {
        let longest = inventory.sources.iter().map(|info| info.timeout + TO_SAY).max();
        let deadline = DEADLINE.max(longest.unwrap_or_default());
        for end in headless::poll_once(&assembled, deadline)? {
            let info = inventory.sources.iter().find(|info| info.id == end.source);
            if let Some(info) = info {
                all_answer &= report(info, &end, &mut out)?;
            }
        }
    }
    print(&out)?;
    Ok(if all_answer { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// What is wrong with the runbooks, as it is told of the config; whether all of
/// them can be run.
fn books(assembled: &Assembled, out: &mut String) -> Result<bool> {
    let runbooks = &assembled.config.runbooks;
    let library = library::read(&assembled.path, runbooks);
    let names = names(&assembled.config);
    let (mut sound, mut unwise) = (true, 0);
    for failure in &library.failures {
        complain(&format!("warning: {failure}"));
    }
    for book in library.books.values() {
        let mut found = Mistakes::default();
        for remark in lint(book, &names, runbooks.armed_only) {
            let span = line_of(&book.text, remark.line);
            match remark.level {
                Level::Error => found.wrong(span, remark.words),
                Level::Warning if book.path == built_in::PATH => {}
                Level::Warning => found.unwise(span, remark.words, "it can be run all the same"),
            }
        }
        sound &= found.is_empty();
        unwise += found.advisories();
        if found.len() + found.advisories() > 0 {
            let path = Path::new(&book.path);
            complain(render(path, &book.text, &found, colored()).trim_end());
        }
    }
    let count = units::count(library.books.len(), "runbook");
    let unwise = match unwise {
        0 => String::new(),
        some => format!(", {}", units::count(some, "warning")),
    };
    let wrong = if sound { "" } else { ", not all can be run" };
    writeln!(out, "{count}{unwise}{wrong}")?;
    Ok(sound)
}

/// What is wrong with the rule files; whether all of their rules are evaluated.
fn rules(assembled: &Assembled, out: &mut String) -> Result<bool> {
    if assembled.config.rules.files.is_empty() {
        return Ok(true);
    }
    let patterns: Vec<PathBuf> = assembled.config.rules.files.iter().map(PathBuf::from).collect();
    let (paths, notes) = local::find(&patterns);
    for note in &notes {
        complain(&format!("warning: {note}"));
    }
    let checked = super::rules::check(&paths);
    let kept = assembled.config.memory.keep;
    for (path, name, wanted) in checked.windows.iter().filter(|(_, _, wanted)| *wanted > kept) {
        let (wanted, kept) = (units::duration(*wanted), units::duration(kept));
        complain(&format!(
            "warning: {}: {name} looks back {wanted}, and {kept} are kept: [memory] keep",
            harmless(&path.to_string_lossy())
        ));
    }
    for advice in unset(&checked, &assembled.config.rules) {
        complain(&format!("warning: {advice}"));
    }
    let wrong = match checked.broken {
        0 => String::new(),
        some => format!(", {} broken", units::count(some, "file")),
    };
    writeln!(
        out,
        "{}, {}, {}{wrong}",
        units::count(paths.len(), "rule file"),
        units::count(checked.alerts, "alerting rule"),
        units::count(checked.records, "recording rule"),
    )?;
    Ok(checked.broken == 0)
}

/// What templates of rule files ask for, and the config does not say.
fn unset(checked: &Checked, rules: &Rules) -> Vec<String> {
    let mut said = Vec::new();
    for (path, first, asks) in &checked.asks {
        let path = harmless(&path.to_string_lossy()).into_owned();
        let of = &rules.external_labels;
        let missing =
            |name: &&str| if name.is_empty() { of.is_empty() } else { of.get(name).is_none() };
        let mut names: Vec<&str> = asks.labels.iter().map(|name| &**name).filter(missing).collect();
        if names.len() > 1 {
            names.retain(|name| !name.is_empty());
        }
        let label = |name: &str| {
            if name.is_empty() { String::new() } else { format!(".{}", harmless(name)) }
        };
        let mut words: Vec<String> =
            names.iter().map(|name| format!("$externalLabels{}", label(name))).collect();
        let mut keys = Vec::new();
        if !words.is_empty() {
            keys.push("external_labels");
        }
        if asks.url && rules.external_url.is_empty() {
            words.push("$externalURL".into());
            keys.push("external_url");
        }
        if !words.is_empty() {
            let (words, keys) = (words.join(" and "), keys.join(" and "));
            said.push(format!(
                "{path}: {words}, first in {first}, will be empty: set {keys} of [rules]"
            ));
        }
    }
    said
}

/// The bytes of a line, without the blanks around its text.
fn line_of(text: &str, line: u32) -> Span {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let whole = text[start..].lines().next().unwrap_or_default();
    let blanks = whole.len() - whole.trim_start().len();
    start + blanks..start + whole.trim_end().len().max(blanks)
}

/// One line for a source; whether it could be asked and answered well.
fn report(info: &SourceInfo, end: &PollEnd, out: &mut String) -> Result<bool> {
    let (status, said) = match &end.outcome {
        Ok(Brought::Reading(Reading::Check(check))) => of_check(info, end, check),
        Ok(Brought::Reading(Reading::Server(server))) => {
            (Status::Ok, server.version.clone().unwrap_or_else(|| "answers".into()))
        }
        Ok(Brought::Reading(Reading::Alerts(told))) => of_alerts(told),
        Ok(Brought::Reading(Reading::Targets(told))) => {
            (Status::Ok, with_notes(told.words(), &told.notes))
        }
        Ok(Brought::Reading(Reading::Issues(told))) => {
            let more = if told.more { "more than " } else { "" };
            let words =
                format!("{}, {more}{}", told.server, units::count(told.issues.len(), "issue"));
            (Status::Ok, with_notes(words, &told.notes))
        }
        Ok(Brought::Reading(Reading::Backup(told))) => of_backups(told, end.taken),
        Ok(Brought::Reading(Reading::Releases(told))) => {
            let newest = told.releases.iter().max_by_key(|release| release.at);
            let newest = newest.map(|release| format!(", newest {}", release.version));
            let count = units::count(told.releases.len(), "release");
            (Status::Ok, with_notes(count + &newest.unwrap_or_default(), &told.notes))
        }
        Ok(Brought::Reading(Reading::Scrape(_))) => (Status::Ok, "answers".into()),
        Ok(Brought::Page(page)) => match samples_on(page) {
            Ok(said) => (Status::Ok, said),
            Err(failed) => (Status::Unknown, failed.to_string()),
        },
        Err(failed) => (Status::Unknown, failed.to_string()),
    };
    let took = units::duration(end.took);
    writeln!(out, "{status:<8}  {:<28}  {}, {took}", info.label, harmless(&said))?;
    Ok(status == Status::Ok)
}

/// A check's answer with its certificate judged as a console judges it.
fn of_check(info: &SourceInfo, end: &PollEnd, check: &CheckReading) -> (Status, String) {
    let said = check.summary.clone();
    let (Role::Check(role), Some(certificate)) = (&info.role, &check.certificate) else {
        return (check.status, said);
    };
    let standing = certificate_at(certificate, role, end.taken);
    if standing.status <= check.status {
        (check.status, said)
    } else if said.starts_with("certificate ") {
        (standing.status, standing.reason)
    } else {
        (standing.status, format!("{said}, {}", standing.reason))
    }
}

/// What a backup tool finds; whether that is enough a console judges.
fn of_backups(told: &BackupReading, now: Timestamp) -> (Status, String) {
    let newest = told.snapshots.iter().map(|snapshot| snapshot.taken).max();
    let newest = newest.map(|taken| format!(", newest {} old", units::age(now.since(taken))));
    let count = units::count(usize::try_from(told.count).unwrap_or(usize::MAX), "backup");
    let words = with_notes(count + &newest.unwrap_or_default(), &told.notes);
    match told.problems.iter().max_by_key(|problem| problem.status) {
        Some(problem) => (problem.status, format!("{words}; {}", problem.words)),
        None => (Status::Ok, words),
    }
}

/// What a source of alerts tells, and what is wrong with its alerting.
fn of_alerts(told: &AlertsReading) -> (Status, String) {
    let words = match &told.version {
        Some(version) => format!("{version}, {}", told.words()),
        None => told.words(),
    };
    match told.complaint() {
        Some(complaint) => (Status::Warning, format!("{words}; {complaint}")),
        None => (Status::Ok, with_notes(words, &told.notes)),
    }
}

fn with_notes(words: String, notes: &[String]) -> String {
    std::iter::once(words).chain(notes.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// Counts what is on a page.
#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    fn sample(&mut self, _: &SampleLine<'_, '_>) {
        self.0 += 1;
    }
}

/// What a page of metrics holds: that one came says nothing, a login page does too.
fn samples_on(page: &Page) -> Result<String, PageError> {
    let format = Format::from_content_type(&page.content_type, &page.body)?;
    let mut count = Count::default();
    let faults = parse(&page.body, format, &mut count);
    let mut said = format!("{} samples, {}", count.0, units::bytes(page.body.len() as f64));
    if let Some(first) = faults.first.first() {
        if count.0 == 0 {
            return Err(PageError::Unreadable(first.clone()));
        }
        let (total, line, why) = (faults.total, first.line, &first.message);
        let _ = write!(said, ", {total} lines could not be read, the first is {line}: {why}");
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Certificate, CheckRole, Thresholds};

    fn said(days_left: u64, reading: CheckReading) -> (Status, String) {
        let taken = Timestamp::from_millis(1_000_000_000_000);
        let certificate = Certificate {
            subject: "shop.example".into(),
            issuer: "ours".into(),
            not_before: taken - Duration::from_hours(24),
            not_after: taken + Duration::from_hours(24) * u32::try_from(days_left).unwrap(),
            problem: None,
        };
        let role = Role::Check(CheckRole {
            service: "shop".into(),
            name: "tls".into(),
            confirm: 2,
            confirm_after: Duration::from_secs(1),
            at_most: Status::Critical,
            certificate_days: Thresholds { below: true, warning: Some(21.0), critical: Some(7.0) },
        });
        let info = SourceInfo {
            id: "check/shop/tls".into(),
            kind: "tls".into(),
            label: "shop/tls".into(),
            asks: "shop.example:443".into(),
            every: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            role: role.clone(),
            network: true,
            note: None,
            cost: String::new(),
        };
        let check = CheckReading { certificate: Some(certificate), ..reading };
        let end = PollEnd {
            source: info.id.clone(),
            role,
            taken,
            next: taken,
            took: Duration::ZERO,
            late: Duration::ZERO,
            outcome: Ok(Brought::Reading(Reading::Check(check.clone()))),
        };
        of_check(&info, &end, &check)
    }

    #[test]
    fn templates_that_ask_for_what_is_not_set_are_named() {
        let asks = crate::rules::template::Asks {
            labels: ["cluster".into(), "".into()].into(),
            url: true,
        };
        let checked =
            Checked { asks: vec![("a.yml".into(), "Down".into(), asks)], ..Checked::default() };
        let mut rules = Rules::default();
        let words = "a.yml: $externalLabels.cluster and $externalURL, first in Down, will be empty: \
                     set external_labels and external_url of [rules]";
        assert_eq!(unset(&checked, &rules), [words]);
        rules.external_url = "http://prom".into();
        assert!(unset(&checked, &rules)[0].ends_with("empty: set external_labels of [rules]"));
        rules.external_labels = crate::domain::Labels::new([("cluster", "eu")]);
        assert!(unset(&checked, &rules).is_empty());
    }

    #[test]
    fn a_line_is_found_by_its_number() {
        let text = "# A\n\n  b c \r\nlast";
        for (line, wanted) in [(1, "# A"), (2, ""), (3, "b c"), (4, "last"), (9, ""), (0, "# A")] {
            assert_eq!(&text[line_of(text, line)], wanted, "{line}");
        }
    }

    #[test]
    fn a_certificate_is_judged_by_the_thresholds_of_its_check() {
        let reading = |status, summary: &str| CheckReading {
            status,
            summary: summary.into(),
            ..CheckReading::default()
        };
        let tls = || reading(Status::Ok, "certificate 4d left");
        assert_eq!(said(4, tls()), (Status::Critical, "certificate ends in 4d".into()));
        assert_eq!(said(20, tls()).0, Status::Warning);
        assert_eq!(said(30, tls()), (Status::Ok, "certificate 4d left".into()));
        let http = said(4, reading(Status::Ok, "HTTP 200"));
        assert_eq!(http, (Status::Critical, "HTTP 200, certificate ends in 4d".into()));
        let failed = said(4, reading(Status::Critical, "HTTP 503"));
        assert_eq!(failed, (Status::Critical, "HTTP 503".into()));
    }
}
