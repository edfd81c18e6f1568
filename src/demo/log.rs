//! The log file of a service of the practice environment.

use crate::domain::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How long the file may become before its older half is given up.
const MOST_BYTES: u64 = 1 << 20;

/// A log file that does not grow without end.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    written: u64,
}

impl Log {
    /// Where the log of a service lies.
    pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.log"))
    }

    /// Appends to the log of the service `name`.
    pub(super) fn open(folder: &Path, name: &str) -> io::Result<Self> {
        let path = Self::path(folder, name);
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let written = file.metadata()?.len();
        Ok(Self { path, file, written })
    }

    /// One line with its moment. That it could not be written is not worth an
    /// end of the service.
    pub(super) fn line(&mut self, at: Timestamp, text: &str) {
        if self.written > MOST_BYTES {
            self.turn_over();
        }
        let line = format!("{at} {text}\n");
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.written += line.len() as u64;
        }
    }

    /// Goes on in a new file. Where the folder is gone, none is made.
    fn turn_over(&mut self) {
        let old = self.path.with_extension("log.1");
        if std::fs::rename(&self.path, old).is_ok()
            && let Ok(file) = OpenOptions::new().append(true).create(true).open(&self.path)
        {
            self.file = file;
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_turned_over_and_keeps_the_newest_lines() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), "api").unwrap();
        log.written = MOST_BYTES;
        log.line(Timestamp::from_millis(0), "the last that fits");
        log.line(Timestamp::from_millis(0), "the first of the next");
        let text = std::fs::read_to_string(Log::path(folder.path(), "api")).unwrap();
        assert_eq!(text, "1970-01-01T00:00:00.000Z the first of the next\n");
        assert!(folder.path().join("api.log.1").exists());
    }
}
