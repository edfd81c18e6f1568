//! What must still be as it was: host, environment, what the runbook pins, and
//! the reason for the run itself.

use super::floor::Over;
use super::{Conductor, house};
use crate::domain::Timestamp;
use crate::domain::runs::{
    Condition, Finding, Held, Holds, Pin, PinAsked, RunRecord, StepId, Value,
};
use crate::runbook::plan::environment;
use crate::runbook::shell::variables;
use crate::runbook::{Answer, AskKind, Evidence, Run};
use crate::runtime::runs::process;
use crate::steps;
use std::time::Duration;

/// A pin that answers later than this is late.
const LATE: Duration = Duration::from_secs(15);

impl Conductor {
    /// Asks each pin for the first time, before anything is done: what they say
    /// now is what they have to say later. One that needs what a step captures is
    /// asked when its step comes; without any other nothing is begun.
    pub(super) async fn pin_down(&mut self) -> Result<(), Over> {
        let all = self.run.plan.pins.clone();
        let is_pinned = |run: &Run, pin: &Pin| run.pinned.contains_key(&pin.name);
        let Some(first) = all.iter().map(|pin| pin.before).min() else { return Ok(()) };
        while !all.iter().all(|pin| is_pinned(&self.run, pin) || self.awaits(pin)) {
            let mut pins = self.ask_pins(&all).await;
            let awaited = |name: &str| all.iter().any(|pin| pin.name == name && self.awaits(pin));
            pins.retain(|pin| pin.is.is_ok() || !awaited(&pin.name));
            let silent = pins.iter().filter(|pin| pin.is.is_err());
            let difference: Vec<String> = silent.filter_map(difference).collect();
            // What could not be told stands in the journal as well.
            let is_recorded = self.note(RunRecord::PinsAsked { step: first, pins }).await?;
            if difference.is_empty() || !is_recorded {
                continue;
            }
            let kind = AskKind::Changed { difference, may_go_on: false };
            let (who, answer) = self.question(first, kind).await?;
            if !matches!(answer, Answer::Again) {
                return self.way_out(first, who, answer).await;
            }
        }
        Ok(())
    }

    /// Whether a pin speaks of something that a step is still to capture.
    fn awaits(&self, pin: &Pin) -> bool {
        variables(&pin.command).iter().any(|name| {
            let values = &self.run.plan.values;
            let captures = |value: &Value| matches!(value.held, Held::Captured(_));
            values.iter().any(|value| value.name == *name && captures(value))
        })
    }

    /// Asks host, environment and each of these pins.
    async fn ask_pins(&mut self, pins: &[Pin]) -> Vec<PinAsked> {
        let plan = &self.run.plan;
        let mut asked = vec![
            PinAsked { name: "host".into(), was: plan.host.clone(), is: Ok(process::who().host) },
            PinAsked {
                name: "environment".into(),
                was: plan.environment.clone(),
                is: house::environment_now(&plan.config),
            },
        ];
        for pin in pins {
            let uses = variables(&pin.command);
            let mut env =
                environment(&self.run.plan, &uses, false, &self.run.captured, &self.secrets);
            env.insert("OPSROOM_RUN".into(), self.run.id.to_string());
            let folder = self.run.plan.folder.clone();
            let asking = steps::ask(&pin.command, &env, &folder, LATE, process::process_id);
            let mut is = self.floor.meanwhile(asking).await;
            let (Ok(text) | Err(text)) = &mut is;
            *text = self.mask.text(text);
            let was = self.run.pinned.get(&pin.name).cloned();
            let was = was.unwrap_or_else(|| is.clone().unwrap_or_default());
            asked.push(PinAsked { name: pin.name.clone(), was, is });
        }
        self.floor.doing.pins.clone_from(&asked);
        self.floor.doing.pins_at = Some(self.floor.clock.now());
        self.floor.tell();
        asked
    }

    /// Asks what must be as it was right before a changing step: what is not, in
    /// words, line by line, and whether a person may go on nevertheless. None
    /// where the answers could not be recorded.
    pub(super) async fn changed(
        &mut self,
        step: StepId,
        undoing: Option<StepId>,
        is_last: bool,
    ) -> Result<Option<(Vec<String>, bool)>, Over> {
        // What a run has changed is not as it was: undoing it is held to where it is alone.
        let held: Vec<Pin> = match undoing {
            Some(_) => Vec::new(),
            None => self.run.plan.pins.iter().filter(|pin| pin.before <= step).cloned().collect(),
        };
        let pins = self.ask_pins(&held).await;
        let mut differences: Vec<String> = pins.iter().filter_map(difference).collect();
        if is_last || !differences.is_empty() {
            let is_recorded = self.note(RunRecord::PinsAsked { step, pins }).await?;
            if !is_recorded {
                return Ok(None);
            }
        }
        let may_go_on = differences.is_empty();
        if undoing.is_none() && !self.goes_on && !self.run.has_changed() {
            differences.extend(self.no_reason_left().await);
        }
        Ok(Some((differences, may_go_on)))
    }

    /// The alert that the run was started from resolved, or its service became ok.
    async fn no_reason_left(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        let since = self.open_since;
        if let Some(alert) = &self.run.plan.alert
            && let Some(name) = alert.labels.get("alertname")
        {
            let name = name.to_owned();
            let firing = Condition::Alert { name: name.clone(), firing: true };
            let found = self.look(&firing, since).await;
            if found.holds == Holds::No {
                words.push(format!("the alert {name} fires no longer: {}", found.words));
            }
        }
        if let Some(service) = self.run.plan.service.clone() {
            let (line, is_ok) = house::service_line(&service);
            let was = self.run.before.iter().find(|known| known.line == line);
            if was.is_some_and(|was| was.finding.holds == Holds::No) {
                let found = self.look(&is_ok, since).await;
                if found.holds == Holds::Yes {
                    words.push(format!("the service {service} is ok by now: {}", found.words));
                }
            }
        }
        words
    }

    async fn look(&mut self, condition: &Condition, after: Timestamp) -> Finding {
        let eyes = std::sync::Arc::clone(&self.eyes);
        let found = eyes.ask(condition, after);
        let mut found = self.floor.meanwhile(found).await;
        self.mask.finding(&mut found);
        found
    }
}

/// What a pin says that is not as it was.
fn difference(pin: &PinAsked) -> Option<String> {
    match &pin.is {
        Ok(is) if *is == pin.was => None,
        Ok(is) => Some(format!("{} was {} and is {}", pin.name, shown(&pin.was), shown(is))),
        Err(why) => Some(format!("{} cannot be told: {why}", pin.name)),
    }
}

fn shown(text: &str) -> String {
    if text.is_empty() { "empty".to_owned() } else { crate::domain::harmless_within(text, 200) }
}
