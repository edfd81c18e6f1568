//! What a source last brought, in a few facts.

use super::texts::Fact;
use super::{ActCx, issues};
use crate::domain::{
    AlertsReading, BackupReading, IssuesReading, Quiet, Reading, ReleasesReading, SilenceState,
    SourceInfo, TargetsReading, units,
};
use crate::ui::text;

/// So many of a kind are named.
const NAMED: usize = 8;

/// What it last brought; nothing for what a check says, which is the check's.
pub(super) fn facts(cx: &ActCx<'_>, source: &SourceInfo, offset_min: i32) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    let reading = cx.known.sources.get(&source.id).and_then(|state| state.reading.as_ref());
    match reading {
        Some(Reading::Scrape(page)) => {
            let bytes = super::backups::bytes(page.bytes);
            let counts = format!("{} samples, {} series in memory", page.samples, page.series);
            add("page", format!("{counts}, {bytes} in {}", units::duration(page.took)));
            if let Some(since) = page.since {
                let age = text::age_in_steps(cx.now.since(since));
                let clock = text::clock_s(since, offset_min);
                add("history", format!("of its job from {clock} on, {age}"));
            }
            if let Some(note) = &page.note {
                add("note", note.clone());
            }
            if page.malformed > 0 {
                add("malformed", format!("{} lines could not be read", page.malformed));
            }
            for line in &page.first_malformed {
                add("", format!("line {}, column {}: {}", line.line, line.column, line.message));
            }
        }
        Some(Reading::Server(server)) => {
            let version = server.version.as_deref().unwrap_or("does not tell its version");
            add("server", version.to_owned());
        }
        Some(Reading::Alerts(reading)) => alerts(cx, reading, offset_min, &mut add),
        Some(Reading::Targets(reading)) => targets(cx, reading, &mut add),
        Some(Reading::Issues(reading)) => told_issues(cx, reading, &mut add),
        Some(Reading::Backup(reading)) => backup(cx, reading, &mut add),
        Some(Reading::Releases(reading)) => releases(cx, reading, offset_min, &mut add),
        Some(Reading::Check(_)) | None => {}
    }
    let check = cx.known.checks.get(&source.id).and_then(|check| check.last.as_ref());
    let skew = match check {
        Some(check) => check.skew_ms,
        None => reading.and_then(Reading::skew_ms),
    };
    if let Some(skew) = skew {
        facts.push(("clock".to_owned(), skew_words(skew)));
    }
    facts
}

/// A server's clock against this host's.
fn skew_words(skew_ms: i64) -> String {
    // A Date header has whole seconds.
    const LEAST_MS: u64 = 1_500;
    let apart = skew_ms.unsigned_abs();
    if apart < LEAST_MS {
        return "the same as this host's".into();
    }
    let by = units::duration(std::time::Duration::from_millis(apart));
    if skew_ms > 0 {
        format!("{by} ahead of this host's")
    } else {
        format!("{by} behind this host's")
    }
}

fn alerts(
    cx: &ActCx<'_>,
    reading: &AlertsReading,
    offset_min: i32,
    add: &mut impl FnMut(&str, String),
) {
    let quiet = |of: fn(&Quiet) -> bool| {
        reading.alerts.iter().filter(|alert| alert.quiet.iter().any(of)).count()
    };
    let silenced = quiet(|of| matches!(of, Quiet::Silenced { .. }));
    let inhibited = quiet(|of| matches!(of, Quiet::Inhibited { .. }));
    let muted = quiet(|of| matches!(of, Quiet::Muted { .. }));
    let counts = [(silenced, "silenced"), (inhibited, "inhibited"), (muted, "muted")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts = counts.map(|(count, what)| format!("{count} {what}"));
    let all = [reading.alerts.len().to_string()].into_iter().chain(counts);
    add("alerts", all.collect::<Vec<_>>().join(", "));
    if let Some(rules) = reading.rules {
        add("rules", units::count(usize::try_from(rules).unwrap_or(usize::MAX), "alerting rule"));
    }
    for rule in reading.broken_rules.iter().take(NAMED) {
        add("broken rule", format!("{} in {}: {}", rule.name, rule.group, rule.error));
    }
    more(reading.broken_rules.len(), add);
    for rule in reading.unknown_rules.iter().take(NAMED) {
        let (seen, wanted) = (units::age(rule.seen), units::age(rule.wanted));
        add("unknown", format!("{} in {}: {seen} of {wanted} seen", rule.name, rule.group));
    }
    more(reading.unknown_rules.len(), add);
    if let Some(cluster) = &reading.cluster {
        add(
            "cluster",
            format!(
                "{}, {}",
                cluster.status,
                units::count(usize::try_from(cluster.peers).unwrap_or(usize::MAX), "member")
            ),
        );
    }
    if !reading.receivers.is_empty() {
        let named = reading.receivers.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
        add("receivers", format!("{}: {named}", reading.receivers.len()));
    }
    for sent in reading.notifications.iter().filter(|sent| sent.tried > 0) {
        add("notified", format!("{}: {} of {} failed", sent.integration, sent.failed, sent.tried));
    }
    let count = |state| reading.silences.iter().filter(|silence| silence.state == state).count();
    let (active, pending, expired) =
        (count(SilenceState::Active), count(SilenceState::Pending), count(SilenceState::Expired));
    if active + pending + expired > 0 {
        add("silences", format!("{active} active, {pending} pending, {expired} expired"));
    }
    let held = reading.silences.iter().filter(|silence| silence.state != SilenceState::Expired);
    for silence in held.take(NAMED) {
        let until = text::moment(silence.until, cx.now, offset_min);
        let pending = if silence.state == SilenceState::Pending { "pending, " } else { "" };
        let matchers = silence.matchers.join(", ");
        let comment = if silence.comment.is_empty() {
            String::new()
        } else {
            format!(": {}", silence.comment)
        };
        add("", format!("{pending}{matchers} by {} until {until}{comment}", silence.by));
    }
    more(active + pending, add);
    notes(&reading.notes, add);
}

fn more(all: usize, add: &mut impl FnMut(&str, String)) {
    if all > NAMED {
        add("", format!("and {} more", all - NAMED));
    }
}

fn notes(notes: &[String], add: &mut impl FnMut(&str, String)) {
    for note in notes.iter().take(NAMED) {
        add("note", note.clone());
    }
}

fn targets(cx: &ActCx<'_>, reading: &TargetsReading, add: &mut impl FnMut(&str, String)) {
    let unknown = if reading.unknown > 0 {
        format!(", {} not scraped yet", reading.unknown)
    } else {
        String::new()
    };
    add("targets", format!("{} up, {} down{unknown}", reading.up, reading.down_count));
    for target in reading.down.iter().take(NAMED) {
        let scraped = target.scraped.map_or_else(String::new, |at| {
            format!(" (scraped {} ago)", text::age_in_steps(cx.now.since(at)))
        });
        add("down", format!("{} {}: {}{scraped}", target.job, target.instance, target.error));
    }
    more(usize::try_from(reading.down_count).unwrap_or(usize::MAX), add);
}

fn told_issues(cx: &ActCx<'_>, reading: &IssuesReading, add: &mut impl FnMut(&str, String)) {
    if !reading.server.is_empty() {
        add("server", reading.server.clone());
    }
    let more = if reading.more { ", and more that were not read" } else { "" };
    let new = reading.issues.iter().filter(|issue| issue.trend != crate::domain::Trend::Ongoing);
    add(
        "issues",
        format!("{} unresolved, {} new or growing{more}", reading.issues.len(), new.count()),
    );
    if let Some(release) = reading.releases.first() {
        let age = text::age_in_steps(cx.now.since(release.at));
        add(
            "releases",
            format!("{}, the newest is {} ({age} ago)", reading.releases.len(), release.version),
        );
    }
    for free in reading.crash_free.iter().take(NAMED) {
        let share = |of: Option<crate::domain::Num>, what: &str| {
            of.map(|share| format!("{} of {what}", units::percent(share.0)))
        };
        let told = [share(free.sessions, "sessions"), share(free.users, "users")];
        let told = told.into_iter().flatten().collect::<Vec<_>>().join(", ");
        add("crash-free", format!("{}: {told}", free.project));
    }
    if let Some(limit) = &reading.limit {
        let left = format!(
            "{} of {} requests left",
            issues::count(limit.remaining),
            issues::count(limit.limit)
        );
        let reset = if limit.reset > cx.now {
            format!(", all again in {}", units::age(limit.reset.since(cx.now)))
        } else {
            String::new()
        };
        add("rate limit", format!("{left}{reset}"));
    }
    notes(&reading.notes, add);
}

fn backup(cx: &ActCx<'_>, reading: &BackupReading, add: &mut impl FnMut(&str, String)) {
    let newest = reading.snapshots.last().map_or_else(String::new, |newest| {
        format!(", the newest {} old", units::age(cx.now.since(newest.taken)))
    });
    let faulty = reading.snapshots.iter().filter(|one| one.fault.is_some()).count();
    let faulty = if faulty > 0 { format!(", {faulty} faulty") } else { String::new() };
    add("backups", format!("{}{newest}{faulty}", reading.count));
    if let Some(tool) = &reading.tool {
        add("tool", tool.clone());
    }
    notes(&reading.notes, add);
}

fn releases(
    cx: &ActCx<'_>,
    reading: &ReleasesReading,
    offset_min: i32,
    add: &mut impl FnMut(&str, String),
) {
    add("releases", reading.releases.len().to_string());
    for release in reading.releases.iter().take(3) {
        let at = text::moment(release.at, cx.now, offset_min);
        let service = release.service.as_ref().map_or_else(String::new, |name| format!("{name} "));
        let by = if release.by.is_empty() { String::new() } else { format!(" by {}", release.by) };
        add("", format!("{at} {service}{}{by}", release.version));
    }
    notes(&reading.notes, add);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_says_in_which_direction() {
        assert_eq!(skew_words(900), "the same as this host's");
        assert_eq!(skew_words(90_000), "1m30s ahead of this host's");
        assert_eq!(skew_words(-7_200_000), "2h behind this host's");
    }
}
