//! A config that was read anew: what is still there keeps what is known of it.

use super::index::Index;
use super::{Known, Turn};
use crate::domain::{Inventory, Role, SignalId, SourceId};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Known {
    /// Takes a new inventory over. Sources, signals and services are the same
    /// if their identity is; one that asks something else now starts anew. The
    /// environment's name never changes while the program runs.
    pub(super) fn reloaded(&mut self, turn: &mut Turn, inventory: &Arc<Inventory>) {
        let before = Arc::clone(&self.inventory);
        self.inventory = if inventory.environment == before.environment {
            Arc::clone(inventory)
        } else {
            let environment = before.environment.clone();
            Arc::new(Inventory { environment, ..Inventory::clone(inventory) })
        };
        let old_index = std::mem::replace(&mut self.index, Arc::new(Index::of(inventory)));
        let inventory = Arc::clone(&self.inventory);
        let index = Arc::clone(&self.index);

        let mut gone = Vec::new();
        let same_source = |id: &SourceId| {
            let old = old_index.sources.get(id).and_then(|place| before.sources.get(*place));
            let new = index.sources.get(id).and_then(|place| inventory.sources.get(*place));
            old.zip(new).is_some_and(|(old, new)| {
                let belongs = match (&old.role, &new.role) {
                    (Role::Check(old), Role::Check(new)) => old.service == new.service,
                    (old, new) => std::mem::discriminant(old) == std::mem::discriminant(new),
                };
                belongs && old.kind == new.kind && old.asks == new.asks
            })
        };
        self.sources.retain(|id, state| {
            same_source(id) || {
                gone.append(&mut state.memory.raised);
                false
            }
        });
        self.checks.retain(|id, state| {
            same_source(id) || {
                gone.append(&mut state.memory.raised);
                false
            }
        });
        self.backups.retain(|id, state| {
            same_source(id) || {
                gone.append(&mut state.memory.raised);
                false
            }
        });
        let same_signal = |id: &SignalId| {
            let old = old_index.signals.get(id).and_then(|place| before.signals.get(*place));
            let new = index.signals.get(id).and_then(|place| inventory.signals.get(*place));
            old.zip(new).is_some_and(|(old, new)| {
                old.expr == new.expr
                    && old.engine == new.engine
                    && old.unit == new.unit
                    && old.kind == new.kind
                    && old.labels == new.labels
                    && (&old.service, &old.hosts) == (&new.service, &new.hosts)
            })
        };
        self.signals.retain(|id, state| {
            // Thresholds may have changed: asked at once, judged anew.
            state.memory.asked = None;
            state.memory.due = state.memory.due.min(self.now);
            same_signal(id) || {
                gone.append(&mut state.memory.raised);
                false
            }
        });
        let told: BTreeSet<String> = self.tellers().map(|(info, _)| info.label.clone()).collect();
        self.releases.retain(|release| told.contains(&release.origin));
        // What was found elsewhere under the same name says nothing of it.
        self.looked.retain(|looked| same_source(&looked.source));
        self.services.retain(|name, _| index.services.contains_key(name));
        self.hosts.retain(|name, _| index.groups.contains_key(name));
        self.runs.forget_reads();
        self.end(turn, gone);
        self.fill_up();
        self.touch_all(turn);
        self.ask_what_is_due(turn);
    }
}
