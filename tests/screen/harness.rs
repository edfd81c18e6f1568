//! A terminal with a program in it: what it shows, what is typed into it, and
//! waiting for either with a deadline.

use super::waiting::{SOON, now};
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

struct Shown {
    parser: vt100::Parser,
    /// All bytes that came.
    raw: Vec<u8>,
    /// Nothing is read while this holds.
    stalled: bool,
    /// The reader shall end, and close its hold of the terminal.
    stop: bool,
}

struct Glass {
    shown: Mutex<Shown>,
    changed: Condvar,
}

/// A terminal and the program that was started in it.
pub(crate) struct Terminal {
    glass: Arc<Glass>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    /// Kept open, so that what was set on it outlives the program.
    slave: Option<Box<dyn SlavePty + Send>>,
    reader: Option<JoinHandle<()>>,
    exits: Receiver<ExitStatus>,
    killer: Box<dyn portable_pty::ChildKiller + Send + Sync>,
    pid: i32,
}

/// A home for one test: nothing of this machine's config in sight.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it that nobody else can write.
    pub(crate) fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The program with these arguments, in this home.
    pub(crate) fn opsroom(&self, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_opsroom"));
        command.args(arguments);
        self.furnish(&mut command);
        command
    }

    /// Gives a command this home and nothing of ours.
    pub(crate) fn furnish(&self, command: &mut CommandBuilder) {
        command.env_clear();
        for name in ["PATH", "OPSROOM_TEST_RUN"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.path());
        command.env("TMPDIR", self.path());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("TZ", "UTC");
        command.cwd(self.path());
    }
}

impl Terminal {
    /// Starts a command in a terminal of this many columns and rows.
    pub(crate) fn start(command: CommandBuilder, width: u16, height: u16) -> Self {
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        let pair = portable_pty::native_pty_system().openpty(size).unwrap();
        let mut child = pair.slave.spawn_command(command).unwrap();
        let glass = Arc::new(Glass {
            shown: Mutex::new(Shown {
                parser: vt100::Parser::new(height, width, 0),
                raw: Vec::new(),
                stalled: false,
                stop: false,
            }),
            changed: Condvar::new(),
        });
        let pid = i32::try_from(child.process_id().unwrap()).unwrap();
        let killer = child.clone_killer();
        let (sender, exits) = channel();
        std::thread::spawn(move || wait_for_end(&mut *child, &sender));
        let source = pair.master.try_clone_reader().unwrap();
        let reader = std::thread::spawn({
            let glass = glass.clone();
            move || glass.read_from(source)
        });
        let writer = pair.master.take_writer().unwrap();
        Self {
            glass,
            master: Some(pair.master),
            writer: Some(writer),
            slave: Some(pair.slave),
            reader: Some(reader),
            exits,
            killer,
            pid,
        }
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// The rows on the screen, without blanks at their ends.
    pub(crate) fn text(&self) -> String {
        self.glass.shown.lock().unwrap().text()
    }

    /// All bytes that came so far.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.glass.shown.lock().unwrap().raw.clone()
    }

    /// Waits until the screen's text fulfils `holds`; gives that text.
    pub(crate) fn see(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        self.see_within(what, SOON, holds)
    }

    /// The same with a deadline of one's own.
    pub(crate) fn see_within(
        &self,
        what: &str,
        within: Duration,
        holds: impl Fn(&str) -> bool,
    ) -> String {
        let deadline = now() + within;
        let mut shown = self.glass.shown.lock().unwrap();
        loop {
            let text = shown.text();
            if holds(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(now());
            let over = left.is_zero();
            assert!(!over, "not seen within {within:?}: {what}\n{text}");
            shown = self.glass.changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits until the screen shows this text.
    pub(crate) fn see_text(&self, text: &str) -> String {
        self.see(text, |shown| shown.contains(text))
    }

    /// The terminal gets another size, and the program is told.
    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.glass.shown.lock().unwrap().parser.screen_mut().set_size(height, width);
        let size = PtySize { rows: height, cols: width, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
    }

    /// Reads nothing any more, or goes on.
    pub(crate) fn stall(&self, stalled: bool) {
        self.glass.shown.lock().unwrap().stalled = stalled;
        self.glass.changed.notify_all();
    }

    /// How the terminal's line is set: echo, signals, line by line.
    pub(crate) fn line_settings(&self) -> String {
        format!("{:?}", self.master.as_ref().unwrap().get_termios().unwrap())
    }

    /// Waits until what the program wrote last was read.
    pub(crate) fn see_until_given_back(&self, what: &str) {
        let deadline = now() + SOON;
        let mut shown = self.glass.shown.lock().unwrap();
        let is_taken = |screen: &vt100::Screen| {
            screen.alternate_screen() || screen.hide_cursor() || screen.bracketed_paste()
        };
        while is_taken(shown.parser.screen()) {
            let left = deadline.saturating_duration_since(now());
            assert!(!left.is_zero(), "{what}: the screen was not given back");
            shown = self.glass.changed.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Whether the screen is as a shell expects it.
    pub(crate) fn assert_given_back(&self, settings_before: &str) {
        assert_eq!(self.line_settings(), settings_before);
        // It has ended; its last bytes may still be on their way.
        self.see_until_given_back("at the end");
        let shown = self.glass.shown.lock().unwrap();
        let screen = shown.parser.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is on");
        assert!(!screen.application_cursor() && !screen.application_keypad());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }

    /// Waits for the program's end.
    pub(crate) fn end(&mut self, within: Duration) -> ExitStatus {
        let status = self.exits.recv_timeout(within);
        status.unwrap_or_else(|error| panic!("no end: {error}\n{}", self.text()))
    }

    /// Whether the program has ended by now.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.exits.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty))
    }

    /// Cuts the line, as a lost connection does: nobody holds the terminal any more.
    pub(crate) fn hang_up(&mut self) {
        let mut shown = self.glass.shown.lock().unwrap();
        shown.stop = true;
        shown.stalled = false;
        drop(shown);
        self.glass.changed.notify_all();
        self.slave = None;
        self.writer = None;
        // The reader ends with the next bytes that come.
        self.reader.take().unwrap().join().unwrap();
        self.master = None;
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut shown = self.glass.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.stop = true;
        shown.stalled = false;
        drop(shown);
        self.glass.changed.notify_all();
        let _ = self.killer.kill();
        if matches!(self.exits.recv_timeout(SOON), Err(RecvTimeoutError::Timeout)) {
            assert!(std::thread::panicking(), "the program did not end when it was killed");
        }
    }
}

impl Shown {
    fn text(&self) -> String {
        let screen = self.parser.screen();
        let (_, width) = screen.size();
        let rows: Vec<String> =
            screen.rows(0, width).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n")
    }
}

impl Glass {
    /// What is shown, also where a test has failed that looked at it.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_from(&self, mut source: Box<dyn Read + Send>) {
        let mut buffer = [0; 4096];
        loop {
            let mut shown = self.shown();
            while shown.stalled && !shown.stop {
                shown = self.changed.wait(shown).unwrap_or_else(PoisonError::into_inner);
            }
            if shown.stop {
                return;
            }
            drop(shown);
            let count = source.read(&mut buffer).unwrap_or(0);
            let mut shown = self.shown();
            if count > 0 {
                shown.parser.process(&buffer[..count]);
                shown.raw.extend_from_slice(&buffer[..count]);
            }
            drop(shown);
            self.changed.notify_all();
            if count == 0 {
                return;
            }
        }
    }
}

fn wait_for_end(child: &mut dyn Child, sender: &std::sync::mpsc::Sender<ExitStatus>) {
    if let Ok(status) = child.wait() {
        // The test may be over.
        let _ = sender.send(status);
    }
}
