//! The runbooks of a practice, the tools that they use, and its alert rules, in its folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What lies in its `runbooks`. `rollback` is the one that ships.
const BOOKS: [(&str, &str); 7] = [
    ("database-trouble", include_str!("runbooks/database-trouble.md")),
    ("error-budget", include_str!("runbooks/error-budget.md")),
    ("payment-failures", include_str!("runbooks/payment-failures.md")),
    ("restore-orders", include_str!("runbooks/restore-orders.md")),
    ("rollback", include_str!("../../runbooks/rollback.md")),
    ("server-down", include_str!("runbooks/server-down.md")),
    ("slowness", include_str!("runbooks/slowness.md")),
];

/// Alerts that the shop's people wrote themselves.
const RULES: &str = include_str!("rules/shop.yml");

/// Where its tools lie.
pub(super) fn tools(practice: &Path) -> PathBuf {
    practice.join("bin")
}

/// Writes them; the tools are words of this `program`.
pub(super) fn write(practice: &Path, program: &Path) -> io::Result<()> {
    let books = practice.join("runbooks");
    fs::create_dir(&books)?;
    for (name, text) in BOOKS {
        put(&books.join(format!("{name}.md")), 0o600, text)?;
    }
    let rules = practice.join("rules");
    fs::create_dir(&rules)?;
    put(&rules.join("shop.yml"), 0o600, RULES)?;
    let tools = tools(practice);
    fs::create_dir(&tools)?;
    for name in ["shopctl", "deployctl"] {
        let program = shell_word(&program.to_string_lossy());
        let folder = shell_word(&practice.to_string_lossy());
        let text =
            format!("#!/bin/sh\nexec {program} practice-tool --folder {folder} -- {name} \"$@\"\n");
        put(&tools.join(name), 0o700, &text)?;
    }
    Ok(())
}

fn put(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

/// One word for a shell, whatever is in it.
pub(super) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::{Book, Fit, Library, library::Firing};
    use std::sync::Arc;

    #[test]
    fn its_rules_are_sound_and_lead_to_a_runbook_of_it() {
        let file = crate::rules::read(RULES.as_bytes(), crate::rules::Names::Utf8);
        assert!(file.mistakes.is_empty(), "{:?}", file.mistakes);
        let linked = RULES.lines().filter_map(|line| line.split_once("/runbooks/"));
        for (_, name) in linked {
            let name = name.trim_end_matches('\'');
            assert!(BOOKS.iter().any(|(book, _)| *book == name), "{name}");
        }
    }

    #[test]
    fn its_runbooks_are_sound_and_each_fault_has_the_one_that_fits() {
        let mut library = Library::default();
        for (name, text) in BOOKS {
            let book = Book::read(name, "built in", text);
            assert!(book.remarks.is_empty(), "{name}: {:#?}", book.remarks);
            library.books.insert(book.id.clone(), Arc::new(book));
        }
        for (alert, service, first) in [
            ("CheckoutBudgetBurn", "web", "error-budget"),
            ("HighErrorRate", "api", "rollback"),
            ("CheckFailing", "api", "server-down"),
            ("CheckFailing", "payments", "payment-failures"),
            ("HighLatency", "db", "database-trouble"),
            ("HighLatency", "api", "slowness"),
        ] {
            let firing = Firing { name: alert, runbook_url: None };
            let fits = library.fits(Some(&firing), Some(service));
            let best = fits.first().map(|line| (line.book.as_str(), line.fit));
            assert_eq!(best, Some((first, Fit::Alert)), "{alert} of {service}");
        }
    }
}
