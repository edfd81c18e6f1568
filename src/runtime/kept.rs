//! Where a config's history is kept, and which process keeps it.
//!
//! A console and `opsroom watch` keep what they saw for whoever comes next: the
//! window of samples, all that is known, and the summary. One process of a
//! config writes, the one that holds the lock; the others read. Its end, however
//! it comes, lets the lock go, and another that still runs takes it.

use super::paths::StateFolder;
use super::runs::place;
use super::state_file;
use crate::config::Config;
use crate::domain::labels::fnv1a;
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files of one config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFiles {
    folder: PathBuf,
    name: String,
    /// For the group that shares the folder, too.
    shared: bool,
}

impl KeptFiles {
    /// Where the history of the config at `path` is kept: in its shared folder
    /// where it has one, so that a console sees what another user's `watch` saw;
    /// else in the user's own. None where the user has no home.
    pub fn of(config: &Config, path: &Path, state: Option<&StateFolder>) -> Option<Self> {
        if config.journal.shared {
            match place::place(config, path, state) {
                Ok(place) => return Some(Self::at(&place.folder, path, true)),
                // Runs say it where it matters; the own folder serves here.
                Err(error) => tracing::warn!(%error, "no shared history"),
            }
        }
        state.map(|state| Self::at(state.path(), path, false))
    }

    pub(super) fn at(folder: &Path, config: &Path, shared: bool) -> Self {
        // One file, from whatever folder it is called.
        let config = std::fs::canonicalize(config).unwrap_or_else(|_| config.to_path_buf());
        // Kubernetes has a folder `..2026_11_22…` for each version of what it mounts.
        let is_version = |name: &OsStr| name.as_bytes().starts_with(b"..");
        let config: PathBuf = config
            .components()
            .map(|part| match part {
                Component::Normal(name) if is_version(name) => OsStr::new("..data"),
                part => part.as_os_str(),
            })
            .collect();
        // A file name for a path that is the same in every build.
        let name = format!("{:016x}", fnv1a(config.as_os_str().as_bytes().iter().copied()));
        Self { folder: folder.to_path_buf(), name, shared }
    }

    /// The samples.
    pub fn window(&self) -> PathBuf {
        self.folder.join(format!("window-{}.bin", self.name))
    }

    /// What was known last, for `glance --cached`.
    pub fn summary(&self) -> PathBuf {
        self.folder.join(format!("glance-{}.json", self.name))
    }

    /// All that was known last, for the next console.
    pub fn known(&self) -> PathBuf {
        self.folder.join(format!("known-{}.json", self.name))
    }

    fn lock(&self) -> PathBuf {
        self.folder.join(format!("keeper-{}.lock", self.name))
    }

    /// Takes away what a process that was killed left half written beside them.
    fn tidy(&self) {
        let names = [self.window(), self.summary(), self.known()];
        let Ok(folder) = std::fs::read_dir(&self.folder) else { return };
        for path in folder.flatten().map(|entry| entry.path()) {
            let whole = path.with_extension("");
            let by_process = path.extension().and_then(|end| end.to_str()?.parse::<u32>().ok());
            if by_process.is_some() && names.contains(&whole) {
                // What stays is only in the way of the disk.
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    /// Who may read what is kept.
    pub fn mode(&self) -> u32 {
        if self.shared { 0o660 } else { 0o600 }
    }

    /// Who keeps the history now, as it told when it began: `watch, process 812`.
    pub fn keeper(&self) -> Option<String> {
        let file = File::open(self.lock()).ok()?;
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        let mut told = String::new();
        file.take(200).read_to_string(&mut told).ok()?;
        Some(told.trim().to_owned())
    }
}

/// One of the processes that would keep a config's history.
#[derive(Clone, Debug)]
pub struct Keeper(Arc<Keeps>);

#[derive(Debug)]
struct Keeps {
    files: KeptFiles,
    /// What this process calls itself.
    who: String,
    lock: Mutex<Option<File>>,
    /// Held while the window is written.
    writing: Mutex<()>,
}

impl Keeper {
    /// `who` names the process to others: `watch`, `console`.
    pub fn new(files: KeptFiles, who: &str) -> Self {
        let who = format!("{who}, process {}", std::process::id());
        Self(Arc::new(Keeps { files, who, lock: Mutex::default(), writing: Mutex::default() }))
    }

    /// The files that it is about.
    pub fn files(&self) -> &KeptFiles {
        &self.0.files
    }

    /// Whether this process keeps the history: since before, or from now on
    /// because nobody else does.
    ///
    /// # Errors
    /// The lock's file cannot be made or locked.
    pub fn keeps(&self) -> io::Result<bool> {
        let mut held = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(true);
        }
        *held = self.0.take()?;
        Ok(held.is_some())
    }

    /// Writes the window, one after another: while a slow disk still takes one
    /// the last one of a process may come. Waits for the disk.
    ///
    /// # Errors
    /// It cannot be written; the window that was kept before is whole.
    pub fn write_window(&self, bytes: &[u8]) -> io::Result<()> {
        let _alone = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        state_file::replace(&self.files().window(), bytes, self.files().mode())
    }

    /// Who else keeps it.
    pub fn other(&self) -> Option<String> {
        if self.keeps().unwrap_or(false) { None } else { self.0.files.keeper() }
    }
}

impl Keeps {
    fn take(&self) -> io::Result<Option<File>> {
        let path = self.files.lock();
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let mut file = match options.clone().create_new(true).open(&path) {
            Ok(file) => {
                // Whatever the umask made of it.
                file.set_permissions(Permissions::from_mode(self.files.mode()))?;
                file
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(&path)?,
            Err(error) => return Err(error),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Only words for people: who holds the lock is the kernel's business.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", self.who));
        self.files.tidy();
        tracing::info!(path = %path.display(), "keeps the history");
        Ok(Some(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> KeptFiles {
        KeptFiles::at(folder, Path::new("/etc/opsroom/config.toml"), false)
    }

    #[test]
    fn each_config_has_its_own_files() {
        let (a, b) = (Path::new("/etc/opsroom/config.toml"), Path::new("/home/li/c.toml"));
        let at = |config| KeptFiles::at(Path::new("/s"), config, false);
        assert_ne!(at(a).summary(), at(b).summary());
        assert_ne!(at(a).summary(), at(a).window());
        assert_eq!(at(a).summary(), at(a).summary());
    }

    #[test]
    fn one_keeps_and_another_takes_over_when_it_ends() {
        let scratch = tempfile::tempdir().unwrap();
        let first = Keeper::new(files(scratch.path()), "watch");
        let second = Keeper::new(files(scratch.path()), "console");
        assert_eq!(files(scratch.path()).keeper(), None);
        assert!(first.keeps().unwrap());
        assert!(first.keeps().unwrap());
        assert!(!second.keeps().unwrap());
        let told = format!("watch, process {}", std::process::id());
        assert_eq!(second.other(), Some(told));
        assert_eq!(first.other(), None);
        drop(first);
        assert_eq!(files(scratch.path()).keeper(), None);
        assert!(second.keeps().unwrap());
    }

    #[test]
    fn what_was_left_half_written_is_tidied_up_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let files = files(scratch.path());
        let beside = |path: PathBuf, end: &str| PathBuf::from(format!("{}.{end}", path.display()));
        let left = beside(files.window(), "812");
        let kept = [files.window(), beside(files.window(), "damaged"), scratch.path().join("x.1")];
        for path in kept.iter().chain([&left]) {
            std::fs::write(path, b"x").unwrap();
        }
        assert!(Keeper::new(files, "watch").keeps().unwrap());
        assert!(!left.exists());
        assert!(kept.iter().all(|path| path.exists()));
    }

    #[test]
    fn a_folder_that_takes_nothing_is_an_error_and_no_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(files(&scratch.path().join("gone")), "watch");
        assert_eq!(keeper.keeps().unwrap_err().kind(), io::ErrorKind::NotFound);
        // A link in the lock's place is not followed.
        let keeper = Keeper::new(files(scratch.path()), "watch");
        let aim = scratch.path().join("aim");
        std::os::unix::fs::symlink(&aim, keeper.files().lock()).unwrap();
        assert!(keeper.keeps().is_err());
        assert!(!aim.exists());
    }
}
