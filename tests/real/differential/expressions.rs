//! Expressions that are always compared; what only newer versions have is not among them.

/// All of them.
pub(super) fn all() -> Vec<String> {
    let mut all: Vec<String> = ALONE.iter().map(|text| (*text).to_owned()).collect();
    for function in ["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present"] {
        for gauge in ["app_queue_length", "app_odd", "node_load1"] {
            all.push(format!("{function}_over_time({gauge}[12s])"));
        }
    }
    for function in ["rate", "increase", "irate", "resets", "changes", "delta", "idelta", "deriv"] {
        for series in ["app_requests_total", "node_cpu_seconds_total", "app_queue_length"] {
            all.push(format!("{function}({series}[10s])"));
        }
    }
    for op in ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"] {
        all.push(format!("{op}(app_requests_total)"));
        all.push(format!("{op} by (route, code) (rate(app_requests_total[10s]))"));
        all.push(format!("{op} without (method, instance) (app_requests_total)"));
    }
    for function in [
        "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "atan", "deg",
        "rad",
    ] {
        all.push(format!("{function}(app_saturation_ratio)"));
        all.push(format!("{function}(app_odd)"));
    }
    for op in ["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<=", "> bool", "== bool"] {
        all.push(format!("app_queue_length {op} 3"));
        all.push(format!("app_queue_length {op} on (route) group_left () app_limit"));
    }
    for part in ["minute", "hour", "month", "year", "day_of_week", "day_of_month", "days_in_month"]
    {
        all.push(format!("{part}(app_start_time_seconds)"));
    }
    all
}

const ALONE: &[&str] = &[
    "up",
    "1 + 2 * 3 ^ 2",
    "time()",
    "vector(time() % 10)",
    "{job=\"app\", __name__=~\"app_.*\"}",
    "app_requests_total{code!~\"2..\", route=\"/b\"}",
    "app_requests_total offset 5s",
    "app_requests_total offset -3s",
    "rate(app_requests_total[10s] offset 4s)",
    "app_queue_length @ start()",
    "sum_over_time(app_queue_length[10s] @ end())",
    "-app_queue_length",
    "histogram_quantile(0.5, app_latency_seconds_bucket)",
    "histogram_quantile(0.95, rate(app_latency_seconds_bucket[10s]))",
    "histogram_quantile(0.99, sum by (le, route) (rate(app_latency_seconds_bucket[12s])))",
    "histogram_quantile(0, app_latency_seconds_bucket)",
    "histogram_quantile(1, app_latency_seconds_bucket)",
    "histogram_quantile(1.5, app_latency_seconds_bucket)",
    "histogram_quantile(scalar(app_limit) / 10, app_latency_seconds_bucket)",
    "sum(rate(app_latency_seconds_sum[10s])) / sum(rate(app_latency_seconds_count[10s]))",
    "sum by (route) (rate(app_requests_total{code=~\"5..\"}[10s])) / sum by (route) (rate(app_requests_total[10s]))",
    "sum by (route) (rate(app_errors_total[10s])) / on (route) group_left sum by (route) (rate(app_requests_total[10s])) * 100",
    "app_errors_total / ignoring (code) group_left sum without (code) (app_requests_total)",
    "app_queue_length * on (job, instance) group_left (version) app_info",
    "topk(3, app_requests_total)",
    "bottomk by (route) (2, rate(app_requests_total[10s]))",
    "quantile by (route) (0.9, app_requests_total)",
    "quantile(0.5, rate(node_cpu_seconds_total[10s]))",
    "count_values(\"value\", app_queue_length)",
    "count by (job) ({__name__=~\".+\", __name__!~\"scrape_.*\"})",
    "quantile_over_time(0.75, app_queue_length[12s])",
    "predict_linear(app_queue_length[12s], 60)",
    "max_over_time(rate(app_requests_total[5s])[12s:3s])",
    "avg_over_time(sum(app_queue_length)[12s:1s])",
    "min_over_time(app_queue_length[10s:2s] offset 3s)",
    "rate(app_requests_total[10s:2s])",
    "sum_over_time((app_queue_length > 0)[12s:2s])",
    "absent(app_nothing{a=\"b\"})",
    "absent(app_queue_length)",
    "absent_over_time(app_nothing[10s])",
    "app_ends",
    "app_begins",
    "count_over_time(app_ends[12s])",
    "rate(app_begins[20s])",
    "app_queue_length or app_odd",
    "app_requests_total and on (route) (app_queue_length > 0)",
    "app_requests_total unless on (route) app_limit",
    "app_requests_total{route=\"/a\"} or on () vector(1)",
    "label_replace(app_queue_length, \"short\", \"$1\", \"route\", \"/(.*)\")",
    "label_join(app_requests_total, \"both\", \"-\", \"route\", \"code\")",
    "sort_desc(app_queue_length)",
    "round(app_saturation_ratio, 0.1)",
    "clamp(app_queue_length, -2, 5)",
    "clamp_min(app_queue_length, 0)",
    "clamp_max(app_odd, 0)",
    "timestamp(up) > bool 0",
    "scalar(app_limit) + 1",
    "scalar(app_requests_total)",
    "app_info",
    "changes(app_info[20s])",
    "avg without (cpu, mode) (rate(node_cpu_seconds_total[10s]))",
    "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
    "node_filesystem_avail_bytes / node_filesystem_size_bytes",
    "sum by (device) (rate(node_network_receive_bytes_total[10s]))",
    "rate(prometheus_tsdb_head_samples_appended_total[10s])",
    "process_resident_memory_bytes / 1024 / 1024",
    "time() - process_start_time_seconds",
    "go_goroutines{job=~\"prom.*\"}",
    "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_response_size_bytes_bucket[10s])))",
    "prometheus_http_requests_total",
    "sum(up) / count(up) < 1",
    "avg by (job) (up) == 1",
    "max by (le) (app_latency_seconds_bucket)",
];
