//! The program from outside: arguments, output, exit codes.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use assert_cmd::Command;
use std::process::Stdio;
use tempfile::TempDir;

/// The program in an empty home, with no config of this machine in sight.
struct Host {
    home: TempDir,
}

impl Host {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn opsroom(&self) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("opsroom"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    fn config(&self, text: &str) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.home.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_and_version_are_answers_on_standard_output() {
    let host = Host::new();
    for argument in ["--help", "--version"] {
        let output = host.opsroom().arg(argument).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{argument}");
        assert!(text(&output.stdout).contains("opsroom"));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn a_wrong_command_line_ends_with_64_and_a_wrong_glance_with_3() {
    let host = Host::new();
    let wrong = host.opsroom().arg("--no-such-flag").output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert_eq!(text(&wrong.stdout), "");
    assert!(text(&wrong.stderr).contains("--no-such-flag"));
    assert!(!text(&wrong.stderr).contains('\u{1b}'), "no colour into a pipe");
    let glance = host.opsroom().args(["glance", "--no-such-flag"]).output().unwrap();
    assert_eq!(glance.status.code(), Some(3));
}

#[test]
fn completions_and_the_man_page_name_the_commands() {
    let host = Host::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = host.opsroom().args(["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        assert!(text(&output.stdout).contains("glance"), "{shell}");
    }
    let man = host.opsroom().arg("man").output().unwrap();
    assert!(text(&man.stdout).contains(".TH opsroom"));
    assert!(!text(&man.stdout).contains("practice-service"), "hidden commands stay hidden");
}

#[test]
fn the_schema_is_json() {
    let output = Host::new().opsroom().arg("schema").output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["service"].is_object());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let host = Host::new();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("opsroom"))
        .arg("schema")
        .env("HOME", host.home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn info_says_where_things_are() {
    let host = Host::new();
    let config = host.config("");
    let output = host.opsroom().arg("info").arg("--config").arg(&config).output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains(config.to_str().unwrap()), "{said}");
    assert!(said.contains(".local/state/opsroom/opsroom.log"), "{said}");
    assert!(said.contains("lock      only you\n"), "{said}");
    assert!(!host.home.path().join(".local").exists(), "looking makes nothing");
}

/// A health endpoint on a port of its own that answers each request with this body.
fn answering(body: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 2048];
            let _ = stream.read(&mut request);
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close");
            let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
        }
    });
    format!("http://{address}/")
}

#[test]
fn a_glance_ends_with_the_code_of_what_it_says() {
    let host = Host::new();
    for (body, code, word) in [
        (r#"{"status":"UP"}"#, 0, "ok"),
        (r#"{"status":"warn"}"#, 1, "warning"),
        (r#"{"status":"DOWN"}"#, 2, "critical"),
    ] {
        let url = answering(body);
        let config = host.config(&format!("[service.api]\nhealth = \"{url}\"\n"));
        let output = host.opsroom().arg("glance").arg("--config").arg(&config).output().unwrap();
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{body}: {said}");
        assert!(said.starts_with(word), "{body}: {said}");
        let json =
            host.opsroom().args(["glance", "--json", "--config"]).arg(&config).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["status"], word);
    }
}

#[test]
fn a_page_that_holds_no_metrics_is_told_by_validate_live() {
    let host = Host::new();
    for (body, code, said) in [
        ("up 1\nrequests 2\n", 0, "2 samples"),
        ("<html>please log in</html>", 1, "an HTML page came instead of metrics"),
        ("{\"a\": 1}", 1, "a JSON document came instead of metrics"),
        ("no sample here\n", 1, "not one line could be read"),
    ] {
        let url = answering(body);
        let config = host.config(&format!("[scrape.api]\ntargets = [\"{url}\"]\n"));
        let output =
            host.opsroom().args(["validate", "--live", "--config"]).arg(&config).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{body}");
        assert!(text(&output.stdout).contains(said), "{}", text(&output.stdout));
    }
}

#[test]
fn a_glance_that_cannot_tell_ends_with_3() {
    let host = Host::new();
    let nowhere = host.opsroom().arg("glance").output().unwrap();
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(text(&nowhere.stderr).contains("--config"), "{}", text(&nowhere.stderr));
    for bad in ["", "[service.api]\nhealth = 5\n", "[service"] {
        let config = host.config(bad);
        let output = host.opsroom().arg("glance").arg("--config").arg(&config).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{bad:?}");
        assert_ne!(text(&output.stderr), "", "{bad:?}");
        assert!(text(&output.stdout).starts_with("unknown: "), "a plugin's reader sees only this");
        let json =
            host.opsroom().args(["glance", "--json", "--config"]).arg(&config).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["status"], "unknown");
    }
    let config = host.config("[service.api]\nhealth = \"http://127.0.0.1:9/\"\n");
    let cached =
        host.opsroom().args(["glance", "--cached", "--config"]).arg(&config).output().unwrap();
    assert_eq!(cached.status.code(), Some(3));
}

#[test]
fn validate_says_all_mistakes_with_their_places() {
    let host = Host::new();
    let config = host.config(
        "[service.api]\nhealt = \"http://a/\"\n[keys]\nquit = \"j\"\n[poll]\nevery = \"soon\"\n",
    );
    let output = host.opsroom().arg("validate").arg("--config").arg(&config).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("config.toml:2:1") && said.contains("`health`"), "{said}");
    assert!(said.contains("config.toml:6:9"), "{said}");
    assert!(said.contains("2 mistakes"), "{said}");

    let config = host.config("[service.api]\nhealth = \"http://a/\"\n[keys]\nquit = \"j\"\n");
    let output = host.opsroom().arg("validate").arg("--config").arg(&config).output().unwrap();
    assert!(text(&output.stderr).contains("j means both"), "{}", text(&output.stderr));

    let config = host.config("[service.api]\nhealth = \"http://127.0.0.1:9/\"\n");
    let output = host.opsroom().arg("validate").arg("--config").arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let live =
        host.opsroom().args(["validate", "--live", "--config"]).arg(&config).output().unwrap();
    assert_eq!(live.status.code(), Some(1));
    assert!(text(&live.stdout).contains("connection refused"), "{}", text(&live.stdout));
}

#[test]
fn a_query_over_a_bare_page_answers_without_a_server() {
    let host = Host::new();
    let url = answering("hits_total{route=\"/a\"} 3\nhits_total{route=\"/b\"} 4\n");
    let config = host.config(&format!("[scrape.shop]\ntargets = [\"{url}\"]\n"));
    let query = |expr: &str| {
        host.opsroom().args(["query", expr, "--config"]).arg(&config).output().unwrap()
    };
    let sum = query("sum(hits_total)");
    assert_eq!(text(&sum.stdout), "{}  7\n", "{}", text(&sum.stderr));
    let all = |args: &[&str]| {
        let output =
            host.opsroom().arg("query").args(args).arg("--config").arg(&config).output().unwrap();
        (text(&output.stdout).to_string(), text(&output.stderr).to_string(), output.status.code())
    };
    let (table, said, _) = all(&["rate(hits_total[5m]) or hits_total"]);
    assert!(table.contains("route=\"/a\"}  3\n"), "{table}{said}");
    assert!(said.contains("of 5m seen"), "{said}");
    let (csv, ..) = all(&["sum by (route) (hits_total)", "--csv"]);
    assert!(csv.starts_with("time,route,value\r\n20") && csv.ends_with("Z,/b,4\r\n"), "{csv}");
    let (json, ..) = all(&["quantile(2, hits_total)", "--json"]);
    assert!(json.contains("PromQL warning: quantile value"), "{json}");
    let (chart, said, _) = all(&["hits_total", "--range", "1h", "--step", "5m", "--chart"]);
    assert!(chart.contains("last 3  min 3  max 3  avg 3"), "{chart}{said}");
    assert!(chart.lines().all(|line| line.chars().count() <= 80), "{chart}");
    let (none, said, code) = all(&["hits_total", "--at", "-1h"]);
    assert_eq!((&*none, code), ("", Some(0)));
    assert!(said.starts_with("no series at 2"), "{said}");
    for (args, words, wanted) in [
        (&[""][..], "is empty", 1),
        (&["hits_total +\n  sum(nobody"], "2:   sum(nobody", 1),
        (&["hits_total\u{1b}[2J"], "unexpected character", 1),
        (&["up", "--at", "noon"], "seconds since 1970", 64),
        (&["up", "--chart"], "--range", 64),
        (&["up", "--json", "--csv"], "cannot be used with", 64),
    ] {
        let (data, said, code) = all(args);
        assert!(said.contains(words) && !said.contains('\u{1b}'), "{args:?}: {said}");
        assert_eq!((&*data, code), ("", Some(wanted)), "{args:?}");
    }
    let wrong = query("sum(hits_total");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).lines().last().unwrap().trim_end().ends_with('^'));
}

#[test]
fn the_console_refuses_what_is_no_terminal_and_names_glance() {
    let host = Host::new();
    for command in [&[][..], &["demo"]] {
        let output = host.opsroom().args(command).env("TERM", "dumb").output().unwrap();
        assert_eq!(output.status.code(), Some(64));
        assert!(text(&output.stderr).contains("opsroom glance"), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn rule_files_are_checked_with_line_and_reason_and_tested() {
    let host = Host::new();
    let folder = host.home.path();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good =
        "groups:\n- name: g\n  rules:\n  - {alert: A, expr: x > 1}\n  - {record: r, expr: x}\n";
    file("good.yml", good);
    let bad =
        file("bad.yml", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x >\n    fro: 5m\n");
    let config = host
        .config("rules = [\"*.yml\", \"none/*.yml\"]\n[scrape.x]\ntargets = [\"127.0.0.1:1\"]\n");
    let output = host.opsroom().arg("validate").arg("--config").arg(&config).output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out} {err}");
    assert!(
        out.contains("2 rule files, 1 alerting rule, 1 recording rule, 1 file broken"),
        "{out}"
    );
    assert!(err.contains("bad.yml:5:") && err.contains("could not parse expression"), "{err}");
    assert!(err.contains("a rule has no field \"fro\"; did you mean \"for\"?"), "{err}");
    assert!(err.contains("no rule file matches"), "{err}");

    let none = host.config("[scrape.x]\ntargets = [\"127.0.0.1:1\"]\n");
    let listed = host.opsroom().args(["rules", "list", "--config"]).arg(&none).output().unwrap();
    assert_eq!(listed.status.code(), Some(1));
    let err = text(&listed.stderr);
    assert!(err.contains("nobody evaluates rules: set `rules` or [prometheus]"), "{err}");

    let checked = host.opsroom().args(["rules", "check"]).arg(&bad).output().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked.stderr));

    let tests = file(
        "t.yaml",
        "rule_files: [good.yml]\ntests:\n- input_series: [{series: x, values: 1 2}]\n  alert_rule_test: [{eval_time: 1m, alertname: A}]\n",
    );
    let tested = host.opsroom().args(["rules", "test"]).arg(&tests).output().unwrap();
    let out = text(&tested.stdout);
    assert_eq!(tested.status.code(), Some(1), "{out} {}", text(&tested.stderr));
    assert!(out.contains("t.yaml:4: alert A at 1m"), "{out}");
    assert!(out.contains("> (nothing) | {alertname=\"A\"}"), "{out}");
}

#[test]
fn a_pipe_that_was_told_not_to_wait_gets_everything_although_it_is_slow() {
    use std::io::{BufRead, Read};
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let program = env!("CARGO_BIN_EXE_opsroom");
    let mut command = std::process::Command::new(program);
    let mut child = command.arg("schema").stdout(writer).spawn().unwrap();
    // The rest of the pipe holds the command's end open.
    drop(command);
    let mut reader = std::io::BufReader::with_capacity(16, reader);
    let mut text = String::new();
    // Each line by itself: the pipe is full meanwhile.
    while reader.read_line(&mut text).unwrap() > 0 {}
    reader.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.len() > 65_536, "it fits into a pipe");
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
}
