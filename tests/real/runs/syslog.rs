//! The heads of the chains in syslog: whoever may write the journal can cut its
//! tail or write a whole chain anew, heads and all, and syslog's lines tell of both.

use super::house::{House, Said};
use super::kills::drive;
use opsroom::journal::{Head, Kept, Row};
use opsroom::runbook::Order;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, SqliteConnection};
use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Takes what is told to syslog, and keeps it as a syslog does.
struct Syslog {
    lines: Arc<Mutex<String>>,
}

impl Syslog {
    fn open(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let lines = Arc::<Mutex<String>>::default();
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let text = text.strip_prefix("<86>").unwrap();
                writeln!(kept.lock().unwrap(), "Nov 21 03:16:00 host {text}").unwrap();
            }
        });
        Self { lines }
    }

    /// All lines, once this was told.
    async fn lines(&self, told: &str) -> String {
        let lines = || self.lines.lock().unwrap().clone();
        crate::support::until(told, || async { lines().contains(told) }).await;
        lines()
    }
}

/// A journal under the hands of somebody who may write all of its files.
struct Forger<'h> {
    house: &'h House,
    db: SqliteConnection,
    rows: Vec<Row>,
}

impl<'h> Forger<'h> {
    /// Has the chain of the one who wrote most.
    async fn of(house: &'h House) -> Self {
        let place = house.place();
        let mut db =
            SqliteConnectOptions::new().filename(place.database()).connect().await.unwrap();
        db.execute("DROP TRIGGER records_stay; DROP TRIGGER records_stand").await.unwrap();
        let all: Vec<(i64, String, i64, i64, String, String)> = sqlx::query_as(
            "SELECT place, writer, seq, at, record, hash FROM records WHERE writer =
             (SELECT writer FROM records GROUP BY writer ORDER BY count(*) DESC LIMIT 1)
             ORDER BY seq",
        )
        .fetch_all(&mut db)
        .await
        .unwrap();
        let row =
            |(place, writer, seq, at, record, hash)| Row { place, writer, seq, at, record, hash };
        Self { house, db, rows: all.into_iter().map(row).collect() }
    }

    /// The last so many records are gone.
    async fn cut(&mut self, records: usize) {
        for row in self.rows.split_off(self.rows.len() - records) {
            let sql = sqlx::query("DELETE FROM records WHERE place = ?").bind(row.place);
            sql.execute(&mut self.db).await.unwrap();
        }
        self.put_head();
    }

    /// One record says something else, and all behind it follows from that.
    async fn forge(&mut self, place: usize, from: &str, to: &str) {
        let text = &mut self.rows[place].record;
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        let mut before = "0".repeat(64);
        for row in &mut self.rows {
            row.hash = hash(row, &before);
            before.clone_from(&row.hash);
            let sql = sqlx::query("UPDATE records SET record = ?, hash = ? WHERE place = ?");
            let sql = sql.bind(&row.record).bind(&row.hash).bind(row.place);
            sql.execute(&mut self.db).await.unwrap();
        }
        self.put_head();
    }

    /// The heads say what the chain says now.
    fn put_head(&self) {
        let path = self.house.place().heads();
        let kept = Kept::read(&path).unwrap().unwrap();
        let last = self.rows.last().unwrap();
        let line = kept.heads.iter().position(|head| head.writer == last.writer).unwrap() + 1;
        let head = Head { writer: last.writer.clone(), seq: last.seq, hash: last.hash.clone() };
        let mut bytes = std::fs::read(&path).unwrap();
        let text = format!("{:127}\n", head.line(kept.journal.as_deref().unwrap()));
        bytes[line * 128..][..128].copy_from_slice(text.as_bytes());
        std::fs::write(&path, bytes).unwrap();
    }
}

/// As the chains are made: each part with its length.
fn hash(row: &Row, before: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"opsroom journal 1\n");
    let numbers = [row.place, row.seq, row.at].map(i64::to_be_bytes);
    let writer = row.writer.as_bytes();
    let record = row.record.as_bytes();
    let parts: [&[u8]; 6] =
        [before.as_bytes(), writer, &numbers[0], &numbers[1], &numbers[2], record];
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[tokio::test]
async fn a_tail_that_is_cut_and_a_chain_that_is_made_anew_are_noticed_by_what_syslog_was_told() {
    for cuts in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("log");
        let syslog = Syslog::open(&socket);
        let house = House::new(&format!(
            "environment = 'staging'\n[journal]\nsyslog = true\nsyslog_socket = '{}'\n",
            socket.display()
        ));
        house.ten_steps();
        let kept = folder.path().join("messages");
        let mut run = house.conduct(&House::ten()).await.unwrap();
        let id = run.run.clone();
        let mut follower = house.follow(&run).await;
        let plan = follower.planned().await;
        follower.order(Order::Start(plan.hash())).await;
        assert!(matches!(drive(&mut follower, &house).await, Said::Over));
        run.kill().await;
        // All of the chain are told, its first record among them, up to the last.
        let entries = house.entries(&id).await;
        let told = syslog.lines(&entries.last().unwrap().hash).await;
        assert!(entries.iter().all(|entry| told.contains(&entry.hash)), "{told}");
        std::fs::write(&kept, &told).unwrap();
        let against = ["audit", "verify", "--against", kept.to_str().unwrap()];
        for asked in [&against[..2], &against] {
            let (out, code) = house.program(asked);
            assert!(out.contains("whole: every record is as it was written"), "{code} {out}");
        }
        let mut forger = Forger::of(&house).await;
        let (writer, last) = (forger.rows[0].writer.clone(), forger.rows.len());
        let named = if cuts {
            forger.cut(3).await;
            format!("writer {writer}: records {} to {last} are missing: the heads that", last - 2)
        } else {
            let row = forger.rows.iter().position(|row| row.record.contains("exit code 0"));
            forger.forge(row.unwrap(), "exit code 0", "exit code 7").await;
            let first = row.unwrap() + 1;
            format!(
                "writer {writer}: record {first} is not the one that the heads that were kept elsewhere name"
            )
        };
        drop(forger);
        // By itself the journal holds together.
        let (out, code) = house.program(&against[..2]);
        assert!(out.contains("whole: every record is as it was written"), "{code} {out}");
        let (out, code) = house.program(&against);
        assert!(out.contains(&named), "{named}\n{out}");
        assert_eq!(code, 10, "{out}");
    }
}
