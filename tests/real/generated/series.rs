//! Series by chance: counters that begin anew, gauges, odd values, gaps, ends,
//! histograms of all sorts, labels that are hard to write.

use super::chance::Chance;
use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::{Matcher, STALE_BITS, Sample, Storage};

/// When the samples begin; all lie 0.3 s after a full second, so that none lies
/// on the edge of a range: the older Prometheus counts those on the left one.
pub(super) const BEGIN_MS: i64 = 1_700_000_000_300;
/// So many scrapes, 15 seconds apart.
const SCRAPES: i64 = 180;
const EVERY_MS: i64 = 15_000;

/// All samples, as lists.
pub(super) struct Lists(pub(super) Vec<(Labels, Vec<Sample>)>);

impl Storage for Lists {
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        for (labels, samples) in &self.0 {
            if matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or_default())) {
                let from = samples.partition_point(|s| s.at <= after);
                let to = samples.partition_point(|s| s.at <= until);
                if from < to {
                    found(labels, &samples[from..to]);
                }
            }
        }
    }
}

/// How the values of a series go.
#[derive(Clone, Copy)]
enum Way {
    /// Up, now and then back to a smaller number that is far from zero: how
    /// versions extrapolate towards zero differs.
    Counter,
    Gauge,
    Odd,
    Still,
    Moment,
    Huge,
}

fn value(way: Way, i: i64, before: f64, chance: &mut Chance) -> f64 {
    let whole = |n: i64| n as f64;
    match way {
        Way::Counter if i == 0 || chance.percent(2) => 1e5 + whole(chance.within(0..5_000)),
        // So fine that no two are alike: of equal ones any may be the largest.
        Way::Counter => before + whole(chance.within(0..1 << 27)) / f64::from(1 << 20),
        Way::Gauge => whole(chance.within(-160..200)) / 8.0,
        Way::Odd => match chance.below(8) {
            0 | 1 => f64::NAN,
            2 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            4 => 0.0,
            5 => -0.0,
            _ => whole(chance.within(-5..5)),
        },
        Way::Still if i == 0 => whole(chance.within(-3..9)),
        Way::Still => before,
        Way::Moment => whole(chance.within(-3_000_000_000..9_000_000_000)),
        Way::Huge => match chance.below(4) {
            0 => 1e-300,
            1 => 1e15,
            2 => 9_007_199_254_740_993.0,
            _ => 1e18,
        },
    }
}

/// When a series has samples.
#[derive(Clone, Copy)]
enum Life {
    Whole,
    Gaps,
    Ends,
    Begins,
    /// Without a marker, so that the last sample stays for a while.
    Vanishes,
}

pub(super) fn made(seed: u64) -> Lists {
    let mut chance = Chance::new(seed ^ 0x005e_71e5);
    let mut all = Vec::new();
    let lives = [Life::Whole, Life::Whole, Life::Gaps, Life::Ends, Life::Begins, Life::Vanishes];
    let mut add = |labels: &[(&str, &str)], way: Way, chance: &mut Chance| {
        let life = lives[chance.below(lives.len())];
        let turn = chance.within(60..140);
        let mut samples: Vec<Sample> = Vec::new();
        let mut before = 0.0;
        let mut gap = 0;
        for i in 0..SCRAPES {
            before = value(way, i, before, chance);
            let at = BEGIN_MS + i * EVERY_MS + chance.within(0..90);
            let mut put = |value| samples.push(Sample { at: Timestamp::from_millis(at), value });
            match life {
                Life::Ends if i == turn => put(f64::from_bits(STALE_BITS)),
                Life::Ends | Life::Vanishes if i >= turn => {}
                Life::Begins if i < turn => {}
                Life::Gaps if gap > 0 => gap -= 1,
                Life::Gaps if chance.percent(4) => {
                    gap = chance.within(1..26);
                    if chance.percent(60) {
                        put(f64::from_bits(STALE_BITS));
                    }
                }
                _ => put(before),
            }
        }
        if !samples.is_empty() {
            all.push((Labels::new(labels.iter().copied()), samples));
        }
    };
    for job in ["api", "db"] {
        for instance in ["a:1", "b:1", "c:2"] {
            let own = [("job", job), ("instance", instance)];
            let with = |name: &'static str, more: &[(&'static str, &'static str)]| {
                [&[("__name__", name)], &own[..], more].concat()
            };
            for code in ["200", "404", "500"] {
                add(&with("requests_total", &[("code", code)]), Way::Counter, &mut chance);
                if code != "404" {
                    add(&with("errors_total", &[("code", code)]), Way::Counter, &mut chance);
                }
            }
            add(&with("depth", &[]), Way::Gauge, &mut chance);
            add(&with("width", &[]), Way::Gauge, &mut chance);
            add(&with("odd", &[]), Way::Odd, &mut chance);
            add(&with("still", &[]), Way::Still, &mut chance);
            let version = if instance == "a:1" { "1.0" } else { "2" };
            add(&with("build_info", &[("version", version)]), Way::Still, &mut chance);
        }
        let of_job = |name: &'static str| [("__name__", name), ("job", job)];
        add(&of_job("limit"), Way::Gauge, &mut chance);
        add(&of_job("born"), Way::Moment, &mut chance);
        add(&of_job("huge"), Way::Huge, &mut chance);
        for version in ["1.0", "2"] {
            let one = [&of_job("share")[..], &[("version", version)]].concat();
            add(&one, Way::Gauge, &mut chance);
        }
    }
    add(
        &[("__name__", "odd_text"), ("text", "a\"b\\c\nd é"), ("job", "api")],
        Way::Gauge,
        &mut chance,
    );
    add(&[("__name__", "alone")], Way::Gauge, &mut chance);
    for text in super::patterns::TEXTS {
        let at = |i: i64| Timestamp::from_millis(BEGIN_MS + i * EVERY_MS);
        let samples = (0..SCRAPES).map(|i| Sample { at: at(i), value: 1.0 }).collect();
        all.push((Labels::new([("__name__", "words"), ("text", text)]), samples));
    }
    histograms(&mut all, &mut chance);
    Lists(all)
}

fn histograms(all: &mut Vec<(Labels, Vec<Sample>)>, chance: &mut Chance) {
    let sorts: [(&str, &[&str]); 6] = [
        ("good", &["0.1", "0.5", "1", "5", "+Inf"]),
        ("open", &["0.1", "0.5", "1"]),
        ("below", &["-2", "-1", "0", "2", "+Inf"]),
        ("odd", &["0.5", "x", "1", "", "+Inf"]),
        ("only", &["+Inf"]),
        ("uneven", &["1", "2", "3", "4", "+Inf"]),
    ];
    for (sort, bounds) in sorts {
        for job in ["api", "db"] {
            let mut base = 0;
            for le in bounds {
                base += chance.within(0..6) * 1_000;
                let mut labels = vec![("__name__", "time_bucket"), ("sort", sort), ("job", job)];
                if !le.is_empty() {
                    labels.push(("le", le));
                }
                let mut count = 1e5 + base as f64;
                let speed = chance.within(0..40);
                let samples = (0..SCRAPES).map(|i| {
                    count +=
                        (speed + if sort == "uneven" { chance.within(0..3) } else { 0 }) as f64;
                    let at = BEGIN_MS + i * EVERY_MS + 50;
                    Sample { at: Timestamp::from_millis(at), value: count }
                });
                let samples = samples.collect();
                all.push((Labels::new(labels.iter().copied()), samples));
            }
        }
    }
}
