//! Markdown as lines of a terminal: laid out once for a width, drawn a screen at a time.

mod table;
#[cfg(test)]
mod tests;
mod wrap;

use super::text;
use super::theme::Theme;
use crate::domain::harmless;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use std::borrow::Cow;
use table::Grid;

/// What a piece of a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Plain text.
    Text,
    /// `*so*`
    Emphasis,
    /// `**so**`
    Strong,
    /// `~~so~~`
    Struck,
    /// In the text, or a line of a code block.
    Code,
    /// Of this level.
    Heading(u8),
    /// The words of a link.
    Link,
    /// What matters less: addresses, info strings, raw HTML.
    Faint,
    /// The line at the side of quotes and code.
    Bar,
    /// Before an item of a list.
    Bullet,
    /// Fills the rest of the line.
    Rule,
    /// What is told about a block by whoever laid the text out.
    Note,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its text, harmless; empty for what glyphs draw.
    pub text: String,
    /// What it means.
    pub tone: Tone,
}

impl Piece {
    fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    fn width(&self) -> usize {
        match self.tone {
            Tone::Bar | Tone::Bullet => 2,
            Tone::Rule => 0,
            _ => text::width(&self.text),
        }
    }
}

/// A line as it is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// From left to right.
    pub pieces: Vec<Piece>,
    /// The line of the text that it comes from, from 1.
    pub source: u32,
}

impl Line {
    /// Its text, in lower case: for a search.
    pub fn holds(&self, wanted: &str) -> bool {
        let whole: String = self.pieces.iter().map(|piece| piece.text.as_str()).collect();
        whole.to_lowercase().contains(wanted)
    }
}

/// Deeper than this nothing is indented any more.
const DEEPEST: usize = 12;

/// Lays a text out in `columns`. `note` tells something about the code block or
/// the task that begins at a line of the text.
pub fn lay_out(source: &str, columns: usize, note: &dyn Fn(u32) -> Option<String>) -> Vec<Line> {
    let mut options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    options |= Options::ENABLE_STRIKETHROUGH | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut layout = Layout {
        columns: columns.max(20),
        note,
        starts: starts_of(source),
        lines: Vec::new(),
        inline: Vec::new(),
        tones: Vec::new(),
        links: Vec::new(),
        boxes: Vec::new(),
        code: None,
        grid: None,
        skipping: false,
        at: 1,
    };
    for (event, range) in Parser::new_ext(source, options).into_offset_iter() {
        layout.take(event, range.start);
    }
    layout.end_block();
    while layout.lines.last().is_some_and(|line| line.pieces.is_empty()) {
        layout.lines.pop();
    }
    layout.lines
}

fn starts_of(source: &str) -> Vec<usize> {
    let ends = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}

/// What lines are indented by.
#[derive(Debug)]
enum Holder {
    Quote,
    List(Option<u64>),
    /// How wide its sign is, and the sign, until its first line was written.
    Item(usize, Option<Piece>),
}

struct Layout<'a> {
    columns: usize,
    note: &'a dyn Fn(u32) -> Option<String>,
    starts: Vec<usize>,
    lines: Vec<Line>,
    inline: Vec<Piece>,
    tones: Vec<Tone>,
    links: Vec<String>,
    boxes: Vec<Holder>,
    code: Option<(String, String)>,
    grid: Option<Grid>,
    skipping: bool,
    at: u32,
}

impl Layout<'_> {
    fn line_at(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    fn take(&mut self, event: Event<'_>, offset: usize) {
        if self.skipping {
            self.skipping = !matches!(event, Event::End(TagEnd::MetadataBlock(_)));
            return;
        }
        match event {
            Event::Start(tag) => {
                self.start(tag, offset);
            }
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.push(&text, None),
            },
            Event::Code(text) => self.push(&text, Some(Tone::Code)),
            Event::Html(text) | Event::InlineHtml(text) => self.push(&text, Some(Tone::Faint)),
            Event::SoftBreak => self.push(" ", None),
            Event::HardBreak => self.inline.push(Piece::new("\n", Tone::Text)),
            Event::Rule => {
                self.end_block();
                self.at = self.line_at(offset);
                self.write(vec![Piece::new("", Tone::Rule)]);
                self.gap();
            }
            Event::TaskListMarker(done) => {
                self.at = self.line_at(offset);
                let sign = if done { "[x] " } else { "[ ] " };
                if let Some(Holder::Item(wide, first)) = self.boxes.last_mut() {
                    (*wide, *first) = (4, Some(Piece::new(sign, Tone::Faint)));
                }
                if let Some(note) = (self.note)(self.at) {
                    let note = harmless(&note).into_owned();
                    self.inline.push(Piece::new(format!("{note}: "), Tone::Note));
                }
            }
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.push(&text, None);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, offset: usize) {
        let blocks = !matches!(
            tag,
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. }
        );
        if blocks && self.grid.is_none() {
            self.end_block();
            self.at = self.line_at(offset);
        }
        match tag {
            Tag::Heading { level, .. } => {
                if !self.lines.is_empty() {
                    self.gap();
                }
                self.tones.push(Tone::Heading(number(level)));
            }
            Tag::BlockQuote(_) => self.boxes.push(Holder::Quote),
            Tag::List(first) => self.boxes.push(Holder::List(first)),
            Tag::Item => self.item(),
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((info, String::new()));
            }
            Tag::Table(_) => self.grid = Some(Grid::default()),
            Tag::Emphasis => self.tones.push(Tone::Emphasis),
            Tag::Strong => self.tones.push(Tone::Strong),
            Tag::Strikethrough => self.tones.push(Tone::Struck),
            Tag::Link { dest_url, .. } => {
                self.tones.push(Tone::Link);
                self.links.push(dest_url.into_string());
            }
            Tag::Image { dest_url, .. } => {
                self.push("image: ", Some(Tone::Faint));
                self.tones.push(Tone::Link);
                self.links.push(dest_url.into_string());
            }
            Tag::MetadataBlock(_) => self.skipping = true,
            _ => {}
        }
    }

    fn item(&mut self) {
        let number = match self.boxes.last_mut() {
            Some(Holder::List(Some(number))) => {
                *number += 1;
                Some(*number - 1)
            }
            _ => None,
        };
        let sign = match number {
            Some(number) => Piece::new(format!("{number}. "), Tone::Faint),
            None => Piece::new("", Tone::Bullet),
        };
        self.boxes.push(Holder::Item(sign.width(), Some(sign)));
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.tones.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.tones.pop();
                let address = self.links.pop().unwrap_or_default();
                let shown = self.inline.last().map_or("", |piece| piece.text.as_str());
                if !address.is_empty() && shown != address {
                    self.push(&format!(" ({address})"), Some(Tone::Faint));
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.inline);
                if let Some(grid) = &mut self.grid {
                    grid.cell(cell);
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                if let Some(grid) = &mut self.grid {
                    grid.end_row();
                }
            }
            TagEnd::Table => {
                if let Some(grid) = self.grid.take() {
                    let room = self.room();
                    for line in grid.lines(room) {
                        self.write(line);
                    }
                    self.gap();
                }
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::Heading(_) => {
                if let Some(Tone::Heading(1 | 2)) = self.tones.last() {
                    self.inline.push(Piece::new("", Tone::Rule));
                }
                self.end_block();
                self.tones.pop();
                self.gap();
            }
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                self.end_block();
                self.gap();
            }
            TagEnd::Item => {
                self.end_block();
                if let Some(Holder::Item(_, Some(_))) = self.boxes.last() {
                    self.write(Vec::new());
                }
                self.boxes.pop();
            }
            TagEnd::List(_) => {
                self.boxes.pop();
                if !self.boxes.iter().any(|holder| matches!(holder, Holder::Item(..))) {
                    self.gap();
                }
            }
            TagEnd::BlockQuote(_) => {
                self.end_block();
                self.boxes.pop();
                self.gap();
            }
            _ => {}
        }
    }

    fn push(&mut self, words: &str, tone: Option<Tone>) {
        let tone = tone.or_else(|| self.tones.last().copied()).unwrap_or(Tone::Text);
        // Line ends become spaces here.
        let words = harmless(words).into_owned();
        match self.inline.last_mut() {
            Some(last) if last.tone == tone => last.text.push_str(&words),
            _ => self.inline.push(Piece::new(words, tone)),
        }
    }

    fn end_code(&mut self) {
        let Some((info, code)) = self.code.take() else { return };
        let info = harmless(&info).into_owned();
        let note = (self.note)(self.at).map(|note| harmless(&note).into_owned());
        let mut head = Vec::new();
        if let Some(note) = note {
            head.push(Piece::new(note, Tone::Note));
        }
        if !info.is_empty() {
            let gap = if head.is_empty() { "" } else { ": " };
            head.push(Piece::new(format!("{gap}{info}"), Tone::Faint));
        }
        if !head.is_empty() {
            self.flow(&head);
            self.at += 1;
        }
        let room = self.room().saturating_sub(2).max(8);
        for line in code.lines() {
            let clean = harmless(&spaced(line)).into_owned();
            for part in text::fold(&clean, room) {
                self.write(vec![Piece::new("", Tone::Bar), Piece::new(part, Tone::Code)]);
            }
            self.at += 1;
        }
        self.gap();
    }

    /// Columns that are left beside what lines are indented by.
    fn room(&self) -> usize {
        let indent: usize = self.boxes.iter().take(DEEPEST).map(indent_of).sum();
        self.columns.saturating_sub(indent).max(8)
    }

    fn end_block(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        if !inline.is_empty() {
            self.flow(&inline);
        }
    }

    fn flow(&mut self, inline: &[Piece]) {
        for line in wrap::wrap(inline, self.room()) {
            self.write(line);
        }
    }

    fn write(&mut self, pieces: Vec<Piece>) {
        let mut whole = Vec::with_capacity(pieces.len() + 2);
        for holder in self.boxes.iter_mut().take(DEEPEST) {
            match holder {
                Holder::Quote => whole.push(Piece::new("", Tone::Bar)),
                Holder::List(_) => {}
                Holder::Item(wide, first) => {
                    let blank = || Piece::new(" ".repeat(*wide), Tone::Text);
                    whole.push(first.take().unwrap_or_else(blank));
                }
            }
        }
        whole.extend(pieces);
        self.lines.push(Line { pieces: whole, source: self.at });
    }

    /// An empty line, unless there is one.
    fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.pieces.is_empty()) {
            self.lines.push(Line { pieces: Vec::new(), source: self.at });
        }
    }
}

fn indent_of(holder: &Holder) -> usize {
    match holder {
        Holder::Quote => 2,
        Holder::List(_) => 0,
        Holder::Item(wide, _) => *wide,
    }
}

/// Tabs as spaces up to the next multiple of four.
fn spaced(line: &str) -> Cow<'_, str> {
    if !line.contains('\t') {
        return line.into();
    }
    let mut out = String::new();
    for c in line.chars() {
        match c {
            '\t' => out.push_str(&"    "[text::width(&out) % 4..]),
            c => out.push(c),
        }
    }
    out.into()
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// Draws one line.
pub fn draw(theme: &Theme, area: Rect, buf: &mut Buffer, line: &Line) {
    let glyphs = theme.glyphs;
    let mut used = 0;
    let parts = line.pieces.iter().map(|piece| {
        let shown: Cow<'_, str> = match piece.tone {
            Tone::Bar => format!("{} ", glyphs.bar).into(),
            Tone::Bullet => format!("{} ", glyphs.marks[0]).into(),
            Tone::Rule => glyphs.rule.repeat(usize::from(area.width).saturating_sub(used)).into(),
            _ => piece.text.as_str().into(),
        };
        used += text::width(&shown);
        (shown, style(theme, piece.tone))
    });
    let parts: Vec<_> = parts.collect();
    text::write(buf, area, parts, glyphs.cut);
}

fn style(theme: &Theme, tone: Tone) -> Style {
    match tone {
        Tone::Text | Tone::Code => theme.text(),
        Tone::Emphasis => theme.text().add_modifier(Modifier::ITALIC),
        Tone::Struck => theme.faint().add_modifier(Modifier::CROSSED_OUT),
        Tone::Strong | Tone::Heading(3..) => theme.strong(),
        Tone::Heading(_) => theme.title_focused(),
        Tone::Link => theme.title(),
        Tone::Faint | Tone::Bar | Tone::Bullet | Tone::Rule => theme.faint(),
        Tone::Note => theme.key(),
    }
}
