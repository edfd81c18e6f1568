//! A request as somebody could make it, with a stand-in for each value that
//! nobody has now.

use super::Rehearsal;
use super::reads::{READ, understood};
use crate::domain::runs::{AlertSeen, Shell, StepKind};
use crate::domain::{Labels, Timestamp, glob};
use crate::runbook::plan::{asking_environment, param_fits, parameters};
use crate::runbook::shell::{named, variables};
use crate::runbook::{Book, ParamAsk, RunRequest, Setting};
use crate::runtime::runs::process;
use crate::steps;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a value that only an alert or a person has.
const STAND_IN: &str = "rehearsal";

/// A runbook, and what it could be asked for.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) book: Book,
    pub(super) request: RunRequest,
    /// Names whose values are made up: what uses them is not run.
    pub(super) stand_ins: BTreeSet<String>,
}

impl Made {
    /// For the first service that it is for, where it needs one, and an alert
    /// with all labels that it uses. Fails where there is no such service.
    pub(super) fn of(book: &Book, setting: &Setting) -> Result<Self, String> {
        let mut uses: BTreeSet<String> = BTreeSet::new();
        let mut confirms_service = false;
        for step in &book.steps {
            match &step.kind {
                StepKind::Command(command) => {
                    confirms_service |= command.confirm.as_deref() == Some("service");
                    uses.extend(named(&command.script));
                }
                StepKind::Check(check) => {
                    uses.extend(check.lines.iter().flat_map(|(line, _)| spoken_of(line)));
                }
                StepKind::Manual { .. } => {}
            }
        }
        let froms = book.front.params.iter().filter_map(|param| param.from.as_deref());
        for command in froms.chain(book.pins.iter().map(|pin| pin.command.as_str())) {
            uses.extend(named(command));
        }
        let fields: Vec<&String> =
            uses.iter().filter(|name| name.starts_with("SERVICE_")).collect();
        let patterns = &book.front.services;
        let wanted = confirms_service
            || uses.contains("SERVICE")
            || !fields.is_empty()
            || !patterns.is_empty();
        // A field that only some services have may be one that a default stands for.
        let has = |known: &BTreeMap<String, String>| {
            fields.iter().filter(|field| known.contains_key(**field)).count()
        };
        let fits = |name: &str| patterns.is_empty() || patterns.iter().any(|it| glob(it, name));
        let fitting = setting.names.services.iter().filter(|(name, _)| fits(name));
        let mut service = None;
        for (name, known) in fitting {
            if service.is_none_or(|(_, most)| has(known) > most) {
                service = Some((name, has(known)));
            }
        }
        if wanted && service.is_none() {
            return Err("no service of the config is one that it is for".to_owned());
        }
        let service = service.filter(|_| wanted).map(|(name, _)| name);
        let known = service.and_then(|name| setting.names.services.get(name));
        let lacking = |name: &&String| known.is_none_or(|known| !known.contains_key(*name));
        let needed: BTreeSet<String> = required(book);
        let lower = |name: &String| name.trim_start_matches("SERVICE_").to_lowercase();
        let missing: Vec<String> = fields
            .iter()
            .copied()
            .filter(|name| needed.contains(*name) && lacking(name))
            .map(lower)
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "no service that it is for has {} in its `vars`",
                missing.join(", ")
            ));
        }
        let labels: BTreeSet<String> =
            uses.iter().filter(|it| it.starts_with("LABEL_")).cloned().collect();
        let alert = (!labels.is_empty()).then(|| AlertSeen {
            identity: 0,
            labels: Labels::new(
                labels.iter().map(|it| (it.trim_start_matches("LABEL_"), STAND_IN)),
            ),
            expression: String::new(),
            reason: String::new(),
            since: Timestamp::default(),
            pending: false,
        });
        let request = RunRequest {
            book: book.id.as_str().into(),
            service: service.map(|name| name.as_str().into()),
            alert,
            ..RunRequest::default()
        };
        Ok(Self { book: book.clone(), request, stand_ins: labels })
    }

    /// A value for each parameter: its default, a choice, the first that its
    /// command prints, else a stand-in.
    pub(super) async fn choose(&mut self, setting: &Setting, done: &mut Rehearsal) {
        for ask in parameters(&self.book, &self.request, setting) {
            let name = ask.param.name.clone();
            if ask.param.secret {
                self.stand_ins.insert(name);
                continue;
            }
            let listed = match &ask.param.from {
                Some(command) => self.listed(&ask, command, setting, done).await,
                None => None,
            };
            if ask.value.is_some() {
                continue;
            }
            let value = listed.or_else(|| ask.param.choices.first().cloned());
            let fit = value.as_deref().map(|value| param_fits(&self.book, &ask.param, value));
            if let Some(Err(why)) = &fit {
                done.broken.push(format!("the first choice of {name} cannot be used: {why}"));
            }
            let value = if let (Some(Ok(())), Some(value)) = (fit, value) {
                value
            } else {
                let own = self.book.front.params.iter_mut().find(|it| it.name == name);
                if let Some(own) = own {
                    own.pattern = None;
                    own.choices.clear();
                }
                self.stand_ins.insert(name.clone());
                STAND_IN.to_owned()
            };
            self.request.values.insert(name, value);
        }
    }

    /// The first that the command of a parameter prints.
    async fn listed(
        &self,
        ask: &ParamAsk,
        command: &str,
        setting: &Setting,
        done: &mut Rehearsal,
    ) -> Option<String> {
        let who = format!("the choices of {}", ask.param.name);
        let path = setting.search_path();
        if let Err(why) = understood(Shell::Bash, command, &path).await {
            done.broken.push(format!("{who}: {why}"));
            return None;
        }
        if named(command).iter().any(|name| self.stand_ins.contains(name)) {
            return None;
        }
        let folder = self.book.front.folder.as_deref().unwrap_or(&setting.folder);
        let folder = folder.replacen('~', &setting.home, usize::from(folder.starts_with('~')));
        let asked = match asking_environment(&self.book, &self.request, setting, command) {
            Ok(env) => {
                done.ran += 1;
                steps::ask(command, &env, &folder, READ, process::process_id).await
            }
            Err(why) => Err(why),
        };
        match asked {
            Ok(text) => {
                let first = text.lines().map(str::trim).find(|line| !line.is_empty());
                if first.is_none() {
                    done.open.push(format!("{who}: there are none at the moment"));
                }
                first.map(str::to_owned)
            }
            Err(why) => {
                done.broken.push(format!("{who}: {why}"));
                None
            }
        }
    }

    /// Takes out what checks ask about made-up names; gives how many those are.
    pub(super) fn drop_checks(&mut self) -> usize {
        let mut dropped = 0;
        for step in &mut self.book.steps {
            let StepKind::Check(check) = &mut step.kind else { continue };
            let before = check.lines.len();
            let is_real =
                |line: &str| !spoken_of(line).iter().any(|it| self.stand_ins.contains(it));
            check.lines.retain(|(line, _)| is_real(line));
            dropped += before - check.lines.len();
        }
        dropped
    }
}

/// The variables that commands cannot do without.
fn required(book: &Book) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for step in &book.steps {
        match &step.kind {
            StepKind::Command(command) => needed.extend(command.uses.iter().cloned()),
            StepKind::Check(check) => {
                needed.extend(check.lines.iter().flat_map(|(line, _)| spoken_of(line)));
            }
            StepKind::Manual { .. } => {}
        }
    }
    needed.extend(book.pins.iter().flat_map(|pin| variables(&pin.command)));
    needed
}

/// The variables in the line of a check: `$NAME`, `${NAME}`.
fn spoken_of(line: &str) -> Vec<String> {
    let names = line.split('$').skip(1).map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        rest.chars().take_while(|it| it.is_ascii_alphanumeric() || *it == '_').collect::<String>()
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> Setting {
        let mut setting = Setting { home: "/home/a".into(), ..Setting::default() };
        let fields = BTreeMap::from([("SERVICE_UNIT".to_owned(), "api.service".to_owned())]);
        setting.names.services.insert("admin".into(), BTreeMap::new());
        setting.names.services.insert("api".into(), fields);
        setting
    }

    fn made(text: &str) -> Result<Made, String> {
        Made::of(&Book::read("book", "/book.md", text), &setting())
    }

    #[test]
    fn the_service_is_one_that_has_what_the_runbook_uses() {
        let service =
            |text: &str| made(text).map(|made| made.request.service.map(|it| it.to_string()));
        let unit = "# B\n```bash {reads}\nsystemctl status \"$SERVICE_UNIT\"\n```\n";
        assert_eq!(service(unit), Ok(Some("api".into())));
        assert_eq!(
            service("# B\n```bash {reads}\necho \"$SERVICE\"\n```\n"),
            Ok(Some("admin".into()))
        );
        assert_eq!(service("# B\n```bash {reads}\nuptime\n```\n"), Ok(None));
        let path = "# B\n```bash {reads}\nls \"$SERVICE_PATH\"\n```\n";
        assert!(service(path).unwrap_err().contains("path in its `vars`"));
        assert_eq!(
            service(&path.replace("$SERVICE_PATH", "${SERVICE_PATH:-/srv}")),
            Ok(Some("admin".into()))
        );
        let other = format!("---\nservices: [web]\n---\n{unit}");
        assert!(service(&other).unwrap_err().contains("no service of the config"));
    }

    #[tokio::test]
    async fn what_checks_ask_about_a_made_up_name_is_not_asked() {
        let text = "---\nparams:\n  HOST: { ask: Host }\n---\n# B\n```check\n\
                    promql up{instance=\"$LABEL_instance\"} == 1\n\
                    promql up{instance=\"${HOST}\"} == 1\npromql up == 1\n```\n";
        let mut made = made(text).unwrap();
        let mut done = Rehearsal::default();
        made.choose(&setting(), &mut done).await;
        assert_eq!((done, made.drop_checks()), (Rehearsal::default(), 2));
        assert_eq!(made.request.alert.unwrap().labels.get("instance"), Some(STAND_IN));
        assert_eq!(made.request.values["HOST"], STAND_IN);
    }

    #[test]
    fn names_in_the_line_of_a_check() {
        assert_eq!(spoken_of("promql a{b=\"$X\",c='${Y_1}z'} > 1"), ["X", "Y_1"]);
        assert!(spoken_of("promql a{b=~\"c$\"}").is_empty());
    }
}
