//! The socket of a practice that its tools talk to: `shopctl` and `deployctl`,
//! which lie in the practice's `bin`.
//!
//! A question is one line of JSON, the answer an exit code on a line and the
//! words after it. The folder is its owner's alone, and so is the socket.

use super::processes::Processes;
use super::tools;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A question is no longer, in bytes.
const MOST: u64 = 4096;
/// Whoever connects says what it wants at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a tool of the practice was called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `shopctl` or `deployctl`.
    pub tool: String,
    /// Its arguments.
    pub words: Vec<String>,
    /// Who called it.
    pub by: String,
}

/// What a tool answers: its exit code and what it prints.
pub(super) type Answer = (u8, String);

fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// Answers tools as long as the practice is there.
pub(super) fn listen(processes: &Arc<Processes>) -> io::Result<()> {
    let listener = UnixListener::bind(socket(&processes.folder))?;
    let processes = Arc::downgrade(processes);
    std::thread::Builder::new()
        .name("practice".into())
        .spawn(move || serve(&listener, &processes))?;
    Ok(())
}

/// Lets the listener see that the practice has ended.
pub(super) fn wake(folder: &Path) {
    // Where nobody listens there is nobody to be woken.
    let _ = UnixStream::connect(socket(folder));
}

fn serve(listener: &UnixListener, processes: &Weak<Processes>) {
    loop {
        let accepted = listener.accept();
        let Some(processes) = processes.upgrade().filter(|processes| !processes.ended()) else {
            return;
        };
        let Ok((stream, _)) = accepted else { return };
        // How the other side takes it is its own business.
        let _ = answer(&stream, &processes);
    }
}

fn answer(mut stream: &UnixStream, processes: &Processes) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MOST)).read_line(&mut line)?;
    let (code, text) = match serde_json::from_str::<Asked>(&line) {
        Ok(asked) => tools::run(processes, &asked),
        Err(_) => (1, "not understood\n".into()),
    };
    stream.write_all(format!("{code}\n{text}").as_bytes())
}

/// Asks the practice in `folder` what a tool of it was called for: exit code and words.
pub fn ask(folder: &Path, asked: &Asked) -> io::Result<(u8, String)> {
    let mut stream = UnixStream::connect(socket(folder))?;
    let line = serde_json::to_string(asked).map_err(io::Error::other)?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (code, text) = answer.split_once('\n').ok_or(ErrorKind::UnexpectedEof)?;
    let code = code.parse().map_err(|_| ErrorKind::InvalidData)?;
    Ok((code, text.into()))
}
