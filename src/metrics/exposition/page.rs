//! A page, line by line.

use super::comment::{self, Comment};
use super::cursor::{Cursor, Fault};
use super::line::{Labels, ends_series, head, tail};
use super::{Exemplar, Faults, Format, Like, MAX_LINE, Meta, SampleLine, Sink, Value};

/// Reads a page: what is good goes to `sink`, what is not is counted and, for
/// the first few, described.
pub fn parse<S: Sink>(body: &[u8], format: Format, sink: &mut S) -> Faults {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut page = Page {
        format,
        sink,
        faults: Faults::default(),
        line: 0,
        ended: false,
        labels: Labels::default(),
        looked_up: 0,
        exemplar_labels: Labels::default(),
    };
    if let Ok(text) = std::str::from_utf8(body) {
        // The usual case: checked once, searched with the quick `str::find`.
        let mut rest = text;
        while let Some(end) = rest.find('\n') {
            page.line(&rest[..end], true);
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            page.line(rest, false);
        }
    } else {
        let mut lines = body.split(|&byte| byte == b'\n').peekable();
        while let Some(bytes) = lines.next() {
            let whole = lines.peek().is_some();
            if !whole && bytes.is_empty() {
                break;
            }
            match std::str::from_utf8(bytes) {
                Ok(text) => page.line(text, whole),
                Err(error) => {
                    page.line += 1;
                    page.fault(&Fault { at: error.valid_up_to(), message: "no UTF-8".into() });
                }
            }
        }
    }
    if format == Format::OpenMetrics && !page.ended {
        page.line += 1;
        page.fault(&Fault { at: 0, message: "the page was cut: it has no # EOF".into() });
    }
    page.faults
}

struct Page<'a, 's, S> {
    format: Format,
    sink: &'s mut S,
    faults: Faults,
    line: u64,
    ended: bool,
    labels: Labels<'a>,
    /// The line that they are from.
    looked_up: u64,
    exemplar_labels: Labels<'a>,
}

impl<'a, S: Sink> Page<'a, '_, S> {
    fn fault(&mut self, fault: &Fault) {
        self.faults.add(self.line, fault.at + 1, fault.message.clone());
    }

    /// Takes a line; `whole` where a newline ends it.
    fn line(&mut self, text: &'a str, whole: bool) {
        self.line += 1;
        if let Err(fault) = self.read(text, whole) {
            self.fault(&fault);
        }
    }

    fn read(&mut self, mut text: &'a str, whole: bool) -> Result<(), Fault> {
        let strict = self.format == Format::OpenMetrics;
        if text.len() > MAX_LINE {
            let message = format!("a line of {} bytes; at most {MAX_LINE} are read", text.len());
            return Err(Fault { at: 0, message: message.into() });
        }
        if self.ended {
            return Err(Fault { at: 0, message: "text after # EOF".into() });
        }
        if !strict && let Some(without) = text.strip_suffix('\r') {
            text = without;
        }
        let mut at = 0;
        if !strict {
            at = text.bytes().position(|b| b != b' ' && b != b'\t').unwrap_or(text.len());
        }
        let mut cursor = Cursor { text, at, format: self.format };
        match cursor.peek() {
            None if strict => Err(cursor.fault("an empty line")),
            None => Ok(()),
            Some(b'#') => self.comment(&mut cursor),
            Some(_) if strict && !whole => {
                Err(cursor.fault("the page was cut in the middle of this line"))
            }
            Some(_) => self.sample(&mut cursor),
        }
    }

    fn comment(&mut self, line: &mut Cursor<'a>) -> Result<(), Fault> {
        match comment::read(line)? {
            Comment::Plain => {}
            Comment::Eof => self.ended = true,
            Comment::Meta(family, meta) => self.meta(&family, &meta),
        }
        Ok(())
    }

    fn meta(&mut self, family: &str, meta: &Meta<'_>) {
        // A bound may be written in another way from here on.
        self.labels.forget();
        self.sink.meta(family, meta);
    }

    fn sample(&mut self, line: &mut Cursor<'a>) -> Result<(), Fault> {
        if line.at == 0
            && let Some(len) = self.sink.recall(line.text)
            && ends_series(line.text, len)
        {
            line.at = len;
            let tail = tail(line, &mut self.exemplar_labels)?;
            if let Value::Float(value) = tail.value {
                self.sink.recalled(&line.text[..len], value, tail.at);
                return Ok(());
            }
            line.at = 0;
        }
        let head = head(line, &mut self.labels)?;
        let like = Like { line: self.looked_up, labels: self.labels.same };
        self.looked_up = self.line;
        let tail = tail(line, &mut self.exemplar_labels)?;
        self.sink.sample(&SampleLine {
            line: self.line,
            series: head.series,
            name: &head.name,
            labels: &self.labels.all,
            like: (like.labels > 0).then_some(like),
            value: tail.value,
            at: tail.at,
            exemplar: tail.exemplar.map(|(value, at)| Exemplar {
                labels: &self.exemplar_labels.all,
                value,
                at,
            }),
        });
        Ok(())
    }
}
