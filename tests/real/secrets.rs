//! Secrets of every kind, sent to servers and tools that repeat all they get:
//! none may come out of the program in any way.

use super::support::free_port;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// In each secret of this test, and nowhere else.
const MARK: &str = "xyzzy";

/// Repeats whatever it is sent, as a bad answer in the manner of the one asked.
fn parrot() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            if let Ok(stream) = stream {
                std::thread::spawn(move || repeat(stream, turn));
            }
        }
    });
    port
}

fn repeat(mut stream: TcpStream, turn: usize) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    let mut head = vec![0; 16 << 10];
    let Ok(read) = stream.read(&mut head) else { return };
    let said = String::from_utf8_lossy(&head[..read]).replace(['\r', '\n'], " ");
    let said = said.replace(['"', '\\'], "'");
    let status =
        ["401 Unauthorized", "500 Internal Server Error", "200 OK", "404 Not Found"][turn % 4];
    let body = match turn % 3 {
        0 => format!("{{\"code\":601,\"message\":\"you sent {said}\"}}"),
        1 => format!(
            "{{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"{said}\",\"detail\":\"{said}\"}}"
        ),
        _ => format!("\"{said}\""),
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// A tool that repeats its arguments, its environment and its config.
fn tool(folder: &Path) -> PathBuf {
    let path = folder.join("parrot.sh");
    std::fs::write(
        &path,
        "#!/bin/sh\necho \"fatal: $0 $*\" >&2\nenv >&2\nenv\nsleep 0.3\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Command lines of all processes that hold the mark, watched until dropped.
struct Watch {
    seen: Arc<Mutex<BTreeSet<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Watch {
    fn begin() -> Self {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (into, until) = (seen.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !until.load(Ordering::Relaxed) {
                looks += 1;
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
                    let line = String::from_utf8_lossy(&line).replace('\0', " ");
                    if line.contains(MARK) {
                        into.lock().unwrap().insert(line);
                    }
                }
                std::thread::yield_now();
            }
            looks
        });
        Self { seen, over, thread: Some(thread) }
    }

    /// What was seen, and how often was looked.
    fn end(mut self) -> (BTreeSet<String>, u64) {
        self.over.store(true, Ordering::Relaxed);
        let looks = self.thread.take().unwrap().join().unwrap();
        let seen = self.seen.lock().unwrap().clone();
        (seen, looks)
    }
}

fn config(folder: &Path, port: u16) -> String {
    let tool = tool(folder);
    let tool = tool.display();
    let secret = |name: &str| {
        let path = folder.join(format!("{name}.secret"));
        std::fs::write(&path, format!("{MARK}-{name}-98765")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        format!("file:{}", path.display())
    };
    let dead = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let env_file = folder.join("backup.env");
    std::fs::write(
        &env_file,
        format!("RESTIC_PASSWORD={MARK}-envfile-1234\nAWS_SECRET_ACCESS_KEY={MARK}-aws-1234\n"),
    )
    .unwrap();
    std::fs::set_permissions(&env_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let [bearer, basic, header, sentry, pg, my, redis, restic, borg, check, rpc] = [
        "bearer", "basic", "header", "sentry", "postgres", "mysql", "redis", "restic", "borg",
        "check", "rpc",
    ]
    .map(secret);
    format!(
        r#"
environment = "test"
[poll]
confirm = 0
timeout = "2s"
[prometheus]
url = "http://user:{MARK}-urlpassword-1@127.0.0.1:{port}/prom"
auth = {{ bearer = "{bearer}" }}
[alertmanager]
url = "{url}/am"
auth = {{ basic = {{ user = "ops", password = "{basic}" }} }}
headers = {{ X-Token = "{header}" }}
[sentry]
org = "shop"
url = "{url}"
token = "{sentry}"
[scrape.page]
targets = ["http://user:{MARK}-urlpassword-2@127.0.0.1:{port}/metrics?token={MARK}-query-3"]
auth = {{ bearer = "{bearer}" }}
[service.api]
health = "http://user:{MARK}-urlpassword-4@127.0.0.1:{port}/healthz?key={MARK}-query-5"
[service.api.check.http]
http = "{url}/rpc"
auth = {{ bearer = "{bearer}" }}
headers = {{ X-Api-Key = "{header}" }}
[service.api.check.plugin]
command = ["{tool}"]
env = {{ API_TOKEN = "{check}" }}
[service.db.check.pg]
postgres = "postgres://ops@127.0.0.1:{dead}/app"
password = "{pg}"
[service.db.check.pg-parrot]
postgres = "postgres://ops@127.0.0.1:{port}/app"
password = "{pg}"
[service.db.check.my]
mysql = "mysql://ops@127.0.0.1:{port}/app"
password = "{my}"
[service.db.check.redis]
redis = "redis://127.0.0.1:{port}/0"
password = "{redis}"
[service.run.check.supervisor]
supervisor = "*"
server = {{ url = "http://127.0.0.1:{port}", auth = {{ basic = {{ user = "ops", password = "{rpc}" }} }} }}
[service.run.check.docker]
docker = "*"
program = "{tool}"
[service.run.check.kubernetes]
kubernetes = "deployment/api"
program = "{tool}"
[backup.restic]
restic = "rest:http://user:{MARK}-urlpassword-6@127.0.0.1:{port}/repo"
password = "{restic}"
program = "{tool}"
[backup.restic-env]
restic = "s3:http://127.0.0.1:{port}/bucket"
env_file = "{}"
program = "{tool}"
[backup.borg]
borg = "ssh://backup@host/repo"
passphrase = "{borg}"
program = "{tool}"
"#,
        env_file.display()
    )
}

fn opsroom(folder: &Path, arguments: &[&str]) -> Output {
    let child = Command::new(env!("CARGO_BIN_EXE_opsroom"))
        .args(arguments)
        .env("OPSROOM_CONFIG", folder.join("config.toml"))
        .env("HOME", folder)
        .env("OPSROOM_LOG", "trace")
        .env_remove("XDG_STATE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.wait_with_output().unwrap()
}

/// Files below a folder that hold the mark, the secrets' own apart.
fn files_with_mark(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_with_mark(&path, found);
        } else if !path
            .extension()
            .is_some_and(|end| end == "secret" || end == "env" || end == "toml")
        {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if String::from_utf8_lossy(&bytes).contains(MARK) {
                found.push(path);
            }
        }
    }
}

#[test]
fn no_secret_comes_out_on_the_screen_in_files_or_in_command_lines() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = config(folder, parrot());
    std::fs::write(folder.join("config.toml"), &text).unwrap();
    std::fs::set_permissions(folder.join("config.toml"), std::fs::Permissions::from_mode(0o600))
        .unwrap();
    let watch = Watch::begin();
    let mut said = String::new();
    for arguments in [
        &["validate"][..],
        &["validate", "--live"],
        &["glance"],
        &["glance"],
        &["glance", "--json"],
        &["query", "up"],
        &["query", "--json", "sum("],
        &["info"],
    ] {
        let output = opsroom(folder, arguments);
        assert!(*arguments != ["validate"] || output.status.success(), "{output:?}");
        let told = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(!told.trim().is_empty(), "{arguments:?} says something");
        for line in told.lines().filter(|line| line.contains(MARK)) {
            let _ = writeln!(said, "{arguments:?}: {line}");
        }
    }
    let screen = console(folder);
    assert!(screen.contains("TEST"), "the console was there: {screen}");
    let (lines, looks) = watch.end();
    assert!(looks > 20, "command lines were looked at {looks} times only");
    assert!(said.is_empty(), "secrets were printed:\n{said}");
    assert!(!screen.contains(MARK), "a secret is on the screen");
    assert!(lines.is_empty(), "secrets in command lines: {lines:#?}");
    let mut files = Vec::new();
    files_with_mark(folder, &mut files);
    assert!(files.is_empty(), "secrets in files: {files:?}");
}

/// All that a console draws in some seconds, page by page.
#[expect(clippy::disallowed_methods, reason = "a person at the keys takes time, too")]
fn console(folder: &Path) -> String {
    let pty = portable_pty::native_pty_system();
    let size = portable_pty::PtySize { rows: 40, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = pty.openpty(size).unwrap();
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_opsroom"));
    command.env("OPSROOM_CONFIG", folder.join("config.toml"));
    command.env("HOME", folder);
    command.env("TERM", "xterm-256color");
    command.env("OPSROOM_LOG", "trace");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut writer = pair.master.take_writer().unwrap();
    let collected = std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = reader.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    });
    std::thread::sleep(Duration::from_secs(4));
    for key in [
        "3", "j", "j", "4", "6", "j", "j", "9", "j", "j", "j", "j", "j", "j", "j", "j", "1", "\r",
        "q",
    ] {
        writer.write_all(key.as_bytes()).unwrap();
        writer.flush().unwrap();
        std::thread::sleep(Duration::from_millis(250));
    }
    let _ = child.wait();
    drop(writer);
    drop(pair.master);
    collected.join().unwrap()
}
