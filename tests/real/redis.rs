//! Redis: its faults, each with its word, and a replica.

use super::database::{hides, part, run, scratch, secret};
use super::support::{Server, check, check_source, free_port, program, reading, until};
use opsroom::domain::{Cause, CheckReading, Status};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Redis {
    server: Server,
    cli: PathBuf,
    port: u16,
    password: Option<&'static str>,
}

impl Redis {
    async fn start(folder: &Path, name: &str, more: &[&str]) -> Option<Self> {
        let (program, cli) = (program("redis-server")?, program("redis-cli")?);
        let port = free_port();
        let data = folder.join(name);
        std::fs::create_dir_all(&data).unwrap();
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.arg("--dir").arg(&data).args(["--enable-debug-command", "yes"]).args(more);
        let password = more.iter().position(|word| *word == "--requirepass");
        let password = password.map(|_| "opsredis-secret");
        let redis = Self { server: Server::start(&mut command), cli, port, password };
        until("redis answers", || async { redis.cli(&["ping"]).output().unwrap().stdout != b"" })
            .await;
        Some(redis)
    }

    fn cli(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.cli);
        command.args(["-p", &self.port.to_string()]).args(words);
        if let Some(password) = self.password {
            command.env("REDISCLI_AUTH", password);
        }
        command
    }

    fn run(&self, words: &[&str]) -> String {
        run(&mut self.cli(words))
    }

    async fn check(&self, more: &str) -> CheckReading {
        check(&format!("redis = 'redis://127.0.0.1:{}/0'\n{more}", self.port)).await
    }
}

fn said(reading: &CheckReading) -> (Status, &str, Option<Cause>) {
    hides(reading, &["opsredis-secret", "wrong-secret"]);
    (reading.status, reading.summary.as_str(), reading.cause)
}

#[tokio::test]
async fn a_server_is_asked_and_each_fault_has_its_word() {
    let folder = scratch();
    let started = Redis::start(folder.path(), "a", &["--requirepass", "opsredis-secret"]).await;
    let Some(mut redis) = started else { return };
    let good = format!("password = '{}'\n", secret(folder.path(), "pw", "opsredis-secret"));
    let bad = format!("password = '{}'\n", secret(folder.path(), "bad", "wrong-secret"));
    let answer = Some(Cause::Answer);

    let well = redis.check(&good).await;
    assert_eq!(well.status, Status::Ok, "{well:#?}");
    assert!(well.summary.starts_with("Redis ") && well.summary.contains(" primary, "));
    let words = "denied: a password is needed, and none is set";
    assert_eq!(said(&redis.check("").await), (Status::Critical, words, answer));
    let words = "denied: wrong user or password";
    assert_eq!(said(&redis.check(&bad).await), (Status::Critical, words, answer));
    let words = "absent: no such database";
    let other = format!("{good}database = '99'");
    assert_eq!(
        said(&check(&format!("redis = '127.0.0.1:{}'\n{other}", redis.port)).await).1,
        words
    );
    let words = "connection refused";
    assert_eq!(
        said(&check("redis = '127.0.0.1:1'").await),
        (Status::Critical, words, Some(Cause::Refused))
    );

    // Access lists, and a server without a password.
    redis.run(&["acl", "setuser", "small", "on", ">opsredis-secret", "+ping", "+select"]);
    let small = redis.check(&format!("{good}user = 'small'")).await;
    assert_eq!((small.status, part(&small, "memory").0), (Status::Ok, Status::Unknown));
    let open = Redis::start(folder.path(), "open", &[]).await.unwrap();
    let well = open.check(&good).await;
    assert_eq!((well.status, well.notes.len()), (Status::Ok, 1), "{well:#?}");

    // Memory.
    redis.run(&["config", "set", "maxmemory", "2mb"]);
    redis.run(&["config", "set", "maxmemory-policy", "noeviction"]);
    redis.cli(&["debug", "populate", "20000", "k", "200"]).output().unwrap();
    let full = redis.check(&good).await;
    assert_eq!(full.status, Status::Critical);
    assert!(full.summary.starts_with("out of memory: writes are refused, "), "{full:?}");
    redis.run(&["config", "set", "maxmemory", "0"]);

    // Saving.
    std::fs::write(folder.path().join("a/file"), "").unwrap();
    redis.run(&["config", "set", "save", "3600 1"]);
    redis.run(&["config", "set", "rdbcompression", "no"]);
    std::fs::create_dir(folder.path().join("a/dump.rdb")).unwrap();
    redis.cli(&["bgsave"]).output().unwrap();
    until("saving fails", || async {
        redis.run(&["info", "persistence"]).contains("rdb_last_bgsave_status:err")
    })
    .await;
    let unsaved = redis.check(&good).await;
    assert_eq!(said(&unsaved).0, Status::Critical);
    assert!(part(&unsaved, "save").1.starts_with("to disk fails"), "{unsaved:#?}");
    redis.run(&["config", "set", "save", ""]);
    std::fs::remove_dir(folder.path().join("a/dump.rdb")).unwrap();
    redis.run(&["save"]);

    // Clients.
    redis.run(&["config", "set", "maxclients", "5"]);
    let idle: Vec<_> =
        (0..8).map(|_| std::net::TcpStream::connect(("127.0.0.1", redis.port)).unwrap()).collect();
    let full = redis.check(&good).await;
    let words = "too many clients: maxclients is reached";
    assert_eq!(said(&full), (Status::Critical, words, answer));
    drop(idle);
    until("there is room", || async { redis.check(&good).await.cause.is_none() }).await;
    redis.run(&["config", "set", "maxclients", "1000"]);

    // Busy with a script.
    redis.run(&["config", "set", "busy-reply-threshold", "50"]);
    let script = Server::start(&mut redis.cli(&["eval", "while true do end", "0"]));
    until("the script holds it up", || async {
        let busy = redis.check(&good).await;
        busy.summary == "busy: a script runs and holds up everybody"
    })
    .await;
    redis.run(&["script", "kill"]);
    drop(script);

    // Stopped, then gone.
    let source = check_source(&format!("redis = '127.0.0.1:{}'\n{good}", redis.port));
    redis.server.signal(Signal::STOP);
    let words = "connected, and no answer in 2s";
    assert_eq!(said(&reading(&*source).await), (Status::Critical, words, Some(Cause::Timeout)));
    redis.server.signal(Signal::CONT);
    assert_eq!(reading(&*source).await.status, Status::Ok);
    redis.server.kill();
    let words = "connection refused";
    assert_eq!(said(&reading(&*source).await), (Status::Critical, words, Some(Cause::Refused)));
}

#[tokio::test]
async fn a_replica_and_a_server_that_loads_say_so() {
    let folder = scratch();
    let Some(mut primary) =
        Redis::start(folder.path(), "p", &["--repl-diskless-sync-delay", "0"]).await
    else {
        return;
    };
    let port = primary.port.to_string();
    let replica =
        Redis::start(folder.path(), "r", &["--replicaof", "127.0.0.1", &port]).await.unwrap();
    until("the replica follows", || async {
        replica.run(&["info", "replication"]).contains("master_link_status:up")
    })
    .await;
    let follows = replica.check("").await;
    assert_eq!(part(&follows, "link to primary"), (Status::Ok, format!("127.0.0.1:{port} up")));
    let wanted = primary.check("replicas = 1").await;
    assert_eq!(part(&wanted, "replicas"), (Status::Ok, "1 of 1 online".into()));
    assert_eq!(primary.check("replicas = 2").await.status, Status::Critical);

    // With many keys the start takes a while, of which some is seen.
    primary.run(&["debug", "populate", "600000", "k", "20"]);
    primary.run(&["save"]);
    primary.server.kill();
    until("the link is down", || async {
        let down = replica.check("").await;
        down.status == Status::Critical && down.summary.contains(" down for ")
    })
    .await;
    let slow = ["--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024"];
    let loads = Redis::start(folder.path(), "p", &slow).await.unwrap();
    let loading = loads.check("").await;
    assert_eq!(loading.status, Status::Critical, "{loading:#?}");
    assert!(loading.summary.starts_with("loading its data from disk: "), "{}", loading.summary);
}

#[tokio::test]
async fn tls_is_verified() {
    let Some(openssl) = program("openssl") else { return };
    let folder = scratch();
    let file = |name: &str| folder.path().join(name).display().to_string();
    run(Command::new(openssl).args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=redis.test",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        &file("key"),
        "-out",
        &file("pem"),
    ]));
    let port = free_port();
    let (key, pem) = (file("key"), file("pem"));
    let more = [
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &pem,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &pem,
        "--tls-auth-clients",
        "no",
    ];
    let Some(redis) = Redis::start(folder.path(), "a", &more).await else { return };
    let table = |more: &str| format!("redis = 'rediss://127.0.0.1:{port}'\n{more}");
    let well = check(&table(&format!("ca = '{pem}'"))).await;
    assert_eq!(well.status, Status::Ok, "{well:#?}");
    let bad = check(&table("")).await;
    assert_eq!(bad.cause, Some(Cause::Tls), "{bad:#?}");
    let any = check(&table("skip_verify = true")).await;
    assert_eq!((any.status, any.notes.len()), (Status::Ok, 1));
    let plain = check(&format!("redis = 'rediss://127.0.0.1:{}'", redis.port)).await;
    assert_eq!(plain.cause, Some(Cause::Timeout), "{plain:#?}");
    assert!(plain.summary.starts_with("connected, and no "), "{plain:#?}");
}
