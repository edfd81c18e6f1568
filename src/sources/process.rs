//! Runs a program in a process group of its own, with bounds on time and output.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a group has to end by itself after TERM.
const GRACE: Duration = Duration::from_secs(1);
/// How long output is still waited for after the program itself has ended:
/// what it started may hold the pipe open for ever.
const LATE_OUTPUT: Duration = Duration::from_millis(300);

/// A program and its surroundings.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Its name and arguments.
    pub(super) argv: Vec<String>,
    /// Set beside the few variables that every program gets.
    pub(super) env: BTreeMap<String, String>,
    /// Where it runs; the root folder where nothing is said.
    pub(super) folder: Option<PathBuf>,
    /// After this its whole group is ended.
    pub(super) limit: Duration,
    /// Of each of its outputs so many bytes are kept.
    pub(super) most: usize,
    /// Keep the end of the output instead of its beginning.
    pub(super) keep_end: bool,
}

/// What a program left.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
}

/// Why a program left nothing.
#[derive(Debug)]
pub(super) enum RunError {
    /// It could not be started.
    Start(String),
    /// It was ended, with all that it had started; what it had written by then.
    Timeout { out: Vec<u8> },
}

/// Variables that are handed on; everything else stays here.
const HANDED_ON: &[&str] =
    &["HOME", "USER", "LOGNAME", "SHELL", "SSH_AUTH_SOCK", "TZ", "XDG_RUNTIME_DIR"];

/// Where programs are looked for: the usual folders, and those of monitoring plugins.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:\
                               /usr/lib/nagios/plugins:/usr/lib64/nagios/plugins";

impl Program {
    fn command(&self) -> Option<Command> {
        let (name, arguments) = self.argv.split_first()?;
        let mut command = Command::new(name);
        command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
        for name in HANDED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .envs(&self.env)
            .current_dir(self.folder.clone().unwrap_or_else(|| "/".into()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Some(command)
    }

    /// Runs it to its end or its limit.
    pub(super) async fn run(&self) -> Result<Ran, RunError> {
        let mut command = self.command().ok_or_else(|| RunError::Start("no command".into()))?;
        let mut child = command.spawn().map_err(|error| RunError::Start(self.reason(&error)))?;
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let mut out = Kept::new(self.most, self.keep_end);
        let mut err = Kept::new(self.most, self.keep_end);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let status = {
            let reading = async { tokio::join!(out.read(stdout), err.read(stderr)) };
            tokio::pin!(reading);
            let ended = timeout(self.limit, async {
                tokio::select! {
                    status = child.wait() => (status, false),
                    _ = &mut reading => (child.wait().await, true),
                }
            });
            if let Ok((status, all_read)) = ended.await {
                group.0 = None;
                if !all_read {
                    let _ = timeout(LATE_OUTPUT, reading).await;
                }
                Some(status)
            } else {
                end(&mut child, &mut group).await;
                None
            }
        };
        let Some(status) = status else {
            return Err(RunError::Timeout { out: out.into_bytes() });
        };
        let status = status.map_err(|error| RunError::Start(error.to_string()))?;
        Ok(Ran { status, out: out.into_bytes(), err: err.into_bytes() })
    }

    fn reason(&self, error: &std::io::Error) -> String {
        let name = self.argv.first().map_or("", String::as_str);
        match error.kind() {
            std::io::ErrorKind::NotFound => format!("{name}: no such program"),
            std::io::ErrorKind::PermissionDenied => format!("{name}: no permission to run it"),
            _ => format!("{name}: {error}"),
        }
    }
}

/// Ends a group: asks first, then no longer.
async fn end(child: &mut Child, group: &mut Group) {
    group.signal(Signal::TERM);
    let gone = timeout(GRACE, child.wait()).await.is_ok();
    // Its children may have stayed although it went.
    group.signal(Signal::KILL);
    if !gone {
        let _ = child.wait().await;
    }
    group.0 = None;
}

/// A process group that ends with its owner.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // Fails where nobody is left in it.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// The first or last bytes of an output that may have no end.
struct Kept {
    bytes: Vec<u8>,
    most: usize,
    end: bool,
}

impl Kept {
    fn new(most: usize, end: bool) -> Self {
        Self { bytes: Vec::new(), most, end }
    }

    async fn read(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.take(&buffer[..read]);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.end {
            self.bytes.extend_from_slice(bytes);
            if self.bytes.len() > 2 * self.most {
                self.bytes.drain(..self.bytes.len() - self.most);
            }
        } else {
            let room = self.most.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        let over = self.bytes.len().saturating_sub(self.most);
        self.bytes.drain(..over);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str, limit: Duration) -> Program {
        Program {
            argv: ["/bin/sh", "-c", line].map(String::from).to_vec(),
            env: BTreeMap::from([("TOKEN".into(), "a b".into())]),
            folder: None,
            limit,
            most: 1_000,
            keep_end: false,
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn it_gets_its_stated_environment_and_nothing_else() {
        let ran =
            shell("echo \"$TOKEN $CARGO_MANIFEST_DIR$(pwd)\"; exit 3", LONG).run().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.out), "a b /\n");
        assert_eq!(ran.status.code(), Some(3));
    }

    #[tokio::test]
    async fn output_without_end_is_bounded_at_either_side() {
        let mut program = shell("yes | head -c 5000000; echo end", LONG);
        assert_eq!(program.run().await.unwrap().out.len(), 1_000);
        program.keep_end = true;
        assert!(program.run().await.unwrap().out.ends_with(b"y\nend\n"));
    }

    #[tokio::test]
    async fn a_child_that_holds_the_pipe_does_not_hold_the_answer() {
        let program = shell("sleep 30 & echo done", LONG);
        let ran = program.run().await.unwrap();
        assert_eq!(ran.out, b"done\n");
    }

    #[tokio::test]
    async fn at_the_limit_a_program_ends_even_where_it_ignores_term() {
        let line = "trap '' TERM; sleep 60 & wait; sleep 60";
        let ended = shell(line, Duration::from_millis(300)).run().await;
        assert!(matches!(ended, Err(RunError::Timeout { .. })), "{ended:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_named() {
        let mut program = shell("", LONG);
        program.argv = vec!["/no/such".into()];
        let Err(RunError::Start(why)) = program.run().await else { panic!("it ran") };
        assert_eq!(why, "/no/such: no such program");
    }
}
