//! What the tests of database servers have in common: their own users, scratch
//! folders, and what a check's answer says.

use opsroom::domain::{CheckReading, Status};
use rustix::fs::{Gid, Uid};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Servers refuse to run as root: this makes a command run as `user` where the
/// tests do, and as the caller otherwise.
pub(crate) struct As(Option<(u32, u32)>);

impl As {
    pub(crate) fn user(name: &str) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let ids = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then_some(())?;
            let mut ids = fields.skip(1);
            Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
        });
        assert!(ids.is_some(), "there is no user {name}");
        Self(ids)
    }

    /// User and group; none where it is whoever runs the tests.
    pub(crate) fn ids(&self) -> Option<(u32, u32)> {
        self.0
    }

    /// A command with nothing on its outputs that runs as the user.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The folder for temporary files of whoever runs the tests is not this user's.
        command.current_dir("/").env_remove("PGPASSWORD").env_remove("TMPDIR").stdin(Stdio::null());
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file or folder to the user.
    pub(crate) fn own(&self, path: &Path) {
        if let Some((user, group)) = self.0 {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            rustix::fs::chown(path, Some(user), Some(group)).unwrap();
        }
    }

    /// A folder of its own in `folder`.
    pub(crate) fn folder(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir(&path).unwrap();
        rustix::fs::chmod(&path, rustix::fs::Mode::RWXU).unwrap();
        self.own(&path);
        path
    }
}

/// A scratch folder that other users may pass through.
pub(crate) fn scratch() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    rustix::fs::chmod(folder.path(), rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
    folder
}

/// A file with a secret, for `file:`.
pub(crate) fn secret(folder: &Path, name: &str, value: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, value).unwrap();
    rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

/// Runs a command to its end; what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text.trim().to_owned()
}

/// The status and detail of one part.
pub(crate) fn part(reading: &CheckReading, name: &str) -> (Status, String) {
    let found = reading.components.iter().find(|part| part.name == name);
    let found = found.unwrap_or_else(|| panic!("there is no part {name}: {reading:#?}"));
    (found.status, found.detail.clone())
}

/// Nothing of a reading shows any of these.
pub(crate) fn hides(reading: &CheckReading, secrets: &[&str]) {
    let all = format!("{reading:?}{}", serde_json::to_string(reading).unwrap());
    for secret in secrets {
        assert!(!all.contains(secret), "{secret} is shown: {all}");
    }
}
