//! A command at its gate: its process is there, and nothing of it has run.
//!
//! The shell at the gate waits for one line on a pipe that this process alone
//! holds open. Whoever is killed before it has written that line leaves the end
//! of the pipe behind, and the shell goes without having run anything.
//!
//! The shell also opens its own output for reading. While it lives the pipe has
//! a reader, so that a command whose run process was killed does not die of it,
//! and whoever takes the run up reads on through `/proc/PID/fd/1`.

use super::group::Group;
use crate::domain::runs::{CommandStep, ProcessId, Shell};
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

/// Waits for a line, then becomes what it was called with. 8 and 7 are the
/// reading ends of its outputs.
const GATE: &str =
    r#"IFS= read -r go || exit 125; exec "$@" </dev/null 8</proc/self/fd/1 7</proc/self/fd/2"#;
/// What opens the gate.
pub(super) const GO: &[u8] = b"go\n";
/// A pipe takes so many bytes that nobody has read, where the kernel grants it.
const PIPE: usize = 1024 * 1024;
/// A program's arguments are not longer each (execve(2): `MAX_ARG_STRLEN`).
const LONGEST: usize = 128 * 1024 - 64;

/// A command that waits at its gate. Dropped, nothing of it has run.
pub(super) struct Held {
    pub(super) child: Child,
    pub(super) group: Group,
    pub(super) process: ProcessId,
    gate: PipeWriter,
    pub(super) out: Receiver,
    /// Its errors, where they do not go the same way as its output.
    pub(super) err: Option<Receiver>,
}

/// What surrounds a command.
#[derive(Clone, Debug)]
pub(super) struct Around {
    pub(super) env: BTreeMap<String, String>,
    pub(super) folder: PathBuf,
    pub(super) identify: fn(u32) -> Option<ProcessId>,
}

/// The arguments that run a script in a shell that stops at what fails.
pub(super) fn argv(shell: Shell, script: &str) -> Result<Vec<String>, String> {
    if script.contains('\0') {
        return Err("a zero byte stands in the text: no shell can run it".into());
    }
    if script.len() > LONGEST {
        return Err(format!("the text is longer than {} kB: no shell takes it", LONGEST / 1024));
    }
    // What begins like an option would be taken for one.
    let blank = if script.starts_with(['-', '+']) { " " } else { "" };
    let words: &[&str] = match shell {
        Shell::Bash => &["bash", "-euo", "pipefail", "-c"],
        Shell::Sh => &["sh", "-eu", "-c"],
    };
    let words = words.iter().map(|word| (*word).to_owned());
    Ok(words.chain([format!("{blank}{script}")]).collect())
}

/// Where a step runs: in its own folder, else the run's.
pub(super) fn folder(step: &CommandStep, of_run: &str) -> PathBuf {
    let own = step.folder.as_deref().unwrap_or_default();
    // An absolute one replaces the run's.
    Path::new(of_run).join(own)
}

/// Fails where nothing can run.
pub(super) fn check_folder(folder: &Path) -> Result<(), String> {
    let shown = crate::domain::harmless_within(&folder.to_string_lossy(), 200);
    match std::fs::metadata(folder) {
        Ok(it) if it.is_dir() => Ok(()),
        Ok(_) => Err(format!("{shown} is no folder")),
        Err(error) => Err(format!("the folder {shown} cannot be entered: {error}")),
    }
}

impl Held {
    /// Starts a process that waits at its gate and then becomes `argv`. With
    /// `apart` its errors come by themselves, else in one stream with its output.
    pub(super) fn start(argv: &[String], around: &Around, apart: bool) -> Result<Self, String> {
        check_folder(&around.folder)?;
        let failed = |error: std::io::Error| format!("no process could be started: {error}");
        let (gate_in, gate) = pipe().map_err(failed)?;
        let (out, out_in) = big_pipe().map_err(failed)?;
        let (err, err_in) = if apart {
            let (err, err_in) = big_pipe().map_err(failed)?;
            (Some(err), err_in)
        } else {
            (None, out_in.try_clone().map_err(failed)?)
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", GATE, "opsroom-step"])
            .args(argv)
            .env_clear()
            .envs(&around.env)
            .current_dir(&around.folder)
            .stdin(Stdio::from(gate_in))
            .stdout(Stdio::from(out_in))
            .stderr(Stdio::from(err_in))
            .process_group(0);
        let child = command.spawn().map_err(failed)?;
        // It holds the ends of the pipes that are the child's.
        drop(command);
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let process = child.id().and_then(around.identify);
        let (Some(leader), Some(process)) = (leader, process) else {
            return Err("/proc does not tell who the process is: nothing has run".into());
        };
        Ok(Self {
            child,
            group: Group::of(leader, &around.env),
            process,
            gate,
            out: receiver(out).map_err(failed)?,
            err: err.map(receiver).transpose().map_err(failed)?,
        })
    }

    /// Opens the gate; fails where nobody waits behind it any more.
    pub(super) fn open(&mut self) -> std::io::Result<()> {
        self.gate.write_all(GO)
    }
}

fn big_pipe() -> std::io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = pipe()?;
    // Refused where this user has many pipes already: a small one does, too.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE);
    Ok((reader, writer))
}

fn receiver(reader: PipeReader) -> std::io::Result<Receiver> {
    Receiver::from_owned_fd(OwnedFd::from(reader))
}
