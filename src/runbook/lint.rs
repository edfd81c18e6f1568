//! What is wrong with a runbook, or unwise in it, beyond how it is written.

mod reads;
mod secrets;

use super::book::{Book, Level, Remark};
use super::given::is_given;
use super::naming;
use super::places::places;
use super::plan::{Names, captures, commands};
use super::shell::{self, Command, variables};
use super::values::{fits, one_of, whole};
use crate::domain::runs::{CommandStep, Condition, Shell, Step, StepId, StepKind};
use crate::domain::{glob, harmless_within, units};
use crate::metrics::promql;
use std::collections::BTreeMap;
use std::time::Duration;

/// A check without `within` waits so long for an answer.
const ASKED_ONCE: Duration = Duration::from_secs(30);

/// All remarks on a runbook: those of its reading, and what is found in it
/// against what the config knows. In production a changing step wants a pin and
/// a word to be typed.
pub fn lint(book: &Book, names: &Names, production: bool) -> Vec<Remark> {
    let mut lint = Lint { book, names, found: book.remarks.clone() };
    lint.parameters();
    let captured = captures(&book.steps);
    let outside = lint.outside(&captured);
    for (step, command) in commands(&book.steps) {
        lint.variables(step, command, &captured);
        lint.code(step, command, &outside);
        lint.habits(step, command);
    }
    lint.pins(&captured, &outside);
    lint.checks();
    if production && !book.foreign {
        lint.production();
    }
    for (line, words) in secrets::secrets(&book.text) {
        lint.say(Level::Warning, line, words);
    }
    let mut found = lint.found;
    found.sort_by(|a, b| (a.line, a.level, &a.words).cmp(&(b.line, b.level, &b.words)));
    found.dedup();
    found
}

struct Lint<'a> {
    book: &'a Book,
    names: &'a Names,
    found: Vec<Remark>,
}

impl Lint<'_> {
    fn say(&mut self, level: Level, line: u32, words: impl Into<String>) {
        self.found.push(Remark { level, line, words: words.into() });
    }

    /// The line of the text in which a line of a step's script stands.
    fn line_of(&self, step: &Step, script: &str, line: u32) -> u32 {
        let at = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
        let wanted = script.lines().nth(at).unwrap_or_default().trim();
        let fence = usize::try_from(step.line).unwrap_or_default();
        let lines = self.book.text.lines().skip(fence).take(script.lines().count() * 4 + 20);
        let found = lines.enumerate().skip(at).find(|(_, text)| text.contains(wanted));
        let offset = found.filter(|_| !wanted.is_empty()).map_or(0, |(offset, _)| offset + 1);
        step.line + u32::try_from(offset).unwrap_or_default()
    }

    /// Patterns that are none, defaults that do not fit them.
    fn parameters(&mut self) {
        let book = self.book;
        for param in &book.front.params {
            let needle = format!("{}:", param.name);
            let line = book.text.lines().position(|text| text.trim_start().starts_with(&needle));
            let line = line.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(1);
            let pattern = match (&param.pattern, param.choices.is_empty()) {
                (Some(own), _) => Some(own.clone()),
                (None, false) => Some(one_of(&param.choices)),
                (None, true) => None,
            };
            if let Some(Err(why)) = param.pattern.as_deref().map(whole) {
                let known = book.remarks.iter().any(|it| it.words.contains("regular expression"));
                if !known {
                    self.say(Level::Error, line, format!("`match` of {}: {why}", param.name));
                }
                continue;
            }
            if let Some(Err(why)) =
                param.default.as_deref().map(|text| fits(pattern.as_deref(), text))
            {
                let words = format!("the default of {} cannot be used: {why}", param.name);
                self.say(Level::Warning, line, words);
            }
        }
    }

    /// The variables that come from outside the scripts.
    fn outside(&self, captured: &BTreeMap<&str, StepId>) -> Vec<String> {
        let params = self.book.front.params.iter().map(|param| param.name.clone());
        let mut all: Vec<String> =
            params.chain(captured.keys().map(|it| (*it).to_owned())).collect();
        for (_, command) in commands(&self.book.steps) {
            all.extend(shell::named(&command.script).into_iter().filter(|name| is_around(name)));
        }
        all.sort();
        all.dedup();
        all
    }

    /// What a step uses is there by then.
    fn variables(&mut self, step: &Step, command: &CommandStep, captured: &BTreeMap<&str, StepId>) {
        let undone = commands(&self.book.steps)
            .filter(|(_, other)| other.undo == Some(step.id))
            .map(|(other, _)| other.id);
        let by = if command.undoes { undone.min().unwrap_or(step.id) } else { step.id };
        for name in variables(&command.script) {
            if is_given(&name, command.shell == Shell::Bash, command.tty) {
                continue;
            }
            if let Some((level, words)) = self.missing(&name, by, captured) {
                let words = if command.undoes && words.contains("later") {
                    format!(
                        "{words}: an undo uses only what is known before the step that it undoes"
                    )
                } else {
                    words
                };
                self.say(level, step.line, words);
            }
        }
    }

    /// Why a variable has no value by then.
    fn missing(
        &self,
        name: &str,
        by: StepId,
        captured: &BTreeMap<&str, StepId>,
    ) -> Option<(Level, String)> {
        match captured.get(name) {
            Some(step) if *step >= by => {
                return Some((Level::Error, format!("${name} is captured by step {step}, later")));
            }
            Some(_) => return None,
            None => {}
        }
        let services = &self.names.services;
        if name == "SERVICE" || name.starts_with("LABEL_") {
            return None;
        }
        if let Some(field) = name.strip_prefix("SERVICE_") {
            let patterns = &self.book.front.services;
            let meant = |service: &str| {
                patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, service))
            };
            let mut meant = services.iter().filter(|(service, _)| meant(service)).peekable();
            let is_missing =
                meant.peek().is_some() && !meant.any(|(_, all)| all.contains_key(name));
            return is_missing.then(|| {
                let field = field.to_lowercase();
                let words = format!("no service that it is for has `{field}`: put it into `vars` of `[service.NAME]`");
                (Level::Warning, words)
            });
        }
        let param = self.book.front.params.iter().any(|param| param.name == name);
        (!param && !self.book.foreign).then(|| {
            let words = format!(
                "nobody sets ${name}: make it a parameter of the front matter, or capture it"
            );
            (Level::Error, words)
        })
    }

    /// Where values become code.
    fn code(&mut self, step: &Step, command: &CommandStep, outside: &[String]) {
        for place in places(&command.script, outside) {
            let line = self.line_of(step, &command.script, place.line);
            let name = &place.name;
            let known = outside.contains(name);
            if place.bare {
                // In a runbook for people that is how they write.
                if known && !self.book.foreign {
                    let words = format!("${name} stands without quotes: write \"${name}\"");
                    self.say(Level::Warning, line, words);
                }
            } else if place.sure {
                let held =
                    if known { String::new() } else { ", with a value from outside".to_owned() };
                let words = format!(
                    "${name} stands {}{held}: a shell or a program there reads the value as code; give it as an argument or in the environment",
                    place.words
                );
                self.say(Level::Warning, line, words);
            }
        }
    }

    /// `sudo` that asks, downloads that are run, the background, reads that change.
    fn habits(&mut self, step: &Step, command: &CommandStep) {
        for one in shell::read(&command.script).commands {
            let line = self.line_of(step, &command.script, one.line);
            if !command.tty && asks_for_a_password(&one) {
                let words = "`sudo` would ask for a password, and nobody can type it: write `sudo -n`, or mark the step `tty`";
                self.say(Level::Warning, line, words);
            }
            if one.background {
                let words = "`&` leaves a command in the background: nobody sees how it ends";
                self.say(Level::Warning, line, words);
            }
            if !command.changes
                && let Some(what) = reads::change(&one, &command.script)
            {
                let words = format!("the step is marked `reads`, and {what} changes something");
                self.say(Level::Warning, line, words);
            }
        }
        for line in reads::piped_downloads(&command.script) {
            let line = self.line_of(step, &command.script, line);
            let words =
                "a download is run as it comes: save it, look at it or check its sum, and run that";
            self.say(Level::Warning, line, words);
        }
    }

    fn pins(&mut self, captured: &BTreeMap<&str, StepId>, outside: &[String]) {
        for pin in &self.book.pins {
            for name in variables(&pin.command) {
                if is_given(&name, true, false) {
                    continue;
                }
                if let Some((level, words)) = self.missing(&name, pin.before, captured) {
                    self.say(level, pin.line, words);
                }
            }
            for place in
                places(&pin.command, outside).iter().filter(|place| place.sure && !place.bare)
            {
                self.say(
                    Level::Warning,
                    pin.line,
                    format!("${} stands {}", place.name, place.words),
                );
            }
            for one in shell::read(&pin.command).commands {
                if let Some(what) = reads::change(&one, &pin.command) {
                    self.say(
                        Level::Warning,
                        pin.line,
                        format!("a pin only reads, and {what} changes something"),
                    );
                }
            }
        }
    }

    /// What check lines name is there.
    fn checks(&mut self) {
        for step in &self.book.steps {
            let StepKind::Check(check) = &step.kind else { continue };
            let limit = check.within.unwrap_or(ASKED_ONCE);
            let behind =
                |it: (&Step, &CommandStep)| it.1.changes && !it.1.undoes && it.0.id < step.id;
            let is_behind_a_change = commands(&self.book.steps).any(behind);
            for (text, condition) in &check.lines {
                let window = self.window_of(condition);
                if is_behind_a_change && window >= limit && !window.is_zero() {
                    let back = units::duration(window);
                    let so_long = match check.within {
                        Some(within) => format!("`within={}`", units::duration(within)),
                        None => format!("{} without `within`", units::duration(limit)),
                    };
                    let words = format!(
                        "it looks back {back}, and proves nothing sooner than that after the change: {so_long} is too short"
                    );
                    let line = self.line_of(step, text, 1);
                    self.say(Level::Warning, line, words);
                }
                // What a variable stands in is known when it is run.
                if text.contains('$') {
                    continue;
                }
                if let Err(why) = naming::known(condition, self.names) {
                    let level = match condition {
                        Condition::Alert { .. } => Level::Warning,
                        _ => Level::Error,
                    };
                    let line = self.line_of(step, text, 1);
                    self.say(level, line, why);
                }
            }
        }
    }

    /// How far back it looks, as far as that is known here.
    fn window_of(&self, condition: &Condition) -> Duration {
        let names = self.names;
        match condition {
            Condition::Promql { expr } => {
                promql::parse(expr).map(|expr| promql::window(&expr)).unwrap_or_default()
            }
            Condition::Service { name, .. } if name.as_str().contains('$') => {
                let patterns = &self.book.front.services;
                let meant = |service: &str| {
                    patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, service))
                };
                let windows = names.service_windows.iter().filter(|(service, _)| meant(service));
                windows.map(|(_, window)| *window).max().unwrap_or_default()
            }
            Condition::Service { name, .. } => {
                names.service_windows.get(name.as_str()).copied().unwrap_or_default()
            }
            Condition::Alert { name, .. } => {
                names.alert_windows.get(name).copied().unwrap_or_default()
            }
            Condition::Check { .. } | Condition::Backup { .. } => Duration::ZERO,
        }
    }

    /// In production a changing step is pinned, and its target's name is typed.
    fn production(&mut self) {
        let mut unpinned = false;
        for (step, command) in commands(&self.book.steps) {
            if !command.changes || command.undoes {
                continue;
            }
            if command.confirm.is_none() {
                let words = "it changes something in production, and a key alone confirms it: add `confirm=service` or `confirm=host`";
                self.say(Level::Warning, step.line, words);
            }
            let pinned = self.book.pins.iter().any(|pin| pin.before <= step.id);
            if !pinned && !unpinned {
                unpinned = true;
                let words = "it changes something in production without a pin: say in a `pin` block above it what must not have changed meanwhile";
                self.say(Level::Warning, step.line, words);
            }
        }
    }
}

/// What a run knows by itself.
fn is_around(name: &str) -> bool {
    name == "SERVICE" || name.starts_with("SERVICE_") || name.starts_with("LABEL_")
}

/// `sudo` without `-n`, `-S` or `-A`, as a command or behind one.
fn asks_for_a_password(command: &Command) -> bool {
    let Some(at) = command.words.iter().position(|word| word.text == "sudo") else { return false };
    // Behind `apt-get install` or in a text it is a word like any other.
    let first =
        at == 0 || matches!(command.program(), Some("env" | "time" | "nohup" | "timeout" | "nice"));
    let mut options = command.words[at + 1..].iter().take_while(|word| word.text.starts_with('-'));
    first
        && !options.any(|word| {
            let text = word.text.as_str();
            ["--non-interactive", "--stdin", "--askpass", "--version"].contains(&text)
                || (!text.starts_with("--") && text.contains(['n', 'S', 'A', 'V']))
        })
}

/// A remark in one line, with the file and the line that it is about.
pub fn in_one_line(book: &Book, remark: &Remark) -> String {
    let level = match remark.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let words = harmless_within(&remark.words, 400);
    format!("{}:{}: {level}: {words}", harmless_within(&book.path, 200), remark.line)
}

#[cfg(test)]
mod tests;
