//! Backups: how the backups of a data set stand against what is wanted of them.

use super::{Known, Turn};
use crate::domain::{
    BackupReading, Mark, Reading, Role, SourceId, SourceInfo, Standing, Status, Timestamp, units,
};
use crate::store::Polled;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the backups of a data set stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupState {
    /// Their status and reason.
    pub standing: Standing,
    /// What the last look found that found anything.
    pub last: Option<Arc<BackupReading>>,
    /// When that was.
    pub looked: Option<Timestamp>,
    /// What is worth knowing and counts for nothing: `restore never tried`.
    pub advisories: Vec<String>,
    /// The moment after which time alone changes how they stand.
    pub(super) turns: Option<Timestamp>,
    pub(super) raised: Vec<super::alerts::Key>,
}

impl BackupState {
    /// The newest backup that nothing is wrong with.
    pub fn last_good(&self) -> Option<&crate::domain::Snapshot> {
        self.last.as_ref()?.snapshots.iter().rev().find(|snapshot| snapshot.fault.is_none())
    }
}

impl Known {
    /// Takes a look at backups in.
    pub(super) fn backup_polled(&mut self, turn: &mut Turn, info: &SourceInfo, polled: &Polled) {
        let now = self.now;
        let Some(state) = self.backups.get_mut(&info.id) else { return };
        if let Ok(Reading::Backup(reading)) = &polled.outcome {
            state.last = Some(Arc::clone(reading));
            state.looked = Some(polled.taken.min(now));
        }
        turn.backups.insert(info.id.clone());
    }

    /// How the backups of a data set stand, from what was last seen and the time.
    pub(super) fn refresh_backup(&mut self, _turn: &mut Turn, id: &SourceId) {
        let Some(place) = self.index.sources.get(id).copied() else { return };
        let inventory = Arc::clone(&self.inventory);
        let Some(info) = inventory.sources.get(place) else { return };
        let Role::Backup(role) = &info.role else { return };
        let now = self.now;
        let Some(state) = self.backups.get_mut(id) else { return };
        let Some(looked) = state.looked else { return };
        let (status, reason) = match state.last_good() {
            None => (Status::Critical, "no good backup".to_owned()),
            Some(good) => {
                let age = now.since(good.taken);
                let status = if age > role.rpo { Status::Critical } else { Status::Ok };
                (status, format!("{} old, {} allowed", units::age(age), units::age(role.rpo)))
            }
        };
        let since = if state.standing.status == status && state.standing.mark != Some(Mark::Waiting)
        {
            state.standing.since
        } else {
            now
        };
        state.standing =
            Standing { status, reason, since, seen: Some(looked), ..Standing::default() };
    }
}
