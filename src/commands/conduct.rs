//! `opsroom conduct`: the process of a run. Consoles and commands start it; it
//! outlives them and their terminal.

use crate::runbook::RunRequest;
use crate::runtime::logging;
use crate::runtime::paths::StateFolder;
use crate::runtime::runs::conductor::conduct;
use color_eyre::Result;
use color_eyre::eyre::WrapErr;
use std::fs::OpenOptions;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// A request is shorter than this: an alert's labels are its longest part.
const LONGEST_REQUEST: u64 = 16 * 1024 * 1024;

/// Is the process of a run.
pub(super) fn run(config: Option<&Path>) -> Result<ExitCode> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST_REQUEST).read_line(&mut line)?;
    let request: RunRequest =
        serde_json::from_str(&line).wrap_err("the request on standard input is not understood")?;
    let found = match super::discover(config) {
        Ok(mut found) => {
            found.path = std::path::absolute(&found.path).unwrap_or(found.path);
            found
        }
        Err(error) => {
            announce(&format!("no {}", crate::domain::harmless(&error.to_string())));
            return Ok(ExitCode::from(super::FAILED));
        }
    };
    leave_terminal()?;
    let state = StateFolder::of_this_user();
    // Without a log it runs all the same.
    let _log = state.as_ref().and_then(|state| logging::start(state).ok());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        ignore_hangups()?;
        Box::pin(conduct(found, state, request, Box::new(announce))).await;
        io::Result::Ok(())
    })?;
    // Nothing that still hangs is waited for.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

/// A session of its own in the root folder: no terminal's end reaches it, and it
/// keeps no file system busy.
fn leave_terminal() -> io::Result<()> {
    // Fails where it leads a group already: then whoever started it saw to that.
    let _ = rustix::process::setsid();
    std::env::set_current_dir("/")
}

/// A hangup or an interrupt of a terminal is not for it. Handled, not ignored:
/// what is ignored would stay so in the commands that it starts.
fn ignore_hangups() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()] {
        let mut signals = signal(kind)?;
        tokio::spawn(async move { while signals.recv().await.is_some() {} });
    }
    Ok(())
}

/// Says the first and last words to whoever started it, and closes the line.
fn announce(words: &str) {
    let mut out = io::stdout().lock();
    // Nobody may listen any more: then nobody follows, and it ends by itself.
    let _ = writeln!(out, "{words}").and_then(|()| out.flush());
    drop(out);
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
