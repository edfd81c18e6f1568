//! PromQL for the metric names that client libraries and node exporter use.

use super::service::Requests;
use super::units::write_duration;
use std::time::Duration;

/// One way in which requests are counted.
#[derive(Clone, Debug)]
struct Family {
    /// Counter of requests.
    count: String,
    /// Labels of which one holds the status.
    status: Vec<String>,
    /// What the status of any request looks like: requests without a status
    /// say nothing of errors and must not dilute them.
    any: &'static str,
    /// What the status of a failed request looks like.
    bad: &'static str,
}

/// One histogram of latency.
#[derive(Clone, Debug)]
struct Histogram {
    /// Its name without `_bucket`.
    name: String,
    /// It is in milliseconds.
    millis: bool,
}

const HTTP_ANY: &str = "[1-5]..";
const HTTP_BAD: &str = "5..";
const STATUS: &[&str] = &["code", "status", "status_code"];

/// Codes of gRPC that are the server's fault (grpc.io/docs/guides/status-codes).
const GRPC_BAD: &str =
    "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss|ResourceExhausted";

fn family(count: &str, status: &[&str]) -> Family {
    let status = status.iter().map(|&label| label.into()).collect();
    Family { count: count.into(), status, any: HTTP_ANY, bad: HTTP_BAD }
}

fn families(requests: &Requests) -> Vec<Family> {
    let status: Vec<&str> =
        requests.status_label.as_deref().map_or_else(|| STATUS.to_vec(), |label| vec![label]);
    if let Some(name) = &requests.requests_metric {
        return vec![family(name, &status)];
    }
    if let Some(name) = &requests.duration_metric {
        return vec![family(&format!("{name}_count"), &status)];
    }
    let mut found = Vec::new();
    let takes = |preset| requests.preset == "auto" || requests.preset == preset;
    if takes("prometheus") {
        found.push(family("http_requests_total", &status));
        found.push(family("http_request_duration_seconds_count", &status));
    }
    if takes("micrometer") {
        found.push(family("http_server_requests_seconds_count", &["status"]));
    }
    if takes("opentelemetry") {
        let name = "http_server_request_duration_seconds_count";
        found.push(family(name, &["http_response_status_code"]));
    }
    if requests.preset == "opentelemetry-old" {
        // Semantic conventions of HTTP before 1.20.
        found.push(family("http_server_duration_milliseconds_count", &["http_status_code"]));
    }
    if requests.preset == "grpc" {
        let handled = family("grpc_server_handled_total", &["grpc_code"]);
        found.push(Family { any: ".+", bad: GRPC_BAD, ..handled });
    }
    found
}

fn histograms(requests: &Requests) -> Vec<Histogram> {
    let seconds = |name: &str| Histogram { name: name.into(), millis: false };
    if let Some(name) = &requests.duration_metric {
        return vec![seconds(name)];
    }
    let mut found = Vec::new();
    let takes = |preset| requests.preset == "auto" || requests.preset == preset;
    if takes("prometheus") {
        found.push(seconds("http_request_duration_seconds"));
    }
    if takes("micrometer") {
        found.push(seconds("http_server_requests_seconds"));
    }
    if takes("opentelemetry") {
        found.push(seconds("http_server_request_duration_seconds"));
    }
    if requests.preset == "opentelemetry-old" {
        let name = "http_server_duration_milliseconds".into();
        found.push(Histogram { name, millis: true });
    }
    if requests.preset == "grpc" {
        found.push(seconds("grpc_server_handling_seconds"));
    }
    found
}

/// A PromQL string literal.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Requests {
    /// The matchers in braces, with one more where it is given.
    fn matchers(&self, more: &str) -> String {
        let job = format!("job={}", quoted(&self.job));
        let own = self.matchers.as_deref().map(|own| own.trim().trim_end_matches(',').to_owned());
        let parts = [Some(job), own, Some(more.to_owned())];
        let parts: Vec<String> =
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        format!("{{{}}}", parts.join(","))
    }

    fn window(&self) -> String {
        write_duration(self.window)
    }

    /// Sum over the series of a family whose status, in whichever label it
    /// is, looks like `pattern`. A series with two of these labels counts once.
    fn of_status(&self, function: &str, family: &Family, pattern: &str) -> String {
        let window = self.window();
        let one = |label: &String| {
            let matchers = self.matchers(&format!("{label}=~{}", quoted(pattern)));
            format!("{function}({}{matchers}[{window}])", family.count)
        };
        format!("sum({})", family.status.iter().map(one).collect::<Vec<_>>().join(" or "))
    }

    /// Share of requests that failed. Without error series it is 0; without
    /// requests it is NaN; where no request has a status there is no answer.
    pub fn error_ratio(&self) -> Option<String> {
        let ratio = |family: &Family| {
            let all = self.of_status("rate", family, family.any);
            let bad = self.of_status("rate", family, family.bad);
            format!("({bad} or 0 * {all}) / {all}")
        };
        first_of(families(self).iter().map(ratio))
    }

    /// How many requests there were in the window, of those that `error_ratio` counts.
    pub fn request_count(&self) -> Option<String> {
        let count = |family: &Family| self.of_status("increase", family, family.any);
        first_of(families(self).iter().map(count))
    }

    /// How many requests there were in the window, of those that `latency` counts.
    pub fn latency_count(&self) -> Option<String> {
        let (matchers, window) = (self.matchers(""), self.window());
        let count = |histogram: &Histogram| {
            format!("sum(increase({}_count{matchers}[{window}]))", histogram.name)
        };
        first_of(histograms(self).iter().map(count))
    }

    /// Requests a second.
    pub fn traffic(&self) -> Option<String> {
        let (matchers, window) = (self.matchers(""), self.window());
        let rate = |family: &Family| format!("sum(rate({}{matchers}[{window}]))", family.count);
        first_of(families(self).iter().map(rate))
    }

    /// Latency in seconds under which the share `quantile` of all requests
    /// stays. Names the share once, so that another one is easily asked for.
    pub fn latency(&self, quantile: f64) -> Option<String> {
        let (matchers, window) = (self.matchers(""), self.window());
        let histograms = histograms(self);
        let millis = histograms.iter().any(|histogram| histogram.millis);
        let rate =
            |histogram: &Histogram| format!("rate({}_bucket{matchers}[{window}])", histogram.name);
        // Buckets of two histograms must not end up in one.
        let alone = |i: usize| {
            let of_it = format!("sum by (le) ({})", rate(&histograms[i]));
            let others = histograms[..i].iter();
            let unless = others.map(|other| format!(" unless on () sum({})", rate(other)));
            std::iter::once(of_it).chain(unless).collect::<String>()
        };
        let buckets = (0..histograms.len()).map(alone).collect::<Vec<_>>().join(" or ");
        let scale = if millis { " / 1000" } else { "" };
        (!buckets.is_empty()).then(|| format!("histogram_quantile({quantile}, {buckets}){scale}"))
    }
}

/// The first of these that there is; each is one value without labels.
fn first_of(expressions: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = expressions.collect();
    (!all.is_empty()).then(|| all.join(" or "))
}

/// Resources of hosts, as node exporter counts them. Each answers by
/// `instance`, disks by `mountpoint` too.
#[derive(Clone, Copy, Debug)]
pub struct Node<'n> {
    /// The exporters' job.
    pub job: &'n str,
    /// Rates are taken over this time.
    pub window: Duration,
    /// The engine has a long history.
    pub long_history: bool,
}

/// File systems that hold nothing of their own or cannot fill up.
const NO_DISKS: &str = "tmpfs|ramfs|devtmpfs|overlay|squashfs|iso9660|erofs|autofs|nsfs|\
    proc|sysfs|cgroup2?|rpc_pipefs|fuse[.].*|fusectl|efivarfs|tracefs|debugfs|binfmt_misc";
/// Mounts that containers bring with them.
const NO_MOUNTS: &str = "/(var/lib/(docker|containers|containerd|kubelet)|run|snap)/.+";
/// Interfaces that carry what others carry too, or nothing from outside.
const NO_NETWORKS: &str = "lo|veth.*|docker.*|br-.*|virbr.*|cali.*|cni.*|flannel.*|vnet.*|tap.*";

impl Node<'_> {
    fn job(&self) -> String {
        format!("job={}", quoted(self.job))
    }

    fn disks(&self) -> String {
        let job = self.job();
        format!("{{{job},fstype!~{},mountpoint!~{}}}", quoted(NO_DISKS), quoted(NO_MOUNTS))
    }

    /// Share of CPU in use.
    pub fn cpu(&self) -> String {
        let (job, window) = (self.job(), write_duration(self.window));
        format!(
            "1 - avg by (instance) (rate(node_cpu_seconds_total{{{job},mode=\"idle\"}}[{window}]))"
        )
    }

    /// Share of memory in use.
    pub fn memory(&self) -> String {
        let of =
            |name: &str| format!("max by (instance) (node_memory_{name}_bytes{{{}}})", self.job());
        format!("1 - {} / {}", of("MemAvailable"), of("MemTotal"))
    }

    /// Share of each disk that is free to users.
    pub fn disk(&self) -> String {
        let disks = self.disks();
        format!(
            "min by (instance, mountpoint) (node_filesystem_avail_bytes{disks} / \
             (node_filesystem_size_bytes{disks} > 0) unless node_filesystem_readonly{disks} == 1)"
        )
    }

    /// Seconds until each disk is full if it goes on as it did; +Inf for one
    /// that does not fill. Compares averages of two stretches, so that a
    /// short-lived file counts for little.
    pub fn disk_full(&self) -> String {
        let (stretch, back, seconds) =
            if self.long_history { ("1h", "5h", 18_000) } else { ("10m", "50m", 3_000) };
        let disks = self.disks();
        let free = format!("node_filesystem_avail_bytes{disks}");
        let average = format!("avg_over_time({free}[{stretch}]");
        let before = format!("{average} offset {back})");
        format!(
            "min by (instance, mountpoint) (({free} / (({before} - {average})) / {seconds} > 0) \
             or {free} + Inf) unless node_filesystem_readonly{disks} == 1)"
        )
    }

    /// Share of time with disk I/O, of the busiest disk.
    pub fn disk_io(&self) -> String {
        let (job, window) = (self.job(), write_duration(self.window));
        format!("max by (instance) (rate(node_disk_io_time_seconds_total{{{job}}}[{window}]))")
    }

    /// Bytes a second, in and out together.
    pub fn network(&self) -> String {
        let window = write_duration(self.window);
        let devices = format!("{{{},device!~{}}}", self.job(), quoted(NO_NETWORKS));
        let sum = |way: &str| {
            format!("sum by (instance) (rate(node_network_{way}_bytes_total{devices}[{window}]))")
        };
        format!("{} + {}", sum("receive"), sum("transmit"))
    }
}

#[cfg(test)]
#[path = "presets_tests.rs"]
mod tests;
