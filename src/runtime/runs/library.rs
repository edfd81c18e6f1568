//! Reads runbooks: from the folders that the config names, and those that ship.

use crate::config::{Found, Runbooks, discover, home_path};
use crate::domain::harmless;
use crate::domain::runs::BookId;
use crate::runbook::{Book, Library, built_in};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder beside the config that is read without being named.
const BESIDE: &str = "runbooks";
/// So deep a folder is looked into.
const DEEPEST: usize = 6;
/// So many files are read in all.
const MOST: usize = 5_000;
/// So many failures are kept; the others are counted.
const MOST_FAILURES: usize = 50;

/// Reads all runbooks: of `runbooks` beside the config, then of the folders that
/// it names, then of those that stand for addresses, then those that ship. Of
/// two with one name the first counts. What was done with them before is not
/// in it.
pub fn read(config: &Path, runbooks: &Runbooks) -> Library {
    let beside = config.parent().unwrap_or(Path::new("/"));
    let place = |text: &str| beside.join(home_path(text));
    let mut reading = Reading::default();
    reading.folder(&beside.join(BESIDE), true);
    for folder in &runbooks.folders {
        reading.folder(&place(folder), false);
    }
    for (_, folder) in &runbooks.urls {
        // It is made when the first page is taken over.
        reading.folder(&place(folder), true);
    }
    let mut library = reading.library;
    if runbooks.built_in {
        for (id, text) in built_in::BOOKS {
            library
                .books
                .entry(BookId::from(*id))
                .or_insert_with(|| Arc::new(book(id, built_in::PATH, text)));
        }
    }
    library.urls = runbooks
        .urls
        .iter()
        .map(|(url, folder)| (url.clone(), place(folder).to_string_lossy().into_owned()))
        .collect();
    let failures = library.failures.len();
    if failures > MOST_FAILURES {
        library.failures.truncate(MOST_FAILURES);
        library.failures.push(format!("and {} more", failures - MOST_FAILURES));
    }
    library
}

/// The runbook of this name, or in this file where it is a path: with a `/` or
/// an ending. Why there is none, in words.
pub fn find(library: &Library, name: &str) -> Result<Arc<Book>, String> {
    let is_path = name.contains('/') || is_markdown(Path::new(name));
    if is_path {
        return of_file(Path::new(name)).map(Arc::new);
    }
    if let Some(book) = library.books.get(&BookId::from(name)) {
        return Ok(Arc::clone(book));
    }
    let known = library.books.keys().map(BookId::as_str);
    let meant = crate::domain::nearest(name, known);
    let shown = harmless(name);
    Err(match meant {
        Some(meant) => format!("there is no runbook {shown}; did you mean {meant}?"),
        None => format!("there is no runbook {shown}: `opsroom runbooks list` names all"),
    })
}

/// The runbook in this file, if nobody else could have written it.
pub fn of_file(path: &Path) -> Result<Book, String> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let Found { text, .. } = discover::read(&real).map_err(|error| error.to_string())?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(book(&id, &real.to_string_lossy(), &text))
}

fn book(id: &str, path: &str, text: &str) -> Book {
    Book::read(id, path, text)
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md" || ending == "markdown")
}

#[derive(Default)]
struct Reading {
    library: Library,
    seen: BTreeSet<PathBuf>,
    files: usize,
}

impl Reading {
    fn failed(&mut self, path: &Path, why: &str) {
        let path = path.to_string_lossy();
        self.library.failures.push(format!("{}: {}", harmless(&path), harmless(why)));
    }

    /// A folder of the config's; `may_lack`: it need not be there.
    fn folder(&mut self, path: &Path, may_lack: bool) {
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && may_lack => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.failed(path, "there is no such folder");
            }
            Err(error) => self.failed(path, &error.to_string()),
            Ok(about) if about.is_dir() => self.look_into(path, 0),
            Ok(_) => self.failed(path, "this is no folder"),
        }
    }

    fn look_into(&mut self, folder: &Path, depth: usize) {
        let Ok(real) = fs::canonicalize(folder) else { return };
        // Also ends links that lead back.
        if !self.seen.insert(real) {
            return;
        }
        if depth > DEEPEST {
            return self.failed(folder, "too deep: it is not looked into");
        }
        if let Some(why) = discover::folder_problem(folder) {
            return self.failed(folder, &why);
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.failed(folder, &error.to_string()),
        };
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let mut folders = Vec::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            match fs::metadata(&path) {
                Ok(about) if about.is_dir() => folders.push(path),
                Ok(_) if is_markdown(&path) && !name.eq_ignore_ascii_case("README.md") => {
                    self.file(&path);
                }
                // A link that leads nowhere is said of what would be a runbook alone.
                Err(error) if is_markdown(&path) => self.failed(&path, &error.to_string()),
                Ok(_) | Err(_) => {}
            }
        }
        // What stands higher up counts before what stands deeper.
        for folder in folders {
            self.look_into(&folder, depth + 1);
        }
    }

    fn file(&mut self, path: &Path) {
        self.files += 1;
        if self.files > MOST {
            if self.files == MOST + 1 {
                self.failed(path, "there are more than 5,000 runbooks: the others are not read");
            }
            return;
        }
        let id = BookId::from(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        if let Some(first) = self.library.books.get(&id) {
            let why = format!("not read, since {} is called the same", first.path);
            return self.failed(path, &why);
        }
        match discover::read(path) {
            Ok(Found { text, .. }) => {
                let read = book(id.as_str(), &path.to_string_lossy(), &text);
                self.library.books.insert(id, Arc::new(read));
            }
            // It names the path by itself.
            Err(error) => self.library.failures.push(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn write(path: &Path, text: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    }

    fn runbooks(folders: &[&Path]) -> Runbooks {
        Runbooks {
            folders: folders.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            built_in: false,
            urls: Vec::new(),
            folder: "/".into(),
            path: Vec::new(),
            timeout: std::time::Duration::from_mins(10),
            armed_only: false,
            yes: Vec::new(),
            approve: Vec::new(),
            approve_within: std::time::Duration::from_mins(15),
        }
    }

    fn names(library: &Library) -> Vec<&str> {
        library.books.keys().map(BookId::as_str).collect()
    }

    #[test]
    fn folders_are_read_in_their_order_and_the_first_of_two_counts() {
        let scratch = scratch();
        let home = scratch.path();
        write(&home.join("runbooks/a.md"), "# A");
        write(&home.join("runbooks/deep/er/c.md"), "# C");
        write(&home.join("runbooks/README.md"), "# not one");
        write(&home.join("runbooks/notes.txt"), "no");
        write(&home.join("runbooks/.git/x.md"), "no");
        write(&home.join("more/a.md"), "# another A");
        write(&home.join("more/b.markdown"), "# B");
        let library = read(&home.join("config.toml"), &runbooks(&[&home.join("more")]));
        assert_eq!(names(&library), ["a", "b", "c"]);
        assert_eq!(&*library.books[&BookId::from("a")].text, "# A");
        let [failure] = library.failures.as_slice() else { panic!("{:?}", library.failures) };
        assert!(failure.contains("more/a.md: not read, since "), "{failure}");
    }

    #[test]
    fn a_folder_that_is_named_has_to_be_there() {
        let scratch = scratch();
        let library = read(&scratch.path().join("c.toml"), &runbooks(&[Path::new("gone")]));
        assert_eq!(library.failures.len(), 1);
        assert!(library.failures[0].ends_with("gone: there is no such folder"));
        let mapped =
            Runbooks { urls: vec![("https://x/".into(), "later".into())], ..runbooks(&[]) };
        let library = read(&scratch.path().join("c.toml"), &mapped);
        assert_eq!(library.failures, [""; 0]);
        assert_eq!(library.urls[0].1, scratch.path().join("later").to_string_lossy());
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let scratch = scratch();
        let folder = scratch.path().join("runbooks");
        write(&folder.join("a.md"), "# A");
        write(&folder.join("b.md"), "# B");
        fs::set_permissions(folder.join("a.md"), PermissionsExt::from_mode(0o666)).unwrap();
        let library = read(&scratch.path().join("c.toml"), &runbooks(&[]));
        assert_eq!(names(&library), ["b"]);
        assert!(
            library.failures[0].contains("everybody can write this file, and it holds commands")
        );
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        let library = read(&scratch.path().join("c.toml"), &runbooks(&[]));
        assert_eq!(names(&library), [""; 0]);
        assert_eq!(library.failures.len(), 1, "{:?}", library.failures);
        assert!(library.failures[0].contains("everybody can write this folder"));
    }

    #[test]
    fn what_is_no_text_or_too_large_is_said() {
        let scratch = scratch();
        let folder = scratch.path().join("runbooks");
        write(&folder.join("binary.md"), b"# A\n\xff");
        write(&folder.join("large.md"), vec![b'#'; (1 << 20) + 1]);
        write(&folder.join("whole.md"), vec![b'#'; 1 << 20]);
        let library = read(&scratch.path().join("c.toml"), &runbooks(&[]));
        assert_eq!(names(&library), ["whole"]);
        assert!(library.failures[0].ends_with("binary.md: not UTF-8 text, from line 2 on"));
        assert!(library.failures[1].ends_with("large.md: larger than 1 MiB"));
    }

    #[test]
    fn links_are_followed_and_never_round() {
        let scratch = scratch();
        let home = scratch.path();
        write(&home.join("elsewhere/b.md"), "# B");
        write(&home.join("runbooks/a.md"), "# A");
        symlink(home.join("elsewhere"), home.join("runbooks/linked")).unwrap();
        symlink(home.join("runbooks"), home.join("runbooks/round")).unwrap();
        symlink("/nowhere.md", home.join("runbooks/lost.md")).unwrap();
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            home.join("runbooks/f.md"),
            rustix::fs::Mode::from(0o600),
        )
        .unwrap();
        let library = read(&home.join("c.toml"), &runbooks(&[]));
        assert_eq!(names(&library), ["a", "b"]);
        assert_eq!(library.failures.len(), 2, "{:?}", library.failures);
    }

    #[test]
    fn a_runbook_is_found_by_its_name_or_its_file() {
        let scratch = scratch();
        let path = scratch.path().join("runbooks/restart-api.md");
        write(&path, "# A");
        let library = read(&scratch.path().join("c.toml"), &runbooks(&[]));
        assert_eq!(find(&library, "restart-api").unwrap().title, "A");
        assert_eq!(find(&library, &path.to_string_lossy()).unwrap().id.as_str(), "restart-api");
        let words = "there is no runbook restart-apu; did you mean restart-api?";
        assert_eq!(find(&library, "restart-apu").unwrap_err(), words);
        assert!(find(&library, "/nowhere/x.md").unwrap_err().ends_with("no such file"));
    }
}
