//! Hostile values of labels and parameters against real shells: whatever stands
//! in them, they stay values. All programs that the scripts call are stand-ins
//! that write down how they were called; one, `canary`, must never be.

mod chance;

use crate::support::program;
use opsroom::domain::runs::{AlertSeen, CommandStep, Shell, StepKind};
use opsroom::domain::{Labels, Timestamp};
use opsroom::runbook::places::places;
use opsroom::runbook::plan::{environment, plan};
use opsroom::runbook::shell::{EXPANDED, named, read};
use opsroom::runbook::{Book, Names, RunRequest, Setting, built_in};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Values that have done harm somewhere.
const HOSTILE: &[&str] = &[
    "$(canary)",
    "`canary`",
    "; canary;",
    "\ncanary\n",
    "| canary",
    "& canary &",
    "&& canary",
    "'; canary; '",
    "\"; canary; \"",
    "$(touch $CANARY)",
    "a[$(canary)]",
    "HOME[$(canary)]",
    "a[$(canary)]+1",
    "${x:-$(canary)}",
    "x'$(canary)'",
    "<(canary)",
    ">$CANARY",
    "-exec canary {} ;",
    "--checkpoint-action=exec=canary",
    "-oProxyCommand=canary",
    "*; canary",
    "\\$(canary)",
    "\\`canary\\`",
    "EOF\ncanary",
    "END\ncanary\n",
    "SQL\n\\! canary",
    "\u{1b}[2J$(canary)",
    "\u{202e}$(canary)",
    "$'\\x24(canary)'",
    "{canary,}",
    "~/canary",
    "!canary",
    "#canary",
    "%s$(canary)%n",
    "LABEL_other",
    "x=canary y",
    "$((canary))",
    "()  { :; }; canary",
    "a b  c",
    "\t",
    "",
    "é\u{301}",
    "'",
    "\"",
    "\\",
    "-",
];

/// A folder of stand-ins.
struct Bench {
    folder: tempfile::TempDir,
    known: RefCell<BTreeSet<String>>,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), known: RefCell::default() };
        fs::create_dir(bench.path("bin")).unwrap();
        bench.stand_in("canary");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes down how it was called; `canary` leaves its mark, too.
    fn stand_in(&self, name: &str) {
        if !self.known.borrow_mut().insert(name.to_owned()) {
            return;
        }
        let mark = if name == "canary" { ": > \"$CANARY\"" } else { ":" };
        let log = self.path("log");
        let text = format!(
            "#!/bin/sh\n{mark}\nprintf '%s\\0' \"${{0##*/}}\" \"$@\" >> '{log}'\nprintf '\\n\\0' >> '{log}'\n",
            log = log.display()
        );
        let path = self.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs a script as a step runs it. Whether the canary was called, and how
    /// the stand-ins were.
    fn run(
        &self,
        shell: Shell,
        script: &str,
        values: &BTreeMap<String, String>,
    ) -> (bool, Vec<Vec<String>>) {
        for command in read(script).commands {
            if let Some(name) = command.program() {
                let plain =
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
                if plain && !name.is_empty() && !name.starts_with('.') {
                    self.stand_in(name);
                }
            }
        }
        let (canary, log, home) = (self.path("canary"), self.path("log"), self.path("home"));
        let _ = fs::remove_file(&canary);
        let _ = fs::remove_file(&log);
        let _ = fs::create_dir(&home);
        let arguments: &[&str] = match shell {
            Shell::Bash => &["bash", "-euo", "pipefail", "-c"],
            Shell::Sh => &["sh", "-eu", "-c"],
        };
        let mut child = Command::new(format!("/bin/{}", arguments[0]))
            .args(&arguments[1..])
            .arg(script)
            .env_clear()
            .envs(values)
            .env("PATH", self.path("bin"))
            .env("HOME", &home)
            .env("CANARY", &canary)
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        // Loops that wait for a real program's answer never end with stand-ins.
        let group = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let mut left = 500;
        while child.try_wait().unwrap().is_none() && left > 0 {
            left -= 1;
            wait_a_little();
        }
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        child.wait().unwrap();
        let calls = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        let mut all = vec![Vec::new()];
        for word in calls.split_terminator('\0') {
            match word {
                "\n" => all.push(Vec::new()),
                word => all.last_mut().unwrap().push(word.to_owned()),
            }
        }
        all.pop();
        let called = canary.exists()
            || all.iter().any(|call| call.first().is_some_and(|name| name == "canary"));
        (called, all)
    }
}

#[expect(clippy::disallowed_methods, reason = "a child is given time to end")]
fn wait_a_little() {
    std::thread::sleep(Duration::from_millis(2));
}

/// The values above, and others put together by chance, the same each time.
fn values(count: usize) -> Vec<String> {
    let pieces = prop_oneof![
        Just("$(canary)"),
        Just("`canary`"),
        Just(";"),
        Just("canary"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("\n"),
        Just("$"),
        Just("("),
        Just(")"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("-"),
        Just(" "),
        Just("a"),
        Just("&"),
        Just("|"),
        Just("<"),
        Just(">"),
        Just("*"),
        Just("!"),
        Just("#"),
        Just("="),
        Just("EOF\n"),
        Just("\u{e9}"),
        Just("\t"),
        Just("${"),
        Just("$(("),
        Just("1+"),
        Just("\u{1b}]0;x\u{7}"),
    ];
    let any = proptest::collection::vec(pieces, 1..9).prop_map(|pieces| pieces.concat());
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let chance = (0..count).map(|_| any.new_tree(&mut runner).unwrap().current());
    HOSTILE.iter().map(|text| (*text).to_owned()).chain(chance).collect()
}

fn command(script: &str, shell: Shell, changes: bool) -> String {
    let language = if shell == Shell::Bash { "bash" } else { "sh" };
    let reads = if changes { "timeout=1m" } else { "reads" };
    format!("```{language} {{{reads}}}\n{script}\n```\n")
}

fn alert(labels: impl IntoIterator<Item = (String, String)>) -> AlertSeen {
    AlertSeen {
        identity: 1,
        labels: Labels::new(labels),
        expression: String::new(),
        reason: String::new(),
        since: Timestamp::from_millis(0),
        pending: false,
    }
}

fn steps(book: &Book) -> impl Iterator<Item = &CommandStep> {
    book.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Command(command) => Some(command),
        _ => None,
    })
}

/// The environments that a run would give the commands of a book, where it would
/// run at all.
fn planned(
    book: &Book,
    request: &RunRequest,
    setting: &Setting,
) -> Option<Vec<(CommandStep, BTreeMap<String, String>)>> {
    let plan = plan(book, request, setting, &BTreeSet::new()).ok()?;
    let captured = BTreeMap::new();
    let all = plan.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Command(command) => {
            let env = environment(&plan, &command.uses, command.tty, &captured, &BTreeMap::new());
            Some((command.clone(), env))
        }
        _ => None,
    });
    Some(all.collect())
}

/// The shapes in which commands use a value, each with `X` once.
const SHAPES: &[&str] = &[
    "show \"$X\"",
    "show \"a${X}b\"",
    "show a\"$X\"",
    "y=$X; show \"$y\"",
    "y=\"$X\" show a",
    "show \"$(give \"$X\")\"",
    "show \"`give \\\"$X\\\"`\"",
    "cat <<EOF\n$X\nEOF",
    "show <<< \"$X\"",
    "for y in \"$X\"; do show \"$y\"; done",
    "f() { show \"$1\"; }; f \"$X\"",
    "case \"$X\" in a) show a;; *) show \"$X\";; esac",
    "[ \"$X\" = a ] || show \"$X\"",
    "give \"$X\" | show",
    "show \"${X:-a}\"",
    "show ${X:+\"b=$X\"}",
    "if test -n \"$X\"; then show \"$X\"; fi",
    "show $X",
    "show a$X/b",
    "show '$X' \"$X\"",
    "show \"$X\" > out",
    "show \"${X#a}\" \"${X%b}\"",
];

#[test]
fn no_value_of_a_label_runs_anything_in_any_shape() {
    if program("bash").is_none() {
        return;
    }
    let bench = Bench::new();
    let (mut ran, mut refused) = (0, 0);
    for value in values(12) {
        for shape in SHAPES {
            for shell in [Shell::Bash, Shell::Sh] {
                if shell == Shell::Sh && shape.contains("<<<") {
                    continue;
                }
                let script = shape.replace('X', "LABEL_x");
                for changes in [true, false] {
                    let book = Book::read("b", "b.md", &command(&script, shell, changes));
                    assert!(book.is_sound(), "{:?}", book.remarks);
                    let labels = [
                        ("x".to_owned(), value.clone()),
                        ("other".to_owned(), "a[$(canary)]".to_owned()),
                    ];
                    let request =
                        RunRequest { alert: Some(alert(labels)), ..RunRequest::default() };
                    let Some(all) = planned(
                        &book,
                        &request,
                        &Setting { folder: "/".into(), ..Setting::default() },
                    ) else {
                        refused += 1;
                        continue;
                    };
                    for (step, env) in all {
                        ran += 1;
                        let (canary, calls) = bench.run(shell, &step.script, &env);
                        assert!(!canary, "{shell:?} {script} with {value:?}: {calls:?}");
                    }
                }
            }
        }
    }
    println!("{ran} runs, {refused} refused before");
    assert!(ran > 500 && refused > 1_000, "{ran} {refused}");
}

#[test]
fn a_quoted_value_arrives_as_it_was() {
    if program("bash").is_none() {
        return;
    }
    let bench = Bench::new();
    for value in values(20).into_iter().filter(|value| !value.contains('\0')) {
        for shell in [Shell::Bash, Shell::Sh] {
            let env = BTreeMap::from([("X".to_owned(), value.clone())]);
            let (canary, calls) = bench.run(shell, "show \"$X\" end", &env);
            assert!(!canary);
            assert_eq!(calls, [["show", value.as_str(), "end"]]);
        }
    }
}

#[test]
fn a_value_put_in_as_text_would_run_the_canary() {
    if program("bash").is_none() {
        return;
    }
    // That what is watched for above can be seen at all.
    let bench = Bench::new();
    let found = |shape: &str, value: &str| {
        let script = shape.replace("$X", value);
        bench.run(Shell::Bash, &script, &BTreeMap::new()).0
    };
    for (shape, value) in [
        ("show \"$X\"", "$(canary)"),
        ("show $X", "; canary;"),
        ("show '$X'", "'; canary; '"),
        ("cat <<EOF\n$X\nEOF", "EOF\ncanary"),
        ("show \"$X\"", "\"; canary; \""),
        ("show \"$X\"", "`canary`"),
    ] {
        assert!(found(shape, value), "{shape} {value}");
    }
    // And why arithmetic is no place for a value.
    let env = BTreeMap::from([("X".to_owned(), "HOME[$(canary)]".to_owned())]);
    assert!(bench.run(Shell::Bash, "echo $((X))", &env).0);
    assert!(
        bench
            .run(
                Shell::Bash,
                "eval \"show $X\"",
                &BTreeMap::from([("X".to_owned(), ";canary".to_owned())])
            )
            .0
    );
}

/// Whether a script can be run with stand-ins alone: no program by its path, no
/// signal, no file outside of its own folder.
fn is_tame(script: &str) -> bool {
    let outside = |text: &str| text.starts_with('/') && !text.starts_with("/dev/null");
    read(script).commands.iter().all(|command| {
        let program = command.words.first().map_or("", |word| word.text.as_str());
        !outside(program)
            && !["kill", "exec", ".", "source", "cd", "trap", "ulimit"].contains(&program)
            && command
                .writes
                .iter()
                .all(|word| !outside(&word.text) && !word.text.starts_with(EXPANDED))
    })
}

#[test]
fn no_value_runs_anything_in_the_runbooks_that_ship() {
    if program("bash").is_none() {
        return;
    }
    let bench = Bench::new();
    let (mut ran, mut refused) = (0, 0);
    for (id, text) in built_in::BOOKS {
        let book = Book::read(id, built_in::PATH, text);
        let used: BTreeSet<String> = steps(&book).flat_map(|step| named(&step.script)).collect();
        for value in values(0).into_iter().step_by(7) {
            // One at a time is hostile, so that the others do not hide it.
            for hostile in &used {
                let of = |name: &str| if name == hostile { value.clone() } else { "v1".to_owned() };
                let fields = used.iter().filter(|name| name.starts_with("SERVICE_"));
                let fields: BTreeMap<String, String> =
                    fields.map(|name| (name.clone(), of(name))).collect();
                let labels = used
                    .iter()
                    .filter_map(|name| Some((name.strip_prefix("LABEL_")?.to_owned(), of(name))));
                let service = of("SERVICE");
                let request = RunRequest {
                    service: Some(service.as_str().into()),
                    alert: Some(alert(labels)),
                    values: book
                        .front
                        .params
                        .iter()
                        .map(|param| (param.name.clone(), of(&param.name)))
                        .collect(),
                    ..RunRequest::default()
                };
                let names = Names {
                    services: [(service, fields)].into(),
                    more_alerts: true,
                    ..Names::default()
                };
                let mut setting = Setting { folder: "/".into(), names, ..Setting::default() };
                setting.host = "bastion".into();
                let Some(all) = planned(&book, &request, &setting) else {
                    refused += 1;
                    continue;
                };
                for (step, env) in all.iter().filter(|(step, _)| is_tame(&step.script)) {
                    if !env.values().any(|held| *held == value) || step.script.contains("sleep") {
                        continue;
                    }
                    ran += 1;
                    let (canary, calls) = bench.run(step.shell, &step.script, env);
                    assert!(!canary, "{id}, {hostile} is {value:?}: {calls:?}");
                }
            }
        }
    }
    println!("{ran} runs, {refused} refused before");
    assert!(refused > 100, "{refused}");
}

#[test]
fn no_value_breaks_out_of_where_it_stands_in_runbooks_of_others() {
    let Some(folder) = std::env::var_os("OPSROOM_CONFORMANCE") else {
        println!("skipped: OPSROOM_CONFORMANCE is not set");
        return;
    };
    if program("bash").is_none() {
        return;
    }
    let bench = Bench::new();
    let (mut ran, mut refused) = (0, 0);
    let mut paths: Vec<PathBuf> = fs::read_dir(Path::new(&folder).join("runbooks/files"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md" || ending == "mdx"))
        .collect();
    paths.sort();
    for path in paths {
        let book = Book::read("x", "x.md", &fs::read_to_string(&path).unwrap());
        for step in steps(&book).filter(|step| step.edit.is_none() && is_tame(&step.script)) {
            let names = named(&step.script);
            let code =
                places(&step.script, &names).into_iter().any(|place| place.sure && !place.bare);
            if names.is_empty() || code {
                continue;
            }
            for value in values(0) {
                // What a run would do: such a value never gets that far.
                let given = names.iter().map(|name| (name.clone(), value.clone()));
                let request =
                    RunRequest { values: given.clone().collect(), ..RunRequest::default() };
                refused += usize::from(
                    planned(&book, &request, &Setting { folder: "/".into(), ..Setting::default() })
                        .is_none(),
                );
                // And what holds even if it did.
                ran += 1;
                let (canary, calls) = bench.run(step.shell, &step.script, &given.collect());
                assert!(!canary, "{} with {value:?}: {}: {calls:?}", path.display(), step.script);
            }
        }
    }
    println!("{ran} runs, {refused} would be refused before");
    assert!(ran > 0);
}
