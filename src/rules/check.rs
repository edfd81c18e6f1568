//! What Prometheus refuses in a rule, in its words where it has some.

use super::file::{Names, Reader, Rule, RuleKind, Scalar};
use super::template::{Template, TemplateError};
use super::yaml::Key;
use crate::domain::labels::METRIC_NAME;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A rule as the file has it.
pub(super) struct Raw {
    /// Its first line.
    place: Range<usize>,
    pub(super) record: Option<Scalar>,
    pub(super) alert: Option<Scalar>,
    pub(super) expr: Option<Scalar>,
    pub(super) hold: Option<(Duration, Range<usize>)>,
    pub(super) keep_firing: Option<(Duration, Range<usize>)>,
    pub(super) labels: Vec<(Key, Scalar)>,
    pub(super) annotations: (Vec<(Key, Scalar)>, Range<usize>),
}

impl Raw {
    pub(super) fn new(place: Range<usize>) -> Self {
        let (labels, annotations) = (Vec::new(), (Vec::new(), 0..0));
        let (record, alert, expr) = (None, None, None);
        Self { place, record, alert, expr, hold: None, keep_firing: None, labels, annotations }
    }
}

/// Checks a rule; nothing where it cannot stand.
pub(super) fn rule(reader: &mut Reader<'_>, raw: &Raw, of_group: &[(Key, Scalar)]) -> Option<Rule> {
    let set = |scalar: &Option<Scalar>| scalar.as_ref().is_some_and(|held| !held.text.is_empty());
    let (is_record, is_alert) = (set(&raw.record), set(&raw.alert));
    match (is_record, is_alert) {
        (true, true) => {
            let words = "only one of 'record' and 'alert' must be set";
            reader.wrong(raw.place.clone(), words.into());
        }
        (false, false) => {
            let words = "one of 'record' or 'alert' must be set";
            reader.wrong(raw.place.clone(), words.into());
        }
        _ => {}
    }
    let expr = if let Some(expr) = raw.expr.as_ref().filter(|expr| !expr.text.is_empty()) {
        reader.expr(expr)
    } else {
        reader.wrong(raw.place.clone(), "field 'expr' must be set in rule".into());
        None
    };
    if is_record && let Some(name) = &raw.record {
        of_recording(reader, raw, name);
    }
    label_names(reader, &raw.labels);
    for (key, _) in &raw.annotations.0 {
        if !is_label_name(&key.text, reader.names) {
            reader.wrong(key.span.clone(), format!("invalid annotation name: {}", key.text));
        }
    }
    let labels = labels(reader, raw, of_group, is_alert);
    let annotations: Vec<(Arc<str>, Template)> = if is_alert {
        let annotations = raw.annotations.0.iter();
        annotations
            .map(|(key, scalar)| {
                (key.text.as_str().into(), template(reader, key, scalar, "annotation"))
            })
            .collect()
    } else {
        Vec::new()
    };
    let name = raw.alert.as_ref().filter(|_| is_alert).or(raw.record.as_ref())?;
    let expression = raw.expr.as_ref()?;
    let kind = if is_alert {
        let time =
            |held: &Option<(Duration, _)>| held.as_ref().map_or(Duration::ZERO, |(time, _)| *time);
        RuleKind::Alert { hold: time(&raw.hold), keep_firing: time(&raw.keep_firing), annotations }
    } else {
        RuleKind::Record
    };
    Some(Rule {
        name: name.text.as_str().into(),
        text: expression.text.trim().into(),
        expr: expr?,
        labels,
        kind,
        line: reader.line_of(raw.place.start),
    })
}

/// What only alerts may have, and how a series may be called.
fn of_recording(reader: &mut Reader<'_>, raw: &Raw, name: &Scalar) {
    if !raw.annotations.0.is_empty() {
        let words = "invalid field 'annotations' in recording rule";
        reader.wrong(raw.annotations.1.clone(), words.into());
    }
    for (held, field) in [(&raw.hold, "for"), (&raw.keep_firing, "keep_firing_for")] {
        if let Some((time, span)) = held
            && !time.is_zero()
        {
            reader.wrong(span.clone(), format!("invalid field '{field}' in recording rule"));
        }
    }
    let held = &name.text;
    if !is_metric_name(held, reader.names) {
        reader.wrong(name.span.clone(), format!("invalid recording rule name: {held}"));
    } else if held.contains(['{', '}']) {
        let words =
            format!("braces present in the recording rule name; should it be in expr?: {held}");
        reader.wrong(name.span.clone(), words);
    }
}

/// Labels of the group, and those of the rule, which win.
fn labels(
    reader: &mut Reader<'_>,
    raw: &Raw,
    of_group: &[(Key, Scalar)],
    is_alert: bool,
) -> Vec<(Arc<str>, Template)> {
    let mut labels: Vec<(Arc<str>, Template)> = Vec::new();
    for (key, scalar) in of_group {
        if !raw.labels.iter().any(|(own, _)| own.text == key.text) {
            // Prometheus does not look into these; one that is broken shows itself in the alert.
            let plain = || Template::plain(&scalar.text);
            let held = if is_alert {
                Template::parse(&scalar.text).unwrap_or_else(|_| plain())
            } else {
                plain()
            };
            labels.push((key.text.as_str().into(), held));
        }
    }
    for (key, scalar) in &raw.labels {
        let held = if is_alert {
            template(reader, key, scalar, "label")
        } else {
            Template::plain(&scalar.text)
        };
        labels.push((key.text.as_str().into(), held));
    }
    labels
}

fn template(reader: &mut Reader<'_>, key: &Key, scalar: &Scalar, what: &str) -> Template {
    Template::parse(&scalar.text).unwrap_or_else(|error: TemplateError| {
        let at = reader.inside(scalar, error.at);
        reader.wrong(at..at, format!("{what} {:?}: {}", key.text, error.message));
        Template::plain("")
    })
}

/// Whether labels may be called so.
pub(super) fn label_names(reader: &mut Reader<'_>, labels: &[(Key, Scalar)]) {
    for (key, _) in labels {
        if !is_label_name(&key.text, reader.names) || key.text == METRIC_NAME {
            reader.wrong(key.span.clone(), format!("invalid label name: {}", key.text));
        }
    }
}

fn is_label_name(name: &str, names: Names) -> bool {
    match names {
        Names::Utf8 => !name.is_empty(),
        Names::Legacy => is_word(name, |_| false),
    }
}

fn is_metric_name(name: &str, names: Names) -> bool {
    match names {
        Names::Utf8 => !name.is_empty(),
        Names::Legacy => is_word(name, |c| c == ':'),
    }
}

fn is_word(name: &str, also: impl Fn(char) -> bool) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || also(c);
    name.starts_with(begins) && name.chars().all(|c| begins(c) || c.is_ascii_digit())
}
