//! Holds every chain against its hashes, against the heads, and against heads
//! that were kept elsewhere.

use super::JournalError;
use super::chain::{BEFORE_ALL, Row};
use super::heads::{Head, Kept};
use super::read::Reader;
use super::words::{read_error, reason};
use super::writer::looked_up_by;
use crate::domain::harmless_within;
use crate::domain::runs::Record;
use futures_util::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// So many findings of a kind are told one by one.
const TOLD: usize = 200;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The journal's name; none where there is none.
    pub journal: Option<String>,
    /// So many records were read.
    pub records: u64,
    /// The end of each chain as it lies there.
    pub heads: Vec<Head>,
    /// What was changed, is missing or is damaged. In words.
    pub wrong: Vec<String>,
    /// What can't be proved. In words.
    pub unproved: Vec<String>,
}

/// Them as they are asked for.
type Columns =
    (i64, String, i64, i64, String, String, Option<String>, Option<String>, Option<String>);

/// A record and what it is looked up by.
pub(super) struct Full {
    pub(super) row: Row,
    pub(super) about: Option<String>,
    pub(super) run: Option<String>,
    pub(super) book: Option<String>,
}

/// What is known of a chain while it is read.
#[derive(Debug)]
struct Course {
    /// The last record and the one before.
    last: Head,
    before: Option<Head>,
}

/// Goes through the records in the order of their places.
#[derive(Debug)]
pub(super) struct Verifier {
    journal: Option<String>,
    /// The heads as they were before the records were read: none leads.
    early: Option<Kept>,
    /// Heads that were kept elsewhere, of this journal.
    elsewhere: Vec<Head>,
    /// Records of which a head is known, and where from.
    wanted: BTreeMap<(String, i64), Vec<(String, &'static str)>>,
    courses: BTreeMap<String, Course>,
    place: i64,
    verdict: Verdict,
}

const OF_FILE: &str = "the heads";
const OF_ELSEWHERE: &str = "the heads that were kept elsewhere";

impl Verifier {
    /// `elsewhere` are heads with the journals they name.
    pub(super) fn new(
        journal: Option<String>,
        early: Option<Kept>,
        elsewhere: &[(String, Head)],
    ) -> Self {
        let mut verifier = Self {
            early,
            elsewhere: Vec::new(),
            wanted: BTreeMap::new(),
            courses: BTreeMap::new(),
            place: 0,
            verdict: Verdict::default(),
            journal,
        };
        verifier.compare_names(elsewhere);
        let early = verifier.early.iter().flat_map(|kept| &kept.heads);
        let known = early.map(|head| (head, OF_FILE));
        let all = known.chain(verifier.elsewhere.iter().map(|head| (head, OF_ELSEWHERE)));
        for (head, from) in all {
            let wanted = verifier.wanted.entry((head.writer.clone(), head.seq)).or_default();
            wanted.push((head.hash.clone(), from));
        }
        verifier
    }

    /// Which journal this is, as its parts say.
    fn compare_names(&mut self, elsewhere: &[(String, Head)]) {
        let of_heads = self.early.as_ref().and_then(|kept| kept.journal.clone());
        if let (Some(own), Some(other)) = (&self.journal, &of_heads)
            && own != other
        {
            let other = harmless_within(other, 40);
            self.wrong(format!("the heads are of another journal ({other}, this is {own})"));
        }
        let name = self.journal.clone().or(of_heads);
        let is_of_this = |journal: &String| name.as_ref().is_none_or(|name| name == journal);
        let ours = elsewhere.iter().filter(|(journal, _)| is_of_this(journal));
        self.elsewhere = ours.map(|(_, head)| head.clone()).collect();
        if !elsewhere.is_empty() && self.elsewhere.is_empty() {
            let others: BTreeSet<&str> = elsewhere.iter().map(|(it, _)| it.as_str()).collect();
            let others = others.into_iter().take(3).collect::<Vec<_>>().join(", ");
            self.unproved(format!(
                "the heads that were kept elsewhere are all of another journal ({})",
                harmless_within(&others, 60)
            ));
        }
        self.verdict.journal = name;
    }

    fn wrong(&mut self, words: String) {
        tell(&mut self.verdict.wrong, words);
    }

    fn unproved(&mut self, words: String) {
        tell(&mut self.verdict.unproved, words);
    }

    pub(super) fn take(&mut self, full: &Full) {
        let row = &full.row;
        let writer = harmless_within(&row.writer, 40);
        self.verdict.records += 1;
        if row.place != self.place + 1 {
            let (from, to) = (self.place + 1, row.place - 1);
            self.wrong(format!(
                "{} of the journal {} missing",
                span(from, to),
                is_or_are(from, to)
            ));
        }
        self.place = row.place;
        let course = self.courses.get(&row.writer);
        let (seq, hash) = course.map_or((0, BEFORE_ALL), |it| (it.last.seq, it.last.hash.as_str()));
        let follows = row.seq == seq + 1;
        let intact = row.hash_behind(hash) == row.hash;
        if row.seq <= seq {
            self.wrong(format!(
                "writer {writer}: record {} stands behind record {seq}, where it does not belong",
                row.seq
            ));
            // The chain goes on from where it was.
            return;
        }
        if !follows {
            let (from, to) = (seq + 1, row.seq - 1);
            self.wrong(format!(
                "writer {writer}: {} {} missing",
                span(from, to),
                is_or_are(from, to)
            ));
        } else if !intact {
            self.wrong(format!(
                "writer {writer}: record {} (place {}) was changed, or the one before it",
                row.seq, row.place
            ));
        }
        self.compare_lookup(full, &writer);
        for (known, from) in self.wanted.remove(&(row.writer.clone(), row.seq)).unwrap_or_default()
        {
            if known != row.hash {
                self.wrong(format!(
                    "writer {writer}: record {} is not the one that {from} name: the chain up to \
                     it was written anew, or they were changed",
                    row.seq
                ));
            }
        }
        let last = Head::from(row);
        match self.courses.get_mut(&row.writer) {
            Some(course) => course.before = Some(std::mem::replace(&mut course.last, last)),
            None => {
                self.courses.insert(row.writer.clone(), Course { last, before: None });
            }
        }
    }

    /// What a record is found by must be what it says.
    fn compare_lookup(&mut self, full: &Full, writer: &str) {
        let row = &full.row;
        let Ok(record) = serde_json::from_str::<Record>(&row.record) else {
            // Its hash has told whether it was changed.
            self.unproved(format!(
                "writer {writer}: record {} is of a kind that this opsroom does not know",
                row.seq
            ));
            return;
        };
        let columns = (full.about.as_deref(), full.run.as_deref(), full.book.as_deref());
        if looked_up_by(&record) != columns {
            self.wrong(format!(
                "writer {writer}: record {} is filed under what it does not say",
                row.seq
            ));
        }
        if (row.seq == 1) != matches!(record, Record::Opened { .. }) {
            self.wrong(format!(
                "writer {writer}: record {} {} the one that opens a chain",
                row.seq,
                if row.seq == 1 { "is not" } else { "is" }
            ));
        }
    }

    /// `late` are the heads as they were after the records had been read: none
    /// lags by more than one.
    pub(super) fn finish(mut self, late: Option<&Kept>) -> Verdict {
        // What a head names and nothing was found of.
        let ends: BTreeMap<String, i64> =
            self.courses.iter().map(|(writer, it)| (writer.clone(), it.last.seq)).collect();
        let missing: Vec<(String, i64, &str)> = std::mem::take(&mut self.wanted)
            .into_iter()
            .filter(|((_, seq), _)| *seq > 0)
            .filter_map(|((writer, seq), from)| Some((writer, seq, from.first()?.1)))
            .collect();
        let mut longest: BTreeMap<String, (i64, &str)> = BTreeMap::new();
        for (writer, seq, from) in missing {
            let end = ends.get(&writer).copied().unwrap_or(0);
            // One within the chain is missing there, and was told.
            if seq > end && longest.get(&writer).is_none_or(|(known, _)| *known < seq) {
                longest.insert(writer, (seq, from));
            }
        }
        for (writer, (seq, from)) in longest {
            let first = ends.get(&writer).copied().unwrap_or(0) + 1;
            let writer = harmless_within(&writer, 40);
            self.wrong(format!(
                "writer {writer}: {} {} missing: {from} name them, and a power cut loses none \
                 unless the disk says that it wrote what it did not",
                span(first, seq),
                is_or_are(first, seq)
            ));
        }
        self.prove_ends(late);
        self.verdict.heads = self.courses.into_values().map(|course| course.last).collect();
        self.verdict
    }

    /// Whether each chain ends where a head says.
    fn prove_ends(&mut self, late: Option<&Kept>) {
        if let Some(kept) = late {
            for line in &kept.odd {
                let words = format!("line {line} of the heads cannot be read");
                tell(&mut self.verdict.unproved, words);
            }
        }
        let mut named: BTreeMap<&str, Vec<&Head>> = BTreeMap::new();
        let kept = late.iter().flat_map(|kept| &kept.heads).chain(&self.elsewhere);
        for head in kept {
            named.entry(&head.writer).or_default().push(head);
        }
        let mut unnamed = Vec::new();
        let mut words = Vec::new();
        for (writer, course) in &self.courses {
            let shown = harmless_within(writer, 40);
            let Some(heads) = named.get(writer.as_str()) else {
                unnamed.push(shown);
                continue;
            };
            let end = course.last.seq;
            let newest = heads.iter().map(|head| head.seq).max().unwrap_or(0);
            if newest + 1 < end {
                words.push(format!(
                    "writer {shown}: its head is record {newest}, and {} stand behind it, where \
                     one may: that nothing is missing there cannot be proved",
                    span(newest + 1, end)
                ));
            }
            let differs = |head: &&&Head| {
                let known = [Some(&course.last), course.before.as_ref()];
                known.into_iter().flatten().any(|it| it.seq == head.seq && it.hash != head.hash)
            };
            if heads.iter().any(|head| differs(&head)) {
                let begin = format!("writer {shown}: record");
                let told = self.verdict.wrong.iter().any(|it| it.starts_with(&begin));
                if !told {
                    self.verdict.wrong.push(format!(
                        "writer {shown}: its head names another record than the one that stands \
                         there"
                    ));
                }
            }
        }
        for words in words {
            self.unproved(words);
        }
        let count = unnamed.len();
        if late.is_none_or(|kept| kept.heads.is_empty()) && count > 0 && self.elsewhere.is_empty() {
            self.unproved(
                "there are no heads: that nothing is missing at the end cannot be proved".into(),
            );
            return;
        }
        for writer in unnamed {
            self.unproved(format!(
                "writer {writer}: no head names it: that nothing is missing at its end cannot be \
                 proved"
            ));
        }
    }
}

/// Adds a finding, as long as somebody would read it.
fn tell(to: &mut Vec<String>, words: String) {
    match to.len() {
        TOLD => to.push("and more".into()),
        more if more > TOLD => {}
        _ => to.push(words),
    }
}

fn span(from: i64, to: i64) -> String {
    if from == to { format!("record {from}") } else { format!("records {from} to {to}") }
}

fn is_or_are(from: i64, to: i64) -> &'static str {
    if from == to { "is" } else { "are" }
}

impl Reader {
    /// Holds the journal against its hashes and heads, and against heads that
    /// were kept elsewhere, each with the journal that it names. A database that
    /// cannot be read is a finding, not an error.
    pub async fn verify(&self, elsewhere: &[(String, Head)]) -> Result<Verdict, JournalError> {
        let heads = || {
            Kept::read(&self.place().heads()).map_err(|error| JournalError::Place {
                folder: self.place().folder.clone(),
                why: reason(&error),
            })
        };
        let early = heads()?;
        let mut verifier = None;
        let read = self.go_through(&mut verifier, early.clone(), elsewhere).await;
        let verifier = verifier.unwrap_or_else(|| Verifier::new(None, early, elsewhere));
        let mut verdict = verifier.finish(heads()?.as_ref());
        match read {
            Err(JournalError::Read(why)) => {
                // What comes behind the damage was not seen, and is not known to be missing.
                verdict.wrong.retain(|words| !words.contains(" missing: "));
                verdict.wrong.insert(0, why);
                Ok(verdict)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(verdict),
        }
    }

    async fn go_through(
        &self,
        verifier: &mut Option<Verifier>,
        early: Option<Kept>,
        elsewhere: &[(String, Head)],
    ) -> Result<(), JournalError> {
        let mut open = self.open.lock().await;
        let Some(db) = self.db(&mut open).await? else { return Ok(()) };
        let check = sqlx::query_scalar::<_, String>("PRAGMA integrity_check(5)");
        let check = check.fetch_all(&mut *db).await.map_err(read_error)?;
        let id =
            sqlx::query_scalar("SELECT id FROM journal LIMIT 1").fetch_optional(&mut *db).await;
        let verifier = verifier.insert(Verifier::new(id.map_err(read_error)?, early, elsewhere));
        for words in check.iter().filter(|words| *words != "ok") {
            verifier.wrong(format!("journal.sqlite is damaged: {}", harmless_within(words, 200)));
        }
        let all = "SELECT place, writer, seq, at, record, hash, about, run, book
                   FROM records NOT INDEXED ORDER BY place";
        let mut rows = sqlx::query_as::<_, Columns>(all).fetch(db);
        while let Some(columns) = rows.try_next().await.map_err(read_error)? {
            let (place, writer, seq, at, record, hash, about, run, book) = columns;
            let row = Row { place, writer, seq, at, record, hash };
            verifier.take(&Full { row, about, run, book });
        }
        Ok(())
    }
}

impl Verdict {
    /// All of it is as it was written, as far as anybody can tell.
    pub fn is_whole(&self) -> bool {
        self.wrong.is_empty() && self.unproved.is_empty()
    }
}

#[cfg(test)]
mod tests;
