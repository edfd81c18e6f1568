//! Where the config is found, and whether it may be believed.

use super::file::{open, reason};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A config is not larger than this.
const LARGEST: u64 = 1024 * 1024;
/// The variable that names a config.
pub const VARIABLE: &str = "OPSROOM_CONFIG";
/// The config of a whole host.
pub const SYSTEM: &str = "/etc/opsroom/config.toml";

/// A config file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Why there is no config to read. Its text is what the operator reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// None of the usual places has one: time to name `demo`, `init` and `--config`.
    #[error("no config: neither {} is there", words(.looked_at))]
    Nowhere { looked_at: Vec<PathBuf> },
    /// The file that was named is not there, or cannot be read.
    #[error("{}: {why}", shown(.path))]
    Unreadable { path: PathBuf, why: String },
    /// Others could put commands into it.
    #[error("{}: {why}, and it holds commands; {remedy}", shown(.path))]
    Unsafe { path: PathBuf, why: String, remedy: String },
    /// Nobody writes a config of that size.
    #[error("{}: larger than 1 MiB", shown(.path))]
    TooLarge { path: PathBuf },
    /// It is not text.
    #[error("{}: not UTF-8 text, from line {line} on", shown(.path))]
    NotText { path: PathBuf, line: usize },
}

fn shown(path: &Path) -> String {
    crate::domain::harmless(&path.to_string_lossy()).into_owned()
}

fn words(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| shown(path)).collect::<Vec<_>>().join(" nor ")
}

/// Finds the config: the path that was given, else the one in
/// `$OPSROOM_CONFIG`, else the user's, else the host's. Never one in the
/// current folder.
pub fn discover(given: Option<&Path>) -> Result<Found, DiscoverError> {
    let named = given.map(Path::to_path_buf).or_else(|| {
        std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
    });
    find(named, &usual_places())
}

/// The places that are looked at when no path was given, in their order.
pub fn usual_places() -> Vec<PathBuf> {
    let own = directories::ProjectDirs::from("", "", "opsroom")
        .map(|folders| folders.config_dir().join("config.toml"))
        // A relative $HOME would mean the current folder.
        .filter(|path| path.is_absolute());
    own.into_iter().chain([PathBuf::from(SYSTEM)]).collect()
}

fn find(named: Option<PathBuf>, places: &[PathBuf]) -> Result<Found, DiscoverError> {
    if let Some(path) = named {
        return read(&path);
    }
    for path in places {
        // A file that is there and cannot be read is not passed over in silence.
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            _ => return read(path),
        }
    }
    Err(DiscoverError::Nowhere { looked_at: places.to_vec() })
}

/// Reads a file that holds commands, a config or a runbook, if nobody else could
/// have written it.
pub fn read(path: &Path) -> Result<Found, DiscoverError> {
    let unreadable = |error: std::io::Error| DiscoverError::Unreadable {
        path: path.into(),
        why: reason(&error),
    };
    let file = open(path).map_err(unreadable)?;
    safe(path, &file, rustix::process::getuid().as_raw()).map_err(|problem| match problem {
        Ok((why, remedy)) => DiscoverError::Unsafe { path: path.into(), why, remedy },
        Err(error) => unreadable(error),
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(DiscoverError::TooLarge { path: path.into() });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        #[expect(clippy::naive_bytecount, reason = "1 MiB at most, once, on the way to an error")]
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        DiscoverError::NotText { path: path.into(), line }
    })?;
    // Editors of other systems leave a mark at the start.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(Found { path: path.into(), text })
}

/// The file itself, and the folder in which it could be replaced.
fn safe(path: &Path, file: &File, me: u32) -> Result<(), Result<(String, String), std::io::Error>> {
    let about = file.metadata().map_err(Err)?;
    if let Some(problem) = problem(about.mode(), about.uid(), me, false) {
        let remedy = remedy(path, about.uid(), me, "go-w");
        return Err(Ok((format!("{problem} this file"), remedy)));
    }
    // Of a link, the folder that it leads to counts.
    let real = std::fs::canonicalize(path).map_err(Err)?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    let about = std::fs::metadata(folder).map_err(Err)?;
    if let Some(problem) = problem(about.mode(), about.uid(), me, true) {
        let remedy = remedy(folder, about.uid(), me, "go-w");
        return Err(Ok((format!("{problem} its folder"), remedy)));
    }
    Ok(())
}

/// Why a folder of files that hold commands may not be believed, and what helps.
pub fn folder_problem(folder: &Path) -> Option<String> {
    let me = rustix::process::getuid().as_raw();
    let about = std::fs::metadata(folder).ok()?;
    let problem = problem(about.mode(), about.uid(), me, true)?;
    let remedy = remedy(folder, about.uid(), me, "go-w");
    Some(format!("{problem} this folder, and its files hold commands; {remedy}"))
}

fn problem(mode: u32, owner: u32, me: u32, folder: bool) -> Option<&'static str> {
    // In a sticky folder (/tmp) only owners replace their files.
    let sticky = folder && mode & 0o1000 != 0;
    if owner != me && owner != 0 {
        Some("another user owns")
    } else if mode & 0o002 != 0 && !sticky {
        Some("everybody can write")
    } else if mode & 0o020 != 0 && !sticky {
        Some("its group can write")
    } else {
        None
    }
}

fn remedy(path: &Path, owner: u32, me: u32, mode: &str) -> String {
    let path = shown(path);
    if owner != me && owner != 0 {
        format!("chown it to yourself or root: chown {me} {path}")
    } else {
        format!("run: chmod {mode} {path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    fn said(result: Result<Found, DiscoverError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn the_first_place_that_has_a_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("no/two"));
        assert_eq!(
            find(None, &[one.clone(), two.clone()]),
            Err(DiscoverError::Nowhere { looked_at: vec![one.clone(), two.clone()] })
        );
        let three = file(folder.path(), "three", b"site = 'x'", 0o600);
        assert_eq!(find(None, &[one, three.clone()]).unwrap().path, three);
        assert!(said(find(Some(two), &[three])).ends_with("no such file"));
    }

    #[test]
    fn a_file_that_others_can_write_is_refused_and_chmod_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, word) in [(0o620, "its group"), (0o602, "everybody")] {
            let path = file(folder.path(), "c.toml", b"", mode);
            let said = said(read(&path));
            assert!(said.contains(word) && said.contains("chmod go-w "), "{said}");
        }
        let path = file(folder.path(), "c.toml", b"", 0o644);
        assert!(read(&path).is_ok());
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(said(read(&path)).contains("everybody can write its folder"));
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        assert!(read(&path).is_ok());
    }

    #[test]
    fn owners_other_than_oneself_and_root_are_refused() {
        assert_eq!(problem(0o644, 1_000, 1_000, false), None);
        assert_eq!(problem(0o644, 0, 1_000, false), None);
        assert_eq!(problem(0o644, 1_001, 1_000, false), Some("another user owns"));
        assert_eq!(problem(0o755, 1_001, 1_000, true), Some("another user owns"));
    }

    #[test]
    fn what_is_no_config_is_named_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(said(read(folder.path())).ends_with("this is not a file"));
        let large = file(folder.path(), "large", &vec![b'#'; 2 << 20], 0o600);
        assert!(said(read(&large)).ends_with("larger than 1 MiB"));
        let binary = file(folder.path(), "binary", b"# a\n# \xff\n", 0o600);
        assert!(said(read(&binary)).ends_with("not UTF-8 text, from line 2 on"));
        let marked = file(folder.path(), "marked", "\u{feff}site = 'x'".as_bytes(), 0o600);
        assert_eq!(read(&marked).unwrap().text, "site = 'x'");
        let fifo = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from(0o600)).unwrap();
        assert!(said(read(&fifo)).ends_with("this is not a file"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
        assert!(said(find(None, &[link])).ends_with("no such file"));
    }

    #[test]
    fn the_current_folder_is_never_looked_at() {
        assert!(usual_places().iter().all(|path| path.is_absolute()));
    }
}
