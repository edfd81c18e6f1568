//! MariaDB: its faults, each with its word, and a replica.

use super::database::{As, hides, part, run, scratch, secret};
use super::support::{Server, check, check_source, free_port, program, reading, until};
use opsroom::domain::{Cause, CheckReading, Status};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) struct MariaDb {
    server: Server,
    user: As,
    client: PathBuf,
    socket: PathBuf,
    port: u16,
}

impl MariaDb {
    pub(crate) async fn start(folder: &Path, name: &str, id: &str) -> Option<Self> {
        let (daemon, client) = (program("mariadbd")?, program("mariadb")?);
        let install = program("mariadb-install-db")?;
        let user = As::user("mysql");
        let place = user.folder(folder, name);
        let data = place.join("data");
        run(user
            .command(&install)
            .env("HOME", &place)
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-use-native-aio=0",
                "--innodb-buffer-pool-size=16M",
            ])
            // A server that starts removes what lies in its folder for temporary tables.
            .arg(format!("--tmpdir={}", place.display()))
            .arg(format!("--datadir={}", data.display())));
        let (port, socket) = (free_port(), place.join("my.sock"));
        let mut command = user.command(&daemon);
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--max-connections=10"]);
        command.args([
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=16M",
            "--innodb-use-native-aio=0",
        ]);
        command.arg("--log-bin=binlog").arg(format!("--server-id={id}"));
        command.arg(format!("--port={port}")).arg(format!("--datadir={}", data.display()));
        command.arg(format!("--tmpdir={}", place.display()));
        command.arg(format!("--socket={}", socket.display()));
        command.arg(format!("--log-error={}", place.join("log").display()));
        let server = Server::start(&mut command);
        let made = Self { server, user, client, socket, port };
        until("mariadb answers", || async { made.command("select 1").status().unwrap().success() })
            .await;
        Some(made)
    }

    fn command(&self, sql: &str) -> Command {
        let mut command = self.user.command(&self.client);
        command.args(["--no-defaults", "-N", "-uroot", "-e", sql]).arg("-S").arg(&self.socket);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        let mut command = self.command(sql);
        run(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// A dump as `mariadb-dump` writes it, with what it complains of.
    pub(crate) fn dump(&self, arguments: &[&str]) -> Option<std::process::Output> {
        let mut command = self.user.command(&program("mariadb-dump")?);
        command.args(["--no-defaults", "-uroot", "-S"]).arg(&self.socket).args(arguments);
        Some(command.output().unwrap())
    }

    fn session(&self, sql: &str) -> Server {
        Server::start(&mut self.command(sql))
    }

    async fn sees(&self, sql: &str) {
        until(sql, || async {
            // InnoDB tells what it told before to whoever asks again within 0.1 s
            // (trx0i_s.cc, CACHE_MIN_IDLE_TIME_NS).
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.sql(sql) != "0"
        })
        .await;
    }

    async fn check(&self, more: &str) -> CheckReading {
        check(&format!("mysql = 'mysql://ops@127.0.0.1:{}/app'\n{more}", self.port)).await
    }
}

const SETUP: &str = "create database app; create table app.orders (id int primary key); \
    insert into app.orders values (1), (2), (3); \
    create user ops@'127.0.0.1' identified by 'opsmy-secret'; \
    grant process, replication client, slave monitor, select, insert on *.* to ops@'127.0.0.1'; \
    create user plain@'127.0.0.1' identified by 'opsmy-secret'; \
    create user repl@'127.0.0.1' identified by 'replpw'; \
    grant replication slave on *.* to repl@'127.0.0.1'";

fn said(reading: &CheckReading) -> (Status, &str, Option<Cause>) {
    hides(reading, &["opsmy-secret", "wrong-secret", "replpw"]);
    (reading.status, reading.summary.as_str(), reading.cause)
}

#[tokio::test]
async fn a_server_is_asked_and_each_fault_has_its_word() {
    let folder = scratch();
    let Some(mut server) = MariaDb::start(folder.path(), "a", "1").await else { return };
    server.sql(SETUP);
    let good = format!("password = '{}'\n", secret(folder.path(), "pw", "opsmy-secret"));
    let bad = format!("password = '{}'\n", secret(folder.path(), "bad", "wrong-secret"));
    let answer = Some(Cause::Answer);

    let well = server.check(&format!("{good}query = 'select count(*) = 3 from orders'")).await;
    assert_eq!(well.status, Status::Ok, "{well:#?}");
    assert!(well.summary.starts_with("MariaDB ") && well.summary.ends_with(" of 10 connections"));
    assert!(well.notes.is_empty(), "{well:#?}");
    for (query, words) in [
        ("select 0", "query: brings 0 or NULL"),
        ("select id from orders where id > 9", "query: brings no row"),
        ("select sleep(60)", "query: took too long and was ended (1969)"),
        ("insert into orders values (7)", "query: it writes, and only reading is allowed (1792)"),
        ("select * from nowhere", "query: no such table (1146)"),
    ] {
        let asked = server.check(&format!("{good}query = '{query}'")).await;
        assert_eq!(said(&asked), (Status::Critical, words, answer), "{query}");
    }
    let words = "denied: wrong user or password (1045)";
    assert_eq!(said(&server.check(&bad).await), (Status::Critical, words, answer));
    let none = server.check("").await;
    assert_eq!(said(&none).1, "denied, and no password is set (1045)");
    let absent = server.check(&format!("{good}database = 'nope'")).await;
    assert_eq!(said(&absent).1, "absent: no such database (1049)");
    let plain = format!("mysql = '127.0.0.1:{}'\nuser = 'plain'\n{good}", server.port);
    let plain = check(&plain).await;
    assert_eq!((plain.status, part(&plain, "blocked").0), (Status::Ok, Status::Unknown));
    let words = "connection refused";
    let refused = check("mysql = '127.0.0.1:1'").await;
    assert_eq!(said(&refused), (Status::Critical, words, Some(Cause::Refused)));

    // Locks.
    let limits = "longest_transaction = { warning = '1s' }\nblocked = { warning = '1s' }\n";
    {
        let _holder = server
            .session("use app; begin; update orders set id = 11 where id = 1; select sleep(60)");
        server.sees("select count(*) from information_schema.innodb_trx").await;
        let _waiter = server.session("use app; update orders set id = 12 where id = 1");
        server
            .sees(
                "select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'",
            )
            .await;
        server.sql("select sleep(2.1)");
        let blocked = server.check(&format!("{good}{limits}")).await;
        let (status, detail) = part(&blocked, "blocked");
        assert_eq!(status, Status::Warning, "{blocked:#?}");
        assert!(detail.starts_with("1 by connection "), "{detail}");
        assert_eq!(part(&blocked, "longest transaction").0, Status::Warning);
    }
    // Full.
    {
        let busy = |_| server.session("select sleep(60)");
        let most: Vec<Server> = (0..12).map(busy).collect();
        until("it is full", || async {
            let full = server.check(&good).await;
            said(&full) == (Status::Critical, "too many connections (1040)", answer)
        })
        .await;
        drop(most);
        let more = || server.command("set global max_connections = 100");
        until("root has room", || async { more().status().unwrap().success() }).await;
        until("there is room", || async { server.check(&good).await.cause.is_none() }).await;
    }
    // Stopped, then gone.
    let source =
        check_source(&format!("mysql = '127.0.0.1:{}'\nuser = 'ops'\n{good}", server.port));
    server.server.signal(Signal::STOP);
    let words = "connected, and no answer in 2s";
    assert_eq!(said(&reading(&*source).await), (Status::Critical, words, Some(Cause::Timeout)));
    server.server.signal(Signal::CONT);
    assert_eq!(reading(&*source).await.status, Status::Ok);
    server.server.kill();
    let words = "connection refused";
    assert_eq!(said(&reading(&*source).await), (Status::Critical, words, Some(Cause::Refused)));
}

#[tokio::test]
async fn a_replica_says_how_it_follows() {
    let folder = scratch();
    let Some(mut primary) = MariaDb::start(folder.path(), "p", "1").await else { return };
    let Some(replica) = MariaDb::start(folder.path(), "r", "2").await else { return };
    primary.sql(SETUP);
    let good = format!("password = '{}'\n", secret(folder.path(), "pw", "opsmy-secret"));
    replica.sql(&format!(
        "change master to master_host = '127.0.0.1', master_port = {}, master_user = 'repl', \
         master_password = 'replpw', master_connect_retry = 1; start slave",
        primary.port
    ));
    until("the replica follows", || async {
        replica.command("select count(*) from app.orders").status().unwrap().success()
            && replica.check(&good).await.status == Status::Ok
    })
    .await;
    let follows = replica.check(&good).await;
    assert_eq!(part(&follows, "replication"), (Status::Ok, "from 127.0.0.1, 0s behind".into()));
    assert!(follows.summary.contains(" replica, "), "{follows:?}");
    // The same row twice: applying stops.
    replica.sql("insert into app.orders values (9)");
    primary.sql("insert into app.orders values (9)");
    until("applying stops", || async {
        let stopped = replica.check(&good).await;
        said(&stopped).1 == "replication from 127.0.0.1: applying has stopped, error 1062"
    })
    .await;
    replica.sql("stop slave; set global sql_slave_skip_counter = 1; start slave");
    primary.server.kill();
    until("the link is gone", || async {
        let lost = replica.check(&good).await;
        said(&lost).1.starts_with("replication from 127.0.0.1: no link to it")
    })
    .await;
}
