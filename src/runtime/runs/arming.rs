//! Production is armed for a while, and disarmed.

use super::people::{May, allowed, groups_of};
use crate::config::Config;
use crate::domain::runs::{Arming, Moment, Record, Who};
use crate::domain::{harmless_within, units};
use crate::journal::{Journal, JournalError};
use std::time::Duration;
use thiserror::Error;

/// Nobody is armed for longer.
pub const LONGEST: Duration = Duration::from_hours(4);
/// A reason is not longer, in characters.
const REASON: usize = 200;

/// Why the environment was not armed.
#[derive(Debug, Error)]
pub enum ArmError {
    /// It never needs it.
    #[error("{0} needs no arming: changes are allowed there ([runbooks] arm)")]
    NotNeeded(String),
    /// For too long.
    #[error("at most 4h")]
    TooLong,
    /// Nobody said why.
    #[error("say why: it is kept in the journal")]
    NoReason,
    /// The roles do not allow it; this was journalled.
    #[error("{0}")]
    Refused(String),
    /// It could not be recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What is recorded when the config's environment is armed.
pub fn arming(
    config: &Config,
    who: &Who,
    time: Duration,
    reason: &str,
    now: &Moment,
) -> Result<Arming, ArmError> {
    if !config.runbooks.armed_only {
        return Err(ArmError::NotNeeded(config.environment.clone()));
    }
    if time > LONGEST {
        return Err(ArmError::TooLong);
    }
    let reason = harmless_within(reason.trim(), REASON);
    if reason.is_empty() {
        return Err(ArmError::NoReason);
    }
    let end = u64::try_from((now.since_boot + time).as_millis()).unwrap_or(u64::MAX);
    Ok(Arming {
        who: who.clone(),
        environment: config.environment.clone(),
        reason,
        at: now.at,
        until: now.at + time,
        boot: (now.boot.to_string(), end),
    })
}

/// Arms the config's environment for this person, if its roles allow it; what they
/// refuse is recorded.
pub async fn arm(
    journal: &Journal,
    config: &Config,
    who: &Who,
    time: Duration,
    reason: &str,
    now: &Moment,
) -> Result<Arming, ArmError> {
    let arming = arming(config, who, time, reason, now)?;
    let groups = groups_of(who.uid);
    if let Err(why) = allowed(&config.roles, &who.user, &groups, May::Arm, None, None) {
        let what = format!("arm {} for {}", config.environment, units::age(time));
        let refused = Record::Refused { who: who.clone(), what, why: why.clone() };
        journal.append(now.at, refused).await?;
        return Err(ArmError::Refused(why));
    }
    journal.append(now.at, Record::Armed(arming.clone())).await?;
    Ok(arming)
}

/// Disarms an environment for this person: by hand, or because the config was read anew.
pub async fn disarm(
    journal: &Journal,
    who: &Who,
    environment: &str,
    why: &str,
    now: &Moment,
) -> Result<(), JournalError> {
    let (who, environment, why) = (who.clone(), environment.to_owned(), why.to_owned());
    journal.append(now.at, Record::Disarmed { who, environment, why }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mistakes;
    use crate::domain::Timestamp;
    use crate::domain::runs::{ProcessId, WriterKind};
    use crate::journal::{Place, Reader};

    fn config(text: &str) -> Config {
        Config::read(text, &crate::sources::kind_keys(), &mut Mistakes::default())
    }

    fn now() -> Moment {
        let at = Timestamp::from_millis(1_000);
        Moment { at, boot: "b".into(), since_boot: Duration::from_secs(5) }
    }

    fn who() -> Who {
        Who { user: "nobody of this host".into(), uid: 4_000_000, ..Who::default() }
    }

    const QUARTER: Duration = Duration::from_mins(15);

    #[test]
    fn an_arming_has_an_end_on_both_clocks() {
        let armed = arming(&config(""), &who(), QUARTER, " api\n5xx ", &now()).unwrap();
        assert_eq!((armed.environment.as_str(), armed.reason.as_str()), ("production", "api 5xx"));
        assert_eq!(armed.until, Timestamp::from_millis(901_000));
        assert_eq!(armed.boot, ("b".into(), 905_000));
        assert!(armed.counts(&now()));
    }

    #[test]
    fn what_is_not_armed_says_why() {
        let refused = |text: &str, time: Duration, reason: &str| {
            arming(&config(text), &who(), time, reason, &now()).unwrap_err().to_string()
        };
        let words = "staging needs no arming: changes are allowed there ([runbooks] arm)";
        assert_eq!(refused("environment = \"staging\"", QUARTER, "x"), words);
        assert_eq!(refused("", LONGEST + QUARTER, "x"), "at most 4h");
        assert_eq!(refused("", QUARTER, " \t "), "say why: it is kept in the journal");
    }

    #[tokio::test]
    async fn a_refusal_by_role_is_recorded() {
        let scratch = tempfile::tempdir().unwrap();
        let place = Place::own(scratch.path());
        let process = ProcessId { pid: 1, start: 1, boot: "b".into() };
        let open = Journal::open(place.clone(), WriterKind::Command, who(), process, now().at);
        let journal = open.await.unwrap();
        let roles = config("[role.lead]\nusers = [\"li\"]");
        let error = arm(&journal, &roles, &who(), QUARTER, "why", &now()).await.unwrap_err();
        assert_eq!(error.to_string(), "nobody of this host has no role in the config");
        let last = Reader::new(place).newest(None, 1).await.unwrap().remove(0).entry().unwrap();
        let Record::Refused { what, .. } = last.record else { panic!("{last:?}") };
        assert_eq!(what, "arm production for 15m");
        assert_eq!(journal.armed(&who(), "production", &now()).await.unwrap(), None);
        arm(&journal, &config(""), &who(), QUARTER, "why", &now()).await.unwrap();
        assert!(journal.armed(&who(), "production", &now()).await.unwrap().is_some());
        disarm(&journal, &who(), "production", "by hand", &now()).await.unwrap();
        assert_eq!(journal.armed(&who(), "production", &now()).await.unwrap(), None);
    }
}
