//! The parameters of a run, asked one by one before its start.

use crate::domain::harmless;
use crate::runbook::values::fits;
use crate::runbook::{Hidden, Order, ParamAsk};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// So many choices are listed; the others are told by their number.
const LISTED: usize = 30;

/// Parameters, what was said to them, and which one is next.
#[derive(Debug)]
pub(super) struct Given {
    asks: Vec<ParamAsk>,
    /// Those that a person was asked for, or that were given with the command.
    settled: BTreeSet<String>,
    values: BTreeMap<String, String>,
    secrets: BTreeMap<String, Hidden>,
    /// Something was said that the run's process has not heard.
    unsent: bool,
}

impl Given {
    /// What was given with the command is not asked again unless it is wrong.
    pub(super) fn new(given: impl IntoIterator<Item = String>) -> Self {
        Self {
            asks: Vec::new(),
            settled: given.into_iter().collect(),
            values: BTreeMap::new(),
            secrets: BTreeMap::new(),
            unsent: false,
        }
    }

    /// Whether the run's process has to be told; once.
    pub(super) fn take_unsent(&mut self) -> bool {
        std::mem::take(&mut self.unsent)
    }

    /// These are wanted; those with a mistake are asked anew.
    pub(super) fn wanted(&mut self, asks: Vec<ParamAsk>) {
        for ask in &asks {
            let name = &ask.param.name;
            if ask.mistake.is_some() {
                self.settled.remove(name);
                self.secrets.remove(name);
            }
            if let Some(value) = &ask.value {
                self.values.insert(name.clone(), value.clone());
            }
        }
        self.asks = asks;
    }

    /// The next one to be asked.
    pub(super) fn next(&self) -> Option<&ParamAsk> {
        self.asks.iter().find(|ask| !self.settled.contains(&ask.param.name))
    }

    /// What keeps the run from starting where nobody can be asked: a parameter
    /// without a value, or with a wrong one. Who only wants to see the plan needs
    /// no secrets.
    pub(super) fn missing(&self, only_plan: bool) -> Vec<String> {
        let wrong = |ask: &ParamAsk| {
            let name = harmless(&ask.param.name);
            if let Some(mistake) = &ask.mistake {
                Some(format!("{name}: {}", harmless(mistake)))
            } else if ask.param.secret && only_plan {
                None
            } else if ask.param.secret && !self.secrets.contains_key(&ask.param.name) {
                Some(format!("{name} is secret and can only be typed at a terminal"))
            } else if !ask.param.secret && ask.value.is_none() {
                Some(format!("{name} has no value: --set {name}=..."))
            } else {
                None
            }
        };
        self.asks.iter().filter_map(wrong).collect()
    }

    /// Those without a value that can be used.
    pub(super) fn open(&self) -> impl Iterator<Item = &ParamAsk> {
        self.asks.iter().filter(|ask| {
            let is_given = if ask.param.secret {
                self.secrets.contains_key(&ask.param.name)
            } else {
                ask.value.is_some()
            };
            ask.mistake.is_some() || !is_given
        })
    }

    /// What a person typed for the next one; the words say what was wrong.
    pub(super) fn take(&mut self, line: &str) -> Result<(), String> {
        let Some(ask) = self.next() else { return Ok(()) };
        let name = ask.param.name.clone();
        if ask.param.secret {
            if line.is_empty() {
                return Err("it cannot be empty".to_owned());
            }
            self.secrets.insert(name.clone(), Hidden(line.to_owned()));
            self.unsent = true;
        } else {
            let chosen = line.trim().parse::<usize>().ok().filter(|number| *number > 0);
            let is_value = ask.choices.iter().any(|choice| choice == line.trim());
            let value = match chosen.and_then(|number| ask.choices.get(number - 1)) {
                // A choice that is a number itself is typed as it is.
                Some(choice) if !is_value => choice.clone(),
                _ => line.trim().to_owned(),
            };
            if value.is_empty() {
                return Err("it cannot be empty".to_owned());
            }
            // The run's process looks at all of it; what is plainly wrong is said at once.
            if let Some(pattern) = &ask.param.pattern {
                fits(Some(pattern), &value)?;
            }
            // What it holds already need not be said.
            self.unsent |= ask.value.as_ref() != Some(&value);
            self.values.insert(name.clone(), value);
        }
        self.settled.insert(name);
        Ok(())
    }

    /// All values, for the run's process.
    pub(super) fn order(&self) -> Order {
        let is_asked = |name: &String| self.asks.iter().any(|ask| ask.param.name == *name);
        let is_open = |name: &String| {
            self.asks.iter().any(|ask| ask.param.name == *name && !ask.param.secret)
        };
        Order::Values {
            values: self
                .values
                .iter()
                .filter(|(name, _)| is_open(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            secrets: self
                .secrets
                .iter()
                .filter(|(name, _)| is_asked(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}

/// A parameter's question, and what stands in the line already.
pub(super) fn question(ask: &ParamAsk) -> (Vec<String>, String) {
    let param = &ask.param;
    let name = harmless(&param.name);
    let mut head = match param.ask.as_str() {
        "" => format!("?? {name}"),
        words => format!("?? {name}: {}", harmless(words)),
    };
    if let Some(pattern) = &param.pattern {
        // Writing into a String cannot fail.
        let _ = write!(head, "  (matches {})", harmless(pattern));
    }
    let mut lines = vec![head];
    for (at, choice) in ask.choices.iter().take(LISTED).enumerate() {
        lines.push(format!("   {:>2}  {}", at + 1, harmless(choice)));
    }
    if ask.choices.len() > LISTED {
        lines.push(format!("   and {} more", ask.choices.len() - LISTED));
    }
    if let Some(why) = &ask.failure {
        lines.push(format!("   no choices could be read: {}", harmless(why)));
    }
    if let Some(mistake) = &ask.mistake {
        lines.push(format!("   not taken: {}", harmless(mistake)));
    }
    lines.push(if param.secret {
        "   what you type is not shown".to_owned()
    } else if ask.choices.is_empty() {
        "   type its value".to_owned()
    } else {
        "   type its number, or the value".to_owned()
    });
    // What was not taken is in the way of what is typed instead.
    let prefilled = ask.value.clone().filter(|_| !param.secret && ask.mistake.is_none());
    (lines, prefilled.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::book::Param;

    fn ask(name: &str, choices: &[&str]) -> ParamAsk {
        ParamAsk {
            param: Param { name: name.into(), ..Param::default() },
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            failure: None,
            value: None,
            mistake: None,
        }
    }

    fn values(given: &Given) -> BTreeMap<String, String> {
        let Order::Values { values, .. } = given.order() else { panic!("no values") };
        values
    }

    #[test]
    fn a_choice_is_taken_by_its_number_or_as_it_is() {
        let mut given = Given::new([]);
        given.wanted(vec![ask("A", &["v141", "v140"]), ask("B", &["7", "2"]), ask("C", &[])]);
        assert_eq!(given.next().unwrap().param.name, "A");
        given.take("2").unwrap();
        given.take("2").unwrap();
        assert!(given.take(" ").is_err());
        given.take("3").unwrap();
        assert!(given.next().is_none());
        let wanted = [("A", "v140"), ("B", "2"), ("C", "3")];
        assert_eq!(values(&given), wanted.map(|(k, v)| (k.into(), v.into())).into());
    }

    #[test]
    fn what_was_given_is_asked_only_where_it_is_wrong() {
        let mut given = Given::new(["A".to_owned(), "B".to_owned()]);
        let a = ParamAsk { value: Some("v1".into()), ..ask("A", &[]) };
        let wrong = Some("must match v[0-9]+".to_owned());
        let b = ParamAsk { value: Some("x".into()), mistake: wrong, ..ask("B", &[]) };
        given.wanted(vec![a.clone(), b]);
        assert_eq!(given.missing(false), ["B: must match v[0-9]+"]);
        assert_eq!(given.next().unwrap().param.name, "B");
        given.take("v2").unwrap();
        assert_eq!(values(&given)["A"], "v1");
        assert_eq!(values(&given)["B"], "v2");
    }

    #[test]
    fn a_secret_is_in_no_question_and_no_debug_text() {
        let mut given = Given::new([]);
        let mut secret = ask("TOKEN", &[]);
        secret.param.secret = true;
        given.wanted(vec![secret.clone()]);
        assert_eq!(given.missing(false).len(), 1);
        assert!(given.missing(true).is_empty());
        assert_eq!(given.open().count(), 1);
        given.take("hunter2").unwrap();
        assert!(!format!("{given:?}").contains("hunter2"));
        assert!(values(&given).is_empty());
        let Order::Values { secrets, .. } = given.order() else { panic!("no values") };
        assert_eq!(secrets["TOKEN"].0, "hunter2");
        assert!(given.missing(false).is_empty());
    }

    #[test]
    fn a_hostile_choice_steers_no_terminal() {
        let (lines, _) = question(&ask("A", &["\u{1b}[2Jv1"]));
        assert!(!lines.join("").contains('\u{1b}'));
    }
}
