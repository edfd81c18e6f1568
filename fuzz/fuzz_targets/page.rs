//! What must hold for any page: nothing panics, every line that is read is kept
//! or counted, a page that was seen before is read as one that was not, and the
//! memory stays bounded.

use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::exposition::{Format, SampleLine, Sink, Value, parse};
use opsroom::metrics::window::{read, write};
use opsroom::metrics::{Limits, Memory, Storage, Target};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Default)]
struct Count {
    floats: u64,
    others: u64,
    timed: bool,
}

impl Sink for Count {
    fn sample(&mut self, sample: &SampleLine<'_, '_>) {
        match sample.value {
            Value::Float(_) => self.floats += 1,
            Value::NativeHistogram => self.others += 1,
        }
        self.timed |= sample.at.is_some();
    }
}

const STEP: i64 = 15_000;

fn target() -> Target {
    Target::new("job", "host:1", [("zone", "a")])
}

fn take(memory: &mut Memory, kind: &str, body: &[u8], format: Format, scrape: i64) -> bool {
    let mut count = Count::default();
    let faults = parse(body, format, &mut count);
    let at = Timestamp::from_millis(scrape * STEP);
    let Ok(taken) = memory.take_page(&target(), kind, body, Duration::ZERO, at) else {
        return true;
    };
    assert_eq!(taken.samples + taken.dropped + taken.refused, count.floats);
    assert_eq!(taken.malformed, faults.total + count.others);
    assert_eq!(taken.refused, 0);
    count.timed
}

/// All samples at a scrape, staleness markers left out.
fn at(memory: &Memory, scrape: i64) -> BTreeMap<Labels, u64> {
    let (after, until) = ((scrape - 1) * STEP, scrape * STEP);
    let mut found = BTreeMap::new();
    let (after, until) = (Timestamp::from_millis(after), Timestamp::from_millis(until));
    memory.select(&[], after, until, &mut |labels, samples| {
        let last = samples[samples.len() - 1];
        let own = labels.metric() == Some("scrape_samples_scraped");
        if !opsroom::metrics::is_stale(last.value) && !own {
            assert!(found.insert(labels.clone(), last.value.to_bits()).is_none());
        }
    });
    found
}

/// `data` is a page, its last bytes say what becomes of it from scrape to scrape.
pub fn check(data: &[u8], kind: &str, format: Format) {
    let Some((edit, body)) = data.split_last_chunk::<4>().map(|(body, edit)| (edit, body)) else {
        return;
    };
    let lines: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
    let mut changed: Vec<u8> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let (drop, twice) = (usize::from(edit[0]), usize::from(edit[1]));
        if drop == 0 || i % 64 != drop % 64 {
            changed.extend_from_slice(line);
        }
        if twice != 0 && i % 64 == twice % 64 {
            changed.extend_from_slice(lines[(i + usize::from(edit[2])) % lines.len()]);
        }
    }
    if edit[3] != 0 && !changed.is_empty() {
        let place = usize::from(edit[3]) * changed.len() / 256;
        changed[place] ^= 1;
    }
    let mut warm = Memory::new(Limits::default());
    let mut timed = false;
    for (scrape, page) in [(1, body), (2, body), (3, &*changed), (4, body), (5, &*changed)] {
        timed |= take(&mut warm, kind, page, format, scrape);
    }
    // 600 bytes a series and its labels, those of both pages.
    assert!(warm.bytes() < 200_000 + (body.len() + changed.len()) * 700, "{}", warm.bytes());
    // What TYPE says changes how the bounds of buckets are written from there on,
    // and that is remembered from page to page.
    let typed = [body, &*changed].iter().any(|page| page.windows(4).any(|four| four == b"TYPE"));
    if !timed && !typed {
        let mut cold = Memory::new(Limits::default());
        take(&mut cold, kind, body, format, 3);
        take(&mut cold, kind, &changed, format, 5);
        assert_eq!(at(&warm, 5), at(&cold, 5));
        let mut fresh = Memory::new(Limits::default());
        take(&mut fresh, kind, &changed, format, 5);
        assert_eq!(at(&warm, 5), at(&fresh, 5));
    }
    let kept = write(&warm);
    let again = read(&kept, Limits::default()).expect("what was written can be read");
    assert_eq!(at(&again, 5), at(&warm, 5));
}
