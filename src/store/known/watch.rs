//! The watcher is watched: what keeps the watching itself from being whole, in
//! short words. Advisory, but for sources that are down: those count by themselves.

use super::Known;
use crate::domain::{AlertsReading, Reading, Role, SourceId, SourceInfo, Status, harmless_within};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A clock this far off misleads whoever compares moments.
const SKEW_MS: u64 = 5_000;
/// A poll that begins this late is no longer on time.
const LATE: Duration = Duration::from_secs(1);
/// So many things of one kind are told one by one.
const ONE_BY_ONE: usize = 3;
/// An alert manager's cluster in these states is well.
const WELL: [&str; 3] = ["ready", "disabled", ""];

/// Something that keeps the watching itself from being whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// How much it matters.
    pub status: Status,
    /// What it is about.
    pub kind: WatchKind,
    /// What is wrong, in short words.
    pub words: String,
    /// Of which source, where it is one.
    pub source: Option<SourceId>,
}

/// What a word about the watching itself is about, what matters more first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchKind {
    /// Alertmanager cannot tell those who are to be told.
    Notifications,
    /// The alert that must always fire does not.
    Watchdog,
    /// A source does not answer.
    Source,
    /// Targets of the metrics server do not answer.
    Targets,
    /// Rules cannot be evaluated.
    Rules,
    /// Alertmanager's cluster is not ready.
    Cluster,
    /// A clock is off.
    Clock,
    /// Polls begin late.
    Lag,
}

impl Known {
    /// What keeps the watching itself from being whole, worst first.
    pub fn watch(&self) -> Vec<Watch> {
        let mut found = Vec::new();
        self.watch_sources(&mut found);
        for info in &self.inventory.sources {
            let reading = self.sources.get(&info.id).filter(|state| state.failing.is_none());
            match reading.and_then(|state| state.reading.as_ref()) {
                Some(Reading::Alerts(reading)) => watch_alerts(&mut found, info, reading),
                Some(Reading::Targets(reading)) if reading.down_count > 0 => {
                    let all = reading.up + reading.unknown + reading.down_count;
                    let first = match reading.down.as_slice() {
                        [one] => format!(": {} {}", one.job, one.instance),
                        _ => String::new(),
                    };
                    let what = if info.label.ends_with("targets") { "" } else { " targets" };
                    let words = format!("{} of {all}{what} down{first}", reading.down_count);
                    found.push(word(WatchKind::Targets, Status::Warning, info, &words));
                }
                _ => {}
            }
        }
        self.watch_clocks(&mut found);
        self.watch_lag(&mut found);
        found.sort_by_key(|watch| (std::cmp::Reverse(watch.status), watch.kind));
        found
    }

    /// Sources that do not answer, other than checks, which their services tell of.
    fn watch_sources(&self, found: &mut Vec<Watch>) {
        let (mut scrapes, mut down) = (0, Vec::new());
        for info in &self.inventory.sources {
            if matches!(info.role, Role::Check(_) | Role::Canary) {
                continue;
            }
            scrapes += usize::from(matches!(info.role, Role::Scrape { .. }));
            let Some(state) = self.sources.get(&info.id) else { continue };
            let bad = state.standing.status >= Status::Warning;
            let words = match &state.failing {
                Some((_, error)) if bad => format!("down: {}", error.message),
                _ if state.is_stale(self.now, info.every) => "stale".to_owned(),
                _ => continue,
            };
            down.push((info, words));
        }
        let is_scrape = |info: &SourceInfo| matches!(info.role, Role::Scrape { .. });
        let of_scrapes = down.iter().filter(|(info, _)| is_scrape(info)).count();
        if of_scrapes > ONE_BY_ONE {
            down.retain(|(info, _)| !is_scrape(info));
            found.push(Watch {
                status: Status::Warning,
                kind: WatchKind::Source,
                words: format!("{of_scrapes} of {scrapes} scraped targets down"),
                source: None,
            });
        }
        found.extend(
            down.into_iter()
                .map(|(info, words)| word(WatchKind::Source, Status::Warning, info, &words)),
        );
    }

    /// Clocks that are off in two readings in a row. Where most say the same, it
    /// is the clock of this host.
    fn watch_clocks(&self, found: &mut Vec<Watch>) {
        let mut told = 0;
        let mut off: Vec<(&SourceInfo, i64)> = Vec::new();
        for info in &self.inventory.sources {
            let Some(state) = self.sources.get(&info.id) else { continue };
            let [Some(before), Some(last)] = state.memory.skews else { continue };
            told += 1;
            let both = before.unsigned_abs().min(last.unsigned_abs());
            if both > SKEW_MS && before.signum() == last.signum() {
                let surely = i64::try_from(both).unwrap_or(i64::MAX);
                off.push((info, surely * last.signum()));
            }
        }
        let clock = |words: String, source: Option<SourceId>| Watch {
            status: Status::Warning,
            kind: WatchKind::Clock,
            words,
            source,
        };
        let ahead = off.iter().filter(|(_, skew)| *skew > 0).count();
        let agree = ahead.max(off.len() - ahead);
        if agree >= 2 && agree * 2 > told {
            let same = off.iter().filter(|(_, skew)| (*skew > 0) == (agree == ahead));
            let least = same.map(|(_, skew)| skew.unsigned_abs()).min().unwrap_or(0);
            let way = if agree == ahead { "behind" } else { "ahead" };
            let said = format!(
                "this host's clock is {} {way}, say {agree} of {told} servers: check NTP",
                over(least)
            );
            found.push(clock(said, None));
            return;
        }
        let more = off.len().saturating_sub(ONE_BY_ONE);
        for (info, skew) in off.iter().take(ONE_BY_ONE) {
            let way = if *skew > 0 { "ahead" } else { "behind" };
            let label = harmless_within(&info.label, 60);
            let said = format!("clock of {label} {} {way}: check NTP", over(skew.unsigned_abs()));
            found.push(clock(said, Some(info.id.clone())));
        }
        if more > 0 {
            found.push(clock(format!("{more} more clocks are off"), None));
        }
    }

    /// Polls that begin late: this program, or its host, does not keep up.
    fn watch_lag(&self, found: &mut Vec<Watch>) {
        let lately = self.inventory.sources.iter().filter_map(|info| {
            let state = self.sources.get(&info.id)?;
            let recent = self.now.since(state.polled?) <= info.every.saturating_mul(2);
            recent.then_some(state.late)
        });
        let late = lately.max().unwrap_or_default();
        if late > LATE {
            found.push(Watch {
                status: Status::Warning,
                kind: WatchKind::Lag,
                words: format!("polls begin {} late", over(millis(late))),
                source: None,
            });
        }
    }
}

fn watch_alerts(found: &mut Vec<Watch>, info: &SourceInfo, reading: &AlertsReading) {
    for failing in reading.notifications.iter().filter(|of| of.failing) {
        let name = harmless_within(&failing.integration, 30);
        let (failed, tried) = (failing.failed_lately, failing.tried_lately);
        let words = format!("{failed} of {tried} {name} notifications fail");
        found.push(word(WatchKind::Notifications, Status::Critical, info, &words));
    }
    if let Some(watchdog) = reading.watchdog.as_ref().filter(|watchdog| !watchdog.fires) {
        let words = format!("alert {} is missing", watchdog.name);
        found.push(word(WatchKind::Watchdog, Status::Critical, info, &words));
    }
    let broken = reading.broken_rules.len();
    if broken > 0 {
        let rules = if broken == 1 { "rule" } else { "rules" };
        let words = format!("{broken} {rules} cannot be evaluated");
        found.push(word(WatchKind::Rules, Status::Warning, info, &words));
    }
    if let Some(words) = reading.unknown_words() {
        found.push(word(WatchKind::Rules, Status::Unknown, info, &words));
    }
    if let Some(cluster) = reading.cluster.as_ref().filter(|of| !WELL.contains(&of.status.as_str()))
    {
        let words = format!("cluster {}", cluster.status);
        found.push(word(WatchKind::Cluster, Status::Warning, info, &words));
    }
}

fn word(kind: WatchKind, status: Status, info: &SourceInfo, words: &str) -> Watch {
    let words = harmless_within(&format!("{} {words}", info.label), 200);
    Watch { status, kind, words, source: Some(info.id.clone()) }
}

fn millis(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}

/// In steps, so that a screen does not change with each reading.
fn over(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..5 => "over 1s".to_owned(),
        5..60 => format!("over {}s", s / 5 * 5),
        60..3_600 => format!("over {}m", s / 60),
        3_600..86_400 => format!("over {}h", s / 3_600),
        _ => format!("over {}d", s / 86_400),
    }
}
