//! What a service counts about itself, named as client libraries name it.

use super::exposition::Writer;
use crate::domain::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Upper bounds of the histogram's buckets in seconds: the usual ones of the
/// client libraries, with two more around the latency thresholds.
const BOUNDS: [(f64, &str); 13] = [
    (0.005, "0.005"),
    (0.01, "0.01"),
    (0.025, "0.025"),
    (0.05, "0.05"),
    (0.1, "0.1"),
    (0.25, "0.25"),
    (0.5, "0.5"),
    (0.75, "0.75"),
    (1.0, "1"),
    (1.5, "1.5"),
    (2.5, "2.5"),
    (5.0, "5"),
    (10.0, "10"),
];

/// Durations, counted by bucket.
#[derive(Clone, Debug, Default)]
struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

/// The counters of one service since its process, or its release, began.
#[derive(Debug)]
pub(super) struct Tally {
    version: &'static str,
    since: Timestamp,
    requests: BTreeMap<(&'static str, u16), u64>,
    durations: BTreeMap<&'static str, Histogram>,
    jobs: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new(version: &'static str, since: Timestamp) -> Self {
        Self {
            version,
            since,
            requests: BTreeMap::new(),
            durations: BTreeMap::new(),
            jobs: BTreeMap::new(),
        }
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, route: &'static str, code: u16, took: Duration) {
        *self.requests.entry((route, code)).or_default() += 1;
        let histogram = self.durations.entry(route).or_default();
        let seconds = took.as_secs_f64();
        if let Some(at) = BOUNDS.iter().position(|(bound, _)| seconds <= *bound) {
            histogram.buckets[at] += 1;
        }
        histogram.count += 1;
        histogram.sum += seconds;
    }

    /// Shows both results of jobs from the start, so that none failed is a number.
    pub(super) fn count_jobs(&mut self) {
        for result in ["done", "failed"] {
            self.jobs.entry(result).or_default();
        }
    }

    /// A job of a queue was worked off.
    pub(super) fn worked(&mut self, result: &'static str) {
        *self.jobs.entry(result).or_default() += 1;
    }

    /// All of it as a page.
    pub(super) fn write(&self, page: &mut Writer) {
        let version = ("version", self.version);
        if !self.requests.is_empty() {
            page.family("http_requests_total", "counter", "Requests answered.");
            for ((route, code), count) in &self.requests {
                let code = code.to_string();
                let labels =
                    [("code", code.as_str()), ("method", "GET"), ("route", route), version];
                page.sample("http_requests_total", &labels, *count as f64);
            }
            let name = "http_request_duration_seconds";
            page.family(name, "histogram", "Time from request to answer.");
            for (route, histogram) in &self.durations {
                let route = ("route", *route);
                let mut below = 0;
                for ((_, bound), count) in BOUNDS.iter().zip(histogram.buckets) {
                    below += count;
                    let labels = [route, version, ("le", bound)];
                    page.sample("http_request_duration_seconds_bucket", &labels, below as f64);
                }
                let count = histogram.count as f64;
                let labels = [route, version, ("le", "+Inf")];
                page.sample("http_request_duration_seconds_bucket", &labels, count);
                page.sample("http_request_duration_seconds_sum", &[route, version], histogram.sum);
                page.sample("http_request_duration_seconds_count", &[route, version], count);
            }
        }
        if !self.jobs.is_empty() {
            page.family("jobs_processed_total", "counter", "Jobs worked off, by result.");
            for (result, count) in &self.jobs {
                page.sample("jobs_processed_total", &[("result", result)], *count as f64);
            }
        }
        page.family("build_info", "gauge", "Which release runs.");
        page.sample("build_info", &[version], 1.0);
        page.family("process_start_time_seconds", "gauge", "Start since the epoch.");
        page.sample("process_start_time_seconds", &[], self.since.seconds());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up_over_its_buckets() {
        let mut tally = Tally::new("v7", Timestamp::from_millis(1_500));
        tally.answered("/cart", 200, Duration::from_millis(20));
        tally.answered("/cart", 500, Duration::from_millis(600));
        tally.answered("/cart", 200, Duration::from_mins(1));
        let mut page = Writer::default();
        tally.write(&mut page);
        let text = page.finish();
        for line in [
            "http_requests_total{code=\"200\",method=\"GET\",route=\"/cart\",version=\"v7\"} 2",
            "http_request_duration_seconds_bucket{route=\"/cart\",version=\"v7\",le=\"0.01\"} 0",
            "http_request_duration_seconds_bucket{route=\"/cart\",version=\"v7\",le=\"0.025\"} 1",
            "http_request_duration_seconds_bucket{route=\"/cart\",version=\"v7\",le=\"10\"} 2",
            "http_request_duration_seconds_bucket{route=\"/cart\",version=\"v7\",le=\"+Inf\"} 3",
            "http_request_duration_seconds_count{route=\"/cart\",version=\"v7\"} 3",
            "process_start_time_seconds 1.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("jobs_processed_total"));
    }
}
