//! Trying a runbook out without changing anything: it is checked and planned, its
//! reads up to the first change are run, its pins and checks are asked once.

mod checks;
mod made;
mod reads;

use super::conductor::setting;
use super::masking::Masker;
use crate::config::secret::SecretValue;
use crate::domain::runs::Who;
use crate::domain::{glob, harmless_within, units};
use crate::runbook::lint::lint;
use crate::runbook::plan::plan;
use crate::runbook::{Book, Level};
use crate::runtime::assemble::Assembled;
use crate::runtime::kept::KeptFiles;
use made::Made;
use std::collections::BTreeSet;
use std::time::Duration;

/// A runbook is tried out in this time, or it is broken: at night nobody waits longer
/// for what only looks.
pub const LIMIT: Duration = Duration::from_mins(3);
/// So many things that are broken are named.
const MOST: usize = 40;
/// So much of each.
const LONGEST: usize = 300;

/// How a rehearsal went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// What is broken; nothing where it is empty.
    pub broken: Vec<String>,
    /// What cannot be told now, and is not broken for that.
    pub open: Vec<String>,
    /// The lines that a person has to edit before they can run, and why.
    pub edits: Vec<String>,
    /// So many commands were run: reads, pins, lists of choices.
    pub ran: usize,
    /// So many steps and checks were only planned.
    pub planned: usize,
    /// Why it cannot be rehearsed here at all.
    pub skipped: Option<String>,
}

/// Tries one runbook out. `kept` is where a console keeps its
/// samples. Needs a tokio runtime; dropped before its end, it ends what it runs.
pub async fn rehearse(
    assembled: &Assembled,
    book: &Book,
    who: &Who,
    kept: Option<KeptFiles>,
) -> Rehearsal {
    let mut done = Rehearsal::default();
    let trying = tokio::time::timeout(LIMIT, try_out(assembled, book, who, kept, &mut done));
    if trying.await.is_err() {
        done.broken.push(format!("it was not through after {}", units::duration(LIMIT)));
    }
    // What its commands and sources said may hold what sources have read meanwhile.
    let secrets = assembled.shared.secrets();
    match Masker::new(secrets.iter().map(SecretValue::reveal)) {
        Ok(masker) => done.tidy(&masker),
        Err(why) => {
            let broken = !done.broken.is_empty();
            done.open.clear();
            done.edits.clear();
            done.broken.clear();
            if broken {
                done.broken.push(format!("what it said is not shown: {why}"));
            }
        }
    }
    done
}

impl Rehearsal {
    /// Without secrets, and short.
    fn tidy(&mut self, masker: &Masker) {
        for list in [&mut self.broken, &mut self.open, &mut self.edits] {
            list.truncate(MOST);
            for words in list.iter_mut() {
                *words = harmless_within(&masker.mask(words), LONGEST);
            }
        }
        if let Some(why) = &mut self.skipped {
            *why = harmless_within(&masker.mask(why), LONGEST);
        }
    }
}

async fn try_out(
    assembled: &Assembled,
    book: &Book,
    who: &Who,
    kept: Option<KeptFiles>,
    done: &mut Rehearsal,
) {
    let setting = setting(assembled, who);
    let found = lint(book, &setting.names, assembled.config.runbooks.armed_only);
    let errors = found.iter().filter(|remark| remark.level == Level::Error);
    done.broken = errors.map(|remark| format!("line {}: {}", remark.line, remark.words)).collect();
    if !done.broken.is_empty() {
        return;
    }
    if book.steps.is_empty() {
        done.skipped = Some("it has no steps: it is there to be read".into());
        return;
    }
    let hosts = &book.front.hosts;
    let short = setting.host.split('.').next().unwrap_or_default();
    let here = |pattern: &String| glob(pattern, &setting.host) || glob(pattern, short);
    if !hosts.is_empty() && !hosts.iter().any(here) {
        done.skipped = Some(format!("it may not run on {}", setting.host));
        return;
    }
    let mut made = match Made::of(book, &setting) {
        Ok(made) => made,
        Err(why) => {
            done.skipped = Some(why);
            return;
        }
    };
    made.choose(&setting, done).await;
    done.planned += made.drop_checks();
    let secrets: BTreeSet<String> =
        book.front.params.iter().filter(|it| it.secret).map(|it| it.name.clone()).collect();
    match plan(&made.book, &made.request, &setting, &secrets) {
        Ok(plan) => {
            reads::reads(&plan, &made.stand_ins, done).await;
            checks::checks(assembled, &plan, kept, done).await;
        }
        Err(why) => done.broken.extend(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_at_the_place_where_words_are_cut_is_hidden_before() {
        let masker = Masker::new(["swordfish"]).unwrap();
        let long = format!("{}swordfish", "a".repeat(LONGEST - 4));
        let mut done = Rehearsal {
            broken: vec![long; MOST + 1],
            open: vec!["swordfish".into()],
            skipped: Some("swordfish".into()),
            ..Rehearsal::default()
        };
        done.tidy(&masker);
        assert_eq!((done.broken.len(), done.open[0].as_str()), (MOST, "(hidden)"));
        assert!(!done.broken[0].contains("swor"), "{}", done.broken[0]);
        assert_eq!(done.skipped.as_deref(), Some("(hidden)"));
    }
}
