//! `opsroom runbooks adopt URL`

use super::ledger::Ledger;
use super::{FAILED, complain, discover, print};
use crate::config::discover::folder_problem;
use crate::config::home_path;
use crate::domain::runs::{BookId, Record};
use crate::domain::{harmless, units};
use crate::runbook::lint::{in_one_line, lint};
use crate::runbook::reading::sha256;
use crate::runbook::{Book, Level};
use crate::runtime::clock::{self, moment};
use crate::runtime::runs::names::names;
use crate::runtime::runs::process;
use crate::runtime::state_file::replace_for_good;
use crate::sources::{Shared, pages};
use color_eyre::Result;
use color_eyre::eyre::{bail, eyre};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Fetches a page, shows it, and saves it where its address stands for a folder.
/// Until then it is prose: nothing of it is ever run.
pub(super) fn run(config: Option<&Path>, url: &str, yes: bool) -> Result<ExitCode> {
    let beside = discover(config)?.path.parent().map(Path::to_path_buf).unwrap_or_default();
    let ledger = Ledger::of(config)?;
    let urls = &ledger.config.runbooks.urls;
    let mapped = urls.iter().filter(|(beginning, _)| pages::is_below(url, beginning));
    // The longest beginning says the most.
    let Some((beginning, folder)) = mapped.max_by_key(|(beginning, _)| beginning.len()) else {
        let known: Vec<&str> = urls.iter().map(|(beginning, _)| beginning.as_str()).collect();
        let known = if known.is_empty() {
            "the config lists none in `[runbooks] urls`".to_owned()
        } else {
            format!("the config lists {}", harmless(&known.join(", ")))
        };
        bail!("{} is below no address that may be fetched: {known}", harmless(url));
    };
    let path = beside.join(home_path(folder)).join(file_of(url, beginning)?);
    let shared = Shared::new(clock::monotonic, 1);
    let page = ledger.block_on(async {
        pages::markdown(&shared, url, beginning)
            .await
            .map_err(|why| eyre!("{}: {why}", harmless(url)))
    })?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let book = Book::read(&id, &path.to_string_lossy(), &page.text);
    let hash = sha256(page.text.as_bytes());
    let there = fs::read(&path).ok().map(|bytes| sha256(&bytes));
    if there.as_ref() == Some(&hash) {
        print(&format!("{}: the same text is there already\n", harmless(&path.to_string_lossy())))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&shown(&book, &page.text))?;
    for remark in lint(&book, &names(&ledger.config), ledger.config.runbooks.armed_only) {
        complain(&in_one_line(&book, &remark));
    }
    let errors = book.remarks.iter().filter(|remark| remark.level == Level::Error).count();
    if errors > 0 {
        complain("with an error in it it cannot be run; it can be read");
    }
    let place = harmless(&path.to_string_lossy()).into_owned();
    let replaces = if there.is_some() { ", in the place of another text" } else { "" };
    if !yes && !agreed(&format!("Save it as {place}{replaces}, sha256 {}? y/N ", &hash[..16]))? {
        complain("not saved: it stays prose");
        return Ok(ExitCode::from(FAILED));
    }
    let now = moment()?.at;
    let who = process::who();
    let record = Record::Adopted { who: who.clone(), url: page.url, book: BookId::from(id), hash };
    ledger.block_on(async {
        // What cannot be recorded is not taken over.
        let journal = ledger.open(&who, now).await?;
        journal.append(now, record).await?;
        save(&path, &page.text)
    })?;
    print(&format!("saved as {place}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The file below its folder that stands for an address below its beginning.
fn file_of(url: &str, beginning: &str) -> Result<PathBuf> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let path = |text: &str| {
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        rest.split_once('/').map(|(_, path)| path.to_owned()).unwrap_or_default()
    };
    let (whole, start) = (path(&url[..end]), path(beginning));
    let rest = whole.strip_prefix(start.trim_end_matches('/')).unwrap_or(&whole);
    let mut file = PathBuf::new();
    for part in rest.split('/').filter(|part| !part.is_empty()) {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !plain || part.starts_with('.') {
            bail!("{} cannot be a file's name", harmless(part));
        }
        file.push(part);
    }
    let Some(name) = file.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        bail!("{} names no page", harmless(url));
    };
    let stem = [".md", ".markdown", ".txt"].iter().find_map(|ending| name.strip_suffix(ending));
    file.set_file_name(format!("{}.md", stem.unwrap_or(&name)));
    Ok(file)
}

fn shown(book: &Book, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let _ = writeln!(out, "{}", harmless(line));
    }
    let _ =
        writeln!(out, "\n{}: {}", harmless(&book.title), units::count(book.steps.len(), "step"));
    out
}

/// A person's yes; without a terminal there is nobody to ask.
fn agreed(question: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody can be asked here: look at it on a terminal, or give --yes");
    }
    // What was typed before the page stood there answers nothing.
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
    print(question)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Writes a whole file or none, for its owner alone to change.
fn save(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    if let Some(why) = folder_problem(folder) {
        bail!("{}: {why}", harmless(&folder.to_string_lossy()));
    }
    // The journal will say that it is there.
    Ok(replace_for_good(path, text.as_bytes(), 0o644)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_file_below_its_folder() {
        let file =
            |url| file_of(url, "https://books.example/ops/").map(|path| path.display().to_string());
        for (url, wanted) in [
            ("https://books.example/ops/a.md", "a.md"),
            ("https://books.example/ops/db/HighErrorRate?raw=1#x", "db/HighErrorRate.md"),
            ("https://books.example/ops/a.txt", "a.md"),
            ("https://books.example/ops/v1.2/", "v1.2.md"),
        ] {
            assert_eq!(file(url).unwrap(), wanted);
        }
        for no in [
            "https://books.example/ops/",
            "https://books.example/ops/.ssh/x",
            "https://books.example/ops/a%20b",
            "https://books.example/ops/../x",
        ] {
            assert!(file(no).is_err(), "{no}");
        }
    }

    #[test]
    fn a_file_is_saved_whole_and_for_its_owner_to_change() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("books/db/a.md");
        save(&path, "# A").unwrap();
        save(&path, "# B").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# B");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::set_permissions(path.parent().unwrap(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(
            save(&path, "# C").unwrap_err().to_string().contains("everybody can write this folder")
        );
    }
}
