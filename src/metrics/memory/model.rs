//! The memory beside a model of it that keeps every sample in plain lists:
//! pages, failures, recordings, clocks that jump, restarts, in any order.

use super::*;
use crate::domain::Labels;
use crate::metrics::{
    Grouping, MatchOp, Matcher, Packed, STALE_BITS, Sample, Storage, is_stale, window,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const AHEAD: i64 = 600_000;
const EVERY: Duration = Duration::from_secs(15);

#[derive(Clone, Debug)]
enum Op {
    /// Series, value as text, moment before or after the scrape's.
    Page {
        target: u8,
        by: i64,
        lines: Vec<(u8, &'static str, Option<i64>)>,
    },
    Fail {
        target: u8,
        by: i64,
    },
    Forget {
        target: u8,
        by: i64,
    },
    Record {
        by: i64,
        lines: Vec<(u8, f64)>,
    },
    Append {
        series: u8,
        by: i64,
        bits: u64,
    },
    /// Written, read, gone on with.
    Restart,
}

const VALUES: [&str; 16] = [
    "0",
    "1",
    "2",
    "3",
    "200",
    "100000",
    "5e9",
    "9007199254740993",
    "-1",
    "-0",
    "0.25",
    "1e308",
    "NaN",
    "+Inf",
    "-Inf",
    "4.9e-324",
];

fn moved() -> impl Strategy<Value = i64> {
    prop_oneof![12 => 1_i64..20_000, 1 => -60_000_i64..1, 1 => 0_i64..4_000_000]
}

fn op() -> impl Strategy<Value = Op> {
    let line = (
        0_u8..6,
        prop::sample::select(&VALUES[..]),
        prop::option::weighted(0.1, -700_000_i64..700_000),
    );
    let lines = prop::collection::vec(line, 0..10);
    prop_oneof![
        12 => (0_u8..2, moved(), lines).prop_map(|(target, by, lines)| Op::Page { target, by, lines }),
        1 => (0_u8..2, moved()).prop_map(|(target, by)| Op::Fail { target, by }),
        1 => (0_u8..2, moved()).prop_map(|(target, by)| Op::Forget { target, by }),
        3 => (moved(), prop::collection::vec((0_u8..4, any::<f64>()), 0..4))
            .prop_map(|(by, lines)| Op::Record { by, lines }),
        3 => (0_u8..3, moved(), prop_oneof![any::<u64>(), Just(STALE_BITS)])
            .prop_map(|(series, by, bits)| Op::Append { series, by, bits }),
        1 => Just(Op::Restart),
    ]
}

/// A sample, and whether its page gave its moment.
type Kept = (i64, u64, bool);

#[derive(Default)]
struct Model {
    series: BTreeMap<(u8, u8), Vec<Kept>>,
    /// When each target was scraped last, and what was on its page.
    pages: BTreeMap<u8, (i64, BTreeSet<u8>)>,
}

/// Recorded and single series stand beside those of the targets.
const RECORDED: u8 = 7;
const SINGLE: u8 = 8;

impl Model {
    fn push(&mut self, key: (u8, u8), at: i64, bits: u64, timed: bool) {
        let samples = self.series.entry(key).or_default();
        if samples.last().is_none_or(|last| at > last.0) {
            samples.push((at, bits, timed));
        }
    }

    fn end(&mut self, key: (u8, u8), at: i64) {
        let last = self.series.get(&key).and_then(|samples| samples.last());
        if last.is_some_and(|last| !last.2 && last.1 != STALE_BITS) {
            self.push(key, at, STALE_BITS, false);
        }
    }

    fn scrape(&mut self, target: u8, at: i64, lines: Option<&[(u8, &str, Option<i64>)]>) {
        let (last, before) =
            self.pages.get(&target).cloned().unwrap_or((i64::MIN, BTreeSet::new()));
        if at <= last {
            return;
        }
        let mut seen = BTreeSet::new();
        for (series, value, offset) in lines.unwrap_or_default() {
            let first = seen.insert(*series);
            let value: f64 = value.parse().unwrap();
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            let oldest = Limits::default().age.as_millis().try_into().unwrap();
            match offset {
                Some(offset) if *offset <= AHEAD && -offset <= oldest => {
                    self.push((target, *series), at + offset, bits, true);
                }
                None if first => self.push((target, *series), at, bits, false),
                _ => {}
            }
        }
        for gone in before.difference(&seen) {
            self.end((target, *gone), at);
        }
        self.pages.insert(target, (at, seen));
    }
}

fn target(number: u8) -> Target {
    Target::new("job", &format!("h:{number}"), [("", ""); 0])
}

fn labels((target, series): (u8, u8)) -> Labels {
    let name = ["m", "m", "", "", "", "", "", "recorded", "single"][usize::from(target)];
    let labels = Labels::new([("__name__", name), ("n", &series.to_string())]);
    if target < RECORDED {
        labels.with("job", "job").with("instance", &format!("h:{target}"))
    } else {
        labels
    }
}

fn matchers(labels: &Labels) -> Vec<Matcher> {
    let of = |(name, value): (&std::sync::Arc<str>, &std::sync::Arc<str>)| Matcher {
        name: name.to_string(),
        op: MatchOp::Equal(value.to_string()),
    };
    labels.iter().map(of).collect()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn bits(samples: &[Sample]) -> Vec<(i64, u64)> {
    samples.iter().map(|sample| (sample.at.millis(), sample.value.to_bits())).collect()
}

/// All that is in a range, asked in each of the ways.
fn check(memory: &Memory, model: &Model, (after, until): (i64, i64)) {
    for (key, kept) in &model.series {
        let wanted: Vec<(i64, u64)> = kept
            .iter()
            .filter(|sample| sample.0 > after && sample.0 <= until)
            .map(|sample| (sample.0, sample.1))
            .collect();
        let matchers = matchers(&labels(*key));
        let (mut seen, mut packed_seen) = (Vec::new(), Vec::new());
        memory.select(&matchers, at(after), at(until), &mut |found, samples| {
            assert_eq!(*found, labels(*key));
            seen.extend_from_slice(samples);
        });
        assert_eq!(bits(&seen), wanted, "{key:?}");
        memory.select_packed(&matchers, at(after), at(until), &mut |_, packed| {
            packed.unpack(&mut packed_seen);
            let plain = packed_seen.as_slice();
            let shown = |sample: Option<Sample>| sample.map(|one| bits(&[one]));
            assert_eq!(shown(packed.last()), shown(Packed::last(&plain)));
            let (mut fell, mut fell_plain) = (Vec::new(), Vec::new());
            let (ends, plain) = (packed.ends(&mut fell), plain.ends(&mut fell_plain));
            let shown = |ends: Option<crate::metrics::Ends>| {
                ends.map(|ends| (bits(&[ends.first, ends.last]), ends.count))
            };
            assert_eq!((shown(ends), fell), (shown(plain), fell_plain));
        });
        assert_eq!(bits(&packed_seen), wanted, "{key:?}");
    }
    let name = Matcher { name: "__name__".into(), op: MatchOp::Equal("m".into()) };
    let mut counted: BTreeMap<usize, usize> = BTreeMap::new();
    let by = Grouping::By(vec!["n".into()]);
    let groups = memory.select_grouped(&[name], at(after), at(until), &by, &mut |group, packed| {
        let mut samples = Vec::new();
        packed.unpack(&mut samples);
        *counted.entry(group).or_default() += samples.len();
    });
    for (group, count) in counted {
        let series: u8 = groups[group].get("n").unwrap().parse().unwrap();
        let of = |key: &&(u8, u8)| key.0 < RECORDED && key.1 == series;
        let wanted: usize = model
            .series
            .keys()
            .filter(of)
            .map(|key| {
                let inside = |sample: &&Kept| sample.0 > after && sample.0 <= until;
                model.series[key].iter().filter(inside).count()
            })
            .sum();
        assert_eq!(count, wanted);
    }
}

/// As [`check`], by who has asked before and by who has not.
fn all(memory: &Memory) -> BTreeMap<String, Vec<(i64, u64)>> {
    let mut found = BTreeMap::new();
    memory.select(&[], at(i64::MIN), at(i64::MAX), &mut |labels, samples| {
        assert!(found.insert(labels.to_string(), bits(samples)).is_none());
    });
    found
}

fn apply(memory: &mut Memory, model: &mut Model, op: &Op, now: &mut i64) {
    let recorder = Recorder { group: "g", rule: "r", every: EVERY };
    match op {
        Op::Page { target: number, by, lines } => {
            *now += by;
            let line = |(series, value, offset): &(u8, &str, Option<i64>)| {
                let moment = offset.map(|offset| format!(" {}", *now + offset));
                format!("m{{n=\"{series}\"}} {value}{}\n", moment.unwrap_or_default())
            };
            let body: String = lines.iter().map(line).collect();
            let target = target(*number);
            let taken = memory.take_page(&target, "", body.as_bytes(), Duration::ZERO, at(*now));
            let taken = taken.unwrap();
            assert_eq!(taken.samples + taken.dropped, lines.len() as u64);
            model.scrape(*number, *now, Some(lines));
        }
        Op::Fail { target: number, by } => {
            *now += by;
            memory.target_failed(&target(*number), Duration::ZERO, at(*now));
            model.scrape(*number, *now, None);
        }
        Op::Forget { target: number, by } => {
            *now += by;
            memory.forget_target(&target(*number), at(*now));
            if model.pages.contains_key(number) {
                model.scrape(*number, *now, None);
            }
        }
        Op::Record { by, lines } => {
            *now += by;
            memory.record(
                recorder,
                at(*now),
                lines.iter().map(|(series, value)| (labels((RECORDED, *series)), *value)),
            );
            let last = model.pages.get(&RECORDED).cloned();
            if last.as_ref().is_some_and(|(last, _)| *now < *last) {
                return;
            }
            for (series, value) in lines {
                model.push((RECORDED, *series), *now, value.to_bits(), false);
            }
            let seen: BTreeSet<u8> = lines.iter().map(|line| line.0).collect();
            for gone in last.unwrap_or_default().1.difference(&seen) {
                model.end((RECORDED, *gone), *now);
            }
            model.pages.insert(RECORDED, (*now, seen));
        }
        Op::Append { series, by, bits } => {
            *now += by;
            let sample = Sample { at: at(*now), value: f64::from_bits(*bits) };
            memory.append(&labels((SINGLE, *series)), [sample]);
            model.push((SINGLE, *series), *now, *bits, true);
        }
        Op::Restart => {
            *memory = window::read(&window::write(memory), Limits::default()).unwrap();
            // What was on the last pages is not kept.
            model.pages.values_mut().for_each(|(_, page)| page.clear());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn the_memory_holds_what_plain_lists_hold(
        ops in prop::collection::vec(op(), 1..160),
        from in 0.0_f64..1.0, length in 0.0_f64..1.0,
    ) {
        let (mut memory, mut model, mut now) = (Memory::new(Limits::default()), Model::default(), 0);
        for (done, op) in ops.iter().enumerate() {
            apply(&mut memory, &mut model, op, &mut now);
            if done % 16 == 0 {
                check(&memory, &model, (i64::MIN, i64::MAX));
            }
        }
        check(&memory, &model, (i64::MIN, i64::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "a few days")]
        let part = |share: f64| (share * now as f64) as i64;
        check(&memory, &model, (part(from), part(from + length)));
        let again = window::read(&window::write(&memory), Limits::default()).unwrap();
        check(&again, &model, (part(from), part(from + length)));
        prop_assert_eq!(all(&again), all(&memory));
    }

    /// Of what is forgotten the oldest goes first, nobody is told of it any more,
    /// and what is left answers as it did.
    #[test]
    fn what_is_left_after_forgetting_is_the_newest_of_it(
        ops in prop::collection::vec(op(), 1..200), age in 1_u64..2_000,
    ) {
        let limits = Limits { age: Duration::from_secs(age), ..Limits::default() };
        let (mut memory, mut model, mut now) = (Memory::new(Limits::default()), Model::default(), 0);
        let (before, after) = ops.split_at(ops.len() / 2);
        for op in before {
            apply(&mut memory, &mut model, op, &mut now);
        }
        let whole = all(&memory);
        memory.limits = limits;
        memory.expire(at(now));
        memory.limits = Limits::default();
        let oldest = now - i64::try_from(age * 1_000).unwrap();
        let left = all(&memory);
        for (labels, samples) in &whole {
            let left = left.get(labels).map(Vec::as_slice).unwrap_or_default();
            prop_assert!(samples.ends_with(left), "{}", labels);
            let gone = &samples[..samples.len() - left.len()];
            prop_assert!(gone.iter().all(|sample| sample.0 < oldest), "{}", labels);
        }
        // Series that come after it are found, too, and by the same questions.
        for op in after.iter().filter(|op| !matches!(op, Op::Restart)) {
            apply(&mut memory, &mut model, op, &mut now);
        }
        prop_assert_eq!(all(&memory), all(&memory.clone()));
        let stats = memory.stats();
        let samples: usize = all(&memory).values().map(Vec::len).sum();
        prop_assert_eq!(stats.samples, samples as u64);
        let of_jobs: usize = stats.jobs.values().map(|job| job.series).sum();
        prop_assert_eq!(stats.series, of_jobs + stats.recorded.series);
        for name in memory.label_names() {
            for value in memory.label_values(name) {
                let equal = Matcher { name: name.into(), op: MatchOp::Equal(value.into()) };
                let mut found = 0;
                memory.select(&[equal], at(i64::MIN), at(i64::MAX), &mut |_, samples| {
                    found += samples.iter().filter(|sample| !is_stale(sample.value)).count();
                });
                prop_assert!(found > 0 || samples > 0);
            }
        }
    }
}
