//! Where the journal and the sockets of runs lie.

use crate::config::{Config, home_path};
use crate::journal::Place;
use crate::runtime::paths::StateFolder;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The folders of a whole host.
const SHARED_FOLDER: &str = "/var/lib/opsroom";
const SHARED_SOCKETS: &str = "/run/opsroom";
/// The kernel takes no longer path for a socket (unix(7)), its last byte is 0.
const LONGEST_SOCKET: usize = 107;
/// `/` and the name of a run's socket.
const SOCKET_NAME: usize = "/xxxxxxxx.sock".len();
/// `f_type` of file systems on which locks and memory are not shared with other
/// hosts (statfs(2)), and what they are called.
const NETWORK: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
];

/// Why there is no place for a journal. Its text is what the operator reads.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// This user has no home folder.
    #[error("no place for the journal: this user has no home folder; [journal] folder names one")]
    Homeless,
    /// The config may not share a journal.
    #[error("[journal] shared: {0}")]
    Shared(String),
    /// The folder cannot be used.
    #[error("{}: {why}", path.display())]
    Unusable {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

/// Where the journal of this config lies: a user's own, or the one that all
/// users of this host share. `file` is the config's. Nothing is made yet, except a
/// folder below /tmp.
pub fn place(
    config: &Config,
    file: &Path,
    state: Option<&StateFolder>,
) -> Result<Place, PlaceError> {
    let journal = &config.journal;
    let folder = journal.folder.as_deref().map(home_path);
    let sockets = journal.sockets.as_deref().map(home_path);
    let syslog = journal.syslog.then(|| home_path(&journal.syslog_socket));
    if journal.shared {
        is_of_root(file).map_err(PlaceError::Shared)?;
        let folder = folder.unwrap_or_else(|| SHARED_FOLDER.into());
        let sockets = sockets.unwrap_or_else(|| SHARED_SOCKETS.into());
        let place = Place { folder, sockets, shared: true, syslog };
        share(&place.folder, &journal.group)?;
        share(&place.sockets, &journal.group)?;
        is_local(&place.folder)?;
        return fits(place);
    }
    let folder = match (folder, state) {
        (Some(folder), _) => folder,
        (None, Some(state)) => state.path().to_path_buf(),
        (None, None) => return Err(PlaceError::Homeless),
    };
    is_local(&folder)?;
    let sockets = sockets.unwrap_or_else(|| own_sockets(&folder));
    // Where others could make it before this user does, it is made at once.
    if sockets.exists() || sockets.parent() == Some(Path::new("/tmp")) {
        make_own(&sockets)?;
    }
    fits(Place { folder, sockets, shared: false, syslog })
}

/// Where a user's own sockets are: beside the journal, and where that path is too
/// long for a socket, in a short one below /tmp that is checked to be this user's.
/// Not in `$XDG_RUNTIME_DIR`: that goes when its user's last session ends, and a
/// run goes on.
fn own_sockets(folder: &Path) -> PathBuf {
    let beside = folder.join("s");
    if is_short(&beside) {
        return beside;
    }
    PathBuf::from(format!("/tmp/opsroom-{}", rustix::process::getuid().as_raw()))
}

fn is_short(sockets: &Path) -> bool {
    sockets.as_os_str().as_bytes().len() + SOCKET_NAME <= LONGEST_SOCKET
}

fn fits(place: Place) -> Result<Place, PlaceError> {
    if is_short(&place.sockets) {
        return Ok(place);
    }
    let most = LONGEST_SOCKET - SOCKET_NAME;
    let why =
        format!("too long for sockets: at most {most} bytes; [journal] sockets names another");
    Err(PlaceError::Unusable { path: place.sockets, why })
}

fn unusable(path: &Path, error: &io::Error) -> PlaceError {
    let why = match error.kind() {
        io::ErrorKind::PermissionDenied => "this user may not use it".into(),
        _ => error.to_string(),
    };
    PlaceError::Unusable { path: path.into(), why }
}

/// Makes a folder for this user alone. One that is there must be this user's, no
/// link, and closed to others.
fn make_own(folder: &Path) -> Result<(), PlaceError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let open = rustix::fs::open(folder, flags, Mode::empty());
    let open = open.map_err(|error| unusable(folder, &error.into()))?;
    let about = rustix::fs::fstat(&open).map_err(|error| unusable(folder, &error.into()))?;
    let other = |why: &str| Err(PlaceError::Unusable { path: folder.into(), why: why.into() });
    if about.st_uid != rustix::process::getuid().as_raw() {
        return other("it belongs to another user");
    }
    if about.st_mode & 0o077 != 0 {
        return other("others may use it: chmod 700");
    }
    Ok(())
}

/// Whether root alone can write this config file and the folder that it is in.
pub fn is_of_root(file: &Path) -> Result<(), String> {
    let file = file.canonicalize().map_err(|error| error.to_string())?;
    for path in file.ancestors() {
        let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
        let sticky = about.is_dir() && about.mode() & 0o1000 != 0;
        if about.uid() != 0 || (about.mode() & 0o022 != 0 && !sticky) {
            return Err(format!(
                "only a config that root alone can write may say so, and others can write {}",
                path.display()
            ));
        }
    }
    Ok(())
}

/// Makes a folder for a group, which only root can; one that is there must be
/// the group's and closed to others.
fn share(folder: &Path, group: &str) -> Result<(), PlaceError> {
    let bad = |why: String| PlaceError::Unusable { path: folder.into(), why };
    let gid = super::people::gid_of(group)
        .ok_or_else(|| bad(format!("there is no group {group}: groupadd --system {group}")))?;
    if !folder.exists() {
        let root = rustix::process::geteuid().is_root();
        if !root {
            return Err(bad(format!(
                "it is not there; root makes it: install -d -m 2770 -g {group} {}",
                folder.display()
            )));
        }
        std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
        std::os::unix::fs::chown(folder, None, Some(gid))
            .map_err(|error| unusable(folder, &error))?;
        let mode = std::fs::Permissions::from_mode(0o2770);
        std::fs::set_permissions(folder, mode).map_err(|error| unusable(folder, &error))?;
    }
    let about = std::fs::symlink_metadata(folder).map_err(|error| unusable(folder, &error))?;
    if !about.is_dir() || about.gid() != gid || about.mode() & 0o7777 != 0o2770 {
        return Err(bad(format!(
            "it must be a folder of group {group} with mode 2770: chgrp {group} and chmod 2770"
        )));
    }
    Ok(())
}

/// Refuses a network file system: `SQLite`'s locks and its shared memory do not
/// reach across it.
fn is_local(folder: &Path) -> Result<(), PlaceError> {
    // The folder may not be there yet: then the nearest one above it that is.
    let Some(there) = folder.ancestors().find(|path| path.exists()) else { return Ok(()) };
    let about = rustix::fs::statfs(there).map_err(|error| unusable(folder, &error.into()))?;
    match network(about.f_type) {
        None => Ok(()),
        Some(name) => Err(PlaceError::Unusable {
            path: folder.into(),
            why: format!(
                "it lies on a network file system ({name}), where a journal is not safe; \
                 [journal] folder names one on this host"
            ),
        }),
    }
}

fn network(magic: i64) -> Option<&'static str> {
    let magic = u32::try_from(magic & 0xffff_ffff).ok()?;
    NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mistakes;

    fn config(text: &str) -> Config {
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &crate::sources::kind_keys(), &mut mistakes);
        assert!(mistakes.is_empty(), "{text}");
        config
    }

    #[test]
    fn a_users_own_lies_in_the_state_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let state = StateFolder::at(&scratch.path().join("state"));
        let own = place(&config(""), Path::new("/nowhere"), Some(&state)).unwrap();
        assert_eq!(own.folder, state.path());
        assert_eq!((own.shared, own.reach(), own.syslog.is_none()), (false, "only you", true));
        assert_eq!(own.sockets, state.path().join("s"));
        assert!(!state.path().exists());
        own.make_folder(&own.sockets).unwrap();
        assert_eq!(place(&config(""), Path::new("/nowhere"), Some(&state)).unwrap(), own);
        let mode = std::fs::metadata(&own.sockets).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert!(matches!(place(&config(""), Path::new("/c"), None), Err(PlaceError::Homeless)));
    }

    #[test]
    fn a_long_path_has_its_sockets_elsewhere() {
        let long = PathBuf::from(format!("/{}", "x".repeat(100)));
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(own_sockets(&long), Path::new(&format!("/tmp/opsroom-{uid}")));
        let named = Place { sockets: long, ..Place::own(Path::new("/x")) };
        let error = fits(named).unwrap_err().to_string();
        assert!(error.ends_with("at most 93 bytes; [journal] sockets names another"), "{error}");
    }

    #[test]
    fn a_folder_of_others_holds_no_sockets() {
        let scratch = tempfile::tempdir().unwrap();
        let open = scratch.path().join("open");
        make_own(&open).unwrap();
        make_own(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_own(&open).unwrap_err().to_string().ends_with("others may use it: chmod 700"));
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&open, &link).unwrap();
        assert!(make_own(&link).is_err());
    }

    #[test]
    fn a_config_that_others_can_write_shares_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("config.toml");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        let shared = config("[journal]\nshared = true");
        let error = place(&shared, &file, None).unwrap_err().to_string();
        let words = "[journal] shared: only a config that root alone can write may say so";
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn network_file_systems_are_known() {
        assert_eq!(network(0x6969), Some("NFS"));
        assert_eq!(network(0xff53_4d42), Some("SMB"));
        // The kernel gives a number of 32 bits, which some hold with a sign.
        assert_eq!(network(i64::from(0xff53_4d42_u32.cast_signed())), Some("SMB"));
        assert_eq!(network(0xef53), None);
        is_local(Path::new("/proc/self/nowhere")).unwrap();
    }
}
