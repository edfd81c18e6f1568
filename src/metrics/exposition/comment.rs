//! Lines that begin with `#`: HELP, TYPE, UNIT, EOF and plain comments.

use super::cursor::{Cursor, Fault, unescaped};
use super::{Format, Meta, MetricKind};
use std::borrow::Cow;

/// What a comment line is.
pub(super) enum Comment<'a> {
    /// For people.
    Plain,
    /// About a family.
    Meta(Cow<'a, str>, Meta<'a>),
    /// `# EOF`
    Eof,
}

/// Reads a line whose first byte that is no blank is `#`.
pub(super) fn read<'a>(line: &mut Cursor<'a>) -> Result<Comment<'a>, Fault> {
    let strict = line.format == Format::OpenMetrics;
    if !strict {
        line.blanks();
    }
    line.take(b'#');
    if strict && line.rest() == " EOF" {
        return Ok(Comment::Eof);
    }
    let gap = line.gap();
    let word_at = line.at;
    let word = line.token();
    let known = matches!(word, "HELP" | "TYPE") || (strict && word == "UNIT");
    if !gap || !known || (!strict && line.peek().is_none()) {
        if strict {
            line.at = word_at;
            return Err(line.expected("HELP, TYPE, UNIT or EOF"));
        }
        return Ok(Comment::Plain);
    }
    line.gap();
    let family = if line.peek() == Some(b'"') {
        line.quoted()?
    } else {
        Cow::Borrowed(line.bare_name(true))
    };
    if family.is_empty() {
        return Err(line.expected("a metric name"));
    }
    if line.peek().is_some_and(|next| next != b' ' && next != b'\t') {
        return Err(line.expected("a blank after the name"));
    }
    if !line.gap() && (strict || word == "TYPE") {
        return Err(line.expected(if word == "TYPE" { "a metric type" } else { "a text" }));
    }
    let text = line.rest();
    let meta = match word {
        "HELP" => Meta::Help(if text.contains('\\') {
            Cow::Owned(unescaped(text, strict))
        } else {
            Cow::Borrowed(text)
        }),
        "UNIT" => {
            let suffixes = |unit| family.strip_suffix(unit).is_some_and(|f| f.ends_with('_'));
            // Prometheus itself takes a family in dots with its unit at its end.
            if !text.is_empty() && !suffixes(text) {
                return Err(line.fault("the unit is not the last part of the name"));
            }
            Meta::Unit(text)
        }
        _ => {
            let kind = if strict { text } else { text.trim_end() };
            Meta::Kind(kind_of(kind, strict).ok_or_else(|| line.fault("no known metric type"))?)
        }
    };
    Ok(Comment::Meta(family, meta))
}

fn kind_of(word: &str, strict: bool) -> Option<MetricKind> {
    Some(match word {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "summary" => MetricKind::Summary,
        "untyped" if !strict => MetricKind::Unknown,
        "unknown" if strict => MetricKind::Unknown,
        "gaugehistogram" if strict => MetricKind::GaugeHistogram,
        "info" if strict => MetricKind::Info,
        "stateset" if strict => MetricKind::StateSet,
        _ => return None,
    })
}
