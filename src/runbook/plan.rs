//! From a runbook and what it is asked for to the plan of a run.

use super::book::{Book, Level, Param};
use super::given::{can_be_asked, is_given, is_identifier};
use super::live::{Hidden, ParamAsk, RunRequest};
use super::naming;
use super::needs::{Need, held_to, need_in};
use super::shell;
use super::values::{fits, one_of};
use crate::domain::runs::{
    BookRef, CommandStep, Held, Origin, Plan, Shell, Step, StepId, StepKind, Value,
};
use crate::domain::{ServiceName, glob, harmless_within, nearest};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Folders of programs, after those that the config names.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the process of a run knows: its config, its host, its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The environment of the config.
    pub environment: String,
    /// Changes need `arm` there.
    pub armed_only: bool,
    /// The config file, canonical.
    pub config: String,
    /// This host.
    pub host: String,
    /// The user.
    pub user: String,
    /// The user's home folder.
    pub home: String,
    /// Where commands run, unless the runbook says otherwise.
    pub folder: String,
    /// Time for a step that names none.
    pub timeout: Duration,
    /// Folders in which programs are looked for before the usual ones.
    pub path: Vec<String>,
    /// `SSH_AUTH_SOCK`, where there is one.
    pub agent: Option<String>,
    /// `TZ`, where it is set.
    pub zone: Option<String>,
    /// `TERM` of the steps that run in a terminal.
    pub terminal: String,
    /// Runbooks of which a second person approves each changing step.
    pub approve: Vec<String>,
    /// What there is to speak of.
    pub names: Names,
}

impl Setting {
    /// Where commands look for programs.
    pub fn search_path(&self) -> String {
        let own = self.path.iter().flat_map(|folder| [folder.as_str(), ":"]);
        own.chain([USUAL_PATH]).collect()
    }
}

/// What a runbook can speak of: what the config knows by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Each service, with its fields as variables: `SERVICE_OWNER`.
    pub services: BTreeMap<String, BTreeMap<String, String>>,
    /// Checks: `api/health`.
    pub checks: BTreeSet<String>,
    /// Data sets that have backups.
    pub backups: BTreeSet<String>,
    /// Alerts that are known by name.
    pub alerts: BTreeSet<String>,
    /// There are others: of Prometheus, of Alertmanager.
    pub more_alerts: bool,
}

/// What the run is asked to be told before it starts: every parameter, what it
/// holds by now, and what is wrong with that. Those with `from` or `values`
/// get their choices from whoever can run them.
pub fn parameters(book: &Book, request: &RunRequest, setting: &Setting) -> Vec<ParamAsk> {
    let ask = |param: Param| {
        let value = match (param.secret, request.values.get(&param.name)) {
            (true, _) => None,
            (false, Some(given)) => Some(given.clone()),
            (false, None) => param.default.clone(),
        };
        let mistake = value.as_deref().and_then(|value| param_fits(book, &param, value).err());
        let failure = param
            .from
            .as_deref()
            .and_then(|command| asking_environment(book, request, setting, command).err());
        ParamAsk { choices: param.choices.clone(), failure, value, mistake, param }
    };
    let around = around(request, setting, &mut Vec::new());
    asked(book, &around).into_iter().map(ask).collect()
}

/// Whether all that is asked was answered, and well.
pub fn settled(asks: &[ParamAsk], secrets_given: &BTreeSet<String>) -> bool {
    asks.iter().all(|ask| {
        let given = if ask.param.secret {
            secrets_given.contains(&ask.param.name)
        } else {
            ask.value.is_some()
        };
        given && ask.mistake.is_none()
    })
}

/// Whether a parameter may hold this value, a secret one among them.
pub fn param_fits(book: &Book, param: &Param, value: &str) -> Result<(), String> {
    if param.pattern.is_none() && !param.choices.is_empty() {
        return if param.choices.iter().any(|choice| choice == value) {
            fits(Some(&one_of(&param.choices)), value)
        } else {
            Err(format!("it is none of {}", param.choices.join(", ")))
        };
    }
    let froms = book.front.params.iter().filter_map(|param| param.from.as_deref());
    let pins = book.pins.iter().map(|pin| pin.command.as_str());
    let need = need_in(&book.steps, froms.chain(pins), &param.name);
    held_to(&need, None, param.pattern.as_deref(), value)
}

/// Whether a variable of a plan may hold this: what a step has captured, or a
/// secret that was asked again.
pub fn value_fits(plan: &Plan, name: &str, value: &str) -> Result<(), String> {
    let pattern = plan.values.iter().find(|known| known.name == name);
    let pattern = pattern.and_then(|known| known.pattern.as_deref());
    let pins = plan.pins.iter().map(|pin| pin.command.as_str());
    held_to(&need_in(&plan.steps, pins, name), None, pattern, value)
}

/// The environment of a command that uses these variables: theirs, and of the
/// others those that mean nothing to any shell, or that the config gives. A variable without a value is
/// not in it. Secrets go only where they are used.
pub fn environment(
    plan: &Plan,
    uses: &[String],
    tty: bool,
    captured: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, Hidden>,
) -> BTreeMap<String, String> {
    let mut all = plan.environ.clone();
    if !tty {
        all.remove("TERM");
    }
    for value in &plan.values {
        let used = uses.contains(&value.name) || value.origin == Origin::Service;
        let text = match &value.held {
            Held::Text(text) => Some(text),
            Held::Captured(_) => captured.get(&value.name),
            Held::Secret if used => secrets.get(&value.name).map(|hidden| &hidden.0),
            Held::Secret => None,
        };
        if let Some(text) = text.filter(|text| used || fits(None, text).is_ok()) {
            all.insert(value.name.clone(), text.clone());
        }
    }
    all
}

/// The environment of a command that reads the choices of a parameter; why it
/// cannot be run where a variable that it uses has no value, or none that fits.
pub fn asking_environment(
    book: &Book,
    request: &RunRequest,
    setting: &Setting,
    command: &str,
) -> Result<BTreeMap<String, String>, String> {
    let mut warnings = Vec::new();
    let mut known = around(request, setting, &mut warnings);
    let asked = asked(book, &known);
    known.extend(asked.into_iter().filter_map(|param| given(&param, request)));
    let mut all = environ(setting);
    all.remove("TERM");
    let script = shell::read(command);
    let (uses, spared) = (script.variables(), script.optional());
    for name in uses.iter().chain(&spared) {
        if is_given(name, true, false) {
            continue;
        }
        let value = known.iter().find(|value| value.name == *name);
        let Some(Value { held: Held::Text(text), pattern, origin, .. }) = value else {
            if uses.contains(name) {
                return Err(format!("`from` uses ${name}, which has no value yet"));
            }
            continue;
        };
        held_to(&need_in(&[], [command], name), Some(*origin), pattern.as_deref(), text)
            .map_err(|why| format!("`from` uses ${name}: {why}"))?;
        all.insert(name.clone(), text.clone());
    }
    Ok(all)
}

/// What will be run: everything that the operator agrees to, or all that
/// stands against it. `secrets_given` are the names of secrets that were given.
pub fn plan(
    book: &Book,
    request: &RunRequest,
    setting: &Setting,
    secrets_given: &BTreeSet<String>,
) -> Result<Plan, Vec<String>> {
    let wrong = book.remarks.iter().filter(|remark| remark.level == Level::Error);
    let wrong: Vec<String> =
        wrong.map(|remark| format!("{} line {}: {}", book.id, remark.line, remark.words)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut making = Making { errors: Vec::new(), warnings: Vec::new(), book, request, setting };
    making.look_around();
    // The rest would say the same again for each step.
    if !making.errors.is_empty() {
        return Err(making.errors);
    }
    let values = making.values(secrets_given);
    making.hold_together(&values);
    let steps: Vec<Step> = book.steps.iter().map(|step| making.step(step, &values)).collect();
    let values = making.fitting(&steps, values);
    let folder = making.folder(book.front.folder.as_deref().unwrap_or(&setting.folder), None);
    let mut environ = environ(setting);
    if !steps.iter().any(|step| matches!(&step.kind, StepKind::Command(command) if command.tty)) {
        environ.remove("TERM");
    }
    let Making { errors, warnings, .. } = making;
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Plan {
        book: BookRef {
            id: book.id.clone(),
            title: book.title.clone(),
            path: book.path.clone(),
            hash: book.hash.clone(),
            foreign: book.foreign,
        },
        environment: setting.environment.clone(),
        armed_only: setting.armed_only,
        config: setting.config.clone(),
        host: setting.host.clone(),
        user: setting.user.clone(),
        folder,
        target: match &request.service {
            Some(service) => format!("service/{service}"),
            None => format!("host/{}", setting.host),
        },
        service: request.service.clone(),
        alert: request.alert.clone(),
        values,
        environ,
        steps,
        pins: book.pins.clone(),
        timeout: setting.timeout,
        warnings,
    })
}

/// The parameters that are asked for. One that a step captures is only
/// declared, for its `match`. A runbook that was written for people declares
/// nothing: what its commands use and nobody sets is asked for.
fn asked(book: &Book, around: &[Value]) -> Vec<Param> {
    let captured = captures(&book.steps);
    let mut asked: Vec<Param> = book
        .front
        .params
        .iter()
        .filter(|param| !captured.contains_key(param.name.as_str()))
        .cloned()
        .collect();
    if book.foreign {
        for (step, command) in commands(&book.steps) {
            for name in &command.uses {
                let known = asked.iter().any(|param| param.name == *name)
                    || around.iter().any(|value| value.name == *name)
                    || captured.contains_key(name.as_str())
                    || is_given(name, command.shell == Shell::Bash, command.tty);
                if !known && can_be_asked(name) {
                    let ask = format!("{name}, which step {} uses", step.id);
                    asked.push(Param { name: name.clone(), ask, ..Param::default() });
                }
            }
        }
    }
    asked
}

/// Each variable that is captured, and the first step that does.
pub(super) fn captures(steps: &[Step]) -> BTreeMap<&str, StepId> {
    let mut found = BTreeMap::new();
    for (step, command) in commands(steps) {
        if let (Some(name), false) = (&command.capture, command.undoes) {
            found.entry(name.as_str()).or_insert(step.id);
        }
    }
    found
}

pub(super) fn commands(steps: &[Step]) -> impl Iterator<Item = (&Step, &CommandStep)> {
    steps.iter().filter_map(|step| match &step.kind {
        StepKind::Command(command) => Some((step, command)),
        StepKind::Check(_) | StepKind::Manual { .. } => None,
    })
}

/// What a parameter holds, where it holds something.
fn given(param: &Param, request: &RunRequest) -> Option<Value> {
    let (text, origin) = match request.values.get(&param.name) {
        Some(text) => (text, Origin::Chosen),
        None => (param.default.as_ref()?, Origin::Default),
    };
    let held = if param.secret { Held::Secret } else { Held::Text(text.clone()) };
    Some(Value { name: param.name.clone(), held, origin, pattern: pattern_of(param) })
}

fn pattern_of(param: &Param) -> Option<String> {
    let of_choices = || (!param.choices.is_empty()).then(|| one_of(&param.choices));
    param.pattern.clone().or_else(of_choices)
}

/// What a run knows by itself: labels of the alert, fields of the service.
fn around(request: &RunRequest, setting: &Setting, warnings: &mut Vec<String>) -> Vec<Value> {
    let text = |name: String, text: &str, origin| Value {
        name,
        held: Held::Text(text.to_owned()),
        origin,
        pattern: None,
    };
    let mut all = Vec::new();
    for (name, value) in request.alert.iter().flat_map(|alert| alert.labels.iter()) {
        if is_identifier(name) {
            all.push(text(format!("LABEL_{name}"), value, Origin::Label));
        } else {
            let shown = harmless_within(name, 40);
            warnings
                .push(format!("the label `{shown}` is left out: a variable cannot be called so"));
        }
    }
    if let Some(service) = &request.service {
        all.push(text("SERVICE".into(), service.as_str(), Origin::Service));
        let fields = setting.names.services.get(service.as_str());
        for (name, value) in fields.into_iter().flatten() {
            if is_identifier(name) {
                all.push(text(name.clone(), value, Origin::Service));
            } else {
                let shown = harmless_within(name, 40);
                warnings.push(format!(
                    "`{shown}` of the service is left out: a variable cannot be called so"
                ));
            }
        }
    }
    all
}

/// The environment of all commands, apart from values.
fn environ(setting: &Setting) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("PATH".to_owned(), setting.search_path()),
        ("HOME".to_owned(), setting.home.clone()),
        ("USER".to_owned(), setting.user.clone()),
        ("LOGNAME".to_owned(), setting.user.clone()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
    ]);
    all.extend(setting.agent.clone().map(|agent| ("SSH_AUTH_SOCK".to_owned(), agent)));
    all.extend(setting.zone.clone().map(|zone| ("TZ".to_owned(), zone)));
    if !setting.terminal.is_empty() {
        all.insert("TERM".to_owned(), setting.terminal.clone());
    }
    all
}

/// A plan in the making: what stands against it, and what should be known.
struct Making<'a> {
    errors: Vec<String>,
    warnings: Vec<String>,
    book: &'a Book,
    request: &'a RunRequest,
    setting: &'a Setting,
}

impl Making<'_> {
    fn wrong(&mut self, words: impl Into<String>) {
        self.errors.push(words.into());
    }

    /// The text, the host, the service.
    fn look_around(&mut self) {
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
    fn values(&mut self, secrets_given: &BTreeSet<String>) -> Vec<Value> {
        let mut values = around(self.request, self.setting, &mut self.warnings);
        let asked = asked(self.book, &values);
        for param in &asked {
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
    fn hold_together(&mut self, values: &[Value]) {
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
    fn fitting(&mut self, steps: &[Step], values: Vec<Value>) -> Vec<Value> {
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
    fn step(&mut self, step: &Step, values: &[Value]) -> Step {
        let mut step = step.clone();
        let who = format!("step {}", step.id);
        match &mut step.kind {
            StepKind::Manual { .. } => {}
            StepKind::Check(check) => {
                for (line, condition) in &mut check.lines {
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
    fn folder(&mut self, folder: &str, who: Option<&str>) -> String {
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

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
