//! The program's own log: a file under the state folder that never grows
//! beyond its bound. Fields, not sentences; never a token, never a body.

use super::paths::StateFolder;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Beyond this the file is put aside as `opsroom.log.1` and a new one begun.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Lines that wait for the disk; more are dropped rather than waited for.
const LINES_WAITING: usize = 1_024;

/// Begins to log into the state folder, at the level of `$OPSROOM_LOG` (`info`).
/// The log is written as long as the guard lives.
pub fn start(state: &StateFolder) -> io::Result<WorkerGuard> {
    state.create()?;
    let file = BoundedFile::open(&state.log(), MOST_BYTES)?;
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING).lossy(true).finish(file);
    let filter =
        EnvFilter::try_from_env("OPSROOM_LOG").unwrap_or_else(|_| EnvFilter::new("opsroom=info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        .finish();
    // A second start in one process (tests) keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(guard)
}

/// A file that is put aside when it has grown to its bound.
struct BoundedFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    most: u64,
}

impl BoundedFile {
    fn open(path: &Path, most: u64) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_path_buf(), file, bytes, most })
    }
}

impl Write for BoundedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.most {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            std::fs::rename(&self.path, aside)?;
            *self = Self::open(&self.path, self.most)?;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_stays_within_its_bound_and_keeps_the_newest_lines() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("opsroom.log");
        let mut log = BoundedFile::open(&path, 100).unwrap();
        for i in 0..50 {
            writeln!(log, "line {i:02}").unwrap();
        }
        let (now, before) = (
            std::fs::read_to_string(&path).unwrap(),
            std::fs::read_to_string(scratch.path().join("opsroom.log.1")).unwrap(),
        );
        assert!(now.len() <= 100 && before.len() <= 100);
        assert!(now.ends_with("line 49\n"));
        let reopened = BoundedFile::open(&path, 100).unwrap();
        assert_eq!(reopened.bytes, now.len() as u64);
    }
}
