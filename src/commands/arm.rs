//! `opsroom arm` and `opsroom disarm`.

use super::ledger::Ledger;
use super::print;
use crate::domain::{harmless, units};
use crate::runtime::clock::moment;
use crate::runtime::runs::arming::{arm, disarm};
use crate::runtime::runs::process;
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Arms the environment, or disarms it where no time is given.
pub(super) fn run(config: Option<&Path>, time: Option<(Duration, &str)>) -> Result<ExitCode> {
    let ledger = Ledger::of(config)?;
    let environment = harmless(&ledger.config.environment).into_owned();
    let who = process::who();
    let now = moment()?;
    let Some((time, reason)) = time else {
        let disarmed = ledger.block_on(async {
            if ledger.reader().armed(&who, &ledger.config.environment, &now).await?.is_none() {
                return Ok(false);
            }
            let journal = ledger.open(&who, now.at).await?;
            disarm(&journal, &who, &ledger.config.environment, "by hand", &now).await?;
            color_eyre::eyre::Ok(true)
        })?;
        let words = if disarmed { "is disarmed" } else { "was not armed" };
        print(&format!("{environment} {words}\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    // What cannot be is said before anything is opened.
    crate::runtime::runs::arming::arming(&ledger.config, &who, time, reason, &now)?;
    let armed = ledger.block_on(async {
        let journal = ledger.open(&who, now.at).await?;
        color_eyre::eyre::Ok(arm(&journal, &ledger.config, &who, time, reason, &now).await?)
    })?;
    let reach = if ledger.place.shared { "on this host" } else { "in your own journal" };
    print(&format!(
        "{environment} is armed for {}, until {}, for user {} {reach}; `opsroom disarm` ends it\n",
        units::age(time),
        armed.until,
        harmless(&armed.who.user),
    ))?;
    Ok(ExitCode::SUCCESS)
}
