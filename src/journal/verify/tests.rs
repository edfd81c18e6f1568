use super::*;
use crate::domain::runs::{ProcessId, Who, WriterKind};
use proptest::prelude::*;

/// A journal of some writers, without a disk.
#[derive(Clone, Debug)]
struct Made {
    rows: Vec<Row>,
    kept: Kept,
}

/// A record of each writer in `order`, one after the other; the first one opens.
fn made(order: &[usize]) -> Made {
    let mut rows: Vec<Row> = Vec::new();
    for &writer in order {
        let writer = format!("w{writer}");
        let before = rows.iter().rev().find(|row| row.writer == writer);
        let seq = before.map_or(0, |row| row.seq) + 1;
        let hash = before.map_or(BEFORE_ALL, |row| &row.hash).to_owned();
        let record = if seq == 1 {
            let process = ProcessId { pid: 1, start: 1, boot: "b".into() };
            let version = "0".into();
            Record::Opened { who: Who::default(), kind: WriterKind::Run, process, version }
        } else {
            Record::Acted { who: Who::default(), what: format!("did {seq}") }
        };
        let place = i64::try_from(rows.len()).unwrap() + 1;
        let record = serde_json::to_string(&record).unwrap();
        let mut row = Row { place, writer, seq, at: place * 7, record, hash: String::new() };
        row.hash = row.hash_behind(&hash);
        rows.push(row);
    }
    let mut kept = Kept { journal: Some("j".into()), ..Kept::default() };
    for row in &rows {
        kept.heads.retain(|head| head.writer != row.writer);
        kept.heads.push(Head::from(row));
    }
    Made { rows, kept }
}

fn verdict_on(rows: &[Row], kept: Option<&Kept>, elsewhere: &[(String, Head)]) -> Verdict {
    let mut verifier = Verifier::new(Some("j".into()), kept.cloned(), elsewhere);
    for row in rows {
        let record: Option<Record> = serde_json::from_str(&row.record).ok();
        let (about, run, book) = record.as_ref().map_or((None, None, None), looked_up_by);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (about, run, book) = (owned(about), owned(run), owned(book));
        verifier.take(&Full { row: row.clone(), about, run, book });
    }
    verifier.finish(kept)
}

impl Made {
    fn verdict(&self) -> Verdict {
        verdict_on(&self.rows, Some(&self.kept), &[])
    }

    /// Every hash of a writer anew, from its record `seq` on.
    fn recompute(&mut self, writer: &str) {
        let mut hash = BEFORE_ALL.to_owned();
        for row in self.rows.iter_mut().filter(|row| row.writer == writer) {
            row.hash = row.hash_behind(&hash);
            hash.clone_from(&row.hash);
        }
    }

    /// Places without gaps, as a careful hand would leave them.
    fn close_ranks(&mut self) {
        for (row, place) in self.rows.iter_mut().zip(1..) {
            row.place = place;
        }
    }
}

#[test]
fn an_untouched_journal_is_whole_and_so_is_an_empty_one() {
    let verdict = made(&[0, 1, 0, 0, 2, 1]).verdict();
    assert!(verdict.is_whole(), "{verdict:?}");
    assert_eq!((verdict.records, verdict.heads.len()), (6, 3));
    assert!(verdict_on(&[], None, &[]).is_whole());
}

#[test]
fn a_head_may_lag_by_one_and_by_no_more() {
    let whole = made(&[0, 0, 0, 0]);
    let lag = |by: usize| {
        let kept = Kept { heads: vec![Head::from(&whole.rows[3 - by])], ..whole.kept.clone() };
        verdict_on(&whole.rows, Some(&kept), &[])
    };
    assert!(lag(1).is_whole());
    let verdict = lag(2);
    assert!(verdict.wrong.is_empty());
    let words = "writer w0: its head is record 2, and records 3 to 4 stand behind it, where one \
                 may: that nothing is missing there cannot be proved";
    assert_eq!(verdict.unproved, [words]);
}

#[test]
fn a_missing_tail_is_named() {
    let mut cut = made(&[0, 1, 0, 0, 0]);
    cut.rows.truncate(2);
    let words = "writer w0: records 2 to 4 are missing: the heads name them, and a power cut \
                 loses none unless the disk says that it wrote what it did not";
    assert_eq!(cut.verdict().wrong, [words]);
    cut.rows.clear();
    assert_eq!(cut.verdict().wrong.len(), 2);
    // Other records have taken the places of those that are missing.
    let mut later = made(&[0, 1, 0, 0, 1]);
    later.rows.drain(2..4);
    later.close_ranks();
    later.recompute("w1");
    later.kept.heads = vec![later.kept.heads[0].clone(), Head::from(&later.rows[2])];
    assert_eq!(later.verdict().wrong.len(), 1, "{:?}", later.verdict());
}

#[test]
fn a_missing_middle_is_named() {
    let mut made = made(&[0, 0, 0, 0, 0]);
    made.rows.drain(1..3);
    let wrong = made.verdict().wrong;
    assert_eq!(wrong[0], "records 2 to 3 of the journal are missing");
    assert_eq!(wrong[1], "writer w0: records 2 to 3 are missing");
}

#[test]
fn a_chain_that_was_written_anew_is_noticed_by_its_head() {
    let mut made = made(&[0, 0, 0]);
    made.rows[1].record = made.rows[1].record.replace("did", "hid");
    made.recompute("w0");
    let words = "writer w0: record 3 is not the one that the heads name: the chain up to it was \
                 written anew, or they were changed";
    assert_eq!(made.verdict().wrong, [words]);
    // Whoever writes the heads anew, too, has syslog against them.
    let elsewhere = [("j".to_owned(), made.kept.heads[0].clone())];
    made.kept.heads = vec![Head::from(&made.rows[2])];
    assert!(made.verdict().is_whole());
    let verdict = verdict_on(&made.rows, Some(&made.kept), &elsewhere);
    let words = "writer w0: record 3 is not the one that the heads that were kept elsewhere name: \
                 the chain up to it was written anew, or they were changed";
    assert_eq!(verdict.wrong, [words]);
}

#[test]
fn heads_elsewhere_tell_of_what_was_cut_off_everywhere_else() {
    let whole = made(&[0, 1, 0, 0]);
    let elsewhere: Vec<(String, Head)> =
        whole.rows.iter().map(|row| ("j".to_owned(), Head::from(row))).collect();
    let mut cut = whole.clone();
    cut.rows.truncate(2);
    cut.kept.heads = vec![Head::from(&cut.rows[0]), Head::from(&cut.rows[1])];
    assert!(cut.verdict().is_whole());
    let verdict = verdict_on(&cut.rows, Some(&cut.kept), &elsewhere);
    assert!(verdict.wrong[0].starts_with("writer w0: records 2 to 3 are missing: the heads that"));
    // They prove the ends where the file of heads is gone.
    assert!(verdict_on(&whole.rows, None, &elsewhere).is_whole());
    let others: Vec<_> = elsewhere.iter().map(|(_, head)| ("k".into(), head.clone())).collect();
    let verdict = verdict_on(&whole.rows, Some(&whole.kept), &others);
    let words = "the heads that were kept elsewhere are all of another journal (k)";
    assert_eq!(verdict.unproved, [words]);
}

#[test]
fn without_heads_the_end_cannot_be_proved() {
    let whole = made(&[0, 1, 0]);
    let words = "there are no heads: that nothing is missing at the end cannot be proved";
    assert_eq!(verdict_on(&whole.rows, None, &[]).unproved, [words]);
    let mut one = whole.kept.clone();
    one.heads.remove(0);
    let words = "writer w1: no head names it: that nothing is missing at its end cannot be proved";
    assert_eq!(verdict_on(&whole.rows, Some(&one), &[]).unproved, [words]);
    let odd = Kept { odd: vec![4], ..whole.kept.clone() };
    let verdict = verdict_on(&whole.rows, Some(&odd), &[]);
    assert_eq!(verdict.unproved, ["line 4 of the heads cannot be read"]);
    let other = Kept { journal: Some("k".into()), ..whole.kept };
    let verdict = verdict_on(&whole.rows, Some(&other), &[]);
    assert_eq!(verdict.wrong, ["the heads are of another journal (k, this is j)"]);
}

#[test]
fn a_record_that_is_filed_wrongly_is_found() {
    let whole = made(&[0, 0]);
    let mut verifier = Verifier::new(Some("j".into()), Some(whole.kept.clone()), &[]);
    for row in whole.rows {
        let about = (row.seq == 2).then(|| "ended".to_owned());
        verifier.take(&Full { row, about, run: None, book: None });
    }
    let verdict = verifier.finish(Some(&whole.kept));
    assert_eq!(verdict.wrong, ["writer w0: record 2 is filed under what it does not say"]);
}

#[test]
fn a_chain_begins_with_the_record_that_opens_it() {
    let mut made = made(&[0, 0, 0]);
    made.rows.remove(0);
    for (row, seq) in made.rows.iter_mut().zip(1..) {
        row.seq = seq;
    }
    made.close_ranks();
    made.recompute("w0");
    made.kept.heads = vec![Head::from(&made.rows[1])];
    let words = "writer w0: record 1 is not the one that opens a chain";
    assert_eq!(made.verdict().wrong, [words]);
}

/// A change that somebody makes to a journal.
#[derive(Clone, Debug)]
enum Change {
    /// A bit of a byte of one of its texts or numbers.
    Bit {
        row: prop::sample::Index,
        part: u8,
        byte: prop::sample::Index,
        bit: u8,
    },
    Delete {
        row: prop::sample::Index,
        close_ranks: bool,
    },
    /// Two records stand in each other's places.
    Swap {
        a: prop::sample::Index,
        b: prop::sample::Index,
    },
    Cut {
        from: prop::sample::Index,
    },
    Twice {
        row: prop::sample::Index,
        to: prop::sample::Index,
        close_ranks: bool,
    },
    /// A text is changed, and the chain is written anew behind it.
    Rewrite {
        row: prop::sample::Index,
    },
    /// A whole chain is gone.
    Writer {
        row: prop::sample::Index,
    },
    /// A record is slipped in, its hash fitting, those behind it not.
    Slip {
        row: prop::sample::Index,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), 0..6_u8, index(), 0..7_u8)
            .prop_map(|(row, part, byte, bit)| Change::Bit { row, part, byte, bit }),
        1 => (index(), any::<bool>())
            .prop_map(|(row, close_ranks)| Change::Delete { row, close_ranks }),
        1 => (index(), index()).prop_map(|(a, b)| Change::Swap { a, b }),
        1 => index().prop_map(|from| Change::Cut { from }),
        1 => (index(), index(), any::<bool>())
            .prop_map(|(row, to, close_ranks)| Change::Twice { row, to, close_ranks }),
        1 => index().prop_map(|row| Change::Rewrite { row }),
        1 => index().prop_map(|row| Change::Writer { row }),
        1 => index().prop_map(|row| Change::Slip { row }),
    ]
}

fn flip(text: &mut String, byte: prop::sample::Index, bit: u8) {
    let mut bytes = std::mem::take(text).into_bytes();
    let at = byte.index(bytes.len());
    bytes[at] ^= 1 << bit;
    *text = String::from_utf8(bytes).unwrap();
}

impl Made {
    fn change(&mut self, change: &Change) {
        let count = self.rows.len();
        match change {
            Change::Bit { row, part, byte, bit } => {
                let row = row.get_mut(&mut self.rows);
                match part {
                    0 => row.place ^= 1 << bit,
                    1 => flip(&mut row.writer, *byte, *bit),
                    2 => row.seq ^= 1 << bit,
                    3 => row.at ^= 1 << bit,
                    4 => flip(&mut row.record, *byte, *bit),
                    _ => flip(&mut row.hash, *byte, *bit),
                }
            }
            Change::Delete { row, close_ranks } => {
                self.rows.remove(row.index(count));
                if *close_ranks {
                    self.close_ranks();
                }
            }
            Change::Swap { a, b } => {
                self.rows.swap(a.index(count), b.index(count));
                self.close_ranks();
            }
            Change::Cut { from } => self.rows.truncate(from.index(count)),
            Change::Twice { row, to, close_ranks } => {
                let again = row.get(&self.rows).clone();
                self.rows.insert(to.index(count), again);
                if *close_ranks {
                    self.close_ranks();
                }
            }
            Change::Rewrite { row } => {
                let row = row.get_mut(&mut self.rows);
                row.at += 1;
                let writer = row.writer.clone();
                self.recompute(&writer);
            }
            Change::Writer { row } => {
                let writer = row.get(&self.rows).writer.clone();
                self.rows.retain(|row| row.writer != writer);
                self.close_ranks();
            }
            Change::Slip { row } => {
                // Behind the last one it would stand as if its writer had gone on:
                // only who knows the writer can tell.
                let at = row.index(count);
                let goes_on = |it: &Row| it.writer == self.rows[at].writer;
                if !self.rows[at + 1..].iter().any(goes_on) {
                    return;
                }
                let mut more = self.rows[at].clone();
                more.seq += 1;
                more.place += 1;
                more.record = r#"{"acted":{"who":{"user":"","uid":0,"login":null,"host":"","from":null},"what":"x"}}"#.into();
                more.hash = more.hash_behind(&self.rows[at].hash);
                self.rows.insert(at + 1, more);
                self.close_ranks();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_change_is_found(
        order in prop::collection::vec(0..4_usize, 1..24),
        changes in prop::collection::vec(change(), 1..3),
    ) {
        let whole = made(&order);
        let mut changed = whole.clone();
        for change in &changes {
            if !changed.rows.is_empty() {
                changed.change(change);
            }
        }
        if changed.rows == whole.rows {
            prop_assert!(changed.verdict().is_whole());
        } else {
            let verdict = changed.verdict();
            prop_assert!(!verdict.wrong.is_empty(), "{changes:?} {verdict:?}");
        }
    }

    #[test]
    fn odd_files_of_heads_never_stop_it(text in prop::collection::vec(any::<u8>(), 0..600)) {
        let whole = made(&[0, 0]);
        let _ = verdict_on(&whole.rows, Some(&Kept::of(&text)), &[]);
    }
}
