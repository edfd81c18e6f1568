//! The runbooks that ship, against real servers: their steps as a plan makes
//! them, run one after the other as the process of a run does.

mod data;
mod emergencies;
mod files;
mod postgres;
mod restart;
mod whole;

use super::support::now;
use opsroom::domain::ServiceName;
use opsroom::domain::runs::{CommandStep, Expect, Shell, Step, StepKind};
use opsroom::runbook::{Book, Level, Names, RunRequest, Setting, plan};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A run of a runbook by hand.
pub(crate) struct Hand {
    book: Book,
    setting: Setting,
    request: RunRequest,
    pub(crate) user: Option<(u32, u32)>,
    run: String,
}

/// How a run by hand went: the step at which it stopped, and what all said.
#[derive(Debug, Default)]
pub(crate) struct Went {
    /// The name of the step that failed; none where all went well.
    pub(crate) failed: Option<String>,
    /// What each step said, by its name.
    pub(crate) said: BTreeMap<String, String>,
    captured: BTreeMap<String, String>,
}

impl Went {
    pub(crate) fn well(&self) -> &Self {
        assert_eq!(self.failed, None, "{self:#?}");
        self
    }

    pub(crate) fn fails(&self, step: &str, words: &str) -> &Self {
        assert_eq!(self.failed.as_deref(), Some(step), "{self:#?}");
        assert!(self.said[step].contains(words), "{}", self.said[step]);
        self
    }
}

impl Hand {
    /// A runbook that ships, for a service with these `vars`.
    pub(crate) fn new(book: &str, vars: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("runbooks/{book}.md"));
        let text = std::fs::read_to_string(&path).unwrap();
        let book = Book::read(book, &path.to_string_lossy(), &text);
        let wrong: Vec<_> = book.remarks.iter().filter(|it| it.level == Level::Error).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let fields = vars.iter().map(|(name, value)| {
            (format!("SERVICE_{}", name.to_ascii_uppercase()), (*value).to_owned())
        });
        let mut names = Names { more_alerts: true, ..Names::default() };
        names.services.insert("it".into(), fields.collect());
        let setting = Setting {
            environment: "test".into(),
            folder: "/".into(),
            home: "/tmp".into(),
            user: "tester".into(),
            names,
            ..Setting::default()
        };
        let service: ServiceName = "it".into();
        let request = RunRequest { service: Some(service), ..RunRequest::default() };
        Self { book, setting, request, user: None, run: format!("r{}", now().millis()) }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.request.values.insert(name.into(), value.into());
        self
    }

    /// Programs are looked for in this folder first.
    pub(crate) fn path(mut self, folder: &Path) -> Self {
        self.setting.path.push(folder.to_string_lossy().into_owned());
        self
    }

    pub(crate) fn home(mut self, folder: &Path) -> Self {
        self.setting.home = folder.to_string_lossy().into_owned();
        self
    }

    /// As a user of this host, where the tests may.
    pub(crate) fn by_user(mut self, ids: Option<(u32, u32)>) -> Self {
        self.user = ids;
        self
    }

    /// As another run.
    pub(crate) fn called(mut self, run: &str) -> Self {
        self.run = run.into();
        self
    }

    /// What stands against it before anything is run.
    pub(crate) fn refused(&self) -> Vec<String> {
        plan(&self.book, &self.request, &self.setting, &BTreeSet::new()).err().unwrap_or_default()
    }

    /// All steps forward, until one fails; then what `after` names, whatever it is.
    pub(crate) fn run(&self) -> Went {
        self.run_only(|step| !step.undoes, BTreeMap::new())
    }

    /// These steps alone, after a run.
    pub(crate) fn run_step(&self, name: &str, went: &Went) -> Went {
        self.run_named(|step| step == name, went.captured.clone())
    }

    fn run_only(
        &self,
        which: impl Fn(&CommandStep) -> bool,
        captured: BTreeMap<String, String>,
    ) -> Went {
        self.run_these(|_, step| which(step), captured)
    }

    fn run_named(&self, which: impl Fn(&str) -> bool, captured: BTreeMap<String, String>) -> Went {
        self.run_these(|step, _| step.name.as_deref().is_some_and(&which), captured)
    }

    fn run_these(
        &self,
        which: impl Fn(&Step, &CommandStep) -> bool,
        captured: BTreeMap<String, String>,
    ) -> Went {
        let plan = plan(&self.book, &self.request, &self.setting, &BTreeSet::new()).unwrap();
        let mut went = Went { failed: None, said: BTreeMap::new(), captured };
        for step in &plan.steps {
            let StepKind::Command(command) = &step.kind else { continue };
            if !which(step, command) {
                continue;
            }
            let name = step.name.clone().unwrap();
            let mut env = opsroom::runbook::plan::environment(
                &plan,
                &opsroom::runbook::shell::variables(&command.script),
                false,
                &went.captured,
                &BTreeMap::new(),
            );
            env.insert("OPSROOM_RUN".into(), self.run.clone());
            let (code, said) = self.shell(command, &env);
            went.said.insert(name.clone(), said.clone());
            let good = match &command.expect {
                Expect::Codes(codes) => code.is_some_and(|code| codes.contains(&code)),
                Expect::Output(pattern) => {
                    let pattern = regex::Regex::new(&format!("(?m){pattern}")).unwrap();
                    code == Some(0) && pattern.is_match(&said)
                }
            };
            if !good {
                went.failed = Some(name);
                return went;
            }
            if let (Some(variable), Some(last)) = (&command.capture, said.lines().last()) {
                went.captured.insert(variable.clone(), last.trim().into());
            }
        }
        went
    }

    fn shell(
        &self,
        command: &CommandStep,
        env: &BTreeMap<String, String>,
    ) -> (Option<i32>, String) {
        let (shell, flags): (_, &[&str]) = match command.shell {
            Shell::Bash => ("bash", &["-euo", "pipefail", "-c"]),
            Shell::Sh => ("sh", &["-eu", "-c"]),
        };
        // Both outputs in one, as the process of a run reads them.
        let script = format!("exec 2>&1\n{}", command.script);
        let mut it = Command::new(shell);
        it.args(flags).arg(script).env_clear().envs(env).current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            it.uid(user).gid(group);
        }
        let out = it.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    }
}

/// A path as a text.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A folder that is not there yet.
pub(crate) fn new(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    assert!(!path.exists());
    path
}
