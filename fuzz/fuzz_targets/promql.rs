//! Expressions of any text: read and written again to the same, evaluated over
//! a small memory within tight limits. Nothing panics, nothing goes beyond.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opsroom::domain::{Labels, Timestamp};
use opsroom::metrics::memory::{Limits as MemoryLimits, Memory};
use opsroom::metrics::promql::{self, Limits};
use opsroom::metrics::{Data, STALE_BITS, Sample};
use std::sync::LazyLock;
use std::time::Duration;

/// Counters with a reset, gauges with odd values, a histogram, a series that ends.
static MEMORY: LazyLock<Memory> = LazyLock::new(|| {
    let mut memory = Memory::new(MemoryLimits::default());
    let mut add = |pairs: &[(&str, &str)], value: &dyn Fn(u32) -> f64| {
        let labels = Labels::new(pairs.iter().copied());
        let at = |i: u32| Timestamp::from_millis(i64::from(i) * 15_000);
        memory.append(&labels, (0..40).map(|i| Sample { at: at(i), value: value(i) }));
    };
    for job in ["a", "b"] {
        let named = |name| [("__name__", name), ("job", job), ("instance", "h:1")];
        add(&named("c_total"), &|i| f64::from(i % 17) * 3.0);
        add(&named("g"), &|i| if i % 7 == 0 { f64::NAN } else { f64::from(i).sin() });
        add(&named("x"), &|i| if i % 5 == 0 { f64::INFINITY } else { -f64::from(i) });
        add(&named("target_info"), &|_| 1.0);
    }
    add(&[("__name__", "e")], &|i| if i == 9 { f64::from_bits(STALE_BITS) } else { 1.0 });
    for (le, share) in [("0.1", 1.0), ("1", 2.0), ("+Inf", 3.0)] {
        let pairs = [("__name__", "h_bucket"), ("le", le)];
        add(&pairs, &|i| f64::from(i) * share);
    }
    memory
});

const SAMPLES: u64 = 200_000;

fn values(data: &Data) -> usize {
    match data {
        Data::Scalar(_) | Data::Text(_) => 1,
        Data::Vector(points) => points.len(),
        Data::Matrix(lines) => lines.iter().map(|line| line.points.len()).sum(),
    }
}

fuzz_target!(|text: &str| {
    let expr = match promql::parse(text) {
        Ok(expr) => expr,
        Err(wrong) => {
            assert!(wrong.start <= wrong.end && wrong.end <= text.len(), "{wrong:?}");
            assert!(text.is_char_boundary(wrong.start) && text.is_char_boundary(wrong.end));
            return;
        }
    };
    let printed = expr.to_string();
    match promql::parse(&printed) {
        Ok(again) => assert_eq!(again, expr, "printed as {printed}"),
        // What is written may be longer than what may be read.
        Err(wrong) => assert!(printed.len() > promql::MAX_LENGTH, "{printed}: {wrong}"),
    }
    let _ = promql::window(&expr);
    let _ = promql::subjects(&expr);
    let _ = promql::split_by(text, "job");
    let limits = Limits { samples: SAMPLES, ..Limits::default() };
    let end = Timestamp::from_millis(600_000);
    let most = usize::try_from(SAMPLES).unwrap_or(usize::MAX);
    if let Ok(found) = promql::instant(&expr, &*MEMORY, end, &limits) {
        assert!(values(&found.data) <= most);
    }
    let step = Duration::from_secs(60);
    let start = Timestamp::from_millis(300_000);
    if let Ok(found) = promql::range(&expr, &*MEMORY, start, end, step, &limits) {
        assert!(values(&found.data) <= most);
    }
});
