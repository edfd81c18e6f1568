//! Which room of the house may use which: every `use crate::` and every
//! `crate::` path in `src/` is held against the table below.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms that it may use, beside itself.
const TABLE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("metrics", &["domain"]),
    ("rules", &["domain", "metrics"]),
    ("runbook", &["domain", "metrics"]),
    ("store", &["domain", "metrics", "rules", "runbook"]),
    ("config", &["domain", "metrics", "rules", "runbook", "store"]),
    ("sources", &["domain", "metrics", "rules", "runbook", "store", "config"]),
    ("steps", &["domain", "metrics", "rules", "runbook", "store", "config"]),
    ("notify", &["domain", "metrics", "rules", "runbook", "store", "config"]),
    ("journal", &["domain", "metrics", "rules", "runbook", "store", "config"]),
    ("ui", &["domain", "metrics", "rules", "runbook", "store", "config"]),
    ("panels", &["domain", "metrics", "rules", "runbook", "store", "config", "ui"]),
    ("app", &["domain", "metrics", "rules", "runbook", "store", "config", "ui", "panels"]),
    (
        "runtime",
        &[
            "domain", "metrics", "rules", "runbook", "store", "config", "sources", "steps",
            "notify", "journal", "ui", "panels", "app",
        ],
    ),
    (
        "demo",
        &[
            "domain", "metrics", "rules", "runbook", "store", "config", "sources", "steps",
            "notify", "journal", "ui", "panels", "app", "runtime",
        ],
    ),
    (
        "commands",
        &[
            "domain", "metrics", "rules", "runbook", "store", "config", "sources", "steps",
            "notify", "journal", "ui", "panels", "app", "runtime", "demo", "cli",
        ],
    ),
    ("cli", &["domain", "store", "config"]),
];

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// The rooms named by `crate::ROOM` in a file's text, `use crate::{a, b}` included.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut rooms = BTreeSet::new();
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (i, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if start && !c.is_whitespace() => {
                        rooms.insert(word(&group[i..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            rooms.insert(word(rest));
        }
    }
    rooms
}

/// Every forbidden use in a tree, as `FILE uses ROOM`.
fn violations(src: &Path) -> Vec<String> {
    let mut files = Vec::new();
    rust_files(src, &mut files);
    let mut found = Vec::new();
    for file in files {
        let inside = file.strip_prefix(src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.strip_suffix(".rs").unwrap_or(first);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == room) else {
            found.push(format!("{} is in no room of the table", inside.display()));
            continue;
        };
        for used in rooms_used(&fs::read_to_string(&file).unwrap()) {
            let known = TABLE.iter().any(|(name, _)| *name == used);
            if known && used != room && !allowed.contains(&used.as_str()) {
                found.push(format!("{} uses {used}", inside.display()));
            }
        }
    }
    found
}

#[test]
fn no_room_uses_one_that_stands_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert_eq!(violations(&src), Vec::<String>::new());
}

#[test]
fn a_planted_violation_is_found() {
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir(scratch.path().join("domain")).unwrap();
    fs::create_dir(scratch.path().join("panels")).unwrap();
    fs::write(scratch.path().join("domain/a.rs"), "use crate::{metrics::Data, store};\n").unwrap();
    fs::write(scratch.path().join("panels/b.rs"), "fn f() { crate::sources::poll() }\n").unwrap();
    fs::write(scratch.path().join("panels/c.rs"), "use crate::store::Msg; // crate::runtime\n")
        .unwrap();
    let mut found = violations(scratch.path());
    found.sort();
    assert_eq!(
        found,
        [
            "domain/a.rs uses metrics",
            "domain/a.rs uses store",
            "panels/b.rs uses sources",
            "panels/c.rs uses runtime"
        ]
    );
}
