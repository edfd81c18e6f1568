//! The front matter of a runbook: YAML between two lines of dashes. That of
//! other tools in TOML or JSON is skipped.

use super::book::{Front, Level, Param, Remark};
use super::given;
use super::node::{self, Kind, Node};
use crate::domain::words::{listed, nearest};

/// What may stand in it.
const KEYS: &[&str] = &["title", "alerts", "services", "hosts", "params", "cwd"];
/// What may stand in a parameter.
const PARAM_KEYS: &[&str] = &["ask", "default", "choices", "from", "values", "match", "secret"];
/// Keys of other tools that stand in the front matter of runbooks and mean
/// nothing here: runme, static site generators, runbook indexes.
const TOLERATED: &[&str] = &[
    "aliases",
    "author",
    "authors",
    "category",
    "categories",
    "date",
    "description",
    "draft",
    "id",
    "keywords",
    "lang",
    "language",
    "lastmod",
    "layout",
    "linkTitle",
    "menu",
    "name",
    "owner",
    "owner_slack",
    "owners",
    "parent",
    "permalink",
    "review_in",
    "last_reviewed_on",
    "runme",
    "section",
    "severity",
    "shell",
    "sidebar_label",
    "sidebar_position",
    "skipPrompts",
    "slug",
    "status",
    "summary",
    "tag",
    "tags",
    "team",
    "toc",
    "type",
    "url",
    "version",
    "weight",
];

/// How front matter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Yaml,
    Toml,
    Json,
}

/// Where front matter stands in a text.
struct Matter<'t> {
    form: Form,
    /// What stands between its delimiters.
    inner: &'t str,
    /// How many lines it takes, delimiters included.
    lines: u32,
    /// What stands behind it.
    body: &'t str,
}

/// How many lines front matter takes, and the text behind it. The text has
/// plain line ends.
pub(super) fn skip(text: &str) -> (u32, &str) {
    find(text).map_or((0, text), |matter| (matter.lines, matter.body))
}

/// Reads front matter, with what is wrong in it. The text has plain line ends.
/// Keys of other tools are no mistake in a book that was written for people
/// only (`foreign`).
pub(super) fn read(text: &str) -> Read {
    let mut found = Read::default();
    let Some(matter) = find(text) else { return found };
    found.front.lines = Some((1, matter.lines));
    if matter.form != Form::Yaml {
        return found;
    }
    match node::parse(matter.inner) {
        Ok(node) => Reader { found: &mut found }.top(&node),
        Err((line, words)) => {
            let words = format!("the front matter is no YAML: {words}");
            found.remarks.push(Remark { level: Level::Error, line: line + 1, words });
        }
    }
    found
}

/// Front matter as it was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) front: Front,
    pub(super) remarks: Vec<Remark>,
    /// A key of opsroom's own stands in it, beside `title` and `cwd`.
    pub(super) own: bool,
    /// runme's key stands in it.
    pub(super) runme: bool,
    /// Lines of the parameters, in their order.
    pub(super) param_lines: Vec<u32>,
}

fn find(text: &str) -> Option<Matter<'_>> {
    let (first, _) = text.split_once('\n')?;
    let form = match first.trim_end() {
        "---" => Form::Yaml,
        "+++" => Form::Toml,
        "{" => Form::Json,
        _ => return None,
    };
    let inner_start = if form == Form::Json { 0 } else { first.len() + 1 };
    let mut at = first.len() + 1;
    for (lines, line) in (2..).zip(text[at..].split_inclusive('\n')) {
        let (start, end) = (at, at + line.len());
        at = end;
        let ends = match (form, line.trim_end()) {
            (Form::Yaml, "---" | "...") | (Form::Toml, "+++") => true,
            (Form::Json, "}") => serde_json::from_str::<serde_json::Value>(&text[..end]).is_ok(),
            _ => false,
        };
        if ends {
            let inner = &text[inner_start..start.max(inner_start)];
            return is_matter(form, inner).then(|| Matter {
                form,
                inner,
                lines,
                body: &text[at..],
            });
        }
    }
    None
}

/// Two lines of dashes in a text without front matter are rules between its parts.
fn is_matter(form: Form, inner: &str) -> bool {
    let begins_with_key = |line: &str| {
        let line = line.trim_start();
        let key = line.split(':').next().unwrap_or_default();
        line.starts_with(['{', '%', '"', '\''])
            || (line.contains(':')
                && !key.is_empty()
                && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ')))
    };
    let first = inner.lines().find(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    form != Form::Yaml || first.is_none_or(begins_with_key)
}

struct Reader<'r> {
    found: &'r mut Read,
}

impl Reader<'_> {
    fn remark(&mut self, level: Level, node: &Node, words: String) {
        // The line of the front matter's first delimiter comes before.
        self.found.remarks.push(Remark { level, line: node.line + 1, words });
    }

    fn wrong(&mut self, node: &Node, words: String) {
        self.remark(Level::Error, node, words);
    }

    fn top(&mut self, node: &Node) {
        let entries = match &node.kind {
            Kind::Null => return,
            Kind::Map(entries) => entries,
            other => {
                let words = format!("the front matter is {}, not keys and values", other.word());
                return self.wrong(node, words);
            }
        };
        for (key, held) in entries {
            match key.text.as_str() {
                "title" => self.found.front.title = self.text("title", held),
                "cwd" => self.found.front.folder = self.folder(held),
                "alerts" => {
                    self.found.own = true;
                    self.found.front.alerts = self.texts("alerts", held);
                }
                "services" => {
                    self.found.own = true;
                    self.found.front.services = self.texts("services", held);
                }
                "hosts" => {
                    self.found.own = true;
                    self.found.front.hosts = self.texts("hosts", held);
                }
                "params" => {
                    self.found.own = true;
                    self.params(held);
                }
                "runme" => self.found.runme = true,
                known if TOLERATED.contains(&known) => {}
                unknown => {
                    let help = match nearest(unknown, KEYS.iter().copied()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("known are {}", listed(KEYS)),
                    };
                    let words = format!("unknown key `{unknown}` in the front matter; {help}");
                    let line = key.line + 1;
                    self.found.remarks.push(Remark { level: Level::Warning, line, words });
                }
            }
        }
    }

    fn text(&mut self, key: &str, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::Scalar(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Kind::Null | Kind::Scalar(_) => None,
            other => {
                self.wrong(node, format!("`{key}` is a text, not {}", other.word()));
                None
            }
        }
    }

    fn folder(&mut self, node: &Node) -> Option<String> {
        let folder = self.text("cwd", node)?;
        if !is_folder(&folder) {
            self.wrong(
                node,
                format!("`cwd` is a folder from the root, `/srv/app`, not `{folder}`"),
            );
            return None;
        }
        Some(folder)
    }

    /// One text, or a list of them.
    fn texts(&mut self, key: &str, node: &Node) -> Vec<String> {
        match &node.kind {
            Kind::Null => Vec::new(),
            Kind::Scalar(text) => vec![text.trim().to_owned()],
            Kind::List(items) => items.iter().filter_map(|item| self.text(key, item)).collect(),
            other @ Kind::Map(_) => {
                self.wrong(node, format!("`{key}` is a text or a list, not {}", other.word()));
                Vec::new()
            }
        }
    }

    fn params(&mut self, node: &Node) {
        let entries = match &node.kind {
            Kind::Null => return,
            Kind::Map(entries) => entries,
            other => {
                let words = format!(
                    "`params` is {}; it names each parameter: `RELEASE: {{ ask: Release }}`",
                    other.word()
                );
                return self.wrong(node, words);
            }
        };
        for (key, held) in entries {
            let name = key.text.clone();
            let line = key.line + 1;
            if let Some(words) = given::refused(&name) {
                self.found.remarks.push(Remark { level: Level::Error, line, words });
                continue;
            }
            if self.found.front.params.iter().any(|param| param.name == name) {
                let words = format!("the parameter `{name}` stands here twice");
                self.found.remarks.push(Remark { level: Level::Error, line, words });
                continue;
            }
            let param = self.param(name, held);
            self.found.front.params.push(param);
            self.found.param_lines.push(line);
        }
    }

    fn param(&mut self, name: String, node: &Node) -> Param {
        let mut param = Param { ask: name.clone(), name, ..Param::default() };
        let entries = match &node.kind {
            Kind::Null => return param,
            // `RELEASE: Release to go back to`
            Kind::Scalar(ask) => {
                param.ask.clone_from(ask);
                return param;
            }
            Kind::Map(entries) => entries,
            other @ Kind::List(_) => {
                let words = format!(
                    "`{}` is {}; what belongs there is `{{ ask: … }}`",
                    param.name,
                    other.word()
                );
                self.wrong(node, words);
                return param;
            }
        };
        for (key, held) in entries {
            match key.text.as_str() {
                "ask" => param.ask = self.text("ask", held).unwrap_or(param.ask),
                "default" => param.default = self.text("default", held),
                "choices" => param.choices = self.texts("choices", held),
                "from" => param.from = self.text("from", held),
                "values" => param.values = self.values(held),
                "match" => param.pattern = self.pattern(held),
                "secret" => param.secret = self.flag("secret", held),
                unknown => {
                    let help = match nearest(unknown, PARAM_KEYS.iter().copied()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("known are {}", listed(PARAM_KEYS)),
                    };
                    let words = format!(
                        "unknown key `{unknown}` in the parameter `{}`; {help}",
                        param.name
                    );
                    let line = key.line + 1;
                    self.found.remarks.push(Remark { level: Level::Warning, line, words });
                }
            }
        }
        self.at_odds(&param, node);
        param
    }

    /// Keys of a parameter that say different things.
    fn at_odds(&mut self, param: &Param, node: &Node) {
        let sources = [
            ("choices", !param.choices.is_empty()),
            ("from", param.from.is_some()),
            ("values", param.values.is_some()),
        ];
        let given: Vec<&str> =
            sources.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given.as_slice() {
            let words = format!(
                "the parameter `{}` has `{first}` and `{second}`: one of them says what can be chosen",
                param.name
            );
            self.wrong(node, words);
        }
        if param.secret && (param.default.is_some() || !given.is_empty()) {
            let words = format!(
                "the parameter `{}` is a secret and its value stands in the text or in a list",
                param.name
            );
            self.wrong(node, words);
        }
        if let Some(default) = &param.default
            && !param.choices.is_empty()
            && !param.choices.contains(default)
        {
            let words =
                format!("the default `{default}` of `{}` is none of its choices", param.name);
            self.wrong(node, words);
        }
        let fits = |value: &String| match whole(param.pattern.as_deref()) {
            Some(pattern) => pattern.is_match(value),
            None => true,
        };
        if let Some(value) = param.default.iter().chain(&param.choices).find(|value| !fits(value)) {
            let words = format!("`{value}` does not match the pattern of `{}`", param.name);
            self.wrong(node, words);
        }
    }

    /// `values: { expr: up, label: instance }`, or `label(up, instance)`.
    fn values(&mut self, node: &Node) -> Option<(String, String)> {
        let pair = match &node.kind {
            Kind::Map(entries) => {
                let mut expr = None;
                let mut label = None;
                for (key, held) in entries {
                    match key.text.as_str() {
                        "expr" => expr = self.text("expr", held),
                        "label" => label = self.text("label", held),
                        unknown => {
                            let words = format!(
                                "unknown key `{unknown}` in `values`; it has `expr` and `label`"
                            );
                            self.wrong(node, words);
                        }
                    }
                }
                expr.zip(label)
            }
            Kind::Scalar(text) => text
                .trim()
                .strip_prefix("label(")
                .and_then(|rest| rest.strip_suffix(')'))
                .and_then(|rest| rest.rsplit_once(','))
                .map(|(expr, label)| (expr.trim().to_owned(), label.trim().to_owned())),
            _ => None,
        };
        let Some((expr, label)) = pair else {
            let words = "`values` is `{ expr: up, label: instance }`: an expression in PromQL and a label of its answer";
            self.wrong(node, words.into());
            return None;
        };
        if let Err(error) = crate::metrics::promql::parse(&expr) {
            self.wrong(node, format!("`values` holds no PromQL: {error}"));
            return None;
        }
        Some((expr, label))
    }

    fn pattern(&mut self, node: &Node) -> Option<String> {
        let pattern = self.text("match", node)?;
        match regex::Regex::new(&pattern) {
            Ok(_) => Some(pattern),
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.wrong(node, format!("`match` is no regular expression: {why}"));
                None
            }
        }
    }

    fn flag(&mut self, key: &str, node: &Node) -> bool {
        match &node.kind {
            Kind::Scalar(text) if matches!(text.as_str(), "true" | "yes") => true,
            Kind::Null => false,
            Kind::Scalar(text) if matches!(text.as_str(), "false" | "no") => false,
            _ => {
                self.wrong(node, format!("`{key}` is true or false"));
                // What may be a secret is kept like one.
                true
            }
        }
    }
}

/// The pattern that a whole value has to match.
fn whole(pattern: Option<&str>) -> Option<regex::Regex> {
    regex::Regex::new(&format!(r"\A(?:{})\z", pattern?)).ok()
}

/// Whether a text is a folder from the root.
pub(super) fn is_folder(text: &str) -> bool {
    text.starts_with('/') && !text.contains(['\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(inner: &str) -> Read {
        read(&format!("---\n{inner}\n---\n# A\n"))
    }

    fn remarks(inner: &str) -> Vec<(u32, String)> {
        front(inner).remarks.into_iter().map(|remark| (remark.line, remark.words)).collect()
    }

    #[test]
    fn all_keys_are_read() {
        let read = front(
            "title: Roll back the API\nalerts: [HighErrorRate]\nservices: api\nhosts: [bastion-*]\n\
             cwd: /srv\nparams:\n  RELEASE: { ask: Release to go back to, from: deployctl list --short, match: 'v[0-9]+' }\n\
             \x20 NOTE:\n  N: {default: 1.10, choices: [1.10, 0x1F, yes]}\n  T: {secret: true}\n\
             \x20 H: {values: {expr: up, label: instance}}\n  A: Just a question\n",
        );
        assert_eq!(read.remarks, []);
        let front = read.front;
        assert_eq!(front.title.as_deref(), Some("Roll back the API"));
        assert_eq!(front.alerts, ["HighErrorRate"]);
        assert_eq!(front.services, ["api"]);
        assert_eq!(front.hosts, ["bastion-*"]);
        assert_eq!(front.folder.as_deref(), Some("/srv"));
        let names: Vec<&str> = front.params.iter().map(|param| param.name.as_str()).collect();
        assert_eq!(names, ["RELEASE", "NOTE", "N", "T", "H", "A"]);
        assert_eq!(front.params[0].from.as_deref(), Some("deployctl list --short"));
        assert_eq!(front.params[0].pattern.as_deref(), Some("v[0-9]+"));
        assert_eq!(front.params[1].ask, "NOTE");
        // A value is the text that stands there, not the number that it could be.
        assert_eq!(front.params[2].default.as_deref(), Some("1.10"));
        assert_eq!(front.params[2].choices, ["1.10", "0x1F", "yes"]);
        assert!(front.params[3].secret);
        assert_eq!(front.params[4].values, Some(("up".into(), "instance".into())));
        assert_eq!(front.params[5].ask, "Just a question");
        assert_eq!(front.lines, Some((1, 15)));
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        assert_eq!(
            remarks("titel: x"),
            [(2, "unknown key `titel` in the front matter; did you mean `title`?".into())]
        );
        assert_eq!(
            remarks("alerts: {a: b}"),
            [(2, "`alerts` is a text or a list, not keys and values".into())]
        );
        assert_eq!(remarks("title: x\nparams:\n  PATH: {ask: x}")[0].0, 4);
        assert!(remarks("params:\n  a-b: {}")[0].1.contains("no name of a variable"));
        assert!(remarks("params:\n  SERVICE: {}")[0].1.contains("opsroom gives by itself"));
        assert!(remarks("params:\n  A: {match: '['}")[0].1.contains("no regular expression"));
        assert!(remarks("params:\n  A: {choices: [a], default: b}")[0].1.contains("none of its"));
        assert!(remarks("params:\n  A: {choices: [a], from: b}")[0].1.contains("one of them"));
        assert!(remarks("params:\n  A: {match: 'v[0-9]', default: v10}")[0].1.contains("match"));
        assert!(remarks("cwd: srv")[0].1.contains("from the root"));
        let broken = front("title: [x\nalerts: y");
        assert!(!broken.remarks.is_empty() && broken.remarks[0].level == Level::Error);
    }

    #[test]
    fn rules_between_parts_are_no_front_matter() {
        assert_eq!(skip("---\n\nSome text\n\n---\n# A\n").0, 0);
        assert_eq!(skip("---\ntitle: x\n"), (0, "---\ntitle: x\n"));
        assert_eq!(skip("---\ntitle: x\n...\nb"), (3, "b"));
        assert_eq!(skip("---\n---\nb"), (2, "b"));
        assert_eq!(skip("+++\na = 1\n+++\nb"), (3, "b"));
        assert_eq!(skip("{\n\"a\": {\n}\n}\nb"), (4, "b"));
        assert_eq!(skip("{\nno json\n}\nb").0, 0);
        assert_eq!(skip("text"), (0, "text"));
    }
}
