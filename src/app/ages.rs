//! Whether the ages on the screen change between two moments.

use super::pages::Page;
use super::state::{Notice, State};
use crate::domain::Timestamp;
use crate::ui::text::age_step;
use std::time::Duration;

/// Ages below this change in steps of less than a minute.
const RECENT: Duration = Duration::from_mins(11);

/// How long a notice stands on the hint line.
pub(crate) fn stands(notice: &Notice) -> Duration {
    Duration::from_secs(if notice.bad { 20 } else { 6 })
}

/// Whether anything that is shown differs at `now` from what was shown at
/// `before`, though nothing has happened.
pub(crate) fn change(state: &State, before: Timestamp, now: Timestamp) -> bool {
    let minute = |at: Timestamp| at.millis().div_euclid(60_000);
    if minute(before) != minute(now) {
        return true;
    }
    // What changes systems is drawn every second: how long is left, how old it is.
    let armed = state.known.runs.armed_at(before).is_some();
    if state.frozen.is_none() && (armed || state.page.is_tall()) {
        return true;
    }
    // How long an answer has been waited for.
    if state.page == Page::Metrics && !state.words.waiting.is_empty() {
        return true;
    }
    if state.notices.last().is_some_and(|last| {
        let visible = |at: Timestamp| at.since(last.at) < stands(last);
        visible(before) != visible(now)
    }) {
        return true;
    }
    let steps = |of: Timestamp| age_step(before.since(of)) != age_step(now.since(of));
    if let Some(frozen) = &state.frozen {
        return steps(frozen.at);
    }
    let known = &state.known;
    let ages = known.services.values().filter_map(|service| service.standing.seen);
    let ages = ages.chain(known.alerts.iter().flat_map(|alert| [alert.since, alert.seen]));
    let ages = ages.chain(known.sources.values().filter_map(|source| source.answered));
    let ages = ages.chain(known.signals.values().filter_map(|signal| signal.standing.seen));
    let ages = ages
        .chain(known.sources.values().filter_map(|source| source.failing.as_ref().map(|f| f.0)));
    let mut ages = ages;
    let looking = state.words.looking.values().copied().any(steps);
    // Older ones are drawn anew with every minute.
    let recent = |of: Timestamp| now.since(of) < RECENT && steps(of);
    let on_page = state.page == Page::Issues;
    let issues = known.trackers().filter(|_| on_page).filter_map(|(.., reading)| reading);
    let mut issues = issues.flat_map(|reading| &reading.issues);
    ages.any(steps)
        || looking
        || issues.any(|issue| recent(issue.last) || recent(issue.first))
        || known.inventory.sources.iter().any(|source| {
            known.sources.get(&source.id).is_some_and(|state| {
                state.is_stale(before, source.every) != state.is_stale(now, source.every)
            })
        })
}
