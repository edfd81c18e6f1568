//! Lines for a reader that may take none for a while, or for ever: they are
//! written by a thread of their own, and what does not fit is counted.

use super::descriptors::write_whole;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

/// Lines that wait for a reader that takes none.
const WAITING: usize = 1_000;

/// Never waits. A reader that has gone shows as an error.
#[derive(Debug)]
pub struct Lines {
    to: SyncSender<Vec<u8>>,
    ended: Receiver<()>,
    /// So many were not taken.
    lost: u64,
}

impl Lines {
    /// Starts the thread that writes to `to`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(to: impl AsFd + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel::<Vec<u8>>(WAITING);
        let (ends, ended) = channel();
        std::thread::Builder::new().name("lines".into()).spawn(move || {
            while let Ok(line) = waiting.recv() {
                if write_whole(&to, &line).is_err() {
                    break;
                }
            }
            // Nobody may wait for that.
            let _ = ends.send(());
        })?;
        Ok(Self { to: lines, ended, lost: 0 })
    }

    /// Waits until all is written, at most `patience`.
    pub fn finish(self, patience: Duration) {
        let Self { to, ended, .. } = self;
        drop(to);
        let _ = ended.recv_timeout(patience);
    }

    fn put(&mut self, line: Vec<u8>) -> io::Result<bool> {
        match self.to.try_send(line) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => Ok(false),
            Err(TrySendError::Disconnected(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lost > 0 {
            let told = format!("({} lines before this were not taken)\n", self.lost);
            if self.put(told.into_bytes())? {
                self.lost = 0;
            }
        }
        if self.lost > 0 || !self.put(line.to_vec())? {
            self.lost += 1;
        }
        Ok(line.len())
    }

    /// What waits is written by its thread.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    #[test]
    fn a_reader_that_takes_nothing_holds_nobody_up_and_hears_what_it_missed() {
        let (reader, writer) = io::pipe().unwrap();
        let mut lines = Lines::start(writer).unwrap();
        let long = [b"x".repeat(999), b"\n".to_vec()].concat();
        // More than the pipe and the list hold together.
        for _ in 0..2_000 {
            assert_eq!(lines.write(&long).unwrap(), 1_000);
        }
        assert!(lines.lost > 0);
        let mut all = BufReader::new(reader).lines().map(Result::unwrap);
        // There is room again.
        let mut read: Vec<String> = all.by_ref().take(900).collect();
        let rest = std::thread::spawn(move || all.collect::<Vec<_>>());
        lines.write_all(b"here again\n").unwrap();
        lines.finish(Duration::from_secs(20));
        read.extend(rest.join().unwrap());
        assert_eq!(read.pop().unwrap(), "here again");
        let told = |line: &String| line.strip_prefix('(')?.split(' ').next()?.parse::<usize>().ok();
        let lost: usize = read.iter().filter_map(told).sum();
        let taken = read.iter().filter(|line| line.len() == 999).count();
        assert_eq!((taken + lost, lost > 0), (2_000, true));
        assert!(told(&read.pop().unwrap()).is_some());
    }

    #[test]
    fn a_reader_that_has_gone_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut lines = Lines::start(writer).unwrap();
        drop(reader);
        lines.write_all(b"a\n").unwrap();
        let _ = lines.ended.recv_timeout(Duration::from_secs(20));
        assert_eq!(lines.write_all(b"b\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
