//! The files that patterns match, each read once in its life.

use super::content::{Format, Found};
use super::read::{Depth, look};
use super::{Wants, glob};
use crate::domain::{
    BackupProblem, BackupReading, Fault, PollError, PollFailure, Running, Snapshot, Status,
    Timestamp, harmless_within, units,
};
use crate::sources::backup::restored::moment;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many of the newest files are read and told of.
const MOST: usize = 1_000;
/// Packed files beside the newest are unpacked up to so many bytes at one poll;
/// the others have their turn at the next one.
const AT_ONCE: u64 = 128 << 20;
/// Its own date may differ from a file's time by a zone and some copying.
const APART: Duration = Duration::from_hours(36);
/// Clocks of other hosts may be ahead by so much.
const AHEAD: Duration = Duration::from_mins(5);
/// A file's name is cut to so many characters.
const NAME: usize = 120;

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Same {
    path: PathBuf,
    size: u64,
    modified: (i64, i64),
    inode: u64,
}

/// What is known of the files from earlier polls.
#[derive(Debug, Default)]
pub(super) struct Known {
    judged: HashMap<Same, Found>,
    /// Files that were not whole yet: their size, and when they were first met so.
    growing: HashMap<PathBuf, (u64, Timestamp)>,
}

/// Which files, and what is wanted of them.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) patterns: Vec<PathBuf>,
    pub(super) place: String,
    pub(super) wants: Wants,
    /// Packed files up to this size are unpacked.
    pub(super) unpack: u64,
    pub(super) settle: Duration,
    /// New files are read for so long at one poll.
    pub(super) patience: Duration,
}

/// One file.
#[derive(Debug)]
struct Met {
    same: Same,
    id: String,
    at: Timestamp,
}

/// All files, the newest first, and what is to be said of the rest.
#[derive(Debug, Default)]
struct Folder {
    files: Vec<Met>,
    problems: Vec<BackupProblem>,
    notes: Vec<String>,
}

/// The outcome of a full check.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) id: String,
    same: Same,
    found: Found,
    custom: bool,
}

fn failed(error: &io::Error, what: &str) -> PollError {
    let cause = match error.kind() {
        io::ErrorKind::PermissionDenied => PollFailure::Denied,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PollFailure::Absent,
        io::ErrorKind::TimedOut => PollFailure::Timeout,
        io::ErrorKind::StaleNetworkFileHandle => PollFailure::Network,
        _ => PollFailure::Broken,
    };
    let why = match cause {
        PollFailure::Denied => "no permission to read it".into(),
        PollFailure::Absent => "there is no such folder".into(),
        _ => error.kind().to_string(),
    };
    PollError::new(cause, format!("{}: {why}", harmless_within(what, NAME)))
}

fn shown(path: &Path) -> String {
    harmless_within(&path.to_string_lossy(), NAME)
}

impl Files {
    /// Looks at all files: a stat each, and new ones are read.
    pub(super) fn poll(
        &self,
        known: &Mutex<Known>,
        now: Timestamp,
        monotonic: &dyn Fn() -> Duration,
        stop: &AtomicBool,
    ) -> Result<BackupReading, PollError> {
        let begun = monotonic();
        // Held by an earlier look whose file system does not answer.
        let Ok(mut known) = known.try_lock() else {
            let words = "an earlier look still reads these files";
            return Err(PollError::new(PollFailure::Timeout, words));
        };
        let Folder { files, problems, notes } = self.find(stop)?;
        let mut reading = BackupReading {
            count: files.len() as u64,
            encrypted: self.wants.encrypted,
            off_host: self.wants.off_host,
            free: self.free(),
            place: self.place.clone(),
            problems,
            notes,
            ..BackupReading::default()
        };
        let mut before = std::mem::take(&mut known.growing);
        let mut kept = HashMap::new();
        let mut unseen: Vec<(String, String)> = Vec::new();
        let mut unread = 0_usize;
        let mut left = AT_ONCE;
        for (place, met) in files.into_iter().take(MOST).enumerate() {
            let size = met.same.size;
            let is_known = known.judged.remove(&met.same);
            let may_read =
                place == 0 || (left > 0 && monotonic().saturating_sub(begun) < self.patience);
            let (found, keep) = match is_known {
                Some(found) => (found, true),
                None if may_read => match self.read(&met.same.path, size, false, stop) {
                    Ok((found, _)) => {
                        left = left.saturating_sub(if size <= self.unpack { size } else { 0 });
                        (found, true)
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        // Rotated away since the folder was read.
                        reading.count -= 1;
                        continue;
                    }
                    Err(error) if place == 0 => return Err(failed(&error, &met.id)),
                    Err(_) => {
                        unread += 1;
                        (Found::unseen("cannot be read"), false)
                    }
                },
                None => (Found::unseen("not read yet"), false),
            };
            let young = met.at + self.settle > now && met.at <= now + AHEAD;
            let grew = before.get(&met.same.path).is_some_and(|(was, _)| *was < size);
            if young && (found.fault.is_some() || found.unseen.is_some() || grew) {
                // Not whole yet, or nobody can tell: it may be read again.
                let since = before.remove(&met.same.path).map_or(now, |(_, since)| since);
                let running = Running { since: Some(since), by: met.id.clone() };
                reading.running.get_or_insert(running);
                reading.count -= 1;
                known.growing.insert(met.same.path, (size, since));
                continue;
            }
            let is_newest = reading.snapshots.is_empty();
            if is_newest {
                reading.tool.clone_from(&found.tool);
                reading.encrypted = reading.encrypted.or(found.encrypted);
            }
            if let Some(words) = &found.unseen {
                if is_newest && found.encrypted != Some(true) {
                    // It counts as good, and nobody may take that for proven.
                    let words =
                        format!("the newest counts as good by its beginning alone: {words}");
                    reading.problems.push(BackupProblem { status: Status::Ok, words });
                }
                unseen.push((met.id.clone(), words.clone()));
            }
            reading.snapshots.push(self.snapshot(&met, &found, &mut reading.notes));
            if keep {
                kept.insert(met.same, found);
            }
        }
        known.judged = kept;
        reading.snapshots.reverse();
        reading.notes.extend(told(&unseen));
        if unread > 0 {
            let words = format!("{} cannot be read", units::count(unread, "file"));
            reading.problems.push(BackupProblem { status: Status::Warning, words });
        }
        Ok(reading)
    }

    fn snapshot(&self, met: &Met, found: &Found, notes: &mut Vec<String>) -> Snapshot {
        let size = met.same.size;
        let copied = found.made.filter(|made| met.at.since(*made) > APART);
        if let Some(made) = copied {
            let date = made.to_string();
            let date = date.split('T').next().unwrap_or_default();
            notes.push(format!("{} is a later copy: by its own word it is of {date}", met.id));
        }
        let least = self.wants.min_size;
        let small = (size < least && !found.empty).then(|| Fault {
            status: Status::Critical,
            words: format!(
                "too small: {}, at least {} wanted",
                units::bytes(size as f64),
                units::bytes(least as f64)
            ),
        });
        Snapshot {
            id: met.id.clone(),
            taken: copied.unwrap_or(met.at),
            took: None,
            size: Some(if found.empty { 0 } else { size }),
            fault: found.fault.clone().or(small),
            host: None,
        }
    }

    /// Reads a file and judges it; whether it is an archive of `pg_dump`.
    fn read(
        &self,
        path: &Path,
        size: u64,
        whole: bool,
        stop: &AtomicBool,
    ) -> io::Result<(Found, bool)> {
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut file = File::options().read(true).custom_flags(nonblock).open(path)?;
        let depth = Depth { unpack: self.unpack, whole };
        let found = look(&mut file, size, depth, self.wants.format, stop)?;
        let mut magic = [0; 5];
        io::Seek::rewind(&mut file)?;
        let read = super::read::fill(&mut file, &mut magic)?;
        let custom = super::content::format_of(&magic[..read], size) == Format::Custom;
        Ok((found, custom))
    }

    /// All files, the newest first.
    fn find(&self, stop: &AtomicBool) -> Result<Folder, PollError> {
        let mut all = Folder::default();
        let mut places: HashMap<(u64, u64), usize> = HashMap::new();
        let (mut folders, mut nowhere, mut absent) = (0_usize, 0_usize, Vec::new());
        for pattern in &self.patterns {
            let base = glob::base(pattern);
            if let Err(error) = std::fs::read_dir(&base) {
                absent.push(failed(&error, &base.to_string_lossy()));
                continue;
            }
            let found = glob::find(pattern, stop);
            if found.too_many {
                let words = format!("more than {} entries: not all were seen", glob::ENTRIES);
                all.problems.push(BackupProblem { status: Status::Warning, words });
            }
            for (folder, error) in found.unread {
                let words = failed(&error, &folder.to_string_lossy()).message;
                all.problems.push(BackupProblem { status: Status::Warning, words });
            }
            for path in found.paths {
                let meta = match std::fs::metadata(&path) {
                    Ok(meta) => meta,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        nowhere += usize::from(path.is_symlink());
                        continue;
                    }
                    Err(error) => return Err(failed(&error, &path.to_string_lossy())),
                };
                if !meta.is_file() {
                    folders += 1;
                    continue;
                }
                let met = met(path, &base, &meta);
                // One file under two names is one backup: the link's name goes.
                match places.get(&(meta.dev(), meta.ino())) {
                    Some(place) if !met.same.path.is_symlink() => all.files[*place] = met,
                    Some(_) => {}
                    None => {
                        places.insert((meta.dev(), meta.ino()), all.files.len());
                        all.files.push(met);
                    }
                }
            }
        }
        if absent.len() == self.patterns.len()
            && let Some(first) = absent.first()
        {
            return Err(first.clone());
        }
        for error in absent {
            let word = if error.cause == PollFailure::Denied { "denied" } else { "absent" };
            let words = format!("{word}: {}", error.message);
            all.problems.push(BackupProblem { status: Status::Warning, words });
        }
        if folders > 0 {
            all.notes.push(format!("left out what is no file: {folders}"));
        }
        if nowhere > 0 {
            all.notes.push(format!("{} to nowhere", units::count(nowhere, "link")));
        }
        let newest = |met: &Met| (std::cmp::Reverse(met.at), std::cmp::Reverse(met.id.clone()));
        all.files.sort_by_cached_key(newest);
        Ok(all)
    }

    fn free(&self) -> Option<u64> {
        let about = rustix::fs::statvfs(glob::base(self.patterns.first()?).as_path()).ok()?;
        about.f_bavail.checked_mul(about.f_frsize)
    }

    /// Reads all of the newest file.
    pub(super) fn check(
        &self,
        known: &Mutex<Known>,
        now: Timestamp,
        stop: &AtomicBool,
    ) -> Result<Checked, PollError> {
        let mut files = self.find(stop)?.files;
        // One that is still being written is not the newest that there is.
        let written = match known.try_lock() {
            Ok(known) => known.growing.keys().cloned().collect(),
            Err(_) => Vec::new(),
        };
        files.retain(|met| !written.contains(&met.same.path) && met.at <= now + AHEAD);
        let Some(newest) = files.into_iter().next() else {
            return Err(PollError::new(PollFailure::Absent, "there is no file to check"));
        };
        let read = self.read(&newest.same.path, newest.same.size, true, stop);
        let (found, custom) = read.map_err(|error| failed(&error, &newest.id))?;
        Ok(Checked { id: newest.id, same: newest.same, found, custom })
    }
}

impl Checked {
    /// The path for `pg_restore`, where that can tell more.
    pub(super) fn restorable(&self) -> Option<&str> {
        if self.custom && self.found.fault.is_none() { self.same.path.to_str() } else { None }
    }

    pub(super) fn size_words(&self) -> String {
        units::bytes(self.same.size as f64)
    }

    pub(super) fn words(&self) -> (Status, String) {
        match (&self.found.fault, &self.found.unseen) {
            (Some(fault), _) => (fault.status, fault.words.clone()),
            (None, Some(unseen)) => (Status::Unknown, unseen.clone()),
            (None, None) => {
                (Status::Ok, format!("read whole, {}: it is sound to its end", self.size_words()))
            }
        }
    }

    /// What was found counts from now on, as long as the file is the same.
    pub(super) fn keep(&self, known: &Mutex<Known>, status: Status, words: &str) {
        let mut found = self.found.clone();
        if status == Status::Critical && found.fault.is_none() {
            found.fault = Some(Fault { status, words: words.into() });
        }
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.judged.insert(self.same.clone(), found);
    }
}

fn met(path: PathBuf, base: &Path, meta: &Metadata) -> Met {
    let id = path.strip_prefix(base).unwrap_or_else(|_| glob::name(&path).as_ref());
    Met {
        id: shown(id),
        at: meta.modified().map(moment).unwrap_or_default(),
        same: Same {
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            inode: meta.ino(),
            path,
        },
    }
}

/// What was not looked at, in few words.
fn told(unseen: &[(String, String)]) -> Vec<String> {
    let mut by_words: Vec<(&str, &str, usize)> = Vec::new();
    for (id, words) in unseen {
        match by_words.iter_mut().find(|(known, ..)| known == words) {
            Some((_, _, many)) => *many += 1,
            None => by_words.push((words, id, 1)),
        }
    }
    let told = by_words.into_iter().map(|(words, id, many)| match many {
        1 => format!("{id}: {words}"),
        many => format!("{id} and {} more: {words}", many - 1),
    });
    told.collect()
}
