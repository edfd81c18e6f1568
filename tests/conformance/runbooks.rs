//! Runbooks of public projects: `runbooks/files/*.expected.json`, and runme's
//! attributes: `runbooks/runme_attributes.json`.

use opsroom::runbook::{
    Attribute, Block, BlockKind, Book, Document, Heading, attributes, markdown,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u32 {
    u32::try_from(value[key].as_u64().unwrap()).unwrap()
}

/// A heading as it stands in the file, without its markup: read once more as
/// the first heading of its file, whose links it may name.
fn plain(raw: &str, level: u64, file: &str) -> String {
    let marks = "#".repeat(usize::try_from(level).unwrap());
    let raw = raw.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let mut document = markdown::document(&format!("{marks} {raw}\n\n{file}"));
    document.headings.remove(0).text
}

fn headings_differ(expected: &Value, read: &[Heading], file: &str) -> Option<String> {
    let expected = expected.as_array().unwrap();
    if expected.len() != read.len() {
        return Some(format!("{} headings expected, {} read", expected.len(), read.len()));
    }
    expected.iter().zip(read).find_map(|(expected, read)| {
        let level = expected["level"].as_u64().unwrap();
        let raw = text(expected, "text");
        let same = level == u64::from(read.level)
            && number(expected, "line") == read.line
            && (raw == read.text || plain(raw, level, file) == read.text);
        (!same).then(|| format!("heading expected {expected}, read {read:?}"))
    })
}

fn block_differs(expected: &Value, read: &Block) -> Option<String> {
    let kind = match read.kind {
        BlockKind::Fence => "fence",
        BlockKind::Indented => "indented",
    };
    let expected_kind = match text(expected, "kind") {
        "code_block" | "code" => "indented",
        other => other,
    };
    let wrong = [
        ("kind", expected_kind == kind),
        ("line", number(expected, "line") == read.line),
        ("end_line", number(expected, "end_line") == read.end_line),
        ("info", text(expected, "info").trim() == read.info),
        ("lang", text(expected, "lang") == read.language),
        ("in_list", expected["in_list"].as_bool().unwrap_or_default() == read.in_list),
        ("in_quote", expected["in_quote"].as_bool().unwrap_or_default() == read.in_quote),
        ("content", text(expected, "content") == read.content),
    ];
    let wrong: Vec<&str> = wrong.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect();
    (!wrong.is_empty()).then(|| format!("{wrong:?} of block {expected}, read {read:?}"))
}

fn difference(expected: &Value, read: &Document, file: &str) -> Option<String> {
    if let Some(difference) = headings_differ(&expected["headings"], &read.headings, file) {
        return Some(difference);
    }
    let blocks = expected["blocks"].as_array().unwrap();
    if blocks.len() != read.blocks.len() {
        return Some(format!("{} blocks expected, {} read", blocks.len(), read.blocks.len()));
    }
    blocks.iter().zip(&read.blocks).find_map(|(expected, read)| block_differs(expected, read))
}

fn files(folder: &Path) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(of) = name.strip_suffix(".expected.json") {
            let expected = std::fs::read_to_string(&path).unwrap();
            let bytes = std::fs::read(folder.join(of)).unwrap();
            let file = String::from_utf8_lossy(&bytes).into_owned();
            found.push((of.to_owned(), file, serde_json::from_str(&expected).unwrap()));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn runbooks_of_public_projects_are_read_as_commonmark_says() {
    let Some(folder) = super::folder("runbooks") else { return };
    let files = files(&folder.join("files"));
    assert!(!files.is_empty());
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|(name, file, expected)| {
            let difference = difference(expected, &markdown::document(file), file)?;
            Some(format!("{name}: {difference}"))
        })
        .collect();
    super::tell("runbooks", files.len(), &wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_runbook_for_people_can_be_run_step_by_step() {
    let Some(folder) = super::folder("runbooks") else { return };
    let files = files(&folder.join("files"));
    let mut wrong = Vec::new();
    for (name, file, expected) in &files {
        let book = Book::read(name, name, file);
        let commands = book
            .steps
            .iter()
            .filter(|step| matches!(&step.kind, opsroom::domain::runs::StepKind::Command(_)));
        let lines: Vec<u32> = commands.map(|step| step.line).collect();
        let shell = |block: &&Value| block["heuristics"]["shell_lang"].as_bool() == Some(true);
        for block in expected["blocks"].as_array().unwrap().iter().filter(shell) {
            if !lines.contains(&number(block, "line")) {
                println!("open to discussion: {name}: no step for the block {block}");
            }
        }
        if !book.foreign {
            wrong.push(format!("{name}: it was written for people, and read as opsroom's"));
        }
        if !book.is_sound() {
            wrong.push(format!("{name}: {:?}", book.remarks));
        }
    }
    super::tell("runbooks, steps", files.len(), &wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_attributes_of_runme_are_read_in_both_forms() {
    let Some(folder) = super::folder("runbooks") else { return };
    let file = std::fs::read_to_string(folder.join("runme_attributes.json")).unwrap();
    let all: Value = serde_json::from_str(&file).unwrap();
    let cases = all["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases.iter().filter_map(attributes_differ).collect();
    super::tell("runme attributes", cases.len(), &wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn attributes_differ(case: &Value) -> Option<String> {
    let (read, language) = match case["info"].as_str() {
        Some(info) => {
            let info = attributes::info(info);
            (info.attributes, Some(info.language))
        }
        None => (attributes::read(text(case, "attributes")), None),
    };
    let pairs: BTreeMap<String, String> =
        read.iter().map(|Attribute { name, value }| (name.clone(), value.clone())).collect();
    let expected: Option<BTreeMap<String, String>> =
        serde_json::from_value(case["expected"].clone()).unwrap();
    let same = expected.is_none_or(|expected| expected == pairs)
        && language.is_none_or(|language| language == text(case, "lang"))
        // What can be written back has lost nothing: each pair stands in the text.
        && (case["round_trip"] != true
            || pairs.iter().all(|(name, value)| {
                let text = text(case, "attributes");
                text.contains(name.as_str()) && text.contains(value.as_str())
            }) && !pairs.is_empty());
    (!same).then(|| format!("{case}, read {pairs:?}"))
}
