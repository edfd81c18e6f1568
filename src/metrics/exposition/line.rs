//! A line that holds a sample.

use super::cursor::{Cursor, Fault};
use super::number::{moment, value};
use super::{Format, Label, MAX_LABELS, Value};
use crate::domain::labels::METRIC_NAME;
use crate::domain::{Timestamp, harmless_within};
use std::borrow::Cow;

/// Name and labels.
pub(super) struct Head<'a> {
    pub(super) series: &'a str,
    pub(super) name: Cow<'a, str>,
}

/// What follows the series.
pub(super) struct Tail {
    pub(super) value: Value,
    pub(super) at: Option<Timestamp>,
    /// Value and moment of the exemplar; its labels went where the caller said.
    pub(super) exemplar: Option<(f64, Option<Timestamp>)>,
}

/// The labels of a line, and how far they are those of the line before.
#[derive(Default)]
pub(super) struct Labels<'a> {
    /// In the order of the line.
    pub(super) all: Vec<Label<'a>>,
    /// The line that they are from; empty where it cannot be gone by.
    text: &'a str,
    /// How long its name is.
    name: usize,
    /// Where what follows each label's comma begins.
    ends: Vec<usize>,
    /// So many of them, and the name, are those of the line before.
    pub(super) same: usize,
}

impl<'a> Labels<'a> {
    /// What was read last says nothing of the next line.
    pub(super) fn forget(&mut self) {
        self.text = "";
    }

    /// Goes on where `line` begins to differ from the line before; the name that
    /// both have. None where not even a label is the same.
    fn resume(&mut self, line: &mut Cursor<'a>) -> Option<&'a str> {
        self.same = 0;
        if line.at != 0 || self.text.is_empty() {
            return None;
        }
        let common = common(self.text.as_bytes(), line.text.as_bytes());
        let same = self.ends.partition_point(|end| *end <= common);
        line.at = *self.ends.get(same.checked_sub(1)?)?;
        self.same = same;
        self.all.truncate(same);
        self.ends.truncate(same);
        line.text.get(..self.name)
    }
}

/// How many bytes both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let equal = words.take_while(|(a, b)| a == b).count() * 8;
    let rest = a.iter().skip(equal).zip(b.iter().skip(equal));
    equal + rest.take_while(|(a, b)| a == b).count()
}

/// Reads name and labels; the labels go into `labels`.
pub(super) fn head<'a>(line: &mut Cursor<'a>, labels: &mut Labels<'a>) -> Result<Head<'a>, Fault> {
    if let Some(name) = labels.resume(line) {
        // Until the labels are whole, nothing can be gone by.
        labels.text = "";
        read_labels(line, &mut Some(Cow::Borrowed(name)), labels, true)?;
        distinct(&labels.all, labels.same, 0)?;
        labels.text = line.text;
        return Ok(Head { series: &line.text[..line.at], name: Cow::Borrowed(name) });
    }
    labels.all.clear();
    labels.ends.clear();
    labels.text = "";
    let from = line.at;
    let bare = line.bare_name(true);
    let mut name = (!bare.is_empty()).then_some(Cow::Borrowed(bare));
    if name.is_none() && line.peek() != Some(b'{') {
        return Err(line.expected("a metric name"));
    }
    let mut end = line.at;
    if name.is_some() && line.format == Format::Text {
        line.blanks();
    }
    if line.peek() == Some(b'{') {
        let empty = !read_labels(line, &mut name, labels, false)?;
        end = line.at;
        if empty && name.is_none() {
            return Err(Fault { at: from, message: "there is no metric name".into() });
        }
    } else {
        line.at = end;
    }
    let Some(name) = name else {
        return Err(Fault { at: from, message: "there is no metric name".into() });
    };
    distinct(&labels.all, 0, from)?;
    if from == 0 && !bare.is_empty() {
        labels.text = line.text;
        labels.name = bare.len();
    }
    Ok(Head { series: &line.text[from..end], name })
}

/// Reads `{…}`, or on after a comma in it where `resumed`; whether there was
/// anything in it.
fn read_labels<'a>(
    line: &mut Cursor<'a>,
    name: &mut Option<Cow<'a, str>>,
    labels: &mut Labels<'a>,
    resumed: bool,
) -> Result<bool, Fault> {
    let open = if resumed { line.text.find('{').unwrap_or(0) } else { line.at };
    line.at += usize::from(!resumed);
    let mut some = resumed;
    loop {
        line.blanks();
        if line.take(b'}') {
            return Ok(some);
        }
        // `{,}` is written by some clients that have no labels.
        if !some && line.format == Format::Text && line.peek() == Some(b',') {
            line.at += 1;
            line.blanks();
            if line.take(b'}') {
                return Ok(false);
            }
            return Err(line.expected("a label name or }"));
        }
        some = true;
        let from = line.at;
        let quoted = line.peek() == Some(b'"');
        let label = if quoted { line.quoted()? } else { Cow::Borrowed(line.bare_name(false)) };
        if label.is_empty() {
            if line.peek().is_none() {
                return Err(Fault { at: open, message: "this brace is never closed".into() });
            }
            line.at = from;
            return Err(if quoted {
                line.fault("a name is empty")
            } else {
                line.expected("a label name")
            });
        }
        line.blanks();
        if quoted && matches!(line.peek(), Some(b',' | b'}')) {
            if name.is_some() {
                return Err(Fault { at: from, message: "this is a second metric name".into() });
            }
            *name = Some(label);
        } else {
            if !line.take(b'=') {
                return Err(line.expected("= after the label's name"));
            }
            line.blanks();
            if line.peek() != Some(b'"') {
                return Err(line.expected("a label value in double quotes"));
            }
            let value = line.quoted()?;
            if label == METRIC_NAME {
                return Err(Fault { at: from, message: "the label __name__ is reserved".into() });
            }
            if labels.all.len() == MAX_LABELS {
                let message = format!("more than {MAX_LABELS} labels");
                return Err(Fault { at: from, message: message.into() });
            }
            labels.all.push(Label { name: label, value });
        }
        line.blanks();
        // Prometheus' scraper takes labels in text that no comma parts.
        let parted = line.take(b',');
        let strict = line.format == Format::OpenMetrics;
        if strict && !parted && line.peek() != Some(b'}') {
            return Err(line.expected(", or }"));
        }
        // A name in quotes among the labels is no label.
        if parted && labels.ends.len() + 1 == labels.all.len() {
            labels.ends.push(line.at);
        }
    }
}

/// No name twice; the first `known` labels are known to be so.
fn distinct(labels: &[Label<'_>], known: usize, from: usize) -> Result<(), Fault> {
    let twice = if labels.len() <= 16 {
        labels
            .iter()
            .enumerate()
            .skip(known)
            .any(|(i, label)| labels[..i].iter().any(|before| before.name == label.name))
    } else {
        let mut names: Vec<&str> = labels.iter().map(|label| &*label.name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    };
    if twice {
        return Err(Fault { at: from, message: "a label name stands twice".into() });
    }
    Ok(())
}

/// Whether `line` after its first `len` bytes can go on with a value, so that
/// these bytes name a whole series.
pub(super) fn ends_series(line: &str, len: usize) -> bool {
    let Some((series, rest)) = line.as_bytes().split_at_checked(len) else {
        return false;
    };
    match (series.last(), rest.first()) {
        (Some(b'}'), _) => true,
        (Some(_), Some(b' ' | b'\t')) => rest.trim_ascii_start().first() != Some(&b'{'),
        _ => false,
    }
}

/// Reads value, timestamp and exemplar; the exemplar's labels go into `labels`.
pub(super) fn tail<'a>(line: &mut Cursor<'a>, labels: &mut Labels<'a>) -> Result<Tail, Fault> {
    let strict = line.format == Format::OpenMetrics;
    let glued = line.at > 0 && line.text.as_bytes().get(line.at - 1) == Some(&b'}');
    if !line.gap() && (strict || !glued) {
        return Err(match line.rest().chars().next() {
            None => line.expected("a value"),
            Some(_) => line.expected("a blank before the value"),
        });
    }
    let from = line.at;
    let number = if strict && line.peek() == Some(b'{') {
        native_histogram(line)?
    } else {
        let token = line.token();
        let Some(number) = value(token) else {
            line.at = from;
            return Err(if token.is_empty() {
                line.expected("a value")
            } else {
                let found = harmless_within(token, 24);
                line.fault(format!("the value \"{found}\" is not a number"))
            });
        };
        Value::Float(number)
    };
    let mut tail = Tail { value: number, at: None, exemplar: None };
    if line.peek().is_none() {
        return Ok(tail);
    }
    line.gap();
    if line.peek().is_none() {
        // OpenMetrics knows no blank at the end of a line.
        return if strict { Err(line.fault("a blank ends the line")) } else { Ok(tail) };
    }
    if !(strict && line.peek() == Some(b'#')) {
        tail.at = Some(timestamp(line)?);
        if line.peek().is_none() {
            return Ok(tail);
        }
        line.gap();
    }
    if strict && line.take(b'#') {
        tail.exemplar = Some(exemplar(line, labels)?);
    }
    if line.peek().is_some() {
        return Err(line.expected("the end of the line"));
    }
    if strict && line.text.ends_with(' ') {
        return Err(line.fault("a blank ends the line"));
    }
    Ok(tail)
}

fn timestamp(line: &mut Cursor<'_>) -> Result<Timestamp, Fault> {
    let from = line.at;
    let token = line.token();
    moment(token, line.format).ok_or_else(|| {
        line.at = from;
        let found = harmless_within(token, 24);
        let unit = match line.format {
            Format::Text => "whole milliseconds",
            Format::OpenMetrics => "seconds",
        };
        line.fault(format!("the timestamp \"{found}\" is not a number of {unit}"))
    })
}

/// ` {trace_id="x"} 0.67 1600000000.0`, after its `#`.
fn exemplar<'a>(
    line: &mut Cursor<'a>,
    labels: &mut Labels<'a>,
) -> Result<(f64, Option<Timestamp>), Fault> {
    *labels = Labels { all: std::mem::take(&mut labels.all), ..Labels::default() };
    labels.all.clear();
    if !line.gap() || line.peek() != Some(b'{') {
        return Err(line.expected("an exemplar's labels"));
    }
    let from = line.at;
    let mut name = None;
    read_labels(line, &mut name, labels, false)?;
    if name.is_some() {
        return Err(Fault { at: from, message: "an exemplar has labels only, no name".into() });
    }
    distinct(&labels.all, 0, from)?;
    if !line.gap() {
        return Err(line.expected("an exemplar's value"));
    }
    let from = line.at;
    let Some(number) = value(line.token()) else {
        line.at = from;
        return Err(line.expected("an exemplar's value"));
    };
    if line.peek().is_none() {
        return Ok((number, None));
    }
    line.gap();
    Ok((number, Some(timestamp(line)?)))
}

/// `{count:24,sum:100,…}`: recognised by its braces.
fn native_histogram(line: &mut Cursor<'_>) -> Result<Value, Fault> {
    let from = line.at;
    let token = line.token();
    if token.starts_with("{count:") && token.ends_with('}') {
        return Ok(Value::NativeHistogram);
    }
    line.at = from;
    Err(line.expected("a value"))
}
