//! Where a journal lies, and how its files are kept from others.

use crate::domain::runs::RunId;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where a journal lies and how far its locks reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder that holds `journal.sqlite`, `heads`, `reserve` and `runs/`.
    pub folder: PathBuf,
    /// Where the sockets of runs are.
    pub sockets: PathBuf,
    /// Shared by the users of this host, or one user's own.
    pub shared: bool,
    /// The socket of syslog, where heads are told to it.
    pub syslog: Option<PathBuf>,
}

impl Place {
    /// A user's own in this folder, its sockets in `s` below it.
    pub fn own(folder: &Path) -> Self {
        let sockets = folder.join("s");
        Self { folder: folder.to_path_buf(), sockets, shared: false, syslog: None }
    }

    /// The folder of a run: its output and text.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.folder.join("runs").join(run.as_str())
    }

    /// How far a lock reaches: `only you`, `this host`.
    pub fn reach(&self) -> &'static str {
        if self.shared { "this host" } else { "only you" }
    }

    /// The mode of files in it: the group's, or this user's alone.
    pub fn file_mode(&self) -> u32 {
        if self.shared { 0o660 } else { 0o600 }
    }

    /// The mode of folders in it. What is made in a shared one is its group's.
    pub fn folder_mode(&self) -> u32 {
        if self.shared { 0o2770 } else { 0o700 }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("journal.sqlite")
    }

    /// The heads of its chains.
    pub fn heads(&self) -> PathBuf {
        self.folder.join("heads")
    }

    /// What is kept for a full disk.
    pub fn reserve(&self) -> PathBuf {
        self.folder.join("reserve")
    }

    /// Makes a folder and those above it; what is there stays as it is.
    pub fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if let Some(above) = folder.parent()
            && !above.is_dir()
        {
            self.make_folder(above)?;
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| Self::open_up(folder, self.folder_mode())),
        }
    }

    /// Opens a file to be read and written, and makes it where there is none.
    pub fn open_file(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        match options.clone().create_new(true).open(path) {
            Ok(file) => {
                // Whatever the umask made of it.
                file.set_permissions(Permissions::from_mode(self.file_mode()))?;
                Ok(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
            Err(error) => Err(error),
        }
    }

    /// Takes the folder of a run away that never began. One with anything in it
    /// that was not made by this program stays.
    pub fn forget(&self, run: &RunId) {
        // What cannot be taken away lies there unused.
        let _ = std::fs::remove_dir_all(self.run(run));
    }

    fn open_up(path: &Path, mode: u32) -> io::Result<()> {
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    }
}
