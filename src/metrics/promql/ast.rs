//! The tree of an expression, each node with its place in the text.

use super::functions::Function;
use super::timing::Timed;
use crate::domain::Num;
use crate::metrics::Matcher;
use std::sync::Arc;
use std::time::Duration;

/// A stretch of the text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends; the byte after its last.
    pub end: usize,
}

impl Span {
    /// From the beginning of this one to the end of the other.
    pub(super) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// The types of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number.
    Scalar,
    /// A text.
    Text,
    /// One value a series.
    Vector,
    /// Several values a series.
    Matrix,
}

impl Type {
    /// What the language's own documentation calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Text => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// An expression. Two are equal when they mean the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
    /// How many nodes lie on the longest way down; bounds every recursion.
    pub(super) height: u32,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `1.5`, `5m`
    Number(Num),
    /// `"text"`
    Text(String),
    /// `up{job="api"}`
    Selector(Selector),
    /// `up[5m]`
    Range(Selector, Duration),
    /// `expr[1h:1m]`
    Subquery(Box<Subquery>),
    /// `up[step()]`, `up offset (5m + 30s)`
    Timed(Box<Timed>),
    /// `rate(...)`
    Call(&'static Function, Vec<Expr>),
    /// `sum by (job) (...)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `-a`
    Negate(Box<Expr>),
    /// `+a`
    Plus(Box<Expr>),
    /// `(a)`
    Paren(Box<Expr>),
}

impl Expr {
    pub(super) fn new(kind: Kind, span: Span) -> Self {
        let mut expr = Self { kind, span, height: 0 };
        let below = expr.children().map(|child| child.height).max().unwrap_or(0);
        expr.height = below + 1;
        expr
    }

    /// The expressions right below this one.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let (one, two, many): (Option<&Self>, Option<&Self>, &[Self]) = match &self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Selector(_) | Kind::Range(..) => {
                (None, None, &[])
            }
            Kind::Subquery(subquery) => (Some(&subquery.expr), None, &[]),
            Kind::Timed(timed) => (Some(&timed.expr), None, &[]),
            Kind::Call(_, args) => (None, None, args),
            Kind::Aggregate(aggregate) => (aggregate.param.as_ref(), Some(&aggregate.expr), &[]),
            Kind::Binary(binary) => (Some(&binary.lhs), Some(&binary.rhs), &[]),
            Kind::Negate(inner) | Kind::Plus(inner) | Kind::Paren(inner) => {
                (Some(&**inner), None, &[])
            }
        };
        one.into_iter().chain(two).chain(many)
    }

    /// Its type.
    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Number(_) => Type::Scalar,
            Kind::Text(_) => Type::Text,
            Kind::Selector(_) | Kind::Aggregate(_) => Type::Vector,
            Kind::Range(..) | Kind::Subquery(_) => Type::Matrix,
            Kind::Call(function, _) => function.returns,
            Kind::Binary(binary) => {
                let scalar = |side: &Self| side.value_type() == Type::Scalar;
                if scalar(&binary.lhs) && scalar(&binary.rhs) { Type::Scalar } else { Type::Vector }
            }
            Kind::Timed(timed) => timed.expr.value_type(),
            Kind::Negate(inner) | Kind::Plus(inner) | Kind::Paren(inner) => inner.value_type(),
        }
    }

    /// The expression inside any parentheses.
    pub fn bare(&self) -> &Self {
        let mut expr = self;
        while let Kind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

/// The moment that a selector or subquery looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// `offset`, back in time where positive.
    pub offset_ms: Option<i64>,
    /// `@`
    pub at: Option<At>,
}

/// A moment that `@` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// This moment, since the epoch.
    Millis(i64),
    /// The query's first moment.
    Start,
    /// The query's last moment.
    End,
}

/// How samples outside of a range count for its edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Not at all.
    #[default]
    Plain,
    /// `anchored`: the last one before the range counts as its first.
    Anchored,
    /// `smoothed`: values at the edges lie on the line between their neighbours.
    Smoothed,
}

impl Extent {
    /// Its word; none where it is plain.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Anchored => "anchored",
            Self::Smoothed => "smoothed",
        }
    }
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// One condition on one label, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMatch {
    /// The label's name.
    pub name: String,
    /// The comparison.
    pub kind: MatchKind,
    /// What it is compared with.
    pub value: String,
}

/// Which series, at which moment.
#[derive(Clone, Debug)]
pub struct Selector {
    /// The metric name, where it was not written as a condition.
    pub name: Option<String>,
    /// The conditions as written.
    pub matches: Vec<LabelMatch>,
    /// The moment.
    pub shift: Shift,
    /// How samples around it count.
    pub extent: Extent,
    /// Name and conditions, ready for a storage.
    pub matchers: Arc<[Matcher]>,
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.matches == other.matches
            && self.shift == other.shift
            && self.extent == other.extent
    }
}

impl Selector {
    /// The value that the label called `name` must have, where the selector says one.
    pub fn equal(&self, name: &str) -> Option<&str> {
        if name == crate::domain::labels::METRIC_NAME && self.name.is_some() {
            return self.name.as_deref();
        }
        let mut of_name = self.matches.iter().filter(|one| one.name == name);
        of_name.find(|one| one.kind == MatchKind::Equal).map(|one| one.value.as_str())
    }
}

/// `expr[range:step]`
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// Over this time.
    pub range: Duration,
    /// So often; by default as the engine is set.
    pub step: Option<Duration>,
    /// Up to this moment.
    pub shift: Shift,
}

/// How series are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `count`
    Count,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    Topk,
    /// `bottomk`
    Bottomk,
    /// `count_values`
    CountValues,
    /// `quantile`
    Quantile,
    /// `limitk`
    Limitk,
    /// `limit_ratio`
    LimitRatio,
}

impl Aggregation {
    pub(super) const ALL: [(&'static str, Self); 14] = [
        ("sum", Self::Sum),
        ("avg", Self::Avg),
        ("count", Self::Count),
        ("min", Self::Min),
        ("max", Self::Max),
        ("group", Self::Group),
        ("stddev", Self::Stddev),
        ("stdvar", Self::Stdvar),
        ("topk", Self::Topk),
        ("bottomk", Self::Bottomk),
        ("count_values", Self::CountValues),
        ("quantile", Self::Quantile),
        ("limitk", Self::Limitk),
        ("limit_ratio", Self::LimitRatio),
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The type of its parameter, where it takes one.
    pub fn param(self) -> Option<Type> {
        match self {
            Self::Topk | Self::Bottomk | Self::Quantile | Self::Limitk | Self::LimitRatio => {
                Some(Type::Scalar)
            }
            Self::CountValues => Some(Type::Text),
            _ => None,
        }
    }
}

/// `by (...)` or `without (...)`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Whether it is `without`.
    pub without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

/// `sum by (job) (expr)`
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// How.
    pub op: Aggregation,
    /// The parameter, where it takes one.
    pub param: Option<Expr>,
    /// What.
    pub expr: Expr,
    /// Into which groups; into one where none.
    pub grouping: Option<Grouping>,
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>`
    Gt,
    /// `<`
    Lt,
    /// `>=`
    Ge,
    /// `<=`
    Le,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
}

impl BinaryOp {
    /// Its sign or word.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Gt => ">",
            Self::Lt => "<",
            Self::Ge => ">=",
            Self::Le => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// Whether it compares.
    pub fn compares(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Lt | Self::Ge | Self::Le)
    }

    /// Whether it works on sets of series.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// How strongly it binds; more is stronger.
    pub(super) fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Eq | Self::Ne | Self::Gt | Self::Lt | Self::Ge | Self::Le => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => 5,
            Self::Pow => 6,
        }
    }
}

/// Which side may have several series for one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `group_left`
    Left,
    /// `group_right`
    Right,
}

/// How series of both sides are paired.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// Whether `labels` are those that count (`on`) or those that do not (`ignoring`).
    pub on: bool,
    /// The labels.
    pub labels: Vec<String>,
    /// The side with several series, and the labels it takes from the other.
    pub group: Option<(Group, Vec<String>)>,
    /// What stands in for a series that is missing on the left side, and on the
    /// right one. With `group_right` the sides are swapped, as Prometheus has it.
    pub fill: [Option<Num>; 2],
}

/// `lhs op rhs`
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// The left side.
    pub lhs: Expr,
    /// The right side.
    pub rhs: Expr,
    /// Whether a comparison answers 0 or 1 in place of filtering.
    pub bool_result: bool,
    /// How series are paired, where it was written.
    pub matching: Option<Matching>,
}
