//! YAML as a tree whose parts know their places, bounded whatever a file holds.

use granit_parser::{Event, Parser, ScalarStyle, Span as Mark};
use std::collections::HashMap;
use std::ops::Range;

/// How deep lists and keys may lie in one another.
const DEPTH: usize = 64;
/// So many parts are read, those that anchors repeat each time: a large rule
/// file has some ten thousands.
const PARTS: usize = 2_000_000;
/// So many bytes of text are repeated by anchors.
const REPEATED: usize = 16 * 1024 * 1024;

/// A part of a file, and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// How many parts it holds, itself included.
    parts: usize,
    bytes: usize,
    depth: usize,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    /// A text, a number, a truth value; `plain` where it stands without quotes.
    Scalar {
        text: String,
        plain: bool,
        /// The text begins below its header, `|` or `>`.
        block: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a value.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// What a YAML reader stumbles over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

impl Node {
    fn new(kind: Kind, span: Range<usize>) -> Self {
        let inside: &mut dyn Iterator<Item = &Self> = match &kind {
            Kind::Null | Kind::Scalar { .. } => &mut std::iter::empty(),
            Kind::List(items) => &mut items.iter(),
            Kind::Map(entries) => &mut entries.iter().map(|(_, node)| node),
        };
        let (mut parts, mut bytes, mut depth) = (1_usize, 0_usize, 0);
        for node in inside {
            parts = parts.saturating_add(node.parts);
            bytes = bytes.saturating_add(node.bytes);
            depth = depth.max(node.depth);
        }
        if let Kind::Scalar { text, .. } = &kind {
            bytes = text.len();
        }
        Self { kind, span, parts, bytes, depth: depth + 1 }
    }

    /// What it is, in words.
    pub(super) fn word(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "keys and values",
        }
    }
}

/// The first document of a file, and where a second one begins: Prometheus
/// reads the first alone. Nothing where the file is empty.
pub(super) struct Document {
    pub(super) root: Option<Node>,
    pub(super) second: Option<usize>,
}

/// Reads the first document of `text`.
///
/// # Errors
/// What is no YAML, and what grows without bounds.
pub(super) fn document(text: &str) -> Result<Document, Unreadable> {
    let mut reader = Reader { text, anchors: HashMap::new(), left: PARTS, repeated: REPEATED };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut ended = false;
    let mut last = 0;
    for event in Parser::new_from_str(text) {
        let (event, mark) = match event {
            Ok(found) => found,
            // What stands behind the first document is read by nobody.
            Err(_) if ended => break,
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(last).min(text.len());
                return Err(Unreadable { span: at..at, message: error.info() });
            }
        };
        let span = place(&mark, text);
        last = span.start;
        if ended && !matches!(event, Event::StreamEnd) {
            return Ok(Document { root, second: Some(span.start) });
        }
        let node = match event {
            Event::DocumentEnd => {
                ended = true;
                continue;
            }
            Event::SequenceStart(_, anchor, _) => {
                Reader::open(&mut open, Open::list(anchor, span))?;
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                Reader::open(&mut open, Open::map(anchor, span))?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => reader.close(closed, span.end)?,
                None => continue,
            },
            Event::Scalar(held, style, anchor, tag) => {
                let node = scalar(held.into_owned(), style, tag.is_some(), span);
                reader.anchored(anchor, &node);
                node
            }
            Event::Alias(anchor) => reader.alias(anchor, span)?,
            _ => continue,
        };
        reader.spend(&node.span, 1)?;
        match open.last_mut() {
            None => root = Some(node),
            Some(place) => {
                place.take(node).map_err(|(span, message)| Unreadable { span, message })?;
            }
        }
    }
    Ok(Document { root, second: None })
}

fn place(mark: &Mark, text: &str) -> Range<usize> {
    let range = mark.byte_range().unwrap_or(0..0);
    let start = range.start.min(text.len());
    start..range.end.clamp(start, text.len())
}

fn scalar(text: String, style: ScalarStyle, tagged: bool, span: Range<usize>) -> Node {
    let plain = style == ScalarStyle::Plain && !tagged;
    let null = plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
    let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
    let kind = if null { Kind::Null } else { Kind::Scalar { text, plain, block } };
    Node::new(kind, span)
}

/// A list or a map whose end has not come yet.
struct Open {
    anchor: usize,
    span: Range<usize>,
    is_map: bool,
    key: Option<Node>,
    items: Vec<Node>,
    entries: Vec<(Key, Node)>,
    merged: Vec<Node>,
}

impl Open {
    fn list(anchor: usize, span: Range<usize>) -> Self {
        let (items, entries, merged) = (Vec::new(), Vec::new(), Vec::new());
        Self { anchor, span, is_map: false, key: None, items, entries, merged }
    }

    fn map(anchor: usize, span: Range<usize>) -> Self {
        Self { is_map: true, ..Self::list(anchor, span) }
    }

    fn take(&mut self, node: Node) -> Result<(), (Range<usize>, String)> {
        if !self.is_map {
            self.items.push(node);
            return Ok(());
        }
        let Some(key) = self.key.take() else {
            self.key = Some(node);
            return Ok(());
        };
        let text = match key.kind {
            Kind::Scalar { text, plain: true, .. } if text == "<<" => {
                self.merged.push(node);
                return Ok(());
            }
            Kind::Scalar { text, .. } => text,
            Kind::Null => "null".into(),
            _ => return Err((key.span.clone(), format!("{} cannot be a key", key.word()))),
        };
        self.entries.push((Key { text, span: key.span }, node));
        Ok(())
    }
}

struct Reader<'t> {
    text: &'t str,
    anchors: HashMap<usize, Node>,
    left: usize,
    repeated: usize,
}

impl Reader<'_> {
    fn spend(&mut self, span: &Range<usize>, parts: usize) -> Result<(), Unreadable> {
        self.left = self.left.checked_sub(parts).ok_or_else(|| {
            too_much(span, format!("the file has more than {PARTS} parts, anchors counted"))
        })?;
        Ok(())
    }

    fn open(open: &mut Vec<Open>, new: Open) -> Result<(), Unreadable> {
        if open.len() >= DEPTH {
            let words = format!("more than {DEPTH} lists and keys lie in one another here");
            return Err(too_much(&new.span, words));
        }
        open.push(new);
        Ok(())
    }

    fn close(&mut self, closed: Open, end: usize) -> Result<Node, Unreadable> {
        let Open { anchor, span, is_map, items, mut entries, merged, .. } = closed;
        for source in merged {
            self.merge(&mut entries, source)?;
        }
        let whole = span.start..end.max(span.start);
        // The end of a block is where the next begins; what it is about begins here.
        let whole = whole.start..self.text[whole.clone()].trim_end().len() + whole.start;
        let kind = if is_map { Kind::Map(entries) } else { Kind::List(items) };
        let node = Node::new(kind, whole);
        if node.depth > DEPTH {
            let words = format!("more than {DEPTH} lists and keys lie in one another here");
            return Err(too_much(&node.span, words));
        }
        self.anchored(anchor, &node);
        Ok(node)
    }

    /// `<<: *defaults`: keys of its own win over those it takes from elsewhere.
    fn merge(&mut self, into: &mut Vec<(Key, Node)>, source: Node) -> Result<(), Unreadable> {
        let span = source.span.clone();
        match source.kind {
            Kind::Map(entries) => {
                self.spend(&span, entries.len())?;
                for (key, node) in entries {
                    if !into.iter().any(|(known, _)| known.text == key.text) {
                        into.push((key, node));
                    }
                }
                Ok(())
            }
            Kind::List(sources) => sources.into_iter().try_for_each(|one| match one.kind {
                Kind::Map(_) => self.merge(into, one),
                _ => Err(too_much(&span, "only keys and values can be merged".into())),
            }),
            _ => Err(too_much(&span, "only keys and values can be merged".into())),
        }
    }

    fn anchored(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 && node.bytes <= self.repeated && node.parts <= self.left {
            self.repeated -= node.bytes;
            self.left -= node.parts;
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<Node, Unreadable> {
        let Some(node) = self.anchors.get(&anchor) else {
            let words =
                "this refers to a part that is not whole yet, or repeats too much of the file";
            return Err(too_much(&span, words.into()));
        };
        let (parts, bytes) = (node.parts, node.bytes);
        if parts > self.left || bytes > self.repeated {
            return Err(too_much(&span, "anchors repeat too much of the file".into()));
        }
        self.repeated -= bytes;
        let mut copy = node.clone();
        // A mistake in what is repeated stands where it is written; the part
        // itself stands here.
        copy.span = span.clone();
        self.spend(&span, parts)?;
        Ok(copy)
    }
}

fn too_much(span: &Range<usize>, message: String) -> Unreadable {
    Unreadable { span: span.clone(), message }
}

/// Where byte `at` of a scalar's text stands in the file: the characters of the
/// text are sought in the file one after the other, spaces aside, since YAML
/// folds them. The scalar's begin where escapes make that impossible.
pub(super) fn byte_in_file(
    file: &str,
    span: &Range<usize>,
    text: &str,
    at: usize,
    block: bool,
) -> usize {
    let Some(written) = file.get(span.clone()) else { return span.start };
    let mut from = 0;
    if block && written.starts_with(['|', '>']) {
        from = written.find('\n').map_or(written.len(), |end| end + 1);
    } else if !block && written.starts_with(['"', '\'']) {
        from = 1;
    }
    let mut sought = text.char_indices().filter(|(_, c)| !c.is_whitespace());
    let mut next = sought.next();
    let mut escaped = false;
    for (offset, c) in written[from..].char_indices() {
        let Some((index, wanted)) = next else { break };
        if c.is_whitespace() {
            continue;
        }
        if c != wanted {
            // `\"` and `''` stand for one character.
            if !escaped && (c == '\\' || c == '\'') {
                escaped = true;
                continue;
            }
            return span.start;
        }
        escaped = false;
        if index >= at {
            return span.start + from + offset;
        }
        next = sought.next();
    }
    span.end.max(span.start + 1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(node: &Node) -> String {
        match &node.kind {
            Kind::Null => "-".into(),
            Kind::Scalar { text, .. } => text.clone(),
            Kind::List(items) => {
                format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(" "))
            }
            Kind::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, node)| format!("{}={}", key.text, shape(node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn read(text: &str) -> String {
        match document(text) {
            Ok(found) => found.root.as_ref().map_or("nothing".into(), shape),
            Err(error) => format!("{}: {}", error.span.start, error.message),
        }
    }

    #[test]
    fn a_file_is_a_tree() {
        assert_eq!(
            read("a: 1\nb: [x, ~, 'null', yes]\nc:\n- d: |\n    e\n"),
            "{a=1 b=[x - null yes] c=[{d=e\n}]}"
        );
        assert_eq!(read(""), "nothing");
        assert_eq!(read("# a comment\n"), "nothing");
    }

    #[test]
    fn anchors_and_merged_keys_are_followed() {
        assert_eq!(
            read("a: &x {b: 1, c: 2}\nd: *x\ne:\n  <<: *x\n  c: 3\n"),
            "{a={b=1 c=2} d={b=1 c=2} e={c=3 b=1}}"
        );
    }

    #[test]
    fn the_second_document_is_told_of_and_not_read() {
        let found = document("a: 1\n---\n: : [\n").unwrap();
        assert!(found.second.is_some());
        assert_eq!(shape(&found.root.unwrap()), "{a=1}");
        assert!(document("---\na: 1\n").unwrap().second.is_none());
    }

    #[test]
    fn what_doubles_itself_is_cut_off() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            let items = [below.as_str(); 10].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{items}]\n");
        }
        let wrong = read(&bomb);
        assert!(wrong.contains("too much of the file"), "{wrong}");
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(read(&deep).contains("lie in one another"), "{}", read(&deep));
        let mut chain = "a0: &a0 [[[[[[[[x]]]]]]]]\n".to_owned();
        for level in 1..40 {
            chain = format!("{chain}a{level}: &a{level} [[[[[[[[*a{}]]]]]]]]\n", level - 1);
        }
        assert!(read(&chain).contains("lie in one another"), "{}", read(&chain));
    }

    #[test]
    fn no_yaml_is_told_with_its_place() {
        assert!(read("a: 'b\n").contains(':'), "{}", read("a: 'b\n"));
        assert!(read("a: *none\n").starts_with('3'), "{}", read("a: *none\n"));
        assert!(read("a: &x [*x]\n").contains("not whole yet"), "{}", read("a: &x [*x]\n"));
    }

    #[test]
    fn a_byte_of_a_text_is_found_in_the_file() {
        let find = |file: &str, key: &str, at: usize| {
            let root = document(file).unwrap().root.unwrap();
            let Kind::Map(entries) = root.kind else { panic!("keys") };
            let (_, node) = entries.into_iter().find(|(known, _)| known.text == key).unwrap();
            let Kind::Scalar { text, block, .. } = &node.kind else { panic!("a text") };
            file[byte_in_file(file, &node.span, text, at, *block)..].chars().next().unwrap()
        };
        assert_eq!(find("a: up == Q", "a", 6), 'Q');
        assert_eq!(find("a: 'up == Q'", "a", 6), 'Q');
        assert_eq!(find("a: \"up \\\"b\\\" Q\"", "a", 7), 'Q');
        assert_eq!(find("a: |\n  up\n  == Q\nb: 1", "a", 6), 'Q');
        assert_eq!(find("a: >-\n  up\n  == Q\nb: 1", "a", 6), 'Q');
        assert_eq!(find("a: up\n  == Q\nb: 1", "a", 6), 'Q');
    }
}
