//! How fast records reach the disk, how long opening takes, and a whole export.
//! The folder is `$OPSROOM_BENCH_FOLDER`, or one below the system's for scratch.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use divan::Bencher;
use divan::counter::ItemsCount;
use opsroom::domain::Timestamp;
use opsroom::domain::runs::{ProcessId, Record, Who, WriterKind};
use opsroom::journal::{Journal, Place, Reader};
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

fn scratch() -> TempDir {
    match std::env::var_os("OPSROOM_BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

async fn open(folder: &Path) -> Journal {
    let process = ProcessId { pid: 1, start: 1, boot: "b".into() };
    let place = Place::own(folder);
    Journal::open(place, WriterKind::Run, Who::default(), process, at()).await.unwrap()
}

fn record() -> Record {
    Record::Acted { who: Who::default(), what: "x".repeat(300) }
}

/// A record, synced to the disk, its head after it.
#[divan::bench(sample_count = 20, sample_size = 20)]
fn append(bencher: Bencher<'_, '_>) {
    let (scratch, runtime) = (scratch(), runtime());
    let journal = runtime.block_on(open(scratch.path()));
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| runtime.block_on(journal.append(at(), record())).unwrap());
}

/// A journal that is there already, opened with its first record.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn open_to_write(bencher: Bencher<'_, '_>) {
    let (scratch, runtime) = (scratch(), runtime());
    let _first = runtime.block_on(open(scratch.path()));
    bencher.bench_local(|| runtime.block_on(open(scratch.path())));
}

/// The same, by somebody who only looks.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn open_to_look(bencher: Bencher<'_, '_>) {
    let (scratch, runtime) = (scratch(), runtime());
    let _first = runtime.block_on(open(scratch.path()));
    bencher.bench_local(|| {
        let reader = Reader::new(Place::own(scratch.path()));
        runtime.block_on(reader.runs(20)).unwrap()
    });
}

fn ten_thousand(runtime: &Runtime) -> TempDir {
    let scratch = scratch();
    runtime.block_on(async {
        let journal = open(scratch.path()).await;
        for _ in 1..10_000 {
            journal.append(at(), record()).await.unwrap();
        }
    });
    scratch
}

/// 10,000 records, read one after the other.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn read_10000(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let scratch = ten_thousand(&runtime);
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        let reader = Reader::new(Place::own(scratch.path()));
        let mut bytes = 0;
        runtime
            .block_on(reader.each(None, |row| {
                bytes += row.record.len();
                true
            }))
            .unwrap();
        bytes
    });
}

/// 10,000 records, each held against its hash.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn verify_10000(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let scratch = ten_thousand(&runtime);
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        let reader = Reader::new(Place::own(scratch.path()));
        let verdict = runtime.block_on(reader.verify(&[])).unwrap();
        assert!(verdict.is_whole());
    });
}
