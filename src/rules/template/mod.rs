//! Templates in labels and annotations: Go's text/template as Prometheus' rules use it.

mod asks;
mod exec;
mod functions;
mod lex;
mod node;
mod number;
mod parse;
mod printf;
#[cfg(test)]
mod tests;
mod value;
mod words;

pub use asks::Asks;
pub use lex::TemplateError;

use crate::domain::{Labels, Timestamp};
use std::sync::Arc;
use value::{Given, Value};

/// What Prometheus puts before every text; it counts in the columns of errors.
const PREFIX: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                      {{$externalURL := .ExternalURL}}{{$value := .Value}}";
/// The variables that every text knows.
const VARIABLES: [&str; 4] = ["$labels", "$externalLabels", "$externalURL", "$value"];
/// The longest text that is read.
const LONGEST: usize = 64 * 1024;

/// A text with what is to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    text: Arc<str>,
    /// Nothing where it is plain text.
    tree: Option<Arc<parse::Tree>>,
}

/// What `query` gives: labels and value of each series, or why not.
pub type Answer = Result<Vec<(Labels, f64)>, String>;

/// What a template can ask of the world around the alert.
pub struct World<'w> {
    /// The moment of the evaluation.
    pub at: Timestamp,
    /// Labels that tell this server from others.
    pub external_labels: &'w Labels,
    /// Where this server is reached.
    pub external_url: &'w str,
    /// Answers an expression at the moment of the evaluation.
    pub query: &'w dyn Fn(&str) -> Answer,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// What Prometheus refuses, in its words and with its place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.contains("{{") {
            return Ok(Self { text: text.into(), tree: None });
        }
        if text.len() > LONGEST {
            let words = format!("the text has {} bytes; {LONGEST} are read", text.len());
            return Err(TemplateError { message: words, at: 0 });
        }
        let tree = parse::parse(text, &VARIABLES)?;
        Ok(Self { text: text.into(), tree: Some(Arc::new(tree)) })
    }

    /// A text in which nothing is filled in, whatever it holds.
    pub fn plain(text: &str) -> Self {
        Self { text: text.into(), tree: None }
    }

    /// As it is written in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Filled in for one series of the alert called `name`.
    ///
    /// # Errors
    /// Why it could not be filled in, in the words of Prometheus.
    pub fn expand(
        &self,
        name: &str,
        labels: &Labels,
        value: f64,
        world: &World<'_>,
    ) -> Result<String, String> {
        let Some(tree) = &self.tree else { return Ok(self.text.to_string()) };
        let name = format!("__alert_{name}");
        let given = Given {
            labels: labels.clone(),
            external_labels: world.external_labels.clone(),
            external_url: world.external_url.into(),
            value,
        };
        let variables = [
            (VARIABLES[0], Value::Labels(given.labels.clone())),
            (VARIABLES[1], Value::Labels(given.external_labels.clone())),
            (VARIABLES[2], Value::Text(given.external_url.clone())),
            (VARIABLES[3], Value::Float(value)),
        ];
        exec::run(tree, &name, &Value::Given(given.into()), &variables, world).map_err(|stopped| {
            format!("error executing template {name}: {}", stopped.told(&name, &self.text))
        })
    }
}

/// A number as Go's strconv.ParseFloat reads it.
fn go_float(text: &str) -> Option<f64> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    let value = match bare.as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ if bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') => bare.parse().ok()?,
        _ => return None,
    };
    Some(if text.starts_with('-') { -value } else { value })
}
