//! `opsroom audit`: the journal, read and held against its hashes.

mod report;
mod words;

use super::ledger::Ledger;
use super::{FAILED, complain, print};
use crate::cli::Audit;
use crate::domain::runs::RunId;
use crate::domain::{Timestamp, harmless, units};
use crate::journal::{Head, Row, Verdict};
use color_eyre::Result;
use color_eyre::eyre::{WrapErr, bail};
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

/// Something was changed, is missing or is damaged.
const WRONG: u8 = 10;
/// Something cannot be proved.
const UNPROVED: u8 = 11;
/// So much is gathered before it is written out.
const GATHERED: usize = 64 * 1024;

/// Reads and checks the journal.
pub(super) fn run(config: Option<&Path>, what: &Audit) -> Result<ExitCode> {
    let ledger = Ledger::of(config)?;
    match what {
        Audit::Show { run, most, json } => show(&ledger, run.as_deref(), *most, *json),
        Audit::Verify { against, heads } => verify(&ledger, against.as_deref(), *heads),
        Audit::Export { markdown: true, run, json: _ } => as_markdown(&ledger, run.as_deref()),
        Audit::Export { markdown: false, run, json: _ } => as_json(&ledger, run.as_deref()),
    }
}

fn show(ledger: &Ledger, run: Option<&str>, most: usize, json: bool) -> Result<ExitCode> {
    let id = run.map(RunId::from);
    let reader = ledger.reader();
    let rows = ledger.block_on(async { Ok(reader.newest(id.as_ref(), most).await?) })?;
    if rows.is_empty() {
        return Ok(nothing(ledger, run));
    }
    let line = |row: Row| if json { json_line(&row) } else { words::line(row) };
    print(&rows.into_iter().map(line).collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}

/// Nothing was found: no mistake where nothing was looked for by name.
fn nothing(ledger: &Ledger, run: Option<&str>) -> ExitCode {
    let folder = ledger.place.folder.display();
    if let Some(run) = run {
        complain(&format!("opsroom: the journal in {folder} has no run {}", harmless(run)));
        return ExitCode::from(FAILED);
    }
    complain(&format!("nothing was recorded yet in {folder}"));
    ExitCode::SUCCESS
}

fn as_json(ledger: &Ledger, run: Option<&str>) -> Result<ExitCode> {
    let id = run.map(RunId::from);
    let (mut text, mut any) = (String::new(), false);
    let mut written = Ok(());
    let reader = ledger.reader();
    let each = reader.each(id.as_ref(), |row| {
        any = true;
        text.push_str(&json_line(&row));
        if text.len() > GATHERED {
            written = print(&text);
            text.clear();
        }
        written.is_ok()
    });
    ledger.block_on(async { Ok(each.await?) })?;
    written?;
    if !any {
        return Ok(nothing(ledger, run));
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_markdown(ledger: &Ledger, run: Option<&str>) -> Result<ExitCode> {
    let id = run.map(RunId::from);
    let mut report = report::Report::default();
    let reader = ledger.reader();
    let each = reader.each(id.as_ref(), |row| {
        report.take(row);
        true
    });
    ledger.block_on(async { Ok(each.await?) })?;
    if report.is_empty() {
        return Ok(nothing(ledger, run));
    }
    print(&report.text())?;
    Ok(ExitCode::SUCCESS)
}

/// A record as one line of JSON, the record's own text in it. Characters that a
/// terminal would act upon stand as escapes of JSON, which mean the same.
fn json_line(row: &Row) -> String {
    let mut text = format!(
        r#"{{"place":{},"writer":{},"seq":{},"at":"{}","hash":{},"record":"#,
        row.place,
        serde_json::Value::from(row.writer.as_str()),
        row.seq,
        Timestamp::from_millis(row.at),
        serde_json::Value::from(row.hash.as_str()),
    );
    // What was changed may be no JSON any more.
    match serde_json::from_str::<serde::de::IgnoredAny>(&row.record) {
        Ok(_) => text.push_str(&row.record),
        Err(_) => text.push_str(&serde_json::Value::from(row.record.as_str()).to_string()),
    }
    text.push_str("}\n");
    escaped(&text)
}

fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut bytes = [0; 4];
    for c in json.chars() {
        if c == '\n' || (' '..='~').contains(&c) || harmless(c.encode_utf8(&mut bytes)).contains(c)
        {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn verify(ledger: &Ledger, against: Option<&Path>, heads: bool) -> Result<ExitCode> {
    let elsewhere = against.map(heads_in).transpose()?.unwrap_or_default();
    let reader = ledger.reader();
    let verdict = ledger.block_on(async { Ok(reader.verify(&elsewhere).await?) })?;
    let text = said(ledger, &verdict);
    if heads {
        let name = verdict.journal.clone().unwrap_or_default();
        let lines = verdict.heads.iter().map(|head| format!("{}\n", head.line(&name)));
        print(&harmless_lines(&lines.collect::<String>()))?;
        if !verdict.is_whole() {
            complain(text.trim_end());
        }
    } else {
        print(&text)?;
    }
    Ok(match &verdict {
        Verdict { wrong, .. } if !wrong.is_empty() => ExitCode::from(WRONG),
        Verdict { unproved, .. } if !unproved.is_empty() => ExitCode::from(UNPROVED),
        _ => ExitCode::SUCCESS,
    })
}

fn harmless_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(harmless).collect();
    lines.join("\n") + "\n"
}

/// The verdict in words.
fn said(ledger: &Ledger, verdict: &Verdict) -> String {
    let folder = ledger.place.folder.display();
    let records = usize::try_from(verdict.records).unwrap_or(usize::MAX);
    let mut text = match (&verdict.journal, records) {
        (None, 0) if verdict.is_whole() => {
            return format!("nothing was recorded yet in {folder}\n");
        }
        (name, _) => format!(
            "{folder}: journal {}, {} of {}\n",
            name.as_deref().map_or("without a name".into(), harmless),
            units::count(records, "record"),
            units::count(verdict.heads.len(), "writer"),
        ),
    };
    for (word, findings) in [("wrong", &verdict.wrong), ("unproved", &verdict.unproved)] {
        for finding in findings {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{word}: {}", harmless(finding));
        }
    }
    if verdict.is_whole() {
        text.push_str("whole: every record is as it was written, and the heads prove each end\n");
    }
    text
}

/// The heads in a file, as syslog or `audit verify --heads` wrote them.
fn heads_in(path: &Path) -> Result<Vec<(String, Head)>> {
    let file = File::open(path).wrap_err_with(|| path.display().to_string())?;
    let mut heads = Vec::new();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).wrap_err_with(|| path.display().to_string())? > 0 {
        if let Some((journal, head)) = Head::of_line(&String::from_utf8_lossy(&line)) {
            heads.push((journal.to_owned(), head));
        }
        line.clear();
    }
    if heads.is_empty() {
        bail!("{}: no head of a journal is in it", path.display());
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_the_record_and_nothing_that_a_terminal_acts_upon() {
        let row = Row {
            place: 3,
            writer: "w".into(),
            seq: 2,
            at: 1_500,
            record: "{\"acted\":\"\u{9b}2J \u{202e} \u{e0041} \u{e9}\"}".into(),
            hash: "ab".into(),
        };
        let line = json_line(&row);
        let words = r#"{"place":3,"writer":"w","seq":2,"at":"1970-01-01T00:00:01.500Z","hash":"ab","record":{"acted":"\u009b2J \u202e \udb40\udc41 é"}}"#;
        assert_eq!(line.trim_end(), words);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["record"], serde_json::from_str::<serde_json::Value>(&row.record).unwrap());
        let broken = json_line(&Row { record: "{\"a".into(), ..row });
        assert!(broken.ends_with("\"record\":\"{\\\"a\"}\n"), "{broken}");
    }
}
