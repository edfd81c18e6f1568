use super::heads::Kept;
use super::*;
use crate::domain::runs::fixtures::{self, process};
use crate::domain::runs::{CommandStep, How, Plan, RunOutcome, StepId, StepKind};
use std::future::Future;
use std::path::Path;
use std::time::Duration;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn who(uid: u32) -> Who {
    Who { user: format!("u{uid}"), uid, login: None, host: "h".into(), from: None }
}

async fn open(folder: &Path) -> Journal {
    let place = Place::own(folder);
    Journal::open(place, WriterKind::Run, who(1), process(1), at(0)).await.unwrap()
}

fn started(target: &str, changes: bool) -> RunRecord {
    let command = CommandStep { changes, ..fixtures::command("true") };
    let steps = vec![fixtures::step(1, "it", StepKind::Command(command))];
    let plan = Plan { armed_only: true, target: target.into(), ..fixtures::plan(steps) };
    RunRecord::Started {
        who: who(1),
        plan: Box::new(plan),
        process: process(1),
        before: Vec::new(),
    }
}

fn ended() -> RunRecord {
    RunRecord::Ended { outcome: RunOutcome::Proved, reason: String::new(), proof: None }
}

fn acted(what: &str) -> Record {
    Record::Acted { who: who(1), what: what.into() }
}

fn of(run: &str, what: RunRecord) -> Record {
    Record::Run { run: run.into(), what }
}

#[tokio::test]
async fn a_record_is_found_again_and_its_head_stands_in_the_second_file() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("a/b");
    let journal = open(&folder).await;
    let first = journal.append(at(5), acted("looked")).await.unwrap();
    assert_eq!((first.place, first.seq, first.at), (2, 2, at(5)));
    let reader = Reader::new(Place::own(&folder));
    let rows = reader.newest(None, 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].clone().entry().unwrap(), first);
    assert!(matches!(rows[0].clone().entry().unwrap().record, Record::Opened { .. }));
    let kept = Kept::read(&journal.place().heads()).unwrap().unwrap();
    assert_eq!(kept.odd, Vec::<usize>::new());
    assert_eq!(kept.heads.len(), 1);
    assert_eq!((kept.heads[0].seq, &kept.heads[0].hash), (2, &first.hash));
}

#[tokio::test]
async fn who_does_nothing_stands_in_no_chain() {
    let scratch = tempfile::tempdir().unwrap();
    let quiet = || async {
        let place = Place::own(scratch.path());
        Journal::quiet(place, WriterKind::Run, who(1), process(1), at(1)).await.unwrap()
    };
    let (one, other) = (quiet().await, quiet().await);
    one.fresh_run_id().await.unwrap();
    let reader = Reader::new(Place::own(scratch.path()));
    assert_eq!(reader.newest(None, 10).await.unwrap(), []);
    let second = other.append(at(9), acted("looked")).await.unwrap();
    assert_eq!((second.place, second.seq), (2, 2));
    let rows = reader.newest(None, 10).await.unwrap();
    let first = rows[0].clone().entry().unwrap();
    assert!(matches!(first.record, Record::Opened { .. }));
    assert_eq!((first.at, rows.len()), (at(1), 2));
    let kept = Kept::read(&one.place().heads()).unwrap().unwrap();
    assert_eq!((kept.heads.len(), kept.heads[0].seq), (1, 2));
    assert_eq!(reader.verify(&[]).await.unwrap().wrong, [""; 0]);
}

#[tokio::test]
async fn looking_makes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let reader = Reader::new(Place::own(scratch.path()));
    assert!(!reader.is_there());
    assert!(reader.runs(10).await.unwrap().is_empty());
    assert!(reader.past(&BTreeMap::new()).await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    // It is seen as soon as it is there.
    open(scratch.path()).await;
    assert_eq!(reader.newest(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_files_are_for_their_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("state");
    let journal = open(&folder).await;
    let run = journal.fresh_run_id().await.unwrap();
    assert_eq!(run.as_str().len(), 4);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&journal.place().run(&run)), 0o700);
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            assert_eq!(mode(&path), 0o600, "{path:?}");
        }
    }
}

#[tokio::test]
async fn one_changing_run_at_a_time_holds_a_target() {
    let scratch = tempfile::tempdir().unwrap();
    let (li, wang) = (open(scratch.path()).await, open(scratch.path()).await);
    li.begin(at(1), "aaaa".into(), started("service/api", true)).await.unwrap();
    let held = wang.begin(at(2), "bbbb".into(), started("service/api", true)).await.unwrap_err();
    let words = "service/api is held by run aaaa of u1, since 1970-01-01T00:00:01.000Z: \
                 go on with it (opsroom attach aaaa), or end it there (abandon)";
    assert_eq!(held.to_string(), words);
    assert!(wang.of_run(&"bbbb".into(), 0).await.unwrap().is_empty());
    // Another target, and a run that only reads, are free.
    wang.begin(at(3), "cccc".into(), started("service/web", true)).await.unwrap();
    wang.begin(at(3), "dddd".into(), started("service/api", false)).await.unwrap();
    li.append(at(4), of("aaaa", ended())).await.unwrap();
    wang.begin(at(5), "bbbb".into(), started("service/api", true)).await.unwrap();
    let again = wang.begin(at(6), "aaaa".into(), started("host/h", true)).await.unwrap_err();
    assert!(matches!(again, BeginError::Journal(JournalError::Write(_))), "{again}");
}

#[tokio::test]
async fn of_many_that_begin_at_once_one_does() {
    let scratch = tempfile::tempdir().unwrap();
    let mut begun = tokio::task::JoinSet::new();
    for number in 0..8 {
        let journal = open(scratch.path()).await;
        let run = RunId::from(format!("run{number}"));
        begun.spawn(async move { journal.begin(at(1), run, started("service/api", true)).await });
    }
    let begun = begun.join_all().await;
    assert_eq!(begun.iter().filter(|begun| begun.is_ok()).count(), 1, "{begun:?}");
}

#[tokio::test]
async fn a_run_is_taken_up_once_and_only_from_the_dead() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = open(scratch.path()).await;
    let run = RunId::from("aaaa");
    let take = |number: u32, dead: u32| {
        let (journal, run) = (journal.clone(), run.clone());
        async move {
            let is_dead = move |process: &ProcessId| process.pid == dead;
            journal.take_up(at(2), &run, who(1), process(number), is_dead).await
        }
    };
    assert!(matches!(take(2, 1).await, Err(TakeUpError::NotThere(_))));
    journal.begin(at(1), run.clone(), started("service/api", true)).await.unwrap();
    assert!(
        matches!(take(2, 9).await, Err(TakeUpError::Alive { process, .. }) if process.pid == 1)
    );
    let both = tokio::join!(take(2, 1), take(3, 1));
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    let entries = journal.of_run(&run, 0).await.unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(journal.of_run(&run, entries[0].place).await.unwrap(), entries[1..]);
    journal.append(at(3), of("aaaa", ended())).await.unwrap();
    let last = if both.0.is_ok() { 2 } else { 3 };
    assert!(matches!(take(4, last).await, Err(TakeUpError::Ended(_))));
}

#[tokio::test]
async fn runs_and_what_was_done_with_books_before() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = open(scratch.path()).await;
    for (number, run) in ["aaaa", "bbbb", "cccc"].into_iter().enumerate() {
        let when = at(10 * i64::try_from(number).unwrap());
        journal.begin(when, run.into(), started("host/h", false)).await.unwrap();
        journal.append(when, of(run, ended())).await.unwrap();
    }
    let runs = journal.runs(2).await.unwrap();
    let first = |entries: &Vec<Entry>| (entries[0].at, entries.len());
    assert_eq!(runs.iter().map(first).collect::<Vec<_>>(), [(at(20), 2), (at(10), 2)]);
    let rehearsed = |hash: &str, broken: &[&str]| Record::Rehearsed {
        book: "book".into(),
        hash: hash.into(),
        broken: broken.iter().map(|&it| it.into()).collect(),
    };
    journal.append(at(30), rehearsed("aa", &[])).await.unwrap();
    journal.append(at(40), rehearsed("bb", &["host is gone"])).await.unwrap();
    let book = BookId::from("book");
    let past = journal.past(&BTreeMap::new()).await.unwrap();
    assert_eq!(past[&book].run, Some((at(20), Some(RunOutcome::Proved))));
    assert_eq!(past[&book].rehearsed, Some((at(40), vec!["host is gone".into()])));
    let texts = BTreeMap::from([(book.clone(), "aa".to_owned())]);
    let of_this = Reader::new(Place::own(scratch.path())).past(&texts).await.unwrap();
    assert_eq!(of_this[&book].rehearsed, Some((at(30), Vec::new())));
}

#[tokio::test]
async fn the_newest_arming_counts_until_it_ends() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = open(scratch.path()).await;
    let arm = |uid: u32, from: i64| {
        Record::Armed(Arming {
            who: who(uid),
            environment: "production".into(),
            reason: "why".into(),
            at: at(from),
            until: at(from + 60),
            boot: ("b".into(), 60_000),
        })
    };
    let now =
        |seconds: i64| Moment { at: at(seconds), boot: "b".into(), since_boot: Duration::ZERO };
    let armed = async |uid: u32, seconds: i64| {
        let armed = journal.armed(&who(uid), "production", &now(seconds)).await.unwrap();
        armed.map(|armed| armed.at)
    };
    assert_eq!(armed(1, 0).await, None);
    journal.append(at(0), arm(1, 0)).await.unwrap();
    journal.append(at(1), arm(2, 1)).await.unwrap();
    assert_eq!(armed(1, 59).await, Some(at(0)));
    assert_eq!(armed(1, 60).await, None);
    assert_eq!(armed(2, 60).await, Some(at(1)));
    let environment = "production".to_owned();
    let disarmed = Record::Disarmed { who: who(1), environment, why: "by hand".into() };
    journal.append(at(5), disarmed).await.unwrap();
    assert_eq!(armed(1, 6).await, None);
    assert_eq!(armed(2, 6).await, Some(at(1)));
}

#[tokio::test]
async fn an_appending_that_nobody_waits_for_is_carried_out() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = open(scratch.path()).await;
    let mut dropped = Box::pin(journal.append(at(1), acted("dropped")));
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(dropped.as_mut().poll(&mut nobody).is_pending());
    drop(dropped);
    let next = journal.append(at(2), acted("next")).await.unwrap();
    assert_eq!(next.seq, 3);
}

#[tokio::test]
async fn a_record_of_any_size_is_not_taken() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = open(scratch.path()).await;
    let refused = journal.append(at(1), acted(&"x".repeat(5 << 20))).await.unwrap_err();
    let words = "the journal cannot be written: a record of 5 MiB; the most is 4";
    assert_eq!(refused.to_string(), words);
    let what = RunRecord::Confirmed { step: StepId(1), who: who(1), how: How::Key };
    assert!(journal.append(at(1), of("aaaa", what)).await.is_ok());
}

#[tokio::test]
async fn what_nobody_could_find_again_is_not_recorded() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = open(scratch.path()).await;
    std::fs::remove_file(journal.place().database()).unwrap();
    assert!(journal.append(at(1), acted("lost")).await.is_err());
    open(scratch.path()).await;
    let error = journal.append(at(1), acted("lost")).await.unwrap_err();
    let words = "the journal cannot be written: another was put in its place";
    assert_eq!(error.to_string(), words);
}
