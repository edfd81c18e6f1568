//! Times, sizes and shares as people write them.

use crate::domain::units::{number_and_unit, plain_number};
use std::time::Duration;

pub use crate::domain::units::read_duration as duration;

/// Writes a time as it is read, largest units first.
pub fn write_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (unit, millis) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
    {
        if left >= millis {
            text.push_str(&(left / millis).to_string());
            text.push_str(unit);
            left %= millis;
        }
    }
    text
}

/// Reads a size in bytes: `64 MiB`, `1 GB`, `512 B`. `k`, `M`, `G` alone are
/// powers of 1,000, as the SI has them.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit, after) = number_and_unit(text.trim())?;
    if !after.trim().is_empty() {
        return None;
    }
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = (number * scale as f64).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is not negative and the bound is checked here"
    )]
    (bytes < 9e18).then_some(bytes as u64)
}

/// Reads a share as a number: `5%` is 0.05.
pub fn percent(text: &str) -> Option<f64> {
    let number = text.trim().strip_suffix('%')?.trim();
    plain_number(number).map(|number| number / 100.0)
}

/// Reads a number, or one with its unit, in the base unit: shares as 0 to 1,
/// times in seconds, sizes in bytes.
pub fn quantity(text: &str) -> Option<f64> {
    percent(text)
        .or_else(|| duration(text).map(|time| time.as_secs_f64()))
        .or_else(|| size(text).map(|bytes| bytes as f64))
        .or_else(|| plain_number(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let millis = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(millis("10s"), Some(10_000));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("1h 30m"), Some(5_400_000));
        assert_eq!(millis("1.5 s"), Some(1_500));
        assert_eq!(millis("0s"), Some(0));
        assert_eq!(millis("2 weeks"), Some(1_209_600_000));
        for wrong in ["", "10", "s", "-1s", "1x", "1e3s", "1..2s", "10s5", "∞s", "1 s s", "NaNs"]
        {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
        assert_eq!(millis("99999999999999999999999999d"), None);
    }

    #[test]
    fn a_written_time_reads_back_the_same() {
        for text in ["1d2h", "26h", "1h30m", "10s", "1s500ms", "0s"] {
            let time = duration(text).unwrap();
            assert_eq!(duration(&write_duration(time)), Some(time), "{text}");
        }
        assert_eq!(write_duration(duration("26h").unwrap()), "1d2h");
    }

    #[test]
    fn sizes_have_units_of_1000_and_of_1024() {
        assert_eq!(size("64 MiB"), Some(64 << 20));
        assert_eq!(size("1GB"), Some(1_000_000_000));
        assert_eq!(size("1.5 KiB"), Some(1_536));
        for wrong in ["", "64", "MiB", "1 XB", "1 MiB 2", "-1 B", "99999999999999 TiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn quantities_come_in_base_units() {
        assert_eq!(quantity("5%"), Some(0.05));
        assert_eq!(quantity("500ms"), Some(0.5));
        assert_eq!(quantity("1 KiB"), Some(1024.0));
        assert_eq!(quantity("12.5"), Some(12.5));
        assert_eq!(quantity("inf"), None);
    }
}
