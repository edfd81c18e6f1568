//! The custom format of `pg_dump`: header, table of contents, and whether the data
//! that it names can be there. As written by `pg_backup_archiver.c` and
//! `pg_backup_custom.c` of its source, archive versions 1.10 to 1.16.

use super::content::{Ends, Found};
use crate::domain::{Timestamp, harmless_within};

/// The format byte of a custom archive.
const CUSTOM: u8 = 1;
/// Where the data of an entry lies is known.
const AT: u8 = 2;
/// An entry has no data.
const NO_DATA: u8 = 3;
/// A text in the table of contents is no longer than this.
const LONGEST: usize = 64 << 20;

/// What a table of contents tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    tool: Option<String>,
    made: Option<Timestamp>,
    /// Some entry has data.
    data: bool,
    /// The furthest place where data begins.
    furthest: u64,
}

/// Why a table of contents was not read.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// There are no more bytes.
    End,
    /// This is none.
    Damaged,
    /// It is of a version that is not known here.
    Foreign(u8, u8),
}

/// Judges by the beginning and the end. The head may hold a part of the table
/// of contents only: then the end alone tells.
pub(super) fn judge(ends: &Ends) -> Found {
    let whole = ends.head.len() as u64 >= ends.total;
    let contents = match read(&ends.head) {
        Ok(contents) => contents,
        Err(Stop::End) if whole => {
            return Found::bad("truncated: its table of contents ends early");
        }
        Err(Stop::Damaged) => return Found::bad("damaged: its table of contents makes no sense"),
        Err(Stop::Foreign(major, minor)) => {
            return Found::unseen(format!("archive version {major}.{minor} is not known here"));
        }
        Err(Stop::End) => Contents { data: true, ..Contents::default() },
    };
    let Contents { tool, made, data, furthest } = contents;
    // Each piece of data ends with a length of zero: a sign and four bytes.
    let closed = !data || ends.tail.ends_with(&[0; 5]);
    let found = if furthest >= ends.total || !closed {
        Found::bad("truncated: it ends inside its data")
    } else {
        Found::default()
    };
    Found { tool, made, ..found }
}

/// Reads bytes from the front.
struct Bytes<'a> {
    left: &'a [u8],
    int: usize,
    offset: usize,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, many: usize) -> Result<&'a [u8], Stop> {
        let (taken, left) = self.left.split_at_checked(many).ok_or(Stop::End)?;
        self.left = left;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A sign, then the bytes of the number, the lowest first.
    fn number(&mut self) -> Result<i64, Stop> {
        let negative = match self.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Stop::Damaged),
        };
        let bytes = self.take(self.int)?;
        let value = bytes.iter().rev().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
        Ok(if negative { -value } else { value })
    }

    fn text(&mut self) -> Result<Option<&'a [u8]>, Stop> {
        match self.number()? {
            ..0 => Ok(None),
            long => {
                let long = usize::try_from(long).map_err(|_| Stop::Damaged)?;
                if long > LONGEST {
                    return Err(Stop::Damaged);
                }
                self.take(long).map(Some)
            }
        }
    }

    fn skip(&mut self, texts: usize) -> Result<(), Stop> {
        for _ in 0..texts {
            self.text()?;
        }
        Ok(())
    }
}

fn read(head: &[u8]) -> Result<Contents, Stop> {
    let mut bytes = Bytes { left: head, int: 4, offset: 8 };
    bytes.take(5)?;
    let (major, minor, _revision) = (bytes.byte()?, bytes.byte()?, bytes.byte()?);
    if major != 1 || !(10..=16).contains(&minor) {
        return Err(Stop::Foreign(major, minor));
    }
    bytes.int = usize::from(bytes.byte()?);
    bytes.offset = usize::from(bytes.byte()?);
    if !(1..=8).contains(&bytes.int) || !(1..=8).contains(&bytes.offset) {
        return Err(Stop::Damaged);
    }
    if bytes.byte()? != CUSTOM {
        return Err(Stop::Damaged);
    }
    if minor >= 15 {
        bytes.byte()?;
    } else {
        bytes.number()?;
    }
    let mut date = [0; 7];
    for part in &mut date {
        *part = bytes.number()?;
    }
    let _database = bytes.text()?;
    let _server = bytes.text()?;
    let tool = bytes.text()?.map(String::from_utf8_lossy);
    let tool = tool.and_then(|tool| tool.split_whitespace().next().map(str::to_owned));
    let mut contents = Contents {
        tool: tool.map(|version| harmless_within(&format!("pg_dump {version}"), 60)),
        made: moment(date),
        ..Contents::default()
    };
    let entries = bytes.number()?;
    for _ in 0..entries.max(0) {
        entry(&mut bytes, minor, &mut contents)?;
    }
    Ok(contents)
}

fn entry(bytes: &mut Bytes<'_>, minor: u8, contents: &mut Contents) -> Result<(), Stop> {
    let _id = bytes.number()?;
    let _has_dumper = bytes.number()?;
    bytes.skip(4)?; // table oid, oid, tag, description
    let _section = bytes.number()?;
    bytes.skip(3)?; // definition, drop, copy
    bytes.skip(2)?; // namespace, tablespace
    if minor >= 14 {
        bytes.skip(1)?; // table access method
    }
    if minor >= 16 {
        bytes.number()?; // kind of relation
    }
    bytes.skip(2)?; // owner, "with oids"
    while bytes.text()?.is_some() {} // what it depends on
    let state = bytes.byte()?;
    let place = bytes.take(bytes.offset)?;
    if state != NO_DATA {
        contents.data = true;
    }
    if state == AT {
        let place = place.iter().rev().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        contents.furthest = contents.furthest.max(place);
    }
    Ok(())
}

/// Seconds, minutes, hours, day, month from 0, years since 1900, summer time.
fn moment([second, minute, hour, day, month, year, _]: [i64; 7]) -> Option<Timestamp> {
    let part = |value: i64| u32::try_from(value).ok();
    let year = i32::try_from(year.checked_add(1900)?).ok()?;
    let date = chrono::NaiveDate::from_ymd_opt(year, part(month.checked_add(1)?)?, part(day)?)?;
    let at = date.and_hms_opt(part(hour)?, part(minute)?, part(second)?)?;
    Some(Timestamp::from_millis(at.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i32) -> Vec<u8> {
        let mut bytes = vec![u8::from(value < 0)];
        bytes.extend(value.unsigned_abs().to_le_bytes());
        bytes
    }

    fn text(text: Option<&str>) -> Vec<u8> {
        let long = text.map_or(-1, |text| i32::try_from(text.len()).unwrap());
        [number(long), text.unwrap_or_default().as_bytes().to_vec()].concat()
    }

    /// An archive of version 1.14 with one table whose data lies at `place`.
    fn archive(place: u64) -> Vec<u8> {
        let date = [33, 12, 9, 21, 10, 126, 0].map(number).concat();
        let texts = |many: usize| text(Some("x")).repeat(many);
        [
            b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec(),
            number(-1),
            date,
            text(Some("app")),
            text(Some("15.18")),
            text(Some("15.18 (Debian)")),
            number(1),
            number(3),
            number(1),
            texts(4),
            number(3),
            texts(3),
            texts(3),
            texts(2),
            text(Some("2")),
            text(None),
            vec![AT],
            place.to_le_bytes().to_vec(),
        ]
        .concat()
    }

    fn ends(bytes: &[u8]) -> Ends {
        Ends { head: bytes.to_vec(), tail: bytes.to_vec(), total: bytes.len() as u64 }
    }

    #[test]
    fn an_archive_is_whole_when_its_data_is_there_and_closed() {
        let start = archive(0).len() as u64;
        let mut whole = archive(start);
        whole.extend([1]);
        whole.extend(number(3));
        whole.extend([number(4), b"data".to_vec(), number(0)].concat());
        let found = judge(&ends(&whole));
        assert_eq!(found.fault, None);
        assert_eq!(found.tool.as_deref(), Some("pg_dump 15.18"));
        assert_eq!(found.made.unwrap().to_string(), "2026-11-21T09:12:33.000Z");
        for cut in 5..whole.len() {
            let found = judge(&ends(&whole[..cut]));
            assert!(found.fault.is_some(), "cut at {cut}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_damaged_and_what_is_newer_is_not_judged() {
        let mut bytes = archive(10);
        bytes[11] = 7;
        assert!(judge(&ends(&bytes)).fault.unwrap().words.starts_with("damaged"));
        let mut newer = archive(10);
        newer[6] = 17;
        let found = judge(&ends(&newer));
        assert_eq!((found.fault, found.unseen.is_some()), (None, true));
    }
}
