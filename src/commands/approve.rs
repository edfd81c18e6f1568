//! `opsroom approve`: a second person's word on a step of another person's run.

use super::following::{Opened, REFUSED, WAITS, run_to_end, second};
use super::{complain, print};
use crate::domain::runs::RunId;
use color_eyre::Result;
use std::path::Path;
use std::process::ExitCode;

/// Lists what waits for approval, or approves one.
pub(super) fn run(config: Option<&Path>, run: Option<&str>, no: bool) -> Result<ExitCode> {
    let opened = Opened::at(config)?;
    run_to_end(async {
        let Some(run) = run else {
            print(&second::waiting(&opened).await?)?;
            return Ok(ExitCode::SUCCESS);
        };
        let said = second::say(&opened, &RunId::from(run), no).await?;
        Ok(match said {
            second::Said::Done => ExitCode::SUCCESS,
            second::Said::Refused(why) => {
                complain(&format!("opsroom: {why}"));
                ExitCode::from(REFUSED)
            }
            second::Said::Nobody => {
                complain("opsroom: nothing was approved: it is typed at a terminal");
                ExitCode::from(WAITS)
            }
        })
    })
}
