//! What stands against a plan, and what its steps and values come to.

use super::{Setting, around, asked, captures, commands, given, pattern_of};
use crate::domain::runs::{Held, Origin, Shell, Step, StepId, StepKind, Value};
use crate::domain::{ServiceName, glob, harmless_within, nearest};
use crate::runbook::book::Book;
use crate::runbook::given::is_given;
use crate::runbook::live::RunRequest;
use crate::runbook::needs::{Need, held_to, need_in};
use crate::runbook::values::fits;
use crate::runbook::{naming, shell};
use std::collections::BTreeSet;

/// A plan in the making: what stands against it, and what should be known.
pub(super) struct Making<'a> {
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) book: &'a Book,
    pub(super) request: &'a RunRequest,
    pub(super) setting: &'a Setting,
    /// Parameters whose values are still missing.
    pub(super) open: &'a BTreeSet<String>,
}

impl Making<'_> {
    fn wrong(&mut self, words: impl Into<String>) {
        self.errors.push(words.into());
    }

    /// The text, the host, the service.
    pub(super) fn look_around(&mut self) {
        let (book, request, setting) = (self.book, self.request, self.setting);
        if book.steps.is_empty() {
            self.wrong(format!("{} has no steps: it is there to be read", book.id));
        }
        if request.hash.as_ref().is_some_and(|seen| *seen != book.hash) {
            self.wrong(format!("the text of {} has changed since it was shown", book.id));
        }
        let short = setting.host.split('.').next().unwrap_or_default();
        let here = |pattern: &String| glob(pattern, &setting.host) || glob(pattern, short);
        if !book.front.hosts.is_empty() && !book.front.hosts.iter().any(here) {
            let allowed = harmless_within(&book.front.hosts.join(", "), 200);
            self.wrong(format!("it may run on {allowed}, and this is {}", setting.host));
        }
        let Some(service) = &request.service else {
            if self.is_about_a_service() {
                self.wrong("it is about a service: name one");
            }
            return;
        };
        let name = service.as_str();
        if !setting.names.services.contains_key(name) {
            let known = setting.names.services.keys().map(String::as_str);
            let meant = nearest(name, known).map(|meant| format!("; did you mean {meant}?"));
            let shown = harmless_within(name, 60);
            self.wrong(format!("there is no service {shown}{}", meant.unwrap_or_default()));
        }
        let services = &book.front.services;
        if !services.is_empty() && !services.iter().any(|pattern| glob(pattern, name)) {
            let meant = harmless_within(&services.join(", "), 200);
            self.warnings.push(format!("it was written for {meant}, not for {name}"));
        }
    }

    /// Whether it cannot be said what the runbook does without a service.
    fn is_about_a_service(&self) -> bool {
        // A runbook for people that speaks of fields is asked for them.
        let foreign = self.book.foreign;
        let is_of_service =
            |name: &String| name == "SERVICE" || (!foreign && name.starts_with("SERVICE_"));
        let pins = self.book.pins.iter().flat_map(|pin| shell::variables(&pin.command));
        if pins.into_iter().any(|name| is_of_service(&name)) {
            return true;
        }
        self.book.steps.iter().any(|step| match &step.kind {
            StepKind::Command(command) => {
                let asks = command.confirm.as_deref() == Some("service");
                asks || command.uses.iter().any(is_of_service)
            }
            StepKind::Check(check) => check.lines.iter().any(|(line, _)| line.contains("$SERVICE")),
            StepKind::Manual { .. } => false,
        })
    }

    /// All variables that have a value, or will have one.
    pub(super) fn values(&mut self, secrets_given: &BTreeSet<String>) -> Vec<Value> {
        let mut values = around(self.request, self.setting, &mut self.warnings);
        let asked = asked(self.book, &values);
        for param in asked.iter().filter(|param| !self.open.contains(&param.name)) {
            let value = if param.secret {
                secrets_given.contains(&param.name).then(|| Value {
                    name: param.name.clone(),
                    held: Held::Secret,
                    origin: Origin::Chosen,
                    pattern: pattern_of(param),
                })
            } else {
                given(param, self.request)
            };
            match value {
                Some(value) => values.push(value),
                None => self.wrong(format!("{} has no value: {}", param.name, param.ask)),
            }
        }
        for name in self.request.values.keys() {
            if !asked.iter().any(|param| param.name == *name && !param.secret) {
                let known = asked.iter().map(|param| param.name.as_str());
                let shown = harmless_within(name, 60);
                let words = match nearest(name, known) {
                    Some(meant) if meant == name => format!("{shown} is a secret: it is asked for"),
                    Some(meant) => format!("there is no parameter {shown}; did you mean {meant}?"),
                    None => format!("there is no parameter {shown}"),
                };
                self.wrong(words);
            }
        }
        let declared = &self.book.front.params;
        for (name, step) in captures(&self.book.steps) {
            let declared = declared.iter().find(|param| param.name == name);
            values.push(Value {
                name: name.to_owned(),
                held: Held::Captured(step),
                origin: Origin::Step,
                pattern: declared.and_then(pattern_of),
            });
        }
        values
    }

    /// Every variable that is used has a value by then, an undo's before the
    /// step that it undoes. What several steps lack is told once.
    pub(super) fn hold_together(&mut self, values: &[Value]) {
        let book = self.book;
        let mut lacks: Vec<(String, Vec<String>)> = Vec::new();
        let mut lack = |who: &str, words: Option<String>| {
            let Some(words) = words else { return };
            match lacks.iter_mut().find(|(known, _)| *known == words) {
                Some((_, all)) => all.push(who.to_owned()),
                None => lacks.push((words, vec![who.to_owned()])),
            }
        };
        for (step, command) in commands(&book.steps) {
            let undone = commands(&book.steps)
                .filter(|(_, other)| other.undo == Some(step.id))
                .map(|(other, _)| other.id);
            // The latest moment at which it has to be known.
            let by = if command.undoes { undone.min().unwrap_or(step.id) } else { step.id };
            let who = format!("step {} ({})", step.id, harmless_within(&step.title, 40));
            for name in &command.uses {
                if !is_given(name, command.shell == Shell::Bash, command.tty) {
                    lack(&who, self.lacks(name, by, values));
                }
            }
        }
        for pin in &book.pins {
            let who = format!("the pin {}", harmless_within(&pin.name, 40));
            for name in shell::variables(&pin.command) {
                if !is_given(&name, true, false) {
                    lack(&who, self.lacks(&name, pin.before, values));
                }
            }
        }
        for (words, mut all) in lacks {
            all.dedup();
            let uses = if all.len() == 1 { "uses" } else { "use" };
            self.wrong(format!("{} {uses} {words}", all.join(", ")));
        }
    }

    /// Why a variable has no value by then, from its name on; none where it has one.
    fn lacks(&self, name: &str, by: StepId, values: &[Value]) -> Option<String> {
        Some(match values.iter().find(|value| value.name == name) {
            Some(Value { held: Held::Captured(step), .. }) if *step >= by => {
                format!("${name}, which step {step} captures only later")
            }
            Some(_) => return None,
            // It was said that this one has no value.
            None if asked(self.book, values).iter().any(|param| param.name == name) => return None,
            None => match (name.strip_prefix("LABEL_"), &self.request.alert) {
                (Some(label), Some(_)) => format!("${name}, and the alert has no label {label}"),
                (Some(_), None) => format!("${name}, and there is no alert: name one"),
                (None, _) if name == "SERVICE" || name.starts_with("SERVICE_") => {
                    let service = self.request.service.as_ref();
                    let service = service.map_or("it", ServiceName::as_str);
                    let key = name.trim_start_matches("SERVICE_").to_ascii_lowercase();
                    format!(
                        "${name}, and {service} has no `{key}` in the config: put it into its `vars`"
                    )
                }
                (None, _) => format!("${name}, which nobody sets"),
            },
        })
    }

    /// The values that are held to what their places ask for. One that no place
    /// uses and that could mean something to a shell is not given to any.
    pub(super) fn fitting(&mut self, steps: &[Step], values: Vec<Value>) -> Vec<Value> {
        let book = self.book;
        let mut kept = Vec::new();
        for value in values {
            let Held::Text(text) = &value.held else {
                kept.push(value);
                continue;
            };
            let pins = book.pins.iter().map(|pin| pin.command.as_str());
            let need = need_in(steps, pins, &value.name);
            let own = matches!(value.origin, Origin::Chosen | Origin::Default);
            let fit = held_to(&need, Some(value.origin), value.pattern.as_deref(), text);
            match (&need, fit) {
                (Need::Nothing, Err(_)) if !own => {}
                (Need::Nothing, Ok(())) if !own && fits(None, text).is_err() => {}
                (_, Ok(())) => kept.push(value),
                (need, Err(why)) => {
                    let place = match need {
                        Need::Whole(place) => format!(" ({place})"),
                        Need::Word | Need::Nothing => String::new(),
                    };
                    self.wrong(format!("{} cannot be used: {why}{place}", value.name));
                }
            }
        }
        kept
    }

    /// A step with all words in it that are known now.
    pub(super) fn step(&mut self, step: &Step, values: &[Value]) -> Step {
        let mut step = step.clone();
        let who = format!("step {}", step.id);
        match &mut step.kind {
            StepKind::Manual { .. } => {}
            StepKind::Check(check) => {
                for (line, condition) in &mut check.lines {
                    if self.open.iter().any(|name| naming::speaks_of(line, name)) {
                        continue;
                    }
                    let made = naming::with_values(line, condition, values).and_then(|made| {
                        naming::known(&made.1, &self.setting.names).map(|()| made)
                    });
                    // One that has no other name is called by its first line.
                    let is_title = harmless_within(line, 120) == step.title;
                    match made {
                        Ok((said, resolved)) => {
                            if is_title {
                                step.title = harmless_within(&said, 120);
                            }
                            (*line, *condition) = (said, resolved);
                        }
                        Err(why) => {
                            let line = harmless_within(line, 60);
                            self.wrong(format!("{who}, `{line}`: {why}"));
                        }
                    }
                }
            }
            StepKind::Command(command) => {
                if let Some(word) = &command.confirm {
                    command.confirm = Some(match (word.as_str(), &self.request.service) {
                        ("service", Some(service)) => service.as_str().to_owned(),
                        ("host", _) => self.setting.host.clone(),
                        (word, _) => word.to_owned(),
                    });
                }
                let id = self.book.id.as_str();
                command.approve |=
                    command.changes && self.setting.approve.iter().any(|pattern| glob(pattern, id));
                if let Some(folder) = command.folder.take() {
                    command.folder = Some(self.folder(&folder, Some(&who)));
                }
            }
        }
        step
    }

    /// A folder as it is called from anywhere.
    pub(super) fn folder(&mut self, folder: &str, who: Option<&str>) -> String {
        let absolute = match folder.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.setting.home.trim_end_matches('/'))
            }
            _ => folder.to_owned(),
        };
        if !absolute.starts_with('/') || absolute.contains(['$', '\0']) {
            let who = who.unwrap_or("it");
            let shown = harmless_within(folder, 80);
            self.wrong(format!("{who} runs in `{shown}`, which is no absolute path"));
        }
        absolute
    }
}
