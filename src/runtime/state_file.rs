//! What is kept for glances and for the next console: a summary, all that is
//! known, and the window of samples. A file is replaced whole or not at all.

use crate::metrics::{Limits, Memory, window};
use crate::store::{Glance, Known};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Nothing larger was ever written.
const LARGEST_SUMMARY: u64 = 16 << 20;
const LARGEST_KNOWN: u64 = 256 << 20;
const LARGEST_WINDOW: u64 = 1 << 30;
/// The shape in which all that is known is kept: this program's own, since it
/// changes with every version.
const SHAPE: &str = env!("CARGO_PKG_VERSION");

/// Why a kept file tells nothing.
#[derive(Debug, Error)]
pub enum StateError {
    /// The system refused.
    #[error("{}: {why}", path.display())]
    Unreadable { path: PathBuf, why: std::io::Error },
    /// It is not what was written.
    #[error("{}: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
}

/// Writes a file that only those of `mode` can read: whole, or not at all, also
/// where the power is cut meanwhile. The bytes are on the disk before the name
/// is theirs; of the name that is not sure yet: the old file may come back, as
/// whole as it was. Waits for the disk.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(aside);
    let written = create(&aside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            // Whatever the umask made of it.
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        // What could not be written whole is of no use.
        let _ = std::fs::remove_file(&aside);
    }
    written
}

/// The same for what is written once and told as done: its name is on the disk, too.
pub fn replace_for_good(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    replace(path, bytes, mode)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A new file, and never what somebody else has put in its place.
fn create(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        // Of a process before that had this one's number.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}

/// The whole file; `None` where there is none.
fn read(path: &Path, largest: u64) -> Result<Option<Vec<u8>>, StateError> {
    let unreadable = |why| StateError::Unreadable { path: path.to_path_buf(), why };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > largest {
        let why = "larger than anything that is written there".to_owned();
        return Err(StateError::Damaged { path: path.to_path_buf(), why });
    }
    Ok(Some(bytes))
}

/// Writes the summary.
pub fn write_summary(path: &Path, glance: &Glance, mode: u32) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(glance).map_err(std::io::Error::other)?;
    replace(path, &bytes, mode)
}

/// All that is known, and the version of the program that wrote it.
#[derive(Serialize, Deserialize)]
struct Remembered<K> {
    shape: String,
    known: K,
}

/// Writes all that is known.
pub fn write_known(path: &Path, known: &Known, mode: u32) -> std::io::Result<()> {
    let remembered = Remembered { shape: SHAPE.to_owned(), known };
    let bytes = serde_json::to_vec(&remembered).map_err(std::io::Error::other)?;
    replace(path, &bytes, mode)
}

/// What was known last; `None` where nobody kept it, or another version did.
pub fn read_known(path: &Path) -> Result<Option<Known>, StateError> {
    let Some(bytes) = read(path, LARGEST_KNOWN)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| StateError::Damaged {
        path: path.to_path_buf(),
        why: format!("this is not what was known: {error}"),
    };
    let remembered: Remembered<&serde_json::value::RawValue> =
        serde_json::from_slice(&bytes).map_err(damaged)?;
    if remembered.shape != SHAPE {
        return Ok(None);
    }
    serde_json::from_str(remembered.known.get()).map(Some).map_err(damaged)
}

/// The summary that a console wrote last; `None` where none ever did.
pub fn read_summary(path: &Path) -> Result<Option<Glance>, StateError> {
    let Some(bytes) = read(path, LARGEST_SUMMARY)? else { return Ok(None) };
    let glance = serde_json::from_slice(&bytes).map_err(|error| StateError::Damaged {
        path: path.to_path_buf(),
        why: format!("this is no summary: {error}"),
    })?;
    Ok(Some(glance))
}

/// The window that a console kept; `None` where none ever did.
pub fn read_window(path: &Path, limits: Limits) -> Result<Option<Memory>, StateError> {
    let Some(bytes) = read(path, LARGEST_WINDOW)? else { return Ok(None) };
    let memory = window::read(&bytes, limits).map_err(|error| StateError::Damaged {
        path: path.to_path_buf(),
        why: error.to_string(),
    })?;
    Ok(Some(memory))
}

/// Puts a damaged file aside, so that it can be looked at and is not met again.
pub fn put_aside(path: &Path) {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    if let Err(error) = std::fs::rename(path, &aside) {
        tracing::warn!(path = %path.display(), %error, "a damaged file stays where it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Inventory, Timestamp};
    use crate::store::Known;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    #[test]
    fn a_summary_comes_back_as_it_was_written_and_is_private() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("glance.json");
        assert!(read_summary(&path).unwrap().is_none());
        let known = Known::new(Arc::new(Inventory::default()), Timestamp::from_millis(5));
        let glance = Glance::of(&known);
        write_summary(&path, &glance, 0o600).unwrap();
        write_summary(&path, &glance, 0o600).unwrap();
        assert_eq!(read_summary(&path).unwrap(), Some(glance));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_place_where_it_is_written_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, aim) = (scratch.path().join("a"), scratch.path().join("aim"));
        std::fs::write(&aim, b"mine").unwrap();
        let aside = scratch.path().join(format!("a.{}", std::process::id()));
        std::os::unix::fs::symlink(&aim, &aside).unwrap();
        replace(&path, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&aim).unwrap(), b"mine");
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        replace_for_good(&path, b"newer", 0o640).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"newer");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 2);
    }

    /// Whether the file system says that bytes of the file are nowhere on the
    /// disk yet; `None` where it does not say such things.
    fn waits_for_the_disk(path: &Path) -> Option<bool> {
        let asked = std::process::Command::new("/usr/sbin/filefrag").arg("-v").arg(path).output();
        let asked = asked.ok().filter(|asked| asked.status.success())?;
        Some(String::from_utf8_lossy(&asked.stdout).contains("delalloc"))
    }

    #[test]
    fn what_a_name_stands_for_is_on_the_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let (plain, whole) = (scratch.path().join("plain"), scratch.path().join("whole"));
        let bytes = vec![7; 1 << 20];
        std::fs::write(&plain, &bytes).unwrap();
        if waits_for_the_disk(&plain) != Some(true) {
            println!("skipped: this file system does not tell what waits for the disk");
            return;
        }
        replace(&whole, &bytes, 0o600).unwrap();
        assert_eq!(waits_for_the_disk(&whole), Some(false));
    }

    #[test]
    fn a_damaged_file_is_reported_and_put_aside() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("window.bin");
        let whole = window::write(&Memory::new(Limits::default()));
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let error = read_window(&path, Limits::default()).unwrap_err();
        assert!(error.to_string().ends_with("the kept window is damaged"), "{error}");
        assert!(matches!(read_summary(&path), Err(StateError::Damaged { .. })));
        put_aside(&path);
        assert!(read_window(&path, Limits::default()).unwrap().is_none());
    }

    #[test]
    fn a_kept_window_is_read_again() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("window.bin");
        let memory = Memory::new(Limits::default());
        replace(&path, &window::write(&memory), 0o600).unwrap();
        assert!(read_window(&path, Limits::default()).unwrap().is_some());
    }
}
