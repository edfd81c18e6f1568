use super::*;
use crate::domain::runs::{AlertSeen, BookId, CheckStep, Condition, Pin, fixtures};
use crate::domain::{Labels, Status, Timestamp};
use crate::runbook::book::{Document, Front, Remark};

fn command(script: &str, uses: &[&str]) -> CommandStep {
    let uses = uses.iter().map(|name| (*name).to_owned()).collect();
    CommandStep { uses, ..fixtures::command(script) }
}

fn reads(script: &str, uses: &[&str]) -> CommandStep {
    CommandStep { changes: false, ..command(script, uses) }
}

fn book(kinds: Vec<StepKind>) -> Book {
    let steps = (1..).zip(kinds).map(|(id, kind)| Step {
        id: StepId(id),
        name: None,
        title: "Roll back".into(),
        line: id,
        kind,
    });
    Book {
        id: BookId::from("rollback"),
        path: "built in".into(),
        title: "Roll back".into(),
        front: Front::default(),
        text: "".into(),
        hash: "h".into(),
        document: Document::default(),
        steps: steps.collect(),
        pins: Vec::new(),
        foreign: false,
        remarks: Vec::new(),
    }
}

fn one(command: CommandStep) -> Book {
    book(vec![StepKind::Command(command)])
}

fn with_param(mut book: Book, param: Param) -> Book {
    book.front.params.push(param);
    book
}

fn release() -> Param {
    Param { name: "RELEASE".into(), ask: "Which".into(), ..Param::default() }
}

fn setting() -> Setting {
    let fields = [("SERVICE_OWNER", "team shop"), ("SERVICE_UNIT", "api.service")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Setting {
        environment: "production".into(),
        armed_only: true,
        config: "/etc/opsroom/config.toml".into(),
        host: "bastion-2.shop".into(),
        user: "li".into(),
        home: "/home/li".into(),
        folder: "/".into(),
        timeout: Duration::from_mins(10),
        path: vec!["/opt/bin".into()],
        names: Names { services: [("api".to_owned(), fields.into())].into(), ..Names::default() },
        ..Setting::default()
    }
}

fn about(service: &str, values: &[(&str, &str)]) -> RunRequest {
    RunRequest {
        book: "rollback".into(),
        service: (!service.is_empty()).then(|| service.into()),
        values: values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..RunRequest::default()
    }
}

fn alerted(labels: &[(&str, &str)]) -> RunRequest {
    RunRequest {
        alert: Some(AlertSeen {
            identity: 1,
            labels: Labels::new(labels.iter().copied()),
            expression: String::new(),
            reason: String::new(),
            since: Timestamp::from_millis(0),
            pending: false,
        }),
        ..about("", &[])
    }
}

fn planned(book: &Book, request: &RunRequest) -> Result<Plan, String> {
    plan(book, request, &setting(), &BTreeSet::new()).map_err(|all| all.join("\n"))
}

#[test]
fn a_plan_holds_all_that_commands_get() {
    let roll = CommandStep {
        confirm: Some("service".into()),
        folder: Some("~/deploy".into()),
        ..command("x", &["RELEASE", "SERVICE", "HOME", "HOSTNAME"])
    };
    let book = with_param(one(roll), release());
    let plan = planned(&book, &about("api", &[("RELEASE", "v141")])).unwrap();
    assert_eq!((plan.target.as_str(), plan.folder.as_str()), ("service/api", "/"));
    assert_eq!(plan.environ["PATH"], format!("/opt/bin:{USUAL_PATH}"));
    assert_eq!(plan.environ.get("TERM"), None);
    let StepKind::Command(roll) = &plan.steps[0].kind else { panic!() };
    assert_eq!(roll.confirm.as_deref(), Some("api"));
    assert_eq!(roll.folder.as_deref(), Some("/home/li/deploy"));
    let env = environment(&plan, &roll.uses, false, &BTreeMap::new(), &BTreeMap::new());
    assert_eq!((env["RELEASE"].as_str(), env["SERVICE"].as_str()), ("v141", "api"));
    assert_eq!(env["SERVICE_UNIT"], "api.service");
    // Nobody asked for it, and a shell could make two words of it.
    assert_eq!(env.get("SERVICE_OWNER"), None);
}

#[test]
fn the_target_is_the_host_where_there_is_no_service() {
    let host = CommandStep { confirm: Some("host".into()), ..command("x", &[]) };
    let plan = planned(&one(host), &about("", &[])).unwrap();
    assert_eq!(plan.target, "host/bastion-2.shop");
    let StepKind::Command(step) = &plan.steps[0].kind else { panic!() };
    assert_eq!(step.confirm.as_deref(), Some("bastion-2.shop"));
    let service = CommandStep { confirm: Some("service".into()), ..command("x", &[]) };
    assert!(planned(&one(service), &about("", &[])).unwrap_err().contains("name one"));
}

#[test]
fn what_is_used_and_not_there_is_named_with_its_step() {
    let twice = [command("x", &["NOWHERE"]), command("y", &["NOWHERE"])];
    let twice = book(twice.map(StepKind::Command).into());
    for (name, words) in [
        ("NOWHERE", "step 1 (Roll back) uses $NOWHERE, which nobody sets"),
        ("SERVICE", "it is about a service: name one"),
        ("LABEL_job", "step 1 (Roll back) uses $LABEL_job, and there is no alert: name one"),
    ] {
        assert_eq!(planned(&one(command("x", &[name])), &about("", &[])).unwrap_err(), words);
    }
    let book = one(command("x", &["LABEL_job", "SERVICE_PM2"]));
    let request = RunRequest { alert: alerted(&[("a", "b")]).alert, ..about("api", &[]) };
    let said = planned(&book, &request).unwrap_err();
    assert!(
        said.contains("the alert has no label job") && said.contains("api has no `pm2`"),
        "{said}"
    );
    assert_eq!(
        planned(&twice, &about("", &[])).unwrap_err(),
        "step 1 (Roll back), step 2 (Roll back) use $NOWHERE, which nobody sets"
    );
    let book = with_param(one(command("x", &["RELEASE"])), release());
    assert_eq!(planned(&book, &about("", &[])).unwrap_err(), "RELEASE has no value: Which");
}

#[test]
fn what_goes_into_a_changing_step_is_a_plain_word() {
    for hostile in ["$(id)", "a b", "-rf", "a\nb", "a;id", "x[$(id)]", "`id`", "../x", ""] {
        let labels = alerted(&[("x", hostile), ("y", "v")]);
        assert!(
            planned(&one(command("x \"$LABEL_x\"", &["LABEL_x"])), &labels).is_err(),
            "{hostile}"
        );
        let book = with_param(one(command("x", &["RELEASE"])), release());
        assert!(planned(&book, &about("", &[("RELEASE", hostile)])).is_err(), "{hostile}");
    }
    let labels = alerted(&[("x", "10.0.0.1:9100")]);
    assert!(planned(&one(command("x", &["LABEL_x"])), &labels).is_ok());
}

#[test]
fn a_pattern_of_its_own_counts_instead() {
    let param = Param { pattern: Some("/srv/[a-z]+".into()), ..release() };
    let book = with_param(one(command("x", &["RELEASE"])), param);
    assert!(planned(&book, &about("", &[("RELEASE", "/srv/api")])).is_ok());
    assert!(planned(&book, &about("", &[("RELEASE", "/srv/api;")])).is_err());
    assert!(planned(&book, &about("", &[("RELEASE", "v1")])).is_err());
}

#[test]
fn odd_labels_that_nobody_uses_go_nowhere() {
    let request = alerted(&[("a.b", "1"), ("summary", "$(id) now"), ("job", "api")]);
    let plan = planned(&one(command("x", &["LABEL_job"])), &request).unwrap();
    assert_eq!(plan.warnings, ["the label `a.b` is left out: a variable cannot be called so"]);
    let names: Vec<&str> = plan.values.iter().map(|value| value.name.as_str()).collect();
    assert_eq!(names, ["LABEL_job"]);
}

#[test]
fn a_captured_value_has_to_be_there_before_it_is_used() {
    let capture = |changes| {
        StepKind::Command(CommandStep {
            capture: Some("PREVIOUS".into()),
            changes,
            ..reads("x", &[])
        })
    };
    let user = StepKind::Command(command("y", &["PREVIOUS"]));
    let good = book(vec![capture(false), user.clone()]);
    let plan = planned(&good, &about("", &[])).unwrap();
    assert_eq!(plan.values[0].held, Held::Captured(StepId(1)));
    assert_eq!(value_fits(&plan, "PREVIOUS", "v141"), Ok(()));
    assert!(value_fits(&plan, "PREVIOUS", "v141; id").is_err());
    let late = planned(&book(vec![user, capture(false)]), &about("", &[])).unwrap_err();
    assert!(late.ends_with("uses $PREVIOUS, which step 2 captures only later"), "{late}");
}

#[test]
fn a_declared_pattern_is_held_against_what_is_captured() {
    let capture = CommandStep { capture: Some("DUMP".into()), ..reads("x", &[]) };
    let user = StepKind::Command(command("y", &["DUMP"]));
    let book = book(vec![StepKind::Command(capture), user]);
    let dump =
        Param { name: "DUMP".into(), pattern: Some("/backup/.+".into()), ..Param::default() };
    let plan = planned(&with_param(book, dump), &about("", &[])).unwrap();
    assert_eq!(value_fits(&plan, "DUMP", "/backup/a b.sql"), Ok(()));
    assert!(value_fits(&plan, "DUMP", "a").is_err());
}

#[test]
fn an_undo_uses_only_what_is_known_before_the_step_that_it_undoes() {
    let capture = || CommandStep { capture: Some("PREVIOUS".into()), ..reads("x", &[]) };
    let change = CommandStep { undo: Some(StepId(3)), ..command("y", &[]) };
    let undo = CommandStep { undoes: true, ..command("z", &["PREVIOUS"]) };
    let steps = [capture(), change.clone(), undo.clone()].map(StepKind::Command);
    assert!(planned(&book(steps.into()), &about("", &[])).is_ok());
    let itself = CommandStep { capture: Some("PREVIOUS".into()), ..change };
    let steps = [reads("x", &[]), itself, undo].map(StepKind::Command);
    let said = planned(&book(steps.into()), &about("", &[])).unwrap_err();
    assert!(said.contains("step 3 (Roll back) uses $PREVIOUS, which step 2"), "{said}");
}

#[test]
fn a_pin_uses_only_what_is_known_by_then() {
    let mut book = one(command("x", &[]));
    let pin = |command: &str| Pin {
        name: "release".into(),
        command: command.into(),
        line: 1,
        before: StepId(1),
    };
    book.pins = vec![pin("deployctl current \"$SERVICE\"")];
    assert!(planned(&book, &about("api", &[])).is_ok());
    book.pins = vec![pin("deployctl current \"$RELEASE\"")];
    assert!(
        planned(&book, &about("api", &[]))
            .unwrap_err()
            .starts_with("the pin release uses $RELEASE")
    );
}

#[test]
fn a_wrong_place_a_wrong_text_and_a_wrong_name_are_refused() {
    let mut book = one(command("x", &[]));
    book.front.hosts = vec!["db-*".into()];
    assert!(
        planned(&book, &about("", &[]))
            .unwrap_err()
            .contains("it may run on db-*, and this is bastion-2.shop")
    );
    book.front.hosts = vec!["bastion-2".into()];
    assert!(planned(&book, &about("", &[])).is_ok());
    let seen = RunRequest { hash: Some("another".into()), ..about("", &[]) };
    assert!(planned(&book, &seen).unwrap_err().contains("has changed since it was shown"));
    assert!(planned(&book, &about("apl", &[])).unwrap_err().contains("did you mean api?"));
    let said = planned(
        &with_param(book, Param { default: Some("v1".into()), ..release() }),
        &about("", &[("RELEAS", "v1")]),
    );
    assert_eq!(said.unwrap_err(), "there is no parameter RELEAS; did you mean RELEASE?");
    assert!(planned(&self::book(vec![]), &about("", &[])).unwrap_err().contains("no steps"));
}

#[test]
fn a_runbook_with_an_error_is_refused_with_it() {
    let mut book = one(command("x", &[]));
    book.remarks.push(Remark { level: Level::Error, line: 7, words: "unknown attribute".into() });
    assert_eq!(planned(&book, &about("", &[])).unwrap_err(), "rollback line 7: unknown attribute");
}

#[test]
fn a_secret_is_named_and_never_held() {
    let secret = Param { secret: true, ..release() };
    let book = with_param(one(command("x", &["RELEASE"])), secret);
    let asks = parameters(&book, &about("", &[]), &setting());
    assert!(!unsettled(&asks, &BTreeSet::new()).is_empty() && asks[0].value.is_none());
    let given = BTreeSet::from(["RELEASE".to_owned()]);
    assert!(unsettled(&asks, &given).is_empty());
    let plan = plan(&book, &about("", &[]), &setting(), &given).unwrap();
    assert_eq!(plan.values[0].held, Held::Secret);
    let secrets = BTreeMap::from([("RELEASE".to_owned(), Hidden("hunter2".into()))]);
    let env = |uses: &[&str]| {
        let uses: Vec<String> = uses.iter().map(|name| (*name).to_owned()).collect();
        environment(&plan, &uses, false, &BTreeMap::new(), &secrets)
    };
    assert_eq!(env(&["RELEASE"])["RELEASE"], "hunter2");
    assert_eq!(env(&[]).get("RELEASE"), None);
    let typed = planned(&book, &about("", &[("RELEASE", "x")])).unwrap_err();
    assert!(typed.ends_with("RELEASE is a secret: it is asked for"), "{typed}");
}

#[test]
fn parameters_are_asked_with_what_is_wrong_with_them() {
    let choice = Param {
        name: "ZONE".into(),
        choices: vec!["us east".into(), "eu".into()],
        ..Param::default()
    };
    let list = Param {
        from: Some("deployctl list \"$SERVICE\"".into()),
        default: Some("-x".into()),
        ..release()
    };
    let book = with_param(with_param(one(command("x", &["ZONE", "RELEASE"])), choice), list);
    let asks = parameters(&book, &about("", &[("ZONE", "mars")]), &setting());
    assert_eq!(asks[0].mistake.as_deref(), Some("`mars` is none of us east, eu"));
    assert!(asks[1].mistake.as_deref().unwrap().starts_with("`-x` holds characters"));
    assert_eq!(asks[1].failure.as_deref(), Some("`from` uses $SERVICE, which has no value yet"));
    let request = about("api", &[("ZONE", "us east"), ("RELEASE", "v1")]);
    let asks = parameters(&book, &request, &setting());
    assert!(unsettled(&asks, &BTreeSet::new()).is_empty(), "{asks:?}");
    assert!(planned(&book, &request).is_ok());
    let env =
        asking_environment(&book, &request, &setting(), "deployctl list \"$SERVICE\"").unwrap();
    assert_eq!((env["SERVICE"].as_str(), env.get("ZONE")), ("api", None));
}

#[test]
fn what_a_runbook_for_people_uses_and_does_not_set_is_asked() {
    let mut book = one(command("kubectl -n $NS get pods; cd $HOME", &["NS", "HOME", "PATH"]));
    book.foreign = true;
    let asks = parameters(&book, &about("", &[]), &setting());
    assert_eq!(asks.len(), 1);
    assert_eq!(asks[0].param.ask, "NS, which step 1 uses");
    assert!(planned(&book, &about("", &[("NS", "shop")])).is_ok());
    // A field that the service has is given; one that it lacks is asked.
    let uses = ["SERVICE_UNIT", "SERVICE_NAME", "LD_PRELOAD"];
    let mut book = one(command("systemctl status $SERVICE_UNIT $SERVICE_NAME", &uses[..2]));
    book.foreign = true;
    let asks = parameters(&book, &about("api", &[]), &setting());
    let names: Vec<&str> = asks.iter().map(|ask| ask.param.name.as_str()).collect();
    assert_eq!(names, ["SERVICE_NAME"]);
    assert!(planned(&book, &about("api", &[("SERVICE_NAME", "x")])).is_ok());
    // What steers the loader is nobody's to give.
    let mut book = one(command("echo $LD_PRELOAD", &uses[2..]));
    book.foreign = true;
    assert!(parameters(&book, &about("api", &[]), &setting()).is_empty());
}

#[test]
fn check_lines_are_resolved_and_what_they_name_is_there() {
    let line = |name: &str| {
        let condition = Condition::Service { name: name.into(), status: Status::Ok };
        StepKind::Check(CheckStep {
            lines: vec![(format!("service {name} is ok"), condition)],
            within: None,
            proof: true,
        })
    };
    let mut checked = book(vec![line("$SERVICE")]);
    checked.steps[0].title = "service $SERVICE is ok".into();
    let plan = planned(&checked, &about("api", &[])).unwrap();
    assert_eq!(plan.steps[0].title, "service api is ok");
    let StepKind::Check(check) = &plan.steps[0].kind else { panic!() };
    assert_eq!(check.lines[0].0, "service api is ok");
    let said = planned(&book(vec![line("apo")]), &about("api", &[])).unwrap_err();
    assert_eq!(said, "step 1, `service apo is ok`: there is no service apo; did you mean api?");
}

#[test]
fn a_second_person_approves_what_the_config_names() {
    let steps = [reads("x", &[]), command("y", &[])].map(StepKind::Command);
    let setting = Setting { approve: vec!["roll*".into()], ..setting() };
    let plan = plan(&book(steps.into()), &about("", &[]), &setting, &BTreeSet::new()).unwrap();
    let approve: Vec<bool> = commands(&plan.steps).map(|(_, command)| command.approve).collect();
    assert_eq!(approve, [false, true]);
}

#[test]
fn a_folder_is_a_whole_path() {
    for folder in ["srv", "$HOME/x", "~li/x", ""] {
        let step = CommandStep { folder: Some(folder.into()), ..command("x", &[]) };
        assert!(planned(&one(step), &about("", &[])).is_err(), "{folder}");
    }
}

#[test]
fn a_step_of_a_terminal_knows_it_and_no_other_does() {
    let setting = Setting { terminal: "xterm".into(), ..setting() };
    let tty = CommandStep { tty: true, ..command("psql", &[]) };
    let plan = plan(&one(tty), &about("", &[]), &setting, &BTreeSet::new()).unwrap();
    let env = |tty| environment(&plan, &[], tty, &BTreeMap::new(), &BTreeMap::new());
    assert_eq!(env(true)["TERM"], "xterm");
    assert_eq!(env(false).get("TERM"), None);
}
