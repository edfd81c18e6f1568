//! The ready-made expressions, answered from pages as exporters write them.

use super::*;
use crate::config::{Config, Mistakes};
use crate::domain::Timestamp;
use crate::metrics::promql::{Limits, instant, parse};
use crate::metrics::{Data, Memory, Target};

const EVERY: i64 = 10_000;

fn requests(more: &str) -> Requests {
    let text = format!("prometheus = 'http://p'\n[service.api]\njob = 'api'\n{more}");
    let mut mistakes = Mistakes::default();
    let config = Config::read(&text, &[], &mut mistakes);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    config.services[0].requests.clone().unwrap()
}

/// A memory that was fed `page(second)` every 10 s for as long as it takes.
fn fed(seconds: i64, page: impl Fn(i64) -> String) -> (Memory, Timestamp) {
    let limits = crate::metrics::Limits { age: Duration::from_hours(6), ..Default::default() };
    let mut memory = Memory::new(limits);
    let target = Target::new("api", "app-1:80", [("zone", "a")]);
    let start = 1_700_000_000_000;
    let mut at = start;
    while at <= start + seconds * 1_000 {
        let page = page((at - start) / 1_000);
        let moment = Timestamp::from_millis(at);
        memory
            .take_page(&target, "text/plain", page.as_bytes(), Duration::from_millis(1), moment)
            .unwrap();
        at += EVERY;
    }
    (memory, Timestamp::from_millis(at - EVERY))
}

/// Each value with its labels, rounded.
fn answer((memory, at): &(Memory, Timestamp), expr: &str) -> Vec<String> {
    let parsed = parse(expr).unwrap();
    match instant(&parsed, memory, *at, &Limits::default()).unwrap().data {
        Data::Vector(points) => {
            points.iter().map(|point| format!("{} {:.3}", point.labels, point.value.0)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_without_error_series_are_no_errors() {
    let fed = fed(600, |t| format!("http_requests_total{{code=\"200\"}} {}\n", t * 2));
    let requests = requests("");
    assert_eq!(answer(&fed, &requests.error_ratio().unwrap()), ["{} 0.000"]);
    assert_eq!(answer(&fed, &requests.traffic().unwrap()), ["{} 2.000"]);
    assert_eq!(answer(&fed, &requests.request_count().unwrap()), ["{} 600.000"]);
}

#[test]
fn no_requests_are_neither_good_nor_bad() {
    let idle = fed(600, |_| "http_requests_total{code=\"200\"} 7\n".into());
    let requests = requests("");
    assert_eq!(answer(&idle, &requests.error_ratio().unwrap()), ["{} NaN"]);
    assert_eq!(answer(&idle, &requests.request_count().unwrap()), ["{} 0.000"]);
    let none = fed(600, |_| "up_to_something 1\n".into());
    assert_eq!(answer(&none, &requests.error_ratio().unwrap()), Vec::<String>::new());
    assert_eq!(answer(&none, &requests.traffic().unwrap()), Vec::<String>::new());
}

#[test]
fn errors_are_found_in_whichever_label_holds_the_status() {
    let requests = requests("");
    for label in ["code", "status", "status_code"] {
        let fed = fed(600, |t| {
            format!(
                "http_requests_total{{{label}=\"200\"}} {}\n\
                 http_requests_total{{{label}=\"404\"}} {t}\n\
                 http_requests_total{{{label}=\"503\"}} {t}\n",
                t * 8
            )
        });
        assert_eq!(answer(&fed, &requests.error_ratio().unwrap()), ["{} 0.100"], "{label}");
    }
    let classes = fed(600, |t| {
        format!(
            "http_requests_total{{status=\"2xx\"}} {}\nhttp_requests_total{{status=\"5xx\"}} {t}\n",
            t * 3
        )
    });
    assert_eq!(answer(&classes, &requests.error_ratio().unwrap()), ["{} 0.250"]);
}

#[test]
fn a_request_that_is_counted_in_two_ways_counts_once() {
    let requests = requests("");
    let both = fed(600, |t| {
        format!(
            "http_requests_total{{code=\"200\",status=\"200\"}} {0}\n\
             http_requests_total{{code=\"500\",status=\"500\"}} {t}\n\
             http_request_duration_seconds_count{{code=\"200\"}} {0}\n\
             http_request_duration_seconds_count{{code=\"500\"}} {t}\n",
            t * 9
        )
    });
    assert_eq!(answer(&both, &requests.error_ratio().unwrap()), ["{} 0.100"]);
    assert_eq!(answer(&both, &requests.traffic().unwrap()), ["{} 10.000"]);
}

#[test]
fn without_any_status_nobody_knows_of_errors() {
    let requests = requests("");
    let blind = fed(600, |t| format!("http_requests_total{{path=\"/\"}} {t}\n"));
    assert_eq!(answer(&blind, &requests.error_ratio().unwrap()), Vec::<String>::new());
    assert_eq!(answer(&blind, &requests.traffic().unwrap()), ["{} 1.000"]);
    // A counter without a status leaves the word to a histogram with one.
    let helped = fed(600, |t| {
        format!(
            "http_requests_total{{path=\"/\"}} {0}\n\
             http_request_duration_seconds_count{{status=\"200\"}} {t}\n\
             http_request_duration_seconds_count{{status=\"500\"}} {t}\n",
            t * 2
        )
    });
    assert_eq!(answer(&helped, &requests.error_ratio().unwrap()), ["{} 0.500"]);
}

#[test]
fn other_libraries_are_known_too() {
    let micrometer = fed(600, |t| {
        format!(
            "http_server_requests_seconds_count{{status=\"200\"}} {0}\n\
             http_server_requests_seconds_count{{status=\"500\"}} {t}\n",
            t * 4
        )
    });
    assert_eq!(answer(&micrometer, &requests("").error_ratio().unwrap()), ["{} 0.200"]);
    let otel = fed(600, |t| {
        format!(
            "http_server_request_duration_seconds_count{{http_response_status_code=\"200\"}} {0}\n\
             http_server_request_duration_seconds_count{{http_response_status_code=\"502\"}} {t}\n",
            t * 4
        )
    });
    assert_eq!(answer(&otel, &requests("").error_ratio().unwrap()), ["{} 0.200"]);
    let grpc = fed(600, |t| {
        format!(
            "grpc_server_handled_total{{grpc_code=\"OK\"}} {0}\n\
             grpc_server_handled_total{{grpc_code=\"NotFound\"}} {t}\n\
             grpc_server_handled_total{{grpc_code=\"Internal\"}} {t}\n",
            t * 2
        )
    });
    let preset = requests("preset = 'grpc'");
    assert_eq!(answer(&grpc, &preset.error_ratio().unwrap()), ["{} 0.250"]);
    let own = fed(600, |t| format!("shop_hits{{rc=\"500\"}} {t}\nshop_hits{{rc=\"200\"}} {t}\n"));
    let named = requests("requests_metric = 'shop_hits'\nstatus_label = 'rc'");
    assert_eq!(answer(&own, &named.error_ratio().unwrap()), ["{} 0.500"]);
}

#[test]
fn latency_is_in_seconds_whatever_the_histogram_counts_in() {
    let page = |name: &str, scale: f64| {
        let name = name.to_owned();
        move |t: i64| {
            format!(
                "{name}_bucket{{le=\"{}\"}} {}\n{name}_bucket{{le=\"{}\"}} {}\n\
                 {name}_bucket{{le=\"+Inf\"}} {}\n{name}_count {}\n",
                0.1 * scale,
                t * 8,
                0.5 * scale,
                t * 10,
                t * 10,
                t * 10
            )
        }
    };
    for (name, scale, preset) in [
        ("http_request_duration_seconds", 1.0, "auto"),
        ("http_server_requests_seconds", 1.0, "auto"),
        ("http_server_request_duration_seconds", 1.0, "auto"),
        ("http_server_duration_milliseconds", 1_000.0, "opentelemetry-old"),
    ] {
        let fed = fed(600, page(name, scale));
        let requests = requests(&format!("preset = '{preset}'"));
        assert_eq!(answer(&fed, &requests.latency(0.95).unwrap()), ["{} 0.400"], "{name}");
        assert_eq!(answer(&fed, &requests.latency_count().unwrap()), ["{} 3000.000"]);
    }
    // Of two histograms the first one counts, and they are not mixed.
    let (one, two) =
        (page("http_request_duration_seconds", 1.0), page("http_server_requests_seconds", 3.0));
    let both = fed(600, |t| one(t) + &two(t));
    assert_eq!(answer(&both, &requests("").latency(0.95).unwrap()), ["{} 0.400"]);
    assert_eq!(requests("").latency(0.95).unwrap().matches("0.95").count(), 1);
}

#[test]
fn matchers_of_ones_own_narrow_all_of_it_down() {
    let fed = fed(600, |t| {
        format!(
            "http_requests_total{{code=\"200\",route=\"/healthz\"}} {}\n\
             http_requests_total{{code=\"500\",route=\"/\"}} {t}\n",
            t * 9
        )
    });
    let requests = requests("matchers = 'route!=\"/healthz\"'");
    assert_eq!(answer(&fed, &requests.error_ratio().unwrap()), ["{} 1.000"]);
    assert_eq!(answer(&fed, &requests.traffic().unwrap()), ["{} 1.000"]);
}

fn exporter(t: i64) -> String {
    let disk = |mount: &str, kind: &str, free: i64, size: i64, readonly: i64| {
        let labels = format!("device=\"/dev/x\",fstype=\"{kind}\",mountpoint=\"{mount}\"");
        format!(
            "node_filesystem_avail_bytes{{{labels}}} {free}\n\
             node_filesystem_size_bytes{{{labels}}} {size}\n\
             node_filesystem_readonly{{{labels}}} {readonly}\n"
        )
    };
    [
        disk("/", "ext4", 900_000 - t * 10, 1_000_000, 0),
        disk("/data", "xfs", 500_000 + t, 1_000_000, 0),
        disk("/mnt/iso", "ext4", 0, 1_000_000, 1),
        disk("/run", "tmpfs", 1, 1_000_000, 0),
        disk("/empty", "ext4", 0, 0, 0),
        disk("/var/lib/docker/overlay2/x", "ext4", 1, 1_000_000, 0),
        format!(
            "node_cpu_seconds_total{{cpu=\"0\",mode=\"idle\"}} {}\n\
             node_cpu_seconds_total{{cpu=\"1\",mode=\"idle\"}} {}\n\
             node_cpu_seconds_total{{cpu=\"0\",mode=\"user\"}} {}\n",
            0.25 * t as f64,
            0.75 * t as f64,
            0.75 * t as f64
        ),
        "node_memory_MemAvailable_bytes 250\nnode_memory_MemTotal_bytes 1000\n".into(),
        format!(
            "node_network_receive_bytes_total{{device=\"eth0\"}} {0}\n\
             node_network_transmit_bytes_total{{device=\"eth0\"}} {0}\n\
             node_network_receive_bytes_total{{device=\"lo\"}} {0}\n\
             node_disk_io_time_seconds_total{{device=\"sda\"}} {1}\n",
            t * 100,
            0.5 * t as f64
        ),
    ]
    .concat()
}

#[test]
fn the_resources_of_a_host_are_those_that_can_run_out() {
    let fed = fed(4_000, exporter);
    let node = Node { job: "api", window: Duration::from_mins(5), long_history: false };
    assert_eq!(answer(&fed, &node.cpu()), ["{instance=\"app-1:80\"} 0.500"]);
    assert_eq!(answer(&fed, &node.memory()), ["{instance=\"app-1:80\"} 0.750"]);
    assert_eq!(answer(&fed, &node.network()), ["{instance=\"app-1:80\"} 200.000"]);
    assert_eq!(answer(&fed, &node.disk_io()), ["{instance=\"app-1:80\"} 0.500"]);
    assert_eq!(
        answer(&fed, &node.disk()),
        [
            "{instance=\"app-1:80\", mountpoint=\"/\"} 0.860",
            "{instance=\"app-1:80\", mountpoint=\"/data\"} 0.504",
        ]
    );
    // 860,000 bytes at 10 bytes a second; what does not fill up never will.
    assert_eq!(
        answer(&fed, &node.disk_full())[..2],
        [
            "{instance=\"app-1:80\", mountpoint=\"/\"} 86000.000",
            "{instance=\"app-1:80\", mountpoint=\"/data\"} inf",
        ]
    );
}
