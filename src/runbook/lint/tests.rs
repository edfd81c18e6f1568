use super::*;
use crate::runbook::built_in;

fn names() -> Names {
    let fields = [("SERVICE_UNIT".to_owned(), "api.service".to_owned())];
    Names {
        services: [("api".to_owned(), fields.into())].into(),
        checks: ["api/health".to_owned()].into(),
        backups: ["orders".to_owned()].into(),
        alerts: ["HighErrorRate".to_owned()].into(),
        more_alerts: false,
        service_windows: [("api".to_owned(), Duration::from_mins(5))].into(),
        alert_windows: [("HighErrorRate".to_owned(), Duration::from_mins(5))].into(),
    }
}

#[test]
fn a_proof_that_ends_before_its_window_is_a_warning() {
    let says = |attributes: &str, line: &str| {
        let text = format!(
            "---\nservices: [api]\n---\n```sh {{confirm=host}}\nx\n```\n```check {{{attributes}}}\n{line}\n```\n"
        );
        told(&text, false)
    };
    let lines = [
        "service api is ok",
        "service $SERVICE is ok",
        "alert HighErrorRate is not firing",
        "promql sum(rate(x{job=\"$SERVICE\"}[4m] offset 1m)) < 1",
    ];
    for line in lines {
        assert_eq!(
            says("within=1m", line),
            [
                "8 Warning it looks back 5m, and proves nothing sooner than that after the change: `within=1m` is too short"
            ],
            "{line}"
        );
        assert_eq!(says("within=5m", line).len(), 1, "{line}");
        assert!(says("within=6m", line).is_empty(), "{line}");
        assert!(says("", line)[0].ends_with("30s without `within` is too short"), "{line}");
    }
    assert!(says("within=1m", "promql up == 1").is_empty());
    assert!(says("", "check api/health is ok").is_empty());
    // Before the change, and where nothing changes, it asks of what was seen already.
    let before = "```check {within=1m}\nservice api is ok\n```\n```sh {confirm=host}\nx\n```\n";
    assert!(told(before, false).is_empty());
    let reads = "```sh {reads}\nx\n```\n```check {within=1m}\nservice api is ok\n```\n";
    assert!(told(reads, false).is_empty());
}

fn told(text: &str, production: bool) -> Vec<String> {
    let book = Book::read("x", "x.md", text);
    lint(&book, &names(), production)
        .iter()
        .map(|remark| format!("{} {:?} {}", remark.line, remark.level, remark.words))
        .collect()
}

/// Whether something is said of a command block with these attributes.
fn says(attributes: &str, script: &str, words: &str) -> bool {
    let text = format!(
        "---\nparams: {{ HOST: {{ ask: Which }} }}\n---\n```sh {{{attributes}}}\n{script}\n```\n"
    );
    let all = told(&text, false);
    all.iter().any(|remark| remark.contains(words))
}

#[test]
fn undefined_variables_are_errors_with_their_line() {
    let text = "# A\n\n```sh {reads}\necho \"$NOWHERE\"\n```\n";
    assert_eq!(
        told(text, false),
        ["3 Error nobody sets $NOWHERE: make it a parameter of the front matter, or capture it"]
    );
    assert!(
        told("```sh {reads}\necho \"$HOME $SERVICE $LABEL_x ${Y:-z}\"\n```\n", false).is_empty()
    );
    // A runbook for people declares nothing: it is asked.
    assert!(told("```sh\necho \"$NOWHERE\"\n```\n", false).is_empty());
}

#[test]
fn a_field_that_no_service_has_is_a_warning() {
    assert!(says("reads", "echo \"$SERVICE_PM2\"", "no service that it is for has `pm2`"));
    assert!(!says("reads", "echo \"$SERVICE_UNIT\"", "no service"));
}

#[test]
fn what_is_captured_later_is_an_error() {
    let later = "```sh {reads}\necho \"$A\"\n```\n```sh {reads capture=A}\nx\n```\n";
    assert!(told(later, false)[0].contains("$A is captured by step 2, later"));
    let before = "```sh {reads capture=A}\nx\n```\n```sh {reads}\necho \"$A\"\n```\n";
    assert!(told(before, false).is_empty());
}

#[test]
fn an_undo_uses_what_is_known_before_its_step() {
    let undo = |capture: &str, change: &str| {
        format!(
            "```sh {{reads{capture}}}\na\n```\n```sh {{undo=back{change}}}\nb\n```\n```sh {{name=back}}\nc \"$A\"\n```\n"
        )
    };
    assert!(
        told(&undo("", " capture=A"), false)[0].contains("an undo uses only what is known before")
    );
    assert!(told(&undo(" capture=A", ""), false).is_empty());
}

#[test]
fn values_in_code_are_named() {
    for script in [
        "ssh h \"ls $HOST\"",
        "eval \"$HOST\"",
        "sh -c \"ls $HOST\"",
        "echo $((HOST + 1))",
        "psql -c \"select '$HOST'\"",
        "awk \"/$HOST/\" f",
        "echo \"$HOST\" | xargs sh -c 'ls $0'",
        "x=$HOST; ssh h ls \"$x\"",
    ] {
        assert!(says("timeout=1m", script, "reads the value as code"), "{script}");
    }
    for script in [
        "ssh \"$HOST\" uptime",
        "awk -v h=\"$HOST\" '$1 == h' f",
        "sh -c 'ls \"$1\"' _ \"$HOST\"",
        "ls \"$HOST\"",
    ] {
        assert!(!says("timeout=1m", script, "reads the value as code"), "{script}");
    }
    assert!(says("timeout=1m", "ls $HOST", "without quotes"));
    assert!(!says("timeout=1m", "ls \"$HOST\"", "without quotes"));
}

#[test]
fn sudo_that_asks_is_named() {
    assert!(says("timeout=1m", "sudo systemctl restart x", "`sudo -n`"));
    assert!(says("timeout=1m", "sudo -u postgres psql", "`sudo -n`"));
    for script in [
        "sudo -n systemctl restart x",
        "sudo -nu postgres psql",
        "apt-get install sudo",
        "echo sudo",
    ] {
        assert!(!says("timeout=1m", script, "`sudo -n`"), "{script}");
    }
    assert!(!says("tty", "sudo systemctl restart x", "`sudo -n`"));
}

#[test]
fn downloads_background_and_reads_that_change_are_named() {
    assert!(says("timeout=1m", "curl https://x | sh", "a download is run"));
    assert!(!says("timeout=1m", "curl https://x | jq .", "a download is run"));
    assert!(says("timeout=1m", "sleep 1 &", "in the background"));
    assert!(!says("timeout=1m", "a && b 2>&1", "in the background"));
    assert!(says("reads", "systemctl restart x", "marked `reads`, and `systemctl restart`"));
    assert!(!says("timeout=1m", "systemctl restart x", "marked `reads`"));
}

#[test]
fn in_production_a_change_wants_a_pin_and_a_word() {
    let bare = "```sh {name=a timeout=1m}\nx\n```\n";
    let all = told(bare, true);
    assert!(all.iter().any(|it| it.contains("without a pin")), "{all:?}");
    assert!(all.iter().any(|it| it.contains("add `confirm=service`")), "{all:?}");
    assert!(told(bare, false).is_empty());
    let good = "```pin\nrelease = cat /etc/release\n```\n```sh {confirm=host}\nx\n```\n";
    assert_eq!(told(good, true), [""; 0]);
    assert_eq!(told("```sh\nx\n```\n", true), [""; 0]);
}

#[test]
fn check_lines_name_what_is_there() {
    let check = |line: &str| told(&format!("```check\n{line}\n```\n"), false);
    assert_eq!(check("service api is ok"), [""; 0]);
    assert_eq!(check("service $SERVICE is ok"), [""; 0]);
    assert_eq!(check("service apo is ok"), ["2 Error there is no service apo; did you mean api?"]);
    assert_eq!(
        check("check helth is ok"),
        ["2 Error there is no check helth; did you mean health?"]
    );
    assert_eq!(
        check("backup order is fresh"),
        ["2 Error there is no backup order; did you mean orders?"]
    );
    assert_eq!(
        check("alert HighErorRate is not firing"),
        ["2 Warning there is no alert HighErorRate; did you mean HighErrorRate?"]
    );
    assert_eq!(check("alert HighErrorRate is not firing"), [""; 0]);
}

#[test]
fn a_default_fits_its_pattern() {
    let param = |rest: &str| {
        told(
            &format!(
                "---\nparams:\n  A: {{ ask: x, {rest} }}\n---\n```sh {{reads}}\necho \"$A\"\n```\n"
            ),
            false,
        )
    };
    assert!(param("default: v1, match: 'v[0-9]+'").is_empty());
    assert!(!param("default: w1, match: 'v[0-9]+'").is_empty());
}

#[test]
fn the_runbooks_that_ship_have_no_errors() {
    for (id, text) in built_in::BOOKS {
        let book = Book::read(id, built_in::PATH, text);
        let errors: Vec<Remark> =
            lint(&book, &Names { more_alerts: true, ..Names::default() }, true)
                .into_iter()
                .filter(|remark| remark.level == Level::Error)
                .collect();
        assert_eq!(errors, [], "{id}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_judged(text in "(?s)(\\PC|```|sh|\\{reads\\}|\\n|\\$[A-Z]|[\"'`(){}<>|&;=]){0,60}") {
        told(&text, true);
    }
}
