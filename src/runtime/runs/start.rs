//! Starts the process of a run: it makes a session of its own and outlives
//! whoever started it.

use super::linger::{Survives, survives_logout};
use crate::domain::harmless_within;
use crate::domain::runs::RunId;
use crate::runbook::RunRequest;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Config and runbook are read in this time, or something hangs.
const READY: Duration = Duration::from_secs(30);
/// A first line is shorter than this.
const LONGEST_WORD: u64 = 16 * 1024;

/// Handed on to the process of a run, beside all that begins with `XDG_` and
/// `LC_`, and what the config names by `env:NAME`. What steers a shell or a
/// loader stays here.
const HANDED_ON: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "TZ",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSH_CONNECTION",
    "DBUS_SESSION_BUS_ADDRESS",
    "NO_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "no_proxy",
    "http_proxy",
    "https_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPSROOM_LOG",
    "OPSROOM_TEST_RUN",
];

/// A run whose process is ready to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its name.
    pub run: RunId,
    /// Where its process listens.
    pub socket: PathBuf,
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum StartError {
    /// The program could not be started.
    #[error("the run's process cannot be started: {0}")]
    Start(std::io::Error),
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It said nothing that can be understood.
    #[error("the run's process said nothing{0}; the log may tell more")]
    Silent(String),
}

/// Starts the process of a run and waits until it can be followed. Nothing of
/// the run has happened then. What it complains of goes to `log`.
pub async fn start(
    request: &RunRequest,
    config: &Path,
    log: Option<&Path>,
) -> Result<Ready, StartError> {
    let program = program().map_err(StartError::Start)?;
    let mut command = match survives_logout() {
        Survives::Yes => Command::new(program),
        Survives::InScope(words) => {
            let mut words = words.into_iter();
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words).arg(program);
            command
        }
        Survives::No(why) => return Err(StartError::Refused(why)),
    };
    command
        .arg("--config")
        .arg(config)
        .arg("conduct")
        .env_clear()
        .envs(handed_on(std::env::vars_os(), &text_of(config)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr(log));
    let mut child = command.spawn().map_err(StartError::Start)?;
    match timeout(READY, first_words(&mut child, request)).await {
        Ok(Ok(line)) => match ready(&line) {
            Some(answer) => answer,
            None => Err(silent(&mut child).await),
        },
        Ok(Err(_)) => Err(silent(&mut child).await),
        Err(_) => {
            // Nobody follows it, so it has done nothing.
            let _ = child.start_kill();
            Err(StartError::Silent(format!(" in {} s and was ended", READY.as_secs())))
        }
    }
}

/// Gives it the request and reads its first line.
async fn first_words(child: &mut Child, request: &RunRequest) -> std::io::Result<String> {
    let mut request = serde_json::to_vec(request).map_err(std::io::Error::other)?;
    request.push(b'\n');
    if let Some(mut into) = child.stdin.take() {
        // One that has ended already says why by its words.
        let _ = into.write_all(&request).await;
    }
    match child.stdout.take() {
        Some(out) => first_line(out).await,
        None => Ok(String::new()),
    }
}

async fn first_line(out: impl AsyncRead + Unpin) -> std::io::Result<String> {
    let mut out = out.take(LONGEST_WORD);
    let mut line = Vec::new();
    while !line.contains(&b'\n') && out.read_buf(&mut line).await? > 0 {}
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    Ok(String::from_utf8_lossy(&line[..end]).into_owned())
}

/// `ready RUN SOCKET` or `no WORDS`.
fn ready(line: &str) -> Option<Result<Ready, StartError>> {
    if let Some(why) = line.strip_prefix("no ") {
        return Some(Err(StartError::Refused(harmless_within(why, 2_000))));
    }
    let (run, socket) = line.strip_prefix("ready ")?.split_once(' ')?;
    let is_name = !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let socket = PathBuf::from(socket);
    (is_name && socket.is_absolute()).then(|| Ok(Ready { run: run.into(), socket }))
}

async fn silent(child: &mut Child) -> StartError {
    let how = match timeout(Duration::from_secs(1), child.wait()).await {
        Ok(Ok(status)) => format!(" and ended with {status}"),
        _ => String::new(),
    };
    let _ = child.start_kill();
    StartError::Silent(how)
}

/// This very program: also where it was replaced by a newer one meanwhile.
fn program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    if path.exists() {
        return Ok(path);
    }
    let replaced =
        path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(replaced.filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into()))
}

fn stderr(log: Option<&Path>) -> Stdio {
    use std::os::unix::fs::OpenOptionsExt;
    let open = |path: &Path| File::options().append(true).create(true).mode(0o600).open(path);
    log.and_then(|path| open(path).ok()).map_or_else(Stdio::null, Stdio::from)
}

fn text_of(config: &Path) -> String {
    // One that cannot be read is complained of by the run's process.
    std::fs::read_to_string(config).unwrap_or_default()
}

fn handed_on(
    all: impl Iterator<Item = (OsString, OsString)>,
    config: &str,
) -> BTreeMap<OsString, OsString> {
    all.filter(|(name, _)| {
        let Some(name) = name.to_str() else { return false };
        HANDED_ON.contains(&name)
            || name.starts_with("XDG_")
            || name.starts_with("LC_")
            || names_of(config).any(|wanted| wanted == name)
    })
    .collect()
}

/// The variables that a config refers to as `env:NAME`.
fn names_of(config: &str) -> impl Iterator<Item = &str> {
    config.match_indices("env:").filter_map(|(at, found)| {
        let rest = &config[at + found.len()..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        let steers = ["LD_", "BASH_"].iter().any(|begin| name.starts_with(begin));
        (!name.is_empty() && !steers).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_says_how_it_is() {
        let ready_at = |line| match ready(line) {
            Some(Ok(ready)) => Some(ready),
            _ => None,
        };
        let wanted = Ready { run: "4f2k".into(), socket: "/run/opsroom/4f2k.sock".into() };
        assert_eq!(ready_at("ready 4f2k /run/opsroom/4f2k.sock"), Some(wanted));
        let spaced = ready_at("ready 4f2k /home/a b/4f2k.sock").unwrap();
        assert_eq!(spaced.socket, PathBuf::from("/home/a b/4f2k.sock"));
        for wrong in ["", "ready", "ready 4f2k", "ready 4f2k here.sock", "ready ../x /s", "hello"] {
            assert!(ready(wrong).is_none(), "{wrong}");
        }
        let Some(Err(StartError::Refused(why))) = ready("no such \u{1b}[31mrunbook") else {
            panic!("not refused")
        };
        assert!(!why.contains('\u{1b}'), "{why}");
    }

    #[tokio::test]
    async fn no_more_than_a_line_is_read() {
        assert_eq!(first_line(&b"ready a /b\nmore"[..]).await.unwrap(), "ready a /b");
        assert_eq!(first_line(&b"no end"[..]).await.unwrap(), "no end");
        let endless = tokio::io::repeat(b'x');
        assert_eq!(first_line(endless).await.unwrap().len() as u64, LONGEST_WORD);
    }

    #[test]
    fn a_run_gets_what_its_config_refers_to_and_nothing_that_steers() {
        let all = [
            ("HOME", "/h"),
            ("LC_ALL", "C"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("SENTRY_TOKEN", "t"),
            ("OTHER_TOKEN", "o"),
            ("LD_PRELOAD", "evil.so"),
            ("BASH_ENV", "evil.sh"),
            ("TERM", "xterm"),
        ];
        let all = all.map(|(name, value)| (name.into(), value.into()));
        let config = "token = \"env:SENTRY_TOKEN\"\nother = 'env:LD_PRELOAD'";
        let handed = handed_on(all.into_iter(), config);
        let names: Vec<&str> = handed.keys().filter_map(|name| name.to_str()).collect();
        assert_eq!(names, ["HOME", "LC_ALL", "SENTRY_TOKEN", "XDG_RUNTIME_DIR"]);
    }
}
