//! Restores of Postgres and the swap as a person runs them, up to the exit code:
//! proved where it is so, and failed where something is spoilt.

use super::super::support::{free_port, program};
use super::postgres::{Copy, Dropped, Shop};
use super::whole::{self, GIVE_UP, START};
use super::{new, text};
use std::net::TcpListener;

/// A change of the service called db, and the word for it.
const CHANGE: (&str, &str) = ("type db to run it", "db");

/// Root becomes the user of the server by `sudo`; others are that user.
/// None, with words, where that cannot be.
fn sudo() -> Option<&'static str> {
    if rustix::process::geteuid().is_root() {
        program("sudo")?;
        return Some(", pg_sudo = 'yes'");
    }
    Some("")
}

#[tokio::test]
async fn a_person_brings_a_dropped_database_back_beside_the_live_one() {
    let Some(sudo) = sudo() else { return };
    let Some(dropped) = Dropped::new().await else { return };
    let live = &dropped.stanza.postgres;
    let vars = |stanza: &str| {
        format!("vars = {{ stanza = '{stanza}', pgbackrest_conf = '{}'{sudo} }}", dropped.conf)
    };
    let bench = whole::bench(&format!(
        "[service.db]\ntcp = '127.0.0.1:{}'\n{}\n[service.other-db]\ntcp = '127.0.0.1:{}'\n{}\n",
        live.port,
        vars("main"),
        live.port,
        vars("nope"),
    ));
    let folder = new(&dropped.copies, "beside");
    let _copy = Copy(folder.clone());
    let restore = |service: &str, until: &str, port: u16, answers: &[(&str, &str)]| {
        let set = [
            format!("UNTIL={until}"),
            format!("FOLDER={}", text(&folder)),
            format!("PORT={port}"),
            "DATABASE=app".into(),
            "TABLE=public.orders".into(),
            "ROWS=30000".into(),
        ];
        let mut arguments = vec!["restore-postgres-pgbackrest", "--service", service];
        for it in &set {
            arguments.extend(["--set", it]);
        }
        whole::talk(&bench, &arguments, &[&[START], answers].concat())
    };
    // Spoilt: no such stanza, a port that is taken.
    let told =
        whole::ends(&bench, restore("other-db", &dropped.before, free_port(), &[GIVE_UP]), 10);
    assert!(whole::says(&told, "jq: error") && told.contains("missing stanza path"), "{told}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let told = whole::ends(&bench, restore("db", &dropped.before, port, &[GIVE_UP]), 10);
    assert!(whole::says(&told, &format!("refused: somebody listens on port {port}")), "{told}");
    assert!(!folder.exists(), "something was done");

    // A moment behind the DROP: it restores well, and what was wanted is not there.
    let undo = [CHANGE, CHANGE, CHANGE, ("what now?", "undo"), ("type y to run it", "y")];
    let told = whole::ends(&bench, restore("db", &dropped.after, free_port(), &undo), 10);
    assert!(told.contains("database \"app\" does not exist"), "{told}");
    assert!(!folder.exists(), "what the run has made is still there");

    let told = whole::is_proved(&bench, restore("db", &dropped.before, free_port(), &[CHANGE; 3]));
    assert!(whole::says(&told, "proved: 30000 rows in public.orders, all of app"), "{told}");
    // The live one was not touched, and archives on; the copy does not.
    assert_eq!(live.sql("select count(*) from pg_database where datname = 'app'"), "0");
    assert_eq!(live.sql("show archive_mode"), "on");
    assert!(folder.join("postmaster.pid").exists(), "the copy runs on");
}

#[tokio::test]
async fn a_person_brings_a_dump_back_and_the_run_is_proved() {
    let Some(shop) = Shop::new().await else { return };
    let bench = whole::bench(&shop.service());
    let dump = |name: &str| format!("DUMP={}", text(&shop.dumps.join(name)));
    let restore = |dump: &str, changes| {
        let arguments = ["restore-postgres-dump", "--service", "db", "--set", dump];
        whole::run(&bench, &[&arguments[..], &["--set", "BESIDE=beside"]].concat(), "db", changes)
    };
    let told = whole::fails(&bench, restore(&dump("cut-custom.dump"), 0));
    assert!(told.contains("step 1 FAILED"), "{told}");
    assert_eq!(shop.databases(), "orders 50");
    let told = whole::is_proved(&bench, restore(&dump("custom.dump"), 2));
    assert!(told.contains("proved: 3001 rows in beside"), "{told}");
    assert_eq!(shop.databases(), "beside -1, orders 50");
}

#[tokio::test]
async fn a_person_swaps_a_restored_database_with_the_live_one() {
    let Some(shop) = Shop::new().await else { return };
    shop.restore("custom.dump", "beside").run().well();
    shop.server.sql_in(
        "orders",
        "insert into orders values (9001, 'newer'), (9002, 'newer'); update orders set note = 'changed' where id = 3",
    );
    let bench = whole::bench(&shop.service());
    let swap = |beside: &str, old: &str, answers: &[(&str, &str)]| {
        let set = [
            format!("BESIDE={beside}"),
            format!("OLD={old}"),
            format!("KEPT={}", text(&shop.dumps.join("before.dump"))),
        ];
        let mut arguments = vec!["swap-postgres", "--service", "db"];
        for it in &set {
            arguments.extend(["--set", it]);
        }
        whole::talk(&bench, &arguments, &[&[START], answers].concat())
    };
    let stopped = ("type done", "done");
    // A target that is not empty, a copy that is not there.
    shop.server.sql("create database taken");
    let told = whole::ends(&bench, swap("beside", "taken", &[GIVE_UP]), 10);
    assert!(whole::says(&told, "refused: there is a database taken already"), "{told}");
    shop.server.sql("drop database taken");
    let told = whole::ends(&bench, swap("nope", "before", &[GIVE_UP]), 10);
    assert!(whole::says(&told, "refused: there is no database nope"), "{told}");

    // Somebody still writes: it is refused, and nothing was done.
    let writer = shop.server.stays_in("orders").await;
    let refused = swap("beside", "before", &[stopped, CHANGE, GIVE_UP]);
    let told = whole::ends(&bench, refused, 10);
    assert!(whole::says(&told, "refused: stop these first"), "{told}");
    assert_eq!(shop.databases(), "beside -1, orders 50");
    shop.server.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'session'",
    );
    drop(writer);

    let told = whole::is_proved(
        &bench,
        swap("beside", "before", &[stopped, CHANGE, CHANGE, CHANGE, stopped]),
    );
    assert!(whole::says(&told, "3 rows are in the live database only"), "{told}");
    assert!(whole::says(&told, "proved: orders is what beside was"), "{told}");
    assert_eq!(shop.databases(), "before 0, orders 50");
    assert_eq!(shop.server.sql_in("orders", "select count(*) from orders"), "3000");
    assert_eq!(shop.server.sql_in("before", "select note from orders where id = 9002"), "newer");
    assert!(shop.dumps.join("before.dump").metadata().unwrap().len() > 1000);
}
