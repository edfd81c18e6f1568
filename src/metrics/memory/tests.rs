//! What comes out of the memory after pages went in.

use super::*;
use crate::metrics::{MatchOp, Matcher, Storage, is_stale};
use proptest::prelude::*;

pub(super) const STEP: i64 = 5_000;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn api() -> Target {
    Target::new("api", "10.0.0.1:80", [("zone", "a")])
}

pub(super) fn memory() -> Memory {
    Memory::new(Limits::default())
}

pub(super) fn take(memory: &mut Memory, body: &str, millis: i64) -> PageSummary {
    let took = Duration::from_millis(20);
    memory.take_page(&api(), "text/plain", body.as_bytes(), took, at(millis)).unwrap()
}

fn equal(name: &str, value: &str) -> Matcher {
    Matcher { name: name.to_owned(), op: MatchOp::Equal(value.to_owned()) }
}

fn like(name: &str, regex: &str) -> Matcher {
    let regex = regex::Regex::new(&format!("^(?s:{regex})$")).unwrap();
    Matcher { name: name.to_owned(), op: MatchOp::Regex(regex) }
}

/// `labels: value@at value@at`, `stale` for the marker.
fn shown(memory: &Memory, matchers: &[Matcher]) -> Vec<String> {
    let mut found = Vec::new();
    memory.select(matchers, at(i64::MIN), at(i64::MAX), &mut |labels, samples| {
        let samples: Vec<String> = samples
            .iter()
            .map(|sample| {
                let at = sample.at.millis();
                if is_stale(sample.value) {
                    format!("stale@{at}")
                } else {
                    format!("{}@{at}", sample.value)
                }
            })
            .collect();
        found.push(format!("{labels}: {}", samples.join(" ")));
    });
    found
}

pub(super) fn values(memory: &Memory, metric: &str) -> Vec<String> {
    let all = shown(memory, &[equal("__name__", metric)]);
    all.iter().map(|line| line.split_once("}: ").unwrap().1.to_owned()).collect()
}

#[test]
fn a_page_becomes_series_with_the_targets_labels_and_its_own_metrics() {
    let mut memory = memory();
    let summary = take(&mut memory, "a{b=\"c\"} 1\nup 0\n", 1_000);
    assert_eq!((summary.samples, summary.dropped, summary.series), (1, 1, 4));
    assert_eq!(
        shown(&memory, &[]),
        [
            "up{instance=\"10.0.0.1:80\", job=\"api\", zone=\"a\"}: 1@1000",
            "scrape_duration_seconds{instance=\"10.0.0.1:80\", job=\"api\", zone=\"a\"}: 0.02@1000",
            "scrape_samples_scraped{instance=\"10.0.0.1:80\", job=\"api\", zone=\"a\"}: 2@1000",
            "a{b=\"c\", instance=\"10.0.0.1:80\", job=\"api\", zone=\"a\"}: 1@1000",
        ]
    );
}

#[test]
fn a_pages_label_gives_way_to_the_targets() {
    let mut memory = memory();
    take(&mut memory, "a{job=\"x\",exported_job=\"y\",zone=\"\",instance=\"z\"} 1\n", 1_000);
    assert_eq!(
        shown(&memory, &[equal("__name__", "a")]),
        ["a{exported_exported_job=\"x\", exported_instance=\"z\", exported_job=\"y\", \
         instance=\"10.0.0.1:80\", job=\"api\", zone=\"a\"}: 1@1000"]
    );
}

#[test]
fn bounds_of_buckets_are_written_in_one_way() {
    let mut memory = memory();
    let body = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.50\"} 2\n\
                h_bucket{le=\"+Inf\"} 3\n# TYPE g gauge\ng{le=\"1\"} 4\n";
    take(&mut memory, body, 1_000);
    assert_eq!(memory.label_values("le"), ["+Inf", "1", "1.0", "1.5"]);
}

#[test]
fn a_series_that_leaves_the_page_ends_and_may_come_back() {
    let mut memory = memory();
    take(&mut memory, "a 1\nb 1\nc 1\n", STEP);
    take(&mut memory, "a 2\nc 2\n", 2 * STEP);
    take(&mut memory, "a 3\nc 3\n", 3 * STEP);
    take(&mut memory, "a 4\nb 4\nc 4\n", 4 * STEP);
    assert_eq!(values(&memory, "a"), ["1@5000 2@10000 3@15000 4@20000"]);
    assert_eq!(values(&memory, "b"), ["1@5000 stale@10000 4@20000"]);
    assert_eq!(values(&memory, "c"), ["1@5000 2@10000 3@15000 4@20000"]);
}

#[test]
fn a_failed_scrape_ends_all_series_and_up_is_0() {
    let mut memory = memory();
    take(&mut memory, "a 1\n", STEP);
    memory.target_failed(&api(), Duration::ZERO, at(2 * STEP));
    memory.target_failed(&api(), Duration::ZERO, at(3 * STEP));
    take(&mut memory, "a 4\n", 4 * STEP);
    assert_eq!(values(&memory, "a"), ["1@5000 stale@10000 4@20000"]);
    assert_eq!(values(&memory, "up"), ["1@5000 0@10000 0@15000 1@20000"]);
}

#[test]
fn a_page_of_which_nothing_can_be_read_is_a_failed_scrape() {
    let mut memory = memory();
    take(&mut memory, "a 1\n", STEP);
    let mut bad = |kind: &str, body: &str, millis: i64| {
        memory.take_page(&api(), kind, body.as_bytes(), Duration::ZERO, at(millis)).unwrap_err()
    };
    assert_eq!(bad("text/html", "<html>", 2 * STEP), PageError::Html);
    let error = bad("", "Not found!\n", 3 * STEP);
    assert_eq!(
        error.to_string(),
        "not one line could be read; line 1: the value \"found!\" is not a number"
    );
    assert_eq!(values(&memory, "a"), ["1@5000 stale@10000"]);
    assert_eq!(values(&memory, "up"), ["1@5000 0@10000 0@15000"]);
    take(&mut memory, "", 4 * STEP);
    assert_eq!(values(&memory, "up"), ["1@5000 0@10000 0@15000 1@20000"]);
}

#[test]
fn second_late_and_impossible_samples_are_dropped_and_counted() {
    let mut memory = memory();
    assert_eq!(take(&mut memory, "a 1\na 2\n", STEP).dropped, 1);
    assert_eq!(take(&mut memory, "a 3\na 4\n", 2 * STEP).dropped, 1);
    assert_eq!(take(&mut memory, "a 5\n", 2 * STEP).dropped, 1, "the same moment again");
    assert_eq!(take(&mut memory, "a 6\nnew 1\n", STEP).dropped, 2, "the clock went back");
    assert_eq!(values(&memory, "a"), ["1@5000 3@10000"]);
    let day = 86_400_000;
    let body = format!("t 1 {}\nt 2 {}\nt 3 {}\nt 4 {}\n", day - 5, day - 6, day + 700_000, 5);
    assert_eq!(take(&mut memory, &body, day).dropped, 3);
    assert_eq!(values(&memory, "t"), ["1@86399995"]);
    let body = "up 7\nup{job=\"api\",zone=\"a\"} 1\n";
    let summary = take(&mut memory, body, day + STEP);
    assert_eq!((summary.dropped, summary.samples), (1, 1), "up is the scrape's own");
}

#[test]
fn samples_with_moments_of_their_own_do_not_end_with_the_page() {
    let mut memory = memory();
    take(&mut memory, "t 1 900\n", 1_000);
    take(&mut memory, "t 1 900\n", 2_000);
    take(&mut memory, "t 2 2900\n", 3_000);
    take(&mut memory, "", 4_000);
    assert_eq!(values(&memory, "t"), ["1@900 2@2900"]);
}

#[test]
fn malformed_lines_and_native_histograms_are_told() {
    let mut memory = memory();
    let body = b"# TYPE n histogram\nn {count:1}\na x\nb 1\n# EOF\n";
    let kind = "application/openmetrics-text; version=1.0.0";
    let summary = memory.take_page(&api(), kind, body, Duration::ZERO, at(1)).unwrap();
    assert_eq!((summary.samples, summary.malformed), (1, 2));
    let lines: Vec<_> = summary.first_malformed.iter().map(|m| (m.line, &*m.message)).collect();
    assert_eq!(
        lines,
        [(2, "native histograms are not read"), (3, "the value \"x\" is not a number")]
    );
}

#[test]
fn a_target_over_its_limit_is_cut_off_and_the_others_live() {
    let mut memory = Memory::new(Limits { series_per_target: 10, ..Limits::default() });
    let body: String = (0..20)
        .flat_map(|i| ["a{i=\"", &i.to_string(), "\"} 1\n"].concat().into_bytes())
        .map(char::from)
        .collect();
    for scrape in 1..4 {
        let summary = take(&mut memory, &body, scrape * STEP);
        assert_eq!(
            summary.refusal.as_deref(),
            Some(
                "api 10.0.0.1:80 sends 20 series, 10 are allowed: 10 new ones were not taken; drop \
                 labels whose values never repeat, or raise memory.series_per_target"
            )
        );
        assert_eq!((summary.samples, summary.refused), (10, 10));
    }
    let other = Target::new("web", "h:1", [("", ""); 0]);
    let summary = memory.take_page(&other, "", b"a 1\n", Duration::ZERO, at(STEP)).unwrap();
    assert_eq!((summary.samples, summary.refusal), (1, None));
}

#[test]
fn the_oldest_samples_go_when_bytes_are_short() {
    let limits = Limits { bytes: 200_000, ..Limits::default() };
    let mut memory = Memory::new(limits);
    for scrape in 1..2_000_i64 {
        let body: String = (0..100)
            .map(|i| format!("a{{i=\"{i}\"}} {}.5\n", (scrape * 7_919 + i * 31) % 10_007))
            .fold(String::new(), |all, line| all + &line);
        let summary = take(&mut memory, &body, scrape * STEP);
        assert_eq!((summary.samples, summary.refused), (100, 0), "scrape {scrape}");
        assert!(memory.bytes() <= limits.bytes, "{} bytes", memory.bytes());
    }
    let first = memory.first_scrape("api").unwrap();
    assert!(first > at(STEP), "what was forgotten is not claimed to be known");
    let oldest = memory.stats().jobs["api"].oldest.unwrap();
    assert!(oldest > at(1_000 * STEP), "{oldest}");
}

#[test]
fn what_is_old_goes_and_the_rest_still_answers() {
    let mut memory = Memory::new(Limits { age: Duration::from_mins(10), ..Limits::default() });
    take(&mut memory, "a 1\nold{x=\"y\"} 1\n", STEP);
    for scrape in 2..400 {
        take(&mut memory, &format!("a {scrape}\nb{{c=\"d\"}} 1\n"), scrape * STEP);
    }
    assert_eq!(memory.label_values("x"), ["y"]);
    memory.expire(at(400 * STEP));
    assert_eq!(memory.label_values("x"), Vec::<&str>::new());
    assert_eq!(
        memory.metric_names(),
        ["a", "b", "scrape_duration_seconds", "scrape_samples_scraped", "up"]
    );
    let stats = memory.stats();
    assert_eq!(stats.series, 5);
    assert!(stats.jobs["api"].oldest.unwrap() > at(200 * STEP));
    assert_eq!(memory.first_scrape("api"), Some(at(280 * STEP)));
    let summary = take(&mut memory, "a 400\nb{c=\"d\"} 2\nold{x=\"y\"} 2\n", 400 * STEP);
    assert_eq!(summary.samples, 3);
    assert_eq!(values(&memory, "old"), ["2@2000000"]);
    assert!(values(&memory, "b")[0].ends_with("1@1995000 2@2000000"));
    memory.expire(at(100_000 * STEP));
    assert_eq!(memory.stats(), Stats { bytes: memory.bytes(), ..Stats::default() });
    assert_eq!(memory.first_scrapes(), BTreeMap::new());
}

#[test]
fn a_forgotten_target_ends_and_its_past_stays() {
    let mut memory = memory();
    take(&mut memory, "a 1\n", STEP);
    memory.forget_target(&api(), at(2 * STEP));
    memory.forget_target(&Target::new("no", "body", [("", ""); 0]), at(2 * STEP));
    assert_eq!(values(&memory, "a"), ["1@5000 stale@10000"]);
    assert_eq!(values(&memory, "up"), ["1@5000 stale@10000"]);
}

#[test]
fn a_series_without_a_kept_sample_is_no_trouble() {
    let mut memory = memory();
    assert_eq!(take(&mut memory, "t 1 5\n", 86_400_000).dropped, 1);
    let kept = crate::metrics::window::write(&memory);
    let again = crate::metrics::window::read(&kept, Limits::default()).unwrap();
    assert_eq!(shown(&again, &[]), shown(&memory, &[]));
}

#[test]
fn coverage_begins_with_the_since() {
    let mut memory = memory();
    memory.target_failed(&api(), Duration::ZERO, at(STEP));
    assert_eq!(memory.first_scrape("api"), None);
    take(&mut memory, "a 1\n", 2 * STEP);
    assert_eq!(memory.first_scrape("api"), Some(at(2 * STEP)));
    assert_eq!(memory.first_scrapes().len(), 1);
    memory.target_failed(&api(), Duration::ZERO, at(200_000));
    memory.target_failed(&api(), Duration::ZERO, at(400_000));
    take(&mut memory, "a 1\n", 410_000);
    assert_eq!(memory.first_scrape("api"), Some(at(2 * STEP)), "an outage was seen");
    take(&mut memory, "a 1\n", 800_000);
    assert_eq!(memory.first_scrape("api"), Some(at(800_000)), "a pause was not");
    assert_eq!(memory.first_scrape("web"), None);
}

#[test]
fn matchers_find_what_prometheus_would() {
    let mut memory = memory();
    let body = "a{x=\"1\",y=\"p\"} 1\na{x=\"2\"} 2\nb{x=\"1\"} 3\nc 4\n";
    take(&mut memory, body, 1_000);
    let found = |matchers: &[Matcher]| {
        let lines = shown(&memory, matchers);
        lines
            .iter()
            .map(|l| l.rsplit_once(": ").unwrap().1.chars().next().unwrap())
            .collect::<String>()
    };
    let own = like("__name__", "[abc]");
    assert_eq!(found(&[equal("__name__", "a")]), "12");
    assert_eq!(found(&[equal("__name__", "a"), equal("x", "1")]), "1");
    assert_eq!(found(&[own.clone(), equal("x", "")]), "4");
    assert_eq!(found(&[own.clone(), equal("y", ""), like("x", "1|9")]), "3");
    assert_eq!(found(&[own.clone(), like("x", ".*")]), "1234");
    assert_eq!(found(&[own.clone(), like("x", ".+")]), "123");
    let not = |name: &str, value: &str| Matcher {
        name: name.to_owned(),
        op: MatchOp::NotEqual(value.to_owned()),
    };
    assert_eq!(found(&[own.clone(), not("x", "1")]), "24");
    assert_eq!(found(&[own.clone(), not("x", "")]), "123");
    assert_eq!(found(&[equal("nothing", "here")]), "");
    assert_eq!(found(&[own, like("nothing", "")]), "1234");
}

#[test]
fn metadata_is_found_by_any_name_of_its_family() {
    let mut memory = memory();
    take(&mut memory, "# TYPE h histogram\n# HELP h Time.\nh_sum 1\nh_count 1\n", 1_000);
    let known = memory.metadata("h_count").unwrap();
    assert_eq!((known.kind, &*known.help), (MetricKind::Histogram, "Time."));
    assert_eq!(memory.metadata("other"), None);
}

/// A moment and the lines of its page; none where the scrape failed.
type Scraped = (i64, Option<Vec<(u8, i32)>>);

/// What one series holds when every page is taken by plain rules.
fn model(pages: &[Scraped], wanted: u8) -> Vec<(i64, Option<i32>)> {
    let mut samples: Vec<(i64, Option<i32>)> = Vec::new();
    for (at, page) in pages {
        let value = page
            .as_ref()
            .and_then(|lines| lines.iter().find(|(name, _)| *name == wanted))
            .map(|(_, value)| *value);
        match (value, samples.last()) {
            (Some(value), _) => samples.push((*at, Some(value))),
            (None, Some((_, Some(_)))) => samples.push((*at, None)),
            (None, _) => {}
        }
    }
    samples
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Lines in any order, twice, gone and back, scrapes that fail, counters that reset.
    #[test]
    fn what_goes_in_comes_out_in_order(
        pages in prop::collection::vec(
            (1_i64..20_000, prop::option::weighted(0.9,
                prop::collection::vec((0_u8..12, any::<i32>()), 0..24))),
            0..150,
        ),
    ) {
        let mut memory = memory();
        let mut now = 0;
        let mut stamped = Vec::new();
        for (by, page) in pages {
            now += by;
            stamped.push((now, page.clone()));
            let Some(lines) = page else {
                memory.target_failed(&api(), Duration::ZERO, at(now));
                continue;
            };
            let body: String =
                lines.iter().map(|(n, v)| format!("m{{n=\"{n}\"}} {v}\n")).collect::<Vec<_>>().concat();
            let distinct: std::collections::BTreeSet<u8> = lines.iter().map(|l| l.0).collect();
            let summary = take(&mut memory, &body, now);
            prop_assert_eq!(summary.samples, distinct.len() as u64);
            prop_assert_eq!(summary.dropped, (lines.len() - distinct.len()) as u64);
        }
        for name in 0..12_u8 {
            let wanted = model(&stamped, name);
            let mut seen = Vec::new();
            let matchers = [equal("__name__", "m"), equal("n", &name.to_string())];
            memory.select(&matchers, at(0), at(i64::MAX), &mut |_, samples| {
                seen.extend(samples.iter().map(|sample| {
                    let value = (!is_stale(sample.value)).then_some(sample.value);
                    (sample.at.millis(), value)
                }));
            });
            let wanted: Vec<_> =
                wanted.into_iter().map(|(at, value)| (at, value.map(f64::from))).collect();
            prop_assert_eq!(&seen, &wanted);
            // Any part of the range is that part of the whole.
            if let Some(&(middle, _)) = wanted.get(wanted.len() / 2) {
                let mut part = 0;
                memory.select(&matchers, at(middle), at(now), &mut |_, samples| {
                    part = samples.len();
                });
                prop_assert_eq!(part, wanted.iter().filter(|(at, _)| *at > middle).count());
            }
        }
    }
}

/// A page of so many series that no page before it had.
fn new_series(page: usize, count: usize) -> String {
    let lines: Vec<String> =
        (0..count).map(|i| format!("churn{{id=\"{page}-{i}\"}} {i}\n")).collect();
    lines.concat()
}

#[test]
fn who_sends_ever_new_series_is_cut_off_and_the_others_live() {
    let limits = Limits { series_per_target: 2_000, ..Limits::default() };
    let mut memory = Memory::new(limits);
    let other = Target::new("web", "h:1", [("", ""); 0]);
    let quiet: Vec<String> = (0..50).map(|i| format!("a{{i=\"{i}\"}} {i}\n")).collect();
    let quiet = quiet.concat();
    let mut early = 0;
    for scrape in 1..40_usize {
        let now = i64::try_from(scrape).unwrap() * STEP;
        let summary = take(&mut memory, &new_series(scrape, 10_000), now);
        // Every second page finds those of the page before still there.
        let taken = if scrape % 2 == 1 { 2_000 } else { 0 };
        assert_eq!((summary.samples, summary.refused), (taken, 10_000 - taken), "{scrape}");
        let said = summary.refusal.unwrap();
        assert!(
            said.starts_with("api 10.0.0.1:80 sends 10000 series, 2000 are allowed: "),
            "{said}"
        );
        let took = Duration::from_millis(5);
        let summary = memory.take_page(&other, "", quiet.as_bytes(), took, at(now)).unwrap();
        assert_eq!((summary.samples, summary.refusal), (50, None));
        assert_eq!(memory.stats().series, 2_000 + 50 + 6);
        if scrape == 4 {
            early = memory.bytes();
        }
    }
    assert!(memory.bytes() < early + early / 4, "{} after {early}", memory.bytes());
    assert!(values(&memory, "a").iter().all(|samples| samples.split(' ').count() == 39));
    // It behaves again.
    take(&mut memory, "churn 1\n", 100 * STEP);
    assert_eq!(take(&mut memory, "churn 2\nnew 1\n", 101 * STEP).refused, 0);
    memory.take_page(&other, "", quiet.as_bytes(), Duration::ZERO, at(5_000 * STEP)).unwrap();
    memory.expire(at(5_000 * STEP));
    assert_eq!(memory.stats().series, 53);
    assert!(memory.bytes() < early / 10, "{} after {early}", memory.bytes());
}

#[test]
fn a_page_of_as_many_series_as_are_allowed_is_taken_whole() {
    let mut memory = Memory::new(Limits { series_per_target: 100, ..Limits::default() });
    assert_eq!(take(&mut memory, &new_series(0, 100), STEP).refusal, None);
    assert_eq!(take(&mut memory, &new_series(0, 100), 2 * STEP).refusal, None);
}
