//! The writing of records: one connection, one chain.

use super::chain::{BEFORE_ALL, Row};
use super::heads::{Head, Heads};
use super::place::Place;
use super::words::{is_full, read_error, write_error};
use super::{JournalError, read, reserve, schema};
use crate::domain::Timestamp;
use crate::domain::runs::{Entry, Plan, ProcessId, Record, RunId, RunRecord, StepKind, WriterId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor, SqliteConnection};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// No record is larger: a plan with all its steps is far below.
const LARGEST_RECORD: usize = 4 << 20;
/// So long another process may hold the journal.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at whether it still does.
const LOOK: Duration = Duration::from_millis(20);
/// Letters and digits that nobody takes for one another.
const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// What must hold in the same transaction for a record to be written.
#[derive(Debug)]
pub(super) enum Guard {
    None,
    /// The run is new, and where it changes something nobody holds its target.
    Begin {
        run: RunId,
        environment: String,
        target: Option<String>,
    },
    /// The run goes on, and nobody else has taken it up behind this place.
    TakeUp {
        run: RunId,
        last: i64,
    },
}

impl Guard {
    pub(super) fn begin(run: &RunId, started: &RunRecord) -> Self {
        let RunRecord::Started { plan, .. } = started else { return Self::None };
        let target = changes(plan).then(|| plan.target.clone());
        Self::Begin { run: run.clone(), environment: plan.environment.clone(), target }
    }
}

/// Why a guard did not let a record in.
#[derive(Debug)]
pub(super) enum Refusal {
    Held { target: String, run: RunId, who: String, since: Timestamp },
    There,
    Ended,
    Overtaken,
}

/// Whether any step of it changes something.
fn changes(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(&step.kind, StepKind::Command(it) if it.changes))
}

/// Why a writing went wrong.
enum Failed {
    Sql(sqlx::Error),
    Journal(JournalError),
    Refused(Refusal),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// One chain, and the connection that it is written through.
#[derive(Debug)]
pub(super) struct Writer {
    place: Arc<Place>,
    db: SqliteConnection,
    id: WriterId,
    heads: Heads,
    journal: String,
    /// The last record.
    head: Head,
    /// The last record's head is not on the disk yet.
    lags: bool,
    /// The files that were opened: device and inode.
    files: [(u64, u64); 2],
    on_reserve: Arc<AtomicBool>,
    /// What its chain begins with, until something is recorded.
    opening: Option<(Timestamp, Record)>,
}

impl Writer {
    /// Opens the journal for a new chain that begins with `opening`. Nothing of
    /// that chain is written before something is recorded.
    pub(super) async fn open(
        place: Arc<Place>,
        on_reserve: Arc<AtomicBool>,
        opening: (Timestamp, Record),
    ) -> Result<Self, JournalError> {
        let bad = cannot_be_used(&place);
        let heads = {
            let place = Arc::clone(&place);
            blocking(move || {
                place.make_folder(&place.folder)?;
                let heads = Heads::open(&place)?;
                std::fs::File::open(&place.folder)?.sync_all()?;
                // It is made while there is room, and missed when there is none.
                let _ = reserve::fill(&place);
                reserve::make_way(&place)?;
                Ok(heads)
            })
            .await
            .map_err(&bad)?
        };
        lock(&heads).await.map_err(&bad)?;
        let opened = Self::connect(&place, heads.clone(), on_reserve, opening, &bad).await;
        heads.unlock().map_err(&bad)?;
        opened
    }

    /// All that only one does at a time.
    async fn connect(
        place: &Arc<Place>,
        heads: Heads,
        on_reserve: Arc<AtomicBool>,
        opening: (Timestamp, Record),
        bad: &impl Fn(io::Error) -> JournalError,
    ) -> Result<Self, JournalError> {
        place.open_file(&place.database()).map_err(bad)?;
        let mut db = loop {
            match connect(&place.database()).await {
                Err(error) if is_full(&error) && reserve::release(place) => {}
                connected => break connected.map_err(write_error)?,
            }
        };
        schema::migrate(&mut db).await?;
        let journal = identity(&mut db, heads.journal().map_err(bad)?, bad).await?;
        let id = loop {
            let name = random_name(10).map_err(bad)?;
            let known = "SELECT EXISTS (SELECT 1 FROM records WHERE writer = ?)";
            let known = sqlx::query_scalar::<_, bool>(known).bind(&name).fetch_one(&mut db).await;
            if !known.map_err(read_error)? {
                break name;
            }
        };
        let head = Head { writer: id.clone(), seq: 0, hash: BEFORE_ALL.into() };
        on_reserve.store(!reserve::is_whole(place), Ordering::Relaxed);
        let files = files(place).map_err(bad)?;
        let place = Arc::clone(place);
        let (id, lags, opening) = (id.into(), false, Some(opening));
        Ok(Self { place, db, id, heads, journal, head, lags, files, on_reserve, opening })
    }

    /// Enters its chain into the heads.
    async fn enter(&mut self) -> Result<(), JournalError> {
        self.check_files()?;
        let bad = cannot_be_used(&self.place);
        lock(&self.heads).await.map_err(&bad)?;
        let (head, journal) = (self.head.clone(), self.journal.clone());
        let (place, mut heads) = (Arc::clone(&self.place), self.heads.clone());
        let entered = blocking(move || {
            loop {
                match heads.enter(&journal, &head) {
                    Err(error) if no_room(&error) && reserve::release(&place) => {}
                    entered => return entered.map(|()| heads),
                }
            }
        })
        .await;
        self.heads.unlock().map_err(&bad)?;
        self.heads = entered.map_err(&bad)?;
        Ok(())
    }

    /// Begins its chain where that was not done yet.
    pub(super) async fn begin(&mut self) -> Result<(), JournalError> {
        let Some((at, opening)) = self.opening.clone() else { return Ok(()) };
        // Not twice, where the record could not be written then.
        if !self.heads.is_entered() {
            self.enter().await?;
        }
        let begun = self.append_one(at, opening, Guard::None).await?;
        // Nothing is asked of a record without a guard.
        begun.map_err(|_| JournalError::Write("it was refused".into()))?;
        self.opening = None;
        Ok(())
    }

    pub(super) fn id(&self) -> &WriterId {
        &self.id
    }

    pub(super) fn db(&mut self) -> &mut SqliteConnection {
        &mut self.db
    }

    /// Appends a record if its guard lets it in.
    pub(super) async fn append(
        &mut self,
        at: Timestamp,
        record: Record,
        guard: Guard,
    ) -> Result<Result<Entry, Refusal>, JournalError> {
        self.begin().await?;
        self.append_one(at, record, guard).await
    }

    async fn append_one(
        &mut self,
        at: Timestamp,
        record: Record,
        guard: Guard,
    ) -> Result<Result<Entry, Refusal>, JournalError> {
        let text = serde_json::to_string(&record)
            .map_err(|error| JournalError::Write(format!("it has no JSON form: {error}")))?;
        if text.len() > LARGEST_RECORD {
            let mib = text.len() >> 20;
            return Err(JournalError::Write(format!("a record of {mib} MiB; the most is 4")));
        }
        if self.lags {
            // It may lag by one, never by two.
            self.put_head().await.map_err(|error| {
                JournalError::Write(format!("heads: {}", super::words::reason(&error)))
            })?;
        }
        let mut row = Row {
            place: 0,
            writer: self.id.as_str().to_owned(),
            seq: self.head.seq + 1,
            at: at.millis(),
            record: text,
            hash: String::new(),
        };
        loop {
            self.check_files()?;
            match self.transact(&mut row, &record, &guard).await {
                Ok(()) => break,
                Err(failed) => {
                    // There may be no transaction to take back.
                    let _ = self.db.execute("ROLLBACK").await;
                    match failed {
                        Failed::Refused(refusal) => return Ok(Err(refusal)),
                        Failed::Journal(error) => return Err(error),
                        Failed::Sql(error) if is_full(&error) && self.release().await => {}
                        Failed::Sql(error) => return Err(write_error(error)),
                    }
                }
            }
        }
        self.head = Head::from(&row);
        self.lags = true;
        self.check_files()?;
        // Where this fails the head lags by one, and the next record waits for it.
        if let Err(error) = self.put_head().await {
            tracing::warn!(%error, "the head of the journal lags");
        }
        self.tell_syslog();
        self.refill().await;
        let seq = u64::try_from(row.seq).unwrap_or(0);
        let Row { place, hash, .. } = row;
        Ok(Ok(Entry { place, writer: self.id.clone(), seq, at, record, hash }))
    }

    async fn transact(
        &mut self,
        row: &mut Row,
        record: &Record,
        guard: &Guard,
    ) -> Result<(), Failed> {
        self.db.execute("BEGIN IMMEDIATE").await?;
        let last = "SELECT seq, hash FROM records WHERE writer = ? ORDER BY seq DESC LIMIT 1";
        let last: Option<(i64, String)> =
            sqlx::query_as(last).bind(&row.writer).fetch_optional(&mut self.db).await?;
        let (seq, hash) = last.unwrap_or_else(|| (0, BEFORE_ALL.into()));
        if (seq, &hash) != (self.head.seq, &self.head.hash) {
            let why = "it was changed under this process: `opsroom audit verify` says what";
            return Err(JournalError::Write(why.into()).into());
        }
        self.guard(guard).await?;
        let place = sqlx::query_scalar::<_, i64>("SELECT coalesce(max(place), 0) FROM records");
        row.place = place.fetch_one(&mut self.db).await? + 1;
        row.hash = row.hash_behind(&self.head.hash);
        let (about, run, book) = looked_up_by(record);
        let insert = "INSERT INTO records (place, writer, seq, at, hash, about, run, book, record)
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(row.place)
            .bind(&row.writer)
            .bind(row.seq)
            .bind(row.at)
            .bind(&row.hash)
            .bind(about)
            .bind(run)
            .bind(book)
            .bind(&row.record)
            .execute(&mut self.db)
            .await?;
        self.db.execute("COMMIT").await?;
        Ok(())
    }

    async fn guard(&mut self, guard: &Guard) -> Result<(), Failed> {
        match guard {
            Guard::None => Ok(()),
            Guard::Begin { run, environment, target } => {
                if read::last_process(&mut self.db, run).await?.is_some() {
                    return Err(Failed::Refused(Refusal::There));
                }
                let Some(target) = target else { return Ok(()) };
                for entry in read::unended(&mut self.db).await? {
                    let Record::Run { run, what: RunRecord::Started { plan, who, .. } } =
                        entry.record
                    else {
                        continue;
                    };
                    if plan.target == *target && plan.environment == *environment && changes(&plan)
                    {
                        let (target, who, since) = (target.clone(), who.user, entry.at);
                        return Err(Failed::Refused(Refusal::Held { target, run, who, since }));
                    }
                }
                Ok(())
            }
            Guard::TakeUp { run, last } => {
                if read::has_ended(&mut self.db, run).await? {
                    return Err(Failed::Refused(Refusal::Ended));
                }
                match read::last_process(&mut self.db, run).await? {
                    Some((place, _)) if place == *last => Ok(()),
                    _ => Err(Failed::Refused(Refusal::Overtaken)),
                }
            }
        }
    }

    pub(super) async fn last_process(
        &mut self,
        run: &RunId,
    ) -> Result<Option<(i64, ProcessId)>, JournalError> {
        read::last_process(&mut self.db, run).await
    }

    pub(super) async fn fresh_run_id(&mut self) -> Result<RunId, JournalError> {
        let bad = cannot_be_used(&self.place);
        let runs = self.place.folder.join("runs");
        self.place.make_folder(&runs).map_err(&bad)?;
        // Where most short names are taken, longer ones are not.
        for tried in 0..100 {
            let run = RunId::from(random_name(4 + tried / 10).map_err(&bad)?);
            let known = "SELECT EXISTS (SELECT 1 FROM records WHERE run = ?)";
            let known = sqlx::query_scalar::<_, bool>(known).bind(run.as_str());
            if known.fetch_one(&mut self.db).await.map_err(read_error)? {
                continue;
            }
            let folder = self.place.run(&run);
            match std::fs::create_dir(&folder) {
                Ok(()) => {
                    use std::os::unix::fs::PermissionsExt;
                    let mode = std::fs::Permissions::from_mode(self.place.folder_mode());
                    std::fs::set_permissions(&folder, mode).map_err(&bad)?;
                    return Ok(run);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(bad(error)),
            }
        }
        Err(bad(io::Error::other("no free name for a run was found")))
    }

    /// What is written to a file that nobody can find any more is not recorded.
    fn check_files(&self) -> Result<(), JournalError> {
        match files(&self.place) {
            Ok(files) if files == self.files => Ok(()),
            Ok(_) => Err(JournalError::Write("another was put in its place".into())),
            Err(error) => Err(JournalError::Write(super::words::reason(&error))),
        }
    }

    async fn put_head(&mut self) -> io::Result<()> {
        let (heads, head, place) = (self.heads.clone(), self.head.clone(), Arc::clone(&self.place));
        let put = blocking(move || {
            loop {
                match heads.put(&head) {
                    Err(error) if no_room(&error) && reserve::release(&place) => {}
                    put => return put,
                }
            }
        });
        put.await?;
        self.lags = false;
        Ok(())
    }

    /// Gives a part of the reserve to the disk. Whether there was one.
    pub(super) async fn release(&mut self) -> bool {
        self.on_reserve.store(true, Ordering::Relaxed);
        let place = Arc::clone(&self.place);
        blocking(move || Ok(reserve::release(&place))).await.unwrap_or(false)
    }

    /// Makes the reserve again once there is room.
    async fn refill(&mut self) {
        if self.on_reserve.load(Ordering::Relaxed) {
            let place = Arc::clone(&self.place);
            let full = blocking(move || reserve::fill(&place)).await.is_err();
            self.on_reserve.store(full, Ordering::Relaxed);
        }
    }

    /// Tells syslog the head. It is told again with the next record: a syslog
    /// that does not listen holds nothing up.
    fn tell_syslog(&self) {
        let Some(socket) = &self.place.syslog else { return };
        let told = || {
            let to = UnixDatagram::unbound()?;
            to.set_nonblocking(true)?;
            // Facility authpriv (10), severity info (6), as RFC 3164 has it.
            let text = format!("<86>opsroom: {}", self.head.line(&self.journal));
            to.send_to(text.as_bytes(), socket)
        };
        if let Err(error) = told() {
            tracing::warn!(%error, "syslog was not told the head of the journal");
        }
    }
}

/// Says of which folder it is that it cannot be used.
fn cannot_be_used(place: &Place) -> impl Fn(io::Error) -> JournalError + use<> {
    let folder = place.folder.clone();
    move |error| JournalError::Place { folder: folder.clone(), why: super::words::reason(&error) }
}

/// Device and inode of the database and of its heads.
fn files(place: &Place) -> io::Result<[(u64, u64); 2]> {
    let of = |path: &Path| std::fs::metadata(path).map(|about| (about.dev(), about.ino()));
    Ok([of(&place.database())?, of(&place.heads())?])
}

async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // Each commit is on the disk before it counts.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .pragma("cache_size", "-1024")
        .pragma("journal_size_limit", "4194304")
        .statement_cache_capacity(24)
        .disable_statement_logging()
        .connect()
        .await
}

/// How the journal is called: as its database says, else as its heads do.
async fn identity(
    db: &mut SqliteConnection,
    heads: Option<String>,
    bad: &impl Fn(io::Error) -> JournalError,
) -> Result<String, JournalError> {
    let known = sqlx::query_scalar("SELECT id FROM journal LIMIT 1").fetch_optional(&mut *db).await;
    if let Some(id) = known.map_err(read_error)? {
        return Ok(id);
    }
    let id = match heads {
        Some(id) => id,
        None => random_name(10).map_err(bad)?,
    };
    let insert = sqlx::query("INSERT INTO journal (id) VALUES (?)").bind(&id);
    insert.execute(db).await.map_err(write_error)?;
    Ok(id)
}

/// What a record is looked up by: what it is about, its run, its runbook.
pub(super) fn looked_up_by(record: &Record) -> (Option<&str>, Option<&str>, Option<&str>) {
    match record {
        Record::Run { run, what } => {
            let (about, book) = match what {
                RunRecord::Started { plan, .. } => (Some("started"), Some(plan.book.id.as_str())),
                RunRecord::TakenUp { .. } => (Some("taken_up"), None),
                RunRecord::Ended { .. } => (Some("ended"), None),
                _ => (None, None),
            };
            (about, Some(run.as_str()), book)
        }
        Record::Armed(_) | Record::Disarmed { .. } => (Some("arming"), None, None),
        Record::Rehearsed { book, .. } => (Some("rehearsed"), None, Some(book.as_str())),
        Record::Opened { .. }
        | Record::Refused { .. }
        | Record::Adopted { .. }
        | Record::Acted { .. } => (None, None, None),
    }
}

/// Waits until nobody else opens this journal.
async fn lock(heads: &Heads) -> io::Result<()> {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !heads.try_lock()? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    });
    let late = || io::Error::other("another process has held it for ten seconds");
    waited.await.unwrap_or_else(|_| Err(late()))
}

/// Carries out what waits for a disk, where nothing else waits.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A name that nobody can foresee.
fn random_name(length: usize) -> io::Result<String> {
    let mut name = String::with_capacity(length);
    let mut random = std::fs::File::open("/dev/urandom")?;
    let mut byte = [0];
    while name.len() < length {
        random.read_exact(&mut byte)?;
        // 256 is no multiple of 31: the few above the last one are drawn again.
        if usize::from(byte[0]) < 256 / LETTERS.len() * LETTERS.len() {
            name.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
    }
    Ok(name)
}
