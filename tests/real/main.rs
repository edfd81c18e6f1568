//! The sources against real servers, started here on free loopback ports in
//! scratch folders and stopped at the end.
//!
//! Where a program is missing a test says so and passes; with `OPSROOM_REAL=all`,
//! which `tests/run` sets, it fails.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

mod actions;
mod alertmanager;
#[path = "../screen/bench.rs"]
#[expect(dead_code, reason = "it is shared with the tests of the screen")]
mod bench;
mod borg;
mod bugsink;
mod database;
mod differential;
mod dumps;
mod generated;
#[path = "../screen/harness.rs"]
#[expect(dead_code, reason = "it is shared with the tests of the screen")]
mod harness;
mod injection;
mod journal;
mod mariadb;
mod nasty;
mod nginx;
mod pgbackrest;
mod plugins;
mod pm2;
mod postgres;
mod prometheus;
mod promql;
mod proof;
mod redis;
mod rehearse;
mod repository;
mod restic;
mod rules;
mod runs;
mod secrets;
mod shared;
mod ssh;
mod supervisor;
mod support;
mod systemd;
mod tracker;
mod trust;
#[path = "../screen/waiting.rs"]
#[expect(dead_code, reason = "it is shared with the tests of the screen")]
mod waiting;
mod watch;
