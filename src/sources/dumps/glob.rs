//! Patterns such as `/srv/backup/*/orders-*.sql.gz`, and the files that they
//! match. Names are bytes: a file system does not care for UTF-8.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// So many entries of folders are looked at for one pattern.
pub(in crate::sources) const ENTRIES: usize = 1_000_000;

/// What a pattern matches.
#[derive(Debug, Default)]
pub(in crate::sources) struct Matches {
    pub(in crate::sources) paths: Vec<PathBuf>,
    /// There were more entries than are looked at.
    pub(in crate::sources) too_many: bool,
    /// Folders on the way that could not be read, and why.
    pub(in crate::sources) unread: Vec<(PathBuf, io::Error)>,
}

/// The folder in which a pattern's first wildcard is, or its last part.
pub(in crate::sources) fn base(pattern: &Path) -> PathBuf {
    let mut base = PathBuf::new();
    let parts: Vec<Component<'_>> = pattern.components().collect();
    let named = parts.len().saturating_sub(1);
    for part in parts.into_iter().take(named) {
        if is_wild(part.as_os_str().as_bytes()) {
            break;
        }
        base.push(part);
    }
    base
}

/// All paths that match. `*` and `?` stand for what is in a name, never for
/// `/` and not for the dot that hides a file; `[a-z]` for one of these.
pub(in crate::sources) fn find(pattern: &Path, stop: &AtomicBool) -> Matches {
    let mut found = Matches { paths: vec![PathBuf::new()], ..Matches::default() };
    let mut left = ENTRIES;
    for part in pattern.components() {
        let name = part.as_os_str();
        if !is_wild(name.as_bytes()) {
            for path in &mut found.paths {
                path.push(name);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in std::mem::take(&mut found.paths) {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                // What is no folder, or is gone, matches nothing further on.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    continue;
                }
                Err(error) => {
                    found.unread.push((folder, error));
                    continue;
                }
            };
            for entry in entries {
                if left == 0 || stop.load(Ordering::Relaxed) {
                    found.too_many = true;
                    break;
                }
                left -= 1;
                match entry {
                    Ok(entry) if matches(name.as_bytes(), entry.file_name().as_bytes()) => {
                        next.push(folder.join(entry.file_name()));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        found.unread.push((folder.clone(), error));
                        break;
                    }
                }
            }
        }
        found.paths = next;
    }
    found
}

fn is_wild(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether a name matches a pattern of one part.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // The usual way without recursion: on a mismatch the last star takes one more.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], name[n]),
            Some(byte) if *byte == name[n] => Some(1),
            Some(_) | None => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                n += 1;
            }
            (None, Some((at, taken))) => {
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of a class such as `[a-z]` or `[!0-9]` where it takes a byte. A
/// bracket that is never closed stands for itself.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let from = 1 + usize::from(negated);
    let Some(end) = pattern.iter().skip(from + 1).position(|b| *b == b']') else {
        return (byte == b'[').then_some(1);
    };
    let end = from + 1 + end;
    let inside = &pattern[from..end];
    let mut at = 0;
    let mut hit = false;
    while at < inside.len() {
        if let [low, b'-', high] = inside[at..].get(..3).unwrap_or_default() {
            hit |= (*low..=*high).contains(&byte);
            at += 3;
        } else {
            hit |= inside[at] == byte;
            at += 1;
        }
    }
    (hit != negated).then_some(end + 1)
}

/// The name of a file.
pub(in crate::sources) fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(path.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let is = |pattern: &str, name: &str| matches(pattern.as_bytes(), name.as_bytes());
        assert!(is("orders-*.sql.gz", "orders-2026-11-21.sql.gz"));
        assert!(is("*", "a") && is("a*b*c", "aXbXbc") && is("?x[0-9]", "ax7"));
        assert!(is("[!a]b", "cb") && !is("[!a]b", "ab") && is("a[]]b", "a]b") && is("a[b", "a[b"));
        assert!(!is("orders-*.sql", "orders-1.sql.gz") && !is("a?", "a") && !is("*", ".hidden"));
        assert!(is(".*", ".hidden") && is("*.gz", "\u{fc}\n.gz"));
        assert!(!is(&format!("{}b", "a*".repeat(30)), &"a".repeat(300)));
    }

    #[test]
    fn folders_match_too_and_the_base_is_what_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        for place in ["a/x.sql", "b/x.sql", "b/y.txt", "c"] {
            let path = scratch.path().join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let pattern = scratch.path().join("*/x.sq?");
        let mut found = find(&pattern, &AtomicBool::new(false));
        found.paths.sort();
        assert_eq!(found.paths, [scratch.path().join("a/x.sql"), scratch.path().join("b/x.sql")]);
        assert_eq!(base(&pattern), scratch.path());
        assert_eq!(base(Path::new("/srv/backup/one.sql")), Path::new("/srv/backup"));
    }
}
