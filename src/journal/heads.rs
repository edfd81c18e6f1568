//! The heads of the chains: a line of fixed length for each writer, which that
//! writer alone writes over, after its record is on the disk.

use super::chain::Row;
use super::place::Place;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A line, its end in it. It divides a disk's sector: a power cut leaves the
/// old line or the new one.
const LINE: usize = 128;
const FIRST: &str = "opsroom-journal";
const HEAD: &str = "opsroom-head";
/// More than any journal has: 100,000 writers.
const LARGEST: u64 = LINE as u64 * 100_000;

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub writer: String,
    /// The number of its last record; 0 before the first.
    pub seq: i64,
    /// That record's hash.
    pub hash: String,
}

impl Head {
    /// As it stands in the file, in syslog, and in `audit verify --heads`.
    pub fn line(&self, journal: &str) -> String {
        format!("{HEAD} {journal} {} {} {}", self.writer, self.seq, self.hash)
    }

    /// The journal and the head that a line names, whatever stands before them.
    pub fn of_line(line: &str) -> Option<(&str, Self)> {
        let mut words = line.split_ascii_whitespace().skip_while(|word| *word != HEAD).skip(1);
        let journal = words.next()?;
        let writer = words.next()?.to_owned();
        let seq = words.next()?.parse().ok().filter(|seq| *seq >= 0)?;
        let hash = words.next().filter(|hash| is_hash(hash))?.to_owned();
        Some((journal, Self { writer, seq, hash }))
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The file as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Which journal it is of.
    pub journal: Option<String>,
    /// The heads.
    pub heads: Vec<Head>,
    /// Lines that cannot be read, by their numbers from 1.
    pub odd: Vec<usize>,
}

impl Kept {
    /// Reads it; `None` where there is none.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(LARGEST).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok((!text.is_empty()).then(|| Self::of(&text)))
    }

    pub(super) fn of(text: &[u8]) -> Self {
        let mut kept = Self::default();
        for (index, line) in text.chunks(LINE).enumerate() {
            let line = String::from_utf8_lossy(line);
            if index == 0 {
                kept.journal = journal_of(&line);
            }
            match Head::of_line(&line) {
                Some((_, head)) if index > 0 => kept.heads.push(head),
                _ if index == 0 && kept.journal.is_some() => {}
                _ => kept.odd.push(index + 1),
            }
        }
        kept
    }
}

fn journal_of(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    (words.next() == Some(FIRST)).then(|| words.next().map(str::to_owned)).flatten()
}

/// The file, open to be written.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    file: Arc<File>,
    journal: Arc<str>,
    at: u64,
}

impl Heads {
    /// Opens the file, still of no journal.
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        Ok(Self { file: Arc::new(place.open_file(&place.heads())?), journal: "".into(), at: 0 })
    }

    /// Tries to be the only one who opens this journal now.
    pub(super) fn try_lock(&self) -> io::Result<bool> {
        match flock(&*self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn unlock(&self) -> io::Result<()> {
        Ok(flock(&*self.file, FlockOperation::Unlock)?)
    }

    /// The journal that the file is of, if it says so.
    pub(super) fn journal(&self) -> io::Result<Option<String>> {
        let mut line = [0; LINE];
        match self.file.read_exact_at(&mut line, 0) {
            Ok(()) => Ok(journal_of(&String::from_utf8_lossy(&line))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes a line for a new writer. Only while it is locked.
    pub(super) fn enter(&mut self, journal: &str, head: &Head) -> io::Result<()> {
        self.journal = journal.into();
        let length = self.file.metadata()?.len();
        if length == 0 {
            self.file.write_all_at(&padded(&format!("{FIRST} {journal} 1")), 0)?;
        }
        // A line that was begun and not ended stays, and is odd.
        self.at = length.div_ceil(LINE as u64).max(1) * LINE as u64;
        self.file.write_all_at(&padded(&head.line(journal)), self.at)?;
        self.file.sync_all()
    }

    /// Whether it has a line for its writer.
    pub(super) fn is_entered(&self) -> bool {
        self.at > 0
    }

    /// Writes this writer's head over the one before.
    pub(super) fn put(&self, head: &Head) -> io::Result<()> {
        self.file.write_all_at(&padded(&head.line(&self.journal)), self.at)?;
        self.file.sync_data()
    }
}

/// A line of full length.
fn padded(text: &str) -> Vec<u8> {
    let mut line = text.as_bytes().to_vec();
    line.resize(LINE - 1, b' ');
    line.push(b'\n');
    line
}

impl From<&Row> for Head {
    fn from(row: &Row) -> Self {
        Self { writer: row.writer.clone(), seq: row.seq, hash: row.hash.clone() }
    }
}
