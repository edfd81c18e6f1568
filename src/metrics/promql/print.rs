//! The tree as text that reads back to the same tree.

use super::ast::{
    Aggregation, At, Expr, Extent, Group, Grouping, Kind, LabelMatch, MatchKind, Matching,
    Selector, Shift,
};
use super::literal::duration_text;
use super::timing;
use crate::domain::Num;
use std::fmt::{self, Display as _};
use std::time::Duration;

/// Words that stand for something else where a name could stand.
const RESERVED: [&str; 20] = [
    "and",
    "or",
    "unless",
    "atan2",
    "offset",
    "anchored",
    "smoothed",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "inf",
    "nan",
    "start",
    "end",
    "step",
    "range",
];

fn is_plain(name: &str, colon: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colon && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn is_plain_metric(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_plain(name, true)
        && !RESERVED.contains(&lower.as_str())
        && !lower.starts_with("fill")
        && Aggregation::ALL.iter().all(|(word, _)| *word != lower)
}

/// A text in double quotes.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => {
                    write!(f, "\\x{:02x}", u32::from(c))?;
                }
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

fn label(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if is_plain(name, false) { f.write_str(name) } else { Quoted(name).fmt(f) }
}

fn label_list(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    f.write_str("(")?;
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        label(f, name)?;
    }
    f.write_str(")")
}

pub(super) fn number(f: &mut fmt::Formatter<'_>, Num(value): Num) -> fmt::Result {
    if value.is_nan() {
        f.write_str("NaN")
    } else if value.is_infinite() {
        f.write_str(if value < 0.0 { "-Inf" } else { "Inf" })
    } else if value != 0.0 && !(1e-6..1e15).contains(&value.abs()) {
        write!(f, "{value:e}")
    } else {
        write!(f, "{value}")
    }
}

impl fmt::Display for LabelMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        label(f, &self.name)?;
        f.write_str(match self.kind {
            MatchKind::Equal => "=",
            MatchKind::NotEqual => "!=",
            MatchKind::Regex => "=~",
            MatchKind::NotRegex => "!~",
        })?;
        Quoted(&self.value).fmt(f)
    }
}

fn series(f: &mut fmt::Formatter<'_>, selector: &Selector) -> fmt::Result {
    let name = selector.name.as_deref();
    let outside = name.filter(|name| is_plain_metric(name));
    f.write_str(outside.unwrap_or_default())?;
    let inside = if outside.is_none() { name } else { None };
    if outside.is_some() && selector.matches.is_empty() {
        return Ok(());
    }
    f.write_str("{")?;
    if let Some(name) = inside {
        Quoted(name).fmt(f)?;
    }
    for (at, one) in selector.matches.iter().enumerate() {
        if at > 0 || inside.is_some() {
            f.write_str(", ")?;
        }
        one.fmt(f)?;
    }
    f.write_str("}")
}

fn shift(f: &mut fmt::Formatter<'_>, shift: Shift, written: Written<'_>) -> fmt::Result {
    match shift.at {
        None => {}
        Some(At::Start) => f.write_str(" @ start()")?,
        Some(At::End) => f.write_str(" @ end()")?,
        Some(At::Millis(millis)) => {
            let sign = if millis < 0 { "-" } else { "" };
            let millis = millis.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", millis / 1000, millis % 1000)?;
        }
    }
    if let Some(offset) = written.offset {
        write!(f, " offset ({})", offset.timing)?;
    } else if let Some(offset_ms) = shift.offset_ms {
        let sign = if offset_ms < 0 { "-" } else { "" };
        let length = duration_text(u128::from(offset_ms.unsigned_abs()));
        write!(f, " offset {sign}{length}")?;
    }
    Ok(())
}

/// Lengths of time that the query decides about, in place of those of the tree.
#[derive(Clone, Copy, Default)]
struct Written<'e> {
    range: Option<&'e timing::Written>,
    step: Option<&'e timing::Written>,
    offset: Option<&'e timing::Written>,
}

fn length(range: Duration, written: Option<&timing::Written>) -> String {
    match written {
        Some(written) => written.timing.to_string(),
        None => duration_text(range.as_millis()),
    }
}

/// Selectors, ranges and subqueries.
fn placed(f: &mut fmt::Formatter<'_>, expr: &Expr, written: Written<'_>) -> fmt::Result {
    let extent = |f: &mut fmt::Formatter<'_>, selector: &Selector| match selector.extent {
        Extent::Plain => Ok(()),
        extent => write!(f, " {}", extent.word()),
    };
    match &expr.kind {
        Kind::Selector(selector) => {
            series(f, selector)?;
            extent(f, selector)?;
            shift(f, selector.shift, written)
        }
        Kind::Range(selector, range) => {
            series(f, selector)?;
            write!(f, "[{}]", length(*range, written.range))?;
            extent(f, selector)?;
            shift(f, selector.shift, written)
        }
        Kind::Subquery(subquery) => {
            let step = subquery.step.map(|step| length(step, written.step)).unwrap_or_default();
            write!(f, "{}[{}:{step}]", subquery.expr, length(subquery.range, written.range))?;
            shift(f, subquery.shift, written)
        }
        _ => expr.fmt(f),
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.without { "without " } else { "by " })?;
        label_list(f, &self.labels)
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.on { "on " } else { "ignoring " })?;
        label_list(f, &self.labels)?;
        if let Some((side, include)) = &self.group {
            f.write_str(match side {
                Group::Left => " group_left ",
                Group::Right => " group_right ",
            })?;
            label_list(f, include)?;
        }
        for (word, fill) in ["fill_left", "fill_right"].iter().zip(self.fill) {
            if let Some(fill) = fill {
                write!(f, " {word} (")?;
                number(f, fill)?;
                f.write_str(")")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Number(value) => number(f, *value),
            Kind::Text(text) => Quoted(text).fmt(f),
            Kind::Selector(_) | Kind::Range(..) | Kind::Subquery(_) => {
                placed(f, self, Written::default())
            }
            Kind::Timed(timed) => {
                let written = Written {
                    range: timed.range.as_ref(),
                    step: timed.step.as_ref(),
                    offset: timed.offset.as_ref(),
                };
                placed(f, &timed.expr, written)
            }
            Kind::Call(function, args) => {
                write!(f, "{}(", function.name)?;
                for (at, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
            Kind::Aggregate(aggregate) => {
                f.write_str(aggregate.op.name())?;
                if let Some(grouping) = &aggregate.grouping {
                    write!(f, " {grouping} ")?;
                }
                match &aggregate.param {
                    Some(param) => write!(f, "({param}, {})", aggregate.expr),
                    None => write!(f, "({})", aggregate.expr),
                }
            }
            Kind::Binary(binary) => {
                write!(f, "{} {}", binary.lhs, binary.op.sign())?;
                if binary.bool_result {
                    f.write_str(" bool")?;
                }
                if let Some(matching) = &binary.matching {
                    write!(f, " {matching}")?;
                }
                write!(f, " {}", binary.rhs)
            }
            Kind::Negate(inner) => write!(f, "-{inner}"),
            Kind::Plus(inner) => write!(f, "+{inner}"),
            Kind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}
