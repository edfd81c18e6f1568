//! Where opsroom keeps things, after the XDG Base Directory Specification.

use directories::ProjectDirs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder for state: log, and what is kept of what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// `$XDG_STATE_HOME/opsroom`, by default `~/.local/state/opsroom`;
    /// none where the user has no home.
    pub fn of_this_user() -> Option<Self> {
        let dirs = ProjectDirs::from("", "", "opsroom")?;
        // A relative $HOME would mean the current folder.
        let folder = dirs.state_dir().filter(|folder| folder.is_absolute())?;
        Some(Self(folder.to_path_buf()))
    }

    /// Any folder; for tests and the practice environment.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_path_buf())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, readable by this user alone.
    pub fn create(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// The program's own log.
    pub fn log(&self) -> PathBuf {
        self.0.join("opsroom.log")
    }

    /// The files that operators have asked for.
    pub fn exports(&self) -> PathBuf {
        self.0.join("exports")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_for_its_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let state = StateFolder::at(&scratch.path().join("a/b"));
        state.create().unwrap();
        state.create().unwrap();
        let mode = std::fs::metadata(state.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
