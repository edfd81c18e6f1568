//! Whether a dump is whole, by its beginning and its end: pure.

use super::custom;
use crate::domain::{Fault, Status, Timestamp, harmless_within};

/// Of the beginning and the end of a dump so much is looked at.
pub(super) const ENDS: usize = 8 << 10;
/// A message from inside a file is cut to so many characters.
const WORDS: usize = 100;
/// An error message is no longer than this; a dump that begins with such a line is.
const MESSAGE: u64 = 64 << 10;

/// The beginning and the end of what a dump holds, unpacked.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
    pub(super) total: u64,
}

/// What was found of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What keeps it from being a good one.
    pub(super) fault: Option<Fault>,
    /// It holds nothing.
    pub(super) empty: bool,
    /// What made it, where it tells: `pg_dump 15.18`.
    pub(super) tool: Option<String>,
    pub(super) encrypted: Option<bool>,
    /// When it was made by its own word, in the local time of whoever made it.
    pub(super) made: Option<Timestamp>,
    /// What could not be looked at: `not read whole`.
    pub(super) unseen: Option<String>,
}

impl Found {
    pub(super) fn bad(words: impl Into<String>) -> Self {
        let fault = Fault { status: Status::Critical, words: words.into() };
        Self { fault: Some(fault), ..Self::default() }
    }

    pub(super) fn empty(words: &str) -> Self {
        Self { empty: true, ..Self::bad(words) }
    }

    pub(super) fn unseen(words: impl Into<String>) -> Self {
        Self { unseen: Some(words.into()), ..Self::default() }
    }
}

/// What a dump is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Mysql,
    Postgres,
    PostgresAll,
    Custom,
    Tar,
    Gzip,
    Zstd,
    /// Packed in a way that is not looked into.
    Packed(&'static str),
    /// Encrypted, so that nobody but its owner can look.
    Sealed(&'static str),
    Html,
    Message,
    Other,
}

/// Beginnings that tell what a file is.
const BEGINNINGS: &[(&[u8], Format)] = &[
    (&[0x1f, 0x8b], Format::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
    (b"PGDMP", Format::Custom),
    (b"\xfd7zXZ\0", Format::Packed("xz")),
    (b"BZh", Format::Packed("bzip2")),
    (&[0x04, 0x22, 0x4d, 0x18], Format::Packed("lz4")),
    (b"PK\x03\x04", Format::Packed("zip")),
    (b"7z\xbc\xaf\x27\x1c", Format::Packed("7z")),
    (b"age-encryption.org/", Format::Sealed("age")),
    (b"-----BEGIN PGP MESSAGE", Format::Sealed("PGP")),
    (b"-----BEGIN AGE", Format::Sealed("age")),
    (b"Salted__", Format::Sealed("openssl")),
];

/// Programs whose complaints end up in the file where a dump should be.
const COMPLAIN: &[&str] = &[
    "mysqldump:",
    "mariadb-dump:",
    "pg_dump:",
    "pg_dumpall:",
    "pg_basebackup:",
    "psql:",
    "mysql:",
    "mariadb:",
    "ssh:",
    "bash:",
    "sh:",
    "/bin/sh:",
    "/bin/bash:",
    "gzip:",
    "zstd:",
    "tar:",
    "curl:",
    "docker:",
    "kubectl:",
    "sudo:",
    "error:",
    "error ",
    "fatal:",
    "permission denied",
    "access denied",
    "error response from daemon:",
];

/// What a file is by its beginning.
pub(super) fn format_of(head: &[u8], total: u64) -> Format {
    if let Some((_, format)) = BEGINNINGS.iter().find(|(begin, _)| head.starts_with(begin)) {
        return *format;
    }
    if is_pgp(head) {
        return Format::Sealed("PGP");
    }
    if head.get(257..262) == Some(b"ustar") {
        return Format::Tar;
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches(['\u{feff}', '\n', '\r', ' ', '\t']);
    let lower = text.get(..text.len().min(64)).unwrap_or(text).to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return Format::Html;
    }
    if lower.starts_with("<?xml") && text.contains("<Error>") {
        return Format::Message;
    }
    for line in text.lines().take(40) {
        if line.starts_with("-- MySQL dump") || line.starts_with("-- MariaDB dump") {
            return Format::Mysql;
        }
        if line.starts_with("-- PostgreSQL database cluster dump") {
            return Format::PostgresAll;
        }
        if line.starts_with("-- PostgreSQL database dump") {
            return Format::Postgres;
        }
        if line.starts_with("/*M!999999") || line.contains("SET @OLD_CHARACTER_SET_CLIENT=") {
            return Format::Mysql;
        }
        let lower = line.trim_start().to_ascii_lowercase();
        let complains = COMPLAIN.iter().any(|begin| lower.starts_with(begin));
        if complains && total <= MESSAGE && !lower.contains("[warning]") {
            return Format::Message;
        }
    }
    Format::Other
}

/// An encrypted message begins with a packet that holds a key for somebody
/// (version 3) or made from a passphrase (version 4), in an old or a new header
/// (RFC 4880, sections 4.2, 5.1 and 5.3).
fn is_pgp(head: &[u8]) -> bool {
    match head {
        [0x84 | 0xc1, _, 3, ..] | [0x85, _, _, 3, ..] => true,
        [0x8c | 0xc3, length, 4 | 5, ..] => *length < 64,
        _ => false,
    }
}

/// Judges what a dump holds, once it is unpacked. `wanted` is what the config
/// says that it is.
pub(super) fn judge(ends: &Ends, wanted: Option<Format>) -> Found {
    if ends.total == 0 {
        return Found::empty("empty");
    }
    if ends.total <= ends.head.len() as u64 && ends.head.iter().all(u8::is_ascii_whitespace) {
        return Found::empty("empty: nothing but blanks");
    }
    let is = format_of(&ends.head, ends.total);
    let fits = wanted.is_none_or(|wanted| {
        let hidden =
            matches!(is, Format::Packed(_) | Format::Sealed(_) | Format::Gzip | Format::Zstd);
        hidden || wanted == is || (wanted, is) == (Format::Postgres, Format::PostgresAll)
    });
    match is {
        Format::Html => return Found::bad("an HTML page instead of a dump"),
        Format::Message => return Found::bad(format!("an error message: {}", complaint(ends))),
        _ if !fits && ends.head.iter().all(|byte| *byte == 0) => {
            return Found::bad("damaged: it begins with zeros");
        }
        Format::Other if !fits => return Found::bad("not a dump of the kind that it should be"),
        _ if !fits => return Found::bad(format!("it is {}, not what it should be", named(is))),
        _ => {}
    }
    let found = match is {
        Format::Mysql => mysql(ends),
        Format::Postgres => postgres(ends, "PostgreSQL database dump complete"),
        Format::PostgresAll => postgres(ends, "PostgreSQL database cluster dump complete"),
        Format::Custom => custom::judge(ends),
        Format::Tar => tar(ends),
        Format::Packed("xz") if !ends.tail.ends_with(b"YZ") => {
            Found::bad("truncated: no xz trailer")
        }
        Format::Packed(how) => Found::unseen(format!("{how} is not looked into")),
        Format::Sealed(how) => {
            let unseen = Found::unseen(format!("encrypted ({how}), so not looked into"));
            return Found { encrypted: Some(true), ..unseen };
        }
        // Packed twice, or nothing that is known.
        Format::Gzip | Format::Zstd => Found::unseen("packed twice, not looked into"),
        Format::Other if ends.head.iter().all(|byte| *byte == 0) => {
            Found::bad("damaged: it begins with zeros")
        }
        Format::Other if is_a_stump(ends) => Found::bad("truncated: it ends in its first line"),
        Format::Other | Format::Html | Format::Message => {
            Found::unseen("of an unknown kind, so not judged by its content")
        }
    };
    Found { encrypted: Some(false), ..found }
}

/// All of it is the beginning of something that is known.
fn is_a_stump(ends: &Ends) -> bool {
    const LINES: [&[u8]; 5] = [
        b"--\n-- PostgreSQL database ",
        b"-- MySQL dump ",
        b"-- MariaDB dump ",
        b"/*M!999999",
        b"/*!999999",
    ];
    let known = LINES.into_iter().chain(BEGINNINGS.iter().map(|(begin, _)| *begin));
    ends.total <= ends.head.len() as u64
        && known.into_iter().any(|line| line.starts_with(&ends.head))
}

fn named(format: Format) -> &'static str {
    match format {
        Format::Mysql => "a mysqldump",
        Format::Postgres => "a pg_dump",
        Format::PostgresAll => "a pg_dumpall",
        Format::Custom => "a pg_dump in custom format",
        Format::Tar => "a tar archive",
        Format::Gzip => "gzip",
        Format::Zstd => "zstd",
        Format::Packed(how) | Format::Sealed(how) => how,
        Format::Html => "an HTML page",
        Format::Message => "an error message",
        Format::Other => "unknown",
    }
}

/// The line that complains.
fn complaint(ends: &Ends) -> String {
    let text = String::from_utf8_lossy(&ends.head);
    let complains = |line: &&str| {
        let lower = line.trim_start().to_ascii_lowercase();
        COMPLAIN.iter().any(|begin| lower.starts_with(begin)) && !lower.contains("[warning]")
    };
    let line = text.lines().find(complains).or_else(|| text.lines().next());
    harmless_within(line.unwrap_or_default().trim(), WORDS)
}

/// The last lines that are more than blanks, the very last first.
fn last_lines(tail: &str) -> impl Iterator<Item = &str> {
    tail.lines().rev().map(str::trim_end).filter(|line| !line.is_empty())
}

/// mysqldump and mariadb-dump end with `-- Dump completed on 2026-11-21  9:12:33`,
/// without comments with the last of the settings that they take back.
fn mysql(ends: &Ends) -> Found {
    let (head, tail) = (String::from_utf8_lossy(&ends.head), String::from_utf8_lossy(&ends.tail));
    let tool = head.lines().find_map(|line| {
        let rest = line.strip_prefix("-- MySQL dump ").map(|rest| ("mysqldump", rest));
        let rest = rest.or_else(|| Some(("mariadb-dump", line.strip_prefix("-- MariaDB dump ")?)));
        let (name, rest) = rest?;
        let version = rest.split("Distrib ").nth(1).or(Some(rest))?;
        Some(format!("{name} {}", version.split([',', ' ']).next()?))
    });
    let tool = tool.map(|tool| harmless_within(&tool, WORDS));
    let last = last_lines(&tail).next().unwrap_or_default();
    let complains =
        |line: &&str| line.starts_with("mysqldump: ") || line.starts_with("mariadb-dump: ");
    if let Some(line) = last_lines(&tail).take(3).find(complains) {
        let words = format!("it ends with an error: {}", harmless_within(line, WORDS));
        return Found { tool, ..Found::bad(words) };
    }
    let has_comments = head
        .lines()
        .any(|line| line.starts_with("-- MySQL dump") || line.starts_with("-- MariaDB dump"));
    let without = ["SET SQL_NOTES=@OLD_SQL_NOTES", "SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY"];
    let closed = match last.strip_prefix("-- Dump completed") {
        Some(_) => true,
        None => !has_comments && without.iter().any(|end| last.contains(end)),
    };
    if !closed {
        return Found { tool, ..Found::bad("truncated: no closing line") };
    }
    let made = last.strip_prefix("-- Dump completed on ").and_then(|date| {
        let date = date.split_whitespace().collect::<Vec<_>>().join(" ");
        let date = chrono::NaiveDateTime::parse_from_str(&date, "%Y-%m-%d %H:%M:%S").ok()?;
        Some(Timestamp::from_millis(date.and_utc().timestamp_millis()))
    });
    Found { tool, made, ..Found::default() }
}

/// After the closing line come blanks, `--` and, since the minor releases of
/// August 2025, `\unrestrict KEY`; anything else is what a row says.
fn postgres(ends: &Ends, closing: &str) -> Found {
    let (head, tail) = (String::from_utf8_lossy(&ends.head), String::from_utf8_lossy(&ends.tail));
    let version = head.lines().find_map(|line| line.strip_prefix("-- Dumped by pg_dump version "));
    let tool = version.and_then(|version| version.split_whitespace().next());
    let tool = tool.map(|version| harmless_within(&format!("pg_dump {version}"), WORDS));
    let mut lines = last_lines(&tail);
    let closed = lines.find(|line| *line != "--" && !line.starts_with("\\unrestrict "));
    let closed = closed.and_then(|line| line.strip_prefix("-- ")) == Some(closing);
    let found = if closed { Found::default() } else { Found::bad("truncated: no closing line") };
    Found { tool, ..found }
}

/// An archive ends with two blocks of zeros.
fn tar(ends: &Ends) -> Found {
    const BLOCK: usize = 512;
    let whole = ends.total.is_multiple_of(BLOCK as u64);
    let end = ends.tail.len().checked_sub(2 * BLOCK).map(|from| &ends.tail[from..]);
    if whole && end.is_some_and(|end| end.iter().all(|byte| *byte == 0)) {
        Found::default()
    } else {
        Found::bad("truncated: no end of the archive")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Ends {
        let bytes = text.as_bytes();
        Ends {
            head: bytes[..bytes.len().min(ENDS)].to_vec(),
            tail: bytes[bytes.len().saturating_sub(ENDS)..].to_vec(),
            total: bytes.len() as u64,
        }
    }

    fn fault(of: &str) -> String {
        judge(&text(of), None).fault.map_or_else(|| "good".into(), |fault| fault.words)
    }

    const MARIA: &str = "/*M!999999\\- enable the sandbox mode */ \n\
        -- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n--\n\
        INSERT INTO `orders` VALUES (1,'-- Dump completed on 2026-01-01  1:02:03');\n";
    const PG: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict 5Xc\n\n\
        -- Dumped from database version 15.18\n-- Dumped by pg_dump version 15.18 (Debian 15.18-0)\n\
        COPY t (a) FROM stdin;\n-- PostgreSQL database dump complete\n\\.\n";

    #[test]
    fn a_mysqldump_is_whole_by_its_closing_line() {
        let whole = format!("{MARIA}-- Dump completed on 2026-11-21  9:12:33\n");
        let found = judge(&text(&whole), None);
        assert_eq!(found.fault, None);
        assert_eq!(found.tool.as_deref(), Some("mariadb-dump 10.11.19-MariaDB"));
        assert_eq!(found.made.unwrap().to_string(), "2026-11-21T09:12:33.000Z");
        assert_eq!(fault(&format!("{MARIA}-- Dump completed\n")), "good", "--skip-dump-date");
        assert_eq!(fault(MARIA), "truncated: no closing line");
        for cut in 60..whole.len() - 26 {
            assert_eq!(fault(&whole[..cut]), "truncated: no closing line", "at {cut}");
        }
        let died = format!("{MARIA}mariadb-dump: Error 2013: Lost connection to server\n");
        assert_eq!(
            fault(&died),
            "it ends with an error: mariadb-dump: Error 2013: Lost connection to server"
        );
        let bare = "/*M!999999\\- enable the sandbox mode */ \nCREATE TABLE t (a int);\n";
        assert_eq!(fault(bare), "truncated: no closing line");
        let end = "/*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */;\n";
        assert_eq!(fault(&format!("{bare}{end}")), "good", "--skip-comments");
    }

    #[test]
    fn a_pg_dump_is_whole_by_its_closing_line_and_not_by_a_row() {
        let close = "--\n-- PostgreSQL database dump complete\n--\n\n";
        assert_eq!(fault(&format!("{PG}{close}")), "good");
        assert_eq!(fault(&format!("{PG}{close}\\unrestrict 5Xc\n\n")), "good");
        assert_eq!(fault(PG), "truncated: no closing line");
        for cut in [1, 3, 20] {
            assert_eq!(fault(&PG[..cut]), "truncated: it ends in its first line");
        }
        let tool = judge(&text(&format!("{PG}{close}")), None).tool;
        assert_eq!(tool.as_deref(), Some("pg_dump 15.18"));
        // A dump of all databases that ends after one of them is cut.
        let all = format!("--\n-- PostgreSQL database cluster dump\n--\n\n{PG}{close}");
        assert_eq!(fault(&all), "truncated: no closing line");
        let whole = format!("{all}--\n-- PostgreSQL database cluster dump complete\n--\n\n");
        assert_eq!(fault(&whole), "good");
    }

    #[test]
    fn what_is_no_dump_is_named() {
        assert_eq!(fault(""), "empty");
        assert_eq!(fault("\n\n"), "empty: nothing but blanks");
        let denied = "mysqldump: Got error: 1045: \"Access denied for user\"\u{1b}[31m\n";
        let words = fault(denied);
        assert!(words.starts_with("an error message: mysqldump: Got error: 1045"), "{words}");
        assert!(!words.contains('\u{1b}'));
        assert_eq!(fault("<!DOCTYPE html><title>502</title>"), "an HTML page instead of a dump");
        let warned = "mysqldump: [Warning] Using a password on the command line interface can be insecure.\n";
        assert_eq!(fault(&format!("{warned}{MARIA}-- Dump completed\n")), "good");
        let zeros = "\0".repeat(4096);
        assert_eq!(fault(&zeros), "damaged: it begins with zeros");
        let other = judge(&text("hello"), None);
        assert_eq!(other.unseen.unwrap(), "of an unknown kind, so not judged by its content");
        assert!(judge(&text("hello"), Some(Format::Mysql)).fault.is_some());
        assert!(judge(&text(PG), Some(Format::Mysql)).fault.is_some());
        let sealed = judge(&text("age-encryption.org/v1\n"), None);
        assert_eq!((sealed.encrypted, sealed.fault), (Some(true), None));
    }
}
