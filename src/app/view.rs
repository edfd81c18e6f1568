//! Drawing the state. Writes nothing but the frame.

use super::palette::Command;
use super::state::{Overlay, State};
use super::typing::{Typing, What};
use super::{ages, armed, completion, help, palette, strip};
use crate::domain::{Status, harmless_within, units};
use crate::panels::ViewCx;
use crate::ui::glyphs::short_word;
use crate::ui::{Theme, layout, text};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::borrow::Cow;

/// From this width on the frame has room for all of its parts.
const WIDE: u16 = 110;

type Part<'a> = (Cow<'a, str>, Style);

/// Draws the whole screen.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    if let Some(cursor) = draw(state, theme, area, frame.buffer_mut()) {
        frame.set_cursor_position(cursor);
    }
}

/// Draws into a buffer; gives where the cursor stands, if it is to be seen.
pub(crate) fn draw(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let Some(outer) = layout::outer(area) else {
        too_small(theme, area, buf);
        return None;
    };
    frame_line(state, theme, outer.frame, buf);
    let body = state.body_in(&outer);
    let helps = matches!(state.overlay, Some(Overlay::Help { .. }));
    if helps || !state.page.is_tall() {
        strip::draw(state, theme, outer.strip, buf);
    }
    let mut cursor = None;
    match &state.overlay {
        Some(Overlay::Help { from }) => help::draw(state, theme, outer.body, buf, *from),
        _ => cursor = page(state, theme, body, buf),
    }
    match &state.overlay {
        Some(Overlay::Typing(typing)) => {
            if let What::Palette { chosen, found } = &typing.what {
                commands(theme, outer.body, buf, found, *chosen);
            }
            if let What::Expression(offered) = &typing.what {
                completion::draw(offered, theme, outer.body, buf);
            }
            cursor = Some(typed(theme, outer.hint, buf, typing));
        }
        Some(Overlay::Confirm(asked)) => question(theme, outer.hint, buf, &asked.name),
        _ => bottom(state, theme, outer.hint, buf),
    }
    cursor
}

fn question(theme: &Theme, area: Rect, buf: &mut Buffer, name: &str) {
    let parts: [Part<'_>; 3] = [
        (format!("check {name} in full? it reads all of it: ").into(), theme.strong()),
        ("y".into(), theme.key()),
        (", any other key is no".into(), theme.faint()),
    ];
    text::write(buf, area, parts, theme.glyphs.cut);
}

fn too_small(theme: &Theme, area: Rect, buf: &mut Buffer) {
    let (width, height) = layout::LEAST;
    let sentence = format!(
        "opsroom needs {width} columns and {height} rows; this terminal has {} and {}.",
        area.width, area.height
    );
    for (i, line) in text::wrap(&sentence, area.width.into()).into_iter().enumerate() {
        let Some(place) = text::line_of(area, i) else { break };
        text::write(buf, place, [(line.into(), theme.text())], "");
    }
}

fn frame_line(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let inventory = &state.shown().inventory;
    let environment = harmless_within(&inventory.environment, 40).to_uppercase();
    let production = environment == "PRODUCTION";
    let style = if production { theme.frame_production() } else { theme.frame() };
    let bar: Part<'_> = (format!(" {} ", theme.glyphs.bar).into(), theme.faint());

    let mode = armed::mode(state, theme);
    let mut right: Vec<Part<'_>> = Vec::new();
    let counts = state.survey.counts;
    for (status, count) in [
        (Status::Critical, counts.critical),
        (Status::Warning, counts.warning),
        (Status::Unknown, counts.unknown),
        (Status::Ok, counts.ok),
    ] {
        // Beside the word on whether anything may be changed there is little room.
        let told = right.iter().any(|(part, _)| !part.trim().is_empty());
        let spare = match &mode {
            Some(mode) if !mode.why.is_empty() => told || (count == 0 && status != Status::Ok),
            _ => status == Status::Ok || (count == 0 && status != Status::Critical),
        };
        if mode.is_some() && spare && area.width < WIDE {
            continue;
        }
        let style = if count == 0 { theme.faint() } else { theme.status(status) };
        let word = short_word(status).to_uppercase();
        let part = match theme.glyphs.status(status) {
            " " => format!("{count} {word}"),
            glyph => format!("{glyph} {count} {word}"),
        };
        if !right.is_empty() {
            right.push((" ".into(), theme.text()));
        }
        right.push((part.into(), style));
    }
    right.push(bar.clone());
    if let Some(frozen) = &state.frozen {
        let age = text::age_in_steps(state.known.now.since(frozen.at));
        let clock = text::clock(frozen.at, state.setting.offset_min);
        right.push((format!(" FROZEN {clock}, {age} ago ").into(), theme.frozen()));
    } else {
        let clock = text::clock(state.known.now, state.setting.offset_min);
        let zone = text::offset(state.setting.offset_min);
        right.push((format!("{clock}{zone}").into(), theme.frame()));
    }

    let mut left: Vec<Part<'_>> = vec![(format!(" {environment} ").into(), style)];
    let width_of =
        |parts: &[Part<'_>]| parts.iter().map(|(part, _)| text::width(part)).sum::<usize>();
    let room = usize::from(area.width).saturating_sub(width_of(&right) + 1);
    let site = harmless_within(&inventory.site, 30);
    let host = harmless_within(&state.setting.host, 40);
    let user = harmless_within(&state.setting.user, 30);
    let mut add = |more: Vec<Part<'static>>| {
        if width_of(&left) + width_of(&more) <= room {
            left.extend(more);
        }
    };
    if !site.is_empty() {
        add(vec![(format!(" {site}").into(), theme.frame())]);
    }
    let bar = || (format!(" {} ", theme.glyphs.bar).into(), theme.faint());
    if let Some(mode) = &mode {
        // It comes before all that only says where this is.
        let needed = text::width(&mode.word) + 3;
        if width_of(&left) + needed + text::width(&host) + text::width(&user) + 4 > room {
            left.truncate(1);
        }
    }
    let mut add = |more: Vec<Part<'static>>| {
        if width_of(&left) + width_of(&more) <= room {
            left.extend(more);
        }
    };
    let kept = mode.as_ref().map_or(0, |mode| text::width(&mode.word) + 3);
    let here = format!("{host} {user}");
    if kept == 0 || text::width(&here) + 3 + kept + environment.len() + 2 <= room {
        add(vec![bar(), (here.into(), theme.frame())]);
    }
    if let Some(mode) = mode {
        add(vec![bar(), (mode.word.into(), mode.style)]);
        let left_over = room.saturating_sub(width_of(&left));
        if !mode.why.is_empty() && left_over > 6 {
            let why = format!(" \"{}\"", text::cut(&mode.why, left_over - 3, theme.glyphs.cut));
            left.push((why.into(), mode.style));
        }
    }
    text::write(buf, area, left, theme.glyphs.cut);
    let wide = u16::try_from(width_of(&right)).unwrap_or(u16::MAX).min(area.width);
    let place = Rect { x: area.right() - wide, width: wide, ..area };
    text::write(buf, place, right, theme.glyphs.cut);
}

fn page(state: &State, theme: &Theme, body: Rect, buf: &mut Buffer) -> Option<Position> {
    if let Some(sentence) = state.page.empty(&state.index) {
        if let Some(line) = text::line_of(body, 0) {
            let title = state.page.name().to_uppercase();
            crate::ui::table::rule(theme, line, buf, &title, true);
        }
        if let Some(line) = text::line_of(body, 1) {
            text::write(
                buf,
                line,
                [(format!("  {sentence}").into(), theme.text())],
                theme.glyphs.cut,
            );
        }
        return None;
    }
    let sheet = state.sheets.get(&state.page)?;
    let subject = state.subject(sheet);
    let places = state.places(sheet, subject.as_ref(), body);
    let mut cursor = None;
    for (at, ((_, panel), place)) in sheet.panels.iter().zip(places).enumerate() {
        if place.height == 0 {
            continue;
        }
        let cx = ViewCx {
            act: state.act_cx(sheet, subject.as_ref(), place, false),
            theme,
            focused: at == sheet.focus,
            offset_min: state.setting.offset_min,
        };
        cursor = cursor.or(panel.view(&cx, place, buf));
    }
    cursor
}

/// The last line: a notice, the filter, or the keys.
fn bottom(state: &State, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let now = state.known.now;
    let notice = state.notices.last().filter(|last| now.since(last.at) < ages::stands(last));
    if let Some(notice) = notice {
        let style = if notice.bad { theme.bad_notice() } else { theme.good_notice() };
        text::write(buf, area, [(notice.text.as_str().into(), style)], theme.glyphs.cut);
        return;
    }
    let mut area = area;
    let mut said: Vec<Part<'_>> = Vec::new();
    let filter = state.sheets.get(&state.page).map_or("", |sheet| &sheet.filter);
    if !filter.is_empty() {
        // A pasted novel may not push the keys off the line.
        let filter = text::cut(filter, 30, theme.glyphs.cut);
        said.push((format!("filter: {filter}").into(), theme.input()));
        let how = if state.words.split.is_some() { "  " } else { "  / edits, esc shows all  " };
        said.push((how.into(), theme.faint()));
    }
    if let Some(label) = &state.words.split {
        said.push((format!("split by {label}").into(), theme.input()));
        said.push(("  esc unsplits  ".into(), theme.faint()));
    }
    if let Some(range) = state.range {
        said.push((format!("charts: {}  ", units::age(range.length())).into(), theme.input()));
    }
    let x = text::write(buf, area, said, theme.glyphs.cut);
    area.width = area.right().saturating_sub(x);
    area.x = x;
    help::hint(state, theme, area, buf);
}

fn typed(theme: &Theme, area: Rect, buf: &mut Buffer, typing: &Typing) -> Position {
    let x = text::write(buf, area, [(typing.prompt().into(), theme.key())], theme.glyphs.cut);
    let room = area.right().saturating_sub(x);
    let (from, cursor) = typing.line.window(room.into());
    let shown = text::skip(typing.line.text(), from);
    let place = Rect { x, width: room, ..area };
    text::write(buf, place, [(shown, theme.input())], "");
    let cursor = u16::try_from(cursor).unwrap_or(0).min(room.saturating_sub(1));
    Position { x: x + cursor, y: area.y }
}

fn commands(
    theme: &Theme,
    body: Rect,
    buf: &mut Buffer,
    found: &[Command],
    by_hand: Option<usize>,
) {
    let chosen = palette::chosen(found, by_hand);
    let shown = u16::try_from(found.len()).unwrap_or(u16::MAX).clamp(1, 12);
    let height = (shown + 1).min(body.height);
    let area = Rect { y: body.bottom() - height, height, ..body };
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
    if let Some(line) = text::line_of(area, 0) {
        let title = "COMMANDS (arrows choose, enter does it, esc leaves)";
        crate::ui::table::rule(theme, line, buf, title, true);
    }
    let rows = usize::from(height.saturating_sub(1));
    let from = chosen.map_or(0, |row| (row + 1).saturating_sub(rows));
    if found.is_empty()
        && let Some(line) = text::line_of(area, 1)
    {
        text::write(buf, line, [("  no command has this name".into(), theme.faint())], "");
    }
    for (at, (row, command)) in found.iter().enumerate().skip(from).take(rows).enumerate() {
        let Some(line) = text::line_of(area, at + 1) else { break };
        let selected = chosen == Some(row);
        let pointer = if selected { theme.glyphs.pointer } else { " " };
        let change = if command.changes() { " (changes the practice environment)" } else { "" };
        let parts: [Part<'_>; 4] = [
            (pointer.into(), theme.strong()),
            (format!(" {}", command.name).into(), theme.text()),
            (change.into(), theme.status(Status::Warning)),
            (format!("  {}", command.key).into(), theme.key()),
        ];
        text::write(buf, line, parts, theme.glyphs.cut);
        if selected {
            crate::ui::table::select(theme, line, buf);
        }
    }
}
