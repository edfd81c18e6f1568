//! A template's tree to text, within bounds.

use super::functions::{self, Failed};
use super::node::{Branch, Command, List, Node, Pipe, Word, WordKind};
use super::parse::Tree;
use super::value::Value;
use super::{PREFIX, World};
use std::rc::Rc;
use std::sync::Arc;

/// So much may be done for one text.
const STEPS: u32 = 200_000;
/// So long may a text become.
const OUTPUT: usize = 64 * 1024;
/// So deep may templates call one another.
const DEPTH: u32 = 50;
/// So many queries may one text ask.
const QUERIES: u32 = 64;

/// Why a template has no text; `at` is a byte of it where it says where.
pub(super) struct Stopped {
    at: Option<(usize, String)>,
    inside: Arc<str>,
    words: String,
}

impl Stopped {
    /// As Go says it, for a template called `name`.
    pub(super) fn told(&self, name: &str, text: &str) -> String {
        let Some((at, context)) = &self.at else {
            return format!("template: {}: {}", self.inside, self.words);
        };
        let before = &text[..(*at).min(text.len())];
        let line = before.matches('\n').count() + 1;
        // What every text begins with stands before its first line.
        let column = before.rfind('\n').map_or(PREFIX.len() + at, |end| at - end - 1);
        let inside = &self.inside;
        let words = &self.words;
        format!("template: {name}:{line}:{column}: executing {inside:?} at <{context}>: {words}")
    }
}

type Outcome<T> = Result<T, Stopped>;

/// What comes after a part of a list.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

pub(super) struct Exec<'e> {
    tree: &'e Tree,
    world: &'e World<'e>,
    name: &'e str,
    inside: Arc<str>,
    variables: Vec<(Arc<str>, Value)>,
    output: String,
    steps: u32,
    depth: u32,
    queries: u32,
}

/// The text of `tree`.
pub(super) fn run(
    tree: &Tree,
    name: &str,
    given: &Value,
    variables: &[(&str, Value)],
    world: &World<'_>,
) -> Outcome<String> {
    let mut known: Vec<(Arc<str>, Value)> = vec![("$".into(), given.clone())];
    known.extend(variables.iter().map(|(name, value)| ((*name).into(), value.clone())));
    let mut exec = Exec {
        tree,
        world,
        name,
        inside: name.into(),
        variables: known,
        output: String::new(),
        steps: 0,
        depth: 0,
        queries: 0,
    };
    exec.list(&tree.main, given)?;
    Ok(exec.output)
}

impl Exec<'_> {
    fn stop<T>(&self, at: usize, context: &dyn ToString, words: impl Into<String>) -> Outcome<T> {
        let at = Some((at, context.to_string()));
        Err(Stopped { at, inside: Arc::clone(&self.inside), words: words.into() })
    }

    fn step(&mut self) -> Outcome<()> {
        self.steps += 1;
        if self.steps > STEPS {
            return self.bounds(format!("it takes more than {STEPS} steps"));
        }
        Ok(())
    }

    fn bounds<T>(&self, words: String) -> Outcome<T> {
        Err(Stopped { at: None, inside: self.name.into(), words })
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        if self.output.len() + text.len() > OUTPUT {
            return self.bounds(format!("its text is longer than {OUTPUT} bytes"));
        }
        self.output.push_str(text);
        Ok(())
    }

    fn list(&mut self, list: &List, dot: &Value) -> Outcome<Flow> {
        for node in list {
            self.step()?;
            let flow = match node {
                Node::Text(text) => {
                    self.write(text)?;
                    Flow::On
                }
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.write(&value.printed())?;
                    }
                    Flow::On
                }
                Node::If(branch) => self.choice(branch, dot, false)?,
                Node::With(branch) => self.choice(branch, dot, true)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Template { name, pipe, at } => {
                    self.template(name, pipe.as_ref(), *at, dot)?;
                    Flow::On
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn choice(&mut self, branch: &Branch, dot: &Value, with: bool) -> Outcome<Flow> {
        let seen = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let flow = if value.is_true() {
            self.list(&branch.then, if with { &value } else { dot })
        } else {
            self.list(&branch.otherwise, dot)
        }?;
        self.variables.truncate(seen);
        Ok(flow)
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Outcome<Flow> {
        let seen = self.variables.len();
        let over = self.pipe(&branch.pipe, dot)?;
        let inner = self.variables.len();
        let mut count: usize = 0;
        let entries: Box<dyn Iterator<Item = (Value, Value)>> = match &over {
            Value::Missing => Box::new(std::iter::empty()),
            Value::Labels(labels) => {
                let labels = labels.clone();
                Box::new((0..labels.len()).filter_map(move |at| {
                    labels.at(at).map(|(name, value)| (Value::text(&**name), Value::text(&**value)))
                }))
            }
            Value::Answer(series) => {
                let series = Rc::clone(series);
                Box::new((0_i64..).zip(0..series.len()).map(move |(i, at)| {
                    let (labels, value) = &series[at];
                    (Value::Int(i), Value::Sample(labels.clone(), *value))
                }))
            }
            Value::Args(args) => {
                let entries: Vec<_> = args
                    .iter()
                    .map(|(name, value)| (Value::text(name.as_str()), value.clone()))
                    .collect();
                Box::new(entries.into_iter())
            }
            Value::Int(count) => Box::new((0..*count).map(|i| (Value::Int(i), Value::Int(i)))),
            other => {
                let words = format!("range can't iterate over {}", other.printed());
                return self.stop(branch.pipe.at, &branch.pipe, words);
            }
        };
        for (key, value) in entries {
            self.step()?;
            count += 1;
            // The variables that the pipeline declared stand last.
            match branch.pipe.variables.as_slice() {
                [] => {}
                [one] => self.give(one, value.clone()),
                [index, element, ..] => {
                    self.give(index, key);
                    self.give(element, value.clone());
                }
            }
            let gone = self.list(&branch.then, &value)?;
            self.variables.truncate(inner);
            if gone == Flow::Break {
                break;
            }
        }
        let flow = if count == 0 { self.list(&branch.otherwise, dot)? } else { Flow::On };
        self.variables.truncate(seen);
        Ok(flow)
    }

    /// Sets the newest variable of that name.
    fn give(&mut self, name: &str, value: Value) {
        if let Some(known) = self.variables.iter_mut().rev().find(|(known, _)| &**known == name) {
            known.1 = value;
        }
    }

    fn template(
        &mut self,
        name: &Arc<str>,
        pipe: Option<&Pipe>,
        at: usize,
        dot: &Value,
    ) -> Outcome<()> {
        let Some(list) = self.tree.named.get(name) else {
            let words = format!("template {name:?} not defined");
            let context = pipe.map_or_else(
                || format!("{{{{template {name:?}}}}}"),
                |pipe| format!("{{{{template {name:?} {pipe}}}}}"),
            );
            return self.stop(at, &context, words);
        };
        if self.depth >= DEPTH {
            return self.bounds(format!("templates call one another more than {DEPTH} deep"));
        }
        let dot = pipe.map_or(Ok(Value::Missing), |pipe| self.pipe(pipe, dot))?;
        let outer = std::mem::replace(&mut self.variables, vec![("$".into(), dot.clone())]);
        let inside = std::mem::replace(&mut self.inside, Arc::clone(name));
        self.depth += 1;
        let gone = self.list(list, &dot);
        gone?;
        self.depth -= 1;
        self.variables = outer;
        self.inside = inside;
        Ok(())
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Outcome<Value> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.variables {
            if pipe.assigns {
                self.give(name, value.clone());
            } else {
                self.variables.push((Arc::clone(name), value.clone()));
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, dot: &Value, last: Option<Value>) -> Outcome<Value> {
        self.step()?;
        let Some((first, rest)) = command.words.split_first() else { return Ok(Value::Missing) };
        if let WordKind::Function(name) = &first.kind {
            return self.call(name, command, rest, dot, last);
        }
        if matches!(first.kind, WordKind::Nil) {
            return self.stop(first.at, first, "nil is not a command");
        }
        if !rest.is_empty() || last.is_some() {
            return match &first.kind {
                WordKind::Field(names)
                | WordKind::Variable(_, names)
                | WordKind::Chain(_, names)
                    if !names.is_empty() =>
                {
                    let name = names.last().map_or("", |name| name);
                    self.value(first, dot)?;
                    let words = format!("{name} is not a method but has arguments");
                    self.stop(first.at, first, words)
                }
                _ => self.stop(
                    first.at,
                    first,
                    format!("can't give argument to non-function {first}"),
                ),
            };
        }
        self.value(first, dot)
    }

    fn value(&mut self, word: &Word, dot: &Value) -> Outcome<Value> {
        Ok(match &word.kind {
            WordKind::Dot => dot.clone(),
            WordKind::Nil => Value::Missing,
            WordKind::Bool(value) => Value::Bool(*value),
            WordKind::Int(value, _) => Value::Int(*value),
            WordKind::Float(value, _) => Value::Float(*value),
            WordKind::Text(text) => Value::text(&**text),
            WordKind::Field(names) => self.fields(dot.clone(), names, word)?,
            WordKind::Variable(name, names) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = known.map_or(Value::Missing, |(_, value)| value.clone());
                self.fields(value, names, word)?
            }
            WordKind::Function(name) => {
                let command = Command { words: vec![word.clone()], at: word.at };
                self.call(name, &command, &[], dot, None)?
            }
            WordKind::Pipe(pipe) => self.pipe(pipe, dot)?,
            WordKind::Chain(inner, names) => {
                let value = self.value(inner, dot)?;
                self.fields(value, names, word)?
            }
        })
    }

    fn fields(&self, mut value: Value, names: &[Arc<str>], word: &Word) -> Outcome<Value> {
        for name in names {
            value = match (&value, &**name) {
                (Value::Given(given), "Labels") => Value::Labels(given.labels.clone()),
                (Value::Given(given), "ExternalLabels") => {
                    Value::Labels(given.external_labels.clone())
                }
                (Value::Given(given), "ExternalURL") => Value::Text(Rc::clone(&given.external_url)),
                (Value::Given(given), "Value") => Value::Float(given.value),
                (Value::Sample(labels, _), "Labels") => Value::Labels(labels.clone()),
                (Value::Sample(_, value), "Value") => Value::Float(*value),
                (Value::Labels(labels), name) => Value::text(labels.get(name).unwrap_or_default()),
                (Value::Args(args), name) => args.get(name).cloned().unwrap_or(Value::Missing),
                (Value::Missing, name) => {
                    let words = format!("nil data; no entry for key {name:?}");
                    return self.stop(word.at, word, words);
                }
                (other, name) => {
                    let words =
                        format!("can't evaluate field {name} in type {}", other.type_name());
                    return self.stop(word.at, word, words);
                }
            };
        }
        Ok(value)
    }

    fn call(
        &mut self,
        name: &str,
        command: &Command,
        words: &[Word],
        dot: &Value,
        last: Option<Value>,
    ) -> Outcome<Value> {
        self.step()?;
        if matches!(name, "and" | "or") {
            return self.logic(name, command, words, dot, last);
        }
        let mut given = Vec::with_capacity(words.len() + 1);
        for word in words {
            given.push(self.value(word, dot)?);
        }
        given.extend(last);
        let called = match name {
            "query" => self.query(&given),
            "externalURL" => Ok(Value::text(self.world.external_url)),
            "pathPrefix" => Ok(Value::text(path_of(self.world.external_url))),
            _ => functions::call(name, &given, self.world.at.millis()),
        };
        called.or_else(|failed| match failed {
            Failed::Call(words) => {
                self.stop(command.at, command, format!("error calling {name}: {words}"))
            }
            Failed::Given(place, wrong) => match place.and_then(|place| words.get(place)) {
                Some(word) => self.stop(word.at, word, wrong),
                None => self.stop(command.at, command, wrong),
            },
        })
    }

    /// Only as many values are looked at as it takes.
    fn logic(
        &mut self,
        name: &str,
        command: &Command,
        words: &[Word],
        dot: &Value,
        last: Option<Value>,
    ) -> Outcome<Value> {
        if words.is_empty() && last.is_none() {
            let wrong = format!("wrong number of args for {name}: want at least 1 got 0");
            return self.stop(command.at, command, wrong);
        }
        let mut value = Value::Missing;
        for word in words {
            value = self.value(word, dot)?;
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn query(&mut self, given: &[Value]) -> Result<Value, Failed> {
        let [Value::Text(expr)] = given else {
            return Err(match given {
                [other] => Failed::Given(
                    Some(0),
                    format!("wrong type for value; expected string; got {}", other.type_name()),
                ),
                _ => Failed::Given(
                    None,
                    format!("wrong number of args for query: want 1 got {}", given.len()),
                ),
            });
        };
        self.queries += 1;
        if self.queries > QUERIES {
            return Err(Failed::Call(format!("more than {QUERIES} queries for one text")));
        }
        match (self.world.query)(expr) {
            Ok(series) => Ok(Value::Answer(series.into())),
            Err(words) => Err(Failed::Call(words)),
        }
    }
}

/// The path of a URL, without its last slash.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}
