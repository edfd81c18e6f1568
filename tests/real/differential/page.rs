//! The pages of a service: counters with a reset, histograms, gaps, odd values,
//! series that begin and end.

use std::fmt::Write;

/// Scrapes that fail.
const GAPS: [usize; 2] = [12, 31];
/// From here on the second route's counters begin anew.
const RESET: usize = 35;

/// The page of the scrape with this number; none where it fails.
pub(super) fn page(i: usize) -> Option<Vec<u8>> {
    if GAPS.contains(&i) {
        return None;
    }
    let mut out = String::new();
    let n = i as f64;
    // Far from zero, where versions extrapolate differently.
    let from =
        |route: &str| if route == "/b" && i >= RESET { (50_000.0, n - 34.0) } else { (1e6, n) };
    let routes = ["/a", "/b"];
    let mut all = || -> std::fmt::Result {
        writeln!(out, "# TYPE app_requests_total counter")?;
        for (r, route) in routes.iter().enumerate() {
            let (start, n) = from(route);
            for (m, method) in ["get", "post"].iter().enumerate() {
                for (c, code) in ["200", "404", "500"].iter().enumerate() {
                    let k = (1 + r * 6 + m * 3 + c) as f64;
                    let labels = format!("route=\"{route}\",method=\"{method}\",code=\"{code}\"");
                    let value = start + k * 37.0 + n * k * 1.7 + (n * k).sin().abs();
                    writeln!(out, "app_requests_total{{{labels}}} {value}")?;
                    writeln!(out, "app_errors_total{{{labels}}} {}", start + n * k * 0.3)?;
                }
            }
        }
        writeln!(out, "# TYPE app_latency_seconds histogram")?;
        for (r, route) in routes.iter().enumerate() {
            for (m, method) in ["get", "post"].iter().enumerate() {
                let rate = 3.0 + (2 * r + m) as f64;
                let mut count = 0.0;
                for (b, le) in
                    ["0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "+Inf"].iter().enumerate()
                {
                    let share = 1.0 + ((b + r) % 4) as f64 + (n / 9.0).sin().abs();
                    count += 20_000.0 + (n * rate * share).floor();
                    writeln!(
                        out,
                        "app_latency_seconds_bucket{{route=\"{route}\",method=\"{method}\",le=\"{le}\"}} {}",
                        (1e5 + n * rate * 40.0).min(count)
                    )?;
                }
                let labels = format!("route=\"{route}\",method=\"{method}\"");
                writeln!(out, "app_latency_seconds_sum{{{labels}}} {}", 1e5 + n * rate * 0.37)?;
                writeln!(out, "app_latency_seconds_count{{{labels}}} {}", 1e5 + n * rate)?;
            }
            let wave = (n / 3.0 + r as f64).sin();
            writeln!(out, "app_queue_length{{route=\"{route}\"}} {}", (10.0 * wave).round())?;
            writeln!(
                out,
                "app_saturation_ratio{{route=\"{route}\"}} {}",
                f64::midpoint(wave, 1.0)
            )?;
        }
        let odd = match i % 7 {
            0 => f64::NAN,
            3 => f64::INFINITY,
            _ => -n,
        };
        writeln!(
            out,
            "app_odd{{kind=\"mixed\"}} {}",
            if odd.is_infinite() { "+Inf".into() } else { odd.to_string() }
        )?;
        writeln!(out, "app_odd{{kind=\"nan\"}} NaN")?;
        writeln!(out, "app_info{{version=\"1.{}\",commit=\"a\\\"b\\\\c\"}} 1", i / 30)?;
        writeln!(out, "app_start_time_seconds 1.7636e9")?;
        writeln!(out, "app_limit{{route=\"/a\"}} 8")?;
        if i < 33 {
            writeln!(out, "app_ends 5")?;
        }
        if i >= 30 {
            writeln!(out, "app_begins{{late=\"yes\"}} {n}")?;
        }
        Ok(())
    };
    all().unwrap();
    Some(out.into_bytes())
}
