//! What a template calculates with, and how Go prints it.

use super::number;
use crate::domain::Labels;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// There is none.
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    /// Labels of a series.
    Labels(Labels),
    /// One series of an answer.
    Sample(Labels, f64),
    /// An answer.
    Answer(Rc<[(Labels, f64)]>),
    /// What `args` makes.
    Args(Rc<BTreeMap<String, Value>>),
    /// What the template is about: `.` at its top.
    Given(Rc<Given>),
    /// Milliseconds since the epoch.
    Moment(i64),
    /// Seconds.
    Span(f64),
}

/// What the template is about.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) labels: Labels,
    pub(super) external_labels: Labels,
    pub(super) external_url: Rc<str>,
    pub(super) value: f64,
}

impl Value {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Go's name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Missing => "interface {}",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Sample(..) => "*template.sample",
            Self::Answer(_) => "template.queryResult",
            Self::Args(_) => "map[string]interface {}",
            Self::Given(_) => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }"
            }
            Self::Moment(_) => "*time.Time",
            Self::Span(_) => "*time.Duration",
        }
    }

    /// Whether `if` takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Answer(series) => !series.is_empty(),
            Self::Args(args) => !args.is_empty(),
            Self::Sample(..) | Self::Given(_) | Self::Moment(_) | Self::Span(_) => true,
        }
    }

    /// As `{{ . }}` writes it.
    pub(super) fn printed(&self) -> String {
        match self {
            Self::Missing => "<no value>".into(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => number::general(*value, None),
            Self::Text(text) => text.to_string(),
            Self::Labels(labels) => {
                map(labels.iter().map(|(name, value)| (&**name, value.to_string())))
            }
            Self::Sample(labels, value) => sample(labels, *value),
            // Go prints addresses here, of which nobody has anything.
            Self::Answer(series) => {
                let series: Vec<String> =
                    series.iter().map(|(labels, value)| sample(labels, *value)).collect();
                format!("[{}]", series.join(" "))
            }
            Self::Args(args) => {
                map(args.iter().map(|(name, value)| (name.as_str(), value.printed())))
            }
            Self::Given(given) => format!(
                "{{{} {} {} {}}}",
                Self::Labels(given.labels.clone()).printed(),
                Self::Labels(given.external_labels.clone()).printed(),
                given.external_url,
                number::general(given.value, None)
            ),
            Self::Moment(millis) => moment(*millis),
            Self::Span(seconds) => span(*seconds),
        }
    }
}

fn map<'a>(entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries.map(|(name, value)| format!("{name}:{value}")).collect();
    format!("map[{}]", entries.join(" "))
}

fn sample(labels: &Labels, value: f64) -> String {
    format!("{{{} {}}}", Value::Labels(labels.clone()).printed(), number::general(value, None))
}

/// As Go's time.Time prints itself, in UTC.
pub(super) fn moment(millis: i64) -> String {
    let Some(moment) = chrono::DateTime::from_timestamp_millis(millis) else {
        return format!("{millis} ms");
    };
    let text = moment.format("%Y-%m-%d %H:%M:%S").to_string();
    let below = moment.timestamp_subsec_millis();
    let fraction = if below == 0 { String::new() } else { format!(".{below:03}") };
    format!("{text}{} +0000 UTC", fraction.trim_end_matches('0'))
}

/// As Go's time.Duration prints itself.
fn span(seconds: f64) -> String {
    let size = seconds.abs();
    let sign = if seconds < 0.0 { "-" } else { "" };
    let short = |value: f64| {
        let text = format!("{value:.9}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if size == 0.0 {
        return "0s".into();
    }
    if size < 1.0 {
        let (value, unit) = match size {
            _ if size < 1e-6 => (size * 1e9, "ns"),
            _ if size < 1e-3 => (size * 1e6, "µs"),
            _ => (size * 1e3, "ms"),
        };
        return format!("{sign}{}{unit}", short(value));
    }
    let hours = (size / 3600.0).floor();
    let minutes = ((size - hours * 3600.0) / 60.0).floor();
    let rest = short(size - hours * 3600.0 - minutes * 60.0);
    match (hours > 0.0, minutes > 0.0) {
        (true, _) => format!("{sign}{hours}h{minutes}m{rest}s"),
        (false, true) => format!("{sign}{minutes}m{rest}s"),
        (false, false) => format!("{sign}{rest}s"),
    }
}
