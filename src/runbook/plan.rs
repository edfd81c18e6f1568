//! From a runbook and what it is asked for to the plan of a run.

mod making;

use super::book::{Book, Level, Param};
use super::given::{can_be_asked, is_given, is_identifier};
use super::live::{Hidden, ParamAsk, RunRequest};
use super::needs::{held_to, need_in};
use super::shell;
use super::values::{fits, one_of};
use crate::domain::harmless_within;
use crate::domain::runs::{
    BookRef, CommandStep, Held, Origin, Plan, Shell, Step, StepId, StepKind, Value,
};
use making::Making;
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
    /// The config file, as it is called from anywhere.
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
    /// There are others: of Prometheus, of Alertmanager, of rule files.
    pub more_alerts: bool,
    /// How far what judges a service looks back, where that is known.
    pub service_windows: BTreeMap<String, Duration>,
    /// How far the expression of an alert looks back, where that is known.
    pub alert_windows: BTreeMap<String, Duration>,
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

/// The names of those that were not answered, or not well.
pub fn unsettled(asks: &[ParamAsk], secrets_given: &BTreeSet<String>) -> BTreeSet<String> {
    let is_settled = |ask: &&ParamAsk| {
        let given = if ask.param.secret {
            secrets_given.contains(&ask.param.name)
        } else {
            ask.value.is_some()
        };
        given && ask.mistake.is_none()
    };
    let open = asks.iter().filter(|ask| !is_settled(ask));
    open.map(|ask| ask.param.name.clone()).collect()
}

/// Whether a parameter may hold this value, a secret one among them.
pub fn param_fits(book: &Book, param: &Param, value: &str) -> Result<(), String> {
    if param.pattern.is_none() && !param.choices.is_empty() {
        return if param.choices.iter().any(|choice| choice == value) {
            fits(Some(&one_of(&param.choices)), value)
        } else {
            let shown = harmless_within(value, 60);
            Err(format!("`{shown}` is none of {}", param.choices.join(", ")))
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
    outline(book, request, setting, secrets_given, &BTreeSet::new())
}

/// The same without the values of `open`: what is known already, or all that
/// stands against it whatever those will be.
pub fn outline(
    book: &Book,
    request: &RunRequest,
    setting: &Setting,
    secrets_given: &BTreeSet<String>,
    open: &BTreeSet<String>,
) -> Result<Plan, Vec<String>> {
    let wrong = book.remarks.iter().filter(|remark| remark.level == Level::Error);
    let wrong: Vec<String> =
        wrong.map(|remark| format!("{} line {}: {}", book.id, remark.line, remark.words)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let (errors, warnings) = (Vec::new(), Vec::new());
    let mut making = Making { errors, warnings, book, request, setting, open };
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

#[cfg(test)]
mod tests;
