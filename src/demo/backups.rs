//! The shop's backups: real dump files of its orders and customers. Those of
//! the orders are made each night; the job that makes those of the customers
//! has ended days ago, and nobody was told.
//!
//! The frames of the dumps are what `pg_dump` 15.18 and `mariadb-dump` 10.11.19
//! wrote of tables of these shapes; only rows are put in, so that each can be
//! restored.

use crate::domain::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const ORDERS: &str = include_str!("dumps/orders.sql");
const CUSTOMERS: &str = include_str!("dumps/customers.sql");
/// Where the rows stand in a frame.
const ROWS: &str = "@ROWS@";
/// Where the time of the dump stands.
const WHEN: &str = "@WHEN@";

/// So many nights are kept.
const NIGHTS: u32 = 14;
/// So old is the newest dump of the orders.
const LAST_NIGHT: Duration = Duration::from_hours(3);
/// So old is the newest dump of the customers.
const FORGOTTEN: Duration = Duration::from_hours(76);
const DAY: Duration = Duration::from_hours(24);

/// The folder of the dumps.
pub(super) fn folder(practice: &Path) -> PathBuf {
    practice.join("backups")
}

/// The file that the last verified restore of the orders has left.
pub(super) fn restored(practice: &Path) -> PathBuf {
    folder(practice).join("orders.restored.jsonl")
}

/// Writes all of them as they would lie there at `now`.
pub(super) fn write(practice: &Path, now: Timestamp) -> io::Result<()> {
    let folder = folder(practice);
    fs::create_dir(&folder)?;
    for night in 0..NIGHTS {
        let made = now - LAST_NIGHT - DAY * night;
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(orders(made, 900 - 12 * night).as_bytes())?;
        put(&folder, "orders", "sql.gz", made, &packed.finish()?)?;

        let made = now - FORGOTTEN - DAY * night;
        put(&folder, "customers", "sql", made, customers(made, 400 - 3 * night).as_bytes())?;
    }
    let tried = now - DAY * 6;
    let proof = format!("{{\"at\":\"{tried}\",\"ok\":true,\"took_s\":41,\"bytes\":48211}}\n");
    fs::write(restored(practice), proof)
}

fn put(folder: &Path, name: &str, end: &str, made: Timestamp, body: &[u8]) -> io::Result<()> {
    let text = made.to_string();
    let date = text.get(..10).unwrap_or(&text);
    let path = folder.join(format!("{name}-{date}.{end}"));
    let mut file = File::create_new(&path)?;
    file.write_all(body)?;
    let sum =
        Sha256::digest(body).iter().fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"));
    // As `sha256sum` writes it, which reads it again.
    let line = format!("{sum}  {}\n", path.display());
    fs::write(folder.join(format!("{name}-{date}.{end}.sha256")), line)?;
    let since_epoch = Duration::from_millis(made.millis().unsigned_abs());
    file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + since_epoch))
}

/// A dump of the table of orders, as `pg_dump` writes it.
fn orders(made: Timestamp, count: u32) -> String {
    let mut rows = String::new();
    for id in 0..count {
        let placed = made - Duration::from_mins(7) * (count - id);
        let placed = placed.to_string().replace('T', " ").replace('Z', "+00");
        let customer = id * 7 % 400 + 1;
        let cents = 499 + id * 37 % 9_000;
        let state = if id % 9 == 0 { "sent" } else { "paid" };
        let end = if id + 1 == count { "" } else { "\n" };
        // Writing to a String cannot fail, here and below.
        let _ = write!(rows, "{}\t{placed}\t{customer}\t{cents}\t{state}{end}", id + 1);
    }
    ORDERS.replace(ROWS, &rows)
}

/// A dump of the table of customers, as `mariadb-dump` writes it.
fn customers(made: Timestamp, count: u32) -> String {
    const NAMES: [&str; 6] = ["Asha", "Ines", "Jonas", "Mei", "Tomas", "Zuri"];
    const COUNTRIES: [&str; 4] = ["SG", "PT", "DE", "KE"];
    let mut rows = String::new();
    for id in 0..count {
        let (name, country) = (NAMES[id as usize % 6], COUNTRIES[id as usize % 4]);
        let end = if id + 1 == count { "" } else { ",\n" };
        let day = id % 28 + 1;
        let _ = write!(rows, "({},'{name} {id}','2024-03-{day:02}','{country}'){end}", id + 1);
    }
    let when = made.to_string().replace('T', " ");
    let when = when.get(..19).unwrap_or(&when);
    CUSTOMERS.replace(ROWS, &rows).replace(WHEN, when)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_fortnight_of_dumps_lies_there_each_complete_and_of_its_night() {
        let practice = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_795_250_777_000);
        write(practice.path(), now).unwrap();
        let mut names: Vec<String> = fs::read_dir(folder(practice.path()))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".sha256"))
            .collect();
        names.sort();
        assert_eq!(names.len(), 2 * 14 + 1);
        let newest = folder(practice.path()).join(&names[27]);
        let mut text = String::new();
        let mut packed = flate2::read::GzDecoder::new(File::open(&newest).unwrap());
        packed.read_to_string(&mut text).unwrap();
        assert!(text.contains("\n900\t"), "{names:?}");
        assert!(text.contains("-- PostgreSQL database dump complete"));
        let modified = fs::metadata(&newest).unwrap().modified().unwrap();
        let since_epoch = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(since_epoch.as_millis(), 1_795_250_777_000 - 3 * 3_600_000);
        let customers = fs::read_to_string(folder(practice.path()).join(&names[13])).unwrap();
        assert!(customers.contains("(400,'"));
        assert!(
            customers.trim_end().lines().last().unwrap().starts_with("-- Dump completed on 20")
        );
        assert!(!customers.contains('@') || customers.contains("SET @"), "no mark is left");
        assert!(!customers.contains(ROWS) && !customers.contains(WHEN));
    }
}
