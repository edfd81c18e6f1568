//! The list of what is offered, over the lower part of the page.

use super::Completion;
use super::offers::{Offer, Sort};
use crate::domain::harmless_within;
use crate::store::Sought;
use crate::ui::table::{rule, select};
use crate::ui::{Theme, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;

/// So many rows at most.
const ROWS: usize = 8;
/// Longer texts are cut off.
const LONGEST: usize = 400;

type Part<'a> = (Cow<'a, str>, Style);

/// Draws it at the lower end of `body`, as high as it needs to be.
pub(crate) fn draw(completion: &Completion, theme: &Theme, body: Rect, buf: &mut Buffer) {
    let shown = if completion.open { completion.offers.len().min(ROWS) } else { 0 };
    let help = help(completion, theme, body);
    let waits = completion.open
        && completion.asked.as_ref().is_some_and(|asked| asked.sought != Sought::Nothing);
    let titled = shown > 0 || (completion.open && (waits || completion.trouble.is_some()));
    let height = shown + help.len() + usize::from(titled);
    let height = u16::try_from(height).unwrap_or(u16::MAX).min(body.height);
    if height == 0 {
        return;
    }
    let area = Rect { y: body.bottom() - height, height, ..body };
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].reset();
        }
    }
    let mut at = 0;
    if titled && let Some(line) = text::line_of(area, at) {
        rule(theme, line, buf, &title(completion, waits), true);
        at += 1;
    }
    let from = (completion.chosen + 1).saturating_sub(shown);
    let rows = completion.offers.iter().enumerate().skip(from).take(shown);
    let wide = rows.clone().map(|(_, offer)| text::width(&offer.name)).max().unwrap_or(0);
    let wide = wide.clamp(12, usize::from(area.width) / 2);
    for (row, offer) in rows {
        let Some(line) = text::line_of(area, at) else { return };
        at += 1;
        let chosen = row == completion.chosen;
        let pointer = if chosen { theme.glyphs.pointer } else { " " };
        let name = harmless_within(&offer.name, LONGEST);
        let parts: [Part<'_>; 3] = [
            (format!("{pointer} ").into(), theme.strong()),
            (text::pad(&name, wide, false, theme.glyphs.cut).into(), theme.text()),
            (format!("  {}", beside(offer)).into(), theme.faint()),
        ];
        text::write(buf, line, parts, theme.glyphs.cut);
        if chosen {
            select(theme, line, buf);
        }
    }
    for parts in help {
        let Some(line) = text::line_of(area, at) else { return };
        at += 1;
        text::write(buf, line, parts, theme.glyphs.cut);
    }
}

fn title(completion: &Completion, waits: bool) -> String {
    let count = completion.offers.len();
    let more = match completion.more() {
        0 => String::new(),
        more => format!(" of {}", count + more),
    };
    let told = match (&completion.trouble, waits, count) {
        (Some(why), _, _) => format!("no names: {}", harmless_within(why, 60)),
        (None, true, 0) => "asking for names".into(),
        (None, true, _) => format!("{count}{more}, asking for names"),
        (None, false, _) => format!("{count}{more}"),
    };
    let keys = if count > 0 { " (tab takes, up down choose, esc closes)" } else { "" };
    format!("FITS {told}{keys}")
}

/// What stands beside a name in the list.
fn beside(offer: &Offer) -> String {
    match offer.sort {
        Sort::Function | Sort::Keyword => harmless_within(&offer.kind, LONGEST),
        _ => {
            let gap = if offer.kind.is_empty() || offer.help.is_empty() { "" } else { ": " };
            format!("{}{gap}{}", offer.kind, harmless_within(&offer.help, LONGEST))
        }
    }
}

/// What is said of the name that is chosen, else of the metric under the cursor.
fn help(completion: &Completion, theme: &Theme, body: Rect) -> Vec<Vec<Part<'static>>> {
    const LINES: usize = 2;
    let chosen = completion.offers.get(completion.chosen).filter(|_| completion.open);
    let (name, kind, help) = match (chosen, &completion.about) {
        (Some(offer), _) if !offer.help.is_empty() => (&offer.name, &offer.kind, &offer.help),
        (None, Some(about)) if !about.help.is_empty() || !about.kind.is_empty() => {
            (&about.name, &about.kind, &about.help)
        }
        _ => return Vec::new(),
    };
    let is_function =
        chosen.is_some_and(|offer| matches!(offer.sort, Sort::Function | Sort::Keyword));
    let first = match (is_function, kind.as_str()) {
        (true, signature) => signature.to_owned(),
        (false, "") => harmless_within(name, LONGEST),
        (false, kind) => format!("{} ({kind})", harmless_within(name, LONGEST)),
    };
    let wide = usize::from(body.width).saturating_sub(2);
    let beside = text::width(name).max(12) + text::width(kind) + text::width(help) + 6;
    if chosen.is_some() && !is_function && beside <= wide {
        // It stands in the row already.
        return Vec::new();
    }
    let said = format!("{first}: {}", harmless_within(help, LONGEST));
    let lines = text::wrap(&said, wide);
    let cut = lines.len() > LINES;
    lines
        .into_iter()
        .take(LINES)
        .enumerate()
        .map(|(i, line)| {
            let mark = if cut && i + 1 == LINES { theme.glyphs.cut } else { "" };
            vec![(format!("  {line}{mark}").into(), theme.text())]
        })
        .collect()
}
