//! What a template asks of the place where its rule is evaluated.

use super::Template;
use super::node::{List, Node, Pipe, Word, WordKind};
use super::parse::Tree;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What templates ask for that belongs to no series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// The external labels that they name; an empty name where they take all.
    pub labels: BTreeSet<Arc<str>>,
    /// The URL under which the place is reached.
    pub url: bool,
}

impl Template {
    /// Adds what it asks for.
    pub fn add_asks(&self, asks: &mut Asks) {
        if let Some(tree) = &self.tree {
            let Tree { main, named } = &**tree;
            named.values().chain([main]).for_each(|list| asks.of_list(list));
        }
    }
}

impl Asks {
    fn of_list(&mut self, list: &List) {
        for node in list {
            match node {
                Node::Action(pipe) | Node::Template { pipe: Some(pipe), .. } => self.of_pipe(pipe),
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.of_pipe(&branch.pipe);
                    self.of_list(&branch.then);
                    self.of_list(&branch.otherwise);
                }
                Node::Text(_) | Node::Template { .. } | Node::Break | Node::Continue => {}
            }
        }
    }

    fn of_pipe(&mut self, pipe: &Pipe) {
        pipe.commands.iter().flat_map(|command| &command.words).for_each(|word| self.of_word(word));
    }

    fn of_word(&mut self, word: &Word) {
        let mut fields = |names: &[Arc<str>]| match names.first().map(|name| &**name) {
            Some("ExternalLabels") => self.label(names.get(1)),
            Some("ExternalURL") => self.url = true,
            _ => {}
        };
        match &word.kind {
            WordKind::Field(names) => fields(names),
            WordKind::Variable(name, names) => match &**name {
                "$externalLabels" => self.label(names.first()),
                "$externalURL" => self.url = true,
                "$" => fields(names),
                _ => {}
            },
            WordKind::Function(name) => self.url |= matches!(&**name, "externalURL" | "pathPrefix"),
            WordKind::Pipe(pipe) => self.of_pipe(pipe),
            WordKind::Chain(word, _) => self.of_word(word),
            WordKind::Dot
            | WordKind::Nil
            | WordKind::Bool(_)
            | WordKind::Int(..)
            | WordKind::Float(..)
            | WordKind::Text(_) => {}
        }
    }

    fn label(&mut self, name: Option<&Arc<str>>) {
        self.labels.insert(name.cloned().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(text: &str) -> (Vec<String>, bool) {
        let mut asks = Asks::default();
        Template::parse(text).unwrap().add_asks(&mut asks);
        (asks.labels.iter().map(ToString::to_string).collect(), asks.url)
    }

    #[test]
    fn what_belongs_to_the_place_is_found_wherever_it_stands() {
        let nothing = (Vec::new(), false);
        assert_eq!(asks("externalURL and $externalLabels in words"), nothing);
        assert_eq!(asks("{{ $labels.cluster }} {{ \"$externalURL\" }}"), nothing);
        let cluster = (vec!["cluster".to_owned()], false);
        assert_eq!(asks("{{ $externalLabels.cluster }}"), cluster);
        assert_eq!(asks("{{ if .ExternalLabels.cluster | eq \"a\" }}x{{ end }}"), cluster);
        assert_eq!(asks("{{ with $labels }}{{ $.ExternalLabels.cluster }}{{ end }}"), cluster);
        assert_eq!(asks("{{ range $k, $v := $externalLabels }}{{ $k }}{{ end }}").0, [""]);
        let url = (Vec::new(), true);
        assert_eq!(asks("{{ externalURL }}/graph"), url);
        assert_eq!(
            asks("{{ define \"a\" }}{{ .ExternalURL }}{{ end }}{{ template \"a\" . }}"),
            url
        );
        assert_eq!(asks("{{ printf \"%s\" (pathPrefix) }}"), url);
    }
}
