//! Where a repository is: what may be shown of it, whether that is another
//! host, and how much room is left there.

use crate::domain::harmless_within;
use rustix::fs::{statfs, statvfs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// What a place's user part is: from the end of `://` to an `@` before the path.
fn user_part(place: &str) -> Option<std::ops::Range<usize>> {
    let from = place.find("://")? + 3;
    let host_ends = place[from..].find(['/', '?', '#']).map_or(place.len(), |at| from + at);
    // A password may hold a slash that nobody encoded.
    let at = place[from..host_ends].rfind('@').map(|at| from + at).or_else(|| {
        let colon = place[from..host_ends].find(':')?;
        let port = &place[from + colon + 1..host_ends];
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if is_port { None } else { place[from..].find('@').map(|at| from + at) }
    })?;
    Some(from..at)
}

/// The password in a place: `rest:https://user:PASSWORD@host/`.
pub(in crate::sources) fn password(place: &str) -> Option<&str> {
    let user = &place[user_part(place)?];
    match user.split_once(':') {
        Some((_, password)) => Some(password),
        // A token alone: nobody logs in to a web server by a name only.
        None if place.contains("http") => Some(user),
        None => None,
    }
    .filter(|password| !password.is_empty())
}

/// The place without user and password, harmless to show.
pub(in crate::sources) fn shown(place: &str) -> String {
    let mut shown = place.to_owned();
    if let Some(user) = user_part(place)
        && password(place).is_some()
    {
        shown.replace_range(user.start..=user.end, "");
    }
    if place.contains("://")
        && let Some(at) = shown.find('?')
    {
        shown.truncate(at);
        shown.push_str("?…");
    }
    harmless_within(&shown, 120)
}

/// Whether a host of a place is another one than this.
pub(in crate::sources) fn is_elsewhere(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let local = host.eq_ignore_ascii_case("localhost")
        || host.starts_with("127.")
        || host == "::1"
        || host.eq_ignore_ascii_case(&super::host_name());
    !local
}

/// The host of `//user@host:port/path` or `host:path`, without the user.
pub(in crate::sources) fn host(rest: &str) -> &str {
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let host = &rest[..end];
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if let Some(end) = host.find(']') {
        return &host[..=end];
    }
    host.split_once(':').map_or(host, |(host, _)| host)
}

/// What is known of a folder of this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sources) struct Room {
    /// Bytes that are free to whoever is not root.
    pub(in crate::sources) free: Option<u64>,
    /// It is mounted from elsewhere, or that cannot be told.
    pub(in crate::sources) foreign: bool,
}

/// Magic numbers of file systems whose data is not on this host, or whose data
/// may be anywhere (FUSE): linux/magic.h and statfs(2).
const FOREIGN: &[u64] = &[
    0x6969,
    0xff53_4d42,
    0xfe53_4d42,
    0x517b,
    0x0102_1997,
    0x00c3_6400,
    0x6573_5546,
    0x5346_414f,
    0x6b41_4653,
    0x0bd0_0bd0,
    0x7375_7245,
    0x564c,
];

/// How long a file system has to answer: a dead mount never does.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the file system something, unless an earlier question still hangs there.
pub(in crate::sources) async fn patiently<T: Send + 'static>(
    hangs: &Arc<AtomicBool>,
    question: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if hangs.swap(true, Ordering::AcqRel) {
        return None;
    }
    let hanging = Arc::clone(hangs);
    let asked = tokio::task::spawn_blocking(move || {
        let answer = question();
        hanging.store(false, Ordering::Release);
        answer
    });
    timeout(PATIENCE, asked).await.ok()?.ok()
}

/// Asks how much room there is.
pub(in crate::sources) async fn room(folder: PathBuf, hangs: &Arc<AtomicBool>) -> Room {
    let unknown = Room { free: None, foreign: true };
    patiently(hangs, move || ask(&folder)).await.unwrap_or(unknown)
}

fn ask(folder: &Path) -> Room {
    let free = statvfs(folder).ok().map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    let kind = statfs(folder).ok().map(|about| about.f_type.cast_unsigned() & 0xffff_ffff);
    Room { free, foreign: kind.is_none_or(|kind| FOREIGN.contains(&kind)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_place_is_shown() {
        for (place, told) in [
            ("rest:https://me:hunter2@host:8000/r", "rest:https://host:8000/r"),
            ("rest:https://me:hun/ter2@host/r", "rest:https://host/r"),
            ("rest:https://hunter2@host/r", "rest:https://host/r"),
            ("s3:https://s3.host/b?sig=hunter2", "s3:https://s3.host/b?…"),
            ("ssh://borg@host:22/./r", "ssh://borg@host:22/./r"),
            ("sftp://me:hunter2@host//r", "sftp://host//r"),
            ("borg@host:r", "borg@host:r"),
            ("/srv/a@b:c", "/srv/a@b:c"),
            ("/srv/\u{1b}[31mr", "/srv/\u{fffd}r"),
        ] {
            assert_eq!(shown(place), told);
        }
        assert_eq!(password("rest:https://me:p:w@host/"), Some("p:w"));
        assert_eq!(password("ssh://borg@host/r"), None);
        assert_eq!(password("rest:http://host:8000/a@b"), None);
    }

    #[test]
    fn hosts_are_found_and_our_own_is_none_elsewhere() {
        for (rest, expected) in [
            ("https://me:x@s3.host:9000/b", "s3.host"),
            ("s3.host/b", "s3.host"),
            ("borg@db-1:/r", "db-1"),
            ("//borg@db-1:22//r", "db-1"),
            ("http://[::1]:8000/", "[::1]"),
        ] {
            assert_eq!(host(rest), expected, "{rest}");
        }
        assert!(
            is_elsewhere("db-9.example") && !is_elsewhere("127.0.0.1") && !is_elsewhere("[::1]")
        );
    }

    #[tokio::test]
    async fn room_is_told_once_a_question_has_come_back() {
        let hangs = Arc::new(AtomicBool::new(false));
        assert!(room("/".into(), &hangs).await.free.is_some());
        hangs.store(true, Ordering::Release);
        assert_eq!(room("/".into(), &hangs).await.free, None);
    }
}
