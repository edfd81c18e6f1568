//! `opsroom rules`: rule files, unit tests of them, and how their rules stand.

pub(super) mod list;

use super::{FAILED, colored, complain, print};
use crate::config::{Mistakes, render};
use crate::domain::{harmless, units};
use crate::metrics::promql;
use crate::rules::template::Asks;
use crate::rules::unit::{self, Failure};
use crate::rules::{Group, Mistake, RuleFile};
use crate::sources::local;
use color_eyre::Result;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What was found in some files.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Files that Prometheus would not load.
    pub(super) broken: usize,
    /// Alerting rules of those that are sound.
    pub(super) alerts: usize,
    /// Their recording rules.
    pub(super) records: usize,
    /// How far back each rule looks: its file, its name.
    pub(super) windows: Vec<(PathBuf, String, Duration)>,
    /// What the templates of each file ask of this place, with the first alert that does.
    pub(super) asks: Vec<(PathBuf, String, Asks)>,
}

/// Reads the files and says all that is wrong with them.
pub(super) fn check(paths: &[PathBuf]) -> Checked {
    let mut checked = Checked::default();
    for path in paths {
        let read = local::read_file(path);
        let file = match read.held {
            Ok(file) => file,
            Err(words) => {
                checked.broken += 1;
                complain(&format!("error: {}: {words}", harmless(&path.to_string_lossy())));
                continue;
            }
        };
        show(path, &read.text, &file.mistakes);
        if file.is_sound() {
            checked.take(path, &file);
        } else {
            checked.broken += 1;
        }
    }
    checked
}

/// Mistakes as they are told of the config.
pub(super) fn show(path: &Path, text: &str, mistakes: &[Mistake]) {
    let mut all = Mistakes::default();
    for mistake in mistakes {
        let (span, words) = (mistake.span.clone(), mistake.message.clone());
        if mistake.advisory {
            all.unwise(span, words, "Prometheus loads it all the same");
        } else {
            all.wrong(span, words);
        }
    }
    if all.len() + all.advisories() > 0 {
        complain(render(path, text, &all, colored()).trim_end());
    }
}

impl Checked {
    fn take(&mut self, path: &Path, file: &RuleFile) {
        for rule in file.groups.iter().flat_map(|group| &group.rules) {
            *(if rule.is_alert() { &mut self.alerts } else { &mut self.records }) += 1;
            let back = promql::window(&rule.expr);
            self.windows.push((path.to_owned(), harmless(&rule.name).into_owned(), back));
        }
        let mut all = Asks::default();
        let mut first = None;
        for rule in file.groups.iter().flat_map(|group| &group.rules) {
            rule.templates().for_each(|template| template.add_asks(&mut all));
            if all != Asks::default() {
                first.get_or_insert_with(|| harmless(&rule.name).into_owned());
            }
        }
        self.asks.extend(first.map(|first| (path.to_owned(), first, all)));
    }
}

/// `opsroom rules check FILE…`
pub(super) fn run_check(files: &[PathBuf]) -> Result<ExitCode> {
    let checked = check(files);
    let mut out = String::new();
    let sound = files.len() - checked.broken;
    write!(
        out,
        "{}: {}, {}",
        units::count(sound, "sound file"),
        units::count(checked.alerts, "alerting rule"),
        units::count(checked.records, "recording rule"),
    )?;
    if checked.broken > 0 {
        write!(out, "; {}", units::count(checked.broken, "broken file"))?;
    }
    out.push('\n');
    print(&out)?;
    Ok(if checked.broken == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// `opsroom rules test FILE…`
pub(super) fn run_test(files: &[PathBuf]) -> Result<ExitCode> {
    let mut out = String::new();
    let mut failed = 0;
    for path in files {
        let name = harmless(&path.to_string_lossy()).into_owned();
        match test(path) {
            Tested::Passed(tests) => {
                writeln!(out, "{name}: {} passed", units::count(tests, "test"))?;
            }
            Tested::Failed(failures) => {
                failed += 1;
                for failure in &failures {
                    write(&mut out, &name, failure)?;
                }
                writeln!(out, "{name}: {}", units::count(failures.len(), "failure"))?;
            }
            Tested::Unread => {
                failed += 1;
                writeln!(out, "{name}: not run")?;
            }
        }
    }
    print(&out)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// What became of a file of tests.
enum Tested {
    /// So many tests.
    Passed(usize),
    Failed(Vec<Failure>),
    /// Its mistakes, or those of its rule files, were told.
    Unread,
}

fn test(path: &Path) -> Tested {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            complain(&format!("error: {}: {error}", harmless(&path.to_string_lossy())));
            return Tested::Unread;
        }
    };
    let (file, mistakes) = unit::read(&bytes);
    show(path, &String::from_utf8_lossy(&bytes), &mistakes);
    let mut sound = mistakes.iter().all(|mistake| mistake.advisory);
    let folder = path.parent().unwrap_or(Path::new(""));
    let patterns: Vec<PathBuf> = file.rule_files.iter().map(|name| folder.join(name)).collect();
    let (paths, notes) = local::find(&patterns);
    for note in &notes {
        complain(&format!("warning: {note}"));
    }
    let mut rules: Vec<(String, RuleFile)> = Vec::new();
    for path in paths {
        let read = local::read_file(&path);
        match read.held {
            Ok(held) => {
                sound &= held.is_sound();
                show(&path, &read.text, &held.mistakes);
                rules.push((path.to_string_lossy().into_owned(), held));
            }
            Err(words) => {
                sound = false;
                complain(&format!("error: {}: {words}", harmless(&path.to_string_lossy())));
            }
        }
    }
    if !sound {
        return Tested::Unread;
    }
    let groups: Vec<(&str, &Group)> = rules
        .iter()
        .flat_map(|(path, held)| held.groups.iter().map(move |group| (path.as_str(), group)))
        .collect();
    let failures = unit::run(&file, &groups);
    if failures.is_empty() { Tested::Passed(file.tests.len()) } else { Tested::Failed(failures) }
}

/// What was expected and what came, side by side.
fn write(out: &mut String, file: &str, failure: &Failure) -> std::fmt::Result {
    let at = if failure.line > 0 { format!(":{}", failure.line) } else { String::new() };
    let test = match failure.test.as_str() {
        "" => String::new(),
        name => format!("{}: ", harmless(name)),
    };
    writeln!(out, "FAILED {file}{at}: {test}{}", harmless(&failure.about))?;
    if let Some(error) = &failure.error {
        return writeln!(out, "  {}", harmless(error));
    }
    let shown = |lines: &[String]| -> Vec<String> {
        if lines.is_empty() {
            return vec!["(nothing)".into()];
        }
        lines.iter().map(|line| harmless(line).into_owned()).collect()
    };
    let (expected, got) = (shown(&failure.expected), shown(&failure.got));
    let width = expected.iter().map(|line| line.chars().count()).max().unwrap_or(0).max(8);
    if width <= 60 {
        writeln!(out, "  {:width$} | got", "expected")?;
        for i in 0..expected.len().max(got.len()) {
            let left = expected.get(i).map_or("", String::as_str);
            let right = got.get(i).map_or("", String::as_str);
            let mark = if left == right { ' ' } else { '>' };
            writeln!(out, "{mark} {left:width$} | {right}")?;
        }
        return Ok(());
    }
    // Too wide to stand side by side: what is only in one of them is marked.
    for line in &expected {
        writeln!(out, "{} {line}", if got.contains(line) { ' ' } else { '-' })?;
    }
    for line in got.iter().filter(|line| !expected.contains(line)) {
        writeln!(out, "+ {line}")?;
    }
    writeln!(out, "  (- expected, + got)")
}
