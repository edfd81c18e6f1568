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
}
