//! Command steps in a terminal of their own (`tty`): ssh, psql, sudo. The run's
//! process holds the terminal; what it shows is recorded, what is typed is not.
//!
//! The command is the leader of its terminal's session. When the run's process
//! dies the terminal hangs up, and the command with it.

use super::course::{Bounds, Heard, Running, Sampled, hand_over};
use super::ending::{Ended, Promise, cancelled, limit};
use super::gate::{Around, GO, argv, check_folder, folder};
use super::group::Group;
use super::{Kind, Prepared, Step, StepCx, TerminalInput};
use crate::domain::runs::{CommandStep, ProcessId, Step as Planned, StepEnd, StepKind};
use futures_util::future::BoxFuture;
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::io::{PipeWriter, Write, pipe};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Mutex;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// A command block in a terminal.
pub(super) const KIND: Kind = Kind { name: "terminal", build };

/// Waits for a line, then becomes the leader of a session on the terminal that
/// its output is: `setsid` takes no new process for that, since the shell leads
/// no group.
const GATE: &str = r#"IFS= read -r go || exit 125; exec setsid -c "$@" <&1 2>&1"#;
/// Columns and rows until a follower tells those of its own.
pub const SIZE: (u16, u16) = (80, 24);
/// What programs are told of the terminal where nothing else is said: what all of
/// them know.
const TERM: &str = "xterm";
/// So much is read at once.
const PIECE: usize = 16 * 1024;

fn build(planned: &Planned) -> Option<Box<dyn Step>> {
    match &planned.kind {
        StepKind::Command(step) if step.tty => Some(Box::new(TerminalBlock(step.clone()))),
        StepKind::Command(_) | StepKind::Check(_) | StepKind::Manual { .. } => None,
    }
}

#[derive(Debug)]
struct TerminalBlock(CommandStep);

impl Step for TerminalBlock {
    fn preview(&self) -> String {
        self.0.script.clone()
    }

    fn prepare(&self, cx: StepCx) -> BoxFuture<'_, Result<Box<dyn Prepared>, String>> {
        Box::pin(async move {
            let promise = Promise::of(&self.0)?;
            let mut env = cx.env.clone();
            env.entry("TERM".into()).or_insert_with(|| TERM.into());
            let folder = folder(&self.0, &cx.folder);
            let around = Around { env, folder, identify: cx.identify };
            let held = Held::start(&argv(self.0.shell, &self.0.script)?, &around)?;
            let limit = limit(&self.0, &cx);
            Ok(Box::new(Waiting { promise, limit, held, cx }) as Box<dyn Prepared>)
        })
    }
}

/// A command that waits at its gate, and the terminal that will be its own.
struct Held {
    child: Child,
    group: Group,
    process: ProcessId,
    gate: PipeWriter,
    terminal: AsyncFd<OwnedFd>,
}

impl Held {
    fn start(argv: &[String], around: &Around) -> Result<Self, String> {
        check_folder(&around.folder)?;
        let no_terminal = |error: rustix::io::Errno| format!("no terminal could be had: {error}");
        let failed = |error: std::io::Error| format!("no process could be started: {error}");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).map_err(no_terminal)?;
        grantpt(&terminal).map_err(no_terminal)?;
        unlockpt(&terminal).map_err(no_terminal)?;
        let inside = ioctl_tiocgptpeer(&terminal, flags).map_err(no_terminal)?;
        resize(&terminal, SIZE);
        let (gate_in, gate) = pipe().map_err(failed)?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", GATE, "opsroom-step"])
            .args(argv)
            .env_clear()
            .envs(&around.env)
            .current_dir(&around.folder)
            .stdin(Stdio::from(gate_in))
            .stderr(Stdio::from(inside.try_clone().map_err(failed)?))
            .stdout(Stdio::from(inside));
        let child = command.spawn().map_err(failed)?;
        drop(command);
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let process = child.id().and_then(around.identify);
        let (Some(leader), Some(process)) = (leader, process) else {
            return Err("/proc does not tell who the process is: nothing has run".into());
        };
        rustix::io::ioctl_fionbio(&terminal, true).map_err(no_terminal)?;
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe; a descriptor that is owned here stays the same"
        )]
        let terminal = AsyncFd::new(terminal).map_err(failed)?;
        Ok(Self { child, group: Group::of(leader, &around.env), process, gate, terminal })
    }
}

fn resize(terminal: &OwnedFd, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // A terminal that has hung up has no size, and needs none.
    let _ = tcsetwinsize(terminal, size);
}

struct Waiting {
    promise: Promise,
    limit: std::time::Duration,
    held: Held,
    cx: StepCx,
}

impl Prepared for Waiting {
    fn process(&self) -> Option<ProcessId> {
        Some(self.held.process.clone())
    }

    fn go(self: Box<Self>) -> BoxFuture<'static, StepEnd> {
        Box::pin(async move {
            let Self { promise, limit, held, cx } = *self;
            let begun = (cx.monotonic)();
            let sample = if promise.wants_output() { Sampled::All } else { Sampled::Nothing };
            let ended = see_through(held, &Bounds { limit, sample }, &cx).await;
            promise.judge(ended, (cx.monotonic)().saturating_sub(begun))
        })
    }
}

async fn see_through(held: Held, bounds: &Bounds, cx: &StepCx) -> Ended {
    let Held { mut child, group, mut gate, terminal, .. } = held;
    let heard = Heard::sampling(bounds.sample);
    let mut input = cx.input.lock().await;
    let mut size = None;
    // What was typed before there was anything to type into is not for it.
    while let Ok(early) = input.try_recv() {
        if let TerminalInput::Size(columns, rows) = early {
            size = Some((columns, rows));
        }
    }
    if let Some(size) = size {
        resize(terminal.get_ref(), size);
    }
    let begun = gate.write_all(GO).is_ok();
    let mut cancel = cx.cancel.clone();
    let seen = {
        let reading = pump(&terminal, &heard, &cx.output);
        let unwanted = async {
            tokio::select! {
                () = feed(&terminal, &mut input) => {}
                () = cancelled(&mut cancel) => {}
            }
        };
        let (child, limit) = (&mut child, bounds.limit);
        let running = Running { child, group: &group, begun, first: Signal::HUP, limit };
        running.see_through(&heard, reading, unwanted).await
    };
    // Whatever still holds the terminal is told by the kernel that it has hung up,
    // also what runs as somebody else.
    drop(terminal);
    seen.ended(&group, heard).await.0
}

/// Hands over all that the terminal shows, until it has hung up.
async fn pump(terminal: &AsyncFd<OwnedFd>, heard: &Mutex<Heard>, output: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let Ok(mut ready) = terminal.readable().await else { return };
        let read = ready.try_io(|inner| Ok(rustix::io::read(inner.get_ref(), &mut buffer)?));
        let piece = match read {
            Ok(Ok(read @ 1..)) => &buffer[..read],
            // EIO: nobody has it open inside any more.
            Ok(Ok(0) | Err(_)) => return,
            Err(_not_ready) => continue,
        };
        hand_over(piece, true, heard, output).await;
    }
}

/// Types what followers type, and never comes to an end.
async fn feed(terminal: &AsyncFd<OwnedFd>, input: &mut mpsc::Receiver<TerminalInput>) {
    while let Some(typed) = input.recv().await {
        match typed {
            TerminalInput::Size(columns, rows) => resize(terminal.get_ref(), (columns, rows)),
            TerminalInput::Bytes(bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let Ok(mut ready) = terminal.writable().await else { break };
                    let wrote = ready.try_io(|inner| Ok(rustix::io::write(inner.get_ref(), rest)?));
                    match wrote {
                        Ok(Ok(wrote)) => rest = &rest[wrote..],
                        Ok(Err(_)) => break,
                        Err(_not_ready) => {}
                    }
                }
            }
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::runs::StepOutcome;
    use crate::steps::testing::{Ends, block, context, prepared};
    use std::time::Duration;

    fn tty(script: &str) -> CommandStep {
        CommandStep { tty: true, ..block(script) }
    }

    /// Waits until the terminal shows this.
    async fn until(ends: &mut Ends, wanted: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(wanted) {
            let piece = ends.output.recv().await.unwrap();
            seen.push_str(&String::from_utf8_lossy(&piece));
        }
        seen
    }

    async fn run(script: &str) -> (StepEnd, String) {
        let (cx, mut ends) = context();
        let end = prepared(tty(script), cx).await.unwrap().go().await;
        (end, ends.text())
    }

    #[tokio::test]
    async fn it_has_a_terminal_of_its_own_that_it_leads() {
        let line = "test -t 0 && test -t 1 && test -t 2; tty; stty size; echo $TERM; \
                    ps -o pid=,sid=,tpgid= -p $$ 2>/dev/null || true; echo end >/dev/tty";
        let (end, text) = run(line).await;
        assert_eq!(end.words, "exit code 0", "{text}");
        assert!(text.starts_with("/dev/pts/"), "{text}");
        assert!(text.contains("24 80\r\nxterm\r\n") && text.ends_with("end\r\n"), "{text}");
    }

    #[tokio::test]
    async fn a_prompt_is_answered_and_what_is_not_shown_is_not_recorded() {
        let (cx, mut ends) = context();
        let line = "read -rs -p 'Password: ' it; echo; test \"$it\" = swordfish; echo in";
        let waiting = prepared(tty(line), cx).await.unwrap();
        // Typed before there is a prompt: for nobody.
        ends.input.send(TerminalInput::Bytes(b"early\n".to_vec())).await.unwrap();
        let going = tokio::spawn(waiting.go());
        until(&mut ends, "Password: ").await;
        ends.input.send(TerminalInput::Bytes(b"swordfish\n".to_vec())).await.unwrap();
        let end = going.await.unwrap();
        assert_eq!(end.outcome, StepOutcome::Ok, "{end:?}");
        let rest = ends.text();
        assert_eq!(rest.trim(), "in");
    }

    #[tokio::test]
    async fn it_takes_the_size_of_whoever_follows() {
        let (cx, mut ends) = context();
        let line = "trap 'stty size; exit 0' WINCH; echo up; while :; do sleep 0.05; done";
        let going = tokio::spawn(prepared(tty(line), cx).await.unwrap().go());
        until(&mut ends, "up").await;
        ends.input.send(TerminalInput::Size(120, 40)).await.unwrap();
        let end = going.await.unwrap();
        assert_eq!(end.outcome, StepOutcome::Ok);
        assert!(ends.text().contains("40 120"));
    }

    #[tokio::test]
    async fn nothing_runs_before_its_gate_is_opened() {
        let scratch = tempfile::tempdir().unwrap();
        let (cx, _ends) = context();
        let line = format!("touch {}/ran", scratch.path().display());
        let waiting = prepared(tty(&line), cx).await.unwrap();
        let pid = waiting.process().unwrap().pid;
        drop(waiting);
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
        };
        while lives() {
            tokio::task::yield_now().await;
        }
        assert!(!scratch.path().join("ran").exists());
    }

    #[tokio::test]
    async fn it_hangs_up_when_a_person_ends_it_and_says_so_when_time_does() {
        let (cx, mut ends) = context();
        let line = "trap 'echo hung up; exit 1' HUP; echo up; while :; do sleep 0.05; done";
        let going = tokio::spawn(prepared(tty(line), cx).await.unwrap().go());
        until(&mut ends, "up").await;
        ends.cancel.send(true).unwrap();
        let end = going.await.unwrap();
        assert_eq!((end.outcome, end.words.as_str()), (StepOutcome::Unknown, "ended by hand"));
        let (cx, _ends) = context();
        let limited = CommandStep { timeout: Some(Duration::from_millis(200)), ..tty("cat") };
        let end = prepared(limited, cx).await.unwrap().go().await;
        assert_eq!(end.words, "not done within 200ms, and ended");
    }

    #[tokio::test]
    async fn its_end_is_judged_like_that_of_any_command() {
        let (end, _) = run("echo why; exit 3").await;
        assert_eq!(end.words, "exit code 3: why");
        let (cx, _ends) = context();
        let kept = CommandStep { capture: Some("X".into()), ..tty("echo v1; echo v2") };
        let end = prepared(kept, cx).await.unwrap().go().await;
        assert_eq!(end.captured.as_deref(), Some("v2"));
    }
}
