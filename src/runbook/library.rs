//! Which runbooks there are, and which fit an alert or a service.

use super::Book;
use crate::domain::alert::ALERT_NAME;
use crate::domain::runs::{BookId, RunOutcome, StepKind};
use crate::domain::{Alert, Timestamp, glob};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All runbooks that were found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Library {
    /// By their names.
    pub books: BTreeMap<BookId, Arc<Book>>,
    /// When each was last run and rehearsed.
    pub past: BTreeMap<BookId, Past>,
    /// `runbook_url` prefixes and the folder that stands for each (`[runbooks] urls`).
    pub urls: Vec<(String, String)>,
    /// Folders and files that could not be read, and why.
    pub failures: Vec<String>,
    /// The `SERVICE_…` variables that each service has; empty where nobody knows.
    pub fields: BTreeMap<String, BTreeSet<String>>,
}

/// What was done with a runbook before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// When it was last run, and how that ended; none while it runs.
    pub run: Option<(Timestamp, Option<RunOutcome>)>,
    /// When it was last rehearsed, and what was broken; of this text alone.
    pub rehearsed: Option<(Timestamp, Vec<String>)>,
}

/// A runbook that is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookLine {
    /// Which one.
    pub book: BookId,
    /// Why it is offered.
    pub fit: Fit,
    /// What the service lacks to be dealt with by it: names of its `vars`.
    pub lacks: Vec<String>,
}

impl BookLine {
    /// One that was searched for.
    fn found(book: &BookId) -> Self {
        Self { book: book.clone(), fit: Fit::Search, lacks: Vec::new() }
    }

    /// Whether it is only a guess, or cannot be run as things are: then it is not
    /// preselected.
    pub fn is_guess(&self) -> bool {
        self.fit.is_guess() || !self.lacks.is_empty()
    }
}

/// Why a runbook is offered: the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The alert's `runbook_url` names it.
    Url,
    /// Its front matter names the alert.
    Alert,
    /// Its file is called like the alert.
    Name,
    /// Its front matter names the service: a guess from here on.
    Service,
    /// Its text speaks of the alert or the service.
    Search,
}

/// A firing alert, as far as runbooks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing<'a> {
    /// Its `alertname`.
    pub name: &'a str,
    /// Its annotation `runbook_url`.
    pub runbook_url: Option<&'a str>,
}

impl<'a> Firing<'a> {
    /// What of an alert counts.
    pub fn of(alert: &'a Alert) -> Self {
        Self {
            name: alert.labels.get(ALERT_NAME).unwrap_or_default(),
            runbook_url: alert.annotations.get("runbook_url").map(String::as_str),
        }
    }
}

impl Fit {
    /// Whether it is only a guess: then none is preselected.
    pub fn is_guess(self) -> bool {
        self >= Self::Service
    }
}

/// So many are offered that only speak of it.
const MOST_FOUND: usize = 10;

impl Library {
    /// The runbooks that fit an alert, a service, or both: the best first, in an
    /// order that stays. One whose front matter names services is for those alone;
    /// one that needs what the service does not have comes behind all others.
    pub fn fits(&self, alert: Option<&Firing<'_>>, service: Option<&str>) -> Vec<BookLine> {
        let mut found: Vec<(bool, Fit, bool, &BookId, Vec<String>)> = Vec::new();
        for (id, book) in &self.books {
            let services = &book.front.services;
            let named =
                service.is_some_and(|name| services.iter().any(|pattern| glob(pattern, name)));
            let for_others = service.is_some() && !services.is_empty() && !named;
            let fit = alert.and_then(|alert| self.fit_of_alert(book, alert, for_others));
            let fit = fit.or_else(|| named.then_some(Fit::Service));
            let fit = fit.or_else(|| {
                let of_alert = alert
                    .is_some_and(|alert| !alert.name.is_empty() && book.text.contains(alert.name));
                let of_service = service.is_some_and(|name| is_about(book, name));
                (!for_others && (of_alert || of_service)).then_some(Fit::Search)
            });
            let Some(fit) = fit else { continue };
            let lacks = service.map_or_else(Vec::new, |service| self.lacks(book, service));
            found.push((!lacks.is_empty(), fit, !named, id, lacks));
        }
        found.sort();
        let mut searched = 0;
        found.retain(|(_, fit, ..)| {
            searched += usize::from(*fit == Fit::Search);
            *fit != Fit::Search || searched <= MOST_FOUND
        });
        let lines = found.into_iter();
        lines.map(|(_, fit, _, id, lacks)| BookLine { book: id.clone(), fit, lacks }).collect()
    }

    /// What the steps of a book use of a service and it does not have, as it
    /// would be called in its `vars`.
    fn lacks(&self, book: &Book, service: &str) -> Vec<String> {
        if self.fields.is_empty() {
            return Vec::new();
        }
        let has = self.fields.get(service);
        let is_asked = |name: &str| book.front.params.iter().any(|param| param.name == name);
        let mut lacks = Vec::new();
        for step in &book.steps {
            let StepKind::Command(command) = &step.kind else { continue };
            for name in &command.uses {
                let Some(field) = name.strip_prefix("SERVICE_") else { continue };
                let field = field.to_lowercase();
                let is_there = has.is_some_and(|has| has.contains(name)) || is_asked(name);
                if !is_there && !lacks.contains(&field) {
                    lacks.push(field);
                }
            }
        }
        lacks
    }

    fn fit_of_alert(&self, book: &Book, alert: &Firing<'_>, for_others: bool) -> Option<Fit> {
        if alert.runbook_url.is_some_and(|url| self.stands_for(book, url)) {
            return Some(Fit::Url);
        }
        if for_others || alert.name.is_empty() {
            return None;
        }
        if book.front.alerts.iter().any(|pattern| glob(pattern, alert.name)) {
            return Some(Fit::Alert);
        }
        (bare(book.id.as_str()) == bare(alert.name)).then_some(Fit::Name)
    }

    /// Whether a book is what stands at this address: the file of its path in the
    /// folder that stands for its beginning, else the one that is called like
    /// the last part of its path.
    fn stands_for(&self, book: &Book, url: &str) -> bool {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        let url = url[..end].trim_end_matches('/');
        let plain = |path: &str| {
            let endings = [".md", ".markdown", ".html", ".htm", "/index", "/README"];
            let mut path = path;
            for ending in endings {
                path = path.strip_suffix(ending).unwrap_or(path);
            }
            path.to_owned()
        };
        let mapped = self.urls.iter().filter_map(|(beginning, folder)| {
            let rest = url.strip_prefix(beginning.trim_end_matches('/'))?;
            rest.starts_with('/')
                .then(|| format!("{}{}", folder.trim_end_matches('/'), plain(rest)))
        });
        let mut mapped = mapped.peekable();
        let own = plain(&book.path);
        if mapped.peek().is_some() && mapped.any(|path| path == own) {
            return true;
        }
        let last = plain(url).rsplit('/').next().map(bare).unwrap_or_default();
        // An address without a path ends with its host.
        url.matches('/').count() > 2 && !last.is_empty() && last == bare(book.id.as_str())
    }

    /// The runbooks in which all words of a text stand, those first in whose
    /// name or title they do.
    pub fn search(&self, text: &str) -> Vec<BookLine> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let mut found: Vec<(u8, &BookId)> = Vec::new();
        for (id, book) in &self.books {
            let name = format!("{} {}", id, book.title).to_lowercase();
            let front =
                format!("{} {}", book.front.alerts.join(" "), book.front.services.join(" "));
            let front = front.to_lowercase();
            let place = if words.iter().all(|word| name.contains(word)) {
                Some(0)
            } else if words.iter().all(|word| name.contains(word) || front.contains(word)) {
                Some(1)
            } else {
                let whole = book.text.to_lowercase();
                words.iter().all(|word| name.contains(word) || whole.contains(word)).then_some(2)
            };
            found.extend(place.map(|place| (place, id)));
        }
        found.sort();
        found.into_iter().map(|(_, id)| BookLine::found(id)).collect()
    }
}

/// A name without case, dashes and blanks: `HighErrorRate` is `high-error-rate`.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether the name or the title of a book holds this word.
fn is_about(book: &Book, word: &str) -> bool {
    let word = word.to_lowercase();
    let holds = |text: &str| {
        text.to_lowercase().split(|c: char| !c.is_alphanumeric() && c != '_').any(|it| it == word)
    };
    holds(book.id.as_str()) || holds(&book.title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::{Document, Front};

    fn book(id: &str, front: Front, text: &str) -> (BookId, Arc<Book>) {
        let book = Book {
            id: id.into(),
            path: format!("/etc/opsroom/runbooks/{id}.md"),
            title: front.title.clone().unwrap_or_else(|| id.to_owned()),
            front,
            text: text.into(),
            hash: String::new(),
            document: Document::default(),
            steps: Vec::new(),
            pins: Vec::new(),
            foreign: false,
            remarks: Vec::new(),
        };
        (book.id.clone(), Arc::new(book))
    }

    fn front(alerts: &[&str], services: &[&str]) -> Front {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Front { alerts: owned(alerts), services: owned(services), ..Front::default() }
    }

    fn library(books: Vec<(BookId, Arc<Book>)>) -> Library {
        let urls = vec![("https://books.example/".to_owned(), "/etc/opsroom/runbooks".to_owned())];
        Library { books: books.into_iter().collect(), urls, ..Library::default() }
    }

    fn told(lines: &[BookLine]) -> Vec<(&str, Fit)> {
        lines.iter().map(|line| (line.book.as_str(), line.fit)).collect()
    }

    #[test]
    fn the_best_fit_comes_first_and_the_order_stays() {
        let library = library(vec![
            book("a-search", Front::default(), "when HighErrorRate fires"),
            book("api-notes", Front::default(), "notes"),
            book("b-service", front(&[], &["api"]), ""),
            book("high-error-rate", Front::default(), ""),
            book("rollback", front(&["High*"], &["api"]), ""),
            book("restart", front(&["HighErrorRate"], &[]), ""),
            book("page", Front::default(), ""),
            book("others", front(&["HighErrorRate"], &["web"]), "HighErrorRate"),
            book("far", Front::default(), ""),
        ]);
        let alert = Firing {
            name: "HighErrorRate",
            runbook_url: Some("https://books.example/page.html?x=1#top"),
        };
        let fits = library.fits(Some(&alert), Some("api"));
        assert_eq!(
            told(&fits),
            [
                ("page", Fit::Url),
                ("rollback", Fit::Alert),
                ("restart", Fit::Alert),
                ("high-error-rate", Fit::Name),
                ("b-service", Fit::Service),
                ("a-search", Fit::Search),
                ("api-notes", Fit::Search),
            ]
        );
        assert!(!fits[3].fit.is_guess() && fits[4].fit.is_guess());
        let of_service = library.fits(None, Some("web"));
        assert_eq!(told(&of_service), [("others", Fit::Service)]);
        assert_eq!(library.fits(None, None), []);
    }

    #[test]
    fn what_a_service_lacks_comes_last_and_is_never_preselected() {
        let shipped = |id: &str| {
            let found = crate::runbook::built_in::BOOKS.iter().find(|(name, _)| *name == id);
            let (id, text) = found.unwrap();
            (BookId::from(*id), Arc::new(Book::read(id, "built in", text)))
        };
        let mut library = library(vec![
            shipped("restart-pm2"),
            shipped("restart-supervisor"),
            shipped("restart-systemd"),
            shipped("payment-failures"),
            book("zz-notes", front(&[], &["web"]), ""),
            book("a-speaks", Front::default(), "CheckFailing"),
        ]);
        let fields = BTreeSet::from(["SERVICE_PM2".to_owned(), "SERVICE_OWNER".to_owned()]);
        library.fields = BTreeMap::from([("web".to_owned(), fields)]);
        let alert = Firing { name: "CheckFailing", runbook_url: None };
        let fits = library.fits(Some(&alert), Some("web"));
        let told: Vec<(&str, String, bool)> = fits
            .iter()
            .map(|line| (line.book.as_str(), line.lacks.join(" "), line.is_guess()))
            .collect();
        let told: Vec<(&str, &str, bool)> =
            told.iter().map(|(id, lacks, guess)| (*id, lacks.as_str(), *guess)).collect();
        let last = told.iter().position(|(_, lacks, _)| !lacks.is_empty()).unwrap();
        assert!(told[..last].iter().any(|(id, ..)| *id == "restart-pm2"), "{told:?}");
        assert!(told[..last].iter().any(|(id, ..)| *id == "a-speaks"), "{told:?}");
        assert_eq!(
            told[last..],
            [("restart-supervisor", "supervisor", true), ("restart-systemd", "unit", true)]
        );
        // Of whom nothing is known nothing is said.
        library.fields = BTreeMap::new();
        assert!(library.fits(None, Some("web")).iter().all(|line| line.lacks.is_empty()));
    }

    #[test]
    fn an_address_means_the_file_of_its_path_or_the_name_at_its_end() {
        let library = library(vec![book("HighErrorRate", Front::default(), "")]);
        let is = |url| {
            let alert = Firing { name: "x", runbook_url: Some(url) };
            !library.fits(Some(&alert), None).is_empty()
        };
        for yes in [
            "https://books.example/HighErrorRate",
            "https://books.example/HighErrorRate.md",
            "https://books.example/HighErrorRate/",
            "https://elsewhere.example/wiki/high-error-rate",
            "https://github.com/shop/books/blob/main/HighErrorRate.md#steps",
        ] {
            assert!(is(yes), "{yes}");
        }
        for no in [
            "https://books.example/",
            "https://books.example/other",
            "https://HighErrorRate",
            "",
            "/",
        ] {
            assert!(!is(no), "{no}");
        }
    }

    #[test]
    fn a_search_finds_all_words_and_names_before_texts() {
        let title = Front { title: Some("Roll back the API".into()), ..Front::default() };
        let library = library(vec![
            book("a", Front::default(), "how to ROLL a log, and the api behind it"),
            book("b", title, ""),
            book("c", Front::default(), "roll"),
        ]);
        assert_eq!(told(&library.search("api roll")), [("b", Fit::Search), ("a", Fit::Search)]);
        assert_eq!(library.search("nothing of the kind"), []);
        assert_eq!(library.search("").len(), 3);
    }
}
