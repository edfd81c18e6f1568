//! A rule file: its groups and rules, or all that is wrong with it.

use super::check;
use super::duration;
use super::template::Template;
use super::yaml::{self, Key, Kind, Node};
use crate::metrics::promql::{self, Expr};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 16 * 1024 * 1024;
/// So many mistakes are told of one file.
const MOST_MISTAKES: usize = 200;

/// Which names labels and metrics may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Any text, as in Prometheus 3.
    #[default]
    Utf8,
    /// Letters, digits, underscores: Prometheus 2, and 3 where it is set to `legacy`.
    Legacy,
}

/// A mistake in a file, or something that is only unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Bytes of the file.
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// It counts all the same.
    pub advisory: bool,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFile {
    /// In the order of the file; all of them where nothing is wrong.
    pub groups: Vec<Group>,
    /// In the order of the file.
    pub mistakes: Vec<Mistake>,
}

impl RuleFile {
    /// Whether Prometheus would load it.
    pub fn is_sound(&self) -> bool {
        self.mistakes.iter().all(|mistake| mistake.advisory)
    }
}

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name, once in a file.
    pub name: Arc<str>,
    /// How often it is evaluated, where it says so.
    pub interval: Option<Duration>,
    /// How far in the past it is evaluated.
    pub offset: Duration,
    /// The most alerts or series that one of its rules may give; 0 for any number.
    pub limit: usize,
    /// In their order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The alert's name or the metric's.
    pub name: Arc<str>,
    /// The expression as it is written.
    pub text: Arc<str>,
    /// The expression.
    pub expr: Arc<Expr>,
    /// Labels that it sets, those of its group among them.
    pub labels: Vec<(Arc<str>, Template)>,
    /// What becomes of the expression's series.
    pub kind: RuleKind,
    /// Where it stands in the file, from 1.
    pub line: usize,
}

/// What becomes of the series of a rule's expression.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// They are kept under the rule's name.
    Record,
    /// Each is an alert.
    Alert {
        /// It fires once it has been true for so long.
        hold: Duration,
        /// It goes on firing for so long after.
        keep_firing: Duration,
        /// Words for people.
        annotations: Vec<(Arc<str>, Template)>,
    },
}

impl Rule {
    /// Whether it is an alert.
    pub fn is_alert(&self) -> bool {
        matches!(self.kind, RuleKind::Alert { .. })
    }

    /// What is filled in for each of its alerts.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let annotations = match &self.kind {
            RuleKind::Alert { annotations, .. } => annotations.as_slice(),
            RuleKind::Record => &[],
        };
        // Labels of what is recorded are taken as they are.
        let labels = if self.is_alert() { self.labels.as_slice() } else { &[] };
        labels.iter().chain(annotations).map(|(_, template)| template)
    }

    /// How long its expression must be true before it fires.
    pub fn hold(&self) -> Duration {
        match self.kind {
            RuleKind::Alert { hold, .. } => hold,
            RuleKind::Record => Duration::ZERO,
        }
    }
}

/// Reads a rule file as Prometheus does, all mistakes at once.
pub fn read(bytes: &[u8], names: Names) -> RuleFile {
    let mut reader = Reader::new("", names);
    if bytes.len() > LARGEST {
        reader.wrong(0..0, format!("the file has {} bytes; {LARGEST} are read", bytes.len()));
        return reader.done(Vec::new());
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(bad) => {
            let sound = std::str::from_utf8(&bytes[..bad.valid_up_to()]).unwrap_or_default();
            let mut reader = Reader::new(sound, names);
            reader.wrong(sound.len()..sound.len(), "this is no text in UTF-8".into());
            return reader.done(Vec::new());
        }
    };
    let mut reader = Reader::new(text, names);
    let groups = match yaml::document(text) {
        Ok(document) => {
            if let Some(second) = document.second {
                let words = "a second document begins here; Prometheus reads the first alone";
                reader.unwise(second..second, words.into());
            }
            document.root.map(|root| reader.file(root)).unwrap_or_default()
        }
        Err(error) => {
            reader.wrong(error.span, format!("this is no YAML: {}", error.message));
            Vec::new()
        }
    };
    reader.done(groups)
}

/// A value, and whether it is set at all.
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    pub(super) plain: bool,
    pub(super) block: bool,
}

pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) names: Names,
    /// Where each line begins.
    lines: Vec<usize>,
    mistakes: Vec<Mistake>,
    hidden: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, names: Names) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, names, lines, mistakes: Vec::new(), hidden: 0 }
    }

    /// The line of a byte, from 1.
    pub(super) fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at)
    }

    pub(super) fn wrong(&mut self, span: Range<usize>, message: String) {
        self.put(span, message, false);
    }

    pub(super) fn unwise(&mut self, span: Range<usize>, message: String) {
        self.put(span, message, true);
    }

    fn put(&mut self, span: Range<usize>, message: String, advisory: bool) {
        if self.mistakes.len() >= MOST_MISTAKES {
            self.hidden += 1;
            // The one that makes a file unsound must not be among the hidden.
            if advisory || self.mistakes.iter().any(|mistake| !mistake.advisory) {
                return;
            }
        }
        let (line, column) = (0, 0);
        self.mistakes.push(Mistake { span, line, column, message, advisory });
    }

    fn done(mut self, groups: Vec<Group>) -> RuleFile {
        let mistakes = self.take_mistakes();
        RuleFile { groups, mistakes }
    }

    /// All mistakes in the order of the file, with lines and columns.
    pub(super) fn take_mistakes(&mut self) -> Vec<Mistake> {
        let mut mistakes = std::mem::take(&mut self.mistakes);
        mistakes.sort_by_key(|mistake| mistake.span.start);
        let (mut at, mut line, mut begin) = (0, 1, 0);
        for mistake in &mut mistakes {
            let start = floor(self.text, mistake.span.start);
            for (offset, byte) in self.text.as_bytes()[at..start].iter().enumerate() {
                if *byte == b'\n' {
                    (line, begin) = (line + 1, at + offset + 1);
                }
            }
            at = start;
            mistake.line = line;
            mistake.column = self.text[begin..start].chars().count() + 1;
            mistake.message = crate::domain::harmless_within(&mistake.message, 600);
        }
        if self.hidden > 0
            && let Some(last) = mistakes.last_mut()
        {
            let _ = write!(last.message, " (and {} more mistakes)", self.hidden);
        }
        mistakes
    }

    /// The entries of a map, once each; nothing where it is nothing.
    pub(super) fn map(&mut self, node: Node, what: &str) -> Vec<(Key, Node)> {
        match node.kind {
            Kind::Null => Vec::new(),
            Kind::Map(entries) => {
                let mut known: HashMap<String, usize> = HashMap::new();
                for (key, _) in &entries {
                    if let Some(first) = known.insert(key.text.clone(), key.span.start) {
                        let line = self.line_of(first);
                        let words =
                            format!("{:?} stands here twice; first in line {line}", key.text);
                        self.wrong(key.span.clone(), words);
                    }
                }
                entries
            }
            _ => {
                let words = format!("{what} is {}, and must be keys and values", node.word());
                self.wrong(node.span, words);
                Vec::new()
            }
        }
    }

    pub(super) fn list(&mut self, node: Node, what: &str) -> Vec<Node> {
        match node.kind {
            Kind::Null => Vec::new(),
            Kind::List(items) => items,
            _ => {
                let words = format!("{what} is {}, and must be a list", node.word());
                self.wrong(node.span, words);
                Vec::new()
            }
        }
    }

    pub(super) fn scalar(&mut self, node: Node, what: &str) -> Option<Scalar> {
        match node.kind {
            Kind::Null => None,
            Kind::Scalar { text, plain, block } => {
                Some(Scalar { text, span: node.span, plain, block })
            }
            _ => {
                let words = format!("{what} is {}, and must be a text", node.word());
                self.wrong(node.span, words);
                None
            }
        }
    }

    pub(super) fn duration(&mut self, node: Node, what: &str) -> Option<Duration> {
        let scalar = self.scalar(node, what)?;
        match duration::parse(&scalar.text) {
            Ok(duration) => Some(duration),
            Err(words) => {
                self.wrong(scalar.span, format!("{what}: {words}"));
                None
            }
        }
    }

    pub(super) fn unknown(&mut self, key: &Key, place: &str, known: &[&str]) {
        let near = crate::domain::nearest(&key.text, known.iter().copied());
        let help = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        self.wrong(key.span.clone(), format!("{place} has no field {:?}{help}", key.text));
    }

    fn file(&mut self, root: Node) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (key, node) in self.map(root, "the file") {
            if key.text != "groups" {
                self.unknown(&key, "a rule file", &["groups"]);
                continue;
            }
            for node in self.list(node, "groups") {
                let span = node.span.clone();
                let group = self.group(node);
                if groups.iter().any(|known| known.name == group.name) {
                    let words =
                        format!("the group name {:?} is repeated in this file", &*group.name);
                    self.wrong(first_line(self.text, &span), words);
                }
                groups.push(group);
            }
        }
        self.duplicates(&groups);
        groups
    }

    fn group(&mut self, node: Node) -> Group {
        const FIELDS: [&str; 6] = ["name", "interval", "query_offset", "limit", "labels", "rules"];
        let place = first_line(self.text, &node.span);
        let mut name = String::new();
        let (mut interval, mut offset) = (None, None);
        let mut limit = 0;
        let mut labels = Vec::new();
        let mut rules = Vec::new();
        for (key, node) in self.map(node, "a group") {
            match key.text.as_str() {
                "name" => {
                    name = self.scalar(node, "name").map(|name| name.text).unwrap_or_default();
                }
                "interval" => interval = self.duration(node, "interval"),
                "query_offset" => offset = self.duration(node, "query_offset"),
                "limit" => limit = self.limit(node),
                "labels" => labels = self.texts(node, "labels"),
                "rules" => rules = self.list(node, "rules"),
                _ => self.unknown(&key, "a group", &FIELDS),
            }
        }
        if name.is_empty() {
            self.wrong(place, "the group must have a name".into());
        }
        check::label_names(self, &labels);
        let rules = rules.into_iter().filter_map(|node| self.rule(node, &labels)).collect();
        Group {
            name: name.into(),
            interval: interval.filter(|interval| !interval.is_zero()),
            offset: offset.unwrap_or_default(),
            limit,
            rules,
        }
    }

    fn limit(&mut self, node: Node) -> usize {
        let Some(scalar) = self.scalar(node, "limit") else { return 0 };
        match scalar.text.replace('_', "").parse::<i64>() {
            // Below zero there is none.
            Ok(limit) if scalar.plain => usize::try_from(limit).unwrap_or(0),
            _ => {
                self.wrong(
                    scalar.span,
                    format!("limit must be a whole number, not {:?}", scalar.text),
                );
                0
            }
        }
    }

    /// Keys and texts, as labels and annotations are.
    pub(super) fn texts(&mut self, node: Node, what: &str) -> Vec<(Key, Scalar)> {
        let mut texts = Vec::new();
        for (key, node) in self.map(node, what) {
            let span = node.span.clone();
            let empty = Scalar { text: String::new(), span, plain: true, block: false };
            let place = format!("the value of {:?}", key.text);
            texts.push((key, self.scalar(node, &place).unwrap_or(empty)));
        }
        texts
    }

    fn rule(&mut self, node: Node, of_group: &[(Key, Scalar)]) -> Option<Rule> {
        const FIELDS: [&str; 7] =
            ["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];
        let mut raw = check::Raw::new(first_line(self.text, &node.span));
        for (key, node) in self.map(node, "a rule") {
            match key.text.as_str() {
                "record" => raw.record = self.scalar(node, "record"),
                "alert" => raw.alert = self.scalar(node, "alert"),
                "expr" => raw.expr = self.scalar(node, "expr"),
                "for" => raw.hold = self.duration(node, "for").map(|time| (time, key.span)),
                "keep_firing_for" => {
                    raw.keep_firing =
                        self.duration(node, "keep_firing_for").map(|time| (time, key.span));
                }
                "labels" => raw.labels = self.texts(node, "labels"),
                "annotations" => raw.annotations = (self.texts(node, "annotations"), key.span),
                _ => self.unknown(&key, "a rule", &FIELDS),
            }
        }
        check::rule(self, &raw, of_group)
    }

    /// What promtool calls lint.
    fn duplicates(&mut self, groups: &[Group]) {
        type Named<'r> = (&'r str, Vec<(&'r str, &'r str)>);
        let mut known: HashMap<Named<'_>, usize> = HashMap::new();
        let mut repeated = Vec::new();
        for rule in groups.iter().flat_map(|group| &group.rules) {
            let mut labels: Vec<(&str, &str)> =
                rule.labels.iter().map(|(name, value)| (&**name, value.text())).collect();
            labels.sort_unstable();
            if let Some(first) = known.get(&(&*rule.name, labels.clone())) {
                repeated.push((rule.line, rule.name.clone(), *first));
            } else {
                known.insert((&rule.name, labels), rule.line);
            }
        }
        for (line, name, first) in repeated {
            let at = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
            let words = format!("{name} with the same labels stands in line {first} already");
            self.unwise(at..at, words);
        }
    }

    /// Reads an expression whose text stands in `scalar`.
    pub(super) fn expr(&mut self, scalar: &Scalar) -> Option<Arc<Expr>> {
        match promql::parse(&scalar.text) {
            Ok(expr) => Some(Arc::new(expr)),
            Err(error) => {
                let at = self.inside(scalar, error.start);
                let end = self.inside(scalar, error.end.max(error.start + 1) - 1);
                let words = format!("could not parse expression: {}", error.message);
                self.wrong(at..end.max(at) + usize::from(end >= at), words);
                None
            }
        }
    }

    /// Where byte `at` of a scalar stands in the file.
    pub(super) fn inside(&self, scalar: &Scalar, at: usize) -> usize {
        yaml::byte_in_file(self.text, &scalar.span, &scalar.text, at, scalar.block)
    }
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// The first line of a part.
pub(super) fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let held = &text[start..floor(text, span.end.max(start))];
    start..start + held.lines().next().unwrap_or_default().trim_end().len()
}
