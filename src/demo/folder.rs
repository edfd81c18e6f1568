//! The scratch folder of a practice: made, known again, removed.
//!
//! A folder is only ever removed if it carries the mark that `make` put there.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that marks a folder as a practice's: the console's pid and start time.
const MARK: &str = "of-practice";
/// How the folder's name begins.
const PREFIX: &str = "opsroom-demo-";

/// Makes the folder of this process's practice under `parent`, readable for
/// its owner only. What consoles that were killed left there is removed.
pub(super) fn make(parent: &Path) -> io::Result<PathBuf> {
    remove_stale(parent);
    let me = std::process::id();
    let mut tries = 0_u32;
    loop {
        let folder = parent.join(format!("{PREFIX}{me}-{tries}"));
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&folder) {
            Ok(()) => {
                let mark = format!("{me} {}\n", start_of(me).unwrap_or_default());
                fs::write(folder.join(MARK), mark)?;
                return Ok(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 1_000 => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a folder was made by [`make`].
pub(super) fn is_practice(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX)) && folder.join(MARK).is_file()
}

/// Removes a practice's folder. The mark goes last, so that a removal that was
/// cut short can be taken up; several may remove it at once.
pub(super) fn remove(folder: &Path) {
    if !is_practice(folder) {
        return;
    }
    end_runs(folder);
    if let Ok(entries) = fs::read_dir(folder) {
        for entry in entries.flatten().filter(|entry| entry.file_name() != MARK) {
            let path = entry.path();
            // What cannot be removed is met again by the next start.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = fs::remove_dir_all(path);
            } else {
                let _ = fs::remove_file(path);
            }
        }
    }
    let _ = fs::remove_dir_all(folder);
}

/// Ends the processes of runs that are practised with this folder's config:
/// elsewhere they outlive the console, here nothing is left that they could act on.
fn end_runs(folder: &Path) {
    let Ok(config) = folder.join("config.toml").canonicalize() else { return };
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else { continue };
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let mut words = line.split(|byte| *byte == 0).filter_map(|word| str::from_utf8(word).ok());
        let conducts = words.clone().any(|word| word == "conduct");
        if conducts && words.any(|word| Path::new(word).canonicalize().is_ok_and(|it| it == config))
        {
            // It may have ended by itself meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Removes the folders of consoles that are no longer there.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        // Where the mark cannot be read the folder is another user's, or is
        // being made at this moment.
        let Ok(mark) = fs::read_to_string(folder.join(MARK)) else { continue };
        let mut words = mark.split_whitespace();
        let pid = words.next().and_then(|pid| pid.parse().ok());
        if let (Some(pid), Some(start)) = (pid, words.next())
            && start_of(pid).as_deref() != Some(start)
        {
            remove(&folder);
        }
    }
}

/// When a process started, in ticks since boot: with its pid, its identity.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the start is the 20th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_console_left_is_removed_and_a_living_one_s_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = make(parent.path()).unwrap();
        let dead = parent.path().join("opsroom-demo-1-0");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(MARK), "1 999999999999\n").unwrap();
        fs::create_dir(dead.join("state")).unwrap();
        fs::write(dead.join("state/api.log"), "x").unwrap();
        let second = make(parent.path()).unwrap();
        assert!(living.exists() && second.exists() && living != second);
        assert!(!dead.exists());
    }

    #[test]
    fn a_folder_without_the_mark_is_never_removed() {
        let parent = tempfile::tempdir().unwrap();
        let other = parent.path().join("opsroom-demo-of-mine");
        fs::create_dir(&other).unwrap();
        remove(&other);
        assert!(other.exists());
        let marked = parent.path().join("home");
        fs::create_dir(&marked).unwrap();
        fs::write(marked.join(MARK), "1 1\n").unwrap();
        remove(&marked);
        assert!(marked.exists());
        assert!(!is_practice(&other) && !is_practice(&marked));
    }
}
