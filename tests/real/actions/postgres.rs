//! Postgres: restores beside the live one, from pgBackRest to before a DROP and
//! from dumps, and the swap.

use super::super::database::{As, run, scratch};
use super::super::pgbackrest::Stanza;
use super::super::postgres::{Postgres, programs};
use super::super::support::free_port;
use super::{Hand, Went, new, text};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A cluster that a runbook has started: it ends with this.
pub(crate) struct Copy(pub(crate) PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.0.join("postmaster.pid")).ok();
        let pid = pid.and_then(|text| text.lines().next()?.parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
    }
}

/// A cluster that lost a database behind its last backup.
pub(crate) struct Dropped {
    pub(crate) stanza: Stanza,
    /// The config of pgBackRest.
    pub(crate) conf: String,
    /// A moment between the last row and the DROP.
    pub(crate) before: String,
    /// A moment behind the DROP and another commit.
    pub(crate) after: String,
    /// Where the copies go.
    pub(crate) copies: PathBuf,
}

impl Dropped {
    pub(crate) async fn new() -> Option<Self> {
        let stanza = Stanza::new().await?;
        let config = stanza.folder.path().join("server.conf");
        let live = &stanza.postgres;
        run(stanza.command(&config).arg("stanza-create"));
        live.sql("create database app");
        live.sql_in("app", "create table orders as select g as id, 'row ' || g as note from generate_series(1, 20000) g");
        run(stanza.command(&config).args(["--type=full", "backup"]));
        live.sql_in(
            "app",
            "insert into orders select g, 'later ' || g from generate_series(20001, 30000) g",
        );
        let now = || {
            // Backups know whole seconds alone.
            live.sql("select pg_sleep(1.1)");
            live.sql("select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'")
        };
        let before = now();
        // No other commit between that moment and the DROP: a restore to the time
        // alone would stop behind the DROP.
        live.sql("drop database app");
        live.sql("select pg_switch_wal()");
        live.sql("create table waits as select 1");
        live.sql("select pg_switch_wal()");
        let after = now();
        super::super::support::until("the WAL is archived", || async {
            live.sql("select archived_count >= 3 and last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777216) from pg_stat_archiver") == "t"
        })
        .await;
        let copies = stanza.user.folder(stanza.folder.path(), "restores");
        Some(Self { conf: text(&config), stanza, before, after, copies })
    }
}

#[tokio::test]
async fn a_dropped_database_comes_back_beside_the_live_one() {
    let Some(dropped) = Dropped::new().await else { return };
    let (stanza, conf) = (&dropped.stanza, &dropped.conf);
    let live = &stanza.postgres;
    let folder = new(&dropped.copies, "beside");
    let _copy = Copy(folder.clone());
    let port = free_port().to_string();
    let hand = |rows: &str| {
        Hand::new("restore-postgres-pgbackrest", &[("stanza", "main"), ("pgbackrest_conf", conf)])
            .home(stanza.folder.path())
            .by_user(stanza.user.ids())
            .set("UNTIL", &dropped.before)
            .set("FOLDER", &text(&folder))
            .set("PORT", &port)
            .set("DATABASE", "app")
            .set("TABLE", "public.orders")
            .set("ROWS", rows)
    };
    let first = hand("30000");
    let went = first.run();
    went.well();
    assert!(went.said["verify"].contains("proved: 30000 rows in public.orders"), "{went:#?}");
    assert!(went.said["verify"].contains("public.orders 30000"), "{went:#?}");
    // The live one was not touched, and archives on.
    assert_eq!(live.sql("select count(*) from pg_database where datname = 'app'"), "0");
    assert_eq!(live.sql("select 1 from waits"), "1");

    hand("30001").run_step("verify", &went).fails("verify", "wanted are 30001");
    // A live or non-empty place is refused.
    hand("1").run().fails("room", "is there already");
    let at_home = hand("1").set("FOLDER", &text(&live.data));
    at_home.run().fails("room", "is there already");
    at_home.run_step("restore", &went).fails("restore", "File exists");
    hand("1").set("FOLDER", &text(&live.data)).run_step("away", &went).well();
    assert_eq!(live.sql("select 1"), "1");
    let taken =
        hand("1").set("FOLDER", &format!("{}2", text(&folder))).set("PORT", &live.port.to_string());
    taken.run().fails("room", "somebody listens on port");
    hand("1")
        .set("UNTIL", "2020-01-01 00:00:00+00")
        .run()
        .fails("backup", "no good backup from before");
    hand("1").called("another").run_step("away", &went).well();
    assert!(folder.exists(), "another run takes nothing away");
    first.run_step("away", &went).well();
    assert!(!folder.exists());
}

/// A server with the database `orders`, and dumps of it.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    user: As,
    pub(crate) server: Postgres,
    pub(crate) dumps: PathBuf,
}

impl Shop {
    pub(crate) async fn new() -> Option<Self> {
        let bin = programs()?;
        let folder = scratch();
        let user = As::user("postgres");
        let dumps = user.folder(folder.path(), "dumps");
        let server = Postgres::start(&bin, folder.path(), None).await;
        server.sql("create role shop");
        server.sql("create database orders owner shop connection limit 50");
        server.sql_in(
            "orders",
            "create table orders (id int primary key, note text, \"At Time\" timestamptz default now());
             insert into orders select g, E'a\\t\\n\\\\.' || g from generate_series(1, 3000) g;
             create table nothing (x int);
             create table odd as select 0.1::float8 + 0.2 as f, interval '3 days' as i, null as n",
        );
        let made = Self { folder, user, server, dumps };
        for (name, arguments) in [
            ("plain.sql", vec!["orders"]),
            ("custom.dump", vec!["-Fc", "orders"]),
            ("tar.tar", vec!["-Ft", "orders"]),
            ("leaves.sql", vec!["-C", "orders"]),
        ] {
            made.server.dump("pg_dump", &arguments, &made.dumps.join(name));
        }
        let packed = std::fs::File::create(made.dumps.join("packed.sql.gz")).unwrap();
        let mut gzip = Command::new("gzip");
        gzip.arg("-c").arg(made.dumps.join("plain.sql")).stdin(Stdio::null()).stdout(packed);
        assert!(gzip.status().unwrap().success());
        for name in ["plain.sql", "custom.dump", "tar.tar", "packed.sql.gz"] {
            let whole = std::fs::read(made.dumps.join(name)).unwrap();
            std::fs::write(made.dumps.join(format!("cut-{name}")), &whole[..whole.len() / 2])
                .unwrap();
        }
        std::fs::write(made.dumps.join("empty.sql"), "").unwrap();
        Some(made)
    }

    fn hand(&self, book: &str) -> Hand {
        let (host, port) = (text(&self.server.data), self.server.port.to_string());
        let vars = [("database", "orders"), ("pg_host", &host), ("pg_port", &port)];
        Hand::new(book, &vars).home(self.folder.path()).by_user(self.user.ids())
    }

    pub(crate) fn restore(&self, dump: &str, beside: &str) -> Hand {
        let dump = text(&self.dumps.join(dump));
        self.hand("restore-postgres-dump").set("DUMP", &dump).set("BESIDE", beside)
    }

    fn swap(&self, old: &str) -> Hand {
        let kept = text(&self.dumps.join("before.dump"));
        self.hand("swap-postgres").set("BESIDE", "beside").set("OLD", old).set("KEPT", &kept)
    }

    /// The config of a service that is this server.
    pub(crate) fn service(&self) -> String {
        format!(
            "[service.db]\ntcp = '127.0.0.1:{}'\nvars = {{ database = 'orders', dumps = '{}', pg_host = '{}', pg_port = '{}' }}\n",
            self.server.port,
            text(&self.dumps),
            text(&self.server.data),
            self.server.port
        )
    }

    pub(crate) fn databases(&self) -> String {
        self.server.sql("select string_agg(datname || ' ' || datconnlimit, ', ' order by datname) from pg_database where datname !~ 'template|postgres'")
    }
}

#[tokio::test]
async fn a_dump_comes_back_beside_the_live_database_row_by_row() {
    let Some(shop) = Shop::new().await else { return };
    for name in
        ["cut-plain.sql", "cut-custom.dump", "cut-tar.tar", "cut-packed.sql.gz", "empty.sql"]
    {
        let went = shop.restore(name, "beside").run();
        went.fails("whole", "");
    }
    shop.restore("leaves.sql", "beside").run().fails("whole", "it would leave the new database");
    shop.restore("plain.sql", "orders").run().fails("free", "refused: there is a database orders");
    assert_eq!(shop.databases(), "orders 50");
    for name in ["plain.sql", "custom.dump", "tar.tar", "packed.sql.gz"] {
        let hand = shop.restore(name, "beside");
        let went = hand.run();
        went.well();
        assert!(went.said["verify"].contains("proved: 3001 rows in beside"), "{went:#?}");
        assert_eq!(shop.server.sql_in("beside", "select count(*) from orders"), "3000");
        // A row that is other than in the dump, and one that is missing.
        shop.server.sql_in("beside", "update odd set f = 0.3");
        hand.run_step("verify", &went).fails("verify", "the rows differ");
        shop.server.sql_in("beside", "delete from orders where id = 7");
        hand.run_step("verify", &went).fails("verify", "not all rows are there");
        shop.restore(name, "beside").called("another").run_step("drop", &went).well();
        assert_eq!(shop.databases(), "beside -1, orders 50");
        hand.run_step("drop", &went).well();
        assert_eq!(shop.databases(), "orders 50");
    }
    // A load that breaks off leaves nothing half done behind: all of it or nothing.
    let bad = shop.dumps.join("bad.sql");
    let text = std::fs::read_to_string(shop.dumps.join("plain.sql")).unwrap();
    std::fs::write(&bad, text.replace("ADD CONSTRAINT", "ADD NONSENSE")).unwrap();
    let hand = shop.restore("bad.sql", "beside");
    let went = hand.run();
    went.fails("load", "syntax error");
    assert_eq!(
        shop.server.sql_in("beside", "select count(*) from pg_class where relname = 'orders'"),
        "0"
    );
    hand.run_step("drop", &went).well();
}

#[tokio::test]
async fn a_swap_shows_what_is_lost_refuses_what_is_live_and_keeps_the_old() {
    let Some(shop) = Shop::new().await else { return };
    shop.restore("custom.dump", "beside").run().well();
    shop.server.sql_in(
        "orders",
        "insert into orders values (9001, 'newer'), (9002, 'newer'); update orders set note = 'changed' where id = 3",
    );
    let line = |went: &Went, table: &str| -> Vec<String> {
        let line = went.said["compare"].lines().find(|line| line.ends_with(table));
        line.unwrap().split_whitespace().map(str::to_owned).collect()
    };
    // A writer is still in it.
    let writer = shop.server.stays_in("orders").await;
    let went = shop.swap("before").run();
    went.fails("close", "refused: stop these first");
    assert!(went.said["close"].contains("session"), "it names who: {went:#?}");
    assert_eq!(line(&went, "public.orders"), ["3002", "3000", "3", "1", "public.orders"]);
    assert!(went.said["compare"].contains("3 rows are in the live database only"), "{went:#?}");
    assert_eq!(shop.databases(), "beside -1, orders 50");
    shop.swap("before").run_step("swap", &went).fails("swap", "being accessed by other users");
    assert_eq!(shop.databases(), "beside -1, orders 50");
    shop.server.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'session'",
    );
    drop(writer);

    shop.server.sql("create database taken");
    shop.swap("taken").run().fails("names", "refused: there is a database taken");
    shop.server.sql("drop database taken");
    shop.swap("before")
        .set("BESIDE", "nope")
        .run()
        .fails("names", "refused: there is no database nope");
    shop.swap("orders").run().fails("names", "three different names");
    std::fs::write(shop.dumps.join("before.dump"), "").unwrap();
    shop.swap("before").run().fails("names", "is there already");
    std::fs::remove_file(shop.dumps.join("before.dump")).unwrap();

    let hand = shop.swap("before");
    let went = hand.run();
    went.well();
    assert_eq!(shop.databases(), "before 0, orders 50");
    assert_eq!(shop.server.sql_in("orders", "select count(*) from orders"), "3000");
    assert_eq!(shop.server.sql_in("before", "select note from orders where id = 9002"), "newer");
    assert!(shop.dumps.join("before.dump").metadata().unwrap().len() > 1000);
    // And back, with nothing lost.
    hand.run_step("back", &went).well();
    hand.run_step("back", &went).well();
    hand.run_step("open", &went).well();
    assert_eq!(shop.databases(), "beside 50, orders 50");
    assert_eq!(shop.server.sql_in("orders", "select count(*) from orders"), "3002");
}

#[test]
fn no_value_that_a_shell_could_act_upon_comes_as_far_as_a_step() {
    let hand = |name: &str, value: &str| {
        let all = [("BESIDE", "beside"), ("OLD", "before"), ("KEPT", "/var/tmp/x.dump")];
        let hand = Hand::new("swap-postgres", &[("database", "orders")]);
        all.iter()
            .fold(hand, |hand, (key, good)| hand.set(key, if *key == name { value } else { good }))
    };
    assert!(hand("", "").refused().is_empty(), "{:?}", hand("", "").refused());
    for bad in
        ["$(id)", "a b", "-x", "a';drop table x", "x\ny", "`id`", "a[$(id)]", "", "/etc/passwd;"]
    {
        for name in ["BESIDE", "OLD", "KEPT"] {
            assert!(!hand(name, bad).refused().is_empty(), "{name}={bad:?}");
        }
    }
}
