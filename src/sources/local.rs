//! Alerts of rule files that opsroom evaluates itself, over what it scrapes.
//!
//! The files are looked at on each poll and read where they have changed; one
//! that is broken keeps the rules that it had, and that is said.

use super::asking::EvaluateRules;
use super::client::Shared;
use super::dumps::glob;
use super::{Brought, Source};
use crate::domain::{BrokenRule, PollError, Reading, SourceInfo, Timestamp, harmless, units};
use crate::rules::{Book, BookFile, LARGEST, Names, RuleFile, read};
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// What says that a source of alerts is this one.
pub const KIND: &str = crate::store::LOCAL_RULES;
/// The files are looked at, and groups that are due evaluated, this often; on
/// new samples they are evaluated at once.
pub const EVERY: Duration = Duration::from_secs(2);
/// The first poll waits until everything was scraped once.
pub const TIMEOUT: Duration = Duration::from_secs(40);
/// So many files are read.
const MOST_FILES: usize = 1_000;

/// A rule file as it was found.
#[derive(Clone, Debug)]
pub struct FileRead {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text, as far as it is one.
    pub text: String,
    /// What it holds, or why it could not be read.
    pub held: Result<RuleFile, String>,
}

/// Tells one state of a file from another.
type Signature = (Option<SystemTime>, u64, u64);

/// The files that patterns match, once each, in order; and what is wrong with
/// the patterns.
pub fn find(patterns: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let never = AtomicBool::new(false);
    let mut paths = BTreeSet::new();
    let mut notes = Vec::new();
    for pattern in patterns {
        let found = glob::find(pattern, &never);
        let written = harmless(&pattern.to_string_lossy()).into_owned();
        for (folder, error) in found.unread {
            notes.push(format!("{}: {error}", harmless(&folder.to_string_lossy())));
        }
        let before = paths.len();
        let mut any = false;
        for path in found.paths.into_iter().filter(|path| path.is_file()) {
            any = true;
            paths.insert(path);
        }
        if !any && paths.len() == before {
            notes.push(format!("no rule file matches {written}"));
        }
    }
    if paths.len() > MOST_FILES {
        notes.push(format!("{MOST_FILES} of {} rule files are read", paths.len()));
    }
    (paths.into_iter().take(MOST_FILES).collect(), notes)
}

/// Reads one file.
pub fn read_file(path: &Path) -> FileRead {
    let mut bytes = Vec::new();
    let most = LARGEST as u64 + 1;
    let opened = std::fs::File::open(path);
    let held = match opened.and_then(|file| file.take(most).read_to_end(&mut bytes)) {
        Ok(_) => Ok(read(&bytes, Names::Utf8)),
        Err(error) => Err(format!("it cannot be read: {error}")),
    };
    FileRead { path: path.into(), text: String::from_utf8_lossy(&bytes).into_owned(), held }
}

/// What is remembered from poll to poll.
#[derive(Default)]
struct Files {
    known: BTreeMap<PathBuf, (Signature, BookFile)>,
    notes: Vec<String>,
    book: Option<Arc<Book>>,
}

/// The rules of rule files.
pub struct LocalRules {
    info: SourceInfo,
    patterns: Vec<PathBuf>,
    /// A book without files.
    place: Book,
    shared: Arc<Shared>,
    files: Arc<Mutex<Files>>,
}

impl LocalRules {
    /// Evaluates what `patterns` match; `place` is a book without files.
    pub fn new(
        mut info: SourceInfo,
        patterns: &[PathBuf],
        place: Book,
        shared: Arc<Shared>,
    ) -> Self {
        info.kind = KIND.into();
        let first = patterns.first().map(|path| path.to_string_lossy().into_owned());
        let more = if patterns.len() > 1 { " …" } else { "" };
        info.asks = format!("{}{more}", harmless(&first.unwrap_or_default()));
        info.cost = "nothing beside what is scraped; rules are evaluated here".into();
        Self { info, patterns: patterns.to_vec(), place, shared, files: Arc::default() }
    }

    async fn ask(&self, now: Timestamp) -> Result<Brought, PollError> {
        let (files, patterns) = (Arc::clone(&self.files), self.patterns.clone());
        let place = self.place.clone();
        let look = move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.look(&patterns, place)
        };
        let book = tokio::task::spawn_blocking(look).await.map_err(|error| {
            PollError::broken(format!("the rule files could not be looked at: {error}"))
        })?;
        let wrong: Vec<BrokenRule> = book
            .files
            .iter()
            .filter_map(|file| {
                let error = file.wrong.clone()?;
                let name = Path::new(&file.path).file_name().unwrap_or_default().to_string_lossy();
                Some(BrokenRule {
                    name: harmless(&name).into_owned(),
                    group: file.path.clone(),
                    error,
                })
            })
            .collect();
        let notes = book.notes.clone();
        let evaluate = EvaluateRules { book, now };
        let mut reading = self.shared.evaluate_rules(evaluate).await?;
        reading.broken_rules.splice(0..0, wrong);
        reading.notes.extend(notes);
        Ok(Brought::Reading(Reading::Alerts(Arc::new(reading))))
    }
}

impl Source for LocalRules {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn poll(&self, now: Timestamp) -> BoxFuture<'_, Result<Brought, PollError>> {
        Box::pin(self.ask(now))
    }
}

fn signature(path: &Path) -> Signature {
    let about = std::fs::metadata(path).ok();
    about.map_or((None, 0, 0), |about| (about.modified().ok(), about.len(), about.ino()))
}

impl Files {
    /// The rules as the files have them now; the very same where nothing changed.
    fn look(&mut self, patterns: &[PathBuf], place: Book) -> Arc<Book> {
        let (paths, notes) = find(patterns);
        let mut changed = self.notes != notes || self.book.is_none();
        changed |= self.known.len() != paths.len();
        self.known.retain(|path, _| paths.contains(path));
        for path in paths {
            let signature = signature(&path);
            let old = match self.known.remove(&path) {
                Some((known, file)) if known == signature => {
                    self.known.insert(path, (known, file));
                    continue;
                }
                old => old.map(|(_, file)| file),
            };
            changed = true;
            let file = taken(read_file(&path), old);
            self.known.insert(path, (signature, file));
        }
        self.notes = notes;
        if changed {
            let files = self.known.values().map(|(_, file)| file.clone()).collect();
            self.book = Some(Arc::new(Book { files, notes: self.notes.clone(), ..place }));
        }
        self.book.clone().unwrap_or_default()
    }
}

/// A file as it was read; where it is broken its old rules go on.
fn taken(read: FileRead, old: Option<BookFile>) -> BookFile {
    let path = read.path.to_string_lossy().into_owned();
    let wrong = match read.held {
        Ok(file) if file.is_sound() => return BookFile { path, groups: file.groups, wrong: None },
        Ok(file) => {
            let mut wrong = file.mistakes.iter().filter(|mistake| !mistake.advisory);
            let first = wrong.next().map(|first| format!("line {}: {}", first.line, first.message));
            let more = match wrong.count() {
                0 => String::new(),
                more => format!(" (and {})", units::count(more, "more mistake")),
            };
            first.unwrap_or_default() + &more
        }
        Err(words) => words,
    };
    let groups = old.map(|old| old.groups).unwrap_or_default();
    let kept =
        if groups.is_empty() { "; none of its rules is evaluated" } else { "; its old rules stay" };
    BookFile { path, groups, wrong: Some(wrong + kept) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up == 0}\n";

    fn look(files: &mut Files, folder: &Path) -> Arc<Book> {
        files.look(&[folder.join("*.yml")], Book::default())
    }

    #[test]
    fn a_file_that_breaks_keeps_its_old_rules_and_says_so() {
        let scratch = tempfile::tempdir().unwrap();
        let mut files = Files::default();
        assert_eq!(look(&mut files, scratch.path()).notes.len(), 1);
        std::fs::write(scratch.path().join("a.yml"), GOOD).unwrap();
        let book = look(&mut files, scratch.path());
        assert_eq!((book.files.len(), book.groups().count()), (1, 1));
        assert!(book.notes.is_empty());
        assert!(Arc::ptr_eq(&book, &look(&mut files, scratch.path())));
        std::fs::write(scratch.path().join("a.yml"), "groups:\n- nam: g\n").unwrap();
        std::fs::write(scratch.path().join("b.yml"), "groups: [").unwrap();
        let book = look(&mut files, scratch.path());
        assert_eq!(book.groups().count(), 1);
        let wrong: Vec<_> = book.files.iter().filter_map(|file| file.wrong.as_deref()).collect();
        assert!(wrong[0].starts_with("line 2: "), "{wrong:?}");
        assert!(wrong[0].ends_with("(and 1 more mistake); its old rules stay"), "{wrong:?}");
        assert!(wrong[1].ends_with("; none of its rules is evaluated"), "{wrong:?}");
        std::fs::remove_file(scratch.path().join("a.yml")).unwrap();
        assert_eq!(look(&mut files, scratch.path()).groups().count(), 0);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        // As Kubernetes mounts files: `a.yml -> ..data/a.yml`, `..data -> ..1`.
        let version = |name: &str, text: &str| {
            std::fs::create_dir(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join("a.yml"), text).unwrap();
            std::os::unix::fs::symlink(name, folder.join("..tmp")).unwrap();
            std::fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
        };
        version("..1", GOOD);
        std::os::unix::fs::symlink("..data/a.yml", folder.join("a.yml")).unwrap();
        let mut files = Files::default();
        let book = look(&mut files, folder);
        version("..2", &GOOD.replace("== 0", "== 1"));
        std::fs::remove_dir_all(folder.join("..1")).unwrap();
        let newer = look(&mut files, folder);
        assert!(!Arc::ptr_eq(&book, &newer));
        assert_eq!((newer.files.len(), newer.groups().count()), (1, 1));
    }
}
