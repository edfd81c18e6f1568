//! PostgreSQL: its faults, each with its word, and a standby.

use super::database::{As, hides, part, run, scratch, secret};
use super::support::{Server, check, check_source, free_port, reading, until};
use opsroom::domain::{Cause, CheckReading, Status};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The newest server programs that are installed, where Debian has them.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .max();
    if found.is_none() {
        let all = std::env::var_os("OPSROOM_REAL").is_some_and(|value| value == "all");
        assert!(!all, "postgres is not installed");
        println!("skipped: postgres is not installed");
    }
    found
}

pub(crate) struct Postgres {
    server: Server,
    user: As,
    bin: PathBuf,
    folder: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) port: u16,
}

const CONFIG: &str = "
listen_addresses = '127.0.0.1'
max_connections = 12
superuser_reserved_connections = 2
fsync = off
shared_buffers = '16MB'
wal_level = replica
max_wal_senders = 2
archive_mode = on
archive_command = 'true'
shared_preload_libraries = 'pg_stat_statements'
deadlock_timeout = '100ms'
";

impl Postgres {
    /// A new cluster, or a copy of a running one.
    pub(crate) async fn start(bin: &Path, folder: &Path, of: Option<&Self>) -> Self {
        let user = As::user("postgres");
        let name = if of.is_some() { "standby" } else { "data" };
        let data = user.folder(folder, name);
        let port = free_port();
        if let Some(primary) = of {
            let from = format!("host=127.0.0.1 port={} user=repl password=replpw", primary.port);
            run(user
                .command(&bin.join("pg_basebackup"))
                .args(["-R", "-X", "stream", "-c", "fast", "-C", "-S", "standby_a", "-d"])
                .arg(format!("{from} application_name=standby_a"))
                .arg("-D")
                .arg(&data));
        } else {
            run(user
                .command(&bin.join("initdb"))
                .args([
                    "-U",
                    "postgres",
                    "-A",
                    "trust",
                    "--no-sync",
                    "-E",
                    "UTF8",
                    "--locale=C",
                    "-D",
                ])
                .arg(&data));
            let hba = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n\
                       host replication repl 127.0.0.1/32 scram-sha-256\n";
            std::fs::write(data.join("pg_hba.conf"), hba).unwrap();
            let config = format!("{CONFIG}unix_socket_directories = '{}'\n", data.display());
            let path = data.join("postgresql.conf");
            let before = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, before + &config).unwrap();
        }
        let mut made = Self {
            server: Self::launch(&user, bin, &data, port),
            user,
            bin: bin.into(),
            folder: folder.into(),
            data,
            port,
        };
        made.until_ready().await;
        made
    }

    fn launch(user: &As, bin: &Path, data: &Path, port: u16) -> Server {
        let mut command = user.command(&bin.join("postgres"));
        command.arg("-D").arg(data).args(["-p", &port.to_string()]);
        command.arg(format!("--unix_socket_directories={}", data.display()));
        Server::start(&mut command)
    }

    async fn until_ready(&mut self) {
        let ready = || async { self.psql("select 1").output().unwrap().status.success() };
        until("postgres is ready", ready).await;
    }

    fn psql(&self, sql: &str) -> Command {
        self.psql_in("postgres", sql)
    }

    fn psql_in(&self, database: &str, sql: &str) -> Command {
        let mut command = self.user.command(&self.bin.join("psql"));
        command.args([
            "-X",
            "-qAt",
            "-U",
            "postgres",
            "-d",
            database,
            "-p",
            &self.port.to_string(),
            "-h",
        ]);
        command.arg(&self.data).args(["-c", sql]);
        command
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        run(&mut self.psql(sql))
    }

    /// The same in another database.
    pub(crate) fn sql_in(&self, database: &str, sql: &str) -> String {
        run(&mut self.psql_in(database, sql))
    }

    /// A session in a database that stays until [`Self::sql`] ends it.
    pub(crate) async fn stays_in(&self, database: &str) -> Session {
        let mut command = self.psql_in(database, "select pg_sleep(600)");
        command.env("PGAPPNAME", "session");
        let session = Session(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        self.sessions(1, "true").await;
        session
    }

    /// What `pg_dump` or `pg_dumpall` writes, into a file as a shell does.
    pub(crate) fn dump(&self, program: &str, arguments: &[&str], into: &Path) -> String {
        let mut command = self.user.command(&self.bin.join(program));
        command.args(["-U", "postgres", "-p", &self.port.to_string(), "-h"]).arg(&self.data);
        let file = std::fs::File::create(into).unwrap();
        let out = command.args(arguments).stdout(file).output().unwrap();
        String::from_utf8_lossy(&out.stderr).into_owned()
    }

    /// A session that stays until it is dropped.
    pub(crate) fn session(&self, sql: &str) -> Session {
        let mut command = self.psql(sql);
        command.env("PGAPPNAME", "session");
        Session(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits until so many sessions of ours are there in a state.
    pub(crate) async fn sessions(&self, many: usize, which: &str) {
        let sql = format!(
            "select count(*) from pg_stat_activity where application_name = 'session' and {which}"
        );
        until(which, || async {
            let out = self.psql(&sql).output().unwrap();
            String::from_utf8_lossy(&out.stdout).trim().parse().is_ok_and(|n: usize| n >= many)
        })
        .await;
    }

    fn table(&self, more: &str) -> String {
        let password = self.folder.join("pw");
        format!(
            "postgres = 'postgres://ops@127.0.0.1:{}/postgres'\npassword = 'file:{}'\n{more}",
            self.port,
            password.display()
        )
    }

    async fn check(&self, more: &str) -> CheckReading {
        check(&self.table(more)).await
    }
}

pub(crate) struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ROLES: &str = "create role ops login password 'opspg-secret'; grant pg_monitor to ops; \
    create role small login password 'opspg-secret' connection limit 0; \
    create role plain login password 'opspg-secret'; \
    create role repl login replication password 'replpw'; \
    create table orders as select n as id from generate_series(1, 1000) n; \
    grant select on orders to ops; create extension pg_stat_statements";

async fn server() -> Option<(tempfile::TempDir, Postgres)> {
    let bin = programs()?;
    let folder = scratch();
    let postgres = Postgres::start(&bin, folder.path(), None).await;
    postgres.sql(ROLES);
    secret(folder.path(), "pw", "opspg-secret\n");
    secret(folder.path(), "bad", "wrong-secret\n");
    Some((folder, postgres))
}

#[expect(clippy::too_many_lines, reason = "one server goes through all its faults")]
#[tokio::test]
async fn a_server_is_asked_and_each_fault_has_its_word() {
    let Some((folder, mut postgres)) = server().await else { return };
    let port = postgres.port;
    let said = |reading: &CheckReading| {
        hides(reading, &["opspg-secret", "wrong-secret"]);
        (reading.status, reading.summary.clone(), reading.cause)
    };

    // Well.
    let good = postgres.check("query = 'select count(*) = 1000 from orders'").await;
    assert_eq!(good.status, Status::Ok, "{good:#?}");
    assert!(good.summary.starts_with("PostgreSQL "), "{}", good.summary);
    assert!(good.summary.contains(" primary, ") && good.summary.ends_with(" of 12 connections"));
    assert!(part(&good, "query").1.starts_with("answers in "));
    assert_eq!(part(&good, "blocked"), (Status::Ok, "none".into()));
    assert!(good.components.iter().any(|part| part.name == "slow queries/1"), "{good:#?}");
    assert!(good.notes.is_empty(), "{:?}", good.notes);
    let local =
        format!("postgres = '{}/.s.PGSQL.{port}'\nuser = 'postgres'", postgres.data.display());
    let local = check(&local).await;
    assert_eq!(local.status, Status::Ok, "{local:#?}");

    // The operator's own query.
    for (query, words) in [
        ("select false", "query: brings false, 0 or NULL"),
        ("select id from orders where id < 0", "query: brings no row"),
        ("select 1/0", "query: an error in the data (22012)"),
        ("delete from orders", "query: it writes, and only reading is allowed"),
        (
            "select 1; drop table orders",
            "query: cannot insert multiple commands into a prepared statement (42601)",
        ),
        ("select pg_sleep(60)", "query: took too long and was ended"),
        (
            "select set_config('x.y', '1', false), pg_advisory_lock(1) from nowhere",
            "query: relation \"nowhere\" does not exist (42P01)",
        ),
    ] {
        let bad = postgres.check(&format!("query = \"{query}\"")).await;
        assert_eq!((bad.status, bad.summary.as_str()), (Status::Critical, words), "{bad:#?}");
        assert_eq!(bad.cause, Some(Cause::Answer));
    }
    let owner = format!(
        "postgres = '{}/.s.PGSQL.{port}'\nuser = 'postgres'\nquery = 'delete from orders returning 1'",
        postgres.data.display()
    );
    let writes = check(&owner).await;
    assert_eq!(writes.summary, "query: it writes, and only reading is allowed");
    assert_eq!(postgres.sql("select count(*) from orders"), "1000");

    // Who may not come in, and where.
    let table = |url: &str, password: &str| {
        format!("postgres = '{url}'\npassword = 'file:{}'", folder.path().join(password).display())
    };
    let denied = check(&table(&format!("postgres://ops@127.0.0.1:{port}/postgres"), "bad")).await;
    let words = "denied: password authentication failed for user \"ops\"";
    assert_eq!(said(&denied), (Status::Critical, words.into(), Some(Cause::Answer)));
    let none = check(&format!("postgres = 'postgres://ops@127.0.0.1:{port}/postgres'")).await;
    assert!(none.summary.starts_with("denied, and no password is set"), "{none:?}");
    let absent = check(&table(&format!("postgres://ops@127.0.0.1:{port}/nope"), "pw")).await;
    assert_eq!(said(&absent).1, "absent: database \"nope\" does not exist");
    let small = check(&table(&format!("postgres://small@127.0.0.1:{port}/postgres"), "pw")).await;
    assert_eq!(said(&small).1, "too many connections: too many connections for role \"small\"");
    let tls = postgres.check("sslmode = 'require'").await;
    assert_eq!(
        said(&tls),
        (Status::Critical, "TLS: server does not support TLS".into(), Some(Cause::Tls))
    );
    let plain = check(&table(&format!("postgres://plain@127.0.0.1:{port}/postgres"), "pw")).await;
    assert_eq!((plain.status, part(&plain, "blocked").0), (Status::Ok, Status::Unknown));
    assert!(plain.notes.iter().any(|note| note.contains("grant pg_monitor")), "{plain:#?}");
    let missing = check(&table(&format!("postgres://ops@127.0.0.1:{port}/postgres"), "none")).await;
    assert_eq!((missing.status, missing.cause), (Status::Unknown, Some(Cause::Check)));
    let refused = check("postgres = '127.0.0.1:1'").await;
    assert_eq!(
        said(&refused),
        (Status::Critical, "connection refused".into(), Some(Cause::Refused))
    );

    // Sessions.
    let short = "longest_transaction = { warning = '1s', critical = '1h' }\n\
                 idle_in_transaction = { warning = '1s', critical = '1h' }\n\
                 blocked = { warning = '1s', critical = '1h' }\nquery = 'select count(*) > 0 from orders'";
    {
        let sql = "begin; lock table orders in access exclusive mode; select pg_sleep(600)";
        let _holder = postgres.session(sql);
        postgres.sessions(1, "wait_event = 'PgSleep'").await;
        let _waiter = postgres.session("select count(*) from orders");
        postgres.sessions(1, "wait_event_type = 'Lock'").await;
        postgres.sql("select pg_sleep(1.1)");
        let blocked = postgres.check(short).await;
        assert_eq!(blocked.summary, "query: locked: waited too long for a lock (and 2 more)");
        let (status, detail) = part(&blocked, "blocked");
        assert_eq!(status, Status::Warning, "{blocked:#?}");
        assert!(detail.starts_with("1 by pid ") && detail.contains("(active "), "{detail}");
        assert!(part(&blocked, "longest transaction").1.ends_with(", session"), "{blocked:#?}");
    }
    {
        let _idle = {
            let mut command = postgres.psql("select 1");
            command.env("PGAPPNAME", "session").args(["-c", "begin", "-c", "\\! sleep 600"]);
            command.process_group_of_its_own()
        };
        postgres.sessions(1, "state = 'idle in transaction'").await;
        postgres.sql("select pg_sleep(1.1)");
        let idle = postgres.check(short).await;
        assert_eq!(part(&idle, "idle in transaction").0, Status::Warning, "{idle:#?}");
    }
    // Full.
    let end =
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'session'";
    postgres.sql(end);
    {
        until("they are gone", || async {
            postgres.sql("select count(*) from pg_stat_activity where application_name = 'session'")
                == "0"
        })
        .await;
        let all: Vec<Session> = (0..8).map(|_| postgres.session("select pg_sleep(600)")).collect();
        postgres.sessions(8, "wait_event = 'PgSleep'").await;
        let nearly = postgres.check("").await;
        assert_eq!(
            part(&nearly, "connections"),
            (Status::Warning, "9 of 12 (75%), 2 of them reserved".into())
        );
        let last: Vec<Session> = (0..2).map(|_| postgres.session("select pg_sleep(600)")).collect();
        postgres.sessions(10, "wait_event = 'PgSleep'").await;
        let full = postgres.check("").await;
        assert_eq!(full.status, Status::Critical);
        assert!(full.summary.starts_with("too many connections: "), "{full:?}");
        drop((all, last));
    }
    postgres.sql(end);

    // The archive.
    assert_eq!(part(&postgres.check("").await, "archive").0, Status::Ok);
    postgres.sql("alter system set archive_command = 'false'");
    postgres.sql("select pg_reload_conf()");
    postgres.sql("create table more as select 1; select pg_switch_wal()");
    until("archiving fails", || async {
        postgres.sql("select failed_count from pg_stat_archiver") != "0"
    })
    .await;
    let failing = postgres.check("").await;
    let (status, detail) = part(&failing, "archive");
    assert_eq!(status, Status::Warning, "{failing:#?}");
    assert!(detail.starts_with("fails at 0000") && detail.contains(" waiting"), "{detail}");

    // A crash, a hang, an end.
    let source = check_source(&postgres.table(""));
    let victim = postgres.session("select pg_sleep(600)");
    postgres.sessions(1, "wait_event = 'PgSleep'").await;
    postgres.server.signal(Signal::STOP);
    let hung = reading(&*source).await;
    assert_eq!(
        said(&hung),
        (Status::Critical, "connected, and no answer in 2s".into(), Some(Cause::Timeout))
    );
    postgres.server.signal(Signal::CONT);
    drop(victim);
    let back = reading(&*source).await;
    assert!(back.summary.starts_with("archive fails"), "{back:?}");
    postgres.server.kill();
    let dead = reading(&*source).await;
    assert_eq!(said(&dead), (Status::Critical, "connection refused".into(), Some(Cause::Refused)));
}

#[tokio::test]
async fn a_standby_and_its_primary_tell_of_each_other() {
    let Some((folder, mut primary)) = server().await else { return };
    let bin = primary.bin.clone();
    let standby = Postgres::start(&bin, folder.path(), Some(&primary)).await;
    until("it streams", || async {
        primary.sql("select count(*) from pg_stat_replication where state = 'streaming'") == "1"
    })
    .await;
    let follows = standby.check("").await;
    assert_eq!(part(&follows, "link to primary"), (Status::Ok, "streaming".into()), "{follows:#?}");
    assert!(follows.summary.contains(" standby, "), "{follows:?}");
    let leads = primary.check("replicas = 1").await;
    assert_eq!(part(&leads, "replicas"), (Status::Ok, "1 of 1 streaming".into()));
    assert_eq!(part(&leads, "slot standby_a").0, Status::Ok, "{leads:#?}");
    // Held up while it replays.
    standby.sql("select pg_wal_replay_pause()");
    primary.sql("create table held as select generate_series(1, 20000) n");
    until("it is behind", || async {
        let behind =
            standby.check("replication_bytes = { warning = '1 kB', critical = '1 GB' }").await;
        part(&behind, "replay").0 == Status::Warning
            && part(&behind, "replay paused").0 == Status::Warning
    })
    .await;
    standby.sql("select pg_wal_replay_resume()");
    // The primary goes: no link. It comes back without the standby: a slot nobody reads.
    primary.server.kill();
    until("the link is gone", || async {
        standby.check("").await.summary == "standby: no link to the primary: nothing is received"
    })
    .await;
}

trait OwnGroup {
    fn process_group_of_its_own(&mut self) -> Server;
}

impl OwnGroup for Command {
    fn process_group_of_its_own(&mut self) -> Server {
        Server::start(self)
    }
}
