//! Markdown as `CommonMark` reads it: headings, code blocks and tasks, with
//! their lines.

use super::book::{Block, BlockKind, Document, Heading};
use super::{attributes, front};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::borrow::Cow;
use std::ops::Range;

/// What a Markdown text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markdown {
    /// Headings and code blocks.
    pub document: Document,
    /// Items of task lists.
    pub tasks: Vec<Task>,
}

/// An item of a task list: `- [ ] Tell the incident channel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its line, from 1.
    pub line: u32,
    /// Its text, Markdown, on one line.
    pub text: String,
}

/// Reads headings and code blocks. Never fails: every text is Markdown.
/// Lines count from 1; front matter belongs to the text and is no Markdown.
pub fn document(text: &str) -> Document {
    read(text).document
}

/// Reads headings, code blocks and tasks.
pub fn read(text: &str) -> Markdown {
    let text = plain_lines(text);
    let (skipped, body) = front::skip(&text);
    Reader::new(body, skipped).read()
}

/// The text with plain line ends, as all of this room reads it: without byte
/// order mark, CR LF and CR as LF, and NUL as `CommonMark` has it (section 2.3).
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.contains(['\r', '\0']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}"))
}

/// Where lines begin.
struct Lines {
    starts: Vec<usize>,
    before: u32,
}

impl Lines {
    fn of(text: &str, before: u32) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { starts: std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect(), before }
    }

    /// The line of a byte, from 0 in this text.
    fn index(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// The line of an index, from 1 in the whole text.
    fn number(&self, index: usize) -> u32 {
        u32::try_from(index + 1).unwrap_or(u32::MAX).saturating_add(self.before)
    }

    fn start(&self, index: usize) -> Option<usize> {
        self.starts.get(index).copied()
    }
}

/// A block that is being read.
enum Open {
    Nothing,
    Heading {
        level: u8,
        text: String,
        start: usize,
    },
    Code {
        kind: BlockKind,
        range: Range<usize>,
        content: String,
    },
    /// Of the task's text, where it begins and ends by now.
    Task {
        line: usize,
        text: Option<Range<usize>>,
    },
}

struct Reader<'t> {
    text: &'t str,
    lines: Lines,
    lists: u32,
    quotes: u32,
    open: Open,
    found: Markdown,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, before: u32) -> Self {
        Self {
            text,
            lines: Lines::of(text, before),
            lists: 0,
            quotes: 0,
            open: Open::Nothing,
            found: Markdown::default(),
        }
    }

    fn read(mut self) -> Markdown {
        let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
        for (event, range) in Parser::new_ext(self.text, options).into_offset_iter() {
            self.take(event, range);
        }
        self.close_task();
        self.found
    }

    fn take(&mut self, event: Event<'t>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.begin(&tag, range),
            Event::End(tag) => self.end(tag),
            // The item's text is a heading: that is what it is read as.
            Event::TaskListMarker(_) if matches!(self.open, Open::Heading { .. }) => {}
            Event::TaskListMarker(_) => {
                self.close_task();
                self.open = Open::Task { line: self.lines.index(range.start), text: None };
            }
            Event::Text(words) | Event::Code(words) => match &mut self.open {
                Open::Heading { text, .. } => text.push_str(&words),
                Open::Code { content, .. } => content.push_str(&words),
                _ => self.inline(range),
            },
            Event::SoftBreak | Event::HardBreak => match &mut self.open {
                Open::Heading { text, .. } => text.push(' '),
                _ => self.inline(range),
            },
            _ => self.inline(range),
        }
    }

    fn begin(&mut self, tag: &Tag<'t>, range: Range<usize>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.close_task();
                self.open =
                    Open::Heading { level: *level as u8, text: String::new(), start: range.start };
            }
            Tag::CodeBlock(kind) => {
                self.close_task();
                let kind = match kind {
                    CodeBlockKind::Fenced(_) => BlockKind::Fence,
                    CodeBlockKind::Indented => BlockKind::Indented,
                };
                self.open = Open::Code { kind, range, content: String::new() };
            }
            Tag::Item => {
                self.close_task();
                self.lists += 1;
            }
            Tag::BlockQuote(_) => {
                self.close_task();
                self.quotes += 1;
            }
            Tag::List(_) | Tag::HtmlBlock | Tag::Table(_) => self.close_task(),
            Tag::Paragraph => {
                // The first paragraph of a loose item follows its marker or holds it.
                if matches!(&self.open, Open::Task { text: Some(_), .. }) {
                    self.close_task();
                }
            }
            _ => self.inline(range),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => self.close_heading(),
            TagEnd::CodeBlock => self.close_code(),
            TagEnd::Item => {
                self.close_task();
                self.lists = self.lists.saturating_sub(1);
            }
            TagEnd::BlockQuote(_) => {
                self.close_task();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::Paragraph => self.close_task(),
            _ => {}
        }
    }

    /// Part of a task's text.
    fn inline(&mut self, range: Range<usize>) {
        if let Open::Task { text, .. } = &mut self.open {
            match text {
                Some(text) => text.end = text.end.max(range.end),
                None => *text = Some(range),
            }
        }
    }

    fn close_heading(&mut self) {
        if let Open::Heading { level, text, start } =
            std::mem::replace(&mut self.open, Open::Nothing)
        {
            let line = self.lines.number(self.lines.index(start));
            let text = text.trim().to_owned();
            self.found.document.headings.push(Heading { level, text, line });
        }
    }

    fn close_code(&mut self) {
        let Open::Code { kind, range, mut content } =
            std::mem::replace(&mut self.open, Open::Nothing)
        else {
            return;
        };
        // Indented code is whole lines, also where the text ends with it.
        if kind == BlockKind::Indented && !content.ends_with('\n') {
            content.push('\n');
        }
        let first = self.lines.index(range.start);
        let held = content.matches('\n').count()
            + usize::from(!content.is_empty() && !content.ends_with('\n'));
        let (last, info) = match kind {
            BlockKind::Indented => (first + held.saturating_sub(1), ""),
            BlockKind::Fence => {
                // The block reaches into the line behind its content where it is closed.
                let closing = first + held + 1;
                let closed = self.lines.start(closing).is_some_and(|start| start < range.end);
                let last = if closed { closing } else { first + held };
                (last, info_string(self.text.get(range.start..).unwrap_or_default()))
            }
        };
        let info = attributes::info(info);
        self.found.document.blocks.push(Block {
            kind,
            line: self.lines.number(first),
            end_line: self.lines.number(last),
            info: info.text,
            language: info.language,
            attributes: info.attributes,
            in_list: self.lists > 0,
            in_quote: self.quotes > 0,
            content,
        });
    }

    fn close_task(&mut self) {
        if !matches!(self.open, Open::Task { .. }) {
            return;
        }
        if let Open::Task { line, text: Some(range) } =
            std::mem::replace(&mut self.open, Open::Nothing)
        {
            let raw = self.text.get(range).unwrap_or_default();
            let quoted = self.quotes > 0;
            let parts: Vec<&str> = raw
                .lines()
                .map(str::trim)
                .map(|line| if quoted { line.trim_start_matches(['>', ' ']) } else { line })
                .filter(|line| !line.is_empty())
                .collect();
            if !parts.is_empty() {
                let line = self.lines.number(line);
                self.found.tasks.push(Task { line, text: parts.join(" ") });
            }
        }
    }
}

/// What stands behind the fence in its first line, as it stands: an escape in
/// it is kept, since a regular expression may stand there.
fn info_string(from_fence: &str) -> &str {
    let line = from_fence.lines().next().unwrap_or_default().trim_start();
    let fence = line.chars().next().filter(|c| matches!(c, '`' | '~'));
    fence.map_or("", |fence| line.trim_start_matches(fence).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Vec<(u32, u32, String, String)> {
        let of = |block: Block| (block.line, block.end_line, block.info, block.content);
        document(text).blocks.into_iter().map(of).collect()
    }

    fn block(line: u32, end: u32, info: &str, content: &str) -> (u32, u32, String, String) {
        (line, end, info.into(), content.into())
    }

    #[test]
    fn a_fence_has_its_lines_info_and_content() {
        assert_eq!(
            blocks("# A\n\n```sh {name=x}\necho 1\n\necho 2\n```\nend"),
            [block(3, 7, "sh {name=x}", "echo 1\n\necho 2\n")]
        );
    }

    #[test]
    fn an_unclosed_fence_ends_with_the_text() {
        assert_eq!(blocks("```sh\necho 1"), [block(1, 2, "sh", "echo 1")]);
        assert_eq!(blocks("```sh\necho 1\n"), [block(1, 2, "sh", "echo 1\n")]);
        assert_eq!(blocks("```"), [block(1, 1, "", "")]);
    }

    #[test]
    fn lists_and_quotes_lose_their_indentation() {
        let text = "1. one\n\n   ```sh\n   a\n     b\n   ```\n\n> ~~~ console\n> $ c\n> ~~~\n";
        assert_eq!(blocks(text), [block(3, 6, "sh", "a\n  b\n"), block(8, 10, "console", "$ c\n")]);
        let read = document(text);
        assert!(read.blocks[0].in_list && !read.blocks[0].in_quote);
        assert!(read.blocks[1].in_quote && !read.blocks[1].in_list);
    }

    #[test]
    fn line_ends_of_any_kind_read_alike() {
        let text = "---\ntitle: x\n---\n# A\n\n```sh\na\nb\n```\n";
        let expected = document(text);
        assert_eq!(expected.headings[0].line, 4);
        assert_eq!(document(&text.replace('\n', "\r\n")), expected);
        assert_eq!(document(&text.replace('\n', "\r")), expected);
        assert_eq!(document(&format!("\u{feff}{text}")), expected);
    }

    #[test]
    fn headings_lose_their_markup() {
        let text = "`bin/ci` and *x* [l](u)\n===\n\n## two ##\n\n> ### in\n";
        let of = |heading: Heading| (heading.level, heading.text, heading.line);
        let found: Vec<_> = document(text).headings.into_iter().map(of).collect();
        assert_eq!(
            found,
            [(1, "bin/ci and x l".into(), 1), (2, "two".into(), 4), (3, "in".into(), 6)]
        );
    }

    #[test]
    fn indented_code_ends_with_its_last_line() {
        assert_eq!(blocks("a\n\n    b\n\n    c\n\n\nd\n"), [block(3, 5, "", "b\n\nc\n")]);
        assert_eq!(blocks("a\n\n    b\n    c"), [block(3, 4, "", "b\nc\n")]);
    }

    #[test]
    fn a_heading_in_a_task_is_a_heading() {
        let read = read("- [ ] Tell\n  ===\n");
        assert_eq!((read.document.headings.len(), read.tasks.len()), (1, 0));
    }

    #[test]
    fn tasks_are_found_with_their_text() {
        let text = "- [ ] Tell **them**\n  and us\n- [x] `b` [l](u)\n\n- [ ] loose\n\n  more\n\
                    - [ ] outer\n  - [ ] inner\n- plain\n";
        let found: Vec<_> =
            read(text).tasks.into_iter().map(|task| (task.line, task.text)).collect();
        assert_eq!(
            found,
            [
                (1, "Tell **them** and us".into()),
                (3, "`b` [l](u)".into()),
                (5, "loose".into()),
                (8, "outer".into()),
                (9, "inner".into()),
            ]
        );
    }
}
