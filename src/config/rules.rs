//! The `[rules]` table: rule files, and what their templates know of this place.

use super::keys::{Keys, Shape, key};
use super::mistakes::Mistakes;
use super::table::Table;
use crate::domain::Labels;

/// `[rules]`
pub const RULES: Keys = &[&[
    key("files", Shape::OneOrMore(&Shape::Name), "Patterns of files, with `*`, `?` and `[a-z]`, from the folder of this file.")
        .like(r#""/etc/opsroom/rules/*.yml""#)
        .needed(),
    key("external_labels", Shape::Map(&Shape::Text), "What tells this place from others: `$externalLabels` in templates, as `global.external_labels` of a Prometheus. No alert gets them as labels of its own: Alertmanager's copy of it, which has them, is known for the same alert all the same.")
        .like(r#"{ cluster = "eu-1" }"#),
    key("external_url", Shape::Url, "Where people reach the metrics of this place: `$externalURL` in templates, as `--web.external-url` of a Prometheus.")
        .like("https://prom.shop.example"),
]];

/// Rules that are evaluated here.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Patterns of rule files; `~/` still in them.
    pub files: Vec<String>,
    /// What tells this place from others.
    pub external_labels: Labels,
    /// Where it is reached; empty where that is not said.
    pub external_url: String,
}

/// The table as it stands in the file.
pub(super) fn rules(root: &Table, mistakes: &mut Mistakes) -> Rules {
    let Some(table) = root.table("rules") else { return Rules::default() };
    for (name, _) in table.map("external_labels") {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.it.chars().all(good) || name.it.starts_with(|c: char| c.is_ascii_digit()) {
            let help = "a label's name has letters, digits and `_`";
            mistakes.wrong_but(name.span, "this is no name of a label", help);
        }
    }
    Rules {
        files: table.texts("files"),
        external_labels: Labels::new(table.text_map("external_labels")),
        external_url: table.text("external_url"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> (Rules, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let text = format!("{text}\n[scrape.api]\ntargets = \"a:1\"\n");
        let config = Config::read(&text, &[], &mut mistakes);
        let told = mistakes.in_order().into_iter().map(|mistake| mistake.message.clone()).collect();
        (config.rules, told)
    }

    #[test]
    fn rule_files_are_named_by_a_pattern_by_several_or_in_a_table() {
        assert_eq!(read("rules = \"a/*.yml\"").0.files, ["a/*.yml"]);
        assert_eq!(read("rules = [\"a.yml\", \"b.yml\"]").0.files, ["a.yml", "b.yml"]);
        let (rules, mistakes) = read(
            "[rules]\nfiles = \"a.yml\"\nexternal_labels = { cluster = \"eu\" }\n\
             external_url = \"https://prom.example\"",
        );
        assert_eq!(
            (rules.files.as_slice(), mistakes.as_slice()),
            (&["a.yml".to_owned()][..], &[][..])
        );
        assert_eq!(rules.external_labels.get("cluster"), Some("eu"));
        assert_eq!(rules.external_url, "https://prom.example");
    }

    #[test]
    fn a_table_without_files_and_odd_names_of_labels_are_mistakes() {
        assert_eq!(read("[rules]\nexternal_url = \"https://prom.example\"").1.len(), 1);
        let (_, mistakes) = read("[rules]\nfiles = \"a\"\nexternal_labels = { \"a b\" = \"eu\" }");
        assert_eq!(mistakes, ["this is no name of a label"]);
    }
}
