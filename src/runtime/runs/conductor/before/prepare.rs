//! What is settled with a person before a run begins: values, the plan, the word to start.

use super::super::floor::Heard;
use super::super::{Conductor, choices};
use super::{COMES_BACK, FIRST_FOLLOWER, LOOK, Open, Stage};
use crate::domain::runs::{Held, Plan};
use crate::runbook::plan::{outline, param_fits, parameters, plan, unsettled};
use crate::runbook::{Book, Hidden, Order, ParamAsk, Setting, Told};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::timeout;
impl Stage {
    /// Tells why it cannot be run, and waits until that was read.
    pub(super) async fn impossible(mut self, why: Vec<String>) -> Option<Conductor> {
        self.floor.board.before(&Told::Impossible(why));
        let somebody = async {
            while self.floor.is_alone() {
                // Whoever comes is counted there; whoever has gone has read it.
                if let Ok(Heard::Alone | Heard::Asked) = timeout(LOOK, self.floor.hear()).await {
                    break;
                }
            }
        };
        let _ = timeout(FIRST_FOLLOWER, somebody).await;
        self.floor.board.over();
        None
    }

    /// The plan; none where parameters are wanted first.
    pub(super) async fn planned(
        &mut self,
        book: &Book,
        setting: &Setting,
        secrets: &BTreeMap<String, Hidden>,
    ) -> Result<Option<Plan>, Vec<String>> {
        let mut asks = parameters(book, &self.request, setting);
        for ask in &mut asks {
            self.find_choices(ask, book, setting).await;
            ask.mistake = match secrets.get(&ask.param.name) {
                Some(secret) => param_fits(book, &ask.param, &secret.0).err(),
                None => ask.mistake.take(),
            };
        }
        let given: BTreeSet<String> = secrets.keys().cloned().collect();
        let open = unsettled(&asks, &given);
        let not_offered: Vec<String> = asks.iter().filter_map(not_offered).collect();
        if !asks.is_empty() {
            self.floor.board.before(&Told::Parameters(asks));
        }
        if !open.is_empty() {
            // What stands against it anyway is said before anybody is asked.
            let mut known = outline(book, &self.request, setting, &given, &open)?;
            self.learn();
            known.warnings.extend(not_offered);
            for value in &mut known.values {
                if let Held::Text(text) = &mut value.held {
                    *text = self.mask.text(text);
                }
            }
            self.floor.board.before(&Told::Outlined(Box::new(known)));
            return Ok(None);
        }
        let mut plan = plan(book, &self.request, setting, &given)?;
        plan.warnings.extend(not_offered);
        self.learn();
        for value in &mut plan.values {
            if let Held::Text(text) = &value.held
                && self.mask.hides(text)
            {
                return Err(vec![format!(
                    "{} holds a secret of the config: a parameter with `secret: true` takes it",
                    value.name
                )]);
            }
        }
        Ok(Some(plan))
    }

    /// Hides what the config's references hold.
    fn learn(&mut self) {
        let known = self.house.secrets();
        // Too many to be hidden: the run's own process says so when it runs.
        let _ = self.mask.learn(known.iter().map(String::as_str));
    }

    async fn find_choices(&mut self, ask: &mut ParamAsk, book: &Book, setting: &Setting) {
        if ask.failure.is_some() || (ask.param.from.is_none() && ask.param.values.is_none()) {
            return;
        }
        let found = choices::find(&ask.param, book, &self.request, setting, &self.found);
        match self.floor.meanwhile(found).await {
            Ok(found) => ask.choices.extend(found),
            Err(why) => ask.failure = Some(self.mask.text(&why)),
        }
    }

    /// Waits for values or the word to start; none where nobody wants the run.
    pub(super) async fn next_order(
        &mut self,
        book: &Book,
        secrets: &mut BTreeMap<String, Hidden>,
        seen: Option<&(Plan, Open)>,
    ) -> Option<Said> {
        loop {
            let heard = self.floor.order_of_somebody(FIRST_FOLLOWER, COMES_BACK).await;
            let Some((from, order)) = heard else {
                tracing::info!(run = %self.run, "nobody follows it: it is not begun");
                return None;
            };
            let own = self.house.who.uid;
            if self.floor.who(from).is_none_or(|who| who.uid != own && who.uid != 0) {
                self.floor.refuse(from, "another user prepares this run");
                continue;
            }
            match order {
                Order::Values { values, secrets: given } => {
                    let is_secret = |name: &String| {
                        book.front.params.iter().any(|param| param.name == *name && param.secret)
                    };
                    // A secret that came as a value was seen on its way: it is one all the same.
                    let (hidden, open): (BTreeMap<_, _>, BTreeMap<_, _>) =
                        values.into_iter().partition(|(name, _)| is_secret(name));
                    for (name, value) in open {
                        let default = book.front.params.iter().find(|param| param.name == name);
                        // Left as it was: nobody chose it.
                        if default.and_then(|param| param.default.as_ref()) == Some(&value) {
                            self.request.values.remove(&name);
                        } else {
                            self.request.values.insert(name, value);
                        }
                    }
                    secrets.extend(hidden.into_iter().map(|(name, it)| (name, Hidden(it))));
                    secrets.extend(given);
                    return Some(Said::Values);
                }
                Order::Start(hash) => match seen {
                    Some((plan, _)) if plan.hash() == hash => return Some(Said::Start { from }),
                    Some(_) => {
                        self.floor.refuse(from, "the plan is another one than you have seen");
                    }
                    None => self.floor.refuse(from, "values are missing"),
                },
                _ => self.floor.refuse(from, "the run has not begun"),
            }
        }
    }
}

/// A value that is none of those that were read for it.
fn not_offered(ask: &ParamAsk) -> Option<String> {
    let value = ask.value.as_ref().filter(|value| !ask.choices.contains(value))?;
    (!ask.choices.is_empty()).then(|| {
        let (name, value) = (&ask.param.name, crate::domain::harmless_within(value, 60));
        format!("{name}={value} is none of the {} that were offered", ask.choices.len())
    })
}

/// What a follower said before the start.
pub(super) enum Said {
    Values,
    Start { from: u64 },
}
