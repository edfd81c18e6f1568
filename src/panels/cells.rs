//! Cells that several panels show: statuses, values, ages.

use super::{ActCx, ViewCx};
use crate::domain::{Cause, Signal, SourceId, Status, Timestamp, harmless_within, units};
use crate::store::{Known, Mark, SignalState, Standing};
use crate::ui::glyphs::short_word;
use crate::ui::table::Cell;
use crate::ui::text;
use ratatui::style::Style;

/// No text from outside is longer than this on the screen.
pub const LONGEST: usize = 500;

/// Glyph and word of a status.
pub fn status(cx: &ViewCx<'_>, status: Status) -> [Cell<'static>; 2] {
    let style = cx.theme.status(status);
    [Cell::new(cx.theme.glyphs.status(status), style), Cell::new(short_word(status), style)]
}

/// Glyph and word of a standing; what has not answered yet reads `wait`.
pub fn standing(cx: &ViewCx<'_>, of: &Standing) -> [Cell<'static>; 2] {
    let [glyph, word] = status(cx, of.status);
    if of.mark == Some(Mark::Waiting) && of.status == Status::Unknown {
        return [glyph, Cell::new("wait", word.style)];
    }
    [glyph, word]
}

/// The reason of a standing, with what keeps it from being a plain one.
pub fn reason(of: &Standing) -> String {
    let reason = harmless_within(&of.reason, LONGEST);
    let says = |word: &str| reason.to_lowercase().contains(word);
    match of.mark {
        Some(Mark::Confirming { to }) if !says("asking") => {
            join(&reason, &format!("reads {to}, asking again"))
        }
        Some(Mark::Flapping) if !says("flapping") => join(&reason, "flapping"),
        Some(Mark::Stale) if !["stale", "unseen", "no answer"].into_iter().any(says) => {
            join(&reason, "stale")
        }
        Some(Mark::Offline) if !says("offline") => join(&reason, "this host is offline"),
        Some(Mark::LittleTraffic) if !says("little") => join(&reason, "little traffic"),
        _ => reason,
    }
}

fn join(reason: &str, more: &str) -> String {
    if reason.is_empty() { more.into() } else { format!("{reason}, {more}") }
}

/// The worst value of a signal, or in a few columns why there is none.
pub fn value(cx: &ViewCx<'_>, signal: &Signal, state: Option<&SignalState>) -> Cell<'static> {
    let faint = cx.theme.faint();
    let Some(state) = state else { return Cell::new("-", faint) };
    match (state.standing.mark, state.values.first()) {
        (Some(Mark::Uncovered { seen, wanted }), _) => {
            let shown = format!("{}/{}", units::age(seen), units::age(wanted));
            Cell::new(shown, cx.theme.status(Status::Unknown))
        }
        (Some(Mark::NoTraffic), None) => Cell::new("none", faint),
        (Some(Mark::Waiting), None) => Cell::new("wait", faint),
        (_, None) => Cell::new("-", faint),
        (mark, Some(worst)) => {
            let style = if mark == Some(Mark::Stale) {
                cx.theme.stale()
            } else if worst.status == Status::Ok {
                cx.theme.text()
            } else {
                cx.theme.status(worst.status)
            };
            Cell::new(units::value(worst.value.0, signal.unit), style)
        }
    }
}

/// Whether a check's last poll reached nobody: that too is a reading, but no answer.
pub fn unreached(known: &Known, source: &SourceId) -> bool {
    let last = known.checks.get(source).and_then(|check| check.last.as_ref());
    last.and_then(|last| last.cause).is_some_and(|cause| cause != Cause::Answer)
}

/// A host's short name: the port of its exporter says nothing, unless two
/// hosts differ in nothing else.
pub fn host(cx: &ActCx<'_>, instance: &str) -> String {
    // What a probe is sent to is an address: its reason tells all of it.
    if let Some((_, rest)) = instance.split_once("://") {
        return rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned();
    }
    let Some((name, port)) = instance.rsplit_once(':') else { return instance.to_owned() };
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty() || !is_port {
        return instance.to_owned();
    }
    let same = |other: &str| other.rsplit_once(':').is_some_and(|(other, _)| other == name);
    let hosts = cx.known.hosts.values().flat_map(|hosts| hosts.keys());
    if hosts.filter(|other| same(other)).take(2).count() > 1 {
        return instance.to_owned();
    }
    match name.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(address) if address.is_loopback() => "localhost".to_owned(),
        _ => name.to_owned(),
    }
}

/// How long ago something was seen.
pub fn age(cx: &ViewCx<'_>, seen: Option<Timestamp>, old: bool) -> Cell<'static> {
    let style = if old { cx.theme.stale() } else { cx.theme.faint() };
    match seen {
        Some(seen) => Cell::new(text::age_in_steps(cx.act.now.since(seen)), style),
        None => Cell::new("-", cx.theme.faint()),
    }
}

/// Since when something is so: a time of day or a date, `>=` where the
/// beginning was not seen.
pub fn since(cx: &ViewCx<'_>, of: &Standing, style: Style) -> Cell<'static> {
    if of.since == Timestamp::default() || of.mark == Some(Mark::Waiting) {
        return Cell::new("-", cx.theme.faint());
    }
    let sign = if of.since_at_least { "<=" } else { "" };
    Cell::new(format!("{sign}{}", text::moment(of.since, cx.act.now, cx.offset_min)), style)
}

/// Whether any of the texts holds the filter, which is in lower case.
pub fn passes<'t>(filter: &str, texts: impl IntoIterator<Item = &'t str>) -> bool {
    filter.is_empty() || texts.into_iter().any(|text| text.to_lowercase().contains(filter))
}
