//! The only reader of clocks: all other code is told the time.

use crate::domain::Timestamp;
use crate::domain::runs::Moment;
use std::time::Duration;
use tokio::time::Instant;

/// Tells the time of day.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// Reads the system's clock anew each time: a monotonic one stands still
    /// while a laptop sleeps.
    Wall,
    /// Follows tokio's clock from a moment on, which a test can pause.
    FollowingTokio {
        /// Tokio's clock at the beginning.
        start: Instant,
        /// The time of day at the beginning.
        at: Timestamp,
    },
}

impl Clock {
    /// Begins at `at` and follows tokio's clock from there.
    pub fn following_tokio(at: Timestamp) -> Self {
        Self::FollowingTokio { start: instant(), at }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => wall(),
            Self::FollowingTokio { start, at } => *at + (instant() - *start),
        }
    }

    /// How long it is until the second hand moves.
    pub fn until_next_second(&self) -> Duration {
        let into = u64::try_from(self.now().millis().rem_euclid(1_000)).unwrap_or(0);
        Duration::from_millis(1_000 - into)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time of day")]
fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = match since {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    Timestamp::from_millis(millis)
}

/// A moment of the clock that only goes forward, for measuring and for timers;
/// outside of a paused test it is the system's monotonic clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads a monotonic clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Time since the first call, for measuring where only a difference counts.
pub fn monotonic() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    instant().saturating_duration_since(*START.get_or_init(instant))
}

/// This moment by the wall clock and by the time since the boot. That one counts
/// on while the host is suspended (`CLOCK_BOOTTIME`, as `/proc/uptime` tells it).
pub fn moment() -> std::io::Result<Moment> {
    let text = std::fs::read_to_string("/proc/uptime")?;
    let since_boot = since_boot(&text).ok_or_else(|| {
        std::io::Error::other("/proc/uptime does not tell the time since the boot")
    })?;
    Ok(Moment { at: wall(), boot: super::runs::process::boot_id()?, since_boot })
}

/// The first number of `/proc/uptime` (`proc_uptime(5)`), in seconds.
fn since_boot(text: &str) -> Option<Duration> {
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_follows_tokio_moves_with_it() {
        let clock = Clock::following_tokio(Timestamp::from_millis(5_250));
        assert_eq!(clock.until_next_second(), Duration::from_millis(750));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(8_250));
    }

    #[test]
    fn the_time_since_the_boot_goes_on() {
        assert_eq!(since_boot("350735.47 234388.90\n"), Some(Duration::from_millis(350_735_470)));
        assert_eq!(since_boot("-1 2"), None);
        assert_eq!(since_boot(""), None);
        let (early, late) = (moment().unwrap(), moment().unwrap());
        assert!(early.since_boot <= late.since_boot && early.boot == late.boot);
    }
}
