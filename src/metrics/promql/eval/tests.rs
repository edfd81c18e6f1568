//! Tests of what the module promises.

use super::*;
use crate::metrics::promql::parse;
use crate::metrics::{Matcher, STALE_BITS, Sample};
use proptest::prelude::*;

struct Series(Vec<(Labels, Vec<Sample>)>);

impl Storage for Series {
    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
        found: &mut dyn FnMut(&Labels, &[Sample]),
    ) {
        for (labels, samples) in &self.0 {
            let fits = |m: &Matcher| m.matches(labels.get(&m.name).unwrap_or_default());
            let inside: Vec<Sample> =
                samples.iter().copied().filter(|s| s.at > after && s.at <= until).collect();
            if matchers.iter().all(fits) && !inside.is_empty() {
                found(labels, &inside);
            }
        }
    }
}

/// Series with a sample every 15 s from 0 on; NaN in `values` leaves one out.
fn series(all: &[(&str, &str, &[f64])]) -> Series {
    let samples = |values: &[f64]| {
        let moments = (0..).map(|i| Timestamp::from_millis(i * 15_000));
        let all = moments.zip(values).map(|(at, value)| Sample { at, value: *value });
        all.filter(|s| !s.value.is_nan() || is_stale_bits(s.value)).collect()
    };
    let labels = |name: &str, job: &str| Labels::new([("__name__", name), ("job", job)]);
    Series(all.iter().map(|(name, job, v)| (labels(name, job), samples(v))).collect())
}

fn is_stale_bits(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

fn at(text: &str, storage: &Series, millis: i64) -> Result<Data, String> {
    let found =
        instant(&parse(text).unwrap(), storage, Timestamp::from_millis(millis), &Limits::default());
    found.map(|found| found.data).map_err(|error| error.message)
}

/// The only value.
fn one(text: &str, storage: &Series, millis: i64) -> Option<f64> {
    match at(text, storage, millis).unwrap() {
        Data::Scalar(value) => Some(value.0),
        Data::Vector(points) => {
            assert!(points.len() <= 1, "{points:?}");
            points.first().map(|point| point.value.0)
        }
        other => panic!("{other:?}"),
    }
}

const STALE: f64 = f64::from_bits(STALE_BITS);

#[test]
fn a_value_counts_for_five_minutes_and_not_at_their_end() {
    let storage = series(&[("x", "a", &[7.0])]);
    assert_eq!(one("x", &storage, 0), Some(7.0));
    assert_eq!(one("x", &storage, 299_999), Some(7.0));
    assert_eq!(one("x", &storage, 300_000), None);
    assert_eq!(one("x offset 1m", &storage, 60_000), Some(7.0));
    assert_eq!(one("x offset 1m", &storage, 59_999), None);
}

#[test]
fn a_series_that_ended_has_no_value_until_it_begins_again() {
    let storage = series(&[("x", "a", &[1.0, STALE, f64::NAN, 4.0])]);
    assert_eq!(one("x", &storage, 14_999), Some(1.0));
    assert_eq!(one("x", &storage, 15_000), None);
    assert_eq!(one("x", &storage, 45_000), Some(4.0));
    assert_eq!(one("count_over_time(x[1m])", &storage, 45_000), Some(2.0));
}

#[test]
fn values_are_counted_by_the_labels_that_they_end_up_with() {
    let storage = series(&[("x", "a", &[1.0]), ("x", "b", &[1.0]), ("y", "b", &[2.0])]);
    let counted = |text: &str| match at(text, &storage, 0).unwrap() {
        Data::Vector(points) => {
            let mut all: Vec<String> =
                points.iter().map(|p| format!("{} {}", p.labels, p.value)).collect();
            all.sort();
            all.join("; ")
        }
        other => panic!("{other:?}"),
    };
    let all = "{__name__=~\"x|y\"}";
    let count = |how: &str| counted(&format!("count_values {how}, {all})"));
    assert_eq!(count("by (job) (\"job\""), "{job=\"1\"} 2; {job=\"2\"} 1");
    assert_eq!(count("without () (\"job\""), "{job=\"1\"} 2; {job=\"2\"} 1");
    assert_eq!(count("without (job) (\"job\""), "{} 3");
    assert_eq!(count("without (job) (\"__name__\""), "{} 3");
}

#[test]
fn too_many_of_the_largest_are_a_mistake_and_too_few_are_none() {
    let storage = series(&[("x", "a", &[1.0])]);
    assert!(at("topk(Inf, x)", &storage, 0).unwrap_err().contains("cannot give +Inf series"));
    assert!(at("bottomk(NaN, x)", &storage, 0).is_err());
    assert_eq!(one("topk(-Inf, x)", &storage, 0), None);
    assert_eq!(one("topk(1e18, x)", &storage, 0), Some(1.0));
}

#[test]
fn bounds_hold_infinities_and_zeros_as_go_does() {
    let storage = series(&[("x", "a", &[-0.0])]);
    let bits = |text: &str| one(text, &storage, 0).map(f64::to_bits);
    assert_eq!(bits("clamp_max(x, 0)"), Some((-0.0_f64).to_bits()));
    assert_eq!(bits("clamp_min(x, 0)"), Some(0.0_f64.to_bits()));
    assert_eq!(one("clamp_max(x * NaN, -Inf)", &storage, 0), Some(f64::NEG_INFINITY));
    assert_eq!(one("clamp_min(x * NaN, Inf)", &storage, 0), Some(f64::INFINITY));
    assert!(one("clamp(x * NaN, -1, 1)", &storage, 0).unwrap().is_nan());
}

#[test]
fn lengths_of_time_may_be_computed_from_the_query() {
    let storage = series(&[("x", "a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    assert_eq!(one("count_over_time(x[15s * 2])", &storage, 60_000), Some(2.0));
    assert_eq!(one("x offset (30s - 15)", &storage, 60_000), Some(4.0));
    let error = at("count_over_time(x[step()])", &storage, 60_000).unwrap_err();
    assert!(error.contains("greater than 0; step() and range() are 0"), "{error}");
    assert!(at("x offset (4 / (1 - 1))", &storage, 0).unwrap_err().contains("zero"));
    let moment = Timestamp::from_millis;
    let expr = parse("count_over_time(x[step() + 15])").unwrap();
    let step = Duration::from_secs(15);
    let found = range(&expr, &storage, moment(60_000), moment(60_000), step, &Limits::default());
    let Data::Matrix(lines) = found.unwrap().data else { panic!() };
    assert_eq!(lines[0].points, [(moment(60_000), Num(2.0))]);
}

#[test]
fn what_is_likely_wrong_is_said_with_its_place() {
    let storage = series(&[("x", "a", &[1.0, 2.0]), ("y_total", "a", &[1.0, 2.0])]);
    let said = |text: &str| {
        let expr = parse(text).unwrap();
        let moment = Timestamp::from_millis(15_000);
        let found = instant(&expr, &storage, moment, &Limits::default()).unwrap();
        let placed = |all: Vec<Annotation>| all.iter().map(|one| one.placed(text)).collect();
        (placed(found.warnings), placed(found.infos))
    };
    let none: Vec<String> = Vec::new();
    let counter = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"x\" (1:10)";
    assert_eq!(said("sum(rate(x[1m]))"), (none.clone(), vec![counter.to_owned()]));
    assert_eq!(said("rate(y_total[1m]) + rate(nobody[1m]) + delta(x[1m])"), (none.clone(), none));
    let quantile = "PromQL warning: quantile value should be between 0 and 1, got 95 (1:10)";
    assert_eq!(said("quantile(95, x)").0, [quantile]);
    let bucket = "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\" for metric name \"x\" (1:25)";
    assert_eq!(said("histogram_quantile(0.9, x)").0, [bucket]);
}

#[test]
fn an_evaluation_ends_once_it_has_to() {
    let storage = series(&[("x", "a", &[1.0; 1000])]);
    let check = Check::new(|| Some("too long".to_owned()));
    let limits = Limits { check: Some(check), ..Limits::default() };
    let expr =
        parse("sum_over_time(x[4h]) + sum_over_time(sum_over_time(x[1h:1s])[1h:1s])").unwrap();
    let error = instant(&expr, &storage, Timestamp::from_millis(15_000_000), &limits).unwrap_err();
    assert_eq!(error.message, "too long");
}

#[test]
fn an_evaluation_of_hours_ends_once_it_is_stopped() {
    let storage = series(&[("x", "a", &[1.0; 2_000])]);
    let stop = Arc::new(AtomicBool::new(false));
    let (raised, asked) = (Arc::clone(&stop), std::sync::atomic::AtomicUsize::new(0));
    let check = Check::new(move || {
        // Somebody asks anew while it is under way.
        if asked.fetch_add(1, Ordering::Relaxed) == 100 {
            raised.store(true, Ordering::Relaxed);
        }
        None
    });
    let limits =
        Limits { samples: u64::MAX, stop: Some(stop), check: Some(check), ..Limits::default() };
    let expr = parse("quantile_over_time(0.5, quantile_over_time(0.5, x[8h])[8h:10ms])").unwrap();
    let moment = Timestamp::from_millis;
    let found =
        range(&expr, &storage, moment(0), moment(30_000_000), Duration::from_secs(10), &limits);
    assert_eq!(found.unwrap_err().message, "the query was stopped");
}

#[test]
fn series_that_are_missing_may_be_filled_in() {
    let storage = series(&[("x", "a", &[1.0]), ("x", "b", &[2.0]), ("y", "a", &[10.0])]);
    assert_eq!(one("sum(x + fill_right(100) y)", &storage, 0), Some(113.0));
    assert_eq!(one("y - fill_left(100) x{job=\"b\"}", &storage, 0), Some(98.0));
    assert_eq!(one("count(nothing + fill(0) x)", &storage, 0), Some(2.0));
    assert_eq!(one("count(nothing + fill_right(0) x)", &storage, 0), None);
}

#[test]
fn windows_are_open_on_the_left() {
    let storage = series(&[("x", "a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    assert_eq!(one("count_over_time(x[30s])", &storage, 60_000), Some(2.0));
    assert_eq!(one("count_over_time(x[30001ms])", &storage, 60_000), Some(3.0));
}

#[test]
fn a_counter_that_began_anew_gains_from_zero() {
    let storage = series(&[("x", "a", &[10.0, 25.0, 5.0, 20.0, 35.0])]);
    // 5 + 15 + 15 between the four samples in the window, stretched from 45 s to 60 s.
    assert_eq!(one("increase(x[1m])", &storage, 60_000), Some(35.0 * (60.0 / 45.0)));
    assert_eq!(one("resets(x[2m])", &storage, 60_000), Some(1.0));
    assert_eq!(one("irate(x[1m])", &storage, 30_000), Some(5.0 / 15.0));
    assert_eq!(one("rate(x[10s])", &storage, 60_000), None);
}

#[test]
fn sums_do_not_lose_small_values() {
    let storage = series(&[
        ("x", "a", &[1e100]),
        ("x", "b", &[1.0]),
        ("x", "c", &[-1e100]),
        ("y", "a", &[1e308]),
        ("y", "b", &[1e308]),
    ]);
    assert_eq!(one("sum(x)", &storage, 0), Some(1.0));
    assert_eq!(one("avg(y)", &storage, 0), Some(1e308));
    assert_eq!(one("sum(y)", &storage, 0), Some(f64::INFINITY));
}

#[test]
fn series_that_cannot_be_paired_are_an_error_that_says_what_to_do() {
    let storage = series(&[("x", "a", &[1.0]), ("x", "b", &[1.0]), ("y", "a", &[2.0])]);
    let error = at("y / on () x", &storage, 0).unwrap_err();
    assert!(error.contains("on the right side") && error.contains("x{job=\"b\"}"), "{error}");
    let error = at("x / on () y", &storage, 0).unwrap_err();
    assert!(error.contains("group_left"), "{error}");
    assert!(at("x / on () group_left () y", &storage, 0).is_ok());
    assert!(at("{__name__=~\"x|y\"} * 2", &storage, 0).unwrap_err().contains("same labels"));
}

#[test]
fn hostile_labels_are_harmless_and_short_in_errors() {
    let long = "\u{1b}[2J\u{202e}".repeat(100_000);
    let storage = series(&[("x", &long, &[1.0]), ("x", "b", &[1.0])]);
    let error = at("x + on () x", &storage, 0).unwrap_err();
    assert!(error.len() < 1_000 && !error.contains(['\u{1b}', '\u{202e}']), "{error}");
}

#[test]
fn a_series_that_was_filtered_out_is_in_nobodys_way() {
    let storage = series(&[("x", "a", &[1.0]), ("y", "a", &[9.0])]);
    assert_eq!(one("-({__name__=~\"x|y\"} > 5)", &storage, 0), Some(-9.0));
    assert_eq!(one("abs({__name__=~\"x|y\"} > 5)", &storage, 0), Some(9.0));
    assert_eq!(one("x * on () ({__name__=~\"x|y\"} > 5)", &storage, 0), Some(9.0));
    assert_eq!(one("absent(x > 5)", &storage, 0), Some(1.0));
    assert_eq!(one("scalar({__name__=~\"x|y\"} > 5)", &storage, 0), Some(9.0));
    assert_eq!(one("count({__name__=~\"x|y\"} > 10) or vector(0)", &storage, 0), Some(0.0));
}

#[test]
fn a_ratio_without_errors_is_zero_and_without_requests_unknown() {
    let steady = [0.0, 10.0, 20.0, 30.0, 40.0];
    let storage = series(&[("all", "a", &steady), ("idle", "a", &[5.0; 5])]);
    let ratio = "(sum(rate(errors[1m])) or vector(0)) / sum(rate(all[1m]))";
    assert_eq!(one(ratio, &storage, 60_000), Some(0.0));
    let idle = "sum(rate(idle[1m])) / sum(rate(idle[1m]))";
    assert!(one(idle, &storage, 60_000).unwrap().is_nan());
    assert_eq!(one("sum(rate(nothing[1m]))", &storage, 60_000), None);
}

#[test]
fn many_distinct_values_do_not_fill_the_memory() {
    let values: Vec<f64> = (0..2_000_u32).map(f64::from).collect();
    let storage = series(&[("x", "a", &values)]);
    let moment = Timestamp::from_millis;
    let expr = parse("count_values(\"v\", x)").unwrap();
    let (end, step) = (moment(29_985_000), Duration::from_secs(15));
    let limits = Limits { samples: 10_000_000, ..Limits::default() };
    assert!(range(&expr, &storage, moment(0), end, step, &limits).is_err());
}

#[test]
fn no_expression_takes_more_memory_than_it_may() {
    let labels = |i: usize| {
        Labels::new([
            ("__name__".to_owned(), "x".to_owned()),
            ("job".to_owned(), format!("{i:0100}")),
        ])
    };
    let sample = |i: u32| Sample { at: Timestamp::from_millis(0), value: f64::from(i) };
    let storage = Series((0..1_000).map(|i| (labels(i), vec![sample(7)])).collect());
    let long = "y".repeat(20_000);
    let many = "$1".repeat(10_000);
    let doubled = (0..40).fold("x".to_owned(), |inner, _| {
        format!("label_replace({inner}, \"job\", \"$1$1\", \"job\", \"(.*)\")")
    });
    let nested =
        (0..20).fold("x".to_owned(), |inner, _| format!("sum_over_time(({inner})[1h:1ms])"));
    for text in [
        format!("label_replace(x, \"a\", \"{long}\", \"\", \"\")"),
        format!("label_replace(x, \"a\", \"{many}\", \"job\", \"(.*)\")"),
        format!("label_join(x, \"a\", \"{long}\", \"job\", \"job\")"),
        doubled,
        nested,
        "max_over_time(x[1h:1ms])".to_owned(),
        "count_values(\"v\", max_over_time((x * time())[1h:100ms]))".to_owned(),
        "sum_over_time(vector(1)[290y:1ms])".to_owned(),
        "max_over_time(x[1d] smoothed) or rate(x[1h:1ms])".to_owned(),
    ] {
        let limits = Limits { samples: 2_000_000, ..Limits::default() };
        let expr = parse(&text).unwrap();
        let found = instant(&expr, &storage, Timestamp::from_millis(0), &limits);
        assert!(found.is_err(), "{}", &text[..40]);
    }
}

#[test]
fn what_is_not_there_yet_says_so() {
    let storage = series(&[("x", "a", &[1.0])]);
    let error = at("histogram_sum(x)", &storage, 0).unwrap_err();
    assert!(error.contains("native histograms are not supported"), "{error}");
    let error = at("x anchored", &storage, 0).unwrap_err();
    assert!(error.contains("for ranges"), "{error}");
    let error = at("max_over_time(x[1m] smoothed)", &storage, 0).unwrap_err();
    assert!(error.contains("not with max_over_time"), "{error}");
}

#[test]
fn a_moment_that_is_named_counts_at_every_step() {
    let storage = series(&[("x", "a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    let moment = Timestamp::from_millis;
    for text in ["x @ 30", "x @ 45 offset 15s", "last_over_time(x[20s] @ 30)"] {
        let found = range(
            &parse(text).unwrap(),
            &storage,
            moment(0),
            moment(60_000),
            Duration::from_secs(20),
            &Limits::default(),
        );
        let Data::Matrix(lines) = found.unwrap().data else { panic!("{text}") };
        let values: Vec<f64> = lines[0].points.iter().map(|(_, value)| value.0).collect();
        assert_eq!(values, [3.0; 4], "{text}");
    }
    assert_eq!(one("x @ end()", &storage, 45_000), Some(4.0));
}

#[test]
fn too_much_work_and_a_stop_end_an_evaluation() {
    let values = [1.0; 100];
    let storage = series(&[("x", "a", &values)]);
    let moment = Timestamp::from_millis;
    let run = |text: &str, limits: &Limits| {
        let step = Duration::from_secs(1);
        range(&parse(text).unwrap(), &storage, moment(0), moment(1_000_000), step, limits)
    };
    let few = Limits { samples: 5_000, ..Limits::default() };
    let error = run("sum_over_time(x[10m])", &few).unwrap_err();
    assert!(error.message.contains("5000 samples"), "{error}");
    let short = Limits { steps: 1_000, ..Limits::default() };
    assert!(run("x", &short).unwrap_err().message.contains("1001 steps"));
    let stop = Some(Arc::new(AtomicBool::new(true)));
    let stopped = Limits { stop, ..Limits::default() };
    assert_eq!(run("x", &stopped).unwrap_err().message, "the query was stopped");
    let deep = "max_over_time(x[10y:1ms])";
    assert!(run(deep, &Limits::default()).is_err());
}

#[test]
fn ranges_that_make_no_sense_are_refused() {
    let storage = series(&[("x", "a", &[1.0])]);
    let moment = Timestamp::from_millis;
    let run = |text: &str, end: i64, step: u64| {
        let step = Duration::from_millis(step);
        range(&parse(text).unwrap(), &storage, moment(0), moment(end), step, &Limits::default())
            .map(|found| found.data)
            .map_err(|error| error.message)
    };
    assert!(run("x", 10, 0).is_err());
    assert!(run("x", -1, 1).is_err());
    assert!(run("x[5m]", 10, 1).unwrap_err().contains("range vector"));
    assert!(run("\"text\"", 10, 1).is_err());
    assert!(run("x", i64::MAX, 1).is_err());
}

#[test]
fn moments_at_the_ends_of_time_do_no_harm() {
    let storage = series(&[("x", "a", &[1.0])]);
    for text in ["x", "rate(x[100y])", "max_over_time(x[1h:1m] offset -200y)", "x @ 9e15"] {
        for millis in [i64::MIN, i64::MAX] {
            assert!(at(text, &storage, millis).is_ok(), "{text}");
        }
    }
}

#[test]
fn a_long_chain_is_computed() {
    let storage = series(&[("x", "a", &[1.0])]);
    let text = format!("{}x", "x + ".repeat(250));
    assert_eq!(one(&text, &storage, 0), Some(251.0));
}

const QUESTIONS: [&str; 16] = [
    "sum by (job) (rate(x[1m]))",
    "max_over_time(x[45s]) / on (job) group_left () y",
    "x > 3 or y",
    "x unless y",
    "avg_over_time((x + 1)[1m:15s] offset 15s)",
    "topk(1, x)",
    "count_values(\"v\", x)",
    "absent(y)",
    "x offset 20s - x",
    "-x",
    "quantile by (job) (0.5, x)",
    "scalar(y) + time()",
    "label_replace(x, \"job\", \"$1\", \"job\", \"(.).*\")",
    "delta(x[1m] @ 60)",
    "timestamp(x) > bool 40",
    "sum(x) and on () y",
];

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        6 => (0_u8..20).prop_map(f64::from),
        1 => Just(STALE),
        1 => Just(f64::NAN),
    ];
    proptest::collection::vec(value, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_range_is_the_instants_in_it(a in values(), b in values(), c in values()) {
        let storage = series(&[("x", "a1", &a), ("x", "b1", &b), ("y", "a1", &c)]);
        let moment = Timestamp::from_millis;
        let (start, end, step) = (moment(0), moment(170_000), Duration::from_secs(10));
        for text in QUESTIONS {
            let expr = parse(text).unwrap();
            let Ok(found) = range(&expr, &storage, start, end, step, &Limits::default()) else {
                continue;
            };
            let Data::Matrix(lines) = found.data else { panic!("{text}") };
            for index in 0..18 {
                let now = moment(index * 10_000);
                let of_range: Vec<_> = lines
                    .iter()
                    .flat_map(|line| {
                        let here = line.points.iter().filter(|point| point.0 == now);
                        here.map(|point| (line.labels.clone(), point.1))
                    })
                    .collect();
                let found = instant(&expr, &storage, now, &Limits::default()).unwrap();
                let mut of_instant: Vec<_> = match found.data {
                    Data::Vector(points) => points.into_iter().map(|p| (p.labels, p.value)).collect(),
                    Data::Scalar(value) => vec![(Labels::default(), value)],
                    other => panic!("{other:?}"),
                };
                of_instant.sort_by(|a, b| a.0.cmp(&b.0));
                // NaN by whatever way is NaN.
                let text_of = |all: &[(Labels, Num)]| {
                    all.iter().map(|(l, v)| format!("{l} {v}")).collect::<Vec<_>>()
                };
                prop_assert_eq!(text_of(&of_range), text_of(&of_instant), "{} at {}", text, now);
            }
        }
    }
}
